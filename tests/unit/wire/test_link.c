/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "wire/certificate.h"
#include "wire/link.h"
#include "wire/percent.h"
#include "wire/radix64.h"

static void parse(struct link *out, struct bytes text)
{
    struct error *error = NULL;
    struct bytes copy = heap_copy(text);
    if (!link_parse(out, copy, &error))
        fail_msg("%s", error->text);
    free((void *)copy.data);
}

static void refused(struct bytes text, const char *reason)
{
    struct error *error = NULL;
    struct link out;
    struct bytes copy = heap_copy(text);
    assert_false(link_parse(&out, copy, &error));
    assert_non_null(error);
    if (strstr(error->text, reason) == NULL)
        fail_msg("expected \"%s\", got \"%s\"", reason, error->text);
    assert_null(out.blob.memory);
    error_free(error);
    free((void *)copy.data);
}

static void refused_text(const char *text, const char *reason)
{
    refused(bytes_of_string(text), reason);
}

static void test_recorded(void **state)
{
    (void)state;
    json_t *vectors = vectors_load("retroshare-0.5/invite.json"), *entry;
    size_t i;
    json_array_foreach(json_object_get(vectors, "invites"), i, entry)
    {
        struct bytes text = bytes_of_string(vectors_string(entry, "link"));
        struct buffer blob = vectors_hex(entry, "encrypted_blob"), out = buffer_make(LINK_TEXT_MAX);
        struct link link;
        parse(&link, text);
        assert_int_equal(link.kind, LINK_PRIVATE_CHAT);
        assert_true(link.time_stamp == json_integer_value(json_object_get(entry, "time_of_validity")));
        assert_string_equal(link.pgp_id, vectors_string(entry, "destination_pgp_id"));
        assert_bytes_equal(buffer_view(&link.blob), buffer_view(&blob));
        assert_false(link.sealed);
        assert_true(
            link_write_private_chat(&out, link.time_stamp, link.pgp_id, buffer_view(&link.blob), false));
        assert_bytes_equal(buffer_view(&out), text);
        link_free(&link);
        buffer_free(&out);
        buffer_free(&blob);
    }
    assert_int_equal(i, 6);
    json_array_foreach(json_object_get(vectors, "public_msg_links"), i, entry)
    {
        struct link link;
        char hash[41];
        parse(&link, bytes_of_string(vectors_string(entry, "link")));
        assert_int_equal(link.kind, LINK_PUBLIC_MESSAGE);
        hex_lower(hash, link.hash, sizeof(link.hash));
        assert_string_equal(hash, vectors_string(entry, "hash"));
        assert_string_equal(link.pgp_id, vectors_string(entry, "gpgid"));
        assert_true(link.time_stamp == json_integer_value(json_object_get(entry, "time_stamp")));
        struct buffer out = buffer_make(LINK_TEXT_MAX);
        assert_true(link_write_public_message(&out, link.time_stamp, link.hash, link.pgp_id));
        assert_bytes_equal(buffer_view(&out), bytes_of_string(vectors_string(entry, "link")));
        buffer_free(&out);
        link_free(&link);
    }
    assert_int_equal(i, 3);
    json_decref(vectors);
}

/* Protocol 07 §3. */
static const char invite[] =
    "retroshare://private_chat?time_stamp=2000000000&gpgid=7C4BFF9CE1862EF8&encrypted_data="
    "wcBMA3xL/5zhhi74AQf6AvAkM/ag3s5Hw8dSxqkGlQHk4MoMfJc6Qp1UFrQu73sC0mAjtfLYD2uHewsYPJ/2IoFV4IwW060jB2fxgHI2"
    "PEts4MALARLDr9s/w9ufyAGVzuGZ8X54nN3PZf72NUlnqMV77yN1EGy5oUlXjkOB9ct+NRMqfAHC9jKS5D2lJ9fpVHkMurv9/BmLZfYb"
    "9dl98KSUqx0NAWLR4fwJkVbboGvAXixNMc0qySxtlONX58CO+Xgar1r8nbk2htLAcNeUG9I9Pzzy4aQdrcTgrV5NUJk+kAIkhuxFVbFS"
    "dimxhV54+UyKvZRK2peC5ky1fFsQ0oUZUnBnudnhGTYQiQyMPdLAtQH9wMHZCVNXqwbKddFT+taud33Fjck23m2I3HtKuKNQVe3Z04Uq"
    "HrrYgeG1w73v7Q9yOVHE1fz0WzNakdQQQnjw1V0jc2Np2iD9pyPYlAXDx2xS33h/z2YMm0TimL2lXInSMkKwqrDaJS4lY0e8A+CkKrkv"
    "+x/2qm0IearO4ei64m8ksgb299pdjUijstMiWnW9if1ph72je9QMfM5Fw+1j96LsN1J5OMjFPPWulK/b/yUnze9XH7DFXSxM6st3zUF9"
    "YgPAP8+4ogBy9dgz+06rTJECxTXNkQd2Q4mO9iFVJGNxLTJJZEdBcext55cdQUY8daHZXH0/qQz8YJJFELH+sqIkEUDJpWOJj3GVLSiZ"
    "NcguQ5PwIG6BkO+++pLDReCDWpUbGJx1aQvdGJEXy5zlbvTjmu4UJgIT/HvqNBLpi3om03pPxqxYVpsXm69UlnEYEdB+TmK2M7aNqXL4"
    "lhsH+20jtfGhUjyUGyjnvrAFgRMDulY=";

static void test_invite_example(void **state)
{
    (void)state;
    struct link link;
    parse(&link, bytes_of_string(invite));
    assert_int_equal(link.kind, LINK_PRIVATE_CHAT);
    assert_true(link.time_stamp == 2000000000);
    assert_string_equal(link.pgp_id, "7C4BFF9CE1862EF8");
    assert_int_equal(buffer_size(&link.blob), 647);
    struct buffer out = buffer_make(LINK_TEXT_MAX);
    assert_true(link_write_private_chat(&out, 2000000000, link.pgp_id, buffer_view(&link.blob), false));
    assert_bytes_equal(buffer_view(&out), bytes_of_string(invite));
    buffer_clear(&out);
    assert_true(link_write_private_chat(&out, 2000000000, link.pgp_id, buffer_view(&link.blob), true));
    struct link sealed;
    parse(&sealed, buffer_view(&out));
    assert_true(sealed.sealed);
    assert_bytes_equal(buffer_view(&sealed.blob), buffer_view(&link.blob));
    link_free(&sealed);
    link_free(&link);
    buffer_free(&out);
}

#define CHAT  "retroshare://private_chat?"
#define STAMP "time_stamp=2000000000"
#define ID    "&gpgid=7C4BFF9CE1862EF8"
#define DATA  "&encrypted_data=AAEC"

static void check_tolerated(const char *text)
{
    struct link link;
    parse(&link, bytes_of_string(text));
    assert_int_equal(link.kind, LINK_PRIVATE_CHAT);
    assert_true(link.time_stamp == 2000000000);
    assert_bytes_equal(buffer_view(&link.blob), bytes_of("\0\1\2", 3));
    link_free(&link);
}

static void test_private_chat_forms(void **state)
{
    (void)state;
    check_tolerated(CHAT STAMP ID DATA);
    check_tolerated(" \t" CHAT STAMP ID DATA "\r\n");
    check_tolerated(CHAT "x=y&encrypted_data=AAEC&" STAMP "&&unknown" ID);
    check_tolerated(CHAT STAMP ID "&encrypted_data=%41%41EC");
    check_tolerated(CHAT STAMP ID DATA "&v=1");
    struct link link;
    parse(&link, bytes_of_string(CHAT STAMP ID "&encrypted_data=%2f%2Bw%3d"));
    assert_bytes_equal(buffer_view(&link.blob), bytes_of("\xff\xec", 2));
    link_free(&link);
}

static void test_private_chat_refused(void **state)
{
    (void)state;
    refused_text("", "this is no link");
    refused_text("http://example.org", "this is no link");
    refused_text("retroshare://", "kind");
    refused_text("retroshare://Private_chat?", "kind");
    refused_text("retroshare://private_chat", "parameters");
    refused_text("retroshare://private_chat|a|b", "parameters");
    refused_text(CHAT, "time_stamp");
    refused_text(CHAT "time_stamp=" ID DATA, "time_stamp");
    refused_text(CHAT "time_stamp=-1" ID DATA, "time_stamp");
    refused_text(CHAT "time_stamp=0x10" ID DATA, "time_stamp");
    refused_text(CHAT "time_stamp=1234567890123456789" ID DATA, "time_stamp");
    refused_text(CHAT STAMP "&time_stamp=1" ID DATA, "time_stamp");
    refused_text(CHAT STAMP DATA, "gpgid");
    refused_text(CHAT STAMP "&gpgid=7c4bff9ce1862ef8" DATA, "gpgid");
    refused_text(CHAT STAMP "&gpgid=7C4BFF9CE1862EF" DATA, "gpgid");
    refused_text(CHAT STAMP "&gpgid=7C4BFF9CE1862EFG" DATA, "gpgid");
    refused_text(CHAT STAMP ID, "encrypted_data");
    refused_text(CHAT STAMP ID "&encrypted_data=", "encrypted_data");
    refused_text(CHAT STAMP ID "&encrypted_data=AA-_", "encrypted_data");
    refused_text(CHAT STAMP ID "&encrypted_data=AA EC", "encrypted_data");
    refused_text(CHAT STAMP ID "&encrypted_data=AAECA", "encrypted_data");
    refused_text(CHAT STAMP ID "&encrypted_data=AAEC%00", "encrypted_data");
    refused_text(CHAT STAMP ID DATA DATA, "encrypted_data");
    refused_text(CHAT STAMP ID DATA "\n" CHAT STAMP ID DATA, "line break");
    refused_text(CHAT STAMP ID DATA "&x=\x1b", "control");
    refused_text(CHAT STAMP ID DATA "&x=\xff", "UTF-8");
}

static void test_length(void **state)
{
    (void)state;
    struct buffer text = buffer_make(2 * LINK_TEXT_MAX);
    buffer_append_string(&text, CHAT STAMP ID "&encrypted_data=");
    while (buffer_size(&text) + 4 <= LINK_TEXT_MAX)
        buffer_append_string(&text, "AAEC");
    struct link link;
    parse(&link, buffer_view(&text));
    link_free(&link);
    buffer_append_string(&text, "AAEC");
    refused(buffer_view(&text), "longer than");
    buffer_free(&text);
}

static void test_other_kinds(void **state)
{
    (void)state;
    struct link link;
    parse(&link, bytes_of_string("retroshare://person?name=Alice%20B&hash=660FB771727CE286"));
    assert_int_equal(link.kind, LINK_PERSON);
    assert_string_equal(link.name, "Alice B");
    assert_string_equal(link.pgp_id, "660FB771727CE286");
    link_free(&link);
    parse(&link, bytes_of_string("retroshare://person?name=100%25%zz&hash=0123456789ABCDEF0123456789abcdef"));
    assert_string_equal(link.name, "100%%zz");
    assert_string_equal(link.pgp_id, "");
    assert_string_equal(link.location, "0123456789abcdef0123456789abcdef");
    link_free(&link);
    parse(&link, bytes_of_string("retroshare://message?id=45d06f653cd33fda81c93f197c4bff9ce1862ef8"));
    assert_int_equal(link.kind, LINK_MESSAGE);
    assert_string_equal(link.fingerprint, "45D06F653CD33FDA81C93F197C4BFF9CE1862EF8");
    assert_string_equal(link.subject, "");
    link_free(&link);
    parse(&link, bytes_of_string("retroshare://message?id=660FB771727CE286&subject=Hello%20there%0a%ff"));
    assert_string_equal(link.subject, "Hello there\xef\xbf\xbd\xef\xbf\xbd");
    link_free(&link);
    static const char *const others[] = {"retroshare://file?name=a&size=1&hash=x",
                                         "retroshare://forum?name=a", "retroshare://file|a|1|x",
                                         "retroshare://new_kind"};
    for (size_t i = 0; i < 4; i++) {
        parse(&link, bytes_of_string(others[i]));
        assert_int_equal(link.kind, LINK_OTHER);
        link_free(&link);
    }
    refused_text("retroshare://person?name=a", "hash");
    refused_text("retroshare://person?name=a&hash=660FB771727CE2", "hash");
    refused_text("retroshare://message?id=", "id");
    refused_text(
        "retroshare://"
        "public_msg?time_stamp=1&hash=ABCDEF0123456789ABCDEF0123456789ABCDEF01&gpgid=660FB771727CE286",
        "hash");
}

static void test_names_are_cut(void **state)
{
    (void)state;
    struct buffer text = buffer_make(LINK_TEXT_MAX);
    buffer_append_string(&text, "retroshare://person?hash=660FB771727CE286&name=");
    for (int i = 0; i < 100; i++)
        buffer_append_string(&text, "\xc3\xa9");
    struct link link;
    parse(&link, buffer_view(&text));
    assert_int_equal(strlen(link.name), 126);
    link_free(&link);
    buffer_free(&text);
}

/* The key of protocol 07 §2 has fingerprint 45D0...2EF8. */
static void test_certificate(void **state)
{
    (void)state;
    static const uint8_t fingerprint[20] = {[16] = 0xe1, 0x86, 0x2e, 0xf8};
    struct bytes key = bytes_of_string("123456789");
    struct buffer out = buffer_make(LINK_TEXT_MAX);
    assert_true(link_write_certificate(&out, fingerprint, "Bob & 100% caf\xc3\xa9/#", key));
    assert_string_equal(buffer_string(&out),
                        "retroshare://certificate?gpgid=E1862EF8&gpgbase64=MTIzNDU2Nzg5&gpgchecksum=Ic8C"
                        "&name=Bob%20%26%20100%25%20caf\xc3\xa9%2f%23");
    struct link link;
    parse(&link, buffer_view(&out));
    assert_int_equal(link.kind, LINK_CERTIFICATE);
    assert_string_equal(link.name, "Bob & 100% caf\xc3\xa9/#");
    assert_bytes_equal(buffer_view(&link.blob), key);
    link_free(&link);
    buffer_free(&out);
    refused_text("retroshare://certificate?gpgid=E1862EF8&gpgbase64=MTIzNDU2Nzg5&gpgchecksum=Ic8D",
                 "gpgchecksum");
    refused_text("retroshare://certificate?gpgid=E1862EF8&gpgbase64=MTIzNDU2Nzg5", "gpgchecksum");
    refused_text("retroshare://certificate?gpgid=E1862EF8&gpgbase64=MTIz*DU2Nzg5&gpgchecksum=Ic8C",
                 "gpgbase64");
    refused_text("retroshare://certificate?gpgid=E1862EF8&gpgchecksum=Ic8C", "gpgchecksum");
    refused_text("retroshare://certificate?gpgid=E1862EF8", "radix");
}

/* The form of 0.6 holds a whole certificate. */
static void test_certificate_06(void **state)
{
    (void)state;
    json_t *vectors = vectors_load("retroshare-0.6/link.json"), *node;
    const char *name;
    json_object_foreach(json_object_get(vectors, "nodes"), name, node)
    {
        struct buffer text = buffer_make(LINK_TEXT_MAX), key = vectors_hex(node, "pgp_public_key");
        buffer_append_string(&text, "retroshare://certificate?name=x&radix=");
        buffer_append_string(&text, vectors_string(json_object_get(node, "full_invite"), "text"));
        struct link link;
        parse(&link, buffer_view(&text));
        assert_bytes_equal(buffer_view(&link.blob), buffer_view(&key));
        link_free(&link);
        buffer_free(&key);
        buffer_free(&text);
    }
    json_decref(vectors);
    refused_text("retroshare://certificate?radix=AAAA", "radix");
}

static void check_found(const char *text, const char *expected)
{
    struct bytes found, copy = heap_copy(bytes_of_string(text));
    bool good = link_find(copy, &found);
    assert_int_equal(good, expected != NULL);
    if (good)
        assert_bytes_equal(found, bytes_of_string(expected));
    free((void *)copy.data);
}

static void test_find(void **state)
{
    (void)state;
    check_found("", NULL);
    check_found("retroshare:/", NULL);
    check_found("see retroshare://person?a=b, please", "retroshare://person?a=b");
    check_found("<a href=\"retroshare://x?a=b&c=d==\">text</a>", "retroshare://x?a=b&c=d==");
    check_found("(retroshare://x?a=b).\nretroshare://y", "retroshare://x?a=b");
    check_found("retroshare://x\xe2\x82\xac z", "retroshare://x\xe2\x82\xac");
    check_found("retroshare://", "retroshare://");
    check_found("retroshare://?!", "retroshare://");
}

static void test_percent(void **state)
{
    (void)state;
    struct buffer out = buffer_make(100);
    assert_true(percent_decode(&out, bytes_of_string("a%41%4%zz%+%2b%%41")));
    assert_bytes_equal(buffer_view(&out), bytes_of_string("aA%4%zz%++%A"));
    buffer_clear(&out);
    assert_true(percent_encode(&out, bytes_of_string("a b&c/d#e%\n\x7f\xc3\xa9")));
    assert_bytes_equal(buffer_view(&out), bytes_of_string("a%20b%26c%2fd%23e%25%0a%7f\xc3\xa9"));
    buffer_free(&out);
    out = buffer_make(3);
    assert_false(percent_encode(&out, bytes_of_string("ab ")));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

/* protocol 05 §7.2, and what only we write. */
static void test_write_message(void **state)
{
    (void)state;
    static const char *const ids[] = {"660FB771727CE286", "0123456789abcdef0123456789abcdef",
                                      "0123456789ABCDEF0123456789ABCDEF01234567"};
    struct buffer out = buffer_make(LINK_TEXT_MAX);
    assert_true(link_write_message(&out, ids[0], "Hello there"));
    assert_bytes_equal(buffer_view(&out),
                       bytes_of_string("retroshare://message?id=660FB771727CE286&subject=Hello%20there"));
    for (size_t i = 0; i < 3; i++) {
        struct link link;
        buffer_clear(&out);
        assert_true(link_write_message(&out, ids[i], ""));
        assert_int_equal(buffer_size(&out), strlen("retroshare://message?id=") + strlen(ids[i]));
        buffer_clear(&out);
        assert_true(link_write_message(&out, ids[i], "50% & more: a/b#c é"));
        parse(&link, buffer_view(&out));
        assert_int_equal(link.kind, LINK_MESSAGE);
        assert_string_equal(link.subject, "50% & more: a/b#c é");
        const char *found[] = {link.pgp_id, link.location, link.fingerprint};
        assert_string_equal(found[i], ids[i]);
        link_free(&link);
    }
    buffer_free(&out);
}

static void test_write_full_buffer(void **state)
{
    (void)state;
    static const uint8_t fingerprint[20];
    struct buffer out = buffer_make(60);
    assert_false(link_write_private_chat(&out, 1, "7C4BFF9CE1862EF8", bytes_of_string("abc"), true));
    assert_int_equal(buffer_size(&out), 0);
    buffer_clear(&out);
    assert_false(link_write_certificate(&out, fingerprint, "bob", bytes_of_string("abcdefghi")));
    assert_int_equal(buffer_size(&out), 0);
    buffer_clear(&out);
    assert_false(link_write_public_message(&out, 1, fingerprint, "7C4BFF9CE1862EF8"));
    assert_int_equal(buffer_size(&out), 0);
    buffer_clear(&out);
    assert_false(link_write_message(&out, "7C4BFF9CE1862EF8", "a subject that does not fit"));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_invite_example),
        cmocka_unit_test(test_private_chat_forms),
        cmocka_unit_test(test_private_chat_refused),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_names_are_cut),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_certificate_06),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_write_message),
        cmocka_unit_test(test_write_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
