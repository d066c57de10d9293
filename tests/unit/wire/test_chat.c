/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "wire/chat.h"
#include "wire/tlv.h"

enum { ROOM = 1 << 18 };

static bool parses(struct bytes item)
{
    struct chat_item chat;
    struct buffer text = buffer_make(ROOM);
    bool good = chat_parse(&chat, &text, item);
    if (!good)
        assert_int_equal(buffer_size(&text), 0);
    buffer_free(&text);
    return good;
}

static bool write_again(struct buffer *out, const struct chat_item *chat, struct bytes text)
{
    switch (chat->subtype) {
    case CHAT_TEXT:
        return chat_text_write(out, chat->flags, chat->time, text);
    case CHAT_STATUS:
        return chat_status_write(out, chat->flags, text);
    case CHAT_AVATAR:
        return chat_avatar_write(out, chat->avatar);
    }
    return false;
}

static void round_trip(struct bytes item, struct chat_item *chat, struct buffer *text)
{
    struct buffer out = buffer_make(ROOM);
    buffer_clear(text);
    assert_true(chat_parse(chat, text, item));
    assert_true(write_again(&out, chat, buffer_view(text)));
    assert_bytes_equal(buffer_view(&out), item);
    buffer_free(&out);
}

static uint32_t number(json_t *fields, const char *member)
{
    return (uint32_t)json_integer_value(json_object_get(fields, member));
}

static struct bytes json_text(json_t *fields, const char *member)
{
    json_t *value = json_object_get(fields, member);
    return bytes_of(json_string_value(value), json_string_length(value));
}

static void test_recorded(void **state)
{
    (void)state;
    json_t *vectors = json_load_file(TEST_VECTORS "/retroshare-0.5/items.json", JSON_ALLOW_NUL, NULL);
    assert_non_null(vectors);
    struct buffer text = buffer_make(ROOM);
    size_t i, seen = 0, refused = 0;
    json_t *entry;
    json_array_foreach(json_object_get(vectors, "items"), i, entry)
    {
        const char *class = vectors_string(entry, "class");
        json_t *fields = json_object_get(entry, "fields");
        struct buffer item = vectors_hex(entry, "bytes");
        struct bytes view = buffer_view(&item);
        struct chat_item chat;
        if (strcmp(class, "RsChatMsgItem") == 0) {
            if (strcmp(vectors_string(entry, "name"), "chat_msg_control_chars") == 0) {
                assert_true(chat_parse(&chat, &text, view));
                assert_bytes_equal(buffer_view(&text), bytes_of_string("tab\t nl\n nul\xef\xbf\xbd"
                                                                       "end"));
            } else {
                round_trip(view, &chat, &text);
                assert_bytes_equal(buffer_view(&text), json_text(fields, "message"));
            }
            assert_int_equal(chat.flags, number(fields, "chat_flags"));
            assert_int_equal(chat.time, number(fields, "send_time"));
        } else if (strcmp(class, "RsChatStatusItem") == 0) {
            round_trip(view, &chat, &text);
            assert_int_equal(chat.flags, number(fields, "flags"));
            assert_bytes_equal(buffer_view(&text), json_text(fields, "status_string"));
        } else if (strcmp(class, "RsChatAvatarItem") == 0) {
            struct buffer image = vectors_hex(fields, "image_data");
            round_trip(view, &chat, &text);
            assert_bytes_equal(chat.avatar, buffer_view(&image));
            buffer_free(&image);
        } else {
            assert_false(parses(view));
            refused++;
            seen--;
        }
        seen++;
        buffer_clear(&text);
        buffer_free(&item);
    }
    assert_int_equal(seen, 21);
    assert_int_equal(seen + refused, json_array_size(json_object_get(vectors, "items")));
    buffer_free(&text);
    json_decref(vectors);
}

/* The worked examples of protocol 03 §4 and §7. */
static void test_examples(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum chat_subtype subtype;
        uint32_t flags, time;
        const char *text;
    } examples[] = {
        {"02001201 0000001e 00000001 51e1a1bc 0067 0000000e 00000048 00000069", CHAT_TEXT, 1, 0x51e1a1bc,
         "Hi"},
        {"02001201 00000016 00000003 51e1a1bc 0067 00000006", CHAT_TEXT, 3, 0x51e1a1bc, ""},
        {"02001204 00000032 00000801 0057 00000026 "
         "54756e6e656c20697320776f726b696e672e20596f752063616e2074616c6b21",
         CHAT_STATUS, 0x801, 0, "Tunnel is working. You can talk!"},
        {"02001204 0000001e 00000001 0057 00000012 697320747970696e672e2e2e", CHAT_STATUS, 1, 0,
         "is typing..."},
        {"02001204 00000012 00000401 0057 00000006", CHAT_STATUS, 0x401, 0, ""},
        {"02001204 00000012 00000041 0057 00000006", CHAT_STATUS, 0x41, 0, ""},
        {"02001204 00000012 00000800 0057 00000006", CHAT_STATUS, 0x800, 0, ""},
        {"02001203 00000010 00000004 ffd8ffd9", CHAT_AVATAR, 0, 0, ""},
    };
    struct buffer text = buffer_make(ROOM);
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct buffer item = hex_buffer(examples[i].hex);
        struct chat_item chat;
        round_trip(buffer_view(&item), &chat, &text);
        assert_int_equal(chat.subtype, examples[i].subtype);
        assert_int_equal(chat.flags, examples[i].flags);
        assert_int_equal(chat.time, examples[i].time);
        assert_bytes_equal(buffer_view(&text), bytes_of_string(examples[i].text));
        hostile_variants(buffer_view(&item), parses);
        buffer_free(&item);
    }
    buffer_free(&text);
}

static bool accepts(const char *hex, const char *expected)
{
    struct buffer item = hex_buffer(hex);
    struct buffer text = buffer_make(ROOM);
    struct chat_item chat;
    buffer_append_string(&text, "earlier ");
    bool good = chat_parse(&chat, &text, buffer_view(&item));
    struct bytes view = buffer_view(&text);
    assert_bytes_equal(bytes_of(view.data + 8, view.size - 8), bytes_of_string(good ? expected : ""));
    buffer_free(&text);
    buffer_free(&item);
    return good;
}

#define TEXT_ONE     "02001201 0000001a 00000001 51e1a1bc 0067 0000000a "
#define TEXT_TWO     "02001201 0000001e 00000001 51e1a1bc 0067 0000000e "
#define STATUS_THREE "02001204 00000015 00000001 0057 00000009 "

static void test_text_contents(void **state)
{
    (void)state;
    assert_true(accepts(TEXT_ONE "0010ffff", "\xf4\x8f\xbf\xbf"));
    assert_false(accepts(TEXT_ONE "00110000", ""));
    assert_false(accepts(TEXT_ONE "0000d800", ""));
    assert_false(accepts(TEXT_ONE "80000041", ""));
    assert_true(accepts(TEXT_TWO "0000d83d 0000de00", "\xf0\x9f\x98\x80"));
    assert_false(accepts(TEXT_TWO "0000de00 0000d83d", ""));
    assert_true(accepts(TEXT_TWO "00000000 0000000a", "\xef\xbf\xbd\n"));
    assert_true(accepts(TEXT_TWO "0000000d 0000000a", "\n"));
    assert_true(accepts(TEXT_TWO "0000000d 0000000d", "\n\n"));
    assert_true(accepts(TEXT_TWO "0000000d 00000041", "\nA"));
    assert_true(accepts(STATUS_THREE "611b62", "a\xef\xbf\xbd"
                                               "b"));
    assert_false(accepts(STATUS_THREE "61ff62", ""));
    assert_false(accepts(STATUS_THREE "eda080", ""));
}

static void test_refused(void **state)
{
    (void)state;
    /* A wide length that is no multiple of four; another TLV; another subtype; another service. */
    assert_false(accepts("02001201 00000019 00000001 51e1a1bc 0067 00000009 000041", ""));
    assert_false(accepts("02001201 0000001a 00000001 51e1a1bc 0066 0000000a 00000041", ""));
    assert_false(accepts("02001202 0000001a 00000001 51e1a1bc 0067 0000000a 00000041", ""));
    assert_false(accepts("02001301 0000001a 00000001 51e1a1bc 0067 0000000a 00000041", ""));
    assert_false(accepts("0200120d 00000008", ""));
}

static void test_blanked(void **state)
{
    (void)state;
    assert_true(accepts(STATUS_THREE "3c2165", "***"));
    struct buffer item = buffer_make(ROOM);
    struct buffer text = buffer_make(ROOM);
    struct chat_item chat;
    chat_text_write(&item, CHAT_PRIVATE, 1,
                    bytes_of_string("a long text with <!ENTITY in it, longer than the notice"));
    assert_true(chat_parse(&chat, &text, buffer_view(&item)));
    assert_bytes_equal(buffer_view(&text), bytes_of_string("**** String removed (SVG bomb?) ****"));
    buffer_free(&text);
    buffer_free(&item);
}

static void test_avatar_limit(void **state)
{
    (void)state;
    static const uint8_t image[CHAT_AVATAR_LIMIT + 1];
    struct buffer item = buffer_make(ROOM);
    assert_false(chat_avatar_write(&item, bytes_of(image, sizeof(image))));
    assert_true(chat_avatar_write(&item, bytes_of(image, CHAT_AVATAR_LIMIT)));
    assert_true(parses(buffer_view(&item)));
    buffer_clear(&item);
    size_t begin = item_begin(&item, SERVICE_CHAT, CHAT_AVATAR);
    buffer_u32(&item, sizeof(image));
    buffer_append(&item, image, sizeof(image));
    assert_true(item_end(&item, begin));
    assert_false(parses(buffer_view(&item)));
    buffer_free(&item);
}

/* Protocol 03 §4.1: 15 000 code points make an item of 60 022 bytes. */
static void test_full_part(void **state)
{
    (void)state;
    struct buffer utf8 = buffer_make(ROOM), item = buffer_make(ROOM), text = buffer_make(ROOM);
    for (int i = 0; i < CHAT_PART_LIMIT; i++)
        buffer_append_string(&utf8, "\xe2\x82\xac");
    assert_true(chat_text_write(&item, CHAT_PRIVATE | CHAT_PARTIAL, 1, buffer_view(&utf8)));
    assert_int_equal(buffer_size(&item), 60022);
    struct chat_item chat;
    round_trip(buffer_view(&item), &chat, &text);
    assert_bytes_equal(buffer_view(&text), buffer_view(&utf8));
    struct buffer small = buffer_make(59999);
    assert_false(chat_parse(&chat, &small, buffer_view(&item)));
    assert_int_equal(buffer_size(&small), 0);
    buffer_free(&small);
    buffer_free(&text);
    buffer_free(&item);
    buffer_free(&utf8);
}

static void test_write_refuses(void **state)
{
    (void)state;
    struct buffer out = buffer_make(20);
    assert_false(chat_text_write(&out, 1, 1, bytes_of_string("\xff")));
    assert_false(chat_status_write(&out, 1, bytes_of_string("\xff")));
    assert_int_equal(buffer_size(&out), 0);
    assert_false(out.failed);
    assert_false(chat_text_write(&out, 1, 1, bytes_of_string("Hi")));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),      cmocka_unit_test(test_examples),
        cmocka_unit_test(test_text_contents), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_blanked),       cmocka_unit_test(test_avatar_limit),
        cmocka_unit_test(test_full_part),     cmocka_unit_test(test_write_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
