/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_TLV_H
#define RETROGATE_WIRE_TLV_H

#include "base/buffer.h"

/* TLVs (protocol 01 §4, 20 §3): u16 type, u32 length counting these 6 bytes, value. */

struct tlv {
    uint16_t type;
    struct bytes value;
};

/* Takes the next TLV of any type. False (and reader->failed) on a length below 6 or beyond the end. */
bool tlv_read(struct reader *reader, struct tlv *out);
/* Takes the next TLV, which must be of this type; fails otherwise. */
struct bytes tlv_read_type(struct reader *reader, uint16_t type);
uint32_t tlv_read_u32(struct reader *reader, uint16_t type); /* protocol 01 §4.4 */

bool tlv_write(struct buffer *out, uint16_t type, struct bytes value);
bool tlv_write_u32(struct buffer *out, uint16_t type, uint32_t value);
size_t tlv_begin(struct buffer *out, uint16_t type); /* compound: offset for tlv_end() */
bool tlv_end(struct buffer *out, size_t begin);

/* Wide strings (protocol 01 §4.2): 4 bytes for each code point. Reading appends UTF-8 to `utf8`, joins
 * surrogate pairs, refuses lone surrogates, code points over U+10FFFF and lengths not divisible by 4. */
bool tlv_read_wide(struct reader *reader, uint16_t type, struct buffer *utf8);
/* The same for a bare value. Unless `controls` is NULL, control characters that it does not hold become
 * U+FFFD (utf8_screen()). The buffer must have room for `wide.size` bytes, whatever the text comes to; on
 * false it is as it was. */
bool wide_to_utf8(struct buffer *utf8, struct bytes wide, const char *controls);
/* Writes code points of valid UTF-8; refuses invalid UTF-8. */
bool tlv_write_wide(struct buffer *out, uint16_t type, struct bytes utf8);

/* The reference's content filter (protocol 01 §4.2, 20 §3.2): true when `utf8` holds one of the substrings
 * that make an original peer blank the text. A sender breaks them (tlv_defuse), a receiver blanks the text.
 */
bool tlv_text_blanked(struct bytes utf8);
/* Appends `utf8` with U+200B put inside each of those substrings and inside each "<!", which the original
 * drops. */
bool tlv_defuse(struct buffer *out, struct bytes utf8);

#endif
