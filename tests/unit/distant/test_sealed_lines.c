/* SPDX-License-Identifier: ISC */
/* Lines of a sealed route: exactly once, in order, acknowledged when stored (SEALED.md §7). */
#include "sealed_scene.h"

static void both_ways(void **state)
{
    (void)state;
    road_agree();
    assert_true(road_say(GUEST, 1, "hello"));
    assert_true(road_say(INVITER, 1, "hello to you"));
    road_settle();
    assert_shown(INVITER, "hello\n");
    assert_shown(GUEST, "hello to you\n");
    assert_int_equal(road.delivered[GUEST], 1);
    assert_int_equal(road.delivered[INVITER], 1);
    assert_int_equal(chat_queued(chat_of(GUEST)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ROAD(both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
