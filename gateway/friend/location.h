/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_LOCATION_H
#define RETROGATE_FRIEND_LOCATION_H

#include "base/bytes.h"
#include "base/error.h"

/* What a location certificate says of itself (protocol 11 §1.2, §1.4). Nothing here is proven: that takes the
 * check of the OpenPGP signature, or a pin. Pure. */
struct location {
    uint8_t id[16];
    uint8_t issuer[8];  /* PGP id in the issuer's CN */
    uint8_t sha256[32]; /* of the whole DER: what is pinned */
};

enum { LOCATION_DER_MAX = 16384 };

/* Takes exactly one certificate of version 6.0, 6.1 or 7.1 (by its serial). The error says what is wrong with
 * its form. */
bool location_parse(struct location *out, struct bytes der, struct error **error);

#endif
