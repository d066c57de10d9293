/* SPDX-License-Identifier: ISC */
#include "friend/set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "friend/addresses.h"

/* One round tries the record's addresses in their order, then what its name resolves to; a hidden friend has
 * the proxy alone (00 decision 7). When a round brings nothing, the next one waits longer. */

struct lookup {
    uv_getaddrinfo_t request;
    struct lookup *prev, *next; /* set->lookups */
    struct friends *set;        /* NULL: nobody waits any more */
    uint8_t location[16];
};

static bool has_target(const struct member *member)
{
    const struct friend_record *record = &member->record;
    if (record->hidden[0])
        return member->set->has_proxy;
    return record->address_count > 0 || record->dns[0];
}

static void plan(struct member *member)
{
    if (!has_target(member))
        member->dial.next_ms = 0;
    if (member->dial.next_ms)
        set_wake(member->set, member->dial.next_ms);
}

static void round_end(struct member *member)
{
    dialler_stop(member);
    dial_failed(&member->dial, &member->set->limits, clock_monotonic_ms(), random_u32(&random_system));
    plan(member);
}

static bool try_address(struct member *member, const struct sockaddr_storage *address)
{
    if (address_dialable(address))
        member->trying = link_dial(member, address, NULL, 0);
    return member->trying != NULL;
}

static void keep_resolutions(struct member *member, const struct addrinfo *list)
{
    bool local = addresses_local(&member->record);
    member->resolved_count = 0;
    for (; list && member->resolved_count < 8; list = list->ai_next) {
        struct sockaddr_storage *into = &member->resolutions[member->resolved_count];
        if (list->ai_addrlen > sizeof *into || (!local && address_is_loopback(list->ai_addr)))
            continue;
        memset(into, 0, sizeof *into);
        memcpy(into, list->ai_addr, list->ai_addrlen);
        address_set_port((struct sockaddr *)into, member->record.dns_port);
        member->resolved_count++;
    }
}

static void resolved(struct member *member, const struct addrinfo *list)
{
    member->resolving = false;
    member->resolved = true;
    keep_resolutions(member, list);
    if (!list)
        snprintf(member->status.reason, sizeof member->status.reason,
                 "the friend's name could not be resolved");
    if (!member->current && !member->trying)
        dialler_next(member);
    member_refresh(member, NULL);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct lookup *lookup = request->data;
    struct friends *set = lookup->set;
    if (set) {
        DL_DELETE(set->lookups, lookup);
        struct member *member = set_find(set, lookup->location);
        if (member && member->resolving)
            resolved(member, status == 0 ? list : NULL);
    }
    uv_freeaddrinfo(list);
    free(lookup);
}

void dialler_close(struct friends *set)
{
    struct lookup *lookup, *next;
    DL_FOREACH_SAFE(set->lookups, lookup, next)
    {
        lookup->set = NULL;
        uv_cancel((uv_req_t *)&lookup->request);
    }
    set->lookups = NULL;
}

static bool resolve(struct member *member)
{
    struct friends *set = member->set;
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return false;
    lookup->set = set;
    lookup->request.data = lookup;
    memcpy(lookup->location, member->record.location, sizeof lookup->location);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (uv_getaddrinfo(set->loop, &lookup->request, on_resolved, member->record.dns, NULL, &hints) != 0) {
        free(lookup);
        return false;
    }
    DL_APPEND(set->lookups, lookup);
    member->resolving = true;
    return true;
}

void dialler_next(struct member *member)
{
    struct friends *set = member->set;
    const struct friend_record *record = &member->record;
    if (set->closing || member->gone || member->trying || member->resolving)
        return;
    if (record->hidden[0]) {
        if (set->has_proxy && member->target++ == 0)
            member->trying = link_dial(member, &set->proxy, record->hidden, record->hidden_port);
        if (!member->trying)
            round_end(member);
        return;
    }
    while (member->target < record->address_count)
        if (try_address(member, &record->addresses[member->target++]))
            return;
    if (!member->resolved && record->dns[0] && resolve(member))
        return;
    while (member->target - record->address_count < member->resolved_count)
        if (try_address(member, &member->resolutions[member->target++ - record->address_count]))
            return;
    round_end(member);
}

void dialler_stop(struct member *member)
{
    member->target = 0;
    member->resolving = member->resolved = false;
    member->resolved_count = 0;
}

void dialler_ended(struct member *member, uint64_t lived_ms)
{
    dialler_stop(member);
    dial_ended(&member->dial, &member->set->limits, clock_monotonic_ms(), lived_ms,
               random_u32(&random_system));
    plan(member);
}

uint64_t dialler_tick(struct member *member, uint64_t now_ms)
{
    if (!member->dial.next_ms || member->current || member->trying || member->resolving)
        return UINT64_MAX;
    if (now_ms < member->dial.next_ms)
        return member->dial.next_ms;
    member->dial.next_ms = 0;
    if (!has_target(member)) {
        member_refresh(member, member->record.hidden[0] ? "hidden, and no proxy is configured"
                                                        : "no address of the friend is known");
        return UINT64_MAX;
    }
    dialler_next(member);
    member_refresh(member, NULL);
    return member->dial.next_ms ? member->dial.next_ms : UINT64_MAX;
}
