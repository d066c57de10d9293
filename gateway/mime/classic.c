/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "mime/arrival.h"
#include "mime/compose.h"
#include "mime/fields.h"
#include "mime/html_parse.h"
#include "mime/text.h"
#include "wire/percent.h"
#include "wire/post.h"
#include "wire/utf8.h"

/* Posts in the form of 2013: a subject, one text, references to files (protocol 04 §4). */

enum { SUBJECT_SIZE = 4096, HASHES_LIMIT = 1000 };

bool mime_classic(struct buffer *subject, struct buffer *body, struct bytes own, struct error **error)
{
    struct reading reading;
    struct leaves leaves = {.count = 0};
    char line[SUBJECT_SIZE];
    bool cut = false, good = reading_open(&reading, own, error) && leaves_list(&leaves, &reading, error);
    for (size_t i = 0; good && i < leaves.count; i++) {
        if (leaves.leaf[i].role == ROLE_FILE)
            good = error_set(error, ERROR_LIMIT,
                             "the recipient's program takes text only, and the message has attachments");
    }
    if (good) {
        subject_read(line, sizeof line, &reading);
        size_t size = strlen(line);
        good = buffer_append_string(subject, line) && leaves_text(body, &cut, &leaves, POST_CLASSIC_LIMIT) &&
               !cut && buffer_size(body) + size <= POST_CLASSIC_LIMIT;
        if (!good)
            error_set(error, ERROR_LIMIT, "the recipient's program takes at most %d KiB of text in a message",
                      POST_CLASSIC_LIMIT >> 10);
    }
    leaves_free(&leaves);
    reading_free(&reading);
    return good;
}

/* --- arriving */

static void put_recipients(struct buffer *own, const char *name, const struct mime_people *people,
                           struct bytes hashes, size_t *named)
{
    size_t begun = 0;
    for (; hashes.size >= 20 && begun < HASHES_LIMIT; hashes = bytes_of(hashes.data + 20, hashes.size - 20)) {
        struct mime_person person;
        if (!people->person_of_hash(people->arg, hashes.data, &person))
            continue; /* the hash of somebody else tells a person nothing */
        struct buffer field = buffer_make(4096);
        field_people(&field, name, &person, 1);
        struct bytes view = buffer_view(&field);
        size_t skip = strlen(name) + 2;
        if (!field.failed && view.size > skip + 2) {
            if (begun++ == 0)
                buffer_printf(own, "%s: ", name);
            else
                buffer_append_string(own, ",\r\n ");
            buffer_append(own, view.data + skip, view.size - skip - 2);
        }
        buffer_free(&field);
    }
    if (begun > 0)
        buffer_append(own, "\r\n", 2);
    *named += begun;
}

static void put_link(struct buffer *out, const struct mime_file *file)
{
    char hash[41];
    hex_lower(hash, file->hash, sizeof file->hash);
    buffer_append_string(out, "retroshare://file?name=");
    percent_encode(out, file->name);
    buffer_printf(out, "&size=%llu&hash=%s", (unsigned long long)file->size, hash);
}

static void put_files(struct buffer *text, const struct mime_file *files, size_t count)
{
    char name[256];
    if (count > 0)
        buffer_append_string(text, "\n");
    for (size_t i = 0; i < count; i++) {
        utf8_show(name, sizeof name, files[i].name);
        buffer_printf(text, "%s (%llu bytes)\n<", name, (unsigned long long)files[i].size);
        put_link(text, &files[i]);
        buffer_append_string(text, ">\n");
    }
}

/* Made safe with the body, so names need to be escaped only. */
static void put_files_html(struct buffer *html, const struct mime_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buffer link = buffer_make(8192);
        char name[256];
        utf8_show(name, sizeof name, files[i].name);
        put_link(&link, &files[i]);
        const char *address = buffer_string(&link);
        char *escaped = g_markup_escape_text(name, -1);
        char *escaped_address = g_markup_escape_text(address == NULL || link.failed ? "" : address, -1);
        buffer_printf(html, "<p><a href=\"%s\">%s</a> (%llu bytes)</p>", escaped_address, escaped,
                      (unsigned long long)files[i].size);
        g_free(escaped);
        g_free(escaped_address);
        buffer_free(&link);
    }
}

static void put_screened(struct buffer *out, struct bytes text)
{
    uint32_t code_point;
    while (text.size > 0 && !out->failed) {
        uint8_t encoded[4];
        if (!utf8_next(&text, &code_point)) {
            code_point = UTF8_REPLACEMENT;
            text = bytes_of(text.data + 1, text.size - 1);
        }
        if (code_point != '\r')
            buffer_append(out, encoded, utf8_encode(encoded, utf8_screen(code_point, "\n\t")));
    }
}

static GMimeObject *body_make(struct bytes body, const struct mime_file *files, size_t count)
{
    struct buffer text = buffer_make(16 << 20), html = buffer_make(16 << 20), safe = buffer_make(64 << 20);
    bool markup = html_is_markup(body);
    if (markup) {
        buffer_append_bytes(&html, body);
        put_files_html(&html, files, count);
        mime_html_text(&text, body);
        mime_html_safe(&safe, buffer_view(&html));
    } else {
        put_screened(&text, body);
    }
    put_files(&text, files, count);
    GMimeObject *root = NULL;
    if (!text.failed && !html.failed && !safe.failed) {
        root = text_make("plain", buffer_view(&text));
        if (markup) {
            GMimeMultipart *both = g_mime_multipart_new_with_subtype("alternative");
            multipart_add(both, root);
            multipart_add(both, text_make("html", buffer_view(&safe)));
            root = GMIME_OBJECT(both);
        }
    }
    buffer_free(&text);
    buffer_free(&html);
    buffer_free(&safe);
    return root;
}

bool mime_receive_classic(struct buffer *own, struct mime_summary *summary,
                          const struct mime_arrival *arrival, struct bytes subject, struct bytes body,
                          struct bytes to_hashes, struct bytes cc_hashes, const struct mime_file *files,
                          size_t file_count, struct error **error)
{
    char line[SUBJECT_SIZE];
    size_t named = 0;
    GMimeObject *root = body_make(body, files, file_count);
    if (root == NULL)
        return error_set(error, ERROR_LIMIT, "the message is too large, or there is no memory");
    arrival_fields(own, arrival);
    put_recipients(own, "To", arrival->people, to_hashes, &named);
    put_recipients(own, "Cc", arrival->people, cc_hashes, &named);
    if (named == 0 && arrival->own_address != NULL)
        buffer_printf(own, "To: %s\r\n", arrival->own_address);
    utf8_show(line, sizeof line, subject);
    if (line[0] != '\0')
        field_text(own, "Subject", line);
    field_date(own, "Date", arrival->sent_ms > 0 ? arrival->sent_ms : arrival->received_ms);
    field_id(own, "Message-ID", arrival->message_id);
    return message_finish(own, root, arrival->message_id, error) &&
           mime_summarise(summary, buffer_view(own), error);
}
