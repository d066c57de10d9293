/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/map.h"
#include "tunnel/id_table.h"
#include "tunnel/router.h"

/* What it costs to relay one 1 KiB data item, by the number of tunnels, against the least that any relay must
 * do: look an id up among as many, and read and write the item's header. Both touch the tunnels in the same
 * random order, so that both pay for the same cache misses. */

enum { NEIGHBOURS = 20, ITEM_SIZE = 1024, ROUNDS = 2000000 };

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

struct known {
    uint32_t *ids;
    uint32_t *neighbours;
    size_t count;
};

static void note(void *arg, const struct router_tunnel *tunnel)
{
    struct known *known = arg;
    known->ids[known->count] = tunnel->tunnel_id;
    known->neighbours[known->count++] = tunnel->towards_initiator;
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static double relay(struct router *router, const struct known *known, uint64_t now)
{
    uint8_t item[ITEM_SIZE] = {2, 0, 0x14, TURTLE_DATA};
    set_u32(item + 4, ITEM_SIZE);
    set_u32(item + 12, ITEM_SIZE - TURTLE_DATA_OVERHEAD);
    uint32_t state = 1;
    uint64_t began = nanoseconds();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        size_t which = next_random(&state) % known->count;
        set_u32(item + 8, known->ids[which]);
        if (router_receive(router, known->neighbours[which], (struct bytes){item, sizeof item}, now) != NULL)
            abort();
        struct router_output output;
        if (!router_next(router, &output) || output.item.size != ITEM_SIZE)
            abort();
    }
    return (double)(nanoseconds() - began) / ROUNDS;
}

static double least(const struct id_table *table, uint8_t *records, const struct known *known)
{
    uint8_t header[16] = {2, 0, 0x14, TURTLE_DATA};
    uint32_t state = 1;
    uint64_t began = nanoseconds();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        size_t which = next_random(&state) % known->count;
        set_u32(header + 8, known->ids[which]);
        uint32_t handle = id_table_find(table, known->ids[which]);
        memcpy(records + (size_t)(handle - 1) * 64, header, sizeof header);
    }
    uint64_t ended = nanoseconds();
    volatile uint8_t sink = records[0];
    (void)sink;
    return (double)(ended - began) / ROUNDS;
}

/* The same with the hash map of the other rooms: why the router has a table of its own. */
struct mapped {
    uint32_t id;
    uint8_t header[16];
    UT_hash_handle hh;
};

static double with_map(struct mapped *map, const struct known *known)
{
    uint8_t header[16] = {2, 0, 0x14, TURTLE_DATA};
    uint32_t state = 1;
    uint64_t began = nanoseconds();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        size_t which = next_random(&state) % known->count;
        set_u32(header + 8, known->ids[which]);
        struct mapped *found;
        HASH_FIND(hh, map, &known->ids[which], sizeof(uint32_t), found);
        memcpy(found->header, header, sizeof header);
    }
    return (double)(nanoseconds() - began) / ROUNDS;
}

static double measure_map(const struct known *known)
{
    struct mapped *map = NULL;
    struct mapped *all = calloc(known->count, sizeof *all);
    if (all == NULL)
        abort();
    for (size_t i = 0; i < known->count; i++) {
        all[i].id = known->ids[i];
        HASH_ADD(hh, map, id, sizeof(uint32_t), &all[i]);
    }
    double ns = with_map(map, known);
    HASH_CLEAR(hh, map);
    free(all);
    return ns;
}

static void measure(uint32_t tunnels)
{
    size_t before = resident();
    struct router_options options = {
        .tunnel_limit = 1U << 22, .tunnels_per_neighbour = 1U << 22, .request_limit = 1000};
    struct router *router = router_new(&options, &random_system, 0);
    if (router == NULL)
        abort();
    uint64_t now = fill(router, tunnels);
    double bytes = (double)(resident() - before) / tunnels;
    struct known known = {calloc(tunnels, sizeof(uint32_t)), calloc(tunnels, sizeof(uint32_t)), 0};
    struct id_table table;
    id_table_init(&table, sizeof(struct id_cell), (uint64_t[2]){random_u64(&random_system), random_u64(&random_system)});
    uint8_t *records = calloc(tunnels, 64);
    if (known.ids == NULL || known.neighbours == NULL || records == NULL)
        abort();
    router_each_tunnel(router, now, note, &known);
    for (uint32_t i = 0; i < known.count; i++) {
        if (id_table_add(&table, known.ids[i], i + 1) == NULL)
            abort();
    }
    relay(router, &known, now);
    double router_ns = relay(router, &known, now);
    double least_ns = least(&table, records, &known);
    printf("%10zu %12.1f %14.1f %8.1f %14.1f %14.0f\n", known.count, router_ns, least_ns,
           router_ns / least_ns, measure_map(&known), bytes);
    id_table_free(&table);
    free(records);
    free(known.ids);
    free(known.neighbours);
    router_free(router);
}

int main(void)
{
    printf("%10s %12s %14s %8s %14s %14s\n", "tunnels", "relay ns", "lookup+16B ns", "ratio", "uthash+16B ns",
           "bytes/tunnel");
    for (uint32_t tunnels = 100; tunnels <= 1000000; tunnels *= 100)
        measure(tunnels);
    return 0;
}
