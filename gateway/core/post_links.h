/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_LINKS_H
#define RETROGATE_CORE_POST_LINKS_H

#include "core/posts.h"
#include "core/session.h"

/* Links by which strangers may write (level open), and those of others. */

bool do_post_link_new(struct call *call, struct error **error);
bool do_post_link_list(struct call *call, struct error **error);
bool do_post_link_revoke(struct call *call, struct error **error);
bool do_post_link_open(struct call *call, struct error **error);

/* Ends what is past its time: own links, and ways of contacts. */
void post_links_expire(struct account *account);
/* From rows, at the start. False without memory. */
bool post_link_loaded(struct account *account, const struct post_link_row *row);
bool post_way_loaded(struct contact *contact, const struct post_way_row *row);

#endif
