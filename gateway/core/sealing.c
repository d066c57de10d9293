/* SPDX-License-Identifier: ISC */
#include "core/sealing.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/changes.h"
#include "core/commands.h"
#include "core/conversations.h"
#include "core/invites.h"
#include "core/post_in.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/vault.h"
#include "core/write.h"

enum { ROOT_AT = ROUTE_ROOT_AT, CLAIM_AT = ROOT_AT + SEALED_ROOT_SIZE };

static struct gateway *gateway_of(const struct route *route)
{
    return route->conversation->account->gateway;
}

/* keys_wrapped with root and claim, if they are given, and without what is of the invite when it is settled.
 */
static bool rewrap(struct route *route, struct bytes secret, bool settled)
{
    bool good = secret.size <= sizeof route->keys - ROOT_AT && vault_open_route(route);
    if (good && secret.size > 0)
        memcpy(route->keys + ROOT_AT, secret.data, secret.size);
    if (settled) {
        OPENSSL_cleanse(route->keys, ROOT_AT);
        OPENSSL_cleanse(route->keys + CLAIM_AT, sizeof route->keys - CLAIM_AT);
    }
    good = good && vault_close_route(route);
    OPENSSL_cleanse(route->keys, sizeof route->keys);
    return good;
}

static void forget_invite(struct route *route)
{
    route->settled = true;
    memset(route->hash, 0, sizeof route->hash);
    /* A guest keeps it: by it the same link is known when it is opened again. */
    if (route->role == CHAT_INVITER)
        memset(route->context, 0, sizeof route->context);
}

/* --- moving up */

/* An offer that nobody used yet may from now on be used by a gateway that seals only. */
static void insist(struct route *route)
{
    route_stop(route);
    route->sealing = CHAT_SEALING_MUST;
    route_save(route);
    if (!route_start(route))
        log_error("core", "event=route-not-started route=%s", log_name(&route->id, sizeof route->id));
}

static void end_classic_beside(const struct route *sealed)
{
    struct route *route;
    DL_FOREACH(sealed->conversation->routes, route)
    {
        enum chat_protection protection = route_protection(route);
        if (route->ended || route == sealed)
            continue;
        if (route_is_over(route) || protection == CHAT_CLASSIC || route->sealing == CHAT_SEALING_NEVER)
            route_discard(route);
        else if (protection == CHAT_UNPROTECTED && route->sealing == CHAT_SEALING_MAY)
            insist(route);
    }
}

struct root_write {
    struct route *route;
    int64_t change;
};

static void root_stored(void *arg, const struct error *error)
{
    struct root_write *work = arg;
    struct route *route = work->route;
    struct conversation *conversation = route->conversation;
    route->pins--;
    conversation->pins--;
    conversation->asking--;
    if (error == NULL) {
        conversation->standing.sealed = true;
        conversation->change = work->change;
        ring_put(conversation->account, work->change, "conversation", json_of_conversation(conversation));
        log_info("core", "event=sealed conversation=%s",
                 log_name(&conversation->id, sizeof conversation->id));
        if (route->chat != NULL) {
            chat_root_stored(route->chat, uv_now(gateway_of(route)->loop), clock_wall_ms() / 1000);
            post_in_route(route);
            route_mark_dirty(route);
        }
        if (!route->ended && !conversation->removed) {
            end_classic_beside(route);
            conversation_settle(conversation);
            conversation_interest(conversation);
            queue_flush(conversation);
        }
    }
    free(work);
}

void sealing_root(struct route *route, struct bytes secret, bool settled)
{
    struct conversation *conversation = route->conversation;
    struct root_write *work = NULL;
    struct write *write = NULL;
    if (route->ended || conversation->removed || secret.size < SEALED_ROOT_SIZE)
        return;
    if ((work = calloc(1, sizeof *work)) == NULL ||
        (write = write_begin(gateway_of(route), conversation->account)) == NULL ||
        !rewrap(route, secret, settled)) {
        /* The chat asks again. */
        if (write != NULL)
            write_discard(write);
        free(work);
        log_error("core", "event=root-not-kept route=%s", log_name(&route->id, sizeof route->id));
        return;
    }
    route->sealed = true;
    route->sealing = CHAT_SEALING_MUST;
    /* Else it would end with its offer, as one that was never used. */
    route->confirmed = true;
    route->last_used = clock_wall_ms();
    if (settled)
        forget_invite(route);
    struct conversation stored = conversation_as_asked(conversation);
    stored.standing.sealed = true;
    stored.change = write_change(write);
    put_conversation(write->batch, &stored);
    put_route(write->batch, route);
    conversation->asked = stored.standing;
    conversation->asking++;
    conversation->pins++;
    route->pins++;
    *work = (struct root_write){route, stored.change};
    write_commit(write, root_stored, work);
}

void sealing_settle(struct route *route)
{
    if (route->ended || !route->sealed)
        return;
    route->unsettled = true;
    if (!route->settled) {
        if (!rewrap(route, (struct bytes){0}, true)) {
            log_error("core", "event=route-not-settled route=%s", log_name(&route->id, sizeof route->id));
            return;
        }
        forget_invite(route);
    }
    invite_settled(route);
    post_in_route(route);
}

static void closing_stored(void *arg, const struct error *error)
{
    struct route *route = arg;
    route->pins--;
    if (error != NULL || route->chat == NULL)
        return;
    chat_closing_stored(route->chat, uv_now(gateway_of(route)->loop), clock_wall_ms() / 1000);
    route_mark_dirty(route);
    conversations_drain(gateway_of(route));
}

void sealing_store_closing(struct route *route, const uint64_t *salts, size_t count)
{
    struct store_batch *batch = store_begin(gateway_of(route)->store);
    if (batch == NULL)
        return;
    put_route(batch, route);
    store_put_salts(batch, route->id, salts, count);
    route->pins++;
    store_commit(batch, closing_stored, route);
}

void sealing_closed_by_peer(struct route *route)
{
    if (route->ended || route->closed_by_peer)
        return;
    route->closed_by_peer = true;
    forget_invite(route);
    buffer_clear(&route->keys_wrapped);
    sealing_settle(route);
    sealing_store_closing(route, NULL, 0);
    queue_unsaid_fail(route);
    if (!conversation_has_route(route->conversation))
        queue_fail(route->conversation, "the other side closed the conversation");
}

/* --- down again */

static const char given_up[] = "this gives up what sealed chat has: that nobody but this contact can have "
                               "written what you read, that keys stolen "
                               "later do not open what was said before, and that delivered is known. Say it "
                               "with \"sure\" if you want that";

struct lower_write {
    struct call *call;
    struct conversation *conversation;
    struct standing standing;
    int64_t change;
    int64_t upto; /* routes made later are not meant */
    int64_t at;   /* Unix ms */
};

/* Waits for a sealed answer that may never come. */
static bool waits_for_sealed(const struct route *route)
{
    return route_lives(route) && !route->sealed && route->sealing == CHAT_SEALING_MUST;
}

static void lower_routes(const struct lower_write *work)
{
    struct route *route;
    DL_FOREACH(work->conversation->routes, route)
    {
        if (route->id > work->upto || route->ended)
            continue;
        if (route->sealed) {
            route_close(route, work->at);
        } else if (waits_for_sealed(route)) {
            route_stop(route);
            route->sealing = CHAT_SEALING_NEVER;
            route_start(route);
        }
    }
}

static void lowered(void *arg, const struct error *error)
{
    struct lower_write *work = arg;
    struct conversation *conversation = work->conversation;
    conversation->pins--;
    conversation->asking--;
    if (error != NULL) {
        call_fail_copy(work->call, error);
    } else {
        conversation->standing = work->standing;
        conversation->change = work->change;
        log_info("core", "event=lowered conversation=%s",
                 log_name(&conversation->id, sizeof conversation->id));
        /* What was said to be sealed is not to leave in any other way. */
        queue_fail(conversation,
                   "you lowered the protection before the line could leave; say it again if it may "
                   "go unsealed");
        lower_routes(work);
        conversation_settle(conversation);
        ring_put(conversation->account, work->change, "conversation", json_of_conversation(conversation));
        conversation_interest(conversation);
        call_done(work->call, json_of_conversation(conversation));
    }
    free(work);
}

/* The rows of what lower_routes() will do. */
static void put_lowered(const struct lower_write *work, struct write *write)
{
    struct conversation changed = *work->conversation;
    struct route *route;
    changed.standing = work->standing;
    changed.change = work->change;
    put_conversation(write->batch, &changed);
    DL_FOREACH(work->conversation->routes, route)
    {
        if (route->ended)
            continue;
        if (route->sealed) {
            route_put_closed(route, write->batch, work->at);
        } else if (waits_for_sealed(route)) {
            struct route stored = *route;
            stored.sealing = CHAT_SEALING_NEVER;
            put_route(write->batch, &stored);
        }
    }
}

static bool may_be_lowered(const struct conversation *conversation)
{
    const struct route *route;
    bool may = conversation->standing.sealed;
    DL_FOREACH(conversation->routes, route)
    may |= route_lives(route) && (route->sealed || waits_for_sealed(route));
    return may;
}

bool do_conversation_lower(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    if (conversation == NULL)
        return false;
    if (!may_be_lowered(conversation))
        return error_set(error, ERROR_INVALID, "this conversation is not sealed; there is nothing to lower");
    if (!arg_true(call, "sure"))
        return error_set(error, ERROR_INVALID, "%s", given_up);
    struct lower_write *work = calloc(1, sizeof *work);
    struct write *write = work != NULL ? write_begin(call->gateway, call->account) : NULL;
    if (write == NULL) {
        free(work);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    *work = (struct lower_write){
        .call = call,
        .conversation = conversation,
        .standing = conversation_as_asked(conversation).standing,
        .change = write_change(write),
        .upto = call->gateway->last_id,
        .at = clock_wall_ms(),
    };
    work->standing.sealed = false;
    put_lowered(work, write);
    conversation->asked = work->standing;
    conversation->asking++;
    conversation->pins++;
    write_commit(write, lowered, work);
    return true;
}
