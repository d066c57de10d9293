/* SPDX-License-Identifier: ISC */
/* Parts keep their bytes: attachments, signatures, long lines, charsets. */
#include "mime_test.h"

static const struct mime_person bob = {.address = "bob@distant.alt"};

static struct buffer composed(const struct mime_attachment *attachments, size_t count, const char *text)
{
    struct mime_person sender = alice_make();
    const struct mime_draft draft = {.sender = &sender,
                                     .to = &bob,
                                     .to_count = 1,
                                     .subject = "Pl\xc3\xa4ne",
                                     .text = text,
                                     .in_reply_to = "b@c",
                                     .references = "a@b\nb@c",
                                     .attachments = attachments,
                                     .attachment_count = count,
                                     .now_ms = 1700000000000,
                                     .message_id = "00112233445566778899aabbccddeeff@distant.alt"};
    struct buffer own = buffer_make(OWN_LIMIT);
    struct error *error = NULL;
    if (!mime_compose(&own, &draft, &error))
        fail_msg("%s", error->text);
    return own;
}

/* Composed, submitted again as a client would, sent, received: byte for byte. */
static void test_large(void **state)
{
    (void)state;
    enum { SIZE = 10 << 20 };
    uint8_t *bytes = malloc(SIZE);
    uint32_t random = 1;
    for (size_t i = 0; i < SIZE; i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(random >> 24);
    }
    const struct mime_attachment attachments[] = {
        {.name = "\xc3\xbc ber \"all\".bin", .type = "", .data = {bytes, SIZE}},
        {.name = "note.txt", .type = "text/plain", .data = {(const uint8_t *)"a\nb\r\nc", 6}}};
    struct buffer made = composed(attachments, 2, "see there\n"), own, content, arrived;
    struct mime_summary summary;
    assert_true(submit(&own, &summary, buffer_view(&made), NULL));
    assert_int_equal(summary.attachments, 2);
    mime_summary_free(&summary);
    content = content_of(buffer_view(&own));
    arrived = received(buffer_view(&content));
    struct mime_view view;
    assert_true(mime_view(&view, buffer_view(&arrived), NULL));
    assert_string_equal(buffer_string(&view.text), "see there\n");
    assert_int_equal(view.part_count, 2);
    assert_string_equal(view.parts[0].name, attachments[0].name);
    assert_string_equal(view.parts[0].type, "application/octet-stream");
    assert_int_equal(view.parts[0].size, SIZE);
    struct buffer data = buffer_make(SIZE);
    assert_true(mime_part_read(&data, buffer_view(&arrived), view.parts[0].part, NULL));
    assert_int_equal(buffer_size(&data), SIZE);
    assert_memory_equal(buffer_view(&data).data, bytes, SIZE);
    buffer_clear(&data);
    assert_true(mime_part_read(&data, buffer_view(&arrived), view.parts[1].part, NULL));
    assert_string_equal(buffer_string(&data), "a\nb\r\nc");
    mime_view_free(&view);
    buffer_free(&data);
    buffer_free(&made);
    buffer_free(&own);
    buffer_free(&content);
    buffer_free(&arrived);
    free(bytes);
}

static void test_too_large(void **state)
{
    (void)state;
    enum { SIZE = 20 << 20 };
    uint8_t *bytes = calloc(1, SIZE);
    const struct mime_attachment attachment = {.name = "x", .data = {bytes, SIZE}};
    struct buffer own = composed(&attachment, 1, ""), content = buffer_make(OWN_LIMIT);
    struct mime_people people = people_make();
    struct error *error = NULL;
    assert_false(mime_content(&content, &people, (struct bytes){NULL, 0}, buffer_view(&own), &error));
    assert_int_equal(error->code, ERROR_LIMIT);
    error_free(error);
    buffer_free(&own);
    buffer_free(&content);
    free(bytes);
}

static void test_composed(void **state)
{
    (void)state;
    struct buffer own = composed(NULL, 0,
                                 "gr\xc3\xbc\xc3\x9f"
                                 "e");
    assert_has(&own, "From: Alice =?UTF-8?");
    assert_has(&own, "To: bob@distant.alt\r\n");
    assert_has(&own, "Subject: =?UTF-8?");
    assert_has(&own, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n");
    assert_has(&own, "In-Reply-To: <b@c>\r\nReferences: <a@b>\r\n <b@c>\r\n");
    assert_has(&own, "Content-Transfer-Encoding: 8bit\r\n\r\ngr\xc3\xbc\xc3\x9f"
                     "e\r\n");
    struct mime_summary summary;
    assert_true(mime_summarise(&summary, buffer_view(&own), NULL));
    assert_string_equal(summary.subject, "Pl\xc3\xa4ne");
    assert_string_equal(buffer_string(&summary.from),
                        "[{\"address\":\"alice@distant.alt\",\"name\":\"Alice \xc3\x84\"}]");
    mime_summary_free(&summary);
    buffer_free(&own);
}

/* PGP/MIME: every byte that the signature covers stays, also what would be reduced elsewhere. */
static void test_signed(void **state)
{
    (void)state;
    static const char covered[] = "Content-Type: multipart/mixed; boundary=\"in\"\r\n"
                                  "X-Kept: yes\r\n\r\n"
                                  "--in\r\nContent-Type: text/plain; charset=us-ascii; x-mac-type=1\r\n"
                                  "Content-ID:  <id@laptop.home>\r\n\r\n"
                                  "signed text  \r\n-- \r\nname\r\n"
                                  "--in--\r\n";
    struct buffer message = buffer_make(4096);
    buffer_printf(&message,
                  "To: bob@distant.alt\r\nMIME-Version: 1.0\r\n"
                  "Content-Type: multipart/signed; micalg=pgp-sha512;\r\n"
                  " protocol=\"application/pgp-signature\"; boundary=\"laptop-home\"\r\n\r\n"
                  "--laptop-home\r\n%s\r\n--laptop-home\r\n"
                  "Content-Type: application/pgp-signature; name=\"signature.asc\"\r\n\r\n"
                  "-----BEGIN PGP SIGNATURE-----\r\n\r\nabcd\r\n-----END PGP SIGNATURE-----\r\n"
                  "--laptop-home--\r\n",
                  covered);
    struct buffer own = submitted(buffer_string(&message)), content = content_of(buffer_view(&own)),
                  arrived = received(buffer_view(&content));
    assert_has(&arrived, covered);
    assert_has(&arrived, "micalg=pgp-sha512");
    assert_has(&arrived, "protocol=\"application/pgp-signature\"");
    assert_has_not(&arrived, "laptop-home");
    struct buffer subject = buffer_make(1024), body = buffer_make(1024);
    assert_true(mime_classic(&subject, &body, buffer_view(&own), NULL));
    assert_string_equal(buffer_string(&body), "signed text  \n-- \nname");
    buffer_free(&subject);
    buffer_free(&body);
    buffer_free(&message);
    buffer_free(&own);
    buffer_free(&content);
    buffer_free(&arrived);
}

static void test_long_lines(void **state)
{
    (void)state;
    struct buffer message = buffer_make(1 << 16);
    buffer_append_string(&message, "Subject: long\r\nTo: bob@distant.alt");
    for (unsigned i = 0; i < 200; i++)
        buffer_printf(&message, ", p%u@example.org", i);
    buffer_append_string(&message, "\r\n\r\n");
    for (unsigned i = 0; i < 300; i++)
        buffer_append_string(&message, "w\xc3\xb6rter ");
    buffer_append_string(&message, "\r\nend\r\n");
    struct buffer own = submitted(buffer_string(&message));
    const char *at = buffer_string(&own);
    for (size_t line = 0; *at != '\0'; at++) {
        line = *at == '\n' ? 0 : line + 1;
        assert_true(line <= 999); /* with the CR */
    }
    struct mime_view view;
    assert_true(mime_view(&view, buffer_view(&own), NULL));
    assert_int_equal(buffer_size(&view.text), 300 * 8 + 5);
    assert_has(&own, "quoted-printable");
    assert_has(&own, "From: Alice");
    mime_view_free(&view);
    buffer_free(&message);
    buffer_free(&own);
}

static void shows(const char *message, const char *text)
{
    struct mime_view view;
    struct error *error = NULL;
    if (!mime_view(&view, bytes_of_string(message), &error))
        fail_msg("%s", error->text);
    assert_string_equal(buffer_string(&view.text), text);
    mime_view_free(&view);
}

static void test_text(void **state)
{
    (void)state;
    shows("Subject: x\r\n\r\n", "");
    shows("\r\nx\r\n", "x\n");
    shows("Content-Type: text/plain; charset=koi8-r\r\n\r\n\xf0\xf2\r\n", "\xd0\x9f\xd0\xa0\n");
    shows("Content-Type: text/plain; charset=x-unknown\r\n\r\n\x80\r\n", "\xe2\x82\xac\n");
    shows("Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xe4\x01\r\n", "\xc3\xa4\xef\xbf\xbd\n");
    shows("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw6Q=\r\n",
          "\xc3\xa4");
    shows("Content-Type: text/plain; charset=utf-8; format=flowed\r\n\r\n"
          "> quote \r\n> more\r\nflowing \r\nline\r\n >kept\r\n\r\n-- \r\nsig\r\n",
          "> quote \n> more\nflowing line\n>kept\n\n-- \nsig\n");
    /* Outlook: only HTML. */
    shows("Content-Type: text/html; charset=\"windows-1252\"\r\n\r\n"
          "<html xmlns:o=\"urn:x\"><head><style>p{}</style><!--[if mso]>x<![endif]--></head><body lang=EN-US>"
          "<p class=MsoNormal>Hi,<o:p></o:p></p><p>see <a "
          "href=\"https://x.example/\">here</a>&nbsp;\x80</p></body>",
          "Hi,\n\nsee here <https://x.example/> \xe2\x82\xac\n");
    /* Apple Mail: text, a picture, text. */
    shows(
        "Content-Type: multipart/alternative; boundary=\"Apple-Mail=_1\"\r\n\r\n\r\n"
        "--Apple-Mail=_1\r\nContent-Transfer-Encoding: 7bit\r\nContent-Type: "
        "text/plain;\r\n\tcharset=us-ascii\r\n"
        "\r\nplain form\r\n\r\n--Apple-Mail=_1\r\nContent-Type: "
        "multipart/mixed;\r\n\tboundary=\"Apple-Mail=_2\"\r\n\r\n"
        "--Apple-Mail=_2\r\nContent-Type: text/html\r\n\r\n<b>html form</b>\r\n"
        "--Apple-Mail=_2\r\nContent-Type: image/gif\r\n\r\nGIF\r\n--Apple-Mail=_2--\r\n--Apple-Mail=_1--\r\n",
        "plain form\n");
}

/* Names of RFC 2047 and 2231, paths, attached messages. */
static void test_names(void **state)
{
    (void)state;
    static const char message[] =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: image/png; name=\"=?utf-8?q?=C3=A4.png?=\"\r\n\r\nx\r\n"
        "--b\r\nContent-Type: image/png\r\nContent-Disposition: inline; filename*0*=utf-8''%c3%b6;\r\n"
        " filename*1=\".png\"\r\n\r\nx\r\n"
        "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment;\r\n"
        " filename=\"C:\\\\Users\\\\me\\\\secret\\\\a.txt\"\r\n\r\nx\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nX-Kept: yes\r\n\r\nbody\r\n"
        "--b--\r\n";
    static const char *const names[] = {"\xc3\xa4.png", "\xc3\xb6.png", "a.txt", ""};
    struct mime_view view;
    struct buffer own = submitted(message), content = content_of(buffer_view(&own)), data = buffer_make(1024);
    assert_true(mime_view(&view, buffer_view(&content), NULL));
    assert_int_equal(view.part_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(view.parts[i].name, names[i]);
    assert_string_equal(view.parts[3].type, "message/rfc822");
    assert_true(mime_part_read(&data, buffer_view(&content), view.parts[3].part, NULL));
    assert_string_equal(buffer_string(&data), "Subject: inner\r\nX-Kept: yes\r\n\r\nbody");
    buffer_free(&data);
    mime_view_free(&view);
    buffer_free(&content);
    buffer_free(&own);
}

static void test_script(void **state)
{
    (void)state;
    /* What a script gives to sendmail: no MIME, perhaps no header, a line of mbox. */
    struct buffer own =
        submitted("From root Mon Jan 1 00:00:00 2024\nTo: bob@distant.alt\n\ngr\xc3\xbc\xc3\x9f"
                  "e\n");
    assert_has(&own, "Content-Type: text/plain; charset=utf-8\r\n");
    assert_has(&own, "Message-ID: <00112233445566778899aabbccddeeff@distant.alt>\r\n");
    assert_has(&own, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n");
    assert_has_not(&own, "root");
    buffer_free(&own);
    own = submitted("no header\n: here\n");
    assert_has(&own, "\r\n\r\nno header\r\n: here\r\n");
    buffer_free(&own);
    /* UTF-8 addresses (SMTPUTF8) stay. */
    own = submitted("To: J\xc3\xbcrg <j\xc3\xbcrg@b\xc3\xbc"
                    "cher.example>\r\nSubject: \xc3\xa4\r\n\r\nx\r\n");
    struct mime_summary summary;
    assert_true(mime_summarise(&summary, buffer_view(&own), NULL));
    assert_string_equal(buffer_string(&summary.to), "[{\"address\":\"j\xc3\xbcrg@b\xc3\xbc"
                                                    "cher.example\","
                                                    "\"name\":\"J\xc3\xbcrg\"}]");
    assert_string_equal(summary.subject, "\xc3\xa4");
    mime_summary_free(&summary);
    buffer_free(&own);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large),  cmocka_unit_test(test_too_large),  cmocka_unit_test(test_composed),
        cmocka_unit_test(test_signed), cmocka_unit_test(test_long_lines), cmocka_unit_test(test_text),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_script),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
