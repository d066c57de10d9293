/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "submission.h"
#include "wire/radix64.h"

/* A message on its way from the client to the gateway: piece by piece when it is large, so that a client
 * holds little memory; what was refused is swallowed up to its end, and the connection lives. */

static void advance(struct session *session);

static struct submission_message *message_of(struct session *session)
{
    return &submission_of(session)->message;
}

static void refuse(struct submission_message *message, const struct smtp_reply *reply)
{
    if (message->refusal.code != 0)
        return;
    message->refusal = *reply;
    snprintf(message->refusal_text, sizeof message->refusal_text, "%s", reply->text);
    message->refusal.text = message->refusal_text;
    buffer_clear(&message->piece);
}

static bool whole(const struct submission_message *message)
{
    return message->chunked ? message->chunk == 0 : message->data.ended;
}

static bool full(const struct submission_message *message)
{
    return message->piece.ceiling - buffer_size(&message->piece) < 2;
}

/* --- to the gateway */

/* The piece as base64; NULL without memory. */
static json_t *encode(const struct submission_message *message)
{
    struct buffer text = buffer_make(SUBMISSION_PIECE / 3 * 4 + 8);
    json_t *json = NULL;
    if (radix64_encode(&text, buffer_view(&message->piece))) {
        struct bytes view = buffer_view(&text);
        json = json_stringn_nocheck((const char *)view.data, view.size);
    }
    buffer_free(&text);
    return json;
}

static void answer_refusal(struct session *session, json_t *result, const struct error *error)
{
    struct smtp_reply reply = message_of(session)->refusal;
    char text[sizeof message_of(session)->refusal_text];
    (void)result;
    (void)error;
    memcpy(text, reply.text, sizeof text);
    reply.text = text;
    log_info("mail", "event=message-refused stream=%" PRIu64 " code=%u bytes=%" PRIu64, session_id(session),
             reply.code, message_of(session)->size);
    submission_reset(session);
    submission_answer(session, &reply);
}

static void conclude_refusal(struct session *session)
{
    int64_t upload = message_of(session)->upload;
    if (upload != 0 && session->account != NULL)
        session_ask(session, json_pack("{s:s, s:I}", "do", "upload.drop", "upload", (json_int_t)upload),
                    answer_refusal);
    else
        answer_refusal(session, NULL, NULL);
}

static void refuse_error(struct session *session, const struct error *error)
{
    struct smtp_reply reply = submission_error(error, false);
    refuse(message_of(session), &reply);
}

static void got_upload(struct session *session, json_t *result, const struct error *error)
{
    static const struct error none = {.code = ERROR_INTERNAL, .text = "The gateway gave no upload"};
    message_of(session)->upload = json_integer_value(json_object_get(result, "upload"));
    if (error != NULL || message_of(session)->upload == 0)
        refuse_error(session, error != NULL ? error : &none);
    advance(session);
}

static void got_piece(struct session *session, json_t *result, const struct error *error)
{
    struct submission_message *message = message_of(session);
    (void)result;
    if (error != NULL)
        refuse_error(session, error);
    message->uploaded += buffer_size(&message->piece);
    buffer_clear(&message->piece);
    advance(session);
}

static void got_post(struct session *session, json_t *result, const struct error *error)
{
    struct submission_message *message = message_of(session);
    if (error != NULL) {
        refuse_error(session, error);
        conclude_refusal(session);
        return;
    }
    json_int_t epoch = json_integer_value(json_object_get(result, "epoch")),
               seq = json_integer_value(json_object_get(result, "seq"));
    log_info("mail", "event=submitted stream=%" PRIu64 " bytes=%" PRIu64 " recipients=%zu",
             session_id(session), message->size, json_array_size(submission_of(session)->to));
    submission_reset(session);
    submission_reply(session, 250, "2.0.0", "queued as %" JSON_INTEGER_FORMAT ".%" JSON_INTEGER_FORMAT, epoch,
                     seq);
}

static json_t *notify_lists(const struct submission *submission)
{
    static const char *const words[] = {"success", "failure", "delay"};
    json_t *lists = json_array();
    for (size_t i = 0; i < json_array_size(submission->to); i++) {
        json_t *list = json_array();
        for (unsigned bit = 0; bit < 3; bit++)
            if ((submission->notify[i] & 1U << bit) != 0)
                json_array_append_new(list, json_string(words[bit]));
        json_array_append_new(lists, list);
    }
    return lists;
}

static json_t *post_command(struct session *session)
{
    const struct submission *submission = submission_of(session);
    const struct submission_message *message = &submission->message;
    json_t *command = json_pack("{s:s, s:O}", "do", "post.send", "to", submission->to);
    int wrong = message->upload != 0 ? json_object_set_new(command, "upload", json_integer(message->upload))
                                     : json_object_set_new(command, "message", encode(message));
    if (submission->notify_said)
        wrong |= json_object_set_new(command, "notify", notify_lists(submission));
    if (submission->sender.returns != NULL)
        wrong |= json_object_set_new(command, "returns", json_string(submission->sender.returns));
    if (submission->sender.envelope[0] != '\0')
        wrong |= json_object_set_new(command, "envelope", json_string(submission->sender.envelope));
    if (wrong == 0)
        return command;
    json_decref(command);
    return NULL;
}

static json_t *piece_command(const struct submission_message *message)
{
    json_t *command = json_pack("{s:s, s:I, s:I}", "do", "upload.write", "upload",
                                (json_int_t)message->upload, "offset", (json_int_t)message->uploaded);
    if (json_object_set_new(command, "data", encode(message)) == 0)
        return command;
    json_decref(command);
    return NULL;
}

/* What comes next, after bytes or an answer. */
static void advance(struct session *session)
{
    struct submission_message *message = message_of(session);
    bool end = whole(message) && message->last;
    if (message->refusal.code != 0) {
        if (whole(message))
            conclude_refusal(session);
    } else if (!end && !full(message)) {
        if (whole(message))
            submission_reply(session, 250, "2.0.0", "%" PRIu64 " bytes taken", message->chunk_size);
    } else if (end && message->upload == 0) {
        session_ask(session, post_command(session), got_post);
    } else if (message->upload == 0) {
        session_ask(session, json_pack("{s:s}", "do", "upload.open"), got_upload);
    } else if (buffer_size(&message->piece) > 0) {
        session_ask(session, piece_command(message), got_piece);
    } else {
        session_ask(session, post_command(session), got_post);
    }
}

/* --- from the client */

void submission_data(struct session *session)
{
    struct submission_message *message = message_of(session);
    message->last = true;
    session->raw = true;
    session_say(session, "354 End with CR LF . CR LF");
}

void submission_chunk(struct session *session, uint64_t size, bool last, const struct smtp_reply *refusal)
{
    struct submission_message *message = message_of(session);
    submission_of(session)->chunks = true;
    message->chunked = true;
    message->last = last;
    message->chunk = message->chunk_size = size;
    if (refusal != NULL)
        refuse(message, refusal);
    session->raw = size > 0;
    if (size == 0)
        advance(session);
}

static size_t take_chunk(struct submission_message *message, struct bytes bytes)
{
    size_t size = bytes.size;
    if (size > message->chunk)
        size = (size_t)message->chunk;
    if (message->refusal.code == 0) {
        size_t room = message->piece.ceiling - buffer_size(&message->piece);
        size = size < room ? size : room;
        buffer_append(&message->piece, bytes.data, size);
    }
    message->chunk -= size;
    return size;
}

static void check(struct session *session)
{
    static const struct smtp_reply ambiguous = {
        550, "5.5.2", "A line that is a dot must have CR LF on both sides: use BDAT, or CR LF everywhere"};
    struct submission_message *message = message_of(session);
    size_t limit = session->site->message_limit;
    if (message->data.ambiguous)
        refuse(message, &ambiguous);
    if (message->size > limit) {
        char text[128];
        snprintf(text, sizeof text, "A message has at most %zu bytes here", limit);
        refuse(message, &(struct smtp_reply){552, "5.3.4", text});
    }
}

size_t submission_take(struct session *session, struct bytes bytes)
{
    struct submission_message *message = message_of(session);
    size_t before = buffer_size(&message->piece);
    size_t used = message->chunked ? take_chunk(message, bytes)
                                   : smtp_data_take(&message->data, bytes, &message->piece);
    if (message->piece.failed) {
        submission_reply(session, 421, "4.3.0", "out of memory");
        session_end(session, "out of memory");
        return bytes.size;
    }
    message->size +=
        message->refusal.code != 0 && message->chunked ? used : buffer_size(&message->piece) - before;
    check(session);
    if (message->refusal.code != 0)
        buffer_clear(&message->piece);
    session->raw = !whole(message);
    advance(session);
    return used;
}
