/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_KEYRING_CHILD_H
#define RETROGATE_KEYRING_CHILD_H

#include <uv.h>

#include "base/buffer.h"
#include "base/error.h"

/* One retrogate-keyring process on a socketpair, started again when it ends: after 100 ms, doubling up to 30
 * s while it ends without having sent a frame. It leads a process group, so that a kill takes its gpg with
 * it. */
struct child;

struct child_options {
    const char *program, *directory;
    unsigned index, workers;
};

struct child_events {
    void (*frame)(void *arg, struct bytes frame); /* what follows the size; valid during the call */
    void (*up)(void *arg);                        /* it was started again */
    void (*down)(void *arg);                      /* it ended; nothing sent to it will be answered */
};

struct child *child_start(uv_loop_t *loop, const struct child_options *options,
                          const struct child_events *events, void *arg, struct error **error);
bool child_is_up(const struct child *child);
/* Takes the buffer's memory, wipes and frees it when it is sent. Only while it is up. `most`: bytes that a
 * frame from it may have from now on. */
void child_send(struct child *child, struct buffer *frame, size_t most);
/* Ends it at once: `down` follows from the loop. */
void child_kill(struct child *child);
/* Lets it end its agents and itself, for at most 10 s; frees on the loop. No event comes any more. */
void child_stop(struct child *child);

#endif
