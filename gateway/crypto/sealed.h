/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CRYPTO_SEALED_H
#define RETROGATE_CRYPTO_SEALED_H

#include "base/buffer.h"
#include "base/source.h"

/* The cryptography of sealed chat (distant/SEALED.md §3, §5, §6, §8): X25519, HKDF-SHA-256,
 * ChaCha20-Poly1305, SipHash-2-4. Pure; a context keeps the OpenSSL objects, serves one thread and any number
 * of keys. Functions that return false leave nothing secret behind. */

enum {
    SEALED_EPHEMERAL_SIZE = 32,
    SEALED_ANNOUNCEMENT_SIZE = 33,
    SEALED_KEY_SIZE = 32,
    SEALED_MASK_SIZE = 16,
    SEALED_ROOT_SIZE = 32,
    SEALED_CONTEXT_SIZE = 32,
    SEALED_CLAIM_SIZE = 32,
    SEALED_HASH_SIZE = 20,
    SEALED_OVERHEAD = 24, /* of a frame: masked counter and tag */
};

enum sealed_mode { SEALED_OFFER, SEALED_ROOTED };
enum sealed_party { SEALED_GUEST, SEALED_INVITER };
enum sealed_side { SEALED_OPENER, SEALED_ANSWERER };

struct sealed_cipher;
struct sealed_cipher *sealed_cipher_new(void); /* NULL without memory */
void sealed_cipher_free(struct sealed_cipher *cipher);

struct sealed_ephemeral {
    uint8_t secret[32];
    uint8_t announcement[SEALED_ANNOUNCEMENT_SIZE]; /* side and public key */
};
/* Secret from the source, so that tests repeat. */
bool sealed_ephemeral_new(struct sealed_ephemeral *out, enum sealed_side side,
                          const struct random_source *random);

struct sealed_handshake {
    enum sealed_mode mode;
    enum sealed_party opener;
    enum sealed_side side; /* ours */
    uint8_t hash[SEALED_HASH_SIZE];
    uint8_t context[SEALED_CONTEXT_SIZE]; /* C; root mode: not looked at, zeros take its place */
    uint8_t guest[20], inviter[20];       /* fingerprints */
    struct bytes secret;                  /* K (16) or S (32) */
    const struct sealed_ephemeral *own;
    const uint8_t *peer; /* its announcement, SEALED_ANNOUNCEMENT_SIZE bytes */
};

struct sealed_direction {
    uint8_t key[SEALED_KEY_SIZE];
    uint8_t mask[SEALED_MASK_SIZE];
};
struct sealed_keys {
    struct sealed_direction own, peer;
    uint8_t root[SEALED_ROOT_SIZE];
};
/* §5. False when an announcement's first byte names the wrong side, the secret is not of the mode's size, or
 * the peer's key gives the all-zero secret; `out` is wiped then. */
bool sealed_derive(struct sealed_keys *out, const struct sealed_handshake *handshake);

/* §6. Appends 8 + plain.size + 16 bytes. `plain` has 16 + 256 k bytes; that is the caller's affair. */
bool sealed_frame_seal(struct sealed_cipher *cipher, struct buffer *out, const struct sealed_direction *own,
                       uint64_t counter, struct bytes plain);
/* Appends the plaintext. False, with `out` as it was, when it is too short or the tag is wrong. */
bool sealed_frame_open(struct sealed_cipher *cipher, struct buffer *out, const struct sealed_direction *peer,
                       uint64_t *counter, struct bytes frame);

/* The key of the classic packet that carries an announcement in root mode (§5). */
bool sealed_announce_key(uint8_t out[16], const uint8_t root[SEALED_ROOT_SIZE],
                         const uint8_t hash[SEALED_HASH_SIZE]);
/* N of §3, from the secret that the guest drew when it opened the invite. */
bool sealed_claim(uint8_t out[SEALED_CLAIM_SIZE], const uint8_t secret[16]);
/* §8. day: Unix seconds / 86400, rounded down. */
bool sealed_rendezvous(uint8_t out[SEALED_HASH_SIZE], const uint8_t root[SEALED_ROOT_SIZE], uint64_t day,
                       enum sealed_party serving);

#endif
