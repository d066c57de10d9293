/* SPDX-License-Identifier: ISC */
/* The life of a route: its chat, its hash at the router, its end. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/conversations.h"
#include "core/local.h"
#include "core/queue.h"
#include "core/rows.h"
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

static void route_tick(uv_timer_t *timer)
{
    struct route *route = timer->data;
    route->timer_due = UINT64_MAX;
    if (route->chat == NULL)
        return;
    chat_tick(route->chat, now_ms(gateway_of(route)), wall_s());
    route_mark_dirty(route);
    conversations_drain(gateway_of(route));
}

void route_rearm(struct route *route)
{
    uint64_t due = chat_deadline(route->chat), now = now_ms(gateway_of(route));
    if (due == route->timer_due)
        return;
    route->timer_due = due;
    if (due == UINT64_MAX)
        uv_timer_stop(route->timer);
    else
        uv_timer_start(route->timer, route_tick, due > now ? due - now : 0, 0);
}

/* False without memory, or when another account's route has the hash: whose tunnels they are would then
 * depend on who came last, and the inviter chooses the hash. */
static bool enter(struct route *route)
{
    struct gateway *gateway = gateway_of(route);
    struct route *other = NULL;
    if (route->role == CHAT_INVITER) {
        HASH_FIND(hh, gateway->routes_served, route->hash, sizeof route->hash, other);
        if (other == NULL)
            HASH_ADD(hh, gateway->routes_served, hash, sizeof route->hash, route);
    } else {
        HASH_FIND(hh, gateway->routes_wanted, route->hash, sizeof route->hash, other);
        if (other == NULL)
            HASH_ADD(hh, gateway->routes_wanted, hash, sizeof route->hash, route);
    }
    return other == NULL && route->hh.tbl != NULL;
}

bool route_start(struct route *route)
{
    struct conversation *conversation = route->conversation;
    struct account *account = conversation->account;
    struct gateway *gateway = account->gateway;
    if (route->chat != NULL || route->ended)
        return true;
    if (!vault_open_route(route))
        return false;
    struct chat_options options = {
        .role = route->role,
        .salt_next = route->salt_next,
        .route_created = route->created / 1000,
        .not_before = wall_s() - 60,
        .send_typing = account->typing,
        .ever_confirmed = route->confirmed,
    };
    memcpy(options.hash, route->hash, sizeof options.hash);
    memcpy(options.key, route->keys, sizeof options.key);
    memcpy(options.salt_key, route->keys + 16, sizeof options.salt_key);
    route->timer = malloc(sizeof *route->timer);
    route->chat = chat_new(&options, gateway->cipher, gateway->random, now_ms(gateway), wall_s());
    OPENSSL_cleanse(options.key, sizeof options.key + sizeof options.salt_key);
    OPENSSL_cleanse(route->keys, sizeof route->keys);
    if (route->timer == NULL || route->chat == NULL || !enter(route)) {
        free(route->timer);
        chat_free(route->chat);
        route->timer = NULL;
        route->chat = NULL;
        return false;
    }
    uv_timer_init(gateway->loop, route->timer);
    route->timer->data = route;
    route->timer_due = UINT64_MAX;
    for (size_t i = 0; i < route->salt_count; i++)
        chat_add_salt(route->chat, route->salts[i]);
    free(route->salts);
    route->salts = NULL;
    route->salt_count = route->salt_room = 0;
    chat_set_avatar(route->chat, buffer_view(&account->avatar), NULL);
    chat_set_state_text(route->chat, bytes_of_string(account->state_text));
    if (route->role == CHAT_INVITER) {
        router_serve(gateway->router, route->hash, false);
        local_meet(route);
    }
    route_rearm(route);
    return true;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void route_stop(struct route *route)
{
    struct gateway *gateway = gateway_of(route);
    if (route->chat == NULL)
        return;
    local_disconnect(route, "the other side has left");
    uint64_t now = now_ms(gateway);
    if (route->role == CHAT_INVITER) {
        HASH_DELETE(hh, gateway->routes_served, route);
        router_unserve(gateway->router, route->hash, now);
    } else {
        HASH_DELETE(hh, gateway->routes_wanted, route);
        router_stop(gateway->router, route->hash, now);
    }
    uv_timer_stop(route->timer);
    uv_close((uv_handle_t *)route->timer, timer_closed);
    route->timer = NULL;
    chat_free(route->chat);
    route->chat = NULL;
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
}

static void route_free(struct route *route)
{
    DL_DELETE(route->conversation->routes, route);
    buffer_free(&route->keys_wrapped);
    free(route->salts);
    free(route);
}

bool conversation_sweep(struct conversation *conversation)
{
    struct route *route, *next;
    DL_FOREACH_SAFE(conversation->routes, route, next)
    {
        if (route->ended && route->pins == 0 && !route->dirty)
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
    while (conversation->routes != NULL)
        route_free(conversation->routes);
    free(conversation);
}
