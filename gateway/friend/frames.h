/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_FRAMES_H
#define RETROGATE_FRIEND_FRAMES_H

#include "friend/slices.h"

enum frame {
    FRAME_NONE, /* no further whole item: keep the rest of the input, call again with more */
    FRAME_ITEM, /* one whole item */
    FRAME_BAD,  /* not a stream of items: close the link */
};

/* Takes the next whole item off the front of what came inside TLS (protocol 11 §4); slices are joined. The
 * item is a view into the input, or into `slices` until the next call. `*reason` is set with FRAME_BAD. Pure.
 */
enum frame frames_next(struct slices *slices, struct bytes *input, uint64_t now_ms, struct bytes *item,
                       const char **reason);

#endif
