/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_PARTS_H
#define RETROGATE_MIME_PARTS_H

#include "mime/people.h"
#include "mime/read.h"

/* The parts of a message: what their fields may tell (POSTS.md §8 "Content-*"). Parts that are signed or
 * encrypted as a whole, and attached messages, stay as they are. */

/* Only known Content-* fields and parameters stay. With `people`, for what leaves: new boundaries, drawn from
 * `seed`, and new Content-IDs, also where HTML points at them. */
bool parts_reduce(const struct reading *reading, const struct mime_people *people, const char *seed,
                  struct error **error);
/* Encodes what has lines over MIME_LINE_LIMIT or calls itself binary. *changed: something was. */
void parts_encode(const struct reading *reading, bool *changed);
/* Control characters become "_". True: there were some. */
bool flat(char *text);
/* Boundaries of parts made here; `seed` is a message id. */
void parts_bound(GMimeObject *root, const char *seed);

#endif
