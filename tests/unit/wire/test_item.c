/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

static void test_header(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x02, 0x10, 0x11, 0x01, 0x00, 0x00, 0x00, 0x14};
    struct item_header header;
    assert_true(item_header_parse(&header, bytes_of(bytes, 8)));
    assert_int_equal(header.version, 2);
    assert_int_equal(header.service, SERVICE_RTT);
    assert_int_equal(header.subtype, 1);
    assert_int_equal(header.size, 20);
    for (size_t size = 0; size < 8; size++)
        assert_false(item_header_parse(&header, bytes_of(bytes, size)));
}

static void test_is(void **state)
{
    (void)state;
    uint8_t bytes[] = {0x02, 0x00, 0x16, 0x01, 0x00, 0x00, 0x00, 0x08, 0xff};
    struct bytes item = bytes_of(bytes, 8);
    assert_true(item_is(item, SERVICE_HEARTBEAT, 1));
    assert_false(item_is(item, SERVICE_HEARTBEAT, 2));
    assert_false(item_is(item, SERVICE_TURTLE, 1));
    assert_false(item_is(bytes_of(bytes, 7), SERVICE_HEARTBEAT, 1));
    assert_false(item_is(bytes_of(bytes, 9), SERVICE_HEARTBEAT, 1));
    assert_false(item_is(bytes_of(NULL, 0), SERVICE_HEARTBEAT, 1));
    bytes[0] = 0x01;
    assert_false(item_is(item, SERVICE_HEARTBEAT, 1));
}

static void test_size_limit(void **state)
{
    (void)state;
    static const uint8_t zeros[ITEM_SIZE_MAX];
    struct buffer out = buffer_make(ITEM_SIZE_MAX + 100);
    buffer_append_string(&out, "before");
    size_t begin = item_begin(&out, SERVICE_TURTLE, 0x0a);
    assert_int_equal(begin, 6);
    buffer_append(&out, zeros, ITEM_SIZE_MAX - ITEM_HEADER_SIZE);
    assert_true(item_end(&out, begin));
    struct bytes view = buffer_view(&out);
    assert_true(item_is(bytes_of(view.data + 6, view.size - 6), SERVICE_TURTLE, 0x0a));

    buffer_clear(&out);
    buffer_append_string(&out, "before");
    begin = item_begin(&out, SERVICE_TURTLE, 0x0a);
    buffer_append(&out, zeros, ITEM_SIZE_MAX - ITEM_HEADER_SIZE + 1);
    assert_false(item_end(&out, begin));
    assert_bytes_equal(buffer_view(&out), bytes_of_string("before"));
    buffer_free(&out);
}

static void test_is_size_limit(void **state)
{
    (void)state;
    static uint8_t bytes[ITEM_SIZE_MAX + 1] = {0x02, 0x00, 0x14, 0x0a};
    set_u32(bytes + 4, ITEM_SIZE_MAX);
    assert_true(item_is(bytes_of(bytes, ITEM_SIZE_MAX), SERVICE_TURTLE, 0x0a));
    set_u32(bytes + 4, ITEM_SIZE_MAX + 1);
    assert_false(item_is(bytes_of(bytes, ITEM_SIZE_MAX + 1), SERVICE_TURTLE, 0x0a));
}

static void test_full_buffer(void **state)
{
    (void)state;
    for (size_t ceiling = 0; ceiling < 12; ceiling++) {
        struct buffer out = buffer_make(ceiling);
        size_t begin = item_begin(&out, SERVICE_TURTLE, 0x0a);
        buffer_u32(&out, 7);
        assert_false(item_end(&out, begin));
        assert_int_equal(buffer_size(&out), 0);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),      cmocka_unit_test(test_is),
        cmocka_unit_test(test_size_limit),  cmocka_unit_test(test_is_size_limit),
        cmocka_unit_test(test_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
