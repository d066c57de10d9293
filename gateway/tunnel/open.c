/* SPDX-License-Identifier: ISC */
#include "tunnel/router_internal.h"

const struct answer_age answer_ages[] = {
    [TURTLE_06] = {.tunnel_ms = 20000, .search_ms = 20000},
    [TURTLE_05] = {.tunnel_ms = 120000, .search_ms = 240000},
};

uint32_t open_send(struct router *router, const struct request *request, const struct turtle_open *open)
{
    struct encoded {
        size_t begin;
        size_t size;
    } encoded[2] = {0};
    uint32_t reached = 0;
    for (uint32_t i = 0; i < router->all_count; i++) {
        const struct neighbour *neighbour = router->all[i];
        if (!neighbour_reached(router, neighbour, request))
            continue;
        struct encoded *item = &encoded[neighbour->generation];
        if (item->size == 0) {
            struct buffer *arena = &router->outputs.arena;
            item->begin = buffer_size(arena);
            if (!turtle_open_write(arena, open, neighbour->generation))
                continue;
            item->size = buffer_size(arena) - item->begin;
        }
        if (!output_send_arena(&router->outputs, neighbour->number, TURTLE_OPEN, item->begin, item->size))
            continue;
        router->flow.up_bytes += item->size;
        reached++;
    }
    return reached;
}

/* The rules of protocol 02 §6 and §7. */
static void forward(struct router *router, const struct neighbour *from, struct request *request,
                    struct turtle_open *open, double chance)
{
    struct print print = router_print(router, PRINT_RELAY, open->hash, open->partial);
    bool bypass = (print.bits & 7) == 2;
    bool shift = open->depth == 1 && (print.bits & 7) == 6;
    if ((open->depth >= DEPTH_LIMIT && !bypass) || open->depth == UINT16_MAX)
        return;
    request->generations = GENERATION_BIT(from->generation);
    if (router->options.legacy_relay)
        request->generations = BOTH_GENERATIONS;
    request->serial_to = router->last_serial;
    request->chance = chance >= 1 ? UINT32_MAX : (uint32_t)(chance * (double)UINT32_MAX);
    open->partial = print.value;
    open->depth = (uint16_t)(open->depth + !shift);
    if (open_send(router, request, open) > 0)
        router->stats.requests_forwarded++;
}

const char *open_receive(struct router *router, struct neighbour *from, struct bytes item, uint64_t now)
{
    router->stats.requests_in++;
    if (!bucket_take(&from->requests, now)) {
        router->stats.requests_limited++;
        return "more requests than a neighbour may send";
    }
    struct turtle_open open;
    if (!turtle_open_parse(&open, item, from->generation))
        return "malformed tunnel request";
    if (open.depth == 0)
        return "tunnel request of depth 0";
    request_flow_fold(&router->flow, now);
    router->flow.down_bytes += item.size;
    double chance =
        forward_chance(&router->flow, open.depth, router->all_count, router->options.forward_per_second);
    if (request_find(&router->requests, open.request) != NULL)
        return NULL; /* it came by two ways */
    struct request *request = request_add(router, &router->requests, open.request, from, now);
    if (request == NULL)
        return "no room to remember the tunnel request";
    if (!serve_consider(router, from, &open, now))
        forward(router, from, request, &open, chance);
    return NULL;
}

bool ok_send(struct router *router, const struct neighbour *to, const struct turtle_ok *ok)
{
    struct buffer *arena = &router->outputs.arena;
    size_t begin = buffer_size(arena);
    return turtle_ok_write(arena, ok) &&
           output_send_arena(&router->outputs, to->number, TURTLE_OK, begin, buffer_size(arena) - begin);
}

bool answer_late(const struct request *request, const struct neighbour *from, bool search, uint64_t now)
{
    const struct answer_age *age = &answer_ages[from->generation];
    uint64_t limit = search ? age->search_ms : age->tunnel_ms;
    if (!request->own) {
        const struct answer_age *other = &answer_ages[request->origin_generation];
        uint64_t other_limit = search ? other->search_ms : other->tunnel_ms;
        limit = other_limit > limit ? other_limit : limit;
    }
    return now - request->at > limit;
}

/* W-T2 */
static const char *judge_answer(const struct router *router, const struct neighbour *from,
                                const struct request *request, uint64_t now)
{
    if (request == NULL)
        return "tunnel-ok for no request that is remembered";
    if (!neighbour_reached(router, from, request))
        return "tunnel-ok from a neighbour that was not asked";
    if (answer_late(request, from, false, now))
        return "tunnel-ok too late";
    unsigned by_it = 0;
    for (unsigned i = 0; i < request->answers; i++)
        by_it += request->answered_by[i] == from->number;
    if (request->answers >= ANSWERS_PER_REQUEST || by_it >= ANSWERS_PER_NEIGHBOUR)
        return "too many tunnel-ok for one request";
    if (request->own ? request->wanted == NULL : request->origin == 0)
        return "tunnel-ok that nobody waits for any more";
    return NULL;
}

/* The tunnel exists: the answer must agree with it. */
static const char *repeat_answer(const struct router *router, const struct neighbour *from,
                                 const struct request *request, struct tunnel *tunnel, uint64_t now)
{
    if (tunnel->neighbour[TOWARDS_ENDPOINT] != from->handle ||
        tunnel->neighbour[TOWARDS_INITIATOR] != request->origin)
        return "tunnel-ok for a tunnel with other ends";
    if (request->own && end_at(router, tunnel->end)->home != &request->wanted->home)
        return "tunnel-ok for a tunnel to another hash";
    struct tunnel_record *record = tunnel_record(&router->tunnels, tunnel);
    if (record->request == request->id)
        return "tunnel-ok repeated";
    record->request = request->id;
    tunnel->used = now;
    return NULL;
}

static const char *accept_answer(struct router *router, struct neighbour *from, const struct request *request,
                                 uint32_t tunnel_id, uint64_t now)
{
    struct tunnel *tunnel = tunnel_find(&router->tunnels, tunnel_id);
    if (tunnel != NULL) {
        const char *refusal = repeat_answer(router, from, request, tunnel, now);
        if (refusal == NULL && request->own)
            dig_found(router, request->wanted);
        return refusal;
    }
    if (request->own) {
        struct end *end = end_add(router, &request->wanted->home, from, tunnel_id, request->id, now);
        if (end == NULL)
            return "tunnel-ok beyond the limit of tunnels";
        end_announce(router, end);
        dig_found(router, request->wanted);
        return NULL;
    }
    tunnel = tunnel_add(router, tunnel_id, neighbour_at(router, request->origin), from, 0, now);
    if (tunnel == NULL)
        return "no room for the tunnel";
    tunnel_record(&router->tunnels, tunnel)->request = request->id;
    return NULL;
}

const char *ok_receive(struct router *router, struct neighbour *from, struct bytes item, uint64_t now)
{
    struct turtle_ok ok;
    if (!turtle_ok_parse(&ok, item))
        return "malformed tunnel-ok";
    struct request *request = request_find(&router->requests, ok.request);
    const char *refusal = judge_answer(router, from, request, now);
    if (refusal == NULL)
        refusal = accept_answer(router, from, request, ok.tunnel, now);
    if (refusal != NULL) {
        router->stats.answers_refused++;
        return refusal;
    }
    request->answered_by[request->answers++] = from->number;
    if (!request->own)
        output_send(&router->outputs, neighbour_at(router, request->origin)->number, TURTLE_OK, item);
    return NULL;
}
