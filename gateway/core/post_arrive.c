/* SPDX-License-Identifier: ISC */
/* Posts that arrived: their stored form is made, and committed with the mark by which they are known again.
 */
#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/post_message.h"
#include "core/post_people.h"
#include "core/post_rows.h"
#include "core/post_store.h"
#include "core/write.h"
#include "wire/percent.h"

enum {
    IDS_PUT_BACK = 12,     /* ids of a thread that are looked for, the newest */
    FILES_TEXT = 40 << 10, /* bytes of JSON of file references in a row: the message has them all */
    HOUR_MS = 3600000,
};

struct arriving {
    struct account *account;
    struct post_arrival arrival;
    struct people *people;
    struct people_view view;
    struct mime_people mime;
    struct known_id ids[IDS_PUT_BACK];
    size_t id_count, id_at;
    struct mime_person self;
    struct bytes autocrypt;
    char message_id[64];
    struct inbox_post *inbox;
    struct error *error;
    post_stored_fn *done;
    void *arg;
};

static void arrival_free(struct post_arrival *arrival)
{
    if (arrival->inner != NULL)
        post_inner_free(arrival->inner);
    free(arrival->inner);
    buffer_free(&arrival->content);
    buffer_free(&arrival->autocrypt);
    buffer_free(&arrival->locked);
}

static void arriving_free(struct arriving *arriving)
{
    arrival_free(&arriving->arrival);
    people_release(arriving->people);
    OPENSSL_cleanse(arriving->mime.id_key, sizeof arriving->mime.id_key);
    error_free(arriving->error);
    free(arriving);
}

/* --- strangers */

static unsigned *hour_now(struct account *account)
{
    struct posts *posts = &account->posts;
    const size_t hours = sizeof posts->stranger_times / sizeof *posts->stranger_times;
    int64_t hour = clock_wall_ms() / HOUR_MS;
    size_t slot = (size_t)((uint64_t)hour % hours);
    if (posts->stranger_times[slot] != hour) {
        posts->stranger_times[slot] = hour;
        posts->stranger_counts[slot] = 0;
    }
    return &posts->stranger_counts[slot];
}

unsigned post_strangers(const struct account *account)
{
    const struct posts *posts = &account->posts;
    const size_t hours = sizeof posts->stranger_times / sizeof *posts->stranger_times;
    int64_t now = clock_wall_ms() / HOUR_MS;
    unsigned count = 0;
    for (size_t i = 0; i < hours; i++) {
        if (now - posts->stranger_times[i] < (int64_t)hours)
            count += posts->stranger_counts[i];
    }
    return count;
}

/* --- locked posts */

static struct post_locked *locked_find(const struct account *account, int64_t seq)
{
    struct post_locked *locked;
    DL_SEARCH_SCALAR(account->posts.locked, locked, seq, seq);
    return locked;
}

static void locked_remove(struct account *account, int64_t seq)
{
    struct post_locked *locked = locked_find(account, seq);
    if (locked == NULL)
        return;
    DL_DELETE(account->posts.locked, locked);
    free(locked);
}

static void locked_add(const struct arriving *arriving, int64_t seq)
{
    struct post_locked *locked = calloc(1, sizeof *locked);
    if (locked == NULL)
        return; /* opened after the next start */
    locked->seq = seq;
    memcpy(locked->hash, arriving->arrival.hash, sizeof locked->hash);
    snprintf(locked->level, sizeof locked->level, "%s", arriving->arrival.level);
    DL_APPEND(arriving->account->posts.locked, locked);
}

struct locked_read {
    post_locked_fn *done;
    void *arg;
};

static void locked_fetched(void *arg, struct fetched_post *post, const struct error *error)
{
    struct locked_read read = *(struct locked_read *)arg;
    free(arg);
    read.done(read.arg, error == NULL ? buffer_view(&post->message) : bytes_of(NULL, 0), error);
}

void post_locked_read(struct account *account, int64_t seq, post_locked_fn *done, void *arg)
{
    struct locked_read *read = malloc(sizeof *read);
    if (read == NULL) {
        done(arg, bytes_of(NULL, 0), &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    *read = (struct locked_read){done, arg};
    post_fetch(account, seq, true, locked_fetched, read);
}

struct dropping {
    struct account *account;
    int64_t change;
};

static void dropped(void *arg, const struct error *error)
{
    struct dropping *dropping = arg;
    if (error == NULL)
        ring_forget_before(dropping->account, dropping->change);
    free(dropping);
}

void post_locked_drop(struct account *account, int64_t seq)
{
    locked_remove(account, seq);
    struct dropping *dropping = malloc(sizeof *dropping);
    struct write *write = dropping != NULL ? write_begin(account->gateway, account) : NULL;
    if (write == NULL) {
        free(dropping);
        return; /* tried again after the next start */
    }
    *dropping = (struct dropping){account, write_change(write)};
    store_remove_post(write->batch, account->id, seq, dropping->change);
    write_commit(write, dropped, dropping);
}

/* --- the commit */

static void stored(void *arg, const struct error *error)
{
    struct arriving *arriving = arg;
    struct account *account = arriving->account;
    const struct post_arrival *arrival = &arriving->arrival;
    if (error == NULL && !account->removed) {
        if (arrival->replaces != 0)
            locked_remove(account, arrival->replaces);
        else if (strcmp(arrival->verdict, "locked") == 0)
            locked_add(arriving, arriving->inbox->seq);
        if (arrival->contact == NULL && arrival->replaces == 0)
            ++*hour_now(account);
    }
    arriving->done(arriving->arg, error);
    arriving_free(arriving);
}

static void store(struct arriving *arriving)
{
    const struct post_arrival *arrival = &arriving->arrival;
    struct inbox_post *inbox = arriving->inbox;
    inbox->account = arriving->account;
    inbox->kind = "post";
    /* One that was removed meanwhile is a stranger. */
    inbox->contact = arrival->contact != NULL && !arrival->contact->leaving ? arrival->contact->id : 0;
    inbox->verdict = arrival->verdict;
    inbox->protection = arrival->sealed ? "sealed" : "classic";
    inbox->level = arrival->level;
    inbox->peer_time = arrival->peer_time;
    inbox->is_signed = strcmp(arrival->verdict, "signed") == 0;
    inbox->marked = true;
    inbox->mark = arrival->mark;
    inbox->replaces = arrival->replaces;
    inbox->done = stored;
    inbox->arg = arriving;
    inbox_store(inbox);
}

/* --- off the loop: the stored form */

static struct mime_person sender_of(const struct arriving *arriving)
{
    static const uint8_t nobody[20];
    const struct post_arrival *arrival = &arriving->arrival;
    const struct mime_people *mime = &arriving->mime;
    struct mime_person from = {.address = ""};
    if (memcmp(arrival->fingerprint, nobody, sizeof nobody) != 0) {
        mime->person_of(mime->arg, arrival->fingerprint, &from);
    } else if (!mime->person_of_id(mime->arg, arrival->sender, &from)) {
        char id[17];
        hex_lower(id, arrival->sender, sizeof arrival->sender);
        snprintf(from.address, sizeof from.address, "%s@%s", id, mime->domain);
    }
    return from;
}

static struct mime_arrival told_of(const struct arriving *arriving)
{
    const struct post_arrival *arrival = &arriving->arrival;
    struct mime_arrival told = {
        .people = &arriving->mime,
        .from = sender_of(arriving),
        .verdict = arrival->verdict,
        .verdict_text = verdict_text(arrival->verdict),
        .protection = arrival->sealed ? "sealed" : "classic",
        .level = arrival->level,
        .gateway = arriving->mime.domain,
        .autocrypt = arriving->autocrypt,
        .received_ms = arriving->inbox->received,
        .sent_ms = arrival->peer_time,
        .own_address = arriving->self.address,
        .message_id = arriving->message_id,
    };
    memcpy(told.fingerprint, arrival->fingerprint, sizeof told.fingerprint);
    return told;
}

/* File references, as post.show tells them. */
static char *files_text(const struct post_inner *inner)
{
    json_t *files = json_array();
    size_t size = 0;
    for (size_t i = 0; i < inner->file_count; i++) {
        const struct post_file *file = &inner->files[i];
        struct buffer link = buffer_make(1 << 16);
        char hash[41];
        hex_lower(hash, file->hash, sizeof file->hash);
        buffer_append_string(&link, "retroshare://file?name=");
        percent_encode(&link, file->name);
        buffer_printf(&link, "&size=%llu&hash=%s", (unsigned long long)file->size, hash);
        size += file->name.size + buffer_size(&link) + 32;
        if (!link.failed && size <= FILES_TEXT)
            json_array_append_new(
                files, json_pack("{s:s%,s:I,s:s}", "name",
                                 file->name.size > 0 ? (const char *)file->name.data : "", file->name.size,
                                 "size", (json_int_t)(file->size & INT64_MAX), "link", buffer_string(&link)));
        buffer_free(&link);
    }
    json_t *options = json_pack("{s:o}", "files", files);
    char *text = options != NULL ? json_dumps(options, JSON_COMPACT) : NULL;
    json_decref(options);
    return text;
}

static bool make_classic(struct arriving *arriving, const struct mime_arrival *told)
{
    const struct post_inner *inner = arriving->arrival.inner;
    struct inbox_post *inbox = arriving->inbox;
    struct mime_file *files = calloc(inner->file_count + 1, sizeof *files);
    if (files == NULL)
        return error_set(&arriving->error, ERROR_INTERNAL, "out of memory");
    for (size_t i = 0; i < inner->file_count; i++) {
        files[i] = (struct mime_file){.name = inner->files[i].name, .size = inner->files[i].size};
        memcpy(files[i].hash, inner->files[i].hash, sizeof files[i].hash);
    }
    bool good = mime_receive_classic(&inbox->message, &inbox->summary, told, inner->subject, inner->body,
                                     inner->to, inner->cc, files, inner->file_count, &arriving->error);
    if (good && inner->file_count > 0)
        inbox->options = files_text(inner);
    free(files);
    return good;
}

static void make(void *arg)
{
    struct arriving *arriving = arg;
    const struct mime_arrival told = told_of(arriving);
    struct inbox_post *inbox = arriving->inbox;
    if (arriving->arrival.sealed)
        mime_receive_sealed(&inbox->message, &inbox->summary, &told, buffer_view(&arriving->arrival.content),
                            &arriving->error);
    else
        make_classic(arriving, &told);
}

/* --- on the loop */

static void fail(struct arriving *arriving, enum error_code code, const char *text)
{
    struct inbox_post *inbox = arriving->inbox;
    inbox->account = arriving->account;
    inbox->kind = "post";
    inbox->done = stored;
    inbox->arg = arriving;
    inbox_refuse(inbox, code, text);
}

/* What the account could not help is not the message's fault. */
static enum error_code code_of(const struct error *error)
{
    return error->code == ERROR_INTERNAL || error->code == ERROR_UNAVAILABLE ? error->code : ERROR_INVALID;
}

static bool ran_well(struct arriving *arriving, bool ran)
{
    if (!ran)
        fail(arriving, ERROR_UNAVAILABLE, "the gateway is stopping");
    else if (arriving->error != NULL)
        fail(arriving, code_of(arriving->error), arriving->error->text);
    else if (arriving->account->removed)
        fail(arriving, ERROR_UNAVAILABLE, "the account was removed");
    return ran && arriving->error == NULL && !arriving->account->removed;
}

static void made(void *arg, bool ran)
{
    struct arriving *arriving = arg;
    if (ran_well(arriving, ran))
        store(arriving);
}

static size_t size_of(const struct arriving *arriving)
{
    const struct post_arrival *arrival = &arriving->arrival;
    return arrival->sealed ? buffer_size(&arrival->content)
                           : arrival->inner->subject.size + arrival->inner->body.size;
}

static void make_start(struct arriving *arriving)
{
    arriving->view.ids = arriving->ids;
    arriving->view.id_count = arriving->id_count;
    job_run(arriving->account->gateway, size_of(arriving), make, made, arriving);
}

/* The ids that the account's own clients gave are put back, so that their threads hold. */
static void look_for_id(struct arriving *arriving);

static void id_found(void *arg, const struct post_row *row, const struct delivery_row *deliveries,
                     size_t count)
{
    (void)deliveries;
    (void)count;
    struct arriving *arriving = arg;
    struct known_id *id = &arriving->ids[arriving->id_at];
    if (strcmp(row->wire_id, id->wire_id) == 0)
        snprintf(id->own_id, sizeof id->own_id, "%s", row->message_id);
}

static void id_looked_for(void *arg, const struct error *error)
{
    (void)error; /* without it the thread is in two pieces at a client */
    struct arriving *arriving = arg;
    arriving->id_at++;
    look_for_id(arriving);
}

static void look_for_id(struct arriving *arriving)
{
    if (arriving->id_at < arriving->id_count) {
        store_post_by_id(arriving->account->gateway->store, arriving->account->id,
                         arriving->ids[arriving->id_at].wire_id, id_found, id_looked_for, arriving);
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < arriving->id_count; i++) {
        if (arriving->ids[i].own_id[0] != '\0')
            arriving->ids[kept++] = arriving->ids[i];
    }
    arriving->id_count = kept;
    make_start(arriving);
}

static void add_id(struct arriving *arriving, struct bytes id)
{
    if (id.size == 0 || id.size >= MIME_WIRE_ID || arriving->id_count == IDS_PUT_BACK)
        return;
    struct known_id *known = &arriving->ids[arriving->id_count];
    memcpy(known->wire_id, id.data, id.size);
    known->wire_id[id.size] = '\0';
    for (size_t i = 0; i < arriving->id_count; i++) {
        if (strcmp(arriving->ids[i].wire_id, known->wire_id) == 0)
            return;
    }
    arriving->id_count++;
}

static void read_ids(void *arg)
{
    struct arriving *arriving = arg;
    struct mime_summary summary = {0};
    if (!mime_summarise(&summary, buffer_view(&arriving->arrival.content), &arriving->error))
        return;
    add_id(arriving, bytes_of_string(summary.in_reply_to));
    struct bytes text = buffer_view(&summary.references); /* one a line, the newest last */
    while (text.size > 0) {
        size_t start = text.size;
        while (start > 0 && text.data[start - 1] != '\n')
            start--;
        add_id(arriving, bytes_of(text.data + start, text.size - start));
        text.size = start > 0 ? start - 1 : 0;
    }
    mime_summary_free(&summary);
}

static void ids_read(void *arg, bool ran)
{
    struct arriving *arriving = arg;
    if (ran_well(arriving, ran))
        look_for_id(arriving);
}

/* --- the beginning */

/* The message as it came, until the vault is open. */
static void keep_locked(struct arriving *arriving)
{
    struct inbox_post *inbox = arriving->inbox;
    char hash[41];
    hex_lower(hash, arriving->arrival.hash, sizeof arriving->arrival.hash);
    json_t *options = json_pack("{s:s}", "hash", hash);
    inbox->options = options != NULL ? json_dumps(options, JSON_COMPACT) : NULL;
    json_decref(options);
    inbox->message = arriving->arrival.locked;
    arriving->arrival.locked = (struct buffer){0};
    store(arriving);
}

static bool ready(struct arriving *arriving)
{
    struct account *account = arriving->account;
    const struct post_arrival *arrival = &arriving->arrival;
    uint8_t id[16];
    char text[2 * sizeof id + 1];
    struct person *self;
    arriving->people = people_of(account);
    if (arriving->people == NULL)
        return false;
    arriving->view.people = arriving->people;
    arriving->mime = people_for_mime(&arriving->view, account);
    HASH_FIND(by_fingerprint, arriving->people->fingerprints, account->fingerprint, 20, self);
    arriving->self = person_in_mime(arriving->people, self);
    account->gateway->random->fill(account->gateway->random->state, id, sizeof id);
    hex_lower(text, id, sizeof id);
    snprintf(arriving->message_id, sizeof arriving->message_id, "%s@distant.alt", text);
    if (arrival->contact != NULL && strcmp(arrival->verdict, "signed") == 0)
        arriving->autocrypt = buffer_view(&arrival->contact->key_block);
    else
        arriving->autocrypt = buffer_view(&arrival->autocrypt);
    arriving->inbox->message = buffer_make(POST_MESSAGE_LIMIT);
    return true;
}

void post_arrived(struct account *account, struct post_arrival *arrival, post_stored_fn *done, void *arg)
{
    struct arriving *arriving = calloc(1, sizeof *arriving);
    struct inbox_post *inbox = calloc(1, sizeof *inbox);
    if (arriving == NULL || inbox == NULL) {
        free(arriving);
        free(inbox);
        arrival_free(arrival);
        done(arg, &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    *arriving =
        (struct arriving){.account = account, .arrival = *arrival, .inbox = inbox, .done = done, .arg = arg};
    inbox->received = clock_wall_ms();
    if (strcmp(arrival->verdict, "locked") == 0)
        keep_locked(arriving);
    else if (!ready(arriving))
        fail(arriving, ERROR_INTERNAL, "out of memory");
    else if (arrival->sealed)
        job_run(account->gateway, size_of(arriving), read_ids, ids_read, arriving);
    else
        make_start(arriving);
}
