/* SPDX-License-Identifier: ISC */
/* The end of invites: used up, revoked, expired, and of routes that nobody uses any more. */
#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/commands.h"
#include "core/conversations.h"
#include "core/invites.h"
#include "core/rows.h"
#include "core/sealing.h"
#include "core/text.h"
#include "core/write.h"

static const int64_t ROUTE_IDLE_MS = INT64_C(30) * 86400 * 1000;

static struct route *route_of(const struct invite *invite)
{
    struct route *route = NULL;
    struct conversation *conversation = invite->contact->conversation;
    if (conversation != NULL)
        DL_FOREACH(conversation->routes, route)
        {
            if (route->invite == invite->id && !route->ended && route->parting == 0)
                break;
        }
    return route;
}

struct invite_write {
    struct account *account;
    int64_t id, change;
    const char *state;
    bool end_route;
    struct call *call;     /* NULL: nobody waits */
    struct route *settled; /* pinned: its row is in the same commit; NULL: none */
};

static void apply_end(const struct invite_write *work, struct invite *invite)
{
    struct account *account = work->account;
    struct route *route = work->end_route ? route_of(invite) : NULL;
    if (strcmp(work->state, "open") != 0) {
        buffer_free(&invite->link_wrapped);
        invite->link_wrapped = buffer_make(1 << 16);
    }
    text_copy(invite->state, sizeof invite->state, work->state);
    invite->change = work->change;
    ring_put(account, invite->change, "invite", json_of_invite(invite));
    if (route != NULL) {
        route_close(route, clock_wall_ms());
        conversation_settle(route->conversation);
        conversations_drain(account->gateway);
    }
}

static void invite_written(void *arg, const struct error *error)
{
    struct invite_write *work = arg;
    struct invite *invite = NULL;
    if (work->settled != NULL) {
        work->settled->pins--;
        work->settled->unsettled = error != NULL;
    }
    HASH_FIND(hh, work->account->invites, &work->id, sizeof work->id, invite);
    if (invite != NULL)
        invite->ending = false;
    if (error == NULL && invite != NULL)
        apply_end(work, invite);
    if (work->call != NULL) {
        if (error != NULL || invite == NULL)
            call_fail_copy(work->call,
                           error != NULL ? error : &(struct error){ERROR_NOT_FOUND, "it was removed"});
        else
            call_done(work->call, json_of_invite(invite));
    }
    free(work);
}

static bool end_with(struct invite *invite, struct invite_write template, struct route *route)
{
    struct account *account = invite->account;
    struct invite_write *work = calloc(1, sizeof *work);
    struct write *write = work != NULL ? write_begin(account->gateway, account) : NULL;
    if (write == NULL) {
        free(work);
        return false;
    }
    struct invite changed = *invite;
    if (strcmp(template.state, "open") != 0)
        changed.link_wrapped = (struct buffer){0};
    text_copy(changed.state, sizeof changed.state, template.state);
    changed.change = write_change(write);
    put_invite(write->batch, &changed);
    if (template.end_route && route != NULL)
        route_put_closed(route, write->batch, clock_wall_ms());
    if (template.settled != NULL) {
        put_route(write->batch, template.settled);
        template.settled->pins++;
    }
    invite->ending = strcmp(template.state, "open") != 0;
    *work = template;
    work->account = account;
    work->id = invite->id;
    work->change = changed.change;
    write_commit(write, invite_written, work);
    return true;
}

static bool end_offer(struct invite *invite, const char *state, bool end_route, struct call *call)
{
    return end_with(invite, (struct invite_write){.state = state, .end_route = end_route, .call = call},
                    end_route ? route_of(invite) : NULL);
}

static struct invite *offer_of(const struct route *route)
{
    struct invite *invite = NULL;
    HASH_FIND(hh, route->conversation->account->invites, &route->invite, sizeof route->invite, invite);
    return invite != NULL && invite->own && strcmp(invite->state, "open") == 0 && !invite->ending ? invite
                                                                                                  : NULL;
}

void invite_discard(struct route *route)
{
    struct invite *invite = offer_of(route);
    if (invite != NULL)
        end_offer(invite, "revoked", false, NULL);
}

static void settled(void *arg, const struct error *error)
{
    struct route *route = arg;
    route->pins--;
    route->unsettled = error != NULL;
}

void invite_settled(struct route *route)
{
    struct invite *invite = offer_of(route);
    if (invite != NULL) {
        end_with(invite, (struct invite_write){.state = "used", .settled = route}, NULL);
        return;
    }
    struct store_batch *batch = store_begin(route->conversation->account->gateway->store);
    if (batch == NULL)
        return;
    put_route(batch, route);
    route->pins++;
    store_commit(batch, settled, route);
}

const char *invite_protection(const struct invite *invite)
{
    return invite->sealed_only ? "sealed" : invite->sealed ? "any" : "classic";
}

void invite_confirmed(struct route *route)
{
    struct invite *invite = offer_of(route);
    if (invite == NULL || invite->uses_left < 1)
        return;
    /* Memory follows at once: what is used up is not offered again while that is being stored. */
    invite->uses_left--;
    end_offer(invite, invite->uses_left == 0 ? "used" : "open", false, NULL);
}

bool do_invite_revoke(struct call *call, struct error **error)
{
    int64_t id = arg_int(call, "invite", 0);
    struct invite *invite = NULL;
    HASH_FIND(hh, call->account->invites, &id, sizeof id, invite);
    if (invite == NULL)
        return error_set(error, ERROR_NOT_FOUND, "invite %lld does not exist; see the list of invites",
                         (long long)id);
    if (strcmp(invite->state, "revoked") == 0)
        return error_set(error, ERROR_INVALID, "invite %lld is revoked already", (long long)id);
    /* Revoking says that this way to the contact shall be gone, used or not. */
    return end_offer(invite, "revoked", true, call) || error_set(error, ERROR_INTERNAL, "out of memory");
}

/* Sealed routes are found by hashes that change: what is unused costs nothing and stays until it is closed.
 */
static bool expired(const struct route *route, int64_t now)
{
    int64_t used = route->last_used > route->created ? route->last_used : route->created;
    return !route->ended && !route->sealed && route->confirmed && used + ROUTE_IDLE_MS <= now;
}

/* Whoever did not come in this time is not waited for any more. */
static void forget_parting(struct route *route, int64_t now)
{
    if (!route->ended && route->parting != 0 && route->parting + ROUTE_IDLE_MS <= now)
        route_parted(route);
}

static void tend_routes(struct account *account, int64_t now)
{
    struct conversation *conversation, *next;
    HASH_ITER(hh, account->conversations, conversation, next)
    {
        struct route *route;
        DL_FOREACH(conversation->routes, route)
        {
            struct store_batch *batch;
            if (route->unsettled && !route->ended && account->unlocked)
                sealing_settle(route);
            /* The closing of the peer could not be stored. */
            if (route_is_over(route) && route->chat != NULL && !route->ended)
                sealing_store_closing(route, NULL, 0);
            forget_parting(route, now);
            if (!expired(route, now) || (batch = store_begin(account->gateway->store)) == NULL)
                continue;
            route_delete(route, batch);
            store_commit(batch, NULL, NULL);
            route_end(route);
            conversation_settle(conversation);
        }
    }
}

void invites_expire(struct gateway *gateway)
{
    int64_t now = clock_wall_ms();
    struct account *account, *next_account;
    HASH_ITER(hh, gateway->accounts, account, next_account)
    {
        struct invite *invite, *next;
        HASH_ITER(hh, account->invites, invite, next)
        {
            struct route *route;
            bool open = strcmp(invite->state, "open") == 0;
            if (invite->expires == 0 || invite->expires > now)
                continue;
            route = route_of(invite);
            /* An open route lives on; one that nobody ever used ends with its offer. */
            if (open || (!invite->own && route != NULL && !route->confirmed))
                end_offer(invite, "expired", route != NULL && !route->confirmed, NULL);
        }
        tend_routes(account, now);
    }
}
