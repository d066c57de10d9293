/* SPDX-License-Identifier: ISC */
/* Every reason for which a packet is refused, by name; and that what is refused is neither shown nor
 * answered. */
#include "chat_test.h"

#include "crypto/salt.h"

enum { TUNNEL = 5, OTHER = 6, DAY = 86400 };

static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0};

static struct end end;

static int setup(void **state)
{
    (void)state;
    end_open(&end, CHAT_INVITER, 1);
    end_tunnel_up(&end, TUNNEL);
    end_clear(&end);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    end_free(&end);
    return 0;
}

static void assert_only_refused(enum chat_refusal why)
{
    assert_refused(&end, why);
    assert_int_equal(end.count, 1);
    assert_int_equal(chat_state(end.chat, NULL), CHAT_CONNECTING);
}

static void every_reason_has_a_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHAT_REFUSALS; i++) {
        assert_non_null(chat_refusals[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(chat_refusals[i], chat_refusals[j]);
    }
}

static void closed(void **state)
{
    (void)state;
    chat_close(end.chat, end.now, end_wall(&end));
    end_take(&end);
    end_clear(&end);
    peer_text(&end, TUNNEL, 1, 1, "hello");
    assert_refused(&end, CHAT_REFUSED_CLOSED);
    assert_int_equal(end.count, 1);
}

static void closed_when_expired(void **state)
{
    (void)state;
    chat_expire(end.chat, CHAT_EXPIRED, "the invite has expired");
    end_take(&end);
    end_clear(&end);
    peer_text(&end, TUNNEL, 1, 1, "hello");
    assert_refused(&end, CHAT_REFUSED_CLOSED);
}

static void unknown_tunnel(void **state)
{
    (void)state;
    peer_text(&end, OTHER, 1, 1, "hello");
    assert_only_refused(CHAT_REFUSED_TUNNEL);
}

static void impossible_sizes(void **state)
{
    (void)state;
    static uint8_t bytes[8 + ITEM_SIZE_MAX + 64];
    const size_t sizes[] = {0, 1, 7, 8, 23, 25, 8 + ITEM_SIZE_MAX / 16 * 16 + 32, sizeof bytes};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        end_receive(&end, TUNNEL, bytes_of(bytes, sizes[i]));
        assert_only_refused(CHAT_REFUSED_SIZE);
        end_clear(&end);
    }
    end_receive(&end, TUNNEL, bytes_of(NULL, 0));
    assert_only_refused(CHAT_REFUSED_SIZE);
}

static void reflected(void **state)
{
    (void)state;
    end_tunnel_up(&end, TUNNEL); /* another acknowledgement of ours */
    struct buffer own = buffer_make(ROOM);
    buffer_append_bytes(&own, buffer_view(&end_find(&end, CHAT_SEND, 0)->payload));
    end_clear(&end);
    end_receive(&end, TUNNEL, buffer_view(&own));
    assert_only_refused(CHAT_REFUSED_REFLECTED);

    /* After a restart too: the counter in the store is past all that were used. */
    end_clear(&end);
    chat_free(end.chat);
    end.options.salt_next = end.salt_next;
    end_start(&end);
    end_tunnel_up(&end, TUNNEL);
    end_clear(&end);
    end_receive(&end, TUNNEL, buffer_view(&own));
    assert_only_refused(CHAT_REFUSED_REFLECTED);
    buffer_free(&own);
}

static void replayed(void **state)
{
    (void)state;
    struct buffer item = buffer_make(ROOM);
    assert_true(chat_text_write(&item, 1, (uint32_t)end_wall(&end), str("once")));
    struct buffer packet = packet_of(&end, 77, buffer_view(&item));
    end_receive(&end, TUNNEL, buffer_view(&packet));
    assert_int_equal(end_count(&end, CHAT_LINE), 1);
    assert_int_equal(end_find(&end, CHAT_LINE, 0)->salts[0], 77);
    end_clear(&end);
    end_receive(&end, TUNNEL, buffer_view(&packet));
    assert_refused(&end, CHAT_REFUSED_REPLAYED);
    assert_int_equal(end.count, 1);
    end_tunnel_up(&end, OTHER);
    end_clear(&end);
    end_receive(&end, OTHER, buffer_view(&packet));
    assert_refused(&end, CHAT_REFUSED_REPLAYED);

    /* After a restart with the stored salts. */
    end_clear(&end);
    chat_free(end.chat);
    end.options.salt_next = end.salt_next;
    end_start(&end);
    assert_true(chat_add_salt(end.chat, 77));
    end_tunnel_up(&end, TUNNEL);
    end_clear(&end);
    end_receive(&end, TUNNEL, buffer_view(&packet));
    assert_only_refused(CHAT_REFUSED_REPLAYED);
    buffer_free(&packet);
    buffer_free(&item);
}

static void wrong_key(void **state)
{
    (void)state;
    uint8_t noise[8 + 64];
    size_t refused = 0;
    for (size_t i = 0; i < 64; i++) {
        end.random.fill(end.random.state, noise, sizeof noise);
        end_receive(&end, TUNNEL, bytes_of(noise, sizeof noise));
        assert_int_equal(end.count, 1);
        refused += strcmp(end_find(&end, CHAT_REFUSED_PACKET, 0)->value.reason,
                          chat_refusals[CHAT_REFUSED_KEY]) == 0;
        end_clear(&end);
    }
    assert_true(refused > 56); /* about one of 256 passes the padding check, and fails as an item */
    assert_int_equal(chat_state(end.chat, NULL), CHAT_CONNECTING);
}

static void not_an_item(void **state)
{
    (void)state;
    static const char *const items[] = {
        "00",
        "0200120400000012000008010057000000060000", /* longer than it says */
        "02001204000000120000080100570000",         /* shorter */
        "0200120900000012000008010057000000060000", /* a lobby's */
        "02001205000000120000080100570000000600",
        "0200130400000012000008010057000000060000",                     /* another service */
        "020012010000001e0000000151e1a1bc00670000000e0000d80000000069", /* lone surrogate */
        "020012010000001e0000000151e1a1bc00670000000e0011000000000069", /* over U+10FFFF */
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        struct buffer item = hex_buffer(items[i]);
        peer_sends(&end, TUNNEL, 100 + i, &item);
        assert_only_refused(CHAT_REFUSED_ITEM);
        end_clear(&end);
    }
    /* All lobby subtypes of the original. */
    for (uint8_t subtype = 0x06; subtype < 0x18; subtype++) {
        struct buffer item = hex_buffer("020012000000001200000801005700000006");
        item.memory[item.start + 3] = subtype;
        peer_sends(&end, TUNNEL, 200 + subtype, &item);
        assert_only_refused(CHAT_REFUSED_ITEM);
        end_clear(&end);
    }
}

static void times(void **state)
{
    (void)state;
    peer_text_at(&end, TUNNEL, 1, 1, str("x"), WALL - DAY - 1);
    assert_only_refused(CHAT_REFUSED_EARLY);
    end_clear(&end);
    peer_text_at(&end, TUNNEL, 2, 1, str("x"), end_wall(&end) + DAY + 1);
    assert_only_refused(CHAT_REFUSED_FUTURE);
    end_clear(&end);
    peer_text_at(&end, TUNNEL, 3, 1, str("x"), WALL - DAY);
    peer_text_at(&end, TUNNEL, 4, 1, str("y"), end_wall(&end) + DAY);
    assert_int_equal(end_count(&end, CHAT_LINE), 2);
    /* A refused packet used up no salt. */
    end_clear(&end);
    peer_text(&end, TUNNEL, 1, 1, "z");
    assert_int_equal(end_count(&end, CHAT_LINE), 1);
}

static void before_the_restart(void **state)
{
    (void)state;
    chat_free(end.chat);
    end.options.not_before = WALL + 50;
    end_start(&end);
    end_tunnel_up(&end, TUNNEL);
    end_clear(&end);
    peer_text_at(&end, TUNNEL, 1, 3, str(""), WALL + 49);
    assert_only_refused(CHAT_REFUSED_RESTART);
    end_clear(&end);
    peer_text_at(&end, TUNNEL, 2, 1, str("lines have their salts stored"), WALL + 49);
    assert_int_equal(end_count(&end, CHAT_LINE), 1);
}

static void flags(void **state)
{
    (void)state;
    const uint32_t bad[] = {0x0200, 0x0201, 0x0220, 0x0021, 0x0221, 0x0301, 0x0121, 0x0203};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        peer_text(&end, TUNNEL, 10 + i, bad[i], bad[i] == 0x0203 ? "" : "x");
        assert_refused(&end, CHAT_REFUSED_FLAGS);
        assert_int_equal(end_count(&end, CHAT_LINE), 0);
        if ((bad[i] & 0x0100) != 0)
            peer_text(&end, TUNNEL, 50 + i, 1, "the rest is dropped too");
        assert_int_equal(end_count(&end, CHAT_LINE), 0);
        end_clear(&end);
    }
    const uint32_t good[] = {0x0000, 0x0001, 0x0020, 0x0009};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        peer_text(&end, TUNNEL, 30 + i, good[i], "x");
    assert_int_equal(end_count(&end, CHAT_LINE), 4);
    /* Private and public in the parts of one text. */
    end_clear(&end);
    peer_text(&end, TUNNEL, 40, 0x0101, "x");
    peer_text(&end, TUNNEL, 41, 0x0020, "y");
    assert_refused(&end, CHAT_REFUSED_FLAGS);
    assert_int_equal(end_count(&end, CHAT_LINE), 0);
}

static struct buffer letters(size_t count)
{
    struct buffer text = buffer_make(ROOM);
    for (size_t i = 0; i < count; i++)
        buffer_u8(&text, (uint8_t)('a' + i % 26));
    return text;
}

static void too_long(void **state)
{
    (void)state;
    enum { PIECE = 50000 };
    struct buffer piece = letters(PIECE);
    struct bytes view = buffer_view(&piece);
    uint64_t salt = 1;
    for (int i = 0; i < 4; i++)
        peer_text_at(&end, TUNNEL, salt++, 0x0101, view, end_wall(&end));
    assert_int_equal(end_count(&end, CHAT_REFUSED_PACKET), 0);
    peer_text(&end, TUNNEL, salt++, 0x0101, "!");
    assert_refused(&end, CHAT_REFUSED_LONG);
    peer_text(&end, TUNNEL, salt++, 0x0101, "still the same text");
    peer_text(&end, TUNNEL, salt++, 0x0001, "its end");
    assert_int_equal(end_count(&end, CHAT_LINE), 0);
    peer_text(&end, TUNNEL, salt++, 0x0001, "the next");
    assert_int_equal(end_count(&end, CHAT_LINE), 1);
    assert_bytes_equal(buffer_view(&end_find(&end, CHAT_LINE, 0)->text), str("the next"));

    /* Exactly the limit is taken, and the limit is for all tunnels together. */
    end_clear(&end);
    end_tunnel_up(&end, OTHER);
    end_clear(&end);
    for (int i = 0; i < 3; i++)
        peer_text_at(&end, TUNNEL, salt++, 0x0101, view, end_wall(&end));
    peer_text_at(&end, OTHER, salt++, 0x0101, view, end_wall(&end));
    assert_int_equal(end_count(&end, CHAT_REFUSED_PACKET), 0);
    peer_text(&end, OTHER, salt++, 0x0001, "!");
    assert_refused(&end, CHAT_REFUSED_LONG);
    peer_text_at(&end, TUNNEL, salt++, 0x0001, view, end_wall(&end));
    assert_int_equal(end_count(&end, CHAT_LINE), 1);
    assert_int_equal(buffer_size(&end_find(&end, CHAT_LINE, 0)->text), CHAT_REASSEMBLY_LIMIT);
    buffer_free(&piece);
}

static void too_many_parts(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < CHAT_PARTS_LIMIT; i++)
        peer_text(&end, TUNNEL, 1 + i, 0x0101, "");
    assert_int_equal(end_count(&end, CHAT_REFUSED_PACKET), 0);
    peer_text(&end, TUNNEL, 1000, 0x0001, "x");
    assert_refused(&end, CHAT_REFUSED_LONG);
    assert_int_equal(end_count(&end, CHAT_LINE), 0);
}

static void unfinished(void **state)
{
    (void)state;
    peer_text(&end, TUNNEL, 1, 0x0101, "begun");
    end_clear(&end);
    end_tick(&end, CHAT_REASSEMBLY_MS - 1);
    assert_int_equal(end_count(&end, CHAT_REFUSED_PACKET), 0);
    assert_true(chat_deadline(end.chat) <= end.now + 1);
    end_tick(&end, 1);
    assert_refused(&end, CHAT_REFUSED_UNFINISHED);
    peer_text(&end, TUNNEL, 2, 0x0001, "whole");
    assert_bytes_equal(buffer_view(&end_find(&end, CHAT_LINE, 0)->text), str("whole"));
}

static void avatars(void **state)
{
    (void)state;
    peer_avatar(&end, TUNNEL, 1, bytes_of(png, sizeof png));
    assert_refused(&end, CHAT_REFUSED_UNASKED);
    chat_request_avatar(end.chat, end.now, end_wall(&end));
    end_take(&end);
    end_clear(&end);
    peer_avatar(&end, TUNNEL, 2, str("<svg></svg>"));
    assert_refused(&end, CHAT_REFUSED_IMAGE);
    end_clear(&end);
    peer_avatar(&end, TUNNEL, 3, bytes_of(png, sizeof png));
    assert_bytes_equal(buffer_view(&end_find(&end, CHAT_PEER_AVATAR, 0)->text), bytes_of(png, sizeof png));
    end_clear(&end);
    peer_avatar(&end, TUNNEL, 4, bytes_of(png, sizeof png));
    assert_refused(&end, CHAT_REFUSED_UNASKED);
    assert_int_equal(end_count(&end, CHAT_PEER_AVATAR), 0);
}

static void state_text(void **state)
{
    (void)state;
    char text[CHAT_STATE_TEXT_LIMIT + 2];
    memset(text, 'x', sizeof text);
    text[CHAT_STATE_TEXT_LIMIT + 1] = '\0';
    peer_status(&end, TUNNEL, 1, 0x0010, text);
    assert_refused(&end, CHAT_REFUSED_STATE_TEXT);
    assert_int_equal(end_count(&end, CHAT_STATE_TEXT), 0);
    text[CHAT_STATE_TEXT_LIMIT] = '\0';
    peer_status(&end, TUNNEL, 2, 0x0010, text);
    assert_bytes_equal(buffer_view(&end_find(&end, CHAT_STATE_TEXT, 0)->text), str(text));
}

static void salts_are_bounded(void **state)
{
    (void)state;
    for (uint64_t salt = 1; salt <= CHAT_SALTS_LIMIT; salt++)
        assert_true(chat_add_salt(end.chat, salt));
    assert_false(chat_add_salt(end.chat, CHAT_SALTS_LIMIT + 1));
    peer_text(&end, TUNNEL, 1ULL << 40, 1, "one too many");
    assert_only_refused(CHAT_REFUSED_SALTS);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_reason_has_a_text),
        CASE(closed),
        CASE(closed_when_expired),
        CASE(unknown_tunnel),
        CASE(impossible_sizes),
        CASE(reflected),
        CASE(replayed),
        CASE(wrong_key),
        CASE(not_an_item),
        CASE(times),
        CASE(before_the_restart),
        CASE(flags),
        CASE(too_long),
        CASE(too_many_parts),
        CASE(unfinished),
        CASE(avatars),
        CASE(state_text),
        CASE(salts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
