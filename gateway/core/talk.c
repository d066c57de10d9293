/* SPDX-License-Identifier: ISC */
/* The commands about conversations: list, open, close, say, read. */
#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/commands.h"
#include "core/contacts.h"
#include "core/conversations.h"
#include "core/queue.h"
#include "core/lines.h"
#include "core/rows.h"
#include "core/write.h"
#include "wire/utf8.h"

bool do_conversation_list(struct call *call, struct error **error)
{
    (void)error;
    json_t *list = json_array();
    struct conversation *conversation, *next;
    HASH_ITER(hh, call->account->conversations, conversation, next)
    json_array_append_new(list, json_of_conversation(conversation));
    call_done(call, json_pack("{s:o}", "conversations", list));
    return true;
}

static json_t *json_of_route(const struct route *route)
{
    bool sealed = route_protection(route) == CHAT_SEALED;
    const char *known = route->settled ? "you and the contact; relays see hashes that change every day"
                                       : "you, the contact, and every relay on the way";
    return json_pack("{s:I,s:s,s:s,s:s,s:b,s:b,s:I,s:I}", "id", (json_int_t)route->id, "kind",
                     sealed                                        ? "sealed"
                     : route_protection(route) == CHAT_UNPROTECTED ? "undecided"
                                                                   : "classic",
                     "role", route->role == CHAT_INVITER ? "inviter" : "guest", "hash_known_to", known,
                     "confirmed", route->confirmed, "parting", route->parting != 0, "created",
                     (json_int_t)route->created, "last_used", (json_int_t)route->last_used);
}

/* What a person should know, by what protects the conversation. */
static const char *const explanations[][5] = {
    [CHAT_UNPROTECTED] =
        {"Nothing was said yet that decides: with a gateway that can, this conversation becomes sealed.",
         "Lines wait until that is known.", NULL},
    [CHAT_CLASSIC] =
        {"Nobody on the way can read it: every packet is encrypted with the invite's key.",
         "That key is the route: it stays until the conversation is closed, revoked, or 30 days unused.",
         "On this wire a second holder of the opened invite cannot be told from the first, and a packet can "
         "be "
         "altered or held back unseen.",
         "There are no receipts: sent means handed to a tunnel that worked.", NULL},
    [CHAT_SEALED] =
        {"Nobody on the way can read it, alter it or add to it; relays can only delay it, and see when and "
         "how much "
         "is sent.",
         "Keys are new for each tunnel: what was recorded stays closed when a disk is stolen later.",
         "Delivered means that the other gateway has stored the line; until then it is sent again.",
         "It never becomes classic by itself; \"lower\" does that, for this conversation.", NULL},
};

static size_t not_acknowledged(const struct conversation *conversation)
{
    size_t count = 0;
    const struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (!route->ended && route->chat != NULL && chat_protection(route->chat) == CHAT_SEALED)
            count += chat_queued(route->chat);
    }
    return count;
}

static bool is_parting(const struct conversation *conversation)
{
    const struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (!route->ended && !route_is_over(route) && route->parting != 0)
            return true;
    }
    return false;
}

static json_t *explanation_of(const struct conversation *conversation)
{
    json_t *list = json_array();
    const char *const *text = explanations[conversation->protection];
    for (; conversation_has_route(conversation) && *text != NULL; text++)
        json_array_append_new(list, json_string(*text));
    size_t waiting = not_acknowledged(conversation);
    if (waiting > 0)
        json_array_append_new(list, json_sprintf("%zu %s for the receipt.", waiting,
                                                 waiting == 1 ? "line waits" : "lines wait"));
    if (is_parting(conversation))
        json_array_append_new(list,
                              json_string("A sealed route that was closed here is kept to tell the other "
                                          "side when it comes, for at most 30 days."));
    return list;
}

bool do_conversation_show(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    if (conversation == NULL)
        return false;
    json_t *result = json_of_conversation(conversation), *routes = json_array();
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (!route->ended && !route_is_over(route))
            json_array_append_new(routes, json_of_route(route));
    }
    json_object_set_new(result, "routes", routes);
    json_object_set_new(result, "explanation", explanation_of(conversation));
    call_done(call, result);
    return true;
}

struct conversation_write {
    struct call *call;
    struct conversation *conversation;
    struct standing standing;
    int64_t change;
    int64_t unread, received; /* received lines above read_seq when `received` lines had come; -1: no news */
};

static void conversation_written(void *arg, const struct error *error)
{
    struct conversation_write *work = arg;
    struct conversation *conversation = work->conversation;
    conversation->pins--;
    conversation->asking--;
    if (error != NULL) {
        call_fail_copy(work->call, error);
    } else {
        conversation->standing = work->standing;
        if (work->unread >= 0)
            conversation->unread = work->unread + conversation->received - work->received;
        conversation->change = work->change;
        ring_put(conversation->account, work->change, "conversation", json_of_conversation(conversation));
        call_done(work->call, json_of_conversation(conversation));
    }
    free(work);
}

static struct conversation_write *begin(struct call *call, struct conversation *conversation,
                                        struct write **write)
{
    struct conversation_write *work = calloc(1, sizeof *work);
    *write = work != NULL ? write_begin(call->gateway, call->account) : NULL;
    if (*write == NULL) {
        free(work);
        return NULL;
    }
    *work = (struct conversation_write){
        .call = call,
        .conversation = conversation,
        .standing = conversation_as_asked(conversation).standing,
        .unread = -1,
        .change = write_change(*write),
    };
    conversation->pins++;
    return work;
}

static void commit_then(struct conversation_write *work, struct write *write, store_done_fn *then)
{
    struct conversation changed = *work->conversation;
    work->conversation->asking++;
    work->conversation->asked = changed.standing = work->standing;
    changed.change = work->change;
    put_conversation(write->batch, &changed);
    write_commit(write, then, work);
}

/* Stores the conversation as `work` will make it. */
static void commit(struct conversation_write *work, struct write *write)
{
    commit_then(work, write, conversation_written);
}

bool do_conversation_open(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    if (conversation == NULL)
        return false;
    if (!conversation_has_route(conversation))
        return error_set(error, ERROR_INVALID,
                         "there is no route to this contact; make an invite for it or open one of its "
                         "invites");
    struct write *write;
    struct conversation_write *work = begin(call, conversation, &write);
    if (work == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    work->standing.open = true;
    work->standing.closed_at = 0;
    /* The request leaves now; that the conversation is open is stored meanwhile. */
    conversation_wake(conversation);
    commit(work, write);
    return true;
}

static void conversation_closed(void *arg, const struct error *error)
{
    struct conversation_write *work = arg;
    struct conversation *conversation = work->conversation;
    if (error == NULL) {
        struct route *route;
        conversation->standing = work->standing;
        DL_FOREACH(conversation->routes, route)
        {
            if (route->created <= work->standing.closed_at)
                route_close(route, work->standing.closed_at);
        }
        queue_fail(conversation, "you closed the conversation");
        conversation_settle(conversation);
        conversations_drain(conversation->account->gateway);
    }
    conversation_written(work, error);
}

bool do_conversation_close(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    if (conversation == NULL)
        return false;
    struct write *write;
    struct conversation_write *work = begin(call, conversation, &write);
    if (work == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    work->standing.open = false;
    work->standing.closed_at = clock_wall_ms();
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    route_put_closed(route, write->batch, work->standing.closed_at);
    commit_then(work, write, conversation_closed);
    return true;
}

bool do_conversation_avatar(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    struct route *route = conversation != NULL ? conversation_talking_route(conversation) : NULL;
    if (conversation == NULL)
        return false;
    if (route == NULL)
        return error_set(error, ERROR_UNAVAILABLE,
                         "there is no tunnel to this contact now; ask when it can talk");
    chat_request_avatar(route->chat, uv_now(call->gateway->loop), clock_wall_ms() / 1000);
    route_mark_dirty(route);
    conversations_drain(call->gateway);
    call_done(call, NULL);
    return true;
}

bool do_typing(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    if (conversation == NULL)
        return false;
    struct route *route = conversation_talking_route(conversation);
    if (route != NULL && call->account->typing) {
        chat_typing(route->chat, uv_now(call->gateway->loop), clock_wall_ms() / 1000);
        route_mark_dirty(route);
        conversations_drain(call->gateway);
    }
    call_done(call, NULL);
    return true;
}

/* --- reading */

enum { COUNT_PAGE = 1000 };

struct reading {
    struct call *call;
    struct conversation *conversation;
    int64_t seq;      /* the new position */
    int64_t at, last; /* counted so far; the newest line when it began */
    int64_t unread, received;
    unsigned page;
};

static bool position(struct call *call, struct conversation *conversation, int64_t seq, int64_t unread,
                     int64_t received)
{
    struct write *write;
    struct conversation_write *work = begin(call, conversation, &write);
    if (work == NULL)
        return false;
    /* A later position may have overtaken this one while it was counting. */
    if (seq > work->standing.read_seq) {
        work->standing.read_seq = seq;
        work->unread = unread;
        work->received = received;
    }
    commit(work, write);
    return true;
}

static void count_unread(void *arg, const struct line_row *row)
{
    struct reading *reading = arg;
    reading->page++;
    reading->at = row->seq;
    reading->unread += row->seq <= reading->last && strcmp(row->direction, "in") == 0;
}

static void unread_counted(void *arg, const struct error *error);

static void count_page(struct reading *reading)
{
    struct conversation *conversation = reading->conversation;
    struct account *account = conversation->account;
    reading->page = 0;
    store_history_after(account->gateway->store, account->id, conversation->id, reading->at, COUNT_PAGE,
                        count_unread, unread_counted, reading);
}

static void unread_counted(void *arg, const struct error *error)
{
    struct reading *reading = arg;
    struct conversation *conversation = reading->conversation;
    if (error == NULL && reading->page == COUNT_PAGE && reading->at < reading->last) {
        count_page(reading);
        return;
    }
    conversation->pins--;
    if (error != NULL)
        call_fail_copy(reading->call, error);
    else if (!position(reading->call, conversation, reading->seq, reading->unread, reading->received))
        call_fail(reading->call, NULL);
    free(reading);
}

bool do_read(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    int64_t seq = arg_int(call, "seq", 0);
    if (conversation == NULL)
        return false;
    if (seq > call->account->last_seq)
        return error_set(error, ERROR_INVALID, "line %lld does not exist yet", (long long)seq);
    if (seq <= conversation->standing.read_seq) {
        call_done(call, json_of_conversation(conversation));
        return true;
    }
    /* What is still being stored was shown to nobody, so it cannot have been read. */
    if (seq >= conversation->last_seq)
        return position(call, conversation, conversation->last_seq, 0, conversation->received) ||
               error_set(error, ERROR_INTERNAL, "out of memory");
    struct reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *reading = (struct reading){.call = call,
                                .conversation = conversation,
                                .seq = seq,
                                .at = seq,
                                .last = conversation->last_seq,
                                .received = conversation->received};
    conversation->pins++;
    count_page(reading);
    return true;
}
