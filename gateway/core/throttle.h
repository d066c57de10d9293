/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_THROTTLE_H
#define RETROGATE_CORE_THROTTLE_H

#include <stdbool.h>

#include "base/map.h"

/* Slows down who guesses passwords: after 4 failures of one account name from one address the next try is
 * looked at 2 s later, then 4 s, up to 5 min, whether the account exists or not. Tries under way count too:
 * otherwise many at once would all be the first. 15 min after the last failure all is forgotten.
 *
 * The pairs that are remembered are more than passwords can be hashed until then (some 50 in a second), so
 * that nobody has his failures forgotten by trying other names. Pure; zeros begin. Times are milliseconds. */
enum { THROTTLE_KEY_SIZE = 32, THROTTLE_PAIRS_MAX = 1 << 16 };

struct throttle {
    struct throttle_pair *pairs; /* the one touched longest ago first */
};

void throttle_key(uint8_t key[THROTTLE_KEY_SIZE], const char *account, const char *address);
/* How long the pair has to wait; 0: the try is under way, until throttle_end(). */
uint64_t throttle_begin(struct throttle *throttle, const uint8_t key[THROTTLE_KEY_SIZE], uint64_t now);
void throttle_end(struct throttle *throttle, const uint8_t key[THROTTLE_KEY_SIZE], bool right, uint64_t now);
void throttle_free(struct throttle *throttle);

#endif
