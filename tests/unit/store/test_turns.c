/* SPDX-License-Identifier: ISC */
#include "store_test.h"

static int begin(void **state)
{
    static struct place place;
    place_make(&place);
    place_open(&place);
    put_first(&place);
    *state = &place;
    return 0;
}

static int end(void **state)
{
    place_free(*state);
    return 0;
}

/* Commits line after line and notes the order of the answers. */
struct order {
    struct place *place;
    unsigned answered;
    int64_t next;
    bool good;
};

struct slip {
    struct order *order;
    unsigned number;
};

static void on_slip(void *arg, const struct error *error)
{
    struct slip *slip = arg;
    slip->order->good &= error == NULL && slip->number == slip->order->answered;
    slip->order->answered++;
}

static void commit_line(struct order *order, struct slip *slip, unsigned number)
{
    struct line_row line = some_line(1, ++order->next, 1, "text");
    struct store_batch *batch = store_begin(order->place->store);
    *slip = (struct slip){order, number};
    store_put_line(batch, &line);
    store_commit(batch, on_slip, slip);
}

static void test_one_turn_is_one_transaction(void **state)
{
    struct order order = {.place = *state, .good = true};
    static struct slip slips[500];
    struct store_stats before, after;
    store_stats(order.place->store, &before);
    for (unsigned i = 0; i < 500; i++)
        commit_line(&order, &slips[i], i);
    assert_int_equal(order.answered, 0);
    uv_run(&order.place->loop, UV_RUN_DEFAULT);
    assert_int_equal(order.answered, 500);
    assert_true(order.good);
    store_stats(order.place->store, &after);
    assert_int_equal(after.transactions - before.transactions, 1);
    assert_int_equal(after.batches - before.batches, 500);
}

struct chain {
    struct order order;
    struct slip slips[20];
    uv_timer_t timer;
    unsigned turns;
};

static void on_timer(uv_timer_t *timer)
{
    struct chain *chain = timer->data;
    commit_line(&chain->order, &chain->slips[chain->turns], chain->turns);
    if (++chain->turns < 20)
        uv_timer_start(timer, on_timer, 0, 0);
    else
        uv_close((uv_handle_t *)timer, NULL);
}

/* What a timer commits is handed over before the loop sleeps, and the loop stays until it is answered. */
static void test_turns_of_timers(void **state)
{
    static struct chain chain;
    struct place *place = *state;
    chain = (struct chain){.order = {.place = place, .good = true}};
    uv_timer_init(&place->loop, &chain.timer);
    chain.timer.data = &chain;
    uv_timer_start(&chain.timer, on_timer, 0, 0);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_int_equal(chain.order.answered, 20);
    assert_true(chain.order.good);
}

static void test_an_idle_store_lets_the_loop_end(void **state)
{
    struct place *place = *state;
    assert_int_equal(uv_loop_alive(&place->loop), 0);
    struct store_batch *batch = store_begin(place->store);
    store_commit(batch, NULL, NULL);
    assert_int_not_equal(uv_loop_alive(&place->loop), 0);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_alive(&place->loop), 0);
    store_discard(store_begin(place->store));
    store_discard(NULL);
}

/* After the answer a read sees it, from within the answer too. */
struct seen {
    struct place *place;
    struct lines lines;
};

static void read_it(void *arg, const struct error *error)
{
    struct seen *seen = arg;
    assert_null(error);
    store_history(seen->place->store, 1, 1, INT64_MAX, 1, note_line, lines_done, &seen->lines);
}

static void test_a_read_sees_what_was_answered(void **state)
{
    static struct seen seen;
    for (int64_t seq = 1; seq <= 200; seq++) {
        memset(&seen, 0, sizeof seen);
        seen.place = *state;
        struct line_row line = some_line(1, seq, 1, "text");
        struct store_batch *batch = store_begin(seen.place->store);
        store_put_line(batch, &line);
        store_commit(batch, read_it, &seen);
        uv_run(&seen.place->loop, UV_RUN_DEFAULT);
        assert_int_equal(seen.lines.outcome.code, 0);
        assert_int_equal(seen.lines.count, 1);
        assert_int_equal(seen.lines.seq[0], seq);
    }
}

static void test_closing_answers_everything(void **state)
{
    struct place *place = *state;
    struct order order = {.place = place, .good = true};
    static struct slip slips[50];
    static struct lines lines;
    memset(&lines, 0, sizeof lines);
    struct outcome late = {0};
    struct store_batch *forgotten = store_begin(place->store);
    for (unsigned i = 0; i < 50; i++)
        commit_line(&order, &slips[i], i);
    store_history(place->store, 1, 1, INT64_MAX, 10, note_line, lines_done, &lines);
    store_close(place->store);
    assert_int_equal(order.answered, 50);
    assert_true(order.good);
    assert_int_equal(lines.outcome.calls, 1);
    assert_null(store_begin(place->store));
    assert_int_equal(late.calls, 0);
    store_discard(forgotten);
    place->store = NULL;
    uv_run(&place->loop, UV_RUN_DEFAULT);

    place_open(place);
    memset(&lines, 0, sizeof lines);
    store_history(place->store, 1, 1, INT64_MAX, 100, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    assert_int_equal(lines.count, 50);
}

/* An answer that closes the store: the rest is answered first, what it still asks is refused. */
struct closing {
    struct place *place;
    struct outcome others[3], refused;
};

static void close_it(void *arg, const struct error *error)
{
    struct closing *closing = arg;
    (void)error;
    store_close(closing->place->store);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(closing->others[i].calls, 1);
    assert_null(store_begin(closing->place->store));
    closing->place->store = NULL;
}

static void ask_more(void *arg, const struct error *error)
{
    struct closing *closing = arg;
    note_outcome(&closing->others[2], error);
    store_history(closing->place->store, 1, 1, INT64_MAX, 1, NULL, note_outcome, &closing->refused);
}

static void test_closing_from_an_answer(void **state)
{
    static struct closing closing;
    memset(&closing, 0, sizeof closing);
    closing.place = *state;
    struct store *store = closing.place->store;
    store_commit(store_begin(store), close_it, &closing);
    store_commit(store_begin(store), note_outcome, &closing.others[0]);
    store_commit(store_begin(store), note_outcome, &closing.others[1]);
    store_commit(store_begin(store), ask_more, &closing);
    uv_run(&closing.place->loop, UV_RUN_DEFAULT);
    assert_null(closing.place->store);
    assert_int_equal(closing.refused.calls, 1);
    assert_int_equal(closing.refused.code, ERROR_UNAVAILABLE);
}

/* 64 MiB may wait; more is refused in its turn, and accepted again later. */
static void test_what_waits_is_bounded(void **state)
{
    struct place *place = *state;
    static char text[STORE_TEXT_LIMIT];
    struct outcome outcomes[12] = {0};
    int64_t seq = 0;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < 12; i++) {
        struct store_batch *batch = store_begin(place->store);
        for (int j = 0; j < 64; j++) {
            struct line_row line = some_line(1, ++seq, 1, "");
            line.text = bytes_of(text, sizeof text);
            store_put_line(batch, &line);
        }
        store_commit(batch, note_outcome, &outcomes[i]);
    }
    uv_run(&place->loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(outcomes[i].code, i < 7 ? 0 : ERROR_UNAVAILABLE);
    struct line_row line = some_line(1, ++seq, 1, "x");
    struct store_batch *batch = store_begin(place->store);
    store_put_line(batch, &line);
    commit_good(place, batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_turn_is_one_transaction, begin, end),
        cmocka_unit_test_setup_teardown(test_turns_of_timers, begin, end),
        cmocka_unit_test_setup_teardown(test_an_idle_store_lets_the_loop_end, begin, end),
        cmocka_unit_test_setup_teardown(test_a_read_sees_what_was_answered, begin, end),
        cmocka_unit_test_setup_teardown(test_closing_answers_everything, begin, end),
        cmocka_unit_test_setup_teardown(test_closing_from_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_what_waits_is_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
