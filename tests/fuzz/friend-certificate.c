/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "friend/location.h"

/* The certificate that anybody may show, before anything is known of them. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct location location;
    struct error *error = NULL;
    static const uint8_t none[16];
    bool ok = location_parse(&location, bytes_of(data, size), &error);
    if (ok != (error == NULL) || (ok && memcmp(location.id, none, sizeof none) == 0))
        abort();
    error_free(error);
    return 0;
}
