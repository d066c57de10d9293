/* SPDX-License-Identifier: ISC */
#include "tunnel/requests.h"

#include "tunnel/router_internal.h"

static struct request *at(const struct request_table *table, uint32_t handle)
{
    return pool_at(&table->pool, handle);
}

static struct links *order_links(const struct pool *pool, uint32_t node)
{
    return &((struct request *)pool_at(pool, node))->order;
}

static struct links *origin_links(const struct pool *pool, uint32_t node)
{
    return &((struct request *)pool_at(pool, node))->by_origin;
}

void request_table_init(struct request_table *table, const uint64_t key[2], size_t limit,
                        struct list *(*list_of)(struct neighbour *), bool refuse_fullest)
{
    *table = (struct request_table){.list_of = list_of, .refuse_fullest = refuse_fullest};
    id_table_init(&table->ids, sizeof(struct id_cell), key);
    pool_init(&table->pool, sizeof(struct request), limit);
}

void request_table_free(struct request_table *table)
{
    id_table_free(&table->ids);
    pool_free(&table->pool);
}

struct request *request_find(const struct request_table *table, uint32_t id)
{
    uint32_t handle = id_table_find(&table->ids, id);
    return handle == 0 ? NULL : at(table, handle);
}

static struct list *share_of(struct router *router, struct request_table *table,
                             const struct request *request)
{
    if (request->origin != 0)
        return table->list_of(neighbour_at(router, request->origin));
    return request->own ? &table->own : &table->gone;
}

static void forget(struct router *router, struct request_table *table, uint32_t handle)
{
    struct request *request = at(table, handle);
    list_remove(share_of(router, table, request), &table->pool, origin_links, handle);
    list_remove(&table->order, &table->pool, order_links, handle);
    id_table_remove(&table->ids, request->id);
    pool_return(&table->pool, handle);
}

static bool make_room(struct router *router, struct request_table *table, const struct neighbour *origin)
{
    if (table->pool.taken < table->pool.limit)
        return true;
    uint32_t victim = table->gone.first;
    if (victim == 0) {
        struct neighbour *fullest = neighbour_fullest(router, table->list_of);
        if (fullest != NULL && !(table->refuse_fullest && fullest == origin))
            victim = table->list_of(fullest)->first;
    }
    if (victim == 0)
        return false;
    forget(router, table, victim);
    return true;
}

struct request *request_add(struct router *router, struct request_table *table, uint32_t id,
                            struct neighbour *origin, uint64_t now)
{
    if (!make_room(router, table, origin))
        return NULL;
    uint32_t handle = pool_take(&table->pool);
    if (handle == 0)
        return NULL;
    if (id_table_add(&table->ids, id, handle) == NULL) {
        pool_return(&table->pool, handle);
        return NULL;
    }
    struct request *request = at(table, handle);
    request->id = id;
    request->at = now;
    request->own = origin == NULL;
    if (origin != NULL) {
        request->origin = origin->handle;
        request->origin_generation = (uint8_t)origin->generation;
    }
    list_append(&table->order, &table->pool, order_links, handle);
    list_append(share_of(router, table, request), &table->pool, origin_links, handle);
    return request;
}

bool requests_expire(struct router *router, struct request_table *table, size_t most, uint64_t now)
{
    for (; table->order.first != 0 && at(table, table->order.first)->at + REQUEST_MEMORY_MS <= now; most--) {
        if (most == 0)
            return false;
        forget(router, table, table->order.first);
    }
    return true;
}

uint64_t requests_deadline(const struct request_table *table)
{
    return table->order.first == 0 ? UINT64_MAX : at(table, table->order.first)->at + REQUEST_MEMORY_MS;
}

void requests_neighbour_gone(struct request_table *table, struct neighbour *neighbour)
{
    struct list *list = table->list_of(neighbour);
    while (list->first != 0) {
        uint32_t handle = list->first;
        list_remove(list, &table->pool, origin_links, handle);
        at(table, handle)->origin = 0;
        list_append(&table->gone, &table->pool, origin_links, handle);
    }
}

void requests_unwanted(struct request_table *table, const struct wanted *wanted)
{
    for (uint32_t handle = table->own.first; handle != 0; handle = at(table, handle)->by_origin.next) {
        if (at(table, handle)->wanted == wanted)
            at(table, handle)->wanted = NULL;
    }
}
