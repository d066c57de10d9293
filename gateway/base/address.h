/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_ADDRESS_H
#define RETROGATE_BASE_ADDRESS_H

#include <sys/socket.h>

#include "base/error.h"

/* "127.0.0.1:6667", "[::1]:6667"; with default_port (0: none) also without port. Numbers only, no names. */
bool address_parse(struct sockaddr_storage *out, const char *text, unsigned default_port,
                   struct error **error);
/* Into at least 64 characters; v4-mapped IPv6 is shown as IPv4. */
void address_format(char *out, size_t size, const struct sockaddr *address);
bool address_is_loopback(const struct sockaddr *address);
bool address_is_any(const struct sockaddr *address);     /* 0.0.0.0 or ::, which can only be listened on */
bool address_is_private(const struct sockaddr *address); /* loopback, link-local, RFC 1918, ULA */
unsigned address_port(const struct sockaddr *address);
void address_set_port(struct sockaddr *address, unsigned port);
socklen_t address_size(const struct sockaddr *address);
bool address_equal(const struct sockaddr *a, const struct sockaddr *b); /* family, address and port */

#endif
