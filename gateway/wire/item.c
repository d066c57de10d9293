/* SPDX-License-Identifier: ISC */
#include "wire/item.h"

#define ITEM_VERSION 0x02

bool item_header_parse(struct item_header *out, struct bytes bytes)
{
    if (bytes.size < ITEM_HEADER_SIZE)
        return false;
    const uint8_t *at = bytes.data;
    *out = (struct item_header){
        .version = at[0],
        .service = (uint16_t)(at[1] << 8 | at[2]),
        .subtype = at[3],
        .size = item_u32(at + 4),
    };
    return true;
}

bool item_is(struct bytes item, uint16_t service, uint8_t subtype)
{
    if (item.size < ITEM_HEADER_SIZE || item.size > ITEM_SIZE_MAX)
        return false;
    uint32_t type = (uint32_t)ITEM_VERSION << 24 | (uint32_t)service << 8 | subtype;
    return item_u32(item.data) == type && item_u32(item.data + 4) == item.size;
}

size_t item_begin(struct buffer *out, uint16_t service, uint8_t subtype)
{
    size_t begin = buffer_size(out);
    buffer_u8(out, ITEM_VERSION);
    buffer_u16(out, service);
    buffer_u8(out, subtype);
    buffer_u32(out, 0);
    return begin;
}

bool item_end(struct buffer *out, size_t begin)
{
    size_t size = buffer_size(out) - begin;
    if (out->failed || size > ITEM_SIZE_MAX) {
        out->end = out->start + begin;
        return false;
    }
    buffer_patch_u32(out, begin + 4, (uint32_t)size);
    return true;
}
