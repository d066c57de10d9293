/* SPDX-License-Identifier: ISC */
/* The server with its listeners, streams and timers, over loopback; the gateway is the fake one. */
#include "bridges/irc/irc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/address.h"
#include "base/stream.h"
#include "base/tls.h"
#include "bridges/irc/message.h"
#include "support/vectors.h"
#include "unit/irc/fake_gateway.h"

enum { PEOPLE = 3, TURNS = 20000 };

/* A person's client: a stream and what it was sent. */
struct person {
    struct stream *stream;
    struct buffer in;
    bool closed, deaf;
};

static struct gateway gateway;
static struct irc *irc;
static uv_loop_t loop;
static uv_prepare_t turn;
static struct person people[PEOPLE];
static bool irc_closed;

/* The fake gateway answers once in each turn of the loop. */
static void on_turn(uv_prepare_t *handle)
{
    (void)handle;
    fake_run(&gateway);
}

static void on_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct person *person = arg;
    (void)stream;
    buffer_append_bytes(&person->in, buffer_view(input));
    buffer_consume(input, buffer_size(input));
}

static void on_closed(void *arg, struct stream *stream, const char *reason)
{
    struct person *person = arg;
    (void)stream;
    (void)reason;
    person->closed = true;
    person->stream = NULL;
}

static const struct stream_events events = {.data = on_data, .closed = on_closed};

static bool step(void)
{
    static int turns;
    turns = (turns + 1) % TURNS;
    uv_run(&loop, UV_RUN_ONCE);
    return turns != 0;
}

static int setup(void **state)
{
    (void)state;
    fake_init(&gateway);
    fake_person_add(&gateway, "bob", "can talk", true);
    assert_int_equal(uv_loop_init(&loop), 0);
    uv_prepare_init(&loop, &turn);
    uv_prepare_start(&turn, on_turn);
    irc_closed = false;
    return 0;
}

static void mark_closed(void *arg)
{
    (void)arg;
    irc_closed = true;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEOPLE; i++)
        if (people[i].stream != NULL)
            stream_abort(people[i].stream, "the test is over");
    if (irc != NULL) {
        irc_close(irc, mark_closed, NULL);
        while (!irc_closed && step())
            ;
        assert_true(irc_closed);
    }
    irc = NULL;
    uv_close((uv_handle_t *)&turn, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_null(gateway.sessions);
    for (size_t i = 0; i < PEOPLE; i++)
        buffer_free(&people[i].in);
    memset(people, 0, sizeof people);
    fake_clear(&gateway);
    return 0;
}

static void open_server(const char *address, SSL_CTX *tls, struct irc_options options)
{
    struct irc_listen listen = {.tls = tls != NULL};
    struct error *error = NULL;
    assert_true(address_parse(&listen.address, address, 0, &error));
    options.listen = &listen;
    options.listen_count = 1;
    options.tls = tls;
    irc = irc_open(&loop, &gateway, &options, &error);
    assert_non_null(irc);
    assert_null(error);
}

static void dial(struct person *person, SSL_CTX *tls)
{
    struct stream_options options = {.tls = tls, .input_limit = 1 << 20, .output_limit = 1 << 20};
    struct error *error = NULL;
    person->in = buffer_make((size_t)64 << 20);
    person->stream = stream_connect(&loop, (const struct sockaddr *)irc_listening(irc, 0), &options, &events,
                                    person, &error);
    assert_non_null(person->stream);
}

static void say(struct person *person, const char *text)
{
    assert_true(stream_write(person->stream, text, strlen(text)));
}

static bool find_line(struct person *person, const char *mask)
{
    struct bytes view = buffer_view(&person->in);
    const uint8_t *end;
    while (view.size > 0 && (end = memchr(view.data, '\n', view.size)) != NULL) {
        char line[9000];
        size_t size = (size_t)(end - view.data);
        assert_true(size > 0 && size < sizeof line);
        memcpy(line, view.data, size - 1);
        line[size - 1] = '\0';
        buffer_consume(&person->in, size + 1);
        if (mask_match(mask, line))
            return true;
        view = buffer_view(&person->in);
    }
    return false;
}

static void expect(struct person *person, const char *mask)
{
    while (!find_line(person, mask))
        if (person->closed || !step()) {
            print_error("nothing like: %s\n", mask);
            fail();
        }
}

static void log_in(struct person *person, const char *device)
{
    char text[256];
    snprintf(text, sizeof text, "PASS alice@%s:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n", device);
    say(person, text);
    expect(person, "* 001 ali *");
    expect(person, "* 366 ali &bob *");
}

static void test_conversation(void **state)
{
    (void)state;
    open_server("127.0.0.1:0", NULL, (struct irc_options){0});
    dial(&people[0], NULL);
    dial(&people[1], NULL);
    log_in(&people[0], "a");
    log_in(&people[1], "b");
    assert_int_equal(irc_clients(irc), 2);
    say(&people[0], "PRIVMSG &bob :hello\r\n");
    expect(&people[1], ":ali!* PRIVMSG &bob :hello");
    fake_line_add(&gateway, 1, "in", "hi", "");
    expect(&people[0], ":bob!* PRIVMSG &bob :hi");
    expect(&people[1], ":bob!* PRIVMSG &bob :hi");
    say(&people[0], "QUIT\r\n");
    expect(&people[0], "ERROR *");
    while (!people[0].closed && step())
        ;
    say(&people[1], "PING x\r\n");
    expect(&people[1], "* PONG *");
    assert_int_equal(irc_clients(irc), 1);
}

static void test_closing_says_good_bye(void **state)
{
    (void)state;
    open_server("[::1]:0", NULL, (struct irc_options){0});
    dial(&people[0], NULL);
    log_in(&people[0], "a");
    irc_close(irc, mark_closed, NULL);
    irc = NULL;
    expect(&people[0], "ERROR :Closing link: The gateway is shutting down");
    while (!irc_closed && step())
        ;
    assert_true(irc_closed);
}

static SSL_CTX *make_certificate(const char *folder)
{
    char certificate[128], key[128];
    struct error *error = NULL;
    snprintf(certificate, sizeof certificate, "%s/certificate", folder);
    snprintf(key, sizeof key, "%s/key", folder);
    assert_true(tls_make_self_signed(certificate, key, "localhost", &error));
    SSL_CTX *context = tls_server_context(certificate, key, &error);
    assert_non_null(context);
    unlink(certificate);
    unlink(key);
    return context;
}

static void test_tls(void **state)
{
    (void)state;
    char folder[] = TEST_BINARIES "/irc-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    SSL_CTX *first = make_certificate(folder), *second = make_certificate(folder);
    SSL_CTX *anybody = SSL_CTX_new(TLS_client_method());
    open_server("127.0.0.1:0", first, (struct irc_options){0});
    dial(&people[0], anybody);
    log_in(&people[0], "a");
    say(&people[0], "WHOIS ali\r\n");
    expect(&people[0], "* 671 ali ali :*");
    X509 *shown = SSL_get1_peer_certificate(stream_tls(people[0].stream));
    assert_int_equal(X509_cmp(shown, SSL_CTX_get0_certificate(first)), 0);
    X509_free(shown);
    /* A renewed certificate is for the next connection; the first goes on. */
    irc_set_tls(irc, second);
    dial(&people[1], anybody);
    log_in(&people[1], "b");
    shown = SSL_get1_peer_certificate(stream_tls(people[1].stream));
    assert_int_equal(X509_cmp(shown, SSL_CTX_get0_certificate(second)), 0);
    X509_free(shown);
    say(&people[0], "PING x\r\n");
    expect(&people[0], "* PONG *");
    SSL_CTX_free(first);
    SSL_CTX_free(second);
    SSL_CTX_free(anybody);
    rmdir(folder);
}

static void test_plain_to_a_tls_port(void **state)
{
    (void)state;
    char folder[] = TEST_BINARIES "/irc-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    SSL_CTX *tls = make_certificate(folder);
    open_server("127.0.0.1:0", tls, (struct irc_options){0});
    dial(&people[0], NULL);
    while (people[0].stream != NULL && !stream_write(people[0].stream, "", 0) && step())
        ;
    say(&people[0], "NICK ali\r\nUSER a 0 * :A\r\n");
    while (!people[0].closed && step())
        ;
    assert_true(people[0].closed);
    SSL_CTX_free(tls);
    rmdir(folder);
}

/* A blocking socket whose owner reads nothing. */
static int deaf_socket(void)
{
    const struct sockaddr *address = (const struct sockaddr *)irc_listening(irc, 0);
    int fd = socket(address->sa_family, SOCK_STREAM, 0), small = 2048;
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(connect(fd, address, address_size(address)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void test_slow_client_is_dropped_and_nobody_notices(void **state)
{
    (void)state;
    open_server("127.0.0.1:0", NULL, (struct irc_options){.output_limit = 1});
    dial(&people[0], NULL);
    log_in(&people[0], "a");
    int fd = deaf_socket();
    static const char hello[] = "PASS alice@slow:secret\r\nNICK slow\r\nUSER a 0 * :A\r\n";
    assert_int_equal(write(fd, hello, sizeof hello - 1), sizeof hello - 1);
    while (irc_clients(irc) < 2 && step())
        ;
    static char text[60001];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 40; i++) {
        fake_line_add(&gateway, 1, "in", text, "");
        for (int pieces = 0; pieces < 100; pieces++)
            expect(&people[0], "*PRIVMSG &bob :x*");
    }
    /* Lines of people are held back for it, so it lives and lags ... */
    say(&people[0], "PING still\r\n");
    expect(&people[0], "* PONG * :still");
    assert_int_equal(irc_clients(irc), 2);
    /* ... until what it asked for itself is too much. */
    gateway.answer = text;
    for (int i = 0; i < 40; i++)
        (void)!write(fd, "PRIVMSG &gateway :x\r\n", 21);
    while (irc_clients(irc) > 1 && step())
        ;
    assert_int_equal(irc_clients(irc), 1);
    say(&people[0], "PING still\r\n");
    expect(&people[0], "* PONG * :still");
    close(fd);
}

static void test_limit_per_address(void **state)
{
    (void)state;
    open_server("127.0.0.1:0", NULL, (struct irc_options){.clients_per_address = 1});
    dial(&people[0], NULL);
    log_in(&people[0], "a");
    dial(&people[1], NULL);
    while (!people[1].closed && step())
        ;
    assert_true(people[1].closed);
    assert_int_equal(irc_clients(irc), 1);
}

/* Hands one end of a socket pair to the server, as the web bridge does; the person has the other. */
static bool adopt(struct person *person, bool secure)
{
    struct stream_options options = {.input_limit = 1 << 20, .output_limit = 1 << 20};
    struct sockaddr_storage peer;
    struct error *error = NULL;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    assert_true(address_parse(&peer, "203.0.113.5:40000", 0, &error));
    if (!irc_adopt(irc, pair[0], &peer, secure)) {
        close(pair[0]);
        close(pair[1]);
        return false;
    }
    person->in = buffer_make((size_t)64 << 20);
    person->stream = stream_open(&loop, pair[1], &options, &events, person, &error);
    assert_non_null(person->stream);
    return true;
}

static void test_adopted(void **state)
{
    (void)state;
    open_server("127.0.0.1:0", NULL, (struct irc_options){.clients = 2, .clients_per_address = 1});
    /* Two of one address: the limit per address is that of who accepted them. */
    assert_true(adopt(&people[0], true));
    assert_true(adopt(&people[1], false));
    assert_false(adopt(&people[2], false));
    assert_int_equal(irc_clients(irc), 2);
    log_in(&people[0], "a");
    log_in(&people[1], "b");
    say(&people[0], "PRIVMSG &bob :hello\r\nWHOIS ali\r\n");
    expect(&people[1], ":ali!* PRIVMSG &bob :hello");
    expect(&people[0], "* 671 ali ali :*");
    say(&people[1], "QUIT\r\n");
    while (!people[1].closed && step())
        ;
    while (irc_clients(irc) > 1 && step())
        ;
    assert_int_equal(irc_clients(irc), 1);
    dial(&people[2], NULL);
    log_in(&people[2], "c");
    irc_close(irc, mark_closed, NULL);
    assert_false(adopt(&people[1], false));
    irc = NULL;
    expect(&people[0], "ERROR :Closing link: The gateway is shutting down");
    while (!irc_closed && step())
        ;
    assert_true(irc_closed);
}

static void test_commands_of_who_has_left_are_dropped(void **state)
{
    (void)state;
    enum { LINES = 20000, SOME = 100 }; /* sixty at once, then ten a second */
    static const char line[] = "PRIVMSG &bob :hello\r\n";
    open_server("127.0.0.1:0", NULL, (struct irc_options){.idle_ms = 4800});
    dial(&people[0], NULL);
    log_in(&people[0], "a");
    for (int i = 0; i < LINES; i++)
        assert_true(stream_write(people[0].stream, line, sizeof line - 1));
    while (stream_queued(people[0].stream) > 0 && step())
        ;
    stream_abort(people[0].stream, "gone");
    while (irc_clients(irc) > 0 && fake_count(&gateway, "say", NULL) < SOME && step())
        ;
    assert_int_equal(irc_clients(irc), 0);
    assert_in_range(fake_count(&gateway, "say", NULL), 1, SOME - 1);
}

static void test_registration_ends_in_time(void **state)
{
    (void)state;
    open_server("127.0.0.1:0", NULL, (struct irc_options){.registration_ms = 20});
    dial(&people[0], NULL);
    expect(&people[0], "ERROR :Closing link: Registration took too long");
}

static void refuse_options(struct irc_options options, const char *address, bool tls, const char *mask)
{
    struct irc_listen listen = {.tls = tls};
    struct error *error = NULL;
    assert_true(address_parse(&listen.address, address, 0, &error));
    options.listen = &listen;
    options.listen_count = 1;
    assert_null(irc_open(&loop, &gateway, &options, &error));
    assert_non_null(error);
    assert_true(mask_match(mask, error->text));
    error_free(error);
}

static void test_refused_options(void **state)
{
    (void)state;
    refuse_options((struct irc_options){0}, "0.0.0.0:0", false, "*loopback only*0.0.0.0:0*");
    refuse_options((struct irc_options){0}, "[::]:0", false, "*loopback only*");
    refuse_options((struct irc_options){0}, "127.0.0.1:0", true, "*needs a certificate*");
    refuse_options((struct irc_options){.name = "nodots"}, "127.0.0.1:0", false, "*host name*");
    refuse_options((struct irc_options){.network = "two words"}, "127.0.0.1:0", false, "*without spaces*");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(conversation),
        TEST(closing_says_good_bye),
        TEST(tls),
        TEST(plain_to_a_tls_port),
        TEST(slow_client_is_dropped_and_nobody_notices),
        TEST(limit_per_address),
        TEST(adopted),
        TEST(commands_of_who_has_left_are_dropped),
        TEST(registration_ends_in_time),
        TEST(refused_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
