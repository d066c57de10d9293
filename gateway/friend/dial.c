/* SPDX-License-Identifier: ISC */
#include "friend/dial.h"

uint64_t dial_wait(unsigned failures, const struct dial_limits *limits, uint32_t random)
{
    uint64_t wait = limits->min_ms;
    for (unsigned i = 1; i < failures && wait < limits->max_ms; i++)
        wait *= 2;
    if (wait > limits->max_ms)
        wait = limits->max_ms;
    uint64_t quarter = wait / 4;
    return wait - quarter + (quarter ? random % (2 * quarter + 1) : 0);
}

void dial_soon(struct dial *dial, uint64_t now_ms)
{
    *dial = (struct dial){.next_ms = now_ms ? now_ms : 1};
}

void dial_failed(struct dial *dial, const struct dial_limits *limits, uint64_t now_ms, uint32_t random)
{
    if (dial->failures < UINT32_MAX)
        dial->failures++;
    dial->next_ms = now_ms + dial_wait(dial->failures, limits, random);
}

void dial_ended(struct dial *dial, const struct dial_limits *limits, uint64_t now_ms, uint64_t lived_ms,
                uint32_t random)
{
    if (lived_ms >= DIAL_STEADY_MS) {
        *dial = (struct dial){.next_ms = now_ms + dial_wait(1, limits, random)};
    } else if (lived_ms < DIAL_FRESH_MS && !dial->quick) {
        uint64_t wait = limits->max_ms < DIAL_QUICK_MS ? limits->max_ms : DIAL_QUICK_MS;
        dial->quick = true;
        dial->next_ms = now_ms + wait;
    } else {
        dial_failed(dial, limits, now_ms, random);
    }
}
