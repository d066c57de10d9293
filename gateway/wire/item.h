/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_ITEM_H
#define RETROGATE_WIRE_ITEM_H

#include "base/buffer.h"

/* Items on a friend link (protocol 01 §2, 11 §4, 20 §1): 8 bytes of header (version 02, u16 service, u8
 * subtype, u32 size of the whole item), then the body. Every decoder of this room takes a whole item, header
 * included, checks the header's service, subtype and size, and refuses an item it does not consume exactly.
 * Encoders append a whole item to a buffer and return false when it does not fit. */

enum {
    ITEM_HEADER_SIZE = 8,
    ITEM_SIZE_MAX = 262143,
};

enum item_service {
    SERVICE_DISCOVERY = 0x0011,
    SERVICE_CHAT = 0x0012,
    SERVICE_MESSAGE = 0x0013,
    SERVICE_TURTLE = 0x0014,
    SERVICE_HEARTBEAT = 0x0016,
    SERVICE_INFO = 0x0020,
    SERVICE_BANDWIDTH = 0x0021,
    SERVICE_STATUS = 0x0102,
    SERVICE_RTT = 0x1011,
};

struct item_header {
    uint8_t version;
    uint16_t service;
    uint8_t subtype;
    uint32_t size; /* total */
};

/* Reads the first 8 bytes. False when fewer are there. Does not judge the values. */
bool item_header_parse(struct item_header *out, struct bytes bytes);
/* True when `item` is one whole service item: version 02, this service, size == item.size, size <= max. */
bool item_is(struct bytes item, uint16_t service, uint8_t subtype);

/* The big-endian u32 at `at`, for code that has checked the size already. */
static inline uint32_t item_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Begins an item at the end of the buffer; returns its offset for item_end(), which writes the size and
 * returns false (and cuts the buffer back) when the buffer failed or the item is over ITEM_SIZE_MAX. */
size_t item_begin(struct buffer *out, uint16_t service, uint8_t subtype);
bool item_end(struct buffer *out, size_t begin);

#endif
