/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_LISTENER_H
#define RETROGATE_BASE_LISTENER_H

#include <sys/socket.h>
#include <uv.h>

#include "base/error.h"

/* A listening socket. Connections beyond a limit per address (IPv4 /32, IPv6 /64) or in all are closed at
 * once. When the process runs out of descriptors it pauses accepting for a second. */
struct listener;

struct listener_options {
    unsigned per_address; /* open connections from one address; 0: no limit */
    unsigned total;       /* open connections in all; 0: no limit */
};

/* The callee owns the non-blocking descriptor; it calls listener_release() with the same peer address when
 * the connection has ended, so that the limits count open ones. */
typedef void listener_fn(void *arg, int fd, const struct sockaddr_storage *peer);

struct listener *listener_open(uv_loop_t *loop, const struct sockaddr *address,
                               const struct listener_options *options, listener_fn *accepted, void *arg,
                               struct error **error);
/* A Unix socket at `path` (at most 107 bytes) with this mode. A stale one is removed, a live one is an error.
 */
struct listener *listener_open_unix(uv_loop_t *loop, const char *path, unsigned mode,
                                    const struct listener_options *options, listener_fn *accepted, void *arg,
                                    struct error **error);
void listener_release(struct listener *listener, const struct sockaddr_storage *peer);
const struct sockaddr_storage *listener_address(const struct listener *listener); /* with the real port */
/* Ends listening and removes the Unix socket's file. The memory lives until the loop has closed its handles
 * and the connections still open were released. */
void listener_close(struct listener *listener);

#endif
