/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_BYTES_H
#define RETROGATE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A view of bytes that somebody else owns. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

struct bytes bytes_of(const void *data, size_t size);
struct bytes bytes_of_string(const char *text); /* without the terminator */
bool bytes_equal(struct bytes a, struct bytes b);
/* Constant time in the contents; lengths are not secret. */
bool bytes_equal_secret(struct bytes a, struct bytes b);

/* A cursor over a view. A read beyond the end sets `failed`, returns zeros, and stays failed: check once at
 * the end with reader_done(). All integers are big-endian. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

struct reader reader_of(struct bytes bytes);
uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
struct bytes read_bytes(struct reader *reader, size_t size); /* a view into the same memory */
void read_copy(struct reader *reader, void *into, size_t size);
bool reader_done(const struct reader *reader); /* nothing failed and nothing is left */

/* Hex. `out` holds 2*size+1 characters, terminated. */
void hex_lower(char *out, const void *data, size_t size);
void hex_upper(char *out, const void *data, size_t size);
/* Exactly size*2 digits of either case, nothing else. */
bool hex_parse(void *out, size_t size, const char *text, size_t text_size);

#endif
