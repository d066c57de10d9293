/* SPDX-License-Identifier: ISC */
#include "core/write.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/rows.h"
#include "core/session.h"

struct write *write_begin(struct gateway *gateway, struct account *account)
{
    struct write *write = calloc(1, sizeof *write);
    if (write == NULL)
        return NULL;
    write->batch = store_begin(gateway->store);
    if (write->batch == NULL) {
        free(write);
        return NULL;
    }
    write->gateway = gateway;
    write->account = account;
    if (account != NULL) {
        write->first_change = account->last_change + 1;
        DL_APPEND(account->pending, write);
    }
    return write;
}

static void reserved(void *arg, const struct error *error)
{
    struct account *account = arg;
    account->reserving = false;
    if (error != NULL) {
        account->reserved_change = 0; /* the next change tries again; the store never lowers it */
        log_warn("core", "event=change-block-not-reserved account=%s",
                 log_name(&account->id, sizeof account->id));
    }
}

/* Numbers of changes without a row must not be used again after a crash. */
static void reserve(struct account *account)
{
    /* While a setting is being stored the account's row would take it back. */
    if (account->removed || account->setting || account->reserving ||
        account->last_change + CHANGE_BLOCK / 2 < account->reserved_change)
        return;
    struct store_batch *batch = store_begin(account->gateway->store);
    if (batch == NULL)
        return;
    account->reserving = true;
    account->reserved_change = account->last_change + CHANGE_BLOCK;
    put_account(batch, account);
    store_commit(batch, reserved, account);
}

int64_t change_now(struct account *account)
{
    account->last_change++;
    reserve(account);
    sessions_changed(account);
    return account->last_change;
}

int64_t write_change(struct write *write)
{
    write->account->last_change++;
    reserve(write->account);
    return write->account->last_change;
}

int64_t change_visible(const struct account *account)
{
    return account->pending != NULL ? account->pending->first_change - 1 : account->last_change;
}

static void finish(struct write *write)
{
    if (write->account != NULL) {
        DL_DELETE(write->account->pending, write);
        sessions_changed(write->account);
    }
    free(write);
}

static void committed(void *arg, const struct error *error)
{
    struct write *write = arg;
    if (error != NULL)
        log_error("core", "event=commit-failed error=%s",
                  log_text(error->text, __builtin_strlen(error->text)));
    write->apply(write->arg, error);
    finish(write);
}

void write_commit(struct write *write, void (*apply)(void *arg, const struct error *error), void *arg)
{
    write->apply = apply;
    write->arg = arg;
    store_commit(write->batch, committed, write);
}

void write_discard(struct write *write)
{
    store_discard(write->batch);
    finish(write);
}
