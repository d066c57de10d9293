/* SPDX-License-Identifier: ISC */
#include "tunnel/router_internal.h"

/* 0x16 does not exist in 0.5 (protocol 21 §1): such an item goes on as 0x0a, which has the same layout. Of
 * the other items only 0x0a crosses (00 decision 10). */
static const char *cross(struct router *router, const struct neighbour *to, struct bytes item)
{
    uint8_t subtype = item.data[3];
    if (subtype == TURTLE_DATA) {
        output_send(&router->outputs, to->number, subtype, item);
        return NULL;
    }
    if (subtype != TURTLE_FAST_DATA)
        return "file item towards the other generation";
    struct buffer *arena = &router->outputs.arena;
    uint32_t tunnel;
    struct bytes payload;
    size_t begin = buffer_size(arena);
    if (turtle_data_parse(&tunnel, &payload, item) && turtle_data_write(arena, TURTLE_DATA, tunnel, payload))
        output_send_arena(&router->outputs, to->number, TURTLE_DATA, begin, item.size);
    return NULL;
}

static const char *deliver(struct router *router, const struct tunnel *tunnel, struct bytes item,
                           uint64_t now)
{
    uint32_t id;
    struct bytes payload;
    if (!turtle_data_parse(&id, &payload, item))
        return "file item in a tunnel that ends here";
    struct router_output *output = outputs_add(&router->outputs, ROUTER_DATA);
    if (output == NULL)
        return NULL;
    struct end *end = end_at(router, tunnel->end);
    end->heard = now;
    output->neighbour = end->neighbour->number;
    output->tunnel = end->number;
    output->tunnel_id = id;
    memcpy(output->hash, end->home->hash, sizeof output->hash);
    output->role = end->home->role;
    output->payload = payload;
    output->fast = item.data[3] == TURTLE_FAST_DATA;
    return NULL;
}

const char *relay_receive(struct router *router, struct neighbour *from, struct bytes item, uint64_t now)
{
    uint32_t id;
    bool stamps;
    if (!turtle_tunnel_item(&id, &stamps, item, from->generation))
        return "malformed item in a tunnel";
    struct tunnel *tunnel = tunnel_find(&router->tunnels, id);
    if (tunnel == NULL)
        return "item for an unknown tunnel";
    enum tunnel_side next;
    if (tunnel->neighbour[TOWARDS_ENDPOINT] == from->handle)
        next = TOWARDS_INITIATOR;
    else if (tunnel->neighbour[TOWARDS_INITIATOR] == from->handle)
        next = TOWARDS_ENDPOINT;
    else
        return "item for a tunnel of other neighbours";
    if (stamps) /* only now: nobody else keeps it alive (W-T4) */
        tunnel->used = now;
    tunnel->bytes += item.size;
    if (tunnel->end != 0)
        return deliver(router, tunnel, item, now);

    const struct neighbour *to = neighbour_at(router, tunnel->neighbour[next]);
    router->stats.items_forwarded++;
    router->stats.bytes_forwarded += item.size;
    if (to->generation != from->generation)
        return cross(router, to, item);
    output_send(&router->outputs, to->number, item.data[3], item);
    return NULL;
}
