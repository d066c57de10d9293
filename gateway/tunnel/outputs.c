/* SPDX-License-Identifier: ISC */
#include "tunnel/outputs.h"

#include <stdlib.h>
#include <string.h>

/* Places in the queues of a friend link, 0..9 (protocol 20 §6, 01 §5). Nothing in a tunnel stands above the
 * tunnel-ok that makes it. */
static const uint8_t priorities[] = {
    [TURTLE_SEARCH] = 6,         [TURTLE_SEARCH_RESULT] = 3,
    [TURTLE_OPEN] = 7,           [TURTLE_OK] = 7,
    [TURTLE_FILE_REQUEST] = 5,   [TURTLE_FILE_DATA] = 3,
    [TURTLE_SEARCH_REGEXP] = 6,  [TURTLE_DATA] = 5,
    [TURTLE_SEARCH_GENERIC] = 6, [TURTLE_SEARCH_GENERIC_RESULT] = 3,
    [TURTLE_FILE_MAP] = 3,       [TURTLE_FILE_MAP_REQUEST] = 5,
    [TURTLE_FILE_CRC_MAP] = 3,   [TURTLE_FILE_CRC_MAP_REQUEST] = 5,
    [TURTLE_CHUNK_CRC] = 5,      [TURTLE_CHUNK_CRC_REQUEST] = 5,
    [TURTLE_FAST_DATA] = 7,
};

void outputs_free(struct outputs *outputs)
{
    free(outputs->list);
    buffer_free(&outputs->arena);
    *outputs = (struct outputs){0};
}

static struct output *add(struct outputs *outputs)
{
    if (outputs->count == outputs->capacity) {
        size_t capacity = outputs->capacity == 0 ? 8 : outputs->capacity * 2;
        struct output *list =
            capacity > OUTPUTS_LIMIT ? NULL : reallocarray(outputs->list, capacity, sizeof *list);
        if (list == NULL) {
            outputs->lost++;
            return NULL;
        }
        outputs->list = list;
        outputs->capacity = capacity;
    }
    struct output *output = &outputs->list[outputs->count++];
    memset(output, 0, sizeof *output);
    return output;
}

struct router_output *outputs_add(struct outputs *outputs, enum router_output_kind kind)
{
    struct output *output = add(outputs);
    if (output == NULL)
        return NULL;
    output->value.kind = kind;
    output->arena_offset = NOT_IN_ARENA;
    return &output->value;
}

bool output_send(struct outputs *outputs, uint32_t neighbour, uint8_t subtype, struct bytes item)
{
    struct router_output *output = outputs_add(outputs, ROUTER_SEND);
    if (output == NULL)
        return false;
    output->neighbour = neighbour;
    output->priority = priorities[subtype];
    output->item = item;
    return true;
}

bool output_send_arena(struct outputs *outputs, uint32_t neighbour, uint8_t subtype, size_t begin,
                       size_t size)
{
    if (!output_send(outputs, neighbour, subtype, (struct bytes){NULL, size}))
        return false;
    outputs->list[outputs->count - 1].arena_offset = begin;
    return true;
}

bool output_take(struct outputs *outputs, struct router_output *out)
{
    if (outputs->taken >= outputs->count)
        return false;
    const struct output *output = &outputs->list[outputs->taken++];
    *out = output->value;
    if (output->arena_offset != NOT_IN_ARENA)
        out->item.data = buffer_view(&outputs->arena).data + output->arena_offset;
    return true;
}
