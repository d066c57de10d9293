/* SPDX-License-Identifier: ISC */
#include "tunnel/router_internal.h"

/* Searches of files and other things are other people's: relayed within their generation, never answered
 * (protocol 02 §11, 21 §4). */

static bool copy_with_depth(struct router *router, struct bytes item, size_t depth_offset, uint16_t depth,
                            size_t *begin)
{
    struct buffer *arena = &router->outputs.arena;
    *begin = buffer_size(arena);
    return buffer_append_bytes(arena, (struct bytes){item.data, depth_offset}) && buffer_u16(arena, depth) &&
           buffer_append(arena, item.data + depth_offset + 2, item.size - depth_offset - 2);
}

static const char *receive_request(struct router *router, struct neighbour *from,
                                   const struct turtle_search *search, struct bytes item, uint64_t now)
{
    if (item.size > SEARCH_SIZE_LIMIT)
        return "search too large";
    if (search->depth == 0)
        return "search of depth 0";
    if (request_find(&router->searches, search->request) != NULL)
        return NULL;
    struct request *request = request_add(router, &router->searches, search->request, from, now);
    if (request == NULL)
        return "no room to remember the search";
    static const uint8_t no_hash[TURTLE_HASH_SIZE];
    uint32_t bits = router_print(router, PRINT_SEARCH, no_hash, search->request).bits & 7;
    if ((search->depth >= DEPTH_LIMIT && bits != 2) || search->depth == UINT16_MAX)
        return NULL;
    request->generations = GENERATION_BIT(from->generation);
    request->serial_to = router->last_serial;
    request->chance = UINT32_MAX;
    uint16_t depth = (uint16_t)(search->depth + !(search->depth == 1 && bits == 6));
    size_t begin;
    if (!copy_with_depth(router, item, search->depth_offset, depth, &begin))
        return NULL;
    for (uint32_t i = 0; i < router->all_count; i++) {
        if (neighbour_reached(router, router->all[i], request))
            output_send_arena(&router->outputs, router->all[i]->number, search->subtype, begin, item.size);
    }
    return NULL;
}

/* As the original counts, which takes every 50 bytes of another result than files for one hit; but each item
 * counts. */
static uint32_t hits_in(const struct turtle_search *search, struct bytes item)
{
    uint32_t number = item_u32(item.data + search->depth_offset + 2); /* of files, or of bytes */
    uint32_t hits = search->subtype == TURTLE_SEARCH_RESULT ? number : number / BYTES_PER_HIT;
    return hits > 0 ? hits : 1;
}

static const char *receive_result(struct router *router, const struct neighbour *from,
                                  const struct turtle_search *search, struct bytes item, uint64_t now)
{
    struct request *request = request_find(&router->searches, search->request);
    if (request == NULL)
        return "result of no search that is remembered";
    if (!neighbour_reached(router, from, request))
        return "result from a neighbour that was not asked";
    if (answer_late(request, from, true, now))
        return "result too late";
    uint32_t most = search->subtype == TURTLE_SEARCH_RESULT ? SEARCH_HITS_FILES : SEARCH_HITS_GENERIC;
    if (request->hits >= most)
        return "too many results for one search";
    if (request->origin == 0)
        return NULL;
    uint32_t hits = hits_in(search, item);
    request->hits += hits < most ? hits : most;
    const struct neighbour *to = neighbour_at(router, request->origin);
    /* 0.5 hides how far the result came from; 0.6 writes nothing there. */
    uint16_t depth = to->generation == TURTLE_05 ? (uint16_t)(2 + random_below(&router->random, 256)) : 0;
    size_t begin;
    if (depth == search->depth)
        output_send(&router->outputs, to->number, search->subtype, item);
    else if (copy_with_depth(router, item, search->depth_offset, depth, &begin))
        output_send_arena(&router->outputs, to->number, search->subtype, begin, item.size);
    return NULL;
}

const char *search_receive(struct router *router, struct neighbour *from, struct bytes item, uint64_t now)
{
    uint8_t subtype = item.data[3];
    bool result = subtype == TURTLE_SEARCH_RESULT || subtype == TURTLE_SEARCH_GENERIC_RESULT;
    if (!result && !bucket_take(&from->requests, now)) {
        router->stats.requests_limited++;
        return "more requests than a neighbour may send";
    }
    struct turtle_search search;
    if (!turtle_search_parse(&search, item, from->generation))
        return "malformed search";
    return result ? receive_result(router, from, &search, item, now)
                  : receive_request(router, from, &search, item, now);
}
