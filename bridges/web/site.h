/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_SITE_H
#define RETROGATE_WEB_SITE_H

#include "web.h"

/* What the files of this room share. web.c owns it; it outlives every connection. */
struct site {
    uv_loop_t *loop;
    struct gateway *gateway;
    char **names;
    size_t name_count;
    char **origins;
    size_t origin_count;
    char *files;         /* NULL: those compiled in */
    char *setup_file;    /* NULL: no first run in the browser */
    char setup_code[32]; /* "" when there is an account */
    bool (*irc)(void *arg, int fd, const struct sockaddr_storage *peer, bool secure);
    void (*changed)(void *arg);
    void *arg;
};

/* One accepted connection, from accept to its end, whoever serves it: its peer, its door, its place in the
 * limits. Made by front.c, held by http.c or live.c until the connection is gone, then released exactly once.
 */
struct place {
    struct front *front;
    struct sockaddr_storage peer;
    bool secure;   /* came over TLS */
    unsigned port; /* of the listener: part of the cookie's name */
};
void place_release(struct place *place);

#endif
