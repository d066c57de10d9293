/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_KEYRING_LOCATION_CERTIFICATE_H
#define RETROGATE_KEYRING_LOCATION_CERTIFICATE_H

#include <openssl/evp.h>

#include "base/buffer.h"
#include "base/error.h"

/* The X.509 side of a location certificate, whose signature field is an OpenPGP packet (protocol 11 §1.2,
 * §1.3; 10 §1.3). Pure. */

enum location_version { LOCATION_6_0, LOCATION_6_1, LOCATION_7_1 };

struct location_certificate {
    enum location_version version;
    uint8_t id[16];
    uint8_t issuer[8];      /* PGP id in the issuer's name */
    struct bytes signature; /* a view into the certificate */
    struct bytes tbs;       /* a view into the certificate */
    uint8_t tbs_sha1[20];
    struct bytes
        signed_data; /* what the OpenPGP signature is over: `tbs`, or a view of tbs_sha1 in this struct */
};

/* Takes exactly one certificate in strict DER, at most 16 KiB. `out` must not be copied: it may point into
 * itself. */
bool location_certificate_read(struct location_certificate *out, struct bytes der, struct error **error);

/* Appends the part to be signed of a 7.1 certificate for this TLS key and node id. */
bool location_tbs(struct buffer *out, EVP_PKEY *tls_key, const uint8_t node_id[8], struct error **error);
/* Appends the certificate made of that part and the OpenPGP signature packet. */
bool location_certificate_write(struct buffer *out, struct bytes tbs, struct bytes signature);

#endif
