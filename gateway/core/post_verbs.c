/* SPDX-License-Identifier: ISC */
#include "core/post_verbs.h"

#include <retrogate/gateway.h>
#include <stdlib.h>
#include <string.h>

#include "core/post_message.h"
#include "core/post_people.h"
#include "core/post_store.h"
#include "core/session.h"

enum {
    VERBS_MOST = 50, /* lines of one post that are taken as verbs */
    VERB_LINE_MAX = 16 << 10,
    ANSWER_LIMIT = 256 << 10, /* bytes of what they say */
};

/* The verbs of one post, run one after the other. */
struct verbs_run {
    struct account *account;
    struct gateway_session *session;
    struct buffer lines, said;
    char subject[256], in_reply_to[256];
    unsigned count;
};

static void run_free(struct verbs_run *run)
{
    if (run->session != NULL)
        gateway_logout(run->session);
    buffer_free(&run->lines);
    buffer_free(&run->said);
    free(run);
}

/* --- the answer */

static bool compose(struct verbs_run *run, struct inbox_post *inbox)
{
    struct account *account = run->account;
    struct people *people = people_of(account);
    struct person *self = NULL;
    if (people == NULL)
        return false;
    HASH_FIND(by_fingerprint, people->fingerprints, account->fingerprint, 20, self);
    struct mime_person gateway = person_in_mime(people, NULL), person = person_in_mime(people, self);
    uint8_t id[16];
    char subject[300], text[2 * sizeof id + 1], message_id[64];
    account->gateway->random->fill(account->gateway->random->state, id, sizeof id);
    hex_lower(text, id, sizeof id);
    snprintf(message_id, sizeof message_id, "%s@distant.alt", text);
    bool reply = strncasecmp(run->subject, "re:", 3) == 0;
    snprintf(subject, sizeof subject, "%s%s", reply ? "" : "Re: ", run->subject);
    const struct mime_draft draft = {
        .sender = &gateway,
        .to = &person,
        .to_count = 1,
        .subject = subject,
        .text = buffer_string(&run->said),
        .in_reply_to = run->in_reply_to[0] != '\0' ? run->in_reply_to : NULL,
        .references = run->in_reply_to[0] != '\0' ? run->in_reply_to : NULL,
        .now_ms = inbox->received,
        .message_id = message_id,
        .auto_submitted = "auto-replied",
    };
    inbox->message = buffer_make(POST_MESSAGE_LIMIT);
    bool good = draft.text != NULL && mime_compose(&inbox->message, &draft, NULL) &&
                mime_summarise(&inbox->summary, buffer_view(&inbox->message), NULL);
    people_release(people);
    return good;
}

static void answer(struct verbs_run *run)
{
    struct inbox_post *inbox = calloc(1, sizeof *inbox);
    if (inbox != NULL && !run->account->removed) {
        *inbox = (struct inbox_post){.account = run->account,
                                     .kind = "answer",
                                     .verdict = "gateway",
                                     .protection = "none",
                                     .level = "none",
                                     .received = clock_wall_ms()};
        if (compose(run, inbox))
            inbox_store(inbox);
        else
            inbox_free(inbox);
    } else {
        free(inbox);
    }
    run_free(run);
}

/* --- the verbs */

static void next_verb(struct verbs_run *run);

static void verb_answered(void *arg, json_t *result, const struct error *error)
{
    struct verbs_run *run = arg;
    size_t index;
    json_t *line;
    if (error != NULL)
        buffer_printf(&run->said, "%s\n", error->text);
    json_array_foreach(json_object_get(result, "lines"), index, line)
        buffer_printf(&run->said, "%s\n", json_string_value(line));
    buffer_append_string(&run->said, "\n");
    next_verb(run);
}

static bool take_line(struct verbs_run *run, char *line)
{
    struct bytes text = buffer_view(&run->lines);
    if (text.size == 0)
        return false;
    const uint8_t *end = memchr(text.data, '\n', text.size);
    size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
    size_t kept = size < VERB_LINE_MAX ? size : VERB_LINE_MAX - 1;
    memcpy(line, text.data, kept);
    line[kept] = '\0';
    line[strcspn(line, "\r")] = '\0';
    buffer_consume(&run->lines, end != NULL ? size + 1 : size);
    return true;
}

/* True when it will be answered. */
static bool start_verb(struct verbs_run *run, const char *line)
{
    struct error *error = NULL;
    json_t *command = json_pack("{s:s,s:s}", "do", "verb", "text", line);
    buffer_printf(&run->said, "> %.200s\n", line);
    bool good = command != NULL && gateway_do(run->session, command, verb_answered, run, &error) != 0;
    if (!good)
        buffer_printf(&run->said, "%s\n\n", error != NULL ? error->text : "out of memory");
    error_free(error);
    json_decref(command);
    return good;
}

static void next_verb(struct verbs_run *run)
{
    char *line = malloc(VERB_LINE_MAX);
    bool waits = false;
    while (line != NULL && !waits && run->count < VERBS_MOST && take_line(run, line)) {
        if (line[strspn(line, " \t")] == '\0')
            continue;
        run->count++;
        waits = start_verb(run, line);
    }
    if (line != NULL)
        OPENSSL_cleanse(line, VERB_LINE_MAX); /* it may hold a link */
    free(line);
    if (waits)
        return;
    if (buffer_size(&run->lines) > 0)
        buffer_printf(&run->said, "Only the first %d lines were looked at.\n", VERBS_MOST);
    else if (run->count == 0)
        buffer_append_string(&run->said, "There was no verb in this post; \"help\" lists them.\n");
    answer(run);
}

/* The account is removed, or the gateway ends: no verb under way is answered any more. */
static void ended(void *arg, const char *reason)
{
    (void)reason;
    struct verbs_run *run = arg;
    run->session = NULL;
    run_free(run);
}

static const struct gateway_events events = {.ended = ended};

static void begin(void *arg)
{
    struct verbs_run *run = arg;
    struct gateway *gateway = run->account->gateway;
    if (!run->account->removed && gateway->phase != NODE_CLOSING)
        run->session = session_new_service(gateway, run->account, "mail");
    if (run->session == NULL) {
        run_free(run);
        return;
    }
    gateway_listen(run->session, &events, run);
    next_verb(run);
}

void post_verbs_run(struct account *account, struct bytes message, const struct mime_summary *summary)
{
    /* An answer to what answers by itself would be answered again. */
    struct verbs_run *run = mime_automatic(message) ? NULL : calloc(1, sizeof *run);
    struct error *error = NULL;
    if (run == NULL)
        return;
    run->account = account;
    run->lines = buffer_make(MIME_TEXT_LIMIT);
    run->said = buffer_make(ANSWER_LIMIT);
    run->lines.secret = run->said.secret = true;
    memcpy(run->subject, summary->subject, sizeof run->subject);
    memcpy(run->in_reply_to, summary->message_id, sizeof run->in_reply_to);
    if (!mime_verbs(&run->lines, message, &error))
        buffer_printf(&run->said, "%s\n", error != NULL ? error->text : "this post could not be read");
    error_free(error);
    later_run(account->gateway, begin, run);
}
