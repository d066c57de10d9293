/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_VERBS_H
#define RETROGATE_CORE_POST_VERBS_H

#include "core/posts.h"
#include "mime/mime.h"

/* A post to the gateway's own address was stored: its lines are verbs, as in the control channel; what they
 * say comes as a post of kind `answer`. */
void post_verbs_run(struct account *account, struct bytes message, const struct mime_summary *summary);

#endif
