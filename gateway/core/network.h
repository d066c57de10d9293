/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_NETWORK_H
#define RETROGATE_CORE_NETWORK_H

#include "core/session.h"

/* The node in the friend network: its identity, the friend links, the router between them. */

/* Makes the node's key and location when the store has none, then opens the links. */
void network_start(struct gateway *gateway);
void network_rearm(struct gateway *gateway); /* the router's timer */
/* The router's outputs live until the next call on it, so they are taken after each. */
void network_take(struct gateway *gateway);

/* Takes a record over, with the name that the operator gave. False without memory. */
bool friend_keep(struct friend *entry, const struct friend_record *record);
json_t *json_of_attempt(const struct friend_attempt *attempt);

struct friend *friend_find(struct gateway *gateway,
                           const char *text); /* location id, its beginning, or name */

bool do_friend_self(struct call *call, struct error **error);
bool do_friend_add(struct call *call, struct error **error);
bool do_friend_list(struct call *call, struct error **error);
bool do_friend_show(struct call *call, struct error **error);
bool do_friend_set(struct call *call, struct error **error);
bool do_friend_connect(struct call *call, struct error **error);
bool do_friend_remove(struct call *call, struct error **error);
bool do_attempts(struct call *call, struct error **error);
bool do_tunnels(struct call *call, struct error **error);

#endif
