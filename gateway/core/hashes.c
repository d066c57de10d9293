/* SPDX-License-Identifier: ISC */
#include "core/hashes.h"

#include <stdlib.h>
#include <string.h>

enum { ROUTE_HASHES_MAX = 16 }; /* three days, both ways, and the invite's: 7 */

static struct gateway *gateway_of(const struct route *route)
{
    return route->conversation->account->gateway;
}

static struct route_hash_key key_of(const uint8_t hash[20], enum router_role role)
{
    struct route_hash_key key = {.role = (uint8_t)role};
    memcpy(key.hash, hash, sizeof key.hash);
    return key;
}

struct route_hash *hash_find(const struct gateway *gateway, const uint8_t hash[20], enum router_role role)
{
    struct route_hash_key key = key_of(hash, role);
    struct route_hash *entry = NULL;
    HASH_FIND(hh, gateway->hashes, &key, sizeof key, entry);
    return entry;
}

struct route_hash *hash_of(const struct route *route, const uint8_t hash[20], enum router_role role)
{
    struct route_hash *entry = hash_find(gateway_of(route), hash, role);
    return entry != NULL && entry->route == route ? entry : NULL;
}

struct route_hash *hash_enter(struct route *route, const uint8_t hash[20], enum router_role role)
{
    struct gateway *gateway = gateway_of(route);
    struct route_hash *entry = hash_find(gateway, hash, role), *other;
    unsigned count = 0;
    if (entry != NULL)
        return entry->route == route ? entry : NULL;
    LL_COUNT(route->hashes, other, count);
    entry = count < ROUTE_HASHES_MAX ? calloc(1, sizeof *entry) : NULL;
    if (entry == NULL)
        return NULL;
    entry->key = key_of(hash, role);
    entry->route = route;
    HASH_ADD(hh, gateway->hashes, key, sizeof entry->key, entry);
    if (entry->hh.tbl == NULL) {
        free(entry);
        return NULL;
    }
    LL_PREPEND(route->hashes, entry);
    return entry;
}

void hash_leave(struct route_hash *entry)
{
    struct gateway *gateway = gateway_of(entry->route);
    HASH_DELETE(hh, gateway->hashes, entry);
    LL_DELETE(entry->route->hashes, entry);
    free(entry);
}
