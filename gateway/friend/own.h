/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_OWN_H
#define RETROGATE_FRIEND_OWN_H

#include "friend/friends.h"

/* What this node tells of itself. Pure. */
struct own {
    const struct friends_identity *identity;
    const char *version, *dns;
    uint16_t port; /* of our first listener; 0: none. Goes with the name */
    size_t address_count;
    struct ip_address addresses[8]; /* announced; without those, the listeners' own */
};

/* Our contact item (protocol 11 §5.6). `hidden`: the form without addresses (00 decision 7). `peer` is where
 * we see the friend come from; `now_s` Unix seconds. */
bool own_contact(struct buffer *out, const struct own *own, bool hidden, const struct sockaddr_storage *peer,
                 int64_t now_s);
/* Our invitation. */
bool own_text(struct buffer *out, const struct own *own, bool short_invite);

#endif
