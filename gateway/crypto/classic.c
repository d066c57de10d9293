/* SPDX-License-Identifier: ISC */
#include "crypto/classic.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST_SIZE = 20, DERIVE_ROUNDS = 5, AES_KEY_SIZE = 32, AES_BLOCK = 16 };

/* Fetching an algorithm or making a context costs more than sealing a line of chat, so all are kept. */
struct classic_cipher {
    EVP_MD *sha1;
    EVP_CIPHER *aes;
    EVP_MD_CTX *digest;
    EVP_CIPHER_CTX *seal, *open;
};

struct classic_cipher *classic_cipher_new(void)
{
    struct classic_cipher *cipher = calloc(1, sizeof(*cipher));
    if (!cipher)
        return NULL;
    cipher->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    cipher->aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    cipher->digest = EVP_MD_CTX_new();
    cipher->seal = EVP_CIPHER_CTX_new();
    cipher->open = EVP_CIPHER_CTX_new();
    if (!cipher->sha1 || !cipher->aes || !cipher->digest || !cipher->seal || !cipher->open ||
        EVP_DigestInit_ex2(cipher->digest, cipher->sha1, NULL) != 1 ||
        EVP_EncryptInit_ex2(cipher->seal, cipher->aes, NULL, NULL, NULL) != 1 ||
        EVP_DecryptInit_ex2(cipher->open, cipher->aes, NULL, NULL, NULL) != 1) {
        classic_cipher_free(cipher);
        return NULL;
    }
    return cipher;
}

void classic_cipher_free(struct classic_cipher *cipher)
{
    if (!cipher)
        return;
    EVP_CIPHER_CTX_free(cipher->open);
    EVP_CIPHER_CTX_free(cipher->seal);
    EVP_MD_CTX_free(cipher->digest);
    EVP_CIPHER_free(cipher->aes);
    EVP_MD_free(cipher->sha1);
    free(cipher);
}

static bool sha1(struct classic_cipher *cipher, uint8_t digest[DIGEST_SIZE], const uint8_t *data, size_t size)
{
    return EVP_DigestInit_ex2(cipher->digest, NULL, NULL) == 1 &&
           EVP_DigestUpdate(cipher->digest, data, size) == 1 &&
           EVP_DigestFinal_ex(cipher->digest, digest, NULL) == 1;
}

/* EVP_BytesToKey() written out over the kept context (protocol 03 §2): it would fetch SHA-1 anew for each
 * packet. */
static bool derive(struct classic_cipher *cipher, uint8_t derived[48], const uint8_t key[CLASSIC_KEY_SIZE],
                   const uint8_t salt[CLASSIC_SALT_SIZE])
{
    uint8_t input[DIGEST_SIZE + CLASSIC_KEY_SIZE + CLASSIC_SALT_SIZE];
    uint8_t *block = input;
    uint8_t stream[3 * DIGEST_SIZE];
    bool good = true;
    memcpy(input + DIGEST_SIZE, key, CLASSIC_KEY_SIZE);
    memcpy(input + DIGEST_SIZE + CLASSIC_KEY_SIZE, salt, CLASSIC_SALT_SIZE);
    for (size_t i = 0; i < 3 && good; i++) {
        size_t skip = i == 0 ? DIGEST_SIZE : 0; /* nothing goes before the first digest */
        good = sha1(cipher, block, input + skip, sizeof(input) - skip);
        for (size_t round = 1; round < DERIVE_ROUNDS && good; round++)
            good = sha1(cipher, block, block, DIGEST_SIZE);
        memcpy(stream + i * DIGEST_SIZE, block, DIGEST_SIZE);
    }
    memcpy(derived, stream, 48);
    OPENSSL_cleanse(input, sizeof(input));
    OPENSSL_cleanse(stream, sizeof(stream));
    return good;
}

void classic_derive(struct classic_cipher *cipher, uint8_t derived[48], const uint8_t key[CLASSIC_KEY_SIZE],
                    const uint8_t salt[CLASSIC_SALT_SIZE])
{
    if (!derive(cipher, derived, key, salt))
        memset(derived, 0, 48);
}

bool classic_seal(struct classic_cipher *cipher, struct buffer *out, const uint8_t key[CLASSIC_KEY_SIZE],
                  const uint8_t salt[CLASSIC_SALT_SIZE], struct bytes plain)
{
    if (plain.size > INT_MAX - CLASSIC_SALT_SIZE - AES_BLOCK)
        return false;
    size_t sealed = plain.size - plain.size % AES_BLOCK + AES_BLOCK;
    uint8_t *into = buffer_reserve(out, CLASSIC_SALT_SIZE + sealed);
    if (!into)
        return false;
    memcpy(into, salt, CLASSIC_SALT_SIZE);
    into += CLASSIC_SALT_SIZE;

    uint8_t derived[48];
    static const uint8_t nothing[1];
    int body = 0, tail = 0;
    bool good = derive(cipher, derived, key, salt) &&
                EVP_EncryptInit_ex2(cipher->seal, NULL, derived, derived + AES_KEY_SIZE, NULL) == 1 &&
                EVP_EncryptUpdate(cipher->seal, into, &body, plain.size ? plain.data : nothing,
                                  (int)plain.size) == 1 &&
                EVP_EncryptFinal_ex(cipher->seal, into + body, &tail) == 1;
    OPENSSL_cleanse(derived, sizeof(derived));
    if (!good)
        return false;
    buffer_commit(out, CLASSIC_SALT_SIZE + (size_t)body + (size_t)tail);
    return true;
}

bool classic_open(struct classic_cipher *cipher, struct buffer *out, const uint8_t key[CLASSIC_KEY_SIZE],
                  struct bytes packet)
{
    if (packet.size < CLASSIC_SALT_SIZE + AES_BLOCK || packet.size > INT_MAX ||
        (packet.size - CLASSIC_SALT_SIZE) % AES_BLOCK != 0)
        return false;
    size_t sealed = packet.size - CLASSIC_SALT_SIZE;
    uint8_t *into = buffer_reserve(out, sealed);
    if (!into)
        return false;

    uint8_t derived[48];
    int body = 0, tail = 0;
    bool good =
        derive(cipher, derived, key, packet.data) &&
        EVP_DecryptInit_ex2(cipher->open, NULL, derived, derived + AES_KEY_SIZE, NULL) == 1 &&
        EVP_DecryptUpdate(cipher->open, into, &body, packet.data + CLASSIC_SALT_SIZE, (int)sealed) == 1 &&
        EVP_DecryptFinal_ex(cipher->open, into + body, &tail) == 1;
    OPENSSL_cleanse(derived, sizeof(derived));
    if (!good) {
        OPENSSL_cleanse(into, sealed); /* nothing half decrypted stays behind the end of the buffer */
        return false;
    }
    buffer_commit(out, (size_t)body + (size_t)tail);
    return true;
}
