/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_SESSION_H
#define RETROGATE_MAIL_SESSION_H

#include <openssl/ssl.h>
#include <retrogate/gateway.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/listener.h"
#include "base/stream.h"

/* One connected client of a service (SMTP submission, POP3): its stream, its lines, TLS, log-in, time limits,
 * and the one command that it waits for. A service is a codec, what it keeps of a session, and a table of
 * commands; it hands a struct service to this. */
struct session;
struct sasl;

/* What all sessions of a bridge share. */
struct site {
    uv_loop_t *loop;
    struct gateway *gateway;
    char *name, *domain;
    SSL_CTX *tls; /* NULL: neither TLS nor STARTTLS */
    bool plain_anywhere;
    size_t message_limit;
    unsigned idle_ms; /* 0: the service's own */
    unsigned login_ms;
    unsigned limit, clients; /* connected */
    bool closing;
    struct session *sessions;
    void (*empty)(void *arg); /* the last one is gone */
    void *arg;
};

/* Every function is called with a session that is open; it may end it with session_end() at any time. */
struct service {
    const char *name; /* for logs: "smtp", "pop3" */
    size_t state_size;
    unsigned idle_ms;
    void (*greet)(struct session *session);
    /* TLS is up after session_start_tls(): what was said before counts no longer. */
    void (*secured)(struct session *session);
    /* Without its end (LF or CR LF); terminated behind `size`, and may hold zeros before. */
    void (*line)(struct session *session, const char *line, size_t size);
    /* A line of more than SESSION_LINE bytes came; its rest is dropped. */
    void (*long_line)(struct session *session);
    /* While `raw` is set: bytes instead of lines. Returns how many were used; 0 only when it holds. */
    size_t (*raw)(struct session *session, struct bytes bytes);
    /* There is room to write again (see session_room()). NULL is allowed. */
    void (*drained)(struct session *session);
    /* SASL: what the client is to answer, base64. */
    void (*challenge)(struct session *session, const char *text);
    void (*logged_in)(struct session *session);
    /* `error` is what was wrong: ERROR_DENIED, ERROR_INVALID (malformed), ERROR_NOT_FOUND (no such
     * mechanism), ERROR_EXPIRED (given up by the client), or why it cannot be checked now. */
    void (*refused)(struct session *session, const struct error *error);
    /* Says why the gateway ends it (its words for a person), before the stream closes. */
    void (*bye)(struct session *session, const char *reason);
    /* The session is gone: frees what `state` holds. */
    void (*close)(struct session *session);
};

enum {
    SESSION_LINE = 12288,           /* the longest line: of AUTH (RFC 4954 §4.5.3) */
    SESSION_INPUT = 64 << 10,       /* bytes waiting to be looked at */
    SESSION_OUTPUT = 1024 << 10,    /* bytes waiting to leave; beyond it the connection is cut */
    SESSION_OUTPUT_BUSY = 32 << 10, /* so many, and no further command is looked at */
    SESSION_LOGIN_TRIES = 3,
};

typedef void session_answer_fn(struct session *session, json_t *result, const struct error *error);

struct session {
    uint32_t magic;
    struct session *prev, *next;
    struct site *site;
    const struct service *service;
    void *state; /* of the service: `state_size` zeroed bytes at first */

    struct gateway_session *account; /* NULL before the log-in */
    struct sasl *sasl;               /* NULL: none goes on */
    unsigned login_tries;
    bool tls;
    bool start;  /* STARTTLS must come before anything else */
    bool secure; /* a password may be said: TLS, loopback, or allowed anyway */
    bool raw;

    /* Private to session.c. */
    struct stream *stream; /* NULL when gone */
    struct buffer *input;  /* while it is looked at */
    bool greeted, ending, dropping, leaving;
    bool held, busy; /* by the service or a command; by output */
    uint64_t token, login;
    session_answer_fn *answered;
    struct listener *listener;
    struct sockaddr_storage peer;
    char address[64];
    uv_timer_t timer;
    uint64_t opened_ms, heard_ms;
};

/* Takes the descriptor of an accepted client, and tells the listener (NULL: none) at its end. */
void session_open(struct site *site, const struct service *service, struct listener *listener, int fd,
                  const struct sockaddr_storage *peer, bool tls, bool start);

/* Queues bytes, or a line with its CR LF. Control bytes in a line become spaces. */
void session_write(struct session *session, const void *data, size_t size);
void session_say(struct session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What session_write() still takes; after it was small, `drained` follows. */
size_t session_room(const struct session *session);

uint64_t session_id(const struct session *session); /* of its stream, for logs */

/* No further input is looked at until it is let go. Nothing is lost: it waits, at most SESSION_INPUT bytes.
 */
void session_hold(struct session *session);
void session_release(struct session *session);

/* Gives the gateway a command (the reference is taken; NULL: no memory) and holds the session until it is
 * answered. One at a time. A command refused at once is answered before this returns. */
void session_ask(struct session *session, json_t *command, session_answer_fn *answered);

/* Says `ready` and begins TLS; a client that said more in clear is cut off. Without a certificate: false,
 * nothing said. */
bool session_start_tls(struct session *session, const char *ready);

/* After what was written; nothing more is looked at. */
void session_end(struct session *session, const char *reason);

/* Log-in with a password, for USER and PASS of POP3: ends in `logged_in` or `refused`, held until then. A
 * name may have "@" and the site's domain behind it. */
void session_log_in(struct session *session, const char *name, const char *password);

/* For those who checked it themselves (SASL): how it went. Too many refusals end the session. */
void session_accept(struct session *session, struct gateway_session *account);
void session_refuse(struct session *session, const struct error *error);

/* Says to all why, and ends them; those that wait for an answer hear it first, so that nobody sends again
 * what was taken. */
void session_dismiss_all(struct site *site);

/* --- SASL: PLAIN, LOGIN, SCRAM-SHA-256 */
#define SASL_MECHANISMS "SCRAM-SHA-256 PLAIN LOGIN"
/* `initial`: base64, "=" for an empty one, NULL for none. Ends in `logged_in` or `refused`. While
 * session->sasl is set, the client's lines go to sasl_line(). */
void sasl_begin(struct session *session, const char *mechanism, const char *initial);
void sasl_line(struct session *session, const char *line, size_t size);
void sasl_free(struct session *session);

#endif
