/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_MAIL_H
#define RETROGATE_MAIL_MAIL_H

#include <openssl/ssl.h>
#include <retrogate/gateway.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

/* The mail bridge: SMTP submission (RFC 6409) in, POP3 (RFC 1939) out, and, for accounts without a client,
 * Maildir and forwarding. It keeps nothing of its own: what it answered 250 to is committed, what it shows is
 * read from the gateway. */
struct mail;

enum mail_service { MAIL_SUBMISSION, MAIL_POP3, MAIL_SERVICES };

struct mail_listen {
    struct sockaddr_storage address; /* port 0: any free one, see mail_listening() */
    enum mail_service service;
    bool tls;   /* TLS from the first byte: 465, 995 */
    bool start; /* off loopback: STARTTLS or STLS comes before anything else: 587, 110 */
};

/* Zero means the default. Texts and arrays are copied. */
struct mail_options {
    const char *name;   /* of this server: a host name with a dot; default "mail.retrogate.alt" */
    const char *domain; /* of addresses; default "distant.alt" */
    const struct mail_listen *listen;
    size_t listen_count;
    SSL_CTX *tls;        /* needed by TLS and STARTTLS; a reference is taken. Without it neither is offered */
    bool plain_anywhere; /* allow plain listeners off loopback */
    unsigned clients;    /* connected in all; default 256 */
    unsigned clients_per_address; /* default 32 */
    size_t message_limit; /* bytes of a submitted message; default and most 35 MiB: base64 of 25 MiB */
    unsigned idle_ms;     /* silence before the end; default 300 s (SMTP), 600 s (POP3) */
    unsigned login_ms;    /* from the connection to the log-in; default 60 s */
    const char *maildir;  /* folder under which each account has a Maildir of its name; NULL: none */
    const char *forward;  /* server that takes forwarded posts: "smtp://address:port", "smtps://…" or
                             "lmtp:/path"; NULL:  accounts cannot forward */
};

/* Opens all listeners or none. The gateway outlives the bridge. */
struct mail *mail_open(uv_loop_t *loop, struct gateway *gateway, const struct mail_options *options,
                       struct error **error);
/* For connections accepted from now on. A reference is taken. */
void mail_set_tls(struct mail *mail, SSL_CTX *tls);
/* In the order of the options; NULL behind the last. */
const struct sockaddr_storage *mail_listening(const struct mail *mail, size_t index);
/* Ends all clients and calls `closed` from the loop when they are gone; `mail` is freed then. */
void mail_close(struct mail *mail, void (*closed)(void *arg), void *arg);

#endif
