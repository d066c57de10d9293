/* SPDX-License-Identifier: ISC */
#include "single.h"
#include "sim/network.h"

/* Against what the original programs sent. Their ids come from private functions (protocol 02 §4.1), so
 * relations between ids are compared, and everything else exactly. */

enum { EVENTS_MOST = 64, SEEDS_MOST = 4000 };

struct trace {
    size_t count;
    struct event {
        uint32_t from, to;
        bool is_open;
        struct turtle_open open;
        struct turtle_ok ok;
    } events[EVENTS_MOST];
};

static void record(struct network *network, uint32_t from, uint32_t to, struct bytes item)
{
    struct trace *trace = network->arg;
    assert_true(trace->count < EVENTS_MOST);
    struct event *event = &trace->events[trace->count++];
    *event = (struct event){.from = from, .to = to};
    event->is_open = turtle_open_parse(&event->open, item, TURTLE_05);
    if (!event->is_open)
        assert_true(turtle_ok_parse(&event->ok, item));
}

static uint32_t node_of(const json_t *nodes, const char *name)
{
    size_t i;
    const json_t *node;
    json_array_foreach(nodes, i, node)
    {
        if (strcmp(vectors_string(node, "name"), name) == 0)
            return (uint32_t)i;
    }
    fail_msg("no node %s", name);
    return 0;
}

static struct trace read_trace(const json_t *json)
{
    struct trace trace = {0};
    size_t i;
    const json_t *event;
    json_array_foreach(json_object_get(json, "events"), i, event)
    {
        assert_true(trace.count < EVENTS_MOST);
        struct event *out = &trace.events[trace.count++];
        out->from = node_of(json_object_get(json, "nodes"), vectors_string(event, "from"));
        out->to = node_of(json_object_get(json, "nodes"), vectors_string(event, "to"));
        out->is_open = strcmp(vectors_string(event, "item"), "open_tunnel") == 0;
        struct buffer bytes = vectors_hex(event, "bytes");
        if (out->is_open)
            assert_true(turtle_open_parse(&out->open, buffer_view(&bytes), TURTLE_05));
        else
            assert_true(turtle_ok_parse(&out->ok, buffer_view(&bytes)));
        buffer_free(&bytes);
    }
    return trace;
}

/* The rules that hold whatever our private functions give. */
static void check_rules(const struct trace *trace, const uint8_t *hash)
{
    for (size_t i = 0; i < trace->count; i++) {
        const struct event *event = &trace->events[i];
        const struct event *before = i == 0 ? NULL : &trace->events[i - 1];
        if (!event->is_open) {
            assert_int_equal(event->ok.request, trace->events[0].open.request);
            assert_int_equal(event->from, before->to);
            assert_int_equal(event->to, event->from - 1);
            if (!before->is_open)
                assert_int_equal(event->ok.tunnel, before->ok.tunnel);
            continue;
        }
        assert_memory_equal(event->open.hash, hash, TURTLE_HASH_SIZE);
        assert_int_equal(event->from, i);
        assert_int_equal(event->to, i + 1);
        if (before == NULL) {
            assert_in_range(event->open.depth, 1, 2);
            continue;
        }
        assert_int_equal(event->open.request, before->open.request);
        assert_int_not_equal(event->open.partial, before->open.partial);
        if (before->open.depth == 1)
            assert_in_range(event->open.depth, 1, 2);
        else
            assert_int_equal(event->open.depth, before->open.depth + 1);
    }
}

static bool same_shape(const struct trace *a, const struct trace *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct event *x = &a->events[i];
        const struct event *y = &b->events[i];
        if (x->from != y->from || x->to != y->to || x->is_open != y->is_open ||
            (x->is_open && x->open.depth != y->open.depth))
            return false;
    }
    return true;
}

struct sides {
    size_t count;
    struct router_tunnel tunnel;
};

static void see_tunnel(void *arg, const struct router_tunnel *tunnel)
{
    struct sides *sides = arg;
    sides->count++;
    sides->tunnel = *tunnel;
}

static void check_tunnels(struct network *network, const json_t *json, uint32_t tunnel_id)
{
    const json_t *nodes = json_object_get(json, "nodes");
    size_t i;
    const json_t *expected;
    json_array_foreach(json_object_get(json, "tunnels"), i, expected)
    {
        uint32_t node = node_of(nodes, vectors_string(expected, "node"));
        uint32_t source = node_of(nodes, vectors_string(expected, "local_src"));
        uint32_t destination = node_of(nodes, vectors_string(expected, "local_dst"));
        struct sides sides = {0};
        router_each_tunnel(network->nodes[node].router, network->now, see_tunnel, &sides);
        assert_int_equal(sides.count, 1);
        assert_int_equal(sides.tunnel.tunnel_id, tunnel_id);
        assert_int_equal(sides.tunnel.towards_initiator,
                         source == node ? 0 : network_number(network, node, source));
        assert_int_equal(sides.tunnel.towards_endpoint,
                         destination == node ? 0 : network_number(network, node, destination));
        int role = source == node ? ROUTER_INITIATOR : destination == node ? ROUTER_ENDPOINT : -1;
        assert_int_equal(sides.tunnel.role, role);
    }
}

/* Runs the trace's line of nodes with one seed; true when its shape came out. */
static bool run_line(const json_t *json, const struct trace *expected, uint64_t seed)
{
    struct network network;
    struct trace trace = {0};
    uint32_t count = (uint32_t)json_array_size(json_object_get(json, "nodes"));
    network_init(&network, count, seed, NULL);
    network.arg = &trace;
    network.sent = record;
    for (uint32_t i = 0; i + 1 < count; i++)
        network_connect(&network, i, i + 1, TURTLE_05, 10);
    struct buffer hash = vectors_hex(json, "hash");
    network_serve(&network, count - 1, buffer_view(&hash).data);
    network_dig(&network, 0, buffer_view(&hash).data);
    network_run(&network, 1000);
    check_rules(&trace, buffer_view(&hash).data);
    bool same = same_shape(&trace, expected);
    if (same && !trace.events[trace.count - 1].is_open)
        check_tunnels(&network, json, trace.events[trace.count - 1].ok.tunnel);
    buffer_free(&hash);
    network_free(&network);
    return same;
}

static void test_traces_of_2013(void **state)
{
    (void)state;
    json_t *vectors = vectors_load("retroshare-0.5/tunnel-ids.json");
    size_t i;
    const json_t *json;
    json_array_foreach(json_object_get(vectors, "traces"), i, json)
    {
        struct trace expected = read_trace(json);
        bool found = false;
        for (uint64_t seed = 0; seed < SEEDS_MOST && !found; seed++)
            found = run_line(json, &expected, seed);
        if (!found)
            fail_msg("the shape of %s never came out", vectors_string(json, "name"));
    }
    assert_int_equal(i, 11);
    json_decref(vectors);
}

/* B of the recordings of 2026: our router stands in its place. */
enum { A = 1, C = 2 };

static uint32_t other(uint32_t neighbour)
{
    return neighbour == A ? C : A;
}

static bool to_b(const json_t *event, uint32_t *from)
{
    *from = strcmp(vectors_string(event, "from"), "A") == 0 ? A : C;
    return strcmp(vectors_string(event, "to"), "B") == 0;
}

static struct single *relay_b(void)
{
    struct single *b = single_new(NULL, 42);
    single_up(b, A, TURTLE_06);
    single_up(b, C, TURTLE_06);
    return b;
}

static void advance(struct single *single, uint64_t began, const json_t *event)
{
    uint64_t at = began + (uint64_t)json_number_value(json_object_get(event, "rx"));
    if (at > single->now)
        single_run(single, at - single->now, ROUTER_SEND);
}

/* The item that the recorded B sent for this one; NULL when it is not marked. */
static const json_t *recorded_copy(const json_t *events, size_t index)
{
    size_t i;
    const json_t *event;
    json_array_foreach(events, i, event)
    {
        const json_t *relay_of = json_object_get(event, "relay_of");
        if (json_is_integer(relay_of) && (size_t)json_integer_value(relay_of) == index)
            return event;
    }
    return NULL;
}

static void check_open(const struct single *b, uint32_t from, struct bytes item)
{
    struct turtle_open in;
    assert_true(turtle_open_parse(&in, item, TURTLE_06));
    struct turtle_open out = single_sent_open(b, other(from), TURTLE_06);
    assert_memory_equal(out.hash, in.hash, sizeof in.hash);
    assert_int_equal(out.request, in.request);
    assert_int_not_equal(out.partial, in.partial);
    assert_in_range(out.depth, 1, 2);
}

static size_t play_session(struct single *b, const json_t *session)
{
    uint64_t began = b->now;
    size_t copies = 0;
    const json_t *events = json_object_get(session, "events");
    size_t i;
    const json_t *event;
    json_array_foreach(events, i, event)
    {
        uint32_t from;
        if (!to_b(event, &from))
            continue;
        advance(b, began, event);
        struct buffer item = vectors_hex(event, "hex");
        assert_null(single_receive(b, from, buffer_view(&item)));
        assert_int_equal(b->count, 1);
        assert_int_equal(b->outputs[0].neighbour, other(from));
        if (strcmp(vectors_string(event, "name"), "turtle_open_tunnel") == 0) {
            check_open(b, from, buffer_view(&item));
        } else {
            assert_bytes_equal(b->outputs[0].item, buffer_view(&item));
            const json_t *copy = recorded_copy(events, i);
            if (copy != NULL) {
                struct buffer bytes = vectors_hex(copy, "hex");
                assert_bytes_equal(b->outputs[0].item, buffer_view(&bytes));
                buffer_free(&bytes);
                copies++;
            }
        }
        buffer_free(&item);
    }
    return copies;
}

static void test_relay_of_gxs_chats(void **state)
{
    (void)state;
    json_t *vectors = vectors_load("retroshare-0.6/gxs-chat.json");
    size_t copies = 0;
    size_t i;
    const json_t *session;
    json_array_foreach(json_object_get(vectors, "sessions"), i, session)
    {
        struct single *b = relay_b();
        copies += play_session(b, session);
        struct router_stats stats = single_stats(b);
        assert_int_equal(stats.tunnels_relayed, 1);
        assert_int_equal(stats.items_refused, 0);
        single_run(b, 62000, ROUTER_SEND);
        assert_int_equal(single_stats(b).tunnels_relayed, 0);
        single_free(b);
    }
    assert_true(copies > 90);
    json_decref(vectors);
}

static const json_t *next_from_b(const json_t *events, size_t after)
{
    for (size_t i = after + 1; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        if (strcmp(vectors_string(event, "from"), "B") == 0)
            return event;
    }
    fail_msg("B sent nothing after %zu", after);
    return NULL;
}

static void test_relay_of_searches(void **state)
{
    (void)state;
    json_t *vectors = vectors_load("retroshare-0.6/search.json");
    const json_t *events = json_object_get(vectors, "events");
    struct single *b = relay_b();
    uint64_t began = b->now;
    size_t relayed = 0;
    size_t i;
    const json_t *event;
    json_array_foreach(events, i, event)
    {
        uint32_t from;
        if (!to_b(event, &from))
            continue;
        advance(b, began, event);
        struct buffer item = vectors_hex(event, "hex");
        const char *refusal = single_receive(b, from, buffer_view(&item));
        struct turtle_search in;
        assert_true(turtle_search_parse(&in, buffer_view(&item), TURTLE_06));
        if (in.request == 0xbd509b7b) { /* the answer to a search of B itself, which ours never sent */
            assert_string_equal(refusal, "result of no search that is remembered");
            buffer_free(&item);
            continue;
        }
        assert_null(refusal);
        assert_int_equal(b->count, 1);
        assert_int_equal(b->outputs[0].neighbour, other(from));
        struct buffer expected = vectors_hex(next_from_b(events, i), "hex");
        struct turtle_search out;
        struct turtle_search recorded;
        assert_true(turtle_search_parse(&out, b->outputs[0].item, TURTLE_06));
        assert_true(turtle_search_parse(&recorded, buffer_view(&expected), TURTLE_06));
        if (in.result)
            assert_int_equal(out.depth, 0);
        else
            assert_in_range(out.depth, 1, 2);
        /* All but the depth, which depends on private functions. */
        memset(expected.memory + expected.start + recorded.depth_offset, 0, 2);
        struct buffer sent = buffer_make(1024);
        assert_true(buffer_append_bytes(&sent, b->outputs[0].item));
        memset(sent.memory + sent.start + out.depth_offset, 0, 2);
        assert_bytes_equal(buffer_view(&sent), buffer_view(&expected));
        buffer_free(&sent);
        buffer_free(&expected);
        buffer_free(&item);
        relayed++;
    }
    assert_int_equal(relayed, 5);
    single_free(b);
    json_decref(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces_of_2013),
        cmocka_unit_test(test_relay_of_gxs_chats),
        cmocka_unit_test(test_relay_of_searches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
