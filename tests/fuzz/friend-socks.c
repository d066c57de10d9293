/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "friend/socks.h"

/* A proxy's answers, in pieces of the size that the first byte says. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct socks socks;
    struct buffer input = buffer_make(4096), out = buffer_make(4096);
    const char *reason = NULL;
    enum socks_step step = SOCKS_MORE;
    size_t piece = 1 + data[0] % 16;
    socks_set(&socks, "abc.onion", 7812);
    socks_start(&out);
    for (size_t at = 1; at < size && at < 2048 && step == SOCKS_MORE; at += piece) {
        buffer_append(&input, data + at, piece < size - at ? piece : size - at);
        step = socks_receive(&socks, &input, &out, &reason);
    }
    if (out.failed || buffer_size(&out) > 64 || (step == SOCKS_FAILED) != (reason != NULL))
        abort();
    buffer_free(&input);
    buffer_free(&out);
    return 0;
}
