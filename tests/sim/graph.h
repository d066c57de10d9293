/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_SIM_GRAPH_H
#define RETROGATE_SIM_GRAPH_H

#include "sim/network.h"

/* Who is whose friend. 8 to 40 friends each, few with many; of eight friendships five are made with a
 * friend's friend, two near by (a community), one with anybody. */
enum { FRIENDS_LEAST = 8, FRIENDS_MOST = 40, LATENCY_LEAST_MS = 20, LATENCY_MOST_MS = 200 };

struct friendship {
    uint32_t friend;
    uint32_t latency_ms;
};

struct graph {
    uint32_t count;
    struct graph_node {
        uint32_t friend_count;
        struct friendship friends[FRIENDS_MOST];
    } * nodes;
};

struct graph graph_make(uint32_t count, const struct random_source *random);
void graph_free(struct graph *graph);
double graph_friends(const struct graph *graph);    /* the mean */
double graph_clustering(const struct graph *graph); /* the share of pairs of friends who are friends, mean */
/* Hops between two; UINT32_MAX: no way. `reach[n]` (may be NULL) is raised for each node n hops from `from`,
 * n < 8. */
uint32_t graph_distance(const struct graph *graph, uint32_t from, uint32_t to, uint64_t reach[8]);

/* All friends connect. */
void graph_connect(const struct graph *graph, struct network *network, enum turtle_generation generation);
/* A node that was switched on connects to those of its friends who are on. */
void graph_return(const struct graph *graph, struct network *network, uint32_t node,
                  enum turtle_generation generation);

#endif
