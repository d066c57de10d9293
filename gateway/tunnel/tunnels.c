/* SPDX-License-Identifier: ISC */
#include "tunnel/tunnels.h"

#include "tunnel/router_internal.h"

static struct links *wheel_links(const struct pool *pool, uint32_t node)
{
    return &((struct tunnel *)pool_at(pool, node))->wheel;
}

static struct links *side_links(const struct pool *pool, uint32_t node)
{
    return &((struct tunnel *)pool_at(pool, node >> 1))->sides[node & 1].links;
}

void tunnel_table_init(struct tunnel_table *table, const uint64_t key[2], size_t limit, size_t per_neighbour,
                       uint64_t now)
{
    *table = (struct tunnel_table){.second = now / 1000, .per_neighbour = (uint32_t)per_neighbour};
    id_table_init(&table->ids, key);
    pool_init(&table->pool, sizeof(struct tunnel), limit);
}

void tunnel_table_free(struct tunnel_table *table)
{
    id_table_free(&table->ids);
    pool_free(&table->pool);
}

struct tunnel *tunnel_find(const struct tunnel_table *table, uint32_t id)
{
    uint32_t handle = id_table_find(&table->ids, id);
    return handle == 0 ? NULL : tunnel_at(table, handle);
}

/* The second after the one in which the tunnel will have been idle for long enough. */
static uint64_t due_second(const struct tunnel *tunnel)
{
    return (tunnel->used + TUNNEL_IDLE_MS) / 1000 + 1;
}

/* Never a whole turn ahead: when ticks are late, a tunnel is looked at too early instead, and put again. */
static void wheel_put(struct tunnel_table *table, uint32_t handle)
{
    struct tunnel *tunnel = tunnel_at(table, handle);
    uint64_t due = due_second(tunnel);
    uint64_t furthest = table->second + WHEEL_SLOTS - 1;
    tunnel->slot = (due < furthest ? due : furthest) % WHEEL_SLOTS;
    list_append(&table->wheel[tunnel->slot], &table->pool, wheel_links, handle);
    table->occupied |= UINT64_C(1) << tunnel->slot;
}

static void wheel_take(struct tunnel_table *table, uint32_t handle)
{
    unsigned slot = tunnel_at(table, handle)->slot;
    list_remove(&table->wheel[slot], &table->pool, wheel_links, handle);
    if (table->wheel[slot].first == 0)
        table->occupied &= ~(UINT64_C(1) << slot);
}

uint64_t tunnels_deadline(const struct tunnel_table *table)
{
    if (table->occupied == 0)
        return UINT64_MAX;
    unsigned first = table->second % WHEEL_SLOTS;
    uint64_t turned =
        first == 0 ? table->occupied : table->occupied >> first | table->occupied << (WHEEL_SLOTS - first);
    return (table->second + (uint64_t)__builtin_ctzll(turned)) * 1000;
}

/* Empty slots need no tick to be passed. */
static void catch_up(struct tunnel_table *table, uint64_t now)
{
    uint64_t first_due = tunnels_deadline(table);
    table->second = (first_due < now ? first_due : now) / 1000;
}

static struct list *relayed_of(struct neighbour *neighbour)
{
    return &neighbour->relayed;
}

static void sides_put(struct router *router, uint32_t handle)
{
    struct tunnel_table *table = &router->tunnels;
    for (uint32_t side = 0; side < 2; side++) {
        struct neighbour *neighbour = neighbour_at(router, tunnel_at(table, handle)->sides[side].neighbour);
        list_append(&neighbour->relayed, &table->pool, side_links, handle << 1 | side);
    }
}

static void sides_take(struct router *router, uint32_t handle)
{
    struct tunnel_table *table = &router->tunnels;
    for (uint32_t side = 0; side < 2; side++) {
        struct neighbour *neighbour = neighbour_at(router, tunnel_at(table, handle)->sides[side].neighbour);
        list_remove(&neighbour->relayed, &table->pool, side_links, handle << 1 | side);
    }
}

void tunnel_remove(struct router *router, uint32_t handle)
{
    struct tunnel_table *table = &router->tunnels;
    const struct tunnel *tunnel = tunnel_at(table, handle);
    wheel_take(table, handle);
    if (tunnel->end == 0)
        sides_take(router, handle);
    else
        table->own--;
    id_table_remove(&table->ids, tunnel->id);
    pool_return(&table->pool, handle);
}

static void keep_share(struct router *router, const struct neighbour *neighbour)
{
    if (neighbour->relayed.count >= router->tunnels.per_neighbour)
        tunnel_remove(router, neighbour->relayed.first >> 1);
}

uint32_t tunnel_add(struct router *router, uint32_t id, struct neighbour *towards_initiator,
                    struct neighbour *towards_endpoint, uint32_t end, uint64_t now)
{
    struct tunnel_table *table = &router->tunnels;
    catch_up(table, now);
    if (end == 0) {
        keep_share(router, towards_initiator);
        keep_share(router, towards_endpoint);
    }
    if (table->pool.taken >= table->pool.limit) {
        const struct neighbour *fullest = neighbour_fullest(router, relayed_of);
        if (fullest == NULL || fullest->relayed.first == 0)
            return 0;
        tunnel_remove(router, fullest->relayed.first >> 1);
    }
    uint32_t handle = pool_take(&table->pool);
    if (handle == 0)
        return 0;
    if (!id_table_add(&table->ids, id, handle)) {
        pool_return(&table->pool, handle);
        return 0;
    }
    struct tunnel *tunnel = tunnel_at(table, handle);
    tunnel->id = id;
    tunnel->end = end;
    tunnel->used = now;
    tunnel->created = (uint32_t)((now - router->began) / 1000) & 0x3ffffff;
    tunnel->sides[TOWARDS_INITIATOR].neighbour = towards_initiator == NULL ? 0 : towards_initiator->handle;
    tunnel->sides[TOWARDS_ENDPOINT].neighbour = towards_endpoint == NULL ? 0 : towards_endpoint->handle;
    wheel_put(table, handle);
    if (end == 0)
        sides_put(router, handle);
    else
        table->own++;
    return handle;
}

/* It was used since it was put where it stands. */
static void move_back(struct router *router, uint32_t handle)
{
    struct tunnel_table *table = &router->tunnels;
    wheel_take(table, handle);
    wheel_put(table, handle);
    if (tunnel_at(table, handle)->end == 0) {
        sides_take(router, handle);
        sides_put(router, handle);
    }
}

bool tunnels_expire(struct router *router, size_t most, uint64_t now)
{
    struct tunnel_table *table = &router->tunnels;
    uint64_t now_second = now / 1000;
    /* After a pause longer than one turn of the wheel, one turn sees every slot. */
    if (now_second >= table->second + WHEEL_SLOTS)
        table->second = now_second - WHEEL_SLOTS + 1;
    for (; table->second <= now_second; table->second++) {
        struct list *slot = &table->wheel[table->second % WHEEL_SLOTS];
        while (slot->first != 0) {
            uint32_t handle = slot->first;
            const struct tunnel *tunnel = tunnel_at(table, handle);
            if (most-- == 0)
                return false;
            if (due_second(tunnel) > now_second)
                move_back(router, handle);
            else if (tunnel->end != 0)
                end_remove(router, end_at(router, tunnel->end), "nothing came through it for a minute", now);
            else
                tunnel_remove(router, handle);
        }
    }
    return true;
}

void tunnels_neighbour_gone(struct router *router, struct neighbour *neighbour)
{
    while (neighbour->relayed.first != 0)
        tunnel_remove(router, neighbour->relayed.first >> 1);
}
