/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "tunnel/router_internal.h"

struct neighbour *neighbour_at(const struct router *router, uint32_t handle)
{
    return pool_at(&router->neighbours, handle);
}

struct neighbour *neighbour_find(const struct router *router, uint32_t number)
{
    uint32_t handle = id_table_find(&router->neighbour_numbers, number);
    return handle == 0 ? NULL : neighbour_at(router, handle);
}

bool neighbour_reached(const struct router *router, const struct neighbour *neighbour,
                       const struct request *request)
{
    if (neighbour->handle == request->origin ||
        (request->generations & GENERATION_BIT(neighbour->generation)) == 0)
        return false;
    if (neighbour->serial < request->serial_from || neighbour->serial > request->serial_to)
        return false;
    if (request->chance == UINT32_MAX)
        return true;
    uint8_t coin[TURTLE_HASH_SIZE] = {0};
    for (unsigned i = 0; i < 4; i++)
        coin[i] = (uint8_t)(neighbour->serial >> 8 * i);
    return router_print(router, PRINT_COIN, coin, request->id).bits <= request->chance;
}

struct neighbour *neighbour_fullest(const struct router *router, struct list *(*of)(struct neighbour *))
{
    struct neighbour *fullest = NULL;
    for (uint32_t i = 0; i < router->all_count; i++) {
        if (fullest == NULL || of(router->all[i])->count > of(fullest)->count)
            fullest = router->all[i];
    }
    return fullest;
}

static struct neighbour *add(struct router *router, uint32_t number)
{
    if (router->all_count == router->all_capacity) {
        uint32_t capacity = router->all_capacity == 0 ? 16 : router->all_capacity * 2;
        struct neighbour **all = reallocarray(router->all, capacity, sizeof(struct neighbour *));
        if (all == NULL)
            return NULL;
        router->all = all;
        router->all_capacity = capacity;
    }
    uint32_t handle = pool_take(&router->neighbours);
    if (handle == 0)
        return NULL;
    if (id_table_add(&router->neighbour_numbers, number, handle) == NULL) {
        pool_return(&router->neighbours, handle);
        return NULL;
    }
    struct neighbour *neighbour = neighbour_at(router, handle);
    neighbour->number = number;
    neighbour->handle = handle;
    neighbour->position = router->all_count;
    router->all[router->all_count++] = neighbour;
    return neighbour;
}

static void down(struct router *router, struct neighbour *neighbour, uint64_t now)
{
    /* Out of the list first: what is dug again because of this must not go to it. */
    struct neighbour *last = router->all[--router->all_count];
    router->all[neighbour->position] = last;
    last->position = neighbour->position;
    id_table_remove(&router->neighbour_numbers, neighbour->number);

    tunnels_neighbour_gone(router, neighbour);
    while (neighbour->ends != NULL)
        end_remove(router, neighbour->ends, "the friend it came through is gone", now);
    requests_neighbour_gone(&router->requests, neighbour);
    requests_neighbour_gone(&router->searches, neighbour);
    serve_forget_neighbour(router, neighbour->number);
    pool_return(&router->neighbours, neighbour->handle);
}

void router_neighbour_up(struct router *router, uint32_t number, enum turtle_generation generation,
                         uint64_t now)
{
    outputs_begin(&router->outputs);
    struct neighbour *known = neighbour_find(router, number);
    if (known != NULL)
        down(router, known, now);
    struct neighbour *neighbour = add(router, number);
    if (neighbour != NULL) {
        neighbour->generation = generation;
        neighbour->serial = ++router->last_serial;
        neighbour->requests = bucket_make(REQUESTS_PER_SECOND, REQUEST_BURST, now);
        dig_neighbour_up(router, neighbour, now);
    }
    dig_tick(router, now);
}

void router_neighbour_down(struct router *router, uint32_t number, uint64_t now)
{
    outputs_begin(&router->outputs);
    struct neighbour *neighbour = neighbour_find(router, number);
    if (neighbour == NULL)
        return;
    down(router, neighbour, now);
    dig_tick(router, now);
}

void neighbours_free(struct router *router)
{
    free(router->all);
    id_table_free(&router->neighbour_numbers);
    pool_free(&router->neighbours);
}
