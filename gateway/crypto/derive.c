/* SPDX-License-Identifier: ISC */
#include "crypto/derive.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

bool derive_hmac(uint8_t out[DERIVE_SIZE], struct bytes key, struct bytes data)
{
    unsigned size = DERIVE_SIZE;
    return HMAC(EVP_sha256(), key.data, (int)key.size, data.data, data.size, out, &size) != NULL;
}

bool derive_expand(uint8_t *out, size_t size, struct bytes key, const char *label, struct bytes hash)
{
    uint8_t input[64], block[DERIVE_SIZE];
    size_t label_size = strlen(label);
    if (size > sizeof(block) || hash.size > sizeof(input) || label_size + hash.size + 1 > sizeof(input))
        return false;
    memcpy(input, label, label_size);
    if (hash.size > 0)
        memcpy(input + label_size, hash.data, hash.size);
    input[label_size + hash.size] = 1;
    bool good = derive_hmac(block, key, bytes_of(input, label_size + hash.size + 1));
    if (good)
        memcpy(out, block, size);
    OPENSSL_cleanse(block, sizeof(block));
    return good;
}

static EVP_PKEY *private_key(const uint8_t secret[DERIVE_SIZE])
{
    return EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, secret, DERIVE_SIZE);
}

bool derive_public(uint8_t out[DERIVE_SIZE], const uint8_t secret[DERIVE_SIZE])
{
    size_t size = DERIVE_SIZE;
    EVP_PKEY *key = private_key(secret);
    bool good = key && EVP_PKEY_get_raw_public_key(key, out, &size) == 1 && size == DERIVE_SIZE;
    EVP_PKEY_free(key);
    return good;
}

bool derive_shared(uint8_t out[DERIVE_SIZE], const uint8_t secret[DERIVE_SIZE],
                   const uint8_t peer[DERIVE_SIZE])
{
    static const uint8_t zeros[DERIVE_SIZE];
    size_t size = DERIVE_SIZE;
    EVP_PKEY *mine = private_key(secret);
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer, DERIVE_SIZE);
    EVP_PKEY_CTX *context = mine && theirs ? EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL) : NULL;
    bool good = context && EVP_PKEY_derive_init(context) == 1 &&
                EVP_PKEY_derive_set_peer_ex(context, theirs, 0) == 1 &&
                EVP_PKEY_derive(context, out, &size) == 1 && size == DERIVE_SIZE &&
                CRYPTO_memcmp(out, zeros, DERIVE_SIZE) != 0;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(mine);
    if (!good)
        OPENSSL_cleanse(out, DERIVE_SIZE);
    return good;
}
