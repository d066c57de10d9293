/* SPDX-License-Identifier: ISC */
#include "friend/attempts.h"

#include <stdio.h>
#include <string.h>

static void cut(struct attempts *attempts, size_t at)
{
    attempts->count--;
    memmove(&attempts->list[at], &attempts->list[at + 1], (attempts->count - at) * sizeof attempts->list[0]);
}

static size_t find(const struct attempts *attempts, const uint8_t location[16])
{
    size_t at = 0;
    while (at < attempts->count && memcmp(attempts->list[at].location, location, 16) != 0)
        at++;
    return at;
}

void attempts_forget(struct attempts *attempts, const uint8_t location[16])
{
    size_t at = find(attempts, location);
    if (at < attempts->count)
        cut(attempts, at);
}

void attempts_expire(struct attempts *attempts, int64_t now_ms)
{
    for (size_t at = attempts->count; at-- > 0;)
        if (now_ms - attempts->list[at].last_ms > ATTEMPTS_AGE_MS)
            cut(attempts, at);
}

const struct friend_attempt *attempts_add(struct attempts *attempts, const uint8_t location[16],
                                          const uint8_t issuer[8], const struct sockaddr_storage *address,
                                          const char *reason, int64_t now_ms)
{
    attempts_expire(attempts, now_ms);
    struct friend_attempt entry = {.first_ms = now_ms};
    size_t at = find(attempts, location);
    if (at < attempts->count) {
        entry = attempts->list[at];
        cut(attempts, at);
    } else if (attempts->count == ATTEMPTS_MAX) {
        cut(attempts, 0);
    }
    memcpy(entry.location, location, sizeof entry.location);
    hex_upper(entry.issuer, issuer, 8);
    entry.address = *address;
    snprintf(entry.reason, sizeof entry.reason, "%s", reason);
    entry.last_ms = now_ms;
    if (entry.count < UINT32_MAX)
        entry.count++;
    attempts->list[attempts->count] = entry;
    return &attempts->list[attempts->count++];
}
