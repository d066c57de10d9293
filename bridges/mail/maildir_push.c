/* SPDX-License-Identifier: ISC */
#include "maildir_internal.h"

/* From the folder to the gateway: flags and deletions of a mail program. */
enum { SEQS_MOST = 1000 }; /* in one command */

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
    maildir_ask(folder, command, flagged);
    return true;
}

bool maildir_tell_deleted(struct maildir_folder *folder)
{
    json_t *seqs = json_array();
    for (size_t i = 0; i < folder->count && json_array_size(seqs) < SEQS_MOST; i++) {
        struct entry *entry = &folder->entries[i];
        if (is_deleted(entry) && json_array_append_new(seqs, json_integer(entry->seq)) == 0)
            entry->asked = true;
    }
    return tell(folder, json_pack("{s:s}", "do", "post.delete"), seqs);
}

bool maildir_tell_flags(struct maildir_folder *folder)
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

void maildir_scanned(struct maildir_folder *folder)
{
    if (folder->disk.position < 0) {
        maildir_fail_with(folder, "the folder is another one than before");
        folder->waiting = false;
        return;
    }
    for (size_t i = 0; i < folder->count; i++) {
        struct entry *entry = &folder->entries[i];
        const struct maildir_file *file = maildir_file_of(folder, entry->seq);
        if (file != NULL && entry->presence != ABSENT)
            maildir_enter_file(entry, file);
        else if (entry->presence == HERE)
            entry->presence = LOST;
    }
}
