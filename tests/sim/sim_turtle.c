/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "sim/network.h"

/* Do strangers find each other? Routers on a friend graph; one after the other, random pairs dig. Prints how
 * many were found, after how long, and what it cost the network.
 *
 *     sim_turtle [nodes [pairs [milliseconds between pairs [seed]]]] */

enum {
    FRIENDS_LEAST = 8,
    FRIENDS_MOST = 40,
    NEAR = 64,
    LATENCY_LEAST_MS = 20,
    LATENCY_MOST_MS = 200,
    WAIT_MS = 60000
};

struct pair {
    uint32_t initiator, endpoint;
    uint64_t began, found; /* found 0: not yet */
};

struct search {
    struct pair *pairs;
    size_t count;
    uint64_t requests, answers;
};

static void put_pair(uint8_t hash[TURTLE_HASH_SIZE], uint32_t pair)
{
    memset(hash, 0, TURTLE_HASH_SIZE);
    memcpy(hash, &pair, sizeof pair);
}

static void sent(struct network *network, uint32_t from, uint32_t to, struct bytes item)
{
    (void)from;
    (void)to;
    struct search *search = network->arg;
    search->requests += item.data[3] == TURTLE_OPEN;
    search->answers += item.data[3] == TURTLE_OK;
}

static void told(struct network *network, uint32_t node, const struct router_output *output)
{
    (void)node;
    struct search *search = network->arg;
    if (output->kind != ROUTER_TUNNEL_UP || output->role != ROUTER_INITIATOR)
        return;
    uint32_t pair;
    memcpy(&pair, output->hash, sizeof pair);
    if (search->pairs[pair].found == 0)
        search->pairs[pair].found = network->now;
}

/* Few have many friends: the square of a uniform number. Half of them live near by (in the circle of
 * numbers), so that friends of friends are often friends. */
static void befriend(struct network *network, struct random_source *random)
{
    for (uint32_t node = 0; node < network->count; node++) {
        uint32_t spread = random_below(random, 1024);
        uint32_t wanted = FRIENDS_LEAST + (FRIENDS_MOST - FRIENDS_LEAST) * spread / 1024 * spread / 1024;
        for (uint32_t tries = 0; tries < 1000 && network->nodes[node].link_count < wanted; tries++) {
            uint32_t other = random_below(random, 2) == 0
                                 ? random_below(random, network->count)
                                 : (node + 1 + random_below(random, NEAR)) % network->count;
            if (other == node || network->nodes[other].link_count >= FRIENDS_MOST ||
                network_number(network, node, other) != 0)
                continue;
            uint32_t latency =
                LATENCY_LEAST_MS + random_below(random, LATENCY_MOST_MS - LATENCY_LEAST_MS + 1);
            network_connect(network, node, other, TURTLE_06, latency);
        }
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void report(const struct network *network, const struct search *search)
{
    uint64_t *times = calloc(search->count + 1, sizeof *times);
    if (times == NULL)
        abort();
    size_t found = 0;
    for (size_t i = 0; i < search->count; i++) {
        if (search->pairs[i].found != 0)
            times[found++] = search->pairs[i].found - search->pairs[i].began;
    }
    qsort(times, found, sizeof *times, by_value);
    size_t friends = 0;
    for (uint32_t i = 0; i < network->count; i++)
        friends += network->nodes[i].link_count;
    printf("nodes               %u\n", network->count);
    printf("friends per node    %.1f\n", (double)friends / network->count);
    printf("pairs               %zu\n", search->count);
    printf("found               %.1f %%\n", 100.0 * (double)found / (double)search->count);
    if (found > 0)
        printf("time, ms            median %zu, 95 %%: %zu, most %zu\n", (size_t)times[found / 2],
               (size_t)times[found * 95 / 100], (size_t)times[found - 1]);
    printf("requests per pair   %.0f\n", (double)search->requests / (double)search->count);
    printf("answers per pair    %.1f\n", (double)search->answers / (double)search->count);
    printf("bytes per pair      %.0f\n", (double)network->bytes / (double)search->count);
    printf("items refused       %.2f %%\n", 100.0 * (double)network->refused / (double)(network->items + 1));
    free(times);
}

static uint64_t argument(int count, char **arguments, int position, uint64_t otherwise)
{
    return position < count ? strtoull(arguments[position], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    uint32_t nodes = (uint32_t)argument(argc, argv, 1, 1000);
    struct search search = {.count = (size_t)argument(argc, argv, 2, 50)};
    uint64_t every = argument(argc, argv, 3, 1000);
    uint64_t seed = argument(argc, argv, 4, 1);
    if (nodes < 2 || search.count == 0) {
        fprintf(stderr, "usage: sim_turtle [nodes [pairs [milliseconds between pairs [seed]]]]\n");
        return 2;
    }
    search.pairs = calloc(search.count, sizeof *search.pairs);
    if (search.pairs == NULL)
        return 1;
    struct random_seeded state;
    struct random_source random = random_from_seed(&state, seed);
    struct network network;
    network_init(&network, nodes, seed, NULL);
    network.arg = &search;
    befriend(&network, &random);
    network.sent = sent;
    network.told = told;
    for (uint32_t i = 0; i < search.count; i++) {
        struct pair *pair = &search.pairs[i];
        pair->initiator = random_below(&random, nodes);
        pair->endpoint = (pair->initiator + 1 + random_below(&random, nodes - 1)) % nodes;
        pair->began = network.now;
        uint8_t hash[TURTLE_HASH_SIZE];
        put_pair(hash, i);
        network_serve(&network, pair->endpoint, hash);
        network_dig(&network, pair->initiator, hash);
        network_run(&network, every);
        if (pair->found != 0) { /* or it would dig again when the idle tunnel times out */
            router_stop(network.nodes[pair->initiator].router, hash, network.now);
            network_collect(&network, pair->initiator);
        }
    }
    network_run(&network, WAIT_MS);
    report(&network, &search);
    network_free(&network);
    free(search.pairs);
    return 0;
}
