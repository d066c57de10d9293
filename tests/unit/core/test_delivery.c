/* SPDX-License-Identifier: ISC */
#include "world.h"

static json_t *say(const char *handle, const char *words)
{
    return json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", handle, "text", words);
}

static void two_accounts_talk(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    good(pair.world, pair.alice, say("bob", "hello"));
    good(pair.world, pair.bob, say("alice", "good day"));
    world_settle(pair.world);
    while (pair.with_alice->unread == 0 || pair.with_bob->unread == 0)
        world_turn(pair.world);
    assert_history(pair.world, pair.alice, "bob", "sent hello\nreceived good day\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_accounts_talk, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
