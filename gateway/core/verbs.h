/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_VERBS_H
#define RETROGATE_CORE_VERBS_H

#include "core/session.h"

/* What a person types into a control channel, in any bridge: words in, lines of text out. Each verb is a
 * command of the contract and a way to show its answer. */
bool do_verb(struct call *call, struct error **error);

#endif
