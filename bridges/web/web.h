/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_WEB_H
#define RETROGATE_WEB_WEB_H

#include <openssl/ssl.h>
#include <retrogate/gateway.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

/* The web bridge: the page, its API (web/openapi.json), and the live channels over WebSocket: the JSON form
 * at /api/1/live, IRC at /irc. One port and one origin (DESIGN §5): libmicrohttpd and libwebsockets stand
 * behind a front of ours that accepts, ends TLS, and reads the first request head. */
struct web;

struct web_listen {
    struct sockaddr_storage address; /* port 0: any free one, see web_listening() */
    bool tls;
};

/* Zero means the default. Texts and arrays are copied. */
struct web_options {
    const struct web_listen *listen;
    size_t listen_count;
    SSL_CTX *tls;             /* needed by TLS listeners; a reference is taken */
    bool plain_anywhere;      /* allow plain listeners off loopback */
    const char *const *names; /* host names under which browsers may reach us, besides addresses and
                                 localhost: any other Host is refused, which ends DNS rebinding */
    size_t name_count;
    const char *const *origins; /* foreign origins whose pages may speak IRC here; "*": any */
    size_t origin_count;
    const char *files; /* a directory that is served in place of the files compiled in */
    const char
        *setup_file;  /* where the code that lets the first account be made is written, 0600; NULL: none */
    unsigned clients; /* connections in all; default 1024. One over TLS or of a WebSocket takes three file
                         descriptors, another one */
    unsigned clients_per_address; /* default 128 */
    unsigned head_ms;             /* until the first request's head is there; default 10 s */
    unsigned quiet_ms;            /* silence of a WebSocket before a ping; default 60 s */
    unsigned patience_ms; /* for the answer to a ping, and for one that takes nothing while something waits;
                             default 30 s and twice that */
    /* Gives one end of a socket pair to the IRC bridge, as if accepted from `peer`. On false the caller
     * closes it. NULL: there is no IRC. */
    bool (*irc)(void *arg, int fd, const struct sockaddr_storage *peer, bool secure);
    /* web_setup_link() changed. */
    void (*changed)(void *arg);
    void *arg;
};

/* Opens all listeners or none. The gateway outlives the bridge. */
struct web *web_open(uv_loop_t *loop, struct gateway *gateway, const struct web_options *options,
                     struct error **error);

/* For connections accepted from now on: after a certificate was renewed. A reference is taken. */
void web_set_tls(struct web *web, SSL_CTX *tls);

/* The address of a listener, with its real port, in the order of the options; NULL behind the last. */
const struct sockaddr_storage *web_listening(const struct web *web, size_t index);
/* The link that opens the first-run guide, with its code, while there is no account; otherwise NULL. A
 * secret: only for the operator's eyes. */
const char *web_setup_link(const struct web *web);
unsigned web_clients(const struct web *web);

/* Ends all connections and calls `closed` from the loop; `web` is freed then. */
void web_close(struct web *web, void (*closed)(void *arg), void *arg);

#endif
