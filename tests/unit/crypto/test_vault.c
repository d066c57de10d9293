/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include "crypto/vault.h"

static const uint8_t key[VAULT_KEY_SIZE] = {7};

static struct buffer wrapped_secret(const char *label, struct bytes secret)
{
    struct random_seeded seed;
    struct random_source random = random_from_seed(&seed, 1);
    struct buffer out = buffer_make(256);
    assert_true(vault_wrap(&out, key, label, secret, &random));
    assert_int_equal(buffer_size(&out), secret.size + VAULT_OVERHEAD);
    return out;
}

/* The nonce of test case 15 of the mode's specification. */
static void fill_nonce(void *state, void *into, size_t size)
{
    (void)state;
    assert_int_equal(size, 12);
    assert_true(hex_parse(into, size, "cafebabefacedbaddecaf888", 24));
}

static void known_answer(void **state)
{
    (void)state;
    struct buffer gcm_key = hex_buffer("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    struct buffer plain = hex_buffer("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                                     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255");
    /* test case 15: no additional data */
    struct buffer expected = hex_buffer("cafebabefacedbaddecaf888"
                                        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                                        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
                                        "b094dac5d93471bdec1a502270e3cc6c");
    struct random_source random = {fill_nonce, NULL};
    struct buffer out = buffer_make(256);
    assert_true(vault_wrap(&out, buffer_view(&gcm_key).data, "", buffer_view(&plain), &random));
    assert_bytes_equal(buffer_view(&out), buffer_view(&expected));
    buffer_free(&gcm_key);
    buffer_free(&plain);
    buffer_free(&expected);
    buffer_free(&out);
}

static void secrets_come_back(void **state)
{
    (void)state;
    const struct bytes secrets[] = {{NULL, 0}, bytes_of_string("a"), bytes_of_string("a longer secret, 32")};
    for (size_t i = 0; i < 3; i++) {
        struct buffer wrapped = wrapped_secret("account 1", secrets[i]);
        struct buffer out = buffer_make(secrets[i].size);
        out.secret = true;
        assert_true(vault_unwrap(&out, key, "account 1", buffer_view(&wrapped)));
        assert_bytes_equal(buffer_view(&out), secrets[i]);
        buffer_free(&out);
        buffer_free(&wrapped);
    }
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    const uint8_t other[VAULT_KEY_SIZE] = {8};
    struct buffer wrapped = wrapped_secret("account 1", bytes_of_string("secret"));
    struct buffer out = buffer_make(64);
    assert_false(vault_unwrap(&out, other, "account 1", buffer_view(&wrapped)));
    assert_false(vault_unwrap(&out, key, "account 2", buffer_view(&wrapped)));
    assert_false(vault_unwrap(&out, key, "", buffer_view(&wrapped)));
    for (size_t size = 0; size < buffer_size(&wrapped); size++)
        assert_false(vault_unwrap(&out, key, "account 1", bytes_of(buffer_view(&wrapped).data, size)));
    for (size_t i = 0; i < buffer_size(&wrapped); i++) {
        wrapped.memory[wrapped.start + i] ^= 0x10;
        assert_false(vault_unwrap(&out, key, "account 1", buffer_view(&wrapped)));
        wrapped.memory[wrapped.start + i] ^= 0x10;
    }
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
    buffer_free(&wrapped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer),
        cmocka_unit_test(secrets_come_back),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
