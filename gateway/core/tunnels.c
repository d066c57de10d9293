/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "core/commands.h"
#include "core/hashes.h"
#include "core/network.h"

enum { TUNNELS_SHOWN = 1000 };

struct neighbour {
    uint32_t number; /* the router's, of this link */
    const uint8_t *location;
};

struct showing {
    json_t *list;
    struct neighbour *neighbours; /* NULL: the asker may not know the friends */
    size_t neighbour_count;
    json_int_t conversation; /* of the tunnels that are shown now; 0: none of the asker's */
    bool relayed_only;       /* the others were shown */
};

static json_t *friend_json(const struct showing *showing, uint32_t number)
{
    for (size_t i = 0; number != 0 && i < showing->neighbour_count; i++) {
        char location[33];
        if (showing->neighbours[i].number != number)
            continue;
        hex_lower(location, showing->neighbours[i].location, 16);
        return json_string(location);
    }
    return json_null();
}

static void show(void *arg, const struct router_tunnel *tunnel)
{
    static const char *const roles[] = {"initiator", "endpoint"};
    struct showing *showing = arg;
    if ((showing->relayed_only && tunnel->role >= 0) || json_array_size(showing->list) >= TUNNELS_SHOWN)
        return;
    json_array_append_new(
        showing->list,
        json_pack("{s:I,s:s,s:o,s:o,s:o,s:I,s:I,s:I}", "id", (json_int_t)tunnel->tunnel_id, "role",
                  tunnel->role < 0 ? "relay" : roles[tunnel->role], "towards_initiator",
                  friend_json(showing, tunnel->towards_initiator), "towards_endpoint",
                  friend_json(showing, tunnel->towards_endpoint), "conversation",
                  showing->conversation != 0 ? json_integer(showing->conversation) : json_null(), "bytes",
                  (json_int_t)tunnel->bytes, "idle_ms", (json_int_t)tunnel->idle_ms, "age_ms",
                  (json_int_t)tunnel->age_ms));
}

static void show_own(const struct gateway *gateway, const struct account *asker, bool all,
                     struct showing *showing)
{
    for (const struct owned_hash *entry = gateway->hashes; entry != NULL; entry = entry->hh.next) {
        bool asks = entry->owner->account == asker;
        if (!all && !asks)
            continue;
        showing->conversation = asks ? entry->owner->conversation : 0;
        router_each_tunnel_of(gateway->router, entry->key.hash, (enum router_role)entry->key.role,
                              uv_now(gateway->loop), show, showing);
    }
    showing->conversation = 0;
}

static bool know_friends(const struct gateway *gateway, struct showing *showing)
{
    size_t count = HASH_COUNT(gateway->friend_map);
    if (count == 0 || gateway->friends == NULL)
        return true;
    showing->neighbours = calloc(count, sizeof *showing->neighbours);
    if (showing->neighbours == NULL)
        return false;
    for (const struct friend *entry = gateway->friend_map; entry != NULL; entry = entry->hh.next) {
        struct friend_status status;
        if (friends_status(gateway->friends, entry->record.location, &status) && status.neighbour != 0)
            showing->neighbours[showing->neighbour_count++] =
                (struct neighbour){status.neighbour, entry->record.location};
    }
    return true;
}

/* Own tunnels first: there may be more relayed ones than are shown. */
bool do_tunnels(struct call *call, struct error **error)
{
    struct gateway *gateway = call->gateway;
    struct showing showing = {0};
    bool all = call->session != NULL && gateway_is_operator(call->session);
    if (all && !know_friends(gateway, &showing))
        return error_set(error, ERROR_INTERNAL, "out of memory");
    showing.list = json_array();
    show_own(gateway, call->account, all, &showing);
    if (all) {
        showing.relayed_only = true;
        router_each_tunnel(gateway->router, uv_now(gateway->loop), show, &showing);
    }
    call_done(call, json_pack("{s:o}", "tunnels", showing.list));
    free(showing.neighbours);
    return true;
}
