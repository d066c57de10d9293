/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "mime/compose.h"
#include "mime/fields.h"
#include "mime/parts.h"
#include "mime/screen.h"

static GMimeContentEncoding text_encoding(struct bytes text)
{
    if (lines_too_long(text))
        return GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] >= 0x80)
            return GMIME_CONTENT_ENCODING_8BIT;
    }
    return GMIME_CONTENT_ENCODING_7BIT;
}

GMimeObject *text_make(const char *subtype, struct bytes text)
{
    /* A line end of its own at the end, where a boundary may follow. */
    struct buffer whole = buffer_make(text.size + 1);
    buffer_append_bytes(&whole, text);
    if (text.size == 0 || text.data[text.size - 1] != '\n')
        buffer_append(&whole, "\n", 1);
    struct bytes view = buffer_view(&whole);
    GMimePart *part = leaf_make("text", subtype, whole.failed ? text : view, text_encoding(text));
    g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "charset", "utf-8");
    buffer_free(&whole);
    return GMIME_OBJECT(part);
}

void multipart_add(GMimeMultipart *multipart, GMimeObject *part)
{
    g_mime_multipart_add(multipart, part);
    g_object_unref(part);
}

bool message_finish(struct buffer *own, GMimeObject *root, const char *seed, struct error **error)
{
    parts_bound(root, seed);
    buffer_append_string(own, "MIME-Version: 1.0\r\n");
    bool good = object_write(own, root);
    g_object_unref(root);
    return good || error_set(error, ERROR_LIMIT, "the message is too large, or there is no memory");
}

static GMimeObject *attachment_make(const struct mime_attachment *attachment)
{
    const char *type = attachment->type == NULL ? "" : attachment->type;
    GMimeContentType *parsed =
        g_mime_content_type_parse(NULL, type[0] == '\0' ? "application/octet-stream" : type);
    const char *media = g_mime_content_type_get_media_type(parsed);
    const char *subtype = g_mime_content_type_get_media_subtype(parsed);
    bool container = media == NULL || subtype == NULL || strcasecmp(media, "multipart") == 0 ||
                     strcasecmp(media, "message") == 0;
    GMimePart *part = leaf_make(container ? "application" : media, container ? "octet-stream" : subtype,
                                attachment->data, GMIME_CONTENT_ENCODING_BASE64);
    g_mime_object_set_disposition(GMIME_OBJECT(part), GMIME_DISPOSITION_ATTACHMENT);
    if (attachment->name != NULL && attachment->name[0] != '\0') {
        char *name = g_strdup(attachment->name);
        flat(name);
        g_mime_part_set_filename(part, name);
        g_free(name);
    }
    g_object_unref(parsed);
    return GMIME_OBJECT(part);
}

static void put_references(struct buffer *own, const struct mime_draft *draft)
{
    struct buffer text = buffer_make(1 << 16);
    struct ids ids;
    struct bytes left = bytes_of_string(draft->references == NULL ? "" : draft->references), line;
    while (line_next(&left, &line)) {
        size_t size = line.size - (line.data[line.size - 1] == '\n');
        buffer_printf(&text, "<%.*s>", (int)size, (const char *)line.data);
    }
    const char *all = buffer_string(&text);
    ids_read(&ids, all == NULL ? "" : all);
    field_ids(own, "References", &ids);
    buffer_free(&text);
}

bool mime_compose(struct buffer *own, const struct mime_draft *draft, struct error **error)
{
    field_people(own, "From", draft->sender, 1);
    field_people(own, "To", draft->to, draft->to_count);
    field_people(own, "Cc", draft->cc, draft->cc_count);
    field_text(own, "Subject", draft->subject);
    field_date(own, "Date", draft->now_ms);
    field_id(own, "Message-ID", draft->message_id);
    if (draft->in_reply_to != NULL && id_valid(draft->in_reply_to, strlen(draft->in_reply_to)))
        field_id(own, "In-Reply-To", draft->in_reply_to);
    put_references(own, draft);
    if (draft->auto_submitted != NULL)
        buffer_printf(own, "Auto-Submitted: %s\r\n", draft->auto_submitted);
    GMimeObject *root = text_make("plain", bytes_of_string(draft->text));
    if (draft->attachment_count > 0) {
        GMimeMultipart *mixed = g_mime_multipart_new_with_subtype("mixed");
        multipart_add(mixed, root);
        for (size_t i = 0; i < draft->attachment_count; i++)
            multipart_add(mixed, attachment_make(&draft->attachments[i]));
        root = GMIME_OBJECT(mixed);
    }
    return message_finish(own, root, draft->message_id, error);
}
