/* SPDX-License-Identifier: ISC */
#include "friend/context.h"

#include <openssl/x509.h>

#include "base/tls.h"
#include "friend/location.h"

/* Stock peers offer only DHE-RSA below TLS 1.3. */
static const char ciphers[] = "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:"
                              "DHE-RSA-AES256-SHA256:DHE-RSA-AES128-SHA256";

static int check_form(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    unsigned char *der = NULL;
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    int size = certificate ? i2d_X509(certificate, &der) : -1;
    struct location location;
    bool ok = size > 0 && location_parse(&location, bytes_of(der, (size_t)size), NULL);
    OPENSSL_free(der);
    X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return ok;
}

static bool use_identity(SSL_CTX *context, const struct friends_identity *identity)
{
    const struct bytes *key = &identity->private_key;
    const unsigned char *at = key->data;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)key->size);
    bool ok = pkey &&
              SSL_CTX_use_certificate_ASN1(context, (int)identity->certificate.size,
                                           identity->certificate.data) == 1 &&
              SSL_CTX_use_PrivateKey(context, pkey) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(pkey);
    return ok;
}

SSL_CTX *context_new(const struct friends_identity *identity, struct error **error)
{
    if (identity->certificate.size > LOCATION_DER_MAX || identity->private_key.size > LOCATION_DER_MAX) {
        error_set(error, ERROR_INVALID, "the node's certificate or TLS key is too large");
        return NULL;
    }
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, ciphers) != 1 || SSL_CTX_set_dh_auto(context, 1) != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1) {
        error_set(error, ERROR_INTERNAL, "TLS for friend links: %s", tls_error_text());
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(context, check_form, NULL);
    if (!use_identity(context, identity)) {
        error_set(error, ERROR_INVALID, "the node's certificate and TLS key do not fit: %s",
                  tls_error_text());
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}
