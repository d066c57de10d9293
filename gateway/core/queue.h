/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_QUEUE_H
#define RETROGATE_CORE_QUEUE_H

#include "core/state.h"

/* Own lines of a conversation that wait for a tunnel, in the order they were said. A line is committed as
 * sent before it leaves. On the classic wire, so that after a crash none is ever repeated (00 decision 18);
 * one that could not leave at that moment comes back here and is told as queued again. On a sealed route with
 * its number, under which it is the chat's from then on; what has no room there stays here. */

struct queued_line *queued_line_new(struct bytes text); /* NULL without memory, or when it is too long */
void queued_line_free(struct queued_line *line);        /* NULL is fine */

/* All that take a line own it from then on. */

/* A line that is stored as queued. */
void queue_add(struct conversation *conversation, struct queued_line *line);
/* Marks what waits as sent, commits, and hands it to a route that can talk; nothing without such a route. */
void queue_flush(struct conversation *conversation);
/* Of all conversations: what could not be marked when the disk was full is tried again. */
void queues_flush(struct gateway *gateway);
/* Hands a line that was committed as sent to a classic route now, or puts it into the queue. */
void queue_hand_over(struct conversation *conversation, struct queued_line *line);
/* Hands a line that was committed under a number to its sealed route. */
void queue_say(struct route *route, struct queued_line *line);
/* Once more what a chat had no memory for. */
void queue_say_again(struct route *route);
/* The route has ended: what its chat never had fails. */
void queue_unsaid_fail(struct route *route);
void queue_unsaid_drop(struct route *route);

/* Takes a line out, to be given back or freed. NULL when it does not wait, or leaves just now. */
struct queued_line *queue_take(struct conversation *conversation, int64_t seq);
void queue_give_back(struct conversation *conversation, struct queued_line *line);

/* After loading: tells what was sent through routes that are gone. */
void queues_claim(struct gateway *gateway);
/* Our store is an old backup: what was queued when it was made may have left since. */
void queue_doubt(struct conversation *conversation);
/* The conversation was closed: what waits fails. */
void queue_fail(struct conversation *conversation, const char *reason);
void queue_drop(struct conversation *conversation);

#endif
