/* SPDX-License-Identifier: ISC */
/* IRC over a WebSocket; the test is the IRC server. */
#include "unit/web/live_scene.h"

#include <errno.h>

static struct buffer heard; /* what the server was told */

static struct hello irc_hello(const char *protocol)
{
    struct hello hello = good_hello();
    hello.path = "/irc";
    hello.account = NULL;
    hello.token = NULL;
    hello.protocol = protocol;
    return hello;
}

static void enter_irc(struct person *person, const char *protocol)
{
    struct hello hello = irc_hello(protocol);
    greet(person, &hello);
    expect_upgrade(person);
    WAIT_FOR(irc_end >= 0);
    buffer_free(&heard);
    heard = buffer_make(1 << 20);
}

static void server_says(const char *text)
{
    assert_int_equal(write(irc_end, text, strlen(text)), strlen(text));
}

static bool server_heard(const char *text)
{
    char bytes[4096];
    ssize_t got = read(irc_end, bytes, sizeof bytes);
    if (got > 0)
        buffer_append(&heard, bytes, (size_t)got);
    return strcmp(buffer_string(&heard), text) == 0;
}

static void test_lines(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    enter_irc(&people[0], "text.ircv3.net");
    send_frame(&people[0], FIN | TEXT, "NICK ali");
    send_frame(&people[0], FIN | TEXT, "USER a 0 * :\xc3\x84li\r\n"); /* forgiven */
    send_frame(&people[0], FIN | TEXT, "");
    WAIT_FOR(server_heard("NICK ali\r\nUSER a 0 * :\xc3\x84li\r\n"));
    server_says(":a 001 ali :hi\r\n:a 002 ali :not \xff UTF-8 \xe2\x82\r\n:a 003");
    assert_string_equal(next_frame(&people[0], TEXT), ":a 001 ali :hi");
    assert_string_equal(next_frame(&people[0], TEXT),
                        ":a 002 ali :not \xef\xbf\xbd UTF-8 \xef\xbf\xbd\xef\xbf\xbd");
    server_says(" ali\n");
    assert_string_equal(next_frame(&people[0], TEXT), ":a 003 ali");
    /* The server goes: so does the connection, behind its last words. */
    server_says("ERROR :bye\r\n");
    close(irc_end);
    irc_end = -1;
    assert_string_equal(next_frame(&people[0], TEXT), "ERROR :bye");
    expect_close(&people[0], 1000);
}

static void test_binary(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    enter_irc(&people[0], "binary.ircv3.net");
    send_frame(&people[0], FIN | BINARY, "NICK \xff");
    WAIT_FOR(server_heard("NICK \xff\r\n"));
    server_says(":a \xff\r\n");
    assert_string_equal(next_frame(&people[0], BINARY), ":a \xff");
    send_frame(&people[0], FIN | TEXT, "NICK x");
    expect_close(&people[0], 1003);
}

static void test_more_than_one_line(void **state)
{
    (void)state;
    static const char *const bad[] = {"NICK a\r\nQUIT", "NICK a\nQUIT", "a\rb"};
    open_web((struct web_options){0});
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enter_irc(&people[0], "text.ircv3.net");
        send_frame(&people[0], FIN | TEXT, bad[i]);
        expect_close(&people[0], 1008);
        char byte;
        WAIT_FOR(recv(irc_end, &byte, 1, MSG_DONTWAIT) == 0);
        close(irc_end);
        irc_end = -1;
    }
    enter_irc(&people[0], "text.ircv3.net");
    char *large = calloc(1, 9001);
    assert_non_null(large);
    memset(large, 'x', 9000);
    send_frame(&people[0], FIN | TEXT, large);
    expect_close(&people[0], 1009);
    free(large);
}

static void test_a_server_that_is_busy(void **state)
{
    (void)state;
    static char line[8001];
    open_web((struct web_options){0});
    enter_irc(&people[0], "text.ircv3.net");
    memset(line, 'x', sizeof line - 1);
    /* More than all buffers in between hold; nothing is lost. */
    enum { LINES = 500 };
    for (int i = 0; i < LINES; i++)
        send_frame(&people[0], FIN | TEXT, line);
    size_t total = 0;
    while (total < LINES * (sizeof line + 1)) {
        char bytes[65536];
        ssize_t got = recv(irc_end, bytes, sizeof bytes, MSG_DONTWAIT);
        assert_true(got > 0 || errno == EAGAIN);
        total += got > 0 ? (size_t)got : 0;
        step(clock_monotonic_ms());
    }
    assert_int_equal(total, LINES * (sizeof line + 1));
    assert_false(people[0].closed);
}

static void test_a_client_that_is_busy(void **state)
{
    (void)state;
    static char lines[8002 * 4];
    open_web((struct web_options){0});
    enter_irc(&people[0], "text.ircv3.net");
    memset(lines, 'x', sizeof lines);
    for (size_t i = 8002; i <= sizeof lines; i += 8002) {
        lines[i - 2] = '\r';
        lines[i - 1] = '\n';
    }
    stream_pause(people[0].stream);
    size_t total = 0;
    for (int idle = 0; idle < 50 && total < (size_t)64 << 20;) {
        ssize_t put = send(irc_end, lines + total % 8002, 8002 - total % 8002, MSG_DONTWAIT | MSG_NOSIGNAL);
        total += put > 0 ? (size_t)put : 0;
        idle = put > 0 ? 0 : idle + 1;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_true(total < (size_t)64 << 20); /* the server was held back */
    stream_resume(people[0].stream);
    for (size_t i = 0; i < total / 8002; i++)
        assert_int_equal(strlen(next_frame(&people[0], TEXT)), 8000);
}

static void test_who_may(void **state)
{
    (void)state;
    static const char *const origins[] = {"https://chat.example"};
    struct web_options options = {.origins = origins, .origin_count = 1};
    open_web(options);
    struct hello hello = irc_hello("text.ircv3.net");
    hello.origin = "https://other.example";
    expect_refused(&people[0], &hello, "HTTP/1.1 403 ");
    hello.origin = origins[0];
    greet(&people[0], &hello);
    expect_upgrade(&people[0]);
    WAIT_FOR(irc_end >= 0);
    close(irc_end);
    irc_end = -1;
    hello.host = "evil.example";
    expect_refused(&people[1], &hello, "HTTP/1.1 421 ");
    hello = irc_hello("retrogate.1");
    expect_refused(&people[1], &hello, "HTTP/1.1 400 ");
    irc_full = true;
    hello = irc_hello("text.ircv3.net");
    greet(&people[1], &hello);
    expect_upgrade(&people[1]);
    expect_close(&people[1], 4429);
}

static int end_irc(void **state)
{
    buffer_free(&heard);
    return end(state);
}

int main(void)
{
#define BOTH(name)                                                                                           \
    cmocka_unit_test_setup_teardown(test_##name, begin_plain, end_irc),                                      \
        cmocka_unit_test_setup_teardown(test_##name, begin_tls, end_irc)
    const struct CMUnitTest tests[] = {
        BOTH(lines),
        BOTH(binary),
        BOTH(more_than_one_line),
        BOTH(a_server_that_is_busy),
        BOTH(a_client_that_is_busy),
        BOTH(who_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
