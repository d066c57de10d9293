/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "crypto/openpgp.h"
#include "keyring/location_certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct location_certificate certificate;
    struct openpgp_signature_info info;
    if (location_certificate_read(&certificate, bytes_of(data, size), NULL)) {
        if (certificate.signature.size < sizeof(certificate.id) || certificate.tbs.size >= size ||
            certificate.signed_data.size == 0)
            abort();
        (void)openpgp_screen_signature(&info, certificate.signature, NULL);
    }
    return 0;
}
