/* SPDX-License-Identifier: ISC */
#include "core/queue.h"

#include <stdlib.h>

#include "core/changes.h"
#include "core/conversations.h"
#include "core/lines.h"
#include "core/write.h"

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

void queue_give_back(struct conversation *conversation, struct queued_line *line)
{
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

/* False when there is no memory for it. */
static bool keep(struct conversation *conversation, int64_t seq, struct bytes text)
{
    struct queued_line *line = calloc(1, sizeof *line);
    if (line == NULL)
        return false;
    line->seq = seq;
    line->text = buffer_make(CHAT_LINE_LIMIT);
    if (!buffer_append_bytes(&line->text, text)) {
        queued_line_free(line);
        return false;
    }
    queue_give_back(conversation, line);
    conversation_changed(conversation);
    conversation_interest(conversation);
    return true;
}

static bool may_wait(const struct conversation *conversation)
{
    return conversation->standing.closed_at == 0 && conversation_has_route(conversation);
}

static const char no_way[] = "the route ended before the line could leave";

void queue_add(struct conversation *conversation, int64_t seq, struct bytes text)
{
    if (!may_wait(conversation))
        line_delivery(conversation, seq, "failed", no_way, 0);
    else if (!keep(conversation, seq, text))
        line_delivery(conversation, seq, "failed", "out of memory", 0);
    else
        queue_flush(conversation);
}

/* --- leaving */

enum handed { HANDED, LATER, REFUSED };

static enum handed hand(struct conversation *conversation, int64_t seq, struct bytes text,
                        struct error **error)
{
    struct route *route = conversation_talking_route(conversation);
    if (route == NULL)
        return LATER;
    uint64_t now = uv_now(conversation->account->gateway->loop);
    if (!chat_say(route->chat, (uint64_t)seq, text, now, clock_wall_ms() / 1000, error))
        return REFUSED;
    route_mark_dirty(route);
    /* A chat keeps what it cannot send at once, such as before its salts are stored. What it sent later would
     * be on its way before the store says so. */
    return chat_withdraw(route->chat, (uint64_t)seq) ? LATER : HANDED;
}

static void refused(struct conversation *conversation, int64_t seq, struct error *error)
{
    line_delivery(conversation, seq, "failed", error != NULL ? error->text : "it was refused", 0);
    error_free(error);
}

void queue_hand_over(struct conversation *conversation, int64_t seq, struct bytes text)
{
    struct error *error = NULL;
    /* What waits already was said before. */
    enum handed handed = conversation->queue != NULL ? LATER : hand(conversation, seq, text, &error);
    if (handed == HANDED)
        return;
    if (handed == REFUSED)
        refused(conversation, seq, error);
    else if (!may_wait(conversation))
        line_delivery(conversation, seq, "failed", no_way, 0);
    else if (!keep(conversation, seq, text))
        line_delivery(conversation, seq, "failed", "out of memory", 0);
    else
        line_delivery(conversation, seq, "queued", "", 0);
}

struct flush {
    struct conversation *conversation;
    int64_t last_seq;
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
        enum handed handed = stay ? LATER : hand(conversation, line->seq, buffer_view(&line->text), &error);
        if (handed == LATER) {
            stay = true;
            line_delivery(conversation, line->seq, "queued", "", 0);
            continue;
        }
        if (handed == REFUSED)
            refused(conversation, line->seq, error);
        take_off(conversation, line);
        queued_line_free(line);
    }
    return !stay;
}

static void flush_committed(void *arg, const struct error *error)
{
    struct flush *flush = arg;
    struct conversation *conversation = flush->conversation;
    conversation->flushing = false;
    conversation->pins--;
    if (error == NULL) {
        ring_forget_before(conversation->account, conversation->account->last_change);
        bool all = hand_all(conversation, flush->last_seq);
        conversation_changed(conversation);
        conversations_drain(conversation->account->gateway);
        if (all)
            queue_flush(conversation); /* what was said meanwhile */
    }
    free(flush);
}

void queue_flush(struct conversation *conversation)
{
    struct route *route = conversation_talking_route(conversation);
    if (route == NULL || conversation->queue == NULL || conversation->flushing || conversation->removed)
        return;
    struct flush *flush = calloc(1, sizeof *flush);
    struct write *write =
        flush != NULL ? write_begin(conversation->account->gateway, conversation->account) : NULL;
    if (write == NULL) {
        free(flush);
        return;
    }
    conversation->flushing = true;
    conversation->pins++;
    flush->conversation = conversation;
    struct queued_line *line;
    DL_FOREACH(conversation->queue, line)
    {
        store_set_delivery(write->batch, conversation->account->id, line->seq, "sent", "", route->id,
                           write_change(write));
        flush->last_seq = line->seq;
    }
    write_commit(write, flush_committed, flush);
}

void queues_flush(struct gateway *gateway)
{
    struct account *account, *next_account;
    HASH_ITER(hh, gateway->accounts, account, next_account)
    {
        struct conversation *conversation, *next;
        HASH_ITER(hh, account->conversations, conversation, next)
        queue_flush(conversation);
    }
}

/* --- the end */

void queue_fail(struct conversation *conversation, const char *reason)
{
    struct queued_line *line, *next;
    DL_FOREACH_SAFE(conversation->queue, line, next)
    line_delivery(conversation, line->seq, "failed", reason, 0);
    queue_drop(conversation);
}

void queue_drop(struct conversation *conversation)
{
    struct queued_line *line, *next;
    DL_FOREACH_SAFE(conversation->queue, line, next)
    queued_line_free(line);
    conversation->queue = NULL;
    conversation->queue_lines = conversation->queue_bytes = 0;
}
