/* SPDX-License-Identifier: ISC */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mime/mime.h"
#include "mime/screen.h"
#include "mime/text.h"
#include "wire/utf8.h"

enum { HEADERS_SIZE = 1 << 20, VALUE_SIZE = 8192, HTML_SIZE = 8 << 20 };

void mime_view_free(struct mime_view *view)
{
    buffer_free(&view->text);
    buffer_free(&view->html);
    buffer_free(&view->headers);
    free(view->parts);
    *view = (struct mime_view){.parts = NULL};
}

static int append_json(const char *text, size_t size, void *out)
{
    return buffer_append(out, text, size) ? 0 : -1;
}

static char *decoded(const char *raw)
{
    char *unfolded = g_mime_utils_header_unfold(raw);
    char *text = g_mime_utils_header_decode_text(NULL, unfolded);
    g_free(unfolded);
    g_strdelimit(g_strstrip(text), "\t\r\n", ' ');
    return text;
}

static bool list_headers(struct buffer *out, const struct reading *reading)
{
    json_t *list = json_array();
    GMimeHeaderList *headers = g_mime_object_get_header_list(GMIME_OBJECT(reading->object));
    int count = g_mime_header_list_get_count(headers);
    char *value = malloc(VALUE_SIZE), name[128];
    for (int i = 0; value != NULL && i < count; i++) {
        GMimeHeader *header = g_mime_header_list_get_header_at(headers, i);
        const char *raw = g_mime_header_get_raw_value(header);
        if (raw == NULL)
            continue;
        char *text = decoded(raw);
        utf8_show(value, VALUE_SIZE, bytes_of_string(text));
        utf8_show(name, sizeof name, bytes_of_string(g_mime_header_get_name(header)));
        json_array_append_new(list, json_pack("[s,s]", name, value));
        g_free(text);
    }
    free(value);
    *out = buffer_make(4 * HEADERS_SIZE);
    bool good = list != NULL && json_dump_callback(list, append_json, out, JSON_COMPACT) == 0;
    json_decref(list);
    return good;
}

static void put_plain_as_html(struct buffer *html, struct bytes text)
{
    struct bytes line;
    buffer_append_string(html, "<pre>");
    while (line_next(&text, &line)) {
        char *escaped = g_markup_escape_text((const char *)line.data, (gssize)line.size);
        buffer_append_string(html, escaped);
        g_free(escaped);
    }
    buffer_append_string(html, "</pre>");
}

static bool show_html(struct buffer *out, const struct leaves *leaves)
{
    *out = buffer_make(HTML_SIZE);
    for (size_t i = 0; leaves->html && i < leaves->count; i++) {
        const struct leaf *leaf = &leaves->leaf[i];
        if (leaf->role != ROLE_HTML && leaf->role != ROLE_ONLY_HTML && leaf->role != ROLE_TEXT)
            continue;
        struct buffer text = buffer_make(4 * (size_t)MIME_HTML_LIMIT);
        bool cut, good = leaf_text(&text, &cut, GMIME_PART(leaf->object), MIME_HTML_LIMIT);
        if (good && leaf->role == ROLE_TEXT)
            put_plain_as_html(out, buffer_view(&text));
        else if (good)
            good = mime_html_safe(out, buffer_view(&text));
        buffer_free(&text);
        if (!good) {
            buffer_clear(out); /* the text is there */
            return true;
        }
    }
    return true;
}

static void copy_shown(char *out, size_t size, const char *text)
{
    utf8_show(out, size, bytes_of_string(text == NULL ? "" : text));
}

/* Base name only: a path is the sender's. */
static void part_name(struct mime_part *part, GMimeObject *object)
{
    const char *name = GMIME_IS_PART(object) ? g_mime_part_get_filename(GMIME_PART(object)) : NULL;
    if (name == NULL)
        name = g_mime_object_get_content_disposition_parameter(object, "filename");
    if (name == NULL)
        name = g_mime_object_get_content_type_parameter(object, "name");
    for (const char *at = name; at != NULL && *at != '\0'; at++) {
        if (*at == '/' || *at == '\\')
            name = at + 1;
    }
    copy_shown(part->name, sizeof part->name, name);
}

/* A stream that counts what is written to it. */
static uint64_t decoded_size(const struct reading *reading, GMimeObject *object)
{
    GMimeStream *stream = g_mime_stream_null_new();
    uint64_t size = 0;
    (void)reading;
    if (GMIME_IS_PART(object)) {
        GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(object));
        if (content != NULL)
            g_mime_data_wrapper_write_to_stream(content, stream);
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        if (message != NULL)
            g_mime_object_write_to_stream(GMIME_OBJECT(message), NULL, stream);
    }
    size = (uint64_t)GMIME_STREAM_NULL(stream)->written;
    g_object_unref(stream);
    return size;
}

static bool list_parts(struct mime_view *view, const struct leaves *leaves, const struct reading *reading)
{
    view->parts = calloc(leaves->count + 1, sizeof *view->parts);
    if (view->parts == NULL)
        return false;
    for (size_t i = 0; i < leaves->count; i++) {
        const struct leaf *leaf = &leaves->leaf[i];
        if (leaf->role != ROLE_FILE && leaf->role != ROLE_SIGNATURE)
            continue;
        struct mime_part *part = &view->parts[view->part_count++];
        char *type = g_mime_content_type_get_mime_type(g_mime_object_get_content_type(leaf->object));
        part->part = (unsigned)i + 1;
        part_name(part, leaf->object);
        copy_shown(part->type, sizeof part->type, type);
        part->size = decoded_size(reading, leaf->object);
        g_free(type);
    }
    return true;
}

bool mime_view(struct mime_view *view, struct bytes message, struct error **error)
{
    struct reading reading;
    struct leaves leaves = {.count = 0};
    *view = (struct mime_view){.text = buffer_make(MIME_TEXT_LIMIT + 1)};
    bool good = reading_open(&reading, message, error) && leaves_list(&leaves, &reading, error);
    if (good) {
        good = leaves_text(&view->text, &view->text_cut, &leaves, MIME_TEXT_LIMIT) &&
               show_html(&view->html, &leaves) && list_parts(view, &leaves, &reading) &&
               list_headers(&view->headers, &reading);
        if (!good)
            error_set(error, ERROR_INTERNAL, "out of memory");
    }
    leaves_free(&leaves);
    reading_free(&reading);
    if (!good)
        mime_view_free(view);
    return good;
}

bool mime_part_read(struct buffer *data, struct bytes message, unsigned part, struct error **error)
{
    struct reading reading;
    struct leaves leaves = {.count = 0};
    bool cut = false, good = reading_open(&reading, message, error) && leaves_list(&leaves, &reading, error);
    if (good && (part == 0 || part > leaves.count))
        good = error_set(error, ERROR_NOT_FOUND, "the message has no part %u", part);
    if (good) {
        GMimeObject *object = leaves.leaf[part - 1].object;
        if (GMIME_IS_MESSAGE_PART(object)) {
            GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
            good = inner == NULL || object_write(data, GMIME_OBJECT(inner));
        } else {
            good = leaf_decode(data, &cut, GMIME_PART(object)) && !cut;
        }
        if (!good)
            error_set(error, ERROR_LIMIT, "the part is too large, or there is no memory");
    }
    leaves_free(&leaves);
    reading_free(&reading);
    return good;
}

/* --- verbs */

static bool begins(struct bytes line, const char *text)
{
    return line.size >= strlen(text) && memcmp(line.data, text, strlen(text)) == 0;
}

/* The line that a client puts over what it quotes. */
static bool introduces(struct bytes line, struct bytes next)
{
    while (line.size > 0 && line.data[line.size - 1] <= ' ')
        line.size--;
    while (next.size > 0 && next.data[0] <= ' ')
        next = bytes_of(next.data + 1, next.size - 1);
    return line.size > 0 && line.data[line.size - 1] == ':' && begins(next, ">");
}

static void put_verbs(struct buffer *lines, struct bytes text)
{
    struct bytes line;
    while (line_next(&text, &line)) {
        if (begins(line, "-- \n") || begins(line, "-----Original Message"))
            return;
        if (line.data[0] != '>' && line.data[0] != '\n' && !introduces(line, text))
            buffer_append_bytes(lines, line);
    }
}

bool mime_verbs(struct buffer *lines, struct bytes message, struct error **error)
{
    struct reading reading;
    struct leaves leaves = {.count = 0};
    struct buffer text = buffer_make(MIME_TEXT_LIMIT);
    bool cut = false, found = false;
    bool good = reading_open(&reading, message, error) && leaves_list(&leaves, &reading, error);
    for (size_t i = 0; good && !found && i < leaves.count; i++) {
        found = leaves.leaf[i].role == ROLE_TEXT || leaves.leaf[i].role == ROLE_PLAIN;
        if (found && !leaf_text(&text, &cut, GMIME_PART(leaves.leaf[i].object), MIME_TEXT_LIMIT))
            good = error_set(error, ERROR_INTERNAL, "out of memory");
    }
    if (good && !found)
        good =
            error_set(error, ERROR_INVALID, "the message has no plain text; write the verbs as plain text");
    if (good)
        put_verbs(lines, buffer_view(&text));
    buffer_free(&text);
    leaves_free(&leaves);
    reading_free(&reading);
    return good;
}

bool mime_automatic(struct bytes message)
{
    static const struct {
        const char *field, *value;
        bool is;
    } signs[] = {{"Auto-Submitted", "no", false}, {"Content-Type", "multipart/report", true}};
    struct field field;
    while (field_next(&message, &field)) {
        struct bytes value = field.value;
        while (value.size > 0 && value.data[0] <= ' ')
            value = bytes_of(value.data + 1, value.size - 1);
        size_t size = 0;
        while (size < value.size && value.data[size] > ' ' && value.data[size] != ';')
            size++;
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
            bool same = size == strlen(signs[i].value) &&
                        strncasecmp((const char *)value.data, signs[i].value, size) == 0;
            if (field_is(&field, signs[i].field) && same == signs[i].is)
                return true;
        }
    }
    return false;
}
