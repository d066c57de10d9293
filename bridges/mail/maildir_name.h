/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_MAILDIR_NAME_H
#define RETROGATE_MAIL_MAILDIR_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names of files in a Maildir: "<time>.R<epoch>_<seq>.<host>,S=<size>:2,<letters>". The number in it says
 * which post it is, so that after a crash none is there twice. Posts sent have a T in place of the R: one
 * that a mail program moves between the folders is not taken for another post. */
enum { MAILDIR_NAME = 256 };

/* Letters behind ":2,", as a set: A is bit 0, a is bit 26 (Dovecot's keywords). */
typedef uint64_t maildir_letters;
#define MAILDIR_LETTER(letter)                                                                               \
    ((maildir_letters)1 << ((letter) >= 'a' ? (letter) - 'a' + 26 : (letter) - 'A'))
#define MAILDIR_SEEN     MAILDIR_LETTER('S')
#define MAILDIR_ANSWERED MAILDIR_LETTER('R')
#define MAILDIR_FLAGGED  MAILDIR_LETTER('F')
#define MAILDIR_TRASHED  MAILDIR_LETTER('T')
#define MAILDIR_OURS     (MAILDIR_SEEN | MAILDIR_ANSWERED | MAILDIR_FLAGGED) /* known to the gateway too */

struct maildir_name {
    char kind; /* 'R': received, 'T': sent */
    int64_t epoch, seq;
    size_t base; /* bytes before the ':' */
    maildir_letters letters;
};

/* False: the file is not one of ours. */
bool maildir_name_parse(struct maildir_name *out, const char *text);
/* The part before the ':'. */
void maildir_name_base(char out[MAILDIR_NAME], char kind, int64_t seconds, int64_t epoch, int64_t seq,
                       const char *host, int64_t size);
/* The first `base` bytes of `from`, with these letters. */
void maildir_name_tag(char out[MAILDIR_NAME], const char *from, size_t base, maildir_letters letters);

#endif
