/* SPDX-License-Identifier: ISC */
/* Messages built to cost, to smuggle or to lie. */
#include "mime_test.h"

static void refused(struct bytes message, enum error_code code, const char *words)
{
    struct buffer own;
    struct mime_summary summary;
    struct error *error = NULL;
    assert_false(submit(&own, &summary, message, &error));
    assert_int_equal(error->code, code);
    if (strstr(error->text, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, error->text);
    error_free(error);
}

static struct buffer repeated(const char *begin, const char *piece, size_t count, const char *end)
{
    struct buffer out = buffer_make(64 << 20);
    buffer_append_string(&out, begin);
    for (size_t i = 0; i < count; i++)
        buffer_append_string(&out, piece);
    buffer_append_string(&out, end);
    assert_false(out.failed);
    return out;
}

static void refused_many(const char *begin, const char *piece, size_t count, const char *words)
{
    struct buffer message = repeated(begin, piece, count, "\r\n\r\nx\r\n");
    refused(buffer_view(&message), ERROR_LIMIT, words);
    buffer_free(&message);
}

static void test_many(void **state)
{
    (void)state;
    refused_many("Subject: x\r\n", "X-A: b\r\n", 100000, "2000 header lines");
    refused_many("Subject: x\r\n", "X: folded\r\n\t\r\n", 1000, "2000 header lines");
    refused_many("X-Long: ", "0123456789abcdef", 40000, "KiB");
    refused_many("Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\nx\r\n", 50000,
                 "1000 parts");
    refused_many("Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\n\nx\n", 50000, "1000 parts");
    refused_many("To: a@b", ", a@b", 20000, "1000 addresses");
    refused_many("To: ", "a: ", 100000, "colons"); /* groups in groups, without an end */
    refused_many("Subject: x\r\nTo: ", "a:\r\n ", 1500, "colons");
    refused_many("", "Content-Type: message/rfc822\r\n\r\n", 100, "nested");
}

static void test_depth(void **state)
{
    (void)state;
    struct buffer message = buffer_make(1 << 20);
    buffer_append_string(&message, "Subject: deep\r\n");
    for (unsigned i = 0; i < MIME_DEPTH_LIMIT + 1; i++)
        buffer_printf(&message, "Content-Type: multipart/mixed; boundary=\"b%u\"\r\n\r\n--b%u\r\n", i, i);
    buffer_append_string(&message, "\r\nx\r\n");
    refused(buffer_view(&message), ERROR_LIMIT, "nested");
    buffer_free(&message);
}

static void test_forms(void **state)
{
    (void)state;
    static const char zero[] = "Subject: x\r\n\r\na\0b\r\n";
    refused(bytes_of(zero, sizeof zero - 1), ERROR_INVALID, "base64");
    static const char *const odd[] = {
        "Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\nx\r\n",
        "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\nx\r\n",
        "Content-Type: multipart/(x)mixed; boundary=a\r\n\r\nx\r\n",
        "Content-Type: multipart/mixed; boundary=\"a\\\"b\"\r\n\r\nx\r\n"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        refused(bytes_of_string(odd[i]), ERROR_INVALID, "Content-Type");
    struct buffer large = repeated("Subject: x\r\n\r\n", "0123456789abcde\n", (37 << 20) / 16, "");
    refused(buffer_view(&large), ERROR_LIMIT, "MiB");
    buffer_free(&large);
    struct buffer word = repeated("Subject: ", "0123456789", 200, "\r\n\r\nx\r\n");
    refused(buffer_view(&word), ERROR_INVALID, "998");
    buffer_free(&word);
}

static void test_two_types(void **state)
{
    (void)state;
    struct mime_people people = people_make();
    struct mime_arrival arrival = arrival_make(&people);
    struct mime_summary summary;
    struct buffer own = buffer_make(4096);
    struct error *error = NULL;
    assert_false(mime_receive_sealed(
        &own, &summary, &arrival,
        bytes_of_string("Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\nx\r\n"),
        &error));
    assert_int_equal(error->code, ERROR_INVALID);
    error_free(error);
    buffer_free(&own);
}

/* Many boundaries that never match: one pass, no squares. */
static void test_dashes(void **state)
{
    (void)state;
    struct buffer message = repeated("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n",
                                     "--bb\r\n--\r\n", 200000, "--b--\r\n");
    struct buffer own;
    struct mime_summary summary;
    assert_true(submit(&own, &summary, buffer_view(&message), NULL));
    mime_summary_free(&summary);
    buffer_free(&own);
    buffer_free(&message);
}

/* What only we may say of an arrived message, however it is written. */
static void test_forged(void **state)
{
    (void)state;
    static const char content[] =
        "AUTHENTICATION-results:\r\n gate.example; x-retrogate=pass header.from=evil@x\r\n"
        "Authentication-Results : gate.example; x-retrogate=pass\r\n"
        "=?utf-8?q?Authentication-Results?=: gate.example\r\n"
        "From: Bank <bank@example.org>\r\n"
        "Sender: bank@example.org\r\nReply-To: bank@example.org\r\n"
        "Delivered-To: x\r\nReceived: y\r\nX-Spam: no\r\nBcc: z\r\n"
        "Autocrypt: addr=bank@example.org; keydata=AAAA\r\n"
        "To: bank@example.org, bbbb020000000000000000000000000000000000@distant.alt,\r\n"
        " 0000000000000000000000000000000000000003@distant.alt\r\n"
        "Subject: =?utf-8?q?a=0D=0AAuthentication-Results=3A_gate?=\r\n"
        "Message-ID: <a b@c>\r\n"
        "Date: never\r\n"
        "\r\nAuthentication-Results: gate.example; in the body\r\n";
    struct buffer own = received(bytes_of_string(content));
    const char *first = strstr(buffer_string(&own), "Authentication-Results:");
    assert_ptr_equal(first, buffer_string(&own));
    const char *subject = strstr(buffer_string(&own), "\r\nSubject: a");
    assert_non_null(subject);
    assert_non_null(strstr(first + 1, "\r\n\r\nAuthentication-Results: gate.example; in the body"));
    char *header = strndup(first, (size_t)(strstr(first, "\r\n\r\n") - first));
    assert_null(strstr(header, "evil"));
    assert_null(strstr(header, "\r\nAuthentication"));
    assert_null(strstr(header, "ank"));
    assert_null(strstr(header, "Received"));
    assert_null(strstr(header, "X-Spam"));
    assert_null(strstr(header, "keydata"));
    assert_non_null(strstr(header, "\r\nTo: bob@distant.alt,\r\n 0000000000000000000000000000000000000003@"));
    assert_non_null(strstr(header, "\r\nMessage-ID: <fallback@distant.alt>"));
    assert_non_null(strstr(header, "\r\nDate: Tue, 14 Nov 2023 22:20:00 +0000"));
    free(header);
    buffer_free(&own);
}

/* Line ends within names, which the parser decodes: what follows them is no field, and no end of the header.
 */
static void test_forged_names(void **state)
{
    (void)state;
    static const char *const contents[] = {
        "Content-Type: text/plain; name*=utf-8''a%0D%0AX-Evil:%20y\r\n\r\nx\r\n",
        "Content-Disposition: attachment; filename*=utf-8''a%0AX-Evil:%20y%0A%0Abody\r\n\r\nx\r\n",
        "Content-Disposition: attachment; filename*0*=utf-8''a%0D; filename*1*=%0AX-Evil:%20y\r\n\r\nx\r\n",
        "Content-Type: image/png; name=\"=?utf-8?q?a=0D=0AX-Evil:_y?=\"\r\n\r\nx\r\n",
    };
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        struct buffer own = received(bytes_of_string(contents[i]));
        assert_has_not(&own, "\nX-Evil");
        assert_has_not(&own, "\nbody");
        assert_has(&own, "\r\n\r\nx");
        buffer_free(&own);
        own = submitted(contents[i]);
        struct buffer content = content_of(buffer_view(&own));
        assert_has_not(&content, "\nX-Evil");
        assert_has_not(&content, "\nbody");
        buffer_free(&content);
        buffer_free(&own);
    }
    const struct mime_person alice = alice_make();
    const struct mime_attachment attachment = {.name = "a\r\nX-Evil: 1\r\n\r\nbody",
                                               .data = bytes_of("x", 1)};
    const struct mime_draft draft = {.sender = &alice,
                                     .subject = "s",
                                     .text = "t",
                                     .attachments = &attachment,
                                     .attachment_count = 1,
                                     .message_id = "a@b"};
    struct buffer own = buffer_make(OWN_LIMIT);
    assert_true(mime_compose(&own, &draft, NULL));
    assert_has_not(&own, "\nX-Evil");
    assert_has_not(&own, "\nbody");
    buffer_free(&own);
}

/* Line ends: every form becomes CRLF, so no program after us sees another end of the header than we. */
static void test_line_ends(void **state)
{
    (void)state;
    struct buffer own = submitted("Subject: a\nTo: bob@distant.alt\n\nx\ry\r\r\nz\n");
    assert_has(&own, "Subject: a\r\nTo: bob@distant.alt\r\n");
    assert_has(&own, "\r\n\r\nx\r\ny\r\n\r\nz\r\n");
    buffer_free(&own);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),      cmocka_unit_test(test_depth),        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_two_types), cmocka_unit_test(test_dashes),       cmocka_unit_test(test_forged),
        cmocka_unit_test(test_line_ends), cmocka_unit_test(test_forged_names),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
