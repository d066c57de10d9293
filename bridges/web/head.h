/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_HEAD_H
#define RETROGATE_WEB_HEAD_H

#include "base/bytes.h"

/* The first request head of a connection, read only far enough to know who serves it. Pure. */
enum { HEAD_MAX = 16384 };

enum head_kind {
    HEAD_UNFINISHED, /* more bytes are needed */
    HEAD_BAD,        /* no HTTP/1 */
    HEAD_HTTP,
    HEAD_WEBSOCKET, /* GET with Upgrade: websocket among its fields */
};
enum head_kind head_look(struct bytes input);

/* An answer that ends the connection. */
struct head_refusal {
    const char *status, *text; /* "404 Not Found", and a sentence for a person */
};
enum { HEAD_REFUSAL_MAX = 512 };
size_t head_refuse(char out[HEAD_REFUSAL_MAX], const struct head_refusal *refusal); /* its size */

#endif
