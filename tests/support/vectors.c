/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

json_t *vectors_load(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", TEST_VECTORS, name);
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    if (json == NULL)
        fail_msg("%s: %s (line %d)", path, error.text, error.line);
    return json;
}

const char *vectors_string(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    if (text == NULL)
        fail_msg("no text member %s", member);
    return text;
}

struct buffer hex_buffer(const char *text)
{
    struct buffer out = buffer_make(strlen(text) / 2 + 1);
    while (*text != '\0') {
        if (isspace((unsigned char)*text)) {
            text++;
            continue;
        }
        uint8_t byte;
        if (text[1] == '\0' || !hex_parse(&byte, 1, text, 2))
            fail_msg("not hex: %.8s", text);
        buffer_append(&out, &byte, 1);
        text += 2;
    }
    return out;
}

struct buffer vectors_hex(const json_t *object, const char *member)
{
    return hex_buffer(vectors_string(object, member));
}
