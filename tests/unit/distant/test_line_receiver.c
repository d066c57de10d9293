/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <stdlib.h>
#include <string.h>

#include "distant/line_receiver.h"

static bool take(struct line_receiver *receiver, uint64_t number, const char *text)
{
    return line_receiver_take(receiver, number, (int64_t)number, bytes_of_string(text));
}

static void assert_hands_missing(struct line_receiver *receiver, uint64_t number, const char *text,
                                 uint64_t missing)
{
    struct received_line line;
    assert_true(line_receiver_next(receiver, &line));
    assert_int_equal(line.number, number);
    assert_int_equal(line.missing, missing);
    assert_bytes_equal(line.text, bytes_of_string(text));
}

static void assert_hands(struct line_receiver *receiver, uint64_t number, const char *text)
{
    assert_hands_missing(receiver, number, text, 0);
}

static void assert_nothing(struct line_receiver *receiver)
{
    struct received_line line;
    assert_false(line_receiver_next(receiver, &line));
}

static void in_order_once_and_acknowledged_when_stored(void **state)
{
    (void)state;
    struct line_receiver *receiver = line_receiver_new(0);
    assert_nothing(receiver);
    assert_false(take(receiver, 0, "zero"));
    assert_true(take(receiver, 1, "one"));
    assert_true(take(receiver, 2, "")); /* a void */
    assert_hands(receiver, 1, "one");
    assert_hands(receiver, 2, "");
    assert_nothing(receiver);
    assert_false(take(receiver, 1, "one"));
    assert_false(take(receiver, 2, ""));
    assert_int_equal(line_receiver_ack(receiver), 0);
    line_receiver_stored(receiver, 3); /* was never handed over */
    assert_int_equal(line_receiver_ack(receiver), 0);
    line_receiver_stored(receiver, 1);
    assert_int_equal(line_receiver_ack(receiver), 1);
    line_receiver_stored(receiver, 2);
    assert_int_equal(line_receiver_ack(receiver), 2);
    line_receiver_stored(receiver, 1);
    assert_int_equal(line_receiver_ack(receiver), 2);
    assert_nothing(receiver);
    line_receiver_free(receiver);
}

static void early_lines_wait(void **state)
{
    (void)state;
    struct line_receiver *receiver = line_receiver_new(10);
    assert_true(take(receiver, 13, "a life that was lost"));
    assert_true(take(receiver, 12, "twelve"));
    assert_true(take(receiver, 13, "thirteen"));
    assert_false(take(receiver, 10, "ten"));
    assert_nothing(receiver);
    assert_true(take(receiver, 11, "eleven"));
    assert_hands(receiver, 11, "eleven");
    assert_hands(receiver, 12, "twelve");
    assert_hands(receiver, 13, "thirteen");
    assert_nothing(receiver);
    line_receiver_stored(receiver, 13);
    assert_int_equal(line_receiver_ack(receiver), 13);
    line_receiver_free(receiver);
}

static void too_many_are_dropped(void **state)
{
    (void)state;
    struct line_receiver *receiver = line_receiver_new(0);
    assert_false(take(receiver, LINE_EARLY_LINES + 1, "x"));
    for (uint64_t i = LINE_EARLY_LINES; i > 0; i--)
        assert_true(take(receiver, i, "x"));
    for (uint64_t i = 1; i <= LINE_EARLY_LINES; i++)
        assert_hands(receiver, i, "x");
    assert_nothing(receiver);
    assert_false(take(receiver, LINE_EARLY_LINES + 1, "x")); /* the store is slow */
    line_receiver_stored(receiver, 1);
    assert_true(take(receiver, LINE_EARLY_LINES + 1, "x"));
    assert_false(take(receiver, LINE_EARLY_LINES + 2, "x"));
    assert_hands(receiver, LINE_EARLY_LINES + 1, "x");
    line_receiver_free(receiver);
}

static void too_much_is_dropped_but_never_the_next(void **state)
{
    (void)state;
    enum { LARGE = 65536, OVER = 2 + LINE_EARLY_BYTES / LARGE };
    char *text = calloc(1, LARGE);
    assert_non_null(text);
    struct bytes large = bytes_of(text, LARGE);
    struct line_receiver *receiver = line_receiver_new(0);
    for (uint64_t i = 2; i < OVER; i++)
        assert_true(line_receiver_take(receiver, i, 0, large));
    assert_false(line_receiver_take(receiver, OVER, 0, bytes_of(text, 1)));
    assert_true(line_receiver_take(receiver, 1, 0, large));
    struct received_line line;
    for (uint64_t i = 1; i < OVER; i++) {
        assert_true(line_receiver_next(receiver, &line));
        assert_int_equal(line.number, i);
        assert_int_equal(line.text.size, LARGE);
    }
    assert_false(line_receiver_take(receiver, OVER, 0, bytes_of(text, 1))); /* counted until stored */
    line_receiver_stored(receiver, 2);
    assert_true(line_receiver_take(receiver, OVER, 0, bytes_of(text, LARGE)));
    assert_true(line_receiver_take(receiver, OVER, 0, bytes_of(text, LARGE)));
    line_receiver_free(receiver);
    free(text);
}

static void a_failed_commit_comes_again(void **state)
{
    (void)state;
    struct line_receiver *receiver = line_receiver_new(0);
    for (uint64_t i = 1; i <= 4; i++)
        assert_true(take(receiver, i, "x"));
    for (uint64_t i = 1; i <= 3; i++)
        assert_hands(receiver, i, "x");
    line_receiver_stored(receiver, 1);
    line_receiver_failed(receiver, 2);
    assert_int_equal(line_receiver_ack(receiver), 1);
    assert_true(take(receiver, 2, "x"));
    assert_true(take(receiver, 3, "x"));
    assert_nothing(receiver); /* the answer for 3 is awaited */
    line_receiver_stored(receiver, 3);
    assert_int_equal(line_receiver_ack(receiver), 1); /* 2 is not there */
    assert_hands(receiver, 2, "x");
    assert_hands(receiver, 3, "x");
    assert_nothing(receiver); /* 4 was dropped and has to come again, too */
    line_receiver_failed(receiver, 2);
    line_receiver_failed(receiver, 3);
    assert_nothing(receiver);
    for (uint64_t i = 2; i <= 4; i++)
        assert_true(take(receiver, i, "x"));
    for (uint64_t i = 2; i <= 4; i++) {
        assert_hands(receiver, i, "x");
        line_receiver_stored(receiver, i);
    }
    assert_int_equal(line_receiver_ack(receiver), 4);
    line_receiver_failed(receiver, 3); /* was answered */
    line_receiver_failed(receiver, 9);
    assert_int_equal(line_receiver_ack(receiver), 4);
    assert_nothing(receiver);
    line_receiver_free(receiver);
}

static void a_gap_is_closed_by_the_next_line(void **state)
{
    (void)state;
    struct line_receiver *receiver = line_receiver_new(50);
    line_receiver_base(receiver, 0);
    line_receiver_base(receiver, 1);
    line_receiver_base(receiver, 51);
    assert_nothing(receiver);
    line_receiver_base(receiver, 5001);
    assert_false(take(receiver, 5000, "x"));
    assert_true(take(receiver, 5001, "x"));
    assert_hands_missing(receiver, 5001, "x", 4950);
    assert_nothing(receiver);
    assert_false(take(receiver, 5002, "x")); /* until the gap is stored */
    line_receiver_failed(receiver, 5001);
    assert_true(take(receiver, 5002, "x"));
    assert_true(take(receiver, 5001, "x"));
    assert_hands_missing(receiver, 5001, "x", 4950);
    assert_hands(receiver, 5002, "x");
    line_receiver_stored(receiver, 5001);
    line_receiver_stored(receiver, 5002);
    assert_int_equal(line_receiver_ack(receiver), 5002);
    line_receiver_free(receiver);
}

static void a_gap_without_a_line_is_a_void(void **state)
{
    (void)state;
    struct line_receiver *receiver = line_receiver_new(50);
    assert_true(take(receiver, 55, "early, and never sent again"));
    assert_true(take(receiver, 62, "x"));
    line_receiver_base(receiver, 61);
    assert_hands_missing(receiver, 60, "", 10);
    assert_nothing(receiver);
    line_receiver_failed(receiver, 60);
    assert_hands_missing(receiver, 60, "", 10);
    line_receiver_stored(receiver, 60);
    assert_int_equal(line_receiver_ack(receiver), 60);
    assert_true(take(receiver, 61, "x"));
    assert_hands(receiver, 61, "x");
    line_receiver_free(receiver);
}

/* Nothing below base is sent again, but it may be on its way into the store. */
static void base_does_not_overtake_a_commit(void **state)
{
    (void)state;
    struct line_receiver *receiver = line_receiver_new(0);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(take(receiver, i, "x"));
        assert_hands(receiver, i, "x");
    }
    line_receiver_base(receiver, 4);
    assert_nothing(receiver);
    line_receiver_stored(receiver, 3);
    line_receiver_base(receiver, 2);
    assert_nothing(receiver);
    assert_int_equal(line_receiver_ack(receiver), 3);
    line_receiver_free(receiver);
}

static void what_is_early_goes_with_the_last_tunnel(void **state)
{
    (void)state;
    struct line_receiver *receiver = line_receiver_new(0);
    assert_true(take(receiver, 1, "one"));
    assert_hands(receiver, 1, "one");
    assert_true(take(receiver, 3, "of the lost life"));
    line_receiver_forget_early(receiver);
    assert_true(take(receiver, 2, "two"));
    assert_hands(receiver, 2, "two");
    assert_nothing(receiver);
    line_receiver_stored(receiver, 1);
    assert_true(take(receiver, 3, "three"));
    assert_hands(receiver, 3, "three");
    line_receiver_stored(receiver, 2);
    line_receiver_stored(receiver, 3);
    assert_int_equal(line_receiver_ack(receiver), 3);
    line_receiver_free(receiver);
}

static void numbers_may_leap_to_their_end(void **state)
{
    (void)state;
    static const uint64_t last = (UINT64_C(1) << 48) - 1;
    struct line_receiver *receiver = line_receiver_new(7);
    assert_true(take(receiver, 9, "x"));
    assert_false(take(receiver, last, "x"));
    line_receiver_base(receiver, last);
    assert_true(take(receiver, last, "x"));
    assert_hands_missing(receiver, last, "x", last - 8);
    line_receiver_stored(receiver, last);
    assert_int_equal(line_receiver_ack(receiver), last);
    assert_nothing(receiver);
    line_receiver_free(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_once_and_acknowledged_when_stored),
        cmocka_unit_test(early_lines_wait),
        cmocka_unit_test(too_many_are_dropped),
        cmocka_unit_test(too_much_is_dropped_but_never_the_next),
        cmocka_unit_test(a_failed_commit_comes_again),
        cmocka_unit_test(a_gap_is_closed_by_the_next_line),
        cmocka_unit_test(a_gap_without_a_line_is_a_void),
        cmocka_unit_test(base_does_not_overtake_a_commit),
        cmocka_unit_test(what_is_early_goes_with_the_last_tunnel),
        cmocka_unit_test(numbers_may_leap_to_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
