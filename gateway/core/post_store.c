/* SPDX-License-Identifier: ISC */
#include "core/post_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/changes.h"
#include "core/post_message.h"
#include "core/post_rows.h"
#include "core/write.h"

enum { PEOPLE_TEXT = 40 << 10 /* bytes of JSON of a field's people in a row: the message has them all */ };

char *people_row_text(const struct buffer *field)
{
    struct bytes given = buffer_view(field);
    json_t *people = json_loadb((const char *)given.data, given.size, 0, NULL);
    if (people == NULL)
        people = json_array();
    size_t bytes = 0, kept = 0, count = json_array_size(people);
    while (kept < count) {
        bytes += json_dumpb(json_array_get(people, kept), NULL, 0, JSON_COMPACT) + 1;
        if (bytes > PEOPLE_TEXT)
            break;
        kept++;
    }
    while (json_array_size(people) > kept)
        json_array_remove(people, json_array_size(people) - 1);
    char *text = json_dumps(people, JSON_COMPACT);
    json_decref(people);
    return text;
}

/* --- threads */

struct thread {
    int64_t found;
    thread_fn *done;
    void *arg;
};

static void thread_post(void *arg, const struct post_row *row, const struct delivery_row *deliveries,
                        size_t count)
{
    (void)deliveries;
    (void)count;
    ((struct thread *)arg)->found = row->thread != 0 ? row->thread : row->seq;
}

static void thread_read(void *arg, const struct error *error)
{
    (void)error; /* without it, it begins a thread of its own */
    struct thread thread = *(struct thread *)arg;
    free(arg);
    thread.done(thread.arg, thread.found);
}

void thread_find(struct account *account, const char *message_id, thread_fn *done, void *arg)
{
    struct thread *thread = message_id[0] != '\0' ? calloc(1, sizeof *thread) : NULL;
    if (thread == NULL) {
        done(arg, 0);
        return;
    }
    *thread = (struct thread){.done = done, .arg = arg};
    store_post_by_id(account->gateway->store, account->id, message_id, thread_post, thread_read, thread);
}

/* --- the commit */

void inbox_free(struct inbox_post *inbox)
{
    buffer_free(&inbox->message);
    mime_summary_free(&inbox->summary);
    json_decref(inbox->post);
    free(inbox->options);
    free(inbox);
}

static void end(struct inbox_post *inbox, const struct error *error)
{
    if (inbox->done != NULL)
        inbox->done(inbox->arg, error);
    else if (error != NULL)
        log_error("core", "event=post-not-stored kind=%s account=%s error=%s", inbox->kind,
                  log_name(&inbox->account->id, sizeof inbox->account->id), error_word(error->code));
    inbox_free(inbox);
}

struct refusal {
    struct inbox_post *inbox;
    struct error error;
};

static void refuse(void *arg)
{
    struct refusal *refusal = arg;
    end(refusal->inbox, &refusal->error);
    free(refusal);
}

void inbox_refuse(struct inbox_post *inbox, enum error_code code, const char *text)
{
    struct refusal *refusal = calloc(1, sizeof *refusal);
    if (refusal == NULL) {
        end(inbox, &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    refusal->inbox = inbox;
    refusal->error.code = code;
    snprintf(refusal->error.text, sizeof refusal->error.text, "%s", text);
    later_run(inbox->account->gateway, refuse, refusal);
}

static struct post_row row_of(const struct inbox_post *inbox, const char *from, const char *to,
                              const char *cc)
{
    const struct mime_summary *summary = &inbox->summary;
    struct post_row row = {
        .account = inbox->account->id,
        .seq = inbox->seq,
        .direction = "in",
        .kind = inbox->kind,
        .contact = inbox->contact,
        .subject = summary->subject,
        .preview = summary->preview,
        .from = from,
        .to = to,
        .cc = cc,
        .message_id = summary->message_id,
        .wire_id = summary->wire_id,
        .in_reply_to = summary->in_reply_to,
        .thread = inbox->thread != 0 ? inbox->thread : inbox->seq,
        .time = inbox->received,
        .peer_time = inbox->peer_time,
        .size = (int64_t)buffer_size(&inbox->message),
        .attachments = summary->attachments,
        .blob = inbox->blob,
        .is_signed = inbox->is_signed,
        .verdict = inbox->verdict,
        .protection = inbox->protection,
        .level = inbox->level,
        .label = "",
        .options = inbox->options != NULL ? inbox->options : "{}",
        .change = inbox->change,
    };
    if (inbox->blob[0] == '\0')
        row.message = buffer_view(&inbox->message);
    return row;
}

static bool put(struct inbox_post *inbox, struct write *write)
{
    char *from = people_row_text(&inbox->summary.from), *to = people_row_text(&inbox->summary.to),
         *cc = people_row_text(&inbox->summary.cc);
    bool good = from != NULL && to != NULL && cc != NULL;
    if (good) {
        inbox->seq = inbox->replaces != 0 ? inbox->replaces : ++inbox->account->last_seq;
        inbox->change = write_change(write);
        struct post_row row = row_of(inbox, from, to, cc);
        if (inbox->replaces != 0)
            store_replace_post(write->batch, &row);
        else
            store_put_post(write->batch, &row);
        if (inbox->marked && inbox->replaces == 0)
            store_put_post_mark(write->batch, inbox->account->id, &inbox->mark);
        json_decref(inbox->post);
        inbox->post = json_of_post(inbox->account, &row, NULL, 0);
        good = inbox->post != NULL;
    }
    free(from);
    free(to);
    free(cc);
    return good;
}

static void keep_blob(struct inbox_post *inbox);

static void committed(void *arg, const struct error *error)
{
    struct inbox_post *inbox = arg;
    struct account *account = inbox->account;
    if (error != NULL && error->code == ERROR_NOT_FOUND && inbox->blob[0] != '\0' && !inbox->again) {
        inbox->again = true; /* the same message was just being removed with another post */
        keep_blob(inbox);
        return;
    }
    if (error == NULL) {
        if (inbox->seq > account->posts.last_seq)
            account->posts.last_seq = inbox->seq;
        ring_put(account, inbox->change, "post", inbox->post);
        inbox->post = NULL;
    }
    end(inbox, error);
}

static void blob_kept(void *arg, const char *blob, const struct error *error)
{
    struct inbox_post *inbox = arg;
    struct account *account = inbox->account;
    struct write *write = error == NULL && !account->removed ? write_begin(account->gateway, account) : NULL;
    snprintf(inbox->blob, sizeof inbox->blob, "%s", blob);
    if (write != NULL && put(inbox, write)) {
        write_commit(write, committed, inbox);
        return;
    }
    if (write != NULL)
        write_discard(write);
    end(inbox, error != NULL ? error : &(struct error){ERROR_INTERNAL, "out of memory"});
}

static void keep_blob(struct inbox_post *inbox)
{
    message_keep(inbox->account, buffer_view(&inbox->message), blob_kept, inbox);
}

static void thread_found(void *arg, int64_t thread)
{
    struct inbox_post *inbox = arg;
    inbox->thread = thread;
    keep_blob(inbox);
}

static void begin(void *arg)
{
    struct inbox_post *inbox = arg;
    if (inbox->received == 0)
        inbox->received = clock_wall_ms();
    thread_find(inbox->account, inbox->summary.in_reply_to, thread_found, inbox);
}

void inbox_store(struct inbox_post *inbox)
{
    later_run(inbox->account->gateway, begin, inbox);
}
