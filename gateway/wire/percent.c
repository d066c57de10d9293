/* SPDX-License-Identifier: ISC */
#include "wire/percent.h"

#include <string.h>

size_t percent_at(struct bytes text, size_t at, uint8_t *byte)
{
    if (text.data[at] == '%' && text.size - at > 2 && hex_parse(byte, 1, (const char *)text.data + at + 1, 2))
        return 3;
    *byte = text.data[at];
    return 1;
}

bool percent_decode(struct buffer *out, struct bytes text)
{
    uint8_t *to = buffer_reserve(out, text.size);
    if (to == NULL)
        return false;
    size_t used = 0;
    for (size_t at = 0; at < text.size; used++)
        at += percent_at(text, at, to + used);
    buffer_commit(out, used);
    return true;
}

bool percent_encode(struct buffer *out, struct bytes text)
{
    size_t begin = buffer_size(out);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte > ' ' && byte != 0x7f && memchr("&/#%", byte, 4) == NULL)
            buffer_u8(out, byte);
        else
            buffer_printf(out, "%%%02x", byte);
    }
    if (out->failed)
        out->end = out->start + begin;
    return !out->failed;
}
