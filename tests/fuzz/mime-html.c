/* SPDX-License-Identifier: ISC */
/* Any bytes as HTML: valid UTF-8 comes out, and nothing that could run or load. Made safe again it stays
 * safe. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mime/mime.h"
#include "wire/utf8.h"

/* In a tag: text may say what it likes. */
static void check(struct buffer *html)
{
    static const char *const never[] = {"<script",  "<style",   "<iframe", "<object", "<svg",
                                        "<form",    "<input",   "<meta",   "<link",   "<base",
                                        " src=\"h", " src=\"/", " on",     "=\"java", "url("};
    const char *at = buffer_string(html);
    while ((at = strchr(at, '<')) != NULL) {
        size_t size = strcspn(at, ">");
        for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
            size_t length = strlen(never[i]);
            bool quoted = false;
            for (size_t from = 0; from + length <= size; from++) {
                quoted ^= at[from] == '"';
                if ((!quoted || never[i][0] == '=') && strncasecmp(at + from, never[i], length) == 0)
                    abort();
            }
        }
        at += size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct buffer once = buffer_make(64 << 20), twice = buffer_make(64 << 20), text = buffer_make(64 << 20);
    if (!started && !mime_start(NULL))
        abort();
    started = true;
    if (!mime_html_safe(&once, bytes_of(data, size)) || !mime_html_safe(&twice, buffer_view(&once)) ||
        !mime_html_text(&text, bytes_of(data, size)))
        abort();
    if (!utf8_valid(buffer_view(&once)) || !utf8_valid(buffer_view(&text)))
        abort();
    if (buffer_size(&once) > 0)
        check(&once);
    if (buffer_size(&twice) > 0)
        check(&twice);
    buffer_free(&once);
    buffer_free(&twice);
    buffer_free(&text);
    return 0;
}
