/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_FUZZ_MAIL_PAIR_H
#define RETROGATE_TESTS_FUZZ_MAIL_PAIR_H

/* A session of the mail bridge over a pair of sockets, with the gateway in memory. Included once per program.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "bridges/mail/session.h"
#include "unit/mail/fake_gateway.h"

struct pair {
    uv_loop_t *loop;
    struct gateway gateway;
    struct site site;
    int fd; /* the client's end */
    struct buffer out;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void pair_empty(void *arg)
{
    (void)arg;
}

static void pair_turn(struct pair *pair)
{
    for (int i = 0; i < 3; i++) {
        uint8_t bytes[65536];
        uv_run(pair->loop, UV_RUN_NOWAIT);
        fake_run(&pair->gateway);
        ssize_t got = recv(pair->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got > 0)
            buffer_append(&pair->out, bytes, (size_t)got);
    }
}

/* The gateway is the caller's to begin. */
static void pair_open(struct pair *pair, const struct service *service, const char *peer, bool start,
                      size_t message_limit)
{
    static char name[] = "mail.test.alt", domain[] = "distant.alt";
    static uv_loop_t loop;
    static bool begun;
    int ends[2];
    struct sockaddr_storage address;
    if (!begun) {
        log_set_level(LOG_LEVEL_ERROR);
        uv_loop_init(&loop);
        begun = true;
    }
    pair->loop = &loop;
    pair->site = (struct site){.loop = &loop,
                               .gateway = &pair->gateway,
                               .name = name,
                               .domain = domain,
                               .message_limit = message_limit,
                               .login_ms = 60000,
                               .limit = 1,
                               .empty = pair_empty};
    pair->out = buffer_make(16 << 20);
    check(address_parse(&address, peer, 0, NULL));
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    pair->fd = ends[1];
    session_open(&pair->site, service, NULL, ends[0], &address, false, start);
    pair_turn(pair);
}

/* 0xfe lets the loop turn. */
static void pair_say(struct pair *pair, const void *data, size_t size)
{
    const uint8_t *at = data, *end = at + size;
    while (at <= end) {
        const uint8_t *stop = at < end ? memchr(at, 0xfe, (size_t)(end - at)) : NULL;
        stop = stop != NULL ? stop : end;
        if (stop > at)
            send(pair->fd, at, (size_t)(stop - at), MSG_DONTWAIT | MSG_NOSIGNAL);
        pair_turn(pair);
        at = stop + 1;
    }
}

static void pair_close(struct pair *pair)
{
    buffer_free(&pair->out);
    close(pair->fd);
    while (pair->site.sessions != NULL) {
        fake_run(&pair->gateway);
        uv_run(pair->loop, pair->gateway.answers != NULL ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    }
    check(pair->gateway.sessions == NULL && pair->site.clients == 0);
    uv_run(pair->loop, UV_RUN_NOWAIT);
    fake_clear(&pair->gateway);
}

#endif
