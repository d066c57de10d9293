/* SPDX-License-Identifier: ISC */
#include "friend/frames.h"

enum {
    ITEM_VERSION = 0x02,
    SLICE_MARK = 0x10, /* the low four bits are reserved (protocol 11 §4.1) */
};

static struct bytes take(struct bytes *input, size_t size)
{
    struct bytes taken = {input->data, size};
    input->data += size;
    input->size -= size;
    return taken;
}

enum frame frames_next(struct slices *slices, struct bytes *input, uint64_t now_ms, struct bytes *item,
                       const char **reason)
{
    while (input->size >= ITEM_HEADER_SIZE) {
        if ((input->data[0] & 0xf0) == SLICE_MARK) {
            struct slice_header slice;
            if (!slice_header_parse(&slice, *input)) {
                *reason = "malformed slice from the friend";
                return FRAME_BAD;
            }
            size_t size = ITEM_HEADER_SIZE + (size_t)slice.length;
            if (input->size < size)
                return FRAME_NONE;
            struct bytes data = take(input, size);
            data = bytes_of(data.data + ITEM_HEADER_SIZE, slice.length);
            if (slices_add(slices, &slice, data, now_ms, item))
                return FRAME_ITEM;
            continue;
        }
        struct item_header header;
        if (!item_header_parse(&header, *input) || header.version != ITEM_VERSION) {
            *reason = "bytes from the friend that are no item";
            return FRAME_BAD;
        }
        if (header.size < ITEM_HEADER_SIZE || header.size > ITEM_SIZE_MAX) {
            *reason = "an item of the friend has an impossible size";
            return FRAME_BAD;
        }
        if (input->size < header.size)
            return FRAME_NONE;
        *item = take(input, header.size);
        return FRAME_ITEM;
    }
    return FRAME_NONE;
}
