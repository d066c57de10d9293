/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_HTML_PARSE_H
#define RETROGATE_MIME_HTML_PARSE_H

#include "base/buffer.h"

enum { HTML_DEPTH = 256 };

/* What libxml2's HTML parser meets, in order; names in lower case, text and values UTF-8 with entities
 * decoded. No tree is built. Ends come for all that began, at the end at the latest. */
struct html_events {
    void (*start)(void *arg, const char *name,
                  const char *const *attributes); /* name, value or NULL, ..., NULL */
    void (*end)(void *arg, const char *name);
    void (*text)(void *arg, struct bytes text);
};
/* At most MIME_HTML_LIMIT bytes are read. False: it is built to be costly (deep, or with very many attributes
 * in one tag), or there is no memory; some events came nevertheless. */
bool html_parse(const struct html_events *events, void *arg, struct bytes html);

/* The value of an attribute, NULL: none. */
const char *html_attribute(const char *const *attributes, const char *name);
/* Elements whose contents nobody is meant to read. */
bool html_is_hidden(const char *name);
/* A link of a kind that may be followed: retroshare, https, http, mailto. */
bool html_is_link(const char *address);
/* The text has a tag of HTML in it: so the original's messages show that they are markup (protocol 04 §4). */
bool html_is_markup(struct bytes text);

#endif
