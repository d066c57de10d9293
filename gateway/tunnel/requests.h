/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TUNNEL_REQUESTS_H
#define RETROGATE_TUNNEL_REQUESTS_H

#include "tunnel/id_table.h"
#include "tunnel/pool.h"

/* Requests seen lately, by id: the only thing that stops loops, and the way back for answers. One table for
 * tunnel requests, one for searches. Bounded: see request_add(). */
struct wanted;
struct neighbour;
struct router;

enum { ANSWERS_PER_REQUEST = 8 }; /* W-T2 */

#define GENERATION_BIT(generation) ((uint8_t)(1U << (generation)))
#define BOTH_GENERATIONS           ((uint8_t)3)

struct request {
    uint32_t id;
    uint32_t origin; /* neighbour; 0: this node, or it went down */
    uint64_t at;
    struct wanted *wanted; /* of our own; NULL: no longer wanted */
    /* Whom it was sent to, see neighbour_reached(): */
    uint32_t chance;                 /* of 2^32 - 1 */
    uint32_t serial_from, serial_to; /* of the neighbours */
    bool own;
    uint8_t generations; /* GENERATION_BIT()s; 0: it went nowhere */
    uint8_t origin_generation;
    uint8_t answers;
    uint32_t hits; /* search results passed back */
    uint32_t answered_by[ANSWERS_PER_REQUEST];
    struct links order;     /* oldest first */
    struct links by_origin; /* in the list of the origin, of this node, or of those gone */
};

struct request_table {
    struct id_table ids;
    struct pool pool;
    struct list order;
    struct list own;
    struct list gone; /* the origin went down: kept against loops, first to be evicted */
    struct list *(*list_of)(struct neighbour *); /* where a neighbour keeps its share */
    bool refuse_fullest; /* a full table refuses who holds most of it, instead of forgetting that one's oldest
                          */
};

void request_table_init(struct request_table *table, const uint64_t key[2], size_t limit,
                        struct list *(*list_of)(struct neighbour *), bool refuse_fullest);
void request_table_free(struct request_table *table);

struct request *request_find(const struct request_table *table, uint32_t id); /* NULL: not remembered */
/* Remembers a request that is not remembered; `origin` NULL: our own. When the table is full, the oldest
 * entry of the neighbour with most entries goes (W-T1). NULL: refused, or no memory. */
struct request *request_add(struct router *router, struct request_table *table, uint32_t id,
                            struct neighbour *origin, uint64_t now);
/* Forgets what is older than REQUEST_MEMORY_MS, at most `most` of them; true when none is left to forget. */
bool requests_expire(struct router *router, struct request_table *table, size_t most, uint64_t now);
uint64_t requests_deadline(const struct request_table *table);
void requests_neighbour_gone(struct request_table *table, struct neighbour *neighbour);
void requests_unwanted(struct request_table *table, const struct wanted *wanted);

#endif
