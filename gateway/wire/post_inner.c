/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "wire/post.h"
#include "wire/tlv.h"
#include "wire/utf8.h"

enum {
    PLAINTEXT = 0x37,
    ITEM_VERSION = 0x02,
    SIZE_AT = 4, /* in an item's header */
    ID_SIZE = 8,
    ITEM_AT = 1 + ID_SIZE,
    HASH_SIZE = 20,
    HASH_DIGITS = 2 * HASH_SIZE,
    TLV_SUBJECT = 0x0068,
    TLV_BODY = 0x0067,
    TLV_IDS = 0x1021,
    TLV_ID = 0x005a,
    TLV_FILES = 0x1001,
    TLV_FILE = 0x1000,
    TLV_HASH = 0x0070,
    TLV_NAME = 0x0051,
    FLAGS = POST_IMAGES | POST_DISTANT, /* as a program of 2013 writes them */
};

/* --- reading. What is read goes into `texts`, which has room for as much as the plaintext holds from the
 * beginning: so views into it stay, and nothing that is read takes more than it took on the wire. */

static struct bytes added_since(const struct buffer *texts, size_t begin)
{
    struct bytes all = buffer_view(texts);
    return all.size > begin ? bytes_of(all.data + begin, all.size - begin) : bytes_of(NULL, 0);
}

static bool read_text(struct bytes *out, struct buffer *texts, struct bytes wide, const char *controls)
{
    size_t begin = buffer_size(texts);
    bool good = wide_to_utf8(texts, wide, controls);
    *out = added_since(texts, begin);
    return good;
}

static bool read_name(struct bytes *out, struct buffer *texts, struct bytes name)
{
    size_t begin = buffer_size(texts);
    if (!utf8_valid(name))
        return false;
    uint32_t code_point;
    while (utf8_next(&name, &code_point)) {
        uint8_t encoded[4];
        size_t size = utf8_encode(encoded, code_point);
        if (utf8_screen(code_point, "") == code_point)
            buffer_append(texts, encoded, size);
        else
            buffer_append(texts, "?", 1); /* U+FFFD takes more than a control character did */
    }
    *out = added_since(texts, begin);
    return !texts->failed;
}

static bool read_ids(struct bytes *out, struct buffer *texts, struct bytes list)
{
    size_t begin = buffer_size(texts);
    struct reader reader = reader_of(list);
    while (reader.left > 0) {
        struct tlv id;
        uint8_t hash[HASH_SIZE];
        if (!tlv_read(&reader, &id))
            return false;
        if (id.type == TLV_ID && id.value.size == HASH_DIGITS &&
            hex_parse(hash, HASH_SIZE, (const char *)id.value.data, HASH_DIGITS))
            buffer_append(texts, hash, HASH_SIZE);
    }
    *out = added_since(texts, begin);
    return !texts->failed;
}

/* `usable`: it has a hash. */
static bool read_file(struct post_file *out, bool *usable, struct buffer *texts, struct bytes item)
{
    struct reader reader = reader_of(item);
    *out = (struct post_file){.size = read_u64(&reader)};
    struct bytes hash = tlv_read_type(&reader, TLV_HASH);
    *usable =
        hash.size == HASH_DIGITS && hex_parse(out->hash, HASH_SIZE, (const char *)hash.data, HASH_DIGITS);
    while (reader.left > 0 && !reader.failed) {
        struct tlv field;
        if (tlv_read(&reader, &field) && field.type == TLV_NAME && !read_name(&out->name, texts, field.value))
            return false;
    }
    return reader_done(&reader);
}

/* Title and comment of the set stand behind the files, and are not shown by anyone. */
static bool read_files(struct post_inner *out, struct bytes set)
{
    struct reader reader = reader_of(set);
    while (reader.left > 0) {
        struct tlv tlv;
        struct post_file file;
        bool usable;
        if (!tlv_read(&reader, &tlv))
            return false;
        if (tlv.type != TLV_FILE)
            continue;
        if (!read_file(&file, &usable, &out->texts, tlv.value))
            return false;
        if (usable && out->file_count < POST_FILES_LIMIT)
            out->files[out->file_count++] = file;
    }
    return true;
}

static bool read_item(struct post_inner *out, struct bytes item)
{
    struct reader reader = reader_of(bytes_of(item.data + ITEM_HEADER_SIZE, item.size - ITEM_HEADER_SIZE));
    out->flags = read_u32(&reader) & POST_SYSTEM;
    out->time = read_u32(&reader);
    read_u32(&reader); /* receive time */
    struct bytes subject = tlv_read_type(&reader, TLV_SUBJECT);
    struct bytes body = tlv_read_type(&reader, TLV_BODY);
    struct bytes to = tlv_read_type(&reader, TLV_IDS);
    struct bytes cc = tlv_read_type(&reader, TLV_IDS);
    struct bytes bcc = tlv_read_type(&reader, TLV_IDS), not_shown;
    struct bytes files = tlv_read_type(&reader, TLV_FILES);
    return reader_done(&reader) && read_text(&out->subject, &out->texts, subject, "") &&
           read_text(&out->body, &out->texts, body, "\n\t\r") && read_ids(&out->to, &out->texts, to) &&
           read_ids(&out->cc, &out->texts, cc) && read_ids(&not_shown, &out->texts, bcc) &&
           read_files(out, files);
}

bool post_inner_parse(struct post_inner *out, struct bytes plain)
{
    memset(out, 0, sizeof(*out));
    out->texts = buffer_make(plain.size);
    struct reader reader = reader_of(plain);
    uint8_t version = read_u8(&reader);
    read_copy(&reader, out->sender, ID_SIZE);
    struct item_header header;
    if (reader.failed || version != PLAINTEXT ||
        !item_header_parse(&header, bytes_of(reader.at, reader.left)))
        return false;
    /* It crossed no link, so it may be larger than an item there. */
    struct bytes item = read_bytes(&reader, header.size);
    if (reader.failed || item.size < ITEM_HEADER_SIZE || header.version != ITEM_VERSION ||
        header.service != SERVICE_MESSAGE || header.subtype != POST_CLASSIC ||
        !buffer_reserve(&out->texts, plain.size))
        return false;
    out->covered = bytes_of(plain.data, ITEM_AT + item.size);
    out->signature = bytes_of(reader.at, reader.left);
    return read_item(out, item);
}

void post_inner_free(struct post_inner *inner)
{
    buffer_free(&inner->texts);
    memset(inner, 0, sizeof(*inner));
}

/* --- writing */

static bool write_text(struct buffer *out, uint16_t type, struct bytes text)
{
    struct buffer defused = buffer_make(text.size * 3); /* of "<!" alone: 5 bytes for 2 */
    bool good = tlv_defuse(&defused, text) && tlv_write_wide(out, type, buffer_view(&defused));
    buffer_free(&defused);
    return good;
}

static bool write_ids(struct buffer *out, struct bytes hashes)
{
    size_t begin = tlv_begin(out, TLV_IDS);
    for (size_t at = 0; at < hashes.size; at += HASH_SIZE) {
        char digits[HASH_DIGITS + 1];
        hex_lower(digits, hashes.data + at, HASH_SIZE);
        tlv_write(out, TLV_ID, bytes_of_string(digits));
    }
    return tlv_end(out, begin);
}

static bool write_item(struct buffer *out, const struct post_inner_fields *fields)
{
    size_t begin = item_begin(out, SERVICE_MESSAGE, POST_CLASSIC);
    buffer_u32(out, FLAGS | (fields->sign ? POST_SIGNED : 0));
    buffer_u32(out, fields->time);
    buffer_u32(out, 0);
    if (!write_text(out, TLV_SUBJECT, fields->subject) || !write_text(out, TLV_BODY, fields->body) ||
        !write_ids(out, fields->to) || !write_ids(out, fields->cc) ||
        !tlv_write(out, TLV_IDS, bytes_of(NULL, 0)) || !tlv_write(out, TLV_FILES, bytes_of(NULL, 0)))
        return false;
    size_t size = buffer_size(out) - begin;
    if (size > UINT32_MAX)
        return false;
    buffer_patch_u32(out, begin + SIZE_AT, (uint32_t)size);
    return !out->failed;
}

bool post_inner_write(struct buffer *out, const struct post_inner_fields *fields)
{
    size_t begin = buffer_size(out);
    if (fields->subject.size > POST_CLASSIC_LIMIT ||
        fields->body.size > POST_CLASSIC_LIMIT - fields->subject.size || fields->to.size % HASH_SIZE != 0 ||
        fields->cc.size % HASH_SIZE != 0)
        return false;
    buffer_u8(out, PLAINTEXT);
    buffer_append(out, fields->sender, ID_SIZE);
    if (write_item(out, fields))
        return true;
    out->end = out->start + begin;
    return false;
}
