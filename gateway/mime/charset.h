/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_CHARSET_H
#define RETROGATE_MIME_CHARSET_H

#include "base/buffer.h"

/* Appends the text as UTF-8: what is UTF-8 stays, whatever the charset says; what no charset explains is read
 * as windows-1252, so that a person sees something. NULL: none is named. `cut`: the end may lie within a
 * character, which is left out. False when `out` is full. */
bool charset_to_utf8(struct buffer *out, struct bytes text, const char *charset, bool cut);

#endif
