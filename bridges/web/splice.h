/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_SPLICE_H
#define RETROGATE_WEB_SPLICE_H

#include "base/stream.h"

/* Joins a client's stream with one end of a socket pair, whose other end looks to a library like the client's
 * own plain socket. Bytes pass both ways, each way held back while the other side does not take them, so a
 * splice holds at most some pieces of SPLICE_LIMIT. With `websocket` only masked frames pass. */
struct splice;

enum { SPLICE_LIMIT = 64 << 10 };

/* The owner of the client's stream forwards its events. `far` is the library's end. `ended`, once, from the
 * loop: the library closed, all it said was given to the client's stream, and the splice is freed. */
struct splice *splice_open(uv_loop_t *loop, struct stream *client, bool websocket, int *far,
                           void (*ended)(void *arg), void *arg, struct error **error);
void splice_input(struct splice *splice, struct buffer *input);
void splice_drained(struct splice *splice);
void splice_client_gone(struct splice *splice); /* `ended` follows */

#endif
