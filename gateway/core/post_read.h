/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_READ_H
#define RETROGATE_CORE_POST_READ_H

#include "core/posts.h"
#include "core/session.h"

bool do_post_list(struct call *call, struct error **error);
bool do_post_search(struct call *call, struct error **error);
bool do_post_show(struct call *call, struct error **error);
bool do_post_read(struct call *call, struct error **error);
bool do_post_part(struct call *call, struct error **error);
bool do_post_flag(struct call *call, struct error **error);
bool do_post_delete(struct call *call, struct error **error);

/* One of account->posts.reads is done: another that waits may begin. */
void post_read_end(struct account *account);

/* Attachments that are read in pieces are kept decoded for a minute. */
struct part_cache;
void part_cache_free(struct gateway *gateway);
void part_cache_sweep(struct gateway *gateway);

#endif
