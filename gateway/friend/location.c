/* SPDX-License-Identifier: ISC */
#include "friend/location.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

enum { ID_SIZE = 16, SERIAL_61 = 0x060001, SERIAL_71 = 0x070001, ISSUER_DIGITS = 16 };

static bool sha256(uint8_t out[32], const void *data, size_t size)
{
    return EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL) == 1;
}

/* Protocol 11 §1.2: every serial that is not listed means 6.0, whose id is the tail of the signature. */
static bool find_id(uint8_t id[ID_SIZE], const X509 *certificate)
{
    const ASN1_BIT_STRING *signature;
    X509_get0_signature(&signature, NULL, certificate);
    int length = signature ? ASN1_STRING_length(signature) : 0;
    if (length < ID_SIZE || (signature->flags & 0x07) != 0)
        return false;
    const uint8_t *bytes = ASN1_STRING_get0_data(signature);
    size_t size = (size_t)length;

    uint64_t serial;
    if (ASN1_INTEGER_get_uint64(&serial, X509_get0_serialNumber(certificate)) &&
        (serial == SERIAL_61 || serial == SERIAL_71)) {
        uint8_t digest[32];
        if (!sha256(digest, bytes, size))
            return false;
        memcpy(id, digest, ID_SIZE);
    } else {
        memcpy(id, bytes + size - ID_SIZE, ID_SIZE);
    }
    static const uint8_t none[ID_SIZE];
    return memcmp(id, none, ID_SIZE) != 0;
}

static bool find_issuer(uint8_t issuer[8], const X509 *certificate)
{
    const X509_NAME *name = X509_get_issuer_name(certificate);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return false;
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    return ASN1_STRING_length(value) == ISSUER_DIGITS &&
           hex_parse(issuer, 8, (const char *)ASN1_STRING_get0_data(value), ISSUER_DIGITS);
}

bool location_parse(struct location *out, struct bytes der, struct error **error)
{
    memset(out, 0, sizeof *out);
    if (der.size == 0 || der.size > LOCATION_DER_MAX)
        return error_set(error, ERROR_INVALID, "location certificate: size out of bounds");
    const unsigned char *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    bool ok = false;
    if (!certificate || at != der.data + der.size)
        error_set(error, ERROR_INVALID, "location certificate: not one DER certificate");
    else if (!find_id(out->id, certificate))
        error_set(error, ERROR_INVALID, "location certificate: its signature field gives no location id");
    else if (!find_issuer(out->issuer, certificate))
        error_set(error, ERROR_INVALID, "location certificate: its issuer is no PGP id");
    else if (!sha256(out->sha256, der.data, der.size))
        error_set(error, ERROR_INTERNAL, "location certificate: SHA-256 failed");
    else
        ok = true;
    X509_free(certificate);
    return ok;
}
