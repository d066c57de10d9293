/* SPDX-License-Identifier: ISC */
#include "keyring/frame.h"

#include <stddef.h>
#include <string.h>

enum outcome { OUTCOME_DONE = 1, OUTCOME_FAILED, OUTCOME_PROGRESS };

enum flag { FLAG_NODE = 1, FLAG_SEALED = 2, FLAG_SEALED_ONLY = 4, FLAG_BOUND = 8, FLAG_SIGN = 16 };

enum { PURPOSE_AT = FRAME_HEADER + 8, HEAD = 8 + 1 };

/* What has a size in front, in this order behind the rest. */
static const size_t request_fields[] = {
    offsetof(struct request, home),           offsetof(struct request, passphrase),
    offsetof(struct request, old_passphrase), offsetof(struct request, name),
    offsetof(struct request, data),           offsetof(struct request, key_block),
    offsetof(struct request, signature),      offsetof(struct request, post.content),
    offsetof(struct request, post.subject),   offsetof(struct request, post.body),
    offsetof(struct request, post.to),        offsetof(struct request, post.cc),
};
static const size_t answer_fields[] = {
    offsetof(struct keyring_answer, block),
    offsetof(struct keyring_answer, private_key),
    offsetof(struct keyring_answer, link_blob),
    offsetof(struct keyring_answer, text),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct bytes field_at(const void *owner, size_t offset)
{
    return *(const struct bytes *)(const void *)((const char *)owner + offset);
}

static size_t fields_size(const void *owner, const size_t *table, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        struct bytes field = field_at(owner, table[i]);
        size += 4 + (field.size < FRAME_SIZE_POST ? field.size : FRAME_SIZE_POST); /* too large either way */
    }
    return size;
}

static void write_field(struct buffer *out, struct bytes field)
{
    buffer_u32(out, (uint32_t)field.size);
    buffer_append_bytes(out, field);
}

static struct bytes read_field(struct reader *reader)
{
    return read_bytes(reader, read_u32(reader));
}

static void write_fields(struct buffer *out, const void *owner, const size_t *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        write_field(out, field_at(owner, table[i]));
}

static void read_fields(struct reader *reader, void *owner, const size_t *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *(struct bytes *)(void *)((char *)owner + table[i]) = read_field(reader);
}

/* Room for all of a frame first, so that a large one is not moved while it is written. */
static size_t begin(struct buffer *out, uint64_t id, uint8_t kind, size_t size)
{
    size_t at = buffer_size(out);
    buffer_reserve(out, size);
    buffer_u32(out, 0);
    buffer_u64(out, id);
    buffer_u8(out, kind);
    return at;
}

static bool end(struct buffer *out, size_t at, size_t most)
{
    size_t size = buffer_size(out) - at;
    if (out->failed || size > FRAME_HEADER + most) {
        out->end -= size;
        return false;
    }
    buffer_patch_u32(out, at, (uint32_t)(size - FRAME_HEADER));
    return true;
}

size_t frame_most(enum purpose purpose)
{
    return purpose >= PURPOSE_POST_SEAL && purpose <= PURPOSE_POST_VERIFY ? FRAME_SIZE_POST : FRAME_SIZE_MAX;
}

size_t frame_request_most(struct bytes input)
{
    return input.size > PURPOSE_AT ? frame_most((enum purpose)input.data[PURPOSE_AT]) : FRAME_SIZE_POST;
}

size_t frame_request_size(const struct request *request)
{
    size_t fixed = FRAME_HEADER + HEAD + sizeof(request->fingerprint) + sizeof(request->hash) +
                   sizeof(request->key) + sizeof(request->post.message_id) + sizeof(request->day_key) + 8 +
                   8 + 1 + 1;
    return fixed + fields_size(request, request_fields, COUNT(request_fields));
}

bool frame_request_write(struct buffer *out, const struct request *request)
{
    size_t size = frame_request_size(request), most = frame_most(request->purpose);
    if (size > FRAME_HEADER + most)
        return false;
    size_t at = begin(out, request->id, (uint8_t)request->purpose, size);
    buffer_append(out, request->fingerprint, sizeof(request->fingerprint));
    buffer_append(out, request->hash, sizeof(request->hash));
    buffer_append(out, request->key, sizeof(request->key));
    buffer_append(out, request->post.message_id, sizeof(request->post.message_id));
    buffer_append(out, request->day_key, sizeof(request->day_key));
    buffer_u64(out, (uint64_t)request->expires);
    buffer_u64(out, (uint64_t)request->post.time);
    buffer_u8(out, (uint8_t)request->sealing);
    buffer_u8(out, (uint8_t)((request->node ? FLAG_NODE : 0) | (request->post.sealed ? FLAG_SEALED : 0) |
                             (request->post.sign ? FLAG_SIGN : 0)));
    write_fields(out, request, request_fields, COUNT(request_fields));
    return end(out, at, most);
}

bool frame_request_parse(struct request *out, struct bytes frame)
{
    *out = (struct request){0};
    struct reader reader = reader_of(frame);
    out->id = read_u64(&reader);
    uint8_t purpose = read_u8(&reader);
    read_copy(&reader, out->fingerprint, sizeof(out->fingerprint));
    read_copy(&reader, out->hash, sizeof(out->hash));
    read_copy(&reader, out->key, sizeof(out->key));
    read_copy(&reader, out->post.message_id, sizeof(out->post.message_id));
    read_copy(&reader, out->day_key, sizeof(out->day_key));
    out->expires = (int64_t)read_u64(&reader);
    out->post.time = (int64_t)read_u64(&reader);
    uint8_t sealing = read_u8(&reader), flags = read_u8(&reader);
    out->sealing = (enum keyring_sealing)sealing;
    out->node = flags & FLAG_NODE;
    out->post.sealed = flags & FLAG_SEALED;
    out->post.sign = flags & FLAG_SIGN;
    out->purpose = (enum purpose)purpose;
    read_fields(&reader, out, request_fields, COUNT(request_fields));
    return reader_done(&reader) && purpose >= PURPOSE_CREATE && purpose <= PURPOSE_LAST &&
           sealing <= KEYRING_SEALING_ONLY && !(flags & ~(FLAG_NODE | FLAG_SEALED | FLAG_SIGN));
}

bool answer_write(struct buffer *out, uint64_t id, const struct keyring_answer *answer)
{
    struct bytes text = bytes_of_string(answer->error ? answer->error->text : "");
    size_t fixed = FRAME_HEADER + HEAD + 1 + 4 + text.size + sizeof(answer->fingerprint) +
                   sizeof(answer->location) + sizeof(answer->hash) + sizeof(answer->key) + 8 + 8 + 1;
    size_t size = fixed + fields_size(answer, answer_fields, COUNT(answer_fields));
    if (size > FRAME_HEADER + (size_t)FRAME_SIZE_POST)
        return false;
    size_t at = begin(out, id, answer->error ? OUTCOME_FAILED : OUTCOME_DONE, size);
    buffer_u8(out, answer->error ? (uint8_t)answer->error->code : 0);
    write_field(out, text);
    buffer_append(out, answer->fingerprint, sizeof(answer->fingerprint));
    buffer_append(out, answer->location, sizeof(answer->location));
    buffer_append(out, answer->hash, sizeof(answer->hash));
    buffer_append(out, answer->key, sizeof(answer->key));
    buffer_u64(out, (uint64_t)answer->expires);
    buffer_u64(out, (uint64_t)answer->signed_at);
    buffer_u8(out, (uint8_t)((answer->addressee_bound ? FLAG_BOUND : 0) | (answer->sealed ? FLAG_SEALED : 0) |
                             (answer->sealed_only ? FLAG_SEALED_ONLY : 0)));
    write_fields(out, answer, answer_fields, COUNT(answer_fields));
    return end(out, at, FRAME_SIZE_POST);
}

bool progress_write(struct buffer *out, uint64_t id, const char *text)
{
    size_t at = begin(out, id, OUTCOME_PROGRESS, 0);
    write_field(out, bytes_of_string(text));
    return end(out, at, FRAME_SIZE_MAX);
}

static bool take_text(struct error *error, struct bytes text)
{
    if (text.size >= sizeof(error->text) || memchr(text.data ? text.data : (const uint8_t *)"", 0, text.size))
        return false;
    if (text.size > 0)
        memcpy(error->text, text.data, text.size);
    error->text[text.size] = '\0';
    return true;
}

static void read_answer(struct reader *reader, struct keyring_answer *fields)
{
    read_copy(reader, fields->fingerprint, sizeof(fields->fingerprint));
    read_copy(reader, fields->location, sizeof(fields->location));
    read_copy(reader, fields->hash, sizeof(fields->hash));
    read_copy(reader, fields->key, sizeof(fields->key));
    fields->expires = (int64_t)read_u64(reader);
    fields->signed_at = (int64_t)read_u64(reader);
    uint8_t flags = read_u8(reader);
    fields->addressee_bound = flags & FLAG_BOUND;
    fields->sealed = flags & FLAG_SEALED;
    fields->sealed_only = flags & FLAG_SEALED_ONLY;
    if (flags & ~(FLAG_BOUND | FLAG_SEALED | FLAG_SEALED_ONLY))
        reader->failed = true;
    read_fields(reader, fields, answer_fields, COUNT(answer_fields));
}

bool answer_parse(struct answer *out, struct bytes frame)
{
    memset(out, 0, sizeof(*out));
    struct reader reader = reader_of(frame);
    out->id = read_u64(&reader);
    uint8_t outcome = read_u8(&reader);
    if (outcome == OUTCOME_PROGRESS) {
        out->progress = true;
        return take_text(&out->error, read_field(&reader)) && reader_done(&reader);
    }
    uint8_t code = read_u8(&reader);
    bool good = take_text(&out->error, read_field(&reader));
    read_answer(&reader, &out->fields);
    if (!good || !reader_done(&reader) || code > ERROR_INTERNAL)
        return false;
    out->error.code = (enum error_code)code;
    out->fields.error = code ? &out->error : NULL;
    return outcome == (code ? OUTCOME_FAILED : OUTCOME_DONE);
}

enum frame_state frame_find(struct bytes input, size_t most, struct bytes *frame)
{
    struct reader reader = reader_of(input);
    if (input.size < FRAME_HEADER)
        return FRAME_PARTIAL;
    size_t size = read_u32(&reader);
    if (size > most)
        return FRAME_BAD;
    if (reader.left < size)
        return FRAME_PARTIAL;
    *frame = read_bytes(&reader, size);
    return FRAME_WHOLE;
}

uint8_t *frame_reserve(struct buffer *input, size_t step)
{
    struct bytes view = buffer_view(input);
    struct reader reader = reader_of(view);
    size_t whole = view.size >= FRAME_HEADER ? FRAME_HEADER + (size_t)read_u32(&reader) : 0;
    size_t missing = whole > view.size ? whole - view.size : 0;
    return buffer_reserve(input, missing > step ? missing : step);
}

void frame_consume(struct buffer *input, struct bytes frame)
{
    buffer_consume(input, FRAME_HEADER + frame.size);
    if (buffer_size(input) == 0)
        buffer_free(input);
}

bool home_is_good(struct bytes home)
{
    if (bytes_equal(home, bytes_of_string("node")))
        return true;
    if (home.size < 1 || home.size > 18 || home.data[0] == '0')
        return false;
    for (size_t i = 0; i < home.size; i++)
        if (home.data[i] < '0' || home.data[i] > '9')
            return false;
    return true;
}

unsigned home_worker(struct bytes home, unsigned workers)
{
    return home.size > 0 ? home.data[home.size - 1] % workers : 0;
}
