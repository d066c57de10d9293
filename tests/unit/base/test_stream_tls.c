/* SPDX-License-Identifier: ISC */
#include "test_stream_ends.h"

#include <openssl/err.h>

static void ids_and_peers_are_known(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 0);
    struct end a = {0}, b = {0};
    ends_open(&scene, &a, &b);
    assert_true(stream_id(a.stream) != stream_id(b.stream));
    assert_int_equal(stream_peer(a.stream)->ss_family, AF_INET);
    assert_null(stream_tls(a.stream));
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

static void write_often(struct end *end)
{
    for (unsigned i = 0; i < 1000; i++)
        assert_true(stream_write(end->stream, "0123456789", 10));
}

/* A packet socket keeps the borders of what each system call sent. */
static void one_turn_is_one_send(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 0);
    int fds[2];
    uint8_t got[20000];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct end a = {.on_ready = write_often};
    end_open(&scene, &a, fds[0], false);
    RUN_UNTIL(&scene, a.ready && stream_queued(a.stream) == 0);
    assert_int_equal(recv(fds[1], got, sizeof got, 0), 10000);
    end_free(&scene, &a);
    close(fds[1]);
    scene_close(&scene);
}

static void a_silent_client_meets_the_deadline(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, TLS1_3_VERSION);
    scene.options.handshake_ms = 10;
    int fds[2];
    tcp_pair(fds);
    struct end a = {0};
    end_open(&scene, &a, fds[0], true);
    RUN_UNTIL(&scene, a.closed);
    assert_string_equal(a.reason, "handshake deadline");
    assert_int_equal(a.ready, 0);
    end_free(&scene, &a);
    close(fds[1]);
    scene_close(&scene);
}

static void nonsense_instead_of_tls_is_refused(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, TLS1_3_VERSION);
    int fds[2];
    tcp_pair(fds);
    struct end a = {0};
    end_open(&scene, &a, fds[0], true);
    assert_int_equal(write(fds[1], "NICK alice\r\nUSER a 0 * a\r\n", 26), 26);
    RUN_UNTIL(&scene, a.closed);
    assert_memory_equal(a.reason, "TLS: ", 5);
    assert_int_equal(ERR_peek_error(), 0);
    end_free(&scene, &a);
    close(fds[1]);
    scene_close(&scene);
}

static void a_certificate_of_nobody_is_refused(void **state)
{
    (void)state;
    struct scene scene, other;
    scene_open(&scene, TLS1_3_VERSION);
    scene_open(&other, TLS1_3_VERSION);
    SSL_CTX *known = scene.client;
    scene.client = other.client;
    struct end a = {0}, b = {0};
    ends_open(&scene, &a, &b);
    RUN_UNTIL(&scene, a.closed && b.closed);
    assert_non_null(strstr(a.reason, "certificate refused: self-signed certificate"));
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene.client = known;
    scene_close(&scene);
    scene_close(&other);
}

static void tls_that_only_stops_is_told_apart(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, TLS1_3_VERSION);
    struct end a = {0}, b = {0};
    ends_open(&scene, &a, &b);
    RUN_UNTIL(&scene, a.ready && b.ready);
    stream_write(a.stream, "half", 4);
    RUN_UNTIL(&scene, buffer_size(&b.got) == 4);
    stream_abort(a.stream, "cut");
    RUN_UNTIL(&scene, b.closed);
    assert_string_equal(b.reason, "closed by peer: without the end of TLS");
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

static void goodbye(struct end *end)
{
    (void)end;
    fail_msg("a closing stream is not announced");
}

static void what_is_said_before_the_handshake_goes_out_after_it(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, TLS1_2_VERSION);
    struct end a = {0}, b = {.on_ready = goodbye};
    ends_open(&scene, &a, &b);
    stream_write(b.stream, "too many", 8);
    stream_close(b.stream, "too many");
    RUN_UNTIL(&scene, a.closed && b.closed);
    assert_bytes_equal(buffer_view(&a.got), bytes_of_string("too many"));
    assert_string_equal(b.reason, "too many");
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

static void close_ends_although_the_far_end_stays(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, TLS1_3_VERSION);
    struct end a = {0}, b = {0};
    ends_open(&scene, &a, &b);
    RUN_UNTIL(&scene, a.ready && b.ready);
    stream_pause(b.stream);
    stream_close(a.stream, "bye");
    RUN_UNTIL(&scene, a.closed);
    assert_string_equal(a.reason, "bye");
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

/* STARTTLS: the server answers in clear and begins; the client begins when it has read the answer. */
static SSL_CTX *starttls_server, *starttls_client;

static void server_hears(struct end *end, struct buffer *input)
{
    struct error *error = NULL;
    if (stream_tls(end->stream) != NULL) {
        buffer_append_bytes(&end->got, buffer_view(input));
        buffer_consume(input, buffer_size(input));
        return;
    }
    assert_memory_equal(buffer_view(input).data, "STARTTLS\n", 9);
    buffer_consume(input, 9);
    stream_write(end->stream, "go on\n", 6);
    bool begun = stream_start_tls(end->stream, starttls_server, true, &error);
    if (begun)
        stream_write(end->stream, "secret of the server", 20);
    else
        stream_close(end->stream, error->text);
    error_free(error);
}

static void client_hears(struct end *end, struct buffer *input)
{
    if (stream_tls(end->stream) == NULL) {
        assert_bytes_equal(buffer_view(input), bytes_of_string("go on\n"));
        buffer_consume(input, 6);
        assert_true(stream_start_tls(end->stream, starttls_client, false, NULL));
        assert_false(stream_start_tls(end->stream, starttls_client, false, NULL));
        stream_write(end->stream, "secret of the client", 20);
        return;
    }
    buffer_append_bytes(&end->got, buffer_view(input));
    buffer_consume(input, buffer_size(input));
}

static void tls_can_begin_later(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 0);
    scene_contexts(&starttls_server, &starttls_client, TLS1_3_VERSION);
    struct end a = {.on_data = client_hears}, b = {.on_data = server_hears};
    ends_open(&scene, &a, &b);
    stream_write(a.stream, "STARTTLS\n", 9);
    RUN_UNTIL(&scene, buffer_size(&a.got) == 20 && buffer_size(&b.got) == 20);
    assert_bytes_equal(buffer_view(&a.got), bytes_of_string("secret of the server"));
    assert_bytes_equal(buffer_view(&b.got), bytes_of_string("secret of the client"));
    assert_int_equal(a.ready, 2);
    end_free(&scene, &a);
    end_free(&scene, &b);
    SSL_CTX_free(starttls_server);
    SSL_CTX_free(starttls_client);
    scene_close(&scene);
}

static void tls_does_not_begin_over_waiting_input(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 0);
    scene_contexts(&starttls_server, &starttls_client, TLS1_3_VERSION);
    struct end a = {0}, b = {.on_data = server_hears};
    ends_open(&scene, &a, &b);
    stream_write(a.stream, "STARTTLS\nRCPT TO:<mallory>\n", 27);
    RUN_UNTIL(&scene, a.closed && b.closed);
    assert_string_equal(b.reason, "TLS cannot begin: more was said in clear after asking for it");
    end_free(&scene, &a);
    end_free(&scene, &b);
    SSL_CTX_free(starttls_server);
    SSL_CTX_free(starttls_client);
    scene_close(&scene);
}

static void connecting(struct scene *scene, struct end *end, const struct sockaddr_in *address)
{
    struct error *error = NULL;
    struct stream_options options = scene->options;
    options.tls = scene->client;
    end->got = buffer_make(1000);
    end->stream =
        stream_connect(&scene->loop, (const struct sockaddr *)address, &options, &end_events, end, &error);
    assert_non_null(end->stream);
}

static void connect_works_or_says_why_not(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, TLS1_3_VERSION);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);

    struct end refused = {0};
    connecting(&scene, &refused, &address);
    RUN_UNTIL(&scene, refused.closed);
    assert_string_equal(refused.reason, "connect: connection refused");
    end_free(&scene, &refused);

    assert_int_equal(listen(listening, 1), 0);
    struct end a = {0}, b = {0};
    connecting(&scene, &a, &address);
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    end_open(&scene, &b, fd, true);
    stream_write(b.stream, "hello", 5);
    RUN_UNTIL(&scene, buffer_size(&a.got) == 5);
    assert_int_equal(a.ready, 1);
    end_free(&scene, &a);
    end_free(&scene, &b);
    close(listening);
    scene_close(&scene);
}

static void an_impossible_address_is_an_error(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 0);
    struct error *error = NULL;
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    memcpy(((struct sockaddr *)&address)->sa_data, "/nonexistent", 13);
    assert_null(
        stream_connect(&scene.loop, (struct sockaddr *)&address, &scene.options, &end_events, NULL, &error));
    assert_non_null(strstr(error->text, "no such file"));
    error_free(error);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_peers_are_known),
        cmocka_unit_test(one_turn_is_one_send),
        cmocka_unit_test(a_silent_client_meets_the_deadline),
        cmocka_unit_test(nonsense_instead_of_tls_is_refused),
        cmocka_unit_test(a_certificate_of_nobody_is_refused),
        cmocka_unit_test(tls_that_only_stops_is_told_apart),
        cmocka_unit_test(what_is_said_before_the_handshake_goes_out_after_it),
        cmocka_unit_test(close_ends_although_the_far_end_stays),
        cmocka_unit_test(tls_can_begin_later),
        cmocka_unit_test(tls_does_not_begin_over_waiting_input),
        cmocka_unit_test(connect_works_or_says_why_not),
        cmocka_unit_test(an_impossible_address_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
