/* SPDX-License-Identifier: ISC */
#include "friend/set.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "friend/addresses.h"

/* Within this time two connections in opposite directions are taken for simultaneous ones. */
enum { TIE_WINDOW_MS = 10000 };

static enum friend_state state_of(const struct member *member)
{
    const struct link *link = member->current;
    if (!link) {
        if (!member->trying)
            return FRIEND_OFFLINE;
        return member->trying->stage == LINK_CHECKING ? FRIEND_HANDSHAKE : FRIEND_CONNECTING;
    }
    if (link->services.limited)
        return FRIEND_LIMITED;
    return link->services.listed ? FRIEND_UP : FRIEND_HANDSHAKE;
}

static const char *state_word(enum friend_state state)
{
    static const char *const words[] = {"offline", "connecting", "handshake", "limited", "up"};
    return words[state];
}

static void refresh_turtle(struct member *member)
{
    struct friends *set = member->set;
    const struct link *link = member->current;
    bool wanted = link && link_is_up(link) && link->services.turtle && !member->gone;
    if (wanted == (member->neighbour != 0))
        return;
    if (!wanted) {
        uint32_t neighbour = member->neighbour;
        HASH_DELETE(hh_neighbour, set->neighbours, member);
        member->neighbour = 0;
        set->events.down(set->arg, neighbour, member->record.location, member->status.reason);
        return;
    }
    member->neighbour = ++set->last_neighbour;
    HASH_ADD(hh_neighbour, set->neighbours, neighbour, sizeof member->neighbour, member);
    if (member->hh_neighbour.tbl)
        set->events.up(set->arg, member->neighbour, member->record.location);
    else
        member->neighbour = 0;
}

void member_refresh(struct member *member, const char *reason)
{
    struct friends *set = member->set;
    struct friend_status *status = &member->status;
    enum friend_state before = status->state, now = state_of(member);
    bool told = before != now || (reason && strcmp(status->reason, reason) != 0);
    if (reason)
        snprintf(status->reason, sizeof status->reason, "%s", reason);
    status->state = now;
    refresh_turtle(member);
    if (member->gone)
        return;
    if (before != now) {
        log_info("friend", "event=%s peer=%s reason=\"%s\"", state_word(now),
                 log_name(member->record.location, sizeof member->record.location), status->reason);
        status->since_ms = clock_monotonic_ms();
        if (before == FRIEND_UP || now == FRIEND_UP) {
            member->record.last_seen_ms = clock_wall_ms();
            member_changed(member);
        }
    }
    if (told)
        set->events.state(set->arg, member->record.location);
}

void member_changed(struct member *member)
{
    if (!member->gone)
        member->set->events.changed(member->set->arg, &member->record);
}

/* Two connections for one friend. The newest wins, as at stock peers (protocol 11 §3.2): the older one is
 * dead in the view of a friend who dialled again. But when both sides dialled at about the same time,
 * "newest" is another one at each side, and both connections would go. So of two that came up in opposite
 * directions within TIE_WINDOW_MS both stay for tie_ms, in which a stock peer closes the one it likes less;
 * then both sides prefer the same one, whose TLS client has the lesser location id, and close the other
 * tie_ms later. Until then items are taken from both, so none is lost, and the router's number stays. */
void member_take(struct member *member, struct link *link)
{
    struct friends *set = member->set;
    struct link *old = member->current;
    static const char replaced[] = "replaced by a newer connection";
    if (member->trying == link)
        member->trying = NULL;
    member->dial.next_ms = 0;
    if (old && old->incoming != link->incoming && link->opened_ms - old->opened_ms < TIE_WINDOW_MS) {
        struct link *spare = member->spare;
        member->spare = link;
        link->tie_ms = clock_monotonic_ms() + set->timing.tie_ms;
        set_wake(set, link->tie_ms);
        if (spare)
            link_end(spare, replaced, false);
        return;
    }
    member->current = link;
    if (old)
        link_end(old, replaced, false);
    /* Our own attempt has not reached the friend's side yet, or it would be up here: TLS clients finish
     * first. */
    if (member->trying && member->trying->stage < LINK_CHECKING)
        link_end(member->trying, "the friend connected first", false);
    dialler_stop(member);
    member_refresh(member, link->services.limited ? "waiting for the friend's PGP key" : old ? replaced : "");
}

void member_decide(struct member *member)
{
    struct friends *set = member->set;
    struct link *spare = member->spare;
    if (spare->leaving) {
        link_end(spare, "a second connection", true);
        return;
    }
    bool we_are_less = memcmp(set->identity.location, member->record.location, 16) < 0;
    bool prefer_spare = spare->incoming != we_are_less;
    struct link *leaving = prefer_spare ? member->current : spare;
    spare->tie_ms = leaving->tie_ms = clock_monotonic_ms() + set->timing.tie_ms;
    set_wake(set, leaving->tie_ms);
    if (prefer_spare && !spare->services.listed)
        return; /* not usable yet: the same again later */
    leaving->leaving = true;
    if (prefer_spare) {
        member->current = spare;
        member->spare = leaving;
        member_refresh(member, "");
    }
}

void member_lose(struct member *member, struct link *link, const char *reason)
{
    if (link == member->trying) {
        member->trying = NULL;
        snprintf(member->status.reason, sizeof member->status.reason, "%s", reason);
        if (!member->current)
            dialler_next(member);
        member_refresh(member, NULL);
    } else if (link == member->spare) {
        member->spare = NULL;
    } else if (link == member->current) {
        member->current = member->spare;
        member->spare = NULL;
        if (member->current)
            member->current->tie_ms = 0;
        else
            dialler_ended(member, clock_monotonic_ms() - link->opened_ms);
        member_refresh(member, member->current ? "" : reason);
    }
}

void member_contact(struct member *member, struct link *link, const struct contact_item *contact)
{
    snprintf(member->status.version, sizeof member->status.version, "%s", contact->version);
    snprintf(member->status.location_name, sizeof member->status.location_name, "%s", contact->location_name);
    /* Whoever merely collides with a short invite's location must not lead us elsewhere. */
    if (!link->services.limited && addresses_learn(&member->record, contact, &link->peer))
        member_changed(member);
    if (link->services.limited && contact->vs_disc == 0 && member->current == link)
        member_refresh(member,
                       "the friend's discovery is off, so its key does not come: use its full invitation");
}
