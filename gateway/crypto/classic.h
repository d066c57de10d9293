/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CRYPTO_CLASSIC_H
#define RETROGATE_CRYPTO_CLASSIC_H

#include "base/buffer.h"

/* The 2013 chat packet (protocol 03 §2): 8 bytes of salt in clear, then AES-256-CBC with PKCS#7 padding under
 * a key and an initialisation vector derived from a 16-byte key and the salt (EVP_BytesToKey, SHA-1, 5
 * rounds). No authentication. A context keeps the OpenSSL objects; one context serves one thread and any
 * number of keys. */

enum { CLASSIC_KEY_SIZE = 16, CLASSIC_SALT_SIZE = 8 };

struct classic_cipher;

struct classic_cipher *classic_cipher_new(void); /* NULL without memory */
void classic_cipher_free(struct classic_cipher *cipher);

/* Appends salt and ciphertext. False when `out` is full. */
bool classic_seal(struct classic_cipher *cipher, struct buffer *out, const uint8_t key[CLASSIC_KEY_SIZE],
                  const uint8_t salt[CLASSIC_SALT_SIZE], struct bytes plain);
/* Appends the plain text of a packet. False on a length that is not 8 + 16k (k >= 1), bad padding, or no room
 * in `out` for packet.size - 8 bytes, with the contents of `out` as they were. */
bool classic_open(struct classic_cipher *cipher, struct buffer *out, const uint8_t key[CLASSIC_KEY_SIZE],
                  struct bytes packet);

/* Key (32) and initialisation vector (16) for one packet; all zero if OpenSSL fails. */
void classic_derive(struct classic_cipher *cipher, uint8_t derived[48], const uint8_t key[CLASSIC_KEY_SIZE],
                    const uint8_t salt[CLASSIC_SALT_SIZE]);

#endif
