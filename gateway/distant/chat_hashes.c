/* SPDX-License-Identifier: ISC */
#include "distant/chat_internal.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/map.h"
#include "wire/sealed.h"

enum { DAY = 86400, LOOK_S = 3600 /* a clock may have been set, or have run on while the machine slept */ };
static const uint64_t KEPT_MS = 12 * 3600 * 1000; /* SEALED.md §8 */

/* A hash that is needed now. */
struct need {
    uint8_t hash[SEALED_HASH_SIZE];
    bool sought, offer;
};
enum { NEEDS = 5 /* the invite's, three days served, one sought */ };

static enum sealed_party party_of(const struct chat *chat, bool own)
{
    return (chat->options.role == CHAT_GUEST) == own ? SEALED_GUEST : SEALED_INVITER;
}

static void put(struct chat *chat, enum chat_output_kind kind, const uint8_t hash[SEALED_HASH_SIZE],
                bool urgent)
{
    struct chat_output out = {.kind = kind, .urgent = urgent};
    memcpy(out.hash, hash, sizeof out.hash);
    chat_put(chat, &out);
}

/* Which day it is for this route; each has a midnight of its own, because a relay would otherwise see all
 * hashes of a gateway change together. */
static void update_day(struct chat *chat)
{
    int64_t shifted = chat->wall - (int64_t)chat->day_offset;
    uint64_t seconds = shifted < 0 ? 0 : (uint64_t)shifted;
    if (chat->day == seconds / DAY && chat->now < chat->day_until)
        return;
    uint64_t left = DAY - seconds % DAY;
    chat->day = seconds / DAY;
    chat->day_until = chat->now + (left < LOOK_S ? left : LOOK_S) * 1000;
}

static void add_need(struct need *needs, size_t *count, const uint8_t *hash, bool sought)
{
    needs[*count].sought = sought;
    needs[*count].offer = false;
    memcpy(needs[(*count)++].hash, hash, SEALED_HASH_SIZE);
}

static void add_rendezvous(const struct chat *chat, struct need *needs, size_t *count, uint64_t day,
                           bool sought)
{
    uint8_t hash[SEALED_HASH_SIZE];
    if (sealed_rendezvous(hash, chat->options.root, day, party_of(chat, !sought)))
        add_need(needs, count, hash, sought);
}

static size_t find_needs(struct chat *chat, struct need needs[NEEDS])
{
    size_t count = 0;
    bool sealed = chat->root == ROOT_STORED, inviter = chat->options.role == CHAT_INVITER;
    if (chat->end == END_OVER)
        return 0;
    if (inviter ? chat->serving && !chat->options.settled : chat->asking && !sealed)
        add_need(needs, &count, chat->options.hash, !inviter);
    if (count > 0)
        needs[0].offer = true;
    if (!sealed)
        return count;
    update_day(chat);
    for (uint64_t day = chat->day == 0 ? 0 : chat->day - 1; chat->serving && day <= chat->day + 1; day++)
        add_rendezvous(chat, needs, &count, day, false);
    if (chat->asking)
        add_rendezvous(chat, needs, &count, chat->day, true);
    return count;
}

static struct chat_hash *find(struct chat *chat, const uint8_t hash[SEALED_HASH_SIZE], bool sought)
{
    for (size_t i = 0; i < chat->hash_count; i++) {
        struct chat_hash *entry = &chat->hashes[i];
        if (entry->sought == sought && memcmp(entry->hash, hash, sizeof entry->hash) == 0)
            return entry;
    }
    return NULL;
}

static bool holds(const struct chat_hash *entry, const struct chat_tunnel *tunnel)
{
    return tunnel->opener == entry->sought && memcmp(tunnel->hash, entry->hash, sizeof entry->hash) == 0;
}

static bool in_use(const struct chat *chat, const struct chat_hash *entry)
{
    const struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (tunnel->heard != 0 && holds(entry, tunnel))
            return true;
    }
    return false;
}

/* The router ends the tunnels of a hash that is given up. */
static void give_up(struct chat *chat, struct chat_hash *entry)
{
    struct chat_hash gone = *entry;
    struct chat_tunnel *tunnel, *next;
    *entry = chat->hashes[--chat->hash_count];
    DL_FOREACH_SAFE(chat->tunnels, tunnel, next)
    {
        if (!holds(&gone, tunnel))
            continue;
        if (sealed_talks(tunnel))
            sealed_send(chat, tunnel, SEALED_LEAVE);
        chat_settle(chat, tunnel->id, true);
        chat_drop_tunnel(chat, tunnel);
    }
    put(chat, gone.sought ? CHAT_STOP : CHAT_UNSERVE, gone.hash, false);
}

/* What is not needed goes, unless a tunnel that is in use was found by it: what just succeeded is not cut. */
static void retire(struct chat *chat, const struct need *needs, size_t count)
{
    for (size_t i = chat->hash_count; i-- > 0;) {
        struct chat_hash *entry = &chat->hashes[i];
        entry->needed = false;
        for (size_t j = 0; j < count; j++)
            entry->needed |= needs[j].sought == entry->sought &&
                             memcmp(needs[j].hash, entry->hash, sizeof entry->hash) == 0;
        if (entry->needed) {
            entry->retired_at = 0;
            continue;
        }
        if (entry->retired_at == 0)
            entry->retired_at = chat->now;
        if (chat->end == END_OVER || !in_use(chat, entry) || chat->now - entry->retired_at >= KEPT_MS)
            give_up(chat, entry);
    }
}

/* Room for one more: the one that was retired first goes. */
static void make_room(struct chat *chat)
{
    struct chat_hash *oldest = NULL;
    for (size_t i = 0; i < chat->hash_count; i++) {
        struct chat_hash *entry = &chat->hashes[i];
        if (!entry->needed && (oldest == NULL || entry->retired_at < oldest->retired_at))
            oldest = entry;
    }
    if (chat->hash_count == CHAT_HASHES && oldest != NULL)
        give_up(chat, oldest);
}

static void update(struct chat *chat, bool again, bool urgent)
{
    struct need needs[NEEDS];
    size_t count = find_needs(chat, needs);
    retire(chat, needs, count);
    for (size_t i = 0; i < count; i++) {
        const struct need *need = &needs[i];
        if (find(chat, need->hash, need->sought) == NULL) {
            make_room(chat);
            struct chat_hash *entry = &chat->hashes[chat->hash_count++];
            *entry = (struct chat_hash){.sought = need->sought, .offer = need->offer, .needed = true};
            memcpy(entry->hash, need->hash, sizeof entry->hash);
            put(chat, need->sought ? CHAT_WANT : CHAT_SERVE, need->hash, urgent);
        } else if (need->sought && again) {
            put(chat, CHAT_WANT, need->hash, urgent);
        }
    }
}

void chat_hashes_update(struct chat *chat)
{
    size_t tunnels = chat->tunnel_count;
    update(chat, false, false);
    if (chat->tunnel_count < tunnels)
        chat_tell_loss(chat, NULL);
}

void chat_hashes_seek(struct chat *chat, bool urgent)
{
    update(chat, true, urgent);
}

bool chat_hash_mode(const struct chat *chat, const uint8_t hash[SEALED_HASH_SIZE], bool opener,
                    enum sealed_mode *mode)
{
    bool guest = chat->options.role == CHAT_GUEST;
    *mode = SEALED_OFFER;
    if (!chat->options.settled && opener == guest && memcmp(hash, chat->options.hash, SEALED_HASH_SIZE) == 0)
        return true;
    *mode = SEALED_ROOTED;
    for (size_t i = 0; i < chat->hash_count; i++) {
        const struct chat_hash *entry = &chat->hashes[i];
        if (entry->sought == opener && memcmp(entry->hash, hash, sizeof entry->hash) == 0)
            return !entry->offer;
    }
    return false;
}

uint64_t chat_hashes_deadline(const struct chat *chat)
{
    uint64_t deadline = chat->root == ROOT_STORED && chat->end != END_OVER ? chat->day_until : UINT64_MAX;
    for (size_t i = 0; i < chat->hash_count; i++) {
        uint64_t retired = chat->hashes[i].retired_at;
        if (retired != 0 && retired + KEPT_MS < deadline)
            deadline = retired + KEPT_MS;
    }
    return deadline;
}
