/* SPDX-License-Identifier: ISC */
#include "core/post_verbs.h"

void post_verbs_run(struct account *account, struct bytes message, const struct mime_summary *summary)
{
    (void)account;
    (void)message;
    (void)summary;
}
