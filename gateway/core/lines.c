/* SPDX-License-Identifier: ISC */
#include "core/lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/changes.h"
#include "core/conversations.h"
#include "core/numbers.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/write.h"
#include "distant/plain.h"
#include "wire/utf8.h"

/* What is committed, and what happens then. */
struct line_write {
    struct write *write;
    struct conversation *conversation;
    struct kept_line *line; /* as it will be told */
    line_said_fn *said;     /* NULL: nobody waits */
    void *said_arg;
    bool waits;              /* committed as queued */
    uint64_t number;         /* sealed */
    struct route *route;     /* pinned; NULL: committed as queued, or none needs to know */
    struct queued_line *own; /* an own line, for the chat or the queue */
};

static void release(struct line_write *work)
{
    work->conversation->pins--;
    if (work->route != NULL)
        work->route->pins--;
    free(work->line);
    queued_line_free(work->own);
    free(work);
}

static struct line_write *work_new(struct conversation *conversation, struct route *route)
{
    struct line_write *work = calloc(1, sizeof *work);
    if (work == NULL)
        return NULL;
    work->write = write_begin(conversation->account->gateway, conversation->account);
    if (work->write == NULL) {
        free(work);
        return NULL;
    }
    work->conversation = conversation;
    conversation->pins++;
    work->route = route;
    if (route != NULL)
        route->pins++;
    return work;
}

static void give_up(struct line_write *work)
{
    write_discard(work->write);
    release(work);
}

/* Adds the row to the write, with what it becomes. False without memory. */
static bool put(struct line_write *work, struct kept_line **line, struct line_row *row)
{
    struct account *account = work->conversation->account;
    row->account = account->id;
    row->conversation = work->conversation->id;
    row->seq = ++account->last_seq;
    row->change = write_change(work->write);
    row->time = clock_wall_ms();
    *line = kept_line_new(row);
    if (*line == NULL)
        return false;
    store_put_line(work->write->batch, row);
    return true;
}

static void tell(struct line_write *work, struct kept_line **line)
{
    if (*line == NULL)
        return;
    work->conversation->last_seq = (*line)->row.seq;
    ring_put_line(work->conversation->account, *line);
    *line = NULL;
}

/* --- own lines */

static void say_numbered(struct route *route, struct queued_line *own)
{
    queue_say(route, own);
    numbers_try(route);
}

static void own_stored(struct line_write *work)
{
    struct conversation *conversation = work->conversation;
    struct queued_line *own = work->own;
    work->own = NULL;
    const struct line_row *row = &work->line->row;
    own->seq = row->seq;
    work->said(work->said_arg,
               json_pack("{s:I,s:I,s:I,s:I}", "epoch", (json_int_t)conversation->account->epoch, "seq",
                         (json_int_t)row->seq, "change", (json_int_t)row->change, "time",
                         (json_int_t)row->time),
               NULL);
    own->number = work->number;
    own->route = work->number != 0 ? work->route->id : 0;
    tell(work, &work->line);
    if (work->waits)
        queue_add(conversation, own);
    else if (work->number != 0)
        say_numbered(work->route, own);
    else
        queue_hand_over(conversation, own);
}

static void own_committed(void *arg, const struct error *error)
{
    struct line_write *work = arg;
    struct conversation *conversation = work->conversation;
    if (work->waits) {
        conversation->coming_lines--;
        conversation->coming_bytes -= buffer_size(&work->own->text);
    }
    if (error == NULL) {
        own_stored(work);
    } else {
        if (work->number != 0)
            numbers_void(work->route, work->number, work->number);
        work->said(work->said_arg, NULL, error);
    }
    release(work);
}

static bool may_say(const struct conversation *conversation, size_t size, size_t lines, struct error **error)
{
    if (conversation->standing.closed_at != 0)
        return error_set(error, ERROR_INVALID,
                         "this conversation is closed; open it again or exchange a new invite");
    if (!conversation_has_route(conversation))
        return error_set(
            error, ERROR_INVALID,
            "there is no route to this contact; make an invite for it or open one of its invites");
    if (lines >= CHAT_QUEUE_LINES ||
        conversation->queue_bytes + conversation->coming_bytes + size > CHAT_QUEUE_BYTES)
        return error_set(error, ERROR_LIMIT,
                         "%zu lines wait for this contact already; wait until a tunnel is there", lines);
    return true;
}

/* The row, and the number of a line that leaves on a sealed route; without room there it waits. */
static bool put_own(struct line_write *work, struct bytes text, const char *label)
{
    struct conversation *conversation = work->conversation;
    if (work->route != NULL && route_protection(work->route) == CHAT_SEALED) {
        work->number = chat_number(work->route->chat, text.size);
        if (work->number == 0) {
            work->route->pins--;
            work->route = NULL;
        }
    }
    work->waits = work->route == NULL;
    struct line_row row = {
        .route = work->route != NULL ? work->route->id : 0,
        .direction = "out",
        .number = work->number,
        .text = text,
        .delivery = work->route != NULL ? "sent" : "queued",
        .reason = conversation->state == CHAT_CLOSED_BY_PEER ? conversation->reason : "",
        .label = label,
    };
    bool good = put(work, &work->line, &row);
    if (!good && work->number != 0)
        numbers_void(work->route, work->number, work->number);
    return good;
}

bool line_say(struct conversation *conversation, struct bytes text, const char *label, line_said_fn *said,
              void *arg, struct error **error)
{
    size_t lines = conversation->queue_lines + conversation->coming_lines;
    if (!may_say(conversation, text.size, lines, error))
        return false;
    struct queued_line *own = queued_line_new(text);
    if (own == NULL)
        return error_set(error, ERROR_LIMIT, "a line holds at most %d bytes", CHAT_LINE_LIMIT);
    struct line_write *work =
        work_new(conversation, lines == 0 ? conversation_talking_route(conversation) : NULL);
    if (work == NULL) {
        queued_line_free(own);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    work->own = own;
    if (!put_own(work, text, label)) {
        give_up(work);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    work->said = said;
    work->said_arg = arg;
    if (work->waits) {
        conversation->coming_lines++;
        conversation->coming_bytes += text.size;
    }
    write_commit(work->write, own_committed, work);
    return true;
}

/* --- received lines, classic */

static bool put_received(struct line_write *work, struct kept_line **line, struct line_row row)
{
    row.direction = "in";
    row.route = work->route->id;
    row.delivery = "received";
    row.reason = row.label = "";
    return put(work, line, &row);
}

static void piece_committed(void *arg, const struct error *error)
{
    struct line_write *work = arg;
    struct conversation *conversation = work->conversation;
    if (error == NULL) {
        conversation->unread++;
        conversation->received++;
        tell(work, &work->line);
    } else {
        /* Lost to us, which on the classic wire nobody can be told. */
        log_error("core", "event=line-lost conversation=%s",
                  log_name(&conversation->id, sizeof conversation->id));
    }
    release(work);
}

static void receive_piece(struct route *route, struct bytes text, int64_t peer_time, const uint64_t *salts,
                          size_t count)
{
    struct line_write *work = work_new(route->conversation, route);
    if (work == NULL ||
        !put_received(work, &work->line, (struct line_row){.text = text, .peer_time = peer_time})) {
        if (work != NULL)
            give_up(work);
        log_error("core", "event=line-lost reason=memory");
        return;
    }
    store_put_salts(work->write->batch, route->id, salts, count);
    write_commit(work->write, piece_committed, work);
}

static void receive_classic(struct route *route, const struct chat_output *output)
{
    /* The original's texts may be markup; what is kept and shown is what a person wrote. */
    struct bytes text = output->text;
    struct buffer plain = buffer_make(text.size);
    if (chat_text_plain(&plain, text))
        text = buffer_view(&plain);
    size_t count = output->salt_count;
    /* A text of many parts may be longer than one line is allowed to be. */
    do {
        struct bytes piece = bytes_of(text.data, utf8_fit(text, CHAT_LINE_LIMIT));
        receive_piece(route, piece, output->time, output->salts, count);
        text = bytes_of(text.data + piece.size, text.size - piece.size);
        count = 0;
    } while (text.size > 0);
    buffer_free(&plain);
}

/* --- received lines, sealed */

struct inbox_write {
    struct line_write *work; /* without a line of its own */
    struct queued_line *lines;
    size_t told;
    struct kept_line **coming; /* two for each line: the note before it, and itself */
};

static void answer(struct route *route, uint64_t number, bool stored)
{
    uint64_t now = uv_now(route->conversation->account->gateway->loop);
    if (stored && number > route->number_in)
        route->number_in = number;
    if (route->chat == NULL)
        return;
    if (stored)
        chat_line_stored(route->chat, number, now, clock_wall_ms() / 1000);
    else
        chat_line_failed(route->chat, number, now, clock_wall_ms() / 1000);
    route_mark_dirty(route);
}

/* In order, and each once. */
static void answer_all(struct route *route, struct queued_line **lines, bool stored)
{
    struct queued_line *line;
    while ((line = *lines) != NULL) {
        DL_DELETE(*lines, line);
        answer(route, line->number, stored);
        queued_line_free(line);
    }
}

static void inbox_free(struct inbox_write *inbox)
{
    for (size_t i = 0; i < inbox->told; i++)
        free(inbox->coming[i]);
    free(inbox->coming);
    free(inbox);
}

static void inbox_committed(void *arg, const struct error *error)
{
    struct inbox_write *inbox = arg;
    struct line_write *work = inbox->work;
    struct conversation *conversation = work->conversation;
    struct route *route = work->route;
    for (size_t i = 0; i < inbox->told && error == NULL; i++) {
        bool received = i % 2 == 1 && inbox->coming[i] != NULL;
        conversation->unread += received;
        conversation->received += received;
        tell(work, &inbox->coming[i]);
    }
    route->storing = false;
    answer_all(route, &inbox->lines, error == NULL);
    if (error != NULL)
        answer_all(route, &route->inbox, false); /* they come after what is not there */
    inbox_free(inbox);
    lines_store(route);
    release(work);
}

static bool put_note(struct line_write *work, struct kept_line **line, uint64_t missing)
{
    char text[160];
    snprintf(text, sizeof text,
             "%llu %s received before %s missing here: this gateway's data is an older backup",
             (unsigned long long)missing, missing == 1 ? "line that was" : "lines that were",
             missing == 1 ? "is" : "are");
    struct line_row row = {.direction = "note",
                           .text = bytes_of_string(text),
                           .delivery = "received",
                           .reason = "",
                           .label = ""};
    return put(work, line, &row);
}

/* What the store will hold of a line with a number: a void is its number alone. */
static bool put_numbered(struct inbox_write *inbox, const struct queued_line *line)
{
    struct line_write *work = inbox->work;
    struct kept_line **note = &inbox->coming[inbox->told++], **coming = &inbox->coming[inbox->told++];
    if (line->missing > 0 && !put_note(work, note, line->missing))
        return false;
    if (buffer_size(&line->text) > 0)
        return put_received(work, coming,
                            (struct line_row){.number = line->number,
                                              .text = buffer_view(&line->text),
                                              .peer_time = line->time});
    store_set_number_in(work->write->batch, work->route->id, line->number);
    return true;
}

static struct inbox_write *inbox_new(struct route *route)
{
    size_t count;
    struct queued_line *line;
    DL_COUNT(route->inbox, line, count);
    struct inbox_write *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL)
        return NULL;
    inbox->coming = calloc(count * 2, sizeof *inbox->coming);
    inbox->work = inbox->coming != NULL ? work_new(route->conversation, route) : NULL;
    if (inbox->work == NULL) {
        inbox_free(inbox);
        return NULL;
    }
    bool good = true;
    DL_FOREACH(route->inbox, line)
    good = good && put_numbered(inbox, line);
    if (good)
        return inbox;
    give_up(inbox->work);
    inbox_free(inbox);
    return NULL;
}

void lines_store(struct route *route)
{
    if (route->storing || route->inbox == NULL)
        return;
    struct inbox_write *inbox = inbox_new(route);
    if (inbox == NULL) {
        answer_all(route, &route->inbox, false);
        return;
    }
    inbox->lines = route->inbox;
    route->inbox = NULL;
    route->storing = true;
    write_commit(inbox->work->write, inbox_committed, inbox);
}

void lines_forget(struct route *route)
{
    struct queued_line *line;
    while ((line = route->inbox) != NULL) {
        DL_DELETE(route->inbox, line);
        queued_line_free(line);
    }
}

void line_received(struct route *route, const struct chat_output *output)
{
    if (output->number == 0) {
        receive_classic(route, output);
        return;
    }
    struct queued_line *line = queued_line_new(output->text);
    if (line == NULL) {
        /* Answers come in order: those before it fail with it, and come again. */
        answer_all(route, &route->inbox, false);
        answer(route, output->number, false);
        return;
    }
    line->number = output->number;
    line->time = output->time;
    line->missing = output->missing;
    DL_APPEND(route->inbox, line);
}
