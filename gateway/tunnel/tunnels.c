/* SPDX-License-Identifier: ISC */
#include "tunnel/tunnels.h"

#include "tunnel/router_internal.h"

static struct links *wheel_links(const struct pool *pool, uint32_t node)
{
    return &((struct tunnel_record *)pool_at(pool, node))->wheel;
}

static struct links *side_links(const struct pool *pool, uint32_t node)
{
    return &((struct tunnel_record *)pool_at(pool, node >> 1))->sides[node & 1];
}

void tunnel_table_init(struct tunnel_table *table, const uint64_t key[2], size_t limit, size_t per_neighbour,
                       uint64_t now)
{
    *table = (struct tunnel_table){.second = now / 1000, .per_neighbour = (uint32_t)per_neighbour};
    id_table_init(&table->ids, sizeof(struct tunnel), key);
    pool_init(&table->records, sizeof(struct tunnel_record), limit);
}

void tunnel_table_free(struct tunnel_table *table)
{
    id_table_free(&table->ids);
    pool_free(&table->records);
}

static struct tunnel *tunnel_of(const struct tunnel_table *table, uint32_t handle)
{
    const struct tunnel_record *record = pool_at(&table->records, handle);
    return tunnel_find(table, record->id);
}

/* The second after the one in which the tunnel will have been idle for long enough. */
static uint64_t due_second(const struct tunnel *tunnel)
{
    return (tunnel->used + TUNNEL_IDLE_MS) / 1000 + 1;
}

/* Never a whole turn ahead: when ticks are late, a tunnel is looked at too early instead, and put again. */
static void wheel_put(struct tunnel_table *table, const struct tunnel *tunnel)
{
    struct tunnel_record *record = tunnel_record(table, tunnel);
    uint64_t due = due_second(tunnel);
    uint64_t furthest = table->second + WHEEL_SLOTS - 1;
    record->slot = (due < furthest ? due : furthest) % WHEEL_SLOTS;
    list_append(&table->wheel[record->slot], &table->records, wheel_links, tunnel->cell.handle);
    table->occupied |= UINT64_C(1) << record->slot;
}

static void wheel_take(struct tunnel_table *table, const struct tunnel *tunnel)
{
    unsigned slot = tunnel_record(table, tunnel)->slot;
    list_remove(&table->wheel[slot], &table->records, wheel_links, tunnel->cell.handle);
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

static uint16_t handle_of(const struct neighbour *neighbour)
{
    _Static_assert(NEIGHBOURS_LIMIT <= UINT16_MAX, "handles of neighbours take two bytes");
    return neighbour == NULL ? 0 : (uint16_t)neighbour->handle;
}

static struct list *relayed_of(struct neighbour *neighbour)
{
    return &neighbour->relayed;
}

static void sides_put(struct router *router, const struct tunnel *tunnel)
{
    for (uint32_t side = 0; side < 2; side++)
        list_append(&neighbour_at(router, tunnel->neighbour[side])->relayed, &router->tunnels.records,
                    side_links, tunnel->cell.handle << 1 | side);
}

static void sides_take(struct router *router, const struct tunnel *tunnel)
{
    for (uint32_t side = 0; side < 2; side++)
        list_remove(&neighbour_at(router, tunnel->neighbour[side])->relayed, &router->tunnels.records,
                    side_links, tunnel->cell.handle << 1 | side);
}

void tunnel_remove(struct router *router, struct tunnel *tunnel)
{
    struct tunnel_table *table = &router->tunnels;
    struct id_cell cell = tunnel->cell;
    wheel_take(table, tunnel);
    if (tunnel->end == 0)
        sides_take(router, tunnel);
    else
        table->own--;
    id_table_remove(&table->ids, cell.id);
    pool_return(&table->records, cell.handle);
}

static void remove_least_used(struct router *router, const struct neighbour *neighbour)
{
    tunnel_remove(router, tunnel_of(&router->tunnels, neighbour->relayed.first >> 1));
}

static void keep_share(struct router *router, const struct neighbour *neighbour)
{
    if (neighbour->relayed.count >= router->tunnels.per_neighbour)
        remove_least_used(router, neighbour);
}

static struct tunnel *take(struct tunnel_table *table, uint32_t id)
{
    uint32_t handle = pool_take(&table->records);
    if (handle == 0)
        return NULL;
    struct tunnel *tunnel = (struct tunnel *)id_table_add(&table->ids, id, handle);
    if (tunnel == NULL)
        pool_return(&table->records, handle);
    return tunnel;
}

struct tunnel *tunnel_add(struct router *router, uint32_t id, struct neighbour *towards_initiator,
                          struct neighbour *towards_endpoint, uint32_t end, uint64_t now)
{
    struct tunnel_table *table = &router->tunnels;
    catch_up(table, now);
    if (end == 0) {
        keep_share(router, towards_initiator);
        keep_share(router, towards_endpoint);
    }
    if (table->records.taken >= table->records.limit) {
        const struct neighbour *fullest = neighbour_fullest(router, relayed_of);
        if (fullest == NULL || fullest->relayed.first == 0)
            return NULL;
        remove_least_used(router, fullest);
    }
    struct tunnel *tunnel = take(table, id);
    if (tunnel == NULL)
        return NULL;
    tunnel->neighbour[TOWARDS_INITIATOR] = handle_of(towards_initiator);
    tunnel->neighbour[TOWARDS_ENDPOINT] = handle_of(towards_endpoint);
    tunnel->end = end;
    tunnel->used = now;
    struct tunnel_record *record = tunnel_record(table, tunnel);
    record->id = id;
    record->created = (uint32_t)((now - router->began) / 1000) & 0x3ffffff;
    wheel_put(table, tunnel);
    if (end == 0)
        sides_put(router, tunnel);
    else
        table->own++;
    return tunnel;
}

/* It was used since it was put where it stands. */
static void move_back(struct router *router, const struct tunnel *tunnel)
{
    wheel_take(&router->tunnels, tunnel);
    wheel_put(&router->tunnels, tunnel);
    if (tunnel->end == 0) {
        sides_take(router, tunnel);
        sides_put(router, tunnel);
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
            struct tunnel *tunnel = tunnel_of(table, slot->first);
            if (most-- == 0)
                return false;
            if (due_second(tunnel) > now_second)
                move_back(router, tunnel);
            else if (tunnel->end != 0)
                end_remove(router, end_at(router, tunnel->end), "nothing came through it for a minute", now);
            else
                tunnel_remove(router, tunnel);
        }
    }
    return true;
}

void tunnels_neighbour_gone(struct router *router, struct neighbour *neighbour)
{
    while (neighbour->relayed.first != 0)
        remove_least_used(router, neighbour);
}
