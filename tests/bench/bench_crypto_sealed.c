/* SPDX-License-Identifier: ISC */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/sealed.h"

/* Frames of sealed chat sealed and opened per second, next to ChaCha20-Poly1305 of OpenSSL called directly
 * for the same bytes with a kept context: key, nonce, text and tag of each packet, without mask, checks or
 * buffers. */

enum { ROUNDS = 9, BATCH_BYTES = 1 << 23, BATCH_MOST = 20000, LARGEST = 66576 };

static const struct sealed_direction direction = {.key = {1, 2, 3}, .mask = {4, 5, 6}};
static uint8_t plain[LARGEST], frame[LARGEST + SEALED_OVERHEAD], into[LARGEST + SEALED_OVERHEAD];
static size_t plain_size;
static uint64_t counter;

static struct sealed_cipher *cipher;
static struct buffer out;
static EVP_CIPHER_CTX *raw_seal, *raw_open;

static void require(bool good)
{
    if (!good)
        abort();
}

static void ours_seal(void)
{
    buffer_clear(&out);
    require(sealed_frame_seal(cipher, &out, &direction, counter++, bytes_of(plain, plain_size)));
}

static void ours_open(void)
{
    uint64_t found;
    buffer_clear(&out);
    require(
        sealed_frame_open(cipher, &out, &direction, &found, bytes_of(frame, plain_size + SEALED_OVERHEAD)));
}

static void nonce_of(uint8_t nonce[12])
{
    memset(nonce, 0, 4);
    for (size_t i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(counter >> (56 - 8 * i));
}

static void raw_seals(void)
{
    uint8_t nonce[12];
    int size, tail;
    counter++;
    nonce_of(nonce);
    require(EVP_EncryptInit_ex2(raw_seal, NULL, direction.key, nonce, NULL) == 1 &&
            EVP_EncryptUpdate(raw_seal, into, &size, plain, (int)plain_size) == 1 &&
            EVP_EncryptFinal_ex(raw_seal, into + size, &tail) == 1 &&
            EVP_CIPHER_CTX_ctrl(raw_seal, EVP_CTRL_AEAD_GET_TAG, 16, into + size) == 1);
}

static void raw_opens(void)
{
    uint8_t nonce[12];
    int size, tail;
    nonce_of(nonce);
    require(EVP_DecryptInit_ex2(raw_open, NULL, direction.key, nonce, NULL) == 1 &&
            EVP_CIPHER_CTX_ctrl(raw_open, EVP_CTRL_AEAD_SET_TAG, 16, frame + 8 + plain_size) == 1 &&
            EVP_DecryptUpdate(raw_open, into, &size, frame + 8, (int)plain_size) == 1 &&
            EVP_DecryptFinal_ex(raw_open, into + size, &tail) == 1);
}

static double rate(void (*act)(void))
{
    size_t batch = BATCH_BYTES / plain_size < BATCH_MOST ? BATCH_BYTES / plain_size : BATCH_MOST;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t i = 0; i < batch; i++)
        act();
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    return (double)batch / seconds;
}

/* Interleaved, the best of each, so that what else the machine does falls out. */
static void compare(const char *name, void (*ours)(void), void (*raw)(void))
{
    double best[2] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        double rates[2] = {rate(ours), rate(raw)};
        for (int n = 0; n < 2; n++)
            best[n] = rates[n] > best[n] ? rates[n] : best[n];
    }
    printf("%-4s %5zu B: %8.0f/s, %5.0f MB/s; OpenSSL %8.0f/s, ratio %.2f\n", name, plain_size, best[0],
           best[0] * (double)plain_size / 1e6, best[1], best[0] / best[1]);
}

/* What a tunnel costs once: both keys of one side, then the other's taken. */
static void handshake(void)
{
    struct sealed_ephemeral own;
    struct sealed_keys keys;
    static uint8_t peer[SEALED_ANNOUNCEMENT_SIZE] = {0x21, 9};
    const uint8_t secret[SEALED_ROOT_SIZE] = {1};
    require(sealed_ephemeral_new(&own, SEALED_OPENER, &random_system));
    const struct sealed_handshake shake = {.mode = SEALED_ROOTED,
                                           .side = SEALED_OPENER,
                                           .secret = bytes_of(secret, sizeof(secret)),
                                           .own = &own,
                                           .peer = peer};
    require(sealed_derive(&keys, &shake));
}

static void hash(void)
{
    uint8_t found[SEALED_HASH_SIZE];
    require(sealed_rendezvous(found, direction.key, counter++, SEALED_GUEST));
}

int main(void)
{
    static const size_t sizes[] = {16, 272, 1040, 16400, LARGEST};
    cipher = sealed_cipher_new();
    out = buffer_make(sizeof(frame));
    raw_seal = EVP_CIPHER_CTX_new();
    raw_open = EVP_CIPHER_CTX_new();
    EVP_CIPHER *chacha = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    require(cipher && raw_seal && raw_open && chacha &&
            EVP_EncryptInit_ex2(raw_seal, chacha, NULL, NULL, NULL) == 1 &&
            EVP_DecryptInit_ex2(raw_open, chacha, NULL, NULL, NULL) == 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        plain_size = sizes[i];
        counter = UINT64_C(1) << 40;
        ours_seal();
        counter--;
        memcpy(frame, buffer_view(&out).data, buffer_size(&out));
        compare("open", ours_open, raw_opens);
        compare("seal", ours_seal, raw_seals);
    }
    plain_size = BATCH_BYTES / 1000;
    printf("handshakes %.0f/s, rendezvous hashes %.0f/s\n", rate(handshake), rate(hash));
    EVP_CIPHER_free(chacha);
    EVP_CIPHER_CTX_free(raw_seal);
    EVP_CIPHER_CTX_free(raw_open);
    buffer_free(&out);
    sealed_cipher_free(cipher);
    return 0;
}
