/* SPDX-License-Identifier: ISC */
#include "base/source.h"
#include "support/vectors.h"
#include "tunnel/id_table.h"
#include "tunnel/pool.h"
#include "tunnel/rate.h"
#include "tunnel/timers.h"

#include <stdlib.h>
#include <string.h>

/* The tables under the router, against plain models. */

static void test_ids_come_and_go(void **state)
{
    (void)state;
    enum { IDS = 512, STEPS = 60000 };
    struct random_seeded seeded;
    struct random_source random = random_from_seed(&seeded, 1);
    uint32_t model[IDS] = {0};
    size_t held = 0;
    struct wide {
        struct id_cell cell;
        uint32_t rest[6];
    };
    struct id_table table;
    id_table_init(&table, sizeof(struct wide), (uint64_t[2]){random_u64(&random), random_u64(&random)});
    assert_int_equal(id_table_find(&table, 0), 0);
    for (uint32_t step = 1; step <= STEPS; step++) {
        uint32_t which = random_below(&random, IDS);
        uint32_t id = which * 0x01000193U; /* 0 among them */
        assert_int_equal(id_table_find(&table, id), model[which]);
        const struct wide *found = (const struct wide *)id_table_cell(&table, id);
        for (size_t i = 0; found != NULL && i < 6; i++)
            assert_int_equal(found->rest[i], model[which] + i);
        if (model[which] == 0 && random_below(&random, 2) == 0) {
            struct wide *added = (struct wide *)id_table_add(&table, id, step);
            assert_non_null(added);
            for (uint32_t i = 0; i < 6; i++) {
                assert_int_equal(added->rest[i], 0);
                added->rest[i] = step + i;
            }
            model[which] = step;
            held++;
        } else if (model[which] != 0) {
            id_table_remove(&table, id);
            model[which] = 0;
            held--;
        } else {
            id_table_remove(&table, id); /* not there: nothing happens */
        }
        assert_int_equal(table.count, held);
    }
    for (uint32_t which = 0; which < IDS; which++)
        assert_int_equal(id_table_find(&table, which * 0x01000193U), model[which]);
    assert_true(table.mask < IDS * 2);
    id_table_free(&table);
}

struct record {
    uint32_t value;
    struct links links;
};

static struct links *record_links(const struct pool *pool, uint32_t node)
{
    return &((struct record *)pool_at(pool, node))->links;
}

static void test_pool_and_list(void **state)
{
    (void)state;
    enum { RECORDS = 5000 };
    struct pool pool;
    pool_init(&pool, sizeof(struct record), RECORDS);
    struct list list = {0};
    for (uint32_t i = 1; i <= RECORDS; i++) {
        uint32_t handle = pool_take(&pool);
        assert_int_equal(handle, i);
        struct record *record = pool_at(&pool, handle);
        assert_int_equal(record->value, 0);
        record->value = i;
        list_append(&list, &pool, record_links, handle);
    }
    assert_int_equal(pool_take(&pool), 0);
    for (uint32_t handle = 1; handle <= RECORDS; handle++)
        assert_int_equal(((struct record *)pool_at(&pool, handle))->value, handle);
    for (uint32_t handle = 1; handle <= RECORDS; handle += 2) {
        list_remove(&list, &pool, record_links, handle);
        pool_return(&pool, handle);
    }
    assert_int_equal(list.count, RECORDS / 2);
    uint32_t expected = 2;
    for (uint32_t handle = list.first; handle != 0; handle = record_links(&pool, handle)->next) {
        assert_int_equal(handle, expected);
        expected += 2;
    }
    assert_int_equal(list.last, RECORDS);
    uint32_t again = pool_take(&pool);
    assert_int_equal(again % 2, 1);
    assert_int_equal(((struct record *)pool_at(&pool, again))->value, 0);
    while (list.first != 0)
        list_remove(&list, &pool, record_links, list.first);
    assert_int_equal(list.count, 0);
    assert_int_equal(list.last, 0);
    pool_free(&pool);
}

static void test_timers_come_in_order(void **state)
{
    (void)state;
    enum { TIMERS = 300 };
    struct random_seeded seeded;
    struct random_source random = random_from_seed(&seeded, 2);
    struct timer all[TIMERS] = {0};
    struct timers timers = {0};
    assert_null(timers_first(&timers));
    for (int step = 0; step < 20000; step++) {
        struct timer *timer = &all[random_below(&random, TIMERS)];
        if (random_below(&random, 3) == 0)
            timers_clear(&timers, timer);
        else
            assert_true(timers_set(&timers, timer, random_below(&random, 1000)));
        const struct timer *first = timers_first(&timers);
        uint64_t least = UINT64_MAX;
        size_t set = 0;
        for (size_t i = 0; i < TIMERS; i++) {
            if (all[i].position == 0)
                continue;
            set++;
            least = all[i].due < least ? all[i].due : least;
        }
        assert_int_equal(timers.count, set);
        assert_true(first == NULL ? set == 0 : first->due == least);
    }
    timers_free(&timers);
}

static void test_bucket(void **state)
{
    (void)state;
    struct bucket bucket = bucket_make(20, 40, 1000);
    for (int i = 0; i < 40; i++)
        assert_true(bucket_take(&bucket, 1000));
    assert_false(bucket_take(&bucket, 1000));
    assert_false(bucket_take(&bucket, 1049));
    uint64_t next = bucket_next(&bucket, 1049);
    assert_in_range(next, 1050, 1051);
    assert_true(bucket_take(&bucket, next));
    assert_int_equal(bucket_next(&bucket, 1000000), 1000000);
    for (int i = 0; i < 40; i++)
        assert_true(bucket_take(&bucket, 1000000));
    assert_false(bucket_take(&bucket, 1000000));
}

static double chance_at(double up, double down, uint16_t depth, size_t neighbours)
{
    struct request_flow flow = {.up = up, .down = down};
    return forward_chance(&flow, depth, neighbours, 20);
}

static void assert_near(double value, double expected)
{
    if (value < expected - 1e-6 || value > expected + 1e-6)
        fail_msg("%.9f is not %.9f", value, expected);
}

/* Worked by hand from protocol 02 §7, R = 20. */
static void test_forward_chance(void **state)
{
    (void)state;
    assert_near(chance_at(0, 0, 6, 10), 1);
    assert_near(chance_at(1000, 0, 1, 10), 0.99);
    assert_near(chance_at(1000, 0, 3, 10), 0.7);
    assert_near(chance_at(1000, 0, 6, 10), 0.4);
    assert_near(chance_at(1000, 0, 60, 10), 0.4);
    assert_near(chance_at(500, 0, 6, 10), 0.996427089);   /* 0.4 ^ (1/256) */
    assert_near(chance_at(2000, 0, 1, 100), 0.076314984); /* 0.99 ^ 256 */
    assert_near(chance_at(2000, 0, 6, 10), 0.1);
    assert_near(chance_at(2000, 4000, 6, 10), 0.025);
    assert_near(chance_at(1e9, 0, 0, 10), 1); /* our own always leave */
    assert_near(chance_at(1e9, 0, 1, 0), 0);

    struct request_flow flow = {.folded = 1000, .up_bytes = 4000, .down_bytes = 2000};
    request_flow_fold(&flow, 2999);
    assert_near(flow.up, 0);
    request_flow_fold(&flow, 3000);
    assert_near(flow.up, 200);
    assert_near(flow.down, 100);
    request_flow_fold(&flow, 5000);
    assert_near(flow.up, 180);
    request_flow_fold(&flow, 9999);
    assert_near(flow.up, 145.8);
    request_flow_fold(&flow, UINT64_MAX);
    assert_near(flow.up, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_come_and_go),      cmocka_unit_test(test_pool_and_list),
        cmocka_unit_test(test_timers_come_in_order), cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_forward_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
