/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONTROL_CTL_POST_H
#define RETROGATE_CONTROL_CTL_POST_H

#include "control/ctl.h"

/* What the verbs of posts do beyond one command and a layout. */

/* The verbs "post send", "post read" and "post part" (`run` of their rows). */
int ctl_post_send(struct ctl *ctl, const json_t *options);
int ctl_post_read(struct ctl *ctl, const json_t *options);
int ctl_post_part(struct ctl *ctl, const json_t *options);

/* As `after` of a row: a list of posts, and one whole post. */
void ctl_post_print_list(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result);
void ctl_post_print(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result);

/* A post that came or went, or whose delivery changed, in one line (for `watch`). */
void ctl_post_print_line(const struct ctl *ctl, const json_t *post);

#endif
