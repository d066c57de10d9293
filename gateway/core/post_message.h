/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_MESSAGE_H
#define RETROGATE_CORE_POST_MESSAGE_H

#include "core/posts.h"

/* The messages of posts: read whole, stored, and worked on. */

enum {
    POST_MESSAGE_LIMIT = 48 << 20, /* bytes of one, as it is stored */
    POST_AT_ONCE = 64 << 10,       /* bytes that are worked on in the loop's thread */
    POST_READS = 4,                /* large messages of an account being read at a time for its clients */
};

/* Runs `work` on the loop's pool, or at once when `size` is small; then `done` with true, or with false when
 * it did not run. */
typedef void job_fn(void *arg);
typedef void job_done_fn(void *arg, bool ran);
void job_run(struct gateway *gateway, size_t size, job_fn *work, job_done_fn *done, void *arg);

/* In a later turn of the loop. */
void later_run(struct gateway *gateway, job_fn *run, void *arg);

/* A post as it was read; all its views live during the callback, the message's memory may be taken. */
struct fetched_post {
    const struct post_row *row;
    const struct delivery_row *deliveries;
    size_t count;
    struct buffer message; /* empty when it was not asked for */
};
/* `post` is NULL with an error. */
typedef void fetched_fn(void *arg, struct fetched_post *post, const struct error *error);
/* Never answers before it returns. */
void post_fetch(struct account *account, int64_t seq, bool message, fetched_fn *done, void *arg);

/* Writes a message that is too large for its row as a blob. `blob` is "" when it is small. */
typedef void kept_message_fn(void *arg, const char *blob, const struct error *error);
void message_keep(struct account *account, struct bytes message, kept_message_fn *done, void *arg);

#endif
