/* SPDX-License-Identifier: ISC */
#include "actor.h"
#include "fake_keyring.h"

#include <openssl/sha.h>

/* Stock 0.6.7.3 nodes, played back from their recordings with their own certificates and TLS keys
 * (tests/vectors/retroshare-0.6), against a node of ours. */

static json_t *recorded_link(const json_t *file, size_t index)
{
    json_t *link = json_array_get(json_object_get(file, "links"), index);
    assert_non_null(link);
    return link;
}

static json_t *recorded_frames(const json_t *file, size_t index)
{
    json_t *frames = json_object_get(recorded_link(file, index), "frames");
    assert_non_null(frames);
    return frames;
}

static size_t recorded_count(const json_t *frames, const char *from, const char *name)
{
    size_t index, count = 0;
    const json_t *frame;
    json_array_foreach(frames, index, frame)
    {
        const char *one = json_string_value(json_object_get(frame, "name"));
        if (one && strcmp(one, name) == 0 && strcmp(vectors_string(frame, "from"), from) == 0)
            count++;
    }
    return count;
}

/* What every stock peer gets from us over a whole recording. */
static void check_talk(struct actor *actor, const struct node *node, size_t pings)
{
    run_until(actor->fixture, actor_count(actor, SERVICE_RTT, 0x02) == pings &&
                                  actor_count(actor, SERVICE_DISCOVERY, 0x05) == 1 &&
                                  actor_count(actor, SERVICE_HEARTBEAT, 0x01) >= 1);
    assert_int_equal(actor->items[0].service, SERVICE_INFO);
    assert_int_equal(actor_count(actor, SERVICE_DISCOVERY, 0x01), 0); /* no list of friends, no question */
    struct contact_item contact;
    assert_true(contact_parse(&contact, actor_item(actor, SERVICE_DISCOVERY, 0x05)));
    assert_memory_equal(contact.location, node->identity.location, 16);
    assert_memory_equal(contact.pgp_id, node->identity.fingerprint + 12, 8);
    assert_false(contact.hidden);
    assert_int_equal(contact.seen.family, 4);
    assert_int_equal(contact.local4.port, address_port((const struct sockaddr *)&node->address));
}

/* The recorded TLS client dials us. */
static void test_stock_client(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, b);
    node_befriend(b, a, true);
    struct actor *actor = actor_new(fixture, &a->identity);
    const json_t *frames = recorded_frames(fixture->link, 0);
    size_t said = actor_say_recorded(actor, frames, "A", SIZE_MAX);
    assert_true(said > 150);
    actor_dial(actor, b);
    check_talk(actor, b, recorded_count(frames, "A", "rtt_ping"));
    struct friend_status status = status_of(b, a);
    assert_int_equal(status.state, FRIEND_UP);
    assert_true(status.turtle && status.incoming);
    assert_string_equal(status.version, "0.6.7.3");
    assert_string_equal(status.location_name, "locA");
    assert_int_equal(b->ups, 1);
    assert_int_equal(b->items, 0); /* this recording holds none */
    /* Both slices of the service list made one item. */
    assert_int_equal(status.items_in, said - 1);
    assert_int_equal(fixture->keyring->verified, 1);
    assert_true(b->changed.verified);
    actor_free(actor);
    run_until(fixture, b->downs == 1);
}

/* We dial the recorded TLS server. */
static void test_stock_server(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    struct actor *actor = actor_new(fixture, &b->identity);
    const json_t *frames = recorded_frames(fixture->link, 0);
    actor_say_recorded(actor, frames, "B", SIZE_MAX);
    actor_listen(actor);
    b->address = actor->address;
    node_befriend(a, b, true);
    check_talk(actor, a, recorded_count(frames, "B", "rtt_ping"));
    assert_int_equal(status_of(a, b).state, FRIEND_UP);
    assert_false(status_of(a, b).incoming);
    actor_free(actor);
}

/* Sliced turtle items, with whole items between the slices of one packet. */
static void test_stock_slices(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1], *c = &fixture->nodes[2];
    json_t *file = vectors_load("retroshare-0.6/slices.json");
    node_open(fixture, b);
    node_befriend(b, a, true);
    node_befriend(b, c, true);
    struct node *peers[] = {a, c};
    for (size_t t = 0; t < 2; t++) {
        const json_t *transfer = json_array_get(json_object_get(file, "transfers"), t);
        const json_t *frames = json_object_get(transfer, "frames");
        const char *from = vectors_string(transfer, "from");
        struct actor *actor = actor_new(fixture, &peers[t]->identity);
        b->items = 0;
        buffer_clear(&b->received);
        /* First what the peer said at the start of its link. */
        actor_say_recorded(actor, recorded_frames(fixture->link, t), from, 10);
        actor_say_recorded(actor, frames, from, SIZE_MAX);
        actor_dial(actor, b);

        uint8_t digests[64][32];
        size_t expected = 0, index;
        const json_t *frame;
        json_array_foreach(frames, index, frame)
        {
            const json_t *whole = json_object_get(frame, "completes");
            const char *kind = vectors_string(frame, "kind");
            if (whole && strncmp(vectors_string(whole, "name"), "turtle", 6) == 0) {
                assert_true(hex_parse(digests[expected++], 32, vectors_string(whole, "sha256"), 64));
            } else if (strcmp(kind, "item") == 0 &&
                       strncmp(vectors_string(frame, "name"), "turtle", 6) == 0) {
                struct buffer item = vectors_hex(frame, "hex");
                SHA256(buffer_view(&item).data, buffer_size(&item), digests[expected++]);
                buffer_free(&item);
            }
        }
        assert_true(expected > 2);
        run_until(fixture, b->items >= expected);
        struct bytes rest = buffer_view(&b->received);
        for (size_t i = 0; i < expected; i++) {
            struct item_header header;
            uint8_t digest[32];
            assert_true(item_header_parse(&header, rest) && header.size <= rest.size);
            SHA256(rest.data, header.size, digest);
            assert_memory_equal(digest, digests[i], 32);
            rest = bytes_of(rest.data + header.size, rest.size - header.size);
        }
        assert_int_equal(rest.size, 0);
        actor_free(actor);
        run_until(fixture, !b->neighbour);
    }
    json_decref(file);
}

/* Every turtle item of the recorded chats comes out as it went in. */
static void test_stock_chats(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    json_t *file = vectors_load("retroshare-0.6/gxs-chat.json");
    node_open(fixture, b);
    node_befriend(b, a, true);
    struct actor *actor = actor_new(fixture, &a->identity);
    actor_say_recorded(actor, recorded_frames(fixture->link, 0), "A", 10);
    struct buffer expected = buffer_make(4 << 20);
    size_t session, index, count = 0;
    const json_t *chat, *event;
    json_array_foreach(json_object_get(file, "sessions"), session, chat)
    {
        json_array_foreach(json_object_get(chat, "events"), index, event)
        {
            if (strcmp(vectors_string(event, "link"), "A-B") != 0 ||
                strcmp(vectors_string(event, "from"), "A") != 0)
                continue;
            struct buffer item = vectors_hex(event, "hex");
            actor_say(actor, buffer_view(&item));
            assert_true(buffer_append_bytes(&expected, buffer_view(&item)));
            buffer_free(&item);
            count++;
        }
    }
    assert_true(count > 50);
    actor_dial(actor, b);
    run_until(fixture, b->items == count);
    assert_bytes_equal(buffer_view(&b->received), buffer_view(&expected));
    assert_true(b->batches < count); /* many items of one read */
    buffer_free(&expected);
    actor_free(actor);
    json_decref(file);
}

/* We know D by its short invite; it does not answer for its key, then it does. */
static void test_short_invite(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *d = &fixture->nodes[3];
    node_open(fixture, a);
    node_befriend(a, d, false);
    struct actor *actor = actor_new(fixture, &d->identity);
    actor_say_recorded(actor, recorded_frames(fixture->invite, 0), "D", SIZE_MAX);
    actor_say_hex(actor, "0200140a0000001000000001 00000000"); /* a turtle item is nobody's yet */
    actor_dial(actor, a);
    run_until(fixture, actor_count(actor, SERVICE_DISCOVERY, 0x01) == 1 && status_of(a, d).version[0]);
    assert_int_equal(status_of(a, d).state, FRIEND_LIMITED);
    assert_non_null(strstr(status_of(a, d).reason, "full invitation"));
    assert_int_equal(a->ups, 0);
    assert_int_equal(fixture->keyring->verified + fixture->keyring->checked, 0);
    for (size_t i = 0; i < actor->count; i++)
        assert_true(actor->items[i].service == SERVICE_INFO || actor->items[i].service == SERVICE_DISCOVERY);
    struct pgp_list list;
    assert_true(pgp_list_parse(&list, actor_item(actor, SERVICE_DISCOVERY, 0x01)));
    assert_int_equal(list.mode, PGP_LIST_GET);
    assert_bytes_equal(list.ids, bytes_of(d->identity.fingerprint + 12, 8));
    assert_int_equal(a->items, 0);
    actor_free(actor);
    run_until(fixture, status_of(a, d).state == FRIEND_OFFLINE);

    actor = actor_new(fixture, &d->identity);
    actor_say_recorded(actor, recorded_frames(fixture->invite, 1), "D", SIZE_MAX);
    actor_dial(actor, a);
    run_until(fixture, a->ups == 1);
    assert_int_equal(status_of(a, d).state, FRIEND_UP);
    assert_int_equal(fixture->keyring->checked, 1);
    assert_int_equal(fixture->keyring->verified, 1);
    assert_true(a->changed.verified);
    assert_bytes_equal(a->changed.key_block, d->identity.key_block);
    run_until(fixture,
              actor_count(actor, SERVICE_INFO, 0x01) == 2 && actor_count(actor, SERVICE_RTT, 0x01) == 1);
    actor_free(actor);
    run_until(fixture, a->downs == 1);

    /* From now on it is pinned. */
    actor = actor_new(fixture, &d->identity);
    actor_say_recorded(actor, recorded_frames(fixture->invite, 1), "D", SIZE_MAX);
    actor_dial(actor, a);
    run_until(fixture, a->ups == 2);
    assert_int_equal(fixture->keyring->verified, 1);
    actor_free(actor);
}

/* A stock peer that knows us by short invite asks for our key and gets it, once for many questions. */
static void test_our_key_is_asked(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *d = &fixture->nodes[3];
    node_open(fixture, d);
    node_befriend(d, a, true);
    struct actor *actor = actor_new(fixture, &a->identity);
    const json_t *frames = recorded_frames(fixture->invite, 1);
    actor_say_recorded(actor, frames, "A", SIZE_MAX);
    /* Again; then for the key of somebody else. */
    actor_say_hex(actor, "020011010000001a0000000210230000000ecaa61a1582c52e67");
    actor_say_hex(actor, "020011010000001a0000000210230000000eea2991ffc573840c");
    actor_dial(actor, d);
    /* A's first ping comes before its service list: not ours to answer. */
    run_until(fixture, actor_count(actor, SERVICE_RTT, 0x02) == recorded_count(frames, "A", "rtt_ping") - 1 &&
                           actor_count(actor, SERVICE_DISCOVERY, 0x09) > 0);
    assert_int_equal(actor_count(actor, SERVICE_DISCOVERY, 0x09), 1);
    struct pgp_key_item key;
    assert_true(pgp_key_parse(&key, actor_item(actor, SERVICE_DISCOVERY, 0x09)));
    assert_bytes_equal(key.block, d->identity.key_block);
    actor_free(actor);
}

#define both(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        both(test_stock_client), both(test_stock_server), both(test_stock_slices),
        both(test_stock_chats),  both(test_short_invite), both(test_our_key_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
