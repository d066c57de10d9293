/* SPDX-License-Identifier: ISC */
#include "mime/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mime/charset.h"
#include "mime/mime.h"
#include "mime/screen.h"
#include "wire/utf8.h"

/* --- what the leaves are for */

static bool is_type(GMimeObject *object, const char *type, const char *subtype)
{
    return g_mime_content_type_is_type(g_mime_object_get_content_type(object), type, subtype);
}

static enum role leaf_role(GMimeObject *object)
{
    if (is_type(object, "application", "pgp-signature") || is_type(object, "application", "pkcs7-signature"))
        return ROLE_SIGNATURE;
    GMimeContentDisposition *disposition = g_mime_object_get_content_disposition(object);
    if (!GMIME_IS_PART(object) || g_mime_part_get_filename(GMIME_PART(object)) != NULL ||
        (disposition != NULL && g_mime_content_disposition_is_attachment(disposition)))
        return ROLE_FILE;
    if (is_type(object, "text", "plain"))
        return ROLE_TEXT;
    return is_type(object, "text", "html") ? ROLE_ONLY_HTML : ROLE_FILE;
}

/* Of several forms of one thing the plain one is the text and the HTML is the HTML. */
static void pair(struct leaf *leaf, size_t count)
{
    bool plain = false, html = false;
    for (size_t i = 0; i < count; i++) {
        plain |= leaf[i].role == ROLE_TEXT;
        html |= leaf[i].role == ROLE_ONLY_HTML;
    }
    for (size_t i = 0; i < count && plain && html; i++) {
        if (leaf[i].role == ROLE_TEXT)
            leaf[i].role = ROLE_PLAIN;
        else if (leaf[i].role == ROLE_ONLY_HTML)
            leaf[i].role = ROLE_HTML;
    }
}

static bool take(struct leaves *leaves, GMimeObject *object, unsigned depth)
{
    if (!GMIME_IS_MULTIPART(object)) {
        if (leaves->count > MIME_PARTS_LIMIT)
            return false;
        leaves->leaf[leaves->count++] = (struct leaf){object, leaf_role(object)};
        return true;
    }
    if (depth > MIME_DEPTH_LIMIT)
        return false;
    size_t from = leaves->count;
    int count = g_mime_multipart_get_count(GMIME_MULTIPART(object));
    for (int i = 0; i < count; i++) {
        if (!take(leaves, g_mime_multipart_get_part(GMIME_MULTIPART(object), i), depth + 1))
            return false;
    }
    if (is_type(object, "multipart", "alternative"))
        pair(leaves->leaf + from, leaves->count - from);
    return true;
}

bool leaves_list(struct leaves *leaves, const struct reading *reading, struct error **error)
{
    *leaves = (struct leaves){.leaf = calloc(MIME_PARTS_LIMIT + 1, sizeof *leaves->leaf)};
    if (leaves->leaf == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    if (!take(leaves, reading->root, 0))
        return error_set(error, ERROR_LIMIT, "the message has more than %d parts", MIME_PARTS_LIMIT);
    for (size_t i = 0; i < leaves->count; i++)
        leaves->html |= leaves->leaf[i].role == ROLE_HTML || leaves->leaf[i].role == ROLE_ONLY_HTML;
    return true;
}

void leaves_free(struct leaves *leaves)
{
    free(leaves->leaf);
    *leaves = (struct leaves){.count = 0};
}

/* --- text */

/* LF line ends; other control characters become U+FFFD. */
static void append_screened(struct buffer *out, struct bytes text)
{
    uint32_t code_point;
    while (text.size > 0 && !out->failed) {
        uint8_t encoded[4];
        if (!utf8_next(&text, &code_point)) {
            code_point = UTF8_REPLACEMENT;
            text.data++;
            text.size--;
        }
        if (code_point != '\r')
            buffer_append(out, encoded, utf8_encode(encoded, utf8_screen(code_point, "\n\t")));
    }
}

static bool is_quoted(struct bytes line)
{
    return line.size > 0 && line.data[0] == '>';
}

bool text_unflow(struct buffer *out, struct bytes text, bool delete_space)
{
    struct bytes line;
    bool open = false, open_quoted = false;
    while (line_next(&text, &line)) {
        bool ended = line.data[line.size - 1] == '\n', quoted = is_quoted(line);
        line.size -= ended;
        bool signature = line.size == 3 && memcmp(line.data, "-- ", 3) == 0;
        if (open &&
            (quoted || open_quoted || signature)) /* quotes are not joined: their depth would be lost */
            buffer_append(out, "\n", 1);
        if (line.size > 0 && line.data[0] == ' ')
            line = bytes_of(line.data + 1, line.size - 1);
        open = !signature && line.size > 0 && line.data[line.size - 1] == ' ' && text.size > 0;
        open_quoted = quoted;
        buffer_append(out, line.data, line.size - (open && delete_space && !quoted));
        if (!open && ended)
            buffer_append(out, "\n", 1);
    }
    return !out->failed;
}

static bool append_part(struct buffer *out, bool *cut, struct bytes text, size_t limit)
{
    size_t size = utf8_fit(text, limit);
    *cut |= size < text.size;
    return buffer_append(out, text.data, size);
}

bool leaf_text(struct buffer *out, bool *cut, GMimePart *part, size_t limit)
{
    GMimeObject *object = GMIME_OBJECT(part);
    const char *charset = g_mime_object_get_content_type_parameter(object, "charset");
    const char *format = g_mime_object_get_content_type_parameter(object, "format");
    const char *delete_space = g_mime_object_get_content_type_parameter(object, "delsp");
    struct buffer raw = buffer_make(2 * limit + 64), utf8 = buffer_make(8 * limit + 256),
                  text = buffer_make(24 * limit + 768), joined = buffer_make(24 * limit + 768);
    bool longer,
        good = leaf_decode(&raw, &longer, part) && charset_to_utf8(&utf8, buffer_view(&raw), charset, longer);
    append_screened(&text, buffer_view(&utf8));
    good = good && !text.failed;
    bool flowed = format != NULL && strcasecmp(format, "flowed") == 0;
    if (good && flowed)
        good = text_unflow(&joined, buffer_view(&text),
                           delete_space != NULL && strcasecmp(delete_space, "yes") == 0);
    *cut = longer;
    good = good && append_part(out, cut, buffer_view(flowed ? &joined : &text), limit);
    buffer_free(&raw);
    buffer_free(&utf8);
    buffer_free(&text);
    buffer_free(&joined);
    return good;
}

static bool leaf_as_text(struct buffer *out, bool *cut, const struct leaf *leaf, size_t limit)
{
    if (leaf->role != ROLE_ONLY_HTML)
        return leaf_text(out, cut, GMIME_PART(leaf->object), limit);
    struct buffer html = buffer_make(MIME_HTML_LIMIT), text = buffer_make(4 * (size_t)MIME_HTML_LIMIT);
    bool good = leaf_text(&html, cut, GMIME_PART(leaf->object), MIME_HTML_LIMIT) &&
                mime_html_text(&text, buffer_view(&html)) && append_part(out, cut, buffer_view(&text), limit);
    buffer_free(&html);
    buffer_free(&text);
    return good;
}

bool leaves_text(struct buffer *out, bool *cut, const struct leaves *leaves, size_t limit)
{
    size_t begin = buffer_size(out);
    *cut = false;
    for (size_t i = 0; i < leaves->count && !*cut; i++) {
        enum role role = leaves->leaf[i].role;
        if (role != ROLE_TEXT && role != ROLE_PLAIN && role != ROLE_ONLY_HTML)
            continue;
        struct bytes view = buffer_view(out);
        size_t used = view.size - begin;
        if (used > 0 && used < limit && view.data[view.size - 1] != '\n')
            buffer_append(out, "\n", 1);
        used = buffer_size(out) - begin;
        if (!leaf_as_text(out, cut, &leaves->leaf[i], limit - used))
            return false;
    }
    return !out->failed;
}
