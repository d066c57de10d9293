/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "maildir_internal.h"

enum {
    RETRY_MS = 30000,
    RESCAN_MS = 60000, /* where the system tells of no changes: a network's file system */
    SETTLE_MS = 200,   /* a mail program that changes one file often changes more */
};

static void on_timer(uv_timer_t *timer);

/* --- the end */

static void on_handle_gone(uv_handle_t *handle)
{
    struct maildir_folder *folder = handle->data;
    if (--folder->handles > 0)
        return;
    maildir_disk_forget(&folder->disk);
    json_decref(folder->page);
    json_decref(folder->post);
    buffer_free(&folder->piece);
    error_free(folder->error);
    folder->place.closed(folder->place.arg, folder);
    free(folder->entries);
    free(folder->files.list);
    free(folder);
}

static void finish(struct maildir_folder *folder)
{
    uv_close((uv_handle_t *)&folder->timer, on_handle_gone);
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&folder->events[i], on_handle_gone);
}

void maildir_folder_close(struct maildir_folder *folder)
{
    if (folder->closing)
        return;
    folder->closing = true;
    if (folder->session != NULL)
        gateway_logout(folder->session);
    folder->session = NULL;
    if (!folder->working)
        finish(folder);
}

/* --- failure */

void maildir_fail(struct maildir_folder *folder, const struct error *error)
{
    const char *text = error != NULL ? error->text : "out of memory";
    if (strcmp(folder->told, text) != 0) {
        const char *account = folder->place.account;
        snprintf(folder->told, sizeof folder->told, "%s", text);
        log_warn("mail", "event=maildir-failed account=%s cause=%s", log_name(account, strlen(account)),
                 log_text(text, strlen(text)));
    }
    maildir_disk_forget(&folder->disk);
    json_decref(folder->page);
    json_decref(folder->post);
    folder->page = folder->post = NULL;
    folder->phase = START;
    folder->waiting = true;
    uv_timer_start(&folder->timer, on_timer, RETRY_MS, 0);
}

void maildir_fail_with(struct maildir_folder *folder, const char *text)
{
    struct error error = {.code = ERROR_UNAVAILABLE};
    snprintf(error.text, sizeof error.text, "%s", text);
    maildir_fail(folder, &error);
}

/* --- commands and work */

static void on_answer(void *arg, json_t *result, const struct error *error)
{
    struct maildir_folder *folder = arg;
    folder->token = 0;
    if (error != NULL)
        maildir_fail(folder, error);
    else
        folder->answered(folder, result);
    maildir_step(folder);
}

/* Takes the command. */
void maildir_ask(struct maildir_folder *folder, json_t *command,
                 void (*answered)(struct maildir_folder *folder, json_t *result))
{
    struct error *error = NULL;
    folder->answered = answered;
    folder->token = command != NULL ? gateway_do(folder->session, command, on_answer, folder, &error) : 0;
    json_decref(command);
    if (folder->token == 0)
        maildir_fail(folder, error);
    error_free(error);
}

static void on_work(uv_work_t *work)
{
    struct maildir_folder *folder = work->data;
    folder->worked = folder->job(folder, &folder->error);
}

static void on_worked(uv_work_t *work, int status)
{
    struct maildir_folder *folder = work->data;
    folder->working = false;
    if (folder->closing) {
        finish(folder);
        return;
    }
    if (status != 0 || !folder->worked)
        maildir_fail(folder, folder->error);
    else
        folder->done(folder);
    error_free(folder->error);
    folder->error = NULL;
    maildir_step(folder);
}

void maildir_run(struct maildir_folder *folder, bool (*job)(struct maildir_folder *, struct error **),
                 void (*done)(struct maildir_folder *))
{
    folder->job = job;
    folder->done = done;
    folder->work.data = folder;
    folder->working = uv_queue_work(folder->place.loop, &folder->work, on_work, on_worked) == 0;
    if (!folder->working)
        maildir_fail(folder, NULL);
}

/* --- the loop */

static void on_file_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct maildir_folder *folder = event->data;
    (void)name;
    (void)events;
    if (status != 0 || folder->settling || folder->waiting || folder->closing)
        return;
    folder->settling = true;
    uv_timer_start(&folder->timer, on_timer, SETTLE_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct maildir_folder *folder = timer->data;
    folder->waiting = folder->settling = false;
    folder->rescan = true;
    uv_timer_start(timer, on_timer, RESCAN_MS, 0);
    maildir_step(folder);
}

/* The folders may be others now than the ones that were watched. */
static void watch(struct maildir_folder *folder)
{
    static const char *const names[] = {"new", "cur"};
    for (size_t i = 0; i < 2; i++) {
        char path[640];
        snprintf(path, sizeof path, "%s/%s%s/%s", folder->disk.folder, folder->disk.account,
                 folder->place.sent ? "/.Sent" : "", names[i]);
        uv_fs_event_stop(&folder->events[i]);
        uv_fs_event_start(&folder->events[i], on_file_event, path, 0);
    }
}

/* False: there is nothing to do. */
static bool step_ready(struct maildir_folder *folder)
{
    if (folder->post != NULL) {
        maildir_ask_piece(folder);
    } else if (folder->page != NULL) {
        maildir_next_change(folder);
    } else if (folder->more) {
        folder->more = false;
        maildir_ask(folder,
                    json_pack("{s:s, s:I, s:i}", "do", "changes", "after", (json_int_t)folder->cursor, "max",
                              MAILDIR_PAGE),
                    maildir_got_changes);
    } else if (folder->rescan) {
        folder->rescan = false;
        maildir_run(folder, maildir_job_scan, maildir_scanned);
    } else {
        return maildir_tell_deleted(folder) || maildir_tell_flags(folder);
    }
    return true;
}

static bool is_idle(const struct maildir_folder *folder)
{
    return !folder->working && folder->token == 0 && !folder->waiting && !folder->closing;
}

void maildir_step(struct maildir_folder *folder)
{
    bool on = true;
    while (on && is_idle(folder)) {
        switch (folder->phase) {
        case START:
            maildir_ask(folder, json_pack("{s:s}", "do", "account.show"), maildir_got_account);
            break;
        case OPEN:
            maildir_run(folder, maildir_job_open, maildir_opened);
            break;
        case SCAN:
            watch(folder);
            maildir_run(folder, maildir_job_scan, maildir_scanned_first);
            break;
        case LIST:
            maildir_ask_list(folder);
            break;
        case READY:
            on = step_ready(folder);
            break;
        }
    }
}

static void on_more(void *arg)
{
    struct maildir_folder *folder = arg;
    folder->more = true;
    maildir_step(folder);
}

static void on_ended(void *arg, const char *reason)
{
    struct maildir_folder *folder = arg;
    (void)reason;
    folder->session = NULL;
    maildir_folder_close(folder);
}

static const struct gateway_events events = {.more = on_more, .ended = on_ended};

struct maildir_folder *maildir_folder_open(const struct maildir_place *place)
{
    struct maildir_folder *folder = calloc(1, sizeof *folder);
    if (folder == NULL)
        return NULL;
    *folder = (struct maildir_folder){
        .place = *place, .piece = buffer_make(MAILDIR_PIECE + 16), .handles = 3, .disk.message = -1};
    struct maildir_disk *disk = &folder->disk;
    disk->sent = place->sent;
    snprintf(disk->folder, sizeof disk->folder, "%s", place->folder);
    snprintf(disk->account, sizeof disk->account, "%s", place->account);
    snprintf(disk->host, sizeof disk->host, "%s", place->name);
    folder->place.account = disk->account;
    folder->session = strlen(place->account) < sizeof disk->account
                          ? gateway_service(place->gateway, place->account, "mail")
                          : NULL;
    if (folder->session == NULL) {
        free(folder);
        return NULL;
    }
    gateway_listen(folder->session, &events, folder);
    uv_timer_init(place->loop, &folder->timer);
    folder->timer.data = folder;
    for (size_t i = 0; i < 2; i++) {
        uv_fs_event_init(place->loop, &folder->events[i]);
        folder->events[i].data = folder;
    }
    uv_timer_start(&folder->timer, on_timer, RESCAN_MS, 0);
    maildir_step(folder);
    return folder;
}

bool maildir_folder_is(const struct maildir_folder *folder, const char *account)
{
    return !folder->closing && strcmp(folder->disk.account, account) == 0;
}
