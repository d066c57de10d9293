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

static bool keep(const struct field *field, struct seen *seen, bool date_good, bool id_good)
{
    const struct {
        const char *name;
        bool *seen, good;
    } once[] = {{"Date", &seen->date, date_good},
                {"Message-ID", &seen->message_id, id_good},
                {"Subject", &seen->subject, true},
                {"MIME-Version", &seen->version, true},
                {"Content-Type", &seen->type, true}};
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
        if (!field_is(field, once[i].name))
            continue;
        bool first = once[i].good && !*once[i].seen;
        *once[i].seen |= first;
        return first;
    }
    /* What we say of posts that arrive, nobody says of one that leaves. */
    return !field_is(field, "From") && !field_is(field, "Authentication-Results") &&
           !field_is(field, "Return-Path");
}

static bool put_header(struct buffer *own, const struct mime_submission *submission, struct bytes *body,
                       const struct reading *reading, struct error **error)
{
    struct seen seen = {0};
    struct field field;
    struct ids ids;
    ids_read(&ids, reading_raw(reading, "Message-ID"));
    bool date_good = date_read(reading) > 0, id_good = ids.count > 0;
    if (body->size > 5 && memcmp(body->data, "From ", 5) == 0) { /* a line of mbox */
        struct bytes line;
        line_next(body, &line);
    }
    field_people(own, "From", submission->sender, 1);
    while (field_next(body, &field)) {
        if (keep(&field, &seen, date_good, id_good) && !put_field(own, field.whole, error))
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

/* Long lines and binary parts: written anew by GMime, with the header as it is. */
static bool encode_body(struct buffer *own, struct error **error)
{
    struct reading reading;
    bool changed = false, good = reading_open(&reading, buffer_view(own), error);
    if (good)
        parts_encode(&reading, &changed);
    if (good && changed) {
        struct buffer out = buffer_make(own->ceiling);
        good = object_write(&out, GMIME_OBJECT(reading.object)) ||
               error_set(error, ERROR_LIMIT, "the message is too large");
        reading_free(&reading);
        buffer_free(own);
        *own = out;
        return good;
    }
    reading_free(&reading);
    return good;
}

bool mime_submit(struct buffer *own, struct mime_summary *summary, const struct mime_submission *submission,
                 struct bytes message, struct error **error)
{
    struct reading reading;
    bool good = reading_open(&reading, message, error) && check_addresses(&reading, error);
    if (good) {
        struct bytes body = reading.message;
        good = put_header(own, submission, &body, &reading, error) &&
               (buffer_append_bytes(own, body) ||
                error_set(error, ERROR_LIMIT, "the message is too large, or there is no memory"));
    }
    reading_free(&reading);
    if (!good || !encode_body(own, error) || !mime_summarise(summary, buffer_view(own), error))
        return false;
    if (submission->people != NULL &&
        !mime_wire_id(summary->wire_id, submission->people, summary->message_id))
        summary->wire_id[0] = '\0';
    return true;
}
