/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_POST_H
#define RETROGATE_WIRE_POST_H

#include "wire/item.h"

/* Posts: items of service 0x0013 as they travel in a tunnel, and the plaintexts inside OpenPGP (protocol 04;
 * distant/POSTS.md). */

enum post_subtype { POST_CLASSIC = 0x01, POST_GREETING = 0x70, POST_FORTH = 0x71, POST_BACK = 0x72 };

enum post_flag {
    POST_PARTIAL = 0x0400,
    POST_SYSTEM = 0x1800, /* the only inner flags that are believed (06 W-M2) */
    POST_ENCRYPTED = 0x4000,
    POST_DISTANT = 0x8000,
    POST_SIGNED = 0x20000,
    POST_IMAGES = 0x40000,
};

enum {
    POST_SLICE_CHARACTERS = 15000, /* of radix64 in one classic item */
    POST_CLASSIC_LIMIT =
        256 * 1024,            /* bytes of subject and body together that a classic post may have (00 30) */
    POST_TEXT_LIMIT = 8 << 20, /* bytes of a classic ciphertext that is put together again (06 W-M11) */
    POST_LETTER_LIMIT = 32 << 20,  /* bytes of a sealed letter as it travels */
    POST_CONTENT_LIMIT = 25 << 20, /* bytes of RFC 5322 text in it */
    POST_ID_SIZE = 16,
    POST_FILES_LIMIT = 256,
};

/* --- the outer item of a classic post. One that is not encrypted, or has anything but a body, is refused (06
 * W-M3). `partial`: more follows. The body's characters are appended to `radix64`, whose ceiling bounds it;
 * other characters than those of radix64 and white space are refused. */
bool post_outer_parse(bool *partial, struct buffer *radix64, struct bytes item);
/* Appends one item: flags 0x4000, and 0x0400 when partial; send time rounded down to the day (06 W-M7).
 * False, with `out` as it was, for over POST_SLICE_CHARACTERS and for what post_outer_parse() refuses. */
bool post_outer_write(struct buffer *out, int64_t day_s, struct bytes radix64, bool partial);
/* Appends the text of a whole ciphertext, which is then cut into slices: radix64; a space in each place where
 * an original peer would blank the text (protocol 01 §4.2), which its decoder skips; spaces up to
 * post_padded(). */
bool post_outer_text(struct buffer *out, struct bytes ciphertext);
/* The size that a text or a letter has when it is padded: the next multiple of 2^(b-5), b the bit length of
 * `size`, and at least 1,024. At most 1/16 is added. */
size_t post_padded(size_t size);

/* --- the inner item and the plaintext 0x37 (protocol 04 §4, §5) */
struct post_file {
    struct bytes name; /* UTF-8, a view into `texts`; control characters became "?" */
    uint64_t size;
    uint8_t hash[20];
};
struct post_inner {
    uint8_t sender[8]; /* PGP id */
    uint32_t flags;    /* system bits only */
    uint32_t time;
    struct bytes subject, body; /* UTF-8, views into `texts` */
    struct bytes to, cc;        /* 20-byte hashes, one after the other; other ids of the lists are left out */
    struct post_file files[POST_FILES_LIMIT]; /* more, or one without a hash: left out */
    size_t file_count;
    struct bytes covered, signature; /* views into the plaintext; an empty signature: there is none */
    struct buffer texts;
};
/* A plaintext that begins with 0x37. Strict: lengths, code points, UTF-8. Control characters of texts become
 * U+FFFD, but for line feed, tab and carriage return in the body. Takes no more memory than `plain` has.
 * post_inner_free() afterwards in either case. */
bool post_inner_parse(struct post_inner *out, struct bytes plain);
void post_inner_free(struct post_inner *inner);
struct post_inner_fields {
    uint8_t sender[8];
    bool sign;
    uint32_t time;
    struct bytes subject, body, to, cc; /* as in keyring_post */
};
/* Appends the plaintext up to the signature. Texts are defused (tlv_defuse()). False, with `out` as it was,
 * for invalid UTF-8, more than POST_CLASSIC_LIMIT, lists that are not whole hashes. */
bool post_inner_write(struct buffer *out, const struct post_inner_fields *fields);

/* --- the sealed letter (POSTS.md §7) */
struct post_letter {
    uint8_t sender[20], recipient[20];
    uint8_t message_id[POST_ID_SIZE];
    int64_t time; /* Unix ms */
    struct bytes content;
    struct bytes covered, signature; /* parse: views */
};
/* The signature, which the caller checks, is never empty. Any zeros are taken as padding. */
bool post_letter_parse(struct post_letter *out, struct bytes plain);
/* Appends the plaintext up to the signature, padded. */
bool post_letter_write(struct buffer *out, const struct post_letter *letter);

/* --- message hashes (protocol 04 §3) */
bool post_universal_hash(uint8_t out[20], const uint8_t pgp_id[8]);

/* --- greetings, frames and records (POSTS.md §4 to §6). Writers refuse what the parser refuses, with `out`
 * as it was. */
enum post_greeting_form { POST_QUESTION = 0, POST_CLEAR = 1, POST_HIDDEN = 2 };
struct post_greeting {
    enum post_greeting_form form;
    struct bytes day_key;   /* clear: 32 bytes */
    struct bytes signature; /* clear */
    struct bytes nonce;     /* hidden: 12 bytes */
    struct bytes hidden;    /* hidden: ciphertext and tag */
};
bool post_greeting_parse(struct post_greeting *out, struct bytes item);
bool post_greeting_write(struct buffer *out, const struct post_greeting *greeting);

struct post_frame {
    struct bytes ephemeral; /* forth: 32 bytes; back: empty */
    uint64_t counter;
    struct bytes sealed;
};
/* subtype: POST_FORTH or POST_BACK */
bool post_frame_parse(struct post_frame *out, enum post_subtype subtype, struct bytes item);
bool post_frame_write(struct buffer *out, enum post_subtype subtype, const struct post_frame *frame);

enum post_forth { POST_OFFER = 1, POST_SLICE = 2, POST_CANCEL = 3 };
enum post_back { POST_WANT = 1, POST_STORED = 2, POST_REFUSED = 3 };
enum { POST_SLICE_SIZE = 16384, POST_BACK_SIZE = 64 };
enum post_refusal {
    POST_TOO_LARGE = 1,
    POST_TOO_MANY = 2, /* temporary */
    POST_NOT_NOW = 3,  /* temporary */
    POST_NOT_READABLE = 4,
    POST_NOT_GENUINE = 5,
    POST_NOT_WANTED = 6,
};
struct post_record {
    uint8_t kind; /* enum post_forth or post_back */
    uint8_t transfer[POST_ID_SIZE];
    uint64_t size, offset;
    uint8_t digest[32];
    uint32_t window;
    uint8_t code;
    struct bytes data;
};
bool post_forth_parse(struct post_record *out, struct bytes plain);
bool post_forth_write(struct buffer *out, const struct post_record *record);
bool post_back_parse(struct post_record *out, struct bytes plain);
bool post_back_write(struct buffer *out, const struct post_record *record); /* padded to POST_BACK_SIZE */

#endif
