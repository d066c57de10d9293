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
/* Ends offers whose time is over, and their routes when nobody used them; drops routes unused for 30 days. */
void invites_expire(struct gateway *gateway);

#endif
