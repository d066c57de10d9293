/* SPDX-License-Identifier: ISC */
#include "store/values.h"

#include <string.h>

struct value value_number(int64_t number)
{
    return (struct value){.kind = VALUE_NUMBER, .number = number};
}

struct value value_text(const char *text)
{
    if (text == NULL)
        return (struct value){.kind = VALUE_NONE};
    return (struct value){.kind = VALUE_TEXT, .bytes = {(const uint8_t *)text, strlen(text)}};
}

struct value value_blob(struct bytes bytes)
{
    return (struct value){.kind = VALUE_BLOB, .bytes = bytes};
}

size_t utf8_sequence(const uint8_t *at, size_t left, uint32_t *code_point)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 1}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t more = 0; more < sizeof forms / sizeof forms[0]; more++) {
        if ((at[0] & forms[more].mask) != forms[more].lead)
            continue;
        if (left <= more)
            return 0;
        uint32_t point = at[0] & (uint8_t)~forms[more].mask;
        for (size_t i = 1; i <= more; i++) {
            if ((at[i] & 0xc0) != 0x80)
                return 0;
            point = point << 6 | (at[i] & 0x3f);
        }
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        *code_point = point;
        return point < forms[more].least || point > 0x10ffff || surrogate ? 0 : more + 1;
    }
    return 0;
}

struct value value_words(struct bytes bytes)
{
    struct value value = {.kind = VALUE_TEXT, .bytes = bytes};
    for (size_t i = 0; i < bytes.size;) {
        uint32_t point;
        size_t size = utf8_sequence(bytes.data + i, bytes.size - i, &point);
        if (size == 0) {
            value.kind = VALUE_BLOB;
            break;
        }
        i += size;
    }
    return value;
}

bool value_write(struct buffer *buffer, const struct value *value)
{
    if (!buffer_u8(buffer, (uint8_t)value->kind))
        return false;
    if (value->kind == VALUE_NONE)
        return true;
    if (value->kind == VALUE_NUMBER)
        return buffer_u64(buffer, (uint64_t)value->number);
    if (value->bytes.size > UINT32_MAX) {
        buffer->failed = true;
        return false;
    }
    return buffer_u32(buffer, (uint32_t)value->bytes.size) &&
           (value->bytes.size == 0 || buffer_append_bytes(buffer, value->bytes)) && buffer_u8(buffer, 0);
}

struct value value_read(struct reader *reader)
{
    struct value value = {.kind = (enum value_kind)read_u8(reader)};
    switch (value.kind) {
    case VALUE_NONE:
        break;
    case VALUE_NUMBER:
        value.number = (int64_t)read_u64(reader);
        break;
    case VALUE_TEXT:
    case VALUE_BLOB:
        value.bytes = read_bytes(reader, read_u32(reader));
        if (read_u8(reader) != 0)
            reader->failed = true;
        break;
    default:
        reader->failed = true;
    }
    return reader->failed ? (struct value){.kind = VALUE_NONE} : value;
}

int value_bind(sqlite3_stmt *statement, int index, const struct value *value)
{
    /* A null pointer would bind NULL, not an empty value. */
    const void *data = value->bytes.size > 0 ? (const void *)value->bytes.data : "";

    switch (value->kind) {
    case VALUE_NUMBER:
        return sqlite3_bind_int64(statement, index, value->number);
    case VALUE_TEXT:
        return sqlite3_bind_text64(statement, index, data, value->bytes.size, SQLITE_STATIC, SQLITE_UTF8);
    case VALUE_BLOB:
        return sqlite3_bind_blob64(statement, index, data, value->bytes.size, SQLITE_STATIC);
    case VALUE_NONE:
        break;
    }
    return sqlite3_bind_null(statement, index);
}

struct value value_column(sqlite3_stmt *statement, int index)
{
    int type = sqlite3_column_type(statement, index);
    if (type == SQLITE_NULL)
        return (struct value){.kind = VALUE_NONE};
    if (type == SQLITE_INTEGER)
        return value_number(sqlite3_column_int64(statement, index));
    /* sqlite3_column_text() alone promises the zero behind a text. */
    const void *data = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(statement, index)
                                           : sqlite3_column_blob(statement, index);
    struct bytes bytes = {data, data == NULL ? 0 : (size_t)sqlite3_column_bytes(statement, index)};
    return (struct value){.kind = type == SQLITE_TEXT ? VALUE_TEXT : VALUE_BLOB, .bytes = bytes};
}
