/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"
#include "web/live_frames.h"

#include <string.h>

static const char head[] = "GET / HTTP/1.1\r\nA: \r\r\n\r\n";

static void add(struct buffer *out, int first, int second, size_t rest)
{
    buffer_u8(out, (uint8_t)first);
    buffer_u8(out, (uint8_t)second);
    for (size_t i = 0; i < rest; i++)
        buffer_u8(out, 0x7f); /* looks like an unmasked header */
}

/* Gives the bytes in pieces of `step`; returns how many passed. */
static size_t pass(struct frames *frames, struct bytes input, size_t step)
{
    size_t at = 0, seen = 0;
    while (seen < input.size) {
        seen = seen + step < input.size ? seen + step : input.size;
        size_t part;
        while ((part = frames_pass(frames, bytes_of(input.data + at, seen - at))) > 0)
            at += part;
    }
    return at;
}

static struct buffer good_frames(void)
{
    struct buffer out = buffer_make(1 << 20);
    buffer_append_string(&out, head);
    add(&out, 0x81, 0x80, 4);
    add(&out, 0x81, 0x80 | 125, 4 + 125);
    add(&out, 0x89, 0x80 | 1, 4 + 1);
    add(&out, 0x01, 0x80 | 126, 0);
    buffer_u16(&out, 300);
    for (int i = 0; i < 304; i++)
        buffer_u8(&out, 0);
    add(&out, 0x80, 0x80 | 127, 0);
    buffer_u64(&out, 70000);
    for (int i = 0; i < 70004; i++)
        buffer_u8(&out, 0);
    add(&out, 0x88, 0x80, 4);
    assert_false(out.failed);
    return out;
}

static void test_masked_frames_pass(void **state)
{
    (void)state;
    struct buffer out = good_frames();
    static const size_t steps[] = {1, 2, 3, 7, 1024, 1 << 20};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct frames frames = {0};
        assert_int_equal(pass(&frames, buffer_view(&out), steps[i]), buffer_size(&out));
        assert_true(frames_begun(&frames));
        assert_false(frames.refused);
    }
    buffer_free(&out);
}

static void test_unmasked_ones_do_not(void **state)
{
    (void)state;
    static const int lengths[] = {0, 5, 125, 126, 127};
    static const size_t steps[] = {1, 2, 5, 1 << 20};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (size_t j = 0; j < sizeof steps / sizeof steps[0]; j++) {
            struct buffer out = good_frames();
            size_t good = buffer_size(&out);
            add(&out, 0x81, lengths[i], 200);
            struct frames frames = {0};
            assert_int_equal(pass(&frames, buffer_view(&out), steps[j]), good);
            assert_true(frames.refused);
            /* For good. */
            assert_int_equal(frames_pass(&frames, bytes_of_string("\x81\x80....")), 0);
            buffer_free(&out);
        }
    }
}

static void test_a_header_is_seen_whole_first(void **state)
{
    (void)state;
    struct frames frames = {0};
    assert_int_equal(frames_pass(&frames, bytes_of_string(head)), strlen(head));
    assert_int_equal(frames_pass(&frames, bytes_of_string("\x81")), 0);
    assert_false(frames.refused);
    assert_int_equal(frames_pass(&frames, bytes_of_string("\x81\x01")), 0);
    assert_true(frames.refused);
}

static void test_the_head_passes_alone(void **state)
{
    (void)state;
    struct frames frames = {0};
    assert_int_equal(frames_pass(&frames, bytes_of_string("GET / HTTP/1.1\r\n\r\n\x81\x80")), 18);
    assert_true(frames_begun(&frames));
}

static void test_an_impossible_length(void **state)
{
    (void)state;
    static const uint8_t first[] = {0xff, 0x40, 0x00};
    for (size_t i = 0; i < sizeof first; i++) {
        struct frames frames = {0};
        const uint8_t frame[] = {0x81, 0xff, first[i], 0, 0, 0, 0x40, 0, 0, 1, 0, 0, 0, 0};
        frames_pass(&frames, bytes_of_string(head));
        /* Nothing of it passes, so that what takes its place begins a frame. */
        assert_int_equal(frames_pass(&frames, bytes_of(frame, 9)), 0);
        assert_false(frames.refused);
        assert_int_equal(frames_pass(&frames, bytes_of(frame, sizeof frame)), 0);
        assert_true(frames.refused);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masked_frames_pass),           cmocka_unit_test(test_unmasked_ones_do_not),
        cmocka_unit_test(test_a_header_is_seen_whole_first), cmocka_unit_test(test_the_head_passes_alone),
        cmocka_unit_test(test_an_impossible_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
