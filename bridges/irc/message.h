/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_IRC_MESSAGE_H
#define RETROGATE_IRC_MESSAGE_H

#include "base/buffer.h"

/* The codec of IRC lines (RFC 1459 §2.3, IRCv3 message-tags): pure, in both directions. */
enum {
    MESSAGE_TAGS_MAX = 8191,  /* bytes of the tags a line may bring, '@' and the space behind counted */
    MESSAGE_BODY_MAX = 512,   /* bytes of the rest of a line, CR LF counted */
    MESSAGE_TAG_COUNT = 64,   /* tags kept; what comes behind them is passed over */
    MESSAGE_PARAM_COUNT = 15, /* the last one takes the rest of the line */
};

struct message_tag {
    const char *key;
    const char *value; /* unescaped; "" when there is none */
};

struct message {
    struct message_tag tags[MESSAGE_TAG_COUNT];
    size_t tag_count;
    const char *source; /* without the colon; NULL when absent */
    const char *verb;
    const char *params[MESSAGE_PARAM_COUNT];
    size_t param_count;
    bool colon; /* message_format(): the last parameter gets its colon even when it could do without */
};

/* Splits a line without its CR LF, terminated by a zero, in place: the message points into it. False when
 * there is no verb. */
bool message_parse(struct message *message, char *line);

/* The value of a tag, the last when it is there twice; NULL when absent. */
const char *message_tag(const struct message *message, const char *key);

/* Appends the line without CR LF. Its part behind the tags is cut to MESSAGE_BODY_MAX less CR LF, between
 * code points. False, and nothing appended, when a part cannot be said: a control byte CR, LF or NUL
 * anywhere, a space, an empty text or a leading colon in a parameter that is not the last, a verb with '@' in
 * front. */
bool message_format(struct buffer *out, const struct message *message);

/* nick!user@host in parts; absent ones are empty (data NULL). */
struct source {
    struct bytes nick;
    struct bytes user;
    struct bytes host;
};
struct source source_split(const char *text);

/* `*` any run, `?` one byte; ASCII case is ignored (CASEMAPPING=ascii). Linear in the text times the mask at
 * worst. */
bool mask_match(const char *mask, const char *text);

/* ASCII case folded. */
bool name_equal(const char *a, const char *b);

/* A host name for a server: labels of letters, digits and inner hyphens, at least one dot, at most 63 bytes.
 */
bool hostname_valid(const char *name);

/* A nick that a client may take: letters, digits and []\`_^{|}- , not beginning with a digit or hyphen. */
bool nick_valid(const char *nick, size_t longest);

#endif
