/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_FRIEND_FIXTURE_H
#define RETROGATE_TESTS_FRIEND_FIXTURE_H

#include "support/vectors.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "friend/set.h"

/* Nodes with the recorded identities of stock peers, on one loop, over loopback. Instead of the keyring
 * program a fake that knows the recorded certificates and answers from the loop. */

enum { NODES = 4 };

struct node {
    struct friends_identity identity;
    struct buffer certificate, private_key, key_block;
    struct friends *friends;
    struct sockaddr_storage address; /* of the first listener */
    unsigned ups, downs, items, batches, changes, attempts, states;
    uint32_t neighbour;
    struct buffer received; /* all turtle items */
    struct friend_record changed;
    uint8_t changed_key[8192];
    struct friend_attempt attempt;
    char reason[128];
    void (*on_item)(struct node *node, struct bytes item);
    bool closed;
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t guard;
    struct keyring *keyring;
    json_t *link, *invite;
    struct node nodes[NODES]; /* A, B, C, D */
    bool timed_out;
};

static struct fixture *fixture_now;

/* The test program includes fake_keyring.h or real_keyring.h, which define these. */
static struct keyring *fixture_keyring_start(uv_loop_t *loop);
static void fixture_keyring_stop(struct keyring *keyring); /* before the loop has run out */
static void fixture_keyring_end(void);                     /* after it */

static void event_up(void *arg, uint32_t neighbour, const uint8_t location[16])
{
    struct node *node = arg;
    (void)location;
    node->ups++;
    node->neighbour = neighbour;
}

static void event_down(void *arg, uint32_t neighbour, const uint8_t location[16], const char *reason)
{
    struct node *node = arg;
    (void)location;
    node->downs++;
    if (node->neighbour == neighbour)
        node->neighbour = 0;
    snprintf(node->reason, sizeof node->reason, "%s", reason);
}

static void event_item(void *arg, uint32_t neighbour, struct bytes item)
{
    struct node *node = arg;
    assert_int_equal(neighbour, node->neighbour);
    assert_true(item.size >= ITEM_HEADER_SIZE);
    node->items++;
    assert_true(buffer_append_bytes(&node->received, item));
    if (node->on_item)
        node->on_item(node, item);
}

static void event_batch_end(void *arg)
{
    ((struct node *)arg)->batches++;
}

static void event_changed(void *arg, const struct friend_record *record)
{
    struct node *node = arg;
    node->changes++;
    node->changed = *record;
    assert_true(record->key_block.size <= sizeof node->changed_key);
    if (record->key_block.size > 0)
        memcpy(node->changed_key, record->key_block.data, record->key_block.size);
    node->changed.key_block.data = node->changed_key;
}

static void event_state(void *arg, const uint8_t location[16])
{
    (void)location;
    ((struct node *)arg)->states++;
}

static void event_attempt(void *arg, const struct friend_attempt *attempt)
{
    struct node *node = arg;
    node->attempts++;
    node->attempt = *attempt;
}

static const struct friends_events node_events = {
    .up = event_up,
    .down = event_down,
    .item = event_item,
    .batch_end = event_batch_end,
    .changed = event_changed,
    .state = event_state,
    .attempt = event_attempt,
};

static void load_node(struct node *node, const json_t *json)
{
    const json_t *certificate = json_object_get(json, "certificate");
    node->certificate = vectors_hex(certificate, "der");
    node->private_key = vectors_hex(certificate, "tls_private_key_pkcs1_der");
    node->key_block = vectors_hex(json, "pgp_public_key");
    node->received = buffer_make(64 << 20);
    node->identity = (struct friends_identity){
        .certificate = buffer_view(&node->certificate),
        .private_key = buffer_view(&node->private_key),
        .key_block = buffer_view(&node->key_block),
        .location_name = vectors_string(json, "location"),
    };
    assert_true(hex_parse(node->identity.fingerprint, 20, vectors_string(json, "pgp_fingerprint"), 40));
    assert_true(hex_parse(node->identity.location, 16, vectors_string(json, "ssl_id"), 32));
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    fixture_now->timed_out = true;
}

static __attribute__((unused)) int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture_now = fixture;
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    uv_timer_init(&fixture->loop, &fixture->guard);
    fixture->keyring = fixture_keyring_start(&fixture->loop);
    fixture->link = vectors_load("retroshare-0.6/link.json");
    fixture->invite = vectors_load("retroshare-0.6/short-invite.json");
    const json_t *nodes = json_object_get(fixture->link, "nodes");
    load_node(&fixture->nodes[0], json_object_get(nodes, "A"));
    load_node(&fixture->nodes[1], json_object_get(nodes, "B"));
    load_node(&fixture->nodes[2], json_object_get(nodes, "C"));
    load_node(&fixture->nodes[3], json_object_get(json_object_get(fixture->invite, "nodes"), "D"));
    *state = fixture;
    return 0;
}

/* Runs the loop until `condition`; a test that waits for ten seconds has failed. */
#define run_until(fixture, condition)                                                                        \
    do {                                                                                                     \
        (fixture)->timed_out = false;                                                                        \
        uv_timer_start(&(fixture)->guard, on_guard, 10000, 0);                                               \
        while (!(condition) && !(fixture)->timed_out)                                                        \
            uv_run(&(fixture)->loop, UV_RUN_ONCE);                                                           \
        uv_timer_stop(&(fixture)->guard);                                                                    \
        assert_true(condition);                                                                              \
    } while (0)

static void node_closed(void *arg)
{
    struct node *node = arg;
    node->closed = true;
    node->friends = NULL;
}

static void node_close(struct fixture *fixture, struct node *node)
{
    if (!node->friends)
        return;
    node->closed = false;
    friends_close(node->friends, node_closed, node);
    run_until(fixture, node->closed);
}

static __attribute__((unused)) int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < NODES; i++)
        node_close(fixture, &fixture->nodes[i]);
    for (size_t i = 0; i < NODES; i++) {
        buffer_free(&fixture->nodes[i].certificate);
        buffer_free(&fixture->nodes[i].private_key);
        buffer_free(&fixture->nodes[i].key_block);
        buffer_free(&fixture->nodes[i].received);
    }
    fixture_keyring_stop(fixture->keyring);
    /* What a failed test left behind must not keep the loop for ever. */
    fixture->timed_out = false;
    uv_timer_start(&fixture->guard, on_guard, 5000, 0);
    uv_unref((uv_handle_t *)&fixture->guard);
    while (uv_loop_alive(&fixture->loop) && !fixture->timed_out)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&fixture->guard, NULL);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    int left = uv_loop_close(&fixture->loop);
    json_decref(fixture->link);
    json_decref(fixture->invite);
    fixture_keyring_end();
    free(fixture);
    return left;
}

static struct sockaddr_storage loopback(int family)
{
    struct sockaddr_storage address;
    assert_true(address_parse(&address, family == AF_INET6 ? "[::1]:0" : "127.0.0.1:0", 0, NULL));
    return address;
}

static __attribute__((unused)) struct friends_options node_options(int family)
{
    return (struct friends_options){
        .listen_count = 1,
        .listen = {loopback(family)},
        .version = "retrogate test",
        .retry_min_ms = 10,
        .retry_max_ms = 40,
    };
}

static __attribute__((unused)) void node_open_with(struct fixture *fixture, struct node *node,
                                                   const struct friends_options *options)
{
    struct error *error = NULL;
    node->friends =
        friends_open(&fixture->loop, &node->identity, options, fixture->keyring, &node_events, node, &error);
    assert_null(error);
    assert_non_null(node->friends);
    if (options->listen_count)
        assert_int_equal(friends_listening(node->friends, &node->address, 1), 1);
}

static __attribute__((unused)) void node_open(struct fixture *fixture, struct node *node)
{
    struct friends_options options = node_options(AF_INET);
    node_open_with(fixture, node, &options);
}

static __attribute__((unused)) struct friend_record record_of(const struct node *node, bool with_key)
{
    struct friend_record record = {.address_count = 0};
    memcpy(record.location, node->identity.location, 16);
    memcpy(record.fingerprint, node->identity.fingerprint, 20);
    snprintf(record.name, sizeof record.name, "%s", node->identity.location_name);
    if (with_key)
        record.key_block = node->identity.key_block;
    return record;
}

/* `node` dials `peer` when that one listens. */
static __attribute__((unused)) void node_befriend(struct node *node, const struct node *peer, bool with_key)
{
    struct friend_record record = record_of(peer, with_key);
    if (peer->address.ss_family)
        record.addresses[record.address_count++] = peer->address;
    assert_true(friends_add(node->friends, &record, NULL));
}

static __attribute__((unused)) struct friend_status status_of(const struct node *node,
                                                              const struct node *peer)
{
    struct friend_status status = {0};
    assert_true(friends_status(node->friends, peer->identity.location, &status));
    return status;
}

#endif
