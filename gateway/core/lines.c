/* SPDX-License-Identifier: ISC */
#include "core/lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/changes.h"
#include "core/conversations.h"
#include "core/rows.h"
#include "core/write.h"
#include "distant/plain.h"
#include "wire/utf8.h"

/* What is committed, and what happens then. */
struct line_write {
    struct write *write;
    struct conversation *conversation;
    struct route *route; /* pinned; NULL: none */
    struct call *call;   /* NULL: nobody waits */
    json_t *line;        /* as it will be told */
    int64_t seq, change;
    bool incoming;
    struct buffer text; /* own lines: for the chat or the queue */
    bool sent;          /* committed as sent: hand it to the chat */
};

static void release(struct line_write *work)
{
    work->conversation->pins--;
    if (work->route != NULL)
        work->route->pins--;
    json_decref(work->line);
    buffer_free(&work->text);
    free(work);
}

static void hand_over(struct line_write *work)
{
    struct route *route = work->route;
    if (route == NULL || route->ended || route->chat == NULL) {
        route = conversation_talking_route(work->conversation);
        if (route == NULL) {
            line_delivery(work->conversation, work->seq, "failed",
                          "the route ended before the line could leave", 0);
            return;
        }
    }
    struct error *error = NULL;
    struct gateway *gateway = work->conversation->account->gateway;
    if (!chat_say(route->chat, (uint64_t)work->seq, buffer_view(&work->text), uv_now(gateway->loop),
                  clock_wall_ms() / 1000, &error)) {
        line_delivery(work->conversation, work->seq, "failed", error != NULL ? error->text : "it was refused",
                      0);
        error_free(error);
        return;
    }
    if (chat_queued(route->chat) > 0) {
        route->waiting++;
        line_delivery(work->conversation, work->seq, "queued", "", route->id);
    }
    route_mark_dirty(route);
}

static void line_committed(void *arg, const struct error *error)
{
    struct line_write *work = arg;
    struct conversation *conversation = work->conversation;
    struct account *account = conversation->account;
    struct gateway *gateway = account->gateway;
    if (work->incoming)
        conversation->arriving--;
    if (error != NULL) {
        /* What ends here and is not stored is not acknowledged: an own line is refused, a received one is
         * lost to us, which on the classic wire nobody can be told. */
        if (work->call != NULL)
            call_fail_copy(work->call, error);
        else
            log_error("core", "event=line-lost conversation=%s",
                      log_name(&conversation->id, sizeof conversation->id));
        release(work);
        return;
    }
    conversation->last_seq = work->seq;
    if (work->incoming)
        conversation->unread++;
    if (work->call != NULL)
        call_done(work->call, json_pack("{s:I,s:I,s:I,s:O}", "epoch", (json_int_t)account->epoch, "seq",
                                        (json_int_t)work->seq, "change", (json_int_t)work->change, "time",
                                        json_object_get(work->line, "time")));
    ring_put(account, work->change, "line", work->seq, json_incref(work->line));
    if (work->sent)
        hand_over(work);
    else if (work->text.memory != NULL)
        conversation_queue(conversation, work->seq, buffer_view(&work->text));
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

bool line_say(struct call *call, struct conversation *conversation, struct bytes text, const char *label,
              struct error **error)
{
    if (conversation->closed_at != 0)
        return error_set(error, ERROR_INVALID,
                         "this conversation is closed; open it again or exchange a new invite");
    if (!conversation_has_route(conversation))
        return error_set(
            error, ERROR_INVALID,
            "there is no route to this contact; make an invite for it or open one of its invites");
    if (conversation->queue_lines >= CHAT_QUEUE_LINES ||
        conversation->queue_bytes + text.size > CHAT_QUEUE_BYTES)
        return error_set(error, ERROR_LIMIT,
                         "%zu lines wait for this contact already; wait until a tunnel is there",
                         conversation->queue_lines);
    struct route *route = conversation->queue == NULL && !conversation->flushing
                              ? conversation_talking_route(conversation)
                              : NULL;
    struct line_row row = {
        .route = route != NULL ? route->id : 0,
        .direction = "out",
        .text = text,
        .delivery = route != NULL ? "sent" : "queued",
        .reason = "",
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
    work->call = call;
    work->sent = route != NULL;
    work->route = route;
    if (route != NULL)
        route->pins++;
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
    conversation->arriving++;
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

void line_note(struct conversation *conversation, const char *text)
{
    struct line_row row = {
        .direction = "note",
        .text = bytes_of_string(text),
        .delivery = "received",
        .reason = "",
        .label = "",
    };
    struct line_write *work = line_begin(conversation, &row);
    if (work != NULL)
        write_commit(work->write, line_committed, work);
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

static void queued_line_free(struct queued_line *line)
{
    if (line == NULL)
        return;
    buffer_free(&line->text);
    free(line);
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

static int by_seq(const struct queued_line *a, const struct queued_line *b)
{
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static void put_back(struct conversation *conversation, struct queued_line *line)
{
    DL_INSERT_INORDER(conversation->queue, line, by_seq);
    conversation->queue_lines++;
    conversation->queue_bytes += buffer_size(&line->text);
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
        put_back(conversation, work->withdrawn);
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
    struct queued_line *line = NULL;
    if (!conversation->flushing)
        DL_SEARCH_SCALAR(conversation->queue, line, seq, seq);
    struct delivery_write *work =
        line != NULL ? set_delivery(conversation, seq, "failed", "withdrawn", 0) : NULL;
    if (work == NULL)
        return false;
    work->call = call;
    work->withdrawn = line;
    DL_DELETE(conversation->queue, line);
    conversation->queue_lines--;
    conversation->queue_bytes -= buffer_size(&line->text);
    return true;
}
