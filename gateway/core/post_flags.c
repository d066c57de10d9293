/* SPDX-License-Identifier: ISC */
/* Flags of posts, and their removal. */
#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/commands.h"
#include "core/post_queue.h"
#include "core/post_read.h"
#include "core/post_rows.h"
#include "core/write.h"

enum { SEQS_MOST = 1000, TOLD_MOST = 16 };

struct marking {
    struct call *call;
    struct account *account;
    int64_t change; /* the first of them; they go on from there */
    int seen, answered, flagged;
    struct post_delivery **ended; /* that waited and are withdrawn with their post */
    size_t ended_count, ended_room;
    size_t count;
    int64_t seqs[];
};

static struct marking *marking_new(struct call *call, struct error **error)
{
    const json_t *one = json_object_get(call->arguments, "seq"),
                 *list = json_object_get(call->arguments, "seqs");
    size_t count = one != NULL ? 1 : json_array_size(list);
    if ((one != NULL) == (list != NULL) || count == 0 || count > SEQS_MOST) {
        error_set(error, ERROR_INVALID, "give seq, or seqs with 1 to %d numbers of posts", SEQS_MOST);
        return NULL;
    }
    struct marking *marking = calloc(1, sizeof *marking + count * sizeof *marking->seqs);
    if (marking == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    marking->call = call;
    marking->account = call->account;
    marking->count = count;
    for (size_t i = 0; i < count; i++) {
        const json_t *seq = one != NULL ? one : json_array_get(list, i);
        marking->seqs[i] = json_integer_value(seq);
        if (!json_is_integer(seq) || marking->seqs[i] < 1) {
            error_set(error, ERROR_INVALID, "seqs: numbers of posts");
            free(marking);
            return NULL;
        }
    }
    return marking;
}

static void marking_free(struct marking *marking)
{
    free(marking->ended);
    free(marking);
}

static void answer(struct marking *marking, const struct error *error)
{
    if (error != NULL)
        call_fail_copy(marking->call, error);
    else
        call_done(marking->call,
                  json_pack("{s:I}", "change", (json_int_t)(marking->change + (int64_t)marking->count - 1)));
    marking_free(marking);
}

/* --- flags */

static int arg_flag(const struct call *call, const char *name)
{
    return arg_has(call, name) ? arg_true(call, name) : -1;
}

static void set_flag(json_t *members, const char *name, int value)
{
    if (value >= 0)
        json_object_set_new(members, name, json_boolean(value));
}

static void flagged(void *arg, const struct error *error)
{
    struct marking *marking = arg;
    /* Looking for many of them in the ring costs more than reading them from the store. */
    if (error == NULL && marking->count > TOLD_MOST)
        ring_forget_before(marking->account, marking->change + (int64_t)marking->count - 1);
    for (size_t i = 0; i < marking->count && marking->count <= TOLD_MOST && error == NULL; i++) {
        json_t *members = json_object();
        set_flag(members, "seen", marking->seen);
        set_flag(members, "answered", marking->answered);
        set_flag(members, "flagged", marking->flagged);
        post_changed(marking->account, marking->seqs[i], marking->change + (int64_t)i, members);
    }
    answer(marking, error);
}

bool do_post_flag(struct call *call, struct error **error)
{
    int seen = arg_flag(call, "seen"), answered = arg_flag(call, "answered"),
        flag = arg_flag(call, "flagged");
    if (seen < 0 && answered < 0 && flag < 0)
        return error_set(error, ERROR_INVALID, "post.flag: say seen, answered or flagged");
    struct marking *marking = marking_new(call, error);
    if (marking == NULL)
        return false;
    struct write *write = write_begin(call->gateway, call->account);
    if (write == NULL) {
        marking_free(marking);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    marking->seen = seen;
    marking->answered = answered;
    marking->flagged = flag;
    for (size_t i = 0; i < marking->count; i++) {
        int64_t change = write_change(write);
        if (i == 0)
            marking->change = change;
        store_set_post_flags(write->batch, call->account->id, marking->seqs[i], seen, answered, flag, change);
    }
    write_commit(write, flagged, marking);
    return true;
}

/* --- removal */

static void removed(void *arg, const struct error *error)
{
    struct marking *marking = arg;
    struct account *account = marking->account;
    int64_t last = marking->change + (int64_t)marking->count - 1;
    for (size_t i = 0; i < marking->ended_count; i++) {
        struct post_delivery *delivery = marking->ended[i];
        delivery->ending = false;
        if (error == NULL)
            delivery_leave(delivery);
        delivery_unpin(delivery);
    }
    /* Tombstones are in the store alone. */
    if (error == NULL)
        ring_forget_before(account, last);
    answer(marking, error);
}

static bool keep_ended(struct marking *marking, int64_t seq)
{
    struct post_delivery *waiting[POSTS_RECIPIENTS];
    size_t count = deliveries_of(marking->account, seq, NULL, waiting);
    if (marking->ended_count + count > marking->ended_room) {
        size_t room = (marking->ended_count + count) * 2;
        struct post_delivery **ended = realloc(marking->ended, room * sizeof *ended);
        if (ended == NULL)
            return false;
        marking->ended = ended;
        marking->ended_room = room;
    }
    for (size_t i = 0; i < count; i++)
        marking->ended[marking->ended_count++] = waiting[i];
    return true;
}

bool do_post_delete(struct call *call, struct error **error)
{
    struct marking *marking = marking_new(call, error);
    if (marking == NULL)
        return false;
    bool good = true;
    for (size_t i = 0; i < marking->count && good && call->account->posts.queued > 0; i++)
        good = keep_ended(marking, marking->seqs[i]);
    struct write *write = good ? write_begin(call->gateway, call->account) : NULL;
    if (write == NULL) {
        marking_free(marking);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    for (size_t i = 0; i < marking->ended_count; i++) {
        delivery_pin(marking->ended[i]);
        marking->ended[i]->ending = true;
    }
    for (size_t i = 0; i < marking->count; i++) {
        int64_t change = write_change(write);
        if (i == 0)
            marking->change = change;
        store_remove_post(write->batch, call->account->id, marking->seqs[i], change);
    }
    write_commit(write, removed, marking);
    return true;
}
