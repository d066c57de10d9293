/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_POST_DAY_KEY_H
#define RETROGATE_DISTANT_POST_DAY_KEY_H

#include "base/map.h"
#include "distant/post_channel.h"

/* The recipient's day keys (POSTS.md §4, §5): made, signed, replaced and wiped in their time. An ephemeral
 * key of a sender opens one channel, once: its frames repeated elsewhere would make the recipient use a
 * counter twice under the same keys. Pure. */

enum {
    POST_SIGNATURE_MAX = 2000,
    POST_DAY_KEY_RENEW_MS = 12 * 3600 * 1000,
    POST_DAY_KEY_MS = 24 * 3600 * 1000,
    POST_DAY_KEY_USES = 4096, /* channels under one day key */
    POST_SIGN_AGAIN_MS = 30000,
    POST_SIGN_WAIT_MS = 120000, /* the keyring should have answered */
};

struct post_used;

struct post_day_key {
    bool there;
    struct post_pair pair;
    uint64_t made_at;
    uint8_t signature[POST_SIGNATURE_MAX];
    size_t signature_size; /* 0: it is being signed */
    struct post_used *used;
};

/* All zeros: there are none. */
struct post_day_keys {
    struct post_day_key current, previous, making;
    uint64_t not_before; /* for the next one to be made */
};

void post_day_keys_wipe(struct post_day_keys *keys);
void post_day_keys_age(struct post_day_keys *keys, uint64_t now);
uint64_t post_day_keys_deadline(const struct post_day_keys *keys);

/* The key to greet with; NULL: there is none that is young enough. */
const struct post_day_key *post_day_keys_greeting(const struct post_day_keys *keys, uint64_t now);
/* Makes one to be signed, keys->making. False: one is being signed, or it is too early for another. */
bool post_day_keys_make(struct post_day_keys *keys, const struct random_source *random, uint64_t now);
/* False: not the one that is being signed, or it was not signed (tried again in its time). */
bool post_day_keys_signed(struct post_day_keys *keys, const uint8_t day_key[32], struct bytes signature,
                          uint64_t now);

/* Whether a channel was opened with this key of a sender before. */
bool post_day_keys_used(const struct post_day_keys *keys, const uint8_t ephemeral[32]);
/* Opens the first frame of a channel; `agreement`: all but `own` and `peer`. False: no day key fits. */
bool post_day_keys_open(struct post_day_keys *keys, struct post_channel *channel, uint64_t *until,
                        struct post_agreement *agreement, struct buffer *plain,
                        const struct post_frame *frame);

#endif
