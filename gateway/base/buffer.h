/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_BUFFER_H
#define RETROGATE_BASE_BUFFER_H

#include "base/bytes.h"

/* Growable bytes with a ceiling given at creation. Bytes are appended at the end and consumed at the front.
 * An append that would pass the ceiling, or finds no memory, changes nothing, sets `failed`, and returns
 * false; later appends fail too until buffer_clear(). So a writer may append without checking each call and
 * test `failed` once. Zero-initialised with only `ceiling` set is a valid empty buffer. */
struct buffer {
    uint8_t *memory;
    size_t start;    /* first byte not consumed */
    size_t end;      /* one past the last byte */
    size_t capacity;
    size_t ceiling;  /* most bytes held at a time (end - start) */
    bool failed;
    bool secret;     /* wiped on growth, clear and free */
};

struct buffer buffer_make(size_t ceiling);
void buffer_free(struct buffer *buffer);
void buffer_clear(struct buffer *buffer);
struct bytes buffer_view(const struct buffer *buffer);
size_t buffer_size(const struct buffer *buffer);

bool buffer_append(struct buffer *buffer, const void *data, size_t size);
bool buffer_append_bytes(struct buffer *buffer, struct bytes bytes);
bool buffer_append_string(struct buffer *buffer, const char *text);
bool buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buffer_u8(struct buffer *buffer, uint8_t value);
bool buffer_u16(struct buffer *buffer, uint16_t value); /* big-endian, like the next ones */
bool buffer_u32(struct buffer *buffer, uint32_t value);
bool buffer_u64(struct buffer *buffer, uint64_t value);
/* Overwrites four bytes at `offset` from the front: for lengths known later. */
void buffer_patch_u32(struct buffer *buffer, size_t offset, uint32_t value);

/* Room for `size` more bytes, to be filled directly and then committed. NULL when it does not fit. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_commit(struct buffer *buffer, size_t size);
void buffer_consume(struct buffer *buffer, size_t size);

/* The contents with a terminating zero behind them (not counted); NULL without memory. The pointer lives
 * until the next append. */
const char *buffer_string(struct buffer *buffer);

#endif
