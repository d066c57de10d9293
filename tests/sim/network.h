/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_SIM_NETWORK_H
#define RETROGATE_SIM_NETWORK_H

#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "tunnel/router.h"

/* A friend network in one process: the real routers, links with a latency, time that jumps from event to
 * event. The same seed gives the same run. Header only, so that unit tests, which link one room, can use it.
 * Out of memory aborts: this is test code. */

struct network_link {
    uint32_t number; /* of the peer, at this node; never reused */
    uint32_t peer;
    uint32_t peer_number; /* of this node, at the peer */
    uint32_t latency_ms;
};

struct network_node {
    struct router *router; /* NULL: switched off */
    struct random_seeded random;
    struct network_link *links;
    size_t link_count;
    uint64_t woken; /* when a wake-up is planned; UINT64_MAX: none */
};

struct network_event {
    uint64_t at;
    uint64_t sequence; /* equal times keep their order */
    uint32_t node;
    uint32_t number; /* the neighbour it comes from; 0: a wake-up */
    uint8_t *data;
    size_t size;
};

struct network {
    uint64_t now;
    struct network_node *nodes;
    uint32_t count;
    uint32_t last_number;
    struct network_event *events; /* heap */
    size_t event_count, event_capacity;
    uint64_t last_sequence;
    uint64_t items, bytes, refused;
    /* Called for each item that leaves, and for each other output; may be NULL. */
    void (*sent)(struct network *network, uint32_t from, uint32_t to, struct bytes item);
    void (*told)(struct network *network, uint32_t node, const struct router_output *output);
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
        struct random_source random = random_from_seed(&node->random, seed * 1000003 + i);
        node->woken = UINT64_MAX;
        node->router = router_new(options, &random, network->now);
        if (node->router == NULL)
            abort();
    }
}

static inline void network_free(struct network *network)
{
    for (uint32_t i = 0; i < network->count; i++) {
        router_free(network->nodes[i].router);
        free(network->nodes[i].links);
    }
    for (size_t i = 0; i < network->event_count; i++)
        free(network->events[i].data);
    free(network->events);
    free(network->nodes);
}

static inline bool network_before(const struct network_event *a, const struct network_event *b)
{
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static inline void network_plan(struct network *network, struct network_event event)
{
    network->events = network_grow(network->events, network->event_count, sizeof event);
    event.sequence = ++network->last_sequence;
    size_t at = network->event_count++;
    for (; at > 0 && network_before(&event, &network->events[(at - 1) / 2]); at = (at - 1) / 2)
        network->events[at] = network->events[(at - 1) / 2];
    network->events[at] = event;
}

static inline struct network_event network_take(struct network *network)
{
    struct network_event first = network->events[0];
    struct network_event last = network->events[--network->event_count];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= network->event_count)
            break;
        if (child + 1 < network->event_count &&
            network_before(&network->events[child + 1], &network->events[child]))
            child++;
        if (network_before(&last, &network->events[child]))
            break;
        network->events[at] = network->events[child];
        at = child;
    }
    network->events[at] = last;
    return first;
}

static inline struct network_link *network_find(struct network *network, uint32_t node, uint32_t number)
{
    for (size_t i = 0; i < network->nodes[node].link_count; i++) {
        if (network->nodes[node].links[i].number == number)
            return &network->nodes[node].links[i];
    }
    return NULL;
}

/* Takes what the last call of this node's router produced, and plans its next wake-up. */
static inline void network_collect(struct network *network, uint32_t from)
{
    struct network_node *node = &network->nodes[from];
    struct router_output output;
    while (router_next(node->router, &output)) {
        if (output.kind != ROUTER_SEND) {
            if (network->told != NULL)
                network->told(network, from, &output);
            continue;
        }
        const struct network_link *link = network_find(network, from, output.neighbour);
        if (link == NULL)
            abort(); /* it sent to somebody who is not there */
        network->items++;
        network->bytes += output.item.size;
        if (network->sent != NULL)
            network->sent(network, from, link->peer, output.item);
        uint8_t *copy = malloc(output.item.size);
        if (copy == NULL)
            abort();
        memcpy(copy, output.item.data, output.item.size);
        network_plan(network, (struct network_event){
                                  .at = network->now + link->latency_ms,
                                  .node = link->peer,
                                  .number = link->peer_number,
                                  .data = copy,
                                  .size = output.item.size,
                              });
    }
    uint64_t deadline = router_deadline(node->router);
    if (deadline < node->woken) {
        node->woken = deadline < network->now ? network->now : deadline;
        network_plan(network, (struct network_event){.at = node->woken, .node = from});
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

static inline void network_connect(struct network *network, uint32_t a, uint32_t b,
                                   enum turtle_generation generation, uint32_t latency_ms)
{
    uint32_t b_at_a = network_add_side(network, a, b, latency_ms);
    uint32_t a_at_b = network_add_side(network, b, a, latency_ms);
    network_find(network, a, b_at_a)->peer_number = a_at_b;
    network_find(network, b, a_at_b)->peer_number = b_at_a;
    router_neighbour_up(network->nodes[a].router, b_at_a, generation, network->now);
    network_collect(network, a);
    router_neighbour_up(network->nodes[b].router, a_at_b, generation, network->now);
    network_collect(network, b);
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

/* The node is switched off, and its friends notice. */
static inline void network_kill(struct network *network, uint32_t node)
{
    router_free(network->nodes[node].router);
    network->nodes[node].router = NULL;
    while (network->nodes[node].link_count > 0)
        network_disconnect(network, node, network->nodes[node].links[0].peer);
}

static inline void network_happen(struct network *network, struct network_event *event)
{
    struct network_node *node = &network->nodes[event->node];
    network->now = event->at;
    if (event->number == 0 && event->at == node->woken)
        node->woken = UINT64_MAX;
    if (node->router == NULL)
        return;
    if (event->number == 0)
        router_tick(node->router, network->now);
    else if (network_find(network, event->node, event->number) == NULL)
        return; /* the link went down meanwhile */
    else if (router_receive(node->router, event->number, (struct bytes){event->data, event->size},
                            network->now) != NULL)
        network->refused++;
    network_collect(network, event->node);
}

static inline void network_run(struct network *network, uint64_t ms)
{
    uint64_t until = network->now + ms;
    while (network->event_count > 0 && network->events[0].at <= until) {
        struct network_event event = network_take(network);
        network_happen(network, &event);
        free(event.data);
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

static inline bool network_say(struct network *network, uint32_t node, uint64_t tunnel, struct bytes payload)
{
    bool sent = router_send(network->nodes[node].router, tunnel, payload, network->now);
    network_collect(network, node);
    return sent;
}

#endif
