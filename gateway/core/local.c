/* SPDX-License-Identifier: ISC */
#include "core/local.h"

#include "core/conversations.h"

static const uint64_t LOCAL = UINT64_C(1) << 63;

bool local_is(uint64_t tunnel)
{
    return (tunnel & LOCAL) != 0;
}

static void up(struct route *route, struct route *peer, uint64_t tunnel)
{
    struct gateway *gateway = route->conversation->account->gateway;
    route->local_peer = peer;
    route->local_tunnel = tunnel;
    chat_tunnel_up(route->chat, tunnel, uv_now(gateway->loop), clock_wall_ms() / 1000);
    route_mark_dirty(route);
}

bool local_connect(struct route *route)
{
    struct gateway *gateway = route->conversation->account->gateway;
    struct route *peer = NULL;
    if (route->role != CHAT_GUEST)
        return false;
    HASH_FIND(hh, gateway->routes_served, route->hash, sizeof route->hash, peer);
    if (peer == NULL)
        return false;
    if (route->local_peer == NULL && peer->local_peer == NULL) {
        uint64_t tunnel = LOCAL | ++gateway->last_local_tunnel;
        up(route, peer, tunnel);
        up(peer, route, tunnel);
    }
    return true;
}

void local_meet(struct route *route)
{
    struct route *guest = NULL;
    HASH_FIND(hh, route->conversation->account->gateway->routes_wanted, route->hash, sizeof route->hash,
              guest);
    if (guest != NULL && guest->wanted)
        local_connect(guest);
}

static void down(struct route *route, const char *reason)
{
    struct gateway *gateway = route->conversation->account->gateway;
    route->local_peer = NULL;
    if (route->chat == NULL)
        return;
    chat_tunnel_down(route->chat, route->local_tunnel, reason, uv_now(gateway->loop), clock_wall_ms() / 1000);
    route_mark_dirty(route);
}

void local_disconnect(struct route *route, const char *reason)
{
    struct route *peer = route->local_peer;
    if (peer == NULL)
        return;
    down(route, reason);
    down(peer, reason);
}

void local_send(struct route *route, struct bytes payload)
{
    struct route *peer = route->local_peer;
    if (peer == NULL || peer->chat == NULL)
        return;
    struct gateway *gateway = route->conversation->account->gateway;
    chat_receive(peer->chat, peer->local_tunnel, payload, uv_now(gateway->loop), clock_wall_ms() / 1000);
    route_mark_dirty(peer);
}
