/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_REPORTS_H
#define RETROGATE_CORE_POST_REPORTS_H

#include "core/posts.h"

/* Delivery reports (RFC 3464) come into the inbox of who sent the post, as far as it asked for them. */

enum { POST_DELAY_MS = 4 * 3600 * 1000 /* what waits so long is reported once */ };

/* What became of a delivery was just committed. */
void report_fate(const struct post_delivery *delivery);
/* It waits for long. */
void report_delay(struct post_delivery *delivery);

#endif
