/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include "distant/salts.h"

static struct random_seeded seed;

static struct salts begin(void)
{
    struct random_source random = random_from_seed(&seed, 4);
    struct salts salts;
    salts_init(&salts, &random);
    return salts;
}

static void kept_for_ever(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct salts salts = begin();
    struct random_source random = random_from_seed(&seed, 5);
    assert_false(salts_seen(&salts, 0));
    assert_true(salts_keep(&salts, 0));
    assert_true(salts_seen(&salts, 0));
    for (int i = 0; i < COUNT; i++)
        assert_true(salts_keep(&salts, random_u64(&random)));
    assert_int_equal(salts_kept(&salts), COUNT + 1);
    assert_true(salts_keep(&salts, 0));
    assert_int_equal(salts_kept(&salts), COUNT + 1);
    random = random_from_seed(&seed, 5);
    for (int i = 0; i < COUNT; i++)
        assert_true(salts_seen(&salts, random_u64(&random)));
    for (int i = 0; i < COUNT; i++)
        assert_false(salts_seen(&salts, random_u64(&random)));
    salts_free(&salts);
}

static void noted_for_a_while(void **state)
{
    (void)state;
    struct salts salts = begin();
    assert_true(salts_keep(&salts, 1));
    for (uint64_t salt = 2; salt < 2 + 10 * (uint64_t)SALTS_PASSING; salt++) {
        assert_true(salts_note(&salts, salt));
        uint64_t newest = salt >= 1 + (uint64_t)SALTS_PASSING ? salt - SALTS_PASSING + 1 : 2;
        assert_true(salts_seen(&salts, newest));
    }
    assert_false(salts_seen(&salts, 2));
    assert_true(salts_seen(&salts, 1));
    assert_true(salts.passing[0].capacity + salts.passing[1].capacity <= 4 * (size_t)SALTS_PASSING);
    salts_free(&salts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_for_ever),
        cmocka_unit_test(noted_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
