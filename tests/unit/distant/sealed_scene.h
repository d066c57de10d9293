/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_DISTANT_SEALED_SCENE_H
#define RETROGATE_TESTS_DISTANT_SEALED_SCENE_H

#include "chat_test.h"
#include "wire/sealed.h"

/* A guest and an inviter joined by a road in memory: a tunnel is there when one seeks what the other serves,
 * and carries packets until it is cut. What they put out is kept, so that tests can look and tamper. */

enum { GUEST, INVITER, ROAD_TUNNELS = 24, ROAD_HASHES = 32, FIRST_TUNNEL = 501, LINE_WINDOW = 4096 };

struct road_tunnel {
    uint64_t id; /* 0: free */
    uint8_t hash[20];
    size_t opener;
    bool known[2]; /* the side was told, and has not given it up */
};

struct known_hash {
    uint8_t hash[20];
    bool used, sought;
};

struct delivered_packet {
    size_t to;
    uint64_t tunnel;
    struct buffer bytes;
};

struct road {
    struct end ends[2];
    struct known_hash hashes[2][ROAD_HASHES];
    struct road_tunnel tunnels[ROAD_TUNNELS];
    uint64_t last_tunnel;
    struct delivered_packet *packets; /* under way */
    size_t packet_count;
    bool holds_lines, holds_root, holds_closing; /* commits are not answered */
    bool no_tunnels;                             /* no tunnel is made */
    bool drops;                                  /* packets vanish */
    bool forgets;                                /* what is sent is not kept to be looked at */
    bool (*loses)(size_t to, struct bytes payload);
    uint64_t stored[2]; /* highest number of a received line */
    struct buffer shown[2];
    size_t delivered[2], sent[2], frames[2];
    bool settled[2];
};

static struct road road;

static inline struct chat *chat_of(size_t side)
{
    return road.ends[side].chat;
}

static inline int64_t wall_of(size_t side)
{
    return end_wall(&road.ends[side]);
}

static inline void road_hash(size_t side, const struct chat_output *out)
{
    bool sought = out->kind == CHAT_WANT || out->kind == CHAT_STOP;
    bool adds = out->kind == CHAT_WANT || out->kind == CHAT_SERVE;
    struct known_hash *free_one = NULL;
    for (size_t i = 0; i < ROAD_HASHES; i++) {
        struct known_hash *entry = &road.hashes[side][i];
        if (!entry->used)
            free_one = entry;
        else if (entry->sought == sought && memcmp(entry->hash, out->hash, 20) == 0) {
            entry->used = adds;
            return;
        }
    }
    if (!adds)
        return;
    assert_non_null(free_one);
    *free_one = (struct known_hash){.used = true, .sought = sought};
    memcpy(free_one->hash, out->hash, 20);
}

static inline struct road_tunnel *road_tunnel(uint64_t id)
{
    for (size_t i = 0; i < ROAD_TUNNELS; i++) {
        if (road.tunnels[i].id == id)
            return &road.tunnels[i];
    }
    return NULL;
}

static inline void road_send(size_t from, uint64_t id, struct bytes payload)
{
    struct road_tunnel *tunnel = road_tunnel(id);
    road.sent[from]++;
    if (tunnel == NULL || !tunnel->known[1 - from] || road.drops ||
        (road.loses != NULL && road.loses(1 - from, payload)))
        return;
    road.packets = realloc(road.packets, (road.packet_count + 1) * sizeof *road.packets);
    assert_non_null(road.packets);
    struct delivered_packet *packet = &road.packets[road.packet_count++];
    *packet = (struct delivered_packet){1 - from, id, buffer_make(1 << 18)};
    assert_true(buffer_append_bytes(&packet->bytes, payload));
}

static inline void road_output(size_t side, const struct chat_output *out)
{
    struct end *one = &road.ends[side];
    struct road_tunnel *tunnel;
    switch (out->kind) {
    case CHAT_SEND:
        road_send(side, out->tunnel, out->payload);
        break;
    case CHAT_SERVE:
    case CHAT_UNSERVE:
    case CHAT_WANT:
    case CHAT_STOP:
        road_hash(side, out);
        break;
    case CHAT_CLOSE_TUNNEL:
        tunnel = road_tunnel(out->tunnel);
        if (tunnel != NULL)
            tunnel->known[side] = false;
        break;
    default:
        break;
    }
    if (!road.forgets || out->kind != CHAT_SEND)
        keep(one, out);
}

static inline void road_commits(size_t side, size_t from)
{
    struct end *one = &road.ends[side];
    for (size_t i = from; i < one->count; i++) {
        struct chat_output out = one->seen[i].value;
        if (out.kind == CHAT_SALTS)
            chat_salts_stored(one->chat, out.salt_next, one->now, wall_of(side));
        if (out.kind == CHAT_ROOT && !road.holds_root) {
            struct bytes secret = buffer_view(&one->seen[i].secret);
            memcpy(one->options.root, secret.data, 32);
            if (secret.size == 64)
                memcpy(one->options.claim, secret.data + 32, 32);
            one->options.sealed = true;
            one->options.settled = out.settled;
            chat_root_stored(one->chat, one->now, wall_of(side));
        }
        if (out.kind == CHAT_STATE_CHANGED && out.state == CHAT_CLOSED_BY_PEER && !road.holds_closing)
            chat_closing_stored(one->chat, one->now, wall_of(side));
        if (out.kind == CHAT_SETTLED)
            one->options.settled = road.settled[side] = true;
        if (out.kind == CHAT_LINE && out.number != 0 && !road.holds_lines) {
            road.stored[side] = one->options.number_stored = out.number;
            buffer_append_bytes(&road.shown[side], buffer_view(&one->seen[i].text));
            buffer_u8(&road.shown[side], '\n');
            chat_line_stored(one->chat, out.number, one->now, wall_of(side));
        }
        if (out.kind == CHAT_LINE && out.number == 0) {
            buffer_append_bytes(&road.shown[side], buffer_view(&one->seen[i].text));
            buffer_u8(&road.shown[side], '\n');
        }
        if (out.kind == CHAT_DELIVERY && out.delivery == CHAT_DELIVERED)
            road.delivered[side]++;
    }
}

/* Takes all outputs of a side; true when there were any. */
static inline bool road_take(size_t side)
{
    struct chat_output out;
    size_t from = road.ends[side].count;
    while (road.ends[side].chat != NULL && chat_next(chat_of(side), &out))
        road_output(side, &out);
    road_commits(side, from);
    return road.ends[side].count > from;
}

static inline bool has_hash(size_t side, bool sought, const uint8_t hash[20])
{
    for (size_t i = 0; i < ROAD_HASHES; i++) {
        const struct known_hash *entry = &road.hashes[side][i];
        if (entry->used && entry->sought == sought && memcmp(entry->hash, hash, 20) == 0)
            return true;
    }
    return false;
}

static inline uint64_t road_join(size_t opener, const uint8_t hash[20])
{
    struct road_tunnel *tunnel = road_tunnel(0);
    assert_non_null(tunnel);
    *tunnel = (struct road_tunnel){.id = ++road.last_tunnel, .opener = opener, .known = {true, true}};
    memcpy(tunnel->hash, hash, 20);
    for (size_t i = 0; i < 2; i++) {
        size_t side = i == 0 ? opener : 1 - opener;
        chat_tunnel_up(chat_of(side), tunnel->id, hash, side == opener, road.ends[side].now, wall_of(side));
        road_take(side);
    }
    return tunnel->id;
}

static inline bool hash_has_tunnel(size_t opener, const uint8_t hash[20])
{
    for (size_t i = 0; i < ROAD_TUNNELS; i++) {
        const struct road_tunnel *tunnel = &road.tunnels[i];
        if (tunnel->id != 0 && tunnel->opener == opener && memcmp(tunnel->hash, hash, 20) == 0)
            return true;
    }
    return false;
}

/* The router ends tunnels of hashes that are given up, and those that one side gave up. */
static inline bool road_sweep(void)
{
    bool moved = false;
    for (size_t i = 0; i < ROAD_TUNNELS; i++) {
        struct road_tunnel *tunnel = &road.tunnels[i];
        if (tunnel->id == 0)
            continue;
        for (size_t side = 0; side < 2; side++) {
            if (!has_hash(side, side == tunnel->opener, tunnel->hash))
                tunnel->known[side] = false;
        }
        if (tunnel->known[0] && tunnel->known[1])
            continue;
        uint64_t id = tunnel->id;
        *tunnel = (struct road_tunnel){0};
        for (size_t side = 0; side < 2; side++) {
            chat_tunnel_down(chat_of(side), id, NULL, road.ends[side].now, wall_of(side));
            road_take(side);
        }
        moved = true;
    }
    return moved;
}

static inline bool road_meet(void)
{
    bool moved = false;
    for (size_t side = 0; side < 2 && !road.no_tunnels; side++) {
        for (size_t i = 0; i < ROAD_HASHES; i++) {
            const struct known_hash *entry = &road.hashes[side][i];
            if (!entry->used || !entry->sought || !has_hash(1 - side, false, entry->hash) ||
                hash_has_tunnel(side, entry->hash))
                continue;
            uint8_t hash[20];
            memcpy(hash, entry->hash, 20);
            road_join(side, hash);
            moved = true;
        }
    }
    return moved;
}

static inline bool road_deliver(void)
{
    if (road.packet_count == 0)
        return false;
    struct delivered_packet packet = road.packets[0];
    memmove(road.packets, road.packets + 1, --road.packet_count * sizeof *road.packets);
    struct road_tunnel *tunnel = road_tunnel(packet.tunnel);
    if (tunnel != NULL && tunnel->known[packet.to]) {
        road.frames[packet.to]++;
        chat_receive(chat_of(packet.to), packet.tunnel, buffer_view(&packet.bytes), road.ends[packet.to].now,
                     wall_of(packet.to));
        road_take(packet.to);
    }
    buffer_free(&packet.bytes);
    return true;
}

/* Until nothing moves any more at this time. */
static inline void road_settle(void)
{
    for (size_t steps = 0, moved = 1; moved; steps++) {
        assert_true(steps < 100000);
        moved = road_take(GUEST) | road_take(INVITER);
        moved |= road_deliver();
        if (moved)
            continue;
        moved = road_sweep() || road_meet();
        for (size_t side = 0; side < 2 && !moved; side++) {
            if (chat_deadline(chat_of(side)) > road.ends[side].now)
                continue;
            chat_tick(chat_of(side), road.ends[side].now, wall_of(side));
            road_take(side);
            moved = 1;
        }
    }
}

static inline void road_clear(void)
{
    end_clear(&road.ends[GUEST]);
    end_clear(&road.ends[INVITER]);
    road.sent[0] = road.sent[1] = 0;
}

/* Time passes, in steps of what is due. */
static inline void road_pass(uint64_t ms)
{
    uint64_t until = road.ends[GUEST].now + ms;
    road_settle();
    while (road.ends[GUEST].now < until) {
        uint64_t next = until;
        for (size_t side = 0; side < 2; side++) {
            uint64_t due = chat_deadline(chat_of(side));
            next = due < next ? due : next;
        }
        road.ends[GUEST].now = road.ends[INVITER].now = next;
        for (size_t side = 0; side < 2; side++) {
            chat_tick(chat_of(side), next, wall_of(side));
            road_take(side);
        }
        road_settle();
    }
}

static inline void road_cut(uint64_t id)
{
    struct road_tunnel *tunnel = road_tunnel(id);
    assert_non_null(tunnel);
    *tunnel = (struct road_tunnel){0};
    for (size_t side = 0; side < 2; side++) {
        chat_tunnel_down(chat_of(side), id, "a relay left", road.ends[side].now, wall_of(side));
        road_take(side);
    }
}

static inline void road_cut_all(void)
{
    for (size_t i = 0; i < ROAD_TUNNELS; i++) {
        if (road.tunnels[i].id != 0)
            road_cut(road.tunnels[i].id);
    }
}

static inline void road_open(size_t side)
{
    chat_open(chat_of(side), road.ends[side].now, wall_of(side));
    road_take(side);
}

/* A line as the core says it: numbered, committed, said. False when there is no room. */
static inline bool road_say(size_t side, uint64_t line, const char *text)
{
    struct end *one = &road.ends[side];
    uint64_t number = chat_number(one->chat, strlen(text));
    if (number == 0)
        return false;
    one->options.number_assigned = number;
    return chat_say(one->chat, line, number, str(text), one->now, wall_of(side), NULL);
}

/* The process ends and starts again with what was stored. */
static inline void road_restart(size_t side)
{
    struct end *one = &road.ends[side];
    for (size_t i = 0; i < ROAD_TUNNELS; i++) {
        if (road.tunnels[i].id != 0) {
            road.tunnels[i].known[side] = false;
        }
    }
    memset(road.hashes[side], 0, sizeof road.hashes[side]);
    chat_free(one->chat);
    one->options.salt_next = 1 << 20;
    one->options.not_before = wall_of(side) - 60;
    if (one->options.settled) {
        memset(one->options.key, 0, sizeof one->options.key);
        memset(one->options.hash, 0, sizeof one->options.hash);
        memset(one->options.context, 0, sizeof one->options.context);
    }
    one->chat = chat_new(&one->options, &(struct chat_tools){one->cipher, one->sealed, &one->random},
                         one->now, wall_of(side));
    assert_non_null(one->chat);
    road_take(side);
    road_sweep();
}

static inline void road_start_as(enum chat_sealing guest_sealing, enum chat_sealing inviter_sealing)
{
    road = (struct road){0};
    for (size_t side = 0; side < 2; side++) {
        struct end *one = &road.ends[side];
        end_open(one, side == GUEST ? CHAT_GUEST : CHAT_INVITER, 77 + side);
        chat_free(one->chat);
        one->sealed = sealed_cipher_new();
        assert_non_null(one->sealed);
        one->options.sealing = side == GUEST ? guest_sealing : inviter_sealing;
        memset(one->options.hash, 0x11, 20);
        memset(one->options.context, 0x22, 32);
        memset(one->options.own, side == GUEST ? 0x61 : 0x62, 20);
        memset(one->options.peer, side == GUEST ? 0x62 : 0x61, 20);
        road.shown[side] = buffer_make(1 << 24);
        one->chat = chat_new(&one->options, &(struct chat_tools){one->cipher, one->sealed, &one->random},
                             one->now, wall_of(side));
        assert_non_null(one->chat);
        road_take(side);
    }
    road_clear();
}

/* Both have agreed and can talk. */
static inline void road_agree(void)
{
    road_open(GUEST);
    road_pass(2000);
    assert_int_equal(chat_protection(chat_of(GUEST)), CHAT_SEALED);
    assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_SEALED);
    assert_int_equal(chat_state(chat_of(GUEST), NULL), CHAT_CAN_TALK);
    assert_int_equal(chat_state(chat_of(INVITER), NULL), CHAT_CAN_TALK);
    road_clear();
}

static inline int road_begin(void **state)
{
    (void)state;
    road_start_as(CHAT_SEALING_MUST, CHAT_SEALING_MAY);
    return 0;
}

static inline int road_end(void **state)
{
    (void)state;
    for (size_t side = 0; side < 2; side++) {
        sealed_cipher_free(road.ends[side].sealed);
        end_free(&road.ends[side]);
        buffer_free(&road.shown[side]);
    }
    for (size_t i = 0; i < road.packet_count; i++)
        buffer_free(&road.packets[i].bytes);
    free(road.packets);
    return 0;
}

static inline void assert_shown(size_t side, const char *text)
{
    assert_bytes_equal(buffer_view(&road.shown[side]), str(text));
}

static inline void assert_reason(size_t side, enum chat_state state, const char *part)
{
    const char *reason;
    assert_int_equal(chat_state(chat_of(side), &reason), state);
    if (strstr(reason, part) == NULL)
        fail_msg("reason is \"%s\"", reason);
}

#define ON_ROAD(name) cmocka_unit_test_setup_teardown(name, road_begin, road_end)

#endif
