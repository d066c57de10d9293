/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_SIM_MEASURE_H
#define RETROGATE_SIM_MEASURE_H

#include "sim/graph.h"

/* What the simulations share: settings on the command line as name=value, lists of times, counts of what goes
 * over the links, and the result as one line of JSON. */
struct setting {
    const char *name; /* NULL ends a list */
    uint64_t value;
    const char *meaning;
};

/* Ends the program on a name that is not in the list. */
void settings_read(struct setting *settings, int argc, char **argv);
uint64_t setting(const struct setting *settings, const char *name);

struct times {
    uint64_t *list;
    size_t count;
};
void times_add(struct times *times, uint64_t time);
uint64_t times_at(struct times *times, unsigned percent); /* 0 when there are none */
void times_free(struct times *times);

struct counts {
    uint64_t requests, answers, data, bytes;
};
void counts_item(struct counts *counts, struct bytes item);

/* A friend network of the linked rules on a graph of its own, and two sources of chance: one for what is
 * asked of the network, which is the same for all rules, and one for the graph. */
struct world {
    struct graph graph;
    struct network network;
    struct random_seeded graph_state, plan_state;
    struct random_source plan;
    enum turtle_generation generation;
};
/* Of the settings nodes, seed and wire (5 or 6; 0: that of the rules). */
void world_begin(struct world *world, const struct setting *settings);
void world_end(struct world *world);
uint32_t world_node(struct world *world); /* any */
/* A hash of its own for each kind and number. */
void hash_of(uint8_t hash[TURTLE_HASH_SIZE], char kind, uint32_t number);
bool hash_is(const uint8_t hash[TURTLE_HASH_SIZE], char kind, uint32_t *number);

void result_begin(const char *simulation, const struct setting *settings);
void result_number(const char *name, double value);
void result_times(const char *name, struct times *times); /* name_median, name_95 in seconds, name_count */
void result_counts(const char *name, const struct counts *counts, uint32_t nodes, uint64_t ms);
void result_list(const char *name, const double *values, size_t count);
void result_end(void); /* with memory and processor time */

#endif
