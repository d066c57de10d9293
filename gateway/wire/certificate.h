/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_CERTIFICATE_H
#define RETROGATE_WIRE_CERTIFICATE_H

#include "base/error.h"
#include "wire/link_items.h"

/* The texts by which friends are made: the full RetroShare certificate and the short invite (protocol 11 §2),
 * and the older certificate of 0.5 without version record (protocol 10 §2), which is read, never written. */

enum { FRIEND_TEXT_MAX = 128 * 1024 /* bytes of text */ };

struct friend_text {
    bool is_short;     /* short invite: no key block, but a fingerprint */
    bool has_location; /* a key alone has none */
    uint8_t location[16];
    bool has_fingerprint;
    uint8_t fingerprint[20];             /* short invites only; of a full certificate the key tells it */
    struct bytes key_block;              /* full: view into `memory` */
    char name[128];                      /* short: name; full: location name; UTF-8, one line, cut */
    struct ip_address local4, external4; /* as written: may be 0.0.0.0:0 */
    char dns[256];
    uint16_t dns_port;
    char hidden[256]; /* host */
    uint16_t hidden_port;
    uint32_t hidden_type; /* short: 2 Tor, 4 I2P; 0 unknown */
    size_t locator_count;
    struct ip_address locators[CONTACT_HISTORY_MAX]; /* from URLs ipv4://host:port, ipv6://[host]:port */
    struct buffer memory;                            /* the decoded records; freed by friend_text_free() */
};

/* Reads any of the texts: a bare base64 text with or without line breaks and surrounding white space, or a
 * URL whose query holds rsInvite=. The error says what is wrong (not base64, checksum, unknown version, a
 * field missing). A field that stands twice is refused, so that no two readers take different ones; locators
 * that are not IP addresses, and those after CONTACT_HISTORY_MAX, are left out. On false there is nothing to
 * free. */
bool friend_text_parse(struct friend_text *out, struct bytes text, struct error **error);
void friend_text_free(struct friend_text *text);

/* A hidden text holds no other address. False without what the form requires (full: key; short: location and
 * fingerprint) or without room; then nothing is appended.
 * Records in stock order, with version (full) and CRC-24. Full: 64 characters a line when `wrap`. */
bool friend_text_write_full(struct buffer *out, const struct friend_text *text, bool wrap);
bool friend_text_write_short(struct buffer *out, const struct friend_text *text); /* bare base64 */

uint32_t crc24(struct bytes data); /* OpenPGP: init B704CE, polynomial 1864CFB */

#endif
