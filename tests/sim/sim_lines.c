/* SPDX-License-Identifier: ISC */
#include "sim/talk.h"

/* Do lines arrive? Conversations of random pairs, while other nodes go off and come back, or while the
 * conversations sleep. The nodes of the conversations themselves stay on. A line is on time when it arrives
 * within five seconds. */
enum { ON_TIME_MS = 5000, SECOND = 1000 };

enum what { SAY, CHURN, NOTICE, RETURN, OPEN };

static struct setting settings[] = {
    {"nodes", 1000, "in the network"},
    {"pairs", 50, "conversations"},
    {"hub", 0, "1: all conversations belong to one node"},
    {"sealed", 0, "1: the conversations are sealed"},
    {"awake", 1, "0: they sleep when nothing is to be said"},
    {"lines", 100, "of each end"},
    {"every", 5000, "ms between lines of an end"},
    {"burst", 0, "1: all ends begin at the same time"},
    {"guests", 1, "0: only the inviter says lines"},
    {"inviters", 1, "0: only the guest says lines"},
    {"churn", 0, "of 1000 nodes that are on, go off each minute"},
    {"silent", 50, "of 100 that go off, do so without their friends noticing"},
    {"notice", 60, "seconds until they do"},
    {"off", 300, "seconds off; 0.5 to 1.5 times that"},
    {"midnight", 0, "seconds until the day changes; 0: it does not"},
    {"warm", 60, "seconds before the first line"},
    {"last", 300, "seconds after the last line"},
    {"wire", 0, "generation of the items, 5 or 6; 0: that of the rules"},
    {"seed", 1, ""},
    {0},
};

struct line {
    uint64_t said, arrived; /* 0: not yet */
};

static struct {
    struct world world;
    struct talks talks;
    uint64_t per_end, until;
    struct line *lines; /* per_end of each end */
    bool *kept;
    uint64_t twice;
    struct counts counts;
} state;

static uint64_t plan(enum what what, uint64_t number)
{
    return (uint64_t)what << 32 | number;
}

static void sent(struct network *network, uint32_t from, uint32_t to, struct bytes item)
{
    (void)network;
    (void)from;
    (void)to;
    counts_item(&state.counts, item);
}

static void heard(struct talks *talks, size_t end, uint64_t number)
{
    (void)end;
    struct line *line = &state.lines[number];
    state.twice += line->arrived != 0;
    if (line->arrived == 0)
        line->arrived = talks->world->network.now;
}

static void settled(struct talks *talks, size_t end)
{
    if (setting(settings, "awake") == 0 && talk_can(talks, end))
        talk_sleep(talks, end);
}

static void say(struct network *network, uint64_t number)
{
    size_t end = number / state.per_end;
    state.lines[number].said = network->now;
    if ((number + 1) % state.per_end != 0)
        network_alarm(network, setting(settings, "every"), plan(SAY, number + 1));
    talk_say(&state.talks, end, number);
}

static void leave(struct network *network, uint32_t node)
{
    const struct random_source *random = &state.world.plan;
    uint32_t off = (uint32_t)setting(settings, "off") * SECOND;
    network_alarm(network, off / 2 + random_below(random, off), plan(RETURN, node));
    if (random_below(random, 100) < setting(settings, "silent")) {
        network_vanish(network, node);
        network_alarm(network, setting(settings, "notice") * SECOND, plan(NOTICE, node));
    } else {
        network_kill(network, node);
    }
}

static void churn(struct network *network)
{
    for (uint32_t node = 0; node < network->count; node++) {
        bool leaves = random_below(&state.world.plan, 60000) < setting(settings, "churn");
        if (leaves && !state.kept[node] && network->nodes[node].router != NULL)
            leave(network, node);
    }
    if (network->now < state.until)
        network_alarm(network, SECOND, plan(CHURN, 0));
}

static void come_back(struct network *network, uint32_t node)
{
    if (network->nodes[node].router != NULL)
        return;
    network_kill(network, node);
    network_switch_on(network, node, NULL);
    graph_return(&state.world.graph, network, node, state.world.generation);
}

static void alarm(struct network *network, uint64_t user)
{
    uint32_t number = (uint32_t)user;
    if (talks_alarm(&state.talks, user))
        return;
    switch ((enum what)(user >> 32)) {
    case SAY:
        say(network, number);
        break;
    case CHURN:
        churn(network);
        break;
    case NOTICE:
        if (network->nodes[number].router == NULL)
            network_kill(network, number);
        break;
    case RETURN:
        come_back(network, number);
        break;
    case OPEN:
        talk_open(&state.talks, number);
        break;
    }
}

static uint32_t other_than(uint32_t node)
{
    return (node + 1 + random_below(&state.world.plan, state.world.network.count - 1)) %
           state.world.network.count;
}

static void begin(void)
{
    struct network *network = &state.world.network;
    const struct random_source *random = &state.world.plan;
    uint64_t every = setting(settings, "every");
    uint64_t warm = setting(settings, "warm") * SECOND;
    uint32_t hub = world_node(&state.world);
    for (size_t i = 0; i < setting(settings, "pairs"); i++) {
        uint32_t guest = setting(settings, "hub") != 0 ? hub : world_node(&state.world);
        uint32_t inviter = other_than(guest);
        state.kept[guest] = state.kept[inviter] = true;
        talks_add(&state.talks, i, guest, inviter);
        for (size_t end = 2 * i; end < 2 * i + 2; end++) {
            uint64_t offset = random_below(random, (uint32_t)every);
            if (setting(settings, "burst") != 0)
                offset = 0;
            if (setting(settings, "awake") != 0)
                network_alarm(network, 1 + offset, plan(OPEN, end));
            if (setting(settings, end % 2 == 0 ? "guests" : "inviters") != 0)
                network_alarm(network, warm + offset, plan(SAY, end * state.per_end));
        }
    }
    if (setting(settings, "churn") > 0)
        network_alarm(network, SECOND, plan(CHURN, 0));
}

/* The lines of the ends of one role. */
static void report_role(enum chat_role role, const char *on_time, const char *arrived, const char *delay,
                        const char *outage)
{
    struct times delays = {0};
    struct times outages = {0};
    uint64_t said = 0;
    uint64_t in_time = 0;
    for (size_t end = role; end < state.talks.count; end += 2) {
        uint64_t since = 0; /* lines have not arrived in time; 0: they do */
        for (size_t i = end * state.per_end; i < (end + 1) * state.per_end; i++) {
            const struct line *line = &state.lines[i];
            if (line->said == 0)
                continue;
            said++;
            if (line->arrived != 0)
                times_add(&delays, line->arrived - line->said);
            bool good = line->arrived != 0 && line->arrived - line->said <= ON_TIME_MS;
            in_time += good;
            if (good && since != 0)
                times_add(&outages, line->said - since);
            since = good ? 0 : since != 0 ? since : line->said;
        }
    }
    if (said > 0) {
        result_number(on_time, 100 * (double)in_time / (double)said);
        result_number(arrived, 100 * (double)delays.count / (double)said);
        result_times(delay, &delays);
        result_times(outage, &outages);
    }
    times_free(&delays);
    times_free(&outages);
}

int main(int argc, char **argv)
{
    settings_read(settings, argc, argv);
    world_begin(&state.world, settings);
    struct network *network = &state.world.network;
    size_t pairs = setting(settings, "pairs");
    state.per_end = setting(settings, "lines");
    state.kept = calloc(network->count, sizeof *state.kept);
    state.lines = calloc(pairs * 2 * state.per_end + 1, sizeof *state.lines);
    if (state.kept == NULL || state.lines == NULL)
        return 1;
    network->sent = sent;
    network->alarm = alarm;
    talks_begin(&state.talks, &state.world, pairs, setting(settings, "sealed") != 0,
                setting(settings, "midnight"));
    state.talks.heard = heard;
    state.talks.settled = settled;
    uint64_t ms = setting(settings, "warm") * SECOND + (state.per_end + 1) * setting(settings, "every") +
                  setting(settings, "last") * SECOND;
    state.until = network->now + ms;
    begin();
    network_run(network, ms);
    result_begin("lines", settings);
    report_role(CHAT_GUEST, "guest_on_time", "guest_arrived", "guest_delay", "guest_outage");
    report_role(CHAT_INVITER, "inviter_on_time", "inviter_arrived", "inviter_delay", "inviter_outage");
    result_number("twice", (double)state.twice);
    result_number("refused", (double)state.talks.refused);
    result_counts("sent", &state.counts, network->count, ms);
    result_end();
    talks_end(&state.talks);
    world_end(&state.world);
    free(state.lines);
    free(state.kept);
    return 0;
}
