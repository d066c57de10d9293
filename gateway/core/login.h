/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_LOGIN_H
#define RETROGATE_CORE_LOGIN_H

#include "core/session.h"

/* The ends of every log-in. NULL with an error: the gateway is stopping, the vault is locked. */
struct gateway_session *login_enter(struct account *account, const char *scope, int64_t app_password,
                                    struct error **error);
/* The same words whatever was wrong. Returns NULL. */
struct gateway_session *login_refuse(struct error **error);
struct gateway_session *login_pause(uint64_t pause_ms, struct error **error);

#endif
