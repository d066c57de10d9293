/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_FRIENDS_H
#define RETROGATE_FRIEND_FRIENDS_H

#include <uv.h>

#include "base/error.h"
#include "base/source.h"
#include "keyring/keyring.h"
#include "wire/certificate.h"

/* All friend links of the node (protocol 11, 00 decisions 5 to 7): listeners, connecting with back-off and
 * jitter, TLS with the certificate check, service handshake, discovery, heartbeat, slices, output queues. It
 * keeps no file: what must outlive the process goes out by the events and comes back with friends_add(). */
struct friends;

struct friends_identity {
    struct bytes certificate; /* DER */
    struct bytes private_key; /* PKCS#8 DER */
    struct bytes key_block;   /* the node key's portable block, given to friends who ask */
    uint8_t fingerprint[20];  /* of the node key */
    uint8_t location[16];
    const char *location_name;
};

struct friends_options {
    size_t listen_count;
    struct sockaddr_storage listen[8];
    size_t announce_count; /* our own addresses, told in the contact item and in our texts */
    struct sockaddr_storage announce[8];
    const char *dns;                     /* told as dyndns name, or NULL */
    const char *version;                 /* shown to friends */
    size_t queue_limit;                  /* bytes waiting per friend; 0: 4 MiB */
    uint64_t retry_min_ms, retry_max_ms; /* back-off of connecting; 0: 2 s and 300 s */
    const char *proxy; /* SOCKS5 for hidden friends, "address:port", numbers; NULL: they are not dialled */
};

/* What is known of a friend. Kept by the caller; the room has its own copy. */
struct friend_record {
    uint8_t location[16];
    uint8_t fingerprint[20];
    char name[128];
    struct bytes key_block; /* empty: known by short invite only, key not yet come */
    bool verified;          /* the certificate's signature was checked with the key */
    uint8_t pinned[32];     /* SHA-256 of the certificate that was; zeros: none */
    size_t address_count;
    /* Tried in this order. What discovery tells comes behind; it never displaces the first eight. */
    struct sockaddr_storage addresses[16];
    char dns[256];
    uint16_t dns_port;
    char hidden[256]; /* never dialled directly */
    uint16_t hidden_port;
    int64_t last_seen_ms; /* wall clock; 0: never */
};

enum friend_state {
    FRIEND_OFFLINE,
    FRIEND_CONNECTING,
    FRIEND_HANDSHAKE, /* TLS is up, services not yet exchanged */
    FRIEND_LIMITED,   /* key not yet come: only services 0x0020 and 0x0011 */
    FRIEND_UP,
};

struct friend_status {
    enum friend_state state;
    char reason[128];   /* why it is so, for a person */
    uint32_t neighbour; /* its number for the router; 0 while no turtle items go through; never reused */
    bool turtle;        /* both lists name the service */
    struct sockaddr_storage address;
    bool incoming;
    uint64_t since_ms; /* monotonic */
    uint64_t bytes_in, bytes_out, items_in, items_out, items_dropped;
    size_t queued;
    uint32_t rtt_us;
    char version[64], location_name[128];
    uint64_t next_try_ms; /* monotonic; 0 when none is planned */
    unsigned failures;
};

/* Somebody who showed a certificate that is not a friend's (00 decision 6). At most 64, forgotten after 7
 * days. */
struct friend_attempt {
    uint8_t location[16];
    char issuer[17]; /* PGP id that the certificate claims */
    struct sockaddr_storage address;
    char reason[64];
    int64_t first_ms, last_ms; /* wall clock */
    unsigned count;
};

/* Every function of this header may be called inside an event. */
struct friends_events {
    /* The link carries turtle items from now on, under a neighbour number never used before. */
    void (*up)(void *arg, uint32_t neighbour, const uint8_t location[16]);
    void (*down)(void *arg, uint32_t neighbour, const uint8_t location[16], const char *reason);
    /* One whole turtle item, valid during the call; only between up and down. */
    void (*item)(void *arg, uint32_t neighbour, struct bytes item);
    /* All items that one read brought were delivered: send what they caused. */
    void (*batch_end)(void *arg);
    /* The record changed (key arrived and was checked, certificate pinned, addresses, last seen): keep it. */
    void (*changed)(void *arg, const struct friend_record *record);
    /* State of a link changed; friends_status() tells the rest. */
    void (*state)(void *arg, const uint8_t location[16]);
    void (*attempt)(void *arg, const struct friend_attempt *attempt);
};

struct friends *friends_open(uv_loop_t *loop, const struct friends_identity *identity,
                             const struct friends_options *options, struct keyring *keyring,
                             const struct friends_events *events, void *arg, struct error **error);
/* Closes every link after sending what is queued (at most 2 s), then calls `closed`. */
void friends_close(struct friends *friends, void (*closed)(void *arg), void *arg);

/* Copies the record and dials. ERROR_EXISTS when the location is a friend already. */
bool friends_add(struct friends *friends, const struct friend_record *record, struct error **error);
/* Replaces the record. A link that the new one would not have let in as it stands (another key, pin or hidden
 * address) ends. ERROR_NOT_FOUND when the location is no friend. */
bool friends_update(struct friends *friends, const struct friend_record *record, struct error **error);
void friends_remove(struct friends *friends, const uint8_t location[16]);
bool friends_status(const struct friends *friends, const uint8_t location[16], struct friend_status *out);
size_t friends_count(const struct friends *friends, size_t *up);
size_t friends_attempts(const struct friends *friends, struct friend_attempt *out, size_t max);
/* Try now, for example because a person asked. */
void friends_connect_now(struct friends *friends, const uint8_t location[16]);

/* Queues one whole item for a neighbour at a priority (protocol 01 §5, 0..9, higher leaves earlier). Copies.
 * False when the neighbour is gone or its queue has no room for that priority (friend/queue.h): the item is
 * dropped and counted. */
bool friends_send(struct friends *friends, uint32_t neighbour, unsigned priority, struct bytes item);

/* The real addresses of our listeners (ports filled in). */
size_t friends_listening(const struct friends *friends, struct sockaddr_storage *out, size_t max);
/* A new location name: in our texts at once, for friends with the next link to each. */
void friends_set_name(struct friends *friends, const char *location_name);
/* Our own texts, for others. */
bool friends_own_text(const struct friends *friends, struct buffer *out, bool short_invite);

/* From a parsed text to a record (addresses in the order of protocol 11 §3.2). The fingerprint of a full text
 * is that of its key, and must be the text's, if it has one. The record's key block is a view into the text.
 */
bool friend_record_from_text(struct friend_record *out, const struct friend_text *text, struct error **error);

#endif
