/* SPDX-License-Identifier: ISC */
#include "fake_keyring.h"

/* Two nodes of ours, linked over loopback. */

static struct buffer turtle_item(uint8_t fill, size_t body)
{
    struct buffer item = buffer_make(ITEM_SIZE_MAX);
    size_t begin = item_begin(&item, SERVICE_TURTLE, 0x0a);
    uint8_t *into = buffer_reserve(&item, body);
    assert_non_null(into);
    memset(into, fill, body);
    buffer_commit(&item, body);
    assert_true(item_end(&item, begin));
    return item;
}

static void link_up(struct fixture *fixture, struct node *a, struct node *b)
{
    run_until(fixture, a->neighbour && b->neighbour);
}

static void test_up_and_items(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    node_befriend(b, a, true);
    node_befriend(a, b, true);
    link_up(fixture, a, b);
    assert_int_equal(fixture->keyring->verified, 2);
    assert_true(a->changed.verified);

    struct buffer one = turtle_item(1, 100), two = turtle_item(2, 200000);
    assert_true(friends_send(a->friends, a->neighbour, 5, buffer_view(&one)));
    assert_true(friends_send(b->friends, b->neighbour, 5, buffer_view(&two)));
    assert_true(friends_send(b->friends, b->neighbour, 5, buffer_view(&one)));
    run_until(fixture, a->items == 2 && b->items == 1);
    assert_bytes_equal(buffer_view(&b->received), buffer_view(&one));
    assert_int_equal(buffer_size(&a->received), buffer_size(&one) + buffer_size(&two));
    assert_true(a->batches > 0 && b->batches == 1);

    /* The contact items are on their way too. */
    run_until(fixture, status_of(a, b).version[0] && status_of(b, a).version[0]);
    struct friend_status status = status_of(a, b);
    assert_int_equal(status.state, FRIEND_UP);
    assert_true(status.turtle);
    assert_int_equal(status.neighbour, a->neighbour);
    assert_string_equal(status.version, "retrogate test");
    assert_string_equal(status.location_name, "locB");
    size_t up = 0;
    assert_int_equal(friends_count(a->friends, &up), 1);
    assert_int_equal(up, 1);
    run_until(fixture, status_of(a, b).rtt_us && status_of(b, a).rtt_us);
    buffer_free(&one);
    buffer_free(&two);
}

/* The far side's answer to a flood comes through, and everything arrives in order within its level. */
static void test_flood(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    node_befriend(b, a, true);
    node_befriend(a, b, true);
    link_up(fixture, a, b);
    struct buffer item = turtle_item(7, 1000);
    unsigned sent = 0;
    while (friends_send(a->friends, a->neighbour, 3, buffer_view(&item)))
        sent++;
    assert_true(sent > 1000);
    assert_int_equal(status_of(a, b).items_dropped, 1);
    /* Room is held back for what matters more. */
    assert_true(friends_send(a->friends, a->neighbour, 6, buffer_view(&item)));
    run_until(fixture, b->items == sent + 1);
    assert_int_equal(status_of(a, b).queued, 0);
    buffer_free(&item);
}

static void test_reconnects(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    node_befriend(b, a, true);
    struct friend_record record = record_of(b, true);
    assert_true(friends_add(a->friends, &record, NULL)); /* only b dials */
    link_up(fixture, a, b);
    uint32_t first = b->neighbour;
    unsigned verified = fixture->keyring->verified;

    struct link *link = set_find(b->friends, a->identity.location)->current;
    link_end(link, "killed", false);
    assert_int_equal(b->downs, 1);
    assert_string_equal(b->reason, "killed");
    run_until(fixture, a->ups == 2 && b->ups == 2 && a->neighbour && b->neighbour);
    assert_int_not_equal(b->neighbour, first);
    assert_int_equal(fixture->keyring->verified, verified); /* pinned */

    /* And when the whole node goes and comes back. */
    struct sockaddr_storage address = a->address;
    node_close(fixture, a);
    run_until(fixture, b->downs == 2);
    struct friends_options options = node_options(AF_INET);
    options.listen[0] = address;
    node_open_with(fixture, a, &options);
    record.verified = true;
    memcpy(record.pinned, a->changed.pinned, sizeof record.pinned);
    assert_true(friends_add(a->friends, &record, NULL));
    run_until(fixture, b->ups == 3 && b->neighbour && a->neighbour);
    assert_int_equal(fixture->keyring->verified, verified);
}

/* Neither has the other's key: each sends its own, and only then turtle items go through. */
static void test_two_short_invites(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    node_befriend(b, a, false);
    struct friend_record record = record_of(b, false);
    assert_true(friends_add(a->friends, &record, NULL));
    link_up(fixture, a, b);
    assert_int_equal(fixture->keyring->checked, 2);
    assert_int_equal(fixture->keyring->verified, 2);
    assert_bytes_equal(a->changed.key_block, b->identity.key_block);
    assert_true(a->changed.verified && b->changed.verified);
    assert_int_equal(a->ups + b->ups, 2);
    struct buffer item = turtle_item(1, 100);
    assert_true(friends_send(a->friends, a->neighbour, 5, buffer_view(&item)));
    run_until(fixture, b->items == 1);
    buffer_free(&item);
}

/* Both dial at the same moment, again and again: one link stays, and it is the same one at both ends. */
static void test_simultaneous(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    struct friends_timing timing = a->friends->timing;
    timing.tie_ms = 30;
    friends_set_timing(a->friends, &timing);
    friends_set_timing(b->friends, &timing);
    node_befriend(b, a, true);
    node_befriend(a, b, true);
    for (unsigned round = 0; round < 4; round++) {
        link_up(fixture, a, b);
        uint32_t near = a->neighbour, far = b->neighbour;
        struct member *at_a = set_find(a->friends, b->identity.location);
        struct member *at_b = set_find(b->friends, a->identity.location);
        run_until(fixture, at_a->current && at_b->current && !at_a->spare && !at_b->spare && !at_a->trying &&
                               !at_b->trying && at_a->current->incoming != at_b->current->incoming &&
                               a->neighbour && b->neighbour);
        /* The router saw nothing of it, and nobody closes it for longer than the tie and the longest wait. */
        uint64_t until = clock_monotonic_ms() + 120;
        run_until(fixture, clock_monotonic_ms() > until || !a->neighbour || !b->neighbour);
        assert_int_equal(a->neighbour, near);
        assert_int_equal(b->neighbour, far);
        link_end(at_a->current, "again", false);
        link_end(at_b->current, "again", false);
        friends_connect_now(a->friends, b->identity.location);
        friends_connect_now(b->friends, a->identity.location);
    }
}

static void test_ipv6(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    struct friends_options options = node_options(AF_INET6);
    struct error *error = NULL;
    a->friends =
        friends_open(&fixture->loop, &a->identity, &options, fixture->keyring, &node_events, a, &error);
    if (!a->friends) {
        print_message("no IPv6 here: %s\n", error->text);
        error_free(error);
        skip();
    }
    friends_listening(a->friends, &a->address, 1);
    node_open(fixture, b);
    struct friend_record record = record_of(b, true);
    assert_true(friends_add(a->friends, &record, NULL));
    node_befriend(b, a, true);
    link_up(fixture, a, b);
    assert_int_equal(status_of(b, a).address.ss_family, AF_INET6);
}

static void test_tls12(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    SSL_CTX_set_max_proto_version(b->friends->tls, TLS1_2_VERSION);
    struct friend_record record = record_of(b, true);
    assert_true(friends_add(a->friends, &record, NULL));
    node_befriend(b, a, true);
    link_up(fixture, a, b);
    const SSL *tls = stream_tls(b->friends->links->stream);
    assert_string_equal(SSL_get_version(tls), "TLSv1.2");
    assert_string_equal(SSL_get_cipher_name(tls), "DHE-RSA-AES256-GCM-SHA384");
}

static void test_by_name(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    struct friend_record record = record_of(b, true);
    assert_true(friends_add(a->friends, &record, NULL));
    record = record_of(a, true);
    assert_true(
        address_parse(&record.addresses[0], "127.0.0.1:1", 0, NULL)); /* refused, and says: this machine */
    record.address_count = 1;
    snprintf(record.dns, sizeof record.dns, "127.0.0.1");
    record.dns_port = (uint16_t)address_port((const struct sockaddr *)&a->address);
    assert_true(friends_add(b->friends, &record, NULL));
    link_up(fixture, a, b);
}

static void test_closed_while_resolving(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    struct friend_record record = record_of(b, true);
    snprintf(record.dns, sizeof record.dns, "127.0.0.1");
    record.dns_port = 1;
    assert_true(friends_add(a->friends, &record, NULL));
    const struct member *member = set_find(a->friends, b->identity.location);
    run_until(fixture, member->resolving);
    node_close(fixture, a);
}

static void remove_sender(struct node *node, struct bytes item)
{
    (void)item;
    friends_remove(node->friends, fixture_now->nodes[1].identity.location);
}

static void test_removed_while_it_talks(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    node_befriend(b, a, true);
    node_befriend(a, b, true);
    link_up(fixture, a, b);
    a->on_item = remove_sender;
    struct buffer item = turtle_item(1, 10);
    for (unsigned i = 0; i < 5; i++)
        assert_true(friends_send(b->friends, b->neighbour, 5, buffer_view(&item)));
    run_until(fixture, a->downs == 1 && b->downs == 1);
    assert_int_equal(a->items, 1);
    assert_int_equal(friends_count(a->friends, NULL), 0);
    /* It dials again, and is an attempt now. */
    run_until(fixture, a->attempts == 1);
    assert_string_equal(a->attempt.reason, "not a friend");
    assert_memory_equal(a->attempt.location, b->identity.location, 16);
    buffer_free(&item);
}

static void test_close_sends_the_rest(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    node_befriend(b, a, true);
    node_befriend(a, b, true);
    link_up(fixture, a, b);
    struct buffer item = turtle_item(3, 50000);
    for (unsigned i = 0; i < 20; i++)
        assert_true(friends_send(a->friends, a->neighbour, 5, buffer_view(&item)));
    node_close(fixture, a);
    run_until(fixture, b->downs == 1);
    assert_int_equal(b->items, 20);
    buffer_free(&item);
}

#define both(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        both(test_up_and_items),
        both(test_flood),
        both(test_reconnects),
        both(test_two_short_invites),
        both(test_simultaneous),
        both(test_ipv6),
        both(test_tls12),
        both(test_by_name),
        both(test_closed_while_resolving),
        both(test_removed_while_it_talks),
        both(test_close_sends_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
