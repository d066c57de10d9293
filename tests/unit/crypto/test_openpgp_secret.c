/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <string.h>

#include "crypto/openpgp.h"
#include "crypto/openpgp_packet.h"

static struct buffer secret_block(const char *text)
{
    struct buffer out = buffer_make(65536);
    assert_true(openpgp_dearmor_secret(&out, bytes_of_string(text), NULL));
    return out;
}

static struct buffer rewrapped(struct bytes block, const char *from, const char *to)
{
    struct buffer out = buffer_make(65536);
    struct error *error = NULL;
    if (!openpgp_secret_rewrap(&out, block, bytes_of_string(from), bytes_of_string(to), &random_system,
                               &error))
        fail_msg("%s", error->text);
    return out;
}

static void expect_refused(struct bytes block, const char *passphrase, enum error_code code,
                           const char *reason)
{
    struct buffer out = buffer_make(65536);
    struct error *error = NULL;
    assert_false(openpgp_secret_rewrap(&out, block, bytes_of_string(passphrase), bytes_of_string("x"),
                                       &random_system, &error));
    if (error->code != code || !strstr(error->text, reason))
        fail_msg("refused because \"%s\", not \"%s\"", error->text, reason);
    error_free(error);
    buffer_free(&out);
}

/* Both forms of each recorded key, the original's (CAST5) and GnuPG's without passphrase, hold the same
 * secret: taken into the new form and out of it again they verify under the new passphrase only. */
static void recorded_keys_are_rewrapped(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.5/invite.json"), *item;
    size_t i;
    json_array_foreach(json_object_get(file, "keys"), i, item)
    {
        struct buffer original = secret_block(vectors_string(item, "keypair_export_armored"));
        struct buffer open = secret_block(vectors_string(item, "unprotected_secret_key_armored"));
        struct buffer first = rewrapped(buffer_view(&original), vectors_string(item, "passphrase"), "new");
        struct buffer second = rewrapped(buffer_view(&open), "", "new");
        struct buffer third = rewrapped(buffer_view(&first), "new", "newer");
        struct openpgp_key key, old;
        assert_true(openpgp_secret_key_parse(&key, buffer_view(&first), NULL));
        assert_true(openpgp_secret_key_parse(&old, buffer_view(&open), NULL));
        assert_memory_equal(key.fingerprint, old.fingerprint, 20);
        assert_string_equal(key.user_id, old.user_id);
        assert_int_equal(buffer_size(&first), buffer_size(&third));
        expect_refused(buffer_view(&original), "wrong", ERROR_DENIED, "passphrase");
        expect_refused(buffer_view(&second), "wrong", ERROR_DENIED, "passphrase");
        expect_refused(buffer_view(&third), "new", ERROR_DENIED, "passphrase");
        struct buffer *all[] = {&original, &open, &first, &second, &third};
        for (size_t n = 0; n < 5; n++)
            buffer_free(all[n]);
    }
    json_decref(file);

    /* protocol 11: a key of the 0.6 program, RSA-4096. */
    file = vectors_load("retroshare-0.6/link.json");
    const char *name;
    json_object_foreach(json_object_get(file, "nodes"), name, item)
    {
        struct buffer ring = vectors_hex(item, "pgp_secret_keyring");
        struct buffer made =
            rewrapped(buffer_view(&ring), vectors_string(item, "pgp_secret_passphrase"), "new");
        buffer_free(&made);
        buffer_free(&ring);
    }
    json_decref(file);
}

static BIGNUM *number(struct reader *reader)
{
    struct bytes bytes = mpi_read(reader, NULL);
    return BN_bin2bn(bytes.data, (int)bytes.size, NULL);
}

/* What the rewritten packet holds, opened with OpenSSL: S2K iterated over SHA-256 and 65536 bytes,
 * AES-256-CFB. */
static void open_packet(uint8_t *into, size_t size, struct bytes protected_part, const char *passphrase)
{
    uint8_t key[32], once[64];
    size_t length = 8 + strlen(passphrase);
    memcpy(once, protected_part.data + 4, 8);
    memcpy(once + 8, passphrase, strlen(passphrase));
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    for (size_t left = 65536; left > 0;) {
        size_t part = left < length ? left : length;
        EVP_DigestUpdate(hash, once, part);
        left -= part;
    }
    EVP_DigestFinal_ex(hash, key, NULL);
    EVP_MD_CTX_free(hash);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int written;
    assert_int_equal(EVP_DecryptInit_ex(cipher, EVP_aes_256_cfb128(), NULL, key, protected_part.data + 13),
                     1);
    assert_int_equal(EVP_DecryptUpdate(cipher, into, &written, protected_part.data + 29, (int)size), 1);
    EVP_CIPHER_CTX_free(cipher);
}

static void primes_are_put_in_order(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.5/invite.json");
    const json_t *item = json_array_get(json_object_get(file, "keys"), 0);
    struct buffer open = secret_block(vectors_string(item, "unprotected_secret_key_armored"));
    struct openpgp_key key;
    assert_true(openpgp_secret_key_parse(&key, buffer_view(&open), NULL));
    struct reader reader = reader_of(bytes_of(key.public_body.data + key.public_body.size + 1, 2000));
    BIGNUM *d = number(&reader), *p = number(&reader), *q = number(&reader);
    assert_false(reader.failed);
    assert_true(BN_cmp(p, q) > 0);

    struct buffer made = rewrapped(buffer_view(&open), "", "pass");
    assert_true(openpgp_secret_key_parse(&key, buffer_view(&made), NULL));
    static const uint8_t expected[] = {254, 9, 3, 8};
    const uint8_t *protected_part = key.public_body.data + key.public_body.size;
    assert_memory_equal(protected_part, expected, 4);
    uint8_t plain[256 + 3 * 128 + 8];
    open_packet(plain, sizeof(plain), bytes_of(protected_part, 29 + sizeof(plain)), "pass");
    reader = reader_of(bytes_of(plain, sizeof(plain)));
    BIGNUM *new_d = number(&reader), *new_p = number(&reader), *new_q = number(&reader), *u = number(&reader);
    assert_false(reader.failed);
    assert_int_equal(BN_cmp(new_d, d), 0);
    assert_int_equal(BN_cmp(new_p, q), 0);
    assert_int_equal(BN_cmp(new_q, p), 0);
    BN_CTX *context = BN_CTX_new();
    BN_mod_mul(u, u, new_p, new_q, context);
    assert_true(BN_is_one(u));
    BN_CTX_free(context);
    BIGNUM *all[] = {d, p, q, new_d, new_p, new_q, u};
    for (size_t i = 0; i < 7; i++)
        BN_free(all[i]);
    buffer_free(&made);
    buffer_free(&open);
    json_decref(file);
}

static void damaged_keys_are_refused(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.5/invite.json");
    const json_t *item = json_array_get(json_object_get(file, "keys"), 0);
    struct buffer open = secret_block(vectors_string(item, "unprotected_secret_key_armored"));
    struct openpgp_key key;
    assert_true(openpgp_secret_key_parse(&key, buffer_view(&open), NULL));
    uint8_t *usage = open.memory + (key.public_body.data + key.public_body.size - open.memory);
    *usage = 253;
    expect_refused(buffer_view(&open), "", ERROR_INVALID, "protected in a way");
    *usage = 254; /* then the cipher's number is a byte of d */
    expect_refused(buffer_view(&open), "", ERROR_INVALID, "protected in a way");
    *usage = 0;
    usage[40] ^= 1;
    expect_refused(buffer_view(&open), "", ERROR_INVALID, "damaged");
    usage[41] ^= 1; /* the sum may fit now; the numbers do not */
    struct buffer out = buffer_make(65536);
    assert_false(openpgp_secret_rewrap(&out, buffer_view(&open), bytes_of(NULL, 0), bytes_of_string("x"),
                                       &random_system, NULL));
    usage[40] ^= 1;
    usage[41] ^= 1;
    struct buffer narrow = buffer_make(500);
    assert_false(openpgp_secret_rewrap(&narrow, buffer_view(&open), bytes_of(NULL, 0), bytes_of_string("x"),
                                       &random_system, NULL));
    assert_true(openpgp_secret_rewrap(&out, buffer_view(&open), bytes_of(NULL, 0), bytes_of_string("x"),
                                      &random_system, NULL));
    buffer_free(&narrow);
    buffer_free(&out);
    buffer_free(&open);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_keys_are_rewrapped),
        cmocka_unit_test(primes_are_put_in_order),
        cmocka_unit_test(damaged_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
