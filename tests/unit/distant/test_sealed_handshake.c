/* SPDX-License-Identifier: ISC */
/* Which wire a route speaks, and the handshake of a tunnel (SEALED.md §4, §5). */
#include "sealed_scene.h"

static size_t count_packets(size_t side, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < road.ends[side].count; i++) {
        const struct seen *seen = &road.ends[side].seen[i];
        count += seen->value.kind == CHAT_SEND && buffer_size(&seen->payload) == size;
    }
    return count;
}

/* The n-th packet that a side sent is a classic status. */
static struct opened opened_status(size_t side, size_t n)
{
    return open_sent(&road.ends[side], end_find(&road.ends[side], CHAT_SEND, n));
}

static void a_sealed_guest_says_nothing_classic(void **state)
{
    (void)state;
    road_open(GUEST);
    road.drops = true;
    road_settle();
    assert_int_equal(end_count(&road.ends[GUEST], CHAT_SEND), 1);
    struct opened opened = opened_status(GUEST, 0);
    assert_int_equal(opened.item.flags, CHAT_ANNOUNCE);
    assert_int_equal(buffer_size(&opened.text), SEALED_ANNOUNCEMENT_TEXT);
    assert_int_equal(buffer_size(&end_find(&road.ends[GUEST], CHAT_SEND, 0)->payload),
                     SEALED_ANNOUNCEMENT_PACKET);
    opened_free(&opened);
    assert_reason(GUEST, CHAT_CONNECTING, "sealed answer");
    /* Again after 3, 6, 12 and 24 s, the same key under another salt. */
    static const uint64_t pauses[] = {3000, 6000, 12000, 24000};
    for (size_t i = 0; i < 4; i++) {
        struct end *one = &road.ends[GUEST];
        road_pass(pauses[i] - 1);
        assert_int_equal(end_count(one, CHAT_SEND), i + 1);
        road_pass(1);
        assert_int_equal(end_count(one, CHAT_SEND), i + 2);
        struct opened first = opened_status(GUEST, 0), again = opened_status(GUEST, i + 1);
        assert_bytes_equal(buffer_view(&first.text), buffer_view(&again.text));
        assert_memory_not_equal(end_find(one, CHAT_SEND, 0)->payload.memory,
                                end_find(one, CHAT_SEND, i + 1)->payload.memory, 8);
        opened_free(&first);
        opened_free(&again);
    }
    road_pass(CHAT_SILENCE_MS);
    assert_int_equal(count_packets(GUEST, SEALED_ANNOUNCEMENT_PACKET),
                     end_count(&road.ends[GUEST], CHAT_SEND));
    assert_true(end_count(&road.ends[GUEST], CHAT_CLOSE_TUNNEL) >= 1);
}

static void an_undecided_inviter_becomes_sealed(void **state)
{
    (void)state;
    assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_UNPROTECTED);
    road_open(GUEST);
    road_pass(2000);
    assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_SEALED);
    assert_reason(GUEST, CHAT_CAN_TALK, "answers");
    assert_reason(INVITER, CHAT_CAN_TALK, "answers");
    assert_true(road.settled[INVITER] && road.ends[GUEST].options.settled);
    assert_memory_equal(road.ends[GUEST].options.root, road.ends[INVITER].options.root, 32);
    size_t firsts = 0;
    for (size_t i = 0; i < road.ends[INVITER].count; i++) {
        const struct chat_output *out = &road.ends[INVITER].seen[i].value;
        firsts += out->kind == CHAT_CONFIRMED && out->first;
    }
    assert_int_equal(firsts, 1);
}

static void an_undecided_inviter_becomes_classic(void **state)
{
    (void)state;
    struct end *one = &road.ends[INVITER];
    end_tunnel_up(one, FIRST_TUNNEL);
    assert_sent(one, 0, CHAT_STATUS, 0x0801, "Tunnel is working. You can talk!");
    assert_int_equal(chat_protection(one->chat), CHAT_UNPROTECTED);
    /* What a relay can make of an announcement decides nothing. */
    peer_status(one, FIRST_TUNNEL, 1, CHAT_ANNOUNCE | CHAT_PRIVATE, "x");
    peer_status(one, FIRST_TUNNEL, 2, CHAT_PRIVATE, "not known");
    peer_status(one, FIRST_TUNNEL, 3, CHAT_PRIVATE | CHAT_ACKNOWLEDGE, "tunnel is working");
    assert_int_equal(chat_protection(one->chat), CHAT_UNPROTECTED);
    assert_int_equal(chat_state(one->chat, NULL), CHAT_CONNECTING);
    peer_status(one, FIRST_TUNNEL, 4, 0x0801, "Tunnel is working. You can talk!");
    assert_int_equal(chat_protection(one->chat), CHAT_CLASSIC);
    assert_int_equal(chat_state(one->chat, NULL), CHAT_CAN_TALK);
}

static int both_classic(void **state)
{
    (void)state;
    road_start_as(CHAT_SEALING_MAY, CHAT_SEALING_MAY);
    return 0;
}

static void a_classic_route_moves_up(void **state)
{
    (void)state;
    road.holds_root = true;
    road_open(GUEST);
    road_pass(1000);
    /* The acknowledgement first, then the announcement, once. */
    struct opened first = opened_status(GUEST, 0), second = opened_status(GUEST, 1);
    assert_int_equal(first.item.flags, 0x0801);
    assert_int_equal(second.item.flags, CHAT_ANNOUNCE);
    opened_free(&first);
    opened_free(&second);
    /* Lines are held meanwhile. */
    assert_int_equal(chat_number(chat_of(GUEST), 1), 0);
    assert_true(chat_say(chat_of(GUEST), 5, 0, str("held"), road.ends[GUEST].now, wall_of(GUEST), NULL));
    road_settle();
    assert_int_equal(chat_queued(chat_of(GUEST)), 1);
    assert_shown(INVITER, "");
    road.holds_root = false;
    road_pass(31000); /* asked for again */
    assert_int_equal(chat_protection(chat_of(GUEST)), CHAT_SEALED);
    assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_SEALED);
    assert_reason(GUEST, CHAT_CAN_TALK, "answers");
    assert_shown(INVITER, "");
    struct seen *told = end_find(&road.ends[GUEST], CHAT_DELIVERY, 0);
    assert_int_equal(told->value.line, 5);
    assert_int_equal(told->value.delivery, CHAT_QUEUED);
    assert_true(chat_withdraw(chat_of(GUEST), 5));
    assert_true(road_say(GUEST, 5, "held"));
    road_settle();
    assert_shown(INVITER, "held\n");
}

/* A line that left in the classic way just before may be lost. */
static void lines_of_before_are_in_doubt(void **state)
{
    (void)state;
    struct end *one = &road.ends[GUEST];
    road.loses = NULL;
    road_open(GUEST);
    road.drops = true;
    road_settle();
    peer_status(one, road.last_tunnel, 1, 0x0801, "Tunnel is working. You can talk!");
    assert_int_equal(chat_state(one->chat, NULL), CHAT_CAN_TALK);
    assert_true(end_say(one, 3, str("classic")));
    peer_status(one, road.last_tunnel, 2, 0x0800, "");
    road.drops = false;
    road.ends[GUEST].now += 1000;
    road.ends[INVITER].now += 1000;
    road_cut_all();
    road_pass(1000);
    assert_int_equal(chat_protection(one->chat), CHAT_SEALED);
    bool doubted = false;
    for (size_t i = 0; i < one->count; i++) {
        const struct chat_output *out = &one->seen[i].value;
        doubted |= out->kind == CHAT_DELIVERY && out->line == 3 && out->delivery == CHAT_NOT_CONFIRMED;
    }
    assert_true(doubted);
}

static int old_inviter(void **state)
{
    (void)state;
    road_start_as(CHAT_SEALING_MAY, CHAT_SEALING_NEVER);
    return 0;
}

static void a_peer_of_2013_notices_nothing(void **state)
{
    (void)state;
    road_open(GUEST);
    road_pass(200000);
    assert_int_equal(chat_protection(chat_of(GUEST)), CHAT_CLASSIC);
    assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_CLASSIC);
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_REFUSED_PACKET), 0);
    size_t announcements = 0;
    for (size_t i = 0; i < end_count(&road.ends[GUEST], CHAT_SEND); i++) {
        struct opened opened = opened_status(GUEST, i);
        announcements += opened.item.flags == CHAT_ANNOUNCE;
        opened_free(&opened);
    }
    assert_int_equal(announcements, 1);
    assert_true(end_say(&road.ends[GUEST], 1, str("as ever")));
    end_clear(&road.ends[GUEST]);
    road_settle();
}

static int old_guest(void **state)
{
    (void)state;
    road_start_as(CHAT_SEALING_NEVER, CHAT_SEALING_MAY);
    return 0;
}

static void a_guest_of_2013_decides_for_classic(void **state)
{
    (void)state;
    road_open(GUEST);
    road_pass(100000);
    assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_CLASSIC);
    assert_reason(INVITER, CHAT_CAN_TALK, "answers");
    assert_int_equal(end_count(&road.ends[GUEST], CHAT_REFUSED_PACKET), 0);
}

static int only_sealed(void **state)
{
    (void)state;
    road_start_as(CHAT_SEALING_NEVER, CHAT_SEALING_MUST);
    return 0;
}

static void an_only_sealed_inviter_is_silent(void **state)
{
    (void)state;
    road_open(GUEST);
    road_pass(60000);
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_SEND), 0);
    assert_true(end_count(&road.ends[INVITER], CHAT_REFUSED_PACKET) > 0);
    assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_UNPROTECTED);
}

static int unknown_context(void **state)
{
    (void)state;
    road_start_as(CHAT_SEALING_MAY, CHAT_SEALING_MAY);
    for (size_t side = 0; side < 2; side++) {
        memset(road.ends[side].options.context, 0, 32);
        road_restart(side);
    }
    road_clear();
    return 0;
}

static void an_old_route_stays_classic(void **state)
{
    (void)state;
    assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_CLASSIC);
    road_open(GUEST);
    road_pass(30000);
    assert_reason(GUEST, CHAT_CAN_TALK, "answers");
    assert_int_equal(chat_protection(chat_of(GUEST)), CHAT_CLASSIC);
    assert_int_equal(end_count(&road.ends[GUEST], CHAT_ROOT), 0);
}

/* Lost packets of the handshake are made up for. */
static struct random_seeded dice_state;
static struct random_source dice;

static bool loses_half(size_t to, struct bytes payload)
{
    (void)to;
    (void)payload;
    return random_below(&dice, 2) == 0;
}

static void a_lossy_road(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        dice = random_from_seed(&dice_state, seed);
        road.loses = loses_half;
        road_open(GUEST);
        road_pass(900000);
        assert_int_equal(chat_protection(chat_of(GUEST)), CHAT_SEALED);
        assert_int_equal(chat_protection(chat_of(INVITER)), CHAT_SEALED);
        road_end(state);
        road_begin(state);
    }
}

static void answers_are_bounded(void **state)
{
    (void)state;
    struct end *guest = &road.ends[GUEST], *one = &road.ends[INVITER];
    road_open(GUEST);
    road.drops = true;
    road_settle();
    struct opened opened = opened_status(GUEST, 0);
    struct buffer item = buffer_make(ROOM);
    uint64_t tunnel = road.last_tunnel;
    assert_true(chat_status_write(&item, CHAT_ANNOUNCE, buffer_view(&opened.text)));
    end_clear(one);
    /* The same one many times under other salts: an answer a second. */
    for (uint64_t salt = 1; salt <= 50; salt++) {
        struct buffer packet = packet_of(guest, salt, buffer_view(&item));
        end_receive(one, tunnel, buffer_view(&packet));
        end_receive(one, tunnel, buffer_view(&packet));
        buffer_free(&packet);
    }
    assert_int_equal(end_count(one, CHAT_SEND), 2);
    assert_int_equal(end_count(one, CHAT_REFUSED_PACKET), 50);
    /* Many others: four handshakes of a tunnel, one was there; sixteen of a route. */
    size_t answered[10] = {0}, sum = 0;
    for (uint64_t i = 0; i < 100; i++) {
        struct sealed_ephemeral other;
        char text[SEALED_ANNOUNCEMENT_TEXT + 1];
        uint64_t through = i < 10 ? tunnel : 1000 + i / 10;
        assert_true(sealed_ephemeral_new(&other, SEALED_OPENER, &guest->random));
        sealed_announcement_text(text, other.announcement);
        if (i >= 10 && i % 10 == 0)
            end_tunnel_up(one, through);
        end_clear(one);
        peer_status(one, through, 1000 + i, CHAT_ANNOUNCE, text);
        answered[i / 10] += end_count(one, CHAT_SEND) == 2;
    }
    assert_int_equal(answered[0], 3);
    for (size_t i = 0; i < 10; i++) {
        assert_true(answered[i] <= 4);
        sum += answered[i];
    }
    assert_int_equal(sum, 15);
    opened_free(&opened);
    buffer_free(&item);
}

/* What was announced in one tunnel is not answered in another. */
static void an_announcement_belongs_to_its_tunnel(void **state)
{
    (void)state;
    struct end *one = &road.ends[INVITER];
    road_open(GUEST);
    road.drops = true;
    road_settle();
    struct opened opened = opened_status(GUEST, 0);
    end_tunnel_up(one, FIRST_TUNNEL);
    end_tunnel_up(one, FIRST_TUNNEL + 1);
    end_clear(one);
    for (uint64_t i = 0; i < 2; i++)
        peer_status(one, FIRST_TUNNEL + i, 1 + i, CHAT_ANNOUNCE, buffer_string(&opened.text));
    assert_int_equal(end_count(one, CHAT_SEND), 2);
    assert_int_equal(end_find(one, CHAT_SEND, 1)->value.tunnel, FIRST_TUNNEL);
    assert_refused(one, CHAT_REFUSED_HANDSHAKE);
    opened_free(&opened);
}

static void keys_are_made_anew(void **state)
{
    (void)state;
    road.forgets = true;
    road_agree();
    for (unsigned hours = 0; hours < 30; hours++) {
        assert_true(road_say(GUEST, hours + 1, "."));
        assert_true(road_say(INVITER, hours + 1, "."));
        road_pass(3600000);
        assert_reason(GUEST, CHAT_CAN_TALK, "answers");
        assert_reason(INVITER, CHAT_CAN_TALK, "answers");
        assert_int_equal(road.delivered[GUEST], hours + 1);
        assert_int_equal(road.delivered[INVITER], hours + 1);
        end_clear(&road.ends[GUEST]);
        end_clear(&road.ends[INVITER]);
    }
    assert_int_equal(chat_tunnels(chat_of(GUEST)), chat_tunnels(chat_of(INVITER)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ROAD(a_sealed_guest_says_nothing_classic),
        ON_ROAD(an_undecided_inviter_becomes_sealed),
        ON_ROAD(an_undecided_inviter_becomes_classic),
        cmocka_unit_test_setup_teardown(a_classic_route_moves_up, both_classic, road_end),
        cmocka_unit_test_setup_teardown(lines_of_before_are_in_doubt, both_classic, road_end),
        cmocka_unit_test_setup_teardown(a_peer_of_2013_notices_nothing, old_inviter, road_end),
        cmocka_unit_test_setup_teardown(a_guest_of_2013_decides_for_classic, old_guest, road_end),
        cmocka_unit_test_setup_teardown(an_only_sealed_inviter_is_silent, only_sealed, road_end),
        cmocka_unit_test_setup_teardown(an_old_route_stays_classic, unknown_context, road_end),
        ON_ROAD(a_lossy_road),
        ON_ROAD(answers_are_bounded),
        ON_ROAD(an_announcement_belongs_to_its_tunnel),
        ON_ROAD(keys_are_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
