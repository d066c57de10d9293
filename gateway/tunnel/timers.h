/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TUNNEL_TIMERS_H
#define RETROGATE_TUNNEL_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is due first: a binary heap of timers that live inside their owners. */
struct timer {
    uint64_t due;    /* milliseconds */
    size_t position; /* from 1; 0: not set */
};

struct timers {
    struct timer **heap;
    size_t count;
    size_t capacity;
};

void timers_free(struct timers *timers);
/* Sets or moves. False without memory: the timer is not set. */
bool timers_set(struct timers *timers, struct timer *timer, uint64_t due);
void timers_clear(struct timers *timers, struct timer *timer);
struct timer *timers_first(const struct timers *timers); /* NULL: none */

#endif
