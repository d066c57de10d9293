/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CRYPTO_OPENPGP_RSA_H
#define RETROGATE_CRYPTO_OPENPGP_RSA_H

#include <openssl/evp.h>

#include "crypto/openpgp.h"

/* The key for OpenSSL, freed by the caller; NULL when it cannot be made. */
EVP_PKEY *openpgp_rsa(const struct openpgp_key *key);

#endif
