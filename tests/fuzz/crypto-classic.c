/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "crypto/classic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A key, then a packet. What opens is sealed again to the same packet. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct classic_cipher *cipher;
    if (!cipher)
        cipher = classic_cipher_new();
    if (!cipher || size < CLASSIC_KEY_SIZE)
        return 0;
    struct bytes packet = bytes_of(data + CLASSIC_KEY_SIZE, size - CLASSIC_KEY_SIZE);
    struct buffer plain = buffer_make(size), again = buffer_make(size);
    if (classic_open(cipher, &plain, data, packet) &&
        (!classic_seal(cipher, &again, data, packet.data, buffer_view(&plain)) ||
         !bytes_equal(buffer_view(&again), packet)))
        abort();
    buffer_free(&plain);
    buffer_free(&again);
    return 0;
}
