/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_LINE_RECEIVER_H
#define RETROGATE_DISTANT_LINE_RECEIVER_H

#include "base/buffer.h"

/* The receiving side of the lines of a sealed route (SEALED.md §7): hands them to the owner exactly once and
 * in order, and knows what may be acknowledged. Pure.
 *
 * Each line that was handed over is answered once, in order, by line_receiver_stored() or _failed(). */
struct line_receiver;

/* Beyond what is stored, whether early or handed over; the next one to be stored is always taken. */
enum { LINE_EARLY_LINES = 4096, LINE_EARLY_BYTES = 1024 * 1024 };

struct received_line {
    uint64_t number;
    int64_t time; /* Unix ms, the sender's clock */
    struct bytes
        text; /* empty: a void; only the number is stored. Lives until the next line_receiver_next() */
    uint64_t missing; /* so many numbers up to it are lost for ever (our store is an old backup) */
};

/* stored: the highest number in the store. NULL without memory. */
struct line_receiver *line_receiver_new(uint64_t stored);
void line_receiver_free(struct line_receiver *receiver);

/* A line came. True when it waits to be handed over, in place of an earlier copy if there was one. False when
 * it was handed over before, is too far ahead, or finds no memory. */
bool line_receiver_take(struct line_receiver *receiver, uint64_t number, int64_t time, struct bytes text);
/* The sender says that it will send nothing below `base` again. To be told before the lines of its frame. */
void line_receiver_base(struct line_receiver *receiver, uint64_t base);
/* Forgets what came early. To be told when the last tunnel has gone: the sender sends it again, unless it is
 * another life of the sender, whose lines with these numbers are others. */
void line_receiver_forget_early(struct line_receiver *receiver);
/* The next line to be stored, in order, each once; false: none. A gap that `base` closed without a line of
 * its own comes as a void with `missing`. */
bool line_receiver_next(struct line_receiver *receiver, struct received_line *out);
/* It is in the store: it and all below may be acknowledged. */
void line_receiver_stored(struct line_receiver *receiver, uint64_t number);
/* It could not be stored: it and all above are handed over again when they come again, not before the answers
 * for all those above have come: what they say does not count. */
void line_receiver_failed(struct line_receiver *receiver, uint64_t number);
uint64_t line_receiver_ack(const struct line_receiver *receiver); /* highest number stored */

#endif
