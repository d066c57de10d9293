/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_LINK_ITEMS_H
#define RETROGATE_WIRE_LINK_ITEMS_H

#include "wire/item.h"

/* Items that two direct friends exchange on a 0.6 link (protocol 11 §4, §5). */

/* --- service info, 0x0020/01 (§5.2) */
struct service_entry {
    uint32_t id; /* full id: 0x02000000 | service << 8 */
    char name[32];
    uint16_t major, minor, min_major, min_minor;
};
enum { SERVICE_ENTRIES_MAX = 64 };
struct service_list {
    size_t count;
    struct service_entry entries[SERVICE_ENTRIES_MAX];
};
/* An entry whose name is longer than ours can be, or holds a NUL, is checked and left out. Refuses the item
 * when more than SERVICE_ENTRIES_MAX are kept, and when the two ids of an entry differ. */
bool service_info_parse(struct service_list *out, struct bytes item);
bool service_info_write(struct buffer *out, const struct service_list *list);
/* Both lists hold the service with the same name, and each version satisfies the other's minimum. */
bool service_shared(const struct service_list *ours, const struct service_list *theirs, uint16_t service);

/* --- heartbeat 0x0016/01 (§5.3), round-trip time 0x1011 (§5.4), probe (§4.1) */
extern const uint8_t heartbeat_item[8];
extern const uint8_t slice_probe[8]; /* received and ignored, never sent */
struct rtt {
    uint32_t sequence;
    uint64_t ping_time;
    uint64_t pong_time; /* pong only */
};
bool rtt_ping_parse(struct rtt *out, struct bytes item);
bool rtt_ping_write(struct buffer *out, const struct rtt *rtt);
bool rtt_pong_parse(struct rtt *out, struct bytes item);
bool rtt_pong_write(struct buffer *out, const struct rtt *rtt);

/* --- slices (§4.1): header of 8 bytes, then `length` bytes */
struct slice_header {
    bool first, last;
    uint32_t packet;
    uint16_t length;
};
/* Reads the first 8 bytes. Refuses another mark than 10, unknown flags, first and last at once. */
bool slice_header_parse(struct slice_header *out, struct bytes bytes);

/* --- discovery 0x0011 (§5.6) */
struct ip_address {
    uint8_t family;    /* 0 none, 4, 6 */
    uint8_t bytes[16]; /* natural order; IPv4 uses the first 4 */
    uint16_t port;
};
enum { CONTACT_HISTORY_MAX = 16 };
struct address_sighting {
    uint64_t seen;   /* Unix seconds */
    uint32_t source; /* as the original fills it */
};
struct contact_item {
    uint8_t pgp_id[8];
    uint8_t location[16];
    char location_name[128]; /* UTF-8, one line, cut */
    char version[64];
    uint32_t net_mode;
    uint16_t vs_disc, vs_dht;
    uint32_t last_contact;
    bool hidden;
    char hidden_address[256];
    uint16_t hidden_port;
    struct ip_address local4, external4, local6, external6, seen;
    char dyndns[256];
    size_t local_count, external_count; /* histories */
    struct ip_address local[CONTACT_HISTORY_MAX], external[CONTACT_HISTORY_MAX];
    struct address_sighting local_sightings[CONTACT_HISTORY_MAX], external_sightings[CONTACT_HISTORY_MAX];
};
/* Subtype 05. Names are made fit to show (utf8_show()); a host name that is too long or not visible ASCII is
 * left empty; a history is cut after CONTACT_HISTORY_MAX entries. */
bool contact_parse(struct contact_item *out, struct bytes item);
bool contact_write(struct buffer *out, const struct contact_item *contact);

enum pgp_list_mode { PGP_LIST_NONE = 0, PGP_LIST_FRIENDS = 1, PGP_LIST_GET = 2 };
struct pgp_list {
    uint32_t mode;
    struct bytes ids; /* 8 bytes each, a view */
};
bool pgp_list_parse(struct pgp_list *out, struct bytes item); /* subtype 01; refuses other modes */
bool pgp_list_write(struct buffer *out, const struct pgp_list *list);

struct pgp_key_item {
    uint8_t pgp_id[8];
    struct bytes block; /* a view */
};
bool pgp_key_parse(struct pgp_key_item *out, struct bytes item); /* subtype 09 */
bool pgp_key_write(struct buffer *out, const struct pgp_key_item *key);

#endif
