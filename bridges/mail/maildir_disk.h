/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_MAILDIR_DISK_H
#define RETROGATE_MAIL_MAILDIR_DISK_H

#include "base/bytes.h"
#include "base/error.h"
#include "maildir_name.h"

/* One Maildir on the disk. All of it blocks, and runs on the pool, one call at a time. Nothing below the
 * operator's folder is reached through a symbolic link. */
enum { MAILDIR_FILES = 200000 };

struct maildir_disk {
    char folder[512]; /* the operator's; it is not made here: a mount that is not there must not be filled */
    char account[32];
    char host[256];
    bool sent;       /* its subfolder .Sent */
    char owner[128]; /* whose it is: the fingerprint of the account's key */
    int64_t epoch;
    int64_t position; /* all changes to here are in the folder, as its file of the position says; -1: not
                         known, nothing may be concluded from what is missing */
    int message;      /* descriptor of what is being written to tmp, or -1 */
};

struct maildir_file {
    int64_t seq;
    maildir_letters letters;
    bool in_new;
};

struct maildir_files {
    struct maildir_file *list; /* by seq */
    size_t count, room;
};

/* Makes what is missing and reads the position. False also when it is another account's. */
bool maildir_disk_open(struct maildir_disk *disk, struct error **error);
/* All of ours. Sets `position` to -1 when the folder is not the one whose position was read or written last:
 * then it is to be opened again. */
bool maildir_disk_scan(struct maildir_disk *disk, struct maildir_files *files, struct error **error);
/* Writes the position, after all that was done before is on the disk. */
bool maildir_disk_keep(struct maildir_disk *disk, int64_t position, struct error **error);

struct maildir_post {
    int64_t seq, seconds, size;
    maildir_letters letters;
};
/* A piece of a message; offset 0 begins it. With `last` it moves to its place. A failure forgets it. */
bool maildir_disk_write(struct maildir_disk *disk, const struct maildir_post *post, uint64_t offset,
                        struct bytes piece, bool last, struct error **error);
void maildir_disk_forget(struct maildir_disk *disk); /* what is being written */
/* Changes letters of the post's file, wherever a mail program moved it in this folder, and tells what it has
 * now. One that is gone is no error: *there says so. */
bool maildir_disk_tag(struct maildir_disk *disk, struct maildir_file *file, maildir_letters clear,
                      maildir_letters set, bool *there, struct error **error);
bool maildir_disk_remove(struct maildir_disk *disk, const struct maildir_file *file, struct error **error);

#endif
