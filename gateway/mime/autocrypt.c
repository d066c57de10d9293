/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "mime/mime.h"
#include "mime/screen.h"
#include "wire/radix64.h"

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && text.data[0] <= ' ')
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size > 0 && text.data[text.size - 1] <= ' ')
        text.size--;
    return text;
}

static bool is_name(struct bytes text, const char *name)
{
    return text.size == strlen(name) && strncasecmp((const char *)text.data, name, text.size) == 0;
}

/* The keydata of a field; attributes that are not known and do not begin with "_" make it invalid (Autocrypt
 * Level 1). */
static bool keydata_of(struct bytes *keydata, struct bytes value)
{
    *keydata = bytes_of(NULL, 0);
    while (value.size > 0) {
        const uint8_t *end = memchr(value.data, ';', value.size);
        struct bytes item = trim(bytes_of(value.data, end == NULL ? value.size : (size_t)(end - value.data)));
        value =
            end == NULL ? bytes_of(NULL, 0) : bytes_of(end + 1, value.size - (size_t)(end + 1 - value.data));
        const uint8_t *equals = item.size == 0 ? NULL : memchr(item.data, '=', item.size);
        if (equals == NULL)
            continue;
        struct bytes name = trim(bytes_of(item.data, (size_t)(equals - item.data)));
        if (is_name(name, "keydata"))
            *keydata = bytes_of(equals + 1, item.size - (size_t)(equals + 1 - item.data));
        else if (!is_name(name, "addr") && !is_name(name, "prefer-encrypt") &&
                 (name.size == 0 || name.data[0] != '_'))
            return false;
    }
    return keydata->size > 0;
}

bool mime_autocrypt_key(struct buffer *block, struct bytes content)
{
    struct buffer room = {.memory = NULL};
    struct field field;
    struct bytes keydata = {NULL, 0};
    unsigned fields = 0;
    bool good = screen_lines(&room, &content, NULL);
    size_t before = content.size;
    while (good && before - content.size <= MIME_HEADER_BYTES && field_next(&content, &field)) {
        if (field_is(&field, "Autocrypt")) {
            good = keydata_of(&keydata, field.value);
            fields++;
        }
    }
    /* Of several none can be chosen. */
    good = good && fields == 1 && radix64_decode_lenient(block, keydata);
    buffer_free(&room);
    return good;
}
