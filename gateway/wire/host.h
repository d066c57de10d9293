/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_HOST_H
#define RETROGATE_WIRE_HOST_H

#include "base/buffer.h"
#include "wire/link_items.h"

/* Host names, ports and locators in the texts and items by which nodes tell where they are. */

/* Copies a host name into a terminated string of `size` > 0 bytes. A name must be used exactly or not at all:
 * one that does not fit or is not of visible ASCII gives false and an empty string. */
bool host_copy(char *out, size_t size, struct bytes text);
/* "host:port", split at the last colon; the port is 1 to 65535, decimal, without sign or leading zeros. */
bool host_port_split(struct bytes *host, uint16_t *port, struct bytes text);

/* Locators (protocol 11 §2): ipv4://203.0.113.5:7812 and ipv6://[2001:db8::1]:7812. False on anything else.
 */
bool locator_parse(struct ip_address *out, struct bytes text);
bool locator_write(struct buffer *out, const struct ip_address *address);

#endif
