/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_CONVERSATIONS_H
#define RETROGATE_CORE_CONVERSATIONS_H

#include "core/state.h"

/* Conversations and their routes: from the chat sessions' outputs to lines, changes and the router, and back.
 */

/* Makes the chat of a route whose keys can be unwrapped, and serves or seeks its hash. False without memory
 * or keys, or when another route has the hash. */
bool route_start(struct route *route);
/* The row, as the route is now, in a batch of its own. An ended route has none. */
void route_save(const struct route *route);
/* Deletes the row with `batch`; after that commit the route is ended. */
void route_delete(const struct route *route, struct store_batch *batch);
/* Ends a route: the peer is told, the chat forgotten. */
void route_end(struct route *route);
void route_stop(struct route *route); /* as at shutdown: nothing is told to anybody */

/* Sends what the router and the chats put out, until nothing is left. */
void conversations_drain(struct gateway *gateway);
void route_mark_dirty(struct route *route);
void route_take_outputs(struct route *route);
void route_rearm(struct route *route); /* its timer */

/* Somebody began or stopped to look (sessions), or lines wait: seek tunnels or sleep (00 decision 13). */
void conversation_interest(struct conversation *conversation);
void conversations_interest(struct account *account);
/* A person opened it just now. */
void conversation_wake(struct conversation *conversation);

/* Work out the state from the routes; a change of it is told. */
void conversation_settle(struct conversation *conversation);
struct route *conversation_talking_route(const struct conversation *conversation);
void conversation_changed(struct conversation *conversation); /* takes a change number */
/* The conversation as it will be when the writes under way are committed: what the next row begins with. */
struct conversation conversation_as_asked(const struct conversation *conversation);
bool conversation_has_route(const struct conversation *conversation);
/* Frees ended routes of which no commit speaks any more; true when the conversation itself may be freed. */
bool conversation_sweep(struct conversation *conversation);
void conversation_free(struct conversation *conversation);

/* From the router and the local road between two accounts of this gateway. */
void conversations_router_output(struct gateway *gateway, const struct router_output *output);

/* All hashes of an account after its keys are there. */
void account_start_routes(struct account *account);

#endif
