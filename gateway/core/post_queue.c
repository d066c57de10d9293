/* SPDX-License-Identifier: ISC */
#include "core/post_queue.h"

#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/post_message.h"
#include "core/post_reports.h"
#include "core/post_rows.h"
#include "core/text.h"
#include "core/write.h"

const int64_t posts_queued_bytes = INT64_C(2) << 30;

/* --- life and death */

void delivery_free(struct post_delivery *delivery)
{
    free(delivery);
}

static void sweep(struct post_delivery *delivery)
{
    if (!delivery->listed && !delivery->taken && delivery->pins == 0)
        delivery_free(delivery);
}

void delivery_pin(struct post_delivery *delivery)
{
    delivery->pins++;
}

void delivery_unpin(struct post_delivery *delivery)
{
    delivery->pins--;
    sweep(delivery);
}

static void unlist(struct post_delivery *delivery)
{
    if (!delivery->listed)
        return;
    delivery->listed = false;
    DL_DELETE(delivery->contact->deliveries, delivery);
    delivery->account->posts.queued--;
    delivery->account->posts.queued_bytes -= delivery->share;
}

/* In the order of the log, which is that of sending. */
static void list(struct post_delivery *delivery)
{
    struct post_delivery **head = &delivery->contact->deliveries, *later = *head;
    if (later != NULL && later->prev->seq < delivery->seq) /* behind the last, as nearly always */
        later = NULL;
    while (later != NULL && later->seq < delivery->seq)
        later = later->next;
    if (later != NULL)
        DL_PREPEND_ELEM(*head, later, delivery);
    else
        DL_APPEND(*head, delivery);
    delivery->listed = true;
    delivery->account->posts.queued++;
    delivery->account->posts.queued_bytes += delivery->share;
}

void delivery_loaded(struct post_delivery *delivery)
{
    list(delivery);
}

void delivery_enqueue(struct post_delivery *delivery)
{
    struct contact *contact = delivery->contact;
    struct post_delivery *other = NULL;
    /* They lie in their order, and a new one is nearly always behind the last. */
    if (contact->deliveries != NULL && contact->deliveries->prev->seq >= delivery->seq)
        DL_SEARCH_SCALAR(contact->deliveries, other, seq, delivery->seq);
    if (other != NULL || contact->leaving || contact->account->removed) {
        delivery_free(delivery);
        return;
    }
    list(delivery);
    post_out_wake(contact);
}

void delivery_leave(struct post_delivery *delivery)
{
    unlist(delivery);
    if (delivery->taken && !delivery->forgotten) {
        post_out_forget(delivery);
        delivery->taken = false;
    }
    delivery->forgotten = true;
    sweep(delivery);
}

bool queue_takes(const struct account *account, size_t deliveries, size_t bytes, struct error **error)
{
    if (account->posts.queued + deliveries > POSTS_DELIVERIES)
        return error_set(error, ERROR_UNAVAILABLE,
                         "%zu posts wait to be sent already; withdraw some, or wait until they are delivered",
                         account->posts.queued);
    if (account->posts.queued_bytes + (int64_t)bytes > posts_queued_bytes)
        return error_set(error, ERROR_UNAVAILABLE,
                         "%lld MiB wait to be sent already; withdraw some, or wait until they are delivered",
                         (long long)(account->posts.queued_bytes >> 20));
    return true;
}

size_t deliveries_of(struct account *account, int64_t seq, const struct contact *contact,
                     struct post_delivery *out[POSTS_RECIPIENTS])
{
    size_t count = 0;
    struct contact *at, *next;
    HASH_ITER(hh, account->contacts, at, next)
    {
        struct post_delivery *delivery = NULL;
        if (contact == NULL || contact == at)
            DL_SEARCH_SCALAR(at->deliveries, delivery, seq, seq);
        if (delivery != NULL && count < POSTS_RECIPIENTS)
            out[count++] = delivery;
    }
    return count;
}

/* --- for the network side */

struct post_delivery *post_take(struct contact *contact, int64_t now_ms, int64_t *due)
{
    struct post_delivery *delivery;
    *due = INT64_MAX;
    DL_FOREACH(contact->deliveries, delivery)
    {
        if (delivery->taken || delivery->settling > 0)
            continue;
        if (delivery->due <= now_ms) {
            delivery->taken = true;
            return delivery;
        }
        if (delivery->due < *due)
            *due = delivery->due;
    }
    return NULL;
}

void post_release(struct post_delivery *delivery)
{
    delivery->taken = false;
    sweep(delivery);
}

static bool is_queued(const struct post_delivery *delivery)
{
    return strcmp(delivery->state, "queued") == 0;
}

/* What can be taken back when the commit fails. */
struct fate {
    char state[16], protection[8], level[12], reason[256];
    int64_t due;
};

static struct fate fate_of(const struct post_delivery *delivery)
{
    struct fate fate = {.due = delivery->due};
    memcpy(fate.state, delivery->state, sizeof fate.state);
    memcpy(fate.protection, delivery->protection, sizeof fate.protection);
    memcpy(fate.level, delivery->level, sizeof fate.level);
    memcpy(fate.reason, delivery->reason, sizeof fate.reason);
    return fate;
}

static void fate_set(struct post_delivery *delivery, const struct fate *fate)
{
    memcpy(delivery->state, fate->state, sizeof delivery->state);
    memcpy(delivery->protection, fate->protection, sizeof delivery->protection);
    memcpy(delivery->level, fate->level, sizeof delivery->level);
    memcpy(delivery->reason, fate->reason, sizeof delivery->reason);
    delivery->due = fate->due;
}

static int64_t put(struct post_delivery *delivery, struct write *write)
{
    char *options;
    struct delivery_row row = row_of_delivery(delivery, &options);
    int64_t change = write_change(write);
    store_put_delivery(write->batch, &row);
    store_set_post_change(write->batch, delivery->account->id, delivery->seq, change);
    free(options);
    return change;
}

static void tell(struct post_delivery *delivery, int64_t change)
{
    char *options;
    struct delivery_row row = row_of_delivery(delivery, &options);
    post_delivery_changed(delivery->account, delivery->seq, change,
                          json_of_delivery(delivery->account, &row));
    free(options);
}

struct settling {
    struct post_delivery *delivery;
    struct fate before;
    int64_t change;
    post_settled_fn *done;
    void *arg;
};

static void answer_settling(struct settling *settling, const struct error *error)
{
    struct post_delivery *delivery = settling->delivery;
    if (settling->done != NULL && !delivery->forgotten)
        settling->done(settling->arg, error);
    delivery_unpin(delivery);
    free(settling);
}

static void settled(void *arg, const struct error *error)
{
    struct settling *settling = arg;
    struct post_delivery *delivery = settling->delivery;
    delivery->settling--;
    if (error != NULL) {
        fate_set(delivery, &settling->before);
    } else {
        tell(delivery, settling->change);
        /* One that is being ended is still to be found by who ends it. */
        if (!is_queued(delivery) && !delivery->ending)
            unlist(delivery);
        else if (is_queued(delivery) && !delivery->listed && !delivery->forgotten)
            list(delivery);
        if (!delivery->account->removed)
            report_fate(delivery);
    }
    answer_settling(settling, error);
}

static void refuse_settling(void *arg)
{
    answer_settling(arg, &(struct error){ERROR_UNAVAILABLE, "it cannot be stored now"});
}

void post_settle(struct post_delivery *delivery, const struct post_outcome *outcome, post_settled_fn *done,
                 void *arg)
{
    struct settling *settling = calloc(1, sizeof *settling);
    if (settling == NULL) {
        if (done != NULL)
            done(arg, &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    *settling =
        (struct settling){.delivery = delivery, .before = fate_of(delivery), .done = done, .arg = arg};
    delivery_pin(delivery);
    struct gateway *gateway = delivery->account->gateway;
    struct write *write = delivery->ending || delivery->forgotten || delivery->account->removed
                              ? NULL
                              : write_begin(gateway, delivery->account);
    if (write == NULL) {
        later_run(gateway, refuse_settling, settling);
        return;
    }
    delivery->settling++;
    text_copy(delivery->state, sizeof delivery->state, outcome->delivery);
    text_copy(delivery->reason, sizeof delivery->reason, outcome->reason);
    if (outcome->protection != NULL)
        text_copy(delivery->protection, sizeof delivery->protection, outcome->protection);
    if (outcome->level != NULL)
        text_copy(delivery->level, sizeof delivery->level, outcome->level);
    delivery->due = is_queued(delivery) ? outcome->next : 0;
    settling->change = put(delivery, write);
    write_commit(write, settled, settling);
}

/* --- ended by the desk */

int64_t delivery_end(struct post_delivery *delivery, struct write *write, const char *reason)
{
    delivery_pin(delivery);
    delivery->ending = true;
    struct fate before = fate_of(delivery);
    text_copy(delivery->state, sizeof delivery->state, "failed");
    text_copy(delivery->reason, sizeof delivery->reason, reason);
    int64_t change = put(delivery, write);
    text_copy(delivery->end_reason, sizeof delivery->end_reason, reason);
    fate_set(delivery, &before);
    return change;
}

void delivery_ended(struct post_delivery *delivery, int64_t change)
{
    delivery->ending = false;
    if (change != 0) {
        text_copy(delivery->state, sizeof delivery->state, "failed");
        text_copy(delivery->reason, sizeof delivery->reason, delivery->end_reason);
        tell(delivery, change);
        delivery_leave(delivery);
    } else if (!is_queued(delivery)) {
        unlist(delivery);
    }
    delivery_unpin(delivery);
}
