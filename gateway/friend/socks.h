/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_SOCKS_H
#define RETROGATE_FRIEND_SOCKS_H

#include "base/buffer.h"

/* The client's half of SOCKS5 without authentication (protocol 11 §3.5); the proxy resolves the name. Pure.
 */
struct socks {
    char host[256];
    uint16_t port;
    bool greeted;
};

enum socks_step {
    SOCKS_MORE,   /* wait for more bytes (or send what was appended) */
    SOCKS_DONE,   /* the reply is consumed, the tunnel stands */
    SOCKS_FAILED, /* *reason says why */
};

void socks_set(struct socks *socks, const char *host, uint16_t port);
void socks_start(struct buffer *out); /* appends the greeting */
/* Consumes from `input` what it understood, appends to `out` what must be sent. */
enum socks_step socks_receive(struct socks *socks, struct buffer *input, struct buffer *out,
                              const char **reason);

#endif
