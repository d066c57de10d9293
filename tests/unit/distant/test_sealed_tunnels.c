/* SPDX-License-Identifier: ISC */
/* How many tunnels, when they are left and looked for, and which hashes they are found by (SEALED.md §5, §8,
 * §9). */
#include "sealed_contact.h"

static const uint64_t HOUR_MS = 3600000;

static size_t count_hashes(size_t side, bool sought)
{
    size_t count = 0;
    for (size_t i = 0; i < ROAD_HASHES; i++)
        count += road.hashes[side][i].used && road.hashes[side][i].sought == sought;
    return count;
}

static uint64_t sent_through(size_t n)
{
    return end_find(&road.ends[GUEST], CHAT_SEND, n)->value.tunnel;
}

static void three_tunnels(void **state)
{
    (void)state;
    road_agree();
    const struct chat_tunnel *first = talking_tunnel(GUEST);
    size_t opener = first->opener ? GUEST : INVITER;
    uint8_t hash[20];
    memcpy(hash, first->hash, 20);
    for (size_t i = 0; i < 6; i++)
        road_join(opener, hash);
    road_pass(2000);
    for (size_t side = 0; side < 2; side++)
        assert_int_equal(chat_tunnels(chat_of(side)), 3);
    assert_true(road_say(GUEST, 1, "x"));
    assert_true(road_say(INVITER, 1, "x"));
    road_pass(60000);
    assert_int_equal(road.delivered[GUEST] + road.delivered[INVITER], 2);
    assert_int_equal(chat_tunnels(chat_of(GUEST)), 3);
}

/* Anybody who knows a hash can make tunnels by it; they cannot push out one that is confirmed. */
static void unconfirmed_tunnels(void **state)
{
    (void)state;
    struct end *one = &road.ends[INVITER];
    road_agree();
    uint64_t good = talking_tunnel(INVITER)->id;
    uint8_t hash[20];
    memcpy(hash, talking_tunnel(INVITER)->hash, 20);
    bool opener = talking_tunnel(INVITER)->opener;
    for (uint64_t id = FIRST_TUNNEL; id < FIRST_TUNNEL + 100; id++) {
        chat_tunnel_up(one->chat, id, hash, opener, one->now, wall_of(INVITER));
        end_take(one);
        assert_true(chat_tunnels(one->chat) <= 8 + 3);
    }
    assert_non_null(chat_find_tunnel(one->chat, good));
    assert_int_equal(chat_state(one->chat, NULL), CHAT_CAN_TALK);
    assert_true(end_count(one, CHAT_CLOSE_TUNNEL) >= 92);
}

/* One wants, the other sleeps; then none does. */
static void sleep_is_quiet(void **state)
{
    (void)state;
    road_agree();
    road_open(INVITER);
    chat_sleep(chat_of(GUEST), road.ends[GUEST].now);
    road_pass(100000);
    road_clear();
    uint64_t tunnel = talking_tunnel(INVITER)->id;
    road_pass(10 * 60000);
    assert_int_equal(talking_tunnel(GUEST)->id, tunnel);
    assert_false(chat_of(GUEST)->asking);
    /* A frame each 20 to 24 s and nothing besides. */
    assert_true(road.sent[GUEST] <= 31 && road.sent[INVITER] <= 31);
    road_clear();
    chat_sleep(chat_of(INVITER), road.ends[INVITER].now);
    road_pass(3 * 60000); /* a minute in which the person may come back, and what the peer hears late */
    assert_int_equal(chat_tunnels(chat_of(GUEST)) + chat_tunnels(chat_of(INVITER)), 0);
    assert_int_equal(count_hashes(GUEST, true) + count_hashes(INVITER, true), 0);
    assert_true(road.sent[GUEST] + road.sent[INVITER] <= 20);
    road_clear();
    road_pass(10 * 60000);
    assert_int_equal(road.sent[GUEST] + road.sent[INVITER], 0);
}

/* The contact leaves each tunnel as soon as it talks, with another one kept that never does. */
static size_t tunnels_in_six_hours(bool keeps_a_false_one)
{
    struct end *one = &road.ends[GUEST];
    uint64_t until = one->now + 6 * HOUR_MS, false_one = 9000;
    size_t left = 0;
    road.forgets = true;
    while (one->now < until) {
        struct chat_tunnel *tunnel = NULL, *each;
        if (keeps_a_false_one && count_hashes(GUEST, true) > 0) {
            for (size_t i = 0; i < ROAD_HASHES; i++) {
                if (road.hashes[GUEST][i].used && road.hashes[GUEST][i].sought)
                    chat_tunnel_up(one->chat, ++false_one, road.hashes[GUEST][i].hash, true, one->now,
                                   wall_of(GUEST));
            }
            road_take(GUEST);
        }
        road_pass(1000);
        DL_FOREACH(chat_of(INVITER)->tunnels, each)
        {
            if (sealed_talks(each))
                tunnel = each;
        }
        if (tunnel != NULL) {
            struct buffer plain = plain_of(SEALED_LEAVE, 0, 1);
            give_records(INVITER, &plain);
            road_settle();
            left++;
        }
        road_clear();
    }
    return left;
}

static void nobody_makes_us_search(void **state)
{
    (void)state;
    road_agree();
    /* 50, 100, 200 s … an hour */
    assert_in_range(tunnels_in_six_hours(false), 4, 16);
}

static void false_tunnels_do_not_make_us_search(void **state)
{
    (void)state;
    road_agree();
    assert_in_range(tunnels_in_six_hours(true), 4, 16);
}

/* What is large does not come through the first of two tunnels. */
static uint64_t narrow;

static bool loses_large(size_t to, struct bytes payload)
{
    return to == INVITER && payload.size > 600 && chat_of(GUEST)->line_tunnel == narrow;
}

static void lines_move_after_three_repetitions(void **state)
{
    (void)state;
    char text[1000] = {0};
    memset(text, 'x', sizeof text - 1);
    road_agree();
    uint8_t hash[20];
    memcpy(hash, talking_tunnel(GUEST)->hash, 20);
    road_join(GUEST, hash);
    road_pass(1000);
    assert_int_equal(chat_tunnels(chat_of(GUEST)), 2);
    assert_true(road_say(GUEST, 1, "short"));
    road_settle();
    narrow = chat_of(GUEST)->line_tunnel;
    road.loses = loses_large;
    road_clear();
    assert_true(road_say(GUEST, 2, text));
    road_pass(60000);
    assert_int_equal(road.delivered[GUEST], 2);
    assert_int_not_equal(chat_of(GUEST)->line_tunnel, narrow);
    assert_int_equal(chat_tunnels(chat_of(GUEST)), 2);
    size_t large[2] = {0};
    for (size_t i = 0; i < end_count(&road.ends[GUEST], CHAT_SEND); i++) {
        if (buffer_size(&end_find(&road.ends[GUEST], CHAT_SEND, i)->payload) > 600)
            large[sent_through(i) == narrow]++;
    }
    assert_int_equal(large[1], 3);
    assert_int_equal(large[0], 1);
}

/* Without a second tunnel that one is left and another found. */
static void only_small_frames_pass(void **state)
{
    (void)state;
    char text[1000] = {0};
    memset(text, 'x', sizeof text - 1);
    road_agree();
    assert_true(road_say(GUEST, 1, "short"));
    road_pass(100);
    narrow = chat_of(GUEST)->line_tunnel;
    road.loses = loses_large;
    assert_true(road_say(GUEST, 2, text));
    road_pass(120000);
    assert_int_equal(road.delivered[GUEST], 2);
    assert_null(road_tunnel(narrow));
}

static bool loses_announcements(size_t to, struct bytes payload)
{
    (void)to;
    return payload.size == SEALED_ANNOUNCEMENT_PACKET;
}

/* Keys of 12 hours are made anew; when nobody answers that, they serve for 12 more, and no longer. */
static void keys_end(void **state)
{
    (void)state;
    road_agree();
    road.forgets = true;
    road.loses = loses_announcements;
    road_pass(13 * HOUR_MS);
    assert_reason(GUEST, CHAT_CAN_TALK, "");
    uint64_t tunnel = talking_tunnel(GUEST)->id;
    const struct sealed_tunnel *seal = &talking_tunnel(GUEST)->seal;
    assert_true(seal->announcing);
    assert_true(road.ends[GUEST].now - seal->current.made_at >= SEALED_RENEW_MS);
    road.loses = NULL;
    road_pass(60000);
    assert_false(seal->announcing);
    assert_true(seal->previous.there);
    assert_true(road.ends[GUEST].now - seal->current.made_at < 60001);
    road_pass(61000);
    assert_false(seal->previous.there);
    road.loses = loses_announcements;
    road.no_tunnels = true;
    road_pass(11 * HOUR_MS);
    assert_int_equal(talking_tunnel(GUEST)->id, tunnel);
    for (size_t i = 0; i < 14; i++)
        road_pass(HOUR_MS);
    assert_null(chat_find_tunnel(chat_of(GUEST), tunnel));
    assert_null(chat_find_tunnel(chat_of(INVITER), tunnel));
    assert_int_not_equal(chat_state(chat_of(GUEST), NULL), CHAT_CAN_TALK);
    assert_int_not_equal(chat_state(chat_of(INVITER), NULL), CHAT_CAN_TALK);
    road.loses = NULL;
    road.no_tunnels = false;
    road_pass(60000);
    assert_reason(GUEST, CHAT_CAN_TALK, "");
}

/* What a hash of a past day found is used for 12 hours more; then nobody says that he can talk. */
static void a_past_day_ends(void **state)
{
    (void)state;
    road_agree();
    road.forgets = true;
    uint64_t tunnel = talking_tunnel(GUEST)->id;
    road.no_tunnels = true;
    for (size_t hours = 0; road_tunnel(tunnel) != NULL; hours++) {
        assert_true(hours < 40);
        assert_reason(GUEST, CHAT_CAN_TALK, "");
        assert_reason(INVITER, CHAT_CAN_TALK, "");
        road_pass(HOUR_MS);
    }
    for (size_t side = 0; side < 2; side++) {
        assert_int_equal(chat_tunnels(chat_of(side)), 0);
        assert_int_not_equal(chat_state(chat_of(side), NULL), CHAT_CAN_TALK);
        assert_int_equal(chat_number(chat_of(side), 1), 0);
    }
    road.no_tunnels = false;
    road_pass(60000);
    assert_reason(GUEST, CHAT_CAN_TALK, "");
}

/* A clock that is set, or ran on while the machine slept, is noticed within the hour. */
static void the_clock_is_set(void **state)
{
    (void)state;
    struct end *one = &road.ends[GUEST];
    road_agree();
    for (size_t side = 0; side < 2; side++)
        chat_sleep(chat_of(side), road.ends[side].now);
    road_pass(100000);
    road_clear();
    uint64_t due = chat_deadline(one->chat);
    assert_true(due <= one->now + HOUR_MS);
    chat_tick(one->chat, due, wall_of(GUEST) + 5 * 86400);
    road_take(GUEST);
    assert_int_equal(end_count(one, CHAT_SERVE), 3);
    assert_int_equal(end_count(one, CHAT_UNSERVE), 3);
    due = chat_deadline(one->chat);
    chat_tick(one->chat, due, wall_of(GUEST) - 5 * 86400);
    road_take(GUEST);
    assert_int_equal(end_count(one, CHAT_SERVE), 6);
    assert_int_equal(count_hashes(GUEST, false), 3);
}

/* What the store answers after the end wakes nothing up. */
static void a_late_answer_of_the_store(void **state)
{
    (void)state;
    road_agree();
    road.holds_lines = true;
    assert_true(road_say(INVITER, 1, "x"));
    road_settle();
    chat_close(chat_of(INVITER), road.ends[INVITER].now, wall_of(INVITER));
    road_pass(5000);
    chat_line_stored(chat_of(GUEST), 1, road.ends[GUEST].now, wall_of(GUEST));
    chat_void(chat_of(INVITER), 1, road.ends[INVITER].now, wall_of(INVITER));
    for (size_t side = 0; side < 2; side++) {
        road_take(side);
        assert_true(chat_deadline(chat_of(side)) > road.ends[side].now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ROAD(three_tunnels),
        ON_ROAD(unconfirmed_tunnels),
        ON_ROAD(sleep_is_quiet),
        ON_ROAD(nobody_makes_us_search),
        ON_ROAD(false_tunnels_do_not_make_us_search),
        ON_ROAD(lines_move_after_three_repetitions),
        ON_ROAD(only_small_frames_pass),
        ON_ROAD(keys_end),
        ON_ROAD(a_past_day_ends),
        ON_ROAD(the_clock_is_set),
        ON_ROAD(a_late_answer_of_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
