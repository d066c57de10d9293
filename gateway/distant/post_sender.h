/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_POST_SENDER_H
#define RETROGATE_DISTANT_POST_SENDER_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/source.h"

/* The sending end of posts to one contact over one hash (POSTS.md; protocol 04 §6, §7). Pure: the owner feeds
 * tunnels, payloads, answers and time, and takes outputs after each call. It keeps nothing that outlives the
 * process: what was not told as delivered is given again after a restart. Which wire: sealed as soon as a
 * greeting is genuine; classic when nothing is known of the contact and none came for POST_GREETING_MS in a
 * tunnel that is up. */
struct post_sender;

enum post_wire { POST_WIRE_UNKNOWN, POST_WIRE_CLASSIC, POST_WIRE_SEALED };

enum { POST_GREETING_MS = 10000, POST_TRANSFERS = 4, POST_SENDER_TUNNELS = 8 };

struct post_sender_options {
    uint8_t hash[20];
    uint8_t recipient[20]; /* fingerprint */
    const uint8_t *secret; /* P, 32 bytes, copied: a private hash; NULL: open or universal */
    bool sealed_only;      /* the contact is known for sealed posts */
    int64_t started;       /* Unix ms, when it is made: for the day that classic posts bear */
    bool classic;          /* its person wants classic for all that is given: greetings are not waited for */
};

enum post_sender_output_kind {
    POST_SENDER_SEND,      /* `payload` through `tunnel` */
    POST_SENDER_CHECK,     /* check `day_key`, `signature` with the contact's key; then
                              post_sender_checked(`check`) */
    POST_SENDER_WIRE,      /* it is known now which wire: give posts made for it */
    POST_SENDER_DELIVERED, /* `post`: the recipient has stored it */
    POST_SENDER_LEFT,      /* `post`: classic, all of it was handed over: not confirmed */
    POST_SENDER_REFUSED,   /* `post`: `code` of the recipient; `temporary`: give it again later */
    POST_SENDER_RETURNED,  /* `post` is not told as anything and forgotten: the wire changed; seal it for the
                              new one, give it again */
    POST_SENDER_CLOSE_TUNNEL, /* give `tunnel` up */
    POST_SENDER_CONFIRMED,    /* `tunnel` carried something genuine (router_confirm) */
};

struct post_sender_output {
    enum post_sender_output_kind kind;
    uint64_t tunnel;
    struct bytes payload; /* views live until the next post_sender_next() */
    uint64_t check;
    uint8_t day_key[32];
    struct bytes signature;
    uint64_t post;
    uint8_t code;
    bool temporary;
};

struct post_sender *post_sender_new(const struct post_sender_options *options,
                                    const struct random_source *random,
                                    uint64_t now); /* NULL without memory */
void post_sender_free(struct post_sender *sender);

void post_sender_tunnel_up(struct post_sender *sender, uint64_t tunnel, uint64_t now);
void post_sender_tunnel_down(struct post_sender *sender, uint64_t tunnel, uint64_t now);
void post_sender_receive(struct post_sender *sender, uint64_t tunnel, struct bytes payload, uint64_t now);
/* What the keyring says of a POST_SENDER_CHECK. `valid_s`: how long from now it stays valid. */
void post_sender_checked(struct post_sender *sender, uint64_t check, bool genuine, uint64_t valid_s,
                         uint64_t now);

enum post_wire post_sender_wire(const struct post_sender *sender);
bool post_sender_can_send(const struct post_sender *sender); /* a tunnel is up and the wire is known */
unsigned post_sender_room(const struct post_sender *sender); /* posts that may be given now */
/* Takes the OpenPGP message's memory (`message` is empty afterwards), made for this wire. `post`: the owner's
 * number. False, with `message` still the caller's, without room or when the wire has changed. Classic: it
 * was committed as not confirmed before. */
bool post_sender_give(struct post_sender *sender, uint64_t post, enum post_wire wire, struct buffer *message,
                      uint64_t now);
/* Its person withdrew it: not told any more. False when it is not there. */
bool post_sender_cancel(struct post_sender *sender, uint64_t post, uint64_t now);

void post_sender_tick(struct post_sender *sender, uint64_t now);
uint64_t post_sender_deadline(const struct post_sender *sender); /* UINT64_MAX: nothing is planned */
bool post_sender_next(struct post_sender *sender, struct post_sender_output *out);

#endif
