/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_SIM_NETWORK_H
#define RETROGATE_SIM_NETWORK_H

#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "tunnel/router.h"

/* A friend network in one process: whatever router is linked (the daemon's, or that of 2013), links with a
 * latency, time that jumps from event to event. The same seed gives the same run. Header only, so that unit
 * tests, which link one room, can use it. Out of memory aborts: this is test code.
 *
 * Items under way stand in one slot for each of the next milliseconds, in the order in which they were sent;
 * everything else that is planned stands in a heap, and comes first in its millisecond. */

enum { NETWORK_SLOTS = 1024 /* a power of two; latencies are less */ };

struct network_link {
    uint32_t number; /* of the peer, at this node; never reused */
    uint32_t peer;
    uint32_t peer_number; /* of this node, at the peer */
    uint32_t latency_ms;
};

struct network_node {
    struct router *router; /* NULL: switched off */
    struct random_source random;
    struct random_seeded random_state;
    struct network_link *links;
    uint32_t link_count;
    bool puppet;    /* what comes to it goes to network.puppet instead of a router */
    uint64_t woken; /* when a wake-up is planned; UINT64_MAX: none */
};

struct network_planned {
    uint64_t at;
    uint64_t sequence; /* equal times keep their order */
    uint64_t user;     /* of an alarm */
    uint32_t node;     /* NETWORK_ALARM: not a wake-up of a node */
};

#define NETWORK_ALARM UINT32_MAX

struct network_item {
    uint32_t node;
    uint32_t number; /* the neighbour it comes from */
    uint32_t size;   /* of the bytes that follow, up to a multiple of 4 */
};

struct network_slot {
    uint8_t *bytes; /* network_items */
    size_t size, capacity;
};

struct network {
    uint64_t now;
    struct network_node *nodes;
    uint32_t count;
    uint32_t last_number;
    struct network_slot slots[NETWORK_SLOTS];
    uint64_t occupied[NETWORK_SLOTS / 64];
    struct network_planned *planned; /* heap */
    size_t planned_count;
    uint64_t last_sequence;
    uint64_t items, bytes, refused;
    /* May be NULL. Called for each item that leaves, for each other output, for a planned alarm, and for an
     * item that comes to a puppet. The first two must not call the network. */
    void (*sent)(struct network *network, uint32_t from, uint32_t to, struct bytes item);
    void (*told)(struct network *network, uint32_t node, const struct router_output *output);
    void (*alarm)(struct network *network, uint64_t user);
    void (*puppet)(struct network *network, uint32_t node, const struct network_link *from,
                   struct bytes item);
    void *arg;
};

static inline void *network_grow(void *list, size_t count, size_t size)
{
    /* Powers of two are the sizes at which the list is full. */
    if (count != 0 && (count & (count - 1)) != 0)
        return list;
    void *grown = reallocarray(list, count == 0 ? 1 : count * 2, size);
    if (grown == NULL)
        abort();
    return grown;
}

static inline void network_switch_on(struct network *network, uint32_t node,
                                     const struct router_options *options)
{
    struct network_node *side = &network->nodes[node];
    side->woken = UINT64_MAX;
    side->router = router_new(options, &side->random, network->now);
    if (side->router == NULL)
        abort();
}

static inline void network_init(struct network *network, uint32_t count, uint64_t seed,
                                const struct router_options *options)
{
    memset(network, 0, sizeof *network);
    network->now = 1000000;
    network->count = count;
    network->nodes = calloc(count, sizeof *network->nodes);
    if (network->nodes == NULL)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        struct network_node *node = &network->nodes[i];
        node->random = random_from_seed(&node->random_state, seed * 1000003 + i);
        network_switch_on(network, i, options);
    }
}

static inline void network_free(struct network *network)
{
    for (uint32_t i = 0; i < network->count; i++) {
        router_free(network->nodes[i].router);
        free(network->nodes[i].links);
    }
    for (size_t i = 0; i < NETWORK_SLOTS; i++)
        free(network->slots[i].bytes);
    free(network->planned);
    free(network->nodes);
}

static inline bool network_before(const struct network_planned *a, const struct network_planned *b)
{
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static inline void network_plan(struct network *network, struct network_planned event)
{
    network->planned = network_grow(network->planned, network->planned_count, sizeof event);
    event.sequence = ++network->last_sequence;
    size_t at = network->planned_count++;
    for (; at > 0 && network_before(&event, &network->planned[(at - 1) / 2]); at = (at - 1) / 2)
        network->planned[at] = network->planned[(at - 1) / 2];
    network->planned[at] = event;
}

static inline struct network_planned network_take(struct network *network)
{
    struct network_planned first = network->planned[0];
    struct network_planned last = network->planned[--network->planned_count];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= network->planned_count)
            break;
        if (child + 1 < network->planned_count &&
            network_before(&network->planned[child + 1], &network->planned[child]))
            child++;
        if (network_before(&last, &network->planned[child]))
            break;
        network->planned[at] = network->planned[child];
        at = child;
    }
    network->planned[at] = last;
    return first;
}

/* network.alarm is called with `user` in `ms` from now. */
static inline void network_alarm(struct network *network, uint64_t ms, uint64_t user)
{
    network_plan(network,
                 (struct network_planned){.at = network->now + ms, .user = user, .node = NETWORK_ALARM});
}

static inline struct network_link *network_find(struct network *network, uint32_t node, uint32_t number)
{
    for (size_t i = 0; i < network->nodes[node].link_count; i++) {
        if (network->nodes[node].links[i].number == number)
            return &network->nodes[node].links[i];
    }
    return NULL;
}

/* What goes over a link, whether a router or a puppet wrote it. */
static inline void network_send(struct network *network, uint32_t from, const struct network_link *link,
                                struct bytes item)
{
    network->items++;
    network->bytes += item.size;
    if (network->sent != NULL)
        network->sent(network, from, link->peer, item);
    if (link->latency_ms == 0 || link->latency_ms >= NETWORK_SLOTS || item.size > UINT32_MAX / 2)
        abort();
    size_t position = (network->now + link->latency_ms) % NETWORK_SLOTS;
    struct network_slot *slot = &network->slots[position];
    struct network_item head = {.node = link->peer, .number = link->peer_number, .size = (uint32_t)item.size};
    size_t size = sizeof head + (item.size + 3) / 4 * 4;
    while (slot->size + size > slot->capacity) {
        slot->capacity = slot->capacity == 0 ? 4096 : slot->capacity * 2;
        slot->bytes = realloc(slot->bytes, slot->capacity);
        if (slot->bytes == NULL)
            abort();
    }
    memcpy(slot->bytes + slot->size, &head, sizeof head);
    memcpy(slot->bytes + slot->size + sizeof head, item.data, item.size);
    slot->size += size;
    network->occupied[position / 64] |= UINT64_C(1) << position % 64;
}

/* Takes what the last call of this node's router produced, and plans its next wake-up. */
static inline void network_collect(struct network *network, uint32_t from)
{
    struct network_node *node = &network->nodes[from];
    struct router_output output;
    uint32_t next = 0; /* a router goes through its friends in the order of the links, mostly */
    while (router_next(node->router, &output)) {
        if (output.kind != ROUTER_SEND) {
            if (network->told != NULL)
                network->told(network, from, &output);
            continue;
        }
        const struct network_link *link = NULL;
        for (; next < node->link_count && link == NULL; next++) {
            if (node->links[next].number == output.neighbour)
                link = &node->links[next];
        }
        if (link == NULL)
            link = network_find(network, from, output.neighbour);
        if (link == NULL)
            abort(); /* it sent to somebody who is not there */
        network_send(network, from, link, output.item);
    }
    uint64_t deadline = router_deadline(node->router);
    if (deadline < node->woken) {
        node->woken = deadline < network->now ? network->now : deadline;
        network_plan(network, (struct network_planned){.at = node->woken, .node = from});
    }
}

static inline uint32_t network_add_side(struct network *network, uint32_t node, uint32_t peer,
                                        uint32_t latency_ms)
{
    struct network_node *side = &network->nodes[node];
    side->links = network_grow(side->links, side->link_count, sizeof *side->links);
    side->links[side->link_count++] =
        (struct network_link){.number = ++network->last_number, .peer = peer, .latency_ms = latency_ms};
    return network->last_number;
}

static inline void network_tell_up(struct network *network, uint32_t node, uint32_t number,
                                   enum turtle_generation generation)
{
    if (network->nodes[node].router == NULL)
        return;
    router_neighbour_up(network->nodes[node].router, number, generation, network->now);
    network_collect(network, node);
}

static inline void network_connect(struct network *network, uint32_t a, uint32_t b,
                                   enum turtle_generation generation, uint32_t latency_ms)
{
    uint32_t b_at_a = network_add_side(network, a, b, latency_ms);
    uint32_t a_at_b = network_add_side(network, b, a, latency_ms);
    network_find(network, a, b_at_a)->peer_number = a_at_b;
    network_find(network, b, a_at_b)->peer_number = b_at_a;
    network_tell_up(network, a, b_at_a, generation);
    network_tell_up(network, b, a_at_b, generation);
}

/* The number of b at a; 0: not connected. */
static inline uint32_t network_number(const struct network *network, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < network->nodes[a].link_count; i++) {
        if (network->nodes[a].links[i].peer == b)
            return network->nodes[a].links[i].number;
    }
    return 0;
}

static inline void network_drop_side(struct network *network, uint32_t node, uint32_t number)
{
    struct network_node *side = &network->nodes[node];
    struct network_link *link = network_find(network, node, number);
    *link = side->links[--side->link_count];
    if (side->router == NULL)
        return;
    router_neighbour_down(side->router, number, network->now);
    network_collect(network, node);
}

static inline void network_disconnect(struct network *network, uint32_t a, uint32_t b)
{
    uint32_t b_at_a = network_number(network, a, b);
    uint32_t a_at_b = network_number(network, b, a);
    network_drop_side(network, a, b_at_a);
    network_drop_side(network, b, a_at_b);
}

/* The node is switched off. Its friends notice nothing yet: what they send is lost. */
static inline void network_vanish(struct network *network, uint32_t node)
{
    router_free(network->nodes[node].router);
    network->nodes[node].router = NULL;
}

/* The node is switched off, and its friends notice. */
static inline void network_kill(struct network *network, uint32_t node)
{
    network_vanish(network, node);
    while (network->nodes[node].link_count > 0)
        network_disconnect(network, node, network->nodes[node].links[0].peer);
}

static inline void network_arrive(struct network *network, const struct network_item *head, struct bytes item)
{
    struct network_node *node = &network->nodes[head->node];
    if (node->puppet) {
        const struct network_link *link = network_find(network, head->node, head->number);
        if (link != NULL && network->puppet != NULL)
            network->puppet(network, head->node, link, item);
        return;
    }
    if (node->router == NULL || network_find(network, head->node, head->number) == NULL)
        return; /* it, or the link, went down meanwhile */
    if (router_receive(node->router, head->number, item, network->now) != NULL)
        network->refused++;
    network_collect(network, head->node);
}

static inline void network_happen(struct network *network, const struct network_planned *event)
{
    if (event->node == NETWORK_ALARM) {
        if (network->alarm != NULL)
            network->alarm(network, event->user);
        return;
    }
    struct network_node *node = &network->nodes[event->node];
    if (node->router == NULL || event->at != node->woken)
        return; /* an earlier wake-up did what was to do */
    node->woken = UINT64_MAX;
    router_tick(node->router, network->now);
    network_collect(network, event->node);
}

/* Latencies are at least one, so nothing is added to the slot of now. */
static inline void network_deliver(struct network *network)
{
    size_t position = network->now % NETWORK_SLOTS;
    struct network_slot *slot = &network->slots[position];
    for (size_t at = 0; at < slot->size;) {
        struct network_item head;
        memcpy(&head, slot->bytes + at, sizeof head);
        const uint8_t *data = slot->bytes + at + sizeof head;
        at += sizeof head + ((size_t)head.size + 3) / 4 * 4;
        network_arrive(network, &head, (struct bytes){data, head.size});
    }
    slot->size = 0;
    network->occupied[position / 64] &= ~(UINT64_C(1) << position % 64);
}

/* When the next items arrive; UINT64_MAX: none is under way. */
static inline uint64_t network_next_items(const struct network *network)
{
    for (uint64_t ahead = 0; ahead < NETWORK_SLOTS; ahead++) {
        size_t position = (network->now + ahead) % NETWORK_SLOTS;
        uint64_t rest = network->occupied[position / 64] >> position % 64;
        if (rest != 0)
            return network->now + ahead + (uint64_t)__builtin_ctzll(rest);
        ahead += 63 - position % 64;
    }
    return UINT64_MAX;
}

static inline void network_run(struct network *network, uint64_t ms)
{
    uint64_t until = network->now + ms;
    for (;;) {
        uint64_t items = network_next_items(network);
        uint64_t planned = network->planned_count == 0 ? UINT64_MAX : network->planned[0].at;
        uint64_t next = items < planned ? items : planned;
        if (next > until)
            break;
        network->now = next;
        if (planned <= items) {
            struct network_planned event = network_take(network);
            network_happen(network, &event);
        } else {
            network_deliver(network);
        }
    }
    network->now = until;
}

static inline void network_serve(struct network *network, uint32_t node, const uint8_t hash[TURTLE_HASH_SIZE])
{
    if (!router_serve(network->nodes[node].router, hash, false))
        abort();
    network_collect(network, node);
}

static inline void network_dig(struct network *network, uint32_t node, const uint8_t hash[TURTLE_HASH_SIZE])
{
    if (!router_dig(network->nodes[node].router, hash, DIG_PERSON, network->now))
        abort();
    network_collect(network, node);
}

static inline void network_stop(struct network *network, uint32_t node, const uint8_t hash[TURTLE_HASH_SIZE])
{
    router_stop(network->nodes[node].router, hash, network->now);
    network_collect(network, node);
}

static inline bool network_say(struct network *network, uint32_t node, uint64_t tunnel, struct bytes payload)
{
    bool sent = router_send(network->nodes[node].router, tunnel, payload, network->now);
    network_collect(network, node);
    return sent;
}

#endif
