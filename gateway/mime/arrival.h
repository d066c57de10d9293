/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_ARRIVAL_H
#define RETROGATE_MIME_ARRIVAL_H

#include "mime/mime.h"

/* Fields that the gateway puts into every post that arrives: Authentication-Results (RFC 8601) with the
 * method "x-retrogate", From, and the sender's key. Results: pass, fail, or none, when there was nothing that
 * could be checked; what exactly was found stands in the properties policy.verdict, policy.protection,
 * policy.level (words of api.md). */
void arrival_fields(struct buffer *own, const struct mime_arrival *arrival);

#endif
