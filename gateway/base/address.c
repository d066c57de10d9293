/* SPDX-License-Identifier: ISC */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static bool parse_port(unsigned *port, const char *text)
{
    unsigned value = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
        return false;
    for (size_t i = 0; i < length; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    *port = value;
    return value <= 65535;
}

/* Cuts the text into host and port; `port` is NULL when there is none. */
static bool split(char *host, size_t size, const char **port, const char *text)
{
    const char *start = text, *end = NULL;
    if (text[0] == '[') {
        start = text + 1;
        end = strchr(start, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return false;
        *port = end[1] == ':' ? end + 2 : NULL;
    } else {
        const char *colon = strchr(text, ':');
        bool bare6 = colon != NULL && strchr(colon + 1, ':') != NULL;
        *port = colon != NULL && !bare6 ? colon + 1 : NULL;
        end = *port != NULL ? colon : text + strlen(text);
    }
    size_t length = (size_t)(end - start);
    if (length >= size)
        return false;
    memcpy(host, start, length);
    host[length] = '\0';
    return true;
}

bool address_parse(struct sockaddr_storage *out, const char *text, unsigned default_port,
                   struct error **error)
{
    char host[INET6_ADDRSTRLEN];
    const char *port_text = NULL;
    unsigned port = default_port;
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (!split(host, sizeof host, &port_text, text))
        return error_set(error, ERROR_INVALID, "an address is like 127.0.0.1:6667 or [::1]:6667");
    if (port_text == NULL && default_port == 0)
        return error_set(error, ERROR_INVALID,
                         "the address has no port; it is like 127.0.0.1:6667 or [::1]:6667");
    if (port_text != NULL && !parse_port(&port, port_text))
        return error_set(error, ERROR_INVALID, "the port of an address is a number up to 65535");
    if (text[0] != '[' && inet_pton(AF_INET, host, &v4->sin_addr) == 1)
        out->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
        out->ss_family = AF_INET6;
    else
        return error_set(error, ERROR_INVALID,
                         "an address is numbers only, like 127.0.0.1:6667 or [::1]:6667");
    address_set_port((struct sockaddr *)out, port);
    return true;
}

/* The IPv4 address in host order, also when it is mapped into IPv6. */
static bool as_v4(const struct sockaddr *address, uint32_t *out)
{
    if (address->sa_family == AF_INET) {
        *out = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr);
        return true;
    }
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (address->sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(v6))
        return false;
    const uint8_t *at = v6->s6_addr + 12;
    *out = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return true;
}

void address_format(char *out, size_t size, const struct sockaddr *address)
{
    uint32_t v4 = 0;
    char host[INET6_ADDRSTRLEN];
    if (as_v4(address, &v4)) {
        snprintf(out, size, "%u.%u.%u.%u:%u", v4 >> 24, v4 >> 16 & 255, v4 >> 8 & 255, v4 & 255,
                 address_port(address));
    } else if (address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%u", host, address_port(address));
    } else {
        snprintf(out, size, "%s", address->sa_family == AF_UNIX ? "unix" : "unknown");
    }
}

bool address_is_loopback(const struct sockaddr *address)
{
    uint32_t v4 = 0;
    if (as_v4(address, &v4))
        return v4 >> 24 == 127;
    if (address->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
    return address->sa_family == AF_UNIX;
}

bool address_is_any(const struct sockaddr *address)
{
    uint32_t v4 = 0;
    if (as_v4(address, &v4))
        return v4 == 0;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

bool address_is_private(const struct sockaddr *address)
{
    uint32_t v4 = 0;
    if (address_is_loopback(address))
        return true;
    if (as_v4(address, &v4))
        return v4 >> 24 == 10 || v4 >> 20 == (172 << 4 | 1) || v4 >> 16 == (192 << 8 | 168) ||
               v4 >> 16 == (169 << 8 | 254);
    if (address->sa_family != AF_INET6)
        return false;
    const uint8_t *at = ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr;
    return (at[0] & 0xfe) == 0xfc || (at[0] == 0xfe && (at[1] & 0xc0) == 0x80);
}

unsigned address_port(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)address)->sin_port);
    if (address->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return 0;
}

void address_set_port(struct sockaddr *address, unsigned port)
{
    if (address->sa_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
    else if (address->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
}

socklen_t address_size(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    case AF_UNIX:
        return sizeof(struct sockaddr_un);
    default:
        return sizeof(struct sockaddr);
    }
}

bool address_equal(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family || address_port(a) != address_port(b))
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    if (a->sa_family == AF_INET6)
        return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                      &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
    if (a->sa_family == AF_UNIX)
        return strncmp(((const struct sockaddr_un *)a)->sun_path, ((const struct sockaddr_un *)b)->sun_path,
                       sizeof((const struct sockaddr_un *)a)->sun_path) == 0;
    return false;
}
