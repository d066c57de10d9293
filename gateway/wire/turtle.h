/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_TURTLE_H
#define RETROGATE_WIRE_TURTLE_H

#include "wire/item.h"

/* Items of the turtle router, service 0x0014. Two generations: 0.5 writes the hash of an open-tunnel item as
 * TLV text (protocol 02 §2), 0.6 as 20 raw bytes (protocol 21 §1). Everything else that we use is the same in
 * both. */

enum turtle_generation { TURTLE_06, TURTLE_05 };

enum turtle_subtype {
    TURTLE_SEARCH = 0x01,
    TURTLE_SEARCH_RESULT = 0x02,
    TURTLE_OPEN = 0x03,
    TURTLE_OK = 0x04,
    TURTLE_FILE_REQUEST = 0x07,
    TURTLE_FILE_DATA = 0x08,
    TURTLE_SEARCH_REGEXP = 0x09,
    TURTLE_DATA = 0x0a,
    TURTLE_SEARCH_GENERIC = 0x0b,
    TURTLE_SEARCH_GENERIC_RESULT = 0x0c,
    TURTLE_FILE_MAP = 0x10,
    TURTLE_FILE_MAP_REQUEST = 0x11,
    TURTLE_FILE_CRC_MAP = 0x12,         /* 0.5 only */
    TURTLE_FILE_CRC_MAP_REQUEST = 0x13, /* 0.5 only */
    TURTLE_CHUNK_CRC = 0x14,
    TURTLE_CHUNK_CRC_REQUEST = 0x15,
    TURTLE_FAST_DATA = 0x16, /* 0.6 only */
};

enum { TURTLE_HASH_SIZE = 20, TURTLE_DATA_OVERHEAD = 16 };

struct turtle_open {
    uint8_t hash[TURTLE_HASH_SIZE];
    uint32_t request;
    uint32_t partial;
    uint16_t depth;
};

struct turtle_ok {
    uint32_t tunnel;
    uint32_t request;
};

/* Searches, as far as a relay needs them. `depth_offset` is where the u16 depth stands in the item, so that a
 * relay can forward a copy with another depth; for results (0x02, 0x0c) it is the obsolete depth field. */
struct turtle_search {
    uint8_t subtype;
    uint32_t request;
    uint16_t depth;
    size_t depth_offset;
    bool result;
};

bool turtle_open_parse(struct turtle_open *out, struct bytes item, enum turtle_generation generation);
bool turtle_open_write(struct buffer *out, const struct turtle_open *open, enum turtle_generation generation);
bool turtle_ok_parse(struct turtle_ok *out, struct bytes item);
bool turtle_ok_write(struct buffer *out, const struct turtle_ok *ok);

/* 0x0a and 0x16. `payload` is a view into the item. */
bool turtle_data_parse(uint32_t *tunnel, struct bytes *payload, struct bytes item);
bool turtle_data_write(struct buffer *out, uint8_t subtype, uint32_t tunnel, struct bytes payload);

/* Any item that travels inside a tunnel (0x07, 0x08, 0x0a, 0x10-0x16): checks that its inner lengths are
 * consistent with its size and gives the tunnel id, which is all that a relay reads. `stamps` tells whether
 * the item refreshes the tunnel's idle timer (protocol 02 §2). Costs no allocation. */
bool turtle_tunnel_item(uint32_t *tunnel, bool *stamps, struct bytes item, enum turtle_generation generation);

/* Searches and their results; checks all inner lengths. */
bool turtle_search_parse(struct turtle_search *out, struct bytes item, enum turtle_generation generation);

#endif
