/* SPDX-License-Identifier: ISC */
/* A client's bytes into a session of submission over a pair of sockets, with the gateway in memory. The first
 * byte chooses where the client comes from, whether it is logged in, and what the gateway refuses; 0xfe lets
 * the loop turn. What comes out is whole replies. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "bridges/mail/session.h"
#include "bridges/mail/submission.h"
#include "unit/mail/fake_gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AWAY = 1, START = 2, LOGGED_IN = 4, REFUSES = 8, AT_ONCE = 16, SMALL = 32 };

static uint8_t choice;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static json_t *run(struct gateway *gateway, const json_t *command, struct error **error)
{
    const char *verb = json_string_value(json_object_get(command, "do"));
    (void)gateway;
    if ((choice & REFUSES) != 0 && strcmp(verb, "post.address") != 0) {
        error_set(error, ERROR_UNAVAILABLE, "the fake gateway\r\nrefuses");
        return NULL;
    }
    if (strcmp(verb, "post.address") == 0) {
        const char *address = json_string_value(json_object_get(command, "address"));
        check(address != NULL);
        return json_pack("{s:s, s:i}", "address", address, "limit", strlen(address) == 7 ? 10 : 0);
    }
    return json_pack("{s:i, s:i, s:i}", "upload", 1, "epoch", 1, "seq", 1);
}

static void on_empty(void *arg)
{
    (void)arg;
}

static void check_output(struct bytes view)
{
    while (view.size > 0) {
        const uint8_t *end = memchr(view.data, '\n', view.size);
        check(end != NULL && end - view.data >= 5 && end - view.data <= 1024 && end[-1] == '\r');
        check(view.data[0] >= '2' && view.data[0] <= '5' && (view.data[3] == ' ' || view.data[3] == '-'));
        for (const uint8_t *at = view.data; at < end - 1; at++)
            check(*at >= 0x20 && *at < 0x7f);
        view.size -= (size_t)(end + 1 - view.data);
        view.data = end + 1;
    }
}

static void turn(uv_loop_t *loop, struct gateway *gateway, int fd, struct buffer *out)
{
    for (int i = 0; i < 3; i++) {
        uint8_t bytes[65536];
        uv_run(loop, UV_RUN_NOWAIT);
        fake_run(gateway);
        ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got > 0)
            buffer_append(out, bytes, (size_t)got);
    }
}

static void say(int fd, const void *data, size_t size)
{
    if (size > 0)
        send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char log_in[] = "EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n";
    static char name[] = "mail.test.alt", domain[] = "distant.alt";
    static uv_loop_t loop;
    static bool begun;
    if (size < 2 || size > 60000)
        return 0;
    if (!begun) {
        log_set_level(LOG_LEVEL_ERROR);
        uv_loop_init(&loop);
        begun = true;
    }
    choice = data[0];
    struct gateway gateway;
    fake_init(&gateway, run);
    gateway.refuse_at_once = (choice & AT_ONCE) != 0 ? "post.send" : NULL;
    struct site site = {.loop = &loop,
                        .gateway = &gateway,
                        .name = name,
                        .domain = domain,
                        .message_limit = (choice & SMALL) != 0 ? 20 : 1 << 20,
                        .login_ms = 60000,
                        .limit = 1,
                        .empty = on_empty};
    int pair[2];
    struct sockaddr_storage peer;
    check(address_parse(&peer, (choice & AWAY) != 0 ? "192.0.2.1:1" : "127.0.0.1:1", 0, NULL));
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    struct buffer out = buffer_make(16 << 20);
    session_open(&site, &submission_service, NULL, pair[0], &peer, false, (choice & START) != 0);
    turn(&loop, &gateway, pair[1], &out);
    if ((choice & LOGGED_IN) != 0) {
        say(pair[1], log_in, sizeof log_in - 1);
        turn(&loop, &gateway, pair[1], &out);
    }
    for (size_t at = 1, start = 1; at <= size; at++) {
        if (at < size && data[at] != 0xfe)
            continue;
        say(pair[1], data + start, at - start);
        turn(&loop, &gateway, pair[1], &out);
        start = at + 1;
    }
    check_output(buffer_view(&out));
    buffer_free(&out);
    close(pair[1]);
    while (site.sessions != NULL) {
        uv_run(&loop, UV_RUN_ONCE);
        fake_run(&gateway);
    }
    check(gateway.sessions == NULL && site.clients == 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    fake_clear(&gateway);
    return 0;
}
