/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_READ_H
#define RETROGATE_MIME_READ_H

#include <gmime/gmime.h>

#include "base/buffer.h"
#include "base/error.h"

/* A message that GMime has parsed, with the bytes it lies in. */
struct reading {
    struct buffer room;   /* the bytes, when they had to be put right */
    struct bytes message; /* CRLF */
    GByteArray array;
    GMimeMessage *object;
    GMimeObject *root; /* the part that is the body; never NULL */
};
/* Within the limits of mime.h. reading_free() afterwards in either case. */
bool reading_open(struct reading *reading, struct bytes message, struct error **error);
void reading_free(struct reading *reading);

/* The first field of the name, undecoded and still folded, without white space around it; NULL: none. */
const char *reading_raw(const struct reading *reading, const char *name);

/* The bytes of a leaf as they stand in the message, encoded. */
struct bytes leaf_bytes(const struct reading *reading, GMimePart *part);
/* Appends a leaf, decoded, as far as it fits under the ceiling; *cut when it does not. False without memory.
 */
bool leaf_decode(struct buffer *out, bool *cut, GMimePart *part);

/* A stream of GMime whose bytes are appended to `out`; with `cut` those that fit, and it fails then. */
GMimeStream *stream_into(struct buffer *out, bool cut);
/* Appends the object with its fields, CRLF. */
bool object_write(struct buffer *out, GMimeObject *object);
/* A leaf with these bytes, which are copied. `encoding`: how it is to be written. */
GMimePart *leaf_make(const char *type, const char *subtype, struct bytes data, GMimeContentEncoding encoding);

#endif
