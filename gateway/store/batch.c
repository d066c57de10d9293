/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"
#include "store/statements.h"
#include "store/writer.h"

enum { BATCH_LIMIT = 16 << 20 }; /* bytes */

static const uint64_t number_limit = ((uint64_t)1 << 48) - 1;

/* The parameters of an operation are the values in the order of its statements' numbers. */
#define ADD(batch, operation, ...)                                                                           \
    do {                                                                                                     \
        const struct value values_[] = {__VA_ARGS__};                                                        \
        operation_write(&(batch)->operations, operation, values_, sizeof values_ / sizeof values_[0]);       \
    } while (0)

static struct value fixed(const uint8_t *data, size_t size)
{
    return value_blob(bytes_of(data, size));
}

static void refuse(struct store_batch *batch, const char *why)
{
    error_set(&batch->job.error, ERROR_INVALID, "%s", why);
}

static const char wrong_number[] = "numbers of lines are from 1 to 2^48 - 1";

struct store_batch *store_begin(struct store *store)
{
    if (store_is_closed(store))
        return NULL;
    struct store_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->store = store;
    batch->operations = buffer_make(BATCH_LIMIT);
    batch->operations.secret = true; /* the node's keys, verifiers of passwords */
    return batch;
}

void store_discard(struct store_batch *batch)
{
    if (batch == NULL)
        return;
    error_free(batch->job.error);
    buffer_free(&batch->operations);
    free(batch);
}

void store_put_node(struct store_batch *batch, const struct node_row *row)
{
    ADD(batch, PUT_NODE, fixed(row->fingerprint, 20), fixed(row->location, 16), value_blob(row->key_block),
        value_blob(row->certificate), value_blob(row->passphrase), value_blob(row->private_key),
        value_text(row->name));
}

void store_put_friend(struct store_batch *batch, const struct friend_row *row)
{
    ADD(batch, PUT_FRIEND, fixed(row->location, 16), fixed(row->fingerprint, 20), value_text(row->name),
        value_blob(row->key_block), value_number(row->verified), fixed(row->pinned, 32),
        value_text(row->addresses), value_text(row->dns), value_text(row->hidden), value_number(row->added),
        value_number(row->last_seen));
}

void store_delete_friend(struct store_batch *batch, const uint8_t location[16])
{
    ADD(batch, DELETE_FRIEND, fixed(location, 16));
}

void store_put_account(struct store_batch *batch, const struct account_row *row)
{
    ADD(batch, PUT_ACCOUNT, value_number(row->id), value_text(row->name), value_text(row->password),
        fixed(row->fingerprint, 20), value_blob(row->key_block), value_blob(row->key_wrapped),
        value_blob(row->passphrase_wrapped), value_text(row->settings), value_number(row->epoch),
        value_number(row->created), value_number(row->is_operator), value_number(row->last_seq),
        value_number(row->last_change));
}

void store_delete_account(struct store_batch *batch, int64_t account)
{
    ADD(batch, DELETE_ACCOUNT, value_number(account));
}

void store_put_app_password(struct store_batch *batch, const struct app_password_row *row)
{
    ADD(batch, PUT_APP_PASSWORD, value_number(row->account), value_number(row->id), value_text(row->label),
        value_text(row->scope), fixed(row->sha256, 32), value_text(row->scram), value_number(row->created),
        value_number(row->last_used), value_number(row->idle));
}

void store_delete_app_password(struct store_batch *batch, int64_t account, int64_t id)
{
    ADD(batch, DELETE_APP_PASSWORD, value_number(account), value_number(id));
}

void store_put_contact(struct store_batch *batch, const struct contact_row *row)
{
    ADD(batch, PUT_CONTACT, value_number(row->account), value_number(row->id), value_text(row->handle),
        value_text(row->name), fixed(row->fingerprint, 20), value_blob(row->key_block),
        value_text(row->presence), value_number(row->created), value_number(row->change),
        value_text(row->posts != NULL ? row->posts : "unknown"));
}

void store_lower_posts(struct store_batch *batch, int64_t account, int64_t contact)
{
    ADD(batch, LOWER_POSTS, value_number(account), value_number(contact));
}

void store_put_conversation(struct store_batch *batch, const struct conversation_row *row)
{
    ADD(batch, PUT_CONVERSATION, value_number(row->account), value_number(row->id),
        value_number(row->contact), value_number(row->open), value_number(row->read_seq),
        value_number(row->last_seq), value_number(row->closed_at), value_text(row->avatar),
        value_text(row->state_text), value_number(row->created), value_number(row->change),
        value_number(row->sealed));
}

void store_put_route(struct store_batch *batch, const struct route_row *row)
{
    if (row->salt_next > INT64_MAX) {
        refuse(batch, "a route has no salts left");
        return;
    }
    if (row->number_out > number_limit || row->number_in > number_limit) {
        refuse(batch, wrong_number);
        return;
    }
    ADD(batch, PUT_ROUTE, value_number(row->id), value_number(row->account), value_number(row->conversation),
        value_text(row->kind), value_text(row->role), value_number(row->invite), fixed(row->hash, 20),
        value_blob(row->keys_wrapped), value_number((int64_t)row->salt_next), value_number(row->confirmed),
        value_number(row->closed_by_peer), value_number(row->created), value_number(row->last_used),
        value_text(row->sealing), value_number(row->settled), fixed(row->context, 32),
        value_number((int64_t)row->number_out), value_number((int64_t)row->number_in),
        value_number(row->parting));
}

void store_delete_route(struct store_batch *batch, int64_t account, int64_t id)
{
    ADD(batch, DELETE_ROUTE, value_number(account), value_number(id));
}

void store_put_invite(struct store_batch *batch, const struct invite_row *row)
{
    ADD(batch, PUT_INVITE, value_number(row->account), value_number(row->id), value_number(row->contact),
        value_number(row->own), value_blob(row->link_wrapped), value_number(row->expires),
        value_number(row->uses_left), value_text(row->state), value_number(row->sealed),
        value_number(row->sealed_only), value_number(row->created), value_number(row->change));
}

void store_put_client(struct store_batch *batch, const struct client_row *row)
{
    ADD(batch, PUT_CLIENT, value_number(row->account), value_text(row->name), value_number(row->epoch),
        value_number(row->change), value_number(row->seq), value_number(row->last_seen));
}

void store_delete_client(struct store_batch *batch, int64_t account, const char *name)
{
    ADD(batch, DELETE_CLIENT, value_number(account), value_text(name));
}

static void raise_number(struct store_batch *batch, int64_t route, enum operation which, uint64_t number)
{
    if (number == 0 || number > number_limit)
        refuse(batch, wrong_number);
    else
        ADD(batch, which, value_number(route), value_number((int64_t)number));
}

void store_put_line(struct store_batch *batch, const struct line_row *row)
{
    if (row->text.size > STORE_TEXT_LIMIT) {
        refuse(batch, "the text of a line is too long for the store");
        return;
    }
    ADD(batch, PUT_LINE, value_number(row->account), value_number(row->seq), value_number(row->conversation),
        value_number(row->route), value_text(row->direction), value_words(row->text), value_number(row->time),
        value_number(row->peer_time), value_text(row->delivery), value_text(row->reason),
        value_text(row->label), value_number(row->change), value_number((int64_t)row->number));
    if (row->number > 0 && row->direction != NULL)
        raise_number(batch, row->route,
                     strcmp(row->direction, "out") == 0 ? RAISE_NUMBER_OUT : RAISE_NUMBER_IN, row->number);
}

void store_set_delivery(struct store_batch *batch, int64_t account, int64_t seq, const char *delivery,
                        const char *reason, int64_t route, int64_t change)
{
    ADD(batch, SET_DELIVERY, value_number(account), value_number(seq), value_text(delivery),
        value_text(reason), value_number(route), value_number(change));
}

void store_set_delivered(struct store_batch *batch, int64_t account, int64_t first, int64_t last,
                         int64_t change)
{
    if (first < 1 || last < first) {
        refuse(batch, "no lines were delivered");
        return;
    }
    ADD(batch, SET_DELIVERED, value_number(account), value_number(first), value_number(last),
        value_number(change), value_number(change + (last - first)));
}

void store_put_salts(struct store_batch *batch, int64_t route, const uint64_t *salts, size_t count)
{
    for (size_t i = 0; i < count && !batch->operations.failed; i++)
        ADD(batch, PUT_SALT, value_number(route), value_number((int64_t)salts[i]));
}

void store_set_salt_next(struct store_batch *batch, int64_t route, uint64_t salt_next)
{
    if (salt_next > INT64_MAX) {
        refuse(batch, "a route has no salts left");
        return;
    }
    ADD(batch, SET_SALT_NEXT, value_number(route), value_number((int64_t)salt_next));
}

void store_set_number(struct store_batch *batch, int64_t account, int64_t seq, int64_t route, uint64_t number,
                      int64_t change)
{
    raise_number(batch, route, RAISE_NUMBER_OUT, number);
    ADD(batch, SET_NUMBER, value_number(account), value_number(seq), value_number(route),
        value_number((int64_t)number), value_number(change));
}

void store_set_number_in(struct store_batch *batch, int64_t route, uint64_t number)
{
    raise_number(batch, route, RAISE_NUMBER_IN, number);
}

void store_set_number_out(struct store_batch *batch, int64_t route, uint64_t number)
{
    raise_number(batch, route, RAISE_NUMBER_OUT, number);
}

void store_remove(struct store_batch *batch, int64_t account, const char *kind, int64_t id, int64_t change)
{
    static const struct {
        const char *kind;
        enum operation operation;
    } kinds[] = {
        {"contact", REMOVE_CONTACT}, {"conversation", REMOVE_CONVERSATION}, {"invite", REMOVE_INVITE}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kind, kinds[i].kind) == 0) {
            ADD(batch, kinds[i].operation, value_number(account), value_number(id), value_number(change));
            return;
        }
    refuse(batch, "what is removed is a contact, a conversation or an invite");
}

static bool post_fits(const struct post_row *row)
{
    const char *const texts[] = {row->subject,    row->preview, row->from,        row->to,    row->cc,
                                 row->message_id, row->wire_id, row->in_reply_to, row->label, row->options};
    size_t size = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        size += texts[i] != NULL ? strlen(texts[i]) : 0;
    return size <= STORE_TEXT_LIMIT && row->message.size <= STORE_POST_INLINE &&
           (row->message.size == 0 || row->blob == NULL || row->blob[0] == 0);
}

static void write_post(struct store_batch *batch, enum operation operation, const struct post_row *row)
{
    if (!post_fits(row)) {
        refuse(batch, "a post is too long for its row");
        return;
    }
    ADD(batch, operation, value_number(row->account), value_number(row->seq), value_text(row->direction),
        value_text(row->kind), value_number(row->contact), value_text(row->subject), value_text(row->preview),
        value_text(row->from), value_text(row->to), value_text(row->cc), value_text(row->message_id),
        value_text(row->wire_id), value_text(row->in_reply_to), value_number(row->thread),
        value_number(row->time), value_number(row->peer_time), value_number(row->size),
        value_number(row->attachments), value_blob(row->message), value_text(row->blob),
        value_number(row->seen), value_number(row->answered), value_number(row->flagged),
        value_number(row->is_signed), value_text(row->verdict), value_text(row->protection),
        value_text(row->level), value_text(row->label), value_text(row->options), value_number(row->change));
}

void store_put_post(struct store_batch *batch, const struct post_row *row)
{
    write_post(batch, PUT_POST, row);
}

void store_replace_post(struct store_batch *batch, const struct post_row *row)
{
    write_post(batch, REPLACE_POST, row);
}

void store_set_post_flags(struct store_batch *batch, int64_t account, int64_t seq, int seen, int answered,
                          int flagged, int64_t change)
{
    ADD(batch, SET_POST_FLAGS, value_number(account), value_number(seq), value_number(seen),
        value_number(answered), value_number(flagged), value_number(change));
}

void store_set_post_change(struct store_batch *batch, int64_t account, int64_t seq, int64_t change)
{
    ADD(batch, SET_POST_CHANGE, value_number(account), value_number(seq), value_number(change));
}

void store_remove_post(struct store_batch *batch, int64_t account, int64_t seq, int64_t change)
{
    ADD(batch, REMOVE_POST, value_number(account), value_number(seq), value_number(change));
}

void store_put_delivery(struct store_batch *batch, const struct delivery_row *row)
{
    ADD(batch, PUT_DELIVERY, value_number(row->account), value_number(row->seq), value_number(row->contact),
        value_text(row->address), value_text(row->delivery), value_text(row->protection),
        value_text(row->level), value_text(row->reason), fixed(row->message_id, 16), value_number(row->until),
        value_number(row->since), value_number(row->next), value_number(row->warned),
        value_text(row->options));
}

void store_put_post_mark(struct store_batch *batch, int64_t account, const struct post_mark *mark)
{
    ADD(batch, PUT_POST_MARK, value_number(account), fixed(mark->digest, 32), fixed(mark->sender, 20),
        fixed(mark->message_id, 16), value_number(mark->time));
}

void store_put_post_link(struct store_batch *batch, const struct post_link_row *row)
{
    ADD(batch, PUT_POST_LINK, value_number(row->account), value_number(row->id), fixed(row->hash, 20),
        value_number(row->expires), value_text(row->state), value_number(row->created),
        value_number(row->change));
}

void store_put_post_way(struct store_batch *batch, const struct post_way_row *row)
{
    ADD(batch, PUT_POST_WAY, value_number(row->account), value_number(row->contact), fixed(row->hash, 20),
        value_number(row->expires));
}

void store_delete_post_way(struct store_batch *batch, int64_t account, int64_t contact,
                           const uint8_t hash[20])
{
    ADD(batch, DELETE_POST_WAY, value_number(account), value_number(contact), fixed(hash, 20));
}

static void answer_batch(struct job *job)
{
    struct store_batch *batch = (struct store_batch *)job;
    if (batch->done != NULL)
        batch->done(batch->arg, job->error);
    buffer_free(&batch->operations);
    free(batch);
}

void store_commit(struct store_batch *batch, store_done_fn *done, void *arg)
{
    if (batch == NULL)
        return;
    batch->done = done;
    batch->arg = arg;
    batch->job.answer = answer_batch;
    batch->job.cost = sizeof *batch + buffer_size(&batch->operations);
    if (batch->operations.failed)
        error_set(&batch->job.error, ERROR_UNAVAILABLE,
                  "no memory for this batch, or it is larger than 16 MiB");
    store_give_batch(batch->store, &batch->job);
}
