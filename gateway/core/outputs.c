/* SPDX-License-Identifier: ISC */
/* What the chats and the router put out, and to whom it goes. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/avatars.h"
#include "core/conversations.h"
#include "core/delivery.h"
#include "core/hashes.h"
#include "core/invites.h"
#include "core/lines.h"
#include "core/local.h"
#include "core/network.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/sealing.h"
#include "core/session.h"
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

/* --- wishes: what a chat asks of the router besides sending. They are granted when the outputs of the chat
 * were taken, because the router answers to the same chat. */

enum { WISHES_MAX = 32 };

struct wish {
    enum chat_output_kind kind; /* CHAT_SERVE, CHAT_UNSERVE, CHAT_WANT, CHAT_STOP, CHAT_CLOSE_TUNNEL */
    uint8_t hash[20];
    uint64_t tunnel;
    bool urgent;
};

struct wishes {
    size_t count;
    struct wish wish[WISHES_MAX];
};

static enum router_role role_of(enum chat_output_kind kind)
{
    return kind == CHAT_WANT || kind == CHAT_STOP ? ROUTER_INITIATOR : ROUTER_ENDPOINT;
}

static void serve(struct route *route, const struct wish *wish)
{
    struct route_hash *entry = hash_enter(route, wish->hash, ROUTER_ENDPOINT);
    if (entry == NULL || !router_serve(gateway_of(route)->router, wish->hash, false)) {
        log_warn("core", "event=hash-not-served route=%s", log_name(&route->id, sizeof route->id));
        return;
    }
    entry->active = true;
    local_join(entry);
}

static void seek(struct route *route, const struct wish *wish)
{
    struct gateway *gateway = gateway_of(route);
    struct route_hash *entry = hash_enter(route, wish->hash, ROUTER_INITIATOR);
    if (entry == NULL) {
        log_warn("core", "event=hash-not-sought route=%s", log_name(&route->id, sizeof route->id));
        return;
    }
    entry->active = true;
    if (gateway->phase == NODE_CLOSING || local_join(entry))
        return;
    /* 00 decision 13: who logs in opens none of hundreds of conversations. */
    enum dig_urgency urgency = wish->urgent && route->by_person          ? DIG_PERSON
                               : conversation_waits(route->conversation) ? DIG_WAITING
                                                                         : DIG_PRESENCE;
    route->by_person = false;
    router_dig(gateway->router, wish->hash, urgency, now_ms(gateway));
}

static void close_tunnel(struct route *route, const struct wish *wish)
{
    if (local_is(wish->tunnel))
        local_close(route, wish->tunnel, "the tunnel was given up");
    else
        router_close(gateway_of(route)->router, wish->tunnel, now_ms(gateway_of(route)));
}

void route_forget_hash(struct route_hash *entry)
{
    struct gateway *gateway = gateway_of(entry->route);
    local_part(entry, "the other side has left");
    if (entry->key.role == ROUTER_INITIATOR)
        router_stop(gateway->router, entry->key.hash, now_ms(gateway));
    else
        router_unserve(gateway->router, entry->key.hash, now_ms(gateway));
    take_router(gateway);
    hash_leave(entry);
}

static void grant(struct route *route, struct wishes *wishes)
{
    for (size_t i = 0; i < wishes->count && route->chat != NULL; i++) {
        const struct wish *wish = &wishes->wish[i];
        struct route_hash *entry;
        if (wish->kind == CHAT_SERVE)
            serve(route, wish);
        else if (wish->kind == CHAT_WANT)
            seek(route, wish);
        else if (wish->kind == CHAT_CLOSE_TUNNEL)
            close_tunnel(route, wish);
        else if ((entry = hash_of(route, wish->hash, role_of(wish->kind))) != NULL)
            route_forget_hash(entry);
        take_router(gateway_of(route));
    }
    wishes->count = 0;
}

/* Of what is asked for one hash only the last counts. */
static void wish_for(struct route *route, struct wishes *wishes, const struct chat_output *output)
{
    struct wish wish = {.kind = output->kind, .tunnel = output->tunnel, .urgent = output->urgent};
    memcpy(wish.hash, output->hash, sizeof wish.hash);
    size_t kept = 0;
    for (size_t i = 0; i < wishes->count; i++) {
        const struct wish *older = &wishes->wish[i];
        bool same = wish.kind != CHAT_CLOSE_TUNNEL && older->kind != CHAT_CLOSE_TUNNEL &&
                    role_of(older->kind) == role_of(wish.kind) &&
                    memcmp(older->hash, wish.hash, sizeof wish.hash) == 0;
        if (same)
            wish.urgent |= older->kind == wish.kind && older->urgent;
        else
            wishes->wish[kept++] = *older;
    }
    wishes->count = kept;
    if (wishes->count == WISHES_MAX)
        grant(route, wishes);
    wishes->wish[wishes->count++] = wish;
}

/* --- what else a chat puts out */

static const char *const delivery_words[] = {
    [CHAT_QUEUED] = "queued",       [CHAT_SENT] = "sent",     [CHAT_NOT_CONFIRMED] = "not-confirmed",
    [CHAT_DELIVERED] = "delivered", [CHAT_FAILED] = "failed",
};

static void delivery(struct route *route, const struct chat_output *output)
{
    /* A line was committed as sent before the chat had it; only what differs is news. */
    if (output->delivery != CHAT_QUEUED && output->delivery != CHAT_SENT)
        delivery_learned(route->conversation, (int64_t)output->line, delivery_words[output->delivery],
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
    if (closed && route->sealed) {
        sealing_closed_by_peer(route);
    } else if (!route->ended && (closed != route->closed_by_peer || output->salt_count > 0)) {
        route->closed_by_peer = closed;
        sealing_store_closing(route, output->salts, output->salt_count);
    }
    conversation_settle(route->conversation);
}

static void typing(struct conversation *conversation)
{
    sessions_hint(conversation->account,
                  json_pack("{s:{s:I}}", "typing", "conversation", (json_int_t)conversation->id));
}

static void send_packet(struct route *route, const struct chat_output *output)
{
    struct gateway *gateway = gateway_of(route);
    if (local_is(output->tunnel)) {
        local_send(route, output->tunnel, output->payload);
        return;
    }
    if (!router_send(gateway->router, output->tunnel, output->payload, now_ms(gateway)))
        gateway->items_dropped++;
    take_router(gateway);
}

static void chat_output(struct route *route, struct wishes *wishes, const struct chat_output *output)
{
    struct conversation *conversation = route->conversation;
    switch (output->kind) {
    case CHAT_SEND:
        send_packet(route, output);
        break;
    case CHAT_STATE_CHANGED:
        state_changed(route, output);
        break;
    case CHAT_LINE:
        line_received(route, output);
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
    case CHAT_SERVE:
    case CHAT_UNSERVE:
    case CHAT_WANT:
    case CHAT_STOP:
    case CHAT_CLOSE_TUNNEL:
        wish_for(route, wishes, output);
        break;
    case CHAT_ROOT:
        sealing_root(route, output->secret, output->settled);
        break;
    case CHAT_BEHIND:
        queue_doubt(conversation);
        break;
    case CHAT_SETTLED:
        sealing_settle(route);
        break;
    case CHAT_PARTED:
        route->parted = true;
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

void route_take_outputs(struct route *route)
{
    struct chat_output output;
    struct wishes wishes = {0};
    while (route->chat != NULL && chat_next(route->chat, &output))
        chat_output(route, &wishes, &output);
    grant(route, &wishes);
    lines_store(route);
    deliveries_commit(route->conversation);
}

/* --- the router */

void conversations_router_output(struct gateway *gateway, const struct router_output *output)
{
    enum router_role role = output->kind == ROUTER_DUG ? ROUTER_INITIATOR : output->role;
    struct route_hash *entry = hash_find(gateway, output->hash, role);
    struct route *route = entry != NULL ? entry->route : NULL;
    if (route == NULL || route->chat == NULL || route->ended)
        return;
    uint64_t now = now_ms(gateway);
    switch (output->kind) {
    case ROUTER_TUNNEL_UP:
        chat_tunnel_up(route->chat, output->tunnel, output->hash, role == ROUTER_INITIATOR, now, wall_s());
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

/* --- the turn */

void route_mark_dirty(struct route *route)
{
    struct gateway *gateway = gateway_of(route);
    if (route->dirty)
        return;
    route->dirty = true;
    route->next_dirty = gateway->dirty_routes;
    gateway->dirty_routes = route;
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
        queue_say_again(route);
        route_take_outputs(route);
        if (route->parted) {
            route_parted(route);
        } else if (route->chat != NULL) {
            timers_set(&gateway->route_timers, &route->timer, chat_deadline(route->chat));
        }
    }
    gateway->draining = false;
    routes_rearm(gateway);
    network_rearm(gateway);
}

void conversations_turn(struct gateway *gateway)
{
    if (gateway->dirty_routes != NULL)
        conversations_drain(gateway);
    struct conversation *conversation;
    while ((conversation = gateway->recounted) != NULL) {
        gateway->recounted = conversation->next_recounted;
        conversation->recounted = false;
        conversation->pins--;
        conversation_changed(conversation);
    }
}
