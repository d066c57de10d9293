/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "web/live_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many bytes pass when they come in pieces of this size. */
static size_t pass(struct bytes input, size_t step, bool *refused)
{
    struct frames frames = {0};
    size_t at = 0;
    for (size_t seen = 0; seen < input.size;) {
        size_t part;
        seen = step < input.size - seen ? seen + step : input.size;
        while ((part = frames_pass(&frames, bytes_of(input.data + at, seen - at))) > 0) {
            if (part > seen - at)
                abort();
            at += part;
        }
    }
    *refused = frames.refused;
    return at;
}

/* However the bytes are cut, the same pass. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool refused, again;
    size_t step = size > 0 ? data[0] % 16 + 1 : 1;
    if (pass(bytes_of(data, size), size + 1, &refused) != pass(bytes_of(data, size), step, &again) ||
        refused != again)
        abort();
    return 0;
}
