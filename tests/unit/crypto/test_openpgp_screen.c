/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <string.h>

#include "crypto/openpgp.h"

static void expect_message_refused(struct bytes message, const char *reason)
{
    struct openpgp_message_info info;
    struct error *error = NULL;
    assert_false(openpgp_screen_message(&info, message, &error));
    if (!strstr(error->text, reason))
        fail_msg("refused because \"%s\", not \"%s\"", error->text, reason);
    error_free(error);
}

static void expect_signature_refused(struct bytes signature, const char *reason)
{
    struct openpgp_signature_info info;
    struct error *error = NULL;
    assert_false(openpgp_screen_signature(&info, signature, &error));
    if (!strstr(error->text, reason))
        fail_msg("refused because \"%s\", not \"%s\"", error->text, reason);
    error_free(error);
}

static void check_recorded(const json_t *item, const char *id)
{
    struct buffer message = vectors_hex(item, "encrypted_blob");
    struct openpgp_message_info info;
    assert_true(openpgp_screen_message(&info, buffer_view(&message), NULL));
    assert_int_equal(info.recipients, 1);
    uint8_t expected[8];
    assert_true(hex_parse(expected, 8, id, 16));
    assert_memory_equal(info.recipient_ids[0], expected, 8);
    for (size_t size = 0; size < buffer_size(&message); size++)
        assert_false(openpgp_screen_message(&info, bytes_of(buffer_view(&message).data, size), NULL));
    buffer_free(&message);
}

static void check_recorded_signature(const json_t *item, const char *member, const char *issuer)
{
    struct buffer packet = vectors_hex(item, member);
    struct openpgp_signature_info info;
    assert_true(openpgp_screen_signature(&info, buffer_view(&packet), NULL));
    uint8_t expected[8];
    assert_true(hex_parse(expected, 8, issuer, 16));
    assert_memory_equal(info.issuer, expected, 8);
    assert_int_equal(info.type, 0);
    assert_int_equal(info.algorithm, 1);
    assert_int_equal(info.hash, 2);
    assert_int_equal(info.expires, 0);
    assert_true(info.created > 1380000000);
    struct bytes value;
    assert_false(openpgp_notation(&info, "anything", &value));
    for (size_t size = 0; size < buffer_size(&packet); size++)
        assert_false(openpgp_screen_signature(&info, bytes_of(buffer_view(&packet).data, size), NULL));
    buffer_free(&packet);
}

static void recorded_messages_pass(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.5/invite.json"), *item;
    size_t i;
    json_array_foreach(json_object_get(file, "invites"), i, item)
    {
        check_recorded(item, vectors_string(item, "destination_pgp_id"));
        check_recorded_signature(item, "clear_signature_packet", vectors_string(item, "issuer_pgp_id"));
    }
    assert_int_equal(i, 6);
    json_array_foreach(json_object_get(file, "messages"), i, item)
    {
        check_recorded(item, vectors_string(item, "destination_pgp_id"));
        if (json_is_true(json_object_get(item, "signed")))
            check_recorded_signature(item, "signature_packet", vectors_string(item, "sender_pgp_id"));
    }
    assert_int_equal(i, 5);
    json_decref(file);

    file = vectors_load("retroshare-0.6/link.json");
    const char *node;
    json_object_foreach(json_object_get(file, "nodes"), node, item)
    {
        struct buffer field = vectors_hex(json_object_get(item, "certificate"), "signature_field");
        struct openpgp_signature_info info;
        assert_true(openpgp_screen_signature(&info, buffer_view(&field), NULL));
        assert_int_equal(info.hash, 8);
        buffer_free(&field);
    }
    json_decref(file);
}

/* The first recorded message, taken apart: session key packet and protected packet. */
struct parts {
    struct buffer message;
    struct bytes session_key, protected_data;
};

static struct parts take_apart(void)
{
    json_t *file = vectors_load("retroshare-0.5/invite.json");
    struct parts parts = {
        .message = vectors_hex(json_array_get(json_object_get(file, "invites"), 0), "encrypted_blob")};
    struct bytes view = buffer_view(&parts.message);
    parts.session_key = bytes_of(view.data, 271); /* protocol 04 §5.2 */
    parts.protected_data = bytes_of(view.data + 271, view.size - 271);
    json_decref(file);
    return parts;
}

static void put_together(struct buffer *out, size_t keys, const struct parts *parts, const char *tail)
{
    buffer_clear(out);
    while (keys-- > 0)
        buffer_append_bytes(out, parts->session_key);
    buffer_append_bytes(out, parts->protected_data);
    struct buffer more = hex_buffer(tail);
    buffer_append_bytes(out, buffer_view(&more));
    buffer_free(&more);
}

/* protocol 07 §6 and W-M9: what the original took and must not be taken. */
static void hostile_messages_are_refused(void **state)
{
    (void)state;
    struct parts parts = take_apart();
    struct buffer out = buffer_make(65536);
    struct openpgp_message_info info;
    put_together(&out, 8, &parts, "");
    assert_true(openpgp_screen_message(&info, buffer_view(&out), NULL));
    assert_int_equal(info.recipients, 8);
    put_together(&out, 9, &parts, "");
    expect_message_refused(buffer_view(&out), "more than 8 recipients");
    put_together(&out, 0, &parts, "");
    expect_message_refused(buffer_view(&out), "no recipient");
    put_together(&out, 1, &parts, "cb0762000000000041");
    expect_message_refused(buffer_view(&out), "follows");
    put_together(&out, 1, &parts, "cb076200000000");
    expect_message_refused(buffer_view(&out), "follows");
    put_together(&out, 1, &parts, "00");
    expect_message_refused(buffer_view(&out), "follows");
    expect_message_refused(parts.session_key, "whole OpenPGP packets");

    static const struct {
        const char *message, *reason;
    } cases[] = {
        {"cb0762000000000041", "integrity protection"},       /* a literal packet without encryption */
        {"c807010101010101ff", "integrity protection"},       /* compressed */
        {"c90a00112233445566778899", "integrity protection"}, /* tag 9 */
        {"", "whole OpenPGP packets"},
        {"c3040409010800", "integrity protection"},      /* a password */
        {"c10d04001122334455667701000881", "RSA"},       /* version 4 */
        {"c10d03001122334455667710000881", "RSA"},       /* Elgamal */
        {"c10d03001122334455667701000981", "malformed"}, /* bit count is not exact */
        {"c10d03000000000000000001000881", "name its recipient"},
        {"c10e0300112233445566770100088100", "malformed"},
        {"84", "whole OpenPGP packets"},
        {"87", "whole OpenPGP packets"}, /* until the end of the data */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer message = hex_buffer(cases[i].message);
        expect_message_refused(buffer_view(&message), cases[i].reason);
        buffer_free(&message);
    }

    /* Partial lengths, and a later version of the protected packet. */
    buffer_clear(&out);
    buffer_append_bytes(&out, parts.session_key);
    buffer_append(&out, "\xd2\xe9", 2);
    for (size_t i = 0; i < 600; i++)
        buffer_u8(&out, 1);
    expect_message_refused(buffer_view(&out), "whole OpenPGP packets");
    buffer_clear(&out);
    buffer_append_bytes(&out, parts.session_key);
    buffer_append(&out, "\xd2\x50\x02", 3);
    for (size_t i = 0; i < 79; i++)
        buffer_u8(&out, 1);
    expect_message_refused(buffer_view(&out), "unknown version");
    buffer_free(&out);
    buffer_free(&parts.message);
}

static void put_signature(struct buffer *out, const char *body)
{
    struct buffer bytes = hex_buffer(body);
    buffer_clear(out);
    buffer_u8(out, 0xc2);
    buffer_u8(out, (uint8_t)buffer_size(&bytes));
    buffer_append_bytes(out, buffer_view(&bytes));
    buffer_free(&bytes);
}

static void hostile_signatures_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *reason;
    } cases[] = {
        {"030500650000000011223344556677880108aaaa000101", "version 3"},
        {"04001108000605026500000000"
         "00aaaa000101",
         "RSA"},
        {"04001608000605026500000000"
         "00aaaa000101",
         "RSA"},
        {"04000101000605026500000000"
         "00aaaa000101",
         "hash algorithm 1"},
        {"04000103000605026500000000"
         "00aaaa000101",
         "hash algorithm 3"},
        {"0400010b000605026500000000"
         "00aaaa000101",
         "hash algorithm 11"},
        {"0400010800000000aaaa000101", "date"},
        {"0400010800000006050265000000aaaa000101", "date"}, /* only unhashed */
        {"04000108000c050265000000050265000001"
         "0000aaaa000101",
         "malformed"}, /* two dates */
        {"04000108000605026500000000"
         "00aaaa000201",
         "number"},
        {"04000108000605026500000000"
         "00aaaa00010100",
         "number"},
        {"04000108000605026500000000"
         "00aaaa",
         "number"},
        {"04000108000605026500000000"
         "00aaaa0000",
         "number"},
        {"04000108000605ff6500000000", "malformed"},
    };
    struct buffer out = buffer_make(65536);
    struct openpgp_signature_info info;
    put_signature(&out, "04000108000605026500000000"
                        "00aaaa000101");
    assert_true(openpgp_screen_signature(&info, buffer_view(&out), NULL));
    assert_int_equal(info.created, 0x65000000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put_signature(&out, cases[i].body);
        expect_signature_refused(buffer_view(&out), cases[i].reason);
    }
    json_t *file = vectors_load("retroshare-0.5/invite.json");
    struct buffer one =
        vectors_hex(json_array_get(json_object_get(file, "invites"), 0), "clear_signature_packet");
    json_decref(file);
    static const char *const around[] = {"", "cb0762000000000041", "00"};
    for (size_t i = 0; i < 3; i++) {
        struct buffer extra = hex_buffer(around[i]);
        buffer_clear(&out);
        buffer_append_bytes(&out, buffer_view(&one));
        buffer_append_bytes(&out, i == 0 ? buffer_view(&one) : buffer_view(&extra));
        expect_signature_refused(buffer_view(&out), "exactly one");
        buffer_clear(&out);
        buffer_append_bytes(&out, buffer_view(&extra));
        buffer_append_bytes(&out, buffer_view(&one));
        if (i > 0)
            expect_signature_refused(buffer_view(&out), "exactly one");
        buffer_free(&extra);
    }
    expect_signature_refused(bytes_of(NULL, 0), "exactly one");
    buffer_clear(&out);
    for (size_t i = 0; i < 5000; i++)
        buffer_u8(&out, 0);
    expect_signature_refused(buffer_view(&out), "larger");
    buffer_free(&one);
    buffer_free(&out);
}

static void notations_are_found_where_signed(void **state)
{
    (void)state;
    struct buffer out = buffer_make(4096);
    struct openpgp_signature_info info;
    struct bytes value;
    /* hashed: date, expiry 60 s, text notation a@b = "xy", binary notation c@d; unhashed: text notation e@f
     */
    put_signature(&out, "04000108002d"
                        "050265000000"
                        "05030000003c"
                        "0e14"
                        "80000000"
                        "0003"
                        "0002"
                        "614062"
                        "7879"
                        "0d94"
                        "00000000"
                        "0003"
                        "0001"
                        "634064"
                        "7a"
                        "0321aabb"
                        "000e"
                        "0d14"
                        "80000000"
                        "0003"
                        "0001"
                        "654066"
                        "7a"
                        "aaaa000101");
    assert_true(openpgp_screen_signature(&info, buffer_view(&out), NULL));
    assert_int_equal(info.expires, 60);
    assert_true(openpgp_notation(&info, "a@b", &value));
    assert_bytes_equal(value, bytes_of_string("xy"));
    assert_false(openpgp_notation(&info, "c@d", &value));
    assert_false(openpgp_notation(&info, "e@f", &value));
    assert_false(openpgp_notation(&info, "a@", &value));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_messages_pass),
        cmocka_unit_test(hostile_messages_are_refused),
        cmocka_unit_test(hostile_signatures_are_refused),
        cmocka_unit_test(notations_are_found_where_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
