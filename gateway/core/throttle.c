/* SPDX-License-Identifier: ISC */
#include "core/throttle.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

enum { FREE_FAILURES = 4, CHECKING_MAX = 8 };
static const uint64_t FORGET_MS = 15 * 60 * 1000, FIRST_PAUSE_MS = 2000, LONGEST_PAUSE_MS = 5 * 60 * 1000;

struct throttle_pair {
    uint8_t key[THROTTLE_KEY_SIZE];
    unsigned failures;
    unsigned checking; /* under way */
    uint64_t last;     /* when it failed, or came */
    UT_hash_handle hh;
};

void throttle_key(uint8_t key[THROTTLE_KEY_SIZE], const char *account, const char *address)
{
    struct buffer text = buffer_make(256);
    struct in6_addr v6;
    char network[INET6_ADDRSTRLEN];
    /* Whoever has one address of IPv6 has the 2^64 of its network: base/listener.c counts it as one, too. */
    if (inet_pton(AF_INET6, address, &v6) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6)) {
        memset(v6.s6_addr + 8, 0, 8);
        address = inet_ntop(AF_INET6, &v6, network, sizeof network);
    }
    buffer_printf(&text, "%.64s %.64s", account, address);
    struct bytes view = buffer_view(&text);
    EVP_Digest(view.data, view.size, key, NULL, EVP_sha256(), NULL);
    buffer_free(&text);
}

static struct throttle_pair *find(const struct throttle *throttle, const uint8_t key[THROTTLE_KEY_SIZE])
{
    struct throttle_pair *pair = NULL;
    HASH_FIND(hh, throttle->pairs, key, THROTTLE_KEY_SIZE, pair);
    return pair;
}

/* At the end of the order. False without memory: the pair is gone. */
static bool add(struct throttle *throttle, struct throttle_pair *pair, uint64_t now)
{
    pair->last = now;
    HASH_ADD(hh, throttle->pairs, key, THROTTLE_KEY_SIZE, pair);
    if (pair->hh.tbl != NULL)
        return true;
    free(pair);
    return false;
}

static void drop(struct throttle *throttle, struct throttle_pair *pair)
{
    HASH_DELETE(hh, throttle->pairs, pair);
    free(pair);
}

static struct throttle_pair *make(struct throttle *throttle, const uint8_t key[THROTTLE_KEY_SIZE],
                                  uint64_t now)
{
    while (throttle->pairs != NULL &&
           (throttle->pairs->last + FORGET_MS <= now || HASH_COUNT(throttle->pairs) >= THROTTLE_PAIRS_MAX))
        drop(throttle, throttle->pairs);
    struct throttle_pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL)
        return NULL;
    memcpy(pair->key, key, sizeof pair->key);
    return add(throttle, pair, now) ? pair : NULL;
}

static uint64_t pause_of(const struct throttle_pair *pair, uint64_t now)
{
    if (pair->checking >= (pair->failures < FREE_FAILURES ? CHECKING_MAX : 1))
        return FIRST_PAUSE_MS;
    if (pair->failures < FREE_FAILURES)
        return 0;
    unsigned doublings = pair->failures - FREE_FAILURES;
    uint64_t pause = doublings >= 8 ? LONGEST_PAUSE_MS : FIRST_PAUSE_MS << doublings;
    return pair->last + pause > now ? pair->last + pause - now : 0;
}

uint64_t throttle_begin(struct throttle *throttle, const uint8_t key[THROTTLE_KEY_SIZE], uint64_t now)
{
    struct throttle_pair *pair = find(throttle, key);
    if (pair == NULL)
        pair = make(throttle, key, now);
    uint64_t pause = pair != NULL ? pause_of(pair, now) : FIRST_PAUSE_MS;
    if (pause == 0)
        pair->checking++;
    return pause;
}

void throttle_end(struct throttle *throttle, const uint8_t key[THROTTLE_KEY_SIZE], bool right, uint64_t now)
{
    struct throttle_pair *pair = find(throttle, key);
    if (pair == NULL)
        return;
    pair->checking -= pair->checking > 0;
    if (!right) {
        pair->failures++;
        HASH_DELETE(hh, throttle->pairs, pair);
        add(throttle, pair, now);
    } else if (pair->checking > 0) {
        pair->failures = 0;
    } else {
        drop(throttle, pair);
    }
}

void throttle_free(struct throttle *throttle)
{
    while (throttle->pairs != NULL)
        drop(throttle, throttle->pairs);
}
