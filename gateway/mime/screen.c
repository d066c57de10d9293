/* SPDX-License-Identifier: ISC */
#include "mime/screen.h"

#include <string.h>
#include <strings.h>

#include "mime/mime.h"

/* GMime goes one call deeper for every "a:" of groups within groups. */
enum { BOUNDARY_LIMIT = 200, TYPE_LIMIT = 128, COLONS_LIMIT = 1000 };

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(uint8_t c)
{
    return c > ' ' && c < 127 && c != ':';
}

bool line_next(struct bytes *text, struct bytes *line)
{
    if (text->size == 0)
        return false;
    const uint8_t *end = memchr(text->data, '\n', text->size);
    size_t size = end == NULL ? text->size : (size_t)(end - text->data) + 1;
    *line = bytes_of(text->data, size);
    text->data += size;
    text->size -= size;
    return true;
}

static struct bytes without_end(struct bytes line)
{
    while (line.size > 0 && (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r'))
        line.size--;
    return line;
}

bool lines_too_long(struct bytes text)
{
    struct bytes line;
    while (line_next(&text, &line)) {
        if (line.size > MIME_LINE_LIMIT && without_end(line).size > MIME_LINE_LIMIT)
            return true;
    }
    return false;
}

/* Offset of the first line end that is not CRLF, or the size. */
static size_t first_bare(struct bytes text, size_t from)
{
    for (size_t at = from; at < text.size; at++) {
        const uint8_t *next = text.data + at;
        if (*next == '\n')
            return at;
        if (*next != '\r') {
            size_t left = text.size - at;
            const uint8_t *lf = memchr(next, '\n', left);
            size_t run = lf == NULL ? left : (size_t)(lf - next);
            const uint8_t *cr = memchr(next, '\r', run);
            at += (cr == NULL ? run : (size_t)(cr - next)) - 1;
            continue;
        }
        if (at + 1 == text.size || next[1] != '\n')
            return at;
        at++;
    }
    return text.size;
}

static bool too_large(struct error **error)
{
    return error_set(error, ERROR_LIMIT, "the message is larger than %d MiB; send large files another way",
                     MIME_MESSAGE_LIMIT >> 20);
}

bool screen_lines(struct buffer *room, struct bytes *message, struct error **error)
{
    if (message->size > MIME_MESSAGE_LIMIT)
        return too_large(error);
    if (message->size > 0 && memchr(message->data, 0, message->size) != NULL)
        return error_set(error, ERROR_INVALID,
                         "the message has a zero byte; binary data must be encoded as base64");
    size_t from = 0, bare = first_bare(*message, 0);
    if (bare == message->size)
        return true;
    *room = buffer_make(MIME_MESSAGE_LIMIT);
    while (bare < message->size) {
        buffer_append(room, message->data + from, bare - from);
        if (!buffer_append(room, "\r\n", 2))
            return too_large(error);
        from = bare + 1;
        bare = first_bare(*message, from);
    }
    if (!buffer_append(room, message->data + from, message->size - from))
        return too_large(error);
    *message = buffer_view(room);
    return true;
}

bool field_next(struct bytes *message, struct field *field)
{
    struct bytes left = *message, line;
    if (!line_next(&left, &line))
        return false;
    if (without_end(line).size == 0) {
        *message = left;
        return false;
    }
    size_t name = 0;
    while (name < line.size && is_name(line.data[name]))
        name++;
    size_t colon = name;
    while (colon < line.size && (line.data[colon] == ' ' || line.data[colon] == '\t'))
        colon++;
    if (name == 0 || colon == line.size || line.data[colon] != ':')
        return false;
    const uint8_t *begin = line.data;
    while (left.size > 0 && (left.data[0] == ' ' || left.data[0] == '\t'))
        line_next(&left, &line);
    size_t size = (size_t)(left.data - begin);
    field->name = bytes_of(begin, name);
    field->value = bytes_of(begin + colon + 1, size - colon - 1);
    field->whole = bytes_of(begin, size);
    *message = left;
    return true;
}

bool field_is(const struct field *field, const char *name)
{
    return field->name.size == strlen(name) &&
           strncasecmp((const char *)field->name.data, name, field->name.size) == 0;
}

/* --- the limits */

struct frame {
    struct bytes boundary; /* empty: an attached message */
    bool digest;
};

struct scan {
    struct frame frames[MIME_DEPTH_LIMIT];
    unsigned depth, parts, lines;
    size_t bytes;
};

struct content_type {
    char type[TYPE_LIMIT]; /* lower case, without white space */
    struct bytes boundary;
};

static bool odd_type(struct error **error)
{
    return error_set(error, ERROR_INVALID,
                     "a Content-Type of the message is written in a way that is not taken");
}

static void skip_space(struct bytes *text)
{
    while (text->size > 0 && is_space(text->data[0])) {
        text->data++;
        text->size--;
    }
}

/* `text` is behind the "=". */
static bool read_boundary(struct bytes *boundary, struct bytes text)
{
    skip_space(&text);
    bool quoted = text.size > 0 && text.data[0] == '"';
    size_t from = quoted ? 1 : 0, at = from;
    while (at < text.size && text.data[at] != '"' && text.data[at] != '\\' && text.data[at] != '\r' &&
           (quoted || (text.data[at] != ';' && !is_space(text.data[at]))))
        at++;
    if (quoted && (at == text.size || text.data[at] != '"'))
        return false;
    *boundary = bytes_of(text.data + from, at - from);
    return boundary->size > 0 && boundary->size <= BOUNDARY_LIMIT;
}

/* The boundary of a multipart, in the plain forms only that real programs write: what GMime might read
 * otherwise than we is refused. */
static bool read_type(struct content_type *out, struct bytes value, struct error **error)
{
    *out = (struct content_type){.type = ""};
    size_t size = 0, at = 0;
    for (; at < value.size && value.data[at] != ';'; at++) {
        uint8_t c = value.data[at];
        if (c == '(')
            return odd_type(error);
        if (!is_space(c) && size + 1 < sizeof out->type)
            out->type[size++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    if (strncmp(out->type, "multipart/", 10) != 0)
        return true;
    static const char name[] = "boundary";
    for (; at + sizeof name <= value.size; at++) {
        uint8_t before = value.data[at - 1];
        if ((before != ';' && !is_space(before)) ||
            strncasecmp((const char *)value.data + at, name, sizeof name - 1) != 0)
            continue;
        struct bytes rest = bytes_of(value.data + at + sizeof name - 1, value.size - at - sizeof name + 1);
        skip_space(&rest);
        if (rest.size == 0 || rest.data[0] != '=' || out->boundary.size > 0 ||
            !read_boundary(&out->boundary, bytes_of(rest.data + 1, rest.size - 1)))
            return odd_type(error);
    }
    return true;
}

static bool push(struct scan *scan, struct frame frame, struct error **error)
{
    if (scan->depth == MIME_DEPTH_LIMIT)
        return error_set(error, ERROR_LIMIT, "the parts of the message are nested more than %d deep",
                         MIME_DEPTH_LIMIT);
    scan->frames[scan->depth++] = frame;
    return true;
}

/* The line is a boundary of a frame; then that frame is the innermost one. */
static bool at_boundary(struct scan *scan, struct bytes line, bool *last)
{
    if (line.size < 3 || line.data[0] != '-' || line.data[1] != '-')
        return false;
    for (unsigned i = scan->depth; i > 0; i--) {
        struct bytes boundary = scan->frames[i - 1].boundary;
        if (boundary.size == 0 || line.size < boundary.size + 2 ||
            memcmp(line.data + 2, boundary.data, boundary.size) != 0)
            continue;
        struct bytes rest = bytes_of(line.data + 2 + boundary.size, line.size - 2 - boundary.size);
        *last = rest.size >= 2 && rest.data[0] == '-' && rest.data[1] == '-';
        if (*last)
            rest = bytes_of(rest.data + 2, rest.size - 2);
        skip_space(&rest);
        if (rest.size > 0)
            continue;
        scan->depth = *last ? i - 1 : i;
        return true;
    }
    return false;
}

static bool count_line(struct scan *scan, struct bytes line, struct error **error)
{
    scan->bytes += line.size;
    if (++scan->lines > MIME_HEADERS_LIMIT || scan->bytes > MIME_HEADER_BYTES)
        return error_set(error, ERROR_LIMIT, "the message has more than %d header lines, or %d KiB of them",
                         MIME_HEADERS_LIMIT, MIME_HEADER_BYTES >> 10);
    return true;
}

static unsigned colons_of(struct bytes line)
{
    unsigned colons = 0;
    for (size_t i = 0; i < line.size; i++)
        colons += line.data[i] == ':';
    return colons;
}

/* A header, up to its empty line or a boundary; *again: another header follows, of an attached message. */
static bool take_header(struct scan *scan, struct bytes *left, bool *again, struct error **error)
{
    struct bytes line, value = {0};
    struct content_type type = {.type = ""};
    bool in_type = false, last;
    unsigned types = 0, colons = 0;
    struct bytes rest = *left;
    while (line_next(&rest, &line)) {
        unsigned depth = scan->depth;
        if (at_boundary(scan, line, &last)) {
            scan->depth = depth; /* the caller meets it again */
            break;
        }
        *left = rest;
        if (!count_line(scan, line, error))
            return false;
        if (without_end(line).size == 0)
            break;
        bool goes_on = line.data[0] == ' ' || line.data[0] == '\t';
        colons = (goes_on ? colons : 0) + colons_of(line);
        if (colons > COLONS_LIMIT)
            return error_set(error, ERROR_LIMIT, "a field of the header has more than %d colons",
                             COLONS_LIMIT);
        if (goes_on && in_type)
            value.size += line.size;
        if (goes_on)
            continue;
        struct bytes copy = line;
        struct field field;
        in_type = field_next(&copy, &field) && field_is(&field, "Content-Type");
        if (in_type) {
            value = field.value;
            types++;
        }
    }
    if (types > 1)
        return odd_type(error);
    if (types == 1 && !read_type(&type, value, error))
        return false;
    bool digest = types == 0 && scan->depth > 0 && scan->frames[scan->depth - 1].digest;
    *again = digest || strncmp(type.type, "message/", 8) == 0;
    if (type.boundary.size == 0 && !*again)
        return true;
    struct frame frame = {type.boundary, strcmp(type.type, "multipart/digest") == 0};
    return push(scan, frame, error);
}

bool screen_limits(struct bytes message, struct error **error)
{
    struct scan scan = {.depth = 0};
    bool again = true, last;
    struct bytes line;
    while (again) {
        if (!take_header(&scan, &message, &again, error))
            return false;
    }
    while (line_next(&message, &line)) {
        if (!at_boundary(&scan, line, &last) || last)
            continue;
        if (++scan.parts > MIME_PARTS_LIMIT)
            return error_set(error, ERROR_LIMIT, "the message has more than %d parts", MIME_PARTS_LIMIT);
        again = true;
        while (again) {
            if (!take_header(&scan, &message, &again, error))
                return false;
        }
    }
    return true;
}
