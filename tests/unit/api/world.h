/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_API_WORLD_H
#define RETROGATE_TESTS_UNIT_API_WORLD_H

/* A gateway of a few accounts, in memory, and clients without sockets. The changes of an account are 1, 2, 3
 * … up to `visible`, so a client can tell whether one is missing. Answers wait until world_turn(). Included
 * once per program, fuzz targets too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/map.h"

enum { WORLD_ACCOUNTS = 3 };

static unsigned world_seed;

#define CHECK(holds)                                                                                         \
    do {                                                                                                     \
        if (!(holds)) {                                                                                      \
            fprintf(stderr, "%s:%d: %s (seed %u)\n", __FILE__, __LINE__, #holds, world_seed);                \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* --- the gateway */

struct gateway_session {
    struct gateway *gateway;
    int64_t account, told;
    const struct gateway_events *events;
    void *arg;
    struct gateway_session *prev, *next;
};

struct world_answer {
    struct gateway_session *session;
    gateway_done_fn *done;
    void *arg;
    uint64_t token;
    json_t *command, *result;
    bool failed;
    struct world_answer *prev, *next;
};

struct gateway {
    struct gateway_session *sessions;
    struct world_answer *answers;
    uint64_t tokens;
    int64_t visible[WORLD_ACCOUNTS], epoch;
    unsigned page;         /* changes in one answer, at most; 0: as asked */
    unsigned asked, pulls; /* commands taken, and those of them that are "changes" */
    unsigned logouts, forgotten;
    bool waits;     /* answers stay, until world_answer() */
    bool closing;   /* everything is refused */
    bool fails;     /* what was accepted fails */
    bool own_pulls; /* clients may ask for "changes" themselves */
};

static inline struct gateway_session *world_session(struct gateway *gateway, int64_t account)
{
    struct gateway_session *session = calloc(1, sizeof *session);
    CHECK(session != NULL && account < WORLD_ACCOUNTS);
    *session =
        (struct gateway_session){.gateway = gateway, .account = account, .told = gateway->visible[account]};
    DL_APPEND(gateway->sessions, session);
    return session;
}

static inline bool world_knows(const struct gateway *gateway, const struct gateway_session *session)
{
    const struct gateway_session *each;
    DL_FOREACH(gateway->sessions, each)
    {
        if (each == session)
            return true;
    }
    return false;
}

void gateway_listen(struct gateway_session *session, const struct gateway_events *events, void *arg)
{
    session->events = events;
    session->arg = arg;
}

int64_t gateway_account(const struct gateway_session *session)
{
    return session->account;
}

static inline void world_answer_free(struct gateway *gateway, struct world_answer *answer)
{
    DL_DELETE(gateway->answers, answer);
    json_decref(answer->command);
    json_decref(answer->result);
    free(answer);
}

static inline void world_drop_answers(const struct gateway_session *session)
{
    struct world_answer *answer, *next;
    DL_FOREACH_SAFE(session->gateway->answers, answer, next)
    {
        if (answer->session == session)
            world_answer_free(session->gateway, answer);
    }
}

static inline void world_session_free(struct gateway_session *session)
{
    world_drop_answers(session);
    DL_DELETE(session->gateway->sessions, session);
    free(session);
}

void gateway_logout(struct gateway_session *session)
{
    session->gateway->logouts++;
    world_session_free(session);
}

static inline json_t *world_changes(const struct gateway_session *session, const json_t *command)
{
    const struct gateway *gateway = session->gateway;
    int64_t after = json_integer_value(json_object_get(command, "after"));
    int64_t max = json_integer_value(json_object_get(command, "max"));
    int64_t upto = gateway->visible[session->account];
    if (gateway->page > 0 && gateway->page < max)
        max = gateway->page;
    json_t *changes = json_array();
    int64_t at = after;
    while (at < upto && at - after < max)
        json_array_append_new(
            changes, json_pack("{s:I,s:{s:s}}", "change", (json_int_t)++at, "line", "text", "a line"));
    return json_pack("{s:o,s:I,s:I,s:b}", "changes", changes, "epoch", (json_int_t)gateway->epoch, "change",
                     (json_int_t)(after > upto ? upto : at), "more", at < upto);
}

/* No second pull of an account from the same change is ever under way. */
static inline bool world_pulled(const struct gateway_session *session, const json_t *command)
{
    const struct world_answer *answer;
    DL_FOREACH(session->gateway->answers, answer)
    {
        if (answer->session->account == session->account && json_equal(answer->command, command))
            return true;
    }
    return false;
}

/* "changes" gives the changes, "now" is refused at once, everything else is answered with itself. */
uint64_t gateway_do(struct gateway_session *session, const json_t *command, gateway_done_fn *done, void *arg,
                    struct error **error)
{
    struct gateway *gateway = session->gateway;
    const char *verb = json_string_value(json_object_get(command, "do"));
    CHECK(world_knows(gateway, session));
    CHECK(verb != NULL && json_object_get(command, "id") == NULL && *error == NULL);
    if (gateway->closing || strcmp(verb, "now") == 0)
        return error_set(error, ERROR_NOT_FOUND, gateway->closing ? "stopping" : "no such command"), 0;
    bool pull = strcmp(verb, "changes") == 0;
    CHECK(!pull || gateway->own_pulls || !world_pulled(session, command));
    struct world_answer *answer = calloc(1, sizeof *answer);
    CHECK(answer != NULL);
    *answer = (struct world_answer){.session = session, .done = done, .arg = arg, .failed = gateway->fails};
    answer->token = ++gateway->tokens;
    answer->command = json_deep_copy(command);
    answer->result = pull ? world_changes(session, command) : json_deep_copy(command);
    DL_APPEND(gateway->answers, answer);
    gateway->asked++;
    gateway->pulls += pull;
    return answer->token;
}

void gateway_forget(struct gateway_session *session, uint64_t token)
{
    struct world_answer *answer;
    CHECK(world_knows(session->gateway, session));
    DL_SEARCH_SCALAR(session->gateway->answers, answer, token, token);
    CHECK(answer != NULL && answer->session == session);
    world_answer_free(session->gateway, answer);
    session->gateway->forgotten++;
}

static inline void world_answer(struct gateway *gateway, struct world_answer *answer)
{
    static const struct error failed = {ERROR_UNAVAILABLE, "the disk is full"};
    gateway_done_fn *done = answer->done;
    void *arg = answer->arg;
    json_t *result = answer->failed ? NULL : json_incref(answer->result);
    world_answer_free(gateway, answer);
    done(arg, result, result == NULL ? &failed : NULL);
    json_decref(result);
}

static inline void world_tell(struct gateway *gateway)
{
    struct gateway_session *session, *next;
    DL_FOREACH_SAFE(gateway->sessions, session, next)
    {
        if (gateway->visible[session->account] > session->told) {
            session->told = gateway->visible[session->account];
            session->events->more(session->arg);
        }
    }
}

/* The end of a turn of the loop: answers, then `more`, until nothing is left to do. */
static inline void world_turn(struct gateway *gateway)
{
    do {
        while (!gateway->waits && gateway->answers != NULL)
            world_answer(gateway, gateway->answers);
        world_tell(gateway);
    } while (!gateway->waits && gateway->answers != NULL);
}

/* --- the clients */

struct peer {
    struct api_client *client;
    struct gateway_session *session;
    struct api_text *last;    /* what was sent last */
    int64_t at, asked, epoch; /* the change it was told up to; the one it asked to follow from */
    unsigned messages, pages, hints, mores, dones, errors;
    size_t queued;
    bool reads; /* nothing it is sent waits */
    bool held, ended;
    char reason[64];
    json_t *heard; /* the last message */
};

static inline void peer_hear_page(struct peer *peer, const json_t *value)
{
    const json_t *change;
    size_t index;
    CHECK(json_object_size(value) == 4 && peer->queued < API_QUEUE_MAX);
    json_array_foreach(json_object_get(value, "changes"), index, change)
    {
        CHECK(json_integer_value(json_object_get(change, "change")) == peer->at + 1);
        peer->at++;
    }
    int64_t epoch = json_integer_value(json_object_get(value, "epoch"));
    int64_t upto = json_integer_value(json_object_get(value, "change"));
    CHECK(upto == peer->at || (epoch != peer->epoch && index == 0));
    CHECK(index > 0 || epoch != peer->epoch);
    peer->epoch = epoch;
    peer->at = upto;
    peer->pages++;
}

static inline void peer_send(void *arg, struct api_text *text)
{
    struct peer *peer = arg;
    struct bytes view = api_text_bytes(text);
    CHECK(!peer->ended && view.size < API_MESSAGE_MAX && view.data[view.size] == '\n');
    CHECK(memchr(view.data, '\n', view.size) == NULL);
    json_t *value = json_loadb((const char *)view.data, view.size, JSON_REJECT_DUPLICATES, NULL);
    CHECK(json_is_object(value));
    const json_t *id = json_object_get(value, "id");
    if (json_object_get(value, "changes") != NULL) {
        peer_hear_page(peer, value);
    } else if (json_object_get(value, "hint") != NULL) {
        CHECK(peer->queued < API_QUEUE_MAX);
        peer->hints++;
    } else if (json_object_get(value, "more") != NULL) {
        peer->mores++;
    } else if (json_object_get(value, "done") != NULL) {
        CHECK(json_is_integer(id));
        peer->dones++;
    } else {
        CHECK(json_object_get(value, "error") != NULL);
        peer->errors++;
    }
    peer->messages++;
    peer->queued += peer->reads ? 0 : view.size;
    json_decref(peer->heard);
    peer->heard = value;
    api_text_release(peer->last);
    peer->last = api_text_hold(text);
}

static inline size_t peer_queued(void *arg)
{
    const struct peer *peer = arg;
    CHECK(!peer->ended);
    return peer->queued;
}

static inline void peer_hold(void *arg, bool on)
{
    struct peer *peer = arg;
    CHECK(!peer->ended && peer->held != on);
    peer->held = on;
}

static inline void peer_end(void *arg, const char *reason)
{
    struct peer *peer = arg;
    CHECK(!peer->ended);
    peer->ended = true;
    snprintf(peer->reason, sizeof peer->reason, "%s", reason);
}

static const struct api_io peer_io = {peer_send, peer_queued, peer_hold, peer_end};

static inline void peer_open(struct peer *peer, struct api *api, struct gateway *gateway, int64_t account)
{
    *peer = (struct peer){.reads = true, .session = world_session(gateway, account), .epoch = -1};
    peer->client = api_client_new(api, peer->session, &peer_io, peer);
    CHECK(peer->client != NULL);
}

static inline void peer_close(struct peer *peer)
{
    api_client_free(peer->client);
    api_text_release(peer->last);
    json_decref(peer->heard);
    *peer = (struct peer){0};
}

static inline void peer_say(struct peer *peer, const char *text)
{
    api_client_input(peer->client, bytes_of_string(text));
}

static inline void peer_follow(struct peer *peer, int64_t after)
{
    char text[80];
    unsigned dones = peer->dones;
    snprintf(text, sizeof text, "{\"id\":1,\"do\":\"follow\",\"after\":%lld}", (long long)after);
    peer->at = after;
    peer->epoch = -1;
    peer_say(peer, text);
    CHECK(peer->dones == dones + 1);
}

static inline void peer_drain(struct peer *peer)
{
    bool slow = peer->queued >= API_QUEUE_MAX;
    peer->queued = 0;
    if (slow)
        api_client_drained(peer->client);
}

/* The gateway ends the session. */
static inline void peer_expel(struct peer *peer, const char *reason)
{
    world_drop_answers(peer->session);
    peer->session->events->ended(peer->session->arg, reason);
    world_session_free(peer->session);
    peer->session = NULL;
}

#endif
