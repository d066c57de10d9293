/* SPDX-License-Identifier: ISC */
#include "core/posts.h"

const char *post_out_way(const struct contact *contact)
{
    (void)contact;
    return "universal";
}

void post_out_wake(struct contact *contact)
{
    (void)contact;
}

void post_out_forget(struct post_delivery *delivery)
{
    (void)delivery;
}

void post_out_contact_gone(struct contact *contact)
{
    (void)contact;
}
