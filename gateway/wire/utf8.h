/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_UTF8_H
#define RETROGATE_WIRE_UTF8_H

#include "base/bytes.h"

/* Strict UTF-8 (no surrogates, no overlong forms). */
bool utf8_valid(struct bytes text);
/* Takes one code point from the front; false at the end or on an invalid byte. */
bool utf8_next(struct bytes *text, uint32_t *code_point);
size_t utf8_length(struct bytes text);                     /* code points; text must be valid */
/* The longest prefix of at most `code_points` code points, in bytes. */
size_t utf8_prefix(struct bytes text, size_t code_points);
/* The longest prefix of at most `size` bytes that does not cut a code point. */
size_t utf8_fit(struct bytes text, size_t size);
size_t utf8_encode(uint8_t out[4], uint32_t code_point);   /* bytes written, 0 when not a code point */

#endif
