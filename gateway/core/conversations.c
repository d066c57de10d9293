/* SPDX-License-Identifier: ISC */
#include "core/conversations.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/changes.h"
#include "core/invites.h"
#include "core/lines.h"
#include "core/local.h"
#include "core/rows.h"
#include "core/network.h"
#include "core/session.h"
#include "core/vault.h"
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
    const char *reason = conversation->closed_at != 0      ? "you closed this conversation"
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
        conversation_flush(conversation);
}

/* --- the queue of lines that wait for a tunnel */

void conversation_queue(struct conversation *conversation, int64_t seq, struct bytes text)
{
    struct queued_line *line = calloc(1, sizeof *line);
    if (line != NULL) {
        line->seq = seq;
        line->text = buffer_make(CHAT_LINE_LIMIT);
    }
    if (line == NULL || !buffer_append_bytes(&line->text, text)) {
        free(line);
        line_delivery(conversation, seq, "failed", "out of memory", 0);
        return;
    }
    DL_APPEND(conversation->queue, line);
    conversation->queue_lines++;
    conversation->queue_bytes += text.size;
    conversation_changed(conversation);
    conversation_interest(conversation);
    conversation_flush(conversation);
}

struct flush {
    struct conversation *conversation;
    int64_t last_seq;
};

static void flush_committed(void *arg, const struct error *error)
{
    struct flush *flush = arg;
    struct conversation *conversation = flush->conversation;
    struct gateway *gateway = conversation->account->gateway;
    conversation->flushing = false;
    conversation->pins--;
    struct queued_line *line, *next;
    DL_FOREACH_SAFE(conversation->queue, line, next)
    {
        if (error != NULL || line->seq > flush->last_seq)
            break;
        struct route *route = conversation_talking_route(conversation);
        struct error *refused = NULL;
        DL_DELETE(conversation->queue, line);
        conversation->queue_lines--;
        conversation->queue_bytes -= buffer_size(&line->text);
        if (route == NULL || !chat_say(route->chat, (uint64_t)line->seq, buffer_view(&line->text),
                                       now_ms(gateway), wall_s(), &refused))
            line_delivery(conversation, line->seq, "not-confirmed",
                          refused != NULL ? refused->text : "the tunnel was lost at that moment", 0);
        else
            route_mark_dirty(route);
        error_free(refused);
        buffer_free(&line->text);
        free(line);
    }
    free(flush);
    ring_forget_before(conversation->account, conversation->account->last_change);
    conversation_changed(conversation);
    conversations_drain(gateway);
}

void conversation_flush(struct conversation *conversation)
{
    struct route *route = conversation_talking_route(conversation);
    if (route == NULL || conversation->queue == NULL || conversation->flushing)
        return;
    /* They are marked as sent before they leave: after a crash none is ever repeated (00 decision 18). */
    struct flush *flush = calloc(1, sizeof *flush);
    struct write *write =
        flush != NULL ? write_begin(conversation->account->gateway, conversation->account) : NULL;
    if (write == NULL) {
        free(flush);
        return;
    }
    conversation->flushing = true;
    conversation->pins++;
    flush->conversation = conversation;
    struct queued_line *line;
    DL_FOREACH(conversation->queue, line)
    {
        store_set_delivery(write->batch, conversation->account->id, line->seq, "sent", "", route->id,
                           write_change(write));
        flush->last_seq = line->seq;
    }
    write_commit(write, flush_committed, flush);
}

/* --- interest */

static bool wanted(const struct conversation *conversation)
{
    if (conversation->closed_at != 0 || !conversation->account->unlocked)
        return false;
    if (conversation->queue != NULL)
        return true;
    if (!conversation->open || strcmp(conversation->contact->presence, "never") == 0)
        return false;
    return strcmp(conversation->contact->presence, "always") == 0 || conversation->account->sessions > 0;
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

static void rearm(struct route *route)
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
    if (output->delivery == CHAT_QUEUED || (output->delivery == CHAT_SENT && route->waiting == 0))
        return;
    if (output->delivery == CHAT_SENT)
        route->waiting--;
    line_delivery(route->conversation, (int64_t)output->line, delivery_words[output->delivery],
                  output->reason, route->id);
}

static void avatar_stored(void *arg, const char *id, struct bytes data, const struct error *error)
{
    (void)data;
    struct conversation *conversation = arg;
    conversation->pins--;
    if (error != NULL || strcmp(conversation->avatar, id) == 0)
        return;
    struct gateway *gateway = conversation->account->gateway;
    snprintf(conversation->avatar, sizeof conversation->avatar, "%s", id);
    conversation_changed(conversation);
    struct store_batch *batch = store_begin(gateway->store);
    if (batch != NULL) {
        put_conversation(batch, conversation);
        store_commit(batch, NULL, NULL);
    }
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
    route->last_used = clock_wall_ms();
    if (!output->first || route->confirmed)
        return;
    route->confirmed = true;
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
    if (closed != route->closed_by_peer || output->salt_count > 0) {
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
        conversation->pins++;
        store_blob_put(gateway->store, conversation->account->id, output->text, avatar_stored, conversation);
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

static void take_chat(struct route *route)
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
        take_chat(route);
        settle_wishes(route);
        if (route->chat != NULL)
            rearm(route);
    }
    gateway->draining = false;
    network_rearm(gateway);
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
    if (route->timer == NULL || route->chat == NULL) {
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
        HASH_ADD(hh, gateway->routes_served, hash, 20, route);
        router_serve(gateway->router, route->hash, false);
    } else {
        HASH_ADD(hh, gateway->routes_wanted, hash, 20, route);
    }
    rearm(route);
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

void route_end(struct route *route, struct store_batch *batch)
{
    if (route->ended)
        return;
    struct gateway *gateway = gateway_of(route);
    if (route->chat != NULL) {
        /* The closing notice must leave before the tunnel is forgotten. */
        chat_close(route->chat, now_ms(gateway), wall_s());
        take_chat(route);
        route_stop(route);
    }
    route->ended = true;
    store_delete_route(batch, route->conversation->account->id, route->id);
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
    struct queued_line *line, *next;
    DL_FOREACH_SAFE(conversation->queue, line, next)
    {
        buffer_free(&line->text);
        free(line);
    }
    while (conversation->routes != NULL)
        route_free(conversation->routes);
    free(conversation);
}
