/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_TEXT_H
#define RETROGATE_MIME_TEXT_H

#include "mime/read.h"

/* The leaves of a message in order, and what each is for. An attached message is one leaf. */
enum role {
    ROLE_FILE,      /* an attachment */
    ROLE_TEXT,      /* text, and the same in the HTML */
    ROLE_PLAIN,     /* text that stands in another leaf as HTML */
    ROLE_HTML,      /* HTML that stands in another leaf as text */
    ROLE_ONLY_HTML, /* HTML, and the text is made of it */
    ROLE_SIGNATURE, /* of the parts beside it */
};
struct leaf {
    GMimeObject *object;
    enum role role;
};
struct leaves {
    struct leaf *leaf;
    size_t count;
    bool html; /* there is some */
};
bool leaves_list(struct leaves *leaves, const struct reading *reading, struct error **error);
void leaves_free(struct leaves *leaves);

/* Appends a leaf as UTF-8 with LF line ends and no other control characters, at most `limit` bytes. *cut: it
 * was longer. An unknown charset is read as windows-1252. False without memory. */
bool leaf_text(struct buffer *out, bool *cut, GMimePart *part, size_t limit);
/* Appends the text of the message, at most `limit` bytes. */
bool leaves_text(struct buffer *out, bool *cut, const struct leaves *leaves, size_t limit);

/* Appends UTF-8 text with the lines of RFC 3676 joined. */
bool text_unflow(struct buffer *out, struct bytes text, bool delete_space);

#endif
