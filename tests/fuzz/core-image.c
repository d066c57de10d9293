/* SPDX-License-Identifier: ISC */
/* The check of pictures: what it lets through has the size it says, at the place where a browser looks. */
#include <stdlib.h>
#include <string.h>

#include "core/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error *error = NULL;
    bool fits = image_fits(bytes_of(data, size), &error);
    if (fits != (error == NULL))
        abort();
    if (fits && (size < 11 || size > IMAGE_BYTES || (data[0] != 0x89 && data[0] != 0xff)))
        abort();
    if (fits && data[0] == 0x89 && (memcmp(data + 1, "PNG", 3) != 0 || data[16] != 0 || data[20] != 0))
        abort();
    error_free(error);
    return 0;
}
