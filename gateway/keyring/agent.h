/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_KEYRING_AGENT_H
#define RETROGATE_KEYRING_AGENT_H

#include "base/buffer.h"
#include "base/error.h"

/* A conversation with the gpg-agent of one home (the Assuan protocol). GPGME's own Assuan engine cannot
 * answer the agent's question for the passphrase, so this speaks for itself: lines of at most 1000 bytes,
 * replies OK, ERR, S, D, INQUIRE. */
struct agent;

/* Starts the agent unless it runs. `home` is the path of the home. ERROR_UNAVAILABLE after about a second of
 * attempts. */
struct agent *agent_open(const char *home, struct error **error);
void agent_close(struct agent *agent);

/* Appends the RSA value (PKCS#1 v1.5, SHA-256) that the key makes over this digest. */
bool agent_sign(struct agent *agent, struct buffer *rsa_value, const char keygrip[41],
                const uint8_t digest[32], struct bytes passphrase, struct error **error);
/* Reads the key and stores it under the same passphrase. */
bool agent_store_again(struct agent *agent, const char keygrip[41], struct bytes passphrase,
                       struct error **error);

/* Ends the agent of a home, if one runs, without starting it first; returns when its socket is gone, after
 * two seconds at most. */
void agent_end(const char *home);

#endif
