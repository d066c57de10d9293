/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "wire/radix64.h"

typedef bool coder(struct buffer *, struct bytes);

static bool gives(coder *code, struct bytes input, struct bytes expected)
{
    struct buffer out = buffer_make(1 << 20);
    struct bytes copy = heap_copy(input);
    bool good = code(&out, copy);
    if (good)
        assert_bytes_equal(buffer_view(&out), expected);
    else
        assert_int_equal(buffer_size(&out), 0);
    free((void *)copy.data);
    buffer_free(&out);
    return good;
}

static bool decodes(coder *code, const char *text, const char *hex)
{
    struct buffer expected = hex_buffer(hex);
    bool good = gives(code, bytes_of_string(text), buffer_view(&expected));
    buffer_free(&expected);
    return good;
}

static void test_recorded(void **state)
{
    (void)state;
    json_t *vectors = vectors_load("retroshare-0.5/radix64.json");
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(vectors, "cases"), i, entry)
    {
        struct buffer data = vectors_hex(entry, "data");
        struct bytes text = bytes_of_string(vectors_string(entry, "radix64"));
        assert_true(gives(radix64_encode, buffer_view(&data), text));
        assert_true(gives(radix64_decode, text, buffer_view(&data)));
        assert_true(gives(radix64_decode_lenient, text, buffer_view(&data)));
        buffer_free(&data);
    }
    assert_int_equal(i, 30);
    json_array_foreach(json_object_get(vectors, "decode_quirks"), i, entry)
    {
        const char *text = vectors_string(entry, "input");
        bool foreign = strpbrk(text, "*-_%") != NULL;
        assert_int_equal(decodes(radix64_decode_lenient, text, vectors_string(entry, "decoded_by_original")),
                         !foreign);
    }
    assert_true(i > 10);
    json_decref(vectors);
}

/* Protocol 07 §5. */
static void test_lenient(void **state)
{
    (void)state;
    assert_true(decodes(radix64_decode_lenient, "/w", "ff"));
    assert_true(decodes(radix64_decode_lenient, "/wC", "ff00"));
    assert_true(decodes(radix64_decode_lenient, "/wCAf/4", "ff00807ffe"));
    assert_true(decodes(radix64_decode_lenient, "/wC\nA", "ff0080"));
    assert_true(decodes(radix64_decode_lenient, "/w==AAAA", "ff"));
    assert_false(decodes(radix64_decode_lenient, "/-CA", ""));
}

static void test_strict(void **state)
{
    (void)state;
    assert_true(decodes(radix64_decode, "", ""));
    assert_true(decodes(radix64_decode, "/w==", "ff"));
    assert_true(decodes(radix64_decode, "/w", "ff"));
    assert_true(decodes(radix64_decode, "/wA=", "ff00"));
    assert_true(decodes(radix64_decode, "/wA", "ff00"));
    static const char *const refused[] = {"=",     "==",   "A",        "/w=",    "/w===", "/wA==",
                                          "/wCA=", "/x==", "/wB=",     "/wC\nA", " /wCA", "/w==AAAA",
                                          "/-CA",  "_w==", "AAAA====", "AAAAA"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (decodes(radix64_decode, refused[i], ""))
            fail_msg("%s", refused[i]);
    }
}

static void test_url_safe(void **state)
{
    (void)state;
    const uint8_t data[] = {0xff, 0xfb, 0xf0, 0x01};
    assert_true(gives(base64url_encode, bytes_of(data, 4), bytes_of_string("__vwAQ")));
    assert_true(gives(base64url_encode, bytes_of(data, 2), bytes_of_string("__s")));
    assert_true(decodes(base64url_decode, "__vwAQ", "fffbf001"));
    assert_false(decodes(base64url_decode, "__vwAQ==", ""));
    assert_false(decodes(base64url_decode, "//vwAQ", ""));
    assert_false(decodes(base64url_decode, "__vwAR", ""));
}

static void test_full_buffer(void **state)
{
    (void)state;
    struct buffer out = buffer_make(3);
    assert_false(radix64_encode(&out, bytes_of_string("abc")));
    buffer_clear(&out);
    assert_true(radix64_decode(&out, bytes_of_string("YWJj")));
    assert_false(radix64_decode(&out, bytes_of_string("YQ==")));
    assert_bytes_equal(buffer_view(&out), bytes_of_string("abc"));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded), cmocka_unit_test(test_lenient),     cmocka_unit_test(test_strict),
        cmocka_unit_test(test_url_safe), cmocka_unit_test(test_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
