/* SPDX-License-Identifier: ISC */
/* The live channel of the JSON form, over loopback, in plain and under TLS. */
#include "unit/web/live_scene.h"

static void test_conversation(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    enter(&people[0]);
    assert_int_equal(gateway.logins, 1);
    enter(&people[1]);
    send_frame(&people[0], FIN | TEXT, "{\"id\":2,\"do\":\"typing\"}");
    expect_text(&people[0], "\"id\":2");
    assert_int_equal(web_clients(web), 2);
    /* The client goes: its session ends. */
    send_frame(&people[0], FIN | CLOSE, "\x03\xe8");
    expect_close(&people[0], 1000);
    WAIT_FOR(web_clients(web) == 1);
    assert_null(gateway.sessions->next);
}

static void test_every_byte_alone(void **state)
{
    (void)state;
    struct hello hello = (open_web((struct web_options){0}), good_hello());
    struct buffer text = hello_text(&hello);
    frame_into(&text, FIN | TEXT, bytes_of_string("{\"id\":7,\"do\":\"hello\"}"), true);
    dial(&people[0]);
    struct bytes view = buffer_view(&text);
    for (size_t i = 0; i < view.size; i++) {
        send_bytes(&people[0], view.data + i, 1);
        /* It leaves alone, and is read alone. */
        for (int turns = 0; turns < 3; turns++)
            uv_run(&loop, UV_RUN_NOWAIT);
    }
    buffer_free(&text);
    expect_upgrade(&people[0]);
    expect_text(&people[0], "\"id\":7");
}

static void test_frames_pipelined_with_the_upgrade(void **state)
{
    (void)state;
    struct hello hello = (open_web((struct web_options){0}), good_hello());
    struct buffer text = hello_text(&hello);
    for (int i = 0; i < 3; i++)
        frame_into(&text, FIN | TEXT, bytes_of_string("{\"id\":7,\"do\":\"hello\"}"), true);
    gateway.hold = true; /* the log-in takes its time */
    dial(&people[0]);
    send_bytes(&people[0], buffer_view(&text).data, buffer_size(&text));
    buffer_free(&text);
    expect_upgrade(&people[0]);
    assert_int_equal(gateway.commands, 0);
    gateway.hold = false;
    for (int i = 0; i < 3; i++)
        expect_text(&people[0], "\"id\":7");
}

static void test_wrong_password_is_4401(void **state)
{
    (void)state;
    struct hello hello = (open_web((struct web_options){0}), good_hello());
    hello.password = "wrong";
    greet(&people[0], &hello);
    expect_upgrade(&people[0]);
    expect_close(&people[0], 4401);
}

static void test_refused_handshakes(void **state)
{
    (void)state;
    struct hello good = (open_web((struct web_options){0}), good_hello()), bad;
    unsigned logins = gateway.logins;
#define REFUSED(status, change)                                                                              \
    do {                                                                                                     \
        bad = good;                                                                                          \
        change;                                                                                              \
        expect_refused(&people[0], &bad, "HTTP/1.1 " status " ");                                            \
    } while (0)
    REFUSED("404", bad.path = "/api/1/other");
    REFUSED("404", bad.path = "/");
    REFUSED("421", bad.host = "evil.example");
    REFUSED("421", bad.host = NULL);
    REFUSED("403", bad.origin = NULL);
    REFUSED("403", bad.origin = "http://evil.example");
    REFUSED("403", bad.origin = "null");
    REFUSED("403", bad.account = NULL);
    REFUSED("403", bad.token = NULL);
    REFUSED("403", bad.token = "0000000000000000000000000000000000000000000000000000000000000000");
    REFUSED("403", bad.token = "0000");
    REFUSED("400", bad.protocol = NULL);
    REFUSED("400", bad.protocol = "chat");
    REFUSED("400", bad.protocol = "text.ircv3.net");
    assert_int_equal(gateway.logins, logins);
    enter(&people[1]);
}

static void check_code(const char *what, int first, const char *payload, unsigned code)
{
    (void)what;
    enter(&people[0]);
    send_frame(&people[0], first, payload);
    expect_end(&people[0], code);
}

static void test_what_may_not_be_said(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    check_code("binary", FIN | BINARY, "{}", 1003);
    check_code("bad UTF-8", FIN | TEXT, "\"\xc3\x28\"", 1007);
    check_code("a character cut off", FIN | TEXT, "\"\xe2\x82", 1007);
    check_code("an opcode of the future", FIN | 3, "", 1002);
    check_code("a reserved bit", FIN | 0x40 | TEXT, "{}", 1002);
    check_code("a piece of nothing", FIN | CONTINUES, "{}", 1002);
    check_code("a ping in pieces", PING, "x", 1002);
}

static void test_unmasked_frames_end_the_connection(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    for (int i = 0; i < 3; i++) {
        struct buffer out = buffer_make(65536);
        enter(&people[0]);
        unsigned commands = gateway.commands;
        /* At first, behind a good one, and in one's middle. */
        if (i == 1)
            frame_into(&out, FIN | TEXT, bytes_of_string("{\"id\":3,\"do\":\"hello\"}"), true);
        if (i == 2)
            frame_into(&out, TEXT, bytes_of_string("{\"id\":3,\"do\":"), true);
        frame_into(&out, FIN | (i == 2 ? CONTINUES : TEXT), bytes_of_string("{\"id\":4,\"do\":\"hello\"}"),
                   false);
        send_bytes(&people[0], buffer_view(&out).data, buffer_size(&out));
        buffer_free(&out);
        if (i == 1)
            expect_text(&people[0], "\"id\":3");
        expect_end(&people[0], 1002);
        assert_int_equal(gateway.commands, commands + (i == 1));
    }
}

static void test_messages_in_pieces(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    enter(&people[0]);
    send_frame(&people[0], TEXT, "{\"id\":2,");
    send_frame(&people[0], CONTINUES, "");
    send_frame(&people[0], FIN | PING, "are you there");
    assert_string_equal(next_frame(&people[0], PONG), "are you there");
    send_frame(&people[0], CONTINUES, "\"do\":\"");
    send_frame(&people[0], FIN | CONTINUES, "hello\"}");
    expect_text(&people[0], "\"id\":2");
    /* Up to a mebibyte, not more. */
    size_t most = 1 << 20;
    char *text = calloc(1, most + 2);
    assert_non_null(text);
    memset(text, ' ', most);
    memcpy(text, "{\"id\":3,\"do\":\"hello\"}", 21);
    send_frame(&people[0], FIN | TEXT, text);
    expect_text(&people[0], "\"id\":3");
    text[most] = ' ';
    send_frame(&people[0], FIN | TEXT, text);
    expect_close(&people[0], 1009);
    free(text);
}

static void test_pings_between_pieces(void **state)
{
    (void)state;
    static const char text[] = "{\"id\":2,\"do\":\"hello\"}";
    struct buffer out = buffer_make(4096);
    open_web((struct web_options){0});
    enter(&people[0]);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        frame_into(&out, (i == 0 ? TEXT : CONTINUES) | (i == sizeof text - 2 ? FIN : 0),
                   bytes_of(text + i, 1), true);
        frame_into(&out, FIN | PING, bytes_of("p", 1), true);
    }
    send_bytes(&people[0], buffer_view(&out).data, buffer_size(&out));
    buffer_free(&out);
    /* A pong may stand for some pings (RFC 6455 §5.5.3). */
    expect_text(&people[0], "\"id\":2");
    assert_string_equal(next_frame(&people[0], PONG), "p");
    send_frame(&people[0], FIN | PING, "last");
    assert_string_equal(next_frame(&people[0], PONG), "last");
}

static void test_a_flood_of_empty_pieces(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    enter(&people[0]);
    send_frame(&people[0], TEXT, "");
    for (int i = 0; i < 100; i++)
        send_frame(&people[0], CONTINUES, "");
    expect_close(&people[0], 1008);
}

static void test_large_answers_and_a_slow_reader(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    enter(&people[0]);
    enter(&people[1]);
    for (int i = 0; i < 3; i++)
        send_frame(&people[0], FIN | TEXT, "{\"id\":5,\"do\":\"big\",\"size\":1000000}");
    for (int i = 0; i < 3; i++)
        assert_true(strlen((expect_text(&people[0], "\"id\":5"), buffer_string(&people[0].payload))) >
                    1000000);
    /* One that reads nothing is dropped; the other does not notice. */
    stream_pause(people[0].stream);
    for (int i = 0; i < 12; i++)
        send_frame(&people[0], FIN | TEXT, "{\"id\":6,\"do\":\"big\",\"size\":1000000}");
    WAIT_FOR(gateway.sessions != NULL && gateway.sessions->next == NULL);
    send_frame(&people[1], FIN | TEXT, "{\"id\":2,\"do\":\"hello\"}");
    expect_text(&people[1], "\"id\":2");
    WAIT_FOR(web_clients(web) == 1);
}

/* A socket whose owner reads nothing, and whose system takes little. */
static int deaf_socket(void)
{
    const struct sockaddr *address = (const struct sockaddr *)web_listening(web, 0);
    int fd = socket(address->sa_family, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){2048}, sizeof(int));
    assert_int_equal(connect(fd, address, address_size(address)), 0);
    return fd;
}

static void test_one_that_takes_nothing(void **state)
{
    (void)state;
    struct hello hello = (open_web((struct web_options){.patience_ms = 50}), good_hello());
    struct buffer text = hello_text(&hello);
    int fd = deaf_socket();
    for (int i = 0; i < 3; i++)
        frame_into(&text, FIN | TEXT, bytes_of_string("{\"id\":6,\"do\":\"big\",\"size\":1000000}"), true);
    assert_int_equal(write(fd, buffer_view(&text).data, buffer_size(&text)), buffer_size(&text));
    buffer_free(&text);
    WAIT_FOR(gateway.sessions != NULL);
    WAIT_FOR(gateway.sessions == NULL && web_clients(web) == 0);
    close(fd);
}

static void test_no_memory_to_log_in(void **state)
{
    (void)state;
    struct hello hello = (open_web((struct web_options){0}), good_hello());
    gateway.full = true;
    greet(&people[0], &hello);
    expect_upgrade(&people[0]);
    expect_close(&people[0], 1013);
}

static void test_silence(void **state)
{
    (void)state;
    open_web((struct web_options){.quiet_ms = 50, .patience_ms = 300});
    enter(&people[0]);
    enter(&people[1]);
    /* One answers twice, the other does not. */
    for (int i = 0; i < 2; i++) {
        const char *ping = next_frame(&people[0], PING);
        send_frame(&people[0], FIN | PONG, ping);
    }
    while (!people[1].closed) {
        if (take_frame(&people[0]) && people[0].opcode == PING)
            send_frame(&people[0], FIN | PONG, buffer_string(&people[0].payload));
        assert_true(step(clock_monotonic_ms()));
    }
    assert_false(people[0].closed);
}

static void test_many_commands_wait(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    enter(&people[0]);
    gateway.hold = true;
    for (int i = 0; i < 200; i++)
        send_frame(&people[0], FIN | TEXT, "{\"id\":9,\"do\":\"hello\"}");
    WAIT_FOR(gateway.commands >= 1 + 64);
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(gateway.commands, 1 + 64);
    gateway.hold = false;
    for (int i = 0; i < 200; i++)
        expect_text(&people[0], "\"id\":9");
}

static void test_the_session_ends(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    enter(&people[0]);
    struct gateway_session *session = gateway.sessions;
    session->events->ended(session->arg, "the password was revoked");
    DL_DELETE(gateway.sessions, session);
    free(session);
    expect_close(&people[0], 4401);
}

/* One in each state: head unfinished, TLS unfinished, logging in, signed in, in the middle of a message,
 * closing, reading nothing. */
static void test_shutdown_in_every_state(void **state)
{
    (void)state;
    struct hello hello = (open_web((struct web_options){0}), good_hello());
    dial(&people[0]);
    say(&people[0], "GET / HT");
    dial_with(&people[1], NULL);
    enter(&people[2]);
    enter(&people[3]);
    send_frame(&people[3], TEXT, "{\"id\":2,");
    enter(&people[4]);
    send_frame(&people[4], FIN | BINARY, "x");
    next_frame(&people[4], CLOSE);
    enter(&people[5]);
    stream_pause(people[5].stream);
    for (int i = 0; i < 3; i++)
        send_frame(&people[5], FIN | TEXT, "{\"id\":6,\"do\":\"big\",\"size\":1000000}");
    WAIT_FOR(gateway.answers == NULL);
    gateway.hold = true;
    greet(&people[6], &hello);
    expect_upgrade(&people[6]);
    dial(&people[7]);
    web_close(web, mark_gone, NULL);
    web = NULL;
    expect_close(&people[2], 1001);
    expect_close(&people[3], 1001);
    WAIT_FOR(web_gone);
    gateway.hold = false;
}

static void test_shutdown_without_anybody(void **state)
{
    (void)state;
    open_web((struct web_options){0});
}

int main(void)
{
#define BOTH(name)                                                                                           \
    cmocka_unit_test_setup_teardown(test_##name, begin_plain, end),                                          \
        cmocka_unit_test_setup_teardown(test_##name, begin_tls, end)
    const struct CMUnitTest tests[] = {
        BOTH(shutdown_without_anybody),
        BOTH(conversation),
        BOTH(every_byte_alone),
        BOTH(frames_pipelined_with_the_upgrade),
        BOTH(wrong_password_is_4401),
        BOTH(refused_handshakes),
        BOTH(what_may_not_be_said),
        BOTH(unmasked_frames_end_the_connection),
        BOTH(messages_in_pieces),
        BOTH(pings_between_pieces),
        BOTH(a_flood_of_empty_pieces),
        BOTH(large_answers_and_a_slow_reader),
        cmocka_unit_test_setup_teardown(test_one_that_takes_nothing, begin_plain, end),
        BOTH(no_memory_to_log_in),
        BOTH(silence),
        BOTH(many_commands_wait),
        BOTH(the_session_ends),
        BOTH(shutdown_in_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
