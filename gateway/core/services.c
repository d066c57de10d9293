/* SPDX-License-Identifier: ISC */
#include "core/services.h"

#include <stdlib.h>

#include "core/commands.h"
#include "core/login.h"

struct account_listener {
    gateway_account_fn *fn; /* NULL: ended while the list was walked */
    void *arg;
    struct account_listener *prev, *next;
};

struct gateway_session *gateway_service(struct gateway *gateway, const char *name, const char *scope)
{
    struct account *account = account_by_name(gateway, name);
    if (account == NULL || !account->unlocked || gateway->phase == NODE_CLOSING)
        return NULL;
    return session_new_service(gateway, account, scope);
}

static void sweep(struct gateway *gateway)
{
    struct account_listener *listener, *next;
    DL_FOREACH_SAFE(gateway->account_listeners, listener, next)
    {
        if (listener->fn == NULL) {
            DL_DELETE(gateway->account_listeners, listener);
            free(listener);
        }
    }
}

static void tell(struct account *account, bool gone)
{
    struct gateway *gateway = account->gateway;
    struct account_listener *listener;
    gateway->account_tellings++;
    DL_FOREACH(gateway->account_listeners, listener)
    {
        if (listener->fn != NULL)
            listener->fn(listener->arg, account->name, gone);
    }
    if (--gateway->account_tellings == 0)
        sweep(gateway);
}

void services_account_ready(struct account *account)
{
    tell(account, false);
}

void services_account_gone(struct account *account)
{
    tell(account, true);
}

void gateway_accounts(struct gateway *gateway, gateway_account_fn *fn, void *arg)
{
    struct account_listener *listener;
    DL_SEARCH_SCALAR(gateway->account_listeners, listener, arg, arg);
    if (listener != NULL)
        listener->fn = fn;
    if (listener == NULL && fn != NULL && (listener = calloc(1, sizeof *listener)) != NULL) {
        *listener = (struct account_listener){.fn = fn, .arg = arg};
        DL_APPEND(gateway->account_listeners, listener);
    }
    gateway->account_tellings++;
    struct account *account, *next;
    HASH_ITER(hh, gateway->accounts, account, next)
    {
        /* It may end itself with the first. */
        if (fn != NULL && listener != NULL && listener->fn == fn && account->unlocked)
            fn(arg, account->name, false);
    }
    if (--gateway->account_tellings == 0)
        sweep(gateway);
}

void services_free(struct gateway *gateway)
{
    struct account_listener *listener;
    DL_FOREACH(gateway->account_listeners, listener)
    listener->fn = NULL;
    sweep(gateway);
}
