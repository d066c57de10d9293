/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "wire/utf8.h"

/* Every code point comes back, and everything else is none. */
static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point < 0x120000; code_point++) {
        uint8_t bytes[4];
        size_t size = utf8_encode(bytes, code_point);
        bool exists = code_point < 0xd800 || (code_point > 0xdfff && code_point < 0x110000);
        if (!exists) {
            assert_int_equal(size, 0);
            continue;
        }
        struct bytes text = bytes_of(bytes, size);
        uint32_t again;
        if (!utf8_next(&text, &again) || again != code_point || text.size != 0)
            fail_msg("U+%04X", code_point);
    }
    uint8_t bytes[4];
    assert_int_equal(utf8_encode(bytes, UINT32_MAX), 0);
}

/* Every sequence of up to three bytes is accepted only when it is what the encoder writes. */
static void test_every_short_sequence(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 0x1000000; value += value < 0x800000 ? 0x107 : 1) {
        uint8_t bytes[3] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
        struct bytes text = bytes_of(bytes, 3);
        uint32_t code_point;
        uint8_t again[4];
        if (!utf8_next(&text, &code_point))
            continue;
        size_t size = utf8_encode(again, code_point);
        if (size != 3 - text.size || memcmp(again, bytes, size) != 0)
            fail_msg("%06x", value);
    }
}

static void test_invalid(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",
        "\xc2",         "\xe0\x9f\xbf",     "\xe0\xa0",
        "\xed\xa0\x80", "\xed\xbf\xbf",     "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",         "\xe2\x28\xa1",     "\xe2\x82\x28",
        "a\xfe",        "\xf0\x90\x80\x41",
    };
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        struct bytes copy = heap_copy(bytes_of_string(invalid[i]));
        assert_false(utf8_valid(copy));
        free((void *)copy.data);
    }
    assert_true(utf8_valid(bytes_of(NULL, 0)));
    assert_true(utf8_valid(bytes_of("a\0b", 3)));
}

static void test_lengths(void **state)
{
    (void)state;
    struct bytes text = bytes_of_string("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"); /* 1, 2, 3, 4, 1 bytes */
    assert_int_equal(utf8_length(text), 5);
    static const size_t prefixes[] = {0, 1, 3, 6, 10, 11, 11};
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(utf8_prefix(text, i), prefixes[i]);
    static const size_t fits[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t i = 0; i < 13; i++)
        assert_int_equal(utf8_fit(text, i), fits[i]);
}

static void test_show(void **state)
{
    (void)state;
    char name[9];
    utf8_show(name, sizeof(name), bytes_of_string("caf\xc3\xa9"));
    assert_string_equal(name, "caf\xc3\xa9");
    utf8_show(name, sizeof(name), bytes_of_string("1234567\xc3\xa9"));
    assert_string_equal(name, "1234567");
    utf8_show(name, sizeof(name), bytes_of_string("12345678"));
    assert_string_equal(name, "12345678");
    utf8_show(name, sizeof(name), bytes_of("a\0b\n", 4));
    assert_string_equal(name, "a\xef\xbf\xbd"
                              "b\xef\xbf\xbd");
    utf8_show(name, sizeof(name), bytes_of_string("\xff\xc3"));
    assert_string_equal(name, "\xef\xbf\xbd\xef\xbf\xbd");
    utf8_show(name, 1, bytes_of_string("abc"));
    assert_string_equal(name, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_every_short_sequence),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
