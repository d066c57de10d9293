/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "tunnel/router.h"

/* Bytes become calls of a small router with tight limits, ids from small ranges so that they meet; after
 * every call what must always hold is checked against a plain model of the neighbours and of our own tunnels.
 */

enum {
    NEIGHBOURS = 6,
    REQUESTS = 16,
    TUNNELS = 24,
    PER_NEIGHBOUR = 6,
    PER_HASH = 3,
    OWN_PER_NEIGHBOUR = 5,
    OWN_MOST = 64
};

struct model {
    struct router *router;
    struct random_seeded random;
    struct reader input;
    uint64_t now;
    bool up[NEIGHBOURS];
    enum turtle_generation generation[NEIGHBOURS];
    uint64_t own[OWN_MOST];
    size_t own_count;
    uint64_t newest;
};

#define hold(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                          \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static bool well_formed(struct bytes item, enum turtle_generation generation)
{
    struct turtle_open open;
    struct turtle_ok ok;
    struct turtle_search search;
    uint32_t tunnel;
    bool stamps;
    return (turtle_open_parse(&open, item, generation) && open.depth > 0) || turtle_ok_parse(&ok, item) ||
           turtle_search_parse(&search, item, generation) ||
           turtle_tunnel_item(&tunnel, &stamps, item, generation);
}

static size_t find_own(const struct model *model, uint64_t tunnel)
{
    size_t i = 0;
    while (i < model->own_count && model->own[i] != tunnel)
        i++;
    return i;
}

static void check_output(struct model *model, const struct router_output *output, uint32_t sender)
{
    size_t own = find_own(model, output->tunnel);
    switch (output->kind) {
    case ROUTER_SEND:
        hold(output->neighbour >= 1 && output->neighbour <= NEIGHBOURS && model->up[output->neighbour - 1]);
        hold(output->priority <= 9);
        hold(well_formed(output->item, model->generation[output->neighbour - 1]));
        hold(output->neighbour != sender || output->item.data[3] == TURTLE_OK);
        break;
    case ROUTER_TUNNEL_UP:
        hold(output->tunnel >> 20 > model->newest >> 20 && own == model->own_count && own < OWN_MOST);
        model->newest = output->tunnel;
        model->own[model->own_count++] = output->tunnel;
        break;
    case ROUTER_TUNNEL_DOWN:
        hold(own < model->own_count && output->reason != NULL);
        model->own[own] = model->own[--model->own_count];
        break;
    case ROUTER_DATA:
        hold(own < model->own_count && sender != 0);
        break;
    case ROUTER_DUG:
        break;
    }
}

struct counted {
    size_t own, relayed;
};

static void count(void *arg, const struct router_tunnel *tunnel)
{
    struct counted *counted = arg;
    if (tunnel->role < 0) {
        counted->relayed++;
        hold(tunnel->towards_endpoint != 0 && tunnel->towards_initiator != tunnel->towards_endpoint);
        hold(tunnel->towards_initiator != 0);
    } else {
        counted->own++;
        hold((tunnel->towards_initiator == 0) == (tunnel->role == ROUTER_INITIATOR));
        hold((tunnel->towards_endpoint == 0) == (tunnel->role == ROUTER_ENDPOINT));
    }
}

/* `sender`: of the item just received; 0: another call. Returns how many outputs there were. */
static size_t check(struct model *model, uint32_t sender)
{
    struct router_output output;
    size_t outputs = 0;
    for (; router_next(model->router, &output); outputs++)
        check_output(model, &output, sender);
    struct router_stats stats;
    router_stats(model->router, &stats);
    hold(stats.requests <= REQUESTS);
    hold(stats.tunnels_own == model->own_count);
    hold(stats.tunnels_own + stats.tunnels_relayed <= TUNNELS);
    struct counted counted = {0, 0};
    router_each_tunnel(model->router, model->now, count, &counted);
    hold(counted.own == stats.tunnels_own && counted.relayed == stats.tunnels_relayed);
    return outputs;
}

static const uint8_t *a_hash(struct model *model)
{
    static uint8_t hash[TURTLE_HASH_SIZE];
    hash[0] = read_u8(&model->input) % 5;
    return hash;
}

static void receive(struct model *model, uint32_t from, struct bytes item)
{
    const char *refusal = router_receive(model->router, from, item, model->now);
    size_t outputs = check(model, from);
    hold(refusal == NULL || outputs == 0);
}

static void receive_made(struct model *model, uint8_t kind)
{
    struct buffer item = buffer_make(1024);
    uint32_t from = 1 + read_u8(&model->input) % NEIGHBOURS;
    enum turtle_generation generation = model->generation[from - 1];
    if (kind == 0) {
        struct turtle_open open = {.depth = read_u8(&model->input) % 9};
        memcpy(open.hash, a_hash(model), sizeof open.hash);
        open.request = read_u8(&model->input);
        open.partial = read_u8(&model->input) % 4;
        turtle_open_write(&item, &open, generation);
    } else if (kind == 1) {
        struct turtle_ok ok = {.tunnel = read_u8(&model->input) % 32, .request = read_u8(&model->input)};
        turtle_ok_write(&item, &ok);
    } else {
        uint32_t tunnel = read_u8(&model->input) % 32;
        struct bytes payload = read_bytes(&model->input, read_u8(&model->input) % 16);
        turtle_data_write(&item, kind == 2 ? TURTLE_DATA : TURTLE_FAST_DATA, tunnel, payload);
    }
    receive(model, from, buffer_view(&item));
    buffer_free(&item);
}

/* The last request that we sent ourselves cannot be guessed: answer it with this id. */
static void answer_own(struct model *model)
{
    uint32_t tunnel = read_u8(&model->input) % 32;
    enum dig_urgency urgency = read_u8(&model->input) % (DIG_PRESENCE + 1);
    if (!router_dig(model->router, a_hash(model), urgency, model->now))
        return;
    struct router_output output;
    struct turtle_open open = {.depth = 0};
    uint32_t asked = 0;
    while (router_next(model->router, &output)) {
        check_output(model, &output, 0);
        if (output.kind == ROUTER_SEND &&
            turtle_open_parse(&open, output.item, model->generation[output.neighbour - 1]))
            asked = output.neighbour;
    }
    if (asked == 0)
        return;
    struct buffer item = buffer_make(64);
    turtle_ok_write(&item, &(struct turtle_ok){.tunnel = tunnel, .request = open.request});
    receive(model, asked, buffer_view(&item));
    buffer_free(&item);
}

static void step(struct model *model)
{
    uint8_t what = read_u8(&model->input) % 16;
    uint32_t neighbour = 1 + read_u8(&model->input) % NEIGHBOURS;
    uint64_t own = model->own_count == 0 ? neighbour : model->own[neighbour % model->own_count];
    switch (what) {
    case 0:
        model->generation[neighbour - 1] = read_u8(&model->input) % 4 == 0 ? TURTLE_05 : TURTLE_06;
        model->up[neighbour - 1] = true;
        router_neighbour_up(model->router, neighbour, model->generation[neighbour - 1], model->now);
        break;
    case 1:
        model->up[neighbour - 1] = false;
        router_neighbour_down(model->router, neighbour, model->now);
        break;
    case 2:
        router_serve(model->router, a_hash(model), neighbour % 2 == 0);
        break;
    case 3:
        router_unserve(model->router, a_hash(model), model->now);
        break;
    case 4:
        router_stop(model->router, a_hash(model), model->now);
        break;
    case 5:
        router_send(model->router, own, (struct bytes){NULL, 0}, model->now);
        break;
    case 6:
        router_confirm(model->router, own);
        break;
    case 7:
        router_close(model->router, own, model->now);
        break;
    case 8:
        model->now += (uint64_t)read_u16(&model->input) * (neighbour == 1 ? 100 : 1);
        router_tick(model->router, model->now);
        for (int i = 0; i < 10 && router_deadline(model->router) <= model->now; i++) {
            check(model, 0);
            router_tick(model->router, model->now);
        }
        hold(router_deadline(model->router) > model->now);
        break;
    case 9:
        answer_own(model);
        return;
    case 10: {
        struct bytes item = read_bytes(&model->input, read_u8(&model->input));
        receive(model, neighbour, item);
        return;
    }
    default:
        receive_made(model, what % 4);
        return;
    }
    check(model, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model model = {.input = reader_of((struct bytes){data, size}), .now = 1000000};
    struct router_options options = {
        .request_limit = REQUESTS,
        .tunnel_limit = TUNNELS,
        .tunnels_per_neighbour = PER_NEIGHBOUR,
        .own_per_hash = PER_HASH,
        .own_per_neighbour = OWN_PER_NEIGHBOUR,
        .legacy_relay = read_u8(&model.input) % 2 == 1,
    };
    struct random_source random = random_from_seed(&model.random, read_u8(&model.input));
    model.router = router_new(&options, &random, model.now);
    if (model.router == NULL)
        return 0;
    while (model.input.left > 0 && !model.input.failed)
        step(&model);
    router_free(model.router);
    return 0;
}
