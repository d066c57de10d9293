/* SPDX-License-Identifier: ISC */
#include "crypto/openpgp_packet.h"
#include "crypto/openpgp_rsa.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

/* RSA signatures over documents (RFC 4880 §5.2.4), as GnuPG judges them but without a process. Where the two
 * differ this is the stricter one. */

enum { MODULUS_SIZE_MAX = 1024, DIGEST_SIZE_MAX = 64, PREFIX_SIZE = 6 };

static const struct hash {
    uint8_t number; /* RFC 4880 §9.4 */
    const EVP_MD *(*method)(void);
} hashes[] = {{2, EVP_sha1}, {8, EVP_sha256}, {9, EVP_sha384}, {10, EVP_sha512}};

/* What may be marked as critical: what is understood here. */
static const uint8_t understood[] = {SUBPACKET_CREATED, SUBPACKET_EXPIRES, SUBPACKET_ISSUER,
                                     SUBPACKET_ISSUER_FINGERPRINT};

EVP_PKEY *openpgp_rsa(const struct openpgp_key *key)
{
    EVP_PKEY *made = NULL;
    BIGNUM *n = BN_bin2bn(key->n.data, (int)key->n.size, NULL);
    BIGNUM *e = BN_bin2bn(key->e.data, (int)key->e.size, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (n && e && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = params ? EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL) : NULL;
    if (context && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, params) != 1)
        made = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    BN_free(e);
    BN_free(n);
    return made;
}

/* A number loses its leading zeros on its way; OpenSSL wants it as long as the modulus. */
static bool check_value(const struct openpgp_key *key, const EVP_MD *method, const uint8_t *digest,
                        struct bytes value)
{
    uint8_t full[MODULUS_SIZE_MAX] = {0};
    if (value.size == 0 || value.size > key->n.size || key->n.size > sizeof(full))
        return false;
    memcpy(full + key->n.size - value.size, value.data, value.size);
    EVP_PKEY *public = openpgp_rsa(key);
    EVP_PKEY_CTX *context = public ? EVP_PKEY_CTX_new_from_pkey(NULL, public, NULL) : NULL;
    bool good = context && EVP_PKEY_verify_init(context) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
                EVP_PKEY_CTX_set_signature_md(context, method) == 1 &&
                EVP_PKEY_verify(context, full, key->n.size, digest, (size_t)EVP_MD_get_size(method)) == 1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(public);
    return good;
}

bool openpgp_verify_value(const struct openpgp_key *key, const uint8_t digest[32], struct bytes rsa_value)
{
    return check_value(key, EVP_sha256(), digest, rsa_value);
}

static bool critical_is_understood(struct bytes hashed)
{
    struct reader area = reader_of(hashed);
    struct subpacket subpacket;
    while (subpacket_read(&area, &subpacket))
        if (subpacket.critical && !memchr(understood, subpacket.type, sizeof(understood)))
            return false;
    return !area.failed;
}

/* The document, the packet up to the end of its hashed area, and the size of that. */
static bool digest_of(uint8_t digest[DIGEST_SIZE_MAX], const EVP_MD *method, struct bytes document,
                      struct bytes hashed_part)
{
    uint32_t size = (uint32_t)hashed_part.size;
    const uint8_t end[6] = {
        4, 0xff, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex2(context, method, NULL) == 1 &&
                EVP_DigestUpdate(context, document.data, document.size) == 1 &&
                EVP_DigestUpdate(context, hashed_part.data, hashed_part.size) == 1 &&
                EVP_DigestUpdate(context, end, sizeof(end)) == 1 &&
                EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

bool openpgp_verify(struct openpgp_signature_info *info, const struct openpgp_key *key, struct bytes packet,
                    struct bytes document, struct error **error)
{
    if (!openpgp_screen_signature(info, packet, error))
        return false;
    if (info->type != 0 || key->public_body.data[5] == 2)
        return error_set(error, ERROR_DENIED, "the signature is not one over a document");
    if (memcmp(info->issuer, key->id, sizeof(key->id)) != 0)
        return error_set(error, ERROR_DENIED, "the signature is by another key");

    struct reader reader = reader_of(packet);
    struct packet outer;
    struct signature signature;
    const EVP_MD *method = NULL;
    if (!packet_read(&reader, &outer) || !signature_read(&signature, outer.body))
        return error_set(error, ERROR_INVALID, "the signature packet is malformed");
    if (!critical_is_understood(signature.hashed))
        return error_set(error, ERROR_DENIED, "the signature demands what is not understood");
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
        if (hashes[i].number == signature.hash)
            method = hashes[i].method();

    uint8_t digest[DIGEST_SIZE_MAX];
    struct reader rest = reader_of(signature.rest);
    struct bytes prefix = read_bytes(&rest, 2), value = mpi_read(&rest, NULL);
    struct bytes hashed_part = bytes_of(outer.body.data, PREFIX_SIZE + signature.hashed.size);
    if (!method || rest.failed || !digest_of(digest, method, document, hashed_part))
        return error_set(error, ERROR_INTERNAL, "the signature could not be checked");
    return (memcmp(prefix.data, digest, prefix.size) == 0 && check_value(key, method, digest, value)) ||
           error_set(error, ERROR_DENIED, "the signature does not fit what it should sign");
}
