/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TUNNEL_ROUTER_INTERNAL_H
#define RETROGATE_TUNNEL_ROUTER_INTERNAL_H

#include "base/map.h"
#include "tunnel/id_table.h"
#include "tunnel/outputs.h"
#include "tunnel/pool.h"
#include "tunnel/rate.h"
#include "tunnel/requests.h"
#include "tunnel/router.h"
#include "tunnel/timers.h"
#include "tunnel/tunnels.h"

/* What the files of this room share. Handles are those of the pools; handle 0 is none, or this node itself
 * where a neighbour is meant. */

enum {
    NEIGHBOURS_LIMIT = 65535,
    DEPTH_LIMIT = 6,           /* protocol 02 §6 */
    ANSWERS_PER_NEIGHBOUR = 4, /* of ANSWERS_PER_REQUEST: so that one liar cannot use them all up */
    SEARCHES_REMEMBERED = 120, /* protocol 21 §4 */
    SEARCH_SIZE_LIMIT = 200,
    SEARCH_HITS_FILES = 5000,
    SEARCH_HITS_GENERIC = 100,
    BYTES_PER_HIT = 50,
    REQUEST_BURST = 40, /* per neighbour, W-T1 */
    REQUESTS_PER_SECOND = 20,
    DELAYED_ANSWERS = 4096,
};

/* How long a request is remembered: the longer of both generations (protocol 02 §10: 120 s and 240 s; 21 §4:
 * 600 s). */
enum { REQUEST_MEMORY_MS = 600000 };

/* Until when an answer counts, by the generation of the link it comes on: 0.5 as long as 2013 nodes remember
 * the request, 0.6 for 20 s. Where an answer crosses generations, the longer of both (00 decision 10). */
struct answer_age {
    uint64_t tunnel_ms;
    uint64_t search_ms;
};
extern const struct answer_age answer_ages[2];

struct neighbour {
    uint32_t number; /* the caller's */
    uint32_t handle;
    uint32_t position; /* in router.all */
    uint32_t serial;   /* counts neighbours that came up: a later one was not asked an earlier request */
    enum turtle_generation generation;
    struct bucket requests;
    struct list remembered; /* tunnel requests that came from it */
    struct list searches;
    struct list relayed; /* tunnel sides, least lately used first, to within a minute */
    struct end *ends;    /* tunnels of our own through it */
    size_t end_count;
};

/* One hash that we serve or want, with the tunnels that end here for it (W-T11: each counts for itself). */
struct home {
    uint8_t hash[TURTLE_HASH_SIZE];
    enum router_role role;
    struct end *ends;
    size_t count;
};

/* A tunnel that ends here. */
struct end {
    uint64_t number; /* serial number << END_BITS | handle: fits a JavaScript number */
    struct home *home;
    uint32_t tunnel_id;
    struct neighbour *neighbour;
    uint64_t heard; /* when something last came through it, or when it was made */
    bool confirmed;
    struct end *prev, *next;                     /* of home */
    struct end *neighbour_prev, *neighbour_next; /* of neighbour */
};

enum { END_BITS = 20 };

enum wanted_state { WANTED_RESTING, WANTED_TIMED, WANTED_READY };

struct wanted {
    struct home home; /* first */
    enum wanted_state state;
    enum dig_urgency urgency;
    bool asked;         /* dig although tunnels are there */
    bool newcomer;      /* a neighbour came up since the last tunnel: ask once more soon */
    unsigned fruitless; /* requests since the last tunnel */
    uint32_t variant;   /* goes into the ids of our requests; new after each fruitless one */
    bool dug;
    uint64_t dug_at;
    uint32_t only; /* the next request goes to the neighbour of this serial only; 0: to all */
    struct timer timer;
    struct wanted *prev, *next; /* while ready */
    UT_hash_handle hh;
};

struct served {
    struct home home; /* first */
    bool guessable;
    struct answer_limit *limits;
    struct delayed_answer *delayed;
    UT_hash_handle hh;
};

struct router {
    struct router_options options;
    struct random_source random;
    uint8_t print_key[16];
    uint64_t began;
    struct outputs outputs;

    struct pool neighbours;
    struct id_table neighbour_numbers;
    struct neighbour **all;
    uint32_t all_count, all_capacity;
    uint32_t last_serial;

    struct request_table requests, searches;
    struct tunnel_table tunnels;
    struct pool ends;
    uint64_t last_end;
    struct wanted *wanted;
    struct served *served;

    struct request_flow flow;
    struct bucket budget;
    struct wanted *ready[DIG_PRESENCE + 1];
    struct timers digs;
    struct timers delayed;
    size_t delayed_count;
    uint64_t next_cleaning;

    struct router_stats stats;
};

/* router.c: a keyed print (W-T5). `value` goes out in ids; `bits` decides and stays here. */
enum print_use { PRINT_OWN, PRINT_RELAY, PRINT_END, PRINT_SEARCH, PRINT_COIN };
struct print {
    uint32_t value;
    uint32_t bits;
};
struct print router_print(const struct router *router, enum print_use use,
                          const uint8_t hash[TURTLE_HASH_SIZE], uint32_t seed);
/* `base` +-20 % (W-T8). */
uint64_t router_jitter(const struct router *router, uint64_t base);

/* neighbours.c */
struct neighbour *neighbour_at(const struct router *router, uint32_t handle);
struct neighbour *neighbour_find(const struct router *router, uint32_t number); /* NULL: not up */
/* Was this request sent to this neighbour? The answer is computed again, not stored: the same function
 * decides to send. */
bool neighbour_reached(const struct router *router, const struct neighbour *neighbour,
                       const struct request *request);
/* Whose entries go first when a table is full (W-T1): the neighbour that holds most of what `count` counts.
 */
struct neighbour *neighbour_fullest(const struct router *router, struct list *(*of)(struct neighbour *));
void neighbours_free(struct router *router);

/* open.c: open-tunnel requests and their answers */
const char *open_receive(struct router *router, struct neighbour *from, struct bytes item, uint64_t now);
const char *ok_receive(struct router *router, struct neighbour *from, struct bytes item, uint64_t now);
/* Sends to everybody that `request` reaches; returns to how many. */
uint32_t open_send(struct router *router, const struct request *request, const struct turtle_open *open);
bool ok_send(struct router *router, const struct neighbour *to, const struct turtle_ok *ok);
/* Whether an answer that comes from there now is late. */
bool answer_late(const struct request *request, const struct neighbour *from, bool search, uint64_t now);

/* relay.c: items inside tunnels */
const char *relay_receive(struct router *router, struct neighbour *from, struct bytes item, uint64_t now);

/* search.c */
const char *search_receive(struct router *router, struct neighbour *from, struct bytes item, uint64_t now);

/* ends.c: tunnels that end here */
/* Makes a tunnel that ends here; NULL when a limit refuses it. Tells nobody yet: end_announce(). */
struct end *end_add(struct router *router, struct home *home, struct neighbour *neighbour, uint32_t tunnel_id,
                    uint32_t request, uint64_t now);
void end_announce(struct router *router, const struct end *end);
void end_remove(struct router *router, struct end *end, const char *reason, uint64_t now);
void home_close(struct router *router, struct home *home, const char *reason);
struct end *end_at(const struct router *router, uint32_t handle);

/* serve.c: requests for what we serve */
/* True when we answer, now or later: then the request goes no further. */
bool serve_consider(struct router *router, struct neighbour *from, const struct turtle_open *open,
                    uint64_t now);
void serve_confirmed(const struct end *end);
void serve_forget_neighbour(struct router *router, uint32_t number);
void serve_tick(struct router *router, uint64_t now);
void served_free_all(struct router *router);

/* dig.c: requests of our own */
void dig_found(struct router *router, struct wanted *wanted);
/* The last tunnel is gone: ask again, with the next dig_tick(); `spaced`: not within seconds of the last
 * time. */
void dig_lost(struct router *router, struct wanted *wanted, bool spaced, uint64_t now);
void dig_neighbour_up(struct router *router, const struct neighbour *neighbour, uint64_t now);
void dig_tick(struct router *router, uint64_t now);
uint64_t dig_deadline(const struct router *router);
void wanted_free_all(struct router *router);

#endif
