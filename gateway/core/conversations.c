/* SPDX-License-Identifier: ISC */
#include "core/conversations.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/changes.h"
#include "core/queue.h"
#include "core/session.h"
#include "core/write.h"

static uint64_t now_ms(const struct gateway *gateway)
{
    return uv_now(gateway->loop);
}

static int64_t wall_s(void)
{
    return clock_wall_ms() / 1000;
}

void conversations_each(struct gateway *gateway, void (*act)(struct conversation *conversation))
{
    struct account *account, *next_account;
    HASH_ITER(hh, gateway->accounts, account, next_account)
    {
        struct conversation *conversation, *next;
        HASH_ITER(hh, account->conversations, conversation, next)
        act(conversation);
    }
}

/* --- state */

void conversation_changed(struct conversation *conversation)
{
    if (conversation->removed)
        return;
    conversation->change = change_now(conversation->account);
    ring_put(conversation->account, conversation->change, "conversation",
             json_of_conversation(conversation));
}

struct conversation conversation_as_asked(const struct conversation *conversation)
{
    struct conversation asked = *conversation;
    if (conversation->asking > 0)
        asked.standing = conversation->asked;
    return asked;
}

void conversation_recount(struct conversation *conversation)
{
    struct gateway *gateway = conversation->account->gateway;
    if (conversation->recounted)
        return;
    conversation->recounted = true;
    conversation->pins++;
    conversation->next_recounted = gateway->recounted;
    gateway->recounted = conversation;
}

struct route *conversation_talking_route(const struct conversation *conversation)
{
    struct route *best = NULL, *route;
    enum chat_protection least = conversation->standing.sealed ? CHAT_SEALED : CHAT_UNPROTECTED;
    DL_FOREACH(conversation->routes, route)
    {
        if (route->chat == NULL || route->ended || chat_state(route->chat, NULL) != CHAT_CAN_TALK ||
            chat_protection(route->chat) < least)
            continue;
        /* Newest last: a later one is preferred, unless it protects less. */
        least = chat_protection(route->chat);
        best = route;
    }
    return best;
}

bool conversation_has_route(const struct conversation *conversation)
{
    const struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (route_lives(route))
            return true;
    }
    return false;
}

bool conversation_waits(const struct conversation *conversation)
{
    const struct route *route;
    if (conversation->queue != NULL)
        return true;
    DL_FOREACH(conversation->routes, route)
    {
        if (route->chat != NULL && !route->ended && chat_queued(route->chat) > 0)
            return true;
    }
    return false;
}

static enum chat_protection protection_of(const struct conversation *conversation)
{
    enum chat_protection best = CHAT_UNPROTECTED;
    const struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        enum chat_protection its = route_protection(route);
        if (route_lives(route) && its > best)
            best = its;
    }
    return best;
}

const char *protection_word(enum chat_protection protection)
{
    static const char *const words[] = {
        [CHAT_UNPROTECTED] = "none", [CHAT_CLASSIC] = "classic", [CHAT_SEALED] = "sealed"};
    return words[protection];
}

/* What the routes make of the conversation. */
struct view {
    enum chat_state state;
    const char *reason;
};

static struct view view_of(const struct conversation *conversation)
{
    static const int rank[] = {
        [CHAT_CAN_TALK] = 5,       [CHAT_CONNECTING] = 4, [CHAT_NO_TUNNEL] = 3,
        [CHAT_CLOSED_BY_PEER] = 2, [CHAT_REFUSED] = 1,    [CHAT_EXPIRED] = 0,
    };
    struct view best = {CHAT_NO_TUNNEL, conversation->standing.closed_at != 0 ? "you closed this conversation"
                                        : conversation->account->unlocked
                                            ? "there is no route; make an invite or open one"
                                            : "the vault is locked; run retrogatectl unlock"};
    int best_rank = -1;
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        struct view its = {CHAT_CLOSED_BY_PEER, "the other side closed the conversation"};
        if (route->ended || route->parting != 0 || (route->chat == NULL && !route_is_over(route)))
            continue;
        if (route->chat != NULL)
            its.state = chat_state(route->chat, &its.reason);
        if (rank[its.state] < best_rank)
            continue;
        best_rank = rank[its.state];
        best = its;
    }
    return best;
}

void conversation_settle(struct conversation *conversation)
{
    struct view view = view_of(conversation);
    enum chat_protection protection = protection_of(conversation);
    if (view.state == conversation->state && strcmp(view.reason, conversation->reason) == 0 &&
        protection == conversation->protection)
        return;
    if (view.state != conversation->state)
        conversation->since = clock_wall_ms();
    if (protection != conversation->protection)
        log_info("core", "event=protection conversation=%s protection=%s",
                 log_name(&conversation->id, sizeof conversation->id), protection_word(protection));
    conversation->state = view.state;
    conversation->reason = view.reason;
    conversation->protection = protection;
    conversation_changed(conversation);
    if (view.state == CHAT_CAN_TALK)
        queue_flush(conversation);
}

/* --- interest */

static bool wanted(const struct conversation *conversation)
{
    if (conversation->standing.closed_at != 0 || !conversation->account->unlocked)
        return false;
    if (conversation_waits(conversation))
        return true;
    if (!conversation->standing.open || strcmp(conversation->contact->naming.presence, "never") == 0)
        return false;
    return strcmp(conversation->contact->naming.presence, "always") == 0 ||
           conversation->account->sessions > 0;
}

static void interest(struct conversation *conversation)
{
    struct gateway *gateway = conversation->account->gateway;
    bool want = wanted(conversation);
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (route->chat == NULL || route->ended || route->wanted == want || (want && route->closed_by_peer))
            continue;
        route->wanted = want;
        if (want)
            chat_open(route->chat, now_ms(gateway), wall_s());
        else
            chat_sleep(route->chat, now_ms(gateway));
        route_mark_dirty(route);
    }
}

void conversation_interest(struct conversation *conversation)
{
    interest(conversation);
    conversations_drain(conversation->account->gateway);
}

void conversations_interest(struct account *account)
{
    struct conversation *conversation, *next;
    HASH_ITER(hh, account->conversations, conversation, next)
    interest(conversation);
    conversations_drain(account->gateway);
}

void conversation_wake(struct conversation *conversation)
{
    struct gateway *gateway = conversation->account->gateway;
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (route->chat == NULL || route->ended)
            continue;
        route->wanted = route->by_person = true;
        chat_open(route->chat, now_ms(gateway), wall_s());
        route_mark_dirty(route);
    }
    conversations_drain(gateway);
}
