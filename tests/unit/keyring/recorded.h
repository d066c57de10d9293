/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_KEYRING_RECORDED_H
#define RETROGATE_TESTS_KEYRING_RECORDED_H

#include "fixture.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

/* Accounts 1 (alice) and 2 (bob) are the recorded keys, taken in with their secret halves. */
static json_t *file;
static struct buffer blocks[3]; /* public: alice, bob, the third key */
static struct openpgp_key keys[3];

static inline const json_t *recorded_key(size_t i)
{
    return json_array_get(json_object_get(file, "keys"), i);
}

static inline void import_accounts(void **state)
{
    (void)state;
    static const char *const homes[] = {"1", "2"};
    static const char *const members[] = {"keypair_export_armored", "unprotected_secret_key_armored"};
    for (size_t i = 0; i < 2; i++) {
        struct heard made = {0};
        struct keyring_secret secret = secret_of(homes[i], NULL);
        struct bytes text = bytes_of_string(vectors_string(recorded_key(i), members[i]));
        struct bytes old = bytes_of_string(i == 0 ? vectors_string(recorded_key(i), "passphrase") : "");
        if (i == 0) {
            keyring_import_secret(keyring, &secret, text, bytes_of_string("not this"), false, hear, &made);
            expect_failure(&made, ERROR_DENIED, "passphrase");
        }
        keyring_import_secret(keyring, &secret, text, old, false, hear, &made);
        expect_good(&made);
        assert_memory_equal(made.fields.fingerprint, keys[i].fingerprint, 20);
        struct openpgp_key key;
        assert_true(openpgp_key_parse(&key, buffer_view(&made.block), NULL));
        assert_string_equal(key.user_id, keys[i].user_id);
        assert_true(key.can_certify && key.can_encrypt);
        heard_free(&made);
    }
}

static inline struct keyring_secret account(size_t i)
{
    return secret_of(i == 0 ? "1" : "2", keys[i].fingerprint);
}

static inline size_t key_index(const char *name)
{
    for (size_t i = 0; i < 3; i++)
        if (strcmp(vectors_string(recorded_key(i), "name"), name) == 0)
            return i;
    fail_msg("no key of %s", name);
    return 0;
}

/* A private key, read from its unprotected block: what follows the public part is 00 and d (RFC 4880
 * §5.5.3). */
static inline EVP_PKEY *private_key(size_t index)
{
    struct buffer block = buffer_make(65536);
    struct openpgp_key key;
    struct bytes text =
        bytes_of_string(vectors_string(recorded_key(index), "unprotected_secret_key_armored"));
    assert_true(openpgp_dearmor_secret(&block, text, NULL));
    assert_true(openpgp_secret_key_parse(&key, buffer_view(&block), NULL));
    const uint8_t *d = key.public_body.data + key.public_body.size + 1;
    BIGNUM *numbers[] = {BN_bin2bn(key.n.data, (int)key.n.size, NULL),
                         BN_bin2bn(key.e.data, (int)key.e.size, NULL),
                         BN_bin2bn(d + 2, (d[0] * 256 + d[1] + 7) / 8, NULL)};
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(builder, "n", numbers[0]);
    OSSL_PARAM_BLD_push_BN(builder, "e", numbers[1]);
    OSSL_PARAM_BLD_push_BN(builder, "d", numbers[2]);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *made = NULL;
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &made, EVP_PKEY_KEYPAIR, params), 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    for (size_t i = 0; i < 3; i++)
        BN_clear_free(numbers[i]);
    buffer_free(&block);
    return made;
}

/* A signature packet made outside the keyring, so that every field can be wrong. */
static inline void sign_as(struct buffer *packet, size_t index, const struct openpgp_signing *signing,
                           struct bytes document)
{
    struct buffer hashed = buffer_make(512), trailer = buffer_make(512);
    uint8_t digest[32], value[256];
    size_t size = sizeof(value);
    assert_true(openpgp_signature_input(&hashed, &trailer, signing));
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    EVP_DigestUpdate(hash, document.data, document.size);
    EVP_DigestUpdate(hash, trailer.memory, buffer_size(&trailer));
    EVP_DigestFinal_ex(hash, digest, NULL);
    EVP_MD_CTX_free(hash);
    EVP_PKEY *key = private_key(index);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    assert_int_equal(EVP_PKEY_sign_init(context), 1);
    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING);
    EVP_PKEY_CTX_set_signature_md(context, EVP_sha256());
    assert_int_equal(EVP_PKEY_sign(context, value, &size, digest, sizeof(digest)), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    assert_true(openpgp_signature_packet(packet, buffer_view(&hashed), digest, bytes_of(value, size)));
    buffer_free(&hashed);
    buffer_free(&trailer);
}

/* A message to bob whose encrypted part holds these packets. The session key is known because the writer
 * draws it first from a source that can be run again; its session key packet is kept. */
static inline void encrypt_packets(struct buffer *message, struct bytes packets)
{
    struct random_seeded seeds[2];
    struct random_source first = random_from_seed(&seeds[0], 3), again = random_from_seed(&seeds[1], 3);
    struct buffer inside = buffer_make(packets.size + 64);
    uint8_t session_key[32], digest[20];
    static const uint8_t zero[16];
    assert_true(openpgp_encrypt(message, &keys[1], bytes_of_string("x"), &first, NULL));
    again.fill(again.state, session_key, sizeof(session_key));
    message->end = message->start + 271; /* protocol 04 §5.2: the session key packet for RSA-2048 */

    buffer_append(&inside, "0123456789abcdefef", 18);
    buffer_append_bytes(&inside, packets);
    buffer_append(&inside, "\xd3\x14", 2);
    EVP_Digest(inside.memory, buffer_size(&inside), digest, NULL, EVP_sha1(), NULL);
    buffer_append(&inside, digest, sizeof(digest));
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int written;
    EVP_EncryptInit_ex(cipher, EVP_aes_256_cfb128(), NULL, session_key, zero);
    EVP_EncryptUpdate(cipher, inside.memory, &written, inside.memory, (int)buffer_size(&inside));
    EVP_CIPHER_CTX_free(cipher);
    buffer_append(message, "\xd2\xff", 2);
    buffer_u32(message, (uint32_t)buffer_size(&inside) + 1);
    buffer_u8(message, 1);
    buffer_append_bytes(message, buffer_view(&inside));
    buffer_free(&inside);
}

static inline void add_literal(struct buffer *out, struct bytes text)
{
    buffer_append(out, "\xcb\xff", 2);
    buffer_u32(out, (uint32_t)text.size + 6);
    buffer_append(out, "b\0\0\0\0\0", 6);
    buffer_append_bytes(out, text);
}

static inline int load_recorded(void **state)
{
    file = vectors_load("retroshare-0.5/invite.json");
    for (size_t i = 0; i < 3; i++) {
        blocks[i] = buffer_make(65536);
        struct bytes text = bytes_of_string(vectors_string(recorded_key(i), "public_key_armored"));
        if (!openpgp_dearmor(&blocks[i], text, NULL) ||
            !openpgp_key_parse(&keys[i], buffer_view(&blocks[i]), NULL))
            return -1;
    }
    return open_keyring(state);
}

static inline int unload_recorded(void **state)
{
    for (size_t i = 0; i < 3; i++)
        buffer_free(&blocks[i]);
    json_decref(file);
    return close_keyring(state);
}

#endif
