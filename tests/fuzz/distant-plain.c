/* SPDX-License-Identifier: ISC */
/* The markup of a received text: any valid UTF-8 becomes valid UTF-8 that is no longer. */
#include <stdlib.h>

#include "distant/plain.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_of(data, size);
    struct buffer out = buffer_make(size);
    bool fits = chat_text_plain(&out, text);
    if (!fits || (utf8_valid(text) && !utf8_valid(buffer_view(&out))))
        abort();
    buffer_free(&out);
    return 0;
}
