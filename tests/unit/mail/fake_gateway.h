/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_MAIL_FAKE_GATEWAY_H
#define RETROGATE_TESTS_UNIT_MAIL_FAKE_GATEWAY_H

/* A gateway of one account behind <retrogate/gateway.h>: alice, password "secret". What commands answer is
 * the test's: `run`. Answers wait until fake_run(). Included once per program. */
#include <retrogate/gateway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

struct gateway_session {
    struct gateway *gateway;
    struct gateway_session *prev, *next;
    const struct gateway_events *events;
    void *arg;
    int64_t told;
    bool service;
};

struct fake_answer {
    struct fake_answer *prev, *next;
    struct gateway_session *session; /* NULL: of a log-in */
    uint64_t token;
    gateway_done_fn *done;
    gateway_login_fn *login;
    void *arg;
    json_t *result;
    struct error *error;
};

struct gateway {
    /* What a command answers: a new reference, or NULL with an error. */
    json_t *(*run)(struct gateway *gateway, const json_t *command, struct error **error);
    void *arg;
    const char *refuse_at_once; /* a command that is not accepted */
    bool silent;                /* answers wait for ever */
    int64_t change;             /* sessions are told when it moves */
    const char *account;        /* "" until fake_unlock() is called; "alice" from the beginning when NULL */
    struct gateway_session *sessions;
    struct fake_answer *answers;
    uint64_t tokens;
    json_t *commands; /* all that were given, in order */
    gateway_account_fn *accounts[4];
    void *accounts_arg[4];
};

struct gateway_scram {
    struct gateway *gateway;
};

static inline void fake_init(struct gateway *gateway,
                             json_t *(*run)(struct gateway *gateway, const json_t *command,
                                            struct error **error))
{
    memset(gateway, 0, sizeof *gateway);
    gateway->run = run;
    gateway->commands = json_array();
}

static inline void fake_answer_free(struct gateway *gateway, struct fake_answer *answer)
{
    DL_DELETE(gateway->answers, answer);
    json_decref(answer->result);
    error_free(answer->error);
    free(answer);
}

static inline void fake_clear(struct gateway *gateway)
{
    struct fake_answer *answer, *next;
    DL_FOREACH_SAFE(gateway->answers, answer, next) fake_answer_free(gateway, answer);
    json_decref(gateway->commands);
}

static inline struct gateway_session *fake_session(struct gateway *gateway, bool service)
{
    struct gateway_session *session = calloc(1, sizeof *session);
    *session = (struct gateway_session){.gateway = gateway, .told = gateway->change, .service = service};
    DL_APPEND(gateway->sessions, session);
    return session;
}

/* --- <retrogate/gateway.h> */

uint64_t gateway_login(struct gateway *gateway, const struct gateway_login *login, gateway_login_fn *done,
                       void *arg)
{
    struct fake_answer *answer = calloc(1, sizeof *answer);
    *answer = (struct fake_answer){.token = ++gateway->tokens, .login = done, .arg = arg};
    if (strcmp(login->account, "alice") != 0 || strcmp(login->password, "secret") != 0 ||
        strcmp(login->scope, "mail") != 0)
        error_set(&answer->error, ERROR_DENIED, "wrong account or password");
    DL_APPEND(gateway->answers, answer);
    return answer->token;
}

void gateway_login_cancel(struct gateway *gateway, uint64_t ticket)
{
    struct fake_answer *answer, *next;
    DL_FOREACH_SAFE(gateway->answers, answer, next)
    {
        if (answer->token == ticket)
            fake_answer_free(gateway, answer);
    }
}

/* The proof of alice is "proof". */
struct gateway_scram *gateway_scram_begin(struct gateway *gateway, const char *scope, const char *address,
                                          const char *first, char *server_first, size_t size,
                                          struct error **error)
{
    (void)address;
    if (strncmp(first, "n,,n=alice,r=", 13) != 0 || strcmp(scope, "mail") != 0) {
        error_set(error, ERROR_INVALID, "malformed SCRAM");
        return NULL;
    }
    snprintf(server_first, size, "%sserver,s=c2FsdA==,i=4096", first + 11);
    struct gateway_scram *scram = calloc(1, sizeof *scram);
    scram->gateway = gateway;
    return scram;
}

struct gateway_session *gateway_scram_end(struct gateway_scram *scram, const char *final, char *server_final,
                                          size_t size, struct error **error)
{
    struct gateway *gateway = scram->gateway;
    const char *proof = strstr(final, ",p=");
    free(scram);
    if (proof == NULL || strcmp(proof, ",p=proof") != 0) {
        error_set(error, ERROR_DENIED, "wrong account or password");
        return NULL;
    }
    snprintf(server_final, size, "v=verifier");
    return fake_session(gateway, false);
}

void gateway_scram_cancel(struct gateway_scram *scram)
{
    free(scram);
}

struct gateway_session *gateway_service(struct gateway *gateway, const char *account, const char *scope)
{
    (void)scope;
    bool open = gateway->account == NULL || strcmp(gateway->account, account) == 0;
    return open && strcmp(account, "alice") == 0 ? fake_session(gateway, true) : NULL;
}

void gateway_accounts(struct gateway *gateway, gateway_account_fn *fn, void *arg)
{
    size_t free_slot = 4;
    for (size_t i = 4; i-- > 0;) {
        if (gateway->accounts[i] != NULL && gateway->accounts_arg[i] == arg)
            gateway->accounts[i] = NULL;
        if (gateway->accounts[i] == NULL)
            free_slot = i;
    }
    if (fn == NULL)
        return;
    gateway->accounts[free_slot] = fn;
    gateway->accounts_arg[free_slot] = arg;
    if (gateway->account == NULL || strcmp(gateway->account, "alice") == 0)
        fn(arg, "alice", false);
}

static inline void fake_account(struct gateway *gateway, bool gone)
{
    gateway->account = gone ? "" : "alice";
    for (size_t i = 0; i < 4; i++)
        if (gateway->accounts[i] != NULL)
            gateway->accounts[i](gateway->accounts_arg[i], "alice", gone);
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
        if (answer->session == session)
            fake_answer_free(gateway, answer);
    }
    DL_DELETE(gateway->sessions, session);
    free(session);
}

/* As the gateway does when a password is revoked. */
static inline void fake_end(struct gateway *gateway, struct gateway_session *session, const char *reason)
{
    struct fake_answer *answer, *next;
    DL_FOREACH_SAFE(gateway->answers, answer, next)
    {
        if (answer->session == session)
            fake_answer_free(gateway, answer);
    }
    DL_DELETE(gateway->sessions, session);
    if (session->events != NULL && session->events->ended != NULL)
        session->events->ended(session->arg, reason);
    free(session);
}

int64_t gateway_account(const struct gateway_session *session)
{
    (void)session;
    return 1;
}

const char *gateway_account_name(const struct gateway_session *session)
{
    (void)session;
    return "alice";
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
    answer->result = gateway->run(gateway, command, &answer->error);
    DL_APPEND(gateway->answers, answer);
    return answer->token;
}

void gateway_forget(struct gateway_session *session, uint64_t token)
{
    struct fake_answer *answer, *next;
    DL_FOREACH_SAFE(session->gateway->answers, answer, next)
    {
        if (answer->token == token)
            fake_answer_free(session->gateway, answer);
    }
}

/* --- turning the wheel */

static inline void fake_answer_one(struct gateway *gateway)
{
    struct fake_answer *answer = gateway->answers;
    DL_DELETE(gateway->answers, answer);
    if (answer->login != NULL)
        answer->login(answer->arg, answer->error == NULL ? fake_session(gateway, false) : NULL,
                      answer->error);
    else
        answer->done(answer->arg, answer->error == NULL ? answer->result : NULL, answer->error);
    json_decref(answer->result);
    error_free(answer->error);
    free(answer);
}

/* Gives all answers that are there now, and tells of changes. */
static inline void fake_run(struct gateway *gateway)
{
    struct gateway_session *session, *next;
    while (gateway->answers != NULL && !gateway->silent)
        fake_answer_one(gateway);
    DL_FOREACH_SAFE(gateway->sessions, session, next)
    {
        if (session->told == gateway->change || session->events == NULL || session->events->more == NULL)
            continue;
        session->told = gateway->change;
        session->events->more(session->arg);
    }
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
