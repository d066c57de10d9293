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

/* Many lines share frames, and one acknowledgement answers what was stored at one time. */
static void bulk(void **state)
{
    (void)state;
    enum { LINES = 1000 };
    road_agree();
    for (uint64_t line = 1; line <= LINES; line++)
        assert_true(road_say(GUEST, line, "a line of forty letters, more or less so"));
    road_settle();
    assert_int_equal(road.delivered[GUEST], LINES);
    assert_true(road.sent[GUEST] <= 6);
    assert_true(road.sent[INVITER] <= 6);
}

static void not_before_it_is_stored(void **state)
{
    (void)state;
    road_agree();
    road.holds_lines = true;
    assert_true(road_say(GUEST, 1, "held"));
    road_pass(10000);
    assert_int_equal(road.delivered[GUEST], 0);
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_LINE), 1); /* repetitions are not handed over */
    chat_line_failed(chat_of(INVITER), 1, road.ends[INVITER].now, wall_of(INVITER));
    road.holds_lines = false;
    road_pass(100000);
    assert_shown(INVITER, "held\n");
    assert_int_equal(road.delivered[GUEST], 1);
}

static void a_void_is_shown_nowhere(void **state)
{
    (void)state;
    road_agree();
    uint64_t number = chat_number(chat_of(GUEST), 3);
    assert_true(road_say(GUEST, 2, "second"));
    road_settle();
    assert_shown(INVITER, "");
    chat_void(chat_of(GUEST), number, road.ends[GUEST].now, wall_of(GUEST));
    road_settle();
    assert_shown(INVITER, "\nsecond\n"); /* the scene shows a void as nothing */
    assert_int_equal(buffer_size(&end_find(&road.ends[INVITER], CHAT_LINE, 0)->text), 0);
    assert_int_equal(road.delivered[GUEST], 1);
}

static void a_lost_tunnel_repeats(void **state)
{
    (void)state;
    road_agree();
    road.drops = true;
    assert_true(road_say(GUEST, 1, "lost at first"));
    road_settle();
    road.drops = false;
    road_cut_all();
    road_settle();
    assert_shown(INVITER, "lost at first\n");
    assert_int_equal(road.delivered[GUEST], 1);
}

static void a_restart_repeats(void **state)
{
    (void)state;
    road_agree();
    road.drops = true;
    assert_true(road_say(GUEST, 1, "said before"));
    road_settle();
    road.drops = false;
    road_restart(GUEST);
    struct end *one = &road.ends[GUEST];
    assert_true(chat_resume(one->chat, 1, 1, WALL * INT64_C(1000), str("said before")));
    assert_false(chat_resume(one->chat, 1, 1, WALL * INT64_C(1000), str("said before")));
    road_pass(5000); /* lines alone make it look */
    assert_shown(INVITER, "said before\n");
    assert_int_equal(road.delivered[GUEST], 1);
}

/* A relay that passes only what is small: the lines go elsewhere. */
static bool loses_long(size_t to, struct bytes payload)
{
    (void)to;
    return payload.size > 300;
}

static void lines_move(void **state)
{
    (void)state;
    road_agree();
    road.loses = loses_long;
    char text[1000] = {0};
    memset(text, 'x', sizeof text - 1);
    assert_true(road_say(GUEST, 1, text));
    road_pass(30000);
    assert_true(end_count(&road.ends[GUEST], CHAT_CLOSE_TUNNEL) > 0);
    road.loses = NULL;
    road_pass(200000);
    assert_int_equal(road.delivered[GUEST], 1);
}

static void an_old_backup(void **state)
{
    (void)state;
    road_agree();
    for (uint64_t line = 1; line <= 5; line++)
        assert_true(road_say(INVITER, line, "x"));
    assert_true(road_say(GUEST, 1, "y"));
    road_settle();
    /* The guest's store is as it was before the fifth line and its own. */
    road.ends[GUEST].options.number_stored = road.stored[GUEST] = 2;
    road.ends[GUEST].options.number_assigned = road.ends[GUEST].options.number_acked = 0;
    road.ends[INVITER].options.number_acked = 5;
    road_restart(GUEST);
    road_clear();
    road_open(GUEST);
    road_pass(5000);
    assert_int_equal(end_count(&road.ends[GUEST], CHAT_BEHIND), 1);
    struct seen *gap = end_find(&road.ends[GUEST], CHAT_LINE, 0);
    assert_int_equal(gap->value.missing, 3);
    assert_int_equal(gap->value.number, 5);
    assert_int_equal(buffer_size(&gap->text), 0);
    assert_true(road_say(GUEST, 2, "again"));
    assert_int_equal(road.ends[GUEST].options.number_assigned, LINE_WINDOW + 2);
    road_pass(5000);
    assert_int_equal(road.delivered[GUEST], 2);
}

static void room_ends(void **state)
{
    (void)state;
    road_agree();
    road.holds_lines = true;
    size_t said = 0;
    while (road_say(GUEST, said + 1, "x"))
        said++;
    assert_int_equal(said, LINE_WINDOW);
    assert_int_equal(chat_room(chat_of(GUEST), 1), 0);
    road_settle();
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_LINE), LINE_WINDOW);
    for (uint64_t number = 1; number <= LINE_WINDOW; number++)
        chat_line_stored(chat_of(INVITER), number, road.ends[INVITER].now, wall_of(INVITER));
    road_settle();
    assert_int_equal(road.delivered[GUEST], LINE_WINDOW);
    assert_int_equal(chat_room(chat_of(GUEST), 1), LINE_WINDOW);
}

static void the_longest_line(void **state)
{
    (void)state;
    static char text[CHAT_LINE_LIMIT + 1];
    memset(text, 'x', CHAT_LINE_LIMIT);
    road_agree();
    assert_true(road_say(GUEST, 1, text));
    assert_true(chat_set_state_text(chat_of(GUEST), str("fine")));
    road_settle();
    assert_int_equal(buffer_size(&end_find(&road.ends[INVITER], CHAT_LINE, 0)->text), CHAT_LINE_LIMIT);
    assert_bytes_equal(buffer_view(&end_find(&road.ends[INVITER], CHAT_STATE_TEXT, 0)->text), str("fine"));
    assert_int_equal(road.delivered[GUEST], 1);
}

static void typing_and_avatars(void **state)
{
    (void)state;
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 1};
    road_agree();
    chat_typing(chat_of(GUEST), road.ends[GUEST].now, wall_of(GUEST));
    road_settle();
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_TYPING), 1);
    assert_true(chat_set_avatar(chat_of(GUEST), bytes_of(png, sizeof png), NULL));
    assert_true(road_say(GUEST, 1, "look"));
    road_settle();
    assert_bytes_equal(buffer_view(&end_find(&road.ends[INVITER], CHAT_PEER_AVATAR, 0)->text),
                       bytes_of(png, sizeof png));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ROAD(both_ways),
        ON_ROAD(bulk),
        ON_ROAD(not_before_it_is_stored),
        ON_ROAD(a_void_is_shown_nowhere),
        ON_ROAD(a_lost_tunnel_repeats),
        ON_ROAD(a_restart_repeats),
        ON_ROAD(lines_move),
        ON_ROAD(an_old_backup),
        ON_ROAD(room_ends),
        ON_ROAD(the_longest_line),
        ON_ROAD(typing_and_avatars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
