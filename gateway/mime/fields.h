/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_FIELDS_H
#define RETROGATE_MIME_FIELDS_H

#include "mime/people.h"
#include "mime/read.h"

/* Fields of a header that we write: ASCII, folded, CRLF. */
void field_text(struct buffer *out, const char *name, const char *text); /* UTF-8, encoded as RFC 2047 says */
void field_date(struct buffer *out, const char *name, int64_t unix_ms);  /* UTC */
void field_id(struct buffer *out, const char *name, const char *id);     /* nothing when the id is "" */
void field_ids(struct buffer *out, const char *name, const struct ids *ids);
void field_people(struct buffer *out, const char *name, const struct mime_person *people, size_t count);
/* Autocrypt of the key block; nothing when it is empty. */
void field_autocrypt(struct buffer *out, const char *address, struct bytes block);

/* The people of all fields of this name, groups opened; what does not fit, or is no address, is left out. */
size_t people_read(struct mime_person *out, size_t room, const struct reading *reading, const char *name);
size_t people_count(const struct reading *reading, const char *name);
/* UTF-8 of one line, without control characters. */
void subject_read(char *out, size_t size, const struct reading *reading);
/* Unix ms; 0: none, or none that can be read. */
int64_t date_read(const struct reading *reading);

#endif
