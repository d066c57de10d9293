/* SPDX-License-Identifier: ISC */
#include "core/queue.h"

#include <stdlib.h>

#include "core/changes.h"
#include "core/conversations.h"
#include "core/delivery.h"
#include "core/numbers.h"
#include "core/write.h"

static const char no_way[] = "the route ended before the line could leave";

struct queued_line *queued_line_new(struct bytes text)
{
    struct queued_line *line = calloc(1, sizeof *line);
    if (line == NULL)
        return NULL;
    line->text = buffer_make(CHAT_LINE_LIMIT);
    if (buffer_append_bytes(&line->text, text))
        return line;
    queued_line_free(line);
    return NULL;
}

void queued_line_free(struct queued_line *line)
{
    if (line == NULL)
        return;
    buffer_free(&line->text);
    free(line);
}

static int by_seq(const struct queued_line *a, const struct queued_line *b)
{
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Most lines come in order. */
void queue_give_back(struct conversation *conversation, struct queued_line *line)
{
    if (conversation->queue == NULL || conversation->queue->prev->seq < line->seq)
        DL_APPEND(conversation->queue, line);
    else
        DL_INSERT_INORDER(conversation->queue, line, by_seq);
    conversation->queue_lines++;
    conversation->queue_bytes += buffer_size(&line->text);
}

static void take_off(struct conversation *conversation, struct queued_line *line)
{
    DL_DELETE(conversation->queue, line);
    conversation->queue_lines--;
    conversation->queue_bytes -= buffer_size(&line->text);
}

struct queued_line *queue_take(struct conversation *conversation, int64_t seq)
{
    struct queued_line *line = NULL;
    if (conversation->flushing)
        return NULL;
    DL_SEARCH_SCALAR(conversation->queue, line, seq, seq);
    if (line != NULL)
        take_off(conversation, line);
    return line;
}

static void keep(struct conversation *conversation, struct queued_line *line)
{
    queue_give_back(conversation, line);
    conversation_recount(conversation);
    conversation_interest(conversation);
}

static bool may_wait(const struct conversation *conversation)
{
    return conversation->standing.closed_at == 0 && conversation_has_route(conversation);
}

static void fail(struct conversation *conversation, struct queued_line *line, const char *reason)
{
    line_delivery(conversation, line->seq, "failed", reason, line->route);
    queued_line_free(line);
}

void queue_add(struct conversation *conversation, struct queued_line *line)
{
    if (!may_wait(conversation)) {
        fail(conversation, line, no_way);
        return;
    }
    keep(conversation, line);
    queue_flush(conversation);
}

/* --- leaving on the classic wire */

enum handed { HANDED, LATER, REFUSED };

static enum handed hand(struct conversation *conversation, const struct queued_line *line,
                        struct error **error)
{
    struct route *route = conversation_talking_route(conversation);
    if (route == NULL || route_protection(route) == CHAT_SEALED)
        return LATER;
    uint64_t now = uv_now(conversation->account->gateway->loop);
    if (!chat_say(route->chat, (uint64_t)line->seq, 0, buffer_view(&line->text), now, clock_wall_ms() / 1000,
                  error))
        return REFUSED;
    route_mark_dirty(route);
    /* A chat keeps what it cannot send at once, such as before its salts are stored. What it sent later would
     * be on its way before the store says so. */
    return chat_withdraw(route->chat, (uint64_t)line->seq) ? LATER : HANDED;
}

static void refused(struct conversation *conversation, struct queued_line *line, struct error *error)
{
    fail(conversation, line, error != NULL ? error->text : "it was refused");
    error_free(error);
}

void queue_hand_over(struct conversation *conversation, struct queued_line *line)
{
    struct error *error = NULL;
    /* What waits already was said before. */
    enum handed handed = conversation->queue != NULL ? LATER : hand(conversation, line, &error);
    if (handed == HANDED) {
        queued_line_free(line);
    } else if (handed == REFUSED) {
        refused(conversation, line, error);
    } else if (!may_wait(conversation)) {
        fail(conversation, line, no_way);
    } else {
        line_delivery(conversation, line->seq, "queued", "", 0);
        keep(conversation, line);
        struct route *route = conversation_talking_route(conversation);
        if (route != NULL && route_protection(route) == CHAT_SEALED) /* it moved up meanwhile */
            queue_flush(conversation);
    }
}

/* --- leaving on a sealed route */

static bool is_final(const struct chat *chat)
{
    enum chat_state state = chat_state(chat, NULL);
    return state == CHAT_CLOSED_BY_PEER || state == CHAT_REFUSED || state == CHAT_EXPIRED;
}

void queue_unsaid_fail(struct route *route)
{
    struct queued_line *line;
    while ((line = route->unsaid) != NULL) {
        DL_DELETE(route->unsaid, line);
        fail(route->conversation, line, no_way);
    }
}

void queue_unsaid_drop(struct route *route)
{
    struct queued_line *line;
    while ((line = route->unsaid) != NULL) {
        DL_DELETE(route->unsaid, line);
        queued_line_free(line);
    }
}

void queue_say_again(struct route *route)
{
    struct queued_line *line;
    struct gateway *gateway = route->conversation->account->gateway;
    if (route->unsaid == NULL || route->chat == NULL)
        return;
    if (route->ended || is_final(route->chat)) {
        queue_unsaid_fail(route);
        return;
    }
    while ((line = route->unsaid) != NULL &&
           chat_say(route->chat, (uint64_t)line->seq, line->number, buffer_view(&line->text),
                    uv_now(gateway->loop), clock_wall_ms() / 1000, NULL)) {
        DL_DELETE(route->unsaid, line);
        queued_line_free(line);
    }
}

void queue_say(struct route *route, struct queued_line *line)
{
    if (line->number > route->number_out)
        route->number_out = line->number;
    DL_APPEND(route->unsaid, line);
    if (!route_lives(route))
        queue_unsaid_fail(route);
    if (route->chat == NULL) /* the gateway stops, and goes on with it when it starts */
        return;
    queue_say_again(route);
    route_mark_dirty(route);
}

/* --- flushing */

struct flush {
    struct conversation *conversation;
    struct route *route; /* pinned */
    bool sealed;
    int64_t last_seq;
    uint64_t first_number, last_number; /* sealed */
};

/* False when lines of this flush had to stay. */
static bool hand_all(struct conversation *conversation, int64_t last_seq)
{
    struct queued_line *line, *next;
    bool stay = false;
    DL_FOREACH_SAFE(conversation->queue, line, next)
    {
        struct error *error = NULL;
        if (line->seq > last_seq)
            break;
        enum handed handed = stay ? LATER : hand(conversation, line, &error);
        if (handed == LATER) {
            stay = true;
            line_delivery(conversation, line->seq, "queued", "", 0);
            continue;
        }
        take_off(conversation, line);
        if (handed == REFUSED)
            refused(conversation, line, error);
        else
            queued_line_free(line);
    }
    return !stay;
}

static void say_all(const struct flush *flush)
{
    struct queued_line *line, *next;
    DL_FOREACH_SAFE(flush->conversation->queue, line, next)
    {
        if (line->number == 0)
            break;
        take_off(flush->conversation, line);
        queue_say(flush->route, line);
    }
}

static void void_all(const struct flush *flush)
{
    struct queued_line *line;
    DL_FOREACH(flush->conversation->queue, line)
    {
        line->number = 0;
        line->route = 0;
    }
    numbers_void(flush->route, flush->first_number, flush->last_number);
}

static void flush_committed(void *arg, const struct error *error)
{
    struct flush *flush = arg;
    struct conversation *conversation = flush->conversation;
    conversation->flushing = false;
    conversation->pins--;
    flush->route->pins--;
    if (error != NULL && flush->sealed) {
        void_all(flush);
    } else if (error == NULL) {
        bool all = true;
        ring_forget_before(conversation->account, conversation->account->last_change);
        if (flush->sealed) {
            say_all(flush);
            numbers_try(flush->route);
        } else {
            all = hand_all(conversation, flush->last_seq);
        }
        conversation_recount(conversation);
        conversations_drain(conversation->account->gateway);
        struct route *route = conversation_talking_route(conversation);
        if (all || (route != NULL && route_protection(route) == CHAT_SEALED))
            queue_flush(conversation); /* what was said meanwhile, or waits for a number now */
        if (flush->sealed)
            conversation_interest(conversation);
    }
    free(flush);
}

/* How far the queue can leave now; marks it so. */
static void mark(struct flush *flush, struct write *write)
{
    struct conversation *conversation = flush->conversation;
    int64_t account = conversation->account->id;
    struct queued_line *line;
    DL_FOREACH(conversation->queue, line)
    {
        if (!flush->sealed) {
            store_set_delivery(write->batch, account, line->seq, "sent", "", flush->route->id,
                               write_change(write));
        } else {
            line->number = chat_number(flush->route->chat, buffer_size(&line->text));
            if (line->number == 0)
                return;
            line->route = flush->route->id;
            flush->last_number = line->number;
            if (flush->first_number == 0)
                flush->first_number = line->number;
            store_set_number(write->batch, account, line->seq, flush->route->id, line->number,
                             write_change(write));
        }
        flush->last_seq = line->seq;
    }
}

void queue_flush(struct conversation *conversation)
{
    struct route *route = conversation_talking_route(conversation);
    if (route == NULL || conversation->queue == NULL || conversation->flushing || conversation->removed)
        return;
    bool sealed = route_protection(route) == CHAT_SEALED;
    if (sealed && chat_room(route->chat, buffer_size(&conversation->queue->text)) == 0)
        return;
    struct flush *flush = calloc(1, sizeof *flush);
    struct write *write =
        flush != NULL ? write_begin(conversation->account->gateway, conversation->account) : NULL;
    if (write == NULL) {
        free(flush);
        return;
    }
    *flush = (struct flush){.conversation = conversation, .route = route, .sealed = sealed};
    mark(flush, write);
    if (flush->last_seq == 0) {
        write_discard(write);
        free(flush);
        return;
    }
    conversation->flushing = true;
    conversation->pins++;
    route->pins++;
    write_commit(write, flush_committed, flush);
}

static void try_again(struct conversation *conversation)
{
    struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        queue_say_again(route);
        numbers_try(route);
    }
    deliveries_commit(conversation);
    queue_flush(conversation);
}

void queues_flush(struct gateway *gateway)
{
    conversations_each(gateway, try_again);
}

/* --- the end */

static void claim(struct conversation *conversation)
{
    struct queued_line *line;
    while ((line = conversation->unclaimed) != NULL) {
        DL_DELETE(conversation->unclaimed, line);
        delivery_learned(conversation, line->seq, "not-confirmed",
                         "the route ended before the other side said that it has the line", line->route);
        queued_line_free(line);
    }
    deliveries_commit(conversation);
    if (!may_wait(conversation))
        queue_fail(conversation, no_way); /* the route ended, and then the gateway before it said so */
}

void queues_claim(struct gateway *gateway)
{
    conversations_each(gateway, claim);
}

void queue_doubt(struct conversation *conversation)
{
    struct queued_line *line, *next;
    DL_FOREACH_SAFE(conversation->queue, line, next)
    {
        if (!line->loaded || line->number != 0)
            continue;
        take_off(conversation, line);
        line_delivery(conversation, line->seq, "not-confirmed",
                      "this gateway's data is an older backup; the line may have been sent since",
                      line->route);
        queued_line_free(line);
    }
    conversation_recount(conversation);
}

void queue_fail(struct conversation *conversation, const char *reason)
{
    struct queued_line *line, *next;
    DL_FOREACH_SAFE(conversation->queue, line, next)
    line_delivery(conversation, line->seq, "failed", reason, line->route);
    queue_drop(conversation);
}

void queue_drop(struct conversation *conversation)
{
    struct queued_line *line, *next;
    DL_FOREACH_SAFE(conversation->queue, line, next)
    queued_line_free(line);
    DL_FOREACH_SAFE(conversation->unclaimed, line, next)
    queued_line_free(line);
    conversation->queue = conversation->unclaimed = NULL;
    conversation->queue_lines = conversation->queue_bytes = 0;
}
