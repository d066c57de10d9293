/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_STATUS_H
#define RETROGATE_CORE_STATUS_H

#include "core/session.h"

bool do_hello(struct call *call, struct error **error);
bool do_status(struct call *call, struct error **error);
bool do_unlock(struct call *call, struct error **error);
bool do_blob(struct call *call, struct error **error);
bool do_watch(struct call *call, struct error **error);

#endif
