/* SPDX-License-Identifier: ISC */
#include "store_test.h"

/* Numbers of lines on sealed routes: what was said to be stored, and what is still to be sent, is exactly
 * what is found again. */
enum { ROUTE = 5, OTHER = 6 };

static const uint64_t number_limit = ((uint64_t)1 << 48) - 1;

/* What the loader gave. */
struct found {
    uint64_t delivered;
    uint64_t out, in;
    unsigned queued, sent;
    int64_t seq[16], route[16];
    uint64_t number[16];
};

static void on_route(void *arg, const struct route_row *row)
{
    struct found *found = arg;
    if (row->id != ROUTE)
        return;
    found->out = row->number_out;
    found->in = row->number_in;
    found->delivered = row->number_delivered;
}

static void on_queued(void *arg, const struct line_row *row)
{
    assert_int_equal(row->number, 0);
    ((struct found *)arg)->queued++;
}

static void on_sent(void *arg, const struct line_row *row)
{
    struct found *found = arg;
    assert_true(found->sent < 16);
    assert_string_equal(row->delivery, "sent");
    found->seq[found->sent] = row->seq;
    found->route[found->sent] = row->route;
    found->number[found->sent++] = row->number;
}

static struct found reload(struct place *place)
{
    static const struct store_loader loader = {
        .route = on_route, .queued_line = on_queued, .sent_line = on_sent};
    struct found found = {0};
    place_close(place);
    place_open_with(place, &loader, &found);
    return found;
}

static int begin(void **state)
{
    static struct place place;
    place_make(&place);
    place_open(&place);
    put_first(&place);
    struct store_batch *batch = store_begin(place.store);
    struct route_row route = some_route(1, ROUTE, 1), other = some_route(1, OTHER, 1);
    route.kind = other.kind = "sealed";
    store_put_route(batch, &route);
    store_put_route(batch, &other);
    commit_good(&place, batch);
    *state = &place;
    return 0;
}

static int end(void **state)
{
    place_free(*state);
    return 0;
}

static struct line_row numbered(int64_t seq, const char *direction, int64_t route, uint64_t number)
{
    struct line_row line = some_line(1, seq, 1, "x");
    line.direction = direction;
    line.delivery = strcmp(direction, "out") == 0 ? "sent" : "received";
    line.route = route;
    line.number = number;
    return line;
}

static enum error_code put(struct place *place, struct line_row line)
{
    struct store_batch *batch = store_begin(place->store);
    store_put_line(batch, &line);
    return commit_now(place, batch).code;
}

static enum error_code set(struct place *place, int64_t seq, int64_t route, uint64_t number, int64_t change)
{
    struct store_batch *batch = store_begin(place->store);
    store_set_number(batch, 1, seq, route, number, change);
    return commit_now(place, batch).code;
}

static void queue(struct place *place, int64_t seq)
{
    struct line_row line = numbered(seq, "out", 0, 0);
    line.delivery = "queued";
    line.reason = "no tunnel";
    assert_int_equal(put(place, line), 0);
}

static void test_a_number_comes_once(void **state)
{
    struct place *place = *state;
    assert_int_equal(put(place, numbered(1, "in", ROUTE, 7)), 0);
    assert_int_equal(put(place, numbered(2, "in", ROUTE, 7)), ERROR_EXISTS);
    assert_int_equal(put(place, numbered(2, "out", ROUTE, 7)), 0); /* the other direction */
    assert_int_equal(put(place, numbered(3, "out", ROUTE, 7)), ERROR_EXISTS);
    assert_int_equal(put(place, numbered(3, "in", OTHER, 7)), 0);
    queue(place, 4);
    assert_int_equal(set(place, 4, ROUTE, 7, 10), ERROR_EXISTS);
    for (int64_t seq = 5; seq < 8; seq++) /* without a number there is nothing to be unique */
        assert_int_equal(put(place, numbered(seq, "in", ROUTE, 0)), 0);
    struct found found = reload(place);
    assert_int_equal(found.queued, 1);
    assert_int_equal(found.sent, 1);
    assert_int_equal(found.seq[0], 2);
}

static void test_a_refused_line_takes_no_number(void **state)
{
    struct place *place = *state;
    struct store_batch *batch = store_begin(place->store);
    struct line_row first = numbered(1, "in", ROUTE, 8), again = numbered(1, "in", ROUTE, 9);
    store_put_line(batch, &first);
    store_put_line(batch, &again); /* this seq is taken: both go */
    assert_int_equal(commit_now(place, batch).code, ERROR_EXISTS);
    assert_int_equal(reload(place).in, 0);
    assert_int_equal(put(place, numbered(1, "in", ROUTE, 8)), 0);
    assert_int_equal(reload(place).in, 8);
}

static void test_numbers_only_rise(void **state)
{
    struct place *place = *state;
    assert_int_equal(put(place, numbered(1, "in", ROUTE, 20)), 0);
    assert_int_equal(put(place, numbered(2, "in", ROUTE, 19)), 0);
    assert_int_equal(put(place, numbered(3, "out", ROUTE, 30)), 0);
    queue(place, 4);
    assert_int_equal(set(place, 4, ROUTE, 29, 10), 0);
    struct store_batch *batch = store_begin(place->store);
    struct route_row route = some_route(1, ROUTE, 1);
    route.number_in = 5;
    store_put_route(batch, &route);
    store_set_number_in(batch, ROUTE, 6);
    store_set_number_out(batch, ROUTE, 7);
    commit_good(place, batch);
    struct found found = reload(place);
    assert_int_equal(found.in, 20);
    assert_int_equal(found.out, 30);

    assert_int_equal(found.delivered, 0);
    batch = store_begin(place->store);
    store_set_number_out(batch, ROUTE, 31);
    store_set_delivery(batch, 1, 4, "delivered", "", ROUTE, 11);
    commit_good(place, batch);
    found = reload(place);
    assert_int_equal(found.out, 31);
    assert_int_equal(found.delivered, 29);

    batch = store_begin(place->store);
    store_set_number_in(batch, ROUTE, number_limit);
    route.number_out = number_limit;
    store_put_route(batch, &route);
    commit_good(place, batch);
    found = reload(place);
    assert_int_equal(found.in, number_limit);
    assert_int_equal(found.out, number_limit);
}

static void test_a_queued_line_is_sent(void **state)
{
    struct place *place = *state;
    queue(place, 1);
    queue(place, 2);
    assert_int_equal(set(place, 1, ROUTE, 1, 77), 0);
    assert_int_equal(set(place, 1, ROUTE, 2, 78), ERROR_NOT_FOUND); /* it is not queued any more */
    assert_int_equal(set(place, 3, ROUTE, 2, 78), ERROR_NOT_FOUND);
    assert_int_equal(set(place, 2, 99, 2, 78), ERROR_NOT_FOUND);

    struct lines lines = {0};
    store_lines_changed(place->store, 1, 2, 10, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    assert_int_equal(lines.count, 1);
    assert_int_equal(lines.change[0], 77);
    assert_int_equal(lines.last.number, 1);
    assert_int_equal(lines.last.route, ROUTE);
    assert_string_equal(lines.delivery, "sent");
    assert_string_equal(lines.reason, "");
    struct found found = reload(place);
    assert_int_equal(found.out, 1); /* the refused ones raised nothing */
    assert_int_equal(found.queued, 1);
    assert_int_equal(found.sent, 1);
}

static void test_what_is_sent_is_loaded_by_number(void **state)
{
    struct place *place = *state;
    static const struct {
        int64_t seq, route;
        uint64_t number;
    } lines[] = {{1, OTHER, 2}, {2, ROUTE, 3}, {3, OTHER, 1}, {4, ROUTE, 1}, {5, ROUTE, 2}, {6, ROUTE, 4}};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(put(place, numbered(lines[i].seq, "out", lines[i].route, lines[i].number)), 0);
    struct line_row classic = numbered(7, "out", ROUTE, 0);
    assert_int_equal(put(place, classic), 0); /* of before: nobody can tell its fate */
    struct store_batch *batch = store_begin(place->store);
    store_set_delivery(batch, 1, 4, "delivered", "", ROUTE, 20);
    store_set_delivery(batch, 1, 5, "not-confirmed", "the route ended", ROUTE, 21);
    commit_good(place, batch);

    struct found found = reload(place);
    assert_int_equal(found.sent, 4);
    static const int64_t expected[] = {2, 6, 3, 1};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(found.seq[i], expected[i]);

    struct lines sent = {0};
    store_sent_lines(place->store, ROUTE, 0, 10, note_line, lines_done, &sent);
    lines_wait(place, &sent);
    assert_int_equal(sent.count, 2);
    assert_int_equal(sent.seq[0], 2);
    assert_int_equal(sent.seq[1], 6);
    sent = (struct lines){0};
    store_sent_lines(place->store, ROUTE, 3, 10, note_line, lines_done, &sent);
    lines_wait(place, &sent);
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.last.number, 4);
    sent = (struct lines){0};
    store_sent_lines(place->store, OTHER, 0, 1, note_line, lines_done, &sent);
    lines_wait(place, &sent);
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.last.number, 1);
}

static void test_a_range_is_delivered_or_nothing_of_it(void **state)
{
    struct place *place = *state;
    for (int64_t seq = 1; seq <= 5; seq++)
        assert_int_equal(put(place, numbered(seq, "out", ROUTE, (uint64_t)seq)), 0);
    struct store_batch *batch = store_begin(place->store);
    store_set_delivered(batch, 1, 2, 4, 50);
    commit_good(place, batch);
    struct lines lines = {0};
    store_lines_changed(place->store, 1, 49, 10, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    assert_int_equal(lines.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(lines.seq[i], 2 + (int64_t)i);
        assert_int_equal(lines.change[i], 50 + (int64_t)i);
    }
    assert_string_equal(lines.delivery, "delivered");
    assert_int_equal(lines.last.route, ROUTE);
    struct found found = reload(place);
    assert_int_equal(found.delivered, 4);
    assert_int_equal(found.sent, 2);

    batch = store_begin(place->store);
    store_set_delivered(batch, 1, 5, 6, 60); /* there is no sixth */
    assert_int_equal(commit_now(place, batch).code, ERROR_NOT_FOUND);
    batch = store_begin(place->store);
    store_set_delivered(batch, 1, 5, 4, 60);
    assert_int_equal(commit_now(place, batch).code, ERROR_INVALID);
    assert_int_equal(reload(place).sent, 2);
}

/* Batches of one turn are one transaction, in which what lines raise is written once. */
static void test_a_refused_batch_takes_nothing_of_its_turn(void **state)
{
    struct place *place = *state;
    struct outcome outcomes[4] = {0};
    for (int64_t seq = 1; seq <= 4; seq++) {
        struct line_row line = numbered(seq, "out", ROUTE, seq == 3 ? 2 : (uint64_t)seq);
        struct store_batch *batch = store_begin(place->store);
        store_set_number_in(batch, ROUTE, (uint64_t)seq * 10);
        if (seq == 3)
            store_set_number_in(batch, ROUTE, 1000);
        store_put_line(batch, &line);
        store_commit(batch, note_outcome, &outcomes[seq - 1]);
    }
    for (size_t i = 0; i < 4; i++) {
        while (outcomes[i].calls == 0)
            uv_run(&place->loop, UV_RUN_ONCE);
        assert_int_equal(outcomes[i].code, i == 2 ? ERROR_EXISTS : 0);
    }
    struct found found = reload(place);
    assert_int_equal(found.in, 40);
    assert_int_equal(found.out, 4);
    assert_int_equal(found.sent, 3);
}

static void test_lines_of_a_removed_conversation_are_not_sent(void **state)
{
    struct place *place = *state;
    assert_int_equal(put(place, numbered(1, "out", ROUTE, 1)), 0);
    struct store_batch *batch = store_begin(place->store);
    store_remove(batch, 1, "conversation", 1, 9);
    commit_good(place, batch);
    struct lines sent = {0};
    store_sent_lines(place->store, ROUTE, 0, 10, note_line, lines_done, &sent);
    lines_wait(place, &sent);
    assert_int_equal(sent.count, 0);
    assert_int_equal(reload(place).sent, 0);
}

static void test_wrong_numbers_are_refused(void **state)
{
    struct place *place = *state;
    struct line_row note = numbered(1, "note", ROUTE, 1);
    assert_int_equal(put(place, note), ERROR_INVALID);
    assert_int_equal(put(place, numbered(1, "in", 0, 1)), ERROR_INVALID);
    assert_int_equal(put(place, numbered(1, "in", 99, 1)), ERROR_NOT_FOUND); /* no such route */
    assert_int_equal(put(place, numbered(1, "in", ROUTE, number_limit + 1)), ERROR_INVALID);
    assert_int_equal(put(place, numbered(1, "in", ROUTE, UINT64_MAX)), ERROR_INVALID);
    queue(place, 1);
    assert_int_equal(set(place, 1, ROUTE, 0, 2), ERROR_INVALID);
    assert_int_equal(set(place, 1, ROUTE, number_limit + 1, 2), ERROR_INVALID);
    struct store_batch *batch = store_begin(place->store);
    store_set_number_in(batch, ROUTE, 0);
    assert_int_equal(commit_now(place, batch).code, ERROR_INVALID);
    batch = store_begin(place->store);
    store_set_number_in(batch, 99, 1);
    assert_int_equal(commit_now(place, batch).code, ERROR_NOT_FOUND);
    assert_int_equal(reload(place).out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_number_comes_once, begin, end),
        cmocka_unit_test_setup_teardown(test_a_refused_line_takes_no_number, begin, end),
        cmocka_unit_test_setup_teardown(test_numbers_only_rise, begin, end),
        cmocka_unit_test_setup_teardown(test_a_queued_line_is_sent, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_sent_is_loaded_by_number, begin, end),
        cmocka_unit_test_setup_teardown(test_a_range_is_delivered_or_nothing_of_it, begin, end),
        cmocka_unit_test_setup_teardown(test_a_refused_batch_takes_nothing_of_its_turn, begin, end),
        cmocka_unit_test_setup_teardown(test_lines_of_a_removed_conversation_are_not_sent, begin, end),
        cmocka_unit_test_setup_teardown(test_wrong_numbers_are_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
