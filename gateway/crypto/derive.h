/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CRYPTO_DERIVE_H
#define RETROGATE_CRYPTO_DERIVE_H

#include "base/bytes.h"

/* What both sealed protocols derive their keys with. On false nothing secret is left in `out`. */

enum { DERIVE_SIZE = 32 };

/* HMAC-SHA-256, which is HKDF-Extract too (key: the salt). */
bool derive_hmac(uint8_t out[DERIVE_SIZE], struct bytes key, struct bytes data);
/* HKDF-Expand (RFC 5869) with SHA-256 of a label and perhaps a hash, to at most one block. */
bool derive_expand(uint8_t *out, size_t size, struct bytes key, const char *label, struct bytes hash);

bool derive_public(uint8_t out[DERIVE_SIZE], const uint8_t secret[DERIVE_SIZE]);
/* X25519; false for a peer whose key gives all zeros. */
bool derive_shared(uint8_t out[DERIVE_SIZE], const uint8_t secret[DERIVE_SIZE],
                   const uint8_t peer[DERIVE_SIZE]);

#endif
