/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_API_REQUEST_H
#define RETROGATE_API_REQUEST_H

#include <jansson.h>

#include "base/buffer.h"
#include "base/error.h"

/* The messages of the JSON form (include/retrogate/api.md) as the daemon reads and writes them, each one a
 * line. */

enum { REQUEST_LINE_MAX = 1 << 20 }; /* bytes, with the line feed */

/* One line without its line feed. `*id` is set as soon as it is known, also when this fails; -1 before. The
 * command is without the id, as gateway_do() takes it; the caller frees it with json_decref(). */
bool request_parse(struct bytes line, json_t **command, json_int_t *id, struct error **error);

/* The client's side of request_parse(): appends the command (borrowed) with this id as one line. */
bool request_write(struct buffer *out, json_int_t id, json_t *command);

/* Append one line each. They return false, and the buffer says `failed`, when it does not fit or memory is
 * out. A negative id is left out. `result` may be NULL for an empty one; values are borrowed. */
bool reply_done(struct buffer *out, json_int_t id, json_t *result);
bool reply_error(struct buffer *out, json_int_t id, const struct error *error);
bool reply_more(struct buffer *out);
bool reply_hint(struct buffer *out, json_t *hint);
bool reply_page(struct buffer *out, json_t *page); /* an answer of `changes`, to one that follows */

#endif
