/* SPDX-License-Identifier: ISC */
#include "crypto/sealed.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/derive.h"
#include "crypto/salt.h"

enum {
    DIGEST_SIZE = DERIVE_SIZE,
    SHARED_SIZE = DERIVE_SIZE,
    COUNTER_SIZE = 8,
    NONCE_SIZE = 12,
    TAG_SIZE = 16,
    OFFER_KEY_SIZE = 16,
    SIDE_BYTE = 0x20, /* of the opener's announcement; the answerer's is one more */
};

/* Fetching an algorithm or making a context costs more than sealing a line, so all are kept. */
struct sealed_cipher {
    EVP_CIPHER *chacha;
    EVP_CIPHER_CTX *seal, *open;
};

struct sealed_cipher *sealed_cipher_new(void)
{
    struct sealed_cipher *cipher = calloc(1, sizeof(*cipher));
    if (!cipher)
        return NULL;
    cipher->chacha = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    cipher->seal = EVP_CIPHER_CTX_new();
    cipher->open = EVP_CIPHER_CTX_new();
    if (!cipher->chacha || !cipher->seal || !cipher->open ||
        EVP_EncryptInit_ex2(cipher->seal, cipher->chacha, NULL, NULL, NULL) != 1 ||
        EVP_DecryptInit_ex2(cipher->open, cipher->chacha, NULL, NULL, NULL) != 1) {
        sealed_cipher_free(cipher);
        return NULL;
    }
    return cipher;
}

void sealed_cipher_free(struct sealed_cipher *cipher)
{
    if (!cipher)
        return;
    EVP_CIPHER_CTX_free(cipher->open);
    EVP_CIPHER_CTX_free(cipher->seal);
    EVP_CIPHER_free(cipher->chacha);
    free(cipher);
}

static void write_u64(uint8_t out[8], uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t read_be64(const uint8_t *at)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

bool sealed_ephemeral_new(struct sealed_ephemeral *out, enum sealed_side side,
                          const struct random_source *random)
{
    random->fill(random->state, out->secret, sizeof(out->secret));
    out->announcement[0] = (uint8_t)(SIDE_BYTE + side);
    bool good = derive_public(out->announcement + 1, out->secret);
    if (!good)
        OPENSSL_cleanse(out, sizeof(*out));
    return good;
}

/* T of §5. */
static bool transcript(uint8_t out[DIGEST_SIZE], const struct sealed_handshake *shake)
{
    static const uint8_t zeros[SEALED_CONTEXT_SIZE];
    static const char label[] = "retrogate sealed 2";
    const uint8_t roles[2] = {(uint8_t)shake->mode, (uint8_t)shake->opener};
    const uint8_t *own = shake->own->announcement;
    bool opens = shake->side == SEALED_OPENER;
    const struct bytes parts[] = {
        bytes_of(label, sizeof(label) - 1),
        bytes_of(roles, sizeof(roles)),
        bytes_of(shake->hash, sizeof(shake->hash)),
        bytes_of(shake->mode == SEALED_OFFER ? shake->context : zeros, SEALED_CONTEXT_SIZE),
        bytes_of(shake->guest, sizeof(shake->guest)),
        bytes_of(shake->inviter, sizeof(shake->inviter)),
        bytes_of(opens ? own : shake->peer, SEALED_ANNOUNCEMENT_SIZE),
        bytes_of(opens ? shake->peer : own, SEALED_ANNOUNCEMENT_SIZE),
    };
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool good = digest && EVP_DigestInit_ex2(digest, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < sizeof(parts) / sizeof(parts[0]); i++)
        good = EVP_DigestUpdate(digest, parts[i].data, parts[i].size) == 1;
    good = good && EVP_DigestFinal_ex(digest, out, NULL) == 1;
    EVP_MD_CTX_free(digest);
    return good;
}

static bool direction(struct sealed_direction *out, struct bytes prk, enum sealed_side from)
{
    static const char *const labels[][2] = {
        [SEALED_OPENER] = {"retrogate sealed key o", "retrogate sealed mask o"},
        [SEALED_ANSWERER] = {"retrogate sealed key a", "retrogate sealed mask a"},
    };
    return derive_expand(out->key, sizeof(out->key), prk, labels[from][0], bytes_of(NULL, 0)) &&
           derive_expand(out->mask, sizeof(out->mask), prk, labels[from][1], bytes_of(NULL, 0));
}

static bool schedule(struct sealed_keys *out, struct bytes prk, enum sealed_side own, enum sealed_side other)
{
    return direction(&out->own, prk, own) && direction(&out->peer, prk, other) &&
           derive_expand(out->root, sizeof(out->root), prk, "retrogate sealed root", bytes_of(NULL, 0));
}

bool sealed_derive(struct sealed_keys *out, const struct sealed_handshake *handshake)
{
    enum sealed_side other = handshake->side == SEALED_OPENER ? SEALED_ANSWERER : SEALED_OPENER;
    struct bytes secret = handshake->secret;
    OPENSSL_cleanse(out, sizeof(*out));
    if (secret.size != (handshake->mode == SEALED_OFFER ? OFFER_KEY_SIZE : SEALED_ROOT_SIZE) ||
        handshake->own->announcement[0] != SIDE_BYTE + handshake->side ||
        handshake->peer[0] != SIDE_BYTE + other)
        return false;

    uint8_t salt[DIGEST_SIZE], prk[DIGEST_SIZE];
    uint8_t material[SEALED_ROOT_SIZE + SHARED_SIZE]; /* K or S, then Z */
    memcpy(material, secret.data, secret.size);
    bool good =
        transcript(salt, handshake) &&
        derive_shared(material + secret.size, handshake->own->secret, handshake->peer + 1) &&
        derive_hmac(prk, bytes_of(salt, sizeof(salt)), bytes_of(material, secret.size + SHARED_SIZE)) &&
        schedule(out, bytes_of(prk, sizeof(prk)), handshake->side, other);
    OPENSSL_cleanse(material, sizeof(material));
    OPENSSL_cleanse(prk, sizeof(prk));
    if (!good)
        OPENSSL_cleanse(out, sizeof(*out));
    return good;
}

static void nonce_of(uint8_t nonce[NONCE_SIZE], uint64_t counter)
{
    memset(nonce, 0, NONCE_SIZE - COUNTER_SIZE);
    write_u64(nonce + NONCE_SIZE - COUNTER_SIZE, counter);
}

/* A kept context would keep the last key too, beyond the time when its owner wipes it. */
static void forget_key(EVP_CIPHER_CTX *context)
{
    static const uint8_t nothing[SEALED_KEY_SIZE];
    EVP_CipherInit_ex2(context, NULL, nothing, NULL, -1, NULL);
}

bool sealed_frame_seal(struct sealed_cipher *cipher, struct buffer *out, const struct sealed_direction *own,
                       uint64_t counter, struct bytes plain)
{
    if (plain.size > INT_MAX - SEALED_OVERHEAD)
        return false;
    uint8_t *into = buffer_reserve(out, plain.size + SEALED_OVERHEAD);
    if (!into)
        return false;
    uint8_t nonce[NONCE_SIZE];
    uint8_t *sealed = into + COUNTER_SIZE, *tag = sealed + plain.size;
    int size = 0, tail = 0;
    nonce_of(nonce, counter);
    bool good = EVP_EncryptInit_ex2(cipher->seal, NULL, own->key, nonce, NULL) == 1 &&
                EVP_EncryptUpdate(cipher->seal, sealed, &size, plain.data, (int)plain.size) == 1 &&
                EVP_EncryptFinal_ex(cipher->seal, sealed + size, &tail) == 1 &&
                EVP_CIPHER_CTX_ctrl(cipher->seal, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1;
    forget_key(cipher->seal);
    if (!good)
        return false;
    write_u64(into, counter ^ siphash24(own->mask, tag, TAG_SIZE));
    buffer_commit(out, plain.size + SEALED_OVERHEAD);
    return true;
}

bool sealed_frame_open(struct sealed_cipher *cipher, struct buffer *out, const struct sealed_direction *peer,
                       uint64_t *counter, struct bytes frame)
{
    if (frame.size < SEALED_OVERHEAD || frame.size > INT_MAX)
        return false;
    size_t plain = frame.size - SEALED_OVERHEAD;
    uint8_t *into = buffer_reserve(out, plain);
    if (!into)
        return false;
    uint8_t nonce[NONCE_SIZE], tag[TAG_SIZE];
    int size = 0, tail = 0;
    memcpy(tag, frame.data + frame.size - TAG_SIZE, TAG_SIZE); /* the call below does not promise const */
    uint64_t number = read_be64(frame.data) ^ siphash24(peer->mask, tag, TAG_SIZE);
    nonce_of(nonce, number);
    bool good = EVP_DecryptInit_ex2(cipher->open, NULL, peer->key, nonce, NULL) == 1 &&
                EVP_CIPHER_CTX_ctrl(cipher->open, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1 &&
                EVP_DecryptUpdate(cipher->open, into, &size, frame.data + COUNTER_SIZE, (int)plain) == 1 &&
                EVP_DecryptFinal_ex(cipher->open, into + size, &tail) == 1;
    forget_key(cipher->open);
    if (!good) {
        OPENSSL_cleanse(into, plain); /* nothing unchecked stays behind the end of the buffer */
        return false;
    }
    *counter = number;
    buffer_commit(out, plain);
    return true;
}

bool sealed_announce_key(uint8_t out[16], const uint8_t root[SEALED_ROOT_SIZE],
                         const uint8_t hash[SEALED_HASH_SIZE])
{
    return derive_expand(out, 16, bytes_of(root, SEALED_ROOT_SIZE), "retrogate sealed announce",
                         bytes_of(hash, SEALED_HASH_SIZE));
}

bool sealed_claim(uint8_t out[SEALED_CLAIM_SIZE], const uint8_t secret[16])
{
    return derive_expand(out, SEALED_CLAIM_SIZE, bytes_of(secret, 16), "retrogate sealed claim",
                         bytes_of(NULL, 0));
}

bool sealed_rendezvous(uint8_t out[SEALED_HASH_SIZE], const uint8_t root[SEALED_ROOT_SIZE], uint64_t day,
                       enum sealed_party serving)
{
    static const char label[] = "retrogate rdv";
    enum { LABEL_SIZE = sizeof(label) - 1 };
    uint8_t input[LABEL_SIZE + 9], digest[DIGEST_SIZE];
    memcpy(input, label, LABEL_SIZE);
    write_u64(input + LABEL_SIZE, day);
    input[LABEL_SIZE + 8] = (uint8_t)serving;
    if (!derive_hmac(digest, bytes_of(root, SEALED_ROOT_SIZE), bytes_of(input, sizeof(input))))
        return false;
    memcpy(out, digest, SEALED_HASH_SIZE);
    return true;
}
