/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_CONVERSATIONS_H
#define RETROGATE_CORE_CONVERSATIONS_H

#include "core/state.h"

/* Conversations and their routes: from the chat sessions' outputs to lines, changes and the router, and back.
 */

/* Makes the chat of a route whose keys can be unwrapped; it serves and seeks its hashes. False without memory
 * or keys, or when another route has the invite's hash. */
bool route_start(struct route *route);
/* The row, as the route is now, in a batch of its own. An ended route has none. */
void route_save(const struct route *route);
/* Deletes the row with `batch`; after that commit the route is ended. */
void route_delete(const struct route *route, struct store_batch *batch);
/* Ends a route: the peer is told, the chat forgotten. */
void route_end(struct route *route);
/* Its person closes it. First the row as it is then, with the other rows of the commit; after that commit the
 * rest. A sealed route parts: it only tells the peer, when that comes (SEALED.md §10). Others end. */
void route_put_closed(const struct route *route, struct store_batch *batch, int64_t at);
void route_close(struct route *route, int64_t at);
/* The chat has nothing left to do: what it parted from is forgotten. */
void route_parted(struct route *route);
/* The same as route_end(), with its row, and the offer it came from if that is still open. */
void route_discard(struct route *route);
void route_stop(struct route *route); /* as at shutdown: nothing is told to anybody */
/* As far as is known: also of a route whose chat is not there. */
enum chat_protection route_protection(const struct route *route);
const char *protection_word(enum chat_protection protection); /* none, classic, sealed */
/* A sealed route that the other side has closed: its secrets are gone, it only says so. */
bool route_is_over(const struct route *route);
/* One of the conversation: neither ended, nor over, nor parting. */
bool route_lives(const struct route *route);

/* Sends what the router and the owners of hashes put out, until nothing is left. */
void conversations_drain(struct gateway *gateway);
void conversations_turn(struct gateway *gateway); /* the same at the end of a turn of the loop */
void route_mark_dirty(struct route *route);
void route_take_outputs(struct route *route);
extern const struct owner_acts route_acts;

/* Of all accounts. `act` may remove none but the one it is given. */
void conversations_each(struct gateway *gateway, void (*act)(struct conversation *conversation));

/* Somebody began or stopped to look (sessions), or lines wait: seek tunnels or sleep (00 decision 13). */
void conversation_interest(struct conversation *conversation);
void conversations_interest(struct account *account);
/* A person opened it just now. */
void conversation_wake(struct conversation *conversation);

/* Work out state and protection from the routes; a change of them is told. */
void conversation_settle(struct conversation *conversation);
/* The newest of those that protect best; in a conversation that was sealed, sealed ones only. */
struct route *conversation_talking_route(const struct conversation *conversation);
void conversation_changed(struct conversation *conversation); /* takes a change number */
void conversation_recount(struct conversation *conversation); /* the same, once at the end of the turn */
/* The conversation as it will be when the writes under way are committed: what the next row begins with. */
struct conversation conversation_as_asked(const struct conversation *conversation);
bool conversation_has_route(const struct conversation *conversation);
bool conversation_waits(
    const struct conversation *conversation); /* own lines are queued or not acknowledged */
/* Frees ended routes of which no commit speaks any more; true when the conversation itself may be freed. */
bool conversation_sweep(struct conversation *conversation);
void conversation_free(struct conversation *conversation);

/* All hashes of an account after its keys are there. */
void account_start_routes(struct account *account);
/* The gateway stops: the peers are told, then the routes are stopped. */
void routes_leave(struct gateway *gateway);

#endif
