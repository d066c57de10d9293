/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_LIVE_FRAMES_H
#define RETROGATE_WEB_LIVE_FRAMES_H

#include "base/bytes.h"

/* Sees to it that all frames of a WebSocket client are masked (RFC 6455 §5.1): libwebsockets 4.1.6 takes
 * others too and tells nobody. Reads along as the bytes pass, the request head first. Pure; zeros begin. */
struct frames {
    uint64_t left;   /* bytes of the present frame's mask and payload still to pass */
    uint8_t matched; /* bytes of the head's end seen in a row; 4: behind it */
    bool refused;    /* for good: a frame unmasked, or longer than any may be */
};

/* The beginning of a frame of a kind that does not exist: given to libwebsockets in place of the refused one,
 * it has it close the connection with 1002 in good order. */
#define FRAMES_NONSENSE 0x8f

bool frames_begun(const struct frames *frames); /* the head has passed */
/* How many bytes from the front may pass: at most the rest of the head, at first. What is left otherwise
 * begins a frame whose header is not whole, or one that was refused. */
size_t frames_pass(struct frames *frames, struct bytes input);

#endif
