/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/map.h"
#include "crypto/salt.h"
#include "tunnel/id_table.h"
#include "tunnel/outputs.h"
#include "tunnel/pool.h"
#include "tunnel/rate.h"
#include "tunnel/router.h"

/* The router of 2013 behind the functions of the daemon's (tunnel/router.h), to measure ourselves against:
 * the rules of protocol 02, its defects D1, D4, D5, D7 of §14 included. Where the document leaves it open,
 * the more favourable reading. Links are never of a slow class, and chat never carries so much that §5's k
 * matters. A program that is linked with this file instead of the room `tunnel` simulates 2013. */

enum {
    TICK_MS = 2000,
    WASH_MS = 10000, /* must be exceeded */
    REQUEST_LIFE_MS = 120000,
    TUNNEL_LIFE_MS = 60000,
    DIG_EMPTY_MS = 50000,
    DIG_REGULAR_MS = 300000,
    DEPTH_LIMIT = 6,
};

struct request {
    uint32_t id;
    uint32_t origin; /* neighbour; 0: myself */
    uint32_t next;   /* younger */
    uint32_t answers;
    uint64_t at;
};

/* A tunnel id that was given as answer to a request. */
struct given {
    uint32_t tunnel;
    uint32_t next;
};

struct home {
    uint8_t hash[TURTLE_HASH_SIZE];
    UT_hash_handle hh;
    bool stopped;
    /* monitored: */
    uint32_t tunnel_count;
    uint32_t last_request;
    uint64_t last_dig; /* 0 to 9: never */
    /* served: */
    bool attached; /* D1 */
};

struct tunnel {
    uint32_t id;
    uint32_t source, destination; /* neighbours; 0: myself */
    uint64_t used;
    uint64_t bytes;
    struct home *home; /* NULL at relays */
    struct links links;
};

struct neighbour {
    uint32_t number;
    enum turtle_generation generation;
};

struct router {
    struct random_source random;
    uint32_t per_second;
    uint32_t bias;
    uint64_t tick_at, washed;
    struct neighbour *neighbours;
    uint32_t neighbour_count, neighbour_capacity;
    struct id_table request_ids, tunnel_ids;
    struct pool requests, givens, tunnels;
    uint32_t oldest, youngest;
    struct list all_tunnels;
    struct home *monitored, *served;
    struct request_flow flow;
    struct outputs outputs;
    struct router_stats stats;
};

struct router *router_new(const struct router_options *options, const struct random_source *random,
                          uint64_t now)
{
    struct router *router = calloc(1, sizeof *router);
    if (router == NULL)
        return NULL;
    router->random = *random;
    router->per_second =
        options == NULL || options->forward_per_second == 0 ? 20 : options->forward_per_second;
    router->bias = random_u32(random);
    router->tick_at = now + random_below(random, TICK_MS);
    router->washed = now;
    router->flow.folded = now;
    uint64_t key[2] = {random_u64(random), random_u64(random)};
    id_table_init(&router->request_ids, sizeof(struct id_cell), key);
    id_table_init(&router->tunnel_ids, sizeof(struct id_cell), key);
    pool_init(&router->requests, sizeof(struct request), UINT32_MAX);
    pool_init(&router->givens, sizeof(struct given), UINT32_MAX);
    pool_init(&router->tunnels, sizeof(struct tunnel), UINT32_MAX);
    router->outputs.arena = buffer_make(ARENA_LIMIT);
    return router;
}

static void homes_free(struct home *homes)
{
    struct home *home, *next;
    HASH_ITER(hh, homes, home, next)
    {
        HASH_DEL(homes, home);
        free(home);
    }
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    homes_free(router->monitored);
    homes_free(router->served);
    id_table_free(&router->request_ids);
    id_table_free(&router->tunnel_ids);
    pool_free(&router->requests);
    pool_free(&router->givens);
    pool_free(&router->tunnels);
    outputs_free(&router->outputs);
    free(router->neighbours);
    free(router);
}

/* F of §4.1. Its values never leave the node but as ids, so any keyed function does. */
static uint32_t print(const struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], uint32_t seed,
                      bool flag)
{
    uint8_t input[TURTLE_HASH_SIZE + sizeof seed + 1];
    uint8_t key[16] = {0};
    memcpy(key, &router->bias, sizeof router->bias);
    memcpy(input, hash, TURTLE_HASH_SIZE);
    memcpy(input + TURTLE_HASH_SIZE, &seed, sizeof seed);
    input[TURTLE_HASH_SIZE + sizeof seed] = flag;
    return (uint32_t)siphash24(key, input, sizeof input);
}

static struct home *home_find(struct home *homes, const uint8_t hash[TURTLE_HASH_SIZE])
{
    struct home *home;
    HASH_FIND(hh, homes, hash, TURTLE_HASH_SIZE, home);
    return home;
}

static struct home *home_add(struct home **homes, const uint8_t hash[TURTLE_HASH_SIZE])
{
    struct home *home = calloc(1, sizeof *home);
    if (home == NULL)
        return NULL;
    memcpy(home->hash, hash, TURTLE_HASH_SIZE);
    HASH_ADD(hh, *homes, hash, TURTLE_HASH_SIZE, home);
    if (home->hh.tbl == NULL) {
        free(home);
        return NULL;
    }
    return home;
}

/* --- neighbours: nothing reacts to one that goes (§10) */

void router_neighbour_up(struct router *router, uint32_t number, enum turtle_generation generation,
                         uint64_t now)
{
    (void)now;
    outputs_begin(&router->outputs);
    if (router->neighbour_count == router->neighbour_capacity) {
        uint32_t capacity = router->neighbour_capacity == 0 ? 16 : router->neighbour_capacity * 2;
        struct neighbour *grown = reallocarray(router->neighbours, capacity, sizeof *router->neighbours);
        if (grown == NULL)
            return;
        router->neighbours = grown;
        router->neighbour_capacity = capacity;
    }
    router->neighbours[router->neighbour_count++] = (struct neighbour){number, generation};
}

void router_neighbour_down(struct router *router, uint32_t number, uint64_t now)
{
    (void)now;
    outputs_begin(&router->outputs);
    for (uint32_t i = 0; i < router->neighbour_count; i++) {
        if (router->neighbours[i].number == number) {
            router->neighbours[i] = router->neighbours[--router->neighbour_count];
            return;
        }
    }
}

static const struct neighbour *neighbour_find(const struct router *router, uint32_t number)
{
    for (uint32_t i = 0; i < router->neighbour_count; i++) {
        if (router->neighbours[i].number == number)
            return &router->neighbours[i];
    }
    return NULL;
}

/* --- tunnels */

static struct links *tunnel_links(const struct pool *pool, uint32_t node)
{
    return &((struct tunnel *)pool_at(pool, node))->links;
}

static struct tunnel *tunnel_find(const struct router *router, uint32_t id)
{
    uint32_t handle = id_table_find(&router->tunnel_ids, id);
    return handle == 0 ? NULL : pool_at(&router->tunnels, handle);
}

static struct tunnel *tunnel_add(struct router *router, uint32_t id, uint64_t now)
{
    uint32_t handle = pool_take(&router->tunnels);
    if (handle == 0 || id_table_add(&router->tunnel_ids, id, handle) == NULL)
        abort();
    list_append(&router->all_tunnels, &router->tunnels, tunnel_links, handle);
    struct tunnel *tunnel = pool_at(&router->tunnels, handle);
    tunnel->id = id;
    tunnel->used = now;
    return tunnel;
}

static void tell(struct router *router, enum router_output_kind kind, const struct tunnel *tunnel)
{
    struct router_output *output = outputs_add(&router->outputs, kind);
    if (output == NULL)
        return;
    output->tunnel = UINT64_C(1) << 32 | tunnel->id;
    output->tunnel_id = tunnel->id;
    output->role = tunnel->source == 0 ? ROUTER_INITIATOR : ROUTER_ENDPOINT;
    output->neighbour = tunnel->source == 0 ? tunnel->destination : tunnel->source;
    memcpy(output->hash, tunnel->home->hash, TURTLE_HASH_SIZE);
    output->reason = kind == ROUTER_TUNNEL_DOWN ? "idle" : NULL;
}

static void tunnel_close(struct router *router, struct tunnel *tunnel)
{
    struct home *home = tunnel->home;
    if (home != NULL && tunnel->source == 0) {
        home->tunnel_count--;
        tell(router, ROUTER_TUNNEL_DOWN, tunnel);
    } else if (home != NULL && home->attached) {
        home->attached = false;
        tell(router, ROUTER_TUNNEL_DOWN, tunnel);
    }
    uint32_t id = tunnel->id;
    uint32_t handle = id_table_find(&router->tunnel_ids, id);
    list_remove(&router->all_tunnels, &router->tunnels, tunnel_links, handle);
    id_table_remove(&router->tunnel_ids, id);
    pool_return(&router->tunnels, handle);
}

/* --- requests */

static struct request *request_find(const struct router *router, uint32_t id)
{
    uint32_t handle = id_table_find(&router->request_ids, id);
    return handle == 0 ? NULL : pool_at(&router->requests, handle);
}

static void request_add(struct router *router, uint32_t id, uint32_t origin, uint64_t now)
{
    uint32_t handle = pool_take(&router->requests);
    if (handle == 0 || id_table_add(&router->request_ids, id, handle) == NULL)
        abort();
    struct request *request = pool_at(&router->requests, handle);
    *request = (struct request){.id = id, .origin = origin, .at = now};
    if (router->youngest != 0)
        ((struct request *)pool_at(&router->requests, router->youngest))->next = handle;
    else
        router->oldest = handle;
    router->youngest = handle;
}

static void request_forget(struct router *router)
{
    struct request *request = pool_at(&router->requests, router->oldest);
    uint32_t handle = router->oldest;
    while (request->answers != 0) {
        uint32_t given = request->answers;
        request->answers = ((struct given *)pool_at(&router->givens, given))->next;
        pool_return(&router->givens, given);
    }
    router->oldest = request->next;
    if (router->oldest == 0)
        router->youngest = 0;
    id_table_remove(&router->request_ids, request->id);
    pool_return(&router->requests, handle);
}

static void request_send(struct router *router, uint32_t not_to, const struct turtle_open *open,
                         double chance)
{
    struct buffer *arena = &router->outputs.arena;
    for (uint32_t i = 0; i < router->neighbour_count; i++) {
        const struct neighbour *to = &router->neighbours[i];
        if (to->number == not_to ||
            (chance < 1 && (double)random_u32(&router->random) / 4294967296.0 > chance))
            continue;
        size_t begin = buffer_size(arena);
        if (!turtle_open_write(arena, open, to->generation))
            continue;
        size_t size = buffer_size(arena) - begin;
        output_send_arena(&router->outputs, to->number, TURTLE_OPEN, begin, size);
        router->flow.up_bytes += size;
    }
}

/* §6, from step 6 on. */
static void request_forward(struct router *router, uint32_t from, struct turtle_open *open, double chance)
{
    uint32_t bits = (router->bias ^ open->partial) & 7;
    bool bypass = open->depth >= DEPTH_LIMIT && bits == 2;
    bool shift = open->depth == 1 && bits == 6;
    open->partial = print(router, open->hash, open->partial ^ router->bias, true);
    if (open->depth >= DEPTH_LIMIT && !bypass)
        return;
    open->depth = (uint16_t)(open->depth + !shift);
    router->stats.requests_forwarded++;
    request_send(router, from, open, chance);
}

static void answer(struct router *router, struct home *home, uint32_t from, const struct turtle_open *open,
                   uint64_t now)
{
    struct turtle_ok ok = {.tunnel = open->partial ^ print(router, open->hash, router->bias, false),
                           .request = open->request};
    struct buffer *arena = &router->outputs.arena;
    size_t begin = buffer_size(arena);
    turtle_ok_write(arena, &ok);
    output_send_arena(&router->outputs, from, TURTLE_OK, begin, buffer_size(arena) - begin);
    struct tunnel *tunnel = tunnel_find(router, ok.tunnel);
    if (tunnel == NULL)
        tunnel = tunnel_add(router, ok.tunnel, now);
    tunnel->used = now;
    tunnel->source = from;
    tunnel->destination = 0;
    tunnel->home = home;
    home->attached = true;
    tell(router, ROUTER_TUNNEL_UP, tunnel);
}

static const char *open_receive(struct router *router, const struct neighbour *from, struct bytes item,
                                uint64_t now)
{
    struct turtle_open open;
    if (!turtle_open_parse(&open, item, from->generation))
        return "malformed";
    router->stats.requests_in++;
    request_flow_fold(&router->flow, now);
    router->flow.down_bytes += item.size;
    double chance = forward_chance(&router->flow, open.depth, router->neighbour_count, router->per_second);
    if (request_find(router, open.request) != NULL)
        return NULL;
    request_add(router, open.request, from->number, now);
    struct home *home = home_find(router->served, open.hash);
    if (home != NULL && !home->stopped)
        answer(router, home, from->number, &open, now);
    else
        request_forward(router, from->number, &open, chance);
    return NULL;
}

/* §8 */
static const char *ok_receive(struct router *router, const struct neighbour *from, struct bytes item,
                              uint64_t now)
{
    struct turtle_ok ok;
    if (!turtle_ok_parse(&ok, item))
        return "malformed";
    struct request *request = request_find(router, ok.request);
    if (request == NULL)
        return "unknown request";
    for (uint32_t given = request->answers; given != 0;) {
        const struct given *known = pool_at(&router->givens, given);
        if (known->tunnel == ok.tunnel)
            return "repeated";
        given = known->next;
    }
    uint32_t handle = pool_take(&router->givens);
    *(struct given *)pool_at(&router->givens, handle) = (struct given){ok.tunnel, request->answers};
    request->answers = handle;

    struct tunnel *tunnel = tunnel_find(router, ok.tunnel);
    if (tunnel == NULL) {
        tunnel = tunnel_add(router, ok.tunnel, now);
        tunnel->source = request->origin;
        tunnel->destination = from->number;
    }
    if (request->origin != 0) {
        if (neighbour_find(router, request->origin) != NULL)
            output_send(&router->outputs, request->origin, TURTLE_OK, item);
        return NULL;
    }
    for (struct home *home = router->monitored; home != NULL; home = home->hh.next) {
        if (home->last_request != ok.request || home->last_dig < 10)
            continue;
        if (tunnel->home == NULL && tunnel->source == 0) {
            tunnel->home = home;
            home->tunnel_count++;
        }
        if (tunnel->home == home)
            tell(router, ROUTER_TUNNEL_UP, tunnel);
    }
    return NULL;
}

/* §9 */
static const char *data_receive(struct router *router, const struct neighbour *from, struct bytes item,
                                uint64_t now)
{
    uint32_t id;
    bool stamps;
    if (!turtle_tunnel_item(&id, &stamps, item, from->generation))
        return "malformed";
    struct tunnel *tunnel = tunnel_find(router, id);
    if (tunnel == NULL)
        return "unknown tunnel";
    if (stamps)
        tunnel->used = now;
    tunnel->bytes += item.size;
    if (from->number != tunnel->source && from->number != tunnel->destination)
        return "neither side";
    uint32_t next = from->number == tunnel->destination ? tunnel->source : tunnel->destination;
    if (next != 0) {
        if (neighbour_find(router, next) != NULL)
            output_send(&router->outputs, next, item.data[3], item);
        return NULL;
    }
    struct bytes payload;
    if (tunnel->home == NULL || (tunnel->source != 0 && !tunnel->home->attached) ||
        !turtle_data_parse(&id, &payload, item))
        return "no service";
    tell(router, ROUTER_DATA, tunnel);
    router->outputs.list[router->outputs.count - 1].value.payload = payload;
    return NULL;
}

const char *router_receive(struct router *router, uint32_t number, struct bytes item, uint64_t now)
{
    outputs_begin(&router->outputs);
    router->stats.items_in++;
    const struct neighbour *from = neighbour_find(router, number);
    if (from == NULL || item.size < ITEM_HEADER_SIZE)
        return "nobody";
    switch (item.data[3]) {
    case TURTLE_OPEN:
        return open_receive(router, from, item, now);
    case TURTLE_OK:
        return ok_receive(router, from, item, now);
    default:
        return data_receive(router, from, item, now);
    }
}

bool router_serve(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], bool guessable)
{
    (void)guessable;
    outputs_begin(&router->outputs);
    struct home *home = home_find(router->served, hash);
    if (home == NULL)
        home = home_add(&router->served, hash);
    if (home == NULL)
        return false;
    home->stopped = false;
    return true;
}

/* New tunnels are refused; those that are there stay until they are idle (protocol 03 §6). */
void router_unserve(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], uint64_t now)
{
    (void)now;
    outputs_begin(&router->outputs);
    struct home *home = home_find(router->served, hash);
    if (home != NULL)
        home->stopped = true;
}

bool router_dig(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], enum dig_urgency urgency,
                uint64_t now)
{
    (void)urgency;
    outputs_begin(&router->outputs);
    if (router->tick_at < now) /* ticks that were left out */
        router->tick_at += (now - router->tick_at + TICK_MS - 1) / TICK_MS * TICK_MS;
    struct home *home = home_find(router->monitored, hash);
    if (home == NULL) {
        home = home_add(&router->monitored, hash);
        if (home == NULL)
            return false;
        home->last_dig = random_below(&router->random, 10);
    }
    home->stopped = false;
    return true;
}

void router_stop(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], uint64_t now)
{
    (void)now;
    outputs_begin(&router->outputs);
    struct home *home = home_find(router->monitored, hash);
    if (home != NULL)
        home->stopped = true;
}

bool router_send(struct router *router, uint64_t number, struct bytes payload, uint64_t now)
{
    outputs_begin(&router->outputs);
    struct tunnel *tunnel = tunnel_find(router, (uint32_t)number);
    if (tunnel == NULL || tunnel->home == NULL)
        return false;
    tunnel->used = now;
    tunnel->bytes += payload.size;
    uint32_t to = tunnel->source == 0 ? tunnel->destination : tunnel->source;
    struct buffer *arena = &router->outputs.arena;
    size_t begin = buffer_size(arena);
    if (neighbour_find(router, to) == NULL || !turtle_data_write(arena, TURTLE_DATA, tunnel->id, payload))
        return false;
    return output_send_arena(&router->outputs, to, TURTLE_DATA, begin, buffer_size(arena) - begin);
}

/* Neither exists in 2013: nobody confirms, and no tunnel is given up. */
void router_confirm(struct router *router, uint64_t number)
{
    (void)number;
    outputs_begin(&router->outputs);
}

void router_close(struct router *router, uint64_t number, uint64_t now)
{
    (void)number;
    (void)now;
    outputs_begin(&router->outputs);
}

/* §5: at most one request in two seconds, for what was asked longest ago. */
static void manage(struct router *router, uint64_t now)
{
    struct home *due = NULL;
    for (struct home *home = router->monitored; home != NULL; home = home->hh.next) {
        uint64_t wait = home->tunnel_count == 0 ? DIG_EMPTY_MS : DIG_REGULAR_MS;
        if (!home->stopped && now >= home->last_dig + wait && (due == NULL || home->last_dig < due->last_dig))
            due = home;
    }
    if (due == NULL)
        return;
    struct turtle_open open = {.request = random_u32(&router->random)};
    memcpy(open.hash, due->hash, TURTLE_HASH_SIZE);
    open.partial = print(router, due->hash, router->bias, true);
    due->last_request = open.request;
    due->last_dig = now;
    router->stats.digs++;
    double chance = forward_chance(&router->flow, 0, router->neighbour_count, router->per_second);
    request_add(router, open.request, 0, now);
    request_forward(router, 0, &open, chance);
    struct router_output *output = outputs_add(&router->outputs, ROUTER_DUG);
    if (output != NULL)
        memcpy(output->hash, due->hash, TURTLE_HASH_SIZE);
}

/* §10 */
static void wash(struct router *router, uint64_t now)
{
    router->washed = now;
    while (router->oldest != 0 &&
           ((struct request *)pool_at(&router->requests, router->oldest))->at + REQUEST_LIFE_MS < now)
        request_forget(router);
    for (uint32_t handle = router->all_tunnels.first; handle != 0;) {
        struct tunnel *tunnel = pool_at(&router->tunnels, handle);
        handle = tunnel->links.next;
        bool unwanted = tunnel->home != NULL && tunnel->source == 0 && tunnel->home->stopped;
        if (unwanted || tunnel->used + TUNNEL_LIFE_MS < now)
            tunnel_close(router, tunnel);
    }
    struct home *home, *next;
    HASH_ITER(hh, router->monitored, home, next)
    {
        if (home->stopped) {
            HASH_DEL(router->monitored, home);
            free(home);
        }
    }
}

void router_tick(struct router *router, uint64_t now)
{
    outputs_begin(&router->outputs);
    if (now < router->tick_at)
        return;
    router->tick_at += (now - router->tick_at) / TICK_MS * TICK_MS + TICK_MS;
    request_flow_fold(&router->flow, now);
    if (now > router->washed + WASH_MS)
        wash(router, now);
    manage(router, now);
}

/* Ticks at which nothing can happen are left out. */
uint64_t router_deadline(const struct router *router)
{
    if (router->monitored != NULL)
        return router->tick_at;
    if (router->oldest == 0 && router->all_tunnels.first == 0)
        return UINT64_MAX;
    uint64_t first = router->washed + WASH_MS + 1;
    if (first <= router->tick_at)
        return router->tick_at;
    return router->tick_at + (first - router->tick_at + TICK_MS - 1) / TICK_MS * TICK_MS;
}

bool router_next(struct router *router, struct router_output *out)
{
    return output_take(&router->outputs, out);
}

void router_stats(const struct router *router, struct router_stats *out)
{
    *out = router->stats;
    out->outputs_lost = router->outputs.lost;
    out->neighbours = router->neighbour_count;
    out->requests = router->requests.taken;
    out->tunnels_relayed = router->tunnels.taken;
    out->wanted = HASH_COUNT(router->monitored);
    out->served = HASH_COUNT(router->served);
}
