/* SPDX-License-Identifier: ISC */
/* POP3 over sockets: log-in, what a maildrop shows and for how long, messages exact to the octet, removal. */
#include "bridges/mail/pop3.h"

#include "unit/mail/inbox.h"

enum { PERSONS = 3 };

static struct wire wire;
static struct person people[PERSONS];
static struct person *const me = &people[0];
static SSL_CTX *server_tls, *client_tls;
static char folder[] = "/tmp/test_pop3_XXXXXX";

static int setup(void **state)
{
    (void)state;
    inbox_open();
    wire_open(&wire, inbox_run);
    memset(people, 0, sizeof people);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < PERSONS; i++)
        if (people[i].in.ceiling > 0)
            wire_hang_up(&wire, &people[i]);
    wire_stop(&wire);
    wire_close(&wire);
    inbox_close();
    return 0;
}

static void serve_with(struct mail_options options)
{
    options.tls = server_tls;
    wire_serve(&wire, options, (struct mail_listen){.service = MAIL_POP3});
}

static void serve(void)
{
    serve_with((struct mail_options){0});
}

static void say(struct person *person, const char *text)
{
    wire_send(person, text);
    wire_send(person, "\r\n");
}

static void expect(const char *mask)
{
    wire_expect(&wire, me, mask);
}

static void dial(struct person *person)
{
    wire_dial(&wire, person, NULL);
    wire_expect(&wire, person, "+OK mail.test.alt *");
}

static void log_in(struct person *person, const char *mask)
{
    dial(person);
    wire_send(person, "USER alice\r\nPASS secret\r\n");
    wire_expect(&wire, person, "+OK *");
    wire_expect(&wire, person, mask);
}

static bool offered(const char *what)
{
    bool found = false;
    say(me, "CAPA");
    expect("+OK*");
    for (expect("*"); strcmp(me->line, ".") != 0; expect("*"))
        found = found || strncmp(me->line, what, strlen(what)) == 0;
    return found;
}

static void test_hello(void **state)
{
    static const char *const all[] = {"STLS",       "USER",           "SASL SCRAM-SHA-256 PLAIN LOGIN",
                                      "TOP",        "UIDL",           "PIPELINING",
                                      "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE NEVER",
                                      "UTF8"};
    (void)state;
    serve();
    dial(me);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!offered(all[i]))
            fail_msg("%s is not offered", all[i]);
    assert_false(offered("APOP"));
    wire_send(me, "STAT\r\nUTF8\r\nnoop\r\nLAST\r\nUSER\r\nPASS x\r\nAPOP a b\r\nquit\r\n");
    expect("-ERR Log in first");
    expect("+OK *");
    expect("-ERR Log in first");
    expect("-ERR There is no such command");
    expect("-ERR *");
    expect("-ERR USER comes first");
    expect("-ERR There is no such command");
    expect("+OK Bye");
    wire_expect_closed(&wire, me);
}

static void test_log_in(void **state)
{
    (void)state;
    inbox_add("a: b\r\n\r\n");
    serve();
    dial(me);
    wire_send(me,
              "USER alice\r\nPASS wrong\r\nAUTH NTLM\r\nUSER alice@distant.alt\r\nPASS secret\r\nSTAT\r\n");
    expect("+OK *");
    expect("-ERR [[]AUTH] *");
    expect("-ERR *SCRAM*");
    expect("+OK *");
    expect("+OK 1 messages");
    expect("+OK 1 8");
    say(me, "USER alice");
    expect("-ERR You are logged in already");
    wire_dial(&wire, &people[1], NULL);
    wire_expect(&wire, &people[1], "+OK *");
    say(&people[1], "AUTH PLAIN");
    wire_expect(&wire, &people[1], "+ ");
    say(&people[1], "AGFsaWNlAHNlY3JldA==");
    wire_expect(&wire, &people[1], "+OK 1 messages");
    wire_dial(&wire, &people[2], NULL);
    wire_expect(&wire, &people[2], "+OK *");
    say(&people[2], "AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiYw==");
    wire_expect(&wire, &people[2], "+ *");
    say(&people[2], "Yz1iaXdzLHI9YWJjc2VydmVyLHA9cHJvb2Y=");
    wire_expect(&wire, &people[2], "+ dj12ZXJpZmllcg==");
    say(&people[2], "");
    wire_expect(&wire, &people[2], "+OK 1 messages");
}

static void test_stls(void **state)
{
    struct error *error = NULL;
    (void)state;
    serve();
    dial(me);
    say(me, "STLS");
    expect("+OK *");
    assert_true(stream_start_tls(me->stream, client_tls, false, &error));
    say(me, "STLS");
    expect("-ERR TLS is on already");
    assert_false(offered("STLS"));
    wire_send(me, "USER alice\r\nPASS secret\r\n");
    expect("+OK *");
    expect("+OK 0 messages");
    dial(&people[1]);
    wire_send(&people[1], "STLS\r\nUSER alice\r\n");
    wire_expect(&wire, &people[1], "-ERR *");
    wire_expect_closed(&wire, &people[1]);
}

static void test_lists(void **state)
{
    (void)state;
    inbox_add("a: b\r\n\r\nfirst\r\n");
    inbox_post(inbox_add("x: y\r\n\r\n"))->direction = "out";
    inbox_post(inbox_add("x: y\r\n\r\n"))->verdict = "locked";
    inbox_post(inbox_add("x: y\r\n\r\n"))->gone = true;
    inbox_add("c: d\r\n\r\nlast\r\n");
    serve();
    log_in(me, "+OK 2 messages");
    wire_send(me, "STAT\r\nLIST\r\nUIDL\r\nLIST 2\r\nUIDL 1\r\nLIST 3\r\nLIST x\r\nLIST 0\r\n");
    expect("+OK 2 29");
    expect("+OK");
    expect("1 15");
    expect("2 14");
    expect(".");
    expect("+OK");
    expect("1 3.1");
    expect("2 3.5");
    expect(".");
    expect("+OK 2 14");
    expect("+OK 1 3.1");
    expect("-ERR There are 2 messages");
    expect("-ERR *");
    expect("-ERR There are 2 messages");
    inbox_add("new: one\r\n\r\n"); /* what comes now is for the next log-in */
    say(me, "STAT");
    expect("+OK 2 29");
    log_in(&people[1], "+OK 3 messages");
}

static void test_many(void **state)
{
    (void)state;
    for (size_t i = 0; i < POP3_MESSAGES + 5; i++)
        inbox_add("a: b\r\n\r\n");
    serve();
    log_in(me, "+OK 10000 messages");
    say(me, "UIDL 1");
    expect("+OK 1 3.6");
    say(me, "UIDL");
    expect("+OK");
    for (unsigned i = 1; i <= POP3_MESSAGES; i++) {
        char line[40];
        snprintf(line, sizeof line, "%u 3.%u", i, i + 5);
        expect(line);
        snprintf(line, sizeof line, "DELE %u", i);
        if (i % 4 != 0)
            say(me, line);
    }
    expect(".");
    for (unsigned i = 1; i <= POP3_MESSAGES * 3 / 4; i++)
        expect("+OK *");
    say(me, "QUIT");
    expect("+OK Bye");
    wire_expect_closed(&wire, me);
    assert_int_equal(fake_count(&wire.gateway, "post.delete", NULL), 8);
    wire_hang_up(&wire, me);
    log_in(me, "+OK 2505 messages");
}

static void test_message(void **state)
{
    (void)state;
    inbox_add(".a: b\r\n\r\n.\r\n..two\r\nthree.\r\nno end");
    inbox_add("a: b\r\n\r\n");
    serve();
    log_in(me, "+OK 2 messages");
    wire_send(me, "RETR 1\r\nTOP 1 0\r\nTOP 1 2\r\nTOP 1 100\r\nRETR 2\r\nNOOP\r\n");
    static const char *const lines[] = {
        "+OK 33 octets", "..a: b", "", "..", "...two", "three.", "no end", ".", /* RETR 1 */
        "+OK",           "..a: b", "", ".",                                     /* TOP 1 0 */
        "+OK",           "..a: b", "", "..", "...two", ".",                     /* TOP 1 2 */
        "+OK",           "..a: b", "", "..", "...two", "three.", "no end", ".", /* TOP 1 100 */
        "+OK 8 octets",  "a: b",   "", ".",  "+OK",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_true(wire_line(&wire, me));
        assert_string_equal(me->line, lines[i]);
    }
    wire_send(me, "TOP 1\r\nTOP 3 1\r\nTOP 1 x\r\nRETR 9999999999\r\n");
    expect("-ERR *");
    expect("-ERR There are 2 messages");
    expect("-ERR *");
    expect("-ERR *");
}

static char *big(size_t size)
{
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++)
        text[i] = i % 50 == 48 ? '\r' : i % 50 == 49 ? '\n' : i % 50 == 0 && i % 100 == 0 ? '.' : 'x';
    return text;
}

static void test_large(void **state)
{
    const size_t size = 3000000;
    char *text = big(size);
    size_t got = 0;
    (void)state;
    inbox_add_bytes(text, size);
    serve();
    log_in(me, "+OK 1 messages");
    say(me, "RETR 1");
    expect("+OK 3000000 octets");
    for (expect("*"); strcmp(me->line, ".") != 0; expect("*")) {
        const char *line = me->line[0] == '.' ? me->line + 1 : me->line;
        assert_memory_equal(line, text + got, 48);
        assert_int_equal(strlen(line), 48);
        got += 50;
    }
    assert_int_equal(got, size);
    say(me, "NOOP");
    expect("+OK");
    free(text);
}

/* Who does not read is not read for. */
static void test_deaf(void **state)
{
    const size_t size = 30000000;
    char *text = big(size);
    (void)state;
    inbox_add_bytes(text, size);
    serve();
    log_in(me, "+OK 1 messages");
    stream_pause(me->stream);
    say(me, "RETR 1");
    for (int i = 0; i < 3000; i++)
        uv_run(&wire.loop, UV_RUN_ONCE);
    size_t asked = fake_count(&wire.gateway, "post.read", NULL);
    assert_in_range(asked, 1, 300);
    for (int i = 0; i < 100; i++)
        uv_run(&wire.loop, UV_RUN_ONCE);
    assert_int_equal(fake_count(&wire.gateway, "post.read", NULL), asked);
    stream_abort(me->stream, "gone");
    for (int i = 0; i < 100; i++)
        uv_run(&wire.loop, UV_RUN_ONCE);
    free(text);
}

static void test_gone(void **state)
{
    const size_t size = 1000000;
    char *text = big(size);
    (void)state;
    inbox_add("a: b\r\n\r\n");
    inbox_add_bytes(text, size);
    serve();
    log_in(me, "+OK 2 messages");
    inbox_post(1)->gone = true;
    say(me, "RETR 1");
    expect("-ERR This message was removed elsewhere");
    say(me, "RETR 2");
    expect("+OK 1000000 octets");
    inbox.fails = "post.read";
    inbox.fails_with = ERROR_UNAVAILABLE;
    while (wire_line(&wire, me))
        assert_string_not_equal(me->line, "."); /* a message is not said to be whole */
    assert_null(me->stream);
    free(text);
}

static void test_removal(void **state)
{
    (void)state;
    inbox_add("a: 1\r\n\r\n");
    inbox_add("a: 2\r\n\r\n");
    inbox_add("a: 3\r\n\r\n");
    serve();
    log_in(me, "+OK 3 messages");
    wire_send(me, "DELE 1\r\nDELE 1\r\nSTAT\r\nRETR 1\r\nLIST\r\nRSET\r\nSTAT\r\nDELE 2\r\n");
    expect("+OK *");
    expect("-ERR This message is deleted*");
    expect("+OK 2 16");
    expect("-ERR This message is deleted*");
    expect("+OK");
    expect("2 8");
    expect("3 8");
    expect(".");
    expect("+OK");
    expect("+OK 3 24");
    expect("+OK *");
    wire_hang_up(&wire, me); /* without QUIT */
    log_in(me, "+OK 3 messages");
    assert_int_equal(fake_count(&wire.gateway, "post.delete", NULL), 0);
    log_in(&people[1], "+OK 3 messages"); /* two at a time */
    wire_send(me, "DELE 2\r\nQUIT\r\n");
    wire_send(&people[1], "DELE 2\r\nDELE 3\r\nQUIT\r\n");
    expect("+OK *");
    expect("+OK Bye");
    wire_expect_closed(&wire, me);
    for (int i = 0; i < 2; i++)
        wire_expect(&wire, &people[1], "+OK *");
    wire_expect(&wire, &people[1], "+OK Bye");
    wire_hang_up(&wire, me);
    log_in(me, "+OK 1 messages");
    inbox.fails = "post.delete";
    inbox.fails_with = ERROR_UNAVAILABLE;
    wire_send(me, "DELE 1\r\nQUIT\r\n");
    expect("+OK *");
    expect("-ERR [[]SYS/TEMP] the fake gateway  refuses");
    wire_expect_closed(&wire, me);
    assert_false(inbox_post(1)->gone);
}

static void test_unreadable(void **state)
{
    (void)state;
    inbox.fails = "post.list";
    inbox.fails_with = ERROR_UNAVAILABLE;
    serve();
    dial(me);
    wire_send(me, "USER alice\r\nPASS secret\r\n");
    expect("+OK *");
    expect("-ERR [[]SYS/TEMP] *");
    wire_expect_closed(&wire, me);
}

static void test_bad_clients(void **state)
{
    (void)state;
    serve_with((struct mail_options){.login_ms = 200});
    dial(me);
    for (int i = 0; i < POP3_STRANGE; i++) {
        say(me, "HELLO gateway");
        expect("-ERR *");
    }
    wire_expect_closed(&wire, me);
    dial(&people[1]);
    say(&people[1], "GET / HTTP/1.1");
    wire_expect(&wire, &people[1], "-ERR This is a mail server");
    wire_expect_closed(&wire, &people[1]);
    dial(&people[2]);
    wire_expect(&wire, &people[2], "-ERR [[]SYS/TEMP] Log in sooner");
    wire_expect_closed(&wire, &people[2]);
}

static void test_shut_down(void **state)
{
    (void)state;
    inbox_add("a: 1\r\n\r\n");
    serve();
    log_in(me, "+OK 1 messages");
    wire_send(me, "DELE 1\r\n");
    expect("+OK *");
    wire.gateway.silent = true;
    say(me, "QUIT");
    while (fake_count(&wire.gateway, "post.delete", NULL) == 0)
        uv_run(&wire.loop, UV_RUN_ONCE);
    mail_close(wire.mail, wire_mark_closed, &wire);
    wire.mail = NULL;
    wire.gateway.silent = false;
    expect("+OK Bye"); /* it was removed: so it is said */
    while (!wire.closed)
        uv_run(&wire.loop, UV_RUN_ONCE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hello),      TEST(log_in),      TEST(stls),      TEST(lists), TEST(many),
        TEST(message),    TEST(large),       TEST(deaf),      TEST(gone),  TEST(removal),
        TEST(unreadable), TEST(bad_clients), TEST(shut_down),
    };
    char certificate[64], key[64];
    struct error *error = NULL;
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    if (!tls_make_self_signed(certificate, key, "mail.test.alt", &error))
        return 1;
    server_tls = tls_server_context(certificate, key, &error);
    client_tls = SSL_CTX_new(TLS_client_method());
    int failed = server_tls == NULL || client_tls == NULL || cmocka_run_group_tests(tests, NULL, NULL) != 0;
    SSL_CTX_free(server_tls);
    SSL_CTX_free(client_tls);
    remove(certificate);
    remove(key);
    remove(folder);
    return failed;
}
