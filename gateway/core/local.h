/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_LOCAL_H
#define RETROGATE_CORE_LOCAL_H

#include "core/hashes.h"

/* Two accounts of one gateway: a node never answers its own tunnel request, so their routes are joined here.
 * A hash that one of them serves and the other seeks gives them one tunnel. */

bool local_is(uint64_t tunnel);
/* True when the other side of this hash is on this gateway; both chats then have a tunnel. */
bool local_join(struct route_hash *entry);
void local_part(struct route_hash *entry, const char *reason);
/* For all hashes of the route. */
bool local_connect(struct route *route);
void local_disconnect(struct route *route, const char *reason);
/* One tunnel of the route. */
void local_close(struct route *route, uint64_t tunnel, const char *reason);
void local_send(struct route *route, uint64_t tunnel, struct bytes payload);
/* Joins what is sought and served on this gateway and was given up meanwhile. */
void local_meet_all(struct gateway *gateway);

#endif
