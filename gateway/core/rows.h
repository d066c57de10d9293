/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_ROWS_H
#define RETROGATE_CORE_ROWS_H

#include "core/state.h"

/* From the core's memory to rows of the store. */
void put_account(struct store_batch *batch, const struct account *account);
void put_contact(struct store_batch *batch, const struct contact *contact);
void put_conversation(struct store_batch *batch, const struct conversation *conversation);
void put_route(struct store_batch *batch, const struct route *route);
void put_invite(struct store_batch *batch, const struct invite *invite);
void put_app_password(struct store_batch *batch, const struct account *account,
                      const struct app_password *entry);
void put_client(struct store_batch *batch, const struct account *account, const struct client *client);
void put_friend(struct store_batch *batch, const struct friend *entry);

/* And back, once, at start. */
bool load(struct gateway *gateway, struct error **error);

#endif
