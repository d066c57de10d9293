/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_HASHES_H
#define RETROGATE_CORE_HASHES_H

#include "core/state.h"

/* Which route serves a hash, and which one seeks it: one of each at most in the gateway. Were there two,
 * whose tunnels they are would depend on who came last, and the other side chooses the hash. */
struct route_hash_key {
    uint8_t hash[20];
    uint8_t role; /* enum router_role: the endpoint serves */
};

struct route_hash {
    struct route_hash_key key;
    bool active;    /* the route's chat asked for it */
    uint64_t local; /* the tunnel to another account of this gateway; 0: none */
    struct route *route;
    struct route_hash *next; /* of the route */
    UT_hash_handle hh;
};

struct route_hash *hash_find(const struct gateway *gateway, const uint8_t hash[20], enum router_role role);
/* The route's entry, a new one when it has none. NULL without memory, or when another route has the hash. */
struct route_hash *hash_enter(struct route *route, const uint8_t hash[20], enum router_role role);
/* The route's own entry, or NULL. */
struct route_hash *hash_of(const struct route *route, const uint8_t hash[20], enum router_role role);
void hash_leave(struct route_hash *entry);

#endif
