/* SPDX-License-Identifier: ISC */
#include "core/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/changes.h"
#include "core/conversations.h"
#include "core/queue.h"
#include "core/write.h"

/* The line under its new number, or nothing when it is not remembered: then clients read it from the store.
 */
static void tell(struct account *account, int64_t seq, const char *delivery, const char *reason,
                 int64_t change)
{
    const struct kept_line *line = ring_line(account, seq);
    struct kept_line *changed = NULL;
    if (line != NULL) {
        struct line_row row = line->row;
        row.delivery = delivery;
        row.reason = reason;
        row.change = change;
        changed = kept_line_new(&row);
    }
    if (changed != NULL)
        ring_put_line(account, changed);
    else
        ring_forget_before(account, change);
}

/* --- many lines at a time */

struct learned {
    int64_t seq, route, change;
    const char *delivery, *reason;
};

struct deliveries {
    struct conversation *conversation;
    size_t count, room;
    struct learned *lines;
};

void deliveries_free(struct conversation *conversation)
{
    if (conversation->deliveries != NULL)
        free(conversation->deliveries->lines);
    free(conversation->deliveries);
    conversation->deliveries = NULL;
}

static bool learn(struct conversation *conversation, const struct learned *line)
{
    struct deliveries *all = conversation->deliveries;
    if (all == NULL) {
        all = conversation->deliveries = calloc(1, sizeof *all);
        if (all == NULL)
            return false;
        all->conversation = conversation;
    }
    if (all->count == all->room) {
        size_t room = all->room > 0 ? all->room * 2 : 8;
        struct learned *lines = reallocarray(all->lines, room, sizeof *lines);
        if (lines == NULL)
            return false;
        all->lines = lines;
        all->room = room;
    }
    all->lines[all->count++] = *line;
    return true;
}

void delivery_learned(struct conversation *conversation, int64_t seq, const char *delivery,
                      const char *reason, int64_t route)
{
    struct learned line = {
        .seq = seq, .route = route, .delivery = delivery, .reason = reason != NULL ? reason : ""};
    if (conversation->removed || learn(conversation, &line))
        return;
    /* It stays `sent`; after a restart the chat learns it again. */
    log_error("core", "event=delivery-lost reason=memory");
}

static void deliveries_committed(void *arg, const struct error *error)
{
    struct deliveries *all = arg;
    struct conversation *conversation = all->conversation;
    conversation->pins--;
    for (size_t i = 0; i < all->count; i++) {
        const struct learned *line = &all->lines[i];
        if (error != NULL)
            delivery_learned(conversation, line->seq, line->delivery, line->reason, line->route);
        else
            tell(conversation->account, line->seq, line->delivery, line->reason, line->change);
    }
    free(all->lines);
    free(all);
}

/* How many from `at` on can be told as one range. */
static size_t range_at(const struct deliveries *all, size_t at)
{
    size_t count = 0;
    const struct learned *lines = &all->lines[at];
    while (at + count < all->count && strcmp(lines[count].delivery, "delivered") == 0 &&
           lines[count].seq == lines[0].seq + (int64_t)count)
        count++;
    return count;
}

static void put_deliveries(struct write *write, struct deliveries *all)
{
    int64_t account = all->conversation->account->id;
    for (size_t i = 0, count; i < all->count; i += count) {
        struct learned *lines = &all->lines[i];
        size_t range = range_at(all, i);
        count = range > 0 ? range : 1;
        for (size_t j = 0; j < count; j++)
            lines[j].change = write_change(write);
        if (range > 0)
            store_set_delivered(write->batch, account, lines[0].seq, lines[count - 1].seq, lines[0].change);
        else
            store_set_delivery(write->batch, account, lines[0].seq, lines[0].delivery, lines[0].reason,
                               lines[0].route, lines[0].change);
    }
}

void deliveries_commit(struct conversation *conversation)
{
    struct deliveries *all = conversation->deliveries;
    struct account *account = conversation->account;
    struct write *write =
        all != NULL && !conversation->removed ? write_begin(account->gateway, account) : NULL;
    if (write == NULL)
        return;
    conversation->deliveries = NULL;
    conversation->pins++;
    put_deliveries(write, all);
    write_commit(write, deliveries_committed, all);
    queue_flush(conversation);
    if (conversation->protection == CHAT_SEALED)
        conversation_interest(conversation); /* the last line that waited may be there */
}

/* --- one line */

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
    if (error == NULL)
        tell(account, work->seq, work->delivery, work->reason, work->change);
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
