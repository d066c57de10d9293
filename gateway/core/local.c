/* SPDX-License-Identifier: ISC */
#include "core/local.h"

#include <stdlib.h>

static const uint64_t LOCAL = UINT64_C(1) << 63;

struct local_tunnel {
    uint64_t id;
    struct owned_hash *ends[2]; /* by enum router_role */
    UT_hash_handle hh;
};

bool local_is(uint64_t tunnel)
{
    return (tunnel & LOCAL) != 0;
}

static struct gateway *gateway_of(const struct owned_hash *entry)
{
    return entry->owner->account->gateway;
}

static struct local_tunnel *find(const struct gateway *gateway, uint64_t id)
{
    struct local_tunnel *tunnel = NULL;
    HASH_FIND(hh, gateway->local_tunnels, &id, sizeof id, tunnel);
    return tunnel;
}

static struct owned_hash *other_side(const struct owned_hash *entry)
{
    return hash_find(gateway_of(entry), entry->key.hash,
                     entry->key.role == ROUTER_INITIATOR ? ROUTER_ENDPOINT : ROUTER_INITIATOR);
}

static struct local_tunnel *tunnel_new(struct gateway *gateway, struct owned_hash *entry,
                                       struct owned_hash *other)
{
    struct local_tunnel *tunnel = calloc(1, sizeof *tunnel);
    if (tunnel == NULL)
        return NULL;
    tunnel->id = LOCAL | ++gateway->last_local_tunnel;
    tunnel->ends[entry->key.role] = entry;
    tunnel->ends[other->key.role] = other;
    HASH_ADD(hh, gateway->local_tunnels, id, sizeof tunnel->id, tunnel);
    if (tunnel->hh.tbl == NULL) {
        free(tunnel);
        return NULL;
    }
    entry->local = other->local = tunnel;
    return tunnel;
}

bool local_join(struct owned_hash *entry)
{
    struct owned_hash *other = other_side(entry);
    struct gateway *gateway = gateway_of(entry);
    if (!entry->active || other == NULL || !other->active || gateway->phase == NODE_CLOSING)
        return false;
    if (entry->local != NULL)
        return true;
    const struct local_tunnel *tunnel = tunnel_new(gateway, entry, other);
    for (unsigned role = ROUTER_INITIATOR; tunnel != NULL && role <= ROUTER_ENDPOINT; role++) {
        struct owned_hash *end = tunnel->ends[role];
        end->owner->acts->up(end, tunnel->id);
        owner_mark_dirty(end->owner);
    }
    return tunnel != NULL;
}

static void part(struct gateway *gateway, struct local_tunnel *tunnel, const char *reason)
{
    HASH_DELETE(hh, gateway->local_tunnels, tunnel);
    for (unsigned role = ROUTER_INITIATOR; role <= ROUTER_ENDPOINT; role++) {
        struct owned_hash *end = tunnel->ends[role];
        end->local = NULL;
        end->owner->acts->down(end, tunnel->id, reason);
        owner_mark_dirty(end->owner);
    }
    free(tunnel);
}

void local_part(struct owned_hash *entry, const char *reason)
{
    if (entry->local != NULL)
        part(gateway_of(entry), entry->local, reason);
}

bool local_connect(struct hash_owner *owner)
{
    struct owned_hash *entry;
    bool joined = false;
    DL_FOREACH(owner->hashes, entry)
    joined |= local_join(entry);
    return joined;
}

void local_disconnect(struct hash_owner *owner, const char *reason)
{
    struct owned_hash *entry;
    DL_FOREACH(owner->hashes, entry)
    local_part(entry, reason);
}

void local_close(struct gateway *gateway, uint64_t tunnel, const char *reason)
{
    struct local_tunnel *its = find(gateway, tunnel);
    if (its != NULL)
        part(gateway, its, reason);
}

void local_send(const struct hash_owner *from, uint64_t tunnel, struct bytes payload)
{
    const struct local_tunnel *its = find(from->account->gateway, tunnel);
    if (its == NULL)
        return;
    bool opener = its->ends[ROUTER_INITIATOR]->owner == from;
    struct owned_hash *to = its->ends[opener ? ROUTER_ENDPOINT : ROUTER_INITIATOR];
    if (!opener && its->ends[ROUTER_ENDPOINT]->owner != from)
        return;
    to->owner->acts->receive(to, tunnel, payload);
    owner_mark_dirty(to->owner);
}

void local_meet_all(struct gateway *gateway)
{
    struct owned_hash *entry, *next;
    HASH_ITER(hh, gateway->hashes, entry, next)
    {
        if (entry->key.role == ROUTER_INITIATOR && entry->local == NULL)
            local_join(entry);
    }
}
