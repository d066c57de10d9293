/* SPDX-License-Identifier: ISC */
#include "distant/post_day_key.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

struct post_used {
    uint8_t ephemeral[32];
    UT_hash_handle hh;
};

static void wipe(struct post_day_key *key)
{
    struct post_used *used, *next;
    HASH_ITER(hh, key->used, used, next)
    {
        HASH_DEL(key->used, used);
        free(used);
    }
    OPENSSL_cleanse(key, sizeof *key);
}

static void move(struct post_day_key *to, struct post_day_key *from)
{
    wipe(to);
    *to = *from;
    OPENSSL_cleanse(from, sizeof *from);
}

void post_day_keys_wipe(struct post_day_keys *keys)
{
    wipe(&keys->current);
    wipe(&keys->previous);
    wipe(&keys->making);
}

static bool is_over(const struct post_day_key *key, uint64_t lasts, uint64_t now)
{
    return key->there && now - key->made_at >= lasts;
}

void post_day_keys_age(struct post_day_keys *keys, uint64_t now)
{
    if (is_over(&keys->current, POST_DAY_KEY_MS, now))
        wipe(&keys->current);
    if (is_over(&keys->previous, POST_DAY_KEY_MS, now))
        wipe(&keys->previous);
    if (is_over(&keys->making, POST_SIGN_WAIT_MS, now))
        wipe(&keys->making);
}

static uint64_t end_of(const struct post_day_key *key, uint64_t lasts)
{
    return key->there ? key->made_at + lasts : UINT64_MAX;
}

uint64_t post_day_keys_deadline(const struct post_day_keys *keys)
{
    uint64_t ends[] = {end_of(&keys->current, POST_DAY_KEY_MS), end_of(&keys->previous, POST_DAY_KEY_MS),
                       end_of(&keys->making, POST_SIGN_WAIT_MS)};
    uint64_t first = ends[0];
    for (size_t i = 1; i < sizeof ends / sizeof *ends; i++)
        first = ends[i] < first ? ends[i] : first;
    return first;
}

static bool is_spent(const struct post_day_key *key)
{
    return HASH_COUNT(key->used) >= POST_DAY_KEY_USES;
}

const struct post_day_key *post_day_keys_greeting(const struct post_day_keys *keys, uint64_t now)
{
    const struct post_day_key *key = &keys->current;
    return key->there && !is_spent(key) && now - key->made_at < POST_DAY_KEY_RENEW_MS ? key : NULL;
}

bool post_day_keys_make(struct post_day_keys *keys, const struct random_source *random, uint64_t now)
{
    if (keys->making.there || now < keys->not_before || !post_pair_new(&keys->making.pair, random))
        return false;
    keys->making.there = true;
    keys->making.made_at = now;
    /* Strangers can use a day key up, but not have them signed without end. */
    keys->not_before = now + POST_SIGN_AGAIN_MS;
    return true;
}

bool post_day_keys_signed(struct post_day_keys *keys, const uint8_t day_key[32], struct bytes signature,
                          uint64_t now)
{
    struct post_day_key *made = &keys->making;
    if (!made->there || memcmp(made->pair.public_key, day_key, sizeof made->pair.public_key) != 0)
        return false;
    if (signature.size == 0 || signature.size > sizeof made->signature) {
        wipe(made);
        keys->not_before = now + POST_SIGN_AGAIN_MS;
        return false;
    }
    memcpy(made->signature, signature.data, signature.size);
    made->signature_size = signature.size;
    move(&keys->previous, &keys->current);
    move(&keys->current, made);
    return true;
}

static bool was_used(const struct post_day_key *key, const uint8_t ephemeral[32])
{
    struct post_used *found = NULL;
    HASH_FIND(hh, key->used, ephemeral, sizeof found->ephemeral, found);
    return found != NULL;
}

bool post_day_keys_used(const struct post_day_keys *keys, const uint8_t ephemeral[32])
{
    return was_used(&keys->current, ephemeral) || was_used(&keys->previous, ephemeral);
}

static bool use(struct post_day_key *key, const uint8_t ephemeral[32])
{
    struct post_used *used = calloc(1, sizeof *used);
    if (used == NULL)
        return false;
    memcpy(used->ephemeral, ephemeral, sizeof used->ephemeral);
    HASH_ADD(hh, key->used, ephemeral, sizeof used->ephemeral, used);
    if (used->hh.tbl == NULL) {
        free(used);
        return false;
    }
    return true;
}

bool post_day_keys_open(struct post_day_keys *keys, struct post_channel *channel, uint64_t *until,
                        struct post_agreement *agreement, struct buffer *plain,
                        const struct post_frame *frame)
{
    struct post_day_key *candidates[] = {&keys->current, &keys->previous};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        struct post_day_key *key = candidates[i];
        struct post_channel opened = {0};
        agreement->sender = false;
        agreement->own = &key->pair;
        agreement->peer = frame->ephemeral.data;
        if (!key->there || is_spent(key) || !post_channel_agree(&opened, agreement))
            continue;
        bool opens = post_channel_open(&opened, plain, frame) && use(key, opened.ephemeral);
        if (opens) {
            *channel = opened;
            *until = key->made_at + POST_DAY_KEY_MS;
        }
        post_channel_wipe(&opened);
        if (opens)
            return true;
        buffer_clear(plain);
    }
    return false;
}
