/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/map.h"
#include "tunnel/id_table.h"
#include "tunnel/router.h"

/* What it costs to relay one 1 KiB data item, by the number of tunnels, against the least that any relay must
 * do: look an id up among as many, and read and write the item's header. All touch the tunnels in the same
 * random order. The least work is so short that the processor looks up several ids at a time; "in turn" each
 * waits for the one before, which shows what a single cache miss costs. The best of several rounds counts,
 * for what else the machine does only adds. */

enum { NEIGHBOURS = 20, ITEM_SIZE = 1024, ITEMS = 500000, ROUNDS = 7 };

static uint64_t nanoseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static size_t resident(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%*u %zu", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages * 4096;
}

static void set_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void discard(struct router *router)
{
    struct router_output output;
    while (router_next(router, &output)) {
    }
}

static uint32_t tunnel_id(uint32_t i)
{
    return i * 2654435761U;
}

/* A tunnel for each request, answered by the neighbour after the one who asked. The clock stands still but
 * for what the limits of requests need. */
static uint64_t fill(struct router *router, uint32_t tunnels)
{
    uint64_t now = 0;
    struct buffer item = buffer_make(256);
    for (uint32_t i = 0; i < NEIGHBOURS; i++)
        router_neighbour_up(router, 1 + i, TURTLE_06, now);
    for (uint32_t i = 0; i < tunnels; i++) {
        uint32_t from = i % NEIGHBOURS;
        if (from == 0)
            now += 60000;
        buffer_clear(&item);
        turtle_open_write(&item, &(struct turtle_open){.hash = {1}, .request = i + 1, .depth = 1}, TURTLE_06);
        if (router_receive(router, 1 + from, buffer_view(&item), now) != NULL)
            abort();
        struct router_output output;
        uint32_t answers = 0;
        while (router_next(router, &output))
            answers = output.neighbour;
        buffer_clear(&item);
        turtle_ok_write(&item, &(struct turtle_ok){.tunnel = tunnel_id(i), .request = i + 1});
        if (router_receive(router, answers, buffer_view(&item), now) != NULL)
            abort();
        discard(router);
    }
    buffer_free(&item);
    return now;
}

/* The items that come in: where they come from, and their tunnels. */
struct traffic {
    uint32_t (*tunnels)[2]; /* id, and neighbour towards the initiator */
    size_t count;
    struct arrival {
        uint32_t id;
        uint32_t neighbour;
    } items[ITEMS];
};

static void note(void *arg, const struct router_tunnel *tunnel)
{
    struct traffic *traffic = arg;
    traffic->tunnels[traffic->count][0] = tunnel->tunnel_id;
    traffic->tunnels[traffic->count++][1] = tunnel->towards_initiator;
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void mix(struct traffic *traffic)
{
    uint32_t state = 1;
    for (size_t i = 0; i < ITEMS; i++) {
        size_t which = next_random(&state) % traffic->count;
        traffic->items[i] = (struct arrival){traffic->tunnels[which][0], traffic->tunnels[which][1]};
    }
}

struct work {
    struct router *router;
    uint64_t now;
    struct id_table table;
    struct mapped *map;
    const struct traffic *traffic;
};

static void relay(struct work *work)
{
    uint8_t item[ITEM_SIZE] = {2, 0, 0x14, TURTLE_DATA};
    set_u32(item + 4, ITEM_SIZE);
    set_u32(item + 12, ITEM_SIZE - TURTLE_DATA_OVERHEAD);
    for (size_t i = 0; i < ITEMS; i++) {
        const struct arrival *arrival = &work->traffic->items[i];
        set_u32(item + 8, arrival->id);
        if (router_receive(work->router, arrival->neighbour, (struct bytes){item, sizeof item}, work->now) !=
            NULL)
            abort();
        struct router_output output;
        if (!router_next(work->router, &output) || output.item.size != ITEM_SIZE)
            abort();
    }
}

struct slot {
    struct id_cell cell;
    uint8_t header[16];
    uint64_t zero;
};

static inline void look_up(struct work *work, bool in_turn)
{
    uint8_t header[16] = {2, 0, 0x14, TURTLE_DATA};
    uint32_t zero = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        uint32_t id = work->traffic->items[i].id + zero;
        set_u32(header + 8, id);
        struct slot *slot = (struct slot *)id_table_cell(&work->table, id);
        memcpy(slot->header, header, sizeof header);
        if (in_turn)
            zero = (uint32_t)slot->zero;
    }
}

static void least(struct work *work)
{
    look_up(work, false);
}

static void least_in_turn(struct work *work)
{
    look_up(work, true);
}

/* The least with the hash map of the other rooms: why the router has a table of its own. */
struct mapped {
    uint32_t id;
    uint8_t header[16];
    UT_hash_handle hh;
};

static void with_map(struct work *work)
{
    uint8_t header[16] = {2, 0, 0x14, TURTLE_DATA};
    for (size_t i = 0; i < ITEMS; i++) {
        set_u32(header + 8, work->traffic->items[i].id);
        struct mapped *found;
        HASH_FIND(hh, work->map, &work->traffic->items[i].id, sizeof(uint32_t), found);
        memcpy(found->header, header, sizeof header);
    }
}

static double best(void (*of)(struct work *), struct work *work)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t began = nanoseconds();
        of(work);
        double each = (double)(nanoseconds() - began) / ITEMS;
        best = each < best ? each : best;
    }
    return best;
}

static void *needed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        abort();
    return memory;
}

static void measure(uint32_t tunnels)
{
    size_t before = resident();
    struct router_options options = {
        .tunnel_limit = 1U << 22, .tunnels_per_neighbour = 1U << 22, .request_limit = 1000};
    struct work work = {.router = router_new(&options, &random_system, 0)};
    if (work.router == NULL)
        abort();
    work.now = fill(work.router, tunnels);
    double bytes = (double)(resident() - before) / tunnels;

    static struct traffic traffic;
    traffic.count = 0;
    traffic.tunnels = needed(tunnels, sizeof traffic.tunnels[0]);
    router_each_tunnel(work.router, work.now, note, &traffic);
    mix(&traffic);
    work.traffic = &traffic;
    double relay_ns = best(relay, &work);
    router_free(work.router);

    struct mapped *mapped = needed(traffic.count, sizeof *mapped);
    id_table_init(&work.table, sizeof(struct slot),
                  (uint64_t[2]){random_u64(&random_system), random_u64(&random_system)});
    for (size_t i = 0; i < traffic.count; i++) {
        mapped[i].id = traffic.tunnels[i][0];
        HASH_ADD(hh, work.map, id, sizeof(uint32_t), &mapped[i]);
        if (id_table_add(&work.table, mapped[i].id, 1) == NULL)
            abort();
    }
    double in_turn_ns = best(least_in_turn, &work);
    printf("%10zu %10.1f %12.1f %10.1f %8.1f %12.1f %14.0f\n", traffic.count, relay_ns, in_turn_ns,
           best(least, &work), relay_ns / in_turn_ns, best(with_map, &work), bytes);
    HASH_CLEAR(hh, work.map);
    id_table_free(&work.table);
    free(mapped);
    free(traffic.tunnels);
}

int main(void)
{
    printf("%10s %10s %12s %10s %8s %12s %14s\n", "tunnels", "relay ns", "least in turn", "least", "ratio",
           "with uthash", "bytes/tunnel");
    for (uint32_t tunnels = 100; tunnels <= 1000000; tunnels *= 100)
        measure(tunnels);
    return 0;
}
