/* SPDX-License-Identifier: ISC */
#include "sim/graph.h"

enum { NEAR = 64, TRIES = 1000, CLUSTERING_SAMPLE = 2000 };

static bool are_friends(const struct graph *graph, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < graph->nodes[a].friend_count; i++) {
        if (graph->nodes[a].friends[i].friend == b)
            return true;
    }
    return false;
}

static uint32_t candidate(const struct graph *graph, uint32_t node, const struct random_source *random)
{
    uint32_t kind = random_below(random, 8);
    const struct graph_node *self = &graph->nodes[node];
    if (kind < 5 && self->friend_count > 0) {
        uint32_t friend = self->friends[random_below(random, self->friend_count)].friend;
        const struct graph_node *other = &graph->nodes[friend];
        return other->friends[random_below(random, other->friend_count)].friend;
    }
    if (kind < 7)
        return (node + 1 + random_below(random, NEAR)) % graph->count;
    return random_below(random, graph->count);
}

static void befriend(struct graph *graph, uint32_t a, uint32_t b, uint32_t latency_ms)
{
    graph->nodes[a].friends[graph->nodes[a].friend_count++] = (struct friendship){b, latency_ms};
    graph->nodes[b].friends[graph->nodes[b].friend_count++] = (struct friendship){a, latency_ms};
}

struct graph graph_make(uint32_t count, const struct random_source *random)
{
    struct graph graph = {.count = count, .nodes = calloc(count, sizeof *graph.nodes)};
    if (graph.nodes == NULL)
        abort();
    for (uint32_t node = 0; node < count; node++) {
        uint32_t spread = random_below(random, 1024); /* its square: few have many */
        uint32_t wanted = FRIENDS_LEAST + (FRIENDS_MOST - FRIENDS_LEAST) * spread / 1024 * spread / 1024;
        for (uint32_t tries = 0; tries < TRIES && graph.nodes[node].friend_count < wanted; tries++) {
            uint32_t other = candidate(&graph, node, random);
            if (other == node || graph.nodes[other].friend_count >= FRIENDS_MOST ||
                are_friends(&graph, node, other))
                continue;
            befriend(&graph, node, other,
                     LATENCY_LEAST_MS + random_below(random, LATENCY_MOST_MS - LATENCY_LEAST_MS + 1));
        }
    }
    return graph;
}

void graph_free(struct graph *graph)
{
    free(graph->nodes);
}

double graph_friends(const struct graph *graph)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < graph->count; i++)
        sum += graph->nodes[i].friend_count;
    return (double)sum / graph->count;
}

double graph_clustering(const struct graph *graph)
{
    double sum = 0;
    uint32_t sample = graph->count < CLUSTERING_SAMPLE ? graph->count : CLUSTERING_SAMPLE;
    for (uint32_t i = 0; i < sample; i++) {
        const struct graph_node *node = &graph->nodes[(uint64_t)i * graph->count / sample];
        uint32_t pairs = 0;
        uint32_t joined = 0;
        for (uint32_t a = 0; a < node->friend_count; a++) {
            for (uint32_t b = 0; b < a; b++, pairs++)
                joined += are_friends(graph, node->friends[a].friend, node->friends[b].friend);
        }
        sum += pairs == 0 ? 0 : (double)joined / pairs;
    }
    return sum / sample;
}

uint32_t graph_distance(const struct graph *graph, uint32_t from, uint32_t to, uint64_t reach[8])
{
    uint32_t *hops = malloc(graph->count * sizeof *hops);
    uint32_t *line = malloc(graph->count * sizeof *line);
    if (hops == NULL || line == NULL)
        abort();
    memset(hops, 0xff, graph->count * sizeof *hops);
    size_t first = 0;
    size_t last = 0;
    hops[from] = 0;
    line[last++] = from;
    while (first < last) {
        uint32_t at = line[first++];
        if (reach != NULL && hops[at] < 8)
            reach[hops[at]]++;
        for (uint32_t i = 0; i < graph->nodes[at].friend_count; i++) {
            uint32_t friend = graph->nodes[at].friends[i].friend;
            if (hops[friend] == UINT32_MAX) {
                hops[friend] = hops[at] + 1;
                line[last++] = friend;
            }
        }
    }
    uint32_t distance = hops[to];
    free(hops);
    free(line);
    return distance;
}

void graph_connect(const struct graph *graph, struct network *network, enum turtle_generation generation)
{
    for (uint32_t node = 0; node < graph->count; node++) {
        for (uint32_t i = 0; i < graph->nodes[node].friend_count; i++) {
            const struct friendship *friendship = &graph->nodes[node].friends[i];
            if (friendship->friend < node)
                network_connect(network, node, friendship->friend, generation, friendship->latency_ms);
        }
    }
}

void graph_return(const struct graph *graph, struct network *network, uint32_t node,
                  enum turtle_generation generation)
{
    for (uint32_t i = 0; i < graph->nodes[node].friend_count; i++) {
        const struct friendship *friendship = &graph->nodes[node].friends[i];
        if (network->nodes[friendship->friend].router != NULL)
            network_connect(network, node, friendship->friend, generation, friendship->latency_ms);
    }
}
