/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_MAILDIR_FOLDER_H
#define RETROGATE_MAIL_MAILDIR_FOLDER_H

#include <retrogate/gateway.h>
#include <uv.h>

/* One Maildir of one account, kept in step with one of its boxes. */
struct maildir_folder;

struct maildir_place {
    uv_loop_t *loop;
    struct gateway *gateway;
    const char *folder, *name, *account;
    bool sent;
    /* It ended, by itself or by maildir_folder_close(), and is freed after this returns. */
    void (*closed)(void *arg, struct maildir_folder *folder);
    void *arg;
};

/* NULL: the account is locked, or no memory is left. */
struct maildir_folder *maildir_folder_open(const struct maildir_place *place);
void maildir_folder_close(struct maildir_folder *folder);
bool maildir_folder_is(const struct maildir_folder *folder, const char *account); /* and is not closing */

#endif
