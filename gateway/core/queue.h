/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_QUEUE_H
#define RETROGATE_CORE_QUEUE_H

#include "core/state.h"

/* Own lines of a conversation that wait for a tunnel, in the order they were said. A line is committed as
 * sent before it leaves, so that after a crash none is ever repeated (00 decision 18); one that could not
 * leave at that moment comes back here and is told as queued again. */

/* A line that is stored as queued. Without memory it fails, and says so. */
void queue_add(struct conversation *conversation, int64_t seq, struct bytes text);
/* Marks what waits as sent, commits, and hands it to a route that can talk; nothing without such a route. */
void queue_flush(struct conversation *conversation);
/* Of all conversations: what could not be marked when the disk was full is tried again. */
void queues_flush(struct gateway *gateway);
/* Hands a line that was committed as sent to a route now, or puts it into the queue. */
void queue_hand_over(struct conversation *conversation, int64_t seq, struct bytes text);

/* Takes a line out, to be given back or freed. NULL when it does not wait, or leaves just now. */
struct queued_line *queue_take(struct conversation *conversation, int64_t seq);
void queue_give_back(struct conversation *conversation, struct queued_line *line);
void queued_line_free(struct queued_line *line); /* NULL is fine */

/* The conversation was closed: what waits fails. */
void queue_fail(struct conversation *conversation, const char *reason);
void queue_drop(struct conversation *conversation);

#endif
