/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "mime/html.h"
#include "mime/people.h"
#include "wire/percent.h"

static bool ends_address(uint8_t c)
{
    return c <= ' ' || c == '"' || c == '\'' || c == '>' || c == '<' || c == ')' || c == '(' || c == ';';
}

/* Offset of the next "cid:" in either case, or the size. */
static size_t find_cid(struct bytes text, size_t from)
{
    for (size_t at = from; at < text.size; at++) {
        const uint8_t *colon = memchr(text.data + at, ':', text.size - at);
        if (colon == NULL)
            break;
        at = (size_t)(colon - text.data);
        if (at >= from + 3 && strncasecmp((const char *)colon - 3, "cid", 3) == 0)
            return at - 3;
    }
    return text.size;
}

bool html_rename_cids(struct buffer *out, struct bytes html, html_rename_fn *rename, void *arg, bool *changed)
{
    size_t from = 0, at;
    while ((at = find_cid(html, from)) < html.size) {
        size_t begin = at + 4, end = begin;
        while (end < html.size && !ends_address(html.data[end]) && end - begin < ID_SIZE)
            end++;
        struct buffer id = buffer_make(ID_SIZE);
        char name[ID_SIZE];
        buffer_append(out, html.data + from, begin - from);
        percent_decode(&id, bytes_of(html.data + begin, end - begin));
        const char *old = buffer_string(&id);
        if (old != NULL && end > begin && end - begin < ID_SIZE && rename(arg, name, sizeof name, old)) {
            buffer_append_string(out, name);
            *changed = true;
        } else {
            buffer_append(out, html.data + begin, end - begin);
        }
        buffer_free(&id);
        from = end;
    }
    buffer_append(out, html.data + from, html.size - from);
    return !out->failed;
}
