/* SPDX-License-Identifier: ISC */
#include "friend/addresses.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"

struct ip_address ip_address_of(const struct sockaddr_storage *address)
{
    struct ip_address out = {.family = 0};
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        out.family = 4;
        memcpy(out.bytes, &in->sin_addr, 4);
        out.port = ntohs(in->sin_port);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;
        out.port = ntohs(in6->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
            out.family = 4;
            memcpy(out.bytes, in6->sin6_addr.s6_addr + 12, 4);
        } else {
            out.family = 6;
            memcpy(out.bytes, &in6->sin6_addr, 16);
        }
    }
    return out;
}

bool ip_address_socket(struct sockaddr_storage *out, const struct ip_address *address)
{
    memset(out, 0, sizeof *out);
    if (address->family == 4) {
        struct sockaddr_in *in = (void *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->bytes, 4);
        return true;
    }
    if (address->family == 6) {
        struct sockaddr_in6 *in6 = (void *)out;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        memcpy(&in6->sin6_addr, address->bytes, 16);
        return true;
    }
    return false;
}

bool address_dialable(const struct sockaddr_storage *address)
{
    struct ip_address ip = ip_address_of(address);
    static const uint8_t zeros[16];
    if (ip.port == 0)
        return false;
    if (ip.family == 4)
        return ip.bytes[0] != 0 && ip.bytes[0] < 224; /* 224 and up: multicast, reserved, broadcast */
    return ip.family == 6 && memcmp(ip.bytes, zeros, 16) != 0 && ip.bytes[0] != 0xff;
}

static size_t find(const struct friend_record *record, const struct sockaddr_storage *address)
{
    size_t at = 0;
    while (at < record->address_count &&
           !address_equal((const struct sockaddr *)&record->addresses[at], (const struct sockaddr *)address))
        at++;
    return at;
}

bool addresses_add(struct friend_record *record, const struct ip_address *address)
{
    struct sockaddr_storage socket;
    if (record->address_count >= ADDRESSES_MAX || !ip_address_socket(&socket, address) ||
        !address_dialable(&socket) || find(record, &socket) < record->address_count)
        return false;
    record->addresses[record->address_count++] = socket;
    return true;
}

bool addresses_local(const struct friend_record *record)
{
    for (size_t i = 0; i < record->address_count; i++)
        if (address_is_loopback((const struct sockaddr *)&record->addresses[i]))
            return true;
    return false;
}

static bool believable(const struct friend_record *record, const struct sockaddr_storage *told,
                       const struct sockaddr_storage *peer)
{
    const struct sockaddr *address = (const void *)told, *from = (const void *)peer;
    if (!address_is_private(address) || addresses_local(record))
        return true;
    /* From a loopback address comes also who reaches us through a hidden service. */
    return !address_is_loopback(address) && address_is_private(from) && !address_is_loopback(from);
}

static bool learn(struct friend_record *record, const struct ip_address *told,
                  const struct sockaddr_storage *peer)
{
    struct sockaddr_storage socket;
    if (!ip_address_socket(&socket, told) || !address_dialable(&socket) || !believable(record, &socket, peer))
        return false;
    if (addresses_add(record, told))
        return true;
    if (find(record, &socket) < record->address_count)
        return false;
    /* Full: the newest told address takes the first place behind the given ones, the oldest told one leaves.
     */
    struct sockaddr_storage *first = &record->addresses[ADDRESSES_GIVEN];
    memmove(first + 1, first, (ADDRESSES_MAX - ADDRESSES_GIVEN - 1) * sizeof *first);
    *first = socket;
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

bool addresses_learn(struct friend_record *record, const struct contact_item *contact,
                     const struct sockaddr_storage *peer)
{
    if (contact->hidden) {
        const char *host = contact->hidden_address;
        if (record->hidden[0] || contact->hidden_port == 0 ||
            !(ends_with(host, ".onion") || ends_with(host, ".i2p")))
            return false;
        snprintf(record->hidden, sizeof record->hidden, "%s", host);
        record->hidden_port = contact->hidden_port;
        return true;
    }
    if (record->hidden[0])
        return false;
    bool changed = learn(record, &contact->external4, peer);
    changed |= learn(record, &contact->external6, peer);
    changed |= learn(record, &contact->local4, peer);
    changed |= learn(record, &contact->local6, peer);
    uint16_t port = contact->external4.port ? contact->external4.port : contact->local4.port;
    if (!record->dns[0] && contact->dyndns[0] && port != 0) { /* protocol 11 §3.2 */
        snprintf(record->dns, sizeof record->dns, "%s", contact->dyndns);
        record->dns_port = port;
        changed = true;
    }
    return changed;
}
