/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CRYPTO_VAULT_H
#define RETROGATE_CRYPTO_VAULT_H

#include "base/buffer.h"
#include "base/source.h"

/* Secrets at rest: AES-256-GCM under a 32-byte key, random 12-byte nonce in front, tag behind. `label` (what
 * the secret is, and whose) is authenticated, so that one wrapped secret cannot be put in another's place. */
enum { VAULT_KEY_SIZE = 32, VAULT_OVERHEAD = 28 };

/* Appends secret.size + VAULT_OVERHEAD bytes. False when `out` is full or OpenSSL fails. */
bool vault_wrap(struct buffer *out, const uint8_t key[VAULT_KEY_SIZE], const char *label, struct bytes secret,
                const struct random_source *random);
/* False when the key, the label or a byte is wrong. `out->secret` should be set. */
bool vault_unwrap(struct buffer *out, const uint8_t key[VAULT_KEY_SIZE], const char *label,
                  struct bytes wrapped);

#endif
