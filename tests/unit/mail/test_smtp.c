/* SPDX-License-Identifier: ISC */
/* The codec of SMTP: arguments, and where a message ends. */
#include "bridges/mail/smtp.h"

#include <string.h>

#include "support/vectors.h"

static void test_lines(void **state)
{
    (void)state;
    struct smtp_line line;
    assert_true(smtp_line_parse(&line, "mail  FROM:<>", 13));
    assert_string_equal(line.verb, "MAIL");
    assert_string_equal(line.rest, "FROM:<>");
    assert_true(smtp_line_parse(&line, "", 0));
    assert_string_equal(line.verb, "");
    assert_true(smtp_line_parse(&line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ x", 28));
    assert_string_equal(line.verb, "");
    assert_string_equal(line.rest, "x");
    assert_false(smtp_line_parse(&line, "QUIT\0x", 6));
}

static void test_mail(void **state)
{
    (void)state;
    struct smtp_mail mail;
    assert_null(smtp_mail_parse(&mail, "FROM:<>"));
    assert_string_equal(mail.address, "");
    assert_null(smtp_mail_parse(
        &mail, "from: <me@distant.alt> SIZE=1234 BODY=8bitmime SMTPUTF8 RET=HDRS ENVID=a+2Bb AUTH=<> "));
    assert_string_equal(mail.address, "me@distant.alt");
    assert_int_equal(mail.size, 1234);
    assert_true(mail.utf8);
    assert_string_equal(mail.returns, "headers");
    assert_string_equal(mail.envelope, "a+b");
    assert_null(smtp_mail_parse(&mail, "FROM:<@a.example,@b.example:me@distant.alt>"));
    assert_string_equal(mail.address, "me@distant.alt");
    assert_null(smtp_mail_parse(&mail, "FROM:<\"a b\\\"c\"@distant.alt>"));
    assert_string_equal(mail.address, "a b\"c@distant.alt");
    assert_null(smtp_mail_parse(&mail, "FROM:<a@b> SIZE=99999999999999999999"));
    assert_true(mail.size > UINT32_MAX);
}

static void test_bad_mail(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned code;
    } rows[] = {
        {"", 501},
        {"FROM", 501},
        {"FROM:", 501},
        {"FROM:me@distant.alt", 501},
        {"FROM:<me@distant.alt", 501},
        {"FROM:<me@distant.alt>SIZE=1", 501},
        {"FROM:<a b@distant.alt>", 501},
        {"FROM:<\"a@distant.alt>", 501},
        {"FROM:<a\x01@distant.alt>", 501},
        {"FROM:<\xff@distant.alt>", 501},
        {"FROM:<@a.example>", 501},
        {"TO:<a@b>", 501},
        {"FROM:<a@b> SIZE", 501},
        {"FROM:<a@b> SIZE=", 501},
        {"FROM:<a@b> SIZE=-1", 501},
        {"FROM:<a@b> SIZE=1x", 501},
        {"FROM:<a@b> SIZE=999999999999999999999", 501},
        {"FROM:<a@b> BODY=9BIT", 501},
        {"FROM:<a@b> BODY=BINARYMIME", 501},
        {"FROM:<a@b> SMTPUTF8=1", 501},
        {"FROM:<a@b> RET=ALL", 501},
        {"FROM:<a@b> RET=FULL RET=FULL", 501},
        {"FROM:<a@b> ENVID=a+2", 501},
        {"FROM:<a@b> ENVID=a+0Ab", 501},
        {"FROM:<a@b> HOLDFOR=10", 555},
        {"FROM:<a@b> =", 501},
    };
    struct smtp_mail mail;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct smtp_reply *reply = smtp_mail_parse(&mail, rows[i].text);
        if (reply == NULL || reply->code != rows[i].code)
            fail_msg("%s", rows[i].text);
    }
    char text[1024] = "FROM:<";
    memset(text + 6, 'a', 330);
    strncat(text, "@b>", 4);
    assert_non_null(smtp_mail_parse(&mail, text));
    snprintf(text, sizeof text, "FROM:<a@b> ENVID=%0101d", 0);
    assert_non_null(smtp_mail_parse(&mail, text));
    snprintf(text, sizeof text, "FROM:<a@b> ENVID=%0100d", 0);
    assert_null(smtp_mail_parse(&mail, text));
}

static void test_rcpt(void **state)
{
    (void)state;
    struct smtp_rcpt rcpt;
    assert_null(smtp_rcpt_parse(&rcpt, "TO:<bob@distant.alt>"));
    assert_string_equal(rcpt.address, "bob@distant.alt");
    assert_false(rcpt.notify_said);
    assert_null(smtp_rcpt_parse(&rcpt, "TO:<bob> NOTIFY=success,DELAY ORCPT=rfc822;bob+40distant.alt"));
    assert_int_equal(rcpt.notify, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY);
    assert_null(smtp_rcpt_parse(&rcpt, "TO:<bob> NOTIFY=NEVER"));
    assert_true(rcpt.notify_said);
    assert_int_equal(rcpt.notify, 0);
    static const char *const bad[] = {
        "TO:<>",
        "TO:<bob> NOTIFY",
        "TO:<bob> NOTIFY=",
        "TO:<bob> NOTIFY=NEVER,SUCCESS",
        "TO:<bob> NOTIFY=SUCCESS,",
        "TO:<bob> NOTIFY=SOMETIMES",
        "TO:<bob> NOTIFY=DELAY NOTIFY=DELAY",
        "TO:<bob> ORCPT",
        "TO:<bob> SIZE=1",
        "FROM:<bob>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (smtp_rcpt_parse(&rcpt, bad[i]) == NULL)
            fail_msg("%s", bad[i]);
}

static void test_bdat(void **state)
{
    (void)state;
    uint64_t size;
    bool last;
    assert_true(smtp_bdat_parse(&size, &last, "86"));
    assert_int_equal(size, 86);
    assert_false(last);
    assert_true(smtp_bdat_parse(&size, &last, "0 last "));
    assert_int_equal(size, 0);
    assert_true(last);
    static const char *const bad[] = {"", "LAST", "1 FIRST", "-1", "1000000000", "1 LAST LAST", "0x10"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (smtp_bdat_parse(&size, &last, bad[i]))
            fail_msg("%s", bad[i]);
}

/* In pieces of each size, into a buffer of each size: the same. */
static void expect_data(const char *in, const char *out, bool ended, bool ambiguous)
{
    size_t total = strlen(in), most = strlen(out) + 4;
    for (size_t piece = 1; piece <= total; piece++) {
        for (size_t room = 2; room <= most; room++) {
            struct smtp_data data = {0};
            struct buffer got = buffer_make(most), window = buffer_make(room);
            for (size_t at = 0; at < total && !data.ended;) {
                size_t size = total - at < piece ? total - at : piece;
                size_t used = smtp_data_take(&data, bytes_of(in + at, size), &window);
                at += used;
                assert_false(window.failed);
                assert_true(used > 0 || buffer_size(&window) > 0);
                buffer_append_bytes(&got, buffer_view(&window));
                buffer_clear(&window);
            }
            assert_bytes_equal(buffer_view(&got), bytes_of_string(out));
            assert_int_equal(data.ended, ended);
            assert_int_equal(data.ambiguous, ambiguous);
            buffer_free(&got);
            buffer_free(&window);
        }
    }
}

static void test_data(void **state)
{
    (void)state;
    expect_data(".\r\n", "", true, false);
    expect_data("a\r\n.\r\n", "a\r\n", true, false);
    expect_data("a\r\n..\r\nb\r\n...c\r\n.\r\n", "a\r\n.\r\nb\r\n..c\r\n", true, false);
    expect_data(".a\r\n.\r\n", "a\r\n", true, false);
    expect_data("a.\r\n.b.\r\n", "a.\r\nb.\r\n", false, false);
    expect_data("\r\n\r\n.\r\n", "\r\n\r\n", true, false);
    /* Bytes behind the end are the next command's. */
    struct smtp_data data = {0};
    struct buffer out = buffer_make(100);
    assert_int_equal(smtp_data_take(&data, bytes_of_string("x\r\n.\r\nQUIT\r\n"), &out), 6);
    buffer_free(&out);
}

/* What other software may take for the end is none, and is told (CVE-2023-51764 and its like). */
static void test_smuggling(void **state)
{
    (void)state;
    expect_data("a\nb\r\n.\r\n", "a\nb\r\n", true, false);
    expect_data("a\rb\r\n.\r\n", "a\rb\r\n", true, false);
    expect_data("a\r\r\n.\r\n", "a\r\r\n", true, false);
    expect_data("a\n.\nb", "a\n.\nb", false, true);
    expect_data("a\n.\r\nb", "a\n.\r\nb", false, true);
    expect_data("a\r.\r\nb", "a\r.\r\nb", false, true);
    expect_data("a\r.\rb", "a\r.\rb", false, true);
    expect_data("a\r\n.\nb", "a\r\n.\nb", false, true);
    expect_data("a\r\n.\rb", "a\r\n.\rb", false, true);
    expect_data("a\r\n.\r\r\nb", "a\r\n.\r\r\nb", false, true);
    expect_data("a\n.b\r\n.\r\n", "a\n.b\r\n", true, false);
    expect_data("a\n..\r\n.\r\n", "a\n..\r\n", true, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_mail), cmocka_unit_test(test_bad_mail),
        cmocka_unit_test(test_rcpt),      cmocka_unit_test(test_bdat), cmocka_unit_test(test_data),
        cmocka_unit_test(test_smuggling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
