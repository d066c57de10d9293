/* SPDX-License-Identifier: ISC */
/* The root of a route, its rendezvous hashes, days, and the end (SEALED.md §8 to §10). */
#include "sealed_scene.h"

static size_t hashes(size_t side, bool sought)
{
    size_t count = 0;
    for (size_t i = 0; i < ROAD_HASHES; i++)
        count += road.hashes[side][i].used && road.hashes[side][i].sought == sought;
    return count;
}

static void offers_give_way_to_rendezvous(void **state)
{
    (void)state;
    assert_int_equal(hashes(INVITER, false), 1);
    road_agree();
    road_pass(60000);
    assert_int_equal(hashes(INVITER, false), 3);
    assert_int_equal(hashes(GUEST, false), 3);
    assert_int_equal(hashes(GUEST, true), 1);
    for (size_t i = 0; i < ROAD_TUNNELS; i++)
        assert_true(road.tunnels[i].id == 0 || road.tunnels[i].hash[0] != 0x11 ||
                    road.tunnels[i].hash[1] != 0x11);
}

/* Either is killed after each packet of the agreement: they meet again, with one root. */
static size_t packets_left;

static bool loses_the_rest(size_t to, struct bytes payload)
{
    (void)to;
    (void)payload;
    return packets_left == 0 || packets_left-- == 0;
}

static void killed_at_any_point(void **state)
{
    for (size_t kills = 0; kills < 24; kills++) {
        packets_left = kills / 2;
        road.loses = loses_the_rest;
        road_open(GUEST);
        road_settle();
        road_restart(kills % 2);
        road.loses = NULL;
        road_open(GUEST);
        road_pass(90000);
        assert_int_equal(chat_protection(chat_of(GUEST)), CHAT_SEALED);
        assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_SEALED);
        assert_memory_equal(road.ends[GUEST].options.root, road.ends[INVITER].options.root, 32);
        assert_true(road_say(GUEST, 1, "met"));
        road_settle();
        assert_shown(INVITER, "met\n");
        assert_true(road.ends[INVITER].options.settled);
        road_end(state);
        road_begin(state);
    }
}

static void nothing_is_said_before_it_is_stored(void **state)
{
    (void)state;
    road.holds_root = true;
    road_open(GUEST);
    road_pass(5000);
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_ROOT), 1);
    assert_int_equal(end_count(&road.ends[GUEST], CHAT_ROOT), 0);
    assert_int_equal(chat_state(chat_of(INVITER), NULL), CHAT_CONNECTING);
    road_pass(30000);
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_ROOT), 2);
    assert_bytes_equal(buffer_view(&end_find(&road.ends[INVITER], CHAT_ROOT, 0)->secret),
                       buffer_view(&end_find(&road.ends[INVITER], CHAT_ROOT, 1)->secret));
    road.holds_root = false;
    road_pass(30000);
    assert_reason(GUEST, CHAT_CAN_TALK, "");
}

/* Somebody else holds the opened invite. */
static void another_claim_is_told(void **state)
{
    (void)state;
    struct end *guest = &road.ends[GUEST];
    road_open(GUEST);
    road.loses = loses_the_rest;
    packets_left =
        5; /* acknowledgement, announcements, frames 0: the inviter has the claim, the guest no root */
    road_settle();
    assert_true(road.ends[INVITER].options.sealed);
    assert_false(guest->options.sealed);
    guest->options.salt_key[0] ^= 1;
    road.loses = NULL;
    road_restart(GUEST);
    road_clear();
    road_open(GUEST);
    road_pass(30000);
    assert_reason(GUEST, CHAT_CLOSED_BY_PEER, "somebody else");
    assert_false(guest->options.sealed);
    assert_int_equal(end_count(guest, CHAT_ROOT), 0);
    assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_SEALED);
}

static void days_pass(void **state)
{
    (void)state;
    road.forgets = true;
    road_agree();
    for (unsigned day = 0; day < 3; day++) {
        road_pass(86400000);
        assert_reason(GUEST, CHAT_CAN_TALK, "");
        assert_true(hashes(GUEST, false) >= 3 && hashes(GUEST, false) <= 6);
        assert_true(road_say(GUEST, day + 1, "x"));
        road_settle();
        assert_int_equal(road.delivered[GUEST], day + 1);
        road_clear();
    }
    /* Asleep, only midnight wakes it. */
    for (size_t side = 0; side < 2; side++)
        chat_sleep(chat_of(side), road.ends[side].now);
    road_pass(100000);
    assert_int_equal(chat_tunnels(chat_of(GUEST)), 0);
    assert_int_equal(chat_tunnels(chat_of(INVITER)), 0);
    assert_reason(GUEST, CHAT_NO_TUNNEL, "asleep");
    road_pass(86400000); /* what had been kept for tunnels of before goes */
    for (size_t side = 0; side < 2; side++) {
        assert_int_equal(hashes(side, true), 0);
        assert_int_equal(hashes(side, false), 3);
        assert_true(chat_deadline(chat_of(side)) > road.ends[side].now + 3600000 / 2 ||
                    chat_deadline(chat_of(side)) > road.ends[side].now);
    }
    road_clear();
    for (unsigned hours = 0; road.ends[GUEST].count == 0; hours++) { /* it looks at the clock */
        assert_true(hours < 25);
        uint64_t due = chat_deadline(chat_of(GUEST));
        road_pass(due - road.ends[GUEST].now - 1);
        assert_int_equal(road.ends[GUEST].count, 0);
        road_pass(1);
    }
    assert_int_equal(end_count(&road.ends[GUEST], CHAT_SERVE), 1);
    assert_int_equal(end_count(&road.ends[GUEST], CHAT_UNSERVE), 1);
    assert_int_equal(end_count(&road.ends[GUEST], CHAT_WANT), 0);
    /* Either finds the other. */
    road_open(INVITER);
    road_pass(5000);
    assert_reason(GUEST, CHAT_CAN_TALK, "");
    assert_reason(INVITER, CHAT_CAN_TALK, "");
}

static void closing(void **state)
{
    (void)state;
    road_agree();
    road.drops = true;
    assert_true(road_say(INVITER, 7, "never arrives"));
    road_settle();
    road.drops = false;
    road_clear();
    chat_close(chat_of(INVITER), road.ends[INVITER].now, wall_of(INVITER));
    road_settle();
    struct seen *told = end_find(&road.ends[INVITER], CHAT_DELIVERY, 0);
    assert_int_equal(told->value.line, 7);
    assert_int_equal(told->value.delivery, CHAT_NOT_CONFIRMED);
    assert_reason(INVITER, CHAT_NO_TUNNEL, "closed here");
    assert_reason(GUEST, CHAT_CLOSED_BY_PEER, "closed");
    for (size_t side = 0; side < 2; side++) {
        assert_int_equal(hashes(side, false) + hashes(side, true), 0);
        assert_int_equal(chat_deadline(chat_of(side)), UINT64_MAX);
        road_open(side);
        assert_int_equal(chat_number(chat_of(side), 1), 0);
        assert_false(chat_say(chat_of(side), 1, 0, str("x"), 1, WALL, NULL));
    }
    road_pass(100000);
    assert_int_equal(hashes(GUEST, false) + hashes(GUEST, true), 0);
}

/* Who wanted the conversation before it was sealed looks for the other side afterwards. */
static void a_wish_of_before_is_kept(void **state)
{
    (void)state;
    road_open(INVITER);
    road_open(GUEST);
    chat_sleep(chat_of(GUEST), road.ends[GUEST].now);
    road_settle();
    road_open(GUEST);
    road_pass(2000);
    chat_sleep(chat_of(GUEST), road.ends[GUEST].now);
    road_pass(100000);
    assert_reason(INVITER, CHAT_CAN_TALK, "");
    assert_reason(GUEST, CHAT_CAN_TALK, "");
    road_cut_all();
    road_pass(100000);
    assert_reason(INVITER, CHAT_CAN_TALK, "");
    chat_sleep(chat_of(INVITER), road.ends[INVITER].now);
    road_pass(100000);
    assert_reason(INVITER, CHAT_NO_TUNNEL, "asleep");
    assert_reason(GUEST, CHAT_NO_TUNNEL, "asleep");
    assert_int_equal(hashes(INVITER, true) + hashes(GUEST, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ROAD(offers_give_way_to_rendezvous),
        ON_ROAD(killed_at_any_point),
        ON_ROAD(nothing_is_said_before_it_is_stored),
        ON_ROAD(another_claim_is_told),
        ON_ROAD(days_pass),
        ON_ROAD(a_wish_of_before_is_kept),
        ON_ROAD(closing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
