/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_KEYRING_FRAME_H
#define RETROGATE_KEYRING_FRAME_H

#include "keyring/keyring.h"

/* What travels between the daemon and retrogate-keyring. A frame is a u32 size of what follows, a u64 id, a
 * u8 purpose (an outcome in answers), and fields in one fixed order, the same for every purpose; those of
 * variable size have a u32 size in front. Both programs come from one build, so there is no version. Pure;
 * views point into the frame. */

enum {
    FRAME_HEADER = 4,
    FRAME_SIZE_MAX = 1 << 20,
    FRAME_SIZE_POST = KEYRING_POST_LIMIT + FRAME_SIZE_MAX, /* of what carries a post */
};

enum purpose {
    PURPOSE_CREATE = 1,
    PURPOSE_IMPORT,
    PURPOSE_LOCATION_NEW,
    PURPOSE_VERIFY_LOCATION,
    PURPOSE_CHECK_KEY,
    PURPOSE_INVITE_NEW,
    PURPOSE_INVITE_OPEN,
    PURPOSE_FORGET,
    PURPOSE_POST_SEAL,
    PURPOSE_POST_OPEN,
    PURPOSE_POST_VERIFY,
    PURPOSE_POST_GREET,
    PURPOSE_POST_CHECK,
    PURPOSE_LAST = PURPOSE_POST_CHECK,
};

struct request {
    uint64_t id;
    enum purpose purpose;
    struct bytes home;           /* "node" or a decimal number: home_is_good() */
    struct bytes passphrase;     /* of that home's key */
    struct bytes old_passphrase; /* import */
    uint8_t fingerprint[20];     /* the home's key; verify_location, post_verify, post_check: of who signed */
    struct bytes name;           /* create */
    bool node;                   /* create, import */
    struct bytes data;      /* import: secret key; verify_location: certificate; invite_open: blob; post_open:
                               message; post_verify: plaintext */
    struct bytes key_block; /* verify_location, check_key, post_verify, post_check; invite_new, post_seal:
                               addressee; invite_open: inviter */
    uint8_t hash[20], key[16]; /* invite_new, like the next two */
    int64_t expires;
    enum keyring_sealing sealing;
    struct keyring_post post; /* post_seal, its addressee in key_block; post_verify: only `sealed` */
    struct bytes signature;   /* post_verify, post_check */
    uint8_t day_key[32];      /* post_greet, post_check */
};

struct answer {
    uint64_t id;
    bool progress; /* `text` is a word for a person; nothing else is filled, and an answer follows later */
    struct error error; /* code 0: it worked. Of progress: the text */
    struct keyring_answer fields;
};

/* Appends a whole frame. False when `out` is full or the frame would be too large; `out` is then as it was.
 */
bool frame_request_write(struct buffer *out, const struct request *request);
size_t frame_request_size(const struct request *request);
bool answer_write(struct buffer *out, uint64_t id, const struct keyring_answer *answer);
bool progress_write(struct buffer *out, uint64_t id, const char *text);

/* Takes what follows the size, used up exactly. */
bool frame_request_parse(struct request *out, struct bytes frame);
/* fields.error points at out->error when its code is not 0. */
bool answer_parse(struct answer *out, struct bytes frame);

enum frame_state { FRAME_PARTIAL, FRAME_WHOLE, FRAME_BAD };
/* Looks for a whole frame of at most this size at the front of `input`; it takes FRAME_HEADER + frame->size
 * bytes there. */
enum frame_state frame_find(struct bytes input, size_t most, struct bytes *frame);
/* How large the frames of a purpose may be, in either direction; of the request that `input` begins with. */
size_t frame_most(enum purpose purpose);
size_t frame_request_most(struct bytes input);
/* Room for the rest of a frame whose beginning was found to be good, and at least `step`, so that a large one
 * is not moved as it grows. */
uint8_t *frame_reserve(struct buffer *input, size_t step);
/* Takes a frame away and wipes what was in it. */
void frame_consume(struct buffer *input, struct bytes frame);

/* "node" or a number from 1 to 18 digits without leading zero: safe as the name of a folder. */
bool home_is_good(struct bytes home);
/* The worker that alone touches this home. */
unsigned home_worker(struct bytes home, unsigned workers);

#endif
