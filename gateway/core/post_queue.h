/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_QUEUE_H
#define RETROGATE_CORE_POST_QUEUE_H

#include "core/posts.h"

/* Deliveries that wait: in memory from their commit (or the start) until what became of them is committed. */

/* After its commit: it waits, and the network side hears of it. Takes it. */
void delivery_enqueue(struct post_delivery *delivery);
/* At the start. */
void delivery_loaded(struct post_delivery *delivery);
void delivery_free(struct post_delivery *delivery); /* one that was never in the queue */
/* It no longer waits; the network side forgets it. Frees it when nobody speaks of it. */
void delivery_leave(struct post_delivery *delivery);
/* For asynchronous work of the desk. */
void delivery_pin(struct post_delivery *delivery);
void delivery_unpin(struct post_delivery *delivery);

/* One word for all that ends a delivery without the network side: withdrawn, too late. Adds the rows to the
 * write; after its commit delivery_ended() (with the number of the change, or 0 when it failed). */
struct write;
int64_t delivery_end(struct post_delivery *delivery, struct write *write, const char *reason);
void delivery_ended(struct post_delivery *delivery, int64_t change);

/* The queued deliveries of a post, at most one for a contact. `contact` NULL: of all. */
size_t deliveries_of(struct account *account, int64_t seq, const struct contact *contact,
                     struct post_delivery *out[POSTS_RECIPIENTS]);
/* Whether so much more may wait. */
bool queue_takes(const struct account *account, size_t deliveries, size_t bytes, struct error **error);

bool do_post_withdraw(struct call *call, struct error **error);
bool do_post_resend(struct call *call, struct error **error);

#endif
