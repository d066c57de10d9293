/* SPDX-License-Identifier: ISC */
/* What a chat owes its peer: keep-alives, typing notices, avatar, state string. */
#include "chat_scene.h"

static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0};

static const char working[] = "Tunnel is working. You can talk!";

static void keep_alive(void **state)
{
    (void)state;
    end_confirm(&end, FIRST, 1);
    uint64_t due = chat_deadline(end.chat);
    assert_true(due >= end.now + 20000 && due < end.now + 24000);
    end_tick(&end, due - end.now - 1);
    assert_int_equal(end.count, 0);
    end_tick(&end, 1);
    assert_sent(&end, 0, CHAT_STATUS, 0x0800, "");
    assert_int_equal(end_count(&end, CHAT_SEND), 1);
    assert_true(chat_deadline(end.chat) >= end.now + 20000);
    end.now += 10000;
    end_say(&end, 1, str("x"));
    assert_true(chat_deadline(end.chat) >= end.now + 20000); /* a line keeps it alive too */
}

/* A peer of 2013 sends no keep-alives: its silence in the one tunnel says nothing. */
static void silence_of_the_original(void **state)
{
    (void)state;
    end_confirm(&end, FIRST, 1);
    for (unsigned i = 0; i < 60; i++)
        end_tick(&end, 10000);
    assert_int_equal(end_count(&end, CHAT_CLOSE_TUNNEL), 0);
    assert_state(CHAT_CAN_TALK, "");
    /* But where another tunnel speaks, the silent one is given up, and one that never spoke in any case. */
    end_tunnel_up(&end, SECOND);
    end_tick(&end, CHAT_SILENCE_MS - 1);
    assert_int_equal(end_count(&end, CHAT_CLOSE_TUNNEL), 0);
    end_tick(&end, 1);
    assert_int_equal(end_find(&end, CHAT_CLOSE_TUNNEL, 0)->value.tunnel, SECOND);
    assert_state(CHAT_CAN_TALK, "");
    end_confirm(&end, SECOND, 2);
    end_clear(&end);
    end_tick(&end, CHAT_SILENCE_MS);
    assert_int_equal(end_count(&end, CHAT_CLOSE_TUNNEL), 1);
    assert_int_equal(end_find(&end, CHAT_CLOSE_TUNNEL, 0)->value.tunnel, FIRST);
    assert_int_equal(chat_tunnels(end.chat), 1);
}

static void silence_of_our_kind(void **state)
{
    (void)state;
    end_confirm(&end, FIRST, 1);
    peer_status(&end, FIRST, 2, CHAT_ACKNOWLEDGE, "");
    for (unsigned i = 0; i < 10; i++) {
        end_tick(&end, CHAT_SILENCE_MS - 1);
        peer_status(&end, FIRST, 10 + i, CHAT_ACKNOWLEDGE, "");
    }
    assert_int_equal(end_count(&end, CHAT_CLOSE_TUNNEL), 0);
    end_tick(&end, CHAT_SILENCE_MS);
    assert_int_equal(end_find(&end, CHAT_CLOSE_TUNNEL, 0)->value.tunnel, FIRST);
    assert_state(CHAT_NO_TUNNEL, "silent");
}

static void typing(void **state)
{
    (void)state;
    chat_typing(end.chat, end.now, end_wall(&end));
    end_take(&end);
    assert_int_equal(end.count, 0);
    end_confirm(&end, FIRST, 1);
    for (int i = 0; i <= 10; i++) {
        chat_typing(end.chat, end.now, end_wall(&end));
        end_take(&end);
        end.now += 1000;
    }
    assert_int_equal(end_count(&end, CHAT_SEND), 2);
    assert_sent(&end, 0, CHAT_STATUS, 0x0001, "is typing...");
    end_clear(&end);
    peer_status(&end, FIRST, 2, 0x0001, "is typing...");
    peer_status(&end, FIRST, 3, 0x0001, "something else");
    assert_int_equal(end_count(&end, CHAT_TYPING), 1);
}

static void typing_not_allowed(void **state)
{
    (void)state;
    chat_free(end.chat);
    end.options.send_typing = false;
    end_start(&end);
    end_confirm(&end, FIRST, 1);
    chat_typing(end.chat, end.now, end_wall(&end));
    end_take(&end);
    assert_int_equal(end.count, 0);
}

static void own_avatar(void **state)
{
    (void)state;
    static uint8_t big[CHAT_AVATAR_LIMIT + 1] = {0xff, 0xd8, 0xff};
    assert_false(chat_set_avatar(end.chat, bytes_of(big, sizeof big), NULL));
    assert_false(chat_set_avatar(end.chat, str("GIF89a..."), NULL));
    end_confirm(&end, FIRST, 1);
    peer_text(&end, FIRST, 2, 0x0003, "");
    assert_int_equal(end_count(&end, CHAT_SEND), 0); /* there is none */
    assert_int_equal(end_count(&end, CHAT_LINE), 0);
    assert_true(chat_set_avatar(end.chat, bytes_of(big, CHAT_AVATAR_LIMIT), NULL));
    peer_text(&end, FIRST, 3, 0x0003, "");
    peer_text(&end, FIRST, 4, 0x0003, ""); /* too soon */
    assert_int_equal(end_count(&end, CHAT_SEND), 1);
    struct opened opened = open_sent(&end, end_find(&end, CHAT_SEND, 0));
    assert_int_equal(opened.item.subtype, CHAT_AVATAR);
    assert_bytes_equal(opened.item.avatar, bytes_of(big, CHAT_AVATAR_LIMIT));
    opened_free(&opened);
    end.now += 60000;
    peer_text(&end, FIRST, 5, 0x0003, "");
    assert_int_equal(end_count(&end, CHAT_SEND), 2);
    end_clear(&end);
    end_say(&end, 1, str("x"));
    assert_true(chat_set_avatar(end.chat, bytes_of(big, CHAT_AVATAR_LIMIT), NULL)); /* the same: no news */
    end_say(&end, 2, str("x"));
    for (size_t i = 0; i < 3; i += 2) { /* announced once, with a line */
        opened = open_sent(&end, end_find(&end, CHAT_SEND, i));
        assert_int_equal(opened.item.flags, i == 0 ? 0x0009 : 0x0001);
        opened_free(&opened);
    }
}

static void peer_avatar_is_asked_for(void **state)
{
    (void)state;
    chat_request_avatar(end.chat, end.now, end_wall(&end));
    end_tunnel_up(&end, FIRST);
    end_clear(&end);
    peer_status(&end, FIRST, 1, 0x0801, working);
    assert_sent(&end, 1, CHAT_TEXT, 0x0003, "");
    peer_avatar(&end, FIRST, 2, bytes_of(png, sizeof png));
    assert_int_equal(end_count(&end, CHAT_PEER_AVATAR), 1);
    end_clear(&end);
    peer_text(&end, FIRST, 3, 0x0009, "I have a new one");
    assert_int_equal(end_count(&end, CHAT_SEND), 0); /* at most one request a minute */
    end.now += 60000;
    peer_text(&end, FIRST, 4, 0x0009, "I have a new one");
    assert_sent(&end, 0, CHAT_TEXT, 0x0003, "");
    assert_int_equal(end_count(&end, CHAT_LINE), 2);
}

static void state_strings(void **state)
{
    (void)state;
    assert_true(chat_set_state_text(end.chat, str("fine")));
    assert_false(chat_set_state_text(end.chat, str("\xff")));
    end_confirm(&end, FIRST, 1);
    peer_status(&end, FIRST, 2, 0x0041, "");
    assert_sent(&end, 0, CHAT_STATUS, 0x0010, "fine");
    peer_status(&end, FIRST, 3, 0x0041, "");
    assert_int_equal(end_count(&end, CHAT_SEND), 1); /* too soon */
    end_clear(&end);
    peer_status(&end, FIRST, 4, 0x0080, "");
    assert_sent(&end, 0, CHAT_STATUS, 0x0041, "");
    peer_status(&end, FIRST, 5, 0x0411, "first match wins"); /* not a closing */
    assert_bytes_equal(buffer_view(&end_find(&end, CHAT_STATE_TEXT, 0)->text), str("first match wins"));
    assert_state(CHAT_CAN_TALK, "");
    end_clear(&end);
    end_say(&end, 1, str("x"));
    end_say(&end, 2, str("x"));
    assert_int_equal(end_count(&end, CHAT_SEND), 3);
    assert_sent(&end, 1, CHAT_STATUS, 0x0010, "fine");
    end_clear(&end);
    assert_true(chat_set_state_text(end.chat, str("finer")));
    end_say(&end, 3, str("x"));
    assert_sent(&end, 1, CHAT_STATUS, 0x0010, "finer");
    end_clear(&end);
    peer_status(&end, FIRST, 6, 0x0800, "");
    peer_status(&end, FIRST, 7, 0x0020, "broadcast");
    peer_status(&end, FIRST, 8, 0x0400, "");
    assert_int_equal(end.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AS_INVITER(keep_alive),
        AS_INVITER(silence_of_the_original),
        AS_INVITER(silence_of_our_kind),
        AS_INVITER(typing),
        AS_INVITER(typing_not_allowed),
        AS_INVITER(own_avatar),
        AS_INVITER(peer_avatar_is_asked_for),
        AS_INVITER(state_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
