/* SPDX-License-Identifier: ISC */
#include "mime/read.h"

#include <string.h>

#include "mime/mime.h"
#include "mime/screen.h"

/* Header text that is neither UTF-8 nor marked is most often this. */
static const char *const charsets[] = {"utf-8", "windows-1252", NULL};

bool reading_open(struct reading *reading, struct bytes message, struct error **error)
{
    *reading = (struct reading){.message = message};
    if (!screen_lines(&reading->room, &reading->message, error) || !screen_limits(reading->message, error))
        return false;
    /* The array is not owned and only read, so 25 MiB are not copied. */
    reading->array =
        (GByteArray){.data = (guint8 *)(uintptr_t)reading->message.data, .len = (guint)reading->message.size};
    GMimeStream *stream = g_mime_stream_mem_new();
    g_mime_stream_mem_set_byte_array(GMIME_STREAM_MEM(stream), &reading->array);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeParserOptions *options = g_mime_parser_options_new();
    g_mime_parser_options_set_fallback_charsets(options, (const char **)(uintptr_t)charsets);
    reading->object = g_mime_parser_construct_message(parser, options);
    g_mime_parser_options_free(options);
    g_object_unref(parser);
    g_object_unref(stream);
    reading->root = reading->object == NULL ? NULL : g_mime_message_get_mime_part(reading->object);
    if (reading->root == NULL)
        return error_set(error, ERROR_INVALID, "this is not a message");
    return true;
}

void reading_free(struct reading *reading)
{
    if (reading->object != NULL)
        g_object_unref(reading->object);
    buffer_free(&reading->room);
    *reading = (struct reading){.object = NULL};
}

const char *reading_raw(const struct reading *reading, const char *name)
{
    GMimeHeaderList *list = g_mime_object_get_header_list(GMIME_OBJECT(reading->object));
    GMimeHeader *header = g_mime_header_list_get_header(list, name);
    const char *value = header == NULL ? NULL : g_mime_header_get_raw_value(header);
    return value == NULL ? NULL : value + strspn(value, " \t\r\n");
}

struct bytes leaf_bytes(const struct reading *reading, GMimePart *part)
{
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    GMimeStream *stream = content == NULL ? NULL : g_mime_data_wrapper_get_stream(content);
    if (stream == NULL || !GMIME_IS_STREAM_MEM(stream) ||
        GMIME_STREAM_MEM(stream)->buffer != &reading->array || stream->bound_start < 0)
        return (struct bytes){NULL, 0};
    size_t size = reading->message.size, start = (size_t)stream->bound_start;
    size_t end = stream->bound_end < 0 ? size : (size_t)stream->bound_end;
    if (end > size || start > end)
        return (struct bytes){NULL, 0};
    return bytes_of(reading->message.data + start, end - start);
}

bool leaf_decode(struct buffer *out, bool *cut, GMimePart *part)
{
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    *cut = false;
    if (content == NULL)
        return true;
    GMimeStream *stream = stream_into(out, true);
    *cut = g_mime_data_wrapper_write_to_stream(content, stream) < 0 || g_mime_stream_flush(stream) != 0;
    g_object_unref(stream);
    return !out->failed;
}

bool object_write(struct buffer *out, GMimeObject *object)
{
    GMimeStream *stream = stream_into(out, false);
    GMimeFormatOptions *format = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    bool written =
        g_mime_object_write_to_stream(object, format, stream) >= 0 && g_mime_stream_flush(stream) == 0;
    g_mime_format_options_free(format);
    g_object_unref(stream);
    return written && !out->failed;
}

GMimePart *leaf_make(const char *type, const char *subtype, struct bytes data, GMimeContentEncoding encoding)
{
    GMimePart *part = g_mime_part_new_with_type(type, subtype);
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer((const char *)data.data, data.size);
    GMimeDataWrapper *content = g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
    g_mime_part_set_content(part, content);
    g_mime_part_set_content_encoding(part, encoding);
    g_object_unref(content);
    g_object_unref(stream);
    return part;
}
