/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "wire/tlv.h"

/* The examples of protocol 01 §4.9. */
static void test_examples(void **state)
{
    (void)state;
    struct buffer expected = hex_buffer("0051 00000009 626f62  0030 0000000a 00000102"
                                        "0067 0000000e 00000068 000000e9  0068 00000006"
                                        "1011 0000001a 1010 00000014 0053 00000007 6b 0054 00000007 76");
    struct buffer out = buffer_make(1000);
    assert_true(tlv_write(&out, 0x0051, bytes_of_string("bob")));
    assert_true(tlv_write_u32(&out, 0x0030, 258));
    assert_true(tlv_write_wide(&out, 0x0067, bytes_of_string("h\xc3\xa9")));
    assert_true(tlv_write_wide(&out, 0x0068, bytes_of_string("")));
    size_t set = tlv_begin(&out, 0x1011);
    size_t pair = tlv_begin(&out, 0x1010);
    assert_true(tlv_write(&out, 0x0053, bytes_of_string("k")));
    assert_true(tlv_write(&out, 0x0054, bytes_of_string("v")));
    assert_true(tlv_end(&out, pair));
    assert_true(tlv_end(&out, set));
    assert_bytes_equal(buffer_view(&out), buffer_view(&expected));

    struct reader reader = reader_of(buffer_view(&out));
    struct buffer text = buffer_make(100);
    assert_bytes_equal(tlv_read_type(&reader, 0x0051), bytes_of_string("bob"));
    assert_int_equal(tlv_read_u32(&reader, 0x0030), 258);
    assert_true(tlv_read_wide(&reader, 0x0067, &text));
    assert_bytes_equal(buffer_view(&text), bytes_of_string("h\xc3\xa9"));
    assert_true(tlv_read_wide(&reader, 0x0068, &text));
    assert_int_equal(buffer_size(&text), 3);
    struct reader outer = reader_of(tlv_read_type(&reader, 0x1011));
    struct reader inner = reader_of(tlv_read_type(&outer, 0x1010));
    assert_bytes_equal(tlv_read_type(&inner, 0x0053), bytes_of_string("k"));
    assert_bytes_equal(tlv_read_type(&inner, 0x0054), bytes_of_string("v"));
    assert_true(reader_done(&inner) && reader_done(&outer) && reader_done(&reader));
    buffer_free(&text);
    buffer_free(&out);
    buffer_free(&expected);
}

static void test_lengths(void **state)
{
    (void)state;
    static const uint32_t refused[] = {0, 1, 2, 3, 4, 5, 11, 0x7fffffff, 0x80000000, 0xfffffffa, 0xffffffff};
    uint8_t bytes[10] = {0x00, 0x51};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        set_u32(bytes + 2, refused[i]);
        struct bytes copy = heap_copy(bytes_of(bytes, sizeof(bytes)));
        struct reader reader = reader_of(copy);
        struct tlv tlv;
        assert_false(tlv_read(&reader, &tlv));
        assert_true(reader.failed);
        free((void *)copy.data);
    }
    for (uint32_t length = 6; length <= 10; length++) {
        set_u32(bytes + 2, length);
        struct reader reader = reader_of(bytes_of(bytes, sizeof(bytes)));
        struct tlv tlv;
        assert_true(tlv_read(&reader, &tlv));
        assert_int_equal(tlv.value.size, length - 6);
        assert_int_equal(reader.left, 10 - length);
    }
    struct reader other = reader_of(bytes_of(bytes, sizeof(bytes)));
    tlv_read_type(&other, 0x0052);
    assert_true(other.failed);
    set_u32(bytes + 2, 9);
    struct reader short_number = reader_of(bytes_of(bytes, sizeof(bytes)));
    assert_int_equal(tlv_read_u32(&short_number, 0x0051), 0);
    assert_true(short_number.failed);
}

static bool wide(const char *units, const char *expected)
{
    struct buffer value = hex_buffer(units);
    struct buffer text = buffer_make(1000);
    buffer_append_string(&text, "kept");
    bool good = wide_to_utf8(&text, buffer_view(&value), NULL);
    struct bytes view = buffer_view(&text);
    assert_memory_equal(view.data, "kept", 4);
    if (good)
        assert_bytes_equal(bytes_of(view.data + 4, view.size - 4), bytes_of_string(expected));
    else
        assert_int_equal(view.size, 4);
    buffer_free(&text);
    buffer_free(&value);
    return good;
}

static void test_wide_code_points(void **state)
{
    (void)state;
    assert_true(wide("", ""));
    assert_true(wide("00000041 0000d7ff 0000e000 0010ffff", "A\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"));
    /* A surrogate pair in two units is one code point, U+1F600. */
    assert_true(wide("0000d83d 0000de00", "\xf0\x9f\x98\x80"));
    assert_false(wide("0000d83d", ""));
    assert_false(wide("0000d83d 00000041", ""));
    assert_false(wide("0000d83d 0000d83d 0000de00", ""));
    assert_false(wide("0000de00", ""));
    assert_false(wide("00110000", ""));
    assert_false(wide("ffffffff", ""));
    assert_false(wide("000041", ""));
    assert_false(wide("0000004100", ""));
}

static void test_wide_needs_room(void **state)
{
    (void)state;
    struct buffer value = hex_buffer("0000004100000042");
    struct buffer small = buffer_make(7);
    assert_false(wide_to_utf8(&small, buffer_view(&value), NULL));
    assert_int_equal(buffer_size(&small), 0);
    buffer_free(&small);
    buffer_free(&value);
}

static void test_wide_controls(void **state)
{
    (void)state;
    struct buffer value = hex_buffer("00000000 0000000a 00000009 0000000d 0000007f 00000085 000000a0");
    struct buffer text = buffer_make(100);
    assert_true(wide_to_utf8(&text, buffer_view(&value), "\n\t"));
    assert_bytes_equal(buffer_view(&text),
                       bytes_of_string("\xef\xbf\xbd\n\t\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xc2\xa0"));
    buffer_free(&text);
    buffer_free(&value);
}

static void test_wide_write_refuses_bad_utf8(void **state)
{
    (void)state;
    struct buffer out = buffer_make(100);
    assert_false(tlv_write_wide(&out, 0x0067, bytes_of_string("a\xff")));
    assert_false(tlv_write_wide(&out, 0x0067, bytes_of_string("\xed\xa0\x80")));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

static void check_defuse(const char *text, bool blanked, const char *defused)
{
    struct buffer out = buffer_make(1000);
    assert_int_equal(tlv_text_blanked(bytes_of_string(text)), blanked);
    assert_true(tlv_defuse(&out, bytes_of_string(text)));
    assert_bytes_equal(buffer_view(&out), bytes_of_string(defused));
    assert_false(tlv_text_blanked(buffer_view(&out)));
    buffer_free(&out);
}

#define Z "\xe2\x80\x8b"

static void test_defuse(void **state)
{
    (void)state;
    check_defuse("", false, "");
    check_defuse("nothing <here! P", false, "nothing <here! P");
    check_defuse("a <!-- b", false, "a <" Z "!-- b");
    check_defuse("<!entity", true, "<" Z "!entity");
    check_defuse("<!ELEMENT", true, "<" Z "!ELEMENT");
    check_defuse("x PD94bW y", true, "x P" Z "D94bW y");
    check_defuse("PHN2Zy", true, "P" Z "HN2Zy");
    check_defuse("PD94b", false, "PD94b");
    check_defuse("PPD94bWPHN2Zy<!<!e", true, "PP" Z "D94bWP" Z "HN2Zy<" Z "!<" Z "!e");
    check_defuse("%3C%21%65", true, "%3C" Z "%21%65");
    check_defuse("%3c!e", true, "%3c" Z "!e");
    check_defuse("%50HN2Z%79", true, "%50" Z "HN2Z%79");
    check_defuse("100% <", false, "100% <");
    check_defuse("%3", false, "%3");
}

static void test_defuse_full_buffer(void **state)
{
    (void)state;
    struct buffer out = buffer_make(8);
    assert_false(tlv_defuse(&out, bytes_of_string("ab<!entity")));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),         cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_wide_code_points), cmocka_unit_test(test_wide_needs_room),
        cmocka_unit_test(test_wide_controls),    cmocka_unit_test(test_wide_write_refuses_bad_utf8),
        cmocka_unit_test(test_defuse),           cmocka_unit_test(test_defuse_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
