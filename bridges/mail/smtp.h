/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_SMTP_H
#define RETROGATE_MAIL_SMTP_H

#include "base/buffer.h"

/* The codec of SMTP (RFC 5321) with SIZE, DSN, 8BITMIME, SMTPUTF8 and CHUNKING: command lines, their
 * arguments, and the end of a message. Pure. */

enum {
    SMTP_VERB = 16,
    SMTP_ADDRESS = 320,  /* 64 + 1 + 255 (RFC 5321 §4.5.3.1) */
    SMTP_ENVELOPE = 100, /* ENVID (RFC 3461 §4.4) */
};

/* What is said to a client: a code, an enhanced one (RFC 2034; NULL: none), words for a person. */
struct smtp_reply {
    unsigned code;
    const char *status, *text;
};

/* "VERB rest": the verb in capitals, cut when it is no verb; the rest without white space before it. False:
 * the line holds a zero byte. */
struct smtp_line {
    char verb[SMTP_VERB];
    const char *rest; /* into the line */
};
bool smtp_line_parse(struct smtp_line *out, const char *line, size_t size);

/* The argument of MAIL, behind the verb. NULL when it is well formed, else what to answer. */
struct smtp_mail {
    char address[SMTP_ADDRESS + 1]; /* "": the empty path */
    uint64_t size;                  /* 0: not said */
    bool utf8;
    const char *returns;              /* "full", "headers"; NULL: not said */
    char envelope[SMTP_ENVELOPE + 1]; /* decoded; "": not said */
};
const struct smtp_reply *smtp_mail_parse(struct smtp_mail *out, const char *text);

enum smtp_notify {
    SMTP_NOTIFY_SUCCESS = 1,
    SMTP_NOTIFY_FAILURE = 2,
    SMTP_NOTIFY_DELAY = 4,
};
struct smtp_rcpt {
    char address[SMTP_ADDRESS + 1];
    bool notify_said;
    unsigned notify; /* enum smtp_notify; 0 when said: never */
};
const struct smtp_reply *smtp_rcpt_parse(struct smtp_rcpt *out, const char *text);

/* "size [LAST]" of BDAT. False: the sizes that follow cannot be told from commands. */
bool smtp_bdat_parse(uint64_t *size, bool *last, const char *text);

/* A message in the form of DATA: undoes the doubled dots and finds CR LF . CR LF. Nothing else ends it; a
 * line that is a dot, but whose ends are not CR LF, sets `ambiguous`, because other software may see an end
 * there and a command behind it. Begins zeroed. */
struct smtp_data {
    unsigned state;
    bool ambiguous;
    bool ended;
};
/* Takes bytes from the front of `in` as long as `out` has room; returns how many. */
size_t smtp_data_take(struct smtp_data *data, struct bytes in, struct buffer *out);

#endif
