/* SPDX-License-Identifier: ISC */
/* Where passwords may pass, and how TLS begins: over sockets, and over pairs of sockets whose far end is said
 * to be elsewhere. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridges/mail/session.h"
#include "bridges/mail/submission.h"
#include "unit/mail/wire.h"

static struct wire wire;
static struct site site;
static struct person person;
static struct person *const me = &person;
static char name[] = "mail.test.alt", domain[] = "distant.alt";
static SSL_CTX *server_tls, *client_tls;
static char folder[] = "/tmp/test_session_XXXXXX";

static json_t *run(struct gateway *gateway, const json_t *command, struct error **error)
{
    (void)gateway;
    (void)command;
    error_set(error, ERROR_NOT_FOUND, "nobody");
    return NULL;
}

static void on_empty(void *arg)
{
    (void)arg;
}

static int setup(void **state)
{
    (void)state;
    wire_open(&wire, run);
    site = (struct site){.loop = &wire.loop,
                         .gateway = &wire.gateway,
                         .name = name,
                         .domain = domain,
                         .tls = server_tls,
                         .message_limit = 1000,
                         .login_ms = 60000,
                         .limit = 10,
                         .empty = on_empty};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (person.in.ceiling > 0)
        wire_hang_up(&wire, me);
    for (int turns = 0; site.sessions != NULL && turns < WIRE_TURNS; turns++)
        uv_run(&wire.loop, UV_RUN_ONCE);
    assert_null(site.sessions);
    wire_close(&wire);
    person = (struct person){0};
    return 0;
}

static void expect(const char *mask)
{
    wire_expect(&wire, me, mask);
}

/* A client at this address. */
static void come_from(const char *address, bool start)
{
    int pair[2];
    struct sockaddr_storage peer;
    struct error *error = NULL;
    struct stream_options options = {.input_limit = 1 << 20, .output_limit = 1 << 20};
    assert_true(address_parse(&peer, address, 1, &error));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    session_open(&site, &submission_service, NULL, pair[0], &peer, false, start);
    person = (struct person){.in = buffer_make(1 << 20)};
    person.stream = stream_open(&wire.loop, pair[1], &options, &wire_events, me, &error);
    assert_non_null(person.stream);
    expect("220 *");
}

static bool offered(const char *what)
{
    bool found = false;
    wire_send(me, "EHLO client\r\n");
    do {
        expect("250*");
        found = found || strncmp(me->line + 4, what, strlen(what)) == 0;
    } while (me->line[3] == '-');
    return found;
}

static void start_tls(void)
{
    struct error *error = NULL;
    wire_send(me, "STARTTLS\r\n");
    expect("220 2.0.0 *");
    assert_true(stream_start_tls(person.stream, client_tls, false, &error));
}

static void test_elsewhere(void **state)
{
    (void)state;
    come_from("192.0.2.1", false);
    assert_false(offered("AUTH"));
    wire_send(me, "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
    expect("538 5.7.11 *STARTTLS*");
    start_tls();
    wire_send(me, "MAIL FROM:<>\r\n"); /* EHLO counts no longer */
    expect("503 5.5.1 Say EHLO first");
    assert_false(offered("STARTTLS"));
    assert_true(offered("AUTH"));
    wire_send(me, "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\nSTARTTLS\r\nMAIL FROM:<>\r\n");
    expect("235 *");
    expect("503 *");
    expect("250 2.1.0 *");
}

static void test_must_start(void **state)
{
    (void)state;
    static const char *const commands[] = {"MAIL FROM:<>\r\n", "AUTH PLAIN\r\n", "RSET\r\n",
                                           "VRFY x\r\n",       "HELP\r\n",       "DATA\r\n",
                                           "RCPT TO:<bob>\r\n"};
    site.plain_anywhere = true; /* of other listeners */
    come_from("192.0.2.1", true);
    assert_false(offered("AUTH"));
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        wire_send(me, commands[i]);
        expect("530 5.7.0 Say STARTTLS first");
    }
    start_tls();
    assert_true(offered("AUTH"));
    wire_send(me, "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
    expect("235 *");
}

static void test_loopback_need_not_start(void **state)
{
    (void)state;
    come_from("127.0.0.1", true);
    assert_true(offered("AUTH"));
    assert_true(offered("STARTTLS"));
}

static void test_plain_anywhere(void **state)
{
    (void)state;
    site.plain_anywhere = true;
    come_from("192.0.2.1", false);
    assert_true(offered("AUTH"));
}

/* What somebody between put behind STARTTLS is never run (CVE-2011-0411). */
static void test_injection(void **state)
{
    (void)state;
    come_from("192.0.2.1", false);
    assert_true(offered("STARTTLS"));
    wire_send(me, "STARTTLS\r\nRSET\r\n");
    expect("421 *");
    wire_expect_closed(&wire, me);
}

static void test_injection_afterwards(void **state)
{
    (void)state;
    come_from("192.0.2.1", false);
    assert_true(offered("STARTTLS"));
    wire_send(me, "STARTTLS\r\n");
    expect("220 *");
    wire_send(me, "RSET\r\n"); /* no TLS */
    wire_expect_closed(&wire, me);
}

static void test_no_certificate(void **state)
{
    (void)state;
    site.tls = NULL;
    come_from("127.0.0.1", false);
    assert_false(offered("STARTTLS"));
}

/* A browser, or what speaks for one, does not wait for the greeting. */
static void test_hasty(void **state)
{
    (void)state;
    int pair[2];
    char byte;
    struct sockaddr_storage peer;
    assert_true(address_parse(&peer, "127.0.0.1:1", 0, NULL));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(write(pair[1], "EHLO", 4), 4);
    session_open(&site, &submission_service, NULL, pair[0], &peer, false, false);
    assert_null(site.sessions);
    assert_true(read(pair[1], &byte, 1) <= 0);
    close(pair[1]);
}

static void test_limit(void **state)
{
    (void)state;
    int pair[2];
    struct sockaddr_storage peer;
    assert_true(address_parse(&peer, "127.0.0.1:1", 0, NULL));
    site.limit = 1;
    come_from("127.0.0.1", false);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    session_open(&site, &submission_service, NULL, pair[0], &peer, false, false);
    assert_int_equal(site.clients, 1);
    close(pair[1]);
}

static void test_tls_listener(void **state)
{
    (void)state;
    wire_serve(&wire, (struct mail_options){.tls = server_tls},
               (struct mail_listen){.service = MAIL_SUBMISSION, .tls = true});
    wire_dial(&wire, me, client_tls);
    expect("220 *");
    assert_true(offered("AUTH"));
    wire_send(me, "STARTTLS\r\nQUIT\r\n");
    expect("503 *");
    expect("221 *");
    wire_expect_closed(&wire, me);
}

static void test_bad_options(void **state)
{
    (void)state;
    static const struct {
        const char *address, *name, *domain, *words;
        bool tls, start;
    } rows[] = {
        {"0.0.0.0:0", NULL, NULL, "0.0.0.0:0", false, false},
        {"127.0.0.1:0", NULL, NULL, "certificate", true, false},
        {"127.0.0.1:0", NULL, NULL, "certificate", false, true},
        {"127.0.0.1:0", "mail", NULL, "name", false, false},
        {"127.0.0.1:0", NULL, "a..b", "domain", false, false},
        {"192.0.2.1:0", NULL, NULL, "cannot listen", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mail_listen listen[2] = {
            {.service = MAIL_SUBMISSION},
            {.service = MAIL_SUBMISSION, .tls = rows[i].tls, .start = rows[i].start}};
        struct mail_options options = {.name = rows[i].name,
                                       .domain = rows[i].domain,
                                       .listen = listen,
                                       .listen_count = 2,
                                       .plain_anywhere = i == 5};
        struct error *error = NULL;
        assert_true(address_parse(&listen[0].address, "127.0.0.1:0", 0, &error));
        assert_true(address_parse(&listen[1].address, rows[i].address, 0, &error));
        assert_null(mail_open(&wire.loop, &wire.gateway, &options, &error));
        if (strstr(error->text, rows[i].words) == NULL)
            fail_msg("%s", error->text);
        error_free(error);
    }
}

static int open_tls(void **state)
{
    (void)state;
    char certificate[64], key[64];
    struct error *error = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(certificate, sizeof certificate, "%s/c", folder);
    snprintf(key, sizeof key, "%s/k", folder);
    assert_true(tls_make_self_signed(certificate, key, "mail.test.alt", &error));
    server_tls = tls_server_context(certificate, key, &error);
    client_tls = SSL_CTX_new(TLS_client_method());
    assert_non_null(server_tls);
    unlink(certificate);
    unlink(key);
    rmdir(folder);
    return 0;
}

static int close_tls(void **state)
{
    (void)state;
    SSL_CTX_free(server_tls);
    SSL_CTX_free(client_tls);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(elsewhere),      TEST(must_start),  TEST(loopback_need_not_start),
        TEST(plain_anywhere), TEST(injection),   TEST(injection_afterwards),
        TEST(no_certificate), TEST(hasty),       TEST(limit),
        TEST(tls_listener),   TEST(bad_options),
    };
    return cmocka_run_group_tests(tests, open_tls, close_tls);
}
