/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_MAILDIR_INTERNAL_H
#define RETROGATE_MAIL_MAILDIR_INTERNAL_H

#include "base/buffer.h"
#include "maildir_disk.h"
#include "maildir_folder.h"

/* What the files of a folder's work share. One thing is done at a time: a command, or a piece of work on the
 * pool; then maildir_step() looks for the next. What fails begins from the start a while later: the position
 * in the folder says from where. */
enum {
    MAILDIR_PAGE = 200,
    MAILDIR_PIECE = 256 << 10, /* bytes of a message in one answer */
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
    bool closing, waiting, more, rescan, settling;
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

/* maildir_folder.c */
void maildir_step(struct maildir_folder *folder);
void maildir_fail(struct maildir_folder *folder, const struct error *error);
void maildir_fail_with(struct maildir_folder *folder, const char *text);
/* Takes the command. */
void maildir_ask(struct maildir_folder *folder, json_t *command,
                 void (*answered)(struct maildir_folder *folder, json_t *result));
void maildir_run(struct maildir_folder *folder, bool (*job)(struct maildir_folder *, struct error **),
                 void (*done)(struct maildir_folder *));

/* maildir_entries.c */
size_t maildir_position_of(const struct maildir_folder *folder, int64_t seq);
struct entry *maildir_entry_of(struct maildir_folder *folder, int64_t seq);
struct entry *maildir_entry_add(struct maildir_folder *folder, size_t at, int64_t seq);
void maildir_entry_drop(struct maildir_folder *folder, struct entry *entry);
int64_t maildir_integer(const json_t *object, const char *key);
maildir_letters maildir_letters_of(const json_t *post);
bool maildir_is_locked(const json_t *post);
const struct maildir_file *maildir_file_of(const struct maildir_folder *folder, int64_t seq);
void maildir_enter_file(struct entry *entry, const struct maildir_file *file);

/* maildir_start.c */
void maildir_got_account(struct maildir_folder *folder, json_t *result);
bool maildir_job_open(struct maildir_folder *folder, struct error **error);
void maildir_opened(struct maildir_folder *folder);
bool maildir_job_scan(struct maildir_folder *folder, struct error **error);
void maildir_scanned_first(struct maildir_folder *folder);
void maildir_ask_list(struct maildir_folder *folder);

/* maildir_pull.c */
void maildir_ask_piece(struct maildir_folder *folder); /* of the post that is being written */
void maildir_next_change(struct maildir_folder *folder);
void maildir_got_changes(struct maildir_folder *folder, json_t *result);

/* maildir_push.c: false when there is nothing to tell */
bool maildir_tell_deleted(struct maildir_folder *folder);
bool maildir_tell_flags(struct maildir_folder *folder);
void maildir_scanned(struct maildir_folder *folder);

#endif
