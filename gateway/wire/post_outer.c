/* SPDX-License-Identifier: ISC */
#include <openssl/evp.h>
#include <string.h>

#include "wire/post.h"
#include "wire/radix64.h"
#include "wire/tlv.h"

enum {
    TLV_SUBJECT = 0x0068,
    TLV_BODY = 0x0067,
    TLV_IDS = 0x1021,
    TLV_FILES = 0x1001,
    UNIT = 4, /* bytes of a character on the wire */
    TIMES_SIZE = 8,
    DAY_S = 86400,
    PADDED_LEAST = 1024,
    BLANKED_SIZE = 6, /* characters of each radix64 text that an original peer blanks */
};

/* The fields behind the body, all empty: to, cc, bcc, files. */
static const uint16_t empty_fields[] = {TLV_IDS, TLV_IDS, TLV_IDS, TLV_FILES};
enum { EMPTY_FIELDS = sizeof(empty_fields) / sizeof(empty_fields[0]) };

static bool in_text(uint8_t character)
{
    static const bool digits[256] = {
        ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1,  ['E'] = 1,  ['F'] = 1,  ['G'] = 1, ['H'] = 1, ['I'] = 1,
        ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1,  ['N'] = 1,  ['O'] = 1,  ['P'] = 1, ['Q'] = 1, ['R'] = 1,
        ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1,  ['W'] = 1,  ['X'] = 1,  ['Y'] = 1, ['Z'] = 1, ['a'] = 1,
        ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1,  ['f'] = 1,  ['g'] = 1,  ['h'] = 1, ['i'] = 1, ['j'] = 1,
        ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1,  ['o'] = 1,  ['p'] = 1,  ['q'] = 1, ['r'] = 1, ['s'] = 1,
        ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1,  ['x'] = 1,  ['y'] = 1,  ['z'] = 1, ['0'] = 1, ['1'] = 1,
        ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1,  ['6'] = 1,  ['7'] = 1,  ['8'] = 1, ['9'] = 1, ['+'] = 1,
        ['/'] = 1, ['='] = 1, [' '] = 1, ['\t'] = 1, ['\n'] = 1, ['\r'] = 1,
    };
    return digits[character];
}

/* Appends the characters of a wide text, each of which must be one of radix64. */
static bool narrow(struct buffer *out, struct bytes wide)
{
    size_t count = wide.size / UNIT;
    uint8_t *to = wide.size % UNIT == 0 ? buffer_reserve(out, count) : NULL;
    if (!to)
        return false;
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        uint32_t unit = item_u32(wide.data + i * UNIT);
        to[i] = (uint8_t)unit;
        good &= unit <= UINT8_MAX && in_text((uint8_t)unit);
    }
    if (good)
        buffer_commit(out, count);
    return good;
}

static bool widen(struct buffer *out, struct bytes text)
{
    uint8_t *to = buffer_reserve(out, text.size * UNIT);
    if (!to)
        return false;
    bool good = true;
    memset(to, 0, text.size * UNIT);
    for (size_t i = 0; i < text.size; i++) {
        to[i * UNIT + UNIT - 1] = text.data[i];
        good &= in_text(text.data[i]);
    }
    if (good)
        buffer_commit(out, text.size * UNIT);
    return good;
}

bool post_outer_parse(bool *partial, struct buffer *radix64, struct bytes item)
{
    if (!item_is(item, SERVICE_MESSAGE, POST_CLASSIC))
        return false;
    struct reader reader = reader_of(bytes_of(item.data + ITEM_HEADER_SIZE, item.size - ITEM_HEADER_SIZE));
    uint32_t flags = read_u32(&reader);
    read_bytes(&reader, TIMES_SIZE);
    struct bytes subject = tlv_read_type(&reader, TLV_SUBJECT);
    struct bytes body = tlv_read_type(&reader, TLV_BODY);
    size_t beside = subject.size;
    for (size_t i = 0; i < EMPTY_FIELDS; i++)
        beside += tlv_read_type(&reader, empty_fields[i]).size;
    if (!reader_done(&reader) || (flags & POST_ENCRYPTED) == 0 || beside > 0 || !narrow(radix64, body))
        return false;
    *partial = (flags & POST_PARTIAL) != 0;
    return true;
}

bool post_outer_write(struct buffer *out, int64_t day_s, struct bytes radix64, bool partial)
{
    if (radix64.size > POST_SLICE_CHARACTERS || day_s < 0 || day_s > UINT32_MAX)
        return false;
    size_t begin = item_begin(out, SERVICE_MESSAGE, POST_CLASSIC);
    buffer_u32(out, POST_ENCRYPTED | (partial ? POST_PARTIAL : 0));
    buffer_u32(out, (uint32_t)(day_s - day_s % DAY_S));
    buffer_u32(out, 0);
    tlv_write(out, TLV_SUBJECT, bytes_of(NULL, 0));
    size_t body = tlv_begin(out, TLV_BODY);
    if (!widen(out, radix64)) {
        out->end = out->start + begin;
        return false;
    }
    tlv_end(out, body);
    for (size_t i = 0; i < EMPTY_FIELDS; i++)
        tlv_write(out, empty_fields[i], bytes_of(NULL, 0));
    return item_end(out, begin);
}

size_t post_padded(size_t size)
{
    if (size <= PADDED_LEAST)
        return PADDED_LEAST;
    size_t step = 1;
    while (size / step >= 32)
        step *= 2;
    return size > SIZE_MAX - step ? size : (size + step - 1) / step * step;
}

/* A space behind the first character of each text that would be blanked. */
static bool append_unblanked(struct buffer *out, struct bytes text)
{
    while (tlv_text_blanked(text)) {
        size_t at = 0;
        while (!tlv_text_blanked(bytes_of(text.data + at, BLANKED_SIZE)))
            at++;
        buffer_append(out, text.data, at + 1);
        buffer_append(out, " ", 1);
        text = bytes_of(text.data + at + 1, text.size - at - 1);
    }
    return buffer_append_bytes(out, text);
}

bool post_outer_text(struct buffer *out, struct bytes ciphertext)
{
    if (ciphertext.size > POST_TEXT_LIMIT)
        return false;
    struct buffer text = buffer_make(ciphertext.size / 3 * 4 + 4);
    size_t begin = buffer_size(out);
    bool good = radix64_encode(&text, ciphertext) && append_unblanked(out, buffer_view(&text));
    buffer_free(&text);
    size_t size = buffer_size(out) - begin, missing = post_padded(size) - size;
    uint8_t *spaces = good ? buffer_reserve(out, missing) : NULL;
    if (!spaces) {
        out->end = out->start + begin;
        return false;
    }
    memset(spaces, ' ', missing);
    buffer_commit(out, missing);
    return true;
}

bool post_universal_hash(uint8_t out[20], const uint8_t pgp_id[8])
{
    char digits[17];
    hex_upper(digits, pgp_id, 8);
    return EVP_Digest(digits, sizeof(digits) - 1, out, NULL, EVP_sha1(), NULL) == 1;
}
