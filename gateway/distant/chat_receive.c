/* SPDX-License-Identifier: ISC */
#include "distant/chat_internal.h"

#include <string.h>

#include "base/map.h"
#include "crypto/salt.h"
#include "wire/sealed.h"
#include "wire/utf8.h"

enum { DAY = 86400, BLOCK = 16, UTF8_UNIT = 4, HELD_MS = 30000 /* SEALED.md §4 */ };

const char *const chat_refusals[CHAT_REFUSALS] = {
    [CHAT_REFUSED_CLOSED] = "the chat is closed",
    [CHAT_REFUSED_TUNNEL] = "not a tunnel of this chat",
    [CHAT_REFUSED_SIZE] = "impossible packet size",
    [CHAT_REFUSED_REFLECTED] = "one of our own packets came back",
    [CHAT_REFUSED_REPLAYED] = "the packet was received before",
    [CHAT_REFUSED_KEY] = "does not decrypt",
    [CHAT_REFUSED_ITEM] = "not one well-formed chat item",
    [CHAT_REFUSED_EARLY] = "written before the route existed",
    [CHAT_REFUSED_RESTART] = "written before the gateway was started",
    [CHAT_REFUSED_FUTURE] = "written more than a day ahead",
    [CHAT_REFUSED_FLAGS] = "text not for a private chat",
    [CHAT_REFUSED_LONG] = "text too long",
    [CHAT_REFUSED_UNFINISHED] = "the rest of a text did not come",
    [CHAT_REFUSED_UNASKED] = "avatar that nobody asked for",
    [CHAT_REFUSED_IMAGE] = "avatar is neither PNG nor JPEG",
    [CHAT_REFUSED_STATE_TEXT] = "state string too long",
    [CHAT_REFUSED_SALTS] = "too many texts under one key",
    [CHAT_REFUSED_FRAME] = "sealed frame that does not open or came before",
    [CHAT_REFUSED_CONTENT] = "sealed frame with malformed contents",
    [CHAT_REFUSED_HANDSHAKE] = "announcement that is none, or one too many",
    [CHAT_REFUSED_DOWN] = "classic packet in a sealed conversation",
    [CHAT_REFUSED_MEMORY] = "out of memory",
};

/* One packet on its way in. */
struct incoming {
    struct chat_tunnel *tunnel;
    uint64_t salt;
    struct chat_item item;
    struct buffer text;
};

void chat_refuse(struct chat *chat, struct chat_tunnel *tunnel, enum chat_refusal why)
{
    chat_put(chat, &(struct chat_output){.kind = CHAT_REFUSED_PACKET,
                                         .tunnel = tunnel == NULL ? 0 : tunnel->id,
                                         .reason = chat_refusals[why]});
}

void chat_unfinished_clear(struct unfinished *unfinished)
{
    buffer_free(&unfinished->text);
    *unfinished = (struct unfinished){0};
}

void chat_drop_unfinished(struct chat *chat)
{
    struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (tunnel->unfinished.until == 0 || chat->now < tunnel->unfinished.until)
            continue;
        if (!tunnel->unfinished.refused)
            chat_refuse(chat, tunnel, CHAT_REFUSED_UNFINISHED);
        chat_unfinished_clear(&tunnel->unfinished);
    }
}

static size_t unfinished_code_points(const struct chat *chat)
{
    size_t sum = 0;
    struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        sum += tunnel->unfinished.code_points;
    }
    return sum;
}

/* The padding of a text of ours (chat.h). */
static struct bytes without_padding(struct bytes text, size_t code_points)
{
    if (code_points % CHAT_PAD != 0)
        return text;
    for (size_t i = 1; i < CHAT_PAD && text.size > 0 && text.data[text.size - 1] == ' '; i++)
        text.size--;
    return text;
}

/* As the original accepts them after reassembly (protocol 03 §4.1). */
static bool addressed_here(uint32_t flags)
{
    uint32_t to = flags & (CHAT_PRIVATE | CHAT_PUBLIC | CHAT_LOBBY);
    return to == 0 || to == CHAT_PRIVATE || to == CHAT_PUBLIC;
}

/* Appends a part. CHAT_REFUSALS: it was taken. */
static enum chat_refusal append_part(struct chat *chat, const struct incoming *in)
{
    struct unfinished *whole = &in->tunnel->unfinished;
    struct bytes part = buffer_view(&in->text);
    size_t code_points = utf8_length(part);
    if (!addressed_here(whole->flags | in->item.flags))
        return CHAT_REFUSED_FLAGS;
    if (whole->salt_count == CHAT_PARTS_LIMIT ||
        code_points > CHAT_REASSEMBLY_LIMIT - unfinished_code_points(chat))
        return CHAT_REFUSED_LONG;
    whole->text.ceiling = (size_t)UTF8_UNIT * CHAT_REASSEMBLY_LIMIT;
    if (!buffer_append_bytes(&whole->text, part))
        return CHAT_REFUSED_MEMORY;
    whole->code_points += code_points;
    whole->flags |= in->item.flags;
    whole->salts[whole->salt_count++] = in->salt;
    return CHAT_REFUSALS;
}

static void put_line(struct chat *chat, const struct incoming *in)
{
    const struct unfinished *whole = &in->tunnel->unfinished;
    struct bytes text = without_padding(buffer_view(&whole->text), whole->code_points);
    if (text.size == 0)
        return;
    if (!chat_put(chat, &(struct chat_output){.kind = CHAT_LINE,
                                              .tunnel = in->tunnel->id,
                                              .text = text,
                                              .time = (int64_t)in->item.time * 1000,
                                              .salts = whole->salts,
                                              .salt_count = whole->salt_count}))
        chat_refuse(chat, in->tunnel, CHAT_REFUSED_MEMORY);
}

static void take_text(struct chat *chat, const struct incoming *in)
{
    struct unfinished *whole = &in->tunnel->unfinished;
    bool last = (in->item.flags & CHAT_PARTIAL) == 0;
    if (!whole->refused) {
        enum chat_refusal why = append_part(chat, in);
        if (why != CHAT_REFUSALS) {
            chat_refuse(chat, in->tunnel, why);
            chat_unfinished_clear(whole);
            whole->refused = true;
        } else if (last) {
            put_line(chat, in);
            chat->owes_avatar_request |= (whole->flags & CHAT_AVATAR_AVAILABLE) != 0;
        }
    }
    if (last)
        chat_unfinished_clear(whole);
    else
        whole->until = chat->now + CHAT_REASSEMBLY_MS;
}

bool chat_image_is_known(struct bytes image)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff};
    return (image.size > sizeof png && memcmp(image.data, png, sizeof png) == 0) ||
           (image.size > sizeof jpeg && memcmp(image.data, jpeg, sizeof jpeg) == 0);
}

static void take_avatar(struct chat *chat, const struct incoming *in)
{
    if (!chat->avatar_awaited) {
        chat_refuse(chat, in->tunnel, CHAT_REFUSED_UNASKED);
    } else if (!chat_image_is_known(in->item.avatar)) {
        chat_refuse(chat, in->tunnel, CHAT_REFUSED_IMAGE);
    } else {
        chat->avatar_awaited = false;
        chat_put(chat, &(struct chat_output){
                           .kind = CHAT_PEER_AVATAR, .tunnel = in->tunnel->id, .text = in->item.avatar});
    }
}

/* The first match wins (protocol 03 §4.2). */
enum meaning {
    ASKS_STATE_TEXT,
    IS_STATE_TEXT,
    HAS_STATE_TEXT,
    IS_CLOSING,
    IS_TYPING,
    IS_KEEP_ALIVE,
    MEANS_NOTHING
};

static enum meaning status_meaning(const struct incoming *in)
{
    uint32_t flags = in->item.flags;
    if (flags & CHAT_REQUESTS_STATE_STRING)
        return ASKS_STATE_TEXT;
    if (flags & CHAT_STATE_STRING)
        return IS_STATE_TEXT;
    if (flags & CHAT_STATE_STRING_AVAILABLE)
        return HAS_STATE_TEXT;
    /* The original sends none (protocol 03 §7). */
    if (flags == CHAT_ACKNOWLEDGE && buffer_size(&in->text) == 0)
        return IS_KEEP_ALIVE;
    if ((flags & CHAT_PRIVATE) == 0)
        return MEANS_NOTHING;
    if (flags & CHAT_CLOSING)
        return IS_CLOSING;
    if (bytes_equal(buffer_view(&in->text), bytes_of_string("is typing...")))
        return IS_TYPING;
    return MEANS_NOTHING;
}

/* The peer left. An inviter stays reachable; a guest stops looking. A tunnel that stays open is used again
 * when the next valid packet comes through it. */
static void take_closing(struct chat *chat, const struct incoming *in)
{
    struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        tunnel->heard = 0;
        tunnel->owes_acknowledgement = tunnel->owes_keep_alive = false;
        tunnel->keep_alive_at = UINT64_MAX;
    }
    chat->state = CHAT_CLOSED_BY_PEER;
    chat->reason = "the other side has closed the chat";
    chat_put(chat, &(struct chat_output){.kind = CHAT_STATE_CHANGED,
                                         .tunnel = in->tunnel->id,
                                         .state = chat->state,
                                         .reason = chat->reason,
                                         .salts = &in->salt,
                                         .salt_count = 1});
    if (chat->options.role == CHAT_GUEST) {
        chat->wanted = chat->looking = false;
        chat_drop_tunnels(chat);
        chat_stop(chat);
    }
}

static void take_status(struct chat *chat, const struct incoming *in)
{
    struct chat_output out = {.tunnel = in->tunnel->id};
    switch (status_meaning(in)) {
    case ASKS_STATE_TEXT:
        chat->owes_state_text = true;
        break;
    case HAS_STATE_TEXT:
        chat->owes_state_request = true;
        break;
    case IS_STATE_TEXT:
        if (buffer_size(&in->text) > CHAT_STATE_TEXT_LIMIT) {
            chat_refuse(chat, in->tunnel, CHAT_REFUSED_STATE_TEXT);
            break;
        }
        out.kind = CHAT_STATE_TEXT;
        out.text = buffer_view(&in->text);
        chat_put(chat, &out);
        break;
    case IS_TYPING:
        out.kind = CHAT_TYPING;
        chat_put(chat, &out);
        break;
    case IS_KEEP_ALIVE:
        chat->peer_keeps_alive = true;
        break;
    case IS_CLOSING:
    case MEANS_NOTHING:
        break;
    }
}

/* A packet that the program of 2013 or a gateway sends on the classic wire: one that a relay garbled, having
 * no tag, does not become one of these (SEALED.md §4). */
static bool decides(const struct incoming *in)
{
    static const struct {
        uint32_t flags;
        const char *text;
    } known[] = {
        {CHAT_ACKNOWLEDGE | CHAT_PRIVATE, "Tunnel is working. You can talk!"},
        {CHAT_CLOSING | CHAT_PRIVATE, ""},
        {CHAT_PRIVATE, "is typing..."},
        {CHAT_REQUESTS_STATE_STRING | CHAT_PRIVATE, ""},
        {CHAT_ACKNOWLEDGE, ""},
    };
    if (in->item.subtype != CHAT_STATUS || in->item.flags == CHAT_STATE_STRING)
        return true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (in->item.flags == known[i].flags &&
            bytes_equal(buffer_view(&in->text), bytes_of_string(known[i].text)))
            return true;
    }
    return false;
}

void chat_put_confirmed(struct chat *chat, struct chat_tunnel *tunnel)
{
    if (tunnel->told)
        return;
    /* The use of an invite counts when what was agreed on is stored. */
    bool first = !chat->options.ever_confirmed && (!sealed_talks(tunnel) || chat->root == ROOT_STORED);
    tunnel->told = true;
    chat->options.ever_confirmed |= first;
    chat_put(chat, &(struct chat_output){.kind = CHAT_CONFIRMED, .tunnel = tunnel->id, .first = first});
}

/* The packet is authentic as far as classic can tell: its tunnel reaches the holder of the key. */
static void confirm(struct chat *chat, struct chat_tunnel *tunnel)
{
    tunnel->heard = ++chat->rank;
    tunnel->heard_at = chat->now;
    if (tunnel->keep_alive_at == UINT64_MAX && !tunnel->owes_keep_alive)
        chat_arm_keep_alive(chat, tunnel);
    chat_settle(chat, tunnel->id, false);
    if (tunnel->told)
        return;
    chat_put_confirmed(chat, tunnel);
    /* Our acknowledgement went right behind the tunnel-ok, and a stock relay's weighted queues let it
     * overtake that one now and then: then it was lost, and the guest would wait for the next keep-alive. */
    tunnel->owes_keep_alive |= chat->options.role == CHAT_INVITER;
}

static bool is_request(const struct incoming *in)
{
    return in->item.subtype == CHAT_TEXT && (in->item.flags & CHAT_REQUESTS_AVATAR) != 0;
}

static void dispatch(struct chat *chat, const struct incoming *in)
{
    if (in->tunnel->met_at != 0 && chat->now - in->tunnel->met_at > HELD_MS && decides(in))
        in->tunnel->met_at = 0;
    confirm(chat, in->tunnel);
    if (in->item.subtype == CHAT_STATUS && status_meaning(in) == IS_CLOSING) {
        take_closing(chat, in);
        return;
    }
    chat->looking = false;
    chat_set_protection(chat, CHAT_CLASSIC);
    if (chat->state == CHAT_CLOSED_BY_PEER)
        chat->state = CHAT_CONNECTING;
    chat_tell(chat, chat->reason);
    if (in->item.subtype == CHAT_STATUS)
        take_status(chat, in);
    else if (in->item.subtype == CHAT_AVATAR)
        take_avatar(chat, in);
    else if (is_request(in) && addressed_here(in->item.flags)) /* the original shows nothing of it either */
        chat->owes_avatar = true;
    else
        take_text(chat, in);
}

/* Only texts tell a time. CHAT_REFUSALS: plausible. */
static enum chat_refusal judge_time(const struct chat *chat, const struct incoming *in)
{
    if (in->item.subtype != CHAT_TEXT)
        return CHAT_REFUSALS;
    int64_t time = in->item.time;
    if (time < chat->options.route_created - DAY)
        return CHAT_REFUSED_EARLY;
    if (time > chat->wall + DAY)
        return CHAT_REFUSED_FUTURE;
    if (is_request(in) && time < chat->options.not_before)
        return CHAT_REFUSED_RESTART;
    return CHAT_REFUSALS;
}

static enum chat_refusal remember(struct chat *chat, const struct incoming *in)
{
    bool lasting = in->item.subtype == CHAT_TEXT && !is_request(in);
    if (lasting && salts_kept(&chat->salts) >= CHAT_SALTS_LIMIT)
        return CHAT_REFUSED_SALTS;
    bool kept = lasting ? salts_keep(&chat->salts, in->salt) : salts_note(&chat->salts, in->salt);
    return kept ? CHAT_REFUSALS : CHAT_REFUSED_MEMORY;
}

/* Everything that can be wrong with a packet before it is believed. CHAT_REFUSALS: nothing. */
static enum chat_refusal examine(struct chat *chat, struct incoming *in, struct bytes payload)
{
    if (payload.size < CLASSIC_SALT_SIZE + BLOCK || (payload.size - CLASSIC_SALT_SIZE) % BLOCK != 0 ||
        payload.size > CLASSIC_SALT_SIZE + ITEM_SIZE_MAX + BLOCK)
        return CHAT_REFUSED_SIZE;
    struct reader reader = reader_of(payload);
    in->salt = read_u64(&reader);
    if (salt_to_counter(chat->options.salt_key, in->salt) < chat->salt_reserved)
        return CHAT_REFUSED_REFLECTED;
    if (salts_seen(&chat->salts, in->salt))
        return CHAT_REFUSED_REPLAYED;
    return CHAT_REFUSALS;
}

static bool announces(const struct incoming *in)
{
    return in->item.subtype == CHAT_STATUS && (in->item.flags & CHAT_ANNOUNCE) != 0;
}

static void accept(struct chat *chat, struct incoming *in, struct bytes item)
{
    enum chat_refusal why = CHAT_REFUSED_ITEM;
    if (chat_parse(&in->item, &in->text, item))
        why = judge_time(chat, in);
    if (why == CHAT_REFUSALS && !announces(in) && chat->protection == CHAT_UNPROTECTED && !decides(in))
        why = CHAT_REFUSED_ITEM;
    if (why == CHAT_REFUSALS)
        why = remember(chat, in);
    if (why != CHAT_REFUSALS)
        chat_refuse(chat, in->tunnel, why);
    else if (!announces(in))
        dispatch(chat, in);
    else if (in->item.flags == CHAT_ANNOUNCE && sealed_possible(chat))
        sealed_take_announcement(chat, in->tunnel, buffer_view(&in->text));
}

static void receive_classic(struct chat *chat, struct chat_tunnel *tunnel, struct bytes payload)
{
    struct incoming in = {.tunnel = tunnel};
    enum chat_refusal why = examine(chat, &in, payload);
    if (why != CHAT_REFUSALS) {
        chat_refuse(chat, tunnel, why);
        return;
    }
    struct buffer plain = buffer_make(ITEM_SIZE_MAX);
    plain.secret = true;
    in.text = buffer_make(ITEM_SIZE_MAX);
    if (classic_open(chat->tools.classic, &plain, chat->options.key, payload))
        accept(chat, &in, buffer_view(&plain));
    else
        chat_refuse(chat, tunnel, CHAT_REFUSED_KEY);
    buffer_free(&plain);
    buffer_free(&in.text);
}

static bool is_frame_size(size_t size)
{
    size_t least = SEALED_HEADER_SIZE + SEALED_OVERHEAD;
    return size >= least && size <= SEALED_PLAIN_MAX + SEALED_OVERHEAD && (size - least) % SEALED_STEP == 0;
}

static void receive_silent(struct chat *chat, struct chat_tunnel *tunnel, struct bytes payload)
{
    if (payload.size == SEALED_ANNOUNCEMENT_PACKET)
        sealed_take_packet(chat, tunnel, payload);
    else if (is_frame_size(payload.size))
        chat_refuse(chat, tunnel, CHAT_REFUSED_FRAME);
    else
        chat_refuse(chat, tunnel,
                    payload.size % BLOCK == CLASSIC_SALT_SIZE ? CHAT_REFUSED_DOWN : CHAT_REFUSED_SIZE);
}

void chat_receive(struct chat *chat, uint64_t id, struct bytes payload, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    chat_drop_unfinished(chat);
    struct chat_tunnel *tunnel = chat_find_tunnel(chat, id);
    if (chat_is_deaf(chat)) {
        chat_refuse(chat, tunnel, CHAT_REFUSED_CLOSED);
        return;
    }
    if (tunnel == NULL) {
        chat_refuse(chat, NULL, CHAT_REFUSED_TUNNEL);
        return;
    }
    bool keys = tunnel->seal.current.there || tunnel->seal.next.there;
    if (!keys || !is_frame_size(payload.size) || !sealed_take_frame(chat, tunnel, payload)) {
        if (chat_is_silent(chat))
            receive_silent(chat, tunnel, payload);
        else
            receive_classic(chat, tunnel, payload);
    }
    chat_flush(chat);
}
