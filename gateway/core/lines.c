/* SPDX-License-Identifier: ISC */
#include "core/lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/changes.h"
#include "core/conversations.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/write.h"
#include "distant/plain.h"
#include "wire/utf8.h"

/* What is committed, and what happens then. */
struct line_write {
    struct write *write;
    struct conversation *conversation;
    line_said_fn *said; /* NULL: nobody waits */
    void *said_arg;
    json_t *line; /* as it will be told */
    int64_t seq, change;
    bool incoming;
    struct buffer text; /* own lines: for the chat or the queue */
    bool waits;         /* committed as queued */
};

static void release(struct line_write *work)
{
    work->conversation->pins--;
    json_decref(work->line);
    buffer_free(&work->text);
    free(work);
}

static void line_committed(void *arg, const struct error *error)
{
    struct line_write *work = arg;
    struct conversation *conversation = work->conversation;
    struct account *account = conversation->account;
    struct gateway *gateway = account->gateway;
    if (work->waits) {
        conversation->coming_lines--;
        conversation->coming_bytes -= buffer_size(&work->text);
    }
    if (error != NULL) {
        /* What ends here and is not stored is not acknowledged: an own line is refused, a received one is
         * lost to us, which on the classic wire nobody can be told. */
        if (work->said != NULL)
            work->said(work->said_arg, NULL, error);
        else
            log_error("core", "event=line-lost conversation=%s",
                      log_name(&conversation->id, sizeof conversation->id));
        release(work);
        return;
    }
    conversation->last_seq = work->seq;
    if (work->incoming) {
        conversation->unread++;
        conversation->received++;
    }
    if (work->said != NULL)
        work->said(work->said_arg,
                   json_pack("{s:I,s:I,s:I,s:O}", "epoch", (json_int_t)account->epoch, "seq",
                             (json_int_t)work->seq, "change", (json_int_t)work->change, "time",
                             json_object_get(work->line, "time")),
                   NULL);
    ring_put(account, work->change, "line", work->seq, json_incref(work->line));
    if (work->waits)
        queue_add(conversation, work->seq, buffer_view(&work->text));
    else if (work->text.memory != NULL)
        queue_hand_over(conversation, work->seq, buffer_view(&work->text));
    release(work);
    conversations_drain(gateway);
}

/* Makes the row, its JSON and the write. NULL without memory. */
static struct line_write *line_begin(struct conversation *conversation, struct line_row *row)
{
    struct account *account = conversation->account;
    struct line_write *work = calloc(1, sizeof *work);
    if (work == NULL)
        return NULL;
    work->write = write_begin(account->gateway, account);
    if (work->write == NULL) {
        free(work);
        return NULL;
    }
    work->conversation = conversation;
    conversation->pins++;
    row->account = account->id;
    row->conversation = conversation->id;
    row->seq = work->seq = ++account->last_seq;
    row->change = work->change = write_change(work->write);
    row->time = clock_wall_ms();
    work->line = json_of_line(account, row);
    if (work->line == NULL) {
        write_discard(work->write);
        work->write = NULL;
        release(work);
        return NULL;
    }
    store_put_line(work->write->batch, row);
    return work;
}

bool line_say(struct conversation *conversation, struct bytes text, const char *label, line_said_fn *said,
              void *arg, struct error **error)
{
    if (conversation->standing.closed_at != 0)
        return error_set(error, ERROR_INVALID,
                         "this conversation is closed; open it again or exchange a new invite");
    if (!conversation_has_route(conversation))
        return error_set(
            error, ERROR_INVALID,
            "there is no route to this contact; make an invite for it or open one of its invites");
    size_t lines = conversation->queue_lines + conversation->coming_lines;
    if (lines >= CHAT_QUEUE_LINES ||
        conversation->queue_bytes + conversation->coming_bytes + text.size > CHAT_QUEUE_BYTES)
        return error_set(error, ERROR_LIMIT,
                         "%zu lines wait for this contact already; wait until a tunnel is there", lines);
    struct route *route = lines == 0 ? conversation_talking_route(conversation) : NULL;
    struct line_row row = {
        .route = route != NULL ? route->id : 0,
        .direction = "out",
        .text = text,
        .delivery = route != NULL ? "sent" : "queued",
        .reason = conversation->state == CHAT_CLOSED_BY_PEER ? conversation->reason : "",
        .label = label,
    };
    struct line_write *work = line_begin(conversation, &row);
    if (work == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    work->text = buffer_make(CHAT_LINE_LIMIT);
    if (!buffer_append_bytes(&work->text, text)) {
        write_discard(work->write);
        release(work);
        return error_set(error, ERROR_LIMIT, "a line holds at most %d bytes", CHAT_LINE_LIMIT);
    }
    work->said = said;
    work->said_arg = arg;
    work->waits = route == NULL;
    if (work->waits) {
        conversation->coming_lines++;
        conversation->coming_bytes += text.size;
    }
    write_commit(work->write, line_committed, work);
    return true;
}

static void receive_piece(struct route *route, struct bytes text, int64_t peer_time, const uint64_t *salts,
                          size_t count)
{
    struct conversation *conversation = route->conversation;
    struct line_row row = {
        .route = route->id,
        .direction = "in",
        .text = text,
        .peer_time = peer_time * 1000,
        .delivery = "received",
        .reason = "",
        .label = "",
    };
    struct line_write *work = line_begin(conversation, &row);
    if (work == NULL) {
        log_error("core", "event=line-lost reason=memory");
        return;
    }
    work->incoming = true;
    store_put_salts(work->write->batch, route->id, salts, count);
    write_commit(work->write, line_committed, work);
}

void line_received(struct route *route, struct bytes text, int64_t peer_time, const uint64_t *salts,
                   size_t count)
{
    /* The original's texts may be markup; what is kept and shown is what a person wrote. */
    struct buffer plain = buffer_make(text.size);
    if (chat_text_plain(&plain, text))
        text = buffer_view(&plain);
    /* A text of many parts may be longer than one line is allowed to be. */
    do {
        struct bytes piece = bytes_of(text.data, utf8_fit(text, CHAT_LINE_LIMIT));
        receive_piece(route, piece, peer_time, salts, count);
        text = bytes_of(text.data + piece.size, text.size - piece.size);
        count = 0;
    } while (text.size > 0);
    buffer_free(&plain);
}

/* --- delivery */

struct delivery_write {
    struct conversation *conversation;
    int64_t seq, change;
    const char *delivery;
    char reason[128];
    struct call *call;             /* withdrawing: waits for the line; NULL: nobody waits */
    struct queued_line *withdrawn; /* goes back into the queue when this cannot be stored */
};

static void answer_line(void *arg, const struct line_row *row)
{
    struct delivery_write *work = arg;
    if (row->seq != work->seq)
        return;
    call_done(work->call, json_of_line(work->conversation->account, row));
    work->call = NULL;
}

static void line_answered(void *arg, const struct error *error)
{
    struct delivery_write *work = arg;
    if (work->call != NULL)
        call_fail_copy(work->call,
                       error != NULL ? error : &(struct error){ERROR_NOT_FOUND, "the line is gone"});
    work->conversation->pins--;
    free(work);
}

static void delivery_committed(void *arg, const struct error *error)
{
    struct delivery_write *work = arg;
    struct conversation *conversation = work->conversation;
    struct account *account = conversation->account;
    json_t *line = error == NULL ? ring_line(account, work->seq) : NULL;
    if (line != NULL) {
        json_t *changed = json_copy(line);
        json_object_set_new(changed, "delivery", json_string(work->delivery));
        json_object_set_new(changed, "reason", json_string(work->reason));
        json_object_set_new(changed, "change", json_integer(work->change));
        ring_put(account, work->change, "line", work->seq, changed);
        json_decref(line);
    } else {
        ring_forget_before(account, work->change);
    }
    if (work->call != NULL && error != NULL)
        queue_give_back(conversation, work->withdrawn);
    else
        queued_line_free(work->withdrawn);
    work->withdrawn = NULL;
    if (work->call != NULL && error == NULL) {
        conversation_changed(conversation);
        conversation_interest(conversation);
        store_history(account->gateway->store, account->id, conversation->id, work->seq + 1, 1, answer_line,
                      line_answered, work);
        return;
    }
    if (work->call != NULL)
        call_fail_copy(work->call, error);
    conversation->pins--;
    free(work);
}

/* NULL without memory; the caller may add to it before this turn ends. */
static struct delivery_write *set_delivery(struct conversation *conversation, int64_t seq,
                                           const char *delivery, const char *reason, int64_t route)
{
    struct delivery_write *work = calloc(1, sizeof *work);
    struct write *write =
        work != NULL ? write_begin(conversation->account->gateway, conversation->account) : NULL;
    if (write == NULL) {
        free(work);
        return NULL;
    }
    work->conversation = conversation;
    conversation->pins++;
    work->seq = seq;
    work->delivery = delivery;
    snprintf(work->reason, sizeof work->reason, "%s", reason != NULL ? reason : "");
    work->change = write_change(write);
    store_set_delivery(write->batch, conversation->account->id, seq, delivery, work->reason, route,
                       work->change);
    write_commit(write, delivery_committed, work);
    return work;
}

void line_delivery(struct conversation *conversation, int64_t seq, const char *delivery, const char *reason,
                   int64_t route)
{
    set_delivery(conversation, seq, delivery, reason, route);
}

bool line_withdraw(struct call *call, struct conversation *conversation, int64_t seq)
{
    struct queued_line *line = queue_take(conversation, seq);
    struct delivery_write *work =
        line != NULL ? set_delivery(conversation, seq, "failed", "withdrawn", 0) : NULL;
    if (work == NULL) {
        if (line != NULL)
            queue_give_back(conversation, line);
        return false;
    }
    work->call = call;
    work->withdrawn = line;
    return true;
}
