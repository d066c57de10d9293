/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "web/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A verdict does not change when more bytes come. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum head_kind whole = head_look(bytes_of(data, size)), last = HEAD_UNFINISHED;
    for (size_t i = 0; i <= size && i <= 512; i++) {
        enum head_kind kind = head_look(bytes_of(data, i));
        if (last != HEAD_UNFINISHED && kind != last)
            abort();
        last = kind;
    }
    if (last != HEAD_UNFINISHED && last != whole)
        abort();
    return 0;
}
