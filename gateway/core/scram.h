/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_SCRAM_H
#define RETROGATE_CORE_SCRAM_H

#include "core/state.h"

enum { SCRAM_SALT_SIZE = 16, SCRAM_ITERATIONS = 4096 };

/* What is kept of a password for SCRAM-SHA-256 (RFC 5803). */
struct scram_verifier {
    uint8_t salt[SCRAM_SALT_SIZE], stored_key[32], server_key[32];
};
bool scram_verifier_make(struct scram_verifier *verifier, const char *password,
                         const uint8_t salt[SCRAM_SALT_SIZE]);
/* "SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>", in base64. */
bool scram_verifier_write(char *out, size_t size, const struct scram_verifier *verifier);
bool scram_verifier_read(struct scram_verifier *verifier, const char *text);

/* Whether the client's proof for these three messages was made with the password, in constant time; and the
 * server's own. */
bool scram_proof_fits(const struct scram_verifier *verifier, struct bytes auth_message,
                      const uint8_t proof[32]);
bool scram_signature(uint8_t signature[32], const struct scram_verifier *verifier, struct bytes auth_message);

/* The salt of a new app password. The server tells one salt for a name, before it knows which of the
 * account's app passwords the client has: so all have the same, as far as the newest does. Before there is
 * any, it is what is told of names that do not exist. */
bool scram_salt(const struct account *account, uint8_t salt[SCRAM_SALT_SIZE]);

#endif
