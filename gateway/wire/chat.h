/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_CHAT_H
#define RETROGATE_WIRE_CHAT_H

#include "wire/item.h"

/* Chat items of 2013, service 0x0012, as they travel encrypted in a tunnel (protocol 03 §3, §4). Exactly
 * three subtypes are accepted from a tunnel; everything else is refused. */

enum chat_subtype { CHAT_TEXT = 0x01, CHAT_AVATAR = 0x03, CHAT_STATUS = 0x04 };

enum chat_flag {
    CHAT_PRIVATE = 0x0001,
    CHAT_REQUESTS_AVATAR = 0x0002,
    CHAT_AVATAR_AVAILABLE = 0x0008,
    CHAT_STATE_STRING = 0x0010,
    CHAT_PUBLIC = 0x0020,
    CHAT_REQUESTS_STATE_STRING = 0x0040,
    CHAT_STATE_STRING_AVAILABLE = 0x0080,
    CHAT_PARTIAL = 0x0100,
    CHAT_LOBBY = 0x0200,
    CHAT_CLOSING = 0x0400,
    CHAT_ACKNOWLEDGE = 0x0800,
    CHAT_ANNOUNCE = 0x10000, /* ours, protocol 06 §7.2 */
};

enum { CHAT_PART_LIMIT = 15000 /* code points */, CHAT_AVATAR_LIMIT = 32767 /* bytes */ };

struct chat_item {
    enum chat_subtype subtype;
    uint32_t flags;      /* text and status */
    uint32_t time;       /* text: Unix seconds of the sender */
    struct bytes avatar; /* avatar: a view into the item */
    /* text, status: UTF-8 is appended to the buffer given to chat_parse() */
};

/* `text` receives the UTF-8 of a text or status item. Its ceiling bounds what is accepted: a text item needs
 * room for four bytes of each code point. CR LF and CR become \n, control characters other than \n and \t
 * U+FFFD (NUL included, so the text can be handled as a C string). A text that the original would blank is
 * blanked: its notice stands there instead. Refuses other subtypes, wrong lengths, code points that do not
 * exist, lone surrogates, invalid UTF-8 in a status, an avatar over CHAT_AVATAR_LIMIT. On false `text` holds
 * what it held; it is `failed` when it had no room. */
bool chat_parse(struct chat_item *out, struct buffer *text, struct bytes item);

/* Each appends a whole item. False on invalid UTF-8, an image over the limit, or a full buffer. The texts go
 * out as they are: see tlv_defuse(). */
bool chat_text_write(struct buffer *out, uint32_t flags, uint32_t time, struct bytes utf8);
bool chat_status_write(struct buffer *out, uint32_t flags, struct bytes utf8);
bool chat_avatar_write(struct buffer *out, struct bytes image);

#endif
