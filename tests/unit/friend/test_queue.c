/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "friend/queue.h"

static bool push(struct queue *queue, unsigned level, const char *text)
{
    return queue_push(queue, level, bytes_of_string(text));
}

static void assert_next(struct queue *queue, const char *text)
{
    struct bytes item;
    assert_true(queue_pop(queue, &item));
    assert_bytes_equal(item, bytes_of_string(text));
}

static void test_order(void **state)
{
    (void)state;
    struct queue *queue = queue_new(1 << 20);
    struct bytes item;
    assert_false(queue_pop(queue, &item));
    assert_true(push(queue, 5, "a") && push(queue, 5, "b") && push(queue, 9, "c") && push(queue, 0, ""));
    assert_next(queue, "c");
    assert_next(queue, "a");
    assert_true(push(queue, 5, "d"));
    assert_next(queue, "b");
    assert_next(queue, "d");
    assert_next(queue, "");
    assert_false(queue_pop(queue, &item));
    assert_int_equal(queue_size(queue), 0);
    queue_free(queue);
    queue_free(NULL);
}

/* Protocol 01 §5, worked by hand: levels 9 and 7 filled, increment 1, thresholds 1 and 4. Level 7 is served
 * each fourth time. */
static void test_rule_with_top(void **state)
{
    (void)state;
    uint32_t counters[QUEUE_LEVELS] = {0};
    static const unsigned expected[] = {9, 9, 9, 7, 9, 9, 9, 7};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(queue_pick(counters, 1u << 9 | 1u << 7), expected[i]);
}

/* Levels 6 and 5: increment 2, thresholds 8 and 16; where both reach theirs, the lower one is served. */
static void test_rule_below_top(void **state)
{
    (void)state;
    uint32_t counters[QUEUE_LEVELS] = {0};
    static const unsigned expected[] = {6, 6, 6, 6, 6, 6, 6, 5, 6, 6, 6, 6, 6, 6, 6, 5};
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(queue_pick(counters, 1u << 6 | 1u << 5), expected[i]);
    assert_int_equal(queue_pick(counters, 1u), 0);
}

/* The rule word for word, against the code, over random fillings. */
static unsigned rule(uint32_t counters[QUEUE_LEVELS], unsigned filled)
{
    int top = -1, served = -1;
    for (int i = 0; i < QUEUE_LEVELS; i++)
        if (filled & 1u << i)
            top = i;
    for (int i = 0; i <= top; i++) {
        if (!(filled & 1u << i))
            continue;
        counters[i] += top == 9 ? 1 : 2;
        if (counters[i] >= 1u << (9 - i)) {
            counters[i] -= 1u << (9 - i);
            if (served < 0)
                served = i;
        }
    }
    return (unsigned)(served < 0 ? top : served);
}

static void test_rule_at_random(void **state)
{
    (void)state;
    struct random_seeded seeded;
    struct random_source random = random_from_seed(&seeded, 1);
    uint32_t a[QUEUE_LEVELS] = {0}, b[QUEUE_LEVELS] = {0};
    for (unsigned i = 0; i < 100000; i++) {
        unsigned filled = 1 + random_below(&random, 1023);
        assert_int_equal(queue_pick(a, filled), rule(b, filled));
        assert_memory_equal(a, b, sizeof a);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct queue *queue = queue_new(16 * 1000);
    uint8_t data[992] = {0}; /* 1000 with what it costs */
    struct bytes item = bytes_of(data, sizeof data);
    /* Level n may fill (n + 7) / 16. */
    static const unsigned shares[][2] = {{0, 7}, {3, 10}, {5, 12}, {8, 15}, {9, 16}};
    unsigned in = 0;
    for (size_t i = 0; i < 5; i++) {
        while (queue_push(queue, shares[i][0], item))
            in++;
        assert_int_equal(in, shares[i][1]);
    }
    assert_false(queue_push(queue, 9, bytes_of(data, 0)));
    while (queue_pop(queue, &item))
        in--;
    assert_int_equal(in, 0);
    assert_int_equal(queue_size(queue), 0);
    queue_free(queue);
}

/* Against a plain list per level: sizes from nothing to several chunks, in every order. */
static void test_at_random(void **state)
{
    (void)state;
    struct random_seeded seeded;
    struct random_source random = random_from_seed(&seeded, 7);
    struct queue *queue = queue_new(8 << 20);
    static uint8_t data[70000];
    uint32_t sent[QUEUE_LEVELS] = {0}, seen[QUEUE_LEVELS] = {0};
    struct bytes item;
    for (unsigned round = 0; round < 20000; round++) {
        if (random_below(&random, 100) < (round < 10000 ? 60 : 40)) {
            size_t size = 8 + random_below(&random, round % 50 == 0 ? 69000 : 600);
            uint32_t level = random_below(&random, QUEUE_LEVELS);
            uint32_t head[2] = {level, sent[level]};
            memcpy(data, head, 8);
            memset(data + 8, (int)(sent[level] & 0xff), size - 8);
            sent[level] += queue_push(queue, level, bytes_of(data, size));
        } else if (queue_pop(queue, &item)) {
            uint32_t head[2];
            memcpy(head, item.data, 8);
            assert_true(head[0] < QUEUE_LEVELS);
            assert_int_equal(head[1], seen[head[0]]++);
            if (item.size > 8)
                assert_int_equal(item.data[item.size - 1], head[1] & 0xff);
        }
    }
    while (queue_pop(queue, &item)) {
        uint32_t head[2];
        memcpy(head, item.data, 8);
        assert_int_equal(head[1], seen[head[0]]++);
    }
    assert_memory_equal(sent, seen, sizeof sent);
    assert_int_equal(queue_size(queue), 0);
    queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),          cmocka_unit_test(test_rule_with_top),
        cmocka_unit_test(test_rule_below_top), cmocka_unit_test(test_rule_at_random),
        cmocka_unit_test(test_limits),         cmocka_unit_test(test_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
