/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_DISTANT_SEALED_RELAY_H
#define RETROGATE_TESTS_DISTANT_SEALED_RELAY_H

#include "sealed_gateway.h"

/* Two gateways and the relay between them. It opens tunnels when one asks for a hash that the other serves,
 * and when it likes: ones that lead to nobody, to itself, or that join what does not belong together. */

enum { TUNNELS = 24, FLIGHT = 2048, KEPT = 128, HASHES = 8, NOTICES = 256 };

enum scene {
    SCENE_SEALED,       /* the invite has the notation; the inviter is undecided at first */
    SCENE_ONLY,         /* sealed only */
    SCENE_MOVES_UP,     /* without the notation: classic, then sealed */
    SCENE_GUEST_2013,   /* a peer of 2013 with our inviter, who is undecided */
    SCENE_INVITER_2013, /* with our guest, who announces itself in vain */
    SCENES
};

struct tunnel_end {
    bool there, opener;
    uint8_t hash[20];
};

struct tunnel {
    uint64_t id; /* 0: free */
    bool false_one;
    struct tunnel_end ends[2];
};

struct packet {
    uint64_t tunnel;
    size_t to;
    bool fragile; /* a classic text: it has no tag, so nobody can tell when it is changed */
    struct buffer bytes;
};

struct hashes {
    size_t count;
    uint8_t hash[HASHES][20];
};

struct world {
    struct random_seeded seed, chat_seed;
    struct random_source random, chat_random;
    struct chat_tools tools;
    enum scene scene;
    bool faults;
    uint32_t kindness; /* 1: as hostile as can be */
    uint64_t now;
    int64_t wall;
    uint8_t key[16]; /* of the invite */
    struct gateway gateways[2];
    struct stored backup; /* of one of them */
    size_t backup_of;
    bool closed; /* by one of them */
    struct hashes served[2], wanted[2];
    struct tunnel tunnels[TUNNELS];
    uint64_t next_tunnel;
    struct packet flight[FLIGHT];
    size_t flying;
    struct packet kept[KEPT]; /* for the attacker, of all tunnels and runs */
    size_t kept_count;
    struct {
        size_t gateway;
        uint64_t tunnel;
    } notices[NOTICES]; /* that a tunnel has gone */
    size_t notice_count;
};

static inline uint32_t below(struct world *world, uint32_t bound)
{
    return random_below(&world->random, bound);
}

static inline struct buffer copy_of(struct bytes bytes)
{
    struct buffer copy = buffer_make(ROOM);
    assert_true(buffer_append_bytes(&copy, bytes));
    return copy;
}

/* --- hashes */

static inline bool hashes_have(const struct hashes *hashes, const uint8_t hash[20])
{
    for (size_t i = 0; i < hashes->count; i++) {
        if (memcmp(hashes->hash[i], hash, 20) == 0)
            return true;
    }
    return false;
}

static inline void hashes_add(struct hashes *hashes, const uint8_t hash[20])
{
    if (hashes_have(hashes, hash))
        return;
    assert_true(hashes->count < HASHES);
    memcpy(hashes->hash[hashes->count++], hash, 20);
}

static inline void hashes_remove(struct hashes *hashes, const uint8_t hash[20])
{
    for (size_t i = 0; i < hashes->count; i++) {
        if (memcmp(hashes->hash[i], hash, 20) == 0) {
            memmove(hashes->hash[i], hashes->hash[--hashes->count], 20);
            return;
        }
    }
}

/* --- tunnels */

static inline struct tunnel *tunnel_find(struct world *world, uint64_t id)
{
    for (size_t i = 0; i < TUNNELS; i++) {
        if (id != 0 && world->tunnels[i].id == id)
            return &world->tunnels[i];
    }
    return NULL;
}

static inline void packet_drop(struct world *world, size_t at)
{
    buffer_free(&world->flight[at].bytes);
    memmove(&world->flight[at], &world->flight[at + 1], (--world->flying - at) * sizeof world->flight[0]);
}

/* One end has gone; the other learns of it later, or never. */
static inline void tunnel_leave(struct world *world, struct tunnel *tunnel, size_t index)
{
    tunnel->ends[index].there = false;
    for (size_t i = world->flying; i > 0; i--) {
        if (world->flight[i - 1].tunnel == tunnel->id && world->flight[i - 1].to == index)
            packet_drop(world, i - 1);
    }
    if (!tunnel->ends[1 - index].there) {
        tunnel->id = 0;
    } else if (world->notice_count < NOTICES && (!world->faults || below(world, 4) > 0)) {
        world->notices[world->notice_count].gateway = 1 - index;
        world->notices[world->notice_count++].tunnel = tunnel->id;
    }
}

static inline void tunnel_down(struct world *world, struct tunnel *tunnel, size_t index)
{
    struct gateway *gateway = &world->gateways[index];
    uint64_t id = tunnel->id;
    if (!tunnel->ends[index].there)
        return;
    tunnel_leave(world, tunnel, index);
    if (gateway->chat == NULL)
        return;
    chat_tunnel_down(gateway->chat, id, "a relay left", world_now(gateway), world_wall(gateway));
    gateway_take(gateway);
}

static inline bool give_notice(struct world *world)
{
    if (world->notice_count == 0)
        return false;
    size_t index = world->notices[0].gateway;
    struct tunnel *tunnel = tunnel_find(world, world->notices[0].tunnel);
    memmove(&world->notices[0], &world->notices[1], --world->notice_count * sizeof world->notices[0]);
    if (tunnel != NULL)
        tunnel_down(world, tunnel, index);
    return true;
}

static inline void tunnel_open(struct world *world, const struct tunnel_end ends[2], bool false_one)
{
    size_t slot = 0;
    while (slot < TUNNELS && world->tunnels[slot].id != 0)
        slot++;
    if (slot == TUNNELS)
        return;
    uint64_t id = ++world->next_tunnel;
    world->tunnels[slot] = (struct tunnel){.id = id, .false_one = false_one, .ends = {ends[0], ends[1]}};
    for (size_t i = 0; i < 2; i++) {
        struct gateway *gateway = &world->gateways[i];
        if (!ends[i].there)
            continue;
        chat_tunnel_up(gateway->chat, id, ends[i].hash, ends[i].opener, world_now(gateway),
                       world_wall(gateway));
        gateway_take(gateway);
    }
}

static inline struct tunnel_end end_of(const uint8_t hash[20], bool opener)
{
    struct tunnel_end end = {.there = true, .opener = opener};
    memcpy(end.hash, hash, 20);
    return end;
}

static inline size_t tunnels_by(const struct world *world, const uint8_t hash[20])
{
    size_t count = 0;
    for (size_t i = 0; i < TUNNELS; i++) {
        const struct tunnel *tunnel = &world->tunnels[i];
        count += tunnel->id != 0 && !tunnel->false_one && tunnel->ends[0].there && tunnel->ends[1].there &&
                 memcmp(tunnel->ends[0].hash, hash, 20) == 0;
    }
    return count;
}

/* What one side looks for is found where the other serves it. */
static inline void dig(struct world *world, size_t index, size_t most)
{
    struct gateway *gateway = &world->gateways[index], *other = &world->gateways[1 - index];
    struct hashes wanted = world->wanted[index];
    for (size_t i = 0; i < wanted.count && gateway->chat != NULL; i++) {
        if (tunnels_by(world, wanted.hash[i]) >= most)
            continue;
        chat_dug(gateway->chat, 3, world_now(gateway));
        gateway_take(gateway);
        if (other->chat == NULL || !hashes_have(&world->served[1 - index], wanted.hash[i]) ||
            !hashes_have(&world->wanted[index], wanted.hash[i]))
            continue;
        struct tunnel_end ends[2];
        ends[index] = end_of(wanted.hash[i], true);
        ends[1 - index] = end_of(wanted.hash[i], false);
        tunnel_open(world, ends, false);
    }
}

/* Tunnels that a relay makes up: an end for each side, or one only, by any hash that it saw. */
static inline void dig_falsely(struct world *world)
{
    struct tunnel_end ends[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        bool opener = below(world, 2) == 0;
        const struct hashes *hashes = opener ? &world->wanted[i] : &world->served[i];
        if (world->gateways[i].chat != NULL && hashes->count > 0 && below(world, 3) > 0)
            ends[i] = end_of(hashes->hash[below(world, (uint32_t)hashes->count)], opener);
    }
    if (ends[0].there || ends[1].there)
        tunnel_open(world, ends, true);
}

static inline void end_tunnels_by(struct world *world, size_t index, const uint8_t hash[20], bool opener)
{
    for (size_t i = 0; i < TUNNELS; i++) {
        struct tunnel *tunnel = &world->tunnels[i];
        const struct tunnel_end *end = &tunnel->ends[index];
        if (tunnel->id != 0 && end->there && end->opener == opener && memcmp(end->hash, hash, 20) == 0 &&
            world->notice_count < NOTICES) {
            world->notices[world->notice_count].gateway = index;
            world->notices[world->notice_count++].tunnel = tunnel->id;
        }
    }
}

void world_wish(struct gateway *gateway, const struct chat_output *out)
{
    struct world *world = gateway->world;
    size_t index = gateway->index;
    struct tunnel *tunnel;
    switch (out->kind) {
    case CHAT_SERVE:
        hashes_add(&world->served[index], out->hash);
        break;
    case CHAT_UNSERVE:
        hashes_remove(&world->served[index], out->hash);
        end_tunnels_by(world, index, out->hash, false);
        break;
    case CHAT_WANT:
        hashes_add(&world->wanted[index], out->hash);
        break;
    case CHAT_STOP:
        hashes_remove(&world->wanted[index], out->hash);
        end_tunnels_by(world, index, out->hash, true);
        break;
    default:
        tunnel = tunnel_find(world, out->tunnel);
        if (tunnel != NULL && tunnel->ends[index].there)
            tunnel_leave(world, tunnel, index);
        break;
    }
}

static inline void world_kill(struct world *world, size_t index)
{
    gateway_kill(&world->gateways[index]);
    world->served[index].count = world->wanted[index].count = 0;
    for (size_t i = 0; i < TUNNELS; i++) {
        if (world->tunnels[i].id != 0 && world->tunnels[i].ends[index].there)
            tunnel_leave(world, &world->tunnels[i], index);
    }
}

static inline void kill_relay(struct world *world)
{
    for (size_t i = 0; i < TUNNELS; i++) {
        for (size_t end = 0; end < 2 && world->tunnels[i].id != 0; end++) {
            if (below(world, 4) > 0)
                tunnel_down(world, &world->tunnels[i], end);
            else if (world->tunnels[i].ends[end].there)
                tunnel_leave(world, &world->tunnels[i], end);
        }
    }
}

/* --- packets */

void world_send(struct gateway *gateway, uint64_t id, struct bytes payload)
{
    struct world *world = gateway->world;
    struct tunnel *tunnel = tunnel_find(world, id);
    if (tunnel == NULL || !tunnel->ends[gateway->index].there)
        return;
    struct packet packet = {.tunnel = id, .to = 1 - gateway->index};
    packet.fragile = world->scene >= SCENE_MOVES_UP && !gateway_is_sealed(gateway) && payload.size != 72;
    if (world->faults && below(world, 4) == 0) {
        size_t at = world->kept_count < KEPT ? world->kept_count++ : below(world, KEPT);
        buffer_free(&world->kept[at].bytes);
        world->kept[at] = packet;
        world->kept[at].bytes = copy_of(payload);
    }
    if (!tunnel->ends[packet.to].there)
        return;
    if (world->flying == FLIGHT)
        packet_drop(world, 0);
    packet.bytes = copy_of(payload);
    world->flight[world->flying++] = packet;
}

static inline void arrive(struct world *world, uint64_t id, size_t index, struct bytes bytes)
{
    struct gateway *gateway = &world->gateways[index];
    const struct tunnel *tunnel = tunnel_find(world, id);
    if (gateway->chat == NULL || tunnel == NULL || !tunnel->ends[index].there)
        return;
    chat_receive(gateway->chat, id, bytes, world_now(gateway), world_wall(gateway));
    gateway_take(gateway);
}

static inline void deliver(struct world *world, size_t at, bool again)
{
    struct packet packet = world->flight[at];
    if (again)
        packet.bytes = copy_of(buffer_view(&packet.bytes));
    else
        memmove(&world->flight[at], &world->flight[at + 1], (--world->flying - at) * sizeof world->flight[0]);
    arrive(world, packet.tunnel, packet.to, buffer_view(&packet.bytes));
    buffer_free(&packet.bytes);
}

static inline void change(struct world *world, struct buffer *packet)
{
    uint32_t size = (uint32_t)buffer_size(packet);
    switch (below(world, 4)) {
    case 0: /* as it is: replayed, reflected, or in another tunnel */
        break;
    case 1:
        packet->memory[packet->start + below(world, size)] ^= (uint8_t)(1U << below(world, 8));
        break;
    case 2:
        packet->end -= below(world, size + 1);
        break;
    default:
        for (uint32_t more = below(world, 600); more > 0; more--)
            buffer_u8(packet, (uint8_t)below(world, 256));
        break;
    }
}

static inline void inject(struct world *world)
{
    const struct tunnel *tunnel = &world->tunnels[below(world, TUNNELS)];
    if (world->kept_count == 0 || tunnel->id == 0)
        return;
    const struct packet *kept = &world->kept[below(world, (uint32_t)world->kept_count)];
    struct buffer packet = copy_of(buffer_view(&kept->bytes));
    if (!kept->fragile)
        change(world, &packet);
    arrive(world, tunnel->id, below(world, 2), buffer_view(&packet));
    buffer_free(&packet);
}

static inline void corrupt(struct world *world, size_t at)
{
    if (!world->flight[at].fragile)
        change(world, &world->flight[at].bytes);
}

/* --- time */

uint64_t world_now(const struct gateway *gateway)
{
    return gateway->world->now;
}

int64_t world_wall(const struct gateway *gateway)
{
    return gateway->world->wall + gateway->skew + (int64_t)(gateway->world->now / 1000);
}

struct gateway *world_other(const struct gateway *gateway)
{
    return &gateway->world->gateways[1 - gateway->index];
}

const struct chat_tools *world_tools(struct gateway *gateway)
{
    return &gateway->world->tools;
}

bool world_long_lines(const struct gateway *gateway)
{
    return gateway->world->scene < SCENE_MOVES_UP;
}

static inline void tick(struct gateway *gateway)
{
    gateway->stalled = false;
    for (size_t i = 0; chat_deadline(gateway->chat) <= gateway->world->now; i++) {
        assert_true(i < 20); /* a deadline that does not pass would make the daemon spin */
        chat_tick(gateway->chat, world_now(gateway), world_wall(gateway));
        gateway_take(gateway);
    }
}

static inline void pass_time(struct world *world, uint64_t ms)
{
    uint64_t end = world->now + ms;
    for (;;) {
        uint64_t next = end;
        for (size_t i = 0; i < 2; i++) {
            if (world->gateways[i].chat != NULL && chat_deadline(world->gateways[i].chat) < next)
                next = chat_deadline(world->gateways[i].chat);
        }
        world->now = next > world->now ? next : world->now;
        for (size_t i = 0; i < 2; i++) {
            if (world->gateways[i].chat != NULL)
                tick(&world->gateways[i]);
        }
        if (next >= end)
            return;
    }
}

#endif
