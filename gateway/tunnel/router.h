/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TUNNEL_ROUTER_H
#define RETROGATE_TUNNEL_ROUTER_H

#include "base/bytes.h"
#include "base/source.h"
#include "wire/turtle.h"

/* The turtle router (protocol 02, 21; 00 decisions 10 to 13; remedies W-T1 to W-T11): finds and keeps
 * tunnels, relays other people's. Pure: items and time come in, outputs come out as values. `now` is
 * monotonic milliseconds and never goes back. After each call the caller takes all outputs with
 * router_next(); views in them live until the next call (a relayed item and a payload are views of the item
 * that was received). Outputs not yet taken survive the next call; their views of a received item only live
 * as long as that item.
 *
 * A relayed tunnel takes 79 to 121 bytes, a remembered request 99 to 109. */
struct router;

struct router_options {
    uint32_t forward_per_second;  /* tunnel requests forwarded, 10..100; 0: 20 */
    uint32_t dig_per_second;      /* own requests; 0: 1 */
    uint32_t dig_burst;           /* 0: 20 */
    size_t request_limit;         /* remembered request ids; 0: 65536 */
    size_t tunnel_limit;          /* 0: 1048576 */
    size_t tunnels_per_neighbour; /* relayed; 0: 65536 */
    size_t own_per_hash;          /* 0: 8 */
    size_t own_per_neighbour;     /* tunnels that end here; 0: 4096 */
    bool legacy_relay;            /* tunnels of others may cross between 0.5 and 0.6 links (00 decision 10) */
};

/* Why a request of our own is sent: the order in which the budget is spent (00 decision 13). */
enum dig_urgency { DIG_PERSON, DIG_WAITING, DIG_RETURNED, DIG_PRESENCE };

enum router_role { ROUTER_INITIATOR, ROUTER_ENDPOINT };

enum router_output_kind {
    ROUTER_SEND,        /* give `item` to `neighbour` at `priority` */
    ROUTER_TUNNEL_UP,   /* `tunnel` for `hash` exists; `role` is ours */
    ROUTER_TUNNEL_DOWN, /* it is gone; `reason` */
    ROUTER_DATA,        /* `payload` came through our `tunnel` for `hash` */
    ROUTER_DUG,         /* a request for `hash` has left to `reached` neighbours */
};

struct router_output {
    enum router_output_kind kind;
    uint32_t neighbour;
    uint8_t priority;
    struct bytes item;  /* SEND */
    uint64_t tunnel;    /* our own number for a tunnel that ends here; never reused in a run */
    uint32_t tunnel_id; /* its id on the wire, for display */
    uint8_t hash[TURTLE_HASH_SIZE];
    enum router_role role;
    struct bytes payload; /* DATA */
    bool fast;            /* DATA: came as 0x16 */
    const char *reason;   /* DOWN: static text */
    uint32_t reached;     /* DUG */
};

/* `options` NULL: all defaults; values out of range are drawn to the nearest limit. The source is copied, its
 * state must outlive the router. NULL without memory. */
struct router *router_new(const struct router_options *options, const struct random_source *random,
                          uint64_t now);
void router_free(struct router *router); /* NULL is fine; tells nobody */

/* A friend with the turtle service is connected. `neighbour` is any number but 0; one that is up already goes
 * down first. What we want and have not is dug: at all neighbours, or, if that was done within 50 s, at this
 * one; and once more, at all, about 15 s later. */
void router_neighbour_up(struct router *router, uint32_t neighbour, enum turtle_generation generation,
                         uint64_t now);
/* Its tunnels are closed at once, and where we lost the last one to a hash, we dig (W-T10). */
void router_neighbour_down(struct router *router, uint32_t neighbour, uint64_t now);

/* One whole turtle item from a neighbour, of any bytes. Returns NULL, or a static text saying why it was
 * refused; then there is no output. What is dropped without anybody's fault (a request that came by two ways,
 * or is deep enough) is not refused. */
const char *router_receive(struct router *router, uint32_t neighbour, struct bytes item, uint64_t now);

/* We answer tunnel requests for this hash from now on. `guessable`: a stranger can compute it, so W-T7
 * applies: answers are delayed by 0.2 to 2 s, one in 20 s and ten in an hour for each neighbour; those of
 * confirmed tunnels do not count. Calling it again changes `guessable`. False without memory. */
bool router_serve(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], bool guessable);
/* Closes its tunnels. */
void router_unserve(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], uint64_t now);

/* We want tunnels to this hash until router_stop(). The first request leaves inside this call, if a neighbour
 * is up and the budget allows; while there is no tunnel, again with back-off (50 s to 1 h, 20 % jitter;
 * sooner when a neighbour came up or the last tunnel was lost). Calling it again raises the urgency, resets
 * the back-off and digs, also while there are tunnels, but not within 5 s of the last request. The urgency
 * falls to DIG_PRESENCE when a tunnel is found. False without memory. */
bool router_dig(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], enum dig_urgency urgency,
                uint64_t now);
/* Closes its tunnels. */
void router_stop(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], uint64_t now);

/* Sends a payload through a tunnel that ends here, as 0x0a. False when the tunnel is gone, the payload is
 * over ITEM_SIZE_MAX - TURTLE_DATA_OVERHEAD bytes, or memory is out. */
bool router_send(struct router *router, uint64_t tunnel, struct bytes payload, uint64_t now);
/* A valid packet came through: the tunnel no longer counts against the W-T7 limits, and does not give way to
 * new tunnels of its hash (own_per_hash) unless it is quiet for 20 s. */
void router_confirm(struct router *router, uint64_t tunnel);
/* Gives one tunnel up. If it was the last to a hash that we want, we dig, but not within 5 s of the last
 * request. */
void router_close(struct router *router, uint64_t tunnel, uint64_t now);

/* Does what is due; router_deadline() says when next (UINT64_MAX: nothing is planned). A late tick costs
 * nothing but lateness. */
void router_tick(struct router *router, uint64_t now);
uint64_t router_deadline(const struct router *router);

/* Takes the next output; false when there is none. */
bool router_next(struct router *router, struct router_output *out);

struct router_stats {
    size_t neighbours, tunnels_relayed, tunnels_own, requests, served, wanted;
    uint64_t items_in, items_forwarded, items_refused, bytes_forwarded;
    uint64_t requests_in, requests_forwarded, requests_limited, answers_refused, digs;
    uint64_t outputs_lost; /* too many at a time, or no memory */
};
/* Counts since router_new(), and what there is now. */
void router_stats(const struct router *router, struct router_stats *out);

/* Every tunnel, for display: fn is called once each; role -1 for relayed ones. */
struct router_tunnel {
    uint32_t tunnel_id;
    int role;
    uint32_t towards_initiator, towards_endpoint; /* neighbours; 0: we are that end */
    uint64_t bytes, idle_ms, age_ms;
};
void router_each_tunnel(const struct router *router, uint64_t now,
                        void (*fn)(void *arg, const struct router_tunnel *tunnel), void *arg);
/* Those that end here, of one hash that we want (initiator) or serve (endpoint). */
void router_each_tunnel_of(const struct router *router, const uint8_t hash[TURTLE_HASH_SIZE],
                           enum router_role role, uint64_t now,
                           void (*fn)(void *arg, const struct router_tunnel *tunnel), void *arg);

#endif
