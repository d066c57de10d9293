/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_ACCOUNTS_H
#define RETROGATE_CORE_ACCOUNTS_H

#include "core/session.h"

bool do_account_add(struct call *call, struct error **error);
bool do_account_list(struct call *call, struct error **error);
bool do_account_show(struct call *call, struct error **error);
bool do_account_set(struct call *call, struct error **error);
bool do_account_password(struct call *call, struct error **error);
bool do_account_remove(struct call *call, struct error **error);
bool do_client_open(struct call *call, struct error **error);
bool do_client_seen(struct call *call, struct error **error);

void account_free(struct account *account);

#endif
