/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_QUEUE_H
#define RETROGATE_FRIEND_QUEUE_H

#include "base/bytes.h"

/* What waits for one friend: ten first-in first-out levels, served by the rule of protocol 01 §5. Items lie
 * one after the other in chunks, so a small item costs no allocation of its own. Pure.
 *
 * The limit counts bytes, 8 more for each item. When full, the newest item is refused, and part of the limit
 * is held back for higher levels: level n may fill (n + 7) / 16 of it. So a flood of file data cannot keep
 * out chat, nor chat the heartbeat. */
struct queue;

enum { QUEUE_LEVELS = 10 };

struct queue *queue_new(size_t limit); /* NULL without memory */
void queue_free(struct queue *queue);

/* Copies. False when the level is full, the item is over the limit, or there is no memory. */
bool queue_push(struct queue *queue, unsigned level, struct bytes item);
/* Takes the next item; the view lives until the next call on this queue. False when empty. */
bool queue_pop(struct queue *queue, struct bytes *item);
size_t queue_size(const struct queue *queue); /* bytes, 8 more than each item */

/* The rule itself: which of the non-empty levels (bit n of `filled`, not 0) is served, given the levels'
 * counters. */
unsigned queue_pick(uint32_t counters[QUEUE_LEVELS], unsigned filled);

#endif
