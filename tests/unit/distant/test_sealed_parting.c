/* SPDX-License-Identifier: ISC */
/* How a sealed route ends: the other side is told, even when it comes later (SEALED.md §10). */
#include "sealed_scene.h"

enum { DAY_MS = 86400000 };

static size_t hashes(size_t side, bool sought)
{
    size_t count = 0;
    for (size_t i = 0; i < ROAD_HASHES; i++)
        count += road.hashes[side][i].used && road.hashes[side][i].sought == sought;
    return count;
}

static void close_on(size_t side)
{
    chat_close(chat_of(side), road.ends[side].now, wall_of(side));
    road.ends[side].options.parting = true;
    road.ends[side].options.settled = true;
    road_take(side);
}

/* Nothing is served, sought or due, and no secret can be used. */
static void assert_over(size_t side)
{
    assert_int_equal(hashes(side, false) + hashes(side, true), 0);
    assert_int_equal(chat_tunnels(chat_of(side)), 0);
    assert_int_equal(chat_deadline(chat_of(side)), UINT64_MAX);
    assert_non_null(end_find(&road.ends[side], CHAT_PARTED, 0));
    assert_int_equal(end_count(&road.ends[side], CHAT_PARTED), 1);
    road_open(side);
    assert_int_equal(hashes(side, false) + hashes(side, true), 0);
}

static void assert_parting(size_t side)
{
    assert_reason(side, CHAT_NO_TUNNEL, "closed here");
    assert_int_equal(hashes(side, false), 3);
    assert_int_equal(hashes(side, true), 0);
    assert_int_equal(end_count(&road.ends[side], CHAT_PARTED), 0);
}

static void go_away(void)
{
    road.no_tunnels = true;
    road_cut_all();
    road_settle();
}

static void in_a_tunnel(void **state)
{
    (void)state;
    for (size_t side = 0; side < 2; side++) {
        road_end(NULL);
        road_begin(NULL);
        road_agree();
        close_on(side);
        road_settle();
        assert_reason(1 - side, CHAT_CLOSED_BY_PEER, "closed");
        assert_over(side);
        assert_over(1 - side);
    }
}

static void while_away(void **state)
{
    (void)state;
    road_agree();
    go_away();
    assert_false(road_say(GUEST, 1, "no tunnel, so it waits"));
    road_clear();
    close_on(INVITER);
    road_pass(3 * (uint64_t)DAY_MS);
    assert_parting(INVITER);
    road.no_tunnels = false;
    road_open(GUEST);
    road_pass(10000);
    assert_reason(GUEST, CHAT_CLOSED_BY_PEER, "closed");
    assert_over(GUEST);
    assert_over(INVITER);
    assert_shown(INVITER, "");
}

static void lines_in_flight_are_told(void **state)
{
    (void)state;
    road_agree();
    road.drops = true;
    assert_true(road_say(GUEST, 7, "never arrives"));
    assert_true(road_say(INVITER, 8, "nor this"));
    road_settle();
    go_away();
    road_clear();
    close_on(INVITER);
    struct seen *told = end_find(&road.ends[INVITER], CHAT_DELIVERY, 0);
    assert_int_equal(told->value.line, 8);
    assert_int_equal(told->value.delivery, CHAT_NOT_CONFIRMED);
    road.drops = road.no_tunnels = false;
    road_pass(3600000);
    told = end_find(&road.ends[GUEST], CHAT_DELIVERY, 0);
    assert_int_equal(told->value.line, 7);
    assert_int_equal(told->value.delivery, CHAT_NOT_CONFIRMED);
    assert_over(GUEST);
    assert_over(INVITER);
    assert_shown(INVITER, "");
    assert_shown(GUEST, "");
}

static void over_restarts(void **state)
{
    (void)state;
    road_agree();
    assert_true(road_say(INVITER, 1, "one"));
    assert_true(road_say(GUEST, 2, "two"));
    road_settle();
    go_away();
    road_clear();
    close_on(INVITER);
    road_restart(INVITER);
    assert_parting(INVITER);
    chat_open(chat_of(INVITER), road.ends[INVITER].now, wall_of(INVITER));
    chat_close(chat_of(INVITER), road.ends[INVITER].now, wall_of(INVITER));
    road_take(INVITER);
    assert_parting(INVITER);
    assert_int_equal(chat_number(chat_of(INVITER), 1), 0);
    assert_false(chat_say(chat_of(INVITER), 1, 0, str("x"), 1, WALL, NULL));
    road_restart(GUEST);
    road.no_tunnels = false;
    road_open(GUEST);
    road_pass(10000);
    assert_reason(GUEST, CHAT_CLOSED_BY_PEER, "closed");
    assert_over(GUEST);
    assert_over(INVITER);
    assert_int_equal(end_count(&road.ends[GUEST], CHAT_BEHIND), 0);
}

static void each_day_has_its_hashes(void **state)
{
    (void)state;
    road_agree();
    go_away();
    close_on(GUEST);
    for (size_t day = 0; day < 29; day++) {
        road_pass(DAY_MS);
        assert_int_equal(hashes(GUEST, false), 3);
        assert_int_equal(hashes(GUEST, true), 0);
    }
    road.no_tunnels = false;
    road_open(INVITER);
    road_pass(10000);
    assert_over(GUEST);
    assert_over(INVITER);
}

/* The first frames with `closed` are lost; it is said again in the same tunnel. */
static size_t losses;

static bool loses_some(size_t to, struct bytes payload)
{
    (void)payload;
    return to == GUEST && losses > 0 && losses-- > 0;
}

static void said_again(void **state)
{
    (void)state;
    road_agree();
    losses = 6;
    road.loses = loses_some;
    close_on(INVITER);
    road_settle();
    assert_parting(INVITER);
    assert_reason(GUEST, CHAT_CAN_TALK, "");
    road_pass(70000);
    assert_int_equal(losses, 0);
    assert_over(GUEST);
    assert_over(INVITER);
}

static bool loses_to_inviter(size_t to, struct bytes payload)
{
    (void)payload;
    return to == INVITER;
}

/* Nobody will ever come: it waits, and the owner ends that. */
static void answer_lost(void **state)
{
    (void)state;
    road_agree();
    road.loses = loses_to_inviter;
    close_on(INVITER);
    road_pass(200000);
    assert_over(GUEST);
    assert_parting(INVITER);
    assert_int_equal(chat_tunnels(chat_of(INVITER)), 0);
}

static void both_at_once(void **state)
{
    (void)state;
    for (size_t first = 0; first < 2; first++) {
        road_end(NULL);
        road_begin(NULL);
        road_agree();
        close_on(first);
        close_on(1 - first);
        road_settle();
        assert_reason(GUEST, CHAT_NO_TUNNEL, "closed here");
        assert_reason(INVITER, CHAT_NO_TUNNEL, "closed here");
        assert_over(GUEST);
        assert_over(INVITER);
    }
}

/* Neither looks for the other, so neither is told, and nobody waits for it. */
static void both_while_away(void **state)
{
    (void)state;
    road_agree();
    go_away();
    close_on(GUEST);
    close_on(INVITER);
    road.no_tunnels = false;
    road_pass(DAY_MS);
    assert_parting(GUEST);
    assert_parting(INVITER);
}

/* What is answered is stored: a gateway that is killed before is told again. */
static void answered_when_stored(void **state)
{
    (void)state;
    road_agree();
    road.holds_closing = true;
    close_on(INVITER);
    road_settle();
    assert_reason(GUEST, CHAT_CLOSED_BY_PEER, "closed");
    assert_int_equal(end_count(&road.ends[GUEST], CHAT_PARTED), 0);
    assert_int_equal(chat_number(chat_of(GUEST), 1), 0);
    road_pass(5000);
    assert_parting(INVITER);
    road_restart(GUEST);
    road.holds_closing = false;
    road_clear();
    road_open(GUEST);
    road_pass(10000);
    assert_reason(GUEST, CHAT_CLOSED_BY_PEER, "closed");
    assert_over(GUEST);
    assert_over(INVITER);
}

static void lines_are_neither_taken_nor_acknowledged(void **state)
{
    (void)state;
    road_agree();
    road.loses = loses_some;
    losses = 3;
    close_on(INVITER);
    road_settle();
    assert_true(road_say(GUEST, 9, "too late"));
    road_pass(2000);
    assert_shown(INVITER, "");
    road_pass(120000);
    struct seen *told = end_find(&road.ends[GUEST], CHAT_DELIVERY, 0);
    assert_int_equal(told->value.line, 9);
    assert_int_equal(told->value.delivery, CHAT_NOT_CONFIRMED);
    assert_shown(INVITER, "");
    assert_over(GUEST);
    assert_over(INVITER);
}

/* The inviter has the root, the guest does not yet: it is told in the tunnel that is there. */
static void before_the_guest_has_the_root(void **state)
{
    (void)state;
    road.holds_root = true;
    road_open(GUEST);
    road_settle();
    road.holds_root = false;
    chat_root_stored(chat_of(INVITER), road.ends[INVITER].now, wall_of(INVITER));
    road_take(INVITER);
    close_on(INVITER);
    road_settle();
    assert_reason(GUEST, CHAT_CLOSED_BY_PEER, "closed");
    assert_over(INVITER);
    assert_int_equal(hashes(GUEST, false) + hashes(GUEST, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ROAD(in_a_tunnel),
        ON_ROAD(while_away),
        ON_ROAD(lines_in_flight_are_told),
        ON_ROAD(over_restarts),
        ON_ROAD(each_day_has_its_hashes),
        ON_ROAD(said_again),
        ON_ROAD(answer_lost),
        ON_ROAD(both_at_once),
        ON_ROAD(both_while_away),
        ON_ROAD(answered_when_stored),
        ON_ROAD(lines_are_neither_taken_nor_acknowledged),
        ON_ROAD(before_the_guest_has_the_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
