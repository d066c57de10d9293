/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_ERROR_H
#define RETROGATE_BASE_ERROR_H

#include <stdbool.h>

/* What went wrong, for a person: names the thing, the cause and, where there is one, the next step.
 * Never holds a secret, a message's text, a link or a person's name. */
enum error_code {
    ERROR_INVALID = 1, /* what was asked is malformed */
    ERROR_NOT_FOUND,   /* the thing named does not exist */
    ERROR_EXISTS,      /* it exists already */
    ERROR_DENIED,      /* not allowed: wrong password, scope, signature */
    ERROR_LIMIT,       /* a bound was reached */
    ERROR_LOCKED,      /* the vault is locked */
    ERROR_EXPIRED,     /* too late */
    ERROR_UNAVAILABLE, /* try again later: keyring restarting, disk full, shutting down */
    ERROR_INTERNAL,    /* a library or the system failed */
};

struct error {
    enum error_code code;
    char text[256]; /* always terminated */
};

/* Sets *error unless error is NULL or *error is set already. Always returns false, so that a function can
 * end with `return error_set(...)`. Out of memory sets a static error. */
bool error_set(struct error **error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text of a set error. Returns false. */
bool error_prefix(struct error **error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The stable lower-case word of a code, as the JSON form shows it ("invalid", "not-found", ...). */
const char *error_word(enum error_code code);

void error_free(struct error *error); /* NULL is fine */

#endif
