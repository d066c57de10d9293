/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_LOCAL_H
#define RETROGATE_CORE_LOCAL_H

#include "core/state.h"

/* Two accounts of one gateway: a node never answers its own tunnel request, so their routes are joined here.
 */

bool local_is(uint64_t tunnel);
/* True when the other end of the route's hash is served by this gateway; both chats then have a tunnel. */
bool local_connect(struct route *route);
/* An inviter's route is served from now on: joined with a guest's that looks for it already. */
void local_meet(struct route *route);
void local_disconnect(struct route *route, const char *reason);
void local_send(struct route *route, struct bytes payload);

#endif
