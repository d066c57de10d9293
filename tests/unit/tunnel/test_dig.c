/* SPDX-License-Identifier: ISC */
#include "single.h"

/* The digging budget and its order (00 decision 13), and tunnels that end here. */

enum { A = 11, B = 12, C = 13 };

static void dig(struct single *single, uint32_t hash, enum dig_urgency urgency)
{
    assert_true(router_dig(single->router, single_hash(hash).data, urgency, single->now));
    single_collect(single);
}

static void stop(struct single *single, uint32_t hash)
{
    router_stop(single->router, single_hash(hash).data, single->now);
    single_collect(single);
}

static bool is_hash(const struct router_output *output, uint32_t hash)
{
    return memcmp(output->hash, single_hash(hash).data, TURTLE_HASH_SIZE) == 0;
}

/* Follows the deadlines until the next request leaves; returns how long that took. */
static uint64_t until_dug(struct single *single)
{
    uint64_t began = single->now;
    do {
        uint64_t due = router_deadline(single->router);
        assert_true(due != UINT64_MAX);
        single_tick(single, due > single->now ? due - single->now : 0);
    } while (single_count(single, ROUTER_DUG) == 0);
    return single->now - began;
}

static void test_a_request_leaves_inside_the_call(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 1);
    single_up(single, A, TURTLE_06);
    single_up(single, B, TURTLE_05);
    dig(single, 1, DIG_PERSON);
    assert_int_equal(single_find(single, ROUTER_DUG, 0)->reached, 2);
    struct turtle_open new_form = single_sent_open(single, A, TURTLE_06);
    struct turtle_open old_form = single_sent_open(single, B, TURTLE_05);
    assert_memory_equal(&new_form, &old_form, sizeof new_form);
    /* Asked twice in a row: what left just now is enough. */
    dig(single, 1, DIG_PERSON);
    assert_int_equal(single->count, 0);
    assert_int_equal(router_deadline(single->router), single->now + 5000);
    single->now += 5000;
    dig(single, 1, DIG_PERSON);
    assert_int_equal(single_count(single, ROUTER_DUG), 1);
    assert_int_not_equal(single_sent_open(single, A, TURTLE_06).request, new_form.request);
    assert_int_equal(single_stats(single).wanted, 1);
    single_free(single);
}

static void test_without_neighbours_it_waits_and_spends_nothing(void **state)
{
    (void)state;
    struct single *single = single_new(&(struct router_options){.dig_burst = 1}, 1);
    dig(single, 1, DIG_PERSON);
    assert_int_equal(single->count, 0);
    assert_true(router_deadline(single->router) == UINT64_MAX);
    single_up(single, A, TURTLE_06);
    assert_int_equal(single_find(single, ROUTER_DUG, 0)->reached, 1);
    assert_int_equal(single_stats(single).digs, 1);
    single_free(single);
}

static void test_fruitless_requests_back_off_to_an_hour(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    single_up(single, A, TURTLE_06);
    dig(single, 1, DIG_PRESENCE);
    uint64_t wait = 50000;
    struct turtle_open seen[10];
    for (size_t i = 0; i < 10; i++) {
        uint64_t waited = until_dug(single);
        assert_in_range(waited, wait - wait / 5, wait + wait / 5);
        wait = wait * 2 < 3600000 ? wait * 2 : 3600000;
        seen[i] = single_sent_open(single, A, TURTLE_06);
        for (size_t j = 0; j < i; j++) /* W-T9: never one partial id at two depths */
            assert_true(seen[i].partial != seen[j].partial);
    }
    single->now += 5000;
    dig(single, 1, DIG_WAITING);
    assert_int_equal(single_count(single, ROUTER_DUG), 1);
    assert_in_range(until_dug(single), 40000, 60000);
    stop(single, 1);
    assert_int_equal(single_stats(single).wanted, 0);
    assert_int_equal(single_run(single, 7200000, ROUTER_DUG), 0);
    single_free(single);
}

static void test_with_tunnels_no_request_unless_asked(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    single_up(single, A, TURTLE_06);
    dig(single, 1, DIG_PERSON);
    struct turtle_open first = single_sent_open(single, A, TURTLE_06);
    assert_null(single_ok(single, A, 0xaa, first.request));
    const struct router_output *up = single_find(single, ROUTER_TUNNEL_UP, 0);
    assert_int_equal(up->tunnel_id, 0xaa);
    assert_int_equal(up->role, ROUTER_INITIATOR);
    assert_true(is_hash(up, 1));
    uint64_t tunnel = up->tunnel;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(single_run(single, 50000, ROUTER_DUG), 0);
        assert_true(router_send(single->router, tunnel, bytes_of_string("keep"), single->now));
        single_collect(single);
        assert_int_equal(single->count, 1);
        assert_int_equal(single->outputs[0].priority, 5);
    }
    dig(single, 1, DIG_PERSON);
    assert_int_equal(single_count(single, ROUTER_DUG), 1);
    struct turtle_open second = single_sent_open(single, A, TURTLE_06);
    assert_int_equal(second.partial,
                     first.partial); /* the last one was answered: the same route, the same id */
    assert_int_equal(second.depth, first.depth);
    assert_null(single_ok(single, A, 0xaa, second.request));
    assert_int_equal(single->count, 0);
    assert_null(single_ok(single, A, 0xab, second.request));
    assert_int_equal(single_stats(single).tunnels_own, 2);

    /* Silence ends it, and the loss of the last one digs. */
    assert_int_equal(single_run(single, 59000, ROUTER_TUNNEL_DOWN), 0);
    single_tick(single, 3000);
    assert_int_equal(single_count(single, ROUTER_TUNNEL_DOWN), 2);
    assert_string_equal(single_find(single, ROUTER_TUNNEL_DOWN, 0)->reason,
                        "nothing came through it for a minute");
    assert_int_equal(single_count(single, ROUTER_DUG), 1);
    single_free(single);
}

static void test_the_budget_goes_to_the_most_urgent(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    single_up(single, A, TURTLE_06);
    for (uint32_t i = 0; i < 20; i++) {
        dig(single, 100 + i, DIG_PRESENCE);
        assert_int_equal(single_count(single, ROUTER_DUG), 1);
    }
    dig(single, 1, DIG_PRESENCE);
    assert_int_equal(single->count, 0);
    dig(single, 2, DIG_RETURNED);
    dig(single, 3, DIG_WAITING);
    dig(single, 4, DIG_PERSON);
    dig(single, 5, DIG_PRESENCE);
    dig(single, 5, DIG_WAITING); /* raised */
    assert_int_equal(single_stats(single).digs, 20);
    static const uint32_t order[] = {4, 3, 5, 2, 1};
    for (size_t i = 0; i < 5; i++) {
        assert_in_range(until_dug(single), 900, 1100);
        assert_int_equal(single_count(single, ROUTER_DUG), 1);
        assert_true(is_hash(single_find(single, ROUTER_DUG, 0), order[i]));
    }
    /* Never more than the burst and one a second. */
    for (uint32_t i = 0; i < 500; i++)
        dig(single, 1000 + i, DIG_PERSON);
    uint64_t before = single_stats(single).digs;
    single_run(single, 100000, ROUTER_DUG);
    assert_in_range(single_stats(single).digs - before, 98, 101);
    single_free(single);
}

static void test_a_friend_that_comes_back_is_asked_at_once(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    single_up(single, A, TURTLE_06);
    dig(single, 1, DIG_PRESENCE);
    dig(single, 2, DIG_PRESENCE);
    struct turtle_open open = single_sent_open(single, A, TURTLE_06);
    assert_null(single_ok(single, A, 0xaa, open.request)); /* 2 is found */
    single->now += 10000;
    single_up(single, B, TURTLE_06);
    assert_int_equal(single_count(single, ROUTER_DUG), 1); /* 1 only, and A need not hear it again */
    assert_int_equal(single_find(single, ROUTER_DUG, 0)->reached, 1);
    assert_true(is_hash(single_find(single, ROUTER_DUG, 0), 1));
    open = single_sent_open(single, B, TURTLE_06);
    assert_string_equal(single_ok(single, A, 0xbb, open.request),
                        "tunnel-ok from a neighbour that was not asked");
    single->now += 60000;
    single_up(single, C, TURTLE_06);
    assert_int_equal(single_find(single, ROUTER_DUG, 0)->reached, 3);
    assert_null(single_ok(single, C, 0xcc, single_sent_open(single, C, TURTLE_06).request));
    single_free(single);
}

/* A relay that restarts is linked to us before its other friends are linked to it. */
static void test_a_friend_that_comes_back_is_asked_again_soon(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    single_up(single, A, TURTLE_06);
    dig(single, 1, DIG_PERSON);
    assert_null(single_ok(single, A, 0xaa, single_sent_open(single, A, TURTLE_06).request));
    router_neighbour_down(single->router, A, single->now);
    single_collect(single);
    single->now += 3000;
    single_up(single, A, TURTLE_06);
    assert_int_equal(single_count(single, ROUTER_DUG), 1);
    assert_in_range(until_dug(single), 12000, 18000);
    assert_in_range(until_dug(single), 40000, 60000);
    assert_in_range(until_dug(single), 80000, 120000);
    assert_null(single_ok(single, A, 0xbb, single_sent_open(single, A, TURTLE_06).request));

    /* Found, and lost by silence: that is no newcomer. */
    assert_int_equal(single_run(single, 63000, ROUTER_DUG), 1);
    assert_in_range(until_dug(single), 30000, 60000);
    single_free(single);
}

/* Such as when more posts are given while the first waits. */
static void test_asking_again_delays_nothing(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    dig(single, 1, DIG_WAITING);
    single_up(single, A, TURTLE_06);
    assert_int_equal(single_count(single, ROUTER_DUG), 1);
    single->now += 1000;
    dig(single, 1, DIG_WAITING);
    assert_in_range(until_dug(single), 11000, 17000);
    single_free(single);
}

static void test_a_flapping_friend_stays_within_the_budget(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    for (uint32_t i = 0; i < 30; i++)
        dig(single, i, DIG_PERSON);
    for (uint32_t i = 0; i < 1000; i++) {
        single_up(single, 100 + i, TURTLE_06);
        single->now += 50;
        single_down(single, 100 + i);
        single->now += 50;
    }
    assert_in_range(single_stats(single).digs, 100, 121);
    single_free(single);
}

static void test_closing_and_wanting_again(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    single_up(single, A, TURTLE_06);
    dig(single, 1, DIG_PERSON);
    assert_null(single_ok(single, A, 0xaa, single_sent_open(single, A, TURTLE_06).request));
    uint64_t tunnel = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel;
    router_close(single->router, tunnel, single->now);
    single_collect(single);
    assert_int_equal(single_count(single, ROUTER_TUNNEL_DOWN), 1);
    assert_int_equal(single_count(single, ROUTER_DUG), 0); /* a moment ago is soon enough */
    assert_int_equal(until_dug(single), 5000);
    assert_null(single_ok(single, A, 0xaa, single_sent_open(single, A, TURTLE_06).request));
    assert_true(single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel != tunnel); /* numbers are not used again */
    router_close(single->router, tunnel, single->now);
    single_collect(single);
    assert_int_equal(single->count, 0);
    stop(single, 1);
    assert_int_equal(single_count(single, ROUTER_TUNNEL_DOWN), 1);
    assert_int_equal(single_stats(single).tunnels_own, 0);
    single_free(single);
}

static void test_an_answer_to_what_is_no_longer_wanted(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    single_up(single, A, TURTLE_06);
    dig(single, 1, DIG_PERSON);
    uint32_t request = single_sent_open(single, A, TURTLE_06).request;
    stop(single, 1);
    dig(single, 1, DIG_PERSON); /* not the same wish */
    assert_string_equal(single_ok(single, A, 0xaa, request), "tunnel-ok that nobody waits for any more");
    /* Our own request coming back is a loop. */
    assert_null(single_open(single, A, TURTLE_06, 1, request, 1, 3));
    assert_int_equal(single->count, 0);
    single_free(single);
}

static void test_outputs_not_taken_survive_the_next_call(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    single_up(single, A, TURTLE_06);
    assert_true(router_serve(single->router, single_hash(1).data, false));
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 1));
    uint64_t tunnel = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel;
    static const char *const texts[] = {"one", "two", "three"};
    for (size_t i = 0; i < 3; i++)
        assert_true(router_send(single->router, tunnel, bytes_of_string(texts[i]), single->now));
    struct router_output output;
    for (size_t i = 0; i < 3; i++) {
        assert_true(router_next(single->router, &output));
        uint32_t id;
        struct bytes payload;
        assert_true(turtle_data_parse(&id, &payload, output.item));
        assert_bytes_equal(payload, bytes_of_string(texts[i]));
        router_confirm(single->router, tunnel);
    }
    assert_false(router_next(single->router, &output));
    single_free(single);
}

static void test_payload_sizes(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 3);
    single_up(single, A, TURTLE_06);
    assert_true(router_serve(single->router, single_hash(1).data, false));
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 1));
    uint64_t tunnel = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel;
    uint32_t tunnel_id = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel_id;
    uint8_t *payload = calloc(1, ITEM_SIZE_MAX);
    assert_non_null(payload);
    struct bytes most = {payload, ITEM_SIZE_MAX - TURTLE_DATA_OVERHEAD};
    assert_true(router_send(single->router, tunnel, most, single->now));
    single_collect(single);
    assert_int_equal(single->outputs[0].item.size, ITEM_SIZE_MAX);
    assert_false(router_send(single->router, tunnel, (struct bytes){payload, most.size + 1}, single->now));
    assert_true(router_send(single->router, tunnel, (struct bytes){payload, 0}, single->now));
    single_collect(single);
    uint32_t id;
    struct bytes out;
    assert_true(turtle_data_parse(&id, &out, single->outputs[0].item));
    assert_int_equal(id, tunnel_id);
    assert_int_equal(out.size, 0);
    static const uint64_t wrong[] = {0, 1, UINT64_MAX, 1 << 20, 77 << 20 | 1};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(router_send(single->router, wrong[i], most, single->now));
    free(payload);

    struct buffer file = hex_buffer("02001415 00000010 00000000 00000003");
    buffer_patch_u32(&file, 8, tunnel_id);
    assert_string_equal(single_receive_buffer(single, A, &file), "file item in a tunnel that ends here");
    single_free(single);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_leaves_inside_the_call),
        cmocka_unit_test(test_without_neighbours_it_waits_and_spends_nothing),
        cmocka_unit_test(test_fruitless_requests_back_off_to_an_hour),
        cmocka_unit_test(test_with_tunnels_no_request_unless_asked),
        cmocka_unit_test(test_the_budget_goes_to_the_most_urgent),
        cmocka_unit_test(test_a_friend_that_comes_back_is_asked_at_once),
        cmocka_unit_test(test_a_friend_that_comes_back_is_asked_again_soon),
        cmocka_unit_test(test_asking_again_delays_nothing),
        cmocka_unit_test(test_a_flapping_friend_stays_within_the_budget),
        cmocka_unit_test(test_closing_and_wanting_again),
        cmocka_unit_test(test_an_answer_to_what_is_no_longer_wanted),
        cmocka_unit_test(test_outputs_not_taken_survive_the_next_call),
        cmocka_unit_test(test_payload_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
