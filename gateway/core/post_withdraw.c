/* SPDX-License-Identifier: ISC */
/* Deliveries that their person takes back, or wants to be tried again. */
#include <stdlib.h>
#include <string.h>

#include "core/commands.h"
#include "core/post_message.h"
#include "core/post_queue.h"
#include "core/post_rows.h"
#include "core/post_send.h"
#include "core/write.h"

/* --- the answer: the post as it is now */

static void answer_fetched(void *arg, struct fetched_post *post, const struct error *error)
{
    struct call *call = arg;
    if (error != NULL)
        call_fail_copy(call, error);
    else
        call_done(call, json_of_post(call->account, post->row, post->deliveries, post->count));
}

static void answer_post(struct call *call)
{
    post_fetch(call->account, arg_int(call, "seq", 0), false, answer_fetched, call);
}

/* --- post.withdraw */

struct withdrawal {
    struct call *call;
    struct post_delivery *deliveries[POSTS_RECIPIENTS];
    int64_t changes[POSTS_RECIPIENTS];
    size_t count;
};

static void withdrawn(void *arg, const struct error *error)
{
    struct withdrawal *withdrawal = arg;
    for (size_t i = 0; i < withdrawal->count; i++)
        delivery_ended(withdrawal->deliveries[i], error == NULL ? withdrawal->changes[i] : 0);
    if (error != NULL)
        call_fail_copy(withdrawal->call, error);
    else
        answer_post(withdrawal->call);
    free(withdrawal);
}

bool do_post_withdraw(struct call *call, struct error **error)
{
    struct contact *contact = arg_has(call, "contact") ? arg_contact(call, error) : NULL;
    if (arg_has(call, "contact") && contact == NULL)
        return false;
    struct withdrawal *withdrawal = calloc(1, sizeof *withdrawal);
    if (withdrawal == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    withdrawal->call = call;
    struct post_delivery *waiting[POSTS_RECIPIENTS];
    size_t count = deliveries_of(call->account, arg_int(call, "seq", 0), contact, waiting);
    for (size_t i = 0; i < count; i++) {
        if (!waiting[i]->ending && strcmp(waiting[i]->state, "queued") == 0)
            withdrawal->deliveries[withdrawal->count++] = waiting[i];
    }
    struct write *write = withdrawal->count > 0 ? write_begin(call->gateway, call->account) : NULL;
    if (write == NULL) {
        bool nothing = withdrawal->count == 0;
        free(withdrawal);
        return nothing ? error_set(error, ERROR_NOT_FOUND,
                                   "nothing of such a post waits; only what waits can be withdrawn")
                       : error_set(error, ERROR_INTERNAL, "out of memory");
    }
    for (size_t i = 0; i < withdrawal->count; i++)
        withdrawal->changes[i] = delivery_end(withdrawal->deliveries[i], write, "withdrawn");
    write_commit(write, withdrawn, withdrawal);
    return true;
}

/* --- a contact that is removed */

void posts_contact_leaving(struct contact *contact, struct write *write)
{
    struct post_delivery *delivery;
    DL_FOREACH(contact->deliveries, delivery)
    {
        if (!delivery->ending)
            delivery_end(delivery, write, "the contact was removed");
    }
}

void posts_contact_stays(struct contact *contact)
{
    struct post_delivery *delivery, *next;
    DL_FOREACH_SAFE(contact->deliveries, delivery, next)
    delivery_ended(delivery, 0);
}

void posts_contact_gone(struct contact *contact)
{
    struct post_delivery *delivery, *next;
    DL_FOREACH_SAFE(contact->deliveries, delivery, next)
    {
        delivery->ending = false;
        delivery_leave(delivery);
        delivery_unpin(delivery);
    }
    post_out_contact_gone(contact);
    struct post_way *way;
    while ((way = contact->post_ways) != NULL) {
        DL_DELETE(contact->post_ways, way);
        free(way);
    }
}

/* --- post.resend */

struct again {
    struct call *call;
    struct contact *contact; /* NULL: all */
    bool lower;
    struct post_delivery *deliveries[POSTS_RECIPIENTS];
    size_t count;
};

static void again_end(struct again *again, const struct error *error)
{
    for (size_t i = 0; i < again->count; i++) {
        again->deliveries[i]->contact->posting--;
        if (error != NULL)
            delivery_free(again->deliveries[i]);
        else
            delivery_enqueue(again->deliveries[i]);
    }
    if (error != NULL)
        call_fail_copy(again->call, error);
    else
        answer_post(again->call);
    free(again);
}

static void again_committed(void *arg, const struct error *error)
{
    struct again *again = arg;
    struct account *account = again->call->account;
    for (size_t i = 0; i < again->count && error == NULL; i++) {
        char *options;
        struct post_delivery *delivery = again->deliveries[i];
        struct delivery_row row = row_of_delivery(delivery, &options);
        post_delivery_changed(account, delivery->seq, delivery->change, json_of_delivery(account, &row));
        free(options);
    }
    again_end(again, error);
}

static bool waits_again(const struct again *again, const struct delivery_row *row)
{
    return (strcmp(row->delivery, "failed") == 0 || strcmp(row->delivery, "not-confirmed") == 0) &&
           (again->contact == NULL || again->contact->id == row->contact);
}

static bool add_again(struct again *again, const struct fetched_post *post, const struct delivery_row *row)
{
    struct account *account = again->call->account;
    struct contact *contact = NULL;
    HASH_FIND(hh, account->contacts, &row->contact, sizeof row->contact, contact);
    if (!waits_again(again, row) || contact == NULL || contact->leaving)
        return true;
    struct post_delivery *delivery = delivery_of_row(row);
    if (delivery == NULL)
        return false;
    delivery->account = account;
    delivery->contact = contact;
    memcpy(delivery->state, "queued", sizeof "queued");
    delivery->reason[0] = delivery->protection[0] = delivery->level[0] = '\0';
    delivery->since = clock_wall_ms();
    delivery->until = delivery->since + account->posts.settings.wait * 1000;
    delivery->due = delivery->warned = 0;
    delivery->size = post->row->size;
    delivery->lowered |= again->lower;
    contact->posting++;
    again->deliveries[again->count++] = delivery;
    return true;
}

static void again_fetched(void *arg, struct fetched_post *post, const struct error *error)
{
    struct again *again = arg;
    struct account *account = again->call->account;
    struct error *refused = NULL;
    if (error != NULL) {
        again_end(again, error);
        return;
    }
    bool memory = true;
    for (size_t i = 0; i < post->count && memory && again->count < POSTS_RECIPIENTS; i++)
        memory = add_again(again, post, &post->deliveries[i]);
    if (!memory)
        error_set(&refused, ERROR_INTERNAL, "out of memory");
    else if (again->count == 0)
        error_set(&refused, ERROR_INVALID, "only what failed or was not confirmed is sent again");
    else
        queue_takes(account, again->count, (size_t)post->row->size, &refused);
    struct write *write = refused == NULL ? write_begin(account->gateway, account) : NULL;
    if (write == NULL) {
        error_set(&refused, ERROR_INTERNAL, "out of memory");
        again_end(again, refused);
        error_free(refused);
        return;
    }
    for (size_t i = 0; i < again->count; i++) {
        char *options;
        struct post_delivery *delivery = again->deliveries[i];
        struct delivery_row row = row_of_delivery(delivery, &options);
        store_put_delivery(write->batch, &row);
        delivery->change = write_change(write);
        store_set_post_change(write->batch, account->id, delivery->seq, delivery->change);
        free(options);
    }
    write_commit(write, again_committed, again);
}

bool do_post_resend(struct call *call, struct error **error)
{
    struct contact *contact = arg_has(call, "contact") ? arg_contact(call, error) : NULL;
    if (arg_has(call, "contact") && contact == NULL)
        return false;
    if (!call->account->unlocked)
        return error_set(error, ERROR_LOCKED, "the vault is locked; unlock it first");
    struct again *again = calloc(1, sizeof *again);
    if (again == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *again = (struct again){.call = call, .contact = contact, .lower = arg_true(call, "lower")};
    post_fetch(call->account, arg_int(call, "seq", 0), false, again_fetched, again);
    return true;
}
