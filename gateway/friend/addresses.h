/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_ADDRESSES_H
#define RETROGATE_FRIEND_ADDRESSES_H

#include "friend/friends.h"

/* Addresses as texts and items carry them, and as sockets take them. Pure. */

/* Family 0 when it is none. A v4-mapped address becomes IPv4. */
struct ip_address ip_address_of(const struct sockaddr_storage *address);
bool ip_address_socket(struct sockaddr_storage *out, const struct ip_address *address); /* false: family 0 */

/* One host, one port: not unspecified, multicast or broadcast. */
bool address_dialable(const struct sockaddr_storage *address);

/* This friend is known to live on this machine. */
bool addresses_local(const struct friend_record *record);

enum { ADDRESSES_MAX = 16, ADDRESSES_GIVEN = 8 };

/* Adds at the end unless it is there, cannot be dialled, or the list is full. */
bool addresses_add(struct friend_record *record, const struct ip_address *address);

/* Takes what the friend's own contact item tells (protocol 11 §5.6); true when the record changed. The first
 * ADDRESSES_GIVEN addresses are never displaced. So that no friend makes us knock at our own services, a
 * loopback address is taken only when the record holds one already, and an address in a private network only
 * from a friend who talks to us from one. From a hidden friend only hidden addresses are taken. */
bool addresses_learn(struct friend_record *record, const struct contact_item *contact,
                     const struct sockaddr_storage *peer);

#endif
