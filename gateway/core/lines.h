/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_LINES_H
#define RETROGATE_CORE_LINES_H

#include "core/session.h"

/* Lines of chat on their way into the store and out as changes. */

/* Takes the answer of `say`, or is told why there is none. */
typedef void line_said_fn(void *arg, json_t *answer, const struct error *error);
/* An own line: commits it as `sent` when a route can talk now, else as `queued`, tells `said` later, hands it
 * on. */
bool line_say(struct conversation *conversation, struct bytes text, const char *label, line_said_fn *said,
              void *arg, struct error **error);
/* A line that came in through a route, with the salts of its packets. */
void line_received(struct route *route, struct bytes text, int64_t peer_time, const uint64_t *salts,
                   size_t count);
/* Delivery of an own line became known. */
void line_delivery(struct conversation *conversation, int64_t seq, const char *delivery, const char *reason,
                   int64_t route);
/* Takes a line out of the conversation's queue for good, and answers the call when that is stored. False: it
 * waits there no more. */
bool line_withdraw(struct call *call, struct conversation *conversation, int64_t seq);

#endif
