/* SPDX-License-Identifier: ISC */
#include "friend/services.h"

#include <string.h>

#define SECOND UINT64_C(1000000)
/* Protocol 11 §5.3. */
#define HEARTBEAT_EVERY   (5 * SECOND)
#define HEARTBEAT_SILENCE (100 * SECOND)
#define ITEM_SILENCE      (60 * SECOND)
/* A stock peer with whom we share no heartbeat sends nothing; our repeated list lets TCP notice a dead one.
 */
#define LIMITED_SILENCE (1800 * SECOND)
#define LIST_EVERY      (50 * SECOND) /* keeps a link without heartbeat (§5.1) */
#define PING_EVERY      (10 * SECOND)
#define KEY_EVERY       (10 * SECOND) /* our key is at most given so often */
/* Each list and contact may be written to disk and shown: so often, after so many at once. A stock peer sends
 * a few when the link begins, then one when its addresses change. */
#define NEWS_EVERY (5 * SECOND)
#define NEWS_BURST 32

static const struct {
    uint16_t service;
    const char *name;
} offered[] = {
    {SERVICE_DISCOVERY, "disc"}, /* first: a limited link offers it alone */
    {SERVICE_TURTLE, "turtle"},
    {SERVICE_HEARTBEAT, "heartbeat"},
    {SERVICE_RTT, "rtt"},
};

static void own_list(struct service_list *list, bool limited)
{
    list->count = limited ? 1 : sizeof offered / sizeof offered[0];
    for (size_t i = 0; i < list->count; i++) {
        struct service_entry *entry = &list->entries[i];
        *entry = (struct service_entry){
            .id = UINT32_C(0x02000000) | (uint32_t)offered[i].service << 8,
            .major = 1,
            .min_major = 1,
        };
        memcpy(entry->name, offered[i].name, strlen(offered[i].name));
    }
}

static void find_shared(struct services *services)
{
    struct service_list ours;
    own_list(&ours, services->limited);
    const struct service_list *theirs = &services->theirs;
    services->discovery = service_shared(&ours, theirs, SERVICE_DISCOVERY);
    services->turtle = service_shared(&ours, theirs, SERVICE_TURTLE);
    services->heartbeat = service_shared(&ours, theirs, SERVICE_HEARTBEAT);
    services->rtt = service_shared(&ours, theirs, SERVICE_RTT);
}

static bool take_news(struct services *services, uint64_t now_us)
{
    uint64_t due = services->news_due_us;
    if (due > now_us + (NEWS_BURST - 1) * NEWS_EVERY)
        return false;
    services->news_due_us = (due > now_us ? due : now_us) + NEWS_EVERY;
    return true;
}

static bool receive_list(struct services *services, struct bytes item, uint64_t now_us)
{
    struct service_list theirs;
    if (!take_news(services, now_us) || !service_info_parse(&theirs, item))
        return false;
    services->theirs = theirs;
    services->listed = true;
    find_shared(services);
    return true;
}

static void send_list(const struct services *services, struct buffer *out)
{
    struct service_list ours;
    own_list(&ours, services->limited);
    service_info_write(out, &ours);
}

void services_start(struct services *services, const struct services_self *self, const uint8_t pgp_id[8],
                    const uint8_t location[16], bool limited, uint64_t now_us, struct buffer *out)
{
    *services = (struct services){
        .self = self,
        .limited = limited,
        .started_us = now_us,
        .heard_us = now_us,
        .heartbeat_us = now_us,
        .heartbeat_due_us = now_us,
        .ping_due_us = now_us,
        .list_due_us = now_us + LIST_EVERY,
    };
    memcpy(services->pgp_id, pgp_id, sizeof services->pgp_id);
    memcpy(services->location, location, sizeof services->location);
    send_list(services, out);
}

void services_unlimit(struct services *services, uint64_t now_us, struct buffer *out)
{
    services->limited = false;
    services->heartbeat_us = now_us;
    services->heartbeat_due_us = services->ping_due_us = now_us;
    find_shared(services);
    send_list(services, out);
}

void services_ask_key(const struct services *services, struct buffer *out)
{
    struct pgp_list list = {
        .mode = PGP_LIST_GET,
        .ids = bytes_of(services->pgp_id, sizeof services->pgp_id),
    };
    pgp_list_write(out, &list);
}

/* Only our own key is ever given, and nobody's list (protocol 11 §5.6). */
static void give_key(struct services *services, const struct pgp_list *list, uint64_t now_us,
                     struct buffer *out)
{
    const struct services_self *self = services->self;
    if (list->mode != PGP_LIST_GET || now_us < services->key_due_us)
        return;
    for (size_t at = 0; at + 8 <= list->ids.size; at += 8) {
        if (memcmp(list->ids.data + at, self->pgp_id, 8) != 0)
            continue;
        struct pgp_key_item key = {.block = self->key_block};
        memcpy(key.pgp_id, self->pgp_id, sizeof key.pgp_id);
        pgp_key_write(out, &key);
        services->key_due_us = now_us + KEY_EVERY;
        return;
    }
}

static enum services_verdict receive_discovery(struct services *services, uint8_t subtype, struct bytes item,
                                               uint64_t now_us, struct buffer *out, union services_news *news)
{
    struct pgp_list list;
    struct pgp_key_item key;
    switch (subtype) {
    case 0x01:
        if (!pgp_list_parse(&list, item))
            return SERVICES_DROPPED;
        give_key(services, &list, now_us, out);
        return SERVICES_DONE;
    case 0x05:
        if (!take_news(services, now_us) || !contact_parse(&news->contact, item))
            return SERVICES_DROPPED;
        /* Of others we take nothing, whoever tells it. */
        if (memcmp(news->contact.location, services->location, 16) != 0 ||
            memcmp(news->contact.pgp_id, services->pgp_id, 8) != 0)
            return SERVICES_DROPPED;
        return SERVICES_CONTACT;
    case 0x09:
        if (!services->limited || !pgp_key_parse(&key, item) || memcmp(key.pgp_id, services->pgp_id, 8) != 0)
            return SERVICES_DROPPED;
        news->key = key.block;
        return SERVICES_KEY;
    default:
        return SERVICES_DROPPED;
    }
}

static enum services_verdict receive_rtt(struct services *services, uint8_t subtype, struct bytes item,
                                         uint64_t now_us, struct buffer *out)
{
    struct rtt rtt;
    if (subtype == 0x01 && rtt_ping_parse(&rtt, item)) {
        rtt.pong_time = rtt.ping_time; /* our clock is nobody's business */
        rtt_pong_write(out, &rtt);
        return SERVICES_DONE;
    }
    if (subtype == 0x02 && rtt_pong_parse(&rtt, item)) {
        if (services->ping_us == 0 || rtt.sequence != services->ping_sequence)
            return SERVICES_DONE;
        uint64_t took = now_us - services->ping_us;
        services->rtt_us = took < UINT32_MAX ? (uint32_t)took + (took == 0) : UINT32_MAX;
        services->ping_us = 0;
        return SERVICES_DONE;
    }
    return SERVICES_DROPPED;
}

enum services_verdict services_receive(struct services *services, struct bytes item, uint64_t now_us,
                                       struct buffer *out, union services_news *news)
{
    struct item_header header;
    if (!item_header_parse(&header, item))
        return SERVICES_DROPPED;
    if (item.size == sizeof slice_probe && memcmp(item.data, slice_probe, sizeof slice_probe) == 0)
        return SERVICES_DONE; /* no sign of life (§5.3) */
    services->heard_us = now_us;

    switch (header.service) {
    case SERVICE_TURTLE: /* the hot path */
        return services->turtle ? SERVICES_TURTLE : SERVICES_DROPPED;
    case SERVICE_INFO:
        return receive_list(services, item, now_us) ? SERVICES_LIST : SERVICES_DROPPED;
    case SERVICE_DISCOVERY:
        if (!services->discovery)
            return SERVICES_DROPPED;
        return receive_discovery(services, header.subtype, item, now_us, out, news);
    case SERVICE_HEARTBEAT:
        if (!services->heartbeat || !bytes_equal(item, bytes_of(heartbeat_item, sizeof heartbeat_item)))
            return SERVICES_DROPPED;
        services->heartbeat_us = now_us;
        return SERVICES_DONE;
    case SERVICE_RTT:
        return services->rtt ? receive_rtt(services, header.subtype, item, now_us, out) : SERVICES_DROPPED;
    default:
        return SERVICES_DROPPED;
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t silence_ends(const struct services *services)
{
    if (services->limited)
        return services->heard_us + LIMITED_SILENCE;
    uint64_t heartbeat = services->heartbeat_us + HEARTBEAT_SILENCE;
    uint64_t item = services->heard_us + ITEM_SILENCE;
    return heartbeat > item ? heartbeat : item;
}

bool services_silent(const struct services *services, uint64_t now_us)
{
    return now_us > silence_ends(services);
}

uint64_t services_tick(struct services *services, uint64_t now_us, struct buffer *out)
{
    uint64_t next = silence_ends(services) + 1;
    if (services->heartbeat) {
        if (now_us >= services->heartbeat_due_us) {
            buffer_append(out, heartbeat_item, sizeof heartbeat_item);
            services->heartbeat_due_us = now_us + HEARTBEAT_EVERY;
        }
        next = earlier(next, services->heartbeat_due_us);
    } else {
        if (now_us >= services->list_due_us) {
            send_list(services, out);
            if (services->limited && services->discovery)
                services_ask_key(services, out);
            services->list_due_us = now_us + LIST_EVERY;
        }
        next = earlier(next, services->list_due_us);
    }
    if (services->rtt) {
        if (now_us >= services->ping_due_us) {
            /* The time in the ping is for us alone; zero tells the friend nothing. */
            struct rtt ping = {.sequence = ++services->ping_sequence};
            rtt_ping_write(out, &ping);
            services->ping_us = now_us ? now_us : 1;
            services->ping_due_us = now_us + PING_EVERY;
        }
        next = earlier(next, services->ping_due_us);
    }
    return next;
}
