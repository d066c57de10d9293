/* SPDX-License-Identifier: ISC */
#include "crypto/vault.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

enum { NONCE_SIZE = 12, TAG_SIZE = 16 };

static bool wrap(EVP_CIPHER_CTX *context, uint8_t *into, const uint8_t *key, struct bytes label,
                 struct bytes secret)
{
    int size = 0;
    uint8_t *sealed = into + NONCE_SIZE;
    return EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), key, into, NULL) == 1 &&
           EVP_EncryptUpdate(context, NULL, &size, label.data, (int)label.size) == 1 &&
           (secret.size == 0 ||
            EVP_EncryptUpdate(context, sealed, &size, secret.data, (int)secret.size) == 1) &&
           EVP_EncryptFinal_ex(context, sealed + secret.size, &size) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, sealed + secret.size) == 1;
}

static bool unwrap(EVP_CIPHER_CTX *context, uint8_t *into, const uint8_t *key, struct bytes label,
                   struct bytes wrapped)
{
    int size = 0;
    uint8_t tag[TAG_SIZE], end[TAG_SIZE];
    size_t secret_size = wrapped.size - VAULT_OVERHEAD;
    const uint8_t *sealed = wrapped.data + NONCE_SIZE;
    memcpy(tag, sealed + secret_size, TAG_SIZE);
    return EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), key, wrapped.data, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1 &&
           EVP_DecryptUpdate(context, NULL, &size, label.data, (int)label.size) == 1 &&
           (secret_size == 0 || EVP_DecryptUpdate(context, into, &size, sealed, (int)secret_size) == 1) &&
           EVP_DecryptFinal_ex(context, end, &size) == 1;
}

bool vault_wrap(struct buffer *out, const uint8_t key[VAULT_KEY_SIZE], const char *label, struct bytes secret,
                const struct random_source *random)
{
    struct bytes name = bytes_of_string(label);
    if (secret.size > INT_MAX - VAULT_OVERHEAD || name.size > INT_MAX)
        return false;
    uint8_t *into = buffer_reserve(out, secret.size + VAULT_OVERHEAD);
    EVP_CIPHER_CTX *context = into ? EVP_CIPHER_CTX_new() : NULL;
    if (!context)
        return false;
    random->fill(random->state, into, NONCE_SIZE);
    bool good = wrap(context, into, key, name, secret);
    EVP_CIPHER_CTX_free(context);
    if (good)
        buffer_commit(out, secret.size + VAULT_OVERHEAD);
    return good;
}

bool vault_unwrap(struct buffer *out, const uint8_t key[VAULT_KEY_SIZE], const char *label,
                  struct bytes wrapped)
{
    struct bytes name = bytes_of_string(label);
    if (wrapped.size < VAULT_OVERHEAD || wrapped.size > INT_MAX || name.size > INT_MAX)
        return false;
    size_t secret_size = wrapped.size - VAULT_OVERHEAD;
    uint8_t *into = buffer_reserve(out, secret_size);
    EVP_CIPHER_CTX *context = into ? EVP_CIPHER_CTX_new() : NULL;
    if (!context)
        return false;
    bool good = unwrap(context, into, key, name, wrapped);
    EVP_CIPHER_CTX_free(context);
    if (!good) {
        OPENSSL_cleanse(into, secret_size);
        return false;
    }
    buffer_commit(out, secret_size);
    return true;
}
