/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_HTML_H
#define RETROGATE_MIME_HTML_H

#include "base/buffer.h"

/* Appends the HTML (of any charset that extends ASCII) with other ids in its "cid:" addresses. False: no
 * memory. */
typedef bool html_rename_fn(void *arg, char *out, size_t size, const char *id);
bool html_rename_cids(struct buffer *out, struct bytes html, html_rename_fn *rename, void *arg,
                      bool *changed);

#endif
