/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_LIVE_CHANNEL_H
#define RETROGATE_WEB_LIVE_CHANNEL_H

#include <libwebsockets.h>

#include "api/api.h"
#include "base/buffer.h"
#include "base/stream.h"
#include "entry.h"
#include "live.h"

/* What the files live*.c share: one WebSocket from its handshake to its end, and what it carries. */

enum {
    CHANNEL_MAGIC = 0x57454243,
    LIVE_LINE_MAX = 16 << 10, /* bytes of an IRC line made valid UTF-8 */
};

/* Close codes, RFC 6455 §7.4 and live.h. */
enum {
    CLOSE_NORMAL = 1000,
    CLOSE_AWAY = 1001,
    CLOSE_KIND = 1003, /* text was wanted, or binary */
    CLOSE_POLICY = 1008,
    CLOSE_TOO_LARGE = 1009,
    CLOSE_LATER = 1013, /* try again later */
    CLOSE_LOGIN = 4401,
    CLOSE_SLOW = 4408,
    CLOSE_MANY = 4429,
};

/* Why nothing is read from a client. */
enum { HOLD_LOGIN = 1, HOLD_API = 2, HOLD_IRC = 4 };

struct live {
    uint32_t magic;
    struct site *site;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct api *api;
    struct channel *channels;
    uv_timer_t timer;
    uint64_t quiet_ms, patience_ms;
    int descriptors; /* those below may be given to libwebsockets */
    bool adopted;    /* libwebsockets made something of the last descriptor it was given */
    bool closing;
    unsigned turns; /* of the loop since libwebsockets was told to end */
    void (*closed)(void *arg);
    void *closed_arg;
    unsigned char line[LWS_PRE + LIVE_LINE_MAX];
};

/* What a channel carries, one for each protocol name. */
struct carrier {
    const char *path, *protocol;
    size_t message_max;
    bool binary;
    void (*begin)(struct channel *channel);
    void (*message)(struct channel *channel, struct bytes message);
    bool (*writable)(struct channel *channel); /* writes what waits; false when all is given to the library */
    void (*end)(struct channel *channel);      /* also of one that did not begin; nothing comes afterwards */
};

/* The texts that wait for a client, in order. */
struct text_queue {
    struct api_text **texts; /* a ring; NULL while nothing waits */
    uint32_t first, count, capacity;
    size_t bytes;
};

/* Small: an aim is 10,000 idle ones. */
struct channel {
    uint32_t magic;
    uint16_t code; /* why it ends; 0: it does not */
    uint8_t holds; /* HOLD_ bits */
    bool up;       /* the handshake is done */
    bool said;     /* the close frame is given to libwebsockets */
    bool ping_due, pinged;
    bool above;       /* more than API_QUEUE_MAX was unsent */
    uint16_t empties; /* pieces without bytes of the message coming in */
    struct live *live;
    struct lws *wsi;
    struct place *place;
    const struct carrier *carrier;
    struct channel *prev, *next;
    uint64_t heard;   /* times are of the loop, in milliseconds */
    uint64_t stuck;   /* since then what is written waits; 0: nothing does */
    uint64_t until;   /* when an end that takes too long is made short */
    struct buffer in; /* a message in pieces */
    struct api_client *client;
    uint64_t ticket; /* of the log-in under way */
    struct text_queue queue;
    size_t in_flight; /* bytes of the last text, while libwebsockets has some of them */
    struct stream *irc;
    char reason[64];
};

extern const struct carrier live_api, live_irc_text, live_irc_binary;
#define LIVE_CARRIERS                                                                                        \
    {                                                                                                        \
        &live_api, &live_irc_text, &live_irc_binary                                                          \
    }

/* Looks at a request; NULL when it was refused and answered. */
const struct carrier *handshake_look(struct lws *wsi, const struct channel *channel);
/* The account and password that the request's cookie names; the caller wipes them. */
bool handshake_entry(struct entry *entry, struct lws *wsi, const struct place *place);

/* Closes with this code when all that waits is written, or with what there is after a while. */
void channel_end(struct channel *channel, unsigned code, const char *reason);
void channel_hold(struct channel *channel, unsigned why, bool on);
/* Gives a frame to libwebsockets, which needs LWS_PRE writable bytes in front of it. */
bool channel_write(struct channel *channel, void *data, size_t size, enum lws_write_protocol kind);
/* Does libwebsockets still hold bytes of an earlier frame? Then no other may be written. */
bool channel_busy(const struct channel *channel);

#endif
