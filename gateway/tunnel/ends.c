/* SPDX-License-Identifier: ISC */
#include "tunnel/router_internal.h"

/* A confirmed tunnel may be given up for a new one when it was quiet for this long: a peer that lost its
 * friends comes back by another way before the old one has timed out. */
enum { QUIET_MS = 20000 };

struct end *end_at(const struct router *router, uint32_t handle)
{
    return pool_at(&router->ends, handle);
}

static uint32_t handle_in(uint64_t number)
{
    return (uint32_t)(number & ((1U << END_BITS) - 1));
}

static struct end *find(const struct router *router, uint64_t number)
{
    uint32_t handle = handle_in(number);
    if (handle == 0 || handle > router->ends.fresh)
        return NULL;
    struct end *end = end_at(router, handle);
    return end->home != NULL && end->number == number ? end : NULL;
}

/* Who gives way when a hash has all its tunnels: one that never carried a valid packet, else one that is
 * quiet; of those the one from which nothing came for longest. What we send ourselves says nothing about the
 * other side. */
static struct end *least_needed(const struct home *home, uint64_t now)
{
    struct end *victim = NULL;
    struct end *end;
    DL_FOREACH(home->ends, end)
    {
        if (end->confirmed && end->heard + QUIET_MS > now)
            continue;
        bool better = victim == NULL || (victim->confirmed && !end->confirmed) ||
                      (victim->confirmed == end->confirmed && end->heard < victim->heard);
        if (better)
            victim = end;
    }
    return victim;
}

struct end *end_add(struct router *router, struct home *home, struct neighbour *neighbour, uint32_t tunnel_id,
                    uint32_t request, uint64_t now)
{
    if (neighbour->end_count >= router->options.own_per_neighbour)
        return NULL;
    struct end *victim = NULL;
    if (home->count >= router->options.own_per_hash) {
        victim = least_needed(home, now);
        if (victim == NULL)
            return NULL;
    }
    uint32_t handle = pool_take(&router->ends);
    if (handle == 0)
        return NULL;
    bool ours = home->role == ROUTER_INITIATOR;
    struct tunnel *tunnel =
        tunnel_add(router, tunnel_id, ours ? NULL : neighbour, ours ? neighbour : NULL, handle, now);
    if (tunnel == NULL) {
        pool_return(&router->ends, handle);
        return NULL;
    }
    tunnel_record(&router->tunnels, tunnel)->request = request;
    struct end *end = end_at(router, handle);
    end->number = ++router->last_end << END_BITS | handle;
    end->home = home;
    end->tunnel_id = tunnel_id;
    end->neighbour = neighbour;
    end->heard = now;
    DL_APPEND(home->ends, end);
    home->count++;
    DL_APPEND2(neighbour->ends, end, neighbour_prev, neighbour_next);
    neighbour->end_count++;
    if (victim != NULL)
        end_remove(router, victim, "it gave way to a newer one", now);
    return end;
}

static void tell(struct router *router, const struct end *end, enum router_output_kind kind,
                 const char *reason)
{
    struct router_output *output = outputs_add(&router->outputs, kind);
    if (output == NULL)
        return;
    output->neighbour = end->neighbour->number;
    output->tunnel = end->number;
    output->tunnel_id = end->tunnel_id;
    memcpy(output->hash, end->home->hash, sizeof output->hash);
    output->role = end->home->role;
    output->reason = reason;
}

void end_announce(struct router *router, const struct end *end)
{
    tell(router, end, ROUTER_TUNNEL_UP, NULL);
}

static void take_away(struct router *router, struct end *end, const char *reason)
{
    tell(router, end, ROUTER_TUNNEL_DOWN, reason);
    DL_DELETE(end->home->ends, end);
    end->home->count--;
    DL_DELETE2(end->neighbour->ends, end, neighbour_prev, neighbour_next);
    end->neighbour->end_count--;
    tunnel_remove(router, tunnel_find(&router->tunnels, end->tunnel_id));
    end->home = NULL;
    pool_return(&router->ends, handle_in(end->number));
}

void end_remove(struct router *router, struct end *end, const char *reason, uint64_t now)
{
    struct home *home = end->home;
    take_away(router, end, reason);
    if (home->role == ROUTER_INITIATOR && home->count == 0)
        dig_lost(router, (struct wanted *)home, false, now);
}

void home_close(struct router *router, struct home *home, const char *reason)
{
    while (home->ends != NULL)
        take_away(router, home->ends, reason);
}

bool router_send(struct router *router, uint64_t number, struct bytes payload, uint64_t now)
{
    outputs_begin(&router->outputs);
    const struct end *end = find(router, number);
    if (end == NULL || payload.size > ITEM_SIZE_MAX - TURTLE_DATA_OVERHEAD)
        return false;
    struct tunnel *tunnel = tunnel_find(&router->tunnels, end->tunnel_id);
    struct buffer *arena = &router->outputs.arena;
    size_t begin = buffer_size(arena);
    size_t size = payload.size + TURTLE_DATA_OVERHEAD;
    if (!turtle_data_write(arena, TURTLE_DATA, end->tunnel_id, payload) ||
        !output_send_arena(&router->outputs, end->neighbour->number, TURTLE_DATA, begin, size))
        return false;
    tunnel->used = now;
    tunnel->bytes += size;
    return true;
}

void router_confirm(struct router *router, uint64_t number)
{
    outputs_begin(&router->outputs);
    struct end *end = find(router, number);
    if (end == NULL || end->confirmed)
        return;
    end->confirmed = true;
    if (end->home->role == ROUTER_ENDPOINT)
        serve_confirmed(end);
}

void router_close(struct router *router, uint64_t number, uint64_t now)
{
    outputs_begin(&router->outputs);
    struct end *end = find(router, number);
    if (end == NULL)
        return;
    struct home *home = end->home;
    take_away(router, end, "closed here");
    if (home->role == ROUTER_INITIATOR && home->count == 0)
        dig_lost(router, (struct wanted *)home, true, now);
    dig_tick(router, now);
}
