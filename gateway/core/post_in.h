/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_IN_H
#define RETROGATE_CORE_POST_IN_H

#include "core/post_ways.h"
#include "distant/post_receiver.h"

/* Posts that come to an account: the hashes that it answers for, its receiver of the room distant, and what
 * arrived on its way through the keyring to the desk. */

enum {
    POST_IN_OPENING = 4,               /* messages of an account in the keyring, one of them over: */
    POST_IN_LARGE = 1 << 20,           /* bytes */
    POST_IN_MESSAGES = 32,             /* of an account that are not stored yet, and */
    POST_IN_MEMORY = 48 << 20,         /* bytes of them */
    POST_IN_LOCKED = 256,              /* not opened, of an account */
    POST_IN_STRANGER_LIMIT = 64 << 10, /* bytes of a post by somebody unknown */
    POST_IN_ROUTES = 512,              /* that go to another day in a minute */
};

enum incoming_stage {
    INCOMING_OFFERED, /* sealed: the store is asked whether it is known */
    INCOMING_ASKED,   /* classic: the same */
    INCOMING_READ,    /* one that was locked: its message is fetched */
    INCOMING_QUEUED,  /* for the keyring */
    INCOMING_OPENING,
    INCOMING_VERIFYING,
    INCOMING_STORING,
};

struct incoming {
    struct post_in *in; /* NULL: nobody waits for it any more */
    enum incoming_stage stage;
    uint64_t post;    /* the receiver's number */
    int64_t replaces; /* seq of the locked one that it was; then it is not the receiver's */
    bool sealed;
    const char *level;
    uint8_t hash[20], digest[32];
    uint64_t request; /* to the keyring */
    struct buffer message, plain;
    /* what was found in it */
    struct post_letter letter;
    struct post_inner *inner;
    uint8_t fingerprint[20]; /* of the key to verify with; zeros: none */
    struct buffer autocrypt;
    bool stranger; /* counted in in->strangers */
    bool held;     /* the gateway's end waits for it */
    struct incoming *prev, *next;
};

struct day_key_request {
    struct post_in *in;
    uint64_t request;
    uint8_t day_key[32];
    struct day_key_request *prev, *next;
};

struct post_in {
    struct account *account;
    struct hash_owner owner;
    struct post_receiver *receiver;
    struct incoming *incoming; /* in the order they came */
    unsigned strangers;        /* being stored */
    struct day_key_request *day_keys;
    uint64_t round; /* of looking which links are served */
    bool closed;    /* the gateway stops */
};

/* Serves the private hashes of a route if it carries posts, else no longer. */
void post_in_route(struct route *route);
void posts_in_start(struct gateway *gateway);
void posts_in_minute(struct gateway *gateway);
void posts_in_close(struct gateway *gateway);

/* --- post_in_open.c */
struct incoming *incoming_new(struct post_in *in);
void incoming_offered(struct post_in *in, const struct post_receiver_output *output, const char *level);
void incoming_arrived(struct post_in *in, const struct post_receiver_output *output, const char *level);
/* What was received while the vault was locked, one at a time. */
void incoming_open_locked(struct post_in *in);
void incoming_work(struct post_in *in); /* gives the keyring what it may have now */
/* The gateway stops. Classic posts are kept as they came: nobody sends them again. */
void incoming_close_all(struct post_in *in);
void incoming_forget_all(struct post_in *in);

#endif
