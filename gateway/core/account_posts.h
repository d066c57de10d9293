/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_ACCOUNT_POSTS_H
#define RETROGATE_CORE_ACCOUNT_POSTS_H

#include "core/posts.h"
#include "core/session.h"

/* What an account says of posts: see struct post_settings. */
bool post_settings_fit(const struct post_settings *settings, struct error **error);
/* The arguments of account.set that are given. */
bool post_settings_take(struct post_settings *settings, const struct call *call, struct error **error);
/* The member `posts` of the account in api.md. */
json_t *json_of_post_settings(const struct account *account);

#endif
