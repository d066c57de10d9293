/* SPDX-License-Identifier: ISC */
#include "disposition.h"

#include <string.h>
#include <strings.h>

#include "wire/utf8.h"

enum { NAME_MOST = 200 }; /* bytes; file systems take 255 */

const char *disposition_type(const char *type)
{
    static const char *const types[] = {
        "image/png",  "image/jpeg",       "image/gif",     "image/webp", "image/avif",      "image/bmp",
        "audio/mpeg", "audio/ogg",        "audio/opus",    "audio/flac", "audio/mp4",       "audio/wav",
        "video/mp4",  "video/webm",       "video/ogg",     "text/plain", "application/pdf", "application/zip",
        "text/csv",   "application/gzip", "message/rfc822"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcasecmp(type, types[i]) == 0)
            return types[i];
    }
    return "application/octet-stream";
}

/* Controls, and what changes the direction of text or is not seen: "ex\u202Egpj.exe" is shown as a picture.
 */
static bool is_hidden(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f},
                  {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xffff}, {0xe0000, 0xe007f}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    }
    return false;
}

/* No file system takes these everywhere. */
static bool is_awkward(uint32_t c)
{
    return c < 0x80 && strchr("\"*:<>?|", (int)c) != NULL;
}

static bool is_edge(uint8_t c)
{
    return c == '.' || c == ' ';
}

/* Only what stands behind the last separator, whose kind is the sender's. */
static struct bytes last_step(struct bytes name)
{
    for (size_t i = name.size; i > 0; i--) {
        if (name.data[i - 1] == '/' || name.data[i - 1] == '\\')
            return bytes_of(name.data + i, name.size - i);
    }
    return name;
}

/* Writes valid UTF-8 that names a file; gives its size. */
static size_t clean(uint8_t out[NAME_MOST], const char *name)
{
    struct bytes rest = last_step(bytes_of_string(name));
    size_t used = 0;
    uint32_t c;
    while (utf8_next(&rest, &c)) {
        uint8_t encoded[4] = {'_'};
        size_t size = is_awkward(c) ? 1 : utf8_encode(encoded, c);
        if (is_hidden(c) || (used == 0 && is_edge(encoded[0])))
            continue;
        if (used + size > NAME_MOST)
            break;
        memcpy(out + used, encoded, size);
        used += size;
    }
    while (used > 0 && is_edge(out[used - 1]))
        used--;
    return used;
}

/* RFC 8187 attr-char. */
static bool is_plain(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$&+-.^_`|~", c) != NULL);
}

/* For programs that know no other form: one _ for each character that is not ASCII, and for %, which some
 * would decode. */
static void write_simple(struct buffer *out, struct bytes name)
{
    uint32_t c;
    buffer_append_string(out, "filename=\"");
    while (utf8_next(&name, &c))
        buffer_u8(out, c < 0x80 && c != '%' ? (uint8_t)c : '_');
    buffer_append_string(out, "\"");
}

static void write_extended(struct buffer *out, struct bytes name)
{
    buffer_append_string(out, "filename*=UTF-8''");
    for (size_t i = 0; i < name.size; i++)
        buffer_printf(out, is_plain(name.data[i]) ? "%c" : "%%%02X", name.data[i]);
}

bool disposition_write(struct buffer *out, const char *name)
{
    static const char unnamed[] = "attachment";
    uint8_t cleaned[NAME_MOST];
    struct bytes file = bytes_of(cleaned, clean(cleaned, name));
    if (file.size == 0)
        file = bytes_of_string(unnamed);
    buffer_append_string(out, "attachment; ");
    write_simple(out, file);
    buffer_append_string(out, "; ");
    write_extended(out, file);
    return !out->failed;
}
