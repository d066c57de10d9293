/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_NUMBERS_H
#define RETROGATE_CORE_NUMBERS_H

#include "core/state.h"

/* Numbers of own lines whose commit failed (SEALED.md §7): the chat may fill them with voids only after a
 * commit says that they are used, so that none ever carries two contents. */
void numbers_void(struct route *route, uint64_t first, uint64_t last);
/* Tries again what could not be stored. */
void numbers_try(struct route *route);
void numbers_forget(struct route *route);

#endif
