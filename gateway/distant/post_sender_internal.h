/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_POST_SENDER_INTERNAL_H
#define RETROGATE_DISTANT_POST_SENDER_INTERNAL_H

#include "distant/post_channel.h"
#include "distant/post_sender.h"

/* Nothing is queued for the owner: what is to be said stands in the state, and post_sender_next() finds it.
 */

enum {
    SIGNATURE_MAX = 2000,
    CHECKS = 4,       /* greetings that are being checked at a time */
    CHECKS_BURST = 8, /* in a tunnel */
    DOUBTED = 8,      /* greetings that were not genuine, remembered */
    DOUBT_MS = 10000,
    UNANSWERED_MS = 5000,
    GIVE_UP_MS = 60000,
    STALL_MS = 180000,
    QUIET_MS = 20000, /* while slices are under way */
    GO_BACK_MS = 2000,
};

/* A day key that the contact has signed. */
struct genuine {
    uint8_t day_key[32];
    uint64_t until; /* 0: none */
};

struct sender_tunnel {
    bool there, closing, confirming, confirmed;
    uint64_t id;
    struct post_channel channel;
    struct genuine greeted; /* that `channel` was made with */
    uint64_t agreed_at;
    uint64_t keyless_since;
    unsigned asked; /* questions */
    bool ask;
    uint64_t unanswered; /* since when; 0: everything was answered */
    struct post_allowance checks;
};

struct sender_check {
    bool there, told;
    uint64_t number;
    unsigned tunnels; /* bits: through which it came */
    uint8_t digest[32];
    uint8_t day_key[32];
    uint8_t signature[SIGNATURE_MAX];
    size_t size;
};

/* Not for ever: the keyring may only have been away. */
struct doubt {
    uint8_t digest[32];
    uint64_t until;
};

enum fate { FATE_OPEN, FATE_DELIVERED, FATE_LEFT, FATE_REFUSED, FATE_RETURNED, FATE_WITHDRAWN };

struct transfer {
    bool there, classic;
    enum fate fate;
    uint8_t code;
    uint64_t post;
    struct buffer message; /* classic: the text, consumed as it leaves */
    uint64_t tunnel;       /* classic: the one that takes it */
    bool begun;            /* something of it left */
    uint8_t id[POST_ID_SIZE];
    uint8_t digest[32];
    bool offer;         /* is to be made now */
    bool wanted;        /* it was answered */
    unsigned offers;    /* without an answer that brought it further */
    uint64_t quiet_at;  /* then it is offered again */
    uint64_t offset;    /* below it the recipient has everything */
    uint64_t next, end; /* what is sent now: next … end */
    uint64_t back_at;   /* when it last went back or on */
};

struct post_sender {
    struct random_source random;
    uint8_t hash[20], recipient[20], secret[32];
    bool is_private, sealed_only, prefers_classic;
    int64_t started;
    uint64_t started_at, now;
    enum post_wire wire;
    bool wire_told;
    struct genuine newest;
    struct sender_tunnel tunnels[POST_SENDER_TUNNELS + 1]; /* the last one is only to be closed */
    struct sender_tunnel *carrier;                         /* of sealed transfers */
    struct transfer transfers[POST_TRANSFERS];
    size_t turn;
    uint64_t progress_at;
    struct sender_check checks[CHECKS];
    uint64_t last_check;
    struct doubt doubts[DOUBTED];
    size_t next_doubt;
    struct buffer payload; /* of the latest output */
};

static inline size_t sender_tunnel_index(const struct post_sender *sender, const struct sender_tunnel *tunnel)
{
    return (size_t)(tunnel - sender->tunnels);
}

/* The tunnel may be used. */
static inline bool sender_tunnel_is_up(const struct sender_tunnel *tunnel)
{
    return tunnel->there && !tunnel->closing;
}

/* post_sender.c */
struct sender_tunnel *sender_tunnel_find(struct post_sender *sender, uint64_t id);
void sender_wire_set(struct post_sender *sender, enum post_wire wire);

/* post_sender_greeting.c */
void sender_greeting(struct post_sender *sender, struct sender_tunnel *tunnel,
                     const struct post_greeting *greeting);
bool sender_greeting_is_checked(const struct post_sender *sender, const struct sender_tunnel *tunnel);
void sender_greeting_forget(struct post_sender *sender, const struct sender_tunnel *tunnel);
bool sender_greeting_next(struct post_sender *sender, struct post_sender_output *out);

/* post_sender_sealed.c */
void sender_carrier_choose(struct post_sender *sender); /* also the same one under new keys */
void sender_sealed_begin(struct post_sender *sender, struct transfer *transfer);
void sender_sealed_withdrawn(struct post_sender *sender);
void sender_sealed_receive(struct post_sender *sender, struct sender_tunnel *tunnel,
                           const struct post_frame *frame);
void sender_sealed_tick(struct post_sender *sender);
uint64_t sender_sealed_deadline(const struct post_sender *sender);
bool sender_sealed_next(struct post_sender *sender, struct post_sender_output *out);

#endif
