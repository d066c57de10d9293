/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_RADIX64_H
#define RETROGATE_WIRE_RADIX64_H

#include "base/buffer.h"

/* Standard base64 with padding, no line breaks (protocol 04 §5.3, 05 §2). */
bool radix64_encode(struct buffer *out, struct bytes data);
/* Strict: standard alphabet, correct padding (or none), nothing else. */
bool radix64_decode(struct buffer *out, struct bytes text);
/* As the original reads (protocol 07 §5): skips white space, ends at the first '='. Characters outside the
 * alphabet are refused (the original's reading of them is not copied). */
bool radix64_decode_lenient(struct buffer *out, struct bytes text);
/* RFC 4648 §5, no padding, both ways. */
bool base64url_encode(struct buffer *out, struct bytes data);
bool base64url_decode(struct buffer *out, struct bytes text);

#endif
