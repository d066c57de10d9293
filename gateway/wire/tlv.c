/* SPDX-License-Identifier: ISC */
#include "wire/tlv.h"

#include <string.h>

#include "wire/percent.h"
#include "wire/utf8.h"

enum { TLV_HEADER_SIZE = 6, ZERO_WIDTH_SPACE = 0x200b };

static struct bytes fail(struct reader *reader)
{
    reader->failed = true;
    return (struct bytes){NULL, 0};
}

bool tlv_read(struct reader *reader, struct tlv *out)
{
    out->type = read_u16(reader);
    uint32_t length = read_u32(reader);
    if (reader->failed || length < TLV_HEADER_SIZE)
        out->value = fail(reader);
    else
        out->value = read_bytes(reader, length - TLV_HEADER_SIZE);
    return !reader->failed;
}

struct bytes tlv_read_type(struct reader *reader, uint16_t type)
{
    struct tlv tlv;
    return tlv_read(reader, &tlv) && tlv.type == type ? tlv.value : fail(reader);
}

uint32_t tlv_read_u32(struct reader *reader, uint16_t type)
{
    struct reader value = reader_of(tlv_read_type(reader, type));
    uint32_t number = read_u32(&value);
    if (!reader_done(&value))
        reader->failed = true;
    return reader->failed ? 0 : number;
}

bool tlv_write(struct buffer *out, uint16_t type, struct bytes value)
{
    size_t begin = tlv_begin(out, type);
    buffer_append_bytes(out, value);
    return tlv_end(out, begin);
}

bool tlv_write_u32(struct buffer *out, uint16_t type, uint32_t value)
{
    size_t begin = tlv_begin(out, type);
    buffer_u32(out, value);
    return tlv_end(out, begin);
}

size_t tlv_begin(struct buffer *out, uint16_t type)
{
    size_t begin = buffer_size(out);
    buffer_u16(out, type);
    buffer_u32(out, 0);
    return begin;
}

bool tlv_end(struct buffer *out, size_t begin)
{
    size_t size = buffer_size(out) - begin;
    if (out->failed || size > UINT32_MAX) {
        out->failed = true;
        out->end = out->start + begin;
        return false;
    }
    buffer_patch_u32(out, begin + 2, (uint32_t)size);
    return true;
}

/* Takes one code point from 4-byte units; a sender on Windows gives the two halves of a surrogate pair as two
 * units. */
static bool wide_next(struct reader *wide, uint32_t *code_point)
{
    uint32_t value = read_u32(wide);
    if (value >= 0xd800 && value <= 0xdbff) {
        uint32_t low = read_u32(wide);
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
    }
    uint8_t bytes[4];
    *code_point = value;
    return !wide->failed && utf8_encode(bytes, value) > 0;
}

bool wide_to_utf8(struct buffer *utf8, struct bytes wide, const char *controls)
{
    /* No code point takes more bytes as UTF-8, U+FFFD included, than its unit. */
    uint8_t *at = buffer_reserve(utf8, wide.size);
    if (at == NULL)
        return false;
    size_t used = 0;
    for (struct reader reader = reader_of(wide); reader.left > 0;) {
        uint32_t code_point;
        if (!wide_next(&reader, &code_point))
            return false;
        used += utf8_encode(at + used, controls == NULL ? code_point : utf8_screen(code_point, controls));
    }
    buffer_commit(utf8, used);
    return true;
}

bool tlv_read_wide(struct reader *reader, uint16_t type, struct buffer *utf8)
{
    struct bytes wide = tlv_read_type(reader, type);
    if (!reader->failed && !wide_to_utf8(utf8, wide, NULL))
        reader->failed = true;
    return !reader->failed;
}

bool tlv_write_wide(struct buffer *out, uint16_t type, struct bytes utf8)
{
    if (!utf8_valid(utf8))
        return false;
    size_t begin = tlv_begin(out, type);
    uint32_t code_point;
    while (utf8_next(&utf8, &code_point))
        buffer_u32(out, code_point);
    return tlv_end(out, begin);
}

/* What an original peer takes for the beginning of an XML or SVG bomb, in clear or in base64. The peer of 0.6
 * finds it with any character written as %XX too, and looks for PD94bW where the one of September 2013 has
 * PD94bWwg. */
static const char *const bombs[] = {"<!e", "<!E", "PD94bW", "PHN2Zy"};

/* How many bytes the first character of a bomb takes when one begins at `at`, else 0. */
static size_t bomb_at(struct bytes text, size_t at)
{
    uint8_t byte;
    size_t first = percent_at(text, at, &byte);
    if (byte != '<' && byte != 'P')
        return 0;
    for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
        size_t next = at;
        const char *rest = bombs[i];
        while (*rest != '\0' && next < text.size) {
            size_t taken = percent_at(text, next, &byte);
            if (byte != (uint8_t)*rest)
                break;
            next += taken;
            rest++;
        }
        if (*rest == '\0')
            return first;
    }
    return 0;
}

bool tlv_text_blanked(struct bytes utf8)
{
    for (size_t at = 0; at < utf8.size; at++) {
        if (bomb_at(utf8, at) > 0)
            return true;
    }
    return false;
}

bool tlv_defuse(struct buffer *out, struct bytes utf8)
{
    size_t begin = buffer_size(out);
    uint8_t space[4];
    size_t space_size = utf8_encode(space, ZERO_WIDTH_SPACE);
    size_t kept = 0; /* everything before has been appended */
    for (size_t at = 0; at < utf8.size; at++) {
        size_t first = bomb_at(utf8, at);
        if (first == 0 && utf8.size - at > 1 && memcmp(utf8.data + at, "<!", 2) == 0)
            first = 1;
        if (first == 0)
            continue;
        buffer_append(out, utf8.data + kept, at + first - kept);
        buffer_append(out, space, space_size);
        kept = at + first;
        at = kept - 1;
    }
    if (utf8.size > kept)
        buffer_append(out, utf8.data + kept, utf8.size - kept);
    if (out->failed)
        out->end = out->start + begin;
    return !out->failed;
}
