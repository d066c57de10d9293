/* SPDX-License-Identifier: ISC */
#include "core/conversations.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/avatars.h"
#include "core/changes.h"
#include "core/invites.h"
#include "core/lines.h"
#include "core/local.h"
#include "core/network.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/session.h"
#include "core/write.h"
#include "wire/utf8.h"

static void take_router(struct gateway *gateway);

static uint64_t now_ms(const struct gateway *gateway)
{
    return uv_now(gateway->loop);
}

static int64_t wall_s(void)
{
    return clock_wall_ms() / 1000;
}

static struct gateway *gateway_of(const struct route *route)
{
    return route->conversation->account->gateway;
}

/* --- state */

void conversation_changed(struct conversation *conversation)
{
    if (conversation->removed)
        return;
    conversation->change = change_now(conversation->account);
    ring_put(conversation->account, conversation->change, "conversation", 0,
             json_of_conversation(conversation));
}

struct conversation conversation_as_asked(const struct conversation *conversation)
{
    struct conversation asked = *conversation;
    if (conversation->asking > 0)
        asked.standing = conversation->asked;
    return asked;
}

struct route *conversation_talking_route(const struct conversation *conversation)
{
    struct route *best = NULL, *route;
    DL_FOREACH(conversation->routes, route)
    {
        /* Newest last: a later one that can talk is preferred. */
        if (route->chat != NULL && !route->ended && chat_state(route->chat, NULL) == CHAT_CAN_TALK)
            best = route;
    }
    return best;
}

bool conversation_has_route(const struct conversation *conversation)
{
    const struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (!route->ended)
            return true;
    }
    return false;
}

void conversation_settle(struct conversation *conversation)
{
    static const int rank[] = {
        [CHAT_CAN_TALK] = 5,       [CHAT_CONNECTING] = 4, [CHAT_NO_TUNNEL] = 3,
        [CHAT_CLOSED_BY_PEER] = 2, [CHAT_REFUSED] = 1,    [CHAT_EXPIRED] = 0,
    };
    enum chat_state state = CHAT_NO_TUNNEL;
    const char *reason = conversation->standing.closed_at != 0 ? "you closed this conversation"
                         : conversation->account->unlocked ? "there is no route; make an invite or open one"
                                                           : "the vault is locked; run retrogatectl unlock";
    int best = -1;
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        const char *why;
        if (route->chat == NULL || route->ended)
            continue;
        enum chat_state its = chat_state(route->chat, &why);
        if (rank[its] >= best) {
            best = rank[its];
            state = its;
            reason = why;
        }
    }
    if (state == conversation->state && strcmp(reason, conversation->reason) == 0)
        return;
    if (state != conversation->state)
        conversation->since = clock_wall_ms();
    conversation->state = state;
    conversation->reason = reason;
    conversation_changed(conversation);
    if (state == CHAT_CAN_TALK)
        queue_flush(conversation);
}

/* --- interest */

static bool wanted(const struct conversation *conversation)
{
    if (conversation->standing.closed_at != 0 || !conversation->account->unlocked)
        return false;
    if (conversation->queue != NULL)
        return true;
    if (!conversation->standing.open || strcmp(conversation->contact->naming.presence, "never") == 0)
        return false;
    return strcmp(conversation->contact->naming.presence, "always") == 0 ||
           conversation->account->sessions > 0;
}

void conversation_interest(struct conversation *conversation)
{
    struct gateway *gateway = conversation->account->gateway;
    bool want = wanted(conversation);
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (route->chat == NULL || route->ended || route->wanted == want || (want && route->closed_by_peer))
            continue;
        route->wanted = want;
        if (want)
            chat_open(route->chat, now_ms(gateway), wall_s());
        else
            chat_sleep(route->chat, now_ms(gateway));
        route_mark_dirty(route);
    }
    conversations_drain(gateway);
}

void conversations_interest(struct account *account)
{
    struct conversation *conversation, *next;
    HASH_ITER(hh, account->conversations, conversation, next)
    conversation_interest(conversation);
}

void conversation_wake(struct conversation *conversation)
{
    struct gateway *gateway = conversation->account->gateway;
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (route->chat == NULL || route->ended)
            continue;
        route->wanted = true;
        if (route->role == CHAT_INVITER)
            router_serve(gateway->router, route->hash, false);
        chat_open(route->chat, now_ms(gateway), wall_s());
        route_mark_dirty(route);
    }
    conversations_drain(gateway);
}

/* --- routes */

void route_mark_dirty(struct route *route)
{
    struct gateway *gateway = gateway_of(route);
    if (route->dirty)
        return;
    route->dirty = true;
    route->next_dirty = gateway->dirty_routes;
    gateway->dirty_routes = route;
}

/* What a chat asked of the router besides sending. It is done when all outputs of the chat were taken,
 * because it makes the router answer to the same chat. */
static void settle_wishes(struct route *route)
{
    struct conversation *conversation = route->conversation;
    struct gateway *gateway = gateway_of(route);
    struct wishes wishes = route->wishes;
    uint64_t now = now_ms(gateway);
    memset(&route->wishes, 0, sizeof route->wishes);
    for (size_t i = 0; i < wishes.closing; i++) {
        if (local_is(wishes.close[i]))
            local_disconnect(route, "the tunnel was given up");
        else
            router_close(gateway->router, wishes.close[i], now);
        take_router(gateway);
    }
    if (wishes.stop) {
        local_disconnect(route, "the other side has left");
        if (route->role == CHAT_GUEST)
            router_stop(gateway->router, route->hash, now);
        else
            router_unserve(gateway->router, route->hash, now);
        take_router(gateway);
    }
    if (wishes.seek && !local_connect(route)) {
        enum dig_urgency urgency = wishes.urgent                 ? DIG_PERSON
                                   : conversation->queue != NULL ? DIG_WAITING
                                                                 : DIG_PRESENCE;
        router_dig(gateway->router, route->hash, urgency, now);
        take_router(gateway);
    }
}

static const char *const delivery_words[] = {
    [CHAT_QUEUED] = "queued",       [CHAT_SENT] = "sent",     [CHAT_NOT_CONFIRMED] = "not-confirmed",
    [CHAT_DELIVERED] = "delivered", [CHAT_FAILED] = "failed",
};

static void delivery(struct route *route, const struct chat_output *output)
{
    /* A line was committed as sent before the chat had it; only what differs is news. */
    if (output->delivery != CHAT_QUEUED && output->delivery != CHAT_SENT)
        line_delivery(route->conversation, (int64_t)output->line, delivery_words[output->delivery],
                      output->reason, route->id);
}

struct salts_write {
    struct route *route;
    uint64_t salt_next;
};

static void salts_stored(void *arg, const struct error *error)
{
    struct salts_write *work = arg;
    struct route *route = work->route;
    route->pins--;
    if (error == NULL && route->chat != NULL) {
        route->salt_next = work->salt_next;
        chat_salts_stored(route->chat, work->salt_next, now_ms(gateway_of(route)), wall_s());
        route_mark_dirty(route);
        conversations_drain(gateway_of(route));
        queue_flush(route->conversation);
    }
    free(work);
}

static void store_salts(struct route *route, uint64_t salt_next)
{
    struct salts_write *work = calloc(1, sizeof *work);
    struct store_batch *batch = work != NULL ? store_begin(gateway_of(route)->store) : NULL;
    if (batch == NULL) {
        free(work);
        return;
    }
    work->route = route;
    work->salt_next = salt_next;
    route->pins++;
    store_set_salt_next(batch, route->id, salt_next);
    store_commit(batch, salts_stored, work);
}

static void confirmed(struct route *route, const struct chat_output *output)
{
    struct gateway *gateway = gateway_of(route);
    if (!local_is(output->tunnel))
        router_confirm(gateway->router, output->tunnel);
    bool first = output->first && !route->confirmed;
    route->last_used = clock_wall_ms();
    route->confirmed |= output->first;
    route_save(route);
    if (first)
        invite_confirmed(route);
}

static void state_text(struct conversation *conversation, struct bytes text)
{
    size_t size = utf8_fit(text, sizeof conversation->state_text - 1);
    if (strlen(conversation->state_text) == size && memcmp(conversation->state_text, text.data, size) == 0)
        return;
    memcpy(conversation->state_text, text.data, size);
    conversation->state_text[size] = '\0';
    conversation_changed(conversation);
}

/* A closing is kept, and its salts, so that it can neither be forgotten nor replayed. */
static void state_changed(struct route *route, const struct chat_output *output)
{
    bool closed = output->state == CHAT_CLOSED_BY_PEER;
    if (!route->ended && (closed != route->closed_by_peer || output->salt_count > 0)) {
        struct store_batch *batch = store_begin(gateway_of(route)->store);
        route->closed_by_peer = closed;
        if (batch != NULL) {
            put_route(batch, route);
            store_put_salts(batch, route->id, output->salts, output->salt_count);
            store_commit(batch, NULL, NULL);
        }
    }
    conversation_settle(route->conversation);
}

static void typing(struct conversation *conversation)
{
    sessions_hint(conversation->account,
                  json_pack("{s:{s:I}}", "typing", "conversation", (json_int_t)conversation->id));
}

static void chat_output(struct route *route, const struct chat_output *output)
{
    struct gateway *gateway = gateway_of(route);
    struct conversation *conversation = route->conversation;
    switch (output->kind) {
    case CHAT_SEND:
        if (local_is(output->tunnel)) {
            local_send(route, output->payload);
        } else {
            if (!router_send(gateway->router, output->tunnel, output->payload, now_ms(gateway)))
                gateway->items_dropped++;
            take_router(gateway);
        }
        break;
    case CHAT_STATE_CHANGED:
        state_changed(route, output);
        break;
    case CHAT_LINE:
        line_received(route, output->text, output->time, output->salts, output->salt_count);
        break;
    case CHAT_DELIVERY:
        delivery(route, output);
        break;
    case CHAT_TYPING:
        typing(conversation);
        break;
    case CHAT_PEER_AVATAR:
        avatar_received(conversation, output->text);
        break;
    case CHAT_STATE_TEXT:
        state_text(conversation, output->text);
        break;
    case CHAT_WANT:
        route->wishes.seek = true;
        route->wishes.urgent |= output->urgent;
        route->wishes.stop = false;
        break;
    case CHAT_STOP:
        route->wishes.stop = true;
        route->wishes.seek = route->wishes.urgent = false;
        break;
    case CHAT_CLOSE_TUNNEL:
        if (route->wishes.closing < sizeof route->wishes.close / sizeof *route->wishes.close)
            route->wishes.close[route->wishes.closing++] = output->tunnel;
        break;
    case CHAT_CONFIRMED:
        confirmed(route, output);
        break;
    case CHAT_SALTS:
        store_salts(route, output->salt_next);
        break;
    case CHAT_REFUSED_PACKET:
        log_debug("core", "event=packet-refused conversation=%s reason=\"%s\"",
                  log_name(&conversation->id, sizeof conversation->id), output->reason);
        break;
    }
}

static struct route *route_by_hash(struct gateway *gateway, const uint8_t hash[20], enum router_role role)
{
    struct route *route = NULL;
    HASH_FIND(hh, role == ROUTER_ENDPOINT ? gateway->routes_served : gateway->routes_wanted, hash, 20, route);
    return route;
}

void conversations_router_output(struct gateway *gateway, const struct router_output *output)
{
    enum router_role role = output->kind == ROUTER_DUG ? ROUTER_INITIATOR : output->role;
    struct route *route = route_by_hash(gateway, output->hash, role);
    if (route == NULL || route->chat == NULL || route->ended)
        return;
    uint64_t now = now_ms(gateway);
    switch (output->kind) {
    case ROUTER_TUNNEL_UP:
        chat_tunnel_up(route->chat, output->tunnel, now, wall_s());
        break;
    case ROUTER_TUNNEL_DOWN:
        chat_tunnel_down(route->chat, output->tunnel, output->reason, now, wall_s());
        break;
    case ROUTER_DATA:
        chat_receive(route->chat, output->tunnel, output->payload, now, wall_s());
        break;
    case ROUTER_DUG:
        chat_dug(route->chat, output->reached, now);
        break;
    case ROUTER_SEND:
        return;
    }
    route_mark_dirty(route);
}

/* The router's outputs live until the next call on it, so they are taken after each. */
static void take_router(struct gateway *gateway)
{
    struct router_output output;
    while (router_next(gateway->router, &output)) {
        if (output.kind != ROUTER_SEND)
            conversations_router_output(gateway, &output);
        else if (gateway->friends == NULL ||
                 !friends_send(gateway->friends, output.neighbour, output.priority, output.item))
            gateway->items_dropped++;
    }
}

void route_take_outputs(struct route *route)
{
    struct chat_output output;
    while (route->chat != NULL && chat_next(route->chat, &output))
        chat_output(route, &output);
}

void conversations_drain(struct gateway *gateway)
{
    if (gateway->draining || gateway->router == NULL)
        return;
    gateway->draining = true;
    take_router(gateway);
    struct route *route;
    while ((route = gateway->dirty_routes) != NULL) {
        gateway->dirty_routes = route->next_dirty;
        route->dirty = false;
        route_take_outputs(route);
        settle_wishes(route);
        if (route->chat != NULL)
            route_rearm(route);
    }
    gateway->draining = false;
    network_rearm(gateway);
}
