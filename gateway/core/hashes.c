/* SPDX-License-Identifier: ISC */
#include "core/hashes.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/conversations.h"
#include "core/local.h"
#include "core/network.h"

static struct gateway *gateway_of(const struct hash_owner *owner)
{
    return owner->account->gateway;
}

static uint64_t now_ms(const struct hash_owner *owner)
{
    return uv_now(gateway_of(owner)->loop);
}

/* --- the map */

static struct owned_hash_key key_of(const uint8_t hash[20], enum router_role role)
{
    struct owned_hash_key key = {.role = (uint8_t)role};
    memcpy(key.hash, hash, sizeof key.hash);
    return key;
}

struct owned_hash *hash_find(const struct gateway *gateway, const uint8_t hash[20], enum router_role role)
{
    struct owned_hash_key key = key_of(hash, role);
    struct owned_hash *entry = NULL;
    HASH_FIND(hh, gateway->hashes, &key, sizeof key, entry);
    return entry;
}

struct owned_hash *hash_of(const struct hash_owner *owner, const uint8_t hash[20], enum router_role role)
{
    struct owned_hash *entry = hash_find(gateway_of(owner), hash, role);
    return entry != NULL && entry->owner == owner ? entry : NULL;
}

struct owned_hash *hash_enter(struct hash_owner *owner, const uint8_t hash[20], enum router_role role)
{
    struct gateway *gateway = gateway_of(owner);
    struct owned_hash *entry = hash_find(gateway, hash, role);
    if (entry != NULL)
        return entry->owner == owner ? entry : NULL;
    entry = owner->hash_count < owner->acts->hashes_max ? calloc(1, sizeof *entry) : NULL;
    if (entry == NULL)
        return NULL;
    entry->key = key_of(hash, role);
    entry->owner = owner;
    HASH_ADD(hh, gateway->hashes, key, sizeof entry->key, entry);
    if (entry->hh.tbl == NULL) {
        free(entry);
        return NULL;
    }
    DL_APPEND(owner->hashes, entry);
    owner->hash_count++;
    return entry;
}

static void leave(struct owned_hash *entry)
{
    struct hash_owner *owner = entry->owner;
    HASH_DELETE(hh, gateway_of(owner)->hashes, entry);
    DL_DELETE(owner->hashes, entry);
    owner->hash_count--;
    free(entry);
}

/* --- serving and seeking */

struct owned_hash *hash_serve(struct hash_owner *owner, const uint8_t hash[20], bool guessable)
{
    struct owned_hash *entry = hash_enter(owner, hash, ROUTER_ENDPOINT);
    if (entry == NULL || !router_serve(gateway_of(owner)->router, hash, guessable))
        return NULL;
    entry->active = true;
    local_join(entry);
    network_take(gateway_of(owner));
    return entry;
}

struct owned_hash *hash_seek(struct hash_owner *owner, const uint8_t hash[20], enum dig_urgency urgency)
{
    struct gateway *gateway = gateway_of(owner);
    struct owned_hash *entry = hash_enter(owner, hash, ROUTER_INITIATOR);
    if (entry == NULL)
        return NULL;
    entry->active = true;
    if (gateway->phase == NODE_CLOSING || local_join(entry))
        return entry;
    if (!router_dig(gateway->router, hash, urgency, now_ms(owner)))
        return NULL;
    network_take(gateway);
    return entry;
}

void hash_forget(struct owned_hash *entry)
{
    struct gateway *gateway = gateway_of(entry->owner);
    uint64_t now = now_ms(entry->owner);
    local_part(entry, "the other side has left");
    if (entry->key.role == ROUTER_INITIATOR)
        router_stop(gateway->router, entry->key.hash, now);
    else
        router_unserve(gateway->router, entry->key.hash, now);
    network_take(gateway);
    leave(entry);
}

void hashes_forget(struct hash_owner *owner)
{
    while (owner->hashes != NULL)
        hash_forget(owner->hashes);
}

/* --- tunnels */

void tunnel_send(struct hash_owner *owner, uint64_t tunnel, struct bytes payload)
{
    struct gateway *gateway = gateway_of(owner);
    if (local_is(tunnel)) {
        local_send(owner, tunnel, payload);
        return;
    }
    if (!router_send(gateway->router, tunnel, payload, now_ms(owner)))
        gateway->items_dropped++;
    network_take(gateway);
}

void tunnel_confirm(struct hash_owner *owner, uint64_t tunnel)
{
    if (!local_is(tunnel))
        router_confirm(gateway_of(owner)->router, tunnel);
}

void tunnel_close(struct hash_owner *owner, uint64_t tunnel)
{
    struct gateway *gateway = gateway_of(owner);
    if (local_is(tunnel))
        local_close(gateway, tunnel, "the tunnel was given up");
    else
        router_close(gateway->router, tunnel, now_ms(owner));
    network_take(gateway);
}

/* --- outputs and time */

void owner_mark_dirty(struct hash_owner *owner)
{
    struct gateway *gateway = gateway_of(owner);
    if (owner->dirty)
        return;
    owner->dirty = true;
    owner->next_dirty = gateway->dirty_owners;
    gateway->dirty_owners = owner;
}

bool owner_set_timer(struct hash_owner *owner, uint64_t due)
{
    return timers_set(&gateway_of(owner)->owner_timers, &owner->timer, due);
}

void owner_stop(struct hash_owner *owner)
{
    hashes_forget(owner);
    timers_clear(&gateway_of(owner)->owner_timers, &owner->timer);
}

void owner_clear(struct hash_owner *owner)
{
    struct gateway *gateway = gateway_of(owner);
    owner_stop(owner);
    if (owner->dirty)
        LL_DELETE2(gateway->dirty_owners, owner, next_dirty);
    owner->dirty = false;
}

void owners_take(struct gateway *gateway)
{
    struct hash_owner *owner;
    while ((owner = gateway->dirty_owners) != NULL) {
        gateway->dirty_owners = owner->next_dirty;
        owner->dirty = false;
        owner->acts->take(owner);
    }
}

void owners_due(uv_timer_t *uv)
{
    struct gateway *gateway = uv->data;
    uint64_t now = uv_now(gateway->loop);
    struct timer *timer;
    gateway->owner_due = UINT64_MAX;
    while ((timer = timers_first(&gateway->owner_timers)) != NULL && timer->due <= now) {
        struct hash_owner *owner = (struct hash_owner *)((char *)timer - offsetof(struct hash_owner, timer));
        timers_set(&gateway->owner_timers, timer, UINT64_MAX); /* until the outputs were taken */
        owner->acts->tick(owner);
        owner_mark_dirty(owner);
    }
    conversations_drain(gateway);
}

void owners_rearm(struct gateway *gateway)
{
    const struct timer *first = timers_first(&gateway->owner_timers);
    uint64_t due = first != NULL ? first->due : UINT64_MAX, now = uv_now(gateway->loop);
    if (due == gateway->owner_due || gateway->phase == NODE_CLOSING)
        return;
    gateway->owner_due = due;
    if (due == UINT64_MAX)
        uv_timer_stop(&gateway->owner_timer);
    else
        /* Not 0: started so in its own callback it would run for ever, and no socket be read. */
        uv_timer_start(&gateway->owner_timer, owners_due, due > now ? due - now : 1, 0);
}
