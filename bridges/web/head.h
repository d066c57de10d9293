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

#endif
