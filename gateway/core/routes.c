/* SPDX-License-Identifier: ISC */
/* The life of a route: its chat, its hash at the router, its end. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/conversations.h"
#include "core/delivery.h"
#include "core/hashes.h"
#include "core/invites.h"
#include "core/lines.h"
#include "core/numbers.h"
#include "core/post_in.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/sealing.h"
#include "core/vault.h"

static struct gateway *gateway_of(const struct route *route)
{
    return route->conversation->account->gateway;
}

static uint64_t now_ms(const struct gateway *gateway)
{
    return uv_now(gateway->loop);
}

static int64_t wall_s(void)
{
    return clock_wall_ms() / 1000;
}

/* --- the chat of a route */

enum chat_protection route_protection(const struct route *route)
{
    return route->chat != NULL ? chat_protection(route->chat)
           : route->sealed     ? CHAT_SEALED
           : route->confirmed  ? CHAT_CLASSIC
                               : CHAT_UNPROTECTED;
}

bool route_is_over(const struct route *route)
{
    return route->sealed && route->closed_by_peer;
}

bool route_lives(const struct route *route)
{
    return !route->ended && route->parting == 0 && !route_is_over(route);
}

/* A number above it without a line in the store is a void. */
static uint64_t acked(const struct route *route)
{
    uint64_t below = route->unsaid != NULL ? route->unsaid->number - 1 : UINT64_MAX;
    return below < route->number_delivered ? below : route->number_delivered;
}

/* What is known of the route, and its keys, which the caller wipes. */
static struct chat_options options_of(const struct route *route)
{
    const struct account *account = route->conversation->account;
    struct chat_options options = {
        .role = route->role,
        .sealing = route->sealing,
        .sealed = route->sealed,
        .settled = route->settled,
        .parting = route->parting != 0,
        .number_assigned = route->number_out,
        .number_acked = acked(route),
        .number_stored = route->number_in,
        .salt_next = route->salt_next,
        .route_created = route->created / 1000,
        .not_before = wall_s() - 60,
        .send_typing = account->typing,
        .ever_confirmed = route->confirmed,
    };
    memcpy(options.own, account->fingerprint, sizeof options.own);
    memcpy(options.peer, route->conversation->contact->fingerprint, sizeof options.peer);
    if (!route->settled)
        memcpy(options.context, route->context, sizeof options.context);
    memcpy(options.hash, route->hash, sizeof options.hash);
    memcpy(options.key, route->keys, sizeof options.key);
    memcpy(options.salt_key, route->keys + 16, sizeof options.salt_key);
    memcpy(options.root, route->keys + 32, sizeof options.root);
    memcpy(options.claim, route->keys + 64, sizeof options.claim);
    return options;
}

static struct chat *make_chat(struct route *route)
{
    struct gateway *gateway = gateway_of(route);
    if (!vault_open_route(route))
        return NULL;
    struct chat_options options = options_of(route);
    struct chat *chat = chat_new(&options, &gateway->tools, now_ms(gateway), wall_s());
    OPENSSL_cleanse(&options, sizeof options);
    OPENSSL_cleanse(route->keys, sizeof route->keys);
    return chat;
}

/* What the chat knew before the restart. */
static bool restore(struct route *route)
{
    for (size_t i = 0; i < route->salt_count; i++)
        chat_add_salt(route->chat, route->salts[i]);
    const struct queued_line *line;
    DL_FOREACH(route->unsaid, line)
    {
        if (!chat_resume(route->chat, (uint64_t)line->seq, line->number, line->time,
                         buffer_view(&line->text)))
            return false;
    }
    return true;
}

/* The invite's hash is taken at once: one that another route has starts no chat. */
static bool enter(struct route *route)
{
    return route->settled || route->parting != 0 ||
           hash_enter(&route->owner, route->hash,
                      route->role == CHAT_INVITER ? ROUTER_ENDPOINT : ROUTER_INITIATOR) != NULL;
}

bool route_start(struct route *route)
{
    struct account *account = route->conversation->account;
    if (route->chat != NULL || route->ended || route_is_over(route))
        return true;
    route->owner.acts = &route_acts;
    route->owner.account = account;
    route->owner.conversation = route->conversation->id;
    route->chat = make_chat(route);
    if (route->chat == NULL)
        return false;
    if (!enter(route) || !owner_set_timer(&route->owner, UINT64_MAX) || !restore(route)) {
        owner_stop(&route->owner);
        chat_free(route->chat);
        route->chat = NULL;
        return false;
    }
    queue_unsaid_drop(route);
    free(route->salts);
    route->salts = NULL;
    route->salt_count = route->salt_room = 0;
    route->wanted = false;
    route->unsettled |= route->parting != 0 && !route->settled;
    post_in_route(route);
    chat_set_avatar(route->chat, buffer_view(&account->avatar), NULL);
    chat_set_state_text(route->chat, bytes_of_string(account->state_text));
    route_mark_dirty(route);
    return true;
}

void route_stop(struct route *route)
{
    if (route->chat == NULL)
        return;
    owner_stop(&route->owner);
    chat_free(route->chat);
    route->chat = NULL;
    post_in_route(route);
}

void route_save(const struct route *route)
{
    struct store_batch *batch = route->ended ? NULL : store_begin(gateway_of(route)->store);
    if (batch == NULL)
        return;
    put_route(batch, route);
    store_commit(batch, NULL, NULL);
}

void route_delete(const struct route *route, struct store_batch *batch)
{
    store_delete_route(batch, route->conversation->account->id, route->id);
}

void route_end(struct route *route)
{
    if (route->ended)
        return;
    /* First: its row is deleted, and what the closing chat tells must not bring it back. */
    route->ended = true;
    if (route->chat == NULL)
        return;
    /* The closing notice must leave before the tunnel is forgotten. */
    chat_close(route->chat, now_ms(gateway_of(route)), wall_s());
    route_take_outputs(route);
    route_stop(route);
    queue_unsaid_fail(route);
}

static void delete_row(const struct route *route)
{
    struct store_batch *batch = store_begin(gateway_of(route)->store);
    if (batch == NULL)
        return;
    route_delete(route, batch);
    store_commit(batch, NULL, NULL);
}

void route_put_closed(const struct route *route, struct store_batch *batch, int64_t at)
{
    struct route closed = *route;
    if (route->ended || route->parting != 0)
        return;
    if (!route->sealed || route_is_over(route)) {
        route_delete(route, batch);
        return;
    }
    closed.parting = at;
    put_route(batch, &closed);
}

void route_close(struct route *route, int64_t at)
{
    if (!route_lives(route) || !route->sealed) {
        /* The peer may have closed it meanwhile. */
        if (!route->ended && route_is_over(route))
            delete_row(route);
        if (route->parting == 0)
            route_end(route);
        return;
    }
    route->parting = at;
    post_in_route(route);
    if (route->chat != NULL)
        chat_close(route->chat, now_ms(gateway_of(route)), wall_s());
    queue_unsaid_fail(route);
    if (!route->settled)
        sealing_settle(route);
    route_mark_dirty(route);
}

void route_parted(struct route *route)
{
    route_stop(route);
    queue_unsaid_fail(route);
    if (route->parting == 0 || route->ended)
        return;
    delete_row(route);
    route->ended = true;
}

void route_discard(struct route *route)
{
    delete_row(route);
    invite_discard(route);
    route_end(route);
}

static void route_free(struct route *route)
{
    DL_DELETE(route->conversation->routes, route);
    buffer_free(&route->keys_wrapped);
    queue_unsaid_drop(route);
    lines_forget(route);
    numbers_forget(route);
    free(route->salts);
    free(route);
}

bool conversation_sweep(struct conversation *conversation)
{
    struct route *route, *next;
    DL_FOREACH_SAFE(conversation->routes, route, next)
    {
        if (route->ended && route->pins == 0 && !route->owner.dirty)
            route_free(route);
    }
    return conversation->pins == 0 && conversation->routes == NULL;
}

void account_start_routes(struct account *account)
{
    struct conversation *conversation, *next;
    HASH_ITER(hh, account->conversations, conversation, next)
    {
        struct route *route;
        DL_FOREACH(conversation->routes, route)
        {
            if (!route_start(route))
                log_error("core", "event=route-not-started route=%s", log_name(&route->id, sizeof route->id));
        }
        conversation_settle(conversation);
        conversation_interest(conversation);
    }
    conversations_drain(account->gateway);
}

void conversation_free(struct conversation *conversation)
{
    queue_drop(conversation);
    deliveries_free(conversation);
    while (conversation->routes != NULL)
        route_free(conversation->routes);
    free(conversation);
}

static void leave(struct conversation *conversation)
{
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (route->chat == NULL)
            continue;
        chat_leave(route->chat, now_ms(gateway_of(route)), wall_s());
        route_mark_dirty(route);
    }
}

static void stop(struct conversation *conversation)
{
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    route_stop(route);
}

void routes_leave(struct gateway *gateway)
{
    conversations_each(gateway, leave);
    conversations_drain(gateway);
    conversations_each(gateway, stop);
}
