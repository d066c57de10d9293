/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_POST_RECEIVER_INTERNAL_H
#define RETROGATE_DISTANT_POST_RECEIVER_INTERNAL_H

#include "base/map.h"
#include "distant/post_day_key.h"
#include "distant/post_receiver.h"

enum {
    LARGE = 1 << 20,
    LARGE_PARTIALS = 2,
    GREETINGS_BURST = 4,  /* in a tunnel */
    EPHEMERALS_BURST = 8, /* in a tunnel */
    TRANSFERS_OF_TUNNEL = 4,
    WINDOW = 16 * POST_SLICE_SIZE,
    WANT_AFTER_SLICES = 8,
    WANT_AFTER_MS = 5000, /* while slices come */
    WANT_AGAIN_MS = 1000, /* for slices that lie elsewhere */
    IDLE_MS = 60000,      /* then a transfer gives way to another */
    QUEUE_MAX = 4096,     /* outputs; the owner takes them after each call */
};

struct receiver_tunnel {
    uint64_t id;
    uint8_t hash[20], secret[32];
    bool is_private;
    struct post_channel channel;
    uint64_t channel_until; /* its day key is wiped then */
    bool greet;             /* as soon as there is a day key */
    bool confirmed;
    struct post_allowance greetings, ephemerals;
    uint64_t active_at;
    UT_hash_handle hh;
};

/* A classic post of which more is to come. */
struct partial {
    bool there;
    uint64_t tunnel;
    struct buffer text;
    uint64_t active_at;
};

enum stage {
    STAGE_NONE,
    STAGE_ASKED,  /* the owner is to say whether it is wanted */
    STAGE_TAKING, /* slices come */
    STAGE_WHOLE,  /* the owner has it */
};

struct incoming {
    enum stage stage;
    uint64_t post;
    uint8_t id[POST_ID_SIZE];
    uint8_t digest[32];
    uint64_t size;
    bool is_private; /* came through a private hash */
    uint64_t tunnel; /* that it was offered in last; 0: that has gone */
    struct buffer letter;
    unsigned unsaid; /* slices since the last want */
    uint64_t want_at, active_at;
};

struct receiver_event {
    struct post_receiver_output said;
    struct buffer buffer; /* of `payload` or `message` */
    struct receiver_event *next, *prev;
};

struct post_receiver {
    struct random_source random;
    uint8_t fingerprint[20];
    uint64_t limit, now;
    bool greets;
    struct receiver_tunnel *tunnels; /* by id */
    struct post_day_keys keys;
    bool greet_later; /* some tunnel waits for a day key */
    struct partial partials[POST_RECEIVER_PARTIALS];
    struct incoming incoming[POST_RECEIVER_TRANSFERS];
    uint64_t last_post;
    struct receiver_event *queue, *lent;
    size_t queued;
};

/* post_receiver.c */
struct receiver_tunnel *receiver_tunnel_find(const struct post_receiver *receiver, uint64_t id);
/* Takes the memory of `buffer` (NULL: none). False when it finds no memory or no room: as good as lost. */
bool receiver_say(struct post_receiver *receiver, const struct post_receiver_output *said,
                  struct buffer *buffer);
void receiver_refuse(struct post_receiver *receiver, uint64_t tunnel, const char *reason);
void receiver_confirm(struct post_receiver *receiver, struct receiver_tunnel *tunnel);
/* Bytes of the largest OpenPGP message that content of the limit can make. */
uint64_t receiver_message_limit(const struct post_receiver *receiver);

/* post_receiver_classic.c */
void receiver_classic(struct post_receiver *receiver, struct receiver_tunnel *tunnel, struct bytes item);
void receiver_partials_drop(struct post_receiver *receiver, uint64_t tunnel);
void receiver_partials_tick(struct post_receiver *receiver);
uint64_t receiver_partials_deadline(const struct post_receiver *receiver);

/* post_receiver_greeting.c */
void receiver_greet(struct post_receiver *receiver, struct receiver_tunnel *tunnel);
void receiver_greet_waiting(struct post_receiver *receiver);
void receiver_keys_tick(struct post_receiver *receiver);
uint64_t receiver_keys_deadline(const struct post_receiver *receiver);

/* post_receiver_sealed.c */
void receiver_sealed(struct post_receiver *receiver, struct receiver_tunnel *tunnel,
                     const struct post_frame *frame);
void receiver_transfers_detach(struct post_receiver *receiver, uint64_t tunnel);
void receiver_transfers_tick(struct post_receiver *receiver);
uint64_t receiver_transfers_deadline(const struct post_receiver *receiver);

#endif
