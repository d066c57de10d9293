/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_LINK_H
#define RETROGATE_WIRE_LINK_H

#include "base/buffer.h"
#include "base/error.h"

/* retroshare:// links (protocol 05 §3, §4, §7). */

enum { LINK_TEXT_MAX = 16 * 1024 };

enum link_kind {
    LINK_PRIVATE_CHAT,
    LINK_PERSON,
    LINK_MESSAGE,
    LINK_PUBLIC_MESSAGE,
    LINK_CERTIFICATE,
    LINK_OTHER
};

/* Fields are filled as the kind has them; strings are decoded and empty when absent. */
struct link {
    enum link_kind kind;
    int64_t time_stamp; /* private_chat, public_msg: end of validity, Unix seconds (a hint, W-I1) */
    char pgp_id[17]; /* private_chat: addressee; public_msg: issuer; person, message: the id when it is one */
    char fingerprint[41]; /* person, message: when the id is a full fingerprint */
    char location[33];    /* person, message: when the id is a location id */
    char name[128];       /* person, certificate: name, cut at a code point */
    char subject[256];    /* message */
    uint8_t hash[20];     /* public_msg */
    bool sealed;          /* private_chat: our parameter v=2 is present */
    struct buffer blob;   /* private_chat: decoded encrypted_data; certificate: key block */
};

/* Takes one link, white space around it tolerated. Refuses a text over LINK_TEXT_MAX, line breaks and control
 * characters, what the original refuses (protocol 05 §4, §7), a parameter that stands twice, an empty blob.
 * Unknown parameters are ignored, unknown kinds are LINK_OTHER with nothing read. Of a certificate of 0.6
 * (parameter `radix`) the key block is taken. The error never holds the link. On false there is nothing to
 * free. */
bool link_parse(struct link *out, struct bytes text, struct error **error);
void link_free(struct link *link);

/* retroshare://private_chat?time_stamp=T&gpgid=K&encrypted_data=R, and "&v=2" when sealed. */
bool link_write_private_chat(struct buffer *out, int64_t time_stamp, const char pgp_id[17], struct bytes blob,
                             bool sealed);
/* retroshare://certificate?... with gpgbase64 and checksum (protocol 05 §7.4): hands over a public key. */
bool link_write_certificate(struct buffer *out, const uint8_t fingerprint[20], const char *name,
                            struct bytes key_block);
/* retroshare://public_msg?time_stamp=T&hash=H&gpgid=K: posts for K through H, until T. */
bool link_write_public_message(struct buffer *out, int64_t time_stamp, const uint8_t hash[20],
                               const char pgp_id[17]);
/* retroshare://message?id=I, and "&subject=S" unless it is "". id: a PGP id, fingerprint or location id. */
bool link_write_message(struct buffer *out, const char *id, const char *subject);

/* Finds the first "retroshare://" in a text; false when there is none. The link ends before white space, a
 * quote or an angle bracket; punctuation at its end is not part of it. */
bool link_find(struct bytes text, struct bytes *found);

#endif
