/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_FRONT_H
#define RETROGATE_WEB_FRONT_H

#include "site.h"

/* Accepts, ends TLS, reads the first request head (deadline 10 s, at most 16 KiB), and hands the connection
 * on. HTTP in plain is only looked at (MSG_PEEK) and the socket itself goes. Under TLS one end of a socket
 * pair goes, and a splice carries bytes between the pair and the TLS stream. So it does for every WebSocket,
 * because somebody has to see that its frames are masked (live_frames.h). */
struct front;

struct front_takers {
    /* Both take the descriptor and the place, also when they return false (no memory): then they have closed
     * and released. */
    bool (*http)(void *arg, int fd, struct place *place);
    bool (*websocket)(void *arg, int fd, struct place *place);
};

struct front *front_open(struct site *site, const struct web_options *options,
                         const struct front_takers *takers, void *arg, struct error **error);
void front_set_tls(struct front *front, SSL_CTX *tls);
const struct sockaddr_storage *front_listening(const struct front *front, size_t index);
bool front_secure(const struct front *front, size_t index); /* is it one of TLS? */
unsigned front_connections(const struct front *front);
/* Stops listening and drops what is not handed on; `closed` from the loop, when the last place is released.
 */
void front_close(struct front *front, void (*closed)(void *arg), void *arg);

#endif
