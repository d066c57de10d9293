/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CRYPTO_OPENPGP_PACKET_H
#define RETROGATE_CRYPTO_OPENPGP_PACKET_H

#include "base/buffer.h"

/* Packets, numbers and signature subpackets of OpenPGP (RFC 4880 §3.2, §4.2, §5.2.3), for the files of
 * openpgp.h. */

enum openpgp_tag {
    TAG_SESSION_KEY = 1, /* public-key encrypted */
    TAG_SIGNATURE = 2,
    TAG_SECRET_KEY = 5,
    TAG_PUBLIC_KEY = 6,
    TAG_SECRET_SUBKEY = 7,
    TAG_LITERAL = 11,
    TAG_USER_ID = 13,
    TAG_PUBLIC_SUBKEY = 14,
    TAG_USER_ATTRIBUTE = 17,
    TAG_PROTECTED_DATA = 18, /* encrypted, with modification detection */
    TAG_MODIFICATION_CODE = 19,
};

struct packet {
    uint8_t tag;
    struct bytes body;
    struct bytes whole; /* with its header */
};

/* Takes the next packet, old or new format, definite length. False (and reader->failed) on anything else. */
bool packet_read(struct reader *reader, struct packet *out);
/* New-format header. */
bool packet_header(struct buffer *out, uint8_t tag, size_t size);
size_t packet_header_size(size_t size);
/* Old-format header with the shortest length; tag below 16, size below 65536. What GnuPG and the 2013 code
 * write for keys. */
bool packet_header_old(struct buffer *out, uint8_t tag, size_t size);

/* A big-endian number without leading zeros, and its bit count. Fails (reader->failed) when the count is not
 * exact. */
struct bytes mpi_read(struct reader *reader, unsigned *bits);
bool mpi_write(struct buffer *out, struct bytes number); /* strips leading zeros */

enum signature_subpacket {
    SUBPACKET_CREATED = 2,
    SUBPACKET_EXPIRES = 3,
    SUBPACKET_ISSUER = 16,
    SUBPACKET_NOTATION = 20,
    SUBPACKET_PRIMARY_USER_ID = 25,
    SUBPACKET_KEY_FLAGS = 27,
    SUBPACKET_ISSUER_FINGERPRINT = 33,
};

struct subpacket {
    uint8_t type; /* without the critical bit */
    bool critical;
    struct bytes body;
};
/* False at the end, or (reader->failed) on a bad length. */
bool subpacket_read(struct reader *reader, struct subpacket *out);

/* The parts of a signature packet's body, v4; other versions only fill `version`. */
struct signature {
    uint8_t version, type, algorithm, hash;
    struct bytes hashed, unhashed;
    struct bytes rest; /* two bytes of the digest, then the numbers */
    uint8_t issuer[8]; /* zero when absent */
    bool has_created;
    uint32_t created, expires;
    bool has_flags;
    uint8_t flags;
};
/* False on lengths that do not fit, or a time given twice. */
bool signature_read(struct signature *out, struct bytes body);

#endif
