/* SPDX-License-Identifier: ISC */
#include "wire/utf8.h"

/* Well-formed sequences, Unicode 15 table 3-7: for each range of first bytes the number of bytes that follow
 * and the range of the second byte; all later bytes are 80..BF. */
static const struct form {
    uint8_t first_low, first_high, follow, second_low, second_high;
} forms[] = {
    {0x00, 0x7f, 0, 0x00, 0x00}, {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

bool utf8_next(struct bytes *text, uint32_t *code_point)
{
    if (text->size == 0)
        return false;
    const uint8_t *at = text->data;
    const struct form *form = forms;
    while (at[0] < form->first_low || at[0] > form->first_high) {
        if (++form == forms + sizeof(forms) / sizeof(forms[0]))
            return false;
    }
    size_t size = (size_t)form->follow + 1;
    if (text->size < size || (size > 1 && (at[1] < form->second_low || at[1] > form->second_high)))
        return false;
    static const uint8_t first_bits[] = {0x7f, 0x1f, 0x0f, 0x07};
    uint32_t value = at[0] & first_bits[form->follow];
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return false;
        value = value << 6 | (at[i] & 0x3f);
    }
    *code_point = value;
    text->data += size;
    text->size -= size;
    return true;
}

bool utf8_valid(struct bytes text)
{
    uint32_t code_point;
    while (utf8_next(&text, &code_point))
        ;
    return text.size == 0;
}

static bool continues(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t utf8_length(struct bytes text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.size; i++)
        length += !continues(text.data[i]);
    return length;
}

size_t utf8_prefix(struct bytes text, size_t code_points)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!continues(text.data[i]) && code_points-- == 0)
            return i;
    }
    return text.size;
}

size_t utf8_fit(struct bytes text, size_t size)
{
    if (size >= text.size)
        return text.size;
    while (size > 0 && continues(text.data[size]))
        size--;
    return size;
}

size_t utf8_encode(uint8_t out[4], uint32_t code_point)
{
    if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff))
        return 0;
    static const uint8_t first_marks[] = {0x00, 0xc0, 0xe0, 0xf0};
    size_t follow = (size_t)(code_point > 0x7f) + (code_point > 0x7ff) + (code_point > 0xffff);
    for (size_t i = follow; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (uint8_t)(first_marks[follow] | code_point);
    return follow + 1;
}

static bool is_control(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f);
}

uint32_t utf8_screen(uint32_t code_point, const char *allowed)
{
    if (!is_control(code_point))
        return code_point;
    for (; *allowed != '\0'; allowed++) {
        if ((uint32_t)(unsigned char)*allowed == code_point)
            return code_point;
    }
    return UTF8_REPLACEMENT;
}

void utf8_show(char *out, size_t size, struct bytes text)
{
    size_t used = 0;
    while (text.size > 0) {
        uint32_t code_point;
        if (!utf8_next(&text, &code_point)) {
            code_point = UTF8_REPLACEMENT;
            text.data++;
            text.size--;
        }
        uint8_t bytes[4];
        size_t count = utf8_encode(bytes, utf8_screen(code_point, ""));
        if (count >= size - used)
            break;
        for (size_t i = 0; i < count; i++)
            out[used++] = (char)bytes[i];
    }
    out[used] = '\0';
}
