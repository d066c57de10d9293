/* SPDX-License-Identifier: ISC */
#include "base/bytes.h"

#include <openssl/crypto.h>
#include <string.h>

struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){data, size};
}

struct bytes bytes_of_string(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool bytes_equal_secret(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}

struct reader reader_of(struct bytes bytes)
{
    return (struct reader){bytes.data, bytes.size, false};
}

static const uint8_t *take(struct reader *reader, size_t size)
{
    if (reader->failed || size > reader->left) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *at = reader->at;
    if (size > 0) {
        reader->at += size;
        reader->left -= size;
    }
    return at;
}

static uint64_t big_endian(struct reader *reader, size_t size)
{
    const uint8_t *at = take(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; at != NULL && i < size; i++)
        value = value << 8 | at[i];
    return value;
}

uint8_t read_u8(struct reader *reader)
{
    return (uint8_t)big_endian(reader, 1);
}

uint16_t read_u16(struct reader *reader)
{
    return (uint16_t)big_endian(reader, 2);
}

uint32_t read_u32(struct reader *reader)
{
    return (uint32_t)big_endian(reader, 4);
}

uint64_t read_u64(struct reader *reader)
{
    return big_endian(reader, 8);
}

struct bytes read_bytes(struct reader *reader, size_t size)
{
    const uint8_t *at = take(reader, size);
    return at == NULL ? (struct bytes){NULL, 0} : (struct bytes){at, size};
}

void read_copy(struct reader *reader, void *into, size_t size)
{
    if (size == 0)
        return;
    const uint8_t *at = take(reader, size);
    if (at == NULL)
        memset(into, 0, size);
    else
        memcpy(into, at, size);
}

bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->left == 0;
}

static void hex(char *out, const uint8_t *data, size_t size, const char *digits)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * size] = '\0';
}

void hex_lower(char *out, const void *data, size_t size)
{
    hex(out, data, size, "0123456789abcdef");
}

void hex_upper(char *out, const void *data, size_t size)
{
    hex(out, data, size, "0123456789ABCDEF");
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_parse(void *out, size_t size, const char *text, size_t text_size)
{
    uint8_t *bytes = out;
    if (text_size % 2 != 0 || text_size / 2 != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
