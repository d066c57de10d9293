/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_IRC_FAKE_GATEWAY_H
#define RETROGATE_TESTS_UNIT_IRC_FAKE_GATEWAY_H

/* A gateway of one account, in memory, behind <retrogate/gateway.h>: alice, password "secret". Answers wait
 * until fake_run(). Included once per program. */
#include <retrogate/gateway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

enum { FAKE_PEOPLE = 16, FAKE_LINES = 4096, FAKE_POSTS = 64, FAKE_TIME = 1700000000 };

struct fake_person {
    const char *handle, *state, *reason;
    const char *protection; /* NULL: none */
    int64_t last, change;
    bool open;
    int64_t read;
};

struct fake_line {
    int64_t conversation, change;
    const char *direction, *delivery;
    char *text, *label;
};

/* Their numbers are of the log in the gateway; here they begin at 1 of their own. */
struct fake_post {
    int64_t change, contact;
    const char *subject;
    const char *state;  /* verdict of one that came; delivery of an own one */
    const char *reason; /* of the delivery */
    const char *kind;
    int64_t since;
    bool own, seen;
};

struct gateway_session {
    struct gateway *gateway;
    struct gateway_session *prev, *next;
    const struct gateway_events *events;
    void *arg;
    int64_t told;
};

struct fake_answer {
    struct fake_answer *prev, *next;
    struct gateway_session *session; /* NULL: of a log-in */
    uint64_t token;
    gateway_done_fn *done;
    gateway_login_fn *login;
    void *arg;
    json_t *result;
    bool refused;
};

struct gateway {
    struct fake_person people[FAKE_PEOPLE]; /* contact and conversation have the id index + 1 */
    size_t people_count;
    struct fake_line lines[FAKE_LINES]; /* seq is index + 1 */
    int64_t seq, change, epoch;
    struct fake_post posts[FAKE_POSTS]; /* seq is index + 1 */
    int64_t post_count;
    int64_t gone_contact, gone_change;
    struct gateway_session *sessions;
    struct fake_answer *answers;
    uint64_t tokens;
    int64_t still;      /* lines up to this one have the time of the first */
    json_t *cursors;    /* by client name */
    json_t *commands;   /* all that were given, in order */
    const char *refuse; /* a command that fails after it was accepted */
    const char *refuse_at_once;
    const char *answer; /* of a verb; NULL: two short lines */
    size_t page;        /* changes are given in pages of this size at most; 0: as asked */
};

static struct error fake_error = {.code = ERROR_LIMIT, .text = "the fake gateway refuses"};

static inline int64_t fake_person_add(struct gateway *gateway, const char *handle, const char *state,
                                      bool open)
{
    gateway->people[gateway->people_count] =
        (struct fake_person){.handle = handle,
                             .state = state,
                             .reason = strcmp(state, "can talk") == 0 ? "" : "nobody answers",
                             .change = ++gateway->change,
                             .open = open};
    return (int64_t)++gateway->people_count;
}

static inline void fake_state(struct gateway *gateway, int64_t id, const char *state, const char *reason)
{
    gateway->people[id - 1].state = state;
    gateway->people[id - 1].reason = reason;
    gateway->people[id - 1].change = ++gateway->change;
}

static inline void fake_protection(struct gateway *gateway, int64_t id, const char *protection)
{
    gateway->people[id - 1].protection = protection;
    gateway->people[id - 1].change = ++gateway->change;
}

static inline int64_t fake_line_add(struct gateway *gateway, int64_t conversation, const char *direction,
                                    const char *text, const char *label)
{
    gateway->lines[gateway->seq] = (struct fake_line){
        conversation, ++gateway->change, direction, strcmp(direction, "out") == 0 ? "sent" : "received",
        strdup(text), strdup(label)};
    gateway->people[conversation - 1].last = ++gateway->seq;
    return gateway->seq;
}

static inline void fake_read(struct gateway *gateway, int64_t id, int64_t seq)
{
    if (seq <= gateway->people[id - 1].read)
        return;
    gateway->people[id - 1].read = seq;
    gateway->people[id - 1].change = ++gateway->change;
}

static inline void fake_delivery(struct gateway *gateway, int64_t seq, const char *delivery)
{
    gateway->lines[seq - 1].delivery = delivery;
    gateway->lines[seq - 1].change = ++gateway->change;
}

static inline int64_t fake_post_add(struct gateway *gateway, int64_t contact, const char *subject,
                                    const char *verdict)
{
    gateway->posts[gateway->post_count] = (struct fake_post){.change = ++gateway->change,
                                                             .contact = contact,
                                                             .subject = subject,
                                                             .state = verdict,
                                                             .kind = "post"};
    return ++gateway->post_count;
}

static inline void fake_post_seen(struct gateway *gateway, int64_t seq)
{
    gateway->posts[seq - 1].seen = true;
    gateway->posts[seq - 1].change = ++gateway->change;
}

/* What becomes of an own post, `since` so many seconds behind FAKE_TIME. */
static inline void fake_post_state(struct gateway *gateway, int64_t seq, const char *state, int64_t since)
{
    struct fake_post *post = &gateway->posts[seq - 1];
    post->own = true;
    post->state = state;
    post->since = ((int64_t)FAKE_TIME + since) * 1000;
    post->change = ++gateway->change;
}

static inline void fake_init(struct gateway *gateway)
{
    memset(gateway, 0, sizeof *gateway);
    gateway->epoch = 1;
    gateway->cursors = json_object();
    gateway->commands = json_array();
}

static inline void fake_clear(struct gateway *gateway)
{
    for (int64_t i = 0; i < gateway->seq; i++) {
        free(gateway->lines[i].text);
        free(gateway->lines[i].label);
    }
    json_decref(gateway->cursors);
    json_decref(gateway->commands);
    struct fake_answer *answer, *next;
    DL_FOREACH_SAFE(gateway->answers, answer, next)
    {
        json_decref(answer->result);
        free(answer);
    }
}

static inline json_t *fake_person_json(const struct gateway *gateway, size_t index, bool conversation)
{
    const struct fake_person *person = &gateway->people[index];
    json_int_t id = (json_int_t)index + 1;
    json_t *object = json_pack("{s:I, s:s, s:s, s:s, s:I}", "id", id, "handle", person->handle, "name",
                               "A Person", "fingerprint", "0123456789ABCDEF0123456789ABCDEF01234567",
                               "change", (json_int_t)person->change);
    if (!conversation) {
        json_object_set_new(object, "conversation", json_integer(id));
        return object;
    }
    json_t *rest =
        json_pack("{s:I, s:b, s:s, s:s, s:I, s:s, s:s, s:I, s:I}", "contact", id, "open", person->open,
                  "state", person->state, "reason", person->reason, "since", (json_int_t)FAKE_TIME * 1000,
                  "protection", person->protection != NULL ? person->protection : "none", "protection_text",
                  "encrypted", "last", (json_int_t)person->last, "read", (json_int_t)person->read);
    json_object_update(object, rest);
    json_decref(rest);
    return object;
}

static inline json_t *fake_line_json(const struct gateway *gateway, int64_t seq)
{
    const struct fake_line *line = &gateway->lines[seq - 1];
    return json_pack("{s:I, s:I, s:I, s:s, s:s, s:I, s:s, s:s, s:s}", "epoch", (json_int_t)gateway->epoch,
                     "seq", (json_int_t)seq, "conversation", (json_int_t)line->conversation, "direction",
                     line->direction, "text", line->text, "time",
                     ((json_int_t)FAKE_TIME + (seq <= gateway->still ? 1 : seq)) * 1000, "delivery",
                     line->delivery, "reason",
                     strcmp(line->delivery, "failed") == 0 ? "the tunnel broke" : "", "label", line->label);
}

static inline json_t *fake_post_json(const struct gateway *gateway, int64_t seq)
{
    const struct fake_post *post = &gateway->posts[seq - 1];
    json_t *contact = post->contact != 0 ? json_integer(post->contact) : json_null();
    json_t *object = json_pack("{s:I, s:I, s:s, s:s, s:b, s:s, s:O}", "seq", (json_int_t)seq, "change",
                               (json_int_t)post->change, "direction", post->own ? "out" : "in", "subject",
                               post->subject, "seen", post->seen, "kind", post->kind, "contact", contact);
    if (post->own) {
        json_object_set_new(object, "deliveries",
                            json_pack("[{s:O, s:s, s:s, s:s, s:I}]", "contact", contact, "handle", "bob",
                                      "delivery", post->state, "reason",
                                      post->reason != NULL ? post->reason : "", "since",
                                      (json_int_t)post->since));
    } else {
        json_object_set_new(object, "verdict", json_string(post->state));
        json_object_set_new(object, "from",
                            json_pack("[{s:s}]", "address", "stranger-with-a-name@distant.alt"));
    }
    json_decref(contact);
    return object;
}

static inline int64_t fake_integer(const json_t *command, const char *member)
{
    return json_integer_value(json_object_get(command, member));
}

static inline json_t *fake_posts(const struct gateway *gateway, const json_t *command)
{
    json_t *list = json_array();
    int64_t max = fake_integer(command, "max");
    for (int64_t seq = gateway->post_count; seq > 0; seq--)
        if (!gateway->posts[seq - 1].own && (int64_t)json_array_size(list) < max)
            json_array_append_new(list, fake_post_json(gateway, seq));
    return json_pack("{s:o, s:b}", "posts", list, "more", 0);
}

static inline json_t *fake_list(const struct gateway *gateway, const char *member, bool conversation)
{
    json_t *list = json_array();
    for (size_t i = 0; i < gateway->people_count; i++)
        if ((int64_t)i + 1 != gateway->gone_contact)
            json_array_append_new(list, fake_person_json(gateway, i, conversation));
    return json_pack("{s:o}", member, list);
}

static inline json_t *fake_changes(const struct gateway *gateway, const json_t *command)
{
    int64_t after = fake_integer(command, "after"), max = fake_integer(command, "max");
    json_t *list = json_array();
    if (gateway->page > 0 && (int64_t)gateway->page < max)
        max = (int64_t)gateway->page;
    int64_t at = after;
    for (; at < gateway->change && (int64_t)json_array_size(list) < max; at++) {
        json_t *object = NULL;
        const char *member = "line";
        for (int64_t i = 1; i <= gateway->seq && object == NULL; i++)
            if (gateway->lines[i - 1].change == at + 1)
                object = fake_line_json(gateway, i);
        for (size_t i = 0; i < gateway->people_count && object == NULL; i++)
            if (gateway->people[i].change == at + 1) {
                object = fake_person_json(gateway, i, true);
                member = "conversation";
            }
        for (int64_t i = 1; i <= gateway->post_count && object == NULL; i++)
            if (gateway->posts[i - 1].change == at + 1) {
                object = fake_post_json(gateway, i);
                member = "post";
            }
        if (object == NULL && gateway->gone_change == at + 1) {
            object = json_pack("{s:I}", "contact", (json_int_t)gateway->gone_contact);
            member = "gone";
        }
        if (object != NULL)
            json_array_append_new(list,
                                  json_pack("{s:I, s:o}", "change", (json_int_t)at + 1, member, object));
    }
    return json_pack("{s:I, s:I, s:b, s:o}", "epoch", (json_int_t)gateway->epoch, "change", (json_int_t)at,
                     "more", at < gateway->change, "changes", list);
}

static inline json_t *fake_history(const struct gateway *gateway, const json_t *command)
{
    json_t *list = json_array();
    int64_t conversation = fake_integer(command, "conversation"), max = fake_integer(command, "max");
    bool behind = json_object_get(command, "after") != NULL;
    int64_t before = fake_integer(command, "before");
    for (int64_t seq = fake_integer(command, "after") + 1; seq <= gateway->seq; seq++) {
        if (before != 0 && seq >= before)
            break;
        if (gateway->lines[seq - 1].conversation != conversation)
            continue;
        if (behind && (int64_t)json_array_size(list) == max)
            break;
        json_array_append_new(list, fake_line_json(gateway, seq));
        if ((int64_t)json_array_size(list) > max)
            json_array_remove(list, 0);
    }
    bool more = (int64_t)json_array_size(list) == max;
    return json_pack("{s:o, s:b}", "lines", list, "more", more);
}

/* The person of a command's "conversation", id or handle; 0 when there is none. */
static inline int64_t fake_find(const struct gateway *gateway, const json_t *command)
{
    const json_t *name = json_object_get(command, "conversation");
    for (size_t i = 0; i < gateway->people_count; i++)
        if (json_integer_value(name) == (json_int_t)i + 1 ||
            (json_is_string(name) && strcmp(json_string_value(name), gateway->people[i].handle) == 0))
            return (int64_t)i + 1;
    return 0;
}

static inline json_t *fake_run_command(struct gateway *gateway, const json_t *command)
{
    const char *verb = json_string_value(json_object_get(command, "do"));
    int64_t id = fake_find(gateway, command);
    if (strcmp(verb, "hello") == 0)
        return json_pack("{s:{s:s, s:I, s:I, s:I}}", "account", "name", "alice", "epoch",
                         (json_int_t)gateway->epoch, "seq", (json_int_t)gateway->seq, "change",
                         (json_int_t)gateway->change);
    if (strcmp(verb, "contact.list") == 0)
        return fake_list(gateway, "contacts", false);
    if (strcmp(verb, "conversation.list") == 0)
        return fake_list(gateway, "conversations", true);
    if (strcmp(verb, "changes") == 0)
        return fake_changes(gateway, command);
    if (strcmp(verb, "post.list") == 0)
        return fake_posts(gateway, command);
    if (strcmp(verb, "history") == 0)
        return fake_history(gateway, command);
    if (strcmp(verb, "client.open") == 0) {
        const json_t *kept =
            json_object_get(gateway->cursors, json_string_value(json_object_get(command, "name")));
        if (kept != NULL)
            return json_pack("{s:I, s:I, s:I, s:b}", "epoch", fake_integer(kept, "epoch"), "change",
                             fake_integer(kept, "change"), "seq", fake_integer(kept, "seq"), "known", 1);
        return json_pack("{s:I, s:I, s:I, s:b}", "epoch", (json_int_t)gateway->epoch, "change",
                         (json_int_t)gateway->change, "seq", (json_int_t)gateway->seq, "known", 0);
    }
    if (strcmp(verb, "client.seen") == 0) {
        json_object_set(gateway->cursors, json_string_value(json_object_get(command, "name")),
                        (json_t *)(uintptr_t)command);
        return json_object();
    }
    if (strcmp(verb, "say") == 0 && id != 0 && gateway->seq < FAKE_LINES) {
        int64_t seq = fake_line_add(gateway, id, "out", json_string_value(json_object_get(command, "text")),
                                    json_string_value(json_object_get(command, "label")));
        return json_pack("{s:I, s:I, s:I, s:I}", "epoch", (json_int_t)gateway->epoch, "seq", (json_int_t)seq,
                         "change", (json_int_t)gateway->change, "time", ((json_int_t)FAKE_TIME + seq) * 1000);
    }
    if (strcmp(verb, "conversation.open") == 0 && id != 0) {
        gateway->people[id - 1].open = true;
        gateway->people[id - 1].change = ++gateway->change;
        return fake_person_json(gateway, (size_t)id - 1, true);
    }
    if (strcmp(verb, "verb") == 0 && gateway->answer != NULL)
        return json_pack("{s:[s]}", "lines", gateway->answer);
    if (strcmp(verb, "verb") == 0)
        return json_pack("{s:[s, s]}", "lines", "first answer", "second answer");
    if (strcmp(verb, "read") == 0 && id != 0) {
        fake_read(gateway, id, fake_integer(command, "seq"));
        return fake_person_json(gateway, (size_t)id - 1, true);
    }
    if (strcmp(verb, "typing") == 0)
        return json_object();
    return NULL;
}

/* --- <retrogate/gateway.h>
 * ---------------------------------------------------------------------------------------- */

uint64_t gateway_login(struct gateway *gateway, const struct gateway_login *login, gateway_login_fn *done,
                       void *arg)
{
    struct fake_answer *answer = calloc(1, sizeof *answer);
    *answer = (struct fake_answer){.token = ++gateway->tokens, .login = done, .arg = arg};
    answer->refused = strcmp(login->account, "alice") != 0 || strcmp(login->password, "secret") != 0 ||
                      strcmp(login->scope, "irc") != 0;
    DL_APPEND(gateway->answers, answer);
    return answer->token;
}

void gateway_login_cancel(struct gateway *gateway, uint64_t ticket)
{
    struct fake_answer *answer, *next;
    DL_FOREACH_SAFE(gateway->answers, answer, next)
    {
        if (answer->token != ticket)
            continue;
        DL_DELETE(gateway->answers, answer);
        free(answer);
    }
}

void gateway_listen(struct gateway_session *session, const struct gateway_events *events, void *arg)
{
    session->events = events;
    session->arg = arg;
}

void gateway_logout(struct gateway_session *session)
{
    struct gateway *gateway = session->gateway;
    struct fake_answer *answer, *next;
    DL_FOREACH_SAFE(gateway->answers, answer, next)
    {
        if (answer->session != session)
            continue;
        DL_DELETE(gateway->answers, answer);
        json_decref(answer->result);
        free(answer);
    }
    DL_DELETE(gateway->sessions, session);
    free(session);
}

const char *gateway_account_name(const struct gateway_session *session)
{
    (void)session;
    return "alice";
}

int64_t gateway_account(const struct gateway_session *session)
{
    (void)session;
    return 1;
}

uint64_t gateway_do(struct gateway_session *session, const json_t *command, gateway_done_fn *done, void *arg,
                    struct error **error)
{
    struct gateway *gateway = session->gateway;
    const char *verb = json_string_value(json_object_get(command, "do"));
    json_array_append_new(gateway->commands, json_deep_copy(command));
    if (gateway->refuse_at_once != NULL && strcmp(verb, gateway->refuse_at_once) == 0) {
        error_set(error, ERROR_DENIED, "the fake gateway refuses at once");
        return 0;
    }
    struct fake_answer *answer = calloc(1, sizeof *answer);
    *answer = (struct fake_answer){.session = session, .token = ++gateway->tokens, .done = done, .arg = arg};
    if (gateway->refuse == NULL || strcmp(verb, gateway->refuse) != 0) {
        json_t *copy = json_array_get(gateway->commands, json_array_size(gateway->commands) - 1);
        answer->result = fake_run_command(gateway, copy);
    }
    answer->refused = answer->result == NULL;
    DL_APPEND(gateway->answers, answer);
    return answer->token;
}

/* --- turning the wheel
 * ------------------------------------------------------------------------------------------------ */

static inline void fake_answer_one(struct gateway *gateway)
{
    struct fake_answer *answer = gateway->answers;
    DL_DELETE(gateway->answers, answer);
    if (answer->login != NULL) {
        struct gateway_session *session = NULL;
        if (!answer->refused) {
            session = calloc(1, sizeof *session);
            session->gateway = gateway;
            session->told = gateway->change;
            DL_APPEND(gateway->sessions, session);
        }
        static const struct error wrong = {.code = ERROR_DENIED, .text = "wrong account or password"};
        answer->login(answer->arg, session, session == NULL ? &wrong : NULL);
    } else {
        answer->done(answer->arg, answer->result, answer->refused ? &fake_error : NULL);
    }
    json_decref(answer->result);
    free(answer);
}

static inline void fake_tell(struct gateway *gateway)
{
    struct gateway_session *session, *next;
    DL_FOREACH_SAFE(gateway->sessions, session, next)
    {
        if (session->told == gateway->change || session->events == NULL)
            continue;
        session->told = gateway->change;
        session->events->more(session->arg);
    }
}

/* Gives all answers and tells of all changes, until nothing is left. */
static inline void fake_run(struct gateway *gateway)
{
    do {
        while (gateway->answers != NULL)
            fake_answer_one(gateway);
        fake_tell(gateway);
    } while (gateway->answers != NULL);
}

/* How often a command was given, and the last one of them. */
static inline size_t fake_count(const struct gateway *gateway, const char *verb, const json_t **last)
{
    size_t index, count = 0;
    json_t *command;
    json_array_foreach(gateway->commands, index, command)
    {
        if (strcmp(json_string_value(json_object_get(command, "do")), verb) != 0)
            continue;
        count++;
        if (last != NULL)
            *last = command;
    }
    return count;
}

#endif
