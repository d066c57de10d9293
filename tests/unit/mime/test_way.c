/* SPDX-License-Identifier: ISC */
/* Messages of real clients on their way: submitted, as content of a letter, received, shown. */
#include "mime_test.h"

static const char thunderbird[] =
    "Received: from laptop.home ([192.168.1.7])\r\n by mail.example; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    "Message-ID: <3c5f5c3e-0000-4c3b-9d6a-6f6f6f6f6f6f@laptop.home>\r\n"
    "Date: Mon, 13 Nov 2023 22:13:20 +0200\r\n"
    "MIME-Version: 1.0\r\n"
    "User-Agent: Mozilla Thunderbird\r\n"
    "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?= und mehr\r\n"
    "Content-Language: en-US\r\n"
    "To: Bob <bob@distant.alt>, stranger@example.org\r\n"
    "Bcc: secret@distant.alt\r\n"
    "From: \"A. Liddell\" <someone@laptop.home>\r\n"
    "References: <0123456789abcdef0123456789abcdef@distant.alt>\r\n <old@laptop.home>\r\n"
    "In-Reply-To: <0123456789abcdef0123456789abcdef@distant.alt>\r\n"
    "X-Mozilla-Draft-Info: internal/draft\r\n"
    "Authentication-Results: gate.example; x-retrogate=pass\r\n"
    "Content-Type: multipart/mixed; boundary=\"------------Mozilla123\"\r\n"
    "\r\n"
    "This is a multi-part message in MIME format.\r\n"
    "--------------Mozilla123\r\n"
    "Content-Type: multipart/related;\r\n boundary=\"------------inner\"\r\n"
    "\r\n"
    "--------------inner\r\n"
    "Content-Type: text/html; charset=UTF-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "\r\n"
    "<html><body><p>Hello <b>Bob</b> \xc3\xbc<img src=\"cid:part1.abc@laptop.home\" alt=\"logo\"></p>"
    "<script>alert(1)</script></body></html>\r\n"
    "--------------inner\r\n"
    "Content-Type: image/png; name=\"logo.png\"\r\n"
    "Content-Disposition: inline; filename=\"logo.png\"\r\n"
    "Content-Id: <part1.abc@laptop.home>\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "iVBORw0KGgo=\r\n"
    "--------------inner--\r\n"
    "\r\n"
    "--------------Mozilla123\r\n"
    "Content-Type: application/pdf; x-mac-type=\"0\"; x-unix-mode=0644;\r\n name=\"plan.pdf\"\r\n"
    "Content-Disposition: attachment; filename*=UTF-8''pl%C3%A4n.pdf;\r\n"
    " modification-date=\"Mon, 13 Nov 2023 22:13:20 +0200\"; size=3\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "X-Attachment-Id: f_local\r\n"
    "\r\n"
    "AAEC\r\n"
    "--------------Mozilla123--\r\n";

static void test_submitted(void **state)
{
    (void)state;
    struct buffer own;
    struct mime_summary summary;
    assert_true(submit(&own, &summary, bytes_of_string(thunderbird), NULL));
    assert_has(&own, "From: Alice <alice@distant.alt>\r\n");
    assert_has_not(&own, "Liddell");
    assert_has_not(&own, "Authentication-Results");
    assert_has(&own, "Bcc: secret@distant.alt\r\n");
    assert_has(&own, "\r\n\r\nThis is a multi-part message in MIME format.\r\n--------------Mozilla123\r\n");
    assert_string_equal(summary.subject, "Gr\xc3\xbc\xc3\x9f"
                                         "e und mehr");
    assert_string_equal(summary.message_id, "3c5f5c3e-0000-4c3b-9d6a-6f6f6f6f6f6f@laptop.home");
    assert_int_equal(strspn(summary.wire_id, "0123456789abcdef"), 32);
    assert_string_equal(summary.wire_id + 32, "@distant.alt");
    assert_string_equal(summary.in_reply_to, "0123456789abcdef0123456789abcdef@distant.alt");
    assert_string_equal(buffer_string(&summary.references),
                        "0123456789abcdef0123456789abcdef@distant.alt\nold@laptop.home");
    assert_string_equal(buffer_string(&summary.to), "[{\"address\":\"bob@distant.alt\",\"name\":\"Bob\"},"
                                                    "{\"address\":\"stranger@example.org\",\"name\":\"\"}]");
    assert_string_equal(buffer_string(&summary.cc), "[]");
    assert_true(summary.date == 1699906400000);
    assert_int_equal(summary.attachments, 2);
    assert_true(summary.complete);
    assert_string_equal(summary.preview, "Hello Bob \xc3\xbclogo");
    mime_summary_free(&summary);
    buffer_free(&own);
}

/* Nothing but what POSTS.md §8 names leaves. */
static void test_content(void **state)
{
    (void)state;
    struct buffer own = submitted(thunderbird), content = content_of(buffer_view(&own));
    struct mime_summary summary;
    char line[512];
    snprintf(line, sizeof line, "To: %s\r\n", bob_wire);
    assert_has(&content, line);
    snprintf(line, sizeof line, "Autocrypt: addr=%s; keydata=\r\n mQECAw==\r\n", alice_wire);
    assert_has(&content, line);
    assert_has(&content, "Date: Mon, 13 Nov 2023 20:13:20 +0000\r\n");
    assert_has(&content, " <0123456789abcdef0123456789abcdef@distant.alt>\r\n");
    static const char *const leaks[] = {
        "laptop",   "192.168", "Mozilla", "User-Agent", "X-",      "stranger", "secret",     "Alice",
        "Received", "x-mac",   "x-unix",  "+0200",      "f_local", "From:",    "multi-part", "modification"};
    for (size_t i = 0; i < sizeof leaks / sizeof leaks[0]; i++)
        assert_has_not(&content, leaks[i]);
    assert_true(mime_summarise(&summary, buffer_view(&content), NULL));
    struct mime_people people = people_make();
    char wire[MIME_WIRE_ID];
    assert_true(mime_wire_id(wire, &people, "3c5f5c3e-0000-4c3b-9d6a-6f6f6f6f6f6f@laptop.home"));
    assert_string_equal(summary.message_id, wire);
    assert_true(mime_wire_id(wire, &people, "old@laptop.home"));
    assert_string_equal(strchr(buffer_string(&summary.references), '\n') + 1, wire);
    mime_summary_free(&summary);
    buffer_free(&content);
    buffer_free(&own);
}

static void test_received(void **state)
{
    (void)state;
    struct buffer own = submitted(thunderbird), content = content_of(buffer_view(&own)),
                  arrived = received(buffer_view(&content));
    struct mime_view view;
    assert_true(strncmp(buffer_string(&arrived),
                        "Authentication-Results: gate.example;\r\n x-retrogate=pass\r\n "
                        "reason=\"signed by \\\"Alice\\\"\"\r\n header.from=alice@distant.alt\r\n "
                        "policy.verdict=signed policy.protection=sealed policy.level=private\r\n",
                        100) == 0);
    assert_has(&arrived, "\r\nFrom: Alice <alice@distant.alt>\r\n");
    assert_has(&arrived, "\r\nTo: bob@distant.alt\r\n");
    assert_has_not(&arrived, "Autocrypt"); /* no verified key was given */
    assert_true(mime_view(&view, buffer_view(&arrived), NULL));
    assert_string_equal(buffer_string(&view.text), "Hello Bob \xc3\xbclogo\n");
    assert_has(&view.html, "<b>Bob</b>");
    assert_has_not(&view.html, "alert");
    assert_int_equal(view.part_count, 2);
    assert_string_equal(view.parts[0].name, "logo.png");
    assert_string_equal(view.parts[1].name, "pl\xc3\xa4n.pdf");
    assert_string_equal(view.parts[1].type, "application/pdf");
    assert_int_equal(view.parts[1].size, 3);
    /* The picture is found under its new name. */
    const char *cid = strstr(buffer_string(&view.html), "cid:");
    assert_non_null(cid);
    char id[64];
    snprintf(id, sizeof id, "<%.*s>", (int)strcspn(cid + 4, "\""), cid + 4);
    assert_has(&arrived, id);
    struct buffer data = buffer_make(1024);
    assert_true(mime_part_read(&data, buffer_view(&arrived), view.parts[1].part, NULL));
    assert_memory_equal(buffer_view(&data).data, "\0\1\2", 3);
    assert_int_equal(buffer_size(&data), 3);
    struct error *error = NULL;
    assert_false(mime_part_read(&data, buffer_view(&arrived), 9, &error));
    assert_int_equal(error->code, ERROR_NOT_FOUND);
    error_free(error);
    buffer_free(&data);
    mime_view_free(&view);
    buffer_free(&arrived);
    buffer_free(&content);
    buffer_free(&own);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submitted),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_received),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
