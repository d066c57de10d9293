/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <string.h>

#include "distant/line_sender.h"

static const uint64_t LAST_NUMBER = (UINT64_C(1) << 48) - 1;

static struct bytes str(const char *text)
{
    return bytes_of_string(text);
}

/* Assigns and commits one line; its owner's number is 100 above. */
static uint64_t say(struct line_sender *sender, const char *text)
{
    uint64_t number = line_sender_assign(sender, strlen(text));
    assert_int_not_equal(number, 0);
    assert_true(line_sender_put(sender, number, 100 + number, (int64_t)number, str(text)));
    return number;
}

static void assert_sends(struct line_sender *sender, uint64_t now, uint64_t number, const char *text)
{
    struct sent_line line;
    assert_true(line_sender_next(sender, now, &line));
    assert_int_equal(line.number, number);
    assert_int_equal(line.line, text == NULL ? 0 : 100 + number);
    assert_bytes_equal(line.text, str(text == NULL ? "" : text));
}

static void assert_quiet(struct line_sender *sender, uint64_t now)
{
    struct sent_line line;
    assert_false(line_sender_next(sender, now, &line));
}

static void assert_delivers(struct line_sender *sender, uint64_t first, uint64_t last)
{
    uint64_t line;
    for (uint64_t number = first; number <= last; number++) {
        assert_true(line_sender_delivered(sender, &line));
        assert_int_equal(line, 100 + number);
    }
    assert_false(line_sender_delivered(sender, &line));
}

static void lines_leave_once_in_order_and_are_delivered_once(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(0, 0);
    assert_int_equal(line_sender_base(sender), 1);
    assert_quiet(sender, 0);
    assert_int_equal(say(sender, "one"), 1);
    assert_int_equal(say(sender, "two"), 2);
    assert_sends(sender, 0, 1, "one");
    assert_sends(sender, 0, 2, "two");
    assert_quiet(sender, 0);
    assert_int_equal(line_sender_unacknowledged(sender), 2);
    assert_true(line_sender_ack(sender, 1, 5));
    assert_delivers(sender, 1, 1);
    assert_int_equal(line_sender_base(sender), 2);
    assert_true(line_sender_ack(sender, 1, 6));
    assert_true(line_sender_ack(sender, 0, 6));
    assert_delivers(sender, 1, 0);
    assert_true(line_sender_ack(sender, 2, 7));
    assert_delivers(sender, 2, 2);
    assert_int_equal(line_sender_base(sender), 3);
    assert_int_equal(line_sender_assigned(sender), 2);
    assert_int_equal(line_sender_unacknowledged(sender), 0);
    assert_int_equal(line_sender_deadline(sender), UINT64_MAX);
    line_sender_free(sender);
}

static void a_commit_under_way_holds_up_those_behind(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(0, 0);
    uint64_t first = line_sender_assign(sender, 3), second = line_sender_assign(sender, 3);
    say(sender, "three");
    assert_true(line_sender_put(sender, second, 102, 2, str("two")));
    assert_quiet(sender, 0);
    assert_int_equal(line_sender_deadline(sender), UINT64_MAX);
    line_sender_void(sender, first);
    line_sender_void(sender, second); /* is no void any more */
    assert_sends(sender, 0, 1, NULL);
    assert_sends(sender, 0, 2, "two");
    assert_sends(sender, 0, 3, "three");
    assert_true(line_sender_ack(sender, 3, 1));
    assert_delivers(sender, 2, 3);
    assert_false(line_sender_put(sender, 9, 109, 0, str("nobody asked")));
    assert_false(line_sender_put(sender, 0, 100, 0, str("nobody asked")));
    line_sender_free(sender);
}

static void an_acknowledgement_may_overtake_a_commit(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(0, 0);
    uint64_t number = line_sender_assign(sender, 3);
    say(sender, "two");
    assert_true(line_sender_ack(sender, 2, 0));
    assert_delivers(sender, 1, 0);
    assert_true(line_sender_put(sender, number, 101, 1, str("one")));
    assert_delivers(sender, 1, 2);
    assert_int_equal(line_sender_room(sender, 1), LINE_WINDOW_LINES);
    line_sender_free(sender);
}

static void the_window_is_bounded_in_lines(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(0, 0);
    assert_int_equal(line_sender_room(sender, 1), LINE_WINDOW_LINES);
    for (uint64_t i = 1; i <= LINE_WINDOW_LINES; i++)
        assert_int_equal(say(sender, "x"), i);
    assert_int_equal(line_sender_room(sender, 1), 0);
    assert_int_equal(line_sender_assign(sender, 1), 0);
    for (uint64_t i = 1; i <= LINE_WINDOW_LINES; i++)
        assert_sends(sender, 0, i, "x");
    assert_true(line_sender_ack(sender, 10, 0));
    assert_int_equal(line_sender_room(sender, 1), 0); /* what was delivered is still to be taken */
    assert_delivers(sender, 1, 10);
    assert_int_equal(line_sender_room(sender, 1), 10);
    assert_int_equal(say(sender, "x"), LINE_WINDOW_LINES + 1);
    assert_sends(sender, 0, LINE_WINDOW_LINES + 1, "x");
    line_sender_free(sender);
}

static void the_window_is_bounded_in_bytes(void **state)
{
    (void)state;
    static const char large[400001] = {0};
    struct line_sender *sender = line_sender_new(0, 0);
    struct bytes text = bytes_of(large, 400000);
    assert_int_equal(line_sender_room(sender, 400000), 2);
    assert_int_equal(line_sender_room(sender, LINE_WINDOW_BYTES), 1);
    assert_int_equal(line_sender_room(sender, LINE_WINDOW_BYTES + 1), 1);
    assert_int_equal(line_sender_assign(sender, text.size), 1);
    assert_int_equal(line_sender_assign(sender, text.size), 2);
    assert_int_equal(line_sender_assign(sender, text.size), 0);
    assert_int_equal(line_sender_room(sender, LINE_WINDOW_BYTES - 800000), 1);
    assert_int_equal(line_sender_room(sender, LINE_WINDOW_BYTES - 799999), 0);
    line_sender_void(sender, 1);
    assert_int_equal(line_sender_room(sender, text.size), 1);
    assert_true(line_sender_put(sender, 2, 102, 0, text));
    assert_true(line_sender_ack(sender, 2, 0));
    assert_delivers(sender, 2, 2);
    assert_int_equal(line_sender_room(sender, text.size), 2);
    line_sender_free(sender);
}

static void what_is_not_acknowledged_is_sent_again(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(0, 0);
    say(sender, "one");
    say(sender, "two");
    assert_sends(sender, 1000, 1, "one");
    assert_sends(sender, 1500, 2, "two");
    assert_int_equal(line_sender_deadline(sender), 2000);
    assert_false(line_sender_tick(sender, 1999));
    assert_true(line_sender_ack(sender, 1, 1600));
    assert_int_equal(line_sender_deadline(sender), 1600 + 1200); /* twice the 600 ms that the first took */
    assert_false(line_sender_tick(sender, 2799));
    assert_true(line_sender_tick(sender, 2800));
    assert_int_equal(line_sender_deadline(sender), UINT64_MAX); /* nothing is in flight until it is sent */
    assert_sends(sender, 2900, 2, "two");
    assert_quiet(sender, 2900);
    assert_int_equal(line_sender_deadline(sender), 2900 + 2400);
    line_sender_free(sender);
}

static void patience_doubles_up_to_a_minute(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(0, 0);
    say(sender, "one");
    uint64_t now = 0;
    static const uint64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        assert_sends(sender, now, 1, "one");
        assert_int_equal(line_sender_deadline(sender), now + waits[i]);
        now += waits[i];
        assert_true(line_sender_tick(sender, now));
    }
    line_sender_again(sender); /* another tunnel: the doubling was about the old one */
    assert_sends(sender, now, 1, "one");
    assert_int_equal(line_sender_deadline(sender), now + 1000);
    line_sender_free(sender);
}

/* Otherwise a path slower than the least patience would be sent everything twice for ever. */
static void the_doubling_stays_until_a_line_sent_once_is_acknowledged(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(0, 0);
    say(sender, "one");
    assert_sends(sender, 0, 1, "one");
    assert_true(line_sender_tick(sender, 1000));
    assert_sends(sender, 1000, 1, "one");
    assert_true(line_sender_tick(sender, 3000));
    assert_sends(sender, 3000, 1, "one");
    assert_true(line_sender_ack(sender, 1, 3100)); /* of which of the three? */
    say(sender, "two");
    assert_sends(sender, 4000, 2, "two");
    assert_int_equal(line_sender_deadline(sender), 8000);
    assert_true(line_sender_ack(sender, 2, 7000));
    say(sender, "three");
    assert_sends(sender, 8000, 3, "three");
    assert_int_equal(line_sender_deadline(sender), 8000 + 6000);
    assert_true(line_sender_ack(sender, 3, 8000)); /* 3000, then 0: an eighth of the way down */
    say(sender, "four");
    assert_sends(sender, 9000, 4, "four");
    assert_int_equal(line_sender_deadline(sender), 9000 + 5250);
    line_sender_free(sender);
}

static void another_tunnel_makes_all_due(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(0, 0);
    for (size_t i = 0; i < 5; i++)
        say(sender, "x");
    for (uint64_t i = 1; i <= 3; i++)
        assert_sends(sender, 0, i, "x");
    assert_true(line_sender_ack(sender, 1, 0));
    line_sender_again(sender);
    assert_int_equal(line_sender_deadline(sender), UINT64_MAX);
    for (uint64_t i = 2; i <= 5; i++)
        assert_sends(sender, 0, i, "x");
    assert_quiet(sender, 0);
    line_sender_free(sender);
}

static void a_restart_goes_on_where_it_was(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(9, 4);
    assert_true(line_sender_put(sender, 5, 105, 0, str("five")));
    assert_true(line_sender_put(sender, 8, 108, 0, str("eight")));
    assert_false(line_sender_put(sender, 8, 108, 0, str("eight")));
    assert_false(line_sender_put(sender, 6, 106, 0, str("not in order")));
    assert_false(line_sender_put(sender, 10, 110, 0, str("not assigned")));
    assert_int_equal(line_sender_unacknowledged(sender), 5);
    assert_int_equal(line_sender_room(sender, 1), LINE_WINDOW_LINES - 5);
    assert_int_equal(say(sender, "ten"), 10);
    assert_false(line_sender_put(sender, 9, 109, 0, str("too late")));
    assert_sends(sender, 0, 5, "five");
    assert_sends(sender, 0, 6, NULL);
    assert_sends(sender, 0, 7, NULL);
    assert_sends(sender, 0, 8, "eight");
    assert_sends(sender, 0, 9, NULL);
    assert_sends(sender, 0, 10, "ten");
    assert_true(line_sender_ack(sender, 10, 0));
    uint64_t line;
    assert_true(line_sender_delivered(sender, &line) && line == 105);
    assert_true(line_sender_delivered(sender, &line) && line == 108);
    assert_true(line_sender_delivered(sender, &line) && line == 110);
    assert_false(line_sender_delivered(sender, &line));
    line_sender_free(sender);
}

/* Its first acknowledgement may be of the life before: it measures nothing. */
static void a_line_of_an_earlier_run_is_not_measured(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(1, 0);
    assert_true(line_sender_put(sender, 1, 101, 0, str("one")));
    assert_sends(sender, 0, 1, "one");
    assert_true(line_sender_ack(sender, 1, 900));
    say(sender, "two");
    assert_sends(sender, 1000, 2, "two");
    assert_int_equal(line_sender_deadline(sender), 2000);
    line_sender_free(sender);
}

/* More than the window may be open when receipts could not be stored for long. */
static void a_restart_with_much_open_keeps_to_the_window(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(UINT64_C(1) << 40, 4);
    assert_int_equal(line_sender_room(sender, 1), 0);
    for (uint64_t i = 5; i < 5 + LINE_WINDOW_LINES; i++)
        assert_sends(sender, 0, i, NULL);
    assert_quiet(sender, 0);
    assert_true(line_sender_ack(sender, 5, 0));
    assert_sends(sender, 0, 5 + LINE_WINDOW_LINES, NULL);
    assert_quiet(sender, 0);
    line_sender_free(sender);
}

static void our_store_is_an_old_backup(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(2, 1);
    assert_true(line_sender_put(sender, 2, 102, 0, str("two")));
    assert_false(line_sender_ack(sender, 3 + (UINT64_C(1) << 32), 0));
    assert_int_equal(line_sender_base(sender), 2);
    assert_true(line_sender_ack(sender, 50, 0));
    assert_delivers(sender, 2, 2);
    assert_int_equal(line_sender_base(sender), 51);
    assert_int_equal(line_sender_assigned(sender), 50 + LINE_WINDOW_LINES);
    assert_int_equal(line_sender_room(sender, 1), 0);
    for (uint64_t i = 51; i <= 50 + LINE_WINDOW_LINES; i++)
        assert_sends(sender, 0, i, NULL);
    assert_quiet(sender, 0);
    assert_true(line_sender_ack(sender, 50 + LINE_WINDOW_LINES, 0));
    assert_delivers(sender, 1, 0);
    assert_int_equal(say(sender, "x"), 51 + LINE_WINDOW_LINES);
    assert_sends(sender, 0, 51 + LINE_WINDOW_LINES, "x");
    line_sender_free(sender);
}

static void numbers_end(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(LAST_NUMBER - 2, LAST_NUMBER - 2);
    assert_int_equal(line_sender_room(sender, 1), 2);
    say(sender, "x");
    say(sender, "x");
    assert_int_equal(line_sender_assign(sender, 1), 0);
    assert_sends(sender, 0, LAST_NUMBER - 1, "x");
    assert_sends(sender, 0, LAST_NUMBER, "x");
    assert_quiet(sender, 0);
    assert_false(line_sender_ack(sender, LAST_NUMBER + 1, 0));
    assert_true(line_sender_ack(sender, LAST_NUMBER, 0));
    assert_delivers(sender, LAST_NUMBER - 1, LAST_NUMBER);
    assert_int_equal(line_sender_base(sender), LAST_NUMBER); /* has to fit into a frame */
    assert_int_equal(line_sender_unacknowledged(sender), 0);
    assert_int_equal(line_sender_assign(sender, 1), 0);
    line_sender_free(sender);

    sender = line_sender_new(LAST_NUMBER - 100, LAST_NUMBER - 100);
    assert_true(line_sender_ack(sender, LAST_NUMBER - 50, 0));
    assert_int_equal(line_sender_assigned(sender), LAST_NUMBER);
    for (uint64_t i = 0; i < 50; i++)
        assert_sends(sender, 0, LAST_NUMBER - 49 + i, NULL);
    assert_quiet(sender, 0);
    line_sender_free(sender);
}

static void the_end_tells_what_is_open(void **state)
{
    (void)state;
    struct line_sender *sender = line_sender_new(0, 0);
    for (size_t i = 0; i < 4; i++)
        say(sender, "x");
    line_sender_void(sender, line_sender_assign(sender, 1));
    say(sender, "x");
    uint64_t awaited = line_sender_assign(sender, 1), line;
    assert_sends(sender, 0, 1, "x");
    assert_sends(sender, 0, 2, "x");
    assert_true(line_sender_ack(sender, 1, 0));
    assert_delivers(sender, 1, 1);
    static const uint64_t open[] = {102, 103, 104, 106};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        assert_true(line_sender_drain(sender, &line));
        assert_int_equal(line, open[i]);
    }
    assert_false(line_sender_drain(sender, &line));
    assert_false(line_sender_put(sender, awaited, 100 + awaited, 0, str("x")));
    assert_int_equal(line_sender_unacknowledged(sender), 0);
    assert_int_equal(line_sender_deadline(sender), UINT64_MAX);
    assert_quiet(sender, 0);
    line_sender_free(sender);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_leave_once_in_order_and_are_delivered_once),
        cmocka_unit_test(a_commit_under_way_holds_up_those_behind),
        cmocka_unit_test(an_acknowledgement_may_overtake_a_commit),
        cmocka_unit_test(the_window_is_bounded_in_lines),
        cmocka_unit_test(the_window_is_bounded_in_bytes),
        cmocka_unit_test(what_is_not_acknowledged_is_sent_again),
        cmocka_unit_test(patience_doubles_up_to_a_minute),
        cmocka_unit_test(the_doubling_stays_until_a_line_sent_once_is_acknowledged),
        cmocka_unit_test(another_tunnel_makes_all_due),
        cmocka_unit_test(a_restart_goes_on_where_it_was),
        cmocka_unit_test(a_line_of_an_earlier_run_is_not_measured),
        cmocka_unit_test(a_restart_with_much_open_keeps_to_the_window),
        cmocka_unit_test(our_store_is_an_old_backup),
        cmocka_unit_test(numbers_end),
        cmocka_unit_test(the_end_tells_what_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
