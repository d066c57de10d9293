/* SPDX-License-Identifier: ISC */
#include "wire/chat.h"
#include "wire/tlv.h"
#include "wire/utf8.h"

enum { TLV_MESSAGE = 0x0067 /* wide */, TLV_STATUS = 0x0057 };

static const char text_controls[] = "\n\t\r";
static const char blanked[] = "**** String removed (SVG bomb?) ****";

static bool append_screened(struct buffer *text, struct bytes utf8)
{
    uint32_t code_point;
    while (utf8_next(&utf8, &code_point)) {
        uint8_t bytes[4];
        buffer_append(text, bytes, utf8_encode(bytes, utf8_screen(code_point, text_controls)));
    }
    return utf8.size == 0 && !text->failed;
}

/* CR LF, as people on Windows write, and CR become line feeds; in place. */
static void unify_line_ends(struct buffer *text, size_t begin)
{
    size_t size = buffer_size(text), used = begin;
    if (size == begin)
        return;
    uint8_t *at = text->memory + text->start;
    for (size_t i = begin; i < size; i++) {
        if (at[i] != '\r')
            at[used++] = at[i];
        else if (i + 1 == size || at[i + 1] != '\n')
            at[used++] = '\n';
    }
    text->end = text->start + used;
}

/* As the original does on reception: the notice in place of the text, cut to its length (protocol 01 §4.2).
 */
static void blank(struct buffer *text, size_t begin)
{
    struct bytes view = buffer_view(text);
    if (view.size == begin)
        return;
    struct bytes added = bytes_of(view.data + begin, view.size - begin);
    if (!tlv_text_blanked(added))
        return;
    size_t length = utf8_length(added);
    text->end = text->start + begin;
    buffer_append(text, blanked, length < sizeof(blanked) - 1 ? length : sizeof(blanked) - 1);
}

bool chat_parse(struct chat_item *out, struct buffer *text, struct bytes item)
{
    struct item_header header;
    if (!item_header_parse(&header, item) || !item_is(item, SERVICE_CHAT, header.subtype))
        return false;
    struct reader reader = reader_of(bytes_of(item.data + ITEM_HEADER_SIZE, item.size - ITEM_HEADER_SIZE));
    size_t begin = buffer_size(text);
    struct bytes value;
    bool good;
    *out = (struct chat_item){.subtype = (enum chat_subtype)header.subtype};
    switch (header.subtype) {
    case CHAT_TEXT:
        out->flags = read_u32(&reader);
        out->time = read_u32(&reader);
        value = tlv_read_type(&reader, TLV_MESSAGE);
        good = reader_done(&reader) && wide_to_utf8(text, value, text_controls);
        break;
    case CHAT_STATUS:
        out->flags = read_u32(&reader);
        value = tlv_read_type(&reader, TLV_STATUS);
        good = reader_done(&reader) && append_screened(text, value);
        break;
    case CHAT_AVATAR:
        out->avatar = read_bytes(&reader, read_u32(&reader));
        return reader_done(&reader) && out->avatar.size <= CHAT_AVATAR_LIMIT;
    default:
        return false;
    }
    if (!good) {
        text->end = text->start + begin;
        return false;
    }
    unify_line_ends(text, begin);
    blank(text, begin);
    return true;
}

bool chat_text_write(struct buffer *out, uint32_t flags, uint32_t time, struct bytes utf8)
{
    if (!utf8_valid(utf8))
        return false;
    size_t begin = item_begin(out, SERVICE_CHAT, CHAT_TEXT);
    buffer_u32(out, flags);
    buffer_u32(out, time);
    tlv_write_wide(out, TLV_MESSAGE, utf8);
    return item_end(out, begin);
}

bool chat_status_write(struct buffer *out, uint32_t flags, struct bytes utf8)
{
    if (!utf8_valid(utf8))
        return false;
    size_t begin = item_begin(out, SERVICE_CHAT, CHAT_STATUS);
    buffer_u32(out, flags);
    tlv_write(out, TLV_STATUS, utf8);
    return item_end(out, begin);
}

bool chat_avatar_write(struct buffer *out, struct bytes image)
{
    if (image.size > CHAT_AVATAR_LIMIT)
        return false;
    size_t begin = item_begin(out, SERVICE_CHAT, CHAT_AVATAR);
    buffer_u32(out, (uint32_t)image.size);
    buffer_append_bytes(out, image);
    return item_end(out, begin);
}
