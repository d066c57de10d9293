/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_FIELDS_H
#define RETROGATE_WEB_FIELDS_H

#include "base/bytes.h"

/* Header fields of a request, read as far as we need them. Pure. */

struct entry;

struct bytes fields_trim(struct bytes text);              /* without the blanks around it */
bool fields_is_word(struct bytes text, const char *word); /* whatever the case */
/* Takes what stands before the first `end`, or everything, and the `end` itself off the front of the text;
 * without blanks around it. */
struct bytes fields_cut(struct bytes *text, char end);

bool fields_accept_gzip(struct bytes accept_encoding);
/* Is the contents' tag, "<hash>" or "<hash>-gz", among those of an If-None-Match? */
bool fields_match(struct bytes if_none_match, const char *hash);
bool fields_are_json(struct bytes content_type);
bool fields_upgrade(struct bytes upgrade, const char *protocol); /* is it among those asked for? */
/* "Basic " and base64 of account:password; false leaves *entry wiped. */
bool fields_basic(struct entry *entry, struct bytes authorization);
/* "Firefox on Linux": from a table, never text of the browser's own. */
void fields_browser(char *out, size_t size, struct bytes user_agent);
/* The seconds that "... wait 4 s ..." in the text of a refusal names; a few when it names none. */
unsigned fields_wait(const char *text);

#endif
