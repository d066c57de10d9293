/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_SERVICES_H
#define RETROGATE_FRIEND_SERVICES_H

#include "wire/link_items.h"

/* What one link says and hears besides turtle items (protocol 11 §5): service lists, heartbeat, round-trip
 * time, discovery. Pure: items come in, items to send are appended to a buffer, the rest comes out as news.
 * Times are monotonic microseconds. */

/* The same for every link of the node. */
struct services_self {
    uint8_t pgp_id[8];
    struct bytes key_block;
};

struct services {
    const struct services_self *self;
    uint8_t pgp_id[8], location[16];        /* the friend's */
    bool limited;                           /* its key has not come: 0x0020 and 0x0011 only (00 decision 5) */
    bool listed;                            /* its service list came */
    bool discovery, turtle, heartbeat, rtt; /* both lists name the service */
    struct service_list theirs;
    uint64_t started_us, heard_us, heartbeat_us; /* heard: last valid item */
    uint64_t heartbeat_due_us, ping_due_us, list_due_us, key_due_us;
    uint64_t news_due_us; /* lists and contacts: when the next one would come, at their rate */
    uint64_t ping_us;     /* when the open ping was sent; 0: none */
    uint32_t ping_sequence;
    uint32_t rtt_us; /* last measured; 0: not yet */
};

enum services_verdict {
    SERVICES_DONE,    /* nothing for the caller to do */
    SERVICES_DROPPED, /* malformed, too often, or of a service that is not shared */
    SERVICES_TURTLE,  /* deliver the item */
    SERVICES_LIST,    /* which services are shared may have changed */
    SERVICES_CONTACT, /* the friend's own contact: news->contact */
    SERVICES_KEY,     /* the friend's PGP key came on a limited link: news->key, a view into the item */
};

union services_news {
    struct contact_item contact;
    struct bytes key;
};

/* Appends our service list: the first item of a link. */
void services_start(struct services *services, const struct services_self *self, const uint8_t pgp_id[8],
                    const uint8_t location[16], bool limited, uint64_t now_us, struct buffer *out);
enum services_verdict services_receive(struct services *services, struct bytes item, uint64_t now_us,
                                       struct buffer *out, union services_news *news);
/* The friend's key came and was checked: the whole list is sent. The caller looks at the shared services
 * again. */
void services_unlimit(struct services *services, uint64_t now_us, struct buffer *out);
/* Asks for the friend's PGP key. */
void services_ask_key(const struct services *services, struct buffer *out);

/* Sends what is due. Returns when it wants to be called again. */
uint64_t services_tick(struct services *services, uint64_t now_us, struct buffer *out);
/* The friend has been silent for too long (§5.3). */
bool services_silent(const struct services *services, uint64_t now_us);

#endif
