/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_PEOPLE_H
#define RETROGATE_MIME_PEOPLE_H

#include "base/buffer.h"
#include "mime/mime.h"

enum { IDS_LIMIT = 50, ID_SIZE = 256 };

/* The wire form "<40 hex digits>@domain" of an address of the account; false: nobody has it. */
bool people_to_wire(const struct mime_people *people, const char *address, struct mime_person *out);
/* Who is named so on the wire; false: it is no such address. */
bool people_from_wire(const struct mime_people *people, const char *address, struct mime_person *out);

/* Message ids of a field's text: the last IDS_LIMIT of them, without < >, in order; what no id may hold is
 * left out. */
struct ids {
    char id[IDS_LIMIT][ID_SIZE];
    size_t count;
};
void ids_read(struct ids *ids, const char *text);
bool id_valid(const char *id, size_t size);

/* 32 hex digits that only the account's key makes of a name; `use` keeps uses apart. */
bool people_name(char out[33], const struct mime_people *people, const char *use, const char *name);

#endif
