/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <string.h>

#include "friend/frames.h"

static struct slices slices;

static int clear(void **state)
{
    (void)state;
    slices_clear(&slices);
    return 0;
}

static enum frame next(struct bytes *input, struct bytes *item)
{
    const char *reason = NULL;
    enum frame frame = frames_next(&slices, input, 0, item, &reason);
    assert_true((frame == FRAME_BAD) == (reason != NULL));
    return frame;
}

/* The two slices of protocol 11 §4.1, with a whole item between them. */
static void test_document(void **state)
{
    (void)state;
    struct buffer stream = hex_buffer(
        "10010000000700080201020100000010 0200160100000008 1002000000070008 6b0437db00000003 020016");
    struct buffer expected = hex_buffer("02010201000000106b0437db00000003");
    struct bytes input = buffer_view(&stream), item;
    assert_int_equal(next(&input, &item), FRAME_ITEM);
    assert_bytes_equal(item, bytes_of(heartbeat_item, 8));
    assert_int_equal(next(&input, &item), FRAME_ITEM);
    assert_bytes_equal(item, buffer_view(&expected));
    assert_int_equal(next(&input, &item), FRAME_NONE);
    assert_int_equal(input.size, 3);
    assert_int_equal(slices.held, 0);
    buffer_free(&stream);
    buffer_free(&expected);
}

/* However the bytes are cut, the same items come out. */
static void test_every_cut(void **state)
{
    (void)state;
    struct buffer stream =
        hex_buffer("02aabbcc00000008 1001000000010003 020016 0200160100000008 1002000000010005 0100000008"
                   "021011010000001400000001 6b0437e100026814");
    struct bytes all = buffer_view(&stream);
    for (size_t cut = 0; cut <= all.size; cut++) {
        struct bytes input = bytes_of(all.data, cut), item;
        size_t items = 0, bytes = 0;
        while (next(&input, &item) == FRAME_ITEM) {
            items++;
            bytes += item.size;
        }
        input.size = all.size - (size_t)(input.data - all.data);
        while (next(&input, &item) == FRAME_ITEM) {
            items++;
            bytes += item.size;
        }
        assert_int_equal(items, 4);
        assert_int_equal(bytes, 8 + 8 + 8 + 20);
        assert_int_equal(input.size, 0);
    }
    buffer_free(&stream);
}

static void assert_bad(const char *hex)
{
    struct buffer stream = hex_buffer(hex);
    struct bytes input = buffer_view(&stream), item;
    assert_int_equal(next(&input, &item), FRAME_BAD);
    buffer_free(&stream);
}

static void test_bad(void **state)
{
    (void)state;
    assert_bad("0100160100000008"); /* version */
    assert_bad("474554202f204854"); /* somebody else's protocol */
    assert_bad("0200160100000007"); /* below the header */
    assert_bad("0200140a00040000"); /* 262144 */
    assert_bad("02001401ffffffff");
    assert_bad("1003000000010001aa"); /* first and last at once */
    struct buffer largest = hex_buffer("0200140a0003ffff");
    struct bytes input = buffer_view(&largest), item;
    assert_int_equal(next(&input, &item), FRAME_NONE);
    buffer_free(&largest);
}

static bool add(uint32_t packet, bool first, bool last, struct bytes data, uint64_t now)
{
    struct slice_header header = {
        .first = first, .last = last, .packet = packet, .length = (uint16_t)data.size};
    struct bytes item;
    return slices_add(&slices, &header, data, now, &item);
}

static void test_slices_refused(void **state)
{
    (void)state;
    struct bytes eight = bytes_of("\2\0\x14\x0a\0\0\0\x10", 8), rest = bytes_of("12345678", 8);
    assert_false(add(1, false, false, rest, 0)); /* no beginning */
    assert_false(add(1, false, true, rest, 0));
    assert_int_equal(slices.dropped, 2);
    assert_false(add(2, true, false, eight, 0));
    assert_false(add(2, false, true, bytes_of("1234567", 7), 0)); /* its header says more */
    assert_false(add(3, true, false, bytes_of("\1\0\x14\x0a\0\0\0\x10", 8), 0));
    assert_false(add(3, false, true, rest, 0)); /* no item inside */
    assert_int_equal(slices.held, 0);
}

static void test_slices_bounds(void **state)
{
    (void)state;
    static uint8_t data[65535];
    struct bytes full = bytes_of(data, sizeof data);
    /* One packet above the size of an item. */
    for (unsigned i = 0; i < 4; i++)
        assert_false(add(1, i == 0, false, full, 0));
    assert_int_equal(slices.held, 4 * sizeof data);
    assert_false(add(1, false, false, full, 0));
    assert_int_equal(slices.held, 0);
    assert_int_equal(slices.dropped, 1);
    /* More packets than may be open. */
    for (uint32_t id = 0; id < SLICES_OPEN + 3; id++)
        add(id, true, false, bytes_of(data, 1), 0);
    assert_int_equal(slices.held, SLICES_OPEN);
    assert_int_equal(slices.dropped, 4);
    /* All together. */
    uint64_t before = slices.dropped;
    for (uint32_t id = 0; id < SLICES_OPEN; id++)
        for (unsigned i = 0; i < 2; i++)
            add(id, false, false, full, 0);
    assert_true(slices.held <= SLICES_HELD);
    assert_true(slices.dropped > before);
    /* What nobody goes on with makes room. */
    assert_false(add(100, true, false, bytes_of(data, 1), SLICES_PATIENCE_MS + 1));
    assert_int_equal(slices.held, 1);
}

static void test_slices_joined(void **state)
{
    (void)state;
    struct bytes eight = bytes_of("\2\0\x14\x0a\0\0\0\x10", 8), rest = bytes_of("12345678", 8);
    assert_false(add(5, true, false, eight, 0));
    assert_false(add(6, true, false, eight, 0));
    assert_false(add(5, true, false, eight, 0)); /* begun anew */
    assert_true(add(6, false, true, rest, 0));
    assert_true(add(5, false, true, rest, 0));
    assert_int_equal(slices.held, 0);
    assert_int_equal(buffer_size(&slices.whole), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_document, clear, clear),
        cmocka_unit_test_setup_teardown(test_every_cut, clear, clear),
        cmocka_unit_test_setup_teardown(test_bad, clear, clear),
        cmocka_unit_test_setup_teardown(test_slices_refused, clear, clear),
        cmocka_unit_test_setup_teardown(test_slices_bounds, clear, clear),
        cmocka_unit_test_setup_teardown(test_slices_joined, clear, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
