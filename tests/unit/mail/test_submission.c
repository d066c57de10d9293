/* SPDX-License-Identifier: ISC */
/* Submission over sockets: the order of commands, log-in, recipients, messages whole and in pieces. */
#include "unit/mail/wire.h"
#include "wire/radix64.h"

enum { PERSONS = 3 };

static struct wire wire;
static struct person people[PERSONS];
static struct person *const me = &people[0];

/* What the gateway keeps. */
static struct buffer uploads[4]; /* ids from 1 */
static size_t upload_count, dropped;
static struct buffer sent;
static json_t *sent_command;
static int64_t limit;
static const char *fails; /* a command that fails after it was accepted */
static enum error_code fails_with;

static json_t *write_piece(const json_t *command, struct error **error)
{
    size_t id = (size_t)json_integer_value(json_object_get(command, "upload")) - 1;
    const json_t *data = json_object_get(command, "data");
    assert_true(id < upload_count);
    assert_int_equal(json_integer_value(json_object_get(command, "offset")), buffer_size(&uploads[id]));
    assert_true(json_string_length(data) <= 524288);
    if (!radix64_decode(&uploads[id], bytes_of(json_string_value(data), json_string_length(data))))
        error_set(error, ERROR_INVALID, "no base64");
    return json_pack("{s:I}", "size", (json_int_t)buffer_size(&uploads[id]));
}

static json_t *send_post(const json_t *command)
{
    const char *message = json_string_value(json_object_get(command, "message"));
    json_int_t id = json_integer_value(json_object_get(command, "upload"));
    json_decref(sent_command);
    sent_command = json_deep_copy(command);
    buffer_clear(&sent);
    if (message != NULL)
        assert_true(radix64_decode(&sent, bytes_of_string(message)));
    else
        buffer_append_bytes(&sent, buffer_view(&uploads[id - 1]));
    return json_pack("{s:i, s:i, s:i, s:i}", "epoch", 3, "seq", 41, "change", 1, "time", 1);
}

static json_t *run(struct gateway *gateway, const json_t *command, struct error **error)
{
    const char *verb = json_string_value(json_object_get(command, "do"));
    const char *address = json_string_value(json_object_get(command, "address"));
    (void)gateway;
    if (fails != NULL && strcmp(verb, fails) == 0) {
        error_set(error, fails_with, "the fake gateway\r\nrefuses");
        return NULL;
    }
    if (strcmp(verb, "upload.open") == 0 && upload_count < 4) {
        uploads[upload_count] = buffer_make((size_t)64 << 20);
        return json_pack("{s:I}", "upload", (json_int_t)++upload_count);
    }
    if (strcmp(verb, "upload.write") == 0)
        return write_piece(command, error);
    if (strcmp(verb, "upload.drop") == 0) {
        dropped++;
        return json_object();
    }
    if (strcmp(verb, "post.send") == 0)
        return send_post(command);
    if (strcmp(verb, "post.address") == 0 &&
        (strncmp(address, "bob", 3) == 0 || strncmp(address, "gateway", 7) == 0)) {
        bool whole = strchr(address, '@') != NULL;
        return json_pack("{s:n, s:s+, s:I}", "contact", "address", address, whole ? "" : "@distant.alt",
                         "limit", (json_int_t)limit);
    }
    error_set(error, ERROR_NOT_FOUND, "nobody is called so; see contacts");
    return NULL;
}

static int setup(void **state)
{
    (void)state;
    wire_open(&wire, run);
    sent = buffer_make((size_t)64 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < PERSONS; i++)
        if (people[i].in.ceiling > 0)
            wire_hang_up(&wire, &people[i]);
    wire_close(&wire);
    for (size_t i = 0; i < upload_count; i++)
        buffer_free(&uploads[i]);
    buffer_free(&sent);
    json_decref(sent_command);
    sent_command = NULL;
    upload_count = dropped = 0;
    limit = 0;
    fails = NULL;
    memset(people, 0, sizeof people);
    return 0;
}

static void expect(const char *mask)
{
    wire_expect(&wire, me, mask);
}

static void say(const char *text)
{
    wire_send(me, text);
}

static void skip_hello(struct person *person)
{
    do
        wire_expect(&wire, person, "250*");
    while (person->line[3] == '-');
}

static void begin(struct mail_options options)
{
    wire_serve(&wire, options, (struct mail_listen){.service = MAIL_SUBMISSION});
    wire_dial(&wire, me, NULL);
    expect("220 mail.test.alt ESMTP *");
    say("EHLO client\r\n");
    skip_hello(me);
}

static void begin_logged_in(struct mail_options options)
{
    begin(options);
    say("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"); /* NUL alice NUL secret */
    expect("235 2.7.0 *");
}

static void expect_sent(const char *text)
{
    assert_bytes_equal(buffer_view(&sent), bytes_of_string(text));
}

/* --- the beginning */

static void test_hello(void **state)
{
    (void)state;
    wire_serve(&wire, (struct mail_options){0}, (struct mail_listen){.service = MAIL_SUBMISSION});
    wire_dial(&wire, me, NULL);
    expect("220 mail.test.alt ESMTP *");
    say("MAIL FROM:<a@b>\r\n");
    expect("503 5.5.1 Say EHLO first");
    say("EHLO [127.0.0.1]\r\n");
    expect("250-mail.test.alt");
    expect("250-AUTH SCRAM-SHA-256 PLAIN LOGIN");
    expect("250-SIZE 36700160");
    expect("250-PIPELINING");
    expect("250-8BITMIME");
    expect("250-SMTPUTF8");
    expect("250-CHUNKING");
    expect("250-DSN");
    expect("250-ENHANCEDSTATUSCODES");
    expect("250 HELP");
    say("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nVRFY bob\r\n");
    expect("530 5.7.0 *");
    expect("530 5.7.0 *");
    expect("530 5.7.0 *");
    expect("530 5.7.0 *");
    say("NOOP\r\nRSET\r\nHELP\r\nSTARTTLS\r\nHELO x\r\nQUIT\r\n");
    expect("250 2.0.0 *");
    expect("250 2.0.0 *");
    expect("214 2.0.0 *gateway@distant.alt*");
    expect("454 4.7.0 *");
    expect("250 mail.test.alt");
    expect("221 2.0.0 *");
    wire_expect_closed(&wire, me);
}

static void test_log_in(void **state)
{
    (void)state;
    static const struct {
        const char *lines[3], *answers[3];
    } rows[] = {
        {{"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"}, {"235 *"}},
        {{"AUTH plain\r\n", "AGFsaWNlAHNlY3JldA==\r\n"}, {"334 ", "235 *"}},
        {{"AUTH PLAIN YWxpY2UAYWxpY2UAc2VjcmV0\r\n"}, {"235 *"}},             /* alice for alice */
        {{"AUTH PLAIN AGFsaWNlQERJU1RBTlQuYWx0AHNlY3JldA==\r\n"}, {"235 *"}}, /* alice@DISTANT.alt */
        {{"AUTH PLAIN Ym9iAGFsaWNlAHNlY3JldA==\r\n"}, {"535 5.7.8 *"}},       /* alice for bob */
        {{"AUTH PLAIN AGFsaWNlAHdyb25n\r\n"}, {"535 5.7.8 wrong account or password"}},
        {{"AUTH PLAIN AGFsaWNl\r\n"}, {"501 5.5.2 *"}},
        {{"AUTH PLAIN !\r\n"}, {"501 5.5.2 *"}},
        {{"AUTH PLAIN =\r\n"}, {"501 5.5.2 *"}},
        {{"AUTH PLAIN\r\n", "*\r\n"}, {"334 ", "501 5.7.0 *"}},
        {{"AUTH LOGIN\r\n", "YWxpY2U=\r\n", "c2VjcmV0\r\n"},
         {"334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 *"}},
        {{"AUTH LOGIN YWxpY2U=\r\n", "c2VjcmV0\r\n"}, {"334 UGFzc3dvcmQ6", "235 *"}},
        {{"AUTH LOGIN YWxpY2U=\r\n", "d3Jvbmc=\r\n"}, {"334 UGFzc3dvcmQ6", "535 *"}},
        /* n,,n=alice,r=abc, then c=biws,r=abcserver,p=proof */
        {{"AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiYw==\r\n", "Yz1iaXdzLHI9YWJjc2VydmVyLHA9cHJvb2Y=\r\n",
          "\r\n"},
         {"334 cj1hYmNzZXJ2ZXIscz1jMkZzZEE9PSxpPTQwOTY=", "334 dj12ZXJpZmllcg==", "235 *"}},
        {{"AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiYw==\r\n", "Yz1iaXdzLHI9YWJjc2VydmVyLHA9eA==\r\n"},
         {"334 *", "535 5.7.8 *"}},
        {{"AUTH SCRAM-SHA-256 eA==\r\n"}, {"501 5.5.2 *"}},
        {{"AUTH CRAM-MD5\r\n"}, {"504 5.5.4 *"}},
        {{"AUTH\r\n"}, {"501 5.5.4 *"}},
    };
    wire_serve(&wire, (struct mail_options){0}, (struct mail_listen){.service = MAIL_SUBMISSION});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wire_dial(&wire, me, NULL);
        expect("220 *");
        say("EHLO client\r\n");
        skip_hello(me);
        for (size_t line = 0; line < 3 && rows[i].lines[line] != NULL; line++) {
            say(rows[i].lines[line]);
            expect(rows[i].answers[line]);
        }
        say("NOOP\r\n");
        expect("250 *");
        wire_hang_up(&wire, me);
    }
}

static void test_three_log_ins(void **state)
{
    (void)state;
    begin((struct mail_options){0});
    for (int i = 0; i < 3; i++) {
        say("AUTH PLAIN AGFsaWNlAHdyb25n\r\n");
        expect("535 *");
    }
    expect("421 *Too many failed log-ins");
    wire_expect_closed(&wire, me);
}

static void test_gone_while_logging_in(void **state)
{
    (void)state;
    wire.gateway.silent = true;
    begin((struct mail_options){0});
    say("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
    wire_expect_none(&wire, me);
    wire_stop(&wire);
    assert_null(wire.gateway.answers);
}

/* --- a message */

static void test_small(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){0});
    say("MAIL FROM:<root@host.example>\r\n");
    expect("250 2.1.0 *");
    say("MAIL FROM:<>\r\n");
    expect("503 *");
    say("DATA\r\n");
    expect("554 5.5.1 *");
    say("RCPT TO:<carol@distant.alt>\r\n");
    expect("550 5.1.1 nobody is called so; see contacts");
    say("RCPT TO:<bob>\r\nRCPT TO:<bob@distant.alt>\r\nDATA\r\n");
    expect("250 2.1.5 *");
    expect("250 2.1.5 *");
    expect("354 *");
    say("Subject: x\r\n\r\n..dots\r\n");
    say("end\r\n.\r\n");
    expect("250 2.0.0 queued as 3.41");
    expect_sent("Subject: x\r\n\r\n.dots\r\nend\r\n");
    assert_int_equal(json_array_size(json_object_get(sent_command, "to")), 1);
    assert_null(json_object_get(sent_command, "notify"));
    assert_null(json_object_get(sent_command, "upload"));
    say("DATA\r\n");
    expect("503 *");
}

static void test_pipelined(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){0});
    for (int i = 0; i < 50; i++)
        say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\nx\r\n.\r\n");
    say("QUIT\r\n");
    for (int i = 0; i < 50; i++) {
        expect("250 2.1.0 *");
        expect("250 2.1.5 *");
        expect("354 *");
        expect("250 2.0.0 *");
    }
    expect("221 *");
    wire_expect_closed(&wire, me);
    assert_int_equal(fake_count(&wire.gateway, "post.send", NULL), 50);
}

static void test_notification(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){0});
    say("MAIL FROM:<> RET=FULL ENVID=order+2D7\r\n"
        "RCPT TO:<bob> NOTIFY=SUCCESS\r\nRCPT TO:<bob2> NOTIFY=NEVER\r\nRCPT "
        "TO:<bob3>\r\nDATA\r\nx\r\n.\r\n");
    expect("250 *");
    expect("250 *");
    expect("250 *");
    expect("250 *");
    expect("354 *");
    expect("250 *");
    assert_string_equal(json_string_value(json_object_get(sent_command, "returns")), "full");
    assert_string_equal(json_string_value(json_object_get(sent_command, "envelope")), "order-7");
    const json_t *notify = json_object_get(sent_command, "notify");
    /* Each recipient's own (RFC 3461 §4.1): what one of them said is nothing to the others. */
    json_t *expected = json_pack("[[s],[],[s,s]]", "success", "failure", "delay");
    assert_true(json_equal(notify, expected));
    json_decref(expected);
}

/* 300,000 lines of 10 bytes. */
static void send_long(const char *end)
{
    static char block[10000];
    for (size_t i = 0; i < sizeof block; i += 10)
        memcpy(block + i, "12345678\r\n", 10);
    for (int i = 0; i < 300; i++)
        wire_send_bytes(me, block, sizeof block);
    say(end);
}

static void test_long(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){0});
    say("MAIL FROM:<> SIZE=3000000\r\nRCPT TO:<bob>\r\nDATA\r\n");
    send_long(".\r\n");
    expect("250 *");
    expect("250 *");
    expect("354 *");
    expect("250 2.0.0 queued as *");
    assert_int_equal(buffer_size(&sent), 3000000);
    struct bytes view = buffer_view(&sent);
    for (size_t i = 0; i < view.size; i += 10)
        assert_memory_equal(view.data + i, "12345678\r\n", 10);
    assert_int_equal(json_integer_value(json_object_get(sent_command, "upload")), 1);
}

static void test_too_long(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){.message_limit = 2000000});
    say("MAIL FROM:<> SIZE=2000001\r\n");
    expect("552 5.3.4 *2000000*");
    say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\n");
    send_long(".\r\nNOOP\r\n");
    expect("250 *");
    expect("250 *");
    expect("354 *");
    expect("552 5.3.4 *2000000*");
    expect("250 2.0.0 Here");
    assert_int_equal(dropped, 1);
    limit = 5;
    say("MAIL FROM:<> SIZE=6\r\nRCPT TO:<bob>\r\n");
    expect("250 *");
    expect("552 5.3.4 * 5 bytes*");
    assert_int_equal(fake_count(&wire.gateway, "post.send", NULL), 0);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        enum error_code code;
        const char *answer;
    } rows[] = {
        {"post.send", ERROR_INVALID, "554 5.6.0 the fake gateway  refuses"},
        {"post.send", ERROR_LIMIT, "552 5.3.4 *"},
        {"post.send", ERROR_LOCKED, "454 4.7.0 *"},
        {"post.send", ERROR_UNAVAILABLE, "451 4.3.0 *"},
        {"post.send", ERROR_NOT_FOUND, "550 5.1.1 *"},
        {"upload.write", ERROR_UNAVAILABLE, "451 4.3.0 *"},
        {"upload.open", ERROR_LIMIT, "552 5.3.4 *"},
    };
    begin_logged_in((struct mail_options){0});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fails = rows[i].command;
        fails_with = rows[i].code;
        say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\n");
        if (strncmp(rows[i].command, "upload", 6) == 0)
            send_long(".\r\n");
        else
            say("x\r\n.\r\n");
        expect("250 *");
        expect("250 *");
        expect("354 *");
        expect(rows[i].answer);
    }
    fails = NULL;
    wire.gateway.refuse_at_once = "post.send";
    say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\nx\r\n.\r\n");
    expect("250 *");
    expect("250 *");
    expect("354 *");
    expect("550 5.7.1 *");
    wire.gateway.refuse_at_once = "post.address";
    say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\n");
    expect("250 *");
    expect("550 5.7.1 *");
}

static void test_smuggling(void **state)
{
    (void)state;
    static const char *const ends[] = {"\n.\n", "\n.\r\n", "\r.\r\n", "\r\n.\n", "\r\n.\r"};
    begin_logged_in((struct mail_options){0});
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\nx");
        say(ends[i]);
        say("MAIL FROM:<evil@distant.alt>\r\nRCPT TO:<bob>\r\nDATA\r\ny\r\n.\r\nNOOP\r\n");
        expect("250 *");
        expect("250 *");
        expect("354 *");
        expect("550 5.5.2 *");
        expect("250 2.0.0 Here");
    }
    assert_int_equal(fake_count(&wire.gateway, "post.send", NULL), 0);
}

static void test_chunks(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){0});
    say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nBDAT 5\r\n.\r\n.\r");
    say("BDAT 3\r\n\nab");
    expect("250 *");
    expect("250 *");
    expect("250 2.0.0 5 bytes taken");
    expect("250 2.0.0 3 bytes taken");
    say("DATA\r\nRCPT TO:<bob>\r\nBDAT 0 LAST\r\n");
    expect("503 *");
    expect("503 *");
    expect("250 2.0.0 queued as *");
    expect_sent(".\r\n.\r\nab");
    /* Without a transaction, and by a client that does not wait: the bytes are no commands. */
    say("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
    expect("503 *");
    expect("250 *");
    say("MAIL FROM:<> BODY=BINARYMIME\r\n");
    expect("501 5.6.1 *");
    say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nBDAT 3000000 LAST\r\n");
    send_long("NOOP\r\n");
    expect("250 *");
    expect("250 *");
    expect("250 2.0.0 queued as *");
    expect("250 2.0.0 Here");
    assert_int_equal(buffer_size(&sent), 3000000);
    say("BDAT 1000000000\r\nNOOP\r\n");
    expect("501 5.5.4 *");
    wire_expect_closed(&wire, me);
}

static void test_forgotten_chunks(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){0});
    say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nBDAT 3000000\r\n");
    send_long("RSET\r\nMAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\nx\r\n.\r\n");
    expect("250 *");
    expect("250 *");
    expect("250 2.0.0 3000000 bytes taken");
    expect("250 2.0.0 Forgotten");
    expect("250 *");
    expect("250 *");
    expect("354 *");
    expect("250 2.0.0 queued *");
    assert_int_equal(dropped, 1);
    expect_sent("x\r\n");
}

/* 250 comes after the commit, and what a client says meanwhile waits. */
static void test_waits(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){0});
    say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\n");
    expect("250 *");
    expect("250 *");
    expect("354 *");
    wire.gateway.silent = true;
    say("x\r\n.\r\nNOOP\r\n");
    wire_expect_none(&wire, me);
    wire.gateway.silent = false;
    expect("250 2.0.0 queued *");
    expect("250 2.0.0 Here");
}

static void test_recipients(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){0});
    say("MAIL FROM:<>\r\n");
    expect("250 *");
    for (int i = 0; i < 101; i++) {
        char line[64];
        snprintf(line, sizeof line, "RCPT TO:<bob%d@distant.alt>\r\n", i);
        say(line);
        expect(i < 100 ? "250 2.1.5 *" : "452 4.5.3 *");
    }
}

/* --- bad clients */

static void test_strange(void **state)
{
    (void)state;
    begin((struct mail_options){0});
    for (int i = 0; i < 9; i++) {
        say("XYZZY\r\n");
        expect("500 5.5.1 *");
    }
    say("XYZZY\r\n");
    expect("421 *");
    wire_expect_closed(&wire, me);
}

static void test_browser(void **state)
{
    (void)state;
    wire_serve(&wire, (struct mail_options){0}, (struct mail_listen){.service = MAIL_SUBMISSION});
    wire_dial(&wire, me, NULL);
    expect("220 *");
    say("POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\n");
    expect("421 4.7.0 *");
    wire_expect_closed(&wire, me);
}

static void test_long_line(void **state)
{
    (void)state;
    char *line = calloc(1, 200001);
    memset(line, 'a', 200000);
    begin((struct mail_options){0});
    say(line);
    say("\r\nNOOP\r\n");
    expect("500 5.5.6 *");
    expect("250 *");
    free(line);
}

/* Who asks and never reads is read no more; nobody else notices. */
static void test_deaf(void **state)
{
    (void)state;
    begin((struct mail_options){0});
    stream_pause(me->stream);
    for (int i = 0; i < 2000; i++)
        say("HELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\n");
    wire_dial(&wire, &people[1], NULL);
    wire_expect(&wire, &people[1], "220 *");
    wire_send(&people[1], "NOOP\r\n");
    wire_expect(&wire, &people[1], "250 *");
    stream_resume(me->stream);
    for (int i = 0; i < 20000; i++)
        expect("214 *");
}

static void test_silent(void **state)
{
    (void)state;
    begin((struct mail_options){.login_ms = 150});
    expect("421 4.3.2 Log in sooner");
    wire_expect_closed(&wire, me);
}

static void test_idle(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){.idle_ms = 150});
    expect("421 4.3.2 *");
    wire_expect_closed(&wire, me);
}

static void test_ended(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){0});
    fake_end(&wire.gateway, wire.gateway.sessions, "The password was revoked");
    expect("421 4.3.2 The password was revoked");
    wire_expect_closed(&wire, me);
}

static void test_limits(void **state)
{
    (void)state;
    wire_serve(&wire, (struct mail_options){.clients_per_address = 2},
               (struct mail_listen){.service = MAIL_SUBMISSION});
    for (size_t i = 0; i < 3; i++)
        wire_dial(&wire, &people[i], NULL);
    wire_expect(&wire, &people[0], "220 *");
    wire_expect(&wire, &people[1], "220 *");
    wire_expect_closed(&wire, &people[2]);
}

static void test_shut_down(void **state)
{
    (void)state;
    begin_logged_in((struct mail_options){0});
    say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\nx\r\n");
    expect("250 *");
    expect("250 *");
    expect("354 *");
    wire_stop(&wire);
    expect("421 4.3.2 *shutting down");
    wire_expect_closed(&wire, me);
}

/* What was taken is said so before the end, unless the gateway itself hangs. */
static void test_shut_down_while_sending(void **state)
{
    (void)state;
    for (int hangs = 0; hangs < 2; hangs++) {
        begin_logged_in((struct mail_options){0});
        say("MAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\n");
        expect("250 *");
        expect("250 *");
        expect("354 *");
        wire.gateway.silent = true;
        say("x\r\n.\r\n");
        wire_expect_none(&wire, me);
        assert_non_null(wire.gateway.answers);
        wire.gateway.silent = hangs;
        wire.closed = false;
        wire_stop(&wire);
        if (!hangs)
            expect("250 2.0.0 queued *");
        expect("421 4.3.2 *shutting down");
        wire_expect_closed(&wire, me);
        wire_hang_up(&wire, me);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hello),
        TEST(log_in),
        TEST(three_log_ins),
        TEST(gone_while_logging_in),
        TEST(small),
        TEST(pipelined),
        TEST(notification),
        TEST(long),
        TEST(too_long),
        TEST(refusals),
        TEST(smuggling),
        TEST(chunks),
        TEST(forgotten_chunks),
        TEST(waits),
        TEST(recipients),
        TEST(strange),
        TEST(browser),
        TEST(long_line),
        TEST(deaf),
        TEST(silent),
        TEST(idle),
        TEST(ended),
        TEST(limits),
        TEST(shut_down),
        TEST(shut_down_while_sending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
