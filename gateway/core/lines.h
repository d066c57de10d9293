/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_LINES_H
#define RETROGATE_CORE_LINES_H

#include "core/session.h"

/* Lines of chat on their way into the store and out as changes. */

/* Takes the answer of `say`, or is told why there is none. */
typedef void line_said_fn(void *arg, json_t *answer, const struct error *error);
/* An own line: commits it as `sent` when a route can talk now, else as `queued`, tells `said` later, hands it
 * on. On a sealed route it is committed under the number that it will have there. */
bool line_say(struct conversation *conversation, struct bytes text, const char *label, line_said_fn *said,
              void *arg, struct error **error);
/* A CHAT_LINE of the classic wire: with the salts of its packets in one commit. One with a number waits for
 * lines_store(). */
void line_received(struct route *route, const struct chat_output *output);
/* Stores what was received under numbers as one commit, with a note where lines before were lost, and answers
 * the chat. One at a time: were one to fail and the next not, what it holds would be passed over for ever. */
void lines_store(struct route *route);
void lines_forget(struct route *route);

#endif
