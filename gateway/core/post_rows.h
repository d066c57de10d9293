/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_ROWS_H
#define RETROGATE_CORE_POST_ROWS_H

#include "core/posts.h"

/* Posts between rows, memory and JSON. */

/* A post and its deliveries, without the message. */
struct kept_post {
    struct post_row row;
    struct delivery_row *deliveries;
    size_t count;
    char *memory;
};
struct kept_post *kept_post_new(const struct post_row *row, const struct delivery_row *deliveries,
                                size_t count); /* NULL without memory */
void kept_post_free(struct kept_post *post);   /* NULL is fine */

/* The post of api.md. A new reference; NULL without memory. */
json_t *json_of_post(const struct account *account, const struct post_row *row,
                     const struct delivery_row *deliveries, size_t count);
json_t *json_of_delivery(const struct account *account, const struct delivery_row *row);
const char *verdict_text(const char *verdict);

/* What a queued delivery's row says. `options` is free()d by the caller. */
struct delivery_row row_of_delivery(const struct post_delivery *delivery, char **options);
/* From a row at the start; NULL without memory. The contact is the caller's affair. */
struct post_delivery *delivery_of_row(const struct delivery_row *row);

/* A committed change of a post that the ring remembers is put there with these members in the place of the
 * old; of others clients read it from the store. Takes `members`. */
void post_changed(struct account *account, int64_t seq, int64_t change, json_t *members);
/* The same for one delivery, found by its contact. Takes `delivery`. */
void post_delivery_changed(struct account *account, int64_t seq, int64_t change, json_t *delivery);

#endif
