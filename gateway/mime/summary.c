/* SPDX-License-Identifier: ISC */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "mime/fields.h"
#include "mime/screen.h"
#include "mime/text.h"
#include "wire/utf8.h"

/* Together they fit in a row of the store. */
enum { PREVIEW_READ = 4096, LIST_LIMIT = 32 << 10, REFERENCES_LIMIT = 50 * 256 };

void mime_summary_free(struct mime_summary *summary)
{
    buffer_free(&summary->references);
    buffer_free(&summary->from);
    buffer_free(&summary->to);
    buffer_free(&summary->cc);
}

static int append_json(const char *text, size_t size, void *out)
{
    return buffer_append(out, text, size) ? 0 : -1;
}

/* As many people as fit; *all becomes false when some do not. */
static bool list_people(struct buffer *out, bool *all, struct mime_person *room,
                        const struct reading *reading, const char *name)
{
    size_t count = people_read(room, MIME_ADDRESSES_LIMIT, reading, name);
    *out = buffer_make(LIST_LIMIT);
    buffer_append(out, "[", 1);
    bool fits = true;
    for (size_t i = 0; i < count && fits; i++) {
        struct buffer entry = buffer_make(4096);
        json_t *person = json_pack("{s:s, s:s}", "address", room[i].address, "name", room[i].name);
        fits = (i == 0 || buffer_append(&entry, ",", 1)) && person != NULL &&
               json_dump_callback(person, append_json, &entry, JSON_COMPACT) == 0 &&
               buffer_size(out) + buffer_size(&entry) < LIST_LIMIT &&
               buffer_append_bytes(out, buffer_view(&entry));
        *all &= fits;
        json_decref(person);
        buffer_free(&entry);
    }
    return buffer_append(out, "]", 1);
}

/* The first characters that are not quoted, white space as one space. */
static void preview(char *out, size_t size, struct bytes text)
{
    struct bytes line;
    size_t at = 0, characters = 0;
    bool space = false;
    while (line_next(&text, &line) && characters < MIME_PREVIEW) {
        uint32_t code_point;
        if (line.data[0] == '>')
            continue;
        while (characters < MIME_PREVIEW && utf8_next(&line, &code_point)) {
            uint8_t encoded[4];
            if (code_point == ' ' || code_point == '\n' || code_point == '\t' || code_point == 0xa0) {
                space = at > 0;
                continue;
            }
            size_t used = utf8_encode(encoded, code_point);
            if (at + used + 2 > size)
                break;
            if (space)
                out[at++] = ' ';
            characters += (size_t)space + 1;
            space = false;
            memcpy(out + at, encoded, used);
            at += used;
        }
    }
    out[at] = '\0';
}

static void copy_id(char *out, size_t size, const struct ids *ids)
{
    out[0] = '\0';
    if (ids->count > 0 && strlen(ids->id[0]) < size)
        memcpy(out, ids->id[0], strlen(ids->id[0]) + 1);
}

static void read_ids(struct mime_summary *summary, const struct reading *reading)
{
    struct ids ids;
    ids_read(&ids, reading_raw(reading, "Message-ID"));
    copy_id(summary->message_id, sizeof summary->message_id, &ids);
    ids_read(&ids, reading_raw(reading, "In-Reply-To"));
    copy_id(summary->in_reply_to, sizeof summary->in_reply_to, &ids);
    ids_read(&ids, reading_raw(reading, "References"));
    summary->references = buffer_make(REFERENCES_LIMIT);
    for (size_t i = 0; i < ids.count; i++)
        buffer_printf(&summary->references, "%s%s", i == 0 ? "" : "\n", ids.id[i]);
}

static bool read_parts(struct mime_summary *summary, const struct reading *reading, struct error **error)
{
    struct leaves leaves;
    struct buffer text = buffer_make(PREVIEW_READ);
    bool cut, good = leaves_list(&leaves, reading, error);
    if (good) {
        for (size_t i = 0; i < leaves.count; i++)
            summary->attachments += leaves.leaf[i].role == ROLE_FILE;
        summary->complete &= leaves_text(&text, &cut, &leaves, PREVIEW_READ - 1);
        preview(summary->preview, sizeof summary->preview, buffer_view(&text));
    }
    buffer_free(&text);
    leaves_free(&leaves);
    return good;
}

bool mime_summarise(struct mime_summary *summary, struct bytes message, struct error **error)
{
    struct reading reading;
    *summary = (struct mime_summary){.complete = true};
    struct mime_person *room = calloc(MIME_ADDRESSES_LIMIT, sizeof *room);
    bool good = reading_open(&reading, message, error);
    if (good) {
        subject_read(summary->subject, sizeof summary->subject, &reading);
        summary->date = date_read(&reading);
        read_ids(summary, &reading);
        good = room != NULL && list_people(&summary->from, &summary->complete, room, &reading, "From") &&
               list_people(&summary->to, &summary->complete, room, &reading, "To") &&
               list_people(&summary->cc, &summary->complete, room, &reading, "Cc") &&
               read_parts(summary, &reading, error);
        if (!good)
            error_set(error, ERROR_INTERNAL, "out of memory");
    }
    reading_free(&reading);
    free(room);
    if (!good)
        mime_summary_free(summary);
    return good;
}

bool mime_addresses(struct buffer *lines, struct bytes message, const char *field, struct error **error)
{
    struct reading reading;
    struct mime_person *room = calloc(MIME_ADDRESSES_LIMIT, sizeof *room);
    bool good = reading_open(&reading, message, error);
    size_t count = good && room != NULL ? people_read(room, MIME_ADDRESSES_LIMIT, &reading, field) : 0;
    for (size_t i = 0; i < count; i++)
        buffer_printf(lines, "%s\n", room[i].address);
    reading_free(&reading);
    if (good && (room == NULL || lines->failed))
        good = error_set(error, ERROR_INTERNAL, "out of memory");
    free(room);
    return good;
}
