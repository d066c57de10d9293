/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_MAILDIR_H
#define RETROGATE_MAIL_MAILDIR_H

#include <retrogate/gateway.h>
#include <uv.h>

/* Keeps a Maildir for each account that is unlocked, below a folder of the operator: posts received in it,
 * posts sent in its .Sent. Flags and deletions go both ways. A folder that is missing, or is not the one of
 * before, deletes nothing: it is filled again. */
struct maildir;

/* `name`: of this server, for names of files. */
struct maildir *maildir_open(uv_loop_t *loop, struct gateway *gateway, const char *folder, const char *name,
                             struct error **error);
/* `closed` is called from the loop when nothing runs any more; `maildir` is freed then. */
void maildir_close(struct maildir *maildir, void (*closed)(void *arg), void *arg);

#endif
