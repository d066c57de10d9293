/* SPDX-License-Identifier: ISC */
/* Announcements of a chat: who says them when, how many are answered (SEALED.md §5). */
#include "distant/chat_internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "wire/sealed.h"

enum {
    ANNOUNCE_FIRST_MS = 3000,
    ANNOUNCE_MOST_MS = 24000,
    ASK_FIRST_MS = 1000,
    ASKS = 4,
    ANSWER_MS = 1000, /* a repeated announcement is answered this often */
    TUNNEL_BURST = 4,
    TUNNEL_MS = 600000,
    ROUTE_BURST = 16,
    ROUTE_MS = 1000,
    MET_LIMIT = 256,
    MET_FIRST = 4,
};

bool sealed_possible(const struct chat *chat)
{
    static const uint8_t unknown[SEALED_CONTEXT_SIZE];
    if (chat->root == ROOT_STORED)
        return chat->end != END_OVER;
    return chat->options.sealing != CHAT_SEALING_NEVER && chat->end != END_OVER &&
           CRYPTO_memcmp(chat->options.context, unknown, sizeof unknown) != 0;
}

bool sealed_talks(const struct chat_tunnel *tunnel)
{
    return tunnel->seal.current.there;
}

bool sealed_holds(const struct chat *chat)
{
    const struct chat_tunnel *tunnel;
    if (chat->protection == CHAT_SEALED)
        return false;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (tunnel->met_at != 0)
            return true;
    }
    return false;
}

static enum sealed_side side_of(const struct chat_tunnel *tunnel)
{
    return tunnel->opener ? SEALED_OPENER : SEALED_ANSWERER;
}

static bool announce_key(const struct chat *chat, const struct chat_tunnel *tunnel,
                         uint8_t key[CLASSIC_KEY_SIZE])
{
    if (tunnel->mode == SEALED_ROOTED)
        return sealed_announce_key(key, chat->options.root, tunnel->hash);
    if (chat->options.settled)
        return false;
    memcpy(key, chat->options.key, CLASSIC_KEY_SIZE);
    return true;
}

static bool send_announcement(struct chat *chat, struct chat_tunnel *tunnel)
{
    char text[SEALED_ANNOUNCEMENT_TEXT + 1];
    uint8_t salt[CLASSIC_SALT_SIZE], key[CLASSIC_KEY_SIZE];
    struct buffer item = buffer_make(SEALED_ANNOUNCEMENT_PACKET);
    struct buffer packet = buffer_make(SEALED_ANNOUNCEMENT_PACKET);
    sealed_announcement_text(text, tunnel->seal.own.announcement);
    chat->tools.random->fill(chat->tools.random->state, salt, sizeof salt);
    bool sent = announce_key(chat, tunnel, key) &&
                chat_status_write(&item, CHAT_ANNOUNCE, bytes_of(text, SEALED_ANNOUNCEMENT_TEXT)) &&
                classic_seal(chat->tools.classic, &packet, key, salt, buffer_view(&item)) &&
                chat_put(chat, &(struct chat_output){
                                   .kind = CHAT_SEND, .tunnel = tunnel->id, .payload = buffer_view(&packet)});
    OPENSSL_cleanse(key, sizeof key);
    buffer_free(&item);
    buffer_free(&packet);
    return sent;
}

/* The next repetition: each after twice the time, up to the longest. */
static uint64_t later(uint64_t now, uint64_t first, unsigned times, uint64_t most)
{
    uint64_t pause = times < 16 ? first << times : most;
    return now + (pause < most ? pause : most);
}

static void announce(struct chat *chat, struct chat_tunnel *tunnel)
{
    if (!tunnel->seal.announcing && !sealed_tunnel_announce(&tunnel->seal, chat->tools.random))
        return;
    send_announcement(chat, tunnel);
    tunnel->announce_at = later(chat->now, ANNOUNCE_FIRST_MS, tunnel->announced++, ANNOUNCE_MOST_MS);
    if (!chat_is_silent(chat))
        tunnel->announce_at = UINT64_MAX; /* once: a peer of 2013 gets no more than that */
}

void sealed_begin(struct chat *chat, struct chat_tunnel *tunnel)
{
    if (!tunnel->opener || !sealed_possible(chat) || sealed_talks(tunnel) ||
        (tunnel->announced > 0 && !chat_is_silent(chat)))
        return;
    announce(chat, tunnel);
}

/* A rate: `at` runs ahead of the time with each that is allowed. */
static bool allowed(uint64_t at, uint64_t now, uint64_t interval, uint64_t burst)
{
    return at <= now + (burst - 1) * interval;
}

static void count(uint64_t *at, uint64_t now, uint64_t interval)
{
    *at = (*at > now ? *at : now) + interval;
}

static bool may_begin(struct chat *chat, struct chat_tunnel *tunnel)
{
    if (!allowed(tunnel->handshakes, chat->now, TUNNEL_MS, TUNNEL_BURST) ||
        !allowed(chat->handshakes, chat->now, ROUTE_MS, ROUTE_BURST))
        return false;
    count(&tunnel->handshakes, chat->now, TUNNEL_MS);
    count(&chat->handshakes, chat->now, ROUTE_MS);
    return true;
}

/* False when it came through another tunnel before, or there is no memory to know that later. */
static bool meet_first(struct chat *chat, const struct chat_tunnel *tunnel,
                       const uint8_t peer[SEALED_ANNOUNCEMENT_SIZE])
{
    uint64_t print;
    memcpy(&print, peer + 1, sizeof print);
    for (size_t i = 0; i < chat->met_count; i++) {
        if (chat->met[i].print == print)
            return chat->met[i].tunnel == tunnel->id;
    }
    if (chat->met_count == chat->met_room && chat->met_room < MET_LIMIT) {
        size_t room = chat->met_room == 0 ? MET_FIRST : 2 * chat->met_room;
        struct met_announcement *met = realloc(chat->met, room * sizeof *met);
        if (met == NULL)
            return false;
        chat->met = met;
        chat->met_room = room;
    }
    if (chat->met_count < chat->met_room)
        chat->met_next = chat->met_count++;
    else
        chat->met_next = (chat->met_next + 1) % MET_LIMIT;
    chat->met[chat->met_next] = (struct met_announcement){print, tunnel->id};
    return true;
}

static struct sealed_handshake handshake_of(const struct chat *chat, const struct chat_tunnel *tunnel)
{
    bool guest = chat->options.role == CHAT_GUEST;
    struct sealed_handshake handshake = {
        .mode = tunnel->mode,
        .opener = guest == tunnel->opener ? SEALED_GUEST : SEALED_INVITER,
        .side = side_of(tunnel),
        .secret = tunnel->mode == SEALED_OFFER ? bytes_of(chat->options.key, CLASSIC_KEY_SIZE)
                                               : bytes_of(chat->options.root, SEALED_ROOT_SIZE),
    };
    memcpy(handshake.hash, tunnel->hash, sizeof handshake.hash);
    if (tunnel->mode == SEALED_OFFER)
        memcpy(handshake.context, chat->options.context, sizeof handshake.context);
    memcpy(handshake.guest, guest ? chat->options.own : chat->options.peer, sizeof handshake.guest);
    memcpy(handshake.inviter, guest ? chat->options.peer : chat->options.own, sizeof handshake.inviter);
    return handshake;
}

static void ask(struct chat *chat, struct chat_tunnel *tunnel)
{
    sealed_ask(chat, tunnel);
    tunnel->ask_at =
        tunnel->asked < ASKS ? chat->now + ((uint64_t)ASK_FIRST_MS << tunnel->asked) : UINT64_MAX;
    tunnel->asked++;
}

static bool begin(struct chat *chat, struct chat_tunnel *tunnel, const uint8_t peer[SEALED_ANNOUNCEMENT_SIZE])
{
    struct sealed_handshake handshake = handshake_of(chat, tunnel);
    if ((tunnel->opener || meet_first(chat, tunnel, peer)) && may_begin(chat, tunnel) &&
        sealed_tunnel_meet(&tunnel->seal, &handshake, peer, chat->tools.random, chat->now)) {
        tunnel->met_at = chat->now;
        if (tunnel->opener)
            return true;
        tunnel->asked = 0;
        tunnel->answered_at = chat->now;
        send_announcement(chat, tunnel);
        ask(chat, tunnel);
        return true;
    }
    return false;
}

static void answer_again(struct chat *chat, struct chat_tunnel *tunnel)
{
    if (chat->now - tunnel->answered_at < ANSWER_MS)
        return;
    tunnel->answered_at = chat->now;
    send_announcement(chat, tunnel);
    sealed_ask(chat, tunnel);
}

void sealed_take_announcement(struct chat *chat, struct chat_tunnel *tunnel, struct bytes text)
{
    uint8_t peer[SEALED_ANNOUNCEMENT_SIZE];
    enum sealed_meeting meeting = SEALED_MEETING_REFUSED;
    if (sealed_possible(chat) && sealed_announcement_parse(peer, text))
        meeting = sealed_tunnel_judge(&tunnel->seal, side_of(tunnel), peer);
    /* The keys of an offer that is over cannot be made. */
    if (tunnel->mode == SEALED_OFFER && chat->options.settled)
        meeting = SEALED_MEETING_REFUSED;
    if (meeting == SEALED_MEETING_REPEATED)
        answer_again(chat, tunnel);
    else if (meeting == SEALED_MEETING_REFUSED ||
             (meeting == SEALED_MEETING_BEGUN && !begin(chat, tunnel, peer)))
        chat_refuse(chat, tunnel, CHAT_REFUSED_HANDSHAKE);
    if (chat->state == CHAT_NO_TUNNEL || chat->state == CHAT_CONNECTING || chat->state == CHAT_CAN_TALK)
        chat_tell(chat, chat->reason);
}

static enum chat_refusal examine(struct chat *chat, struct chat_tunnel *tunnel, struct bytes payload,
                                 struct buffer *text)
{
    struct reader reader = reader_of(payload);
    uint64_t salt = read_u64(&reader);
    uint8_t key[CLASSIC_KEY_SIZE];
    struct chat_item item;
    struct buffer plain = buffer_make(SEALED_ANNOUNCEMENT_PACKET);
    enum chat_refusal why = CHAT_REFUSALS;
    if (salts_seen(&chat->salts, salt))
        why = CHAT_REFUSED_REPLAYED;
    else if (!announce_key(chat, tunnel, key) || !classic_open(chat->tools.classic, &plain, key, payload))
        why = CHAT_REFUSED_KEY;
    else if (!chat_parse(&item, text, buffer_view(&plain)))
        why = CHAT_REFUSED_ITEM;
    else if (item.subtype != CHAT_STATUS || item.flags != CHAT_ANNOUNCE)
        why = CHAT_REFUSED_DOWN;
    else if (!salts_note(&chat->salts, salt))
        why = CHAT_REFUSED_MEMORY;
    OPENSSL_cleanse(key, sizeof key);
    buffer_free(&plain);
    return why;
}

void sealed_take_packet(struct chat *chat, struct chat_tunnel *tunnel, struct bytes payload)
{
    struct buffer text = buffer_make(SEALED_ANNOUNCEMENT_PACKET);
    enum chat_refusal why = examine(chat, tunnel, payload, &text);
    if (why == CHAT_REFUSALS)
        sealed_take_announcement(chat, tunnel, buffer_view(&text));
    else
        chat_refuse(chat, tunnel, why);
    buffer_free(&text);
}

/* Whether this side can still make keys for the tunnel. */
static bool renewable(const struct chat *chat, const struct chat_tunnel *tunnel)
{
    return tunnel->mode == SEALED_ROOTED || !chat->options.settled;
}

static bool keep_keys_fresh(struct chat *chat, struct chat_tunnel *tunnel)
{
    sealed_tunnel_age(&tunnel->seal, chat->now);
    if (sealed_tunnel_spent(&tunnel->seal, chat->now) ||
        (!renewable(chat, tunnel) && sealed_tunnel_renews(&tunnel->seal, chat->now))) {
        sealed_leave(chat, tunnel);
        return false;
    }
    if (tunnel->opener && !tunnel->seal.announcing && sealed_tunnel_renews(&tunnel->seal, chat->now)) {
        tunnel->announced = 0;
        announce(chat, tunnel);
    } else if (chat->now >= tunnel->announce_at) {
        if (tunnel->seal.announcing)
            announce(chat, tunnel);
        else
            tunnel->announce_at = UINT64_MAX;
    } else if (chat->now >= tunnel->ask_at) {
        if (tunnel->seal.next.there)
            ask(chat, tunnel);
        else
            tunnel->ask_at = UINT64_MAX;
    }
    return true;
}

void sealed_handshakes_tick(struct chat *chat)
{
    struct chat_tunnel *tunnel, *next;
    bool all = true;
    DL_FOREACH_SAFE(chat->tunnels, tunnel, next)
    {
        all &= keep_keys_fresh(chat, tunnel);
    }
    if (!all)
        chat_tell_loss(chat, "the tunnel's keys were used up");
}

uint64_t sealed_handshake_deadline(const struct chat_tunnel *tunnel)
{
    uint64_t deadline = tunnel->announce_at < tunnel->ask_at ? tunnel->announce_at : tunnel->ask_at;
    const struct sealed_tunnel *seal = &tunnel->seal;
    if (seal->previous.there && seal->previous_until < deadline)
        deadline = seal->previous_until;
    if (!seal->current.there)
        return deadline;
    uint64_t renew = seal->current.made_at + SEALED_RENEW_MS, spent = seal->current.made_at + SEALED_SPENT_MS;
    uint64_t keys = tunnel->opener && !seal->announcing ? renew : spent;
    return keys < deadline ? keys : deadline;
}
