/* SPDX-License-Identifier: ISC */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/classic.h"

/* Classic packets sealed and opened per second, next to OpenSSL called directly for the same bytes: once with
 * its own derivation (EVP_BytesToKey) and once with a kept digest context; both with kept cipher contexts,
 * without checks or buffers. */

enum { ROUNDS = 5, BATCH = 20000 };

static const uint8_t key[CLASSIC_KEY_SIZE] = {1, 2, 3};
static uint8_t salt[CLASSIC_SALT_SIZE];
static uint8_t plain[1024], sealed[2048], opened[2048];
static size_t plain_size, sealed_size;

static struct classic_cipher *cipher;
static struct buffer out;
static EVP_CIPHER_CTX *raw_seal, *raw_open;
static EVP_MD_CTX *raw_digest;

static void ours_seal(void)
{
    buffer_clear(&out);
    if (!classic_seal(cipher, &out, key, salt, bytes_of(plain, plain_size)))
        abort();
}

static void ours_open(void)
{
    buffer_clear(&out);
    if (!classic_open(cipher, &out, key, bytes_of(sealed, sealed_size)))
        abort();
}

static void derive_library(uint8_t derived[48])
{
    EVP_BytesToKey(EVP_aes_256_cbc(), EVP_sha1(), salt, key, sizeof(key), 5, derived, derived + 32);
}

static void derive_kept(uint8_t derived[48])
{
    uint8_t block[44], all[60];
    memcpy(block + 20, key, 16);
    memcpy(block + 36, salt, 8);
    for (int i = 0; i < 3; i++) {
        EVP_DigestInit_ex2(raw_digest, NULL, NULL);
        EVP_DigestUpdate(raw_digest, block + (i ? 0 : 20), i ? 44 : 24);
        EVP_DigestFinal_ex(raw_digest, block, NULL);
        for (int round = 1; round < 5; round++) {
            EVP_DigestInit_ex2(raw_digest, NULL, NULL);
            EVP_DigestUpdate(raw_digest, block, 20);
            EVP_DigestFinal_ex(raw_digest, block, NULL);
        }
        memcpy(all + 20 * i, block, 20);
    }
    memcpy(derived, all, 48);
}

static void (*derive)(uint8_t derived[48]);

static void raw_seals(void)
{
    uint8_t derived[48];
    int size, tail;
    derive(derived);
    memcpy(opened, salt, 8);
    EVP_EncryptInit_ex2(raw_seal, NULL, derived, derived + 32, NULL);
    EVP_EncryptUpdate(raw_seal, opened + 8, &size, plain, (int)plain_size);
    EVP_EncryptFinal_ex(raw_seal, opened + 8 + size, &tail);
}

static void raw_opens(void)
{
    uint8_t derived[48];
    int size, tail;
    derive(derived);
    EVP_DecryptInit_ex2(raw_open, NULL, derived, derived + 32, NULL);
    EVP_DecryptUpdate(raw_open, opened, &size, sealed + 8, (int)(sealed_size - 8));
    EVP_DecryptFinal_ex(raw_open, opened + size, &tail);
}

static double rate(void (*act)(void))
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < BATCH; i++)
        act();
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    return BATCH / seconds;
}

/* Interleaved, the best of each, so that what else the machine does falls out. */
static void compare(const char *name, void (*ours)(void), void (*raw)(void))
{
    double best[3] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        double rates[3] = {rate(ours)};
        derive = derive_library;
        rates[1] = rate(raw);
        derive = derive_kept;
        rates[2] = rate(raw);
        for (int n = 0; n < 3; n++)
            best[n] = rates[n] > best[n] ? rates[n] : best[n];
    }
    printf("%-5s %4zu B: %8.0f/s; OpenSSL with EVP_BytesToKey %8.0f/s, ratio %.2f; with kept contexts "
           "%8.0f/s, ratio %.2f\n",
           name, plain_size, best[0], best[1], best[0] / best[1], best[2], best[0] / best[2]);
}

int main(void)
{
    static const size_t sizes[] = {256, 1024};
    cipher = classic_cipher_new();
    out = buffer_make(sizeof(sealed));
    raw_seal = EVP_CIPHER_CTX_new();
    raw_open = EVP_CIPHER_CTX_new();
    raw_digest = EVP_MD_CTX_new();
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    EVP_MD *sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    if (!cipher || !aes || !sha1)
        return 1;
    EVP_EncryptInit_ex2(raw_seal, aes, NULL, NULL, NULL);
    EVP_DecryptInit_ex2(raw_open, aes, NULL, NULL, NULL);
    EVP_DigestInit_ex2(raw_digest, sha1, NULL);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        plain_size = sizes[i];
        ours_seal();
        sealed_size = buffer_size(&out);
        memcpy(sealed, buffer_view(&out).data, sealed_size);
        compare("seal", ours_seal, raw_seals);
        compare("open", ours_open, raw_opens);
    }
    EVP_MD_free(sha1);
    EVP_CIPHER_free(aes);
    EVP_MD_CTX_free(raw_digest);
    EVP_CIPHER_CTX_free(raw_seal);
    EVP_CIPHER_CTX_free(raw_open);
    buffer_free(&out);
    classic_cipher_free(cipher);
    return 0;
}
