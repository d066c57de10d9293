/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/map.h"
#include "base/sip.h"
#include "base/source.h"
#include "support/vectors.h"

static void reader_stops_at_the_end(void **state)
{
    (void)state;
    const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7};
    struct reader reader = reader_of(bytes_of(data, sizeof data));
    assert_int_equal(read_u32(&reader), 0x01020304);
    assert_int_equal(read_u16(&reader), 0x0506);
    assert_false(reader_done(&reader));
    assert_int_equal(read_u16(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(read_u8(&reader), 0); /* stays failed although a byte is left */
    assert_false(reader_done(&reader));
}

static void buffer_keeps_its_ceiling(void **state)
{
    (void)state;
    struct buffer buffer = buffer_make(1000);
    for (int i = 0; i < 100; i++)
        assert_true(buffer_append(&buffer, "0123456789", 10));
    assert_false(buffer_u8(&buffer, 1));
    assert_true(buffer.failed);
    assert_int_equal(buffer_size(&buffer), 1000);
    buffer_clear(&buffer);
    assert_true(buffer_printf(&buffer, "%s-%d", "abc", 12));
    assert_string_equal(buffer_string(&buffer), "abc-12");
    buffer_free(&buffer);
}

static void buffer_consumes_in_order(void **state)
{
    (void)state;
    struct random_seeded seeded;
    struct random_source random = random_from_seed(&seeded, 7);
    struct buffer buffer = buffer_make(5000);
    uint8_t written = 0, read = 0;
    for (int round = 0; round < 20000; round++) {
        uint32_t size = random_below(&random, 300);
        for (uint32_t i = 0; i < size && buffer_size(&buffer) < 5000; i++)
            assert_true(buffer_u8(&buffer, written++));
        uint32_t taken = random_below(&random, 300);
        struct bytes view = buffer_view(&buffer);
        for (uint32_t i = 0; i < taken && i < view.size; i++)
            assert_int_equal(view.data[i], read++);
        buffer_consume(&buffer, taken);
    }
    buffer_free(&buffer);
}

static void hex_is_strict(void **state)
{
    (void)state;
    uint8_t out[2];
    assert_true(hex_parse(out, 2, "0aFf", 4));
    assert_int_equal(out[1], 0xff);
    assert_false(hex_parse(out, 2, "0aFg", 4));
    assert_false(hex_parse(out, 2, "0aF", 3));
    assert_false(hex_parse(out, 2, "0aff00", 6));
}

static void errors_keep_the_first_cause(void **state)
{
    (void)state;
    struct error *error = NULL;
    assert_false(error_set(&error, ERROR_LIMIT, "first %d", 1));
    assert_false(error_set(&error, ERROR_INVALID, "second"));
    assert_int_equal(error->code, ERROR_LIMIT);
    error_prefix(&error, "list %s", "x");
    assert_string_equal(error->text, "list x: first 1");
    assert_string_equal(error_word(error->code), "limit");
    error_free(error);
    assert_false(error_set(NULL, ERROR_LIMIT, "nobody listens"));
}

static void siphash_agrees_with_its_paper(void **state)
{
    (void)state;
    uint8_t key[16], data[15];
    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        data[i] = i;
    assert_true(sip_hash(key, data, 15, 2, 4) == 0xa129ca6149be45e5U);
}

static void seeded_randomness_repeats(void **state)
{
    (void)state;
    struct random_seeded a, b;
    struct random_source first = random_from_seed(&a, 42), second = random_from_seed(&b, 42);
    for (int i = 0; i < 100; i++)
        assert_true(random_u64(&first) == random_u64(&second));
    for (int i = 0; i < 1000; i++)
        assert_true(random_below(&first, 7) < 7);
}

static void foreign_text_is_escaped(void **state)
{
    (void)state;
    assert_string_equal(log_text("a b\n\"=", 6), "a\\x20b\\x0a\\x22\\x3d");
    char longer[100];
    memset(longer, 'x', sizeof longer);
    assert_int_equal(strlen(log_text(longer, sizeof longer)), 63);
    assert_string_equal(log_name("id", 2), log_name("id", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_stops_at_the_end),     cmocka_unit_test(buffer_keeps_its_ceiling),
        cmocka_unit_test(buffer_consumes_in_order),    cmocka_unit_test(hex_is_strict),
        cmocka_unit_test(errors_keep_the_first_cause), cmocka_unit_test(siphash_agrees_with_its_paper),
        cmocka_unit_test(seeded_randomness_repeats),   cmocka_unit_test(foreign_text_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
