/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_CONTEXT_H
#define RETROGATE_FRIEND_CONTEXT_H

#include <openssl/ssl.h>

#include "friend/friends.h"

/* The TLS context of friend links, for both ends (protocol 11 §3.1): TLS 1.2 and 1.3, both sides show a
 * certificate, no resumption. OpenSSL checks only the certificate's form; who it is, is decided when TLS is
 * up (00 decision 6). */
SSL_CTX *context_new(const struct friends_identity *identity, struct error **error);

#endif
