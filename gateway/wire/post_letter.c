/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "wire/post.h"

enum { LETTER = 0x38, LETTER_HEAD = 1 + 20 + 20 + POST_ID_SIZE + 8 + 4, LENGTH_SIZE = 4 };

static bool is_zero(struct bytes bytes)
{
    return bytes.size == 0 || (bytes.data[0] == 0 && memcmp(bytes.data, bytes.data + 1, bytes.size - 1) == 0);
}

bool post_letter_parse(struct post_letter *out, struct bytes plain)
{
    struct reader reader = reader_of(plain);
    uint8_t version = read_u8(&reader);
    read_copy(&reader, out->sender, sizeof(out->sender));
    read_copy(&reader, out->recipient, sizeof(out->recipient));
    read_copy(&reader, out->message_id, sizeof(out->message_id));
    uint64_t time = read_u64(&reader);
    out->content = read_bytes(&reader, read_u32(&reader));
    struct bytes padding = read_bytes(&reader, read_u32(&reader));
    if (reader.failed || reader.left == 0 || version != LETTER || time > INT64_MAX ||
        out->content.size > POST_CONTENT_LIMIT || !is_zero(padding))
        return false;
    out->time = (int64_t)time;
    out->covered = bytes_of(plain.data, plain.size - reader.left);
    out->signature = bytes_of(reader.at, reader.left);
    return true;
}

bool post_letter_write(struct buffer *out, const struct post_letter *letter)
{
    if (letter->content.size > POST_CONTENT_LIMIT || letter->time < 0)
        return false;
    size_t bare = LETTER_HEAD + letter->content.size + LENGTH_SIZE;
    size_t whole = post_padded(bare), padding = whole - bare;
    if (!buffer_reserve(out, whole)) /* at once: appends would copy a large content again and again */
        return false;
    buffer_u8(out, LETTER);
    buffer_append(out, letter->sender, sizeof(letter->sender));
    buffer_append(out, letter->recipient, sizeof(letter->recipient));
    buffer_append(out, letter->message_id, sizeof(letter->message_id));
    buffer_u64(out, (uint64_t)letter->time);
    buffer_u32(out, (uint32_t)letter->content.size);
    buffer_append_bytes(out, letter->content);
    buffer_u32(out, (uint32_t)padding);
    memset(buffer_reserve(out, padding), 0, padding);
    buffer_commit(out, padding);
    return true;
}
