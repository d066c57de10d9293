/* SPDX-License-Identifier: ISC */
#include "core/post_ways.h"

#include <string.h>

#include "core/conversations.h"
#include "core/vault.h"
#include "crypto/post_seal.h"

static const int64_t DAY_MS = 86400000;

uint64_t post_day(int64_t now_ms)
{
    return now_ms < 0 ? 0 : (uint64_t)(now_ms / DAY_MS);
}

/* The guest has the root once it says so; a guest's inviter had it first. */
bool route_carries_posts(const struct route *route)
{
    return route->sealed && route_lives(route) && route->conversation->account->unlocked &&
           (route->role == CHAT_GUEST || route->settled);
}

bool route_post_secret(const struct route *route, uint8_t secret[32])
{
    struct route opened = {.id = route->id,
                           .conversation = route->conversation,
                           .keys_wrapped = route->keys_wrapped}; /* of which nothing is kept */
    bool good = vault_open_route(&opened) && post_secret(secret, opened.keys + ROUTE_ROOT_AT);
    OPENSSL_cleanse(opened.keys, sizeof opened.keys);
    return good;
}

static bool rendezvous(const struct route *route, const uint8_t secret[32], uint64_t day, bool own,
                       uint8_t hash[20])
{
    bool guest = (route->role == CHAT_GUEST) == own;
    return sealed_rendezvous(hash, secret, day, guest ? SEALED_GUEST : SEALED_INVITER);
}

bool route_post_hash(const struct route *route, const uint8_t secret[32], uint64_t day, uint8_t hash[20])
{
    return rendezvous(route, secret, day, true, hash);
}

static bool universal_hash(const uint8_t fingerprint[20], uint8_t hash[20])
{
    return post_universal_hash(hash, fingerprint + 12);
}

bool account_universal_hash(const struct account *account, uint8_t hash[20])
{
    return universal_hash(account->fingerprint, hash);
}

static const struct route *newest_route(const struct contact *contact)
{
    const struct route *route, *newest = NULL;
    if (contact->conversation == NULL)
        return NULL;
    DL_FOREACH(contact->conversation->routes, route)
    {
        if (route_carries_posts(route))
            newest = route;
    }
    return newest;
}

static unsigned count_open(const struct contact *contact, int64_t now_ms)
{
    const struct post_way *open;
    unsigned count = 0;
    DL_FOREACH(contact->post_ways, open)
    count += open->expires > now_ms;
    return count;
}

struct way way_of(const struct contact *contact, unsigned turn, int64_t now_ms)
{
    const struct route *route = newest_route(contact);
    struct way way = {.level = "private", .route = route};
    const struct post_way *open;
    if (route != NULL) {
        way.route_id = route->id;
        way.day = post_day(now_ms);
        return way;
    }
    unsigned left = turn % (count_open(contact, now_ms) + 1);
    DL_FOREACH(contact->post_ways, open)
    {
        if (open->expires <= now_ms || left-- > 0)
            continue;
        way.level = "open";
        memcpy(way.hash, open->hash, sizeof way.hash);
        return way;
    }
    way.level = "universal";
    if (!universal_hash(contact->fingerprint, way.hash))
        memset(way.hash, 0, sizeof way.hash);
    return way;
}

bool way_equal(const struct way *a, const struct way *b)
{
    return a->route_id == b->route_id && a->day == b->day && memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

bool way_open(const struct way *way, uint8_t hash[20], uint8_t secret[32])
{
    if (way->route != NULL)
        return route_post_secret(way->route, secret) && rendezvous(way->route, secret, way->day, false, hash);
    memcpy(hash, way->hash, sizeof way->hash);
    return true;
}

const char *post_out_way(const struct contact *contact)
{
    return way_of(contact, 0, clock_wall_ms()).level;
}
