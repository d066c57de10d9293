/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "maildir_internal.h"
#include "wire/radix64.h"

/* From the gateway to the folder: changes, one after the other. */

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
    struct entry *entry = maildir_entry_of(folder, seq);
    if (entry == NULL)
        entry = maildir_entry_add(folder, maildir_position_of(folder, seq), seq);
    json_decref(folder->post);
    folder->post = NULL;
    if (entry == NULL) {
        maildir_fail_with(folder, "there are too many posts");
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
        maildir_fail(folder, error);
    } else if (data == NULL || !radix64_decode(&folder->piece, bytes_of_string(data))) {
        maildir_fail_with(folder, "the gateway gave an odd answer");
    } else {
        folder->last = json_is_true(json_object_get(result, "end"));
        if (!folder->last && buffer_size(&folder->piece) == 0)
            maildir_fail_with(folder, "the gateway gave an odd answer");
        else
            maildir_run(folder, job_write, written);
    }
    maildir_step(folder);
}

void maildir_ask_piece(struct maildir_folder *folder)
{
    struct error *error = NULL;
    json_t *command =
        json_pack("{s:s, s:I, s:I, s:i}", "do", "post.read", "seq", (json_int_t)folder->writing.seq, "offset",
                  (json_int_t)folder->offset, "size", MAILDIR_PIECE);
    folder->token = command != NULL ? gateway_do(folder->session, command, on_piece, folder, &error) : 0;
    json_decref(command);
    if (folder->token == 0)
        maildir_fail(folder, error);
    error_free(error);
}

static void begin_post(struct maildir_folder *folder, json_t *post)
{
    folder->post = json_incref(post);
    folder->offset = 0;
    folder->writing = (struct maildir_post){.seq = maildir_integer(post, "seq"),
                                            .seconds = maildir_integer(post, "time") / 1000,
                                            .size = maildir_integer(post, "size"),
                                            .letters = maildir_letters_of(post)};
    folder->concerned = true;
}

static bool job_tag(struct maildir_folder *folder, struct error **error)
{
    return maildir_disk_tag(&folder->disk, &folder->file, folder->clear, folder->set, &folder->there, error);
}

static void tagged(struct maildir_folder *folder)
{
    struct entry *entry = maildir_entry_of(folder, folder->file.seq);
    if (!folder->there)
        folder->rescan = true;
    else if (entry != NULL)
        maildir_enter_file(entry, &folder->file);
}

static bool job_remove(struct maildir_folder *folder, struct error **error)
{
    return maildir_disk_remove(&folder->disk, &folder->file, error);
}

static void removed(struct maildir_folder *folder)
{
    struct entry *entry = maildir_entry_of(folder, folder->file.seq);
    if (entry != NULL)
        maildir_entry_drop(folder, entry);
}

static void take_post(struct maildir_folder *folder, json_t *post)
{
    const char *direction = json_string_value(json_object_get(post, "direction"));
    if (direction == NULL || strcmp(direction, folder->place.sent ? "out" : "in") != 0 ||
        maildir_is_locked(post))
        return;
    struct entry *entry = maildir_entry_of(folder, maildir_integer(post, "seq"));
    maildir_letters gateway = maildir_letters_of(post);
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
    maildir_run(folder, job_tag, tagged);
}

static void take_gone(struct maildir_folder *folder, int64_t seq)
{
    struct entry *entry = maildir_entry_of(folder, seq);
    if (entry == NULL)
        return;
    folder->concerned = true;
    if (entry->presence != HERE) {
        maildir_entry_drop(folder, entry);
        return;
    }
    folder->file = (struct maildir_file){entry->seq, entry->letters, entry->in_new};
    maildir_run(folder, job_remove, removed);
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

void maildir_next_change(struct maildir_folder *folder)
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
    folder->cursor = maildir_integer(folder->page, "change");
    folder->more = folder->more || json_is_true(json_object_get(folder->page, "more"));
    json_decref(folder->page);
    folder->page = NULL;
    if (folder->concerned || (folder->disk.position < 0 && !folder->more))
        maildir_run(folder, job_keep, kept);
}

void maildir_got_changes(struct maildir_folder *folder, json_t *result)
{
    if (maildir_integer(result, "epoch") != folder->disk.epoch) {
        maildir_fail_with(folder, "a backup was restored");
        return;
    }
    folder->page = json_incref(result);
    folder->page_at = 0;
}
