/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_ATTEMPTS_H
#define RETROGATE_FRIEND_ATTEMPTS_H

#include "friend/friends.h"

/* Who showed a certificate that is no friend's: one entry for a location, the oldest leaves first. Pure; wall
 * clock milliseconds. A zeroed struct is empty. */
enum { ATTEMPTS_MAX = 64 };
#define ATTEMPTS_AGE_MS INT64_C(604800000) /* 7 days */

struct attempts {
    size_t count;
    struct friend_attempt list[ATTEMPTS_MAX]; /* newest last */
};

/* Counts one more; the result lives until the next call. */
const struct friend_attempt *attempts_add(struct attempts *attempts, const uint8_t location[16],
                                          const uint8_t issuer[8], const struct sockaddr_storage *address,
                                          const char *reason, int64_t now_ms);
void attempts_expire(struct attempts *attempts, int64_t now_ms);
void attempts_forget(struct attempts *attempts, const uint8_t location[16]); /* it became a friend */

#endif
