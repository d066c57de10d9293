/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_INVITES_H
#define RETROGATE_CORE_INVITES_H

#include "core/session.h"

/* Invites, and the routes that come from them (00 decisions 15 to 17). */

bool do_invite_new(struct call *call, struct error **error);
bool do_invite_list(struct call *call, struct error **error);
bool do_invite_open(struct call *call, struct error **error);
bool do_invite_revoke(struct call *call, struct error **error);

/* The first valid packet ever came through the route: one use of its invite is spent. */
void invite_confirmed(struct route *route);
/* The route has its root and nothing of the invite any more: stores that, and ends the offer, whatever uses
 * were left. Tried again every minute until it is stored. */
void invite_settled(struct route *route);
/* The route is discarded: its offer, when it is still open, is revoked. */
void invite_discard(struct route *route);
/* How an invite may be used: any, sealed, classic. */
const char *invite_protection(const struct invite *invite);
/* Ends offers whose time is over, and their routes when nobody used them; drops classic routes unused for 30
 * days. */
void invites_expire(struct gateway *gateway);

#endif
