/* SPDX-License-Identifier: ISC */
/* The commit of a post that is being sent: one row, and one delivery for each recipient. */
#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/post_message.h"
#include "core/post_queue.h"
#include "core/post_read.h"
#include "core/post_rows.h"
#include "core/post_send.h"
#include "core/post_store.h"
#include "core/post_verbs.h"
#include "core/write.h"

/* What is committed, and told then. */
struct commit {
    struct sending *sending;
    json_t *posts[2]; /* the post, and the copy to oneself */
    int64_t seqs[2], changes[2];
    struct post_delivery *queued[POSTS_RECIPIENTS];
    size_t queued_count;
    int64_t thread;
    int64_t answered_change; /* of the post that this one answers; 0: none */
    bool again;              /* its blob was put a second time */
    char blob[65];
};

/* --- the end of a sending */

void sending_free(struct sending *sending)
{
    if (sending->large)
        post_read_end(sending->account);
    people_release(sending->people);
    upload_free(sending->upload);
    for (size_t i = 0; i < sending->attachment_count; i++)
        upload_free(sending->attachments[i].upload);
    buffer_free(&sending->given);
    buffer_free(&sending->answered);
    buffer_free(&sending->in_reply_to);
    buffer_free(&sending->references);
    buffer_free(&sending->own);
    mime_summary_free(&sending->summary);
    error_free(sending->error);
    OPENSSL_cleanse(sending->mime.id_key, sizeof sending->mime.id_key);
    free(sending);
}

void sending_end(struct sending *sending, json_t *answer, const struct error *error)
{
    sending->answer(sending->arg, answer, error);
    sending_free(sending);
}

static void commit_end(struct commit *commit, json_t *answer, const struct error *error)
{
    struct sending *sending = commit->sending;
    for (size_t i = 0; i < commit->queued_count; i++) {
        commit->queued[i]->contact->posting--;
        delivery_free(commit->queued[i]);
    }
    for (size_t i = 0; i < 2; i++)
        json_decref(commit->posts[i]);
    free(commit);
    sending_end(sending, answer, error);
}

/* --- rows */

static char *options_text(const struct sending *sending)
{
    json_t *options =
        json_pack("{s:b,s:s}", "headers_only", sending->headers_only, "envelope", sending->envelope);
    char *text = options != NULL ? json_dumps(options, JSON_COMPACT) : NULL;
    json_decref(options);
    return text;
}

static struct post_row base_row(const struct sending *sending, const struct commit *commit)
{
    struct post_row row = {
        .account = sending->account->id,
        .kind = "post",
        .subject = sending->summary.subject,
        .preview = sending->summary.preview,
        .message_id = sending->summary.message_id,
        .wire_id = sending->summary.wire_id,
        .in_reply_to = sending->summary.in_reply_to,
        .time = sending->now,
        .size = (int64_t)buffer_size(&sending->own),
        .attachments = sending->summary.attachments,
        .blob = commit->blob,
        .verdict = "",
        .protection = "",
        .level = "",
        .label = "",
        .options = "{}",
    };
    if (commit->blob[0] == '\0')
        row.message = buffer_view(&sending->own);
    return row;
}

/* For a recipient that is not a contact: nothing travels. */
static struct delivery_row local_delivery(const struct sending *sending, const struct recipient *recipient,
                                          int64_t seq)
{
    return (struct delivery_row){.account = sending->account->id,
                                 .seq = seq,
                                 .address = recipient->address,
                                 .delivery = "delivered",
                                 .protection = "",
                                 .level = "",
                                 .reason = "",
                                 .until = sending->now,
                                 .since = sending->now,
                                 .options = "{}"};
}

static struct post_delivery *queued_delivery(const struct sending *sending, const struct recipient *recipient,
                                             int64_t seq)
{
    struct post_delivery *delivery = calloc(1, sizeof *delivery);
    struct contact *contact = NULL;
    HASH_FIND(hh, sending->account->contacts, &recipient->person->contact, sizeof(int64_t), contact);
    if (delivery == NULL || contact == NULL) {
        free(delivery);
        return NULL;
    }
    const struct random_source *random = sending->account->gateway->random;
    delivery->account = sending->account;
    delivery->contact = contact;
    delivery->seq = seq;
    random->fill(random->state, delivery->message_id, sizeof delivery->message_id);
    memcpy(delivery->address, recipient->address, sizeof delivery->address);
    memcpy(delivery->state, "queued", sizeof "queued");
    delivery->until = sending->now + sending->wait * 1000;
    delivery->since = delivery->time = sending->now;
    delivery->size = (int64_t)buffer_size(&sending->own);
    delivery->share = delivery->size / (int64_t)sending->count;
    delivery->lowered = recipient->lowered;
    delivery->sign = sending->sign;
    delivery->bcc = recipient->bcc;
    delivery->notify = recipient->notify;
    return delivery;
}

/* The deliveries' rows; those that wait are kept for after the commit. False without memory. */
static bool put_deliveries(struct commit *commit, struct store_batch *batch, int64_t seq,
                           struct delivery_row *rows, char **options)
{
    const struct sending *sending = commit->sending;
    size_t count = 0;
    bool local = false;
    for (size_t i = 0; i < sending->count; i++) {
        const struct recipient *recipient = &sending->recipients[i];
        if (recipient->person == NULL || recipient->person->contact == 0) {
            if (!local)
                rows[count++] = local_delivery(sending, recipient, seq);
            local = true;
            continue;
        }
        struct post_delivery *delivery = queued_delivery(sending, recipient, seq);
        if (delivery == NULL)
            return false;
        delivery->contact->posting++;
        commit->queued[commit->queued_count++] = delivery;
        rows[count] = row_of_delivery(delivery, &options[count]);
        count++;
    }
    for (size_t i = 0; i < count; i++)
        store_put_delivery(batch, &rows[i]);
    return true;
}

/* A row, and what clients will be told of it. */
static bool put_post(struct commit *commit, struct write *write, size_t which, struct post_row *row)
{
    struct sending *sending = commit->sending;
    struct delivery_row rows[POSTS_RECIPIENTS];
    char *options[POSTS_RECIPIENTS] = {0};
    row->seq = commit->seqs[which] = ++sending->account->last_seq;
    row->thread = commit->thread != 0 ? commit->thread : commit->seqs[0];
    row->change = commit->changes[which] = write_change(write);
    store_put_post(write->batch, row);
    bool good = true;
    if (which == 0)
        good = put_deliveries(commit, write->batch, row->seq, rows, options);
    size_t count = which == 0 ? commit->queued_count + (sending->to_self || sending->to_gateway) : 0;
    commit->posts[which] = good ? json_of_post(sending->account, row, rows, count) : NULL;
    for (size_t i = 0; i < POSTS_RECIPIENTS; i++)
        free(options[i]);
    return commit->posts[which] != NULL;
}

static bool put_all(struct commit *commit, struct write *write)
{
    struct sending *sending = commit->sending;
    char *from = people_row_text(&sending->summary.from), *to = people_row_text(&sending->summary.to),
         *cc = people_row_text(&sending->summary.cc), *options = options_text(sending);
    bool good = from != NULL && to != NULL && cc != NULL && options != NULL;
    if (good) {
        struct post_row row = base_row(sending, commit);
        row.from = from;
        row.to = to;
        row.cc = cc;
        row.direction = "out";
        row.seen = true;
        row.is_signed = sending->sign;
        row.label = sending->label;
        row.options = options;
        good = put_post(commit, write, 0, &row);
        if (good && sending->to_self) {
            row.direction = "in";
            row.seen = row.is_signed = false;
            row.verdict = "gateway";
            row.protection = row.level = "none";
            row.peer_time = sending->now;
            row.label = "";
            row.options = "{}";
            good = put_post(commit, write, 1, &row);
        }
    }
    if (good && sending->reply_to != 0) {
        commit->answered_change = write_change(write);
        store_set_post_flags(write->batch, sending->account->id, sending->reply_to, -1, 1, -1,
                             commit->answered_change);
    }
    free(from);
    free(to);
    free(cc);
    free(options);
    return good;
}

/* --- after the commit */

static void put_blob(struct commit *commit);

static void committed(void *arg, const struct error *error)
{
    struct commit *commit = arg;
    struct sending *sending = commit->sending;
    struct account *account = sending->account;
    if (error != NULL && error->code == ERROR_NOT_FOUND && commit->blob[0] != '\0' && !commit->again) {
        /* The same message was just being removed with another post. */
        commit->again = true;
        while (commit->queued_count > 0) {
            struct post_delivery *delivery = commit->queued[--commit->queued_count];
            delivery->contact->posting--;
            delivery_free(delivery);
        }
        for (size_t i = 0; i < 2; i++) {
            json_decref(commit->posts[i]);
            commit->posts[i] = NULL;
        }
        put_blob(commit);
        return;
    }
    if (error != NULL) {
        commit_end(commit, NULL, error);
        return;
    }
    for (size_t i = 0; i < 2 && commit->posts[i] != NULL; i++) {
        account->posts.last_seq = commit->seqs[i];
        ring_put(account, commit->changes[i], "post", commit->posts[i]);
        commit->posts[i] = NULL;
    }
    if (commit->answered_change != 0)
        post_changed(account, sending->reply_to, commit->answered_change,
                     json_pack("{s:b}", "answered", true));
    for (size_t i = 0; i < commit->queued_count; i++) {
        commit->queued[i]->contact->posting--;
        delivery_enqueue(commit->queued[i]);
    }
    commit->queued_count = 0;
    if (sending->to_gateway)
        post_verbs_run(account, buffer_view(&sending->own), &sending->summary);
    commit_end(commit,
               json_pack("{s:I,s:I,s:I,s:I}", "epoch", (json_int_t)account->epoch, "seq",
                         (json_int_t)commit->seqs[0], "change", (json_int_t)commit->changes[0], "time",
                         (json_int_t)sending->now),
               NULL);
}

/* Contacts that went while the message was made. */
static bool still_there(const struct sending *sending)
{
    for (size_t i = 0; i < sending->count; i++) {
        const struct person *person = sending->recipients[i].person;
        struct contact *contact = NULL;
        if (person == NULL || person->contact == 0)
            continue;
        HASH_FIND(hh, sending->account->contacts, &person->contact, sizeof person->contact, contact);
        if (contact == NULL || contact->leaving)
            return false;
    }
    return !sending->account->removed;
}

static void blob_kept(void *arg, const char *blob, const struct error *error)
{
    struct commit *commit = arg;
    struct sending *sending = commit->sending;
    if (error != NULL) {
        commit_end(commit, NULL, error);
        return;
    }
    snprintf(commit->blob, sizeof commit->blob, "%s", blob);
    static const struct error gone = {ERROR_NOT_FOUND, "one of the recipients is no contact any more"},
                              memory = {ERROR_INTERNAL, "out of memory"};
    struct write *write =
        still_there(sending) ? write_begin(sending->account->gateway, sending->account) : NULL;
    if (write == NULL) {
        commit_end(commit, NULL, still_there(sending) ? &memory : &gone);
        return;
    }
    if (!put_all(commit, write)) {
        write_discard(write);
        commit_end(commit, NULL, &memory);
        return;
    }
    write_commit(write, committed, commit);
}

static void put_blob(struct commit *commit)
{
    message_keep(commit->sending->account, buffer_view(&commit->sending->own), blob_kept, commit);
}

static void thread_found(void *arg, int64_t thread)
{
    struct commit *commit = arg;
    commit->thread = thread;
    put_blob(commit);
}

void sending_commit(struct sending *sending)
{
    struct commit *commit = calloc(1, sizeof *commit);
    if (commit == NULL) {
        sending_end(sending, NULL, &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    commit->sending = sending;
    thread_find(sending->account, sending->summary.in_reply_to, thread_found, commit);
}
