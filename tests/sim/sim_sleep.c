/* SPDX-License-Identifier: ISC */
#include "sim/measure.h"

/* What do hundreds of contacts cost the network? Every node has so many; a share of the nodes is off; each
 * side of a conversation wants the other always with a chance, else it sleeps. Then persons open sleeping
 * conversations, on nodes that have just begun to wait for many others. Classic: only the guest of a
 * conversation digs. Sealed: both sides answer for hashes of three days, and either digs. Tunnels that are
 * wanted are kept alive, but not by the rules of 2013. */
enum { MINUTE = 60000, KEEP_MS = 20000, DAYS = 3, TODAY = 1, OPEN_AFTER_MS = 2000, SPREAD_MS = 50000 };

enum what { DIG, STOP, KEEP, WAIT_FOR, OPEN, GIVE_UP, SAMPLE };

static struct setting settings[] = {
    {"nodes", 1000, "in the network"},
    {"contacts", 100, "of each"},
    {"always", 0, "of 100 contacts are wanted always"},
    {"off", 50, "of 100 nodes are off"},
    {"sealed", 0, "1: either side digs"},
    {"minutes", 60, "before persons open conversations"},
    {"openings", 30, "one every `every` seconds"},
    {"every", 20, ""},
    {"waiting", 0, "others that the node begins to wait for just before"},
    {"patience", 300, "seconds of a person"},
    {"wire", 0, "generation of the items, 5 or 6; 0: that of the rules"},
    {"seed", 1, ""},
    {0},
};

struct side { /* 2n: the guest of conversation n, 2n + 1: the inviter */
    uint32_t node;
    uint16_t tunnels;
    bool wants, digs;
    uint64_t tunnel; /* the last of our own */
};

struct opening {
    uint32_t side;
    uint64_t began, found;
};

static struct {
    struct world world;
    struct side *sides;
    uint32_t side_count;
    struct opening *openings;
    uint64_t *minutes; /* requests sent in each */
    uint64_t began, minute_count, on;
    struct counts counts, before;
} state;

static uint64_t plan(enum what what, uint64_t number)
{
    return (uint64_t)what << 32 | number;
}

/* The hash that a side answers for. */
static void hash_served(uint8_t hash[TURTLE_HASH_SIZE], uint32_t side, unsigned day)
{
    hash_of(hash, 'c', side);
    hash[1] = (uint8_t)day;
}

static void sent(struct network *network, uint32_t from, uint32_t to, struct bytes item)
{
    (void)from;
    (void)to;
    counts_item(&state.counts, item);
    uint64_t minute = (network->now - state.began) / MINUTE;
    if (item.data[3] == TURTLE_OPEN && minute < state.minute_count)
        state.minutes[minute]++;
}

static bool is_on(uint32_t node)
{
    return state.world.network.nodes[node].router != NULL;
}

static void told(struct network *network, uint32_t node, const struct router_output *output)
{
    uint32_t number;
    if (!hash_is(output->hash, 'c', &number))
        return;
    bool initiator = output->role == ROUTER_INITIATOR;
    uint32_t own = initiator ? number ^ 1 : number;
    struct side *side = &state.sides[own];
    if (side->node != node)
        abort();
    if (output->kind == ROUTER_TUNNEL_UP) {
        side->tunnels++;
        if (initiator && side->tunnel == 0)
            network_alarm(network, KEEP_MS, plan(KEEP, own));
        if (initiator)
            side->tunnel = output->tunnel;
        else if (side->digs && setting(settings, "sealed") != 0)
            network_alarm(network, 0, plan(STOP, own));
        for (uint64_t i = 0; initiator && i < setting(settings, "openings"); i++) {
            struct opening *opening = &state.openings[i];
            if (opening->began != 0 && opening->side == own && opening->found == 0)
                opening->found = network->now;
        }
    } else if (output->kind == ROUTER_TUNNEL_DOWN) {
        side->tunnels--;
        if (initiator && side->tunnel == output->tunnel)
            side->tunnel = 0;
        if (side->tunnels == 0 && side->wants && !side->digs)
            network_alarm(network, 0, plan(DIG, own));
    }
}

static void dig(struct network *network, uint32_t own, enum dig_urgency urgency)
{
    struct side *side = &state.sides[own];
    uint8_t hash[TURTLE_HASH_SIZE];
    hash_served(hash, own ^ 1, TODAY);
    side->digs = true;
    router_dig(network->nodes[side->node].router, hash, urgency, network->now);
    network_collect(network, side->node);
}

static void stop(struct network *network, uint32_t own)
{
    struct side *side = &state.sides[own];
    uint8_t hash[TURTLE_HASH_SIZE];
    hash_served(hash, own ^ 1, TODAY);
    side->digs = false;
    network_stop(network, side->node, hash);
}

static void keep(struct network *network, uint32_t own)
{
    const struct side *side = &state.sides[own];
    if (side->tunnel == 0 || strcmp(RULES, "2013") == 0)
        return;
    static const uint8_t packet[40];
    network_say(network, side->node, side->tunnel, (struct bytes){packet, sizeof packet});
    network_alarm(network, KEEP_MS, plan(KEEP, own));
}

/* A sleeping side whose peer is on; it may dig. */
static uint32_t sleeping_side(void)
{
    for (;;) {
        uint32_t own = random_below(&state.world.plan, state.side_count);
        bool may = own % 2 == 0 || setting(settings, "sealed") != 0;
        const struct side *side = &state.sides[own];
        if (may && is_on(side->node) && is_on(state.sides[own ^ 1].node) && side->tunnels == 0 && !side->digs)
            return own;
    }
}

static void wait_for(struct network *network, uint32_t number)
{
    uint32_t own = sleeping_side();
    uint32_t node = state.sides[own].node;
    state.openings[number].side = own;
    for (uint32_t i = 0; i < setting(settings, "waiting"); i++) {
        uint8_t hash[TURTLE_HASH_SIZE];
        hash_of(hash, 'w', number * 10000 + i);
        router_dig(network->nodes[node].router, hash, DIG_WAITING, network->now);
        network_collect(network, node);
    }
    network_alarm(network, OPEN_AFTER_MS, plan(OPEN, number));
}

static void give_up(struct network *network, uint32_t number)
{
    stop(network, state.openings[number].side);
    for (uint32_t i = 0; i < setting(settings, "waiting"); i++) {
        uint8_t hash[TURTLE_HASH_SIZE];
        hash_of(hash, 'w', number * 10000 + i);
        network_stop(network, state.sides[state.openings[number].side].node, hash);
    }
}

static void alarm(struct network *network, uint64_t user)
{
    uint32_t number = (uint32_t)user;
    switch ((enum what)(user >> 32)) {
    case DIG:
        if (state.sides[number].tunnels == 0)
            dig(network, number, DIG_PRESENCE);
        break;
    case STOP:
        stop(network, number);
        break;
    case KEEP:
        keep(network, number);
        break;
    case WAIT_FOR:
        wait_for(network, number);
        break;
    case OPEN:
        state.openings[number].began = network->now;
        dig(network, state.openings[number].side, DIG_PERSON);
        network_alarm(network, setting(settings, "patience") * 1000, plan(GIVE_UP, number));
        break;
    case GIVE_UP:
        give_up(network, number);
        break;
    case SAMPLE:
        state.before = state.counts;
        break;
    }
}

static void switch_off(struct network *network)
{
    state.on = network->count;
    for (uint32_t node = 0; node < network->count; node++) {
        if (random_below(&state.world.plan, 100) >= setting(settings, "off"))
            continue;
        network_kill(network, node);
        state.on--;
    }
}

static void begin(void)
{
    struct network *network = &state.world.network;
    const struct random_source *random = &state.world.plan;
    bool sealed = setting(settings, "sealed") != 0;
    switch_off(network);
    for (uint32_t own = 0; own < state.side_count; own++) {
        struct side *side = &state.sides[own];
        side->node = world_node(&state.world);
        if (own % 2 == 1 && side->node == side[-1].node)
            side->node = (side->node + 1) % network->count;
        side->wants = random_below(random, 100) < setting(settings, "always");
        side->wants = side->wants && (own % 2 == 0 || sealed);
        uint64_t when = random_below(random, SPREAD_MS);
        if (!is_on(side->node))
            continue;
        if (side->wants)
            network_alarm(network, when, plan(DIG, own));
        for (unsigned day = 0; day < DAYS; day++) {
            uint8_t hash[TURTLE_HASH_SIZE];
            hash_served(hash, own, day);
            if (sealed || (own % 2 == 1 && day == TODAY))
                network_serve(network, side->node, hash);
        }
    }
    uint64_t quiet = setting(settings, "minutes") * MINUTE;
    network_alarm(network, quiet - quiet / 4, plan(SAMPLE, 0));
    for (uint64_t i = 0; i < setting(settings, "openings"); i++)
        network_alarm(network, quiet + i * setting(settings, "every") * 1000, plan(WAIT_FOR, i));
}

static void report(const struct counts *quarter)
{
    struct times times = {0};
    uint64_t openings = setting(settings, "openings");
    for (uint64_t i = 0; i < openings; i++) {
        if (state.openings[i].found != 0)
            times_add(&times, state.openings[i].found - state.openings[i].began);
    }
    uint64_t wanted = 0;
    uint64_t found = 0;
    for (uint32_t own = 0; own < state.side_count; own++) {
        const struct side *side = &state.sides[own];
        bool possible = side->wants && is_on(side->node) && is_on(state.sides[own ^ 1].node);
        wanted += possible;
        found += possible && side->tunnels > 0;
    }
    result_begin("sleep", settings);
    result_number("on", (double)state.on);
    result_number("present", wanted == 0 ? 0 : 100 * (double)found / (double)wanted);
    result_counts("late", quarter, (uint32_t)state.on, setting(settings, "minutes") * MINUTE / 4);
    result_number("opened", 100 * (double)times.count / (double)openings);
    result_times("open", &times);
    double *rates = calloc(state.minute_count, sizeof *rates);
    if (rates == NULL)
        abort();
    for (uint64_t i = 0; i < state.minute_count; i++)
        rates[i] = (double)state.minutes[i] / (double)state.on / 60;
    result_list("minutes_requests", rates, state.minute_count);
    result_end();
    free(rates);
    times_free(&times);
}

int main(int argc, char **argv)
{
    settings_read(settings, argc, argv);
    world_begin(&state.world, settings);
    struct network *network = &state.world.network;
    state.side_count = (uint32_t)(network->count * setting(settings, "contacts") / 2 * 2);
    state.minute_count = setting(settings, "minutes");
    state.sides = calloc(state.side_count, sizeof *state.sides);
    state.openings = calloc(setting(settings, "openings") + 1, sizeof *state.openings);
    state.minutes = calloc(state.minute_count + 1, sizeof *state.minutes);
    if (state.sides == NULL || state.openings == NULL || state.minutes == NULL || state.side_count == 0)
        return 2;
    state.began = network->now;
    network->sent = sent;
    network->told = told;
    network->alarm = alarm;
    begin();
    network_run(network, state.minute_count * MINUTE);
    struct counts quarter = {
        .requests = state.counts.requests - state.before.requests,
        .answers = state.counts.answers - state.before.answers,
        .data = state.counts.data - state.before.data,
        .bytes = state.counts.bytes - state.before.bytes,
    };
    network_run(network,
                (setting(settings, "openings") * setting(settings, "every") + setting(settings, "patience")) *
                        1000 +
                    OPEN_AFTER_MS + 1);
    report(&quarter);
    world_end(&state.world);
    free(state.sides);
    free(state.openings);
    free(state.minutes);
    return 0;
}
