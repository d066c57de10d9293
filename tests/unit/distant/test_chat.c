/* SPDX-License-Identifier: ISC */
/* The conversation itself: tunnels and state, own lines, salts. */
#include "chat_scene.h"

#include "wire/utf8.h"

static const char working[] = "Tunnel is working. You can talk!";

/* States. */

static void words(void **state)
{
    (void)state;
    assert_string_equal(chat_state_word(CHAT_NO_TUNNEL), "no tunnel");
    assert_string_equal(chat_state_word(CHAT_CLOSED_BY_PEER), "closed by peer");
    assert_string_equal(chat_state_word((enum chat_state)99), "unknown");
}

static void a_guest_looks_and_finds(void **state)
{
    (void)state;
    assert_state(CHAT_NO_TUNNEL, "not looked for now");
    open_now();
    assert_true(end_find(&end, CHAT_WANT, 0)->value.urgent);
    assert_state(CHAT_CONNECTING, "asking");
    dug(0);
    assert_state(CHAT_NO_TUNNEL, "no friend");
    dug(3);
    assert_state(CHAT_CONNECTING, "looking");
    end_tunnel_up(&end, FIRST);
    assert_state(CHAT_CONNECTING, "waiting for the other side to answer");
    peer_status(&end, FIRST, 1, 0x0801, working);
    assert_state(CHAT_CAN_TALK, "");
    assert_int_equal(end_count(&end, CHAT_CONFIRMED), 1);
    end_clear(&end);
    /* The same tunnel again, and a second one: nothing to see, but each is acknowledged. */
    end_tunnel_up(&end, FIRST);
    end_tunnel_up(&end, SECOND);
    assert_int_equal(end_count(&end, CHAT_STATE_CHANGED), 0);
    assert_int_equal(end_count(&end, CHAT_SEND), 2);
    assert_sent(&end, 0, CHAT_STATUS, 0x0801, working);
    assert_sent(&end, 1, CHAT_STATUS, 0x0801, working);
    assert_int_equal(end_find(&end, CHAT_SEND, 1)->value.tunnel, SECOND);
    /* Losing the first leaves one that has shown nothing. */
    end_tunnel_down(&end, FIRST);
    assert_state(CHAT_CONNECTING, "another");
    end_tunnel_down(&end, SECOND);
    assert_state(CHAT_NO_TUNNEL, "a relay left");
    dug(1);
    assert_state(CHAT_CONNECTING, "looking");
    end_tunnel_up(&end, FIRST + 10);
    peer_status(&end, FIRST + 10, 2, 0x0800, "");
    assert_state(CHAT_CAN_TALK, "");
}

/* The acknowledgement behind the tunnel-ok may be lost: the guest must not wait for the next keep-alive. */
static void an_inviter_answers_the_first_packet(void **state)
{
    (void)state;
    end_tunnel_up(&end, FIRST);
    assert_sent(&end, 0, CHAT_STATUS, 0x0801, working);
    end_clear(&end);
    peer_status(&end, FIRST, 1, 0x0801, working);
    assert_int_equal(end_count(&end, CHAT_SEND), 1);
    assert_sent(&end, 0, CHAT_STATUS, 0x0800, "");
    end_clear(&end);
    peer_status(&end, FIRST, 2, 0x0801, working);
    assert_int_equal(end_count(&end, CHAT_SEND), 0);
    end_tunnel_up(&end, SECOND);
    end_clear(&end);
    peer_status(&end, SECOND, 3, 0x0801, working);
    assert_int_equal(end_count(&end, CHAT_SEND), 1);
    assert_int_equal(end_find(&end, CHAT_SEND, 0)->value.tunnel, SECOND);
}

static void a_guest_answers_nothing(void **state)
{
    (void)state;
    open_now();
    end_tunnel_up(&end, FIRST);
    end_clear(&end);
    peer_status(&end, FIRST, 1, 0x0801, working);
    assert_int_equal(end_count(&end, CHAT_SEND), 0);
}

static void a_request_without_answer(void **state)
{
    (void)state;
    open_now();
    dug(2);
    assert_true(chat_deadline(end.chat) < UINT64_MAX);
    end_tick(&end, chat_deadline(end.chat) - end.now);
    assert_state(CHAT_NO_TUNNEL, "nobody has answered");
    assert_int_equal(chat_deadline(end.chat), UINT64_MAX);
    end_clear(&end);
    dug(2); /* the router asks again by itself: no flapping */
    assert_int_equal(end.count, 0);
    open_now();
    dug(2);
    assert_state(CHAT_CONNECTING, "looking");
}

static void losing_one_of_two_confirmed(void **state)
{
    (void)state;
    end_confirm(&end, FIRST, 1);
    end_confirm(&end, SECOND, 2);
    end_say(&end, 1, str("x"));
    assert_int_equal(end_find(&end, CHAT_SEND, 0)->value.tunnel, SECOND);
    end_clear(&end);
    peer_status(&end, FIRST, 3, 0x0800, "");
    end_say(&end, 2, str("x"));
    assert_int_equal(end_find(&end, CHAT_SEND, 0)->value.tunnel, FIRST);
    end_clear(&end);
    end_tunnel_down(&end, FIRST);
    assert_int_equal(end_count(&end, CHAT_STATE_CHANGED), 0);
    end_say(&end, 3, str("x"));
    assert_int_equal(end_find(&end, CHAT_SEND, 0)->value.tunnel, SECOND);
    assert_int_equal(chat_tunnels(end.chat), 1);
}

static void tunnels_are_bounded(void **state)
{
    (void)state;
    end_confirm(&end, 1, 1);
    for (uint64_t tunnel = 2; tunnel < 2 + 3 * CHAT_TUNNELS_LIMIT; tunnel++)
        end_tunnel_up(&end, tunnel);
    assert_int_equal(chat_tunnels(end.chat), CHAT_TUNNELS_LIMIT);
    assert_int_equal(end_find(&end, CHAT_CLOSE_TUNNEL, 0)->value.tunnel, 2);
    assert_int_equal(end_count(&end, CHAT_CLOSE_TUNNEL), 2 * CHAT_TUNNELS_LIMIT + 1);
    end_say(&end, 1, str("x"));
    assert_int_equal(end_find(&end, CHAT_SEND, end_count(&end, CHAT_SEND) - 2)->value.tunnel, 1);
}

static void the_peer_closes(void **state)
{
    (void)state;
    open_now();
    end_confirm(&end, FIRST, 1);
    peer_status(&end, FIRST, 2, 0x0401, "");
    assert_state(CHAT_CLOSED_BY_PEER, "closed");
    assert_int_equal(end_find(&end, CHAT_STATE_CHANGED, 0)->salts[0], 2);
    bool is_guest = end.options.role == CHAT_GUEST;
    assert_int_equal(end_stops(&end), is_guest ? 1 : 0);
    assert_int_equal(chat_tunnels(end.chat), is_guest ? 0 : 1);
    assert_int_equal(chat_deadline(end.chat), UINT64_MAX); /* no keep-alive into a closed chat */
    end_clear(&end);
    if (!is_guest) { /* nobody listens in the tunnel that is left */
        open_now();
        assert_state(CHAT_CLOSED_BY_PEER, "closed");
        end_say(&end, 1, str("x"));
        assert_int_equal(end_count(&end, CHAT_SEND), 0);
        assert_true(chat_withdraw(end.chat, 1));
    }
    end_tunnel_down(&end, FIRST);
    assert_state(CHAT_CLOSED_BY_PEER, "closed");
    if (is_guest)
        open_now();
    end_tunnel_up(&end, SECOND); /* anybody who knows the hash could do that */
    assert_int_equal(chat_state(end.chat, NULL), is_guest ? CHAT_CONNECTING : CHAT_CLOSED_BY_PEER);
    peer_status(&end, SECOND, 3, 0x0801, working);
    assert_state(CHAT_CAN_TALK, "");
}

static void we_close(void **state)
{
    (void)state;
    open_now();
    end_confirm(&end, FIRST, 1);
    close_now();
    assert_sent(&end, 0, CHAT_STATUS, 0x0401, "");
    assert_int_equal(end_count(&end, CHAT_SEND), 1);
    assert_int_equal(end_stops(&end), 1);
    assert_true(end.seen[end.count - 1].value.kind ==
                (end.options.role == CHAT_GUEST ? CHAT_STOP : CHAT_UNSERVE)); /* after the status */
    assert_state(CHAT_NO_TUNNEL, "closed here");
    end_clear(&end);
    end_tunnel_up(&end, SECOND);
    assert_int_equal(end_count(&end, CHAT_CLOSE_TUNNEL), 1);
    struct error *error = NULL;
    assert_false(chat_say(end.chat, 1, 0, str("x"), end.now, end_wall(&end), &error));
    assert_int_equal(error->code, ERROR_UNAVAILABLE);
    error_free(error);
    open_now();
    assert_true(end_say(&end, 2, str("x")));
}

static void closing_waits_for_salts(void **state)
{
    (void)state;
    end.holds_salts = true;
    end_tunnel_up(&end, FIRST);
    close_now();
    assert_int_equal(end_count(&end, CHAT_SEND) + end_stops(&end), 0);
    chat_salts_stored(end.chat, end.salt_next, end.now, end_wall(&end));
    end_take(&end);
    assert_sent(&end, 0, CHAT_STATUS, 0x0401, "");
    assert_int_equal(end_stops(&end), 1);
}

static void expired(void **state)
{
    (void)state;
    open_now();
    end_confirm(&end, FIRST, 1);
    chat_expire(end.chat, CHAT_REFUSED, "revoked");
    end_take(&end);
    assert_state(CHAT_REFUSED, "revoked");
    assert_int_equal(end_count(&end, CHAT_SEND), 0);
    assert_int_equal(end_stops(&end), 1);
    end_clear(&end);
    open_now();
    close_now();
    end_tunnel_up(&end, SECOND);
    assert_int_equal(end_count(&end, CHAT_CLOSE_TUNNEL), 1);
    assert_int_equal(end.count, 1);
    assert_false(end_say(&end, 1, str("x")));
    assert_state(CHAT_REFUSED, "revoked");
}

static void sleeping(void **state)
{
    (void)state;
    open_now();
    end_confirm(&end, FIRST, 1);
    chat_sleep(end.chat, end.now);
    end_take(&end);
    assert_state(CHAT_NO_TUNNEL, "asleep");
    assert_int_equal(end_stops(&end), 1);
    end_clear(&end);
    end_say(&end, 1, str("x")); /* lines wake it */
    assert_false(end_find(&end, CHAT_WANT, 0)->value.urgent);
    chat_sleep(end.chat, end.now);
    end_take(&end);
    assert_int_equal(end_stops(&end), 0);
    assert_state(CHAT_CONNECTING, "asking");
}

/* Own lines. */

static void lines_wait_and_leave_in_order(void **state)
{
    (void)state;
    open_now();
    for (uint64_t line = 1; line <= 5; line++) {
        char text[] = {(char)('a' + line), '\0'};
        end_say(&end, line, str(text));
    }
    assert_int_equal(chat_queued(end.chat), 5);
    assert_true(chat_withdraw(end.chat, 3));
    assert_false(chat_withdraw(end.chat, 3));
    end_tunnel_up(&end, FIRST);
    assert_int_equal(end_count(&end, CHAT_DELIVERY), 0);
    end_clear(&end);
    peer_status(&end, FIRST, 1, 0x0801, working);
    assert_int_equal(chat_queued(end.chat), 0);
    const uint64_t order[] = {1, 2, 4, 5};
    for (size_t i = 0; i < 4; i++)
        assert_delivery(i, order[i], CHAT_SENT);
    assert_int_equal(end_count(&end, CHAT_SEND), 5); /* the state string after the first */
    struct opened opened = open_sent(&end, end_find(&end, CHAT_SEND, 0));
    assert_int_equal(buffer_size(&opened.text), CHAT_PAD);
    assert_memory_equal(buffer_view(&opened.text).data, "b   ", 4);
    assert_int_equal(opened.item.time, end_wall(&end));
    opened_free(&opened);
    assert_sent(&end, 1, CHAT_STATUS, 0x0010, "");
    assert_false(chat_withdraw(end.chat, 1));
}

static void doubt(void **state)
{
    (void)state;
    end_confirm(&end, FIRST, 1);
    end_say(&end, 2, str("old enough"));
    end.now += CHAT_DOUBT_MS + 1;
    end_say(&end, 3, str("in doubt"));
    end.now += CHAT_DOUBT_MS;
    end_clear(&end);
    end_tunnel_down(&end, FIRST);
    assert_int_equal(end_count(&end, CHAT_DELIVERY), 1);
    assert_delivery(0, 3, CHAT_NOT_CONFIRMED);
    end_clear(&end);
    end_confirm(&end, SECOND, 3); /* never repeated */
    assert_int_equal(chat_queued(end.chat), 0);
    end_say(&end, 4, str("heard after it"));
    peer_status(&end, SECOND, 4, 0x0800, "");
    end_clear(&end);
    end_tunnel_down(&end, SECOND);
    assert_int_equal(end_count(&end, CHAT_DELIVERY), 0);
}

static void what_is_not_taken(void **state)
{
    (void)state;
    static char big[CHAT_LINE_LIMIT + 1];
    memset(big, 'x', sizeof big);
    assert_false(end_say(&end, 1, str("")));
    assert_false(end_say(&end, 1, str("\xff")));
    assert_false(end_say(&end, 1, bytes_of("a\0b", 3)));
    assert_false(end_say(&end, 1, bytes_of(big, sizeof big)));
    for (uint64_t line = 0; line < CHAT_QUEUE_BYTES / CHAT_LINE_LIMIT; line++)
        assert_true(end_say(&end, line, bytes_of(big, CHAT_LINE_LIMIT)));
    struct error *error = NULL;
    assert_false(chat_say(end.chat, 99, 0, str("x"), end.now, end_wall(&end), &error));
    assert_int_equal(error->code, ERROR_LIMIT);
    error_free(error);
    assert_true(chat_withdraw(end.chat, 0));
    assert_true(end_say(&end, 99, str("x")));
    end_clear(&end);
    close_now();
    assert_int_equal(end_count(&end, CHAT_DELIVERY), CHAT_QUEUE_BYTES / CHAT_LINE_LIMIT);
    assert_delivery(0, 1, CHAT_FAILED);
    assert_int_equal(chat_queued(end.chat), 0);
    open_now();
    for (uint64_t line = 0; line < CHAT_QUEUE_LINES; line++)
        assert_true(end_say(&end, line, str("x")));
    assert_false(end_say(&end, 1, str("x")));
}

static void a_long_line(void **state)
{
    (void)state;
    struct buffer text = buffer_make(ROOM), joined = buffer_make(ROOM);
    while (buffer_size(&text) + 7 <= CHAT_LINE_LIMIT)
        buffer_append_string(&text, "<!\xf0\x9f\x98\x80x");
    end_confirm(&end, FIRST, 1);
    assert_true(end_say(&end, 1, buffer_view(&text)));
    size_t parts = end_count(&end, CHAT_SEND) - 1;
    assert_int_equal(parts, 4); /* 9362 times five code points */
    for (size_t i = 0; i < parts; i++) {
        struct opened opened = open_sent(&end, end_find(&end, CHAT_SEND, i));
        assert_int_equal(opened.item.flags, i + 1 < parts ? 0x0101 : 0x0001);
        size_t length = utf8_length(buffer_view(&opened.text));
        assert_true(length < CHAT_PART_LIMIT);
        assert_int_equal(length % CHAT_PAD, 0);
        buffer_append_bytes(&joined, buffer_view(&opened.text));
        opened_free(&opened);
    }
    assert_null(strstr(buffer_string(&joined), "<!"));
    buffer_free(&text);
    buffer_free(&joined);
}

static void padding_is_taken_off(void **state)
{
    (void)state;
    static const struct {
        size_t letters, spaces, left;
    } cases[] = {{1, 63, 1}, {1, 62, 63}, {64, 0, 64}, {62, 2, 62}, {64, 64, 65}, {0, 64, 1}, {3, 0, 3}};
    end_confirm(&end, FIRST, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer text = buffer_make(ROOM);
        for (size_t j = 0; j < cases[i].letters; j++)
            buffer_u8(&text, 'x');
        for (size_t j = 0; j < cases[i].spaces; j++)
            buffer_u8(&text, ' ');
        peer_text_at(&end, FIRST, 10 + i, 1, buffer_view(&text), end_wall(&end));
        assert_int_equal(buffer_size(&end_find(&end, CHAT_LINE, i)->text), cases[i].left);
        buffer_free(&text);
    }
}

static void parts_of_a_lost_tunnel(void **state)
{
    (void)state;
    end_confirm(&end, FIRST, 1);
    peer_text(&end, FIRST, 2, 0x0101, "cut off ");
    end_tunnel_down(&end, FIRST);
    end_confirm(&end, SECOND, 3);
    peer_text(&end, SECOND, 4, 0x0101, "one ");
    peer_text(&end, SECOND, 5, 0x0003, ""); /* an avatar request is not a part */
    peer_text(&end, SECOND, 6, 0x0001, "line");
    assert_int_equal(end_count(&end, CHAT_LINE), 1);
    struct seen *line = end_find(&end, CHAT_LINE, 0);
    assert_bytes_equal(buffer_view(&line->text), str("one line"));
    assert_int_equal(line->value.salt_count, 2);
    assert_int_equal(line->salts[0], 4);
    assert_int_equal(line->salts[1], 6);
}

/* Salts. */

static void packets_wait_for_stored_salts(void **state)
{
    (void)state;
    end.holds_salts = true;
    end_tunnel_up(&end, FIRST);
    assert_int_equal(end_count(&end, CHAT_SEND), 0);
    assert_int_equal(end_find(&end, CHAT_SALTS, 0)->value.salt_next, 1000);
    end_say(&end, 1, str("x"));
    peer_status(&end, FIRST, 1, 0x0801, working);
    end_tick(&end, 29999);
    assert_int_equal(end_count(&end, CHAT_SALTS), 1);
    end_tick(&end, 1); /* the store may have failed: asked again, without spinning */
    assert_int_equal(end_count(&end, CHAT_SALTS), 2);
    assert_int_equal(end_find(&end, CHAT_SALTS, 1)->value.salt_next, 1000);
    assert_int_equal(chat_deadline(end.chat), end.now + 30000);
    chat_salts_stored(end.chat, 999, end.now, end_wall(&end));
    end_take(&end);
    assert_int_equal(end_count(&end, CHAT_SEND), 0);
    chat_salts_stored(end.chat, 1000, end.now, end_wall(&end));
    end_take(&end);
    assert_int_equal(end_count(&end, CHAT_SEND), 3);
    assert_delivery(0, 1, CHAT_SENT);
    chat_salts_stored(end.chat, 1000, end.now, end_wall(&end)); /* the answer to the first asking */
    end_take(&end);
    assert_int_equal(end_count(&end, CHAT_SEND), 3);
    assert_true(chat_deadline(end.chat) < end.now + 30000);
}

static void a_line_waits_for_all_its_salts(void **state)
{
    (void)state;
    enum { FOUR_PARTS = 45000 };
    struct buffer text = buffer_make(ROOM);
    while (buffer_size(&text) < FOUR_PARTS)
        buffer_u8(&text, 'x');
    chat_free(end.chat);
    end.options.salt_block = 3;
    end_start(&end);
    end_confirm(&end, FIRST, 1); /* uses two of three */
    end.holds_salts = true;
    end_say(&end, 1, buffer_view(&text));
    assert_int_equal(end_find(&end, CHAT_SALTS, 0)->value.salt_next, 6);
    assert_int_equal(end_count(&end, CHAT_SEND), 0);
    chat_salts_stored(end.chat, 6, end.now, end_wall(&end));
    end_take(&end);
    assert_int_equal(end_count(&end, CHAT_SEND), 4);
    assert_delivery(0, 1, CHAT_SENT);
    assert_int_equal(end_find(&end, CHAT_SALTS, 1)->value.salt_next, 9); /* the state string waits */
    buffer_free(&text);
}

static void salts_never_repeat(void **state)
{
    (void)state;
    enum { LINES = 300 };
    chat_free(end.chat);
    end.options.salt_block = 16;
    end_start(&end);
    end_confirm(&end, FIRST, 1);
    for (uint64_t line = 0; line < LINES; line++) {
        if (line == LINES / 2) { /* a restart with what the store holds */
            chat_free(end.chat);
            end.options.salt_next = end.salt_next;
            end_start(&end);
            end_tunnel_up(&end, FIRST);
            peer_status(&end, FIRST, 1, 0x0801, working);
        }
        assert_true(end_say(&end, line, str("the same text")));
    }
    assert_int_equal(end_count(&end, CHAT_DELIVERY), LINES);
    size_t sent = end_count(&end, CHAT_SEND);
    assert_true(sent >= LINES);
    for (size_t i = 0; i < sent; i++) {
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(buffer_view(&end_find(&end, CHAT_SEND, i)->payload).data,
                                    buffer_view(&end_find(&end, CHAT_SEND, j)->payload).data, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AS_GUEST(words),
        AS_GUEST(a_guest_looks_and_finds),
        AS_INVITER(an_inviter_answers_the_first_packet),
        AS_GUEST(a_guest_answers_nothing),
        AS_GUEST(a_request_without_answer),
        AS_GUEST(losing_one_of_two_confirmed),
        AS_INVITER(tunnels_are_bounded),
        AS_GUEST(the_peer_closes),
        AS_INVITER(the_peer_closes),
        AS_GUEST(we_close),
        AS_INVITER(we_close),
        AS_INVITER(closing_waits_for_salts),
        AS_GUEST(expired),
        AS_INVITER(expired),
        AS_GUEST(sleeping),
        AS_GUEST(lines_wait_and_leave_in_order),
        AS_INVITER(doubt),
        AS_INVITER(what_is_not_taken),
        AS_INVITER(a_long_line),
        AS_INVITER(padding_is_taken_off),
        AS_INVITER(parts_of_a_lost_tunnel),
        AS_INVITER(packets_wait_for_stored_salts),
        AS_INVITER(a_line_waits_for_all_its_salts),
        AS_INVITER(salts_never_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
