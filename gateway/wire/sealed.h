/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_SEALED_H
#define RETROGATE_WIRE_SEALED_H

#include "base/buffer.h"

/* What a frame of sealed chat holds, before encryption (distant/SEALED.md §6): header, records, zeros. And
 * the text of the announcement (§5). */

enum sealed_flag {
    SEALED_ANSWER = 0x0001,
    SEALED_WANT = 0x0002,
    SEALED_LEAVE = 0x0004,
    SEALED_CLOSED = 0x0008,
    SEALED_TYPING = 0x0010,
    SEALED_AVATAR_ASKED = 0x0020,
    SEALED_AVATAR_NEW = 0x0040,
    SEALED_STATE_ASKED = 0x0080,
    SEALED_ROOT_STORED = 0x0100,
};
enum sealed_record_type {
    SEALED_LINE = 1,
    SEALED_ROOT = 2,
    SEALED_STATE_TEXT = 3,
    SEALED_AVATAR = 4,
    SEALED_CLAIM = 5,
};
enum {
    SEALED_HEADER_SIZE = 16,
    SEALED_STEP = 256,
    SEALED_STEPS_MAX = 260,
    SEALED_PLAIN_MAX = SEALED_HEADER_SIZE + SEALED_STEP * SEALED_STEPS_MAX,
    SEALED_RECORD_HEAD = 4,
    SEALED_LINE_HEAD = 16, /* number, zero, time; before the text */
    SEALED_TEXT_MAX = 65536,
    SEALED_STATE_TEXT_MAX = 2048,
    SEALED_AVATAR_MAX = 32767,
    SEALED_ANNOUNCEMENT_TEXT = 44,   /* characters */
    SEALED_ANNOUNCEMENT_PACKET = 72, /* bytes of the classic packet around it */
};
static const uint64_t SEALED_NUMBER_MAX = (UINT64_C(1) << 48) - 1;

struct sealed_header {
    uint16_t flags;
    uint64_t ack, base; /* below 2^48 */
};

struct sealed_record {
    uint8_t type;      /* unknown ones are given too, with `body` */
    struct bytes body; /* all of it */
    uint64_t number;   /* line */
    int64_t time;      /* line: Unix ms, the sender's clock */
    struct bytes text; /* line, state text: valid UTF-8 without zero; avatar: the image */
};

/* Header first into an empty buffer, then records, then sealed_pad(). `out` must have room up to
 * SEALED_PLAIN_MAX. What sealed_parse() would refuse is not written: false, with `out` as it was, also when
 * the record does not fit into this frame any more. */
bool sealed_header_write(struct buffer *out, const struct sealed_header *header);
bool sealed_line_write(struct buffer *out, uint64_t number, int64_t time, struct bytes text);
bool sealed_record_write(struct buffer *out, enum sealed_record_type type, struct bytes body);
/* Zeros up to the next of 16 + 256 k bytes. */
bool sealed_pad(struct buffer *out);

/* Reads a whole plaintext strictly (more zeros than needed are fine): calls `record` for each, in order, only
 * if the whole is well-formed. False otherwise, and nothing was called. `record` may be NULL. */
bool sealed_parse(struct bytes plain, struct sealed_header *header,
                  void (*record)(void *arg, const struct sealed_record *record), void *arg);

/* Base64url without padding, exactly 44 characters for 33 bytes. Canonical only. */
void sealed_announcement_text(char out[SEALED_ANNOUNCEMENT_TEXT + 1], const uint8_t announcement[33]);
bool sealed_announcement_parse(uint8_t out[33], struct bytes text);

#endif
