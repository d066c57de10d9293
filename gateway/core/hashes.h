/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_HASHES_H
#define RETROGATE_CORE_HASHES_H

#include <uv.h>

#include "base/map.h"
#include "tunnel/router.h"
#include "tunnel/timers.h"

/* Whose the tunnels of a hash are. An owner serves and seeks hashes, at the router and towards the other
 * accounts of this gateway (local.h), has one timer, and puts out what its tunnels made of it: a route of
 * chat, the sender of posts to a contact, the receiver of posts of an account. */

struct account;
struct gateway;
struct local_tunnel;
struct owned_hash;

struct hash_owner {
    const struct owner_acts *acts;
    struct account *account;
    int64_t conversation;      /* its id, for display; 0: none */
    struct owned_hash *hashes; /* served and sought */
    unsigned hash_count;
    struct timer timer; /* of gateway->owner_timers */
    bool dirty;
    struct hash_owner *next_dirty;
};

/* The owner is marked dirty after each of these but the last. */
struct owner_acts {
    unsigned hashes_max;
    void (*up)(struct owned_hash *entry, uint64_t tunnel);
    void (*down)(struct owned_hash *entry, uint64_t tunnel, const char *reason);
    void (*receive)(struct owned_hash *entry, uint64_t tunnel, struct bytes payload);
    void (*dug)(struct owned_hash *entry, uint32_t reached); /* may be NULL */
    void (*tick)(struct hash_owner *owner);
    /* Does what was put out, and sets the timer again. May free the owner. */
    void (*take)(struct hash_owner *owner);
};

/* One of each at most in the gateway. Were there two, whose tunnels they are would depend on who came last,
 * and the other side chooses the hash. */
struct owned_hash_key {
    uint8_t hash[20];
    uint8_t role; /* enum router_role: the endpoint serves */
};

struct owned_hash {
    struct owned_hash_key key;
    bool active;                /* the owner asked for it */
    struct local_tunnel *local; /* to another account of this gateway; NULL: none */
    struct hash_owner *owner;
    struct route *route; /* a private one of posts: whose */
    uint64_t day;        /* the owner's own */
    struct owned_hash *prev, *next; /* of the owner */
    UT_hash_handle hh;
};

struct owned_hash *hash_find(const struct gateway *gateway, const uint8_t hash[20], enum router_role role);
/* The owner's entry, a new one when it has none. NULL without memory, or when another owner has the hash. */
struct owned_hash *hash_enter(struct hash_owner *owner, const uint8_t hash[20], enum router_role role);
/* The owner's own entry, or NULL. */
struct owned_hash *hash_of(const struct hash_owner *owner, const uint8_t hash[20], enum router_role role);

/* Enters it, and asks for tunnels. NULL like hash_enter(), and when the router has no memory. */
struct owned_hash *hash_serve(struct hash_owner *owner, const uint8_t hash[20], bool guessable);
struct owned_hash *hash_seek(struct hash_owner *owner, const uint8_t hash[20], enum dig_urgency urgency);
/* Its tunnels end, and nothing is asked for any more. */
void hash_forget(struct owned_hash *entry);
void hashes_forget(struct hash_owner *owner);

/* One tunnel of the owner, local or not. */
void tunnel_send(struct hash_owner *owner, uint64_t tunnel, struct bytes payload);
void tunnel_confirm(struct hash_owner *owner, uint64_t tunnel);
void tunnel_close(struct hash_owner *owner, uint64_t tunnel);

void owner_mark_dirty(struct hash_owner *owner);
bool owner_set_timer(struct hash_owner *owner, uint64_t due); /* false without memory */
void owner_stop(struct hash_owner *owner);  /* without hashes and timer; what was put out is still taken */
void owner_clear(struct hash_owner *owner); /* nothing refers to it any more: it may be freed */
/* What all owners put out, until nothing is left. */
void owners_take(struct gateway *gateway);
void owners_rearm(struct gateway *gateway); /* the timer of what is due first */
void owners_due(uv_timer_t *timer);

#endif
