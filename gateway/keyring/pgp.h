/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_KEYRING_PGP_H
#define RETROGATE_KEYRING_PGP_H

#include "crypto/openpgp.h"
#include "keyring/home.h"

/* What GnuPG does, for the worker. Everything foreign was screened before it comes here. `home` is a path. */

typedef void pgp_progress_fn(void *arg, const char *what);

/* Once, before anything else. */
bool pgp_initialise(struct error **error);

/* Makes an RSA-3072 key in an empty home: one primary that never expires, to sign and certify, and with
 * `encrypt` to encrypt. */
bool pgp_generate(const char *home, const char *user_id, bool encrypt, struct bytes passphrase,
                  pgp_progress_fn *progress, void *arg, uint8_t fingerprint[20], struct error **error);
/* Takes a secret block with one key into an empty home, as it is protected there. */
bool pgp_import(const char *home, struct bytes block, struct error **error);
/* Appends the public block of the home's key. */
bool pgp_export(const char *home, const uint8_t fingerprint[20], struct buffer *block, struct error **error);
/* `plain` becomes the text of a screened message, which must hold exactly one literal packet; more than its
 * ceiling is an error. It is empty before. */
bool pgp_decrypt(const char *home, struct bytes message, struct bytes passphrase, struct buffer *plain,
                 struct error **error);

/* Is the key in this block (which the verify home then holds) usable: a valid self-signature, not revoked or
 * expired? `expires` (may be NULL) becomes the key's end, Unix seconds; 0: never. */
bool pgp_check_key(const char *verify_home, struct bytes block, const uint8_t fingerprint[20],
                   int64_t *expires, struct error **error);
/* Is this the block's primary key's signature over the document? An expired signature passes: its times are
 * in its screening. ERROR_DENIED says which check failed. */
bool pgp_verify(const char *verify_home, struct bytes block, const uint8_t fingerprint[20],
                struct bytes signature, struct bytes document, struct error **error);

/* Appends a signature packet over the document, made by the home's agent with this key. */
bool pgp_sign(const char *home, const struct openpgp_key *key, struct bytes passphrase,
              const struct openpgp_signing *signing, struct bytes document, struct buffer *packet,
              struct error **error);
/* Does this passphrase open the home's key? GPGME does not tell a wrong one from a damaged message. */
bool pgp_check_passphrase(const char *home, const struct openpgp_key *key, struct bytes passphrase,
                          struct error **error);
/* Appends the portable block of the home's key (protocol 10 §1.6). */
bool pgp_portable_block(const char *home, const struct openpgp_key *key, uint32_t now, uint8_t key_flags,
                        struct bytes passphrase, struct buffer *block, struct error **error);
/* Stores an imported key anew, under the same passphrase, as this home's agent would have. */
bool pgp_store_again(const char *home, const struct openpgp_key *key, struct bytes passphrase,
                     struct error **error);

#endif
