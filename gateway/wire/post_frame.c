/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "wire/post.h"

enum {
    KEY_SIZE = 32,
    NONCE_SIZE = 12,
    TAG_SIZE = 16,
    SIGNATURE_MAX = 2000,
    HIDDEN_LEAST = KEY_SIZE + 1 + TAG_SIZE,
    HIDDEN_MOST = KEY_SIZE + SIGNATURE_MAX + TAG_SIZE,
    FRAME_VERSION = 1,
    RECORD_HEAD = 1 + POST_ID_SIZE,
    FORTH_MOST = RECORD_HEAD + 8 + POST_SLICE_SIZE,
};

/* --- greetings (POSTS.md §4) */

static bool greeting_fits(const struct post_greeting *greeting)
{
    switch (greeting->form) {
    case POST_QUESTION:
        return true;
    case POST_CLEAR:
        return greeting->day_key.size == KEY_SIZE && greeting->signature.size > 0 &&
               greeting->signature.size <= SIGNATURE_MAX;
    case POST_HIDDEN:
        return greeting->nonce.size == NONCE_SIZE && greeting->hidden.size >= HIDDEN_LEAST &&
               greeting->hidden.size <= HIDDEN_MOST;
    }
    return false;
}

bool post_greeting_parse(struct post_greeting *out, struct bytes item)
{
    if (!item_is(item, SERVICE_MESSAGE, POST_GREETING))
        return false;
    struct reader reader = reader_of(bytes_of(item.data + ITEM_HEADER_SIZE, item.size - ITEM_HEADER_SIZE));
    *out = (struct post_greeting){.form = (enum post_greeting_form)read_u8(&reader)};
    if (out->form == POST_CLEAR) {
        out->day_key = read_bytes(&reader, KEY_SIZE);
        out->signature = read_bytes(&reader, reader.left);
    } else if (out->form == POST_HIDDEN) {
        out->nonce = read_bytes(&reader, NONCE_SIZE);
        out->hidden = read_bytes(&reader, reader.left);
    }
    return reader_done(&reader) && greeting_fits(out);
}

bool post_greeting_write(struct buffer *out, const struct post_greeting *greeting)
{
    if (!greeting_fits(greeting))
        return false;
    size_t begin = item_begin(out, SERVICE_MESSAGE, POST_GREETING);
    buffer_u8(out, (uint8_t)greeting->form);
    if (greeting->form == POST_CLEAR) {
        buffer_append_bytes(out, greeting->day_key);
        buffer_append_bytes(out, greeting->signature);
    } else if (greeting->form == POST_HIDDEN) {
        buffer_append_bytes(out, greeting->nonce);
        buffer_append_bytes(out, greeting->hidden);
    }
    return item_end(out, begin);
}

/* --- frames (§5) */

static bool frame_fits(const struct post_frame *frame, enum post_subtype subtype)
{
    size_t size = frame->sealed.size;
    if (frame->counter == 0)
        return false;
    if (subtype == POST_FORTH)
        return frame->ephemeral.size == KEY_SIZE && size >= RECORD_HEAD + TAG_SIZE &&
               size <= FORTH_MOST + TAG_SIZE;
    return subtype == POST_BACK && frame->ephemeral.size == 0 && size == POST_BACK_SIZE + TAG_SIZE;
}

bool post_frame_parse(struct post_frame *out, enum post_subtype subtype, struct bytes item)
{
    if (!item_is(item, SERVICE_MESSAGE, (uint8_t)subtype))
        return false;
    struct reader reader = reader_of(bytes_of(item.data + ITEM_HEADER_SIZE, item.size - ITEM_HEADER_SIZE));
    uint8_t version = read_u8(&reader);
    out->ephemeral = read_bytes(&reader, subtype == POST_FORTH ? KEY_SIZE : 0);
    out->counter = read_u64(&reader);
    out->sealed = read_bytes(&reader, reader.left);
    return reader_done(&reader) && version == FRAME_VERSION && frame_fits(out, subtype);
}

bool post_frame_write(struct buffer *out, enum post_subtype subtype, const struct post_frame *frame)
{
    if (!frame_fits(frame, subtype))
        return false;
    size_t begin = item_begin(out, SERVICE_MESSAGE, (uint8_t)subtype);
    buffer_u8(out, FRAME_VERSION);
    buffer_append_bytes(out, frame->ephemeral);
    buffer_u64(out, frame->counter);
    buffer_append_bytes(out, frame->sealed);
    return item_end(out, begin);
}

/* --- records (§6): kind and transfer, then these fields, in this order */

enum field { SIZE = 1, OFFSET = 2, DIGEST = 4, WINDOW = 8, CODE = 16, DATA = 32, KNOWN = 64 };

static const unsigned forth[] = {
    [POST_OFFER] = KNOWN | SIZE | DIGEST,
    [POST_SLICE] = KNOWN | OFFSET | DATA,
    [POST_CANCEL] = KNOWN,
};
static const unsigned back[] = {
    [POST_WANT] = KNOWN | OFFSET | WINDOW,
    [POST_STORED] = KNOWN,
    [POST_REFUSED] = KNOWN | CODE,
};
enum { KINDS = 4 };
_Static_assert(sizeof(forth) == KINDS * sizeof(unsigned) && sizeof(back) == sizeof(forth),
               "3 kinds each way");

static unsigned fields_of(const unsigned kinds[KINDS], uint8_t kind)
{
    return kind < KINDS ? kinds[kind] : 0;
}

static bool record_fits(const struct post_record *record, unsigned fields)
{
    bool data = record->data.size > 0 && record->data.size <= POST_SLICE_SIZE &&
                record->offset <= UINT64_MAX - record->data.size;
    bool code = record->code >= POST_TOO_LARGE && record->code <= POST_NOT_WANTED;
    return (fields & KNOWN) != 0 && ((fields & SIZE) == 0 || record->size > 0) &&
           ((fields & DATA) == 0 || data) && ((fields & CODE) == 0 || code);
}

static bool record_read(struct post_record *out, struct reader *reader, const unsigned kinds[KINDS])
{
    *out = (struct post_record){.kind = read_u8(reader)};
    unsigned fields = fields_of(kinds, out->kind);
    read_copy(reader, out->transfer, sizeof(out->transfer));
    if ((fields & SIZE) != 0)
        out->size = read_u64(reader);
    if ((fields & OFFSET) != 0)
        out->offset = read_u64(reader);
    if ((fields & DIGEST) != 0)
        read_copy(reader, out->digest, sizeof(out->digest));
    if ((fields & WINDOW) != 0)
        out->window = read_u32(reader);
    if ((fields & CODE) != 0)
        out->code = read_u8(reader);
    if ((fields & DATA) != 0)
        out->data = read_bytes(reader, reader->left);
    return !reader->failed && record_fits(out, fields);
}

static bool record_write(struct buffer *out, const struct post_record *record, const unsigned kinds[KINDS],
                         size_t padded)
{
    unsigned fields = fields_of(kinds, record->kind);
    if (!record_fits(record, fields) || !buffer_reserve(out, padded > 0 ? padded : FORTH_MOST))
        return false;
    size_t begin = buffer_size(out);
    buffer_u8(out, record->kind);
    buffer_append(out, record->transfer, sizeof(record->transfer));
    if ((fields & SIZE) != 0)
        buffer_u64(out, record->size);
    if ((fields & OFFSET) != 0)
        buffer_u64(out, record->offset);
    if ((fields & DIGEST) != 0)
        buffer_append(out, record->digest, sizeof(record->digest));
    if ((fields & WINDOW) != 0)
        buffer_u32(out, record->window);
    if ((fields & CODE) != 0)
        buffer_u8(out, record->code);
    if ((fields & DATA) != 0)
        buffer_append_bytes(out, record->data);
    size_t size = buffer_size(out) - begin;
    if (size < padded) {
        memset(buffer_reserve(out, padded - size), 0, padded - size);
        buffer_commit(out, padded - size);
    }
    return true;
}

bool post_forth_parse(struct post_record *out, struct bytes plain)
{
    struct reader reader = reader_of(plain);
    return record_read(out, &reader, forth) && reader_done(&reader);
}

bool post_forth_write(struct buffer *out, const struct post_record *record)
{
    return record_write(out, record, forth, 0);
}

bool post_back_parse(struct post_record *out, struct bytes plain)
{
    static const uint8_t zeros[POST_BACK_SIZE];
    struct reader reader = reader_of(plain);
    return plain.size == POST_BACK_SIZE && record_read(out, &reader, back) &&
           memcmp(reader.at, zeros, reader.left) == 0;
}

bool post_back_write(struct buffer *out, const struct post_record *record)
{
    return record_write(out, record, back, POST_BACK_SIZE);
}
