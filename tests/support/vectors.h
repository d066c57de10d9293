/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_SUPPORT_VECTORS_H
#define RETROGATE_TESTS_SUPPORT_VECTORS_H

#include <jansson.h>

#include "base/buffer.h"

/* cmocka wants these four before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* Reads tests/vectors/<name>; fails the test when it is missing or malformed. Freed with json_decref(). */
json_t *vectors_load(const char *name);
/* The member of an object as a string; fails the test when absent. */
const char *vectors_string(const json_t *object, const char *member);
/* The bytes of a hex member; the caller frees the buffer. Fails the test when absent or not hex. */
struct buffer vectors_hex(const json_t *object, const char *member);
/* The bytes of a hex text (white space in it is skipped). */
struct buffer hex_buffer(const char *text);

#define assert_bytes_equal(a, b)                                                                             \
    do {                                                                                                     \
        struct bytes first_ = (a), second_ = (b);                                                            \
        assert_int_equal(first_.size, second_.size);                                                         \
        if (first_.size > 0)                                                                                 \
            assert_memory_equal(first_.data, second_.data, first_.size);                                     \
    } while (0)

#endif
