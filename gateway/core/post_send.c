/* SPDX-License-Identifier: ISC */
/* The commands post.address and post.send: their arguments, and posts known again by a label. */
#include "core/post_send.h"

#include <stdlib.h>
#include <string.h>

#include "core/commands.h"
#include "core/contacts.h"
#include "core/changes.h"
#include "core/post_message.h"
#include "core/post_queue.h"
#include "core/text.h"
#include "wire/radix64.h"

bool contact_is_sealed(const struct contact *contact)
{
    return contact->posts_sealed || (contact->conversation != NULL && contact->conversation->standing.sealed);
}

int64_t post_limit_of(const struct contact *contact)
{
    return contact->posts_classic && !contact_is_sealed(contact) ? POST_CLASSIC_LIMIT : POST_SIZE_LIMIT;
}

/* --- post.address */

static struct contact *contact_of_person(const struct account *account, const struct person *person)
{
    struct contact *contact = NULL;
    if (person != NULL && person->contact != 0)
        HASH_FIND(hh, account->contacts, &person->contact, sizeof person->contact, contact);
    return contact;
}

bool do_post_address(struct call *call, struct error **error)
{
    struct people *people = people_of(call->account);
    const struct person *person;
    if (people == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    enum addressee found = people_need(people, arg_text(call, "address"), &person, error);
    if (found != ADDRESSEE_UNKNOWN) {
        struct contact *contact = contact_of_person(call->account, person);
        int64_t limit = contact != NULL              ? post_limit_of(contact)
                        : found == ADDRESSEE_GATEWAY ? POST_TEXT_MAX
                                                     : POST_SIZE_LIMIT;
        struct mime_person full = person_in_mime(people, person);
        call_done(call, json_pack("{s:o,s:s,s:I}", "contact",
                                  contact != NULL ? json_of_contact(contact) : json_null(), "address",
                                  full.address, "limit", (json_int_t)limit));
    }
    people_release(people);
    return found != ADDRESSEE_UNKNOWN;
}

/* --- arguments */

static bool add_recipient(struct sending *sending, const char *address, bool cc, uint8_t notify,
                          struct error **error)
{
    const struct person *person;
    if (address == NULL)
        return error_set(error, ERROR_INVALID, "post.send: a recipient is an address or a handle");
    enum addressee found = people_need(sending->people, address, &person, error);
    if (found == ADDRESSEE_UNKNOWN)
        return false;
    for (size_t i = 0; i < sending->count; i++) {
        if (sending->recipients[i].person == person) {
            sending->recipients[i].notify |= notify;
            return true;
        }
    }
    if (sending->count == POSTS_RECIPIENTS)
        return error_set(error, ERROR_LIMIT, "a post has at most %d recipients", POSTS_RECIPIENTS);
    struct contact *contact = contact_of_person(sending->account, person);
    if (found == ADDRESSEE_CONTACT && (contact == NULL || contact->leaving))
        return error_set(error, ERROR_NOT_FOUND, "this contact is being removed");
    struct mime_person full = person_in_mime(sending->people, person);
    struct recipient *recipient = &sending->recipients[sending->count++];
    *recipient = (struct recipient){.person = person, .cc = cc, .notify = notify};
    memcpy(recipient->address, full.address, sizeof recipient->address);
    recipient->classic = contact != NULL && contact->posts_classic && !contact_is_sealed(contact);
    sending->to_self |= found == ADDRESSEE_SELF;
    sending->to_gateway |= found == ADDRESSEE_GATEWAY;
    return true;
}

static bool read_words(uint8_t *bits, const json_t *list, struct error **error)
{
    static const struct {
        const char *word;
        uint8_t bit;
    } words[] = {{"success", NOTIFY_SUCCESS}, {"failure", NOTIFY_FAILURE}, {"delay", NOTIFY_DELAY}};
    size_t index;
    json_t *entry;
    json_array_foreach(list, index, entry)
    {
        const char *given = json_is_string(entry) ? json_string_value(entry) : "";
        uint8_t bit = 0;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            bit |= strcmp(words[i].word, given) == 0 ? words[i].bit : 0;
        if (bit == 0)
            return error_set(error, ERROR_INVALID, "notify: a list of success, failure, delay");
        *bits |= bit;
    }
    return true;
}

/* One list for all; or a list of lists, one for each of `to`, as SMTP asks it for each recipient. */
static bool read_recipients(struct sending *sending, const json_t *list, bool cc, const json_t *notify,
                            struct error **error)
{
    bool each = json_is_array(json_array_get(notify, 0));
    uint8_t all = notify == NULL ? NOTIFY_FAILURE | NOTIFY_DELAY : 0;
    if (each && json_array_size(notify) != json_array_size(list))
        return error_set(error, ERROR_INVALID, "notify: as many lists as there are recipients");
    if (!each && !read_words(&all, notify, error))
        return false;
    size_t index;
    json_t *entry;
    json_array_foreach(list, index, entry)
    {
        uint8_t bits = all;
        const json_t *own = json_array_get(notify, index);
        if (each && !json_is_array(own))
            return error_set(error, ERROR_INVALID, "notify: either lists or words");
        if ((each && !read_words(&bits, own, error)) ||
            !add_recipient(sending, json_string_value(entry), cc, bits, error))
            return false;
    }
    return true;
}

/* Contacts that may get it as a classic post. */
static bool read_lowered(struct sending *sending, const json_t *list, struct error **error)
{
    size_t index;
    json_t *entry;
    json_array_foreach(list, index, entry)
    {
        bool found = false;
        for (size_t i = 0; i < sending->count; i++) {
            struct recipient *recipient = &sending->recipients[i];
            if (recipient->person == NULL || recipient->person->contact == 0)
                continue;
            bool same = json_is_integer(entry)
                            ? json_integer_value(entry) == recipient->person->contact
                            : json_is_string(entry) &&
                                  strcmp(json_string_value(entry), recipient->person->handle) == 0;
            if (same)
                recipient->lowered = recipient->classic = found = true;
        }
        if (!found)
            return error_set(error, ERROR_INVALID, "lower: names contacts that are among the recipients");
    }
    return true;
}

static bool read_options(struct sending *sending, struct error **error)
{
    const struct call *call = sending->call;
    const char *envelope = arg_text(call, "envelope"), *label = arg_text(call, "label"),
               *returns = arg_text(call, "returns");
    sending->sign = !arg_has(call, "sign") || arg_true(call, "sign");
    sending->wait = arg_int(call, "wait", sending->account->posts.settings.wait);
    if (sending->wait < 60 || sending->wait > 60 * 86400)
        return error_set(error, ERROR_INVALID, "wait: from a minute to 60 days, in seconds");
    if (returns != NULL && strcmp(returns, "full") != 0 && strcmp(returns, "headers") != 0)
        return error_set(error, ERROR_INVALID, "returns: full or headers");
    sending->headers_only = returns != NULL && strcmp(returns, "headers") == 0;
    if (envelope != NULL && strlen(envelope) > POST_ENVELOPE_MAX)
        return error_set(error, ERROR_LIMIT, "envelope: at most %d characters", POST_ENVELOPE_MAX);
    if (label != NULL && strlen(label) > POST_LABEL_MAX)
        return error_set(error, ERROR_LIMIT, "a label holds at most %d bytes", POST_LABEL_MAX);
    if (arg_true(call, "once") && (label == NULL || label[0] == '\0'))
        return error_set(error, ERROR_INVALID, "once: a post is known again by its label; give one");
    text_copy(sending->envelope, sizeof sending->envelope, envelope != NULL ? envelope : "");
    text_copy(sending->label, sizeof sending->label, label != NULL ? label : "");
    return true;
}

static bool take_upload(struct sending *sending, const json_t *id, struct upload **upload,
                        struct error **error)
{
    if (!json_is_integer(id))
        return error_set(error, ERROR_INVALID, "upload: the number that upload.open gave");
    *upload = upload_take(sending->call, json_integer_value(id), error);
    if (*upload != NULL)
        sending->size += upload_size(*upload);
    return *upload != NULL;
}

static bool read_attachment(struct sending *sending, const json_t *entry, struct error **error)
{
    struct attached *attached = &sending->attachments[sending->attachment_count];
    const json_t *name = json_object_get(entry, "name"), *type = json_object_get(entry, "type");
    size_t known = 1 + (size_t)(name != NULL) + (size_t)(type != NULL);
    if (!json_is_object(entry) || known != json_object_size(entry) || !json_is_string(name) ||
        json_string_length(name) == 0 || json_string_length(name) > 255 ||
        (type != NULL && (!json_is_string(type) || json_string_length(type) > 127)))
        return error_set(error, ERROR_INVALID,
                         "an attachment is {\"upload\", \"name\", \"type\"}: the name has 1 to 255 bytes");
    *attached = (struct attached){.name = json_string_value(name), .type = json_string_value(type)};
    if (!take_upload(sending, json_object_get(entry, "upload"), &attached->upload, error))
        return false;
    sending->attachment_count++;
    return true;
}

static bool read_typed(struct sending *sending, struct error **error)
{
    const struct call *call = sending->call;
    const char *subject = arg_text(call, "subject"), *text = arg_text(call, "text");
    const json_t *list = json_object_get(call->arguments, "attachments");
    if (subject == NULL || text == NULL)
        return error_set(error, ERROR_INVALID,
                         "post.send: give message, or upload, or subject and text of the post");
    if (strlen(subject) > POST_SUBJECT_MAX || strpbrk(subject, "\r\n") != NULL)
        return error_set(error, ERROR_LIMIT, "a subject is one line of at most %d bytes", POST_SUBJECT_MAX);
    if (strlen(text) > POST_TEXT_MAX)
        return error_set(error, ERROR_LIMIT, "a text has at most %d bytes; attach more as a file",
                         POST_TEXT_MAX);
    if (json_array_size(list) > POST_ATTACHMENTS)
        return error_set(error, ERROR_LIMIT, "a post has at most %d attachments", POST_ATTACHMENTS);
    sending->typed = true;
    sending->reply_to = arg_int(call, "reply_to", 0);
    sending->size = strlen(text);
    size_t index;
    json_t *entry;
    json_array_foreach(list, index, entry)
    {
        if (!read_attachment(sending, entry, error))
            return false;
    }
    return true;
}

static bool read_message(struct sending *sending, struct error **error)
{
    const struct call *call = sending->call;
    const char *message = arg_text(call, "message");
    bool upload = arg_has(call, "upload");
    if ((message != NULL) + upload == 0)
        return read_typed(sending, error);
    if ((message != NULL && upload) || arg_has(call, "subject") || arg_has(call, "text") ||
        arg_has(call, "cc") || arg_has(call, "reply_to") || arg_has(call, "attachments"))
        return error_set(error, ERROR_INVALID,
                         "post.send: message, upload, or subject and text: only one of them");
    sending->given = buffer_make(POST_SUBMIT_LIMIT);
    if (upload) {
        if (!take_upload(sending, json_object_get(call->arguments, "upload"), &sending->upload, error))
            return false;
        return sending->size <= POST_SUBMIT_LIMIT ||
               error_set(error, ERROR_LIMIT, "a message has at most %d MiB", POST_SUBMIT_LIMIT >> 20);
    }
    if (strlen(message) > UPLOAD_PIECE)
        return error_set(error, ERROR_LIMIT, "a message of more than %d characters comes as an upload",
                         UPLOAD_PIECE);
    if (!radix64_decode(&sending->given, bytes_of_string(message)))
        return error_set(error, ERROR_INVALID, "message: must be base64");
    sending->size = buffer_size(&sending->given);
    return true;
}

static bool may_begin(struct sending *sending, struct error **error)
{
    struct posts *posts = &sending->account->posts;
    if (!sending->account->unlocked)
        return error_set(error, ERROR_LOCKED, "the vault is locked; unlock it first");
    if (sending->to_gateway && sending->size > POST_TEXT_MAX)
        return error_set(error, ERROR_LIMIT, "the gateway reads at most %d bytes; write verbs, one in a line",
                         POST_TEXT_MAX);
    if (!queue_takes(sending->account, sending->count, sending->size, error))
        return false;
    if (sending->size <= POST_AT_ONCE && sending->reply_to == 0)
        return true;
    if (posts->reads >= POST_READS)
        return error_set(error, ERROR_UNAVAILABLE,
                         "%u large messages are being worked on; try again in a moment", posts->reads);
    posts->reads++;
    sending->large = true;
    return true;
}

static bool read_arguments(struct sending *sending, struct error **error)
{
    const json_t *arguments = sending->call->arguments, *to = json_object_get(arguments, "to"),
                 *notify = json_object_get(arguments, "notify");
    const json_t *cc_notify = json_is_array(json_array_get(notify, 0)) ? NULL : notify;
    if (json_array_size(to) == 0)
        return error_set(error, ERROR_INVALID, "to: whom is it for? A list of addresses or handles");
    return read_recipients(sending, to, false, notify, error) &&
           read_recipients(sending, json_object_get(arguments, "cc"), true, cc_notify, error) &&
           read_lowered(sending, json_object_get(arguments, "lower"), error) &&
           read_options(sending, error) && read_message(sending, error) && may_begin(sending, error);
}

static struct sending *sending_new(struct call *call, struct error **error)
{
    struct sending *sending = calloc(1, sizeof *sending);
    if (sending == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    sending->account = call->account;
    sending->call = call;
    sending->now = clock_wall_ms();
    sending->people = people_of(call->account);
    if (sending->people != NULL && read_arguments(sending, error)) {
        sending->view = (struct people_view){.people = sending->people};
        sending->mime = people_for_mime(&sending->view, sending->account);
        return sending;
    }
    if (sending->people == NULL)
        error_set(error, ERROR_INTERNAL, "out of memory");
    sending_free(sending);
    return NULL;
}

/* --- the same asked twice */

/* A post with a label that is being looked for or stored. A client that asks again meanwhile waits for the
 * same answer. */
struct post_saying {
    struct account *account;
    struct sending *sending; /* while it is looked for */
    struct call *calls;      /* linked as finished ones are, which these are not yet */
    json_t *known;           /* the answer, when there is such a post */
    char label[POST_LABEL_MAX + 1];
    struct post_saying *prev, *next;
};

static void saying_answer(void *arg, json_t *answer, const struct error *error)
{
    struct post_saying *saying = arg;
    struct call *call, *next;
    DL_FOREACH_SAFE2(saying->calls, call, next, next_finished)
    {
        DL_DELETE2(saying->calls, call, prev_finished, next_finished);
        if (error != NULL)
            call_fail_copy(call, error);
        else
            call_done(call, json_incref(answer));
    }
    json_decref(answer);
    DL_DELETE(saying->account->posts.sayings, saying);
    json_decref(saying->known);
    free(saying);
}

static void known_post(void *arg, const struct post_row *row, const struct delivery_row *deliveries,
                       size_t count)
{
    (void)deliveries;
    (void)count;
    struct post_saying *saying = arg;
    json_decref(saying->known);
    saying->known =
        json_pack("{s:I,s:I,s:I,s:I}", "epoch", (json_int_t)saying->account->epoch, "seq",
                  (json_int_t)row->seq, "change", (json_int_t)row->change, "time", (json_int_t)row->time);
}

static void label_looked_for(void *arg, const struct error *error)
{
    struct post_saying *saying = arg;
    struct sending *sending = saying->sending;
    saying->sending = NULL;
    if (error == NULL && saying->known == NULL) {
        sending_start(sending);
        return;
    }
    sending_free(sending);
    saying_answer(saying, json_incref(saying->known), error);
}

static struct post_saying *saying_find(const struct account *account, const char *label)
{
    struct post_saying *saying;
    DL_FOREACH(account->posts.sayings, saying)
    {
        if (strcmp(saying->label, label) == 0)
            return saying;
    }
    return NULL;
}

static bool send_once(struct sending *sending, struct error **error)
{
    struct call *call = sending->call;
    struct post_saying *saying = saying_find(call->account, sending->label);
    if (saying != NULL) {
        DL_APPEND2(saying->calls, call, prev_finished, next_finished);
        sending_free(sending);
        return true;
    }
    saying = calloc(1, sizeof *saying);
    if (saying == NULL) {
        sending_free(sending);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    saying->account = call->account;
    saying->sending = sending;
    memcpy(saying->label, sending->label, sizeof saying->label);
    DL_APPEND2(saying->calls, call, prev_finished, next_finished);
    DL_APPEND(call->account->posts.sayings, saying);
    sending->answer = saying_answer;
    sending->arg = saying;
    store_post_labelled(call->gateway->store, call->account->id, saying->label, known_post, label_looked_for,
                        saying);
    return true;
}

static void call_answer(void *arg, json_t *answer, const struct error *error)
{
    if (error != NULL)
        call_fail_copy(arg, error);
    else
        call_done(arg, answer);
}

bool do_post_send(struct call *call, struct error **error)
{
    struct sending *sending = sending_new(call, error);
    if (sending == NULL)
        return false;
    if (arg_true(call, "once"))
        return send_once(sending, error);
    sending->answer = call_answer;
    sending->arg = call;
    sending_start(sending);
    return true;
}
