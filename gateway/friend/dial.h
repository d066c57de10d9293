/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_DIAL_H
#define RETROGATE_FRIEND_DIAL_H

#include <stdbool.h>
#include <stdint.h>

/* When a friend is dialled again. Pure; times in monotonic milliseconds. A zeroed struct has nothing planned.
 */
struct dial {
    uint64_t next_ms;  /* 0: nothing planned */
    unsigned failures; /* rounds over all addresses in a row */
    bool quick;        /* the quick retry of protocol 11 §3.3 is used up */
};

struct dial_limits {
    uint64_t min_ms, max_ms;
};

enum {
    DIAL_STEADY_MS = 10000, /* a link that lived so long counts as success */
    DIAL_FRESH_MS = 1000,   /* closed within: a stock peer that was not ready yet */
    DIAL_QUICK_MS = 3000,
};

void dial_soon(struct dial *dial, uint64_t now_ms);
/* A round over all addresses brought nothing: twice the wait of the last, ± a quarter (from `random`). */
void dial_failed(struct dial *dial, const struct dial_limits *limits, uint64_t now_ms, uint32_t random);
/* A link ended, `lived_ms` after TLS came up. Plans the next round. */
void dial_ended(struct dial *dial, const struct dial_limits *limits, uint64_t now_ms, uint64_t lived_ms,
                uint32_t random);
uint64_t dial_wait(unsigned failures, const struct dial_limits *limits, uint32_t random);

#endif
