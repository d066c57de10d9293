/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_GATEWAY_H
#define RETROGATE_GATEWAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* The contract between the core and the bridges (DESIGN §4). Commands and changes have one form, the JSON
 * values of api.md; in C they are handed over as jansson values, on a socket as lines of text. So there is
 * one table of commands, one check of their arguments, and one description. Everything runs on the loop's
 * thread. */
struct gateway;
struct gateway_session;

/* A session is what one connected client may do: one account, or the operator. */
struct gateway_events {
    /* There are changes after those pulled last: pull with the command "changes". Coalesced to one per turn
     * of the loop. NULL is allowed, like for the others. */
    void (*more)(void *arg);
    /* Something that may be lost, such as typing: a value of api.md "Hints". Borrowed. */
    void (*hint)(void *arg, json_t *hint);
    /* The session ended (account removed, password revoked, shutdown). It is freed after this returns; no
     * other call follows, and open commands are not answered. */
    void (*ended)(void *arg, const char *reason);
};

struct gateway_login {
    const char *account;
    const char *password; /* the account's password or an app password; the caller wipes its copy */
    const char *scope;    /* what the client is: "irc", "web", "mail", "control" */
    const char *address;  /* where it comes from, numbers only: failed log-ins are throttled by it */
};

/* Answers later, after at least as long as a password hash takes, whether the account exists or not.
 * Throttled after failures, per account and address; a right app password is let in meanwhile too, because
 * who guesses from the same address must not shut out a browser that is signed in. `session` is NULL when
 * refused. */
typedef void gateway_login_fn(void *arg, struct gateway_session *session, const struct error *error);
/* Returns a ticket for gateway_login_cancel(). */
uint64_t gateway_login(struct gateway *gateway, const struct gateway_login *login, gateway_login_fn *done,
                       void *arg);
void gateway_login_cancel(struct gateway *gateway, uint64_t ticket);

/* SCRAM-SHA-256 (RFC 5802, 7677) with app passwords; without channel binding. A name that does not exist, and
 * an account with no app password of this scope, get a made-up salt that stays the same, and are refused at
 * the end. */
struct gateway_scram;
/* `first`: the client's first message, with its header "n,,". Writes the server's first message. NULL with an
 * error when it is malformed. Throttled like log-ins with passwords. */
struct gateway_scram *gateway_scram_begin(struct gateway *gateway, const char *scope, const char *address,
                                          const char *first, char *server_first, size_t size,
                                          struct error **error);
/* `final`: the client's last message. `server_final` is written when the session is not NULL. Frees `scram`.
 * Answers before it returns. */
struct gateway_session *gateway_scram_end(struct gateway_scram *scram, const char *final, char *server_final,
                                          size_t size, struct error **error);
void gateway_scram_cancel(struct gateway_scram *scram); /* NULL is fine */

/* A session for what the gateway does for an account by itself (Maildir, forwarding), without a client: it
 * does not count as somebody who looks. NULL when the account does not exist or is locked. */
struct gateway_session *gateway_service(struct gateway *gateway, const char *account, const char *scope);
/* Called now for each account that is unlocked, and later for each that becomes so; `gone`: it was removed.
 * One listener at most for each `arg`; NULL `fn` ends it. */
typedef void gateway_account_fn(void *arg, const char *account, bool gone);
void gateway_accounts(struct gateway *gateway, gateway_account_fn *fn, void *arg);

/* The operator's session: for the control socket, whose file permissions are the authentication. */
struct gateway_session *gateway_operator(struct gateway *gateway);

void gateway_listen(struct gateway_session *session, const struct gateway_events *events, void *arg);
void gateway_logout(struct gateway_session *session); /* no callback of this session comes afterwards */

int64_t gateway_account(const struct gateway_session *session);          /* 0: operator */
const char *gateway_account_name(const struct gateway_session *session); /* "" for the operator */
bool gateway_is_operator(const struct gateway_session *session);

/* `result` is borrowed; NULL when `error` says why it failed. */
typedef void gateway_done_fn(void *arg, json_t *result, const struct error *error);

/* Gives a command ({"do": "say", ...}; borrowed). What is wrong with it is told at once: returns 0 and sets
 * *error. An accepted one returns a token, and `done` follows, once, after the commit and never before this
 * returns. */
uint64_t gateway_do(struct gateway_session *session, const json_t *command, gateway_done_fn *done, void *arg,
                    struct error **error);
/* The caller is no longer there to hear the answer; the command itself goes on. */
void gateway_forget(struct gateway_session *session, uint64_t token);

#endif
