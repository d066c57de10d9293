/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_SERVICES_H
#define RETROGATE_CORE_SERVICES_H

#include "core/state.h"

/* What the gateway does for accounts by itself hears which there are (gateway_accounts()). */
void services_account_ready(struct account *account); /* its key is there */
void services_account_gone(struct account *account);
void services_free(struct gateway *gateway);

#endif
