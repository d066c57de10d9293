/* SPDX-License-Identifier: ISC */
#include "wire/sealed.h"

#include <string.h>

#include "wire/radix64.h"
#include "wire/utf8.h"

enum { ANNOUNCEMENT_SIZE = 33, SECRET_SIZE = 32, LENGTH_MAX = (1 << 24) - 1 };

/* Known records: fixed bytes first, then at most `most` of text or image. */
static const struct form {
    uint32_t head, most;
    bool text; /* UTF-8 without zero */
} forms[] = {
    [SEALED_LINE] = {SEALED_LINE_HEAD, SEALED_TEXT_MAX, true},
    [SEALED_ROOT] = {SECRET_SIZE, 0, false},
    [SEALED_STATE_TEXT] = {0, SEALED_STATE_TEXT_MAX, true},
    [SEALED_AVATAR] = {0, SEALED_AVATAR_MAX, false},
    [SEALED_CLAIM] = {SECRET_SIZE, 0, false},
};
static const struct form unknown = {LENGTH_MAX, 0, false};

static const struct form *form_of(unsigned type)
{
    return type > 0 && type < sizeof(forms) / sizeof(forms[0]) ? &forms[type] : &unknown;
}

static uint64_t read_u48(struct reader *reader)
{
    uint64_t high = read_u16(reader);
    return high << 32 | read_u32(reader);
}

static void write_u48(struct buffer *out, uint64_t value)
{
    buffer_u16(out, (uint16_t)(value >> 32));
    buffer_u32(out, (uint32_t)value);
}

static bool readable(struct bytes text)
{
    return (text.size == 0 || !memchr(text.data, 0, text.size)) && utf8_valid(text);
}

static bool is_zero(struct bytes bytes)
{
    return bytes.size == 0 || (bytes.data[0] == 0 && memcmp(bytes.data, bytes.data + 1, bytes.size - 1) == 0);
}

/* Without a look at what the text holds. */
static bool record_read(struct sealed_record *out, uint8_t type, struct bytes body)
{
    const struct form *form = form_of(type);
    *out = (struct sealed_record){.type = type, .body = body};
    if (form == &unknown)
        return true;
    if (body.size < form->head || body.size - form->head > form->most)
        return false;
    out->text = form->head > 0 ? bytes_of(body.data + form->head, body.size - form->head) : body;
    if (type != SEALED_LINE)
        return true;
    struct reader reader = reader_of(body);
    out->number = read_u48(&reader);
    uint16_t zero = read_u16(&reader);
    uint64_t time = read_u64(&reader);
    out->time = (int64_t)time;
    return out->number > 0 && zero == 0 && time <= INT64_MAX;
}

/* Takes the next record; false at the zeros behind the last, and on what is no record (then `failed`). */
static bool record_next(struct reader *reader, struct sealed_record *out)
{
    if (reader->left == 0 || *reader->at == 0)
        return false;
    uint32_t head = read_u32(reader);
    struct bytes body = read_bytes(reader, head & LENGTH_MAX);
    if (!reader->failed && !record_read(out, (uint8_t)(head >> 24), body))
        reader->failed = true;
    return !reader->failed;
}

static bool room_for(const struct buffer *out, size_t size)
{
    size_t held = buffer_size(out);
    return held >= SEALED_HEADER_SIZE && held <= SEALED_PLAIN_MAX && size <= SEALED_PLAIN_MAX - held;
}

bool sealed_header_write(struct buffer *out, const struct sealed_header *header)
{
    if (buffer_size(out) > 0 || header->ack > SEALED_NUMBER_MAX || header->base > SEALED_NUMBER_MAX)
        return false;
    buffer_u16(out, header->flags);
    write_u48(out, header->ack);
    buffer_u16(out, 0);
    write_u48(out, header->base);
    return !out->failed;
}

bool sealed_line_write(struct buffer *out, uint64_t number, int64_t time, struct bytes text)
{
    if (number == 0 || number > SEALED_NUMBER_MAX || time < 0 || text.size > SEALED_TEXT_MAX ||
        !readable(text) || !room_for(out, SEALED_RECORD_HEAD + SEALED_LINE_HEAD + text.size))
        return false;
    buffer_u32(out, (uint32_t)SEALED_LINE << 24 | (uint32_t)(SEALED_LINE_HEAD + text.size));
    write_u48(out, number);
    buffer_u16(out, 0);
    buffer_u64(out, (uint64_t)time);
    buffer_append_bytes(out, text);
    return !out->failed;
}

bool sealed_record_write(struct buffer *out, enum sealed_record_type type, struct bytes body)
{
    struct sealed_record record;
    if (type == 0 || type > UINT8_MAX || body.size > LENGTH_MAX ||
        !record_read(&record, (uint8_t)type, body) || (form_of(type)->text && !readable(record.text)) ||
        !room_for(out, SEALED_RECORD_HEAD + body.size))
        return false;
    buffer_u32(out, (uint32_t)type << 24 | (uint32_t)body.size);
    buffer_append_bytes(out, body);
    return !out->failed;
}

bool sealed_pad(struct buffer *out)
{
    if (!room_for(out, 0))
        return false;
    size_t over = (buffer_size(out) - SEALED_HEADER_SIZE) % SEALED_STEP;
    size_t missing = over > 0 ? SEALED_STEP - over : 0;
    uint8_t *at = buffer_reserve(out, missing);
    if (!at)
        return false;
    memset(at, 0, missing);
    buffer_commit(out, missing);
    return true;
}

bool sealed_parse(struct bytes plain, struct sealed_header *header,
                  void (*record)(void *arg, const struct sealed_record *record), void *arg)
{
    if (plain.size < SEALED_HEADER_SIZE || plain.size > SEALED_PLAIN_MAX ||
        (plain.size - SEALED_HEADER_SIZE) % SEALED_STEP != 0)
        return false;
    struct reader reader = reader_of(plain);
    struct sealed_header read = {0};
    read.flags = read_u16(&reader);
    read.ack = read_u48(&reader);
    if (read_u16(&reader) != 0)
        return false;
    read.base = read_u48(&reader);

    struct reader first = reader;
    struct sealed_record each;
    while (record_next(&first, &each)) {
        if (form_of(each.type)->text && !readable(each.text))
            return false;
    }
    if (first.failed || !is_zero(bytes_of(first.at, first.left)))
        return false;

    *header = read;
    while (record && record_next(&reader, &each))
        record(arg, &each);
    return true;
}

/* Both ways over memory of the caller's: a buffer that is large enough never allocates. */
void sealed_announcement_text(char out[SEALED_ANNOUNCEMENT_TEXT + 1], const uint8_t announcement[33])
{
    struct buffer text = {.memory = (uint8_t *)out,
                          .capacity = SEALED_ANNOUNCEMENT_TEXT + 1,
                          .ceiling = SEALED_ANNOUNCEMENT_TEXT};
    base64url_encode(&text, bytes_of(announcement, ANNOUNCEMENT_SIZE));
    out[SEALED_ANNOUNCEMENT_TEXT] = '\0';
}

bool sealed_announcement_parse(uint8_t out[33], struct bytes text)
{
    uint8_t memory[ANNOUNCEMENT_SIZE + 1];
    struct buffer decoded = {.memory = memory, .capacity = sizeof(memory), .ceiling = ANNOUNCEMENT_SIZE};
    if (text.size != SEALED_ANNOUNCEMENT_TEXT || !base64url_decode(&decoded, text))
        return false;
    memcpy(out, memory, ANNOUNCEMENT_SIZE);
    return true;
}
