/* SPDX-License-Identifier: ISC */
#include "keyring/worker.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

#include "keyring/location_certificate.h"

enum { BLOCK_SIZE_MAX = 64 * 1024, CERTIFICATE_SIZE_MAX = 16 * 1024, TLS_KEY_BITS = 3072, TYPE_DOCUMENT = 0 };

static bool write_private_key(struct buffer *out, const EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int size = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : -1;
    uint8_t *into = size > 0 ? buffer_reserve(out, (size_t)size) : NULL;
    bool good = into && i2d_PKCS8_PRIV_KEY_INFO(info, &into) == size;
    if (good)
        buffer_commit(out, (size_t)size);
    PKCS8_PRIV_KEY_INFO_free(info);
    return good;
}

static bool write_certificate(const struct request *request, const char *home, EVP_PKEY *tls_key,
                              struct result *result, struct error **error)
{
    struct buffer block = buffer_make(BLOCK_SIZE_MAX), tbs = buffer_make(CERTIFICATE_SIZE_MAX),
                  packet = buffer_make(CERTIFICATE_SIZE_MAX);
    struct openpgp_key key;
    struct location_certificate made;
    bool good =
        worker_own_key(home, request, &block, &key, error) && location_tbs(&tbs, tls_key, key.id, error);
    if (good) {
        struct openpgp_signing signing = {.created = (uint32_t)time(NULL)};
        memcpy(signing.issuer, key.id, sizeof(key.id));
        good = pgp_sign(home, &key, request->passphrase, &signing, buffer_view(&tbs), &packet, error);
    }
    if (good && !location_certificate_write(&result->block, buffer_view(&tbs), buffer_view(&packet)))
        good = error_set(error, ERROR_INTERNAL, "the certificate could not be built");
    good = good && location_certificate_read(&made, buffer_view(&result->block), error);
    if (good) {
        memcpy(result->answer.location, made.id, sizeof(made.id));
        memcpy(result->answer.fingerprint, key.fingerprint, sizeof(key.fingerprint));
    }
    buffer_free(&block);
    buffer_free(&tbs);
    buffer_free(&packet);
    return good;
}

bool act_location_new(struct worker *worker, const struct request *request, const char *home,
                      struct result *result, struct error **error)
{
    worker->progress(worker, "TLS key");
    EVP_PKEY *tls_key = EVP_RSA_gen((unsigned)TLS_KEY_BITS);
    if (!tls_key || !write_private_key(&result->private_key, tls_key)) {
        EVP_PKEY_free(tls_key);
        return error_set(error, ERROR_INTERNAL, "the TLS key could not be made");
    }
    bool good = write_certificate(request, home, tls_key, result, error);
    EVP_PKEY_free(tls_key);
    return good;
}

static bool check_signature_form(const struct location_certificate *certificate,
                                 const struct openpgp_key *key, struct error **error)
{
    struct openpgp_signature_info info;
    if (!openpgp_screen_signature(&info, certificate->signature, error))
        return false;
    if (info.type != TYPE_DOCUMENT)
        return error_set(error, ERROR_INVALID, "the certificate's signature is not one over a document");
    if (memcmp(info.issuer, key->id, sizeof(key->id)) != 0)
        return error_set(error, ERROR_DENIED, "the certificate's signature names another key");
    if (info.expires != 0 && (int64_t)info.created + info.expires <= (int64_t)time(NULL))
        return error_set(error, ERROR_EXPIRED, "the certificate's signature has expired");
    return true;
}

bool act_verify_location(struct worker *worker, const struct request *request, const char *home,
                         struct result *result, struct error **error)
{
    (void)home;
    struct buffer block = buffer_make(BLOCK_SIZE_MAX);
    struct openpgp_key key;
    struct location_certificate certificate;
    bool good = location_certificate_read(&certificate, request->data, error) &&
                worker_foreign_key(request->key_block, &block, &key, error);
    if (good && memcmp(key.fingerprint, request->fingerprint, sizeof(key.fingerprint)) != 0)
        good = error_set(error, ERROR_DENIED, "the key is not the one that was expected");
    if (good && memcmp(certificate.issuer, key.id, sizeof(key.id)) != 0)
        good = error_set(error, ERROR_DENIED, "the certificate names another key as its issuer");
    good = good && check_signature_form(&certificate, &key, error) &&
           pgp_verify(worker->verify_home, buffer_view(&block), key.fingerprint, certificate.signature,
                      certificate.signed_data, error);
    if (good) {
        memcpy(result->answer.location, certificate.id, sizeof(certificate.id));
        memcpy(result->answer.fingerprint, key.fingerprint, sizeof(key.fingerprint));
    }
    buffer_free(&block);
    return good;
}
