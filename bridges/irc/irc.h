/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_IRC_IRC_H
#define RETROGATE_IRC_IRC_H

#include <openssl/ssl.h>
#include <retrogate/gateway.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

/* The IRC bridge: an IRC server in front of the gateway. Each conversation is a channel &<handle>, the
 * gateway itself is &gateway (DESIGN §7). It holds no lines: each client has a cursor and pulls (DESIGN §4).
 */
struct irc;

struct irc_listen {
    struct sockaddr_storage address; /* port 0: any free one, see irc_listening() */
    bool tls;
};

/* Zero means the default. Texts and arrays are copied. */
struct irc_options {
    const char *name;    /* of the server in IRC lines: a host name with a dot; default "irc.retrogate.alt" */
    const char *network; /* shown by clients, no spaces; default "retrogate" */
    const struct irc_listen *listen;
    size_t listen_count;
    SSL_CTX *tls;                 /* needed by TLS listeners; a reference is taken */
    bool plain_anywhere;          /* allow plain listeners off loopback: passwords and lines pass in clear */
    unsigned clients;             /* connected in all; default 512 */
    unsigned clients_per_address; /* default 32 */
    size_t output_limit;          /* bytes that may wait for a client before it is dropped; default and least:
                                     1 MiB, 512 KiB */
    unsigned replay_lines; /* shown at most per conversation to a client that comes back; default 200, at most
                              500 */
    unsigned registration_ms; /* default 30 s */
    unsigned idle_ms;         /* silence before PING, twice that before the end; default 120 s */
};

/* Opens all listeners or none. The gateway outlives the bridge. */
struct irc *irc_open(uv_loop_t *loop, struct gateway *gateway, const struct irc_options *options,
                     struct error **error);

/* For connections accepted from now on: after a certificate was renewed. A reference is taken. */
void irc_set_tls(struct irc *irc, SSL_CTX *tls);

/* The address of a listener, with its real port, in the order of the options; NULL behind the last. */
const struct sockaddr_storage *irc_listening(const struct irc *irc, size_t index);
unsigned irc_clients(const struct irc *irc);

/* Takes a client whom another bridge has accepted from `peer`: one end of a non-blocking socket pair that
 * carries IRC; `secure`: over TLS up to that bridge. It counts among all clients; the limit per address is
 * that bridge's. False, and the descriptor is still the caller's: too many, out of memory, or closing. */
bool irc_adopt(struct irc *irc, int fd, const struct sockaddr_storage *peer, bool secure);

/* Says good-bye to all clients and calls `closed` from the loop when they are gone, at most some seconds
 * later; `irc` is freed then. */
void irc_close(struct irc *irc, void (*closed)(void *arg), void *arg);

#endif
