/* SPDX-License-Identifier: ISC */
#include "base/buffer.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One byte behind the contents is always kept free for buffer_string(). */
enum { SMALLEST = 256, TERMINATOR = 1 };

struct buffer buffer_make(size_t ceiling)
{
    return (struct buffer){.ceiling = ceiling};
}

void buffer_free(struct buffer *buffer)
{
    if (buffer->secret && buffer->memory != NULL)
        OPENSSL_cleanse(buffer->memory, buffer->capacity);
    free(buffer->memory);
    buffer->memory = NULL;
    buffer->start = buffer->end = buffer->capacity = 0;
    buffer->failed = false;
}

void buffer_clear(struct buffer *buffer)
{
    if (buffer->secret && buffer->memory != NULL)
        OPENSSL_cleanse(buffer->memory, buffer->capacity);
    buffer->start = buffer->end = 0;
    buffer->failed = false;
}

struct bytes buffer_view(const struct buffer *buffer)
{
    if (buffer->memory == NULL)
        return (struct bytes){NULL, 0};
    return (struct bytes){buffer->memory + buffer->start, buffer->end - buffer->start};
}

size_t buffer_size(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static bool grow(struct buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity < SMALLEST ? SMALLEST : buffer->capacity;
    size_t most = buffer->ceiling + TERMINATOR;
    while (capacity < needed)
        capacity = capacity > most / 2 ? most : capacity * 2;
    if (capacity > most && most >= needed)
        capacity = most;
    uint8_t *memory = malloc(capacity);
    if (memory == NULL)
        return false;
    size_t size = buffer_size(buffer);
    if (size > 0)
        memcpy(memory, buffer->memory + buffer->start, size);
    if (buffer->secret && buffer->memory != NULL)
        OPENSSL_cleanse(buffer->memory, buffer->capacity);
    free(buffer->memory);
    buffer->memory = memory;
    buffer->capacity = capacity;
    buffer->start = 0;
    buffer->end = size;
    return true;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    size_t held = buffer_size(buffer);
    if (buffer->failed || size > buffer->ceiling || held > buffer->ceiling - size) {
        buffer->failed = true;
        return NULL;
    }
    if (buffer->capacity - buffer->end < size + TERMINATOR || buffer->memory == NULL) {
        /* Moving down is worth it only while it costs less than what was consumed. */
        if (buffer->memory != NULL && buffer->start >= held && buffer->capacity - held >= size + TERMINATOR) {
            memmove(buffer->memory, buffer->memory + buffer->start, held);
            buffer->start = 0;
            buffer->end = held;
        } else if (!grow(buffer, held + size + TERMINATOR)) {
            buffer->failed = true;
            return NULL;
        }
    }
    return buffer->memory + buffer->end;
}

void buffer_commit(struct buffer *buffer, size_t size)
{
    buffer->end += size;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    buffer->start += size < buffer_size(buffer) ? size : buffer_size(buffer);
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    uint8_t *at = buffer_reserve(buffer, size);
    if (at == NULL)
        return false;
    if (size > 0)
        memcpy(at, data, size);
    buffer->end += size;
    return true;
}

bool buffer_append_bytes(struct buffer *buffer, struct bytes bytes)
{
    return buffer_append(buffer, bytes.data, bytes.size);
}

bool buffer_append_string(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

bool buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    /* vsnprintf writes a terminator, for which the spare byte is there. */
    uint8_t *at = size < 0 ? NULL : buffer_reserve(buffer, (size_t)size);
    if (at != NULL) {
        vsnprintf((char *)at, (size_t)size + TERMINATOR, format, again);
        buffer->end += (size_t)size;
    } else {
        buffer->failed = true;
    }
    va_end(again);
    return at != NULL;
}

static bool append_number(struct buffer *buffer, uint64_t value, size_t size)
{
    uint8_t *at = buffer_reserve(buffer, size);
    if (at == NULL)
        return false;
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    buffer->end += size;
    return true;
}

bool buffer_u8(struct buffer *buffer, uint8_t value)
{
    return append_number(buffer, value, 1);
}

bool buffer_u16(struct buffer *buffer, uint16_t value)
{
    return append_number(buffer, value, 2);
}

bool buffer_u32(struct buffer *buffer, uint32_t value)
{
    return append_number(buffer, value, 4);
}

bool buffer_u64(struct buffer *buffer, uint64_t value)
{
    return append_number(buffer, value, 8);
}

void buffer_patch_u32(struct buffer *buffer, size_t offset, uint32_t value)
{
    if (buffer_size(buffer) < 4 || offset > buffer_size(buffer) - 4) {
        buffer->failed = true;
        return;
    }
    uint8_t *at = buffer->memory + buffer->start + offset;
    for (size_t i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

const char *buffer_string(struct buffer *buffer)
{
    if (buffer->memory == NULL || buffer->capacity == buffer->end) {
        if (!grow(buffer, buffer_size(buffer) + TERMINATOR))
            return NULL;
    }
    buffer->memory[buffer->end] = '\0';
    return (const char *)buffer->memory + buffer->start;
}
