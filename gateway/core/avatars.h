/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_AVATARS_H
#define RETROGATE_CORE_AVATARS_H

#include "core/state.h"

/* Pictures: those of contacts are blobs, the account's own stands in its row. */

/* The id under which the account's own picture is read; "" without one. After each change of it. */
void avatar_name_own(struct account *account);
/* A contact's picture came: keeps it, if it may be shown, and forgets the one before. */
void avatar_received(struct conversation *conversation, struct bytes image);
/* The conversation is out of its account. */
void avatar_forget(const struct conversation *conversation);

#endif
