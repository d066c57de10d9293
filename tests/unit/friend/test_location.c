/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <string.h>

#include "friend/location.h"

static void assert_location(struct bytes der, const char *id, const char *issuer)
{
    struct location location;
    struct error *error = NULL;
    char text[33];
    assert_true(location_parse(&location, der, &error));
    assert_null(error);
    hex_lower(text, location.id, 16);
    assert_string_equal(text, id);
    hex_upper(text, location.issuer, 8);
    assert_string_equal(text, issuer);
}

static void test_recorded(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.6/link.json");
    const char *name;
    json_t *node;
    json_object_foreach(json_object_get(file, "nodes"), name, node)
    {
        struct buffer der = vectors_hex(json_object_get(node, "certificate"), "der");
        assert_location(buffer_view(&der), vectors_string(node, "ssl_id"), vectors_string(node, "pgp_id"));
        buffer_free(&der);
    }
    json_decref(file);
}

/* Any damage is refused or makes another certificate; none is read beyond its end. */
static void test_damaged(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.6/link.json");
    const json_t *node = json_object_get(json_object_get(file, "nodes"), "A");
    struct buffer der = vectors_hex(json_object_get(node, "certificate"), "der");
    struct bytes whole = buffer_view(&der);
    struct location good, location;
    assert_true(location_parse(&good, whole, NULL));
    for (size_t size = 0; size < whole.size; size++)
        assert_false(location_parse(&location, bytes_of(whole.data, size), NULL));
    uint8_t copy[2048];
    for (size_t i = 0; i < whole.size; i++) {
        memcpy(copy, whole.data, whole.size);
        copy[i] ^= 0x01;
        if (location_parse(&location, bytes_of(copy, whole.size), NULL))
            assert_memory_not_equal(&location, &good, sizeof good);
    }
    memcpy(copy, whole.data, whole.size);
    copy[whole.size] = 0;
    struct error *error = NULL;
    assert_false(location_parse(&location, bytes_of(copy, whole.size + 1), &error));
    assert_non_null(error);
    error_free(error);
    buffer_free(&der);
    json_decref(file);
}

/* The serial chooses how the id is found (protocol 11 §1.2). */
static void test_versions(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.6/link.json");
    const json_t *node = json_object_get(json_object_get(file, "nodes"), "A");
    struct buffer der = vectors_hex(json_object_get(node, "certificate"), "der");
    const char *sha = vectors_string(node, "ssl_id"), *issuer = vectors_string(node, "pgp_id");
    char tail[33];
    hex_lower(tail, der.memory + der.end - 16, 16);
    static const uint8_t serial[] = {0x02, 0x03, 0x07, 0x00, 0x01};
    uint8_t *at = memmem(der.memory, der.end, serial, sizeof serial);
    assert_non_null(at);
    static const struct {
        uint8_t serial[3];
        bool tail;
    } cases[] = {
        {{6, 0, 1}, false}, {{7, 0, 1}, false}, {{6, 0, 0}, true}, {{7, 0, 0}, true}, {{5, 6, 7}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(at + 2, cases[i].serial, 3);
        assert_location(buffer_view(&der), cases[i].tail ? tail : sha, issuer);
    }
    buffer_free(&der);
    json_decref(file);
}

static void test_issuer(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.6/link.json");
    const json_t *node = json_object_get(json_object_get(file, "nodes"), "A");
    struct buffer der = vectors_hex(json_object_get(node, "certificate"), "der");
    uint8_t *at = memmem(der.memory, der.end, vectors_string(node, "pgp_id"), 16);
    assert_non_null(at);
    struct location location;
    at[3] = 'G';
    assert_false(location_parse(&location, buffer_view(&der), NULL));
    at[3] = '0';
    assert_true(location_parse(&location, buffer_view(&der), NULL));
    at[-6] = 0x0a; /* another attribute than CN */
    assert_false(location_parse(&location, buffer_view(&der), NULL));
    buffer_free(&der);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_issuer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
