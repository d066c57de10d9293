/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_API_TEXT_H
#define RETROGATE_API_TEXT_H

#include "api/api.h"
#include "base/buffer.h"

/* A message while it is written: reply_*() append to `line`, then text_finish() tells whether it can be sent.
 * All are wiped at the end: answers hold new passwords, changes hold invites, and it costs nothing beside
 * writing them. */
struct api_text {
    size_t references;
    struct buffer line; /* API_HEADROOM bytes, the text, a line feed */
};

struct api_text *text_new(void); /* NULL without memory */
/* The text, or NULL when it was not written, and is released. NULL is fine. */
struct api_text *text_finish(struct api_text *text, bool written);

#endif
