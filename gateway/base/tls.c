/* SPDX-License-Identifier: ISC */
#include "base/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/buffer.h"

enum { NAMES_MAX = 8192 };

const char *tls_error_text(void)
{
    unsigned long newest = ERR_peek_last_error();
    const char *reason = newest != 0 ? ERR_reason_error_string(newest) : NULL;
    ERR_clear_error();
    return reason != NULL ? reason : "unknown error";
}

static BIO_METHOD *socket_method;
static uv_once_t socket_once = UV_ONCE_INIT;

static int socket_write(BIO *bio, const char *data, int size)
{
    ssize_t sent = send((int)BIO_get_fd(bio, NULL), data, size > 0 ? (size_t)size : 0, MSG_NOSIGNAL);
    BIO_clear_retry_flags(bio);
    if (sent < 0 && BIO_sock_should_retry(-1))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static void socket_make(void)
{
    const BIO_METHOD *plain = BIO_s_socket();
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOCKET, "socket without signals");
    if (method == NULL)
        return;
    BIO_meth_set_write(method, socket_write);
    BIO_meth_set_read(method, BIO_meth_get_read(plain));
    BIO_meth_set_puts(method, BIO_meth_get_puts(plain));
    BIO_meth_set_ctrl(method, BIO_meth_get_ctrl(plain));
    BIO_meth_set_create(method, BIO_meth_get_create(plain));
    BIO_meth_set_destroy(method, BIO_meth_get_destroy(plain));
    socket_method = method;
}

BIO *tls_socket_bio(int fd)
{
    uv_once(&socket_once, socket_make);
    BIO *bio = socket_method != NULL ? BIO_new(socket_method) : NULL;
    if (bio != NULL)
        BIO_set_fd(bio, fd, BIO_NOCLOSE);
    return bio;
}

SSL_CTX *tls_server_context(const char *certificate_file, const char *key_file, struct error **error)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        error_set(error, ERROR_INTERNAL, "TLS: %s", tls_error_text());
        return NULL;
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    /* Clients of people resume with tickets; a session cache of ours would only hold memory. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1)
        error_set(error, ERROR_INVALID, "certificate file %s: %s", certificate_file, tls_error_text());
    else if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        error_set(error, ERROR_INVALID, "key file %s: %s", key_file, tls_error_text());
    else if (SSL_CTX_check_private_key(context) != 1)
        error_set(error, ERROR_INVALID, "key file %s does not belong to certificate file %s", key_file,
                  certificate_file);
    else
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static bool add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool is_host_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length <= 253 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == length;
}

static bool is_address(const char *text)
{
    struct in6_addr address;
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* The subject's alternative names as OpenSSL's text form of them. `names` is cut at its commas; its first
 * word becomes `first`. */
static bool alternative_names(struct buffer *out, char *names, const char **first)
{
    const char *word;
    *first = names;
    while ((word = strsep(&names, ",")) != NULL) {
        bool address = is_address(word);
        if (!address && !is_host_name(word))
            return false;
        buffer_printf(out, "%s:%s,", address ? "IP" : "DNS", word);
    }
    return buffer_append_string(out, "DNS:localhost,IP:127.0.0.1,IP:::1");
}

static X509 *make_certificate(EVP_PKEY *key, const char *name, const char *names)
{
    unsigned char serial[16];
    X509 *certificate = X509_new();
    BIGNUM *number = BN_new();
    bool made = certificate != NULL && number != NULL && RAND_bytes(serial, sizeof serial) == 1;
    serial[0] &= 0x7f;
    made = made && BN_bin2bn(serial, sizeof serial, number) != NULL &&
           BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL &&
           X509_set_version(certificate, X509_VERSION_3) == 1 &&
           /* A day back for clients whose clock is late. */
           X509_gmtime_adj(X509_getm_notBefore(certificate), -86400L) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), 10L * 365 * 86400) != NULL &&
           X509_set_pubkey(certificate, key) == 1 &&
           /* A common name holds 64 characters; clients look at the alternative names. */
           X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                      (const unsigned char *)name,
                                      (int)(strlen(name) <= 64 ? strlen(name) : 64), -1, 0) == 1 &&
           X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_alt_name, names) &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
    BN_free(number);
    if (!made) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

/* Writes the PEM of the certificate, or of the key when `certificate` is NULL, so that a reader of `path`
 * sees all or nothing. */
static bool write_pem(const char *path, X509 *certificate, EVP_PKEY *key, struct error **error)
{
    char temporary[4096];
    int length = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof temporary)
        return error_set(error, ERROR_INVALID, "the path of the certificate or key file is too long");
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set(error, ERROR_INTERNAL, "cannot create %s: %s", temporary,
                         uv_strerror(uv_translate_sys_error(errno)));
    BIO *bio = BIO_new_fd(fd, BIO_NOCLOSE);
    bool written =
        bio != NULL &&
        (certificate != NULL ? PEM_write_bio_X509(bio, certificate)
                             : PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) == 1 &&
        fsync(fd) == 0;
    BIO_free(bio);
    written = close(fd) == 0 && written;
    if (written && rename(temporary, path) == 0)
        return true;
    error_set(error, ERROR_INTERNAL, "cannot write %s: %s", path,
              errno != 0 ? uv_strerror(uv_translate_sys_error(errno)) : tls_error_text());
    unlink(temporary);
    return false;
}

static bool make_files(const char *certificate_file, const char *key_file, const char *name,
                       const char *names, struct error **error)
{
    ERR_clear_error();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key != NULL && names != NULL ? make_certificate(key, name, names) : NULL;
    bool made =
        certificate != NULL
            ? write_pem(key_file, NULL, key, error) && write_pem(certificate_file, certificate, NULL, error)
            : error_set(error, ERROR_INTERNAL, "cannot make a certificate: %s", tls_error_text());
    X509_free(certificate);
    EVP_PKEY_free(key);
    return made;
}

bool tls_make_self_signed(const char *certificate_file, const char *key_file, const char *names,
                          struct error **error)
{
    if (access(certificate_file, F_OK) == 0 && access(key_file, F_OK) == 0)
        return true;
    char words[NAMES_MAX];
    const char *first;
    struct buffer alternatives = buffer_make(4 * NAMES_MAX);
    int length = snprintf(words, sizeof words, "%s", names);
    bool good =
        length >= 0 && (size_t)length < sizeof words && alternative_names(&alternatives, words, &first);
    good = good ? make_files(certificate_file, key_file, first, buffer_string(&alternatives), error)
                : error_set(error, ERROR_INVALID,
                            "a certificate needs host names of letters, digits, '-' and '.', or addresses");
    buffer_free(&alternatives);
    return good;
}
