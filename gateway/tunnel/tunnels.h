/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TUNNEL_TUNNELS_H
#define RETROGATE_TUNNEL_TUNNELS_H

#include "tunnel/id_table.h"
#include "tunnel/pool.h"

/* All tunnels through this node, by id. What every item needs stands in the cell of the id table, so that
 * relaying costs one cache miss however many tunnels there are: 43 to 85 bytes a tunnel, and 36 in a record
 * for the rest. A tunnel idle for a minute goes away (protocol 02 §10) within the next second: tunnels stand
 * in a wheel by the second in which they were due when last looked at, so that data only writes a time stamp
 * and nothing is ever scanned. */
struct router;
struct neighbour;

enum { TUNNEL_IDLE_MS = 60000, WHEEL_SLOTS = 64 /* > TUNNEL_IDLE_MS / 1000 + 1 */ };

enum tunnel_side { TOWARDS_INITIATOR, TOWARDS_ENDPOINT };

struct tunnel {
    struct id_cell cell;   /* first: the id, and the handle of the record */
    uint16_t neighbour[2]; /* by enum tunnel_side; 0: we are that end */
    uint32_t end;          /* of ours, when it ends here; 0: relayed */
    uint64_t used;
    uint64_t bytes;
};
_Static_assert(sizeof(struct tunnel) == 32, "half a cache line");

struct tunnel_record {
    uint32_t id;
    uint32_t request;      /* the last one that was answered with this id */
    uint32_t created : 26; /* seconds since the router began */
    uint32_t slot : 6;
    struct links wheel;
    struct links sides[2]; /* in the neighbours' `relayed`, whose nodes are handle << 1 | side */
};

struct tunnel_table {
    struct id_table ids;
    struct pool records;
    struct list wheel[WHEEL_SLOTS];
    uint64_t occupied; /* bit n: wheel[n] is not empty */
    uint64_t second;   /* slots before this one are done */
    uint32_t per_neighbour;
    uint32_t own;
};

void tunnel_table_init(struct tunnel_table *table, const uint64_t key[2], size_t limit, size_t per_neighbour,
                       uint64_t now);
void tunnel_table_free(struct tunnel_table *table);

/* NULL: unknown. A tunnel moves with every tunnel_add() and tunnel_remove(). */
static inline struct tunnel *tunnel_find(const struct tunnel_table *table, uint32_t id)
{
    return (struct tunnel *)id_table_cell(&table->ids, id);
}

static inline struct tunnel_record *tunnel_record(const struct tunnel_table *table,
                                                  const struct tunnel *tunnel)
{
    return pool_at(&table->records, tunnel->cell.handle);
}

/* A tunnel with an id that is free. `end` 0: relayed between two neighbours; else one of them is NULL. A
 * neighbour that has its share loses the relayed tunnel it used least lately, a full table that of the
 * neighbour with most (W-T1, W-T2). NULL: refused, or no memory. */
struct tunnel *tunnel_add(struct router *router, uint32_t id, struct neighbour *towards_initiator,
                          struct neighbour *towards_endpoint, uint32_t end, uint64_t now);
void tunnel_remove(struct router *router, struct tunnel *tunnel);
/* Closes what is idle, looking at `most` tunnels at most; true when nothing is left to look at. */
bool tunnels_expire(struct router *router, size_t most, uint64_t now);
uint64_t tunnels_deadline(const struct tunnel_table *table);
void tunnels_neighbour_gone(struct router *router, struct neighbour *neighbour); /* relayed ones only */

#endif
