/* SPDX-License-Identifier: ISC */
#include "maildir.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "maildir_folder.h"

struct kept {
    struct maildir_folder *folder;
    struct kept *next;
};

struct maildir {
    uv_loop_t *loop;
    struct gateway *gateway;
    char *path, *name;
    struct kept *all;
    uv_timer_t timer; /* calls `closed` from the loop */
    bool closing;
    void (*closed)(void *arg);
    void *arg;
};

static void maildir_free(struct maildir *maildir)
{
    free(maildir->path);
    free(maildir->name);
    free(maildir);
}

static void on_timer_gone(uv_handle_t *handle)
{
    struct maildir *maildir = handle->data;
    void (*closed)(void *) = maildir->closed;
    void *arg = maildir->arg;
    maildir_free(maildir);
    if (closed != NULL)
        closed(arg);
}

static void end_when_empty(struct maildir *maildir)
{
    if (maildir->closing && maildir->all == NULL)
        uv_close((uv_handle_t *)&maildir->timer, on_timer_gone);
}

static void folder_closed(void *arg, struct maildir_folder *folder)
{
    struct maildir *maildir = arg;
    struct kept **link = &maildir->all;
    while (*link != NULL && (*link)->folder != folder)
        link = &(*link)->next;
    struct kept *kept = *link;
    if (kept != NULL) {
        *link = kept->next;
        free(kept);
        end_when_empty(maildir);
    }
}

static void begin(struct maildir *maildir, const char *account, bool sent)
{
    struct kept *kept = calloc(1, sizeof *kept);
    if (kept != NULL)
        kept->folder = maildir_folder_open(&(struct maildir_place){maildir->loop, maildir->gateway,
                                                                   maildir->path, maildir->name, account,
                                                                   sent, folder_closed, maildir});
    if (kept == NULL || kept->folder == NULL) {
        log_error("mail", "event=maildir-not-opened account=%s", log_name(account, strlen(account)));
        free(kept);
        return;
    }
    kept->next = maildir->all;
    maildir->all = kept;
}

static void on_account(void *arg, const char *account, bool gone)
{
    struct maildir *maildir = arg;
    bool found = false;
    for (struct kept *kept = maildir->all; kept != NULL; kept = kept->next) {
        if (!maildir_folder_is(kept->folder, account))
            continue;
        found = true;
        if (gone)
            maildir_folder_close(kept->folder);
    }
    if (gone || found)
        return;
    begin(maildir, account, false);
    begin(maildir, account, true);
}

struct maildir *maildir_open(uv_loop_t *loop, struct gateway *gateway, const char *folder, const char *name,
                             struct error **error)
{
    enum { FOLDER_MOST = 400 };
    if (folder[0] != '/' || strlen(folder) > FOLDER_MOST) {
        error_set(error, ERROR_INVALID, "mail.maildir: an absolute path of at most %d bytes", FOLDER_MOST);
        return NULL;
    }
    struct maildir *maildir = calloc(1, sizeof *maildir);
    if (maildir != NULL) {
        *maildir =
            (struct maildir){.loop = loop, .gateway = gateway, .path = strdup(folder), .name = strdup(name)};
    }
    if (maildir == NULL || maildir->path == NULL || maildir->name == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        if (maildir != NULL)
            maildir_free(maildir);
        return NULL;
    }
    uv_timer_init(loop, &maildir->timer);
    maildir->timer.data = maildir;
    gateway_accounts(gateway, on_account, maildir);
    return maildir;
}

void maildir_close(struct maildir *maildir, void (*closed)(void *arg), void *arg)
{
    gateway_accounts(maildir->gateway, NULL, maildir);
    maildir->closing = true;
    maildir->closed = closed;
    maildir->arg = arg;
    for (struct kept *kept = maildir->all; kept != NULL; kept = kept->next)
        maildir_folder_close(kept->folder);
    end_when_empty(maildir);
}
