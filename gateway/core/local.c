/* SPDX-License-Identifier: ISC */
#include "core/local.h"

#include "core/conversations.h"

static const uint64_t LOCAL = UINT64_C(1) << 63;

bool local_is(uint64_t tunnel)
{
    return (tunnel & LOCAL) != 0;
}

static struct gateway *gateway_of(const struct route *route)
{
    return route->conversation->account->gateway;
}

static struct route_hash *other_side(const struct route_hash *entry)
{
    return hash_find(gateway_of(entry->route), entry->key.hash,
                     entry->key.role == ROUTER_INITIATOR ? ROUTER_ENDPOINT : ROUTER_INITIATOR);
}

static void up(const struct route_hash *entry)
{
    struct route *route = entry->route;
    chat_tunnel_up(route->chat, entry->local, entry->key.hash, entry->key.role == ROUTER_INITIATOR,
                   uv_now(gateway_of(route)->loop), clock_wall_ms() / 1000);
    route_mark_dirty(route);
}

bool local_join(struct route_hash *entry)
{
    struct route_hash *other = other_side(entry);
    struct gateway *gateway = gateway_of(entry->route);
    if (!entry->active || other == NULL || !other->active || gateway->phase == NODE_CLOSING)
        return false;
    if (entry->local == 0) {
        struct route_hash *opener = entry->key.role == ROUTER_INITIATOR ? entry : other;
        entry->local = other->local = LOCAL | ++gateway->last_local_tunnel;
        up(opener);
        up(opener == entry ? other : entry);
    }
    return true;
}

static void down(struct route *route, uint64_t tunnel, const char *reason)
{
    if (route->chat == NULL)
        return;
    chat_tunnel_down(route->chat, tunnel, reason, uv_now(gateway_of(route)->loop), clock_wall_ms() / 1000);
    route_mark_dirty(route);
}

void local_part(struct route_hash *entry, const char *reason)
{
    uint64_t tunnel = entry->local;
    if (tunnel == 0)
        return;
    struct route_hash *other = other_side(entry);
    entry->local = 0;
    down(entry->route, tunnel, reason);
    if (other != NULL && other->local == tunnel) {
        other->local = 0;
        down(other->route, tunnel, reason);
    }
}

bool local_connect(struct route *route)
{
    struct route_hash *entry;
    bool joined = false;
    LL_FOREACH(route->hashes, entry)
    joined |= local_join(entry);
    return joined;
}

void local_disconnect(struct route *route, const char *reason)
{
    struct route_hash *entry;
    LL_FOREACH(route->hashes, entry)
    local_part(entry, reason);
}

static struct route_hash *entry_with(const struct route *route, uint64_t tunnel)
{
    struct route_hash *entry;
    LL_SEARCH_SCALAR(route->hashes, entry, local, tunnel);
    return entry;
}

void local_close(struct route *route, uint64_t tunnel, const char *reason)
{
    struct route_hash *entry = entry_with(route, tunnel);
    if (entry != NULL)
        local_part(entry, reason);
}

void local_send(struct route *route, uint64_t tunnel, struct bytes payload)
{
    const struct route_hash *entry = entry_with(route, tunnel), *other;
    if (entry == NULL || (other = other_side(entry)) == NULL || other->local != tunnel ||
        other->route->chat == NULL)
        return;
    chat_receive(other->route->chat, tunnel, payload, uv_now(gateway_of(route)->loop),
                 clock_wall_ms() / 1000);
    route_mark_dirty(other->route);
}

void local_meet_all(struct gateway *gateway)
{
    struct route_hash *entry, *next;
    HASH_ITER(hh, gateway->hashes, entry, next)
    {
        if (entry->key.role == ROUTER_INITIATOR && entry->local == 0)
            local_join(entry);
    }
}
