/* SPDX-License-Identifier: ISC */
#include "single.h"

/* What each rule of protocol 02 and 21 lets through, and what it says when not. */

enum { A = 11, B = 12, C = 13, OLD = 14 };

static struct single *among(enum turtle_generation generation)
{
    struct single *single = single_new(NULL, 7);
    single_up(single, A, generation);
    single_up(single, B, generation);
    single_up(single, C, generation);
    return single;
}

/* A tunnel from A to B with this id. */
static void relayed_tunnel(struct single *single, uint32_t request, uint32_t tunnel)
{
    assert_null(single_open(single, A, TURTLE_06, 1, request, 77, 2));
    assert_null(single_ok(single, B, tunnel, request));
}

static void test_a_request_goes_to_all_others_one_deeper(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 3));
    assert_int_equal(single->count, 2);
    struct turtle_open at_b = single_sent_open(single, B, TURTLE_06);
    struct turtle_open at_c = single_sent_open(single, C, TURTLE_06);
    assert_memory_equal(&at_b, &at_c, sizeof at_b);
    assert_int_equal(at_b.depth, 4);
    assert_int_equal(at_b.request, 100);
    assert_int_not_equal(at_b.partial, 77);
    assert_int_equal(single_sent(single, A).size, 0);
    assert_int_equal(single->outputs[0].priority, 7);

    /* By another way: dropped without blame. The same route gives the same partial id. */
    assert_null(single_open(single, B, TURTLE_06, 1, 100, 78, 2));
    assert_int_equal(single->count, 0);
    assert_null(single_open(single, A, TURTLE_06, 1, 101, 77, 3));
    assert_int_equal(single_sent_open(single, B, TURTLE_06).partial, at_b.partial);
    assert_null(single_open(single, A, TURTLE_06, 1, 102, 79, 3));
    assert_int_not_equal(single_sent_open(single, B, TURTLE_06).partial, at_b.partial);
    single_free(single);
}

static void test_depth(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    assert_string_equal(single_open(single, A, TURTLE_06, 1, 1, 1, 0), "tunnel request of depth 0");
    size_t beyond = 0;
    size_t not_counted = 0;
    enum { TRIES = 800 };
    for (uint32_t i = 0; i < TRIES; i++) {
        single->now += 1000; /* so that rate control lets everything pass */
        assert_null(single_open(single, A, TURTLE_06, 1, 1000 + i, i, 6));
        if (single->count > 0) {
            beyond++;
            assert_int_equal(single_sent_open(single, B, TURTLE_06).depth, 7);
        }
        assert_null(single_open(single, B, TURTLE_06, 1, 5000 + i, i, 1));
        if (single_sent(single, A).size > 0)
            not_counted += single_sent_open(single, A, TURTLE_06).depth == 1;
    }
    assert_in_range(beyond, TRIES / 12, TRIES / 6);
    assert_in_range(not_counted, TRIES / 12, TRIES / 6);
    assert_null(single_open(single, A, TURTLE_06, 1, 2, 1, UINT16_MAX));
    assert_int_equal(single->count, 0);
    single_free(single);
}

static void test_requests_are_remembered_for_ten_minutes(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 2));
    single_tick(single, 300000);
    single_tick(single, 299000);
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 2));
    assert_int_equal(single->count, 0);
    assert_int_equal(single_stats(single).requests, 1);
    single_run(single, 3000, ROUTER_SEND);
    assert_int_equal(single_stats(single).requests, 0);
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 2));
    assert_int_equal(single->count, 2);
    assert_true(router_deadline(single->router) <= single->now + 600000);
    single_free(single);
}

static void test_answers(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    assert_string_equal(single_ok(single, B, 0xaa, 100), "tunnel-ok for no request that is remembered");
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 2));
    single->now += 20000;
    assert_null(single_ok(single, B, 0xaa, 100));
    assert_int_equal(single->count, 1);
    struct turtle_ok ok = single_sent_ok(single, A);
    assert_int_equal(ok.tunnel, 0xaa);
    assert_int_equal(ok.request, 100);
    assert_int_equal(single->outputs[0].priority, 7);
    assert_string_equal(single_ok(single, B, 0xaa, 100), "tunnel-ok repeated");
    assert_string_equal(single_ok(single, C, 0xaa, 100), "tunnel-ok for a tunnel with other ends");
    assert_null(single_ok(single, C, 0xbb, 100));
    single->now += 1;
    assert_string_equal(single_ok(single, C, 0xcc, 100), "tunnel-ok too late");

    /* The same tunnel answers a later request. */
    assert_null(single_open(single, A, TURTLE_06, 1, 101, 77, 2));
    assert_null(single_ok(single, B, 0xaa, 101));
    assert_int_equal(single_sent_ok(single, A).tunnel, 0xaa);
    assert_int_equal(single_stats(single).tunnels_relayed, 2);

    assert_null(single_open(single, A, TURTLE_06, 1, 102, 77, 2));
    single_down(single, A);
    assert_string_equal(single_ok(single, B, 0xdd, 102), "tunnel-ok that nobody waits for any more");
    single_free(single);
}

static void test_answers_of_2013_may_take_two_minutes(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_05);
    assert_null(single_open(single, A, TURTLE_05, 1, 100, 77, 2));
    single->now += 120000;
    assert_null(single_ok(single, B, 0xaa, 100));
    single->now += 1;
    assert_string_equal(single_ok(single, B, 0xbb, 100), "tunnel-ok too late");
    single_free(single);
}

static void test_data_is_passed_on_unchanged(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    relayed_tunnel(single, 100, 0xaa);
    struct buffer item = buffer_make(256);
    assert_true(turtle_data_write(&item, TURTLE_DATA, 0xaa, bytes_of_string("payload")));
    /* The very bytes, not a copy. */
    assert_null(router_receive(single->router, A, buffer_view(&item), single->now));
    struct router_output output;
    assert_true(router_next(single->router, &output));
    assert_ptr_equal(output.item.data, buffer_view(&item).data);
    assert_int_equal(output.item.size, buffer_size(&item));
    assert_int_equal(output.neighbour, B);
    assert_int_equal(output.priority, 5);
    assert_false(router_next(single->router, &output));
    buffer_free(&item);

    assert_null(single_data(single, B, TURTLE_FAST_DATA, 0xaa, "back"));
    assert_int_equal(single->outputs[0].neighbour, A);
    assert_int_equal(single->outputs[0].priority, 7);
    assert_string_equal(single_data(single, C, TURTLE_DATA, 0xaa, "x"),
                        "item for a tunnel of other neighbours");
    assert_string_equal(single_data(single, A, TURTLE_DATA, 0xab, "x"), "item for an unknown tunnel");
    assert_string_equal(single_data(single, 99, TURTLE_DATA, 0xaa, "x"),
                        "item from a neighbour that is not up");
    assert_int_equal(single_stats(single).items_forwarded, 2);
    single_free(single);
}

static const char *receive_hex(struct single *single, uint32_t from, const char *hex)
{
    struct buffer item = hex_buffer(hex);
    return single_receive_buffer(single, from, &item);
}

static void test_file_items_travel_in_tunnels(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    relayed_tunnel(single, 100, 0xaa);
    static const struct {
        const char *hex;
        unsigned priority;
    } items[] = {
        {"02001407 00000018 000000aa 0000000000000400 00000100", 5},
        {"02001408 0000001a 000000aa 0000000000000400 00000002 0102", 3},
        {"02001410 00000018 000000aa 00000001 00000001 ffffffff", 3},
        {"02001411 00000010 000000aa 00000002", 5},
        {"02001414 00000024 000000aa 00000003 000102030405060708090a0b0c0d0e0f10111213", 5},
        {"02001415 00000010 000000aa 00000003", 5},
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        assert_null(receive_hex(single, A, items[i].hex));
        assert_int_equal(single->count, 1);
        assert_int_equal(single->outputs[0].neighbour, B);
        assert_int_equal(single->outputs[0].priority, items[i].priority);
    }
    static const char *const malformed[] = {
        "02001408 0000001a 000000aa 0000000000000400 00000003 0102",
        "02001410 00000018 000000aa 00000001 40000001 ffffffff",
        "0200140a 00000014 000000aa 00000005 01020304",
        "0200140a 00000013 000000aa 00000004 01020304",
        "0200140a 0000000c 000000aa",
        "02001412 00000014 000000aa 00000000 00000000", /* 0.5 only */
    };
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_string_equal(receive_hex(single, A, malformed[i]), "malformed item in a tunnel");
    single_free(single);
}

static void test_what_is_no_turtle_item(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    assert_string_equal(receive_hex(single, A, "02001405 00000008"), "unknown kind of turtle item");
    assert_string_equal(receive_hex(single, A, "020014ff 00000008"), "unknown kind of turtle item");
    assert_string_equal(receive_hex(single, A, "02001400 00000008"), "unknown kind of turtle item");
    assert_string_equal(receive_hex(single, A, "020014"), "not an item");
    assert_string_equal(receive_hex(single, A, ""), "not an item");
    assert_string_equal(receive_hex(single, A, "02001404 0000000c 000000aa"), "malformed tunnel-ok");
    assert_string_equal(receive_hex(single, A, "02001403 0000000c 000000aa"), "malformed tunnel request");
    assert_string_equal(receive_hex(single, A,
                                    "02001203 00000026 5c930119050793ce14e384684e492cb0994f8262"
                                    "9c529cc7 7fd21bfb 0001"),
                        "malformed tunnel request");
    /* The form of the other generation. */
    assert_string_equal(single_open(single, A, TURTLE_05, 1, 1, 1, 1), "malformed tunnel request");
    assert_int_equal(single_stats(single).items_refused, 9);
    single_free(single);
}

static void test_an_idle_tunnel_goes_after_a_minute(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    relayed_tunnel(single, 100, 0xaa);
    relayed_tunnel(single, 101, 0xbb);
    for (int i = 0; i < 5; i++) {
        single_run(single, 50000, ROUTER_SEND);
        assert_null(single_data(single, A, TURTLE_DATA, 0xaa, "here"));
    }
    assert_string_equal(single_data(single, A, TURTLE_DATA, 0xbb, "late"), "item for an unknown tunnel");
    single_run(single, 59500, ROUTER_SEND);
    assert_int_equal(single_stats(single).tunnels_relayed, 1);
    /* Does not refresh it. */
    assert_null(receive_hex(single, A, "02001407 00000018 000000aa 0000000000000400 00000100"));
    single_run(single, 2500, ROUTER_SEND);
    assert_int_equal(single_stats(single).tunnels_relayed, 0);
    single_free(single);
}

static void test_an_answer_refreshes_its_tunnel(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    relayed_tunnel(single, 100, 0xaa);
    single_run(single, 50000, ROUTER_SEND);
    relayed_tunnel(single, 101, 0xaa);
    single_run(single, 50000, ROUTER_SEND);
    assert_null(single_data(single, A, TURTLE_DATA, 0xaa, "here"));
    single_free(single);
}

static void test_up_twice_is_down_and_up(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    relayed_tunnel(single, 100, 0xaa);
    single_up(single, A, TURTLE_05);
    assert_int_equal(single_stats(single).neighbours, 3);
    assert_int_equal(single_stats(single).tunnels_relayed, 0);
    assert_string_equal(single_open(single, A, TURTLE_06, 1, 1, 1, 1), "malformed tunnel request");
    single_down(single, 99);
    single_down(single, A);
    single_down(single, A);
    assert_int_equal(single_stats(single).neighbours, 2);
    single_free(single);
}

static void test_much_to_forget_is_forgotten_in_pieces(void **state)
{
    (void)state;
    enum { MANY = 5000, PIECE = 4096 };
    struct single *single = among(TURTLE_06);
    for (uint32_t i = 0; i < MANY; i++) {
        single->now += 50;
        assert_null(single_open(single, A + i % 3, TURTLE_06, 1, 1000 + i, i, 2));
    }
    single_tick(single, 700000);
    assert_int_equal(single_stats(single).requests, MANY - PIECE);
    assert_true(router_deadline(single->router) <= single->now);
    single_tick(single, 0);
    assert_int_equal(single_stats(single).requests, 0);
    single_free(single);
}

static void test_late_ticks_lose_nothing(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    for (uint32_t i = 0; i < 300; i++) {
        single->now += 1700;
        relayed_tunnel(single, 1000 + i, 5000 + i);
    }
    assert_int_equal(single_stats(single).tunnels_relayed, 300);
    single_tick(single, 0);
    /* The last minute's, of one every 1.7 s. */
    assert_in_range(single_stats(single).tunnels_relayed, 35, 37);
    single_tick(single, 1000000);
    assert_int_equal(single_stats(single).tunnels_relayed, 0);
    single_tick(single, 1000);
    assert_int_equal(single_stats(single).requests, 0);
    assert_true(router_deadline(single->router) == UINT64_MAX);
    single_free(single);
}

static struct buffer search(const char *text, uint32_t request, uint16_t depth)
{
    struct buffer item = buffer_make(1024);
    size_t begin = item_begin(&item, SERVICE_TURTLE, TURTLE_SEARCH);
    buffer_u16(&item, 0x0054);
    buffer_u32(&item, (uint32_t)strlen(text) + 6);
    buffer_append_string(&item, text);
    buffer_u32(&item, request);
    buffer_u16(&item, depth);
    assert_true(item_end(&item, begin));
    return item;
}

static const char *receive_search(struct single *single, uint32_t from, const char *text, uint32_t request,
                                  uint16_t depth)
{
    struct buffer item = search(text, request, depth);
    return single_receive_buffer(single, from, &item);
}

static const char *receive_hits(struct single *single, uint32_t from, uint32_t request, uint32_t hits)
{
    struct buffer item = buffer_make(ITEM_SIZE_MAX);
    size_t begin = item_begin(&item, SERVICE_TURTLE, TURTLE_SEARCH_RESULT);
    buffer_u32(&item, request);
    buffer_u16(&item, 0);
    buffer_u32(&item, hits);
    for (uint32_t i = 0; i < hits; i++) {
        buffer_u64(&item, 1);
        buffer_append_bytes(&item, single_hash(i));
        buffer_u16(&item, 0x0051);
        buffer_u32(&item, 7);
        buffer_append_string(&item, "f");
    }
    assert_true(item_end(&item, begin));
    return single_receive_buffer(single, from, &item);
}

static const char *receive_other_hit(struct single *single, uint32_t from, uint32_t request, uint32_t size)
{
    static const uint8_t result[4096];
    struct buffer item = buffer_make(sizeof result + 64);
    size_t begin = item_begin(&item, SERVICE_TURTLE, TURTLE_SEARCH_GENERIC_RESULT);
    buffer_u32(&item, request);
    buffer_u16(&item, 0);
    buffer_u32(&item, size);
    buffer_append(&item, result, size);
    assert_true(item_end(&item, begin));
    return single_receive_buffer(single, from, &item);
}

static void test_searches_are_relayed_within_limits(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    assert_null(receive_search(single, A, "abc", 7, 2));
    assert_int_equal(single->count, 2);
    assert_int_equal(single->outputs[0].priority, 6);
    struct buffer expected = search("abc", 7, 3);
    assert_bytes_equal(single_sent(single, B), buffer_view(&expected));
    assert_bytes_equal(single_sent(single, C), buffer_view(&expected));
    buffer_free(&expected);
    assert_null(receive_search(single, B, "abc", 7, 2));
    assert_int_equal(single->count, 0);
    assert_string_equal(receive_search(single, A, "abc", 8, 0), "search of depth 0");
    char text[201];
    memset(text, 'a', sizeof text);
    text[180] = '\0'; /* 200 bytes with the rest */
    assert_null(receive_search(single, A, text, 9, 2));
    text[180] = 'a';
    text[181] = '\0';
    assert_string_equal(receive_search(single, A, text, 10, 2), "search too large");
    assert_string_equal(receive_hex(single, A, "02001401 00000017 0054 00000019 616263 00000007 0002"),
                        "malformed search");

    assert_string_equal(receive_hits(single, A, 7, 1), "result from a neighbour that was not asked");
    assert_string_equal(receive_hits(single, B, 70, 1), "result of no search that is remembered");
    assert_null(receive_hits(single, B, 7, 4000));
    assert_int_equal(single->count, 1);
    assert_int_equal(single->outputs[0].neighbour, A);
    assert_int_equal(single->outputs[0].priority, 3);
    assert_null(receive_hits(single, C, 7, 999));
    assert_null(receive_hits(single, C, 7, 0)); /* the last one */
    assert_string_equal(receive_hits(single, C, 7, 1), "too many results for one search");
    for (int i = 0; i < 50; i++)
        assert_null(receive_other_hit(single, B, 9, 3));
    assert_null(receive_other_hit(single, B, 9, 49 * 50 + 49));
    assert_null(receive_other_hit(single, B, 9, 4000));
    assert_string_equal(receive_other_hit(single, B, 9, 3), "too many results for one search");
    single->now += 20001;
    assert_string_equal(receive_other_hit(single, C, 9, 3), "result too late");
    single_free(single);
}

static void test_searches_remembered(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    for (uint32_t i = 0; i < 120; i++) {
        single->now += 1000;
        assert_null(receive_search(single, A, "abc", 100 + i, 2));
    }
    single->now += 1000;
    assert_string_equal(receive_search(single, A, "abc", 500, 2), "no room to remember the search");
    /* Another neighbour takes the place of the oldest of the one who took all. */
    assert_null(receive_search(single, B, "abc", 501, 2));
    assert_int_equal(single->count, 2);
    assert_string_equal(receive_hits(single, C, 100, 1), "result of no search that is remembered");
    single_free(single);
}

static void test_search_results_of_2013_hide_their_distance(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_05);
    assert_null(receive_search(single, A, "abc", 7, 2));
    single->now += 240000;
    for (int i = 0; i < 20; i++) {
        assert_null(receive_hex(single, B, "02001402 00000012 00000007 0000 00000000"));
        struct turtle_search result;
        assert_true(turtle_search_parse(&result, single_sent(single, A), TURTLE_05));
        assert_in_range(result.depth, 2, 257);
    }
    single->now += 1;
    assert_string_equal(receive_hex(single, B, "02001402 00000012 00000007 0000 00000000"),
                        "result too late");
    single_free(single);
}

static void test_generations_do_not_mix(void **state)
{
    (void)state;
    struct single *single = among(TURTLE_06);
    single_up(single, OLD, TURTLE_05);
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 2));
    assert_int_equal(single_sent(single, OLD).size, 0);
    assert_int_equal(single->count, 2);
    assert_string_equal(single_ok(single, OLD, 0xaa, 100), "tunnel-ok from a neighbour that was not asked");
    assert_null(single_open(single, OLD, TURTLE_05, 1, 101, 77, 2));
    assert_int_equal(single->count, 0);
    assert_null(receive_search(single, OLD, "abc", 7, 2));
    assert_int_equal(single->count, 0);
    single_free(single);
}

static void test_tunnels_cross_generations_when_asked_to(void **state)
{
    (void)state;
    struct single *single = single_new(&(struct router_options){.legacy_relay = true}, 3);
    single_up(single, A, TURTLE_06);
    single_up(single, OLD, TURTLE_05);
    assert_null(single_open(single, A, TURTLE_06, 1, 100, 77, 2));
    struct turtle_open open = single_sent_open(single, OLD, TURTLE_05);
    assert_int_equal(open.depth, 3);
    assert_memory_equal(open.hash, single_hash(1).data, TURTLE_HASH_SIZE);
    single->now += 60000; /* the longer of both */
    assert_null(single_ok(single, OLD, 0xaa, 100));
    assert_int_equal(single_sent_ok(single, A).tunnel, 0xaa);

    assert_null(single_data(single, A, TURTLE_FAST_DATA, 0xaa, "fast"));
    struct buffer expected = buffer_make(64);
    assert_true(turtle_data_write(&expected, TURTLE_DATA, 0xaa, bytes_of_string("fast")));
    assert_bytes_equal(single_sent(single, OLD), buffer_view(&expected));
    assert_int_equal(single->outputs[0].priority, 5);
    buffer_free(&expected);
    assert_null(single_data(single, OLD, TURTLE_DATA, 0xaa, "back"));
    assert_int_equal(single->outputs[0].neighbour, A);
    assert_string_equal(single_data(single, OLD, TURTLE_FAST_DATA, 0xaa, "x"), "malformed item in a tunnel");
    assert_string_equal(receive_hex(single, A, "02001407 00000018 000000aa 0000000000000400 00000100"),
                        "file item towards the other generation");
    assert_null(receive_search(single, A, "abc", 7, 2));
    assert_int_equal(single->count, 0);

    assert_null(single_open(single, OLD, TURTLE_05, 1, 101, 77, 2));
    assert_int_equal(single_sent_open(single, A, TURTLE_06).depth, 3);
    single->now += 60000;
    assert_null(single_ok(single, A, 0xbb, 101));
    assert_null(single_open(single, OLD, TURTLE_05, 1, 102, 77, 2));
    single->now += 120001;
    assert_string_equal(single_ok(single, A, 0xcc, 102), "tunnel-ok too late");
    single_free(single);
}

static void test_long_requests_go_first_when_there_are_many(void **state)
{
    (void)state;
    struct single *single = single_new(NULL, 9);
    for (uint32_t i = 1; i <= 20; i++)
        single_up(single, i, TURTLE_06);
    size_t sent[2] = {0, 0};
    for (uint32_t i = 0; i < 2000; i++) {
        single->now += 50;
        assert_null(
            single_open(single, 1 + i % 20, TURTLE_06, 1, 1000 + i, i, (uint16_t)(1 + i / 20 % 2 * 3)));
        sent[i / 20 % 2] += single->count;
    }
    assert_true(sent[0] > sent[1] * 2);
    assert_true(sent[1] > 0);
    /* In 100 s, of 38,000 copies of 38 bytes: the eighth power keeps the rate near the limit of 1000 bytes a
     * second, but short requests pass it by a factor of two. */
    assert_in_range((sent[0] + sent[1]) * 38 / 100, 1000, 2500);
    single_free(single);
}

/* Bytes a second of deep requests that leave, when 80 requests a second come in for 75 s; before that,
 * another 75 s in which the smoothed rate finds its level. */
static size_t flooded(uint32_t forward_per_second)
{
    struct single *single = single_new(&(struct router_options){.forward_per_second = forward_per_second}, 9);
    for (uint32_t i = 1; i <= 20; i++)
        single_up(single, i, TURTLE_06);
    size_t sent = 0;
    for (uint32_t i = 0; i < 12000; i++) {
        single->now += 12 + i % 2;
        assert_null(single_open(single, 1 + i % 20, TURTLE_06, 1, 1000 + i, i, 5));
        sent += i < 6000 ? 0 : single->count;
    }
    single_free(single);
    return sent * 38 / 75;
}

static void test_a_flood_from_all_sides_leaves_near_the_limit(void **state)
{
    (void)state;
    size_t usual = flooded(0);
    assert_in_range(usual, 900, 1300); /* of 1000 */
    assert_in_range(flooded(40) * 10 / usual, 15, 25);
    assert_int_equal(flooded(1), flooded(10));
    assert_int_equal(flooded(1000), flooded(100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_goes_to_all_others_one_deeper),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_requests_are_remembered_for_ten_minutes),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_answers_of_2013_may_take_two_minutes),
        cmocka_unit_test(test_data_is_passed_on_unchanged),
        cmocka_unit_test(test_file_items_travel_in_tunnels),
        cmocka_unit_test(test_what_is_no_turtle_item),
        cmocka_unit_test(test_an_idle_tunnel_goes_after_a_minute),
        cmocka_unit_test(test_an_answer_refreshes_its_tunnel),
        cmocka_unit_test(test_up_twice_is_down_and_up),
        cmocka_unit_test(test_much_to_forget_is_forgotten_in_pieces),
        cmocka_unit_test(test_late_ticks_lose_nothing),
        cmocka_unit_test(test_searches_are_relayed_within_limits),
        cmocka_unit_test(test_searches_remembered),
        cmocka_unit_test(test_search_results_of_2013_hide_their_distance),
        cmocka_unit_test(test_generations_do_not_mix),
        cmocka_unit_test(test_tunnels_cross_generations_when_asked_to),
        cmocka_unit_test(test_long_requests_go_first_when_there_are_many),
        cmocka_unit_test(test_a_flood_from_all_sides_leaves_near_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
