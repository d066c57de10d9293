/* SPDX-License-Identifier: ISC */
#include "distant/chat_internal.h"

#include <string.h>

#include "wire/utf8.h"

static const char allowed[] = "\n\t";

static bool is_harmless(struct bytes text)
{
    uint32_t code_point;
    while (utf8_next(&text, &code_point)) {
        if (utf8_screen(code_point, allowed) != code_point)
            return false;
    }
    return true;
}

/* CR LF and CR become \n, other control characters U+FFFD, or `replacement`. */
static bool screen(struct buffer *out, struct bytes text, uint32_t replacement)
{
    uint32_t code_point;
    while (utf8_next(&text, &code_point)) {
        uint8_t bytes[4];
        if (code_point == '\r' && text.size > 0 && text.data[0] == '\n')
            continue;
        if (code_point == '\r')
            code_point = '\n';
        else if (utf8_screen(code_point, allowed) != code_point)
            code_point = replacement;
        if (!buffer_append(out, bytes, utf8_encode(bytes, code_point)))
            return false;
    }
    return true;
}

bool sealed_show(struct bytes *shown, struct buffer *room, struct bytes text)
{
    *shown = text;
    if (is_harmless(text))
        return true;
    if (!screen(room, text, UTF8_REPLACEMENT)) {
        /* It grew beyond the limit: what is not longer always fits. */
        buffer_free(room);
        if (!screen(room, text, '?'))
            return false;
    }
    *shown = buffer_view(room);
    return true;
}
