/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_TUNNEL_SINGLE_H
#define RETROGATE_TESTS_TUNNEL_SINGLE_H

#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "support/vectors.h"
#include "tunnel/router.h"

/* One router among neighbours that the test plays: items in, outputs kept as copies until the next call. */

enum { SINGLE_OUTPUTS = 8192 };

struct single {
    struct router *router;
    struct random_seeded random;
    uint64_t now;
    const char *refusal; /* of the last item */
    size_t count;
    struct router_output outputs[SINGLE_OUTPUTS]; /* views into `memory` */
    struct buffer memory;
};

static inline void single_collect(struct single *single)
{
    single->count = 0;
    buffer_clear(&single->memory);
    size_t offsets[2][SINGLE_OUTPUTS];
    struct router_output output;
    while (router_next(single->router, &output)) {
        assert_true(single->count < SINGLE_OUTPUTS);
        offsets[0][single->count] = buffer_size(&single->memory);
        assert_true(buffer_append_bytes(&single->memory, output.item));
        offsets[1][single->count] = buffer_size(&single->memory);
        assert_true(buffer_append_bytes(&single->memory, output.payload));
        single->outputs[single->count++] = output;
    }
    for (size_t i = 0; i < single->count; i++) {
        single->outputs[i].item.data = buffer_view(&single->memory).data + offsets[0][i];
        single->outputs[i].payload.data = buffer_view(&single->memory).data + offsets[1][i];
    }
}

static inline struct single *single_new(const struct router_options *options, uint64_t seed)
{
    struct single *single = calloc(1, sizeof *single);
    assert_non_null(single);
    single->now = 5000000;
    single->memory = buffer_make(64 * 1024 * 1024);
    struct random_source random = random_from_seed(&single->random, seed);
    single->router = router_new(options, &random, single->now);
    assert_non_null(single->router);
    return single;
}

static inline void single_free(struct single *single)
{
    router_free(single->router);
    buffer_free(&single->memory);
    free(single);
}

static inline void single_up(struct single *single, uint32_t neighbour, enum turtle_generation generation)
{
    router_neighbour_up(single->router, neighbour, generation, single->now);
    single_collect(single);
}

static inline void single_down(struct single *single, uint32_t neighbour)
{
    router_neighbour_down(single->router, neighbour, single->now);
    single_collect(single);
}

/* NULL when the item was taken, like router_receive(). */
static inline const char *single_receive(struct single *single, uint32_t neighbour, struct bytes item)
{
    single->refusal = router_receive(single->router, neighbour, item, single->now);
    single_collect(single);
    return single->refusal;
}

static inline const char *single_receive_buffer(struct single *single, uint32_t neighbour,
                                                struct buffer *item)
{
    const char *refusal = single_receive(single, neighbour, buffer_view(item));
    buffer_free(item);
    return refusal;
}

static inline void single_tick(struct single *single, uint64_t ms)
{
    single->now += ms;
    router_tick(single->router, single->now);
    single_collect(single);
}

/* Follows the router's own deadlines for this long; returns how many outputs of this kind came on the way.
 * Those of the last call stay in `outputs`. */
static inline size_t single_run(struct single *single, uint64_t ms, enum router_output_kind kind)
{
    uint64_t until = single->now + ms;
    size_t found = 0;
    for (uint64_t due; (due = router_deadline(single->router)) <= until;) {
        single_tick(single, due > single->now ? due - single->now : 0);
        for (size_t i = 0; i < single->count; i++)
            found += single->outputs[i].kind == kind;
    }
    single->now = until;
    return found;
}

static inline struct bytes single_hash(uint32_t n)
{
    static uint8_t hash[TURTLE_HASH_SIZE];
    memset(hash, 0x5a, sizeof hash);
    memcpy(hash, &n, sizeof n);
    return (struct bytes){hash, sizeof hash};
}

static inline const char *single_open(struct single *single, uint32_t from, enum turtle_generation generation,
                                      uint32_t hash, uint32_t request, uint32_t partial, uint16_t depth)
{
    struct turtle_open open = {.request = request, .partial = partial, .depth = depth};
    memcpy(open.hash, single_hash(hash).data, sizeof open.hash);
    struct buffer item = buffer_make(256);
    assert_true(turtle_open_write(&item, &open, generation));
    return single_receive_buffer(single, from, &item);
}

static inline const char *single_ok(struct single *single, uint32_t from, uint32_t tunnel, uint32_t request)
{
    struct buffer item = buffer_make(256);
    assert_true(turtle_ok_write(&item, &(struct turtle_ok){.tunnel = tunnel, .request = request}));
    return single_receive_buffer(single, from, &item);
}

static inline const char *single_data(struct single *single, uint32_t from, uint8_t subtype, uint32_t tunnel,
                                      const char *text)
{
    struct buffer item = buffer_make(1024);
    assert_true(turtle_data_write(&item, subtype, tunnel, bytes_of_string(text)));
    return single_receive_buffer(single, from, &item);
}

/* The n-th output of this kind of the last call; NULL when there are fewer. */
static inline const struct router_output *single_find(const struct single *single,
                                                      enum router_output_kind kind, size_t n)
{
    for (size_t i = 0; i < single->count; i++) {
        if (single->outputs[i].kind == kind && n-- == 0)
            return &single->outputs[i];
    }
    return NULL;
}

static inline size_t single_count(const struct single *single, enum router_output_kind kind)
{
    size_t count = 0;
    while (single_find(single, kind, count) != NULL)
        count++;
    return count;
}

/* What the last call sent to this neighbour first; empty when nothing. */
static inline struct bytes single_sent(const struct single *single, uint32_t neighbour)
{
    for (size_t i = 0; i < single->count; i++) {
        if (single->outputs[i].kind == ROUTER_SEND && single->outputs[i].neighbour == neighbour)
            return single->outputs[i].item;
    }
    return (struct bytes){NULL, 0};
}

static inline struct turtle_open single_sent_open(const struct single *single, uint32_t neighbour,
                                                  enum turtle_generation generation)
{
    struct turtle_open open;
    assert_true(turtle_open_parse(&open, single_sent(single, neighbour), generation));
    return open;
}

static inline struct turtle_ok single_sent_ok(const struct single *single, uint32_t neighbour)
{
    struct turtle_ok ok;
    assert_true(turtle_ok_parse(&ok, single_sent(single, neighbour)));
    return ok;
}

static inline struct router_stats single_stats(const struct single *single)
{
    struct router_stats stats;
    router_stats(single->router, &stats);
    return stats;
}

#endif
