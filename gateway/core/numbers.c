/* SPDX-License-Identifier: ISC */
#include "core/numbers.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/conversations.h"

struct voids {
    struct route *route;
    uint64_t first, last;
    bool asked; /* being stored */
    struct voids *prev, *next;
};

static void drop(struct voids *voids)
{
    DL_DELETE(voids->route->voids, voids);
    free(voids);
}

static void used(void *arg, const struct error *error)
{
    struct voids *voids = arg;
    struct route *route = voids->route;
    struct gateway *gateway = route->conversation->account->gateway;
    route->pins--;
    voids->asked = false;
    if (error != NULL)
        return;
    if (voids->last > route->number_out)
        route->number_out = voids->last;
    for (uint64_t number = voids->first; number <= voids->last && route->chat != NULL; number++)
        chat_void(route->chat, number, uv_now(gateway->loop), clock_wall_ms() / 1000);
    if (route->chat != NULL)
        route_mark_dirty(route);
    drop(voids);
}

void numbers_try(struct route *route)
{
    struct voids *voids, *next;
    DL_FOREACH_SAFE(route->voids, voids, next)
    {
        struct store_batch *batch =
            voids->asked || route->ended ? NULL : store_begin(route->conversation->account->gateway->store);
        if (batch == NULL)
            continue;
        voids->asked = true;
        route->pins++;
        store_set_number_out(batch, route->id, voids->last);
        store_commit(batch, used, voids);
    }
}

void numbers_void(struct route *route, uint64_t first, uint64_t last)
{
    struct voids *voids = route->ended ? NULL : calloc(1, sizeof *voids);
    if (voids == NULL) {
        if (!route->ended) /* after the next start the chat knows them as voids */
            log_error("core", "event=number-held reason=memory route=%s",
                      log_name(&route->id, sizeof route->id));
        return;
    }
    *voids = (struct voids){.route = route, .first = first, .last = last};
    DL_APPEND(route->voids, voids);
    numbers_try(route);
}

void numbers_forget(struct route *route)
{
    struct voids *voids, *next;
    DL_FOREACH_SAFE(route->voids, voids, next)
    drop(voids);
}
