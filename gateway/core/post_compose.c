/* SPDX-License-Identifier: ISC */
/* The message of a post that is being sent: as it was submitted, or made of what a person typed. */
#include <stdlib.h>
#include <string.h>

#include "core/commands.h"
#include "core/post_message.h"
#include "core/post_send.h"

/* --- on the pool: nothing of the account is touched */

static struct mime_person self_of(const struct sending *sending)
{
    const struct person *self;
    HASH_FIND(by_fingerprint, sending->people->fingerprints, sending->account->fingerprint, 20, self);
    return person_in_mime(sending->people, self);
}

static bool submit(struct sending *sending)
{
    struct mime_person sender = self_of(sending);
    const struct mime_submission submission = {.sender = &sender,
                                               .people = &sending->mime,
                                               .now_ms = sending->now,
                                               .message_id = sending->message_id};
    if (sending->upload != NULL && !upload_read(sending->upload, &sending->given))
        return error_set(&sending->error, ERROR_UNAVAILABLE, "the upload cannot be read again");
    bool good = mime_submit(&sending->own, &sending->summary, &submission, buffer_view(&sending->given),
                            &sending->error);
    buffer_free(&sending->given);
    return good;
}

static bool read_attachments(struct sending *sending, struct buffer *data,
                             struct mime_attachment *attachments)
{
    for (size_t i = 0; i < sending->attachment_count; i++) {
        data[i] = buffer_make(UPLOAD_LIMIT);
        if (!upload_read(sending->attachments[i].upload, &data[i]))
            return error_set(&sending->error, ERROR_UNAVAILABLE, "an upload cannot be read again");
        attachments[i] = (struct mime_attachment){.name = sending->attachments[i].name,
                                                  .type = sending->attachments[i].type,
                                                  .data = buffer_view(&data[i])};
    }
    return true;
}

static bool compose_with(struct sending *sending, const struct mime_attachment *attachments)
{
    struct mime_person *persons = calloc(sending->count, sizeof *persons), sender = self_of(sending);
    if (persons == NULL)
        return error_set(&sending->error, ERROR_INTERNAL, "out of memory");
    size_t to = 0, cc = 0;
    for (size_t i = 0; i < sending->count; i++)
        to += !sending->recipients[i].cc;
    for (size_t i = 0, at = 0; i < sending->count; i++) {
        struct mime_person person = person_in_mime(sending->people, sending->recipients[i].person);
        persons[sending->recipients[i].cc ? to + cc++ : at++] = person;
    }
    const json_t *arguments = sending->call->arguments;
    const struct mime_draft draft = {
        .sender = &sender,
        .to = persons,
        .cc = persons + to,
        .to_count = to,
        .cc_count = cc,
        .subject = json_string_value(json_object_get(arguments, "subject")),
        .text = json_string_value(json_object_get(arguments, "text")),
        .in_reply_to = sending->reply_to != 0 ? buffer_string(&sending->in_reply_to) : NULL,
        .references = sending->reply_to != 0 ? buffer_string(&sending->references) : NULL,
        .attachments = attachments,
        .attachment_count = sending->attachment_count,
        .now_ms = sending->now,
        .message_id = sending->message_id,
    };
    bool good = mime_compose(&sending->own, &draft, &sending->error) &&
                mime_summarise(&sending->summary, buffer_view(&sending->own), &sending->error) &&
                (mime_wire_id(sending->summary.wire_id, &sending->mime, sending->message_id) ||
                 error_set(&sending->error, ERROR_INTERNAL, "out of memory"));
    free(persons);
    return good;
}

static bool compose(struct sending *sending)
{
    struct buffer data[POST_ATTACHMENTS] = {0};
    struct mime_attachment attachments[POST_ATTACHMENTS] = {0};
    bool good = read_attachments(sending, data, attachments) && compose_with(sending, attachments);
    for (size_t i = 0; i < sending->attachment_count; i++)
        buffer_free(&data[i]);
    return good;
}

/* The thread that a reply goes on. */
static void read_references(struct sending *sending)
{
    struct mime_summary summary = {0};
    if (mime_summarise(&summary, buffer_view(&sending->answered), NULL))
        buffer_append_bytes(&sending->references, buffer_view(&summary.references));
    if (buffer_size(&sending->references) > 0)
        buffer_append_string(&sending->references, "\n");
    buffer_append_bytes(&sending->references, buffer_view(&sending->in_reply_to));
    mime_summary_free(&summary);
    buffer_free(&sending->answered);
}

/* What a program of 2013 cannot take is refused now, while the person is there (00 30). */
static bool fits_classic(struct sending *sending)
{
    bool classic = false;
    for (size_t i = 0; i < sending->count; i++)
        classic |= sending->recipients[i].classic;
    if (!classic)
        return true;
    struct buffer subject = buffer_make(POST_CLASSIC_LIMIT), body = buffer_make(POST_CLASSIC_LIMIT);
    bool good = mime_classic(&subject, &body, buffer_view(&sending->own), &sending->error);
    buffer_free(&subject);
    buffer_free(&body);
    return good;
}

static void work(void *arg)
{
    struct sending *sending = arg;
    if (sending->reply_to != 0)
        read_references(sending);
    bool good = sending->typed ? compose(sending) : submit(sending);
    if (good && buffer_size(&sending->own) > POST_SIZE_LIMIT)
        good = error_set(&sending->error, ERROR_LIMIT,
                         "the message is too large: with all encoded attachments it may have %d MiB",
                         POST_SIZE_LIMIT >> 20);
    if (good)
        fits_classic(sending);
}

/* --- on the loop */

static void end_with(struct sending *sending, enum error_code code, const char *text)
{
    struct error *error = NULL;
    error_set(&error, code, "%s", text);
    sending_end(sending, NULL, error);
    error_free(error);
}

/* Who stands in no field of the message is told to nobody. */
static void mark_hidden(struct sending *sending, const struct buffer *field)
{
    json_t *people = json_loadb((const char *)buffer_view(field).data, buffer_size(field), 0, NULL), *entry;
    size_t index;
    json_array_foreach(people, index, entry)
    {
        const char *address = json_string_value(json_object_get(entry, "address"));
        const struct person *person;
        enum addressee found =
            address != NULL ? people_find(sending->people, address, &person) : ADDRESSEE_UNKNOWN;
        for (size_t i = 0; i < sending->count && found != ADDRESSEE_UNKNOWN; i++) {
            if (sending->recipients[i].person == person)
                sending->recipients[i].bcc = false;
        }
    }
    json_decref(people);
}

static void worked(void *arg, bool ran)
{
    struct sending *sending = arg;
    if (!ran) {
        end_with(sending, ERROR_UNAVAILABLE, "the gateway is too busy, or stopping; try again");
        return;
    }
    if (sending->error != NULL) {
        struct error *error = sending->error;
        sending->error = NULL;
        sending_end(sending, NULL, error);
        error_free(error);
        return;
    }
    for (size_t i = 0; i < sending->count; i++)
        sending->recipients[i].bcc = true;
    mark_hidden(sending, &sending->summary.to);
    mark_hidden(sending, &sending->summary.cc);
    sending_commit(sending);
}

static void run(void *arg)
{
    struct sending *sending = arg;
    job_run(sending->account->gateway, sending->size, work, worked, sending);
}

static void answered_read(void *arg, struct fetched_post *post, const struct error *error)
{
    struct sending *sending = arg;
    if (error != NULL) {
        bool absent = error->code == ERROR_NOT_FOUND;
        end_with(sending, error->code, absent ? "reply_to: there is no such post" : error->text);
        return;
    }
    buffer_append_string(&sending->in_reply_to, post->row->message_id);
    sending->answered = post->message;
    post->message = buffer_make(0);
    sending->size += buffer_size(&sending->answered);
    run(sending);
}

void sending_start(struct sending *sending)
{
    uint8_t id[16];
    char text[2 * sizeof id + 1];
    const struct random_source *random = sending->account->gateway->random;
    random->fill(random->state, id, sizeof id);
    hex_lower(text, id, sizeof id);
    snprintf(sending->message_id, sizeof sending->message_id, "%s@distant.alt", text);
    sending->own = buffer_make(POST_MESSAGE_LIMIT);
    sending->in_reply_to = buffer_make(1024);
    sending->references = buffer_make(1 << 16);
    if (sending->reply_to != 0)
        post_fetch(sending->account, sending->reply_to, true, answered_read, sending);
    else
        later_run(sending->account->gateway, run, sending);
}
