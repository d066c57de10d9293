/* SPDX-License-Identifier: ISC */
/* Posts of 2013, reports, verbs and keys. */
#include "mime_test.h"

static void test_sent(void **state)
{
    (void)state;
    struct buffer own = submitted("Subject: =?utf-8?q?=C3=A4?= b\r\n"
                                  "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
                                  "--b\r\n\r\nplain retroshare://file?name=x\r\n"
                                  "--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n--b--\r\n"),
                  subject = buffer_make(1024), body = buffer_make(1024);
    assert_true(mime_classic(&subject, &body, buffer_view(&own), NULL));
    assert_string_equal(buffer_string(&subject), "\xc3\xa4 b");
    assert_string_equal(buffer_string(&body), "plain retroshare://file?name=x");
    buffer_free(&own);
    buffer_clear(&subject);
    buffer_clear(&body);
    own = submitted("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n"
                    "--b\r\nContent-Type: image/png\r\n\r\ny\r\n--b--\r\n");
    struct error *error = NULL;
    assert_false(mime_classic(&subject, &body, buffer_view(&own), &error));
    assert_int_equal(error->code, ERROR_LIMIT);
    assert_non_null(strstr(error->text, "attachments"));
    error_free(error);
    buffer_free(&own);
    struct buffer large = buffer_make(1 << 20);
    buffer_append_string(&large, "Subject: x\r\n\r\n");
    for (unsigned i = 0; i < 30000; i++)
        buffer_append_string(&large, "ten bytes\r\n");
    own = submitted(buffer_string(&large));
    error = NULL;
    assert_false(mime_classic(&subject, &body, buffer_view(&own), &error));
    assert_int_equal(error->code, ERROR_LIMIT);
    assert_non_null(strstr(error->text, "256 KiB"));
    error_free(error);
    buffer_free(&large);
    buffer_free(&own);
    buffer_free(&subject);
    buffer_free(&body);
}

static struct buffer classic(const char *subject, const char *body, size_t files)
{
    static const uint8_t hashes[40] = {0x0b, [20] = 0x0c};
    static const struct mime_file file = {
        .name = {(const uint8_t *)"a<b>&c d.txt", 12}, .size = 12345678901, .hash = {1, 2, 3}};
    struct mime_people people = people_make();
    struct mime_arrival arrival = arrival_make(&people);
    arrival.verdict = "bad-signature";
    struct buffer own = buffer_make(1 << 20);
    struct mime_summary summary;
    assert_true(mime_receive_classic(&own, &summary, &arrival, bytes_of_string(subject),
                                     bytes_of_string(body), bytes_of(hashes, 40), (struct bytes){NULL, 0},
                                     &file, files, NULL));
    assert_string_equal(buffer_string(&summary.to), "[{\"address\":\"bob@distant.alt\",\"name\":\"\"}]");
    assert_string_equal(summary.message_id, "fallback@distant.alt");
    mime_summary_free(&summary);
    return own;
}

static void test_arrived(void **state)
{
    (void)state;
    struct buffer own = classic("Gr\xc3\xbc\xc3\x9f"
                                "e\r\nX-Evil: 1",
                                "a < b\nand \x01 more", 1);
    assert_has(&own, "x-retrogate=fail");
    assert_has_not(&own, "\r\nX-Evil");
    assert_has_not(&own, "text/html");
    assert_has(&own,
               "\r\na < b\r\nand \xef\xbf\xbd more\r\na<b>&c d.txt (12345678901 bytes)\r\n"
               "<retroshare://file?name=a<b>%26c%20d.txt&size=12345678901&hash=0102030000000000000000000000"
               "000000000000>\r\n");
    buffer_free(&own);
    own = classic("s", "<body><p style=\"color:#ff0000\">red</p><script>x</script></body>", 1);
    assert_has(&own, "multipart/alternative");
    assert_has(&own, "\r\n\r\nred\r\n");
    assert_has(
        &own,
        "<p style=\"color:#ff0000\">red</p><p><a href=\"retroshare://file?name=a&lt;b&gt;%26c%20d.txt&amp;"
        "size=12345678901&amp;hash=");
    assert_has_not(&own, "script");
    buffer_free(&own);
}

static void test_report(void **state)
{
    (void)state;
    struct buffer original =
                      submitted("Subject: =?utf-8?q?=C3=A4?=\r\nMessage-ID: <m@x>\r\n\r\nsecret body\r\n"),
                  own = buffer_make(1 << 20);
    const struct mime_person gateway = {.address = "gateway@distant.alt", .name = "retrogate"},
                             alice = {.address = "alice@distant.alt"};
    const struct mime_report_recipient recipients[] = {
        {.address = "bob@distant.alt",
         .action = "failed",
         .status = "5.4.7",
         .reason = "nobody answered for 14 days; write again when bob is there",
         .last_attempt_ms = 1700000000000},
        {.address = "eve@distant.alt",
         .action = "delayed",
         .status = "4.4.1",
         .reason = "no tunnel yet",
         .until_ms = 1700100000000},
        {.address = "b\xc3\xbc"
                    "cher+x@distant.alt",
         .action = "failed",
         .status = "5.0.0",
         .reason = "b\xc3\xbc"
                   "cher is away"}};
    struct mime_report report = {.gateway = &gateway,
                                 .recipient = &alice,
                                 .envelope = "E+2B1",
                                 .recipients = recipients,
                                 .count = 3,
                                 .now_ms = 1700000000000,
                                 .arrived_ms = 1699000000000,
                                 .message_id = "r@distant.alt"};
    struct mime_summary summary;
    assert_true(mime_report(&own, &summary, &report, buffer_view(&original), NULL));
    assert_string_equal(summary.subject, "Not delivered: \xc3\xa4");
    assert_string_equal(summary.in_reply_to, "m@x");
    assert_has(&own, "Content-Type: multipart/report; boundary=\"=_");
    assert_has(&own, "report-type=delivery-status\r\n");
    assert_has(&own, "Auto-Submitted: auto-replied\r\n");
    assert_has(&own, "Content-Type: message/delivery-status\r\n");
    assert_has(&own,
               "\r\n\r\nOriginal-Envelope-Id: E+2B1\r\nReporting-MTA: dns; distant.alt\r\nArrival-Date: ");
    assert_has(&own, "\r\n\r\nFinal-Recipient: rfc822; bob@distant.alt\r\nAction: failed\r\nStatus: 5.4.7\r\n"
                     "Diagnostic-Code: x-retrogate; nobody");
    assert_has(&own, "Action: delayed\r\nStatus: 4.4.1\r\n");
    assert_has(&own, "Will-Retry-Until: Thu, 16 Nov 2023 02:00:00 +0000\r\n");
    /* message/delivery-status is ASCII (RFC 3464 §2.1, RFC 6533 §3); the words for a person are not. */
    assert_has(&own, "Final-Recipient: utf-8; b\\x{FC}cher\\x{2B}x@distant.alt\r\nAction: failed\r\n");
    assert_has(&own, "Diagnostic-Code: x-retrogate; b?cher is away\r\n");
    assert_has_not(&own, "Final-Recipient: utf-8; b\xc3\xbc");
    assert_has(&own, "Content-Type: text/rfc822-headers\r\n");
    assert_has_not(&own, "secret body");
    mime_summary_free(&summary);
    buffer_clear(&own);
    report.full = true;
    assert_true(mime_report(&own, &summary, &report, buffer_view(&original), NULL));
    assert_has(&own, "Content-Type: message/rfc822\r\n");
    assert_has(&own, "secret body");
    mime_summary_free(&summary);
    buffer_free(&own);
    buffer_free(&original);
}

static void test_verbs(void **state)
{
    (void)state;
    struct buffer lines = buffer_make(1024);
    assert_true(
        mime_verbs(&lines,
                   bytes_of_string("Content-Type: text/plain; charset=utf-8\r\n\r\nhelp\r\n\r\n  status \r\n"
                                   "On Monday gateway wrote:\r\n> old\r\n>> older\r\n"
                                   "contacts\r\n-- \r\ninvite bob\r\n"),
                   NULL));
    assert_string_equal(buffer_string(&lines), "help\n  status \ncontacts\n");
    struct error *error = NULL;
    assert_false(
        mime_verbs(&lines, bytes_of_string("Content-Type: text/html\r\n\r\n<p>help</p>\r\n"), &error));
    assert_int_equal(error->code, ERROR_INVALID);
    error_free(error);
    buffer_free(&lines);
}

static void test_autocrypt(void **state)
{
    (void)state;
    static const char *const none[] = {
        "Subject: x\r\n\r\nAutocrypt: addr=a@b; keydata=AAEC\r\n",
        "Autocrypt: addr=a@b; keydata=AA!!\r\n\r\n", "Autocrypt: addr=a@b; critical=1; keydata=AAEC\r\n\r\n",
        "Autocrypt: addr=a@b\r\n\r\n", "Autocrypt: keydata=AAEC\r\nAutocrypt: keydata=AAED\r\n\r\n"};
    struct buffer block = buffer_make(1024);
    assert_true(mime_autocrypt_key(
        &block, bytes_of_string("autocrypt: addr=a@b; _x=1;\r\n KeyData=\r\n AA\r\n EC\r\n\r\nx\r\n")));
    assert_memory_equal(buffer_view(&block).data, "\0\1\2", 3);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        buffer_clear(&block);
        assert_false(mime_autocrypt_key(&block, bytes_of_string(none[i])));
    }
    buffer_free(&block);
}

static const char *client_id(void *arg, const char *wire_id)
{
    (void)arg;
    return strncmp(wire_id, "94f6", 4) == 0 ? "mine@laptop.home" : NULL;
}

/* A thread comes back to the ids of the account's own client. */
static void test_threads(void **state)
{
    (void)state;
    struct mime_people people = people_make();
    people.own_id = client_id;
    struct mime_arrival arrival = arrival_make(&people);
    struct buffer own = buffer_make(4096);
    struct mime_summary summary;
    assert_true(mime_receive_sealed(
        &own, &summary, &arrival,
        bytes_of_string("In-Reply-To: <94f6fb83ecfe10954be7bd65d895e52e@distant.alt>\r\n"
                        "References: <a@b>\r\n\t<94f6fb83ecfe10954be7bd65d895e52e@distant.alt>"
                        "\r\n\r\nx\r\n"),
        NULL));
    assert_string_equal(summary.in_reply_to, "mine@laptop.home");
    assert_string_equal(buffer_string(&summary.references), "a@b\nmine@laptop.home");
    assert_has(&own, "To: bob@distant.alt\r\n"); /* nobody was named: a blind copy */
    mime_summary_free(&summary);
    buffer_free(&own);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sent),  cmocka_unit_test(test_arrived),   cmocka_unit_test(test_report),
        cmocka_unit_test(test_verbs), cmocka_unit_test(test_autocrypt), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
