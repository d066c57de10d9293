/* SPDX-License-Identifier: ISC */
#include "friend/own.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "friend/addresses.h"

enum net_mode { NET_EXTERNAL = 1, NET_HIDDEN = 8 };
/* "Full", the value of the recorded nodes that answer for their key; "off" would hide our changed address
 * from stock friends (protocol 11 §2.2, §5.6). */
enum { DISCOVERY_FULL = 2 };

/* The first announced address of that kind that is not yet in `used`. */
static struct ip_address pick(const struct own *own, uint8_t family, bool local, unsigned *used)
{
    for (size_t i = 0; i < own->address_count; i++) {
        struct sockaddr_storage socket;
        if (own->addresses[i].family != family || (*used >> i & 1) ||
            !ip_address_socket(&socket, &own->addresses[i]) ||
            address_is_private((const struct sockaddr *)&socket) != local)
            continue;
        *used |= 1u << i;
        return own->addresses[i];
    }
    return (struct ip_address){0};
}

bool own_contact(struct buffer *out, const struct own *own, bool hidden, const struct sockaddr_storage *peer,
                 int64_t now_s)
{
    struct contact_item contact = {
        .net_mode = hidden ? NET_HIDDEN : NET_EXTERNAL,
        .vs_disc = DISCOVERY_FULL,
        .last_contact = (uint32_t)now_s,
        .hidden = hidden,
    };
    memcpy(contact.pgp_id, own->identity->fingerprint + 12, sizeof contact.pgp_id);
    memcpy(contact.location, own->identity->location, sizeof contact.location);
    snprintf(contact.location_name, sizeof contact.location_name, "%s", own->identity->location_name);
    snprintf(contact.version, sizeof contact.version, "%s", own->version);
    if (!hidden) {
        unsigned used = 0;
        contact.local4 = pick(own, 4, true, &used);
        contact.external4 = pick(own, 4, false, &used);
        contact.local6 = pick(own, 6, true, &used);
        contact.external6 = pick(own, 6, false, &used);
        contact.seen = ip_address_of(peer);
        snprintf(contact.dyndns, sizeof contact.dyndns, "%s", own->dns ? own->dns : "");
    }
    return contact_write(out, &contact);
}

bool own_text(struct buffer *out, const struct own *own, bool short_invite)
{
    const struct friends_identity *identity = own->identity;
    struct friend_text text = {
        .is_short = short_invite,
        .has_location = true,
        .has_fingerprint = short_invite,
        .key_block = identity->key_block,
    };
    memcpy(text.location, identity->location, sizeof text.location);
    memcpy(text.fingerprint, identity->fingerprint, sizeof text.fingerprint);
    snprintf(text.name, sizeof text.name, "%s", identity->location_name);
    unsigned used = 0;
    text.local4 = pick(own, 4, true, &used);
    text.external4 = pick(own, 4, false, &used);
    if (own->dns) {
        snprintf(text.dns, sizeof text.dns, "%s", own->dns);
        text.dns_port = text.external4.port ? text.external4.port : own->port;
    }
    for (size_t i = 0; i < own->address_count; i++)
        if (!(used >> i & 1))
            text.locators[text.locator_count++] = own->addresses[i];
    return short_invite ? friend_text_write_short(out, &text) : friend_text_write_full(out, &text, true);
}
