/* SPDX-License-Identifier: ISC */
/* A contact that has all keys, and a relay that has none (SEALED.md §4 to §8, §12). */
#include "sealed_contact.h"

static const uint64_t MAX = (UINT64_C(1) << 48) - 1;

static void texts_are_harmless(void **state)
{
    (void)state;
    static const char foul[] = "\x1b[31m\a\r\nb\rc\td\x7f\xc2\x85.\xc3\xa9";
    static const char shown[] = "\xef\xbf\xbd[31m\xef\xbf\xbd\nb\nc\td\xef\xbf\xbd\xef\xbf\xbd.\xc3\xa9";
    road_agree();
    give_line(GUEST, 1, WALL * INT64_C(1000), str(foul));
    assert_bytes_equal(buffer_view(&end_find(&road.ends[INVITER], CHAT_LINE, 0)->text), str(shown));
    struct buffer plain = plain_of(SEALED_WANT, 0, 1);
    assert_true(sealed_record_write(&plain, SEALED_STATE_TEXT, str(foul)));
    give_records(GUEST, &plain);
    assert_bytes_equal(buffer_view(&end_find(&road.ends[INVITER], CHAT_STATE_TEXT, 0)->text), str(shown));
}

/* What takes the place of a control character is longer than it: a line keeps to its limit all the same. */
static void harmless_is_not_longer(void **state)
{
    (void)state;
    static uint8_t text[CHAT_LINE_LIMIT];
    road_agree();
    memset(text, 1, sizeof text);
    give_line(GUEST, 1, WALL * INT64_C(1000), bytes_of(text, sizeof text));
    struct buffer *shown = &end_find(&road.ends[INVITER], CHAT_LINE, 0)->text;
    memset(text, '?', sizeof text);
    assert_bytes_equal(buffer_view(shown), bytes_of(text, sizeof text));
    memset(text, '\n', sizeof text);
    give_line(GUEST, 2, WALL * INT64_C(1000), bytes_of(text, sizeof text));
    assert_bytes_equal(buffer_view(&end_find(&road.ends[INVITER], CHAT_LINE, 1)->text),
                       bytes_of(text, sizeof text));
    give_line(GUEST, 3, WALL * INT64_C(1000), str("\r"));
    assert_bytes_equal(buffer_view(&end_find(&road.ends[INVITER], CHAT_LINE, 2)->text), str("\n"));
}

static void times_are_plausible(void **state)
{
    (void)state;
    static const int64_t times[] = {0, INT64_MAX, WALL * INT64_C(1000)};
    road_agree();
    for (uint64_t i = 0; i < 3; i++) {
        give_line(GUEST, i + 1, times[i], str("x"));
        int64_t shown = end_find(&road.ends[INVITER], CHAT_LINE, i)->value.time;
        assert_true(shown >= (WALL - 86400) * INT64_C(1000));
        assert_true(shown <= (wall_of(INVITER) + 86400) * INT64_C(1000));
    }
    assert_int_equal(end_find(&road.ends[INVITER], CHAT_LINE, 2)->value.time, times[2]);
}

/* A frame has room for thousands of records. */
static void small_records_do_not_multiply(void **state)
{
    (void)state;
    road_agree();
    struct buffer plain = plain_of(SEALED_WANT, 0, 1);
    while (sealed_record_write(&plain, SEALED_STATE_TEXT, str("")) &&
           sealed_record_write(&plain, SEALED_AVATAR, str("")))
        continue;
    give_records(GUEST, &plain);
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_STATE_TEXT), 1);
    assert_true(road.ends[INVITER].count < 8);
}

static void acknowledgements_of_what_was_never_said(void **state)
{
    (void)state;
    struct end *one = &road.ends[INVITER];
    uint64_t most = UINT64_C(1) << 32;
    road_agree();
    const uint64_t implausible[] = {most + 1, MAX};
    for (size_t i = 0; i < 2; i++) {
        struct buffer plain = plain_of(SEALED_WANT, implausible[i], 1);
        give_records(GUEST, &plain);
        assert_int_equal(end_count(one, CHAT_BEHIND), 0);
        assert_int_equal(end_count(one, CHAT_REFUSED_PACKET), i + 1);
    }
    /* Once in a life a store can be found to be behind: thousands of voids each time would be a lever. */
    road.sent[INVITER] = 0;
    for (uint64_t i = 0; i < 20; i++) {
        struct buffer plain = plain_of(SEALED_WANT, most + i * 5000, 1);
        give_records(GUEST, &plain);
    }
    assert_int_equal(end_count(one, CHAT_BEHIND), 1);
    assert_true(road.sent[INVITER] <= 8);
    assert_int_equal(end_count(one, CHAT_REFUSED_PACKET), 21);
}

static void a_base_that_jumps(void **state)
{
    (void)state;
    struct end *one = &road.ends[INVITER];
    road_agree();
    give_line(GUEST, 3, WALL * INT64_C(1000), str("early"));
    struct buffer plain = plain_of(SEALED_WANT, 0, 1000000);
    give_records(GUEST, &plain);
    assert_int_equal(end_count(one, CHAT_LINE), 1);
    assert_int_equal(end_find(one, CHAT_LINE, 0)->value.missing, 999999);
    assert_int_equal(road.stored[INVITER], 999999);
    give_line(GUEST, 1, WALL * INT64_C(1000), str("gone by"));
    give_line(GUEST, 1000000 + LINE_EARLY_LINES, WALL * INT64_C(1000), str("too far"));
    assert_int_equal(end_count(one, CHAT_LINE), 1);
    give_line(GUEST, 1000000, WALL * INT64_C(1000), str("next"));
    plain = plain_of(SEALED_WANT, 0, MAX);
    give_records(GUEST, &plain);
    assert_int_equal(road.stored[INVITER], MAX - 1);
    give_line(GUEST, MAX, WALL * INT64_C(1000), str("the last"));
    give_line(GUEST, MAX, WALL * INT64_C(1000), str("the last"));
    assert_int_equal(road.stored[INVITER], MAX);
    assert_shown(INVITER, "\nnext\n\nthe last\n");
    /* The other direction goes on. */
    assert_true(road_say(INVITER, 1, "x"));
}

static void early_lines_are_bounded(void **state)
{
    (void)state;
    static uint8_t text[CHAT_LINE_LIMIT];
    memset(text, 'x', sizeof text);
    road_agree();
    for (uint64_t number = 2; number < 3000; number++)
        give_line(GUEST, number, WALL * INT64_C(1000), bytes_of(text, number < 50 ? sizeof text : 1));
    give_line(GUEST, 1, WALL * INT64_C(1000), bytes_of(text, sizeof text));
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_LINE), 1 + LINE_EARLY_BYTES / CHAT_LINE_LIMIT);
}

static void frame_at(uint64_t counter, enum chat_refusal why)
{
    struct end *one = &road.ends[INVITER];
    const struct chat_tunnel *tunnel = talking_tunnel(GUEST);
    struct buffer plain = plain_of(SEALED_WANT, 0, 1), frame = buffer_make(ROOM);
    assert_true(sealed_frame_seal(road.ends[GUEST].sealed, &frame, &tunnel->seal.current.keys.own, counter,
                                  buffer_view(&plain)));
    end_clear(one);
    give(INVITER, tunnel->id, buffer_view(&frame));
    if (why == CHAT_REFUSALS)
        assert_int_equal(end_count(one, CHAT_REFUSED_PACKET), 0);
    else
        assert_refused(one, why);
    buffer_free(&plain);
    buffer_free(&frame);
}

static void counters(void **state)
{
    (void)state;
    static const uint64_t far = 1000000, spent = UINT64_C(1) << 36;
    road_agree();
    frame_at(far, CHAT_REFUSALS);
    frame_at(far, CHAT_REFUSED_FRAME);
    frame_at(far - 1023, CHAT_REFUSALS);
    frame_at(far - 1023, CHAT_REFUSED_FRAME);
    frame_at(far - 1024, CHAT_REFUSED_FRAME);
    frame_at(far + 1024, CHAT_REFUSALS);
    frame_at(far + 1, CHAT_REFUSALS);
    frame_at(far, CHAT_REFUSED_FRAME);
    frame_at(spent, CHAT_REFUSED_FRAME);
    frame_at(UINT64_MAX, CHAT_REFUSED_FRAME);
    frame_at(spent - 1, CHAT_REFUSALS);
    frame_at(far + 2, CHAT_REFUSED_FRAME);
}

static void malformed(const char *bytes, size_t size)
{
    struct end *one = &road.ends[INVITER];
    struct buffer plain = plain_of(SEALED_WANT, 0, 1);
    assert_true(sealed_line_write(&plain, 1, WALL * INT64_C(1000), str("not alone")));
    assert_true(buffer_append(&plain, bytes, size));
    end_clear(one);
    give_records(GUEST, &plain);
    assert_refused(one, CHAT_REFUSED_CONTENT);
    assert_int_equal(end_count(one, CHAT_LINE), 0);
}

/* One record that is wrong, and the whole frame is refused. */
static void records_that_do_not_fit(void **state)
{
    (void)state;
    road_agree();
    static const struct {
        const char *bytes;
        size_t size;
    } wrong[] = {
        {"\x09\xff\xff\xff", 4},                                      /* longer than the frame */
        {"\0\0\0\0\x09", 5},                                          /* behind the end */
        {"\x01\0\0\x0f\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0", 19},           /* no whole line */
        {"\x01\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 20},         /* number 0 */
        {"\x01\0\0\x10\0\0\0\0\0\2\0\1\0\0\0\0\0\0\0\1", 20},         /* not zero */
        {"\x01\0\0\x10\0\0\0\0\0\2\0\0\x80\0\0\0\0\0\0\1", 20},       /* time */
        {"\x01\0\0\x12\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\1\xc0\x80", 22}, /* no UTF-8 */
        {"\x03\0\0\x01\0\x03", 6},                                    /* a zero in a text */
        {"\x02\0\0\x1f", 4},                                          /* a short root */
        {"\x05\0\0\x01\x01", 5},                                      /* a short claim */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        malformed(wrong[i].bytes, wrong[i].size);
    /* No whole number of steps. */
    uint8_t odd[SEALED_HEADER_SIZE + 16] = {0};
    end_clear(&road.ends[INVITER]);
    give_plain(GUEST, bytes_of(odd, sizeof odd));
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_REFUSED_PACKET), 1);
    give_line(GUEST, 1, WALL * INT64_C(1000), str("well"));
    assert_shown(INVITER, "well\n");
}

static void a_root_in_root_mode(void **state)
{
    (void)state;
    static const uint8_t other[SEALED_ROOT_SIZE] = {7};
    road_agree();
    struct buffer plain = plain_of(SEALED_WANT, 0, 1);
    assert_true(sealed_record_write(&plain, SEALED_ROOT, bytes_of(other, sizeof other)));
    assert_true(sealed_record_write(&plain, SEALED_CLAIM, bytes_of(other, sizeof other)));
    struct buffer twice = buffer_make(ROOM);
    assert_true(buffer_append_bytes(&twice, buffer_view(&plain)));
    give_records(INVITER, &plain);
    give_records(GUEST, &twice);
    for (size_t side = 0; side < 2; side++) {
        assert_int_equal(end_count(&road.ends[side], CHAT_ROOT), 0);
        assert_int_equal(end_count(&road.ends[side], CHAT_REFUSED_PACKET), 0);
        assert_int_equal(chat_state(chat_of(side), NULL), CHAT_CAN_TALK);
    }
}

static size_t packets_left;

static bool loses_the_rest(size_t to, struct bytes payload)
{
    (void)to;
    (void)payload;
    return packets_left == 0 || packets_left-- == 0;
}

/* Whoever shows another claim is gone at once; the state does not tell of his tunnel for ever. */
static void another_claim_leaves_nothing(void **state)
{
    (void)state;
    struct end *guest = &road.ends[GUEST];
    road_open(GUEST);
    road.loses = loses_the_rest;
    packets_left = 5; /* the inviter has the claim, the guest no root */
    road_settle();
    assert_true(road.ends[INVITER].options.sealed && !guest->options.sealed);
    guest->options.salt_key[0] ^= 1;
    road.loses = NULL;
    road_restart(GUEST);
    road_open(GUEST);
    road_pass(30000);
    assert_reason(GUEST, CHAT_CLOSED_BY_PEER, "somebody else");
    assert_int_equal(chat_tunnels(chat_of(INVITER)), 0);
    const char *reason;
    chat_state(chat_of(INVITER), &reason);
    assert_null(strstr(reason, "agreeing"));
    assert_null(strstr(reason, "a tunnel is there"));
}

static void classic_on_a_sealed_route(void **state)
{
    (void)state;
    struct end *one = &road.ends[INVITER];
    road_agree();
    uint64_t tunnel = talking_tunnel(INVITER)->id;
    uint64_t salt = 1;
    for (size_t length = 1; length < 200; length += 13) {
        char text[256] = {0};
        memset(text, 'a', length);
        end_clear(one);
        peer_text(one, tunnel, salt++, CHAT_PRIVATE, text);
        road_take(INVITER);
        assert_int_equal(end_count(one, CHAT_REFUSED_PACKET), 1);
        end_clear(one);
        peer_status(one, tunnel, salt++, 0x0801, "Tunnel is working. You can talk!");
        assert_int_equal(end_count(one, CHAT_REFUSED_PACKET), 1);
    }
    assert_int_equal(chat_protection(one->chat), CHAT_SEALED);
    assert_shown(INVITER, "");
}

/* Every bit of the announcement, as the relay can turn it: the block goes wrong, the next one flips. */
static void a_garbled_announcement_decides_nothing(void **state)
{
    (void)state;
    struct end *one = &road.ends[INVITER];
    road_open(GUEST);
    road.drops = true;
    road_settle();
    struct buffer packet = buffer_make(ROOM);
    assert_true(
        buffer_append_bytes(&packet, buffer_view(&end_find(&road.ends[GUEST], CHAT_SEND, 0)->payload)));
    assert_int_equal(buffer_size(&packet), SEALED_ANNOUNCEMENT_PACKET);
    for (size_t bit = 0; bit < 8 * SEALED_ANNOUNCEMENT_PACKET; bit++) {
        packet.memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
        chat_free(one->chat);
        end_start(one);
        end_tunnel_up(one, FIRST_TUNNEL);
        end_receive(one, FIRST_TUNNEL, buffer_view(&packet));
        assert_int_equal(chat_protection(one->chat), CHAT_UNPROTECTED);
        assert_int_equal(chat_state(one->chat, NULL), CHAT_CONNECTING);
        assert_int_equal(end_count(one, CHAT_CONFIRMED), 0);
        end_clear(one);
        packet.memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buffer_free(&packet);
}

/* Frames come only where they belong: their tunnel, direction, and time. */
static void frames_elsewhere(void **state)
{
    (void)state;
    road_agree();
    struct chat_tunnel *first = talking_tunnel(GUEST);
    uint64_t other = road_join(GUEST, first->hash);
    road_settle();
    assert_true(road_say(GUEST, 1, "once"));
    road.drops = true;
    road_clear();
    road_settle();
    struct seen *sent = end_find(&road.ends[GUEST], CHAT_SEND, 0);
    struct buffer frame = buffer_make(ROOM);
    uint64_t through = sent->value.tunnel;
    assert_true(buffer_append_bytes(&frame, buffer_view(&sent->payload)));
    road_clear();
    give(INVITER, through == other ? first->id : other, buffer_view(&frame));
    assert_refused(&road.ends[INVITER], CHAT_REFUSED_FRAME);
    give(GUEST, through, buffer_view(&frame));
    assert_refused(&road.ends[GUEST], CHAT_REFUSED_FRAME);
    assert_shown(INVITER, "");
    give(INVITER, through, buffer_view(&frame));
    assert_shown(INVITER, "once\n");
    road_clear();
    give(INVITER, through, buffer_view(&frame));
    assert_refused(&road.ends[INVITER], CHAT_REFUSED_FRAME);
    /* Under keys that are new. */
    road.drops = false;
    road.forgets = true;
    road_pass(13 * UINT64_C(3600000));
    road_clear();
    chat_receive(chat_of(INVITER), through, buffer_view(&frame), road.ends[INVITER].now, wall_of(INVITER));
    road_take(INVITER);
    assert_int_equal(end_count(&road.ends[INVITER], CHAT_REFUSED_PACKET), 1);
    assert_shown(INVITER, "once\n");
    buffer_free(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ROAD(texts_are_harmless),
        ON_ROAD(harmless_is_not_longer),
        ON_ROAD(times_are_plausible),
        ON_ROAD(small_records_do_not_multiply),
        ON_ROAD(acknowledgements_of_what_was_never_said),
        ON_ROAD(a_base_that_jumps),
        ON_ROAD(early_lines_are_bounded),
        ON_ROAD(counters),
        ON_ROAD(records_that_do_not_fit),
        ON_ROAD(a_root_in_root_mode),
        ON_ROAD(another_claim_leaves_nothing),
        ON_ROAD(classic_on_a_sealed_route),
        ON_ROAD(a_garbled_announcement_decides_nothing),
        ON_ROAD(frames_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
