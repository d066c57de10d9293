/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <string.h>

#include "crypto/classic.h"

static struct classic_cipher *cipher;

static int open_cipher(void **state)
{
    (void)state;
    cipher = classic_cipher_new();
    return cipher ? 0 : -1;
}

static int close_cipher(void **state)
{
    (void)state;
    classic_cipher_free(cipher);
    return 0;
}

static void check_case(const json_t *item)
{
    struct buffer key = vectors_hex(item, "key"), salt = vectors_hex(item, "iv");
    struct buffer plain = vectors_hex(item, "plaintext"), sealed = vectors_hex(item, "ciphertext");
    struct buffer aes = vectors_hex(item, "derived_aes256_key"), iv = vectors_hex(item, "derived_cbc_iv");
    uint8_t derived[48];
    classic_derive(cipher, derived, buffer_view(&key).data, buffer_view(&salt).data);
    assert_bytes_equal(bytes_of(derived, 32), buffer_view(&aes));
    assert_bytes_equal(bytes_of(derived + 32, 16), buffer_view(&iv));

    struct buffer packet = buffer_make(8 + buffer_size(&sealed));
    assert_true(
        classic_seal(cipher, &packet, buffer_view(&key).data, buffer_view(&salt).data, buffer_view(&plain)));
    struct bytes view = buffer_view(&packet);
    assert_bytes_equal(bytes_of(view.data, 8), buffer_view(&salt));
    assert_bytes_equal(bytes_of(view.data + 8, view.size - 8), buffer_view(&sealed));

    struct buffer opened = buffer_make(buffer_size(&sealed));
    assert_true(classic_open(cipher, &opened, buffer_view(&key).data, view));
    assert_bytes_equal(buffer_view(&opened), buffer_view(&plain));

    struct buffer *all[] = {&key, &salt, &plain, &sealed, &aes, &iv, &packet, &opened};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        buffer_free(all[i]);
}

static void check_refused(const json_t *item)
{
    struct buffer key = vectors_hex(item, "key"), packet = vectors_hex(item, "iv");
    struct buffer sealed = vectors_hex(item, "ciphertext");
    packet.ceiling += buffer_size(&sealed);
    assert_true(buffer_append_bytes(&packet, buffer_view(&sealed)));
    struct buffer opened = buffer_make(1024);
    buffer_append_string(&opened, "before");
    assert_false(classic_open(cipher, &opened, buffer_view(&key).data, buffer_view(&packet)));
    assert_string_equal(buffer_string(&opened), "before");
    buffer_free(&key);
    buffer_free(&packet);
    buffer_free(&sealed);
    buffer_free(&opened);
}

static void recorded_packets(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.5/aes.json");
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(file, "cases"), i, item) check_case(item);
    assert_int_equal(i, 23);
    json_array_foreach(json_object_get(file, "decrypt_edge_cases"), i, item) check_refused(item);
    assert_int_equal(i, 5);
    json_decref(file);
}

/* protocol 03 §2 */
static void documented_packet(void **state)
{
    (void)state;
    struct buffer key = hex_buffer("000102030405060708090a0b0c0d0e0f"), salt = hex_buffer("a0a1a2a3a4a5a6a7");
    struct buffer plain = hex_buffer("020012010000001e0000000151e1a1bc00670000000e0000004800000069");
    struct buffer expected = hex_buffer("a0a1a2a3a4a5a6a70f6e202e6296c581bde396ffd3f71baa"
                                        "432cca5c08f6165e35a316fb6d3690a6");
    struct buffer packet = buffer_make(64);
    assert_true(
        classic_seal(cipher, &packet, buffer_view(&key).data, buffer_view(&salt).data, buffer_view(&plain)));
    assert_bytes_equal(buffer_view(&packet), buffer_view(&expected));
    buffer_free(&key);
    buffer_free(&salt);
    buffer_free(&plain);
    buffer_free(&expected);
    buffer_free(&packet);
}

static void room_is_checked(void **state)
{
    (void)state;
    const uint8_t key[16] = {1}, salt[8] = {2}, plain[16] = {3};
    struct buffer packet = buffer_make(39); /* 8 + 32 are needed */
    assert_false(classic_seal(cipher, &packet, key, salt, bytes_of(plain, sizeof(plain))));
    assert_int_equal(buffer_size(&packet), 0);
    buffer_free(&packet);
    packet = buffer_make(40);
    assert_true(classic_seal(cipher, &packet, key, salt, bytes_of(plain, sizeof(plain))));

    struct buffer opened = buffer_make(31);
    assert_false(classic_open(cipher, &opened, key, buffer_view(&packet)));
    buffer_free(&opened);
    opened = buffer_make(32);
    assert_true(classic_open(cipher, &opened, key, buffer_view(&packet)));
    assert_bytes_equal(buffer_view(&opened), bytes_of(plain, sizeof(plain)));
    buffer_clear(&opened);
    for (size_t size = 0; size < buffer_size(&packet); size++)
        if (size != 24) /* one whole block: may by chance end in padding */
            assert_false(classic_open(cipher, &opened, key, bytes_of(buffer_view(&packet).data, size)));
    buffer_free(&opened);
    buffer_free(&packet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_packets),
        cmocka_unit_test(documented_packet),
        cmocka_unit_test(room_is_checked),
    };
    return cmocka_run_group_tests(tests, open_cipher, close_cipher);
}
