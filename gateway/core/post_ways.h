/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_WAYS_H
#define RETROGATE_CORE_POST_WAYS_H

#include "core/posts.h"
#include "crypto/sealed.h"

/* By which hashes posts reach people (distant/POSTS.md §2). */

/* The way that a contact is looked for by, without its secrets. */
struct way {
    const char *level;         /* private, open, universal */
    const struct route *route; /* private; as long as nothing else happens */
    int64_t route_id;          /* private */
    uint64_t day;              /* private */
    uint8_t hash[20];          /* open, universal */
};
/* The first; `turn` goes round through links and the universal hash, since a link may have been revoked. A
 * private one is the only one: it works when its contact is there, and to look elsewhere would tell who is
 * sought. */
struct way way_of(const struct contact *contact, unsigned turn, int64_t now_ms);
bool way_equal(const struct way *a, const struct way *b);
/* The hash to look for, and P of a private one, which the caller wipes. */
bool way_open(const struct way *way, uint8_t hash[20], uint8_t secret[32]);

/* A sealed route of which both sides have the root. */
bool route_carries_posts(const struct route *route);
/* P. The vault must be open. */
bool route_post_secret(const struct route *route, uint8_t secret[32]);
/* Where we take posts of the route's contact. */
bool route_post_hash(const struct route *route, const uint8_t secret[32], uint64_t day, uint8_t hash[20]);

uint64_t post_day(int64_t now_ms);
bool account_universal_hash(const struct account *account, uint8_t hash[20]);

#endif
