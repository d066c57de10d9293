/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_VALUES_H
#define RETROGATE_STORE_VALUES_H

#include <sqlite3.h>

#include "base/buffer.h"

/* Typed values on their way between the loop and a thread of the store: parameters of a statement in one
 * direction, columns of a row in the other. Written one behind the other into a buffer. */
enum value_kind { VALUE_NONE, VALUE_NUMBER, VALUE_TEXT, VALUE_BLOB };

struct value {
    enum value_kind kind;
    int64_t number;
    struct bytes bytes; /* text or blob; once read, a text is followed by a zero */
};

struct value value_number(int64_t number);
struct value value_text(const char *text); /* NULL becomes VALUE_NONE, which every column refuses */
struct value value_blob(struct bytes bytes);
/* What a person wrote: text when it is UTF-8 without a NUL, so that SQL's string functions are defined; else
 * a blob. */
struct value value_words(struct bytes bytes);

/* Length of the UTF-8 sequence at `at` (RFC 3629 §4), 0 when there is none. */
size_t utf8_sequence(const uint8_t *at, size_t left, uint32_t *code_point);

/* False when the buffer is full or without memory. */
bool value_write(struct buffer *buffer, const struct value *value);
/* Views into the reader's memory. Sets reader->failed when the bytes do not hold a value. */
struct value value_read(struct reader *reader);

/* An SQLite result code. The bytes must live until the statement is reset. */
int value_bind(sqlite3_stmt *statement, int index, const struct value *value);
/* Valid until the statement's next step. */
struct value value_column(sqlite3_stmt *statement, int index);

#endif
