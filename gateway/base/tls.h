/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_TLS_H
#define RETROGATE_BASE_TLS_H

#include <openssl/ssl.h>

#include "base/error.h"

/* A server context for clients of people (IRC, HTTP, mail): TLS 1.2+, certificate chain and key from files.
 * The caller frees it with SSL_CTX_free(); a reload makes a new one. */
SSL_CTX *tls_server_context(const char *certificate_file, const char *key_file, struct error **error);

/* Makes a self-signed certificate (P-256, 10 years) in those files unless both exist: so that TLS works on a
 * first start. `names` are host names and addresses without port, separated by commas, a host name first;
 * those of this machine for itself are added. Written 0600, under a temporary name, then renamed. */
bool tls_make_self_signed(const char *certificate_file, const char *key_file, const char *names,
                          struct error **error);

/* A BIO over a socket that it does not own, like BIO_new_socket(), but writing to a closed one raises no
 * SIGPIPE. NULL without memory. */
BIO *tls_socket_bio(int fd);

/* The newest OpenSSL error as text, for error_set(); clears the queue. */
const char *tls_error_text(void);

#endif
