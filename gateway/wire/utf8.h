/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_UTF8_H
#define RETROGATE_WIRE_UTF8_H

#include "base/bytes.h"

/* Strict UTF-8 (no surrogates, no overlong forms). */
enum { UTF8_REPLACEMENT = 0xfffd };

bool utf8_valid(struct bytes text);
/* Takes one code point from the front; false, and nothing taken, at the end or on an invalid byte. */
bool utf8_next(struct bytes *text, uint32_t *code_point);
size_t utf8_length(struct bytes text); /* code points; text must be valid */
/* The longest prefix of at most `code_points` code points, in bytes. */
size_t utf8_prefix(struct bytes text, size_t code_points);
/* The longest prefix of at most `size` bytes that does not cut a code point. */
size_t utf8_fit(struct bytes text, size_t size);
size_t utf8_encode(uint8_t out[4], uint32_t code_point); /* bytes written, 0 when not a code point */

/* Keeps control characters (below 20, 7F to 9F) out of foreign text: gives U+FFFD for one that is not in
 * `allowed`. */
uint32_t utf8_screen(uint32_t code_point, const char *allowed);
/* Copies a foreign name into a terminated string of `size` > 0 bytes: invalid bytes and control characters
 * become U+FFFD, what does not fit is cut at a code point. The result is valid UTF-8 of one line. */
void utf8_show(char *out, size_t size, struct bytes text);

#endif
