/* SPDX-License-Identifier: ISC */
/* Which tunnels are shown to whom, and by which names. */
#include "wire/turtle.h"
#include "world.h"

static const char location[] = "abababababababababababababababab";

/* A friend whose link is up. */
static void befriend(struct world *world)
{
    struct friend *entry = calloc(1, sizeof *entry);
    assert_non_null(entry);
    memset(entry->record.location, 0xab, 16);
    HASH_ADD(hh, world->gateway->friend_map, record.location, 16, entry);
    the_friends.neighbour = 7;
    the_friends.events->up(the_friends.arg, the_friends.neighbour, entry->record.location);
}

/* Somebody behind the friend looks for this hash. */
static void somebody_digs(const uint8_t hash[20])
{
    struct turtle_open open = {.request = 0x01020304, .partial = 0x05060708, .depth = 3};
    struct buffer item = buffer_make(256);
    memcpy(open.hash, hash, sizeof open.hash);
    assert_true(turtle_open_write(&item, &open, TURTLE_06));
    the_friends.events->item(the_friends.arg, the_friends.neighbour, buffer_view(&item));
    buffer_free(&item);
}

static json_t *tunnels(struct world *world, struct gateway_session *session, size_t count)
{
    json_t *answer = give(world, session, json_pack("{s:s}", "do", "tunnels"));
    assert_int_equal(json_array_size(json_object_get(answer, "tunnels")), count);
    return answer;
}

/* The only one; `towards` and `conversation` are null when they are NULL and 0. */
static void sees(struct world *world, struct gateway_session *session, const char *towards,
                 int64_t conversation)
{
    json_t *answer = tunnels(world, session, 1);
    const json_t *tunnel = json_array_get(json_object_get(answer, "tunnels"), 0),
                 *friend_ = json_object_get(tunnel, "towards_initiator"),
                 *its = json_object_get(tunnel, "conversation");
    assert_string_equal(text(tunnel, "role"), "endpoint");
    assert_true(number(tunnel, "id") != 0);
    assert_true(json_is_null(json_object_get(tunnel, "towards_endpoint")));
    assert_true(towards != NULL ? json_is_string(friend_) && strcmp(json_string_value(friend_), towards) == 0
                                : json_is_null(friend_));
    assert_true(conversation != 0 ? json_integer_value(its) == conversation : json_is_null(its));
    json_decref(answer);
}

static void who_sees_what(void **state)
{
    struct world *world = *state;
    struct pair pair;
    pair_make(&pair, world);
    account_make(world, "carol");
    struct gateway_session *carol = session_of(world, "carol");
    befriend(world);
    json_decref(tunnels(world, world->operator_, 0));
    somebody_digs(pair.with_bob->routes->hash);
    sees(world, world->operator_, location, 0);
    sees(world, pair.alice, location, pair.with_bob->id); /* the first account: an operator */
    json_decref(tunnels(world, pair.bob, 0));

    good(world, world->operator_,
         json_pack("{s:s,s:s,s:b}", "do", "account.set", "account", "alice", "operator", 0));
    good(world, world->operator_,
         json_pack("{s:s,s:s,s:b}", "do", "account.set", "account", "carol", "operator", 1));
    sees(world, pair.alice, NULL, pair.with_bob->id);
    sees(world, carol, location, 0);
    the_friends.events->down(the_friends.arg, the_friends.neighbour, (const uint8_t *)location, "gone");
    json_decref(tunnels(world, carol, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_sees_what, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
