/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maildir_internal.h"

/* The start: whose the folder is, what is in it, and what the gateway has. */

bool maildir_job_scan(struct maildir_folder *folder, struct error **error)
{
    return maildir_disk_scan(&folder->disk, &folder->files, error);
}

void maildir_got_account(struct maildir_folder *folder, json_t *result)
{
    const char *owner = json_string_value(json_object_get(result, "fingerprint"));
    if (owner == NULL || owner[0] == '\0' || strlen(owner) >= sizeof folder->disk.owner) {
        maildir_fail_with(folder, "the gateway gave an odd answer");
        return;
    }
    snprintf(folder->disk.owner, sizeof folder->disk.owner, "%s", owner);
    folder->disk.epoch = maildir_integer(result, "epoch");
    folder->phase = OPEN;
}

bool maildir_job_open(struct maildir_folder *folder, struct error **error)
{
    return maildir_disk_open(&folder->disk, error);
}

void maildir_opened(struct maildir_folder *folder)
{
    folder->cursor = folder->disk.position;
    folder->count = 0;
    folder->phase = SCAN;
}

void maildir_scanned_first(struct maildir_folder *folder)
{
    if (folder->disk.position != folder->cursor)
        maildir_fail_with(folder, "the folder is another one than before");
    else
        folder->phase = LIST;
}

static void compare_first(struct maildir_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        struct entry *entry = &folder->entries[i];
        const struct maildir_file *file = maildir_file_of(folder, entry->seq);
        bool known = entry->change <= folder->cursor;
        entry->fresh = !known;
        if (file != NULL)
            maildir_enter_file(entry, file);
        else
            entry->presence = known && !entry->locked ? LOST : ABSENT;
    }
}

/* What the gateway does not have (any more): if it is told as gone, the file goes. */
static bool add_others(struct maildir_folder *folder)
{
    for (size_t i = 0; i < folder->files.count; i++) {
        const struct maildir_file *file = &folder->files.list[i];
        size_t at = maildir_position_of(folder, file->seq);
        if (at < folder->count && folder->entries[at].seq == file->seq)
            continue;
        struct entry *entry = maildir_entry_add(folder, at, file->seq);
        if (entry == NULL)
            return false;
        maildir_enter_file(entry, file);
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
        struct entry *entry = maildir_entry_add(folder, folder->count, maildir_integer(post, "seq"));
        if (entry == NULL) {
            maildir_fail_with(folder, "there are too many posts");
            return;
        }
        entry->change = maildir_integer(post, "change");
        entry->gateway = maildir_letters_of(post);
        entry->locked = maildir_is_locked(post);
    }
    if (json_is_true(json_object_get(result, "more")) && index > 0)
        return;
    if (folder->count > 1)
        qsort(folder->entries, folder->count, sizeof *folder->entries, by_seq);
    compare_first(folder);
    if (!add_others(folder)) {
        maildir_fail_with(folder, "there are too many posts");
        return;
    }
    folder->cursor = folder->cursor > 0 ? folder->cursor : 0;
    folder->phase = READY;
    folder->more = true;
}

void maildir_ask_list(struct maildir_folder *folder)
{
    json_t *command = json_pack("{s:s, s:s, s:i}", "do", "post.list", "box",
                                folder->place.sent ? "out" : "in", "max", MAILDIR_PAGE);
    if (command != NULL && folder->count > 0)
        json_object_set_new(command, "before", json_integer(folder->entries[folder->count - 1].seq));
    maildir_ask(folder, command, got_list);
}
