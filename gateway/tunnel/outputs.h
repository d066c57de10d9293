/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TUNNEL_OUTPUTS_H
#define RETROGATE_TUNNEL_OUTPUTS_H

#include "base/buffer.h"
#include "tunnel/router.h"

/* What one call of the router produced. An item is either a view of what the caller gave, or stands in the
 * arena; there it is named by its offset, because the arena moves as it grows. Beyond the limit, or without
 * memory, outputs are lost and counted: an item not sent, like on a full link. */
struct output {
    struct router_output value;
    size_t arena_offset; /* NOT_IN_ARENA, or where value.item begins */
};

enum { OUTPUTS_LIMIT = 131072, ARENA_LIMIT = 16 * 1024 * 1024 };
#define NOT_IN_ARENA SIZE_MAX

struct outputs {
    struct output *list;
    size_t count;
    size_t taken;
    size_t capacity;
    uint64_t lost;
    struct buffer arena;
};

void outputs_free(struct outputs *outputs);
/* A new call begins: what was taken is forgotten. What was not, stays: a caller may call while it takes. */
static inline void outputs_begin(struct outputs *outputs)
{
    if (outputs->taken < outputs->count)
        return;
    outputs->count = 0;
    outputs->taken = 0;
    if (outputs->arena.end != 0 || outputs->arena.failed)
        buffer_clear(&outputs->arena);
}

/* A zeroed output of this kind; NULL when it is lost. */
struct router_output *outputs_add(struct outputs *outputs, enum router_output_kind kind);
/* An item that the caller of the router holds until it took the outputs. `subtype`: of enum turtle_subtype,
 * for the priority. */
bool output_send(struct outputs *outputs, uint32_t neighbour, uint8_t subtype, struct bytes item);
/* An item that stands in the arena. */
bool output_send_arena(struct outputs *outputs, uint32_t neighbour, uint8_t subtype, size_t begin,
                       size_t size);
bool output_take(struct outputs *outputs, struct router_output *out);

#endif
