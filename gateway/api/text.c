/* SPDX-License-Identifier: ISC */
#include "api/text.h"

#include <stdlib.h>

#include "api/request.h"

_Static_assert((int)REQUEST_LINE_MAX == (int)API_MESSAGE_MAX, "a message is a line");

struct api_text *text_new(void)
{
    static const uint8_t headroom[API_HEADROOM];
    struct api_text *text = calloc(1, sizeof *text);
    if (text == NULL)
        return NULL;
    *text = (struct api_text){.references = 1, .line = buffer_make(API_HEADROOM + REQUEST_LINE_MAX)};
    text->line.secret = true;
    return text_finish(text, buffer_append(&text->line, headroom, sizeof headroom));
}

struct api_text *text_finish(struct api_text *text, bool written)
{
    if (written)
        return text;
    api_text_release(text);
    return NULL;
}

struct bytes api_text_bytes(const struct api_text *text)
{
    struct bytes line = buffer_view(&text->line);
    return bytes_of(line.data + API_HEADROOM, line.size - API_HEADROOM - 1);
}

struct api_text *api_text_hold(struct api_text *text)
{
    text->references++;
    return text;
}

void api_text_release(struct api_text *text)
{
    if (text == NULL || --text->references > 0)
        return;
    buffer_free(&text->line);
    free(text);
}
