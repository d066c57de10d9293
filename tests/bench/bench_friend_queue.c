/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "friend/queue.h"

/* Through the queue against the least it must do: copy each item once. Turtle items of a chat are some 100
 * bytes. */

enum { ROUNDS = 20000, BATCH = 64 };

static volatile uint8_t sink;

static double seconds(uint64_t since)
{
    return (double)(uv_hrtime() - since) / 1e9;
}

static void measure(size_t size)
{
    struct queue *queue = queue_new(16 << 20);
    uint8_t *item = calloc(1, size), *copy = malloc(BATCH * size);
    if (!queue || !item || !copy)
        abort();
    uint64_t begun = uv_hrtime();
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < BATCH; i++)
            memcpy(copy + i * size, item, size);
        for (unsigned i = 0; i < BATCH; i++)
            sink = copy[i * size];
    }
    double least = seconds(begun);

    begun = uv_hrtime();
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct bytes out;
        for (unsigned i = 0; i < BATCH; i++)
            if (!queue_push(queue, 3 + i % 5, bytes_of(item, size)))
                abort();
        while (queue_pop(queue, &out))
            sink = out.data[0];
    }
    double took = seconds(begun);
    printf("item=%zu ns_per_item=%.1f ns_per_copy=%.1f ratio=%.1f\n", size, took * 1e9 / ROUNDS / BATCH,
           least * 1e9 / ROUNDS / BATCH, took / least);
    queue_free(queue);
    free(item);
    free(copy);
}

int main(void)
{
    static const size_t sizes[] = {40, 100, 500, 2000, 15000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        measure(sizes[i]);
    return 0;
}
