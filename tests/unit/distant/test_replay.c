/* SPDX-License-Identifier: ISC */
/* Our chat in the place of either end of the recorded chat of the original (sessions.json). */
#include "chat_test.h"

enum { TUNNEL = 7, GENERIC_HEADER = 16 };

static const struct {
    const char *text; /* NULL: 16 000 characters, which the record gives only as plaintext items */
    const char *said_by;
} lines[] = {{"Hello Bob, can you read me?", "A"}, {"Yes — 你好 😀", "D"}, {NULL, "A"}};

static struct buffer long_line(const json_t *events)
{
    struct buffer text = buffer_make(ROOM);
    struct chat_item item;
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        if (json_object_get(event, "plaintext_item") == NULL)
            continue;
        struct buffer plain = vectors_hex(event, "plaintext_item");
        if (buffer_size(&plain) > 1000)
            assert_true(chat_parse(&item, &text, buffer_view(&plain)));
        buffer_free(&plain);
    }
    return text;
}

static void open_recorded(struct end *end, enum chat_role role, const json_t *session)
{
    end_open(end, role, 3);
    chat_free(end->chat);
    struct buffer key = vectors_hex(session, "aes_key");
    assert_int_equal(buffer_size(&key), sizeof end->options.key);
    memcpy(end->options.key, buffer_view(&key).data, sizeof end->options.key);
    end->options.route_created = 1380600000 - 3600;
    buffer_free(&key);
    end_start(end);
    end_tunnel_up(end, TUNNEL);
}

static void hear(struct end *end, const json_t *event)
{
    struct buffer bytes = vectors_hex(event, "bytes");
    struct bytes item = buffer_view(&bytes);
    end_receive(end, TUNNEL, bytes_of(item.data + GENERIC_HEADER, item.size - GENERIC_HEADER));
    buffer_free(&bytes);
}

/* Feeds what the far end's neighbour delivered, in order; returns how many packets there were. */
static size_t hear_all(struct end *end, const json_t *events, const char *from, const char *to)
{
    size_t i, heard = 0;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        if (strcmp(vectors_string(event, "item"), "generic_data") != 0 ||
            strcmp(vectors_string(event, "from"), from) != 0 || strcmp(vectors_string(event, "to"), to) != 0)
            continue;
        hear(end, event);
        heard++;
    }
    return heard;
}

static void assert_lines(const struct end *end, const json_t *events, const char *said_by)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (strcmp(lines[i].said_by, said_by) != 0)
            continue;
        struct seen *line = end_find(end, CHAT_LINE, n++);
        assert_int_equal(line->value.time, 0x524ac750 * INT64_C(1000));
        if (lines[i].text != NULL) {
            assert_bytes_equal(buffer_view(&line->text), str(lines[i].text));
            assert_int_equal(line->value.salt_count, 1);
            continue;
        }
        struct buffer expected = long_line(events);
        assert_int_equal(buffer_size(&expected), 16000);
        assert_bytes_equal(buffer_view(&line->text), buffer_view(&expected));
        assert_int_equal(line->value.salt_count, 2);
        buffer_free(&expected);
    }
    assert_int_equal(end_count(end, CHAT_LINE), n);
}

static void in_place_of_the_inviter(void **state)
{
    (void)state;
    json_t *json = vectors_load("retroshare-0.5/sessions.json");
    const json_t *session = json_object_get(json, "chat"), *events = json_object_get(session, "events");
    struct end end;
    open_recorded(&end, CHAT_INVITER, session);
    assert_int_equal(hear_all(&end, events, "C", "D"), 7);
    assert_lines(&end, events, "A");
    assert_int_equal(end_count(&end, CHAT_REFUSED_PACKET), 0);
    assert_int_equal(end_count(&end, CHAT_TYPING), 1);
    assert_int_equal(end_count(&end, CHAT_STATE_TEXT), 1);
    assert_int_equal(end_count(&end, CHAT_CONFIRMED), 1);
    assert_true(end_find(&end, CHAT_CONFIRMED, 0)->value.first);
    assert_int_equal(end_find(&end, CHAT_STATE_CHANGED, 0)->value.state, CHAT_CONNECTING);
    assert_int_equal(end_find(&end, CHAT_STATE_CHANGED, 1)->value.state, CHAT_CAN_TALK);
    assert_int_equal(end_find(&end, CHAT_STATE_CHANGED, 2)->value.state, CHAT_CLOSED_BY_PEER);
    assert_int_equal(end_count(&end, CHAT_STATE_CHANGED), 3);

    /* The whole record again, as a relay could send it: nothing is shown twice. */
    end_clear(&end);
    assert_int_equal(hear_all(&end, events, "C", "D"), 7);
    assert_int_equal(end_count(&end, CHAT_REFUSED_PACKET), 7);
    assert_int_equal(end.count, 7);
    end_free(&end);
    json_decref(json);
}

static void in_place_of_the_guest(void **state)
{
    (void)state;
    json_t *json = vectors_load("retroshare-0.5/sessions.json");
    const json_t *session = json_object_get(json, "chat"), *events = json_object_get(session, "events");
    struct end end;
    open_recorded(&end, CHAT_GUEST, session);
    assert_int_equal(hear_all(&end, events, "B", "A"), 4);
    assert_lines(&end, events, "D");
    assert_int_equal(end_count(&end, CHAT_REFUSED_PACKET), 0);
    assert_int_equal(chat_state(end.chat, NULL), CHAT_CAN_TALK);
    end_free(&end);
    json_decref(json);
}

/* What A does in the record, done by ours: every packet is the original's but for salt, time, and the padding
 * and splitting of texts. */
static void what_we_send(void **state)
{
    (void)state;
    json_t *json = vectors_load("retroshare-0.5/sessions.json");
    const json_t *session = json_object_get(json, "chat"), *events = json_object_get(session, "events");
    struct end end;
    open_recorded(&end, CHAT_GUEST, session);
    struct buffer long_text = long_line(events);
    size_t i, heard = 0;
    json_t *event;
    json_array_foreach(events, i, event)
    { /* the acknowledgement of D confirms the tunnel */
        if (strcmp(vectors_string(event, "from"), "B") == 0 &&
            strcmp(vectors_string(event, "to"), "A") == 0 &&
            strcmp(vectors_string(event, "item"), "generic_data") == 0 && heard++ == 0)
            hear(&end, event);
    }
    chat_typing(end.chat, end.now, end_wall(&end));
    end_take(&end);
    assert_true(end_say(&end, 1, str(lines[0].text)));
    assert_true(end_say(&end, 2, buffer_view(&long_text)));
    chat_close(end.chat, end.now, end_wall(&end));
    end_take(&end);

    struct buffer ours_text = buffer_make(ROOM), theirs_text = buffer_make(ROOM);
    size_t n = 0, parts = 0;
    json_array_foreach(events, i, event)
    {
        if (strcmp(vectors_string(event, "from"), "A") != 0 ||
            json_object_get(event, "plaintext_item") == NULL)
            continue;
        struct buffer theirs_plain = vectors_hex(event, "plaintext_item");
        struct chat_item theirs;
        struct opened ours = open_sent(&end, end_find(&end, CHAT_SEND, n++));
        if (buffer_view(&theirs_plain).data[3] == CHAT_TEXT) {
            assert_true(chat_parse(&theirs, &theirs_text, buffer_view(&theirs_plain)));
            assert_int_equal(ours.item.subtype, theirs.subtype);
            assert_int_equal(ours.item.flags, theirs.flags);
            buffer_append_bytes(&ours_text, buffer_view(&ours.text));
            parts++;
        } else {
            assert_bytes_equal(buffer_view(&ours.plain), buffer_view(&theirs_plain));
        }
        buffer_free(&theirs_plain);
        opened_free(&ours);
    }
    assert_int_equal(parts, 3);
    assert_int_equal(end_count(&end, CHAT_SEND), n);
    /* 27 characters padded to 64, then 16 000, which are a multiple already. */
    struct bytes sent = buffer_view(&ours_text), recorded = buffer_view(&theirs_text);
    assert_int_equal(sent.size, 64 + 16000);
    assert_memory_equal(sent.data, recorded.data, 27);
    for (size_t at = 27; at < 64; at++)
        assert_int_equal(sent.data[at], ' ');
    assert_memory_equal(sent.data + 64, recorded.data + 27, 16000);
    buffer_free(&ours_text);
    buffer_free(&theirs_text);
    buffer_free(&long_text);
    end_free(&end);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_place_of_the_inviter),
        cmocka_unit_test(in_place_of_the_guest),
        cmocka_unit_test(what_we_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
