/* SPDX-License-Identifier: ISC */
#include "sim/measure.h"

/* Do strangers find each other? Random pairs look for each other, one after the other, while others search
 * too: `load` requests a minute in the whole network that nobody answers, and `absent` nodes in a hundred
 * that each want somebody who is not there, with the persistence of the rules. A pair is found when the first
 * item of the endpoint, which it sends as soon as there is a tunnel, is with the initiator. */
enum {
    FIRST_MS = 30000 /* no rules ask again before */,
    LOAD_STOPS_MS = 30000,
    FOUND_STEPS = 61,
    ATTACK_MS = 100,
    ATTACKER_FRIENDS = 24
};

enum what { START_PAIR, STOP_PAIR, GREET, LOAD, LOAD_STOP, ABSENT, ATTACK, MEASURE };

static struct setting settings[] = {
    {"nodes", 1000, "in the network"},
    {"pairs", 100, "that look for each other"},
    {"every", 1000, "ms between pairs"},
    {"wait", 300, "seconds that a pair looks, at most"},
    {"last", 300, "seconds after the last pair"},
    {"load", 0, "other requests a minute, in the whole network"},
    {"absent", 0, "in 100 nodes that want one who is not there"},
    {"warm", 0, "seconds before the first pair"},
    {"flood", 0, "requests a second that the attacker sends to each of its friends"},
    {"lies", 0, "false answers of the attacker to each request"},
    {"wire", 0, "generation of the items, 5 or 6; 0: that of the rules"},
    {"seed", 1, ""},
    {0},
};

struct pair {
    uint32_t initiator, endpoint;
    uint64_t began, found; /* found 0: not yet */
    bool stopped;
};

struct greeting {
    uint32_t node;
    uint64_t tunnel;
};

static struct {
    struct world world;
    struct pair *pairs;
    struct greeting *greetings;
    size_t greeting_count;
    uint32_t *loads; /* who asked */
    uint32_t load_count;
    uint64_t load_rest; /* microseconds */
    uint64_t pair_count, began;
    uint32_t attacker;
    uint64_t tunnels;     /* that initiators were told of */
    struct counts counts; /* without the attacker's */
} state;

static uint64_t plan(enum what what, uint64_t number)
{
    return (uint64_t)what << 32 | number;
}

static void sent(struct network *network, uint32_t from, uint32_t to, struct bytes item)
{
    (void)network;
    (void)to;
    if (from != state.attacker)
        counts_item(&state.counts, item);
}

static void told(struct network *network, uint32_t node, const struct router_output *output)
{
    uint32_t number;
    if (!hash_is(output->hash, 'p', &number))
        return;
    struct pair *pair = &state.pairs[number];
    if (output->kind == ROUTER_TUNNEL_UP && output->role == ROUTER_ENDPOINT) {
        state.greetings = network_grow(state.greetings, state.greeting_count, sizeof *state.greetings);
        state.greetings[state.greeting_count] = (struct greeting){node, output->tunnel};
        network_alarm(network, 0, plan(GREET, state.greeting_count++));
    }
    state.tunnels += output->kind == ROUTER_TUNNEL_UP && output->role == ROUTER_INITIATOR;
    if (output->kind == ROUTER_DATA && output->role == ROUTER_INITIATOR && pair->found == 0 &&
        !pair->stopped) {
        pair->found = network->now;
        network_alarm(network, 0, plan(STOP_PAIR, number));
    }
}

static void start_pair(struct network *network, uint32_t number)
{
    struct pair *pair = &state.pairs[number];
    uint8_t hash[TURTLE_HASH_SIZE];
    hash_of(hash, 'p', number);
    pair->began = network->now;
    network_serve(network, pair->endpoint, hash);
    network_dig(network, pair->initiator, hash);
    network_alarm(network, setting(settings, "wait") * 1000, plan(STOP_PAIR, number));
}

static void stop_pair(struct network *network, uint32_t number)
{
    struct pair *pair = &state.pairs[number];
    uint8_t hash[TURTLE_HASH_SIZE];
    hash_of(hash, 'p', number);
    if (!pair->stopped)
        network_stop(network, pair->initiator, hash);
    pair->stopped = true;
}

static void load(struct network *network)
{
    uint32_t number = state.load_count++;
    state.loads = network_grow(state.loads, number, sizeof *state.loads);
    do {
        state.loads[number] = world_node(&state.world);
    } while (state.loads[number] == state.attacker);
    uint8_t hash[TURTLE_HASH_SIZE];
    hash_of(hash, 'l', number);
    network_dig(network, state.loads[number], hash);
    network_alarm(network, LOAD_STOPS_MS, plan(LOAD_STOP, number));
    uint64_t between = 60000000 / setting(settings, "load"); /* microseconds */
    uint64_t wait = random_below(&state.world.plan, (uint32_t)(2 * between)) + state.load_rest;
    state.load_rest = wait % 1000;
    network_alarm(network, wait / 1000, plan(LOAD, 0));
}

static void send_written(struct network *network, const struct network_link *link,
                         const struct buffer *buffer)
{
    network_send(network, state.attacker, link, buffer_view(buffer));
}

/* It begins slowly: the rules of 2013 measure every two seconds, and what comes before they notice would fill
 * any memory. */
static void attack(struct network *network)
{
    const struct network_node *node = &network->nodes[state.attacker];
    uint64_t ramp = setting(settings, "warm") * 1000 + 1;
    uint64_t since = network->now - state.began;
    uint64_t flood = setting(settings, "flood") * (since < ramp ? since : ramp) / ramp;
    for (uint32_t i = 0; i < node->link_count; i++) {
        for (uint64_t n = 0; n < flood * ATTACK_MS / 1000; n++) {
            struct turtle_open open = {
                .request = random_u32(&node->random), .partial = random_u32(&node->random), .depth = 1};
            node->random.fill(node->random.state, open.hash, sizeof open.hash);
            open.hash[0] = 'f';
            struct buffer buffer = buffer_make(256);
            if (!turtle_open_write(&buffer, &open, state.world.generation))
                abort();
            send_written(network, &node->links[i], &buffer);
            buffer_free(&buffer);
        }
    }
    network_alarm(network, ATTACK_MS, plan(ATTACK, 0));
}

static void lie(struct network *network, uint32_t node, const struct network_link *from, struct bytes item)
{
    struct turtle_open open;
    if (item.data[3] != TURTLE_OPEN || !turtle_open_parse(&open, item, state.world.generation))
        return;
    for (uint64_t n = 0; n < setting(settings, "lies"); n++) {
        struct turtle_ok ok = {.tunnel = random_u32(&network->nodes[node].random), .request = open.request};
        struct buffer buffer = buffer_make(64);
        if (!turtle_ok_write(&buffer, &ok))
            abort();
        send_written(network, from, &buffer);
        buffer_free(&buffer);
    }
}

static void alarm(struct network *network, uint64_t user)
{
    uint32_t number = (uint32_t)user;
    uint8_t hash[TURTLE_HASH_SIZE];
    switch ((enum what)(user >> 32)) {
    case START_PAIR:
        start_pair(network, number);
        break;
    case STOP_PAIR:
        stop_pair(network, number);
        break;
    case GREET:
        network_say(network, state.greetings[number].node, state.greetings[number].tunnel,
                    (struct bytes){(const uint8_t *)"hello", 5});
        break;
    case LOAD:
        load(network);
        break;
    case LOAD_STOP:
        hash_of(hash, 'l', number);
        network_stop(network, state.loads[number], hash);
        break;
    case ABSENT:
        hash_of(hash, 'a', number);
        network_dig(network, number, hash);
        break;
    case ATTACK:
        attack(network);
        break;
    case MEASURE:
        state.counts = (struct counts){0};
        break;
    }
}

/* Chosen in any case, so that with an attack and without the same pairs look for each other. */
static void choose_attacker(struct network *network)
{
    while (state.world.graph.nodes[state.attacker].friend_count < ATTACKER_FRIENDS)
        state.attacker++;
    if (setting(settings, "flood") + setting(settings, "lies") == 0) {
        state.attacker = UINT32_MAX;
        return;
    }
    network_vanish(network, state.attacker);
    network->nodes[state.attacker].puppet = true;
    network->puppet = lie;
    network_alarm(network, 0, plan(ATTACK, 0));
}

static void begin(void)
{
    struct network *network = &state.world.network;
    const struct random_source *random = &state.world.plan;
    uint64_t warm = setting(settings, "warm") * 1000;
    state.began = network->now;
    choose_attacker(network);
    for (uint32_t i = 0; i < state.pair_count; i++) {
        struct pair *pair = &state.pairs[i];
        pair->initiator = world_node(&state.world);
        pair->endpoint = (pair->initiator + 1 + random_below(random, network->count - 1)) % network->count;
        if (pair->initiator == state.attacker || pair->endpoint == state.attacker)
            i--; /* choose again */
        else
            network_alarm(network, warm + i * setting(settings, "every"), plan(START_PAIR, i));
    }
    for (uint32_t i = 0; i < network->count; i++) {
        if (i != state.attacker && random_below(random, 100) < setting(settings, "absent"))
            network_alarm(network, random_below(random, 50000), plan(ABSENT, i));
    }
    network_alarm(network, warm, plan(MEASURE, 0));
    if (setting(settings, "load") > 0)
        network_alarm(network, 0, plan(LOAD, 0));
}

/* How many of a hundred pairs were found after so many steps of five seconds. */
static void report_steps(void)
{
    double steps[FOUND_STEPS] = {0};
    for (uint32_t i = 0; i < state.pair_count; i++) {
        const struct pair *pair = &state.pairs[i];
        for (uint64_t step = 0; step < FOUND_STEPS; step++)
            steps[step] += pair->found != 0 && pair->found - pair->began <= step * 5000;
    }
    for (size_t step = 0; step < FOUND_STEPS; step++)
        steps[step] *= 100 / (double)state.pair_count;
    result_list("found_after", steps, FOUND_STEPS);
}

static void report(uint64_t ms)
{
    struct times times = {0};
    uint64_t first = 0;
    uint64_t within[8] = {0};
    uint64_t reachable = 0;
    for (uint32_t i = 0; i < state.pair_count; i++) {
        const struct pair *pair = &state.pairs[i];
        if (pair->found != 0)
            times_add(&times, pair->found - pair->began);
        first += pair->found != 0 && pair->found - pair->began <= FIRST_MS;
        uint32_t hops =
            graph_distance(&state.world.graph, pair->initiator, pair->endpoint, i == 0 ? within : NULL);
        reachable += hops <= 6;
    }
    double pairs = (double)state.pair_count;
    result_begin("search", settings);
    result_number("friends", graph_friends(&state.world.graph));
    result_number("clustering", graph_clustering(&state.world.graph));
    result_number("reachable", 100 * (double)reachable / pairs);
    result_number("tunnels_per_pair", (double)state.tunnels / pairs);
    result_number("found_first", 100 * (double)first / pairs);
    result_number("found", 100 * (double)times.count / pairs);
    result_times("time", &times);
    result_counts("sent", &state.counts, state.world.network.count, ms);
    result_number("requests_per_pair", (double)state.counts.requests / pairs);
    result_number("answers_per_pair", (double)state.counts.answers / pairs);
    result_number("bytes_per_pair", (double)state.counts.bytes / pairs);
    report_steps();
    result_end();
    times_free(&times);
}

int main(int argc, char **argv)
{
    settings_read(settings, argc, argv);
    world_begin(&state.world, settings);
    struct network *network = &state.world.network;
    state.pair_count = setting(settings, "pairs");
    state.pairs = calloc(state.pair_count + 1, sizeof *state.pairs);
    if (state.pairs == NULL || state.pair_count == 0)
        return 2;
    network->sent = sent;
    network->told = told;
    network->alarm = alarm;
    begin();
    uint64_t measured = state.pair_count * setting(settings, "every") + setting(settings, "last") * 1000;
    network_run(network, setting(settings, "warm") * 1000 + measured);
    report(measured);
    world_end(&state.world);
    free(state.pairs);
    free(state.greetings);
    free(state.loads);
    return 0;
}
