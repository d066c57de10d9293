/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_POP3_CODEC_H
#define RETROGATE_MAIL_POP3_CODEC_H

#include "base/buffer.h"

/* The codec of POP3 (RFC 1939): command lines, their numbers, and messages on their way out. Pure. */

enum {
    POP3_VERB = 8,
    POP3_ALL = -1, /* lines of a message's body: all */
};

/* "VERB rest": the verb in capitals, "" when it is too long for one; the rest is what follows one space, so
 * that a password may begin with another. False: the line holds a zero byte. */
struct pop3_line {
    char verb[POP3_VERB];
    const char *rest; /* into the line */
};
bool pop3_line_parse(struct pop3_line *out, const char *line, size_t size);

/* One or two numbers of at most nine digits, with spaces between and behind; false for anything else. */
bool pop3_number_parse(uint32_t *number, const char *text);
bool pop3_numbers_parse(uint32_t *first, uint32_t *second, const char *text);

/* A message that leaves as a multi-line answer: lines that begin with a dot get one more, and after the
 * header and `lines` lines of the body no more is wanted (TOP). */
struct pop3_body {
    int64_t lines; /* POP3_ALL, or how many of the body are still to come */
    bool body;     /* the header is over */
    bool inside;   /* a line has begun */
    bool cr;       /* the byte before was a CR */
    bool blank;    /* nothing but perhaps a CR is in this line yet */
    bool enough;
};
struct pop3_body pop3_body_begin(int64_t lines);
/* Adds to `out` what of `in` is sent; at most half as many bytes more than `in` has, and two. */
void pop3_body_take(struct pop3_body *state, struct bytes in, struct buffer *out);
/* Ends the last line if the message did not, and the answer. */
void pop3_body_end(struct pop3_body *state, struct buffer *out);

#endif
