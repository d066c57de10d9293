/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_SEALED_TUNNEL_H
#define RETROGATE_DISTANT_SEALED_TUNNEL_H

#include "base/buffer.h"
#include "crypto/sealed.h"

/* The handshake, the keys and the counters of one tunnel (SEALED.md §5, §6). Pure: knows neither the packet
 * around an announcement nor what a frame says. All zeros is a tunnel without keys. */

enum {
    SEALED_WINDOW = 1024,
    SEALED_RENEW_MS = 12 * 3600 * 1000,
    SEALED_SPENT_MS = 24 * 3600 * 1000,
    SEALED_OLD_KEYS_MS = 60 * 1000,
};

/* Keys and what was sent and received under them. */
struct sealed_channel {
    bool there;
    struct sealed_keys keys;
    uint8_t peer[SEALED_ANNOUNCEMENT_SIZE]; /* the announcement that they were made with */
    uint64_t made_at;
    uint64_t sent; /* the next counter */
    bool heard;
    uint64_t highest;
    uint64_t seen[SEALED_WINDOW / 64];
};

struct sealed_tunnel {
    struct sealed_ephemeral own; /* of the handshake under way; the answerer's without its secret */
    bool announcing;             /* opener: the handshake under way is not confirmed */
    struct sealed_channel current, next, previous;
    uint64_t previous_until;
};

void sealed_tunnel_wipe(struct sealed_tunnel *tunnel);

/* The opener makes a new announcement, tunnel->own.announcement. Keys that are confirmed stay. */
bool sealed_tunnel_announce(struct sealed_tunnel *tunnel, const struct random_source *random);

enum sealed_meeting {
    SEALED_MEETING_REFUSED,
    SEALED_MEETING_STALE,    /* nothing is to be done */
    SEALED_MEETING_REPEATED, /* the answerer says tunnel->own.announcement again */
    SEALED_MEETING_BEGUN,    /* there are new keys, not confirmed; the answerer says its announcement */
};
/* What an announcement would do, before anything is computed. */
enum sealed_meeting sealed_tunnel_judge(const struct sealed_tunnel *tunnel, enum sealed_side side,
                                        const uint8_t peer[SEALED_ANNOUNCEMENT_SIZE]);
/* Does it, when it was SEALED_MEETING_BEGUN. `handshake`: all but `own` and `peer`. */
bool sealed_tunnel_meet(struct sealed_tunnel *tunnel, struct sealed_handshake *handshake,
                        const uint8_t peer[SEALED_ANNOUNCEMENT_SIZE], const struct random_source *random,
                        uint64_t now);

/* asking: under the keys that are not confirmed. False without such keys, or when they are spent. */
bool sealed_tunnel_seal(struct sealed_tunnel *tunnel, struct sealed_cipher *cipher, struct buffer *out,
                        bool asking, struct bytes plain, uint64_t now);

enum sealed_opening {
    SEALED_OPENS_NOT,
    SEALED_OPENED_BEFORE,
    SEALED_OPENED,           /* `newest`: no later frame was opened before */
    SEALED_OPENED_CONFIRMING /* the first under these keys: they are the current ones now */
};
enum sealed_opening sealed_tunnel_open(struct sealed_tunnel *tunnel, struct sealed_cipher *cipher,
                                       struct buffer *out, struct bytes frame, bool *newest, uint64_t now);

/* Wipes old receiving keys in their time. */
void sealed_tunnel_age(struct sealed_tunnel *tunnel, uint64_t now);
/* The keys should be made anew; they may not be used any more. */
bool sealed_tunnel_renews(const struct sealed_tunnel *tunnel, uint64_t now);
bool sealed_tunnel_spent(const struct sealed_tunnel *tunnel, uint64_t now);

#endif
