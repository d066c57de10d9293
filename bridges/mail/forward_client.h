/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_FORWARD_CLIENT_H
#define RETROGATE_MAIL_FORWARD_CLIENT_H

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/error.h"

/* A client of SMTP (RFC 5321) or LMTP (RFC 2033) that gives one message to one address. */
struct forward_client;

struct forward_server {
    bool lmtp, tls;
    bool near;      /* on this machine: TLS is not needed, and certificates prove nothing */
    char path[100]; /* of LMTP's socket */
    struct sockaddr_storage address;
    SSL_CTX *context;
};

bool forward_server_read(struct forward_server *out, const char *text, struct error **error);
void forward_server_free(struct forward_server *server);

enum forward_fate {
    FORWARD_LATER,   /* not now */
    FORWARD_TAKEN,   /* the server answers for it */
    FORWARD_REFUSED, /* it will never take this one */
};

struct forward_events {
    /* The server waits for a piece: give it with forward_client_give(). */
    void (*want)(void *arg);
    /* Once, last, from the loop; the client is freed after this returns. */
    void (*ended)(void *arg, enum forward_fate fate, const char *why);
};

struct forward_letter {
    const char *host; /* that says EHLO */
    const char *to;
    uint64_t size;
};

struct forward_client *forward_client_open(uv_loop_t *loop, const struct forward_server *server,
                                           const struct forward_letter *letter,
                                           const struct forward_events *events, void *arg,
                                           struct error **error);
void forward_client_give(struct forward_client *client, struct bytes piece, bool last);
void forward_client_abort(struct forward_client *client, const char *why); /* `ended` follows: later */

#endif
