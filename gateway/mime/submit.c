/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "mime/fields.h"
#include "mime/parts.h"
#include "mime/screen.h"
#include "wire/utf8.h"

enum { FOLD_AT = 900 };

/* Fields that we write ourselves, or that may stand once only. */
struct seen {
    bool date, message_id, subject, type, version;
};

static bool has_high(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] >= 0x80)
            return true;
    }
    return false;
}

/* A field as it stands; a line over MIME_LINE_LIMIT is folded at white space. */
static bool put_field(struct buffer *own, struct bytes whole, struct error **error)
{
    struct bytes line;
    while (line_next(&whole, &line)) {
        while (line.size > MIME_LINE_LIMIT + 2) {
            size_t at = FOLD_AT;
            while (at > 0 && line.data[at] != ' ' && line.data[at] != '\t')
                at--;
            if (at == 0)
                return error_set(error, ERROR_INVALID, "a line of the header has more than %d bytes",
                                 MIME_LINE_LIMIT);
            buffer_append(own, line.data, at);
            buffer_append(own, "\r\n", 2);
            line = bytes_of(line.data + at, line.size - at);
        }
        buffer_append_bytes(own, line);
    }
    struct bytes view = buffer_view(own);
    if (view.size > 0 && view.data[view.size - 1] != '\n')
        buffer_append(own, "\r\n", 2);
    return true;
}

static bool date_good(const char *value)
{
    GDateTime *date = g_mime_utils_header_decode_date(value);
    if (date != NULL)
        g_date_time_unref(date);
    return date != NULL;
}

static bool id_good(const char *value)
{
    struct ids ids;
    ids_read(&ids, value);
    return ids.count == 1;
}

static bool any_good(const char *value)
{
    (void)value;
    return true;
}

static bool keep(const struct field *field, struct seen *seen)
{
    const struct {
        const char *name;
        bool *seen;
        bool (*good)(const char *value);
    } once[] = {{"Date", &seen->date, date_good},
                {"Message-ID", &seen->message_id, id_good},
                {"Subject", &seen->subject, any_good},
                {"MIME-Version", &seen->version, any_good},
                {"Content-Type", &seen->type, any_good}};
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
        if (!field_is(field, once[i].name))
            continue;
        char *value = g_strndup((const char *)field->value.data, field->value.size);
        bool first = !*once[i].seen && once[i].good(value);
        *once[i].seen |= first;
        g_free(value);
        return first;
    }
    /* What we say of posts that arrive, nobody says of one that leaves. */
    return !field_is(field, "From") && !field_is(field, "Authentication-Results") &&
           !field_is(field, "Return-Path");
}

static bool put_header(struct buffer *own, const struct mime_submission *submission, struct bytes *body,
                       struct error **error)
{
    struct seen seen = {0};
    struct field field;
    if (body->size > 5 && memcmp(body->data, "From ", 5) == 0) { /* a line of mbox */
        struct bytes line;
        line_next(body, &line);
    }
    field_people(own, "From", submission->sender, 1);
    while (field_next(body, &field)) {
        if (field.whole.size > MIME_HEADER_BYTES)
            return error_set(error, ERROR_LIMIT, "a field of the header has more than %d KiB",
                             MIME_HEADER_BYTES >> 10);
        if (keep(&field, &seen) && !put_field(own, field.whole, error))
            return false;
    }
    if (!seen.date)
        field_date(own, "Date", submission->now_ms);
    if (!seen.message_id)
        field_id(own, "Message-ID", submission->message_id);
    if (!seen.version)
        buffer_append_string(own, "MIME-Version: 1.0\r\n");
    if (!seen.type && has_high(*body) && utf8_valid(*body)) /* a script's mail without MIME */
        buffer_append_string(own, "Content-Type: text/plain; charset=utf-8\r\n"
                                  "Content-Transfer-Encoding: 8bit\r\n");
    buffer_append(own, "\r\n", 2);
    return true;
}

static bool check_addresses(const struct reading *reading, struct error **error)
{
    size_t count = people_count(reading, "To") + people_count(reading, "Cc");
    return count <= MIME_ADDRESSES_LIMIT ||
           error_set(error, ERROR_LIMIT, "the message has more than %d addresses in To and Cc",
                     MIME_ADDRESSES_LIMIT);
}

/* Long lines and binary parts are written anew by GMime, with the header as it is. */
static bool check_and_encode(struct buffer *own, struct error **error)
{
    struct reading reading;
    bool changed = false,
         good = reading_open(&reading, buffer_view(own), error) && check_addresses(&reading, error);
    if (good)
        parts_encode(&reading, &changed);
    struct buffer out = buffer_make(own->ceiling);
    if (good && changed)
        good = object_write(&out, GMIME_OBJECT(reading.object)) ||
               error_set(error, ERROR_LIMIT, "the message is too large, or there is no memory");
    reading_free(&reading);
    if (good && changed) {
        buffer_free(own);
        *own = out;
    } else {
        buffer_free(&out);
    }
    return good;
}

bool mime_submit(struct buffer *own, struct mime_summary *summary, const struct mime_submission *submission,
                 struct bytes message, struct error **error)
{
    struct buffer room = {.memory = NULL};
    bool good = screen_lines(&room, &message, error) && put_header(own, submission, &message, error) &&
                (buffer_append_bytes(own, message) ||
                 error_set(error, ERROR_LIMIT, "the message is too large, or there is no memory")) &&
                check_and_encode(own, error) && mime_summarise(summary, buffer_view(own), error);
    buffer_free(&room);
    if (good && submission->people != NULL &&
        !mime_wire_id(summary->wire_id, submission->people, summary->message_id))
        summary->wire_id[0] = '\0';
    return good;
}
