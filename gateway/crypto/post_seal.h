/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CRYPTO_POST_SEAL_H
#define RETROGATE_CRYPTO_POST_SEAL_H

#include "base/buffer.h"
#include "base/source.h"

/* The cryptography of post tunnels (distant/POSTS.md §2, §4, §5): X25519, HKDF-SHA-256, ChaCha20-Poly1305.
 * Pure. Functions that return false leave nothing secret behind. */

struct post_pair {
    uint8_t secret[32], public_key[32];
};
bool post_pair_new(struct post_pair *out, const struct random_source *random);

/* P of a sealed route, from its root. */
bool post_secret(uint8_t out[32], const uint8_t root[32]);

struct post_agreement {
    bool sender;
    const struct post_pair *own;
    const uint8_t *peer; /* 32 bytes */
    uint8_t hash[20], recipient[20];
    const uint8_t *secret; /* P, 32 bytes; NULL: not a private hash */
};
struct post_keys {
    uint8_t forth[32], back[32];
};
bool post_agree(struct post_keys *out, const struct post_agreement *agreement);

enum { POST_TAG_SIZE = 16 };
/* Appends ciphertext and tag, or the plaintext; false with `out` as it was. `ephemeral`: E. */
bool post_seal(struct buffer *out, const uint8_t key[32], const uint8_t ephemeral[32], uint64_t counter,
               struct bytes plain);
bool post_unseal(struct buffer *out, const uint8_t key[32], const uint8_t ephemeral[32], uint64_t counter,
                 struct bytes sealed);

/* The hidden greeting. */
bool post_hide(struct buffer *out, const uint8_t secret[32], const uint8_t nonce[12], const uint8_t hash[20],
               struct bytes plain);
bool post_unhide(struct buffer *out, const uint8_t secret[32], const uint8_t nonce[12],
                 const uint8_t hash[20], struct bytes hidden);

#endif
