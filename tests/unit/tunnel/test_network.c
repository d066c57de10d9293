/* SPDX-License-Identifier: ISC */
#include "sim/network.h"
#include "support/vectors.h"

/* Properties of whole networks of routers, seeded. */

enum { NETWORKS = 40, LARGEST = 30, PAYLOADS = 5 };

struct watched {
    uint32_t initiator, endpoint;
    uint64_t tunnel_at_initiator, tunnel_at_endpoint;
    uint32_t id_at_initiator;
    unsigned ups[2], downs[2], data[2];
    uint64_t print; /* of everything that happened */
};

static void mix(struct watched *watched, uint64_t value)
{
    watched->print = (watched->print ^ value) * UINT64_C(0x100000001b3);
}

static void told(struct network *network, uint32_t node, const struct router_output *output)
{
    struct watched *watched = network->arg;
    mix(watched, node);
    mix(watched, output->kind);
    mix(watched, output->tunnel_id);
    if (output->kind == ROUTER_DUG)
        return;
    assert_true(node == (output->role == ROUTER_INITIATOR ? watched->initiator : watched->endpoint));
    switch (output->kind) {
    case ROUTER_TUNNEL_UP:
        watched->ups[output->role]++;
        if (output->role == ROUTER_INITIATOR) {
            watched->tunnel_at_initiator = output->tunnel;
            watched->id_at_initiator = output->tunnel_id;
        }
        break;
    case ROUTER_TUNNEL_DOWN:
        assert_non_null(output->reason);
        watched->downs[output->role]++;
        if (output->tunnel == watched->tunnel_at_initiator)
            watched->tunnel_at_initiator = 0;
        break;
    case ROUTER_DATA:
        if (output->role == ROUTER_ENDPOINT)
            watched->tunnel_at_endpoint = output->tunnel;
        assert_int_equal(output->tunnel_id, watched->id_at_initiator);
        assert_bytes_equal(
            output->payload,
            bytes_of_string(output->role == ROUTER_ENDPOINT ? "to the endpoint" : "to the initiator"));
        watched->data[output->role]++;
        break;
    default:
        fail();
    }
}

static void sent(struct network *network, uint32_t from, uint32_t to, struct bytes item)
{
    struct watched *watched = network->arg;
    mix(watched, from);
    mix(watched, to);
    for (size_t i = 0; i < item.size; i++)
        mix(watched, item.data[i]);
}

static uint32_t below(struct random_source *random, uint32_t bound)
{
    return random_below(random, bound);
}

/* A ring, so that it holds together, and as many links across again. */
static void connect_all(struct network *network, struct random_source *random)
{
    for (uint32_t i = 0; i < network->count; i++)
        network_connect(network, i, (i + 1) % network->count, TURTLE_06, 5 + below(random, 100));
    for (uint32_t i = 0; i < network->count; i++) {
        uint32_t a = below(random, network->count);
        uint32_t b = below(random, network->count);
        if (a != b && network_number(network, a, b) == 0)
            network_connect(network, a, b, TURTLE_06, 5 + below(random, 100));
    }
}

static unsigned distance(const struct network *network, uint32_t from, uint32_t to)
{
    unsigned far[LARGEST];
    for (uint32_t i = 0; i < LARGEST; i++)
        far[i] = i == from ? 0 : 1000;
    for (unsigned round = 0; round < LARGEST; round++) {
        for (uint32_t i = 0; i < network->count; i++) {
            for (size_t j = 0; j < network->nodes[i].link_count; j++) {
                uint32_t peer = network->nodes[i].links[j].peer;
                if (far[peer] > far[i] + 1)
                    far[peer] = far[i] + 1;
            }
        }
    }
    return far[to];
}

static void talk(struct network *network, struct watched *watched)
{
    for (unsigned i = 1; i <= PAYLOADS; i++) {
        unsigned at_endpoint = watched->data[ROUTER_ENDPOINT];
        unsigned at_initiator = watched->data[ROUTER_INITIATOR];
        assert_true(network_say(network, watched->initiator, watched->tunnel_at_initiator,
                                bytes_of_string("to the endpoint")));
        network_run(network, 2000);
        assert_int_equal(watched->data[ROUTER_ENDPOINT], at_endpoint + 1);
        assert_true(network_say(network, watched->endpoint, watched->tunnel_at_endpoint,
                                bytes_of_string("to the initiator")));
        network_run(network, 2000);
        assert_int_equal(watched->data[ROUTER_INITIATOR], at_initiator + 1);
    }
}

/* The nodes next to the initiator on the tunnel's way. */
static void find_relay(void *arg, const struct router_tunnel *tunnel)
{
    uint64_t *found = arg;
    if (tunnel->tunnel_id == (uint32_t)(found[0]) && tunnel->role == ROUTER_INITIATOR)
        found[1] = tunnel->towards_endpoint;
}

static uint32_t first_relay(struct network *network, const struct watched *watched)
{
    uint64_t found[2] = {watched->id_at_initiator, 0};
    router_each_tunnel(network->nodes[watched->initiator].router, network->now, find_relay, found);
    return network_find(network, watched->initiator, (uint32_t)found[1])->peer;
}

static void nothing_left(struct network *network)
{
    for (uint32_t i = 0; i < network->count; i++) {
        if (network->nodes[i].router == NULL)
            continue;
        struct router_stats stats;
        router_stats(network->nodes[i].router, &stats);
        assert_int_equal(stats.tunnels_own + stats.tunnels_relayed, 0);
        assert_int_equal(stats.requests, 0);
    }
}

/* Returns a print of the whole run, and counts the networks in which a killed relay was got round. */
static uint64_t run_network(uint64_t seed, unsigned *rerouted)
{
    struct random_seeded state;
    struct random_source random = random_from_seed(&state, seed);
    struct network network;
    network_init(&network, 5 + below(&random, LARGEST - 4), seed, NULL);
    struct watched watched = {.endpoint = 0};
    watched.initiator = 1 + below(&random, network.count - 1);
    network.arg = &watched;
    network.told = told;
    network.sent = sent;
    connect_all(&network, &random);
    network_run(&network, 1000);

    const uint8_t hash[TURTLE_HASH_SIZE] = {1, 2, 3, (uint8_t)seed};
    network_serve(&network, watched.endpoint, hash);
    network_dig(&network, watched.initiator, hash);
    network_run(&network, 3000);
    unsigned hops = distance(&network, watched.initiator, watched.endpoint);
    if (hops <= 5)
        assert_true(watched.tunnel_at_initiator != 0);
    if (watched.tunnel_at_initiator != 0) {
        talk(&network, &watched);
        uint32_t relay = first_relay(&network, &watched);
        if (relay != watched.endpoint) {
            unsigned downs = watched.downs[ROUTER_INITIATOR];
            network_kill(&network, relay);
            assert_true(watched.downs[ROUTER_INITIATOR] > downs);
            network_run(&network, 3000);
            if (distance(&network, watched.initiator, watched.endpoint) <= 5)
                assert_true(watched.ups[ROUTER_INITIATOR] > watched.downs[ROUTER_INITIATOR]);
            if (watched.ups[ROUTER_INITIATOR] > watched.downs[ROUTER_INITIATOR])
                (*rerouted)++;
        }
    }
    router_stop(network.nodes[watched.initiator].router, hash, network.now);
    network_collect(&network, watched.initiator);
    assert_int_equal(watched.ups[ROUTER_INITIATOR], watched.downs[ROUTER_INITIATOR]);
    network_run(&network, 63000);
    assert_int_equal(watched.ups[ROUTER_ENDPOINT], watched.downs[ROUTER_ENDPOINT]);
    network_run(&network, 602000);
    nothing_left(&network);
    network_free(&network);
    return watched.print;
}

static void test_data_flows_both_ways_and_round_dead_relays(void **state)
{
    (void)state;
    unsigned rerouted = 0;
    for (uint64_t seed = 1; seed <= NETWORKS; seed++)
        run_network(seed, &rerouted);
    assert_true(rerouted > NETWORKS / 4);
}

static void test_the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    unsigned rerouted = 0;
    for (uint64_t seed = 1; seed <= 5; seed++)
        assert_true(run_network(seed, &rerouted) == run_network(seed, &rerouted));
    assert_true(run_network(1, &rerouted) != run_network(2, &rerouted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_flows_both_ways_and_round_dead_relays),
        cmocka_unit_test(test_the_same_seed_gives_the_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
