/* SPDX-License-Identifier: ISC */
#include "single.h"

/* Remedies W-T1 to W-T11 (protocol 06 §1), each against the attack that it answers. */

enum { A = 11, B = 12, C = 13, MALLORY = 66 };

static struct single *among_with(const struct router_options *options)
{
    struct single *single = single_new(options, 7);
    single_up(single, A, TURTLE_06);
    single_up(single, B, TURTLE_06);
    single_up(single, C, TURTLE_06);
    single_up(single, MALLORY, TURTLE_06);
    return single;
}

static struct single *among(void)
{
    return among_with(NULL);
}

static void serve(struct single *single, uint32_t hash, bool guessable)
{
    assert_true(router_serve(single->router, single_hash(hash).data, guessable));
    single_collect(single);
}

static uint64_t dig(struct single *single, uint32_t hash, uint32_t seen_by)
{
    assert_true(router_dig(single->router, single_hash(hash).data, DIG_PERSON, single->now));
    single_collect(single);
    return single_sent_open(single, seen_by, TURTLE_06).request;
}

/* W-T1 */
static void test_a_flood_of_requests_takes_only_the_share_of_who_sends_it(void **state)
{
    (void)state;
    struct single *single = among();
    size_t taken = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        const char *refusal = single_open(single, MALLORY, TURTLE_06, 1, 10000 + i, i, 1);
        if (refusal != NULL)
            assert_string_equal(refusal, "more requests than a neighbour may send");
        taken += refusal == NULL;
    }
    assert_int_equal(taken, 40);
    assert_int_equal(single_stats(single).requests_limited, 960);
    assert_null(single_open(single, A, TURTLE_06, 1, 1, 1, 1));
    single->now += 1000;
    for (uint32_t i = 0; i < 1000; i++)
        taken += single_open(single, MALLORY, TURTLE_06, 1, 20000 + i, i, 1) == NULL;
    assert_int_equal(taken, 60);
    single_free(single);
}

static void test_a_full_request_table_forgets_the_flooders_own(void **state)
{
    (void)state;
    struct single *single = among_with(&(struct router_options){.request_limit = 100});
    for (uint32_t i = 0; i < 10; i++)
        assert_null(single_open(single, A, TURTLE_06, 1, 1 + i, i, 1));
    for (uint32_t i = 0; i < 500; i++) {
        single->now += 50;
        assert_null(single_open(single, MALLORY, TURTLE_06, 1, 10000 + i, i, 1));
    }
    assert_int_equal(single_stats(single).requests, 100);
    for (uint32_t i = 0; i < 10; i++) {
        assert_null(single_open(single, B, TURTLE_06, 1, 1 + i, i, 1));
        assert_int_equal(single->count, 0); /* still remembered */
    }
    /* Not even by going away. */
    single_down(single, MALLORY);
    for (uint32_t i = 0; i < 50; i++) {
        single->now += 50;
        assert_null(single_open(single, B, TURTLE_06, 1, 30000 + i, i, 1));
    }
    assert_null(single_open(single, C, TURTLE_06, 1, 1, 1, 1));
    assert_int_equal(single->count, 0);
    single_free(single);
}

static void flood_tunnels(const struct router_options *options, size_t kept)
{
    struct single *single = among_with(options);
    assert_null(single_open(single, A, TURTLE_06, 1, 1, 1, 1));
    assert_null(single_ok(single, B, 0xaaaa, 1));
    for (uint32_t i = 0; i < 100; i++) {
        single->now += 100;
        assert_null(single_open(single, C, TURTLE_06, 1, 100 + i, i, 1));
        if (single_sent(single, MALLORY).size > 0)
            assert_null(single_ok(single, MALLORY, 0x10000 + i, 100 + i));
        assert_true(single_stats(single).tunnels_relayed <= kept);
    }
    assert_int_equal(single_stats(single).tunnels_relayed, kept);
    assert_null(single_data(single, A, TURTLE_DATA, 0xaaaa, "still here"));
    assert_string_equal(single_data(single, C, TURTLE_DATA, 0x10000, "x"), "item for an unknown tunnel");
    single_free(single);
}

static void test_a_flood_of_tunnels_gives_up_the_flooders_own(void **state)
{
    (void)state;
    flood_tunnels(&(struct router_options){.tunnel_limit = 50, .tunnels_per_neighbour = 30}, 31);
    flood_tunnels(&(struct router_options){.tunnel_limit = 50}, 50);
}

static void test_relaying_never_costs_our_own_tunnels(void **state)
{
    (void)state;
    struct single *single = among_with(&(struct router_options){.tunnel_limit = 2});
    uint32_t request = (uint32_t)dig(single, 1, B);
    assert_null(single_ok(single, B, 0xb0, request));
    assert_null(single_ok(single, C, 0xb1, request));
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 1));
    assert_string_equal(single_ok(single, B, 0xaa, 100), "no room for the tunnel");
    assert_string_equal(single_ok(single, B, 0xb2, request), "tunnel-ok beyond the limit of tunnels");
    assert_int_equal(single_stats(single).tunnels_own, 2);
    single_free(single);
}

static void test_what_is_used_outlives_what_is_not(void **state)
{
    (void)state;
    struct single *single = among_with(&(struct router_options){.tunnels_per_neighbour = 30});
    for (uint32_t i = 0; i < 10; i++) {
        assert_null(single_open(single, A, TURTLE_06, 1, 1 + i, i, 1));
        assert_null(single_ok(single, B, 0xa0 + i, 1 + i));
    }
    for (uint32_t i = 0; i < 3; i++) {
        single_run(single, 25000, ROUTER_SEND);
        if (i == 1) {
            for (uint32_t j = 0; j < 10; j++) {
                assert_null(single_open(single, A, TURTLE_06, 1, 50 + j, j, 1));
                assert_null(single_ok(single, B, 0xb0 + j, 50 + j));
            }
        }
        for (uint32_t j = 0; j < 10; j++)
            assert_null(single_data(single, A, TURTLE_DATA, 0xa0 + j, "in use"));
    }
    /* The ten older ones are in use; the ten younger ones, idle for 25 s, go first. */
    for (uint32_t i = 0; i < 20; i++) {
        assert_null(single_open(single, A, TURTLE_06, 1, 100 + i, i, 1));
        assert_null(single_ok(single, B, 0xc0 + i, 100 + i));
    }
    for (uint32_t j = 0; j < 10; j++)
        assert_null(single_data(single, A, TURTLE_DATA, 0xa0 + j, "in use"));
    assert_string_equal(single_data(single, A, TURTLE_DATA, 0xb0, "x"), "item for an unknown tunnel");
    single_free(single);
}

static void test_a_flood_of_searches(void **state)
{
    (void)state;
    struct single *single = among();
    size_t refused = 0;
    for (uint32_t i = 0; i < 100; i++) {
        struct buffer item = hex_buffer("02001401 00000017 0054 00000009 616263 00000000 0002");
        buffer_patch_u32(&item, 17, i);
        const char *refusal = single_receive_buffer(single, MALLORY, &item);
        refused += refusal != NULL;
        if (refusal != NULL)
            assert_string_equal(refusal, "more requests than a neighbour may send");
    }
    assert_int_equal(refused, 60);
    single_free(single);
}

/* W-T2 */
static void test_forged_answers(void **state)
{
    (void)state;
    struct single *single = among();
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 1));
    single_up(single, 99, TURTLE_06); /* came later: was not asked */
    assert_string_equal(single_ok(single, 99, 1, 100), "tunnel-ok from a neighbour that was not asked");
    assert_string_equal(single_ok(single, A, 1, 100), "tunnel-ok from a neighbour that was not asked");
    for (uint32_t i = 0; i < 4; i++)
        assert_null(single_ok(single, MALLORY, 0x100 + i, 100));
    assert_string_equal(single_ok(single, MALLORY, 0x200, 100), "too many tunnel-ok for one request");
    for (uint32_t i = 0; i < 4; i++) /* others still may */
        assert_null(single_ok(single, B, 0x300 + i, 100));
    assert_string_equal(single_ok(single, C, 0x400, 100), "too many tunnel-ok for one request");
    assert_int_equal(single_stats(single).tunnels_relayed, 8);
    assert_int_equal(single_stats(single).answers_refused, 4);

    /* A request too deep to be passed on was sent to nobody. */
    for (uint32_t i = 0; i < 20; i++) {
        assert_null(single_open(single, A, TURTLE_06, 1, 1000 + i, i, 6));
        const char *refusal = single_ok(single, MALLORY, 0x5000 + i, 1000 + i);
        (void)refusal;
    }
    assert_true(single_stats(single).tunnels_relayed < 8 + 10);
    single_free(single);
}

static void test_who_was_not_asked_by_chance_may_not_answer(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 5);
    for (uint32_t i = 1; i <= 30; i++)
        single_up(single, i, TURTLE_06);
    size_t judged[2] = {0, 0};
    for (uint32_t i = 0; i < 1500; i++) { /* enough for rate control to leave many out */
        single->now += 10;
        uint32_t from = 1 + i % 30;
        uint32_t answers = 1 + (i + 7) % 30;
        if (single_open(single, from, TURTLE_06, 1, 1000 + i, i, 5) != NULL)
            continue;
        bool asked = single_sent(single, answers).size > 0;
        const char *refusal = single_ok(single, answers, 0x70000 + i, 1000 + i);
        if (asked)
            assert_null(refusal);
        else
            assert_string_equal(refusal, "tunnel-ok from a neighbour that was not asked");
        judged[asked]++;
    }
    assert_true(judged[0] > 100 && judged[1] > 20);
    single_free(single);
}

static void test_an_answer_may_not_take_a_tunnel_of_others(void **state)
{
    (void)state;
    struct single *single = among();
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 1));
    assert_null(single_ok(single, B, 0xaa, 100));
    assert_null(single_open(single, C, TURTLE_06, 1, 101, 77, 1));
    assert_string_equal(single_ok(single, MALLORY, 0xaa, 101), "tunnel-ok for a tunnel with other ends");
    assert_string_equal(single_ok(single, B, 0xaa, 101), "tunnel-ok for a tunnel with other ends");
    assert_null(single_data(single, A, TURTLE_DATA, 0xaa, "x"));
    assert_int_equal(single->outputs[0].neighbour, B);

    /* Nor one of our own, for another hash. */
    uint32_t first = (uint32_t)dig(single, 1, B);
    assert_null(single_ok(single, B, 0xbb, first));
    uint32_t second = (uint32_t)dig(single, 2, B);
    assert_string_equal(single_ok(single, B, 0xbb, second), "tunnel-ok for a tunnel to another hash");
    assert_string_equal(single_ok(single, C, 0xbb, first), "tunnel-ok for a tunnel with other ends");
    single_free(single);
}

static void test_own_answers_are_limited_and_confirmed_tunnels_stay(void **state)
{
    (void)state;
    struct single *single = among_with(&(struct router_options){.own_per_hash = 3});
    uint32_t request = (uint32_t)dig(single, 1, B);
    assert_null(single_ok(single, B, 0xb0, request));
    uint64_t confirmed = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel;
    router_confirm(single->router, confirmed);
    single->now += 10;
    assert_null(single_ok(single, MALLORY, 0xe0, request));
    single->now += 10;
    assert_null(single_ok(single, MALLORY, 0xe1, request));
    single->now += 10;
    assert_null(single_ok(single, MALLORY, 0xe2, request));
    assert_int_equal(single_stats(single).tunnels_own, 3);
    assert_int_equal(single_find(single, ROUTER_TUNNEL_DOWN, 0)->tunnel_id, 0xe0);
    single->now += 10;
    assert_null(single_ok(single, C, 0xc0, request)); /* a late honest one still gets in */
    assert_int_equal(single_find(single, ROUTER_TUNNEL_DOWN, 0)->tunnel_id, 0xe1);
    assert_true(router_send(single->router, confirmed, bytes_of_string("x"), single->now));
    single_free(single);
}

static void test_confirmed_tunnels_give_way_only_when_quiet(void **state)
{
    (void)state;
    struct single *single = among_with(&(struct router_options){.own_per_hash = 2});
    serve(single, 1, false);
    uint64_t tunnels[2];
    for (uint32_t i = 0; i < 2; i++) {
        assert_null(single_open(single, A, TURTLE_06, 1, 100 + i, i, 1));
        tunnels[i] = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel;
        router_confirm(single->router, tunnels[i]);
        single->now += 1000;
    }
    assert_null(single_open(single, B, TURTLE_06, 1, 102, 7, 1));
    assert_int_equal(single_count(single, ROUTER_TUNNEL_UP), 0); /* passed on instead */
    assert_int_equal(single_count(single, ROUTER_SEND), 3);
    single->now += 18500; /* the first is quiet for 20 s now, the second not; what we say ourselves is no answer */
    assert_true(router_send(single->router, tunnels[0], bytes_of_string("x"), single->now));
    single_collect(single);
    assert_null(single_open(single, B, TURTLE_06, 1, 103, 7, 1));
    assert_int_equal(single_count(single, ROUTER_TUNNEL_UP), 1);
    assert_int_equal(single_find(single, ROUTER_TUNNEL_DOWN, 0)->tunnel, tunnels[0]);
    uint64_t unconfirmed = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel;
    single->now += 10000; /* the second is quiet too, but what was never confirmed goes before it */
    assert_null(single_open(single, C, TURTLE_06, 1, 104, 8, 1));
    assert_int_equal(single_find(single, ROUTER_TUNNEL_DOWN, 0)->tunnel, unconfirmed);
    single_free(single);
}

/* W-T3 */
static void test_a_second_request_cannot_take_our_tunnel(void **state)
{
    (void)state;
    struct single *single = among();
    serve(single, 1, false);
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 1));
    uint32_t tunnel = single_sent_ok(single, A).tunnel;
    uint64_t number = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel;
    /* The same partial id by another neighbour would lead to the same tunnel id. */
    assert_null(single_open(single, MALLORY, TURTLE_06, 1, 101, 77, 1));
    assert_int_not_equal(single_sent_ok(single, MALLORY).tunnel, tunnel);
    assert_int_not_equal(single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel, number);
    assert_true(router_send(single->router, number, bytes_of_string("x"), single->now));
    single_collect(single);
    assert_int_equal(single->outputs[0].neighbour, A);
    assert_string_equal(single_data(single, MALLORY, TURTLE_DATA, tunnel, "x"),
                        "item for a tunnel of other neighbours");
    /* The same way again is the same tunnel, told once. */
    assert_null(single_open(single, A, TURTLE_06, 1, 102, 77, 1));
    assert_int_equal(single_sent_ok(single, A).tunnel, tunnel);
    assert_null(single_find(single, ROUTER_TUNNEL_UP, 0));
    assert_int_equal(single_stats(single).tunnels_own, 2);
    single_free(single);
}

/* W-T4 */
static void test_a_stranger_does_not_keep_a_tunnel_alive(void **state)
{
    (void)state;
    struct single *single = among();
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 1));
    assert_null(single_ok(single, B, 0xaa, 100));
    for (int i = 0; i < 62; i++) {
        single_run(single, 1000, ROUTER_SEND);
        assert_non_null(single_data(single, MALLORY, TURTLE_DATA, 0xaa, "x"));
    }
    assert_int_equal(single_stats(single).tunnels_relayed, 0);
    single_free(single);
}

/* W-T5 */
static void test_ids_differ_with_the_secret_and_show_no_relation(void **state)
{
    (void)state;
    uint32_t partials[2];
    uint32_t tunnels[3];
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct single *single = single_new(NULL, seed);
        single_up(single, A, TURTLE_06);
        single_up(single, B, TURTLE_06);
        assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 1));
        partials[seed - 1] = single_sent_open(single, B, TURTLE_06).partial;
        serve(single, 2, false);
        for (uint32_t i = 0; i < 3; i++) {
            assert_null(single_open(single, A, TURTLE_06, 2, 200 + i, i, 1));
            tunnels[i] = single_sent_ok(single, A).tunnel;
        }
        /* The old function gives T xor p constant. */
        assert_true((tunnels[0] ^ tunnels[1]) != 1 && (tunnels[0] ^ tunnels[2]) != 2);
        single_free(single);
    }
    assert_int_not_equal(partials[0], partials[1]);
}

/* W-T7: probes of one neighbour, each followed for a second at least; returns how many were answered. */
static size_t probe(struct single *single, uint32_t from, uint32_t first_request, size_t times,
                    uint64_t every)
{
    size_t answered = 0;
    for (uint32_t i = 0; i < times; i++) {
        assert_null(single_open(single, from, TURTLE_06, 1, first_request + i, first_request + i, 2));
        assert_null(single_find(single, ROUTER_TUNNEL_UP, 0)); /* never at once */
        answered += single_run(single, every, ROUTER_TUNNEL_UP);
    }
    return answered;
}

static void test_a_guessable_hash_is_answered_late_and_rarely(void **state)
{
    (void)state;
    struct single *single = among();
    serve(single, 1, true);
    uint64_t shortest = UINT64_MAX;
    uint64_t longest = 0;
    for (uint32_t i = 0; i < 10; i++) {
        uint64_t asked = single->now;
        assert_null(single_open(single, A, TURTLE_06, 1, 100 + i, 77 + i, 2));
        assert_int_equal(single->count, 0); /* not passed on either */
        while (single_count(single, ROUTER_TUNNEL_UP) == 0)
            single_tick(single, router_deadline(single->router) - single->now);
        assert_int_equal(single_sent_ok(single, A).request, 100 + i);
        uint64_t delay = single->now - asked;
        shortest = delay < shortest ? delay : shortest;
        longest = delay > longest ? delay : longest;
        single_run(single, 21000, ROUTER_SEND);
    }
    assert_true(shortest >= 200 && longest <= 2000 && longest - shortest > 300);
    /* Ten in an hour; then it looks like any relay. */
    assert_null(single_open(single, A, TURTLE_06, 1, 200, 99, 2));
    assert_int_equal(single_count(single, ROUTER_SEND), 3);
    /* Another neighbour has its own count, and 20 s between two answers. */
    assert_int_equal(probe(single, B, 1000, 12, 10000), 6);
    single_run(single, 3600000, ROUTER_SEND);
    assert_int_equal(probe(single, A, 2000, 2, 21000), 2);
    single_free(single);
}

static void test_reconnecting_does_not_wipe_the_slate(void **state)
{
    (void)state;
    struct single *single = among();
    serve(single, 1, true);
    assert_int_equal(probe(single, MALLORY, 1000, 12, 21000), 10);
    single_down(single, MALLORY);
    single_up(single, MALLORY + 1, TURTLE_06);
    assert_int_equal(probe(single, MALLORY + 1, 2000, 5, 21000), 0);
    assert_int_equal(probe(single, B, 3000, 1, 21000), 1);
    single_free(single);
}

static void test_confirmed_tunnels_do_not_count(void **state)
{
    (void)state;
    struct single *single = among();
    serve(single, 1, true);
    for (uint32_t i = 0; i < 30; i++) {
        assert_null(single_open(single, A, TURTLE_06, 1, 100 + i, 77 + i, 2));
        while (single_count(single, ROUTER_TUNNEL_UP) == 0)
            single_tick(single, router_deadline(single->router) - single->now);
        uint64_t tunnel = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel;
        router_confirm(single->router, tunnel);
        if (i < 29)
            router_close(single->router, tunnel, single->now);
    }
    for (uint32_t i = 0; i < 30; i++) { /* the last one is asked for again and again */
        assert_null(single_open(single, A, TURTLE_06, 1, 200 + i, 77 + 29, 2));
        assert_int_equal(single_run(single, 3000, ROUTER_SEND), 1);
    }
    /* What waits to be answered dies with the hash, or with the neighbour. */
    assert_null(single_open(single, B, TURTLE_06, 1, 300, 1, 2));
    single_down(single, B);
    assert_int_equal(single_run(single, 21000, ROUTER_SEND), 0);
    assert_null(single_open(single, C, TURTLE_06, 1, 301, 1, 2));
    assert_int_equal(single->count, 0);
    router_unserve(single->router, single_hash(1).data, single->now);
    single_collect(single);
    assert_int_equal(single_count(single, ROUTER_TUNNEL_DOWN), 1);
    assert_int_equal(single_run(single, 3000, ROUTER_SEND), 0);
    single_free(single);
}

static void test_repeating_a_request_counts(void **state)
{
    (void)state;
    struct single *single = among();
    serve(single, 1, true);
    size_t answered = 0;
    for (uint32_t i = 0; i < 30; i++) { /* always the same route: the same tunnel */
        assert_null(single_open(single, A, TURTLE_06, 1, 100 + i, 77, 2));
        answered += single_run(single, 21000, ROUTER_SEND);
    }
    assert_int_equal(answered, 10);
    single_free(single);
}

static void test_a_random_hash_is_answered_at_once(void **state)
{
    (void)state;
    struct single *single = among();
    serve(single, 1, false);
    for (uint32_t i = 0; i < 20; i++) {
        assert_null(single_open(single, A, TURTLE_06, 1, 100 + i, 77 + i, 2));
        assert_int_equal(single_count(single, ROUTER_TUNNEL_UP), 1);
    }
    assert_int_equal(single_stats(single).tunnels_own, 8);
    single_free(single);
}

static void test_ends_per_neighbour_are_limited(void **state)
{
    (void)state;
    struct single *single = among_with(&(struct router_options){.own_per_neighbour = 5});
    for (uint32_t i = 0; i < 10; i++) {
        serve(single, i, false);
        assert_null(single_open(single, MALLORY, TURTLE_06, i, 100 + i, 1, 2));
        /* Beyond the limit it looks like any relay. */
        assert_int_equal(single_count(single, ROUTER_SEND), i < 5 ? 1 : 3);
    }
    assert_null(single_open(single, A, TURTLE_06, 9, 200, 1, 2));
    assert_int_equal(single_count(single, ROUTER_TUNNEL_UP), 1);
    assert_int_equal(single_stats(single).tunnels_own, 6);
    single_free(single);
}

/* W-T9: depth 1 or 2, and no neighbour sees one partial id at both. */
static void test_depth_does_not_tell_who_began(void **state)
{
    (void)state;
    struct single *single = among();
    size_t depths[3] = {0};
    for (uint32_t i = 0; i < 200; i++) {
        dig(single, i, A);
        struct turtle_open open = single_sent_open(single, A, TURTLE_06);
        assert_in_range(open.depth, 1, 2);
        depths[open.depth]++;
        single->now += 1000;
    }
    assert_in_range(depths[1], 70, 130);
    single_free(single);
}

/* W-T10 */
static void test_a_lost_neighbour_takes_its_tunnels_at_once_and_we_dig(void **state)
{
    (void)state;
    struct single *single = among();
    uint32_t request = (uint32_t)dig(single, 1, B);
    assert_null(single_ok(single, B, 0xb0, request));
    uint64_t tunnel = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel;
    serve(single, 2, false);
    assert_null(single_open(single, B, TURTLE_06, 2, 300, 1, 2));
    assert_null(single_open(single, A, TURTLE_06, 3, 301, 1, 2));
    assert_null(single_ok(single, B, 0xb1, 301));
    assert_int_equal(single_stats(single).tunnels_own, 2);
    assert_int_equal(single_stats(single).tunnels_relayed, 1);
    single_down(single, B);
    assert_int_equal(single_stats(single).tunnels_own + single_stats(single).tunnels_relayed, 0);
    assert_int_equal(single_count(single, ROUTER_TUNNEL_DOWN), 2);
    assert_int_equal(single_find(single, ROUTER_DUG, 0)->reached, 3);
    assert_int_equal(single_sent(single, B).size, 0);
    assert_memory_equal(single_sent_open(single, A, TURTLE_06).hash, single_hash(1).data, TURTLE_HASH_SIZE);
    assert_false(router_send(single->router, tunnel, bytes_of_string("x"), single->now));
    single_free(single);
}

/* W-T11 */
static void test_closing_one_tunnel_leaves_the_others_of_the_hash(void **state)
{
    (void)state;
    struct single *single = among();
    serve(single, 1, false);
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 1));
    uint64_t first = single_find(single, ROUTER_TUNNEL_UP, 0)->tunnel;
    assert_null(single_open(single, B, TURTLE_06, 1, 101, 78, 1));
    uint32_t second = single_sent_ok(single, B).tunnel;
    router_close(single->router, first, single->now);
    single_collect(single);
    assert_int_equal(single_find(single, ROUTER_TUNNEL_DOWN, 0)->tunnel, first);
    assert_null(single_data(single, B, TURTLE_FAST_DATA, second, "still served"));
    const struct router_output *data = single_find(single, ROUTER_DATA, 0);
    assert_bytes_equal(data->payload, bytes_of_string("still served"));
    assert_memory_equal(data->hash, single_hash(1).data, TURTLE_HASH_SIZE);
    assert_true(data->fast);
    assert_int_equal(data->role, ROUTER_ENDPOINT);
    router_unserve(single->router, single_hash(1).data, single->now);
    single_collect(single);
    assert_int_equal(single_count(single, ROUTER_TUNNEL_DOWN), 1);
    assert_null(single_open(single, A, TURTLE_06, 1, 102, 77, 1));
    assert_int_equal(single_count(single, ROUTER_TUNNEL_UP), 0);
    assert_int_equal(single_count(single, ROUTER_SEND), 3);
    single_free(single);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_flood_of_requests_takes_only_the_share_of_who_sends_it),
        cmocka_unit_test(test_a_full_request_table_forgets_the_flooders_own),
        cmocka_unit_test(test_a_flood_of_tunnels_gives_up_the_flooders_own),
        cmocka_unit_test(test_relaying_never_costs_our_own_tunnels),
        cmocka_unit_test(test_what_is_used_outlives_what_is_not),
        cmocka_unit_test(test_a_flood_of_searches),
        cmocka_unit_test(test_forged_answers),
        cmocka_unit_test(test_who_was_not_asked_by_chance_may_not_answer),
        cmocka_unit_test(test_an_answer_may_not_take_a_tunnel_of_others),
        cmocka_unit_test(test_own_answers_are_limited_and_confirmed_tunnels_stay),
        cmocka_unit_test(test_confirmed_tunnels_give_way_only_when_quiet),
        cmocka_unit_test(test_a_second_request_cannot_take_our_tunnel),
        cmocka_unit_test(test_a_stranger_does_not_keep_a_tunnel_alive),
        cmocka_unit_test(test_ids_differ_with_the_secret_and_show_no_relation),
        cmocka_unit_test(test_a_guessable_hash_is_answered_late_and_rarely),
        cmocka_unit_test(test_reconnecting_does_not_wipe_the_slate),
        cmocka_unit_test(test_confirmed_tunnels_do_not_count),
        cmocka_unit_test(test_repeating_a_request_counts),
        cmocka_unit_test(test_a_random_hash_is_answered_at_once),
        cmocka_unit_test(test_ends_per_neighbour_are_limited),
        cmocka_unit_test(test_depth_does_not_tell_who_began),
        cmocka_unit_test(test_a_lost_neighbour_takes_its_tunnels_at_once_and_we_dig),
        cmocka_unit_test(test_closing_one_tunnel_leaves_the_others_of_the_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
