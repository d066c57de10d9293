/* SPDX-License-Identifier: ISC */
/* Cursors that the core keeps for the clients of bridges, so that a bridge queues nothing. */
#include <stdlib.h>
#include <string.h>

#include "core/accounts.h"
#include "core/changes.h"
#include "core/commands.h"
#include "core/rows.h"
#include "core/text.h"
#include "core/write.h"

enum { CLIENTS_MAX = 64 };

static struct client *find(const struct account *account, const char *name)
{
    struct client *client;
    DL_FOREACH(account->clients, client)
    {
        if (strcmp(client->name, name) == 0)
            return client;
    }
    return NULL;
}

static bool name_fits(const char *name, struct error **error)
{
    size_t size = strlen(name);
    return (size > 0 && size < sizeof((struct client *)NULL)->name) ||
           error_set(error, ERROR_INVALID, "name: 1 to 63 bytes, such as irc/phone");
}

bool do_client_open(struct call *call, struct error **error)
{
    struct account *account = call->account;
    const char *name = arg_text(call, "name");
    if (!name_fits(name, error))
        return false;
    struct client *client = find(account, name);
    bool known = client != NULL && client->epoch == account->epoch;
    call_done(call, json_pack("{s:I,s:I,s:I,s:b}", "epoch", (json_int_t)account->epoch, "change",
                              (json_int_t)(known ? client->change : change_visible(account)), "seq",
                              (json_int_t)(known ? client->seq : newest_line(account)), "known", known));
    return true;
}

/* The cursor kept longest unseen makes room; its row goes with `batch`. */
static struct client *make_room(struct account *account, const char *name, struct store_batch *batch)
{
    struct client *client, *oldest = account->clients;
    int count;
    DL_COUNT(account->clients, client, count);
    if (count >= CLIENTS_MAX) {
        DL_FOREACH(account->clients, client)
        {
            if (client->last_seen < oldest->last_seen)
                oldest = client;
        }
        client = oldest;
        store_delete_client(batch, account->id, client->name);
    } else {
        client = calloc(1, sizeof *client);
        if (client == NULL)
            return NULL;
        DL_APPEND(account->clients, client);
    }
    text_copy(client->name, sizeof client->name, name);
    return client;
}

static void seen(void *arg, const struct error *error)
{
    if (error != NULL)
        call_fail_copy(arg, error);
    else
        call_done(arg, NULL);
}

bool do_client_seen(struct call *call, struct error **error)
{
    struct account *account = call->account;
    const char *name = arg_text(call, "name");
    int64_t epoch = arg_int(call, "epoch", 0), change = arg_int(call, "change", 0),
            seq = arg_int(call, "seq", 0);
    if (!name_fits(name, error))
        return false;
    if (epoch != account->epoch || change < 0 || change > account->last_change || seq < 0 ||
        seq > account->last_seq)
        return error_set(error, ERROR_INVALID, "this cursor does not belong to the account's log");
    struct store_batch *batch = store_begin(call->gateway->store);
    struct client *client = batch != NULL ? find(account, name) : NULL;
    if (client == NULL && batch != NULL)
        client = make_room(account, name, batch);
    if (client == NULL) {
        store_discard(batch);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    client->epoch = epoch;
    client->change = change;
    client->seq = seq;
    client->last_seen = clock_wall_ms();
    put_client(batch, account, client);
    store_commit(batch, seen, call);
    return true;
}
