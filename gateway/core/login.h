/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_LOGIN_H
#define RETROGATE_CORE_LOGIN_H

#include "core/session.h"

/* gateway_login() and its throttle: after 4 failures of one account name from one address each next one waits
 * 2 s, 4 s, up to 5 min, whether the account exists or not. At most 1024 pairs are remembered. */
void login_forget(struct gateway *gateway);

#endif
