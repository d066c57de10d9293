/* SPDX-License-Identifier: ISC */
#include "keyring/frame.h"

#include <string.h>

enum outcome { OUTCOME_DONE = 1, OUTCOME_FAILED, OUTCOME_PROGRESS };

enum flag { FLAG_NODE = 1, FLAG_SEALED = 2, FLAG_SEALED_ONLY = 4, FLAG_BOUND = 8 };

static void write_field(struct buffer *out, struct bytes field)
{
    if (field.size > FRAME_SIZE_MAX) {
        out->failed = true;
        return;
    }
    buffer_u32(out, (uint32_t)field.size);
    buffer_append_bytes(out, field);
}

static struct bytes read_field(struct reader *reader)
{
    return read_bytes(reader, read_u32(reader));
}

static size_t begin(struct buffer *out, uint64_t id, uint8_t kind)
{
    size_t at = buffer_size(out);
    buffer_u32(out, 0);
    buffer_u64(out, id);
    buffer_u8(out, kind);
    return at;
}

static bool end(struct buffer *out, size_t at)
{
    size_t size = buffer_size(out) - at;
    if (out->failed || size > FRAME_HEADER + FRAME_SIZE_MAX) {
        out->end -= size;
        return false;
    }
    buffer_patch_u32(out, at, (uint32_t)(size - FRAME_HEADER));
    return true;
}

bool frame_request_write(struct buffer *out, const struct request *request)
{
    size_t at = begin(out, request->id, (uint8_t)request->purpose);
    write_field(out, request->home);
    write_field(out, request->passphrase);
    write_field(out, request->old_passphrase);
    buffer_append(out, request->fingerprint, sizeof(request->fingerprint));
    write_field(out, request->name);
    write_field(out, request->data);
    write_field(out, request->key_block);
    buffer_append(out, request->hash, sizeof(request->hash));
    buffer_append(out, request->key, sizeof(request->key));
    buffer_u64(out, (uint64_t)request->expires);
    buffer_u8(out, (uint8_t)request->sealing);
    buffer_u8(out, request->node ? FLAG_NODE : 0);
    return end(out, at);
}

bool frame_request_parse(struct request *out, struct bytes frame)
{
    *out = (struct request){0};
    struct reader reader = reader_of(frame);
    out->id = read_u64(&reader);
    uint8_t purpose = read_u8(&reader);
    out->home = read_field(&reader);
    out->passphrase = read_field(&reader);
    out->old_passphrase = read_field(&reader);
    read_copy(&reader, out->fingerprint, sizeof(out->fingerprint));
    out->name = read_field(&reader);
    out->data = read_field(&reader);
    out->key_block = read_field(&reader);
    read_copy(&reader, out->hash, sizeof(out->hash));
    read_copy(&reader, out->key, sizeof(out->key));
    out->expires = (int64_t)read_u64(&reader);
    uint8_t sealing = read_u8(&reader), flags = read_u8(&reader);
    out->sealing = (enum keyring_sealing)sealing;
    out->node = flags & FLAG_NODE;
    out->purpose = (enum purpose)purpose;
    return reader_done(&reader) && purpose >= PURPOSE_CREATE && purpose <= PURPOSE_LAST &&
           sealing <= KEYRING_SEALING_ONLY && !(flags & ~FLAG_NODE);
}

bool answer_write(struct buffer *out, uint64_t id, const struct keyring_answer *answer)
{
    size_t at = begin(out, id, answer->error ? OUTCOME_FAILED : OUTCOME_DONE);
    buffer_u8(out, answer->error ? (uint8_t)answer->error->code : 0);
    write_field(out, answer->error ? bytes_of_string(answer->error->text) : bytes_of(NULL, 0));
    buffer_append(out, answer->fingerprint, sizeof(answer->fingerprint));
    write_field(out, answer->block);
    write_field(out, answer->private_key);
    buffer_append(out, answer->location, sizeof(answer->location));
    write_field(out, answer->link_blob);
    buffer_append(out, answer->hash, sizeof(answer->hash));
    buffer_append(out, answer->key, sizeof(answer->key));
    buffer_u64(out, (uint64_t)answer->expires);
    buffer_u8(out, (uint8_t)((answer->addressee_bound ? FLAG_BOUND : 0) | (answer->sealed ? FLAG_SEALED : 0) |
                             (answer->sealed_only ? FLAG_SEALED_ONLY : 0)));
    return end(out, at);
}

bool progress_write(struct buffer *out, uint64_t id, const char *text)
{
    size_t at = begin(out, id, OUTCOME_PROGRESS);
    write_field(out, bytes_of_string(text));
    return end(out, at);
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

static void read_fields(struct reader *reader, struct keyring_answer *fields)
{
    read_copy(reader, fields->fingerprint, sizeof(fields->fingerprint));
    fields->block = read_field(reader);
    fields->private_key = read_field(reader);
    read_copy(reader, fields->location, sizeof(fields->location));
    fields->link_blob = read_field(reader);
    read_copy(reader, fields->hash, sizeof(fields->hash));
    read_copy(reader, fields->key, sizeof(fields->key));
    fields->expires = (int64_t)read_u64(reader);
    uint8_t flags = read_u8(reader);
    fields->addressee_bound = flags & FLAG_BOUND;
    fields->sealed = flags & FLAG_SEALED;
    fields->sealed_only = flags & FLAG_SEALED_ONLY;
    if (flags & ~(FLAG_BOUND | FLAG_SEALED | FLAG_SEALED_ONLY))
        reader->failed = true;
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
    read_fields(&reader, &out->fields);
    if (!good || !reader_done(&reader) || code > ERROR_INTERNAL)
        return false;
    out->error.code = (enum error_code)code;
    out->fields.error = code ? &out->error : NULL;
    return outcome == (code ? OUTCOME_FAILED : OUTCOME_DONE);
}

enum frame_state frame_find(struct bytes input, struct bytes *frame)
{
    struct reader reader = reader_of(input);
    if (input.size < FRAME_HEADER)
        return FRAME_PARTIAL;
    size_t size = read_u32(&reader);
    if (size > FRAME_SIZE_MAX)
        return FRAME_BAD;
    if (reader.left < size)
        return FRAME_PARTIAL;
    *frame = read_bytes(&reader, size);
    return FRAME_WHOLE;
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
