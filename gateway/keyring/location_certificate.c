/* SPDX-License-Identifier: ISC */
#include "keyring/location_certificate.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <string.h>

enum {
    DER_SIZE_MAX = 16 * 1024,
    DER_SEQUENCE = 0x30,
    DER_BIT_STRING = 0x03,
    SERIAL_6_1 = 0x60001,
    SERIAL_7_1 = 0x70001,
    SIGNATURE_SIZE_MIN = 16,
    ISSUER_DIGITS = 16,
};

/* sha256WithRSAEncryption with NULL parameters, as in the part that is signed. */
static const uint8_t algorithm_der[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                        0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};

static bool der_header(struct buffer *out, uint8_t tag, size_t size)
{
    buffer_u8(out, tag);
    if (size < 0x80)
        return buffer_u8(out, (uint8_t)size);
    if (size < 0x100) {
        buffer_u8(out, 0x81);
        return buffer_u8(out, (uint8_t)size);
    }
    if (size > UINT16_MAX)
        return false;
    buffer_u8(out, 0x82);
    return buffer_u16(out, (uint16_t)size);
}

/* The next element with this tag; lengths of the definite forms up to two octets. */
static bool der_read(struct reader *reader, uint8_t tag, struct bytes *whole, struct bytes *body)
{
    const uint8_t *begin = reader->at;
    uint8_t found = read_u8(reader);
    size_t size = read_u8(reader);
    if (size == 0x81)
        size = read_u8(reader);
    else if (size == 0x82)
        size = read_u16(reader);
    else if (size > 0x80)
        return false;
    *body = read_bytes(reader, size);
    *whole = bytes_of(begin, (size_t)(reader->at - begin));
    return !reader->failed && found == tag;
}

/* The three parts, found by their lengths; OpenSSL then reads the whole and must write it again to the same
 * bytes. */
static bool find_parts(struct location_certificate *out, struct bytes der)
{
    struct bytes whole, body, ignored;
    struct reader outer = reader_of(der);
    if (!der_read(&outer, DER_SEQUENCE, &whole, &body) || !reader_done(&outer))
        return false;
    struct reader parts = reader_of(body);
    if (!der_read(&parts, DER_SEQUENCE, &out->tbs, &ignored) ||
        !der_read(&parts, DER_SEQUENCE, &whole, &ignored) ||
        !der_read(&parts, DER_BIT_STRING, &whole, &body) || !reader_done(&parts) ||
        body.size < 1 + SIGNATURE_SIZE_MIN || body.data[0] != 0)
        return false;
    out->signature = bytes_of(body.data + 1, body.size - 1);
    return true;
}

static bool is_strict(X509 *certificate, const struct location_certificate *parts, struct bytes der)
{
    unsigned char *again = NULL, *tbs = NULL;
    int size = i2d_X509(certificate, &again);
    /* Marks the cached encoding as stale: this is what the other implementations hash. */
    int tbs_size = i2d_re_X509_tbs(certificate, &tbs);
    const X509_ALGOR *outer;
    X509_get0_signature(NULL, &outer, certificate);
    bool good = size > 0 && tbs_size > 0 && X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(certificate)) == 0 &&
                bytes_equal(bytes_of(again, (size_t)size), der) &&
                bytes_equal(bytes_of(tbs, (size_t)tbs_size), parts->tbs);
    OPENSSL_free(again);
    OPENSSL_free(tbs);
    return good;
}

static bool read_issuer(uint8_t issuer[8], const X509 *certificate)
{
    const X509_NAME *name = X509_get_issuer_name(certificate);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return false;
    const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    return ASN1_STRING_length(text) == ISSUER_DIGITS &&
           hex_parse(issuer, 8, (const char *)ASN1_STRING_get0_data(text), ISSUER_DIGITS);
}

/* Anything not listed counts as 6.0 (protocol 11 §1.2). */
static enum location_version version_of(const X509 *certificate)
{
    uint64_t serial = 0;
    if (ASN1_INTEGER_get_uint64(&serial, X509_get0_serialNumber(certificate)) != 1)
        return LOCATION_6_0;
    return serial == SERIAL_7_1 ? LOCATION_7_1 : serial == SERIAL_6_1 ? LOCATION_6_1 : LOCATION_6_0;
}

static bool fill(struct location_certificate *out)
{
    if (out->version == LOCATION_6_0) {
        memcpy(out->id, out->signature.data + out->signature.size - sizeof(out->id), sizeof(out->id));
    } else {
        uint8_t digest[32];
        if (EVP_Digest(out->signature.data, out->signature.size, digest, NULL, EVP_sha256(), NULL) != 1)
            return false;
        memcpy(out->id, digest, sizeof(out->id));
    }
    out->signed_data =
        out->version == LOCATION_7_1 ? out->tbs : bytes_of(out->tbs_sha1, sizeof(out->tbs_sha1));
    return EVP_Digest(out->tbs.data, out->tbs.size, out->tbs_sha1, NULL, EVP_sha1(), NULL) == 1;
}

bool location_certificate_read(struct location_certificate *out, struct bytes der, struct error **error)
{
    *out = (struct location_certificate){0};
    if (der.size > DER_SIZE_MAX)
        return error_set(error, ERROR_LIMIT, "the certificate is larger than %d bytes", DER_SIZE_MAX);
    if (!find_parts(out, der))
        return error_set(error, ERROR_INVALID, "this is not a location certificate in DER");
    const uint8_t *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    bool good = certificate && is_strict(certificate, out, der);
    if (!good) {
        error_set(error, ERROR_INVALID, "the certificate is not encoded in strict DER");
    } else if (!read_issuer(out->issuer, certificate)) {
        good = error_set(error, ERROR_INVALID, "the certificate's issuer is not a PGP id of 16 digits");
    } else {
        out->version = version_of(certificate);
        good = fill(out) || error_set(error, ERROR_INTERNAL, "a digest failed");
    }
    X509_free(certificate);
    return good;
}

static bool set_name(X509_NAME *name, const char *text)
{
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)text, -1,
                                      -1, 0) == 1;
}

static bool fill_certificate(X509 *certificate, EVP_PKEY *tls_key, const char *issuer)
{
    ASN1_TIME *begin = ASN1_TIME_new(), *end = ASN1_TIME_new();
    X509_ALGOR *algorithm = (X509_ALGOR *)(uintptr_t)X509_get0_tbs_sigalg(certificate);
    bool good = begin && end && ASN1_TIME_set_string(begin, "100101000000Z") == 1 &&
                ASN1_TIME_set_string(end, "21100101000000Z") == 1 &&
                ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), SERIAL_7_1) == 1 &&
                set_name(X509_get_issuer_name(certificate), issuer) &&
                set_name(X509_get_subject_name(certificate), "-") &&
                X509_set1_notBefore(certificate, begin) == 1 && X509_set1_notAfter(certificate, end) == 1 &&
                X509_set_pubkey(certificate, tls_key) == 1 &&
                X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256WithRSAEncryption), V_ASN1_NULL, NULL) == 1;
    ASN1_TIME_free(begin);
    ASN1_TIME_free(end);
    return good;
}

bool location_tbs(struct buffer *out, EVP_PKEY *tls_key, const uint8_t node_id[8], struct error **error)
{
    char issuer[ISSUER_DIGITS + 1];
    hex_upper(issuer, node_id, 8);
    X509 *certificate = X509_new();
    unsigned char *tbs = NULL;
    int size = -1;
    if (certificate && fill_certificate(certificate, tls_key, issuer))
        size = i2d_re_X509_tbs(certificate, &tbs);
    bool good = size > 0 && buffer_append(out, tbs, (size_t)size);
    OPENSSL_free(tbs);
    X509_free(certificate);
    return good || error_set(error, ERROR_INTERNAL, "the certificate could not be built");
}

bool location_certificate_write(struct buffer *out, struct bytes tbs, struct bytes signature)
{
    struct buffer body = buffer_make(tbs.size + signature.size + 32);
    buffer_append_bytes(&body, tbs);
    buffer_append(&body, algorithm_der, sizeof(algorithm_der));
    der_header(&body, DER_BIT_STRING, signature.size + 1);
    buffer_u8(&body, 0); /* no unused bits */
    bool good = buffer_append_bytes(&body, signature) && der_header(out, DER_SEQUENCE, buffer_size(&body)) &&
                buffer_append_bytes(out, buffer_view(&body));
    buffer_free(&body);
    return good;
}
