/* SPDX-License-Identifier: ISC */
#include "tunnel/timers.h"

#include <stdlib.h>

void timers_free(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}

static void place(struct timers *timers, struct timer *timer, size_t position)
{
    timers->heap[position - 1] = timer;
    timer->position = position;
}

static void rise(struct timers *timers, struct timer *timer)
{
    size_t at = timer->position;
    while (at > 1 && timers->heap[at / 2 - 1]->due > timer->due) {
        place(timers, timers->heap[at / 2 - 1], at);
        at /= 2;
    }
    place(timers, timer, at);
}

static void sink(struct timers *timers, struct timer *timer)
{
    size_t at = timer->position;
    for (;;) {
        size_t child = at * 2;
        if (child > timers->count)
            break;
        if (child < timers->count && timers->heap[child]->due < timers->heap[child - 1]->due)
            child++;
        if (timers->heap[child - 1]->due >= timer->due)
            break;
        place(timers, timers->heap[child - 1], at);
        at = child;
    }
    place(timers, timer, at);
}

bool timers_set(struct timers *timers, struct timer *timer, uint64_t due)
{
    if (timer->position == 0) {
        if (timers->count == timers->capacity) {
            size_t capacity = timers->capacity == 0 ? 16 : timers->capacity * 2;
            struct timer **heap = reallocarray(timers->heap, capacity, sizeof *heap);
            if (heap == NULL)
                return false;
            timers->heap = heap;
            timers->capacity = capacity;
        }
        place(timers, timer, ++timers->count);
    }
    timer->due = due;
    rise(timers, timer);
    sink(timers, timer);
    return true;
}

void timers_clear(struct timers *timers, struct timer *timer)
{
    if (timer->position == 0)
        return;
    struct timer *moved = timers->heap[--timers->count];
    if (moved != timer) {
        place(timers, moved, timer->position);
        rise(timers, moved);
        sink(timers, moved);
    }
    timer->position = 0;
}

struct timer *timers_first(const struct timers *timers)
{
    return timers->count == 0 ? NULL : timers->heap[0];
}
