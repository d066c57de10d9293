/* SPDX-License-Identifier: ISC */
/* The front with the page's server behind it, over loopback: who is let in, for how long, and who serves it.
 */
#include "unit/web/live_scene.h"

#include <fcntl.h>

static void test_http_and_websockets_at_one_port(void **state)
{
    (void)state;
    struct hello hello = (open_web((struct web_options){0}), good_hello());
    char request[256];
    snprintf(request, sizeof request, "GET /api/1/session HTTP/1.1\r\nHost: %s\r\n\r\n", hello.host);
    dial(&people[0]);
    enter(&people[1]);
    say(&people[0], request);
    WAIT_FOR(has(&people[0], "signed_in"));
    assert_true(has(&people[0], "HTTP/1.1 200 "));
    /* The connection goes on, and others beside it. */
    buffer_clear(&people[0].in);
    say(&people[0], request);
    WAIT_FOR(has(&people[0], "signed_in"));
    send_frame(&people[1], FIN | TEXT, "{\"id\":2,\"do\":\"hello\"}");
    expect_text(&people[1], "\"id\":2");
    /* What was HTTP stays HTTP. */
    struct buffer text = hello_text(&hello);
    buffer_clear(&people[0].in);
    send_bytes(&people[0], buffer_view(&text).data, buffer_size(&text));
    buffer_free(&text);
    WAIT_FOR(has(&people[0], "HTTP/1.1 426 "));
}

static void test_a_head_byte_by_byte(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    char request[256];
    int size = snprintf(request, sizeof request, "GET /api/1/session HTTP/1.1\r\nHost: %s\r\n\r\n",
                        good_hello().host);
    dial(&people[0]);
    for (int i = 0; i < size; i++) {
        send_bytes(&people[0], request + i, 1);
        for (int turns = 0; turns < 3; turns++)
            uv_run(&loop, UV_RUN_NOWAIT);
    }
    WAIT_FOR(has(&people[0], "HTTP/1.1 200 "));
}

static void test_what_is_no_request(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    dial(&people[0]);
    say(&people[0], "HELO example\r\n\r\n");
    WAIT_FOR(people[0].closed);
    assert_true(has(&people[0], "HTTP/1.1 400 "));
    /* A head that has no end, and one that comes at once. */
    char *large = calloc(1, 20001);
    assert_non_null(large);
    memset(large, 'x', 20000);
    memcpy(large, "GET / HTTP/1.1\r\nA: ", 19);
    dial(&people[0]);
    say(&people[0], large);
    free(large);
    WAIT_FOR(people[0].closed);
    assert_true(has(&people[0], "HTTP/1.1 431 "));
    WAIT_FOR(web_clients(web) == 0);
}

static void test_those_who_say_too_little_in_time(void **state)
{
    (void)state;
    open_web((struct web_options){.head_ms = 60});
    dial(&people[0]);
    dial(&people[1]);
    say(&people[1], "GET / HTTP/1.1\r\nHost: ");
    dial_with(&people[2], NULL); /* under TLS: not even the first byte of it */
    WAIT_FOR(people[0].closed && people[1].closed && people[2].closed);
    WAIT_FOR(web_clients(web) == 0);
}

/* Woken once for each piece, not for ever. */
static void test_waiting_costs_nothing(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    dial(&people[0]);
    say(&people[0], "GET / HTTP/1.1\r\nHost: ");
    WAIT_FOR(web_clients(web) == 1);
    for (int i = 0; i < 50; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    uint64_t before = clock_monotonic_ms();
    unsigned turns = 0;
    for (; clock_monotonic_ms() - before < 200; turns++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(turns < 50);
}

static void test_ending_before_the_head_does(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    dial(&people[0]);
    say(&people[0], "GET / HT");
    WAIT_FOR(web_clients(web) == 1);
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    stream_close(people[0].stream, "ended");
    WAIT_FOR(people[0].closed && web_clients(web) == 0);
}

static void test_limits(void **state)
{
    (void)state;
    open_web((struct web_options){.clients_per_address = 2});
    enter(&people[0]);
    enter(&people[1]);
    dial(&people[2]);
    WAIT_FOR(people[2].closed);
    assert_int_equal(web_clients(web), 2);
    send_frame(&people[0], FIN | CLOSE, "\x03\xe8");
    expect_close(&people[0], 1000);
    WAIT_FOR(web_clients(web) == 1);
    enter(&people[2]);
    close_web();
    WAIT_FOR(people[1].closed && people[2].closed);
    web_gone = false;
    open_web((struct web_options){.clients = 1});
    enter(&people[0]);
    dial(&people[1]);
    WAIT_FOR(people[1].closed);
}

static void test_plain_to_a_tls_port(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    dial_with(&people[0], NULL);
    say(&people[0], "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(people[0].closed);
    assert_true(has(&people[0], "HTTP/1.1 400 "));
    assert_true(has(&people[0], "https://"));
}

static void test_tls_to_a_plain_port(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    dial_with(&people[0], tls);
    WAIT_FOR(people[0].closed);
    SSL_CTX_free(tls);
}

static void test_only_http_1_is_agreed_on(void **state)
{
    (void)state;
    static const unsigned char offered[] = "\x02h2\x08http/1.1";
    const unsigned char *chosen = NULL;
    unsigned size = 0;
    open_web((struct web_options){0});
    SSL_CTX_set_alpn_protos(client_tls, offered, sizeof offered - 1);
    enter(&people[0]);
    SSL_get0_alpn_selected(stream_tls(people[0].stream), &chosen, &size);
    assert_bytes_equal(bytes_of(chosen, size), bytes_of_string("http/1.1"));
}

static void test_a_renewed_certificate(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    enter(&people[0]);
    SSL_CTX *second = make_certificate();
    web_set_tls(web, second);
    enter(&people[1]);
    X509 *shown = SSL_get1_peer_certificate(stream_tls(people[1].stream));
    assert_int_equal(X509_cmp(shown, SSL_CTX_get0_certificate(second)), 0);
    X509_free(shown);
    SSL_CTX_free(second);
    send_frame(&people[0], FIN | TEXT, "{\"id\":2,\"do\":\"hello\"}");
    expect_text(&people[0], "\"id\":2");
}

static void refuse_options(struct web_options options, const char *address, bool tls, const char *part)
{
    struct web_listen listen = {.tls = tls};
    struct error *error = NULL;
    assert_true(address_parse(&listen.address, address, 0, NULL));
    options.listen = &listen;
    options.listen_count = 1;
    assert_null(web_open(&loop, &gateway, &options, &error));
    assert_non_null(error);
    if (strstr(error->text, part) == NULL)
        fail_msg("%s", error->text);
    error_free(error);
}

static void test_refused_options(void **state)
{
    (void)state;
    refuse_options((struct web_options){0}, "0.0.0.0:0", false, "loopback only");
    refuse_options((struct web_options){0}, "[::]:0", false, "loopback only");
    refuse_options((struct web_options){0}, "127.0.0.1:0", true, "needs a certificate");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_storage taken;
    socklen_t size = sizeof taken;
    char address[64];
    assert_true(address_parse(&taken, "127.0.0.1:0", 0, NULL));
    assert_int_equal(bind(fd, (struct sockaddr *)&taken, sizeof(struct sockaddr_in)), 0);
    assert_int_equal(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&taken, &size);
    address_format(address, sizeof address, (struct sockaddr *)&taken);
    refuse_options((struct web_options){0}, address, false, "cannot listen");
    close(fd);
}

/* A large answer to one who reads slowly arrives whole, whatever lies in between. */
static void test_large_answers_arrive_whole(void **state)
{
    (void)state;
    open_web((struct web_options){0});
    char request[256];
    snprintf(request, sizeof request,
             "GET /api/1/openapi.json HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", good_hello().host);
    dial(&people[0]);
    say(&people[0], request);
    WAIT_FOR(has(&people[0], "\r\n\r\n"));
    WAIT_FOR(people[0].closed);
    struct bytes view = buffer_view(&people[0].in);
    const char *text = buffer_string(&people[0].in), *length = strcasestr(text, "content-length: ");
    const uint8_t *body = memmem(view.data, view.size, "\r\n\r\n", 4);
    assert_non_null(length);
    assert_int_equal(strtoul(length + 16, NULL, 10), (size_t)(view.data + view.size - body) - 4);
}

int main(void)
{
#define BOTH(name)                                                                                           \
    cmocka_unit_test_setup_teardown(test_##name, begin_plain, end),                                          \
        cmocka_unit_test_setup_teardown(test_##name, begin_tls, end)
#define PLAIN(name) cmocka_unit_test_setup_teardown(test_##name, begin_plain, end)
#define TLS(name)   cmocka_unit_test_setup_teardown(test_##name, begin_tls, end)
    const struct CMUnitTest tests[] = {
        BOTH(http_and_websockets_at_one_port),
        BOTH(a_head_byte_by_byte),
        BOTH(what_is_no_request),
        BOTH(those_who_say_too_little_in_time),
        PLAIN(waiting_costs_nothing),
        BOTH(ending_before_the_head_does),
        BOTH(limits),
        TLS(plain_to_a_tls_port),
        PLAIN(tls_to_a_plain_port),
        TLS(only_http_1_is_agreed_on),
        TLS(a_renewed_certificate),
        PLAIN(refused_options),
        BOTH(large_answers_arrive_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
