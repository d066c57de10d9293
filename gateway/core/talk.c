/* SPDX-License-Identifier: ISC */
/* The commands about conversations: list, open, close, say, read. */
#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/commands.h"
#include "core/contacts.h"
#include "core/conversations.h"
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
    return json_pack("{s:I,s:s,s:s,s:s,s:b,s:I,s:I}", "id", (json_int_t)route->id, "kind", "classic", "role",
                     route->role == CHAT_INVITER ? "inviter" : "guest", "hash_known_to",
                     "you, the contact, and every relay on the way", "confirmed", route->confirmed, "created",
                     (json_int_t)route->created, "last_used", (json_int_t)route->last_used);
}

bool do_conversation_show(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    if (conversation == NULL)
        return false;
    json_t *result = json_of_conversation(conversation), *routes = json_array(), *explanation = json_array();
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (!route->ended)
            json_array_append_new(routes, json_of_route(route));
    }
    if (json_array_size(routes) > 0) {
        json_array_append_new(
            explanation,
            json_string("Nobody on the way can read it: every packet is encrypted with the invite's key."));
        json_array_append_new(explanation,
                              json_string("That key is the route: it stays until the conversation is closed, "
                                          "revoked, or 30 days unused."));
        json_array_append_new(
            explanation, json_string("On this wire a second holder of the opened invite cannot be told "
                                     "from the first, and a packet can be altered or held back unseen."));
        json_array_append_new(
            explanation, json_string("There are no receipts: sent means handed to a tunnel that worked."));
    }
    json_object_set_new(result, "routes", routes);
    json_object_set_new(result, "explanation", explanation);
    call_done(call, result);
    return true;
}

struct conversation_write {
    struct call *call;
    struct conversation *conversation;
    bool open;
    int64_t closed_at, read_seq, unread, change;
    void (*then)(struct conversation *conversation);
};

static void conversation_written(void *arg, const struct error *error)
{
    struct conversation_write *work = arg;
    struct conversation *conversation = work->conversation;
    conversation->pins--;
    if (error != NULL) {
        call_fail_copy(work->call, error);
    } else {
        conversation->open = work->open;
        conversation->closed_at = work->closed_at;
        conversation->read_seq = work->read_seq;
        if (work->unread >= 0)
            conversation->unread = work->unread;
        conversation->change = work->change;
        ring_put(conversation->account, work->change, "conversation", 0, json_of_conversation(conversation));
        if (work->then != NULL)
            work->then(conversation);
        call_done(work->call, json_of_conversation(conversation));
    }
    free(work);
}

/* Stores the conversation as `work` will make it, with `extra` rows of the caller's in the batch. */
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
        .open = conversation->open,
        .closed_at = conversation->closed_at,
        .read_seq = conversation->read_seq,
        .unread = -1,
        .change = write_change(*write),
    };
    conversation->pins++;
    return work;
}

static void commit(struct conversation_write *work, struct write *write)
{
    struct conversation changed = *work->conversation;
    changed.open = work->open;
    changed.closed_at = work->closed_at;
    changed.read_seq = work->read_seq;
    if (work->unread >= 0)
        changed.unread = work->unread;
    changed.change = work->change;
    put_conversation(write->batch, &changed);
    write_commit(write, conversation_written, work);
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
    work->open = true;
    work->closed_at = 0;
    /* The request leaves now; that the conversation is open is stored meanwhile. */
    conversation_wake(conversation);
    commit(work, write);
    return true;
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
    work->open = false;
    work->closed_at = clock_wall_ms();
    work->then = conversation_settle;
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    route_end(route, write->batch);
    struct queued_line *line, *next;
    DL_FOREACH_SAFE(conversation->queue, line, next)
    {
        line_delivery(conversation, line->seq, "failed", "you closed the conversation", 0);
        DL_DELETE(conversation->queue, line);
        buffer_free(&line->text);
        free(line);
    }
    conversation->queue_lines = conversation->queue_bytes = 0;
    commit(work, write);
    conversations_drain(call->gateway);
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

bool do_say(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    if (conversation == NULL)
        return false;
    json_t *text = json_object_get(call->arguments, "text");
    struct bytes bytes = bytes_of(json_string_value(text), json_string_length(text));
    const char *label = arg_text(call, "label");
    if (bytes.size == 0 || bytes.size > CHAT_LINE_LIMIT)
        return error_set(error, ERROR_LIMIT, "a line holds 1 to %d bytes", CHAT_LINE_LIMIT);
    if (label != NULL && strlen(label) > 64)
        return error_set(error, ERROR_LIMIT, "a label holds at most 64 bytes");
    return line_say(call, conversation, bytes, label != NULL ? label : "", error);
}

bool do_withdraw(struct call *call, struct error **error)
{
    int64_t seq = arg_int(call, "seq", 0);
    struct conversation *conversation, *next;
    HASH_ITER(hh, call->account->conversations, conversation, next)
    {
        if (line_withdraw(call, conversation, seq))
            return true;
    }
    return error_set(error, ERROR_NOT_FOUND, "no line %lld waits; only a queued line can be withdrawn",
                     (long long)seq);
}

/* --- saying a line again */

struct resend {
    struct call *call;
    struct conversation *conversation;
    int64_t seq;
    struct error *error;
    bool said;
};

static void resend_line(void *arg, const struct line_row *row)
{
    struct resend *resend = arg;
    if (row->seq != resend->seq || strcmp(row->direction, "out") != 0)
        return;
    if (strcmp(row->delivery, "not-confirmed") != 0 && strcmp(row->delivery, "failed") != 0)
        error_set(&resend->error, ERROR_INVALID,
                  "this line is %s; only one that failed or was not confirmed is sent again", row->delivery);
    else
        resend->said = line_say(resend->call, resend->conversation, row->text, "", &resend->error);
}

static void resend_read(void *arg, const struct error *error)
{
    struct resend *resend = arg;
    resend->conversation->pins--;
    if (!resend->said) {
        if (error != NULL)
            error_set(&resend->error, error->code, "%s", error->text);
        else
            error_set(&resend->error, ERROR_NOT_FOUND, "this conversation has no own line %lld",
                      (long long)resend->seq);
        call_fail(resend->call, resend->error);
    }
    free(resend);
}

bool do_resend(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    if (conversation == NULL)
        return false;
    struct resend *resend = calloc(1, sizeof *resend);
    if (resend == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *resend = (struct resend){.call = call, .conversation = conversation, .seq = arg_int(call, "seq", 0)};
    conversation->pins++;
    store_history(call->gateway->store, call->account->id, conversation->id, resend->seq + 1, 1, resend_line,
                  resend_read, resend);
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

struct reading {
    struct call *call;
    struct conversation *conversation;
    int64_t seq, unread;
};

static void count_unread(void *arg, const struct line_row *row)
{
    struct reading *reading = arg;
    reading->unread += strcmp(row->direction, "in") == 0;
}

static void unread_counted(void *arg, const struct error *error)
{
    struct reading *reading = arg;
    struct conversation *conversation = reading->conversation;
    conversation->pins--;
    struct write *write;
    struct conversation_write *work = error == NULL ? begin(reading->call, conversation, &write) : NULL;
    if (work == NULL) {
        call_fail_copy(reading->call,
                       error != NULL ? error : &(struct error){ERROR_INTERNAL, "out of memory"});
    } else {
        if (reading->seq > work->read_seq)
            work->read_seq = reading->seq;
        work->unread = reading->unread;
        commit(work, write);
    }
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
    if (seq <= conversation->read_seq) {
        call_done(call, json_of_conversation(conversation));
        return true;
    }
    if (seq >= conversation->last_seq && conversation->arriving == 0) {
        struct write *write;
        struct conversation_write *work = begin(call, conversation, &write);
        if (work == NULL)
            return error_set(error, ERROR_INTERNAL, "out of memory");
        work->read_seq = seq;
        work->unread = 0;
        commit(work, write);
        return true;
    }
    struct reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *reading = (struct reading){.call = call, .conversation = conversation, .seq = seq};
    conversation->pins++;
    store_history_after(call->gateway->store, call->account->id, conversation->id, seq, 500, count_unread,
                        unread_counted, reading);
    return true;
}
