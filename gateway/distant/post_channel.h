/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_POST_CHANNEL_H
#define RETROGATE_DISTANT_POST_CHANNEL_H

#include "crypto/post_seal.h"
#include "wire/post.h"

/* The keys and counters of one tunnel of posts (POSTS.md §5), as either end holds them. Pure. All zeros is a
 * channel without keys. */
struct post_channel {
    bool there, sender;
    uint8_t ephemeral[32]; /* E */
    struct post_keys keys;
    uint64_t said, heard; /* the latest counters */
};

void post_channel_wipe(struct post_channel *channel);
/* False: the agreement failed; the channel is empty then. */
bool post_channel_agree(struct post_channel *channel, const struct post_agreement *agreement);

/* Appends a frame with this record. The counter is spent also when it fails. */
bool post_channel_write(struct post_channel *channel, struct buffer *item, const struct post_record *record);
/* Appends what the frame says. False: it does not open, or not any more. */
bool post_channel_open(struct post_channel *channel, struct buffer *plain, const struct post_frame *frame);

/* A few at once, then one in a minute. */
enum { POST_ALLOWED_MS = 60000 };
struct post_allowance {
    unsigned used;
    uint64_t since;
};
bool post_allow(struct post_allowance *allowance, unsigned burst, uint64_t now);

#endif
