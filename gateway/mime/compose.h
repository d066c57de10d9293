/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_COMPOSE_H
#define RETROGATE_MIME_COMPOSE_H

#include "mime/read.h"

/* Messages made here, of parts that GMime writes. */

GMimeObject *text_make(const char *subtype, struct bytes text);   /* UTF-8 */
void multipart_add(GMimeMultipart *multipart, GMimeObject *part); /* takes the part */
/* Behind the fields in `own`: MIME-Version, and the parts with boundaries of the seed. Frees the root. */
bool message_finish(struct buffer *own, GMimeObject *root, const char *seed, struct error **error);

#endif
