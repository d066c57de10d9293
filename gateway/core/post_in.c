/* SPDX-License-Identifier: ISC */
#include "core/posts.h"

void post_in_changed(struct account *account)
{
    (void)account;
}

void post_in_unlocked(struct account *account)
{
    (void)account;
}

void post_in_account_gone(struct account *account)
{
    (void)account;
}
