/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_SEALING_H
#define RETROGATE_CORE_SEALING_H

#include "core/session.h"

/* How a conversation becomes sealed, and classic again (SEALED.md §4, §8, §10, §11). What a route becomes is
 * in memory from the moment it is given to the store, so that no later row of it takes it back. */

/* CHAT_ROOT: stores root and claim, and that route and conversation are sealed; then the chat goes on, and
 * what is classic beside it ends. */
void sealing_root(struct route *route, struct bytes secret, bool settled);
/* CHAT_SETTLED: wipes hash and key of the invite, and ends the offer. What fails is tried again
 * every minute.
 */
void sealing_settle(struct route *route);
/* The other side has closed a sealed route: its secrets are wiped. */
void sealing_closed_by_peer(struct route *route);
/* Stores the route as it is, with the salts of the packet that closed it; then a closing is answered. */
void sealing_store_closing(struct route *route, const uint64_t *salts, size_t count);

bool do_conversation_lower(struct call *call, struct error **error);

#endif
