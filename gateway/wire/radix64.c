/* SPDX-License-Identifier: ISC */
#include "wire/radix64.h"

#include <string.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool encode(struct buffer *out, struct bytes data, const char *alphabet, bool padded)
{
    size_t whole = data.size / 3, rest = data.size % 3;
    if (whole > (SIZE_MAX - 4) / 4)
        return false;
    size_t tail = rest == 0 ? 0 : padded ? 4 : rest + 1;
    uint8_t *to = buffer_reserve(out, whole * 4 + tail);
    if (to == NULL)
        return false;
    const uint8_t *from = data.data;
    for (size_t i = 0; i < whole; i++, from += 3) {
        uint32_t bits = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        for (unsigned shift = 24; shift > 0;)
            *to++ = (uint8_t)alphabet[bits >> (shift -= 6) & 63];
    }
    if (rest > 0) {
        uint32_t bits = (uint32_t)from[0] << 16 | (rest > 1 ? (uint32_t)from[1] << 8 : 0);
        for (size_t i = 0; i < tail; i++)
            to[i] = i > rest ? '=' : (uint8_t)alphabet[bits >> (18 - 6 * i) & 63];
    }
    buffer_commit(out, whole * 4 + tail);
    return true;
}

/* What a character is: a digit's value, white space that is skipped, or neither. */
enum { SPACE = 64, NEITHER = 65 };

static void values_of(uint8_t values[256], const char *alphabet, bool lenient)
{
    memset(values, NEITHER, 256);
    for (uint8_t i = 0; i < SPACE; i++)
        values[(uint8_t)alphabet[i]] = i;
    for (const char *space = lenient ? " \t\n\v\f\r" : ""; *space != '\0'; space++)
        values[(uint8_t)*space] = SPACE;
}

/* Decodes digits, and white space between them when `lenient`. A last group of one digit, or bits left over
 * that are not zero, are refused unless lenient: then one byte string has exactly one text. */
static bool decode(struct buffer *out, struct bytes text, const char *alphabet, bool lenient)
{
    uint8_t values[256];
    values_of(values, alphabet, lenient);
    size_t digits = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t value = values[text.data[i]];
        if (value == NEITHER)
            return false;
        digits += value < SPACE;
    }
    if (digits % 4 == 1 && !lenient)
        return false;
    size_t size = digits / 4 * 3 + (digits % 4 > 1 ? digits % 4 - 1 : 0);
    uint8_t *to = buffer_reserve(out, size);
    if (to == NULL)
        return false;
    uint32_t bits = 0;
    unsigned held = 0; /* bits in `bits` that are not written yet */
    for (size_t i = 0; i < text.size; i++) {
        uint8_t value = values[text.data[i]];
        if (value == SPACE)
            continue;
        bits = (bits << 6 | value) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = (uint8_t)(bits >> held);
        }
    }
    if (!lenient && (bits & ((1u << held) - 1)) != 0)
        return false;
    buffer_commit(out, size);
    return true;
}

bool radix64_encode(struct buffer *out, struct bytes data)
{
    return encode(out, data, standard, true);
}

bool radix64_decode(struct buffer *out, struct bytes text)
{
    size_t padding = 0;
    while (padding < 2 && padding < text.size && text.data[text.size - 1 - padding] == '=')
        padding++;
    if (padding > 0 && text.size % 4 != 0)
        return false;
    text.size -= padding;
    return decode(out, text, standard, false);
}

bool radix64_decode_lenient(struct buffer *out, struct bytes text)
{
    const uint8_t *end = text.size > 0 ? memchr(text.data, '=', text.size) : NULL;
    if (end != NULL)
        text.size = (size_t)(end - text.data);
    return decode(out, text, standard, true);
}

bool base64url_encode(struct buffer *out, struct bytes data)
{
    return encode(out, data, url_safe, false);
}

bool base64url_decode(struct buffer *out, struct bytes text)
{
    return decode(out, text, url_safe, false);
}
