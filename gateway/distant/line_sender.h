/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_LINE_SENDER_H
#define RETROGATE_DISTANT_LINE_SENDER_H

#include "base/buffer.h"

/* The sending side of the lines of a sealed route (SEALED.md §7): numbers, what is not acknowledged yet, when
 * to send it again. Pure: knows neither frames nor tunnels. `now` is monotonic ms.
 *
 * A number is assigned when its line's commit begins; after the commit line_sender_put() or
 * line_sender_void() tells what became of it. Lines leave in order of their numbers: one whose commit is
 * under way holds up those behind it.
 *
 * One timer, as in RFC 6298 §5: it runs while something is in flight, begins anew when something is
 * acknowledged, and when it ends all that is not acknowledged is due again. The round trip is measured on
 * lines that were sent once only (Karn), and the timer stays doubled until there is such a measure. */
struct line_sender;

enum {
    LINE_WINDOW_LINES = 4096,
    LINE_WINDOW_BYTES = 1024 * 1024, /* of text; one line alone may be longer */
    LINE_AGAIN_LEAST_MS = 1000,
    LINE_AGAIN_MOST_MS = 60000,
};

struct sent_line {
    uint64_t number;
    uint64_t line;     /* the owner's number of it; 0: a void */
    int64_t time;      /* Unix ms */
    struct bytes text; /* empty: a void. Lives until the next call */
};

/* assigned: the highest number ever assigned; acked: the highest acknowledged. What lies between and is not
 * put again, in order, before the first line_sender_next() or _assign() is void. NULL without memory. */
struct line_sender *line_sender_new(uint64_t assigned, uint64_t acked);
void line_sender_free(struct line_sender *sender); /* NULL is fine */

/* How many more lines of `size` bytes of text each could be assigned now. */
size_t line_sender_room(const struct line_sender *sender, size_t size);
/* The next number; 0: no room, no memory, or numbers are used up. `size`: of its text. */
uint64_t line_sender_assign(struct line_sender *sender, size_t size);
/* The line (copied) is committed. `line` is not 0. False without memory: put it again later; it holds up the
 * others. False too when its number is not awaited: after line_sender_drain(). */
bool line_sender_put(struct line_sender *sender, uint64_t number, uint64_t line, int64_t time,
                     struct bytes text);
void line_sender_void(struct line_sender *sender, uint64_t number);

/* The peer has stored everything up to `ack`. False when that is not plausible (over 2^32 above what was
 * assigned): nothing changes. Above what was assigned: numbering goes on LINE_WINDOW_LINES above it, after as
 * many voids, and what was sent before counts as delivered. */
bool line_sender_ack(struct line_sender *sender, uint64_t ack, uint64_t now);
/* The owner's number of a line that was acknowledged, each once, in order; false: no more. What is not taken
 * counts against the window. */
bool line_sender_delivered(struct line_sender *sender, uint64_t *line);

/* The next line to be sent now, in order; false: nothing is due. It counts as sent. */
bool line_sender_next(struct line_sender *sender, uint64_t now, struct sent_line *out);
/* The tunnel is gone, or another one is used: all that is not acknowledged is due again. */
void line_sender_again(struct line_sender *sender);
/* Makes due again what waits too long for its acknowledgement; true when it did: another tunnel may be
 * better. line_sender_deadline() says when next; UINT64_MAX: nothing is in flight. */
bool line_sender_tick(struct line_sender *sender, uint64_t now);
uint64_t line_sender_deadline(const struct line_sender *sender);

uint64_t line_sender_base(const struct line_sender *sender);         /* lowest number not acknowledged */
uint64_t line_sender_assigned(const struct line_sender *sender);     /* highest number used */
size_t line_sender_unacknowledged(const struct line_sender *sender); /* lines, voids included */
/* The route ends: the owner's number of each line without acknowledgement, in order, voids left out, after
 * those of line_sender_delivered() were taken. A line whose commit is under way is no longer awaited. */
bool line_sender_drain(struct line_sender *sender, uint64_t *line);

#endif
