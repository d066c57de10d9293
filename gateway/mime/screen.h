/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_SCREEN_H
#define RETROGATE_MIME_SCREEN_H

#include "base/buffer.h"
#include "base/error.h"

/* What must hold before GMime sees foreign bytes: it builds an object of every part and every field, and ends
 * the process when memory runs out. */

/* CRLF of every bare LF and bare CR; a zero byte and more than MIME_MESSAGE_LIMIT are refused. *message
 * points into `room` when something had to be changed. */
bool screen_lines(struct buffer *room, struct bytes *message, struct error **error);

/* One pass over a message with CRLF lines, following the boundaries as GMime does: header lines and bytes,
 * parts and depth within the limits of mime.h. */
bool screen_limits(struct bytes message, struct error **error);

/* --- the fields of a header as they stand */
struct field {
    struct bytes name;
    struct bytes value; /* behind the colon, with folds and line end */
    struct bytes whole;
};
/* Takes one field off the front. False at the empty line, which is taken, and at the first line that is no
 * field, where the body begins. */
bool field_next(struct bytes *message, struct field *field);
bool field_is(const struct field *field, const char *name);

/* Takes one line with its line end off the front; false at the end. */
bool line_next(struct bytes *text, struct bytes *line);
/* Has a line, without its end, of more than MIME_LINE_LIMIT bytes. */
bool lines_too_long(struct bytes text);

#endif
