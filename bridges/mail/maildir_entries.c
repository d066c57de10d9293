/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "maildir_internal.h"

enum { POSTS_MOST = 200000 }; /* in a box */

size_t maildir_position_of(const struct maildir_folder *folder, int64_t seq)
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

struct entry *maildir_entry_of(struct maildir_folder *folder, int64_t seq)
{
    size_t at = maildir_position_of(folder, seq);
    return at < folder->count && folder->entries[at].seq == seq ? &folder->entries[at] : NULL;
}

struct entry *maildir_entry_add(struct maildir_folder *folder, size_t at, int64_t seq)
{
    if (folder->count == folder->room) {
        size_t room = folder->room > 0 ? 2 * folder->room : MAILDIR_PAGE;
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

void maildir_entry_drop(struct maildir_folder *folder, struct entry *entry)
{
    size_t at = (size_t)(entry - folder->entries);
    memmove(entry, entry + 1, (--folder->count - at) * sizeof *entry);
}

int64_t maildir_integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

maildir_letters maildir_letters_of(const json_t *post)
{
    return (json_is_true(json_object_get(post, "seen")) ? MAILDIR_SEEN : 0) |
           (json_is_true(json_object_get(post, "answered")) ? MAILDIR_ANSWERED : 0) |
           (json_is_true(json_object_get(post, "flagged")) ? MAILDIR_FLAGGED : 0);
}

bool maildir_is_locked(const json_t *post)
{
    const char *verdict = json_string_value(json_object_get(post, "verdict"));
    return verdict != NULL && strcmp(verdict, "locked") == 0;
}

const struct maildir_file *maildir_file_of(const struct maildir_folder *folder, int64_t seq)
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

void maildir_enter_file(struct entry *entry, const struct maildir_file *file)
{
    entry->letters = file->letters;
    entry->in_new = file->in_new;
    entry->presence = HERE;
}
