/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_DELIVERY_H
#define RETROGATE_CORE_DELIVERY_H

#include "core/session.h"

/* What becomes of own lines, on its way into the store and out as changes. */

/* One line, now. `route` is that of the row, 0: none yet. */
void line_delivery(struct conversation *conversation, int64_t seq, const char *delivery, const char *reason,
                   int64_t route);
/* Of a line that a chat had; kept until deliveries_commit(). The texts are static. */
void delivery_learned(struct conversation *conversation, int64_t seq, const char *delivery,
                      const char *reason, int64_t route);
/* Stores what was learned as one transaction, and lets go on what waited for it. What cannot be stored now is
 * tried again with the next, and every minute. */
void deliveries_commit(struct conversation *conversation);
void deliveries_free(struct conversation *conversation);

/* Takes a line out of the conversation's queue for good, and answers the call when that is stored. False: it
 * waits there no more. */
bool line_withdraw(struct call *call, struct conversation *conversation, int64_t seq);

#endif
