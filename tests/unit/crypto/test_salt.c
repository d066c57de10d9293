/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <stdlib.h>

#include "crypto/salt.h"

static const uint8_t key[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* From the appendix of "SipHash: a fast short-input PRF" and its reference vectors. */
static void siphash_vectors(void **state)
{
    (void)state;
    uint8_t data[15];
    for (uint8_t i = 0; i < sizeof(data); i++)
        data[i] = i;
    assert_true(siphash24(key, data, 0) == UINT64_C(0x726fdb47dd0e0e31));
    assert_true(siphash24(key, data, 8) == UINT64_C(0x93f5f5799a932462));
    assert_true(siphash24(key, data, 15) == UINT64_C(0xa129ca6149be45e5));
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void salts_come_back_and_never_repeat(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    uint64_t *salts = calloc(COUNT, sizeof(*salts));
    assert_non_null(salts);
    for (uint64_t i = 0; i < COUNT; i++) {
        salts[i] = salt_from_counter(key, i);
        assert_true(salt_to_counter(key, salts[i]) == i);
    }
    qsort(salts, COUNT, sizeof(*salts), by_value);
    for (size_t i = 1; i < COUNT; i++)
        assert_true(salts[i - 1] != salts[i]);
    free(salts);
    assert_true(salt_to_counter(key, salt_from_counter(key, UINT64_MAX)) == UINT64_MAX);
}

/* Own salts are recognised because a foreign one maps to a counter that was never given out. */
static void foreign_salts_look_far_away(void **state)
{
    (void)state;
    uint8_t other[16] = {9};
    size_t near = 0;
    for (uint64_t i = 0; i < 1000; i++)
        near += salt_to_counter(key, salt_from_counter(other, i)) < UINT32_MAX;
    assert_int_equal(near, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_vectors),
        cmocka_unit_test(salts_come_back_and_never_repeat),
        cmocka_unit_test(foreign_salts_look_far_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
