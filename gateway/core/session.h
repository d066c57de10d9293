/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_SESSION_H
#define RETROGATE_CORE_SESSION_H

#include "core/state.h"

enum { SESSION_CALLS_MAX = 256 }; /* under way at a time */

struct gateway_session {
    struct gateway *gateway;
    struct account *account; /* NULL: operator */
    char scope[16];
    const struct gateway_events *events;
    void *arg;
    struct call *calls;
    unsigned call_count;
    int64_t told; /* the visible change at the last `more` */
    bool dirty, watching, gone;
    bool service; /* of the gateway itself, not of somebody who looks */
    int64_t app_password; /* the log-in came with this one; 0: with the account's password */
    struct gateway_session *prev, *next;
};

/* One command under way. */
struct call {
    struct gateway *gateway;
    struct gateway_session *session; /* NULL when the client is gone */
    struct account *account;         /* the one it acts for, NULL with commands of the node */
    json_t *arguments;
    uint64_t token;
    gateway_done_fn *done;
    void *arg;
    json_t *result;
    struct error *error;
    bool internal;            /* asked by the core itself: told even when the client is gone */
    struct call *prev, *next; /* of the session */
    struct call *prev_finished, *next_finished;
};

struct gateway_session *session_new(struct gateway *gateway, struct account *account, const char *scope);
struct gateway_session *session_new_service(struct gateway *gateway, struct account *account,
                                            const char *scope);
void session_shut(struct gateway_session *session, const char *reason);
/* Ends the sessions of an account, all of them (0) or those logged in with one app password. */
void sessions_end(struct account *account, int64_t app_password, const char *reason);
void sessions_end_all(struct gateway *gateway, const char *reason);

void sessions_changed(struct account *account);             /* `more` at the end of the turn */
void sessions_hint(struct account *account, json_t *hint);  /* takes the reference */
void sessions_watch(struct gateway *gateway, json_t *hint); /* to those that watch; takes the reference */

void call_attach(struct call *call, struct gateway_session *session);
void call_detach(struct call *call); /* nobody hears the answer */
/* End a call: take the result's reference, or the error. */
void call_done(struct call *call, json_t *result);
void call_fail(struct call *call, struct error *error);
void call_fail_copy(struct call *call, const struct error *error);
/* What the end of each turn does: answers, then `more`. */
void sessions_flush(struct gateway *gateway);

#endif
