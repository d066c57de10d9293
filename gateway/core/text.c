/* SPDX-License-Identifier: ISC */
#include "core/text.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/utf8.h"

enum { HANDLE_LENGTH = 24 };

void text_copy(char *out, size_t size, const char *text)
{
    size_t fits = utf8_fit(bytes_of_string(text), size - 1);
    memcpy(out, text, fits);
    out[fits] = '\0';
}

static bool handle_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool handle_valid(const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || size > HANDLE_LENGTH || strcmp(text, "gateway") == 0)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!handle_character(text[i]))
            return false;
    }
    return true;
}

void handle_propose(char *out, size_t size, const char *name)
{
    size_t at = 0;
    for (; *name != '\0' && at + 1 < size && at < HANDLE_LENGTH; name++) {
        char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        if (c == ' ' || c == '.')
            c = '-';
        /* A handle is also a nick, which must not begin with a digit or a dash. */
        bool first_allowed = at > 0 || (c >= 'a' && c <= 'z');
        if (handle_character(c) && first_allowed)
            out[at++] = c;
    }
    while (at > 0 && out[at - 1] == '-')
        at--;
    out[at] = '\0';
    if (!handle_valid(out))
        text_copy(out, size, "contact");
}
