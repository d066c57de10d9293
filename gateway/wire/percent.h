/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_PERCENT_H
#define RETROGATE_WIRE_PERCENT_H

#include "base/buffer.h"

/* Percent-encoding as the original uses it in links (protocol 05 §3, §7). */

/* The byte that stands at `at` < text.size, and how many bytes of the text it takes: 3 for a %XX, else 1. A %
 * that no two hex digits follow stands for itself. */
size_t percent_at(struct bytes text, size_t at, uint8_t *byte);
/* Appends the decoded text. False, and nothing appended, when the buffer is full. A + stays a +. */
bool percent_decode(struct buffer *out, struct bytes text);
/* Appends the text with & / space # encoded as the original does, and % and control characters, which it
 * leaves raw but decodes. False, and nothing appended, when the buffer is full. */
bool percent_encode(struct buffer *out, struct bytes text);

#endif
