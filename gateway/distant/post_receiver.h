/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_POST_RECEIVER_H
#define RETROGATE_DISTANT_POST_RECEIVER_H

#include "base/buffer.h"
#include "base/source.h"
#include "wire/post.h"

/* The receiving end of posts for one account, over all its hashes (POSTS.md; protocol 04 §8, 06 W-M3, W-M9,
 * W-M11, W-M12). Pure. */
struct post_receiver;

enum {
    POST_RECEIVER_TUNNELS = 256,       /* at a time; the idlest gives way */
    POST_RECEIVER_PARTIALS = 16,       /* classic posts being put together; 2 over 1 MiB */
    POST_RECEIVER_PARTIAL_MS = 120000, /* since their latest part */
    POST_RECEIVER_TRANSFERS = 8,       /* sealed, unfinished; one of them over 1 MiB */
    POST_RECEIVER_TRANSFER_MS = 600000,
};

struct post_receiver_options {
    uint8_t fingerprint[20]; /* of the account's key */
    uint64_t limit;          /* bytes of the largest content taken; post_receiver_set_limit() changes it */
    bool greets;             /* the vault is open: day keys can be signed; post_receiver_set_greets() */
};

enum post_receiver_output_kind {
    POST_RECEIVER_SEND,    /* `payload` through `tunnel` */
    POST_RECEIVER_SIGN,    /* have `day_key` signed, then post_receiver_signed() */
    POST_RECEIVER_OFFERED, /* sealed: is `digest` in the store? then post_receiver_offer() for `post` */
    POST_RECEIVER_ARRIVED, /* `message` is whole: take its memory; then post_receiver_stored() or _refused()
                              for `post` */
    POST_RECEIVER_CLOSE_TUNNEL, /* give `tunnel` up */
    POST_RECEIVER_CONFIRMED,    /* `tunnel` carried a frame that opened, or a whole classic post */
    POST_RECEIVER_REFUSED,      /* for the log: `reason`, static text */
};

struct post_receiver_output {
    enum post_receiver_output_kind kind;
    uint64_t tunnel;
    struct bytes payload;
    uint8_t day_key[32];
    uint64_t post;      /* of an offer or a message under way; never reused */
    uint8_t hash[20];   /* through which it came */
    uint8_t digest[32]; /* SHA-256 of the OpenPGP message */
    uint64_t size;
    bool sealed;
    struct buffer *message;
    const char *reason;
};

struct post_receiver *post_receiver_new(const struct post_receiver_options *options,
                                        const struct random_source *random, uint64_t now);
void post_receiver_free(struct post_receiver *receiver); /* wipes the day keys */
void post_receiver_set_limit(struct post_receiver *receiver, uint64_t limit);
void post_receiver_set_greets(struct post_receiver *receiver, bool greets, uint64_t now);

/* secret: P of the route when `hash` is a private one, copied; else NULL. */
void post_receiver_tunnel_up(struct post_receiver *receiver, uint64_t tunnel, const uint8_t hash[20],
                             const uint8_t *secret, uint64_t now);
void post_receiver_tunnel_down(struct post_receiver *receiver, uint64_t tunnel, uint64_t now);
void post_receiver_receive(struct post_receiver *receiver, uint64_t tunnel, struct bytes payload,
                           uint64_t now);

/* signature empty: the keyring could not; tried again in 30 s. */
void post_receiver_signed(struct post_receiver *receiver, const uint8_t day_key[32], struct bytes signature,
                          uint64_t now);
/* What becomes of an offer: 0: send it; POST_KNOWN: it is stored already; else an enum post_refusal. */
enum { POST_KNOWN = 0x100 };
void post_receiver_offer(struct post_receiver *receiver, uint64_t post, int answer, uint64_t now);
void post_receiver_stored(struct post_receiver *receiver, uint64_t post,
                          uint64_t now); /* committed; a classic one too */
void post_receiver_refused(struct post_receiver *receiver, uint64_t post, enum post_refusal code,
                           uint64_t now);

void post_receiver_tick(struct post_receiver *receiver, uint64_t now);
uint64_t post_receiver_deadline(const struct post_receiver *receiver);
bool post_receiver_next(struct post_receiver *receiver, struct post_receiver_output *out);

#endif
