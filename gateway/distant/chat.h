/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_CHAT_H
#define RETROGATE_DISTANT_CHAT_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/source.h"
#include "crypto/classic.h"

/* The chat of one route on the classic wire (protocol 03; 00 decisions 16, 18 to 20; remedies W-C1 to W-C13). Pure: the
 * owner feeds tunnels, packets, commands and time, and takes outputs as values after each call. */
struct chat;

enum chat_role { CHAT_GUEST, CHAT_INVITER };

enum chat_state {
    CHAT_NO_TUNNEL,      /* `no tunnel` */
    CHAT_CONNECTING,     /* a tunnel is there, or a request is out; nothing valid received yet */
    CHAT_CAN_TALK,
    CHAT_CLOSED_BY_PEER,
    CHAT_REFUSED,
    CHAT_EXPIRED,
};
const char *chat_state_word(enum chat_state state); /* "no tunnel", "connecting", "can talk", ... */

struct chat_options {
    enum chat_role role;
    uint8_t hash[20];
    uint8_t key[16];
    uint8_t salt_key[16];       /* of our own salts; from the route */
    uint64_t salt_next;         /* first counter not used: a block boundary read from the store */
    uint64_t salt_block;        /* counters reserved at a time; 0: 1000 */
    int64_t route_created;      /* Unix seconds; texts older than this less a day are refused */
    int64_t not_before;         /* Unix seconds: packets without a line that claim an earlier time are refused after a restart */
    bool send_typing;           /* 00 decision 20 */
    bool ever_confirmed;        /* the route was used before */
};

enum chat_output_kind {
    CHAT_SEND,          /* give `payload` to the router for `tunnel` */
    CHAT_STATE_CHANGED, /* `state`, `reason` */
    CHAT_LINE,          /* `text`, `time`, `salts`: store the line and the salts of all its packets in one transaction */
    CHAT_DELIVERY,      /* own line `line` is now `delivery` */
    CHAT_TYPING,        /* the peer types */
    CHAT_AVATAR,        /* `text` is the image (PNG or JPEG by magic) */
    CHAT_STATE_TEXT,    /* `text`: the peer's state string */
    CHAT_WANT,          /* ask the router for tunnels (guest); again means with `urgent` */
    CHAT_STOP,          /* no more tunnels wanted */
    CHAT_CLOSE_TUNNEL,  /* give `tunnel` up */
    CHAT_CONFIRMED,     /* `tunnel` carried a valid packet (router_confirm); `first` when it is the first ever of this route */
    CHAT_SALTS,         /* store `salt_next`: counters below it are reserved; packets wait until chat_salts_stored() */
    CHAT_REFUSED_PACKET,/* a packet was refused; `reason` (static text) for the log and counters */
};

enum chat_delivery { CHAT_QUEUED, CHAT_SENT, CHAT_NOT_CONFIRMED, CHAT_DELIVERED, CHAT_FAILED };

struct chat_output {
    enum chat_output_kind kind;
    uint64_t tunnel;
    struct bytes payload;
    enum chat_state state;
    const char *reason;     /* static text for a person */
    struct bytes text;      /* UTF-8 or image */
    int64_t time;           /* Unix seconds, the sender's clock */
    const uint64_t *salts;
    size_t salt_count;
    uint64_t line;
    enum chat_delivery delivery;
    uint64_t salt_next;
    bool first;
    bool urgent;
};

enum {
    CHAT_QUEUE_LINES = 1000,          /* own lines waiting per route; more are refused */
    CHAT_QUEUE_BYTES = 1024 * 1024,
    CHAT_LINE_LIMIT = 65536,          /* bytes of UTF-8 in one own line */
    CHAT_REASSEMBLY_LIMIT = 200000,   /* code points, W-C9 */
};

/* `cipher` is shared and outlives the chat. now: monotonic ms; wall: Unix seconds. */
struct chat *chat_new(const struct chat_options *options, struct classic_cipher *cipher,
                      const struct random_source *random, uint64_t now, int64_t wall);
void chat_free(struct chat *chat);
/* A salt of an earlier line, from the store, before the first packet. */
bool chat_add_salt(struct chat *chat, uint64_t salt);
void chat_salts_stored(struct chat *chat, uint64_t salt_next, uint64_t now, int64_t wall);

void chat_open(struct chat *chat, uint64_t now, int64_t wall);   /* a person opened it: want a tunnel now */
void chat_sleep(struct chat *chat, uint64_t now);                /* nobody looks and nothing is queued: stop digging */
void chat_tunnel_up(struct chat *chat, uint64_t tunnel, uint64_t now, int64_t wall);
void chat_tunnel_down(struct chat *chat, uint64_t tunnel, const char *reason, uint64_t now, int64_t wall);
void chat_dug(struct chat *chat, uint32_t reached, uint64_t now); /* a request left: state text "looking for ..." */
void chat_receive(struct chat *chat, uint64_t tunnel, struct bytes payload, uint64_t now, int64_t wall);

/* Queues an own line under the caller's number. It is sent when a confirmed tunnel is there, in order. */
bool chat_say(struct chat *chat, uint64_t line, struct bytes text, uint64_t now, int64_t wall, struct error **error);
bool chat_withdraw(struct chat *chat, uint64_t line); /* only while queued */
void chat_typing(struct chat *chat, uint64_t now, int64_t wall); /* at most every 5 s on the wire; dropped without tunnel */
bool chat_set_avatar(struct chat *chat, struct bytes image, struct error **error); /* empty: none; copied */
bool chat_set_state_text(struct chat *chat, struct bytes text);
void chat_request_avatar(struct chat *chat, uint64_t now, int64_t wall);
/* The person closes: tells the peer (both roles, W-C12), then no tunnel is wanted or used. */
void chat_close(struct chat *chat, uint64_t now, int64_t wall);
void chat_expire(struct chat *chat, enum chat_state state /* refused or expired */, const char *reason);

void chat_tick(struct chat *chat, uint64_t now, int64_t wall); /* keep-alive, reassembly time-out */
uint64_t chat_deadline(const struct chat *chat);
bool chat_next(struct chat *chat, struct chat_output *out);

enum chat_state chat_state(const struct chat *chat, const char **reason);
size_t chat_queued(const struct chat *chat);
size_t chat_tunnels(const struct chat *chat);

#endif
