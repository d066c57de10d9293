/* SPDX-License-Identifier: ISC */
#include "maildir_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "maildir_disk.h"
#include "wire/radix64.h"

/* One thing is done at a time: a command, or a piece of work on the pool; then step() looks for the next.
 * What fails begins from the start a while later: the position in the folder says from where. */
enum {
    PAGE = 200,
    PIECE = 256 << 10,   /* bytes of a message in one answer */
    SEQS_MOST = 1000,    /* in one command */
    POSTS_MOST = 200000, /* in a box */
    RETRY_MS = 30000,
    RESCAN_MS = 60000, /* where the system tells of no changes: a network's file system */
    SETTLE_MS = 200,   /* a mail program that changes one file often changes more */
};

enum phase { START, OPEN, SCAN, LIST, READY };
enum presence {
    ABSENT, /* not opened yet, or still to be written */
    HERE,
    LOST, /* the mail program has deleted it */
};

struct entry {
    int64_t seq, change;
    maildir_letters gateway; /* as the gateway has them: seen, answered, flagged */
    maildir_letters letters; /* as the file has */
    enum presence presence;
    bool in_new, locked;
    bool fresh; /* both may have changed while nobody looked: the gateway is right */
    bool asked; /* its deletion */
};

struct maildir_folder {
    struct maildir_place place;
    struct gateway_session *session;
    uint64_t token;
    void (*answered)(struct maildir_folder *folder, json_t *result);
    enum phase phase;
    bool closing, waiting, more, rescan, settling, watching;
    int64_t cursor; /* changes pulled */

    struct entry *entries; /* by seq */
    size_t count, room;
    struct maildir_files files; /* found by the scan */

    json_t *page; /* of changes */
    size_t page_at;
    bool concerned; /* something of it is in the folder now */
    json_t *post;   /* that is being written */
    uint64_t offset;
    struct buffer piece;
    bool last;

    uv_work_t work;
    bool working, worked;
    bool (*job)(struct maildir_folder *folder, struct error **error);
    void (*done)(struct maildir_folder *folder);
    struct error *error;
    struct maildir_disk disk;
    struct maildir_post writing;
    struct maildir_file file;
    maildir_letters clear, set;
    bool there;
    char told[256]; /* the failure logged last */

    uv_timer_t timer;
    uv_fs_event_t events[2]; /* new, cur */
    unsigned handles;
};

static void step(struct maildir_folder *folder);
static void on_timer(uv_timer_t *timer);

/* --- the end */

static void on_handle_gone(uv_handle_t *handle)
{
    struct maildir_folder *folder = handle->data;
    if (--folder->handles > 0)
        return;
    maildir_disk_forget(&folder->disk);
    json_decref(folder->page);
    json_decref(folder->post);
    buffer_free(&folder->piece);
    error_free(folder->error);
    folder->place.closed(folder->place.arg, folder);
    free(folder->entries);
    free(folder->files.list);
    free(folder);
}

static void finish(struct maildir_folder *folder)
{
    uv_close((uv_handle_t *)&folder->timer, on_handle_gone);
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&folder->events[i], on_handle_gone);
}

void maildir_folder_close(struct maildir_folder *folder)
{
    if (folder->closing)
        return;
    folder->closing = true;
    if (folder->session != NULL)
        gateway_logout(folder->session);
    folder->session = NULL;
    if (!folder->working)
        finish(folder);
}

/* --- failure */

static void fail(struct maildir_folder *folder, const struct error *error)
{
    const char *text = error != NULL ? error->text : "out of memory";
    if (strcmp(folder->told, text) != 0) {
        const char *account = folder->place.account;
        snprintf(folder->told, sizeof folder->told, "%s", text);
        log_warn("mail", "event=maildir-failed account=%s cause=%s", log_name(account, strlen(account)),
                 log_text(text, strlen(text)));
    }
    maildir_disk_forget(&folder->disk);
    json_decref(folder->page);
    json_decref(folder->post);
    folder->page = folder->post = NULL;
    folder->phase = START;
    folder->waiting = true;
    uv_timer_start(&folder->timer, on_timer, RETRY_MS, 0);
}

static void fail_with(struct maildir_folder *folder, const char *text)
{
    struct error error = {.code = ERROR_UNAVAILABLE};
    snprintf(error.text, sizeof error.text, "%s", text);
    fail(folder, &error);
}

/* --- commands and work */

static void on_answer(void *arg, json_t *result, const struct error *error)
{
    struct maildir_folder *folder = arg;
    folder->token = 0;
    if (error != NULL)
        fail(folder, error);
    else
        folder->answered(folder, result);
    step(folder);
}

/* Takes the command. */
static void ask(struct maildir_folder *folder, json_t *command,
                void (*answered)(struct maildir_folder *folder, json_t *result))
{
    struct error *error = NULL;
    folder->answered = answered;
    folder->token = command != NULL ? gateway_do(folder->session, command, on_answer, folder, &error) : 0;
    json_decref(command);
    if (folder->token == 0)
        fail(folder, error);
    error_free(error);
}

static void on_work(uv_work_t *work)
{
    struct maildir_folder *folder = work->data;
    folder->worked = folder->job(folder, &folder->error);
}

static void on_worked(uv_work_t *work, int status)
{
    struct maildir_folder *folder = work->data;
    folder->working = false;
    if (folder->closing) {
        finish(folder);
        return;
    }
    if (status != 0 || !folder->worked)
        fail(folder, folder->error);
    else
        folder->done(folder);
    error_free(folder->error);
    folder->error = NULL;
    step(folder);
}

static void run(struct maildir_folder *folder, bool (*job)(struct maildir_folder *, struct error **),
                void (*done)(struct maildir_folder *))
{
    folder->job = job;
    folder->done = done;
    folder->work.data = folder;
    folder->working = uv_queue_work(folder->place.loop, &folder->work, on_work, on_worked) == 0;
    if (!folder->working)
        fail(folder, NULL);
}

/* --- the entries */

static size_t position_of(const struct maildir_folder *folder, int64_t seq)
{
    size_t low = 0, high = folder->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (folder->entries[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *entry_of(struct maildir_folder *folder, int64_t seq)
{
    size_t at = position_of(folder, seq);
    return at < folder->count && folder->entries[at].seq == seq ? &folder->entries[at] : NULL;
}

static struct entry *entry_add(struct maildir_folder *folder, size_t at, int64_t seq)
{
    if (folder->count == folder->room) {
        size_t room = folder->room > 0 ? 2 * folder->room : PAGE;
        struct entry *entries =
            folder->count < POSTS_MOST ? realloc(folder->entries, room * sizeof *entries) : NULL;
        if (entries == NULL)
            return NULL;
        folder->entries = entries;
        folder->room = room;
    }
    memmove(&folder->entries[at + 1], &folder->entries[at], (folder->count - at) * sizeof *folder->entries);
    folder->count++;
    folder->entries[at] = (struct entry){.seq = seq};
    return &folder->entries[at];
}

static void entry_drop(struct maildir_folder *folder, struct entry *entry)
{
    size_t at = (size_t)(entry - folder->entries);
    memmove(entry, entry + 1, (--folder->count - at) * sizeof *entry);
}

static int64_t integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static maildir_letters letters_of(const json_t *post)
{
    return (json_is_true(json_object_get(post, "seen")) ? MAILDIR_SEEN : 0) |
           (json_is_true(json_object_get(post, "answered")) ? MAILDIR_ANSWERED : 0) |
           (json_is_true(json_object_get(post, "flagged")) ? MAILDIR_FLAGGED : 0);
}

static bool is_locked(const json_t *post)
{
    const char *verdict = json_string_value(json_object_get(post, "verdict"));
    return verdict != NULL && strcmp(verdict, "locked") == 0;
}

/* --- the start: whose it is, what is there, what the gateway has */

static void got_account(struct maildir_folder *folder, json_t *result)
{
    const char *owner = json_string_value(json_object_get(result, "fingerprint"));
    if (owner == NULL || owner[0] == '\0' || strlen(owner) >= sizeof folder->disk.owner) {
        fail_with(folder, "the gateway gave an odd answer");
        return;
    }
    snprintf(folder->disk.owner, sizeof folder->disk.owner, "%s", owner);
    folder->disk.epoch = integer(result, "epoch");
    folder->phase = OPEN;
}

static bool job_open(struct maildir_folder *folder, struct error **error)
{
    return maildir_disk_open(&folder->disk, error);
}

static void opened(struct maildir_folder *folder)
{
    folder->cursor = folder->disk.position;
    folder->count = 0;
    folder->phase = SCAN;
}

static bool job_scan(struct maildir_folder *folder, struct error **error)
{
    return maildir_disk_scan(&folder->disk, &folder->files, error);
}

static void scanned_first(struct maildir_folder *folder)
{
    if (folder->disk.position != folder->cursor)
        fail_with(folder, "the folder is another one than before");
    else
        folder->phase = LIST;
}

static const struct maildir_file *file_of(const struct maildir_folder *folder, int64_t seq)
{
    size_t low = 0, high = folder->files.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (folder->files.list[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < folder->files.count && folder->files.list[low].seq == seq ? &folder->files.list[low] : NULL;
}

static void enter_file(struct entry *entry, const struct maildir_file *file)
{
    entry->letters = file->letters;
    entry->in_new = file->in_new;
    entry->presence = HERE;
}

static void compare_first(struct maildir_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        struct entry *entry = &folder->entries[i];
        const struct maildir_file *file = file_of(folder, entry->seq);
        bool known = entry->change <= folder->cursor;
        entry->fresh = !known;
        if (file != NULL)
            enter_file(entry, file);
        else
            entry->presence = known && !entry->locked ? LOST : ABSENT;
    }
}

/* What the gateway does not have (any more): if it is told as gone, the file goes. */
static bool add_others(struct maildir_folder *folder)
{
    for (size_t i = 0; i < folder->files.count; i++) {
        const struct maildir_file *file = &folder->files.list[i];
        size_t at = position_of(folder, file->seq);
        if (at < folder->count && folder->entries[at].seq == file->seq)
            continue;
        struct entry *entry = entry_add(folder, at, file->seq);
        if (entry == NULL)
            return false;
        enter_file(entry, file);
        entry->gateway = file->letters & MAILDIR_OURS;
        entry->fresh = entry->asked = true;
    }
    return true;
}

static int by_seq(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    return (left->seq > right->seq) - (left->seq < right->seq);
}

static void got_list(struct maildir_folder *folder, json_t *result)
{
    const json_t *posts = json_object_get(result, "posts"), *post;
    size_t index;
    json_array_foreach(posts, index, post)
    {
        struct entry *entry = entry_add(folder, folder->count, integer(post, "seq"));
        if (entry == NULL) {
            fail_with(folder, "there are too many posts");
            return;
        }
        entry->change = integer(post, "change");
        entry->gateway = letters_of(post);
        entry->locked = is_locked(post);
    }
    if (json_is_true(json_object_get(result, "more")) && index > 0)
        return;
    if (folder->count > 1)
        qsort(folder->entries, folder->count, sizeof *folder->entries, by_seq);
    compare_first(folder);
    if (!add_others(folder)) {
        fail_with(folder, "there are too many posts");
        return;
    }
    folder->cursor = folder->cursor > 0 ? folder->cursor : 0;
    folder->phase = READY;
    folder->more = true;
}

static void ask_list(struct maildir_folder *folder)
{
    json_t *command = json_pack("{s:s, s:s, s:i}", "do", "post.list", "box",
                                folder->place.sent ? "out" : "in", "max", PAGE);
    if (command != NULL && folder->count > 0)
        json_object_set_new(command, "before", json_integer(folder->entries[folder->count - 1].seq));
    ask(folder, command, got_list);
}

/* --- from the gateway to the folder */

static void ask_piece(struct maildir_folder *folder);

static bool job_write(struct maildir_folder *folder, struct error **error)
{
    return maildir_disk_write(&folder->disk, &folder->writing, folder->offset, buffer_view(&folder->piece),
                              folder->last, error);
}

static void written(struct maildir_folder *folder)
{
    if (!folder->last) {
        folder->offset += buffer_size(&folder->piece);
        return;
    }
    int64_t seq = folder->writing.seq;
    struct entry *entry = entry_of(folder, seq);
    if (entry == NULL)
        entry = entry_add(folder, position_of(folder, seq), seq);
    json_decref(folder->post);
    folder->post = NULL;
    if (entry == NULL) {
        fail_with(folder, "there are too many posts");
        return;
    }
    *entry = (struct entry){.seq = seq,
                            .gateway = folder->writing.letters,
                            .letters = folder->writing.letters,
                            .in_new = folder->writing.letters == 0,
                            .presence = HERE};
}

/* One that is gone meanwhile is told as gone further on. */
static void on_piece(void *arg, json_t *result, const struct error *error)
{
    struct maildir_folder *folder = arg;
    folder->token = 0;
    const char *data = json_string_value(json_object_get(result, "data"));
    buffer_clear(&folder->piece);
    if (error != NULL && error->code == ERROR_NOT_FOUND) {
        maildir_disk_forget(&folder->disk);
        json_decref(folder->post);
        folder->post = NULL;
    } else if (error != NULL) {
        fail(folder, error);
    } else if (data == NULL || !radix64_decode(&folder->piece, bytes_of_string(data))) {
        fail_with(folder, "the gateway gave an odd answer");
    } else {
        folder->last = json_is_true(json_object_get(result, "end"));
        if (!folder->last && buffer_size(&folder->piece) == 0)
            fail_with(folder, "the gateway gave an odd answer");
        else
            run(folder, job_write, written);
    }
    step(folder);
}

static void ask_piece(struct maildir_folder *folder)
{
    struct error *error = NULL;
    json_t *command =
        json_pack("{s:s, s:I, s:I, s:i}", "do", "post.read", "seq", (json_int_t)folder->writing.seq, "offset",
                  (json_int_t)folder->offset, "size", PIECE);
    folder->token = command != NULL ? gateway_do(folder->session, command, on_piece, folder, &error) : 0;
    json_decref(command);
    if (folder->token == 0)
        fail(folder, error);
    error_free(error);
}

static void begin_post(struct maildir_folder *folder, json_t *post)
{
    folder->post = json_incref(post);
    folder->offset = 0;
    folder->writing = (struct maildir_post){.seq = integer(post, "seq"),
                                            .seconds = integer(post, "time") / 1000,
                                            .size = integer(post, "size"),
                                            .letters = letters_of(post)};
    folder->concerned = true;
}

static bool job_tag(struct maildir_folder *folder, struct error **error)
{
    return maildir_disk_tag(&folder->disk, &folder->file, folder->clear, folder->set, &folder->there, error);
}

static void tagged(struct maildir_folder *folder)
{
    struct entry *entry = entry_of(folder, folder->file.seq);
    if (!folder->there)
        folder->rescan = true;
    else if (entry != NULL)
        enter_file(entry, &folder->file);
}

static bool job_remove(struct maildir_folder *folder, struct error **error)
{
    return maildir_disk_remove(&folder->disk, &folder->file, error);
}

static void removed(struct maildir_folder *folder)
{
    struct entry *entry = entry_of(folder, folder->file.seq);
    if (entry != NULL)
        entry_drop(folder, entry);
}

static void take_post(struct maildir_folder *folder, json_t *post)
{
    const char *direction = json_string_value(json_object_get(post, "direction"));
    if (direction == NULL || strcmp(direction, folder->place.sent ? "out" : "in") != 0 || is_locked(post))
        return;
    struct entry *entry = entry_of(folder, integer(post, "seq"));
    maildir_letters gateway = letters_of(post);
    if (entry == NULL || entry->presence == ABSENT) {
        begin_post(folder, post);
        return;
    }
    maildir_letters changed = entry->fresh ? MAILDIR_OURS : entry->gateway ^ gateway;
    if (entry->fresh)
        entry->asked = false;
    entry->gateway = gateway;
    entry->fresh = false;
    folder->concerned = true;
    folder->clear = changed & ~gateway;
    folder->set = changed & gateway;
    if (entry->presence == LOST || ((entry->letters & ~folder->clear) | folder->set) == entry->letters)
        return;
    folder->file = (struct maildir_file){entry->seq, entry->letters, entry->in_new};
    run(folder, job_tag, tagged);
}

static void take_gone(struct maildir_folder *folder, int64_t seq)
{
    struct entry *entry = entry_of(folder, seq);
    if (entry == NULL)
        return;
    folder->concerned = true;
    if (entry->presence != HERE) {
        entry_drop(folder, entry);
        return;
    }
    folder->file = (struct maildir_file){entry->seq, entry->letters, entry->in_new};
    run(folder, job_remove, removed);
}

static bool job_keep(struct maildir_folder *folder, struct error **error)
{
    return maildir_disk_keep(&folder->disk, folder->cursor, error);
}

static void kept(struct maildir_folder *folder)
{
    folder->concerned = false;
    folder->told[0] = '\0';
}

static void next_change(struct maildir_folder *folder)
{
    const json_t *changes = json_object_get(folder->page, "changes");
    const json_t *change = json_array_get(changes, folder->page_at++);
    if (change != NULL) {
        const json_t *gone = json_object_get(json_object_get(change, "gone"), "post");
        json_t *post = json_object_get(change, "post");
        if (post != NULL)
            take_post(folder, post);
        else if (gone != NULL)
            take_gone(folder, json_integer_value(gone));
        return;
    }
    folder->cursor = integer(folder->page, "change");
    folder->more = folder->more || json_is_true(json_object_get(folder->page, "more"));
    json_decref(folder->page);
    folder->page = NULL;
    if (folder->concerned || (folder->disk.position < 0 && !folder->more))
        run(folder, job_keep, kept);
}

static void got_changes(struct maildir_folder *folder, json_t *result)
{
    if (integer(result, "epoch") != folder->disk.epoch) {
        fail_with(folder, "a backup was restored");
        return;
    }
    folder->page = json_incref(result);
    folder->page_at = 0;
}

/* --- from the folder to the gateway */

static const struct told_flag {
    maildir_letters letter;
    const char *key;
} told_flags[] = {{MAILDIR_SEEN, "seen"}, {MAILDIR_ANSWERED, "answered"}, {MAILDIR_FLAGGED, "flagged"}};
enum { TOLD_FLAGS = sizeof told_flags / sizeof *told_flags };

static bool is_deleted(const struct entry *entry)
{
    return !entry->asked && !entry->fresh &&
           (entry->presence == LOST || (entry->presence == HERE && (entry->letters & MAILDIR_TRASHED) != 0));
}

static bool differs(const struct entry *entry, maildir_letters letter, bool set)
{
    return entry->presence == HERE && !entry->asked && !entry->fresh &&
           ((entry->letters ^ entry->gateway) & letter) != 0 && ((entry->letters & letter) != 0) == set;
}

static void flagged(struct maildir_folder *folder, json_t *result)
{
    (void)folder;
    (void)result;
}

/* Takes `seqs`. */
static bool tell(struct maildir_folder *folder, json_t *command, json_t *seqs)
{
    if (json_array_size(seqs) == 0) {
        json_decref(command);
        json_decref(seqs);
        return false;
    }
    if (command != NULL)
        json_object_set_new(command, "seqs", seqs);
    else
        json_decref(seqs);
    ask(folder, command, flagged);
    return true;
}

static bool tell_deleted(struct maildir_folder *folder)
{
    json_t *seqs = json_array();
    for (size_t i = 0; i < folder->count && json_array_size(seqs) < SEQS_MOST; i++) {
        struct entry *entry = &folder->entries[i];
        if (is_deleted(entry) && json_array_append_new(seqs, json_integer(entry->seq)) == 0)
            entry->asked = true;
    }
    return tell(folder, json_pack("{s:s}", "do", "post.delete"), seqs);
}

static bool tell_flags(struct maildir_folder *folder)
{
    for (size_t row = 0; row < 2 * TOLD_FLAGS; row++) {
        const struct told_flag *flag = &told_flags[row / 2];
        bool set = row % 2 == 0;
        json_t *seqs = json_array();
        for (size_t i = 0; i < folder->count && json_array_size(seqs) < SEQS_MOST; i++) {
            struct entry *entry = &folder->entries[i];
            if (differs(entry, flag->letter, set) &&
                json_array_append_new(seqs, json_integer(entry->seq)) == 0)
                entry->gateway ^= flag->letter;
        }
        if (tell(folder, json_pack("{s:s, s:b}", "do", "post.flag", flag->key, set), seqs))
            return true;
    }
    return false;
}

static void scanned(struct maildir_folder *folder)
{
    if (folder->disk.position < 0) {
        fail_with(folder, "the folder is another one than before");
        folder->waiting = false;
        return;
    }
    for (size_t i = 0; i < folder->count; i++) {
        struct entry *entry = &folder->entries[i];
        const struct maildir_file *file = file_of(folder, entry->seq);
        if (file != NULL && entry->presence != ABSENT)
            enter_file(entry, file);
        else if (entry->presence == HERE)
            entry->presence = LOST;
    }
}

/* --- the loop */

static void on_file_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct maildir_folder *folder = event->data;
    (void)name;
    (void)events;
    if (status != 0 || folder->settling || folder->waiting || folder->closing)
        return;
    folder->settling = true;
    uv_timer_start(&folder->timer, on_timer, SETTLE_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct maildir_folder *folder = timer->data;
    folder->waiting = folder->settling = false;
    folder->rescan = true;
    uv_timer_start(timer, on_timer, RESCAN_MS, 0);
    step(folder);
}

/* The folders may be others now than the ones that were watched. */
static void watch(struct maildir_folder *folder)
{
    static const char *const names[] = {"new", "cur"};
    for (size_t i = 0; i < 2; i++) {
        char path[640];
        snprintf(path, sizeof path, "%s/%s%s/%s", folder->disk.folder, folder->disk.account,
                 folder->place.sent ? "/.Sent" : "", names[i]);
        uv_fs_event_stop(&folder->events[i]);
        uv_fs_event_start(&folder->events[i], on_file_event, path, 0);
    }
}

/* False: there is nothing to do. */
static bool step_ready(struct maildir_folder *folder)
{
    if (folder->post != NULL) {
        ask_piece(folder);
    } else if (folder->page != NULL) {
        next_change(folder);
    } else if (folder->more) {
        folder->more = false;
        ask(folder,
            json_pack("{s:s, s:I, s:i}", "do", "changes", "after", (json_int_t)folder->cursor, "max", PAGE),
            got_changes);
    } else if (folder->rescan) {
        folder->rescan = false;
        run(folder, job_scan, scanned);
    } else {
        return tell_deleted(folder) || tell_flags(folder);
    }
    return true;
}

static bool is_idle(const struct maildir_folder *folder)
{
    return !folder->working && folder->token == 0 && !folder->waiting && !folder->closing;
}

static void step(struct maildir_folder *folder)
{
    bool on = true;
    while (on && is_idle(folder)) {
        switch (folder->phase) {
        case START:
            ask(folder, json_pack("{s:s}", "do", "account.show"), got_account);
            break;
        case OPEN:
            run(folder, job_open, opened);
            break;
        case SCAN:
            watch(folder);
            run(folder, job_scan, scanned_first);
            break;
        case LIST:
            ask_list(folder);
            break;
        case READY:
            on = step_ready(folder);
            break;
        }
    }
}

static void on_more(void *arg)
{
    struct maildir_folder *folder = arg;
    folder->more = true;
    step(folder);
}

static void on_ended(void *arg, const char *reason)
{
    struct maildir_folder *folder = arg;
    (void)reason;
    folder->session = NULL;
    maildir_folder_close(folder);
}

static const struct gateway_events events = {.more = on_more, .ended = on_ended};

struct maildir_folder *maildir_folder_open(const struct maildir_place *place)
{
    struct maildir_folder *folder = calloc(1, sizeof *folder);
    if (folder == NULL)
        return NULL;
    *folder = (struct maildir_folder){
        .place = *place, .piece = buffer_make(PIECE + 16), .handles = 3, .disk.message = -1};
    struct maildir_disk *disk = &folder->disk;
    disk->sent = place->sent;
    snprintf(disk->folder, sizeof disk->folder, "%s", place->folder);
    snprintf(disk->account, sizeof disk->account, "%s", place->account);
    snprintf(disk->host, sizeof disk->host, "%s", place->name);
    folder->place.account = disk->account;
    folder->session = strlen(place->account) < sizeof disk->account
                          ? gateway_service(place->gateway, place->account, "mail")
                          : NULL;
    if (folder->session == NULL) {
        free(folder);
        return NULL;
    }
    gateway_listen(folder->session, &events, folder);
    uv_timer_init(place->loop, &folder->timer);
    folder->timer.data = folder;
    for (size_t i = 0; i < 2; i++) {
        uv_fs_event_init(place->loop, &folder->events[i]);
        folder->events[i].data = folder;
    }
    uv_timer_start(&folder->timer, on_timer, RESCAN_MS, 0);
    step(folder);
    return folder;
}

bool maildir_folder_is(const struct maildir_folder *folder, const char *account)
{
    return !folder->closing && strcmp(folder->disk.account, account) == 0;
}
