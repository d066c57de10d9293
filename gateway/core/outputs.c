/* SPDX-License-Identifier: ISC */
/* What the chats put out, and to whom it goes. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/avatars.h"
#include "core/conversations.h"
#include "core/delivery.h"
#include "core/hashes.h"
#include "core/invites.h"
#include "core/lines.h"
#include "core/network.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/sealing.h"
#include "core/session.h"
#include "wire/utf8.h"

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

static struct route *route_of(struct hash_owner *owner)
{
    return (struct route *)((char *)owner - offsetof(struct route, owner));
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
    if (hash_serve(&route->owner, wish->hash, false) == NULL)
        log_warn("core", "event=hash-not-served route=%s", log_name(&route->id, sizeof route->id));
}

static void seek(struct route *route, const struct wish *wish)
{
    /* 00 decision 13: who logs in opens none of hundreds of conversations. */
    enum dig_urgency urgency = wish->urgent && route->by_person          ? DIG_PERSON
                               : conversation_waits(route->conversation) ? DIG_WAITING
                                                                         : DIG_PRESENCE;
    route->by_person = false;
    if (hash_seek(&route->owner, wish->hash, urgency) == NULL)
        log_warn("core", "event=hash-not-sought route=%s", log_name(&route->id, sizeof route->id));
}

static void grant(struct route *route, struct wishes *wishes)
{
    for (size_t i = 0; i < wishes->count && route->chat != NULL; i++) {
        const struct wish *wish = &wishes->wish[i];
        struct owned_hash *entry;
        if (wish->kind == CHAT_SERVE)
            serve(route, wish);
        else if (wish->kind == CHAT_WANT)
            seek(route, wish);
        else if (wish->kind == CHAT_CLOSE_TUNNEL)
            tunnel_close(&route->owner, wish->tunnel);
        else if ((entry = hash_of(&route->owner, wish->hash, role_of(wish->kind))) != NULL)
            hash_forget(entry);
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
    tunnel_confirm(&route->owner, output->tunnel);
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

static void chat_output(struct route *route, struct wishes *wishes, const struct chat_output *output)
{
    struct conversation *conversation = route->conversation;
    switch (output->kind) {
    case CHAT_SEND:
        tunnel_send(&route->owner, output->tunnel, output->payload);
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

static void take(struct hash_owner *owner)
{
    struct route *route = route_of(owner);
    queue_say_again(route);
    route_take_outputs(route);
    if (route->parted)
        route_parted(route);
    else if (route->chat != NULL)
        owner_set_timer(owner, chat_deadline(route->chat));
}

/* --- what comes for the chat of a route */

static struct route *talking(const struct owned_hash *entry)
{
    struct route *route = route_of(entry->owner);
    return route->chat != NULL && !route->ended ? route : NULL;
}

static void up(struct owned_hash *entry, uint64_t tunnel)
{
    const struct route *route = talking(entry);
    if (route != NULL)
        chat_tunnel_up(route->chat, tunnel, entry->key.hash, entry->key.role == ROUTER_INITIATOR,
                       now_ms(gateway_of(route)), wall_s());
}

static void down(struct owned_hash *entry, uint64_t tunnel, const char *reason)
{
    const struct route *route = talking(entry);
    if (route != NULL)
        chat_tunnel_down(route->chat, tunnel, reason, now_ms(gateway_of(route)), wall_s());
}

static void receive(struct owned_hash *entry, uint64_t tunnel, struct bytes payload)
{
    const struct route *route = talking(entry);
    if (route != NULL)
        chat_receive(route->chat, tunnel, payload, now_ms(gateway_of(route)), wall_s());
}

static void dug(struct owned_hash *entry, uint32_t reached)
{
    const struct route *route = talking(entry);
    if (route != NULL)
        chat_dug(route->chat, reached, now_ms(gateway_of(route)));
}

static void tick(struct hash_owner *owner)
{
    const struct route *route = route_of(owner);
    chat_tick(route->chat, now_ms(gateway_of(route)), wall_s());
}

const struct owner_acts route_acts = {
    .hashes_max = 16, /* three days, both ways, and the invite's: 7 */
    .up = up,
    .down = down,
    .receive = receive,
    .dug = dug,
    .tick = tick,
    .take = take,
};

/* --- the turn */

void route_mark_dirty(struct route *route)
{
    owner_mark_dirty(&route->owner);
}

void conversations_drain(struct gateway *gateway)
{
    if (gateway->draining || gateway->router == NULL)
        return;
    gateway->draining = true;
    network_take(gateway);
    owners_take(gateway);
    gateway->draining = false;
    owners_rearm(gateway);
    network_rearm(gateway);
}

void conversations_turn(struct gateway *gateway)
{
    if (gateway->dirty_owners != NULL)
        conversations_drain(gateway);
    struct conversation *conversation;
    while ((conversation = gateway->recounted) != NULL) {
        gateway->recounted = conversation->next_recounted;
        conversation->recounted = false;
        conversation->pins--;
        conversation_changed(conversation);
    }
}
