/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "wire/link_items.h"

enum { ROOM = ITEM_SIZE_MAX };

static bool service_info_again(struct buffer *out, struct bytes item)
{
    struct service_list list;
    return service_info_parse(&list, item) && service_info_write(out, &list);
}

static bool contact_again(struct buffer *out, struct bytes item)
{
    struct contact_item contact;
    return contact_parse(&contact, item) && contact_write(out, &contact);
}

static bool pgp_list_again(struct buffer *out, struct bytes item)
{
    struct pgp_list list;
    return pgp_list_parse(&list, item) && pgp_list_write(out, &list);
}

static bool pgp_key_again(struct buffer *out, struct bytes item)
{
    struct pgp_key_item key;
    return pgp_key_parse(&key, item) && pgp_key_write(out, &key);
}

static bool ping_again(struct buffer *out, struct bytes item)
{
    struct rtt rtt;
    return rtt_ping_parse(&rtt, item) && rtt_ping_write(out, &rtt);
}

static bool pong_again(struct buffer *out, struct bytes item)
{
    struct rtt rtt;
    return rtt_pong_parse(&rtt, item) && rtt_pong_write(out, &rtt);
}

static bool (*again)(struct buffer *, struct bytes);

static bool parses(struct bytes item)
{
    struct buffer out = buffer_make(ROOM);
    bool good = again(&out, item);
    buffer_free(&out);
    return good;
}

static void round_trip(bool (*codec)(struct buffer *, struct bytes), struct bytes item)
{
    struct buffer out = buffer_make(ROOM);
    struct bytes copy = heap_copy(item);
    assert_true(codec(&out, copy));
    assert_bytes_equal(buffer_view(&out), item);
    free((void *)copy.data);
    buffer_free(&out);
}

static void example(bool (*codec)(struct buffer *, struct bytes), const char *hex)
{
    struct buffer item = hex_buffer(hex);
    round_trip(codec, buffer_view(&item));
    again = codec;
    hostile_variants(buffer_view(&item), parses);
    buffer_free(&item);
}

/* --- recorded links */

static const struct {
    uint32_t type;
    bool (*codec)(struct buffer *, struct bytes);
} codecs[] = {
    {0x02002001, service_info_again}, {0x02001105, contact_again}, {0x02001101, pgp_list_again},
    {0x02001109, pgp_key_again},      {0x02101101, ping_again},    {0x02101102, pong_again},
};

struct joined {
    uint32_t packet;
    bool open;
    struct buffer bytes;
};

static size_t seen[sizeof(codecs) / sizeof(codecs[0])];
static size_t heartbeats, probes, slices;

static void whole_item(struct bytes item)
{
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        if (item_u32(item.data) == codecs[i].type) {
            round_trip(codecs[i].codec, item);
            seen[i]++;
        }
    }
    heartbeats += bytes_equal(item, bytes_of(heartbeat_item, 8));
}

static void slice_frame(struct joined *joined, struct bytes frame)
{
    struct slice_header header;
    assert_true(slice_header_parse(&header, frame));
    assert_int_equal(header.length, frame.size - 8);
    slices++;
    if (header.first) {
        buffer_clear(&joined->bytes);
        joined->packet = header.packet;
        joined->open = true;
    }
    if (!joined->open || header.packet != joined->packet)
        return; /* begins before the recording */
    buffer_append(&joined->bytes, frame.data + 8, header.length);
    if (header.last) {
        struct bytes item = buffer_view(&joined->bytes);
        assert_int_equal(item_u32(item.data + 4), item.size);
        whole_item(item);
        joined->open = false;
    }
}

static void walk(json_t *json, struct joined joined[2])
{
    size_t i;
    const char *member;
    json_t *inner;
    if (json_is_array(json)) {
        json_array_foreach(json, i, inner) walk(inner, joined);
        return;
    }
    const char *kind = json_string_value(json_object_get(json, "kind"));
    if (kind != NULL && json_object_get(json, "hex") != NULL) {
        const char *from = json_string_value(json_object_get(json, "from"));
        const char *to = json_string_value(json_object_get(json, "to"));
        struct buffer frame = vectors_hex(json, "hex");
        struct bytes view = buffer_view(&frame);
        if (strcmp(kind, "slice") == 0)
            slice_frame(&joined[from != NULL && to != NULL && strcmp(from, to) < 0], view);
        else if (strcmp(kind, "probe") == 0)
            probes += bytes_equal(view, bytes_of(slice_probe, 8));
        else
            whole_item(view);
        buffer_free(&frame);
        return;
    }
    json_object_foreach(json, member, inner) walk(inner, joined);
}

static void test_recorded(void **state)
{
    (void)state;
    static const char *const files[] = {"link.json", "short-invite.json", "slices.json"};
    for (size_t i = 0; i < 3; i++) {
        char name[64] = "retroshare-0.6/";
        memcpy(name + 15, files[i], strlen(files[i]) + 1);
        json_t *vectors = vectors_load(name);
        struct joined joined[2] = {{.bytes = buffer_make(ROOM)}, {.bytes = buffer_make(ROOM)}};
        walk(vectors, joined);
        buffer_free(&joined[0].bytes);
        buffer_free(&joined[1].bytes);
        json_decref(vectors);
    }
    static const size_t expected[] = {8, 8, 3, 1, 93, 92};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(seen[i], expected[i]);
    assert_int_equal(heartbeats, 156);
    assert_int_equal(probes, 20);
    assert_true(slices > 100);
}

/* --- service info, protocol 11 §5.2 */

static const char turtle_only[] = "02002001 0000003a 0001 00000032 0001 0000002c 0001 0000000a 02001400"
                                  "0001 0000001c 00000006 747572746c65 02001400 0001 0000 0001 0000";
static const char turtle_and_heartbeat[] =
    "02002001 00000069 0001 00000061"
    "0001 0000002c 0001 0000000a 02001400 0001 0000001c 00000006 747572746c65 02001400 0001000000010000"
    "0001 0000002f 0001 0000000a 02001600 0001 0000001f 00000009 686561727462656174 02001600 "
    "0001000000010000";

static void test_service_info(void **state)
{
    (void)state;
    example(service_info_again, turtle_only);
    example(service_info_again, turtle_and_heartbeat);
    example(service_info_again, "02002001 0000000e 0001 00000006");
    struct buffer item = hex_buffer(turtle_and_heartbeat);
    struct service_list list;
    assert_true(service_info_parse(&list, buffer_view(&item)));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.entries[0].id, 0x02001400);
    assert_string_equal(list.entries[0].name, "turtle");
    assert_int_equal(list.entries[1].id, 0x02001600);
    assert_string_equal(list.entries[1].name, "heartbeat");
    assert_int_equal(list.entries[1].major, 1);
    assert_int_equal(list.entries[1].minor, 0);
    assert_int_equal(list.entries[1].min_major, 1);
    buffer_free(&item);
}

static void test_service_info_odd_entries(void **state)
{
    (void)state;
    struct service_list list;
    /* The key names another service than the value. */
    struct buffer item = hex_buffer("02002001 0000003a 0001 00000032 0001 0000002c 0001 0000000a 02001600"
                                    "0001 0000001c 00000006 747572746c65 02001400 0001 0000 0001 0000");
    assert_false(service_info_parse(&list, buffer_view(&item)));
    buffer_free(&item);
    /* "turtle" with a NUL in it is no name of ours. */
    item = hex_buffer("02002001 0000003a 0001 00000032 0001 0000002c 0001 0000000a 02001400"
                      "0001 0000001c 00000006 747500746c65 02001400 0001 0000 0001 0000");
    assert_true(service_info_parse(&list, buffer_view(&item)));
    assert_int_equal(list.count, 0);
    buffer_free(&item);
    /* A name of 32 characters is left out. */
    item = hex_buffer(
        "02002001 00000054 0001 0000004c 0001 00000046 0001 0000000a 02001400 0001 00000036 00000020"
        "6161616161616161616161616161616161616161616161616161616161616161"
        "02001400 0001 0000 0001 0000");
    assert_true(service_info_parse(&list, buffer_view(&item)));
    assert_int_equal(list.count, 0);
    buffer_free(&item);
}

static void test_service_info_limit(void **state)
{
    (void)state;
    struct service_list list = {.count = SERVICE_ENTRIES_MAX}, out;
    for (size_t i = 0; i < SERVICE_ENTRIES_MAX; i++)
        list.entries[i] = (struct service_entry){.id = (uint32_t)(0x02000000 + (i << 8)), .name = "x"};
    struct buffer item = buffer_make(ROOM);
    assert_true(service_info_write(&item, &list));
    assert_true(service_info_parse(&out, buffer_view(&item)));
    assert_int_equal(out.count, SERVICE_ENTRIES_MAX);
    /* One more pair, copied from the end. */
    struct bytes view = buffer_view(&item);
    size_t pair = 6 + 10 + 6 + 4 + 1 + 12;
    uint8_t last[64];
    memcpy(last, view.data + view.size - pair, pair);
    buffer_append(&item, last, pair);
    buffer_patch_u32(&item, 4, (uint32_t)buffer_size(&item));
    buffer_patch_u32(&item, 10, (uint32_t)buffer_size(&item) - 8);
    assert_false(service_info_parse(&out, buffer_view(&item)));
    buffer_free(&item);
}

static bool shared(struct service_entry ours, struct service_entry theirs)
{
    struct service_list a = {.count = 1, .entries = {ours}}, b = {.count = 1, .entries = {theirs}};
    bool result = service_shared(&a, &b, SERVICE_TURTLE);
    assert_int_equal(result, service_shared(&b, &a, SERVICE_TURTLE));
    return result;
}

static void test_service_shared(void **state)
{
    (void)state;
    const uint32_t id = 0x02001400;
    const struct service_entry turtle = {id, "turtle", 1, 0, 1, 0};
    assert_true(shared(turtle, turtle));
    assert_true(shared(turtle, (struct service_entry){id, "turtle", 2, 0, 1, 0}));
    assert_true(shared(turtle, (struct service_entry){id, "turtle", 1, 5, 0, 9}));
    assert_false(shared(turtle, (struct service_entry){id, "turtle", 2, 0, 1, 1}));
    assert_false(shared(turtle, (struct service_entry){id, "turtle", 2, 0, 2, 0}));
    assert_false(shared(turtle, (struct service_entry){id, "turtle", 0, 9, 0, 0}));
    assert_false(shared(turtle, (struct service_entry){id, "Turtle", 1, 0, 1, 0}));
    assert_false(shared(turtle, (struct service_entry){0x02001600, "turtle", 1, 0, 1, 0}));
    assert_false(shared(turtle, (struct service_entry){0x00001400, "turtle", 1, 0, 1, 0}));
}

/* --- round-trip time, slices */

static void test_rtt(void **state)
{
    (void)state;
    example(ping_again, "02101101 00000014 00000001 6b0437e100026814");
    example(pong_again, "02101102 0000001c 000000466b0444ed00016d116b0444ed00025184");
    struct buffer item = hex_buffer("02101102 0000001c 000000466b0444ed00016d116b0444ed00025184");
    struct rtt rtt;
    assert_true(rtt_pong_parse(&rtt, buffer_view(&item)));
    assert_int_equal(rtt.sequence, 0x46);
    assert_true(rtt.ping_time == 0x6b0444ed00016d11 && rtt.pong_time == 0x6b0444ed00025184);
    assert_false(rtt_ping_parse(&rtt, buffer_view(&item)));
    buffer_free(&item);
}

static void test_slice_header(void **state)
{
    (void)state;
    struct slice_header header;
    struct buffer first = hex_buffer("10 01 00000007 0008 02010201 00000010");
    assert_true(slice_header_parse(&header, buffer_view(&first)));
    assert_true(header.first && !header.last);
    assert_int_equal(header.packet, 7);
    assert_int_equal(header.length, 8);
    for (size_t size = 0; size < 8; size++)
        assert_false(slice_header_parse(&header, bytes_of(first.memory, size)));
    static const struct {
        uint8_t mark, flags;
        bool good;
    } heads[] = {{0x10, 0, true},     {0x10, 2, true},  {0x10, 3, false}, {0x10, 4, false},
                 {0x10, 0x81, false}, {0x02, 1, false}, {0x11, 1, false}, {0x00, 1, false}};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        first.memory[0] = heads[i].mark;
        first.memory[1] = heads[i].flags;
        assert_int_equal(slice_header_parse(&header, buffer_view(&first)), heads[i].good);
    }
    buffer_free(&first);
}

/* --- discovery, protocol 11 §5.6 */

static const char own_contact[] =
    "02001105 000000b4 535af34a3dddfc9b 5e3afbe3b6b9a8700eff413ab4024afd 005c 0000000a 686f6d65"
    "005f 00000012 546573744e6f646520302e31 00000001 0002 0000 6b0437dd"
    "1072 00000012 0085 0000000c 0a01a8c0 841e 1072 00000012 0085 0000000c 057100cb 841e"
    "1072 00000006  1072 00000006  1072 00000006 0083 00000006 1071 00000006 1071 0000002a"
    "1070 00000024 1072 00000012 0085 0000000c 057100cb 841e 000000006b0437dd 00000000";

static void test_contact(void **state)
{
    (void)state;
    example(contact_again, own_contact);
    struct buffer item = hex_buffer(own_contact);
    struct contact_item contact;
    assert_true(contact_parse(&contact, buffer_view(&item)));
    assert_int_equal(contact.pgp_id[0], 0x53);
    assert_int_equal(contact.location[15], 0xfd);
    assert_string_equal(contact.location_name, "home");
    assert_string_equal(contact.version, "TestNode 0.1");
    assert_int_equal(contact.net_mode, 1);
    assert_int_equal(contact.vs_disc, 2);
    assert_int_equal(contact.vs_dht, 0);
    assert_int_equal(contact.last_contact, 0x6b0437dd);
    assert_false(contact.hidden);
    const uint8_t local[] = {192, 168, 1, 10}, external[] = {203, 0, 113, 5};
    assert_int_equal(contact.local4.family, 4);
    assert_memory_equal(contact.local4.bytes, local, 4);
    assert_int_equal(contact.local4.port, 7812);
    assert_memory_equal(contact.external4.bytes, external, 4);
    assert_int_equal(contact.local6.family, 0);
    assert_int_equal(contact.local_count, 0);
    assert_int_equal(contact.external_count, 1);
    assert_memory_equal(contact.external[0].bytes, external, 4);
    assert_true(contact.external_sightings[0].seen == 0x6b0437dd);
    buffer_free(&item);
}

static void test_contact_ipv6_and_hidden(void **state)
{
    (void)state;
    struct contact_item contact = {
        .location_name = "home",
        .local6 = {.family = 6, .bytes = {0xfd, [15] = 2}, .port = 0x4601},
        .dyndns = "node.example.org",
    };
    struct buffer item = buffer_make(ROOM);
    assert_true(contact_write(&item, &contact));
    struct buffer expected =
        hex_buffer("1072 0000001e 0086 00000018 000000fd 00000000 00000000 02000000 0146");
    struct bytes view = buffer_view(&item);
    assert_non_null(memmem(view.data, view.size, expected.memory, buffer_size(&expected)));
    struct contact_item out;
    assert_true(contact_parse(&out, view));
    assert_int_equal(out.local6.family, 6);
    assert_memory_equal(out.local6.bytes, contact.local6.bytes, 16);
    assert_int_equal(out.local6.port, 0x4601);
    assert_string_equal(out.dyndns, "node.example.org");
    round_trip(contact_again, view);
    again = contact_again;
    hostile_variants(view, parses);
    buffer_clear(&item);
    buffer_free(&expected);

    contact = (struct contact_item){.hidden = true, .hidden_address = "abc.onion", .hidden_port = 9876};
    assert_true(contact_write(&item, &contact));
    assert_true(contact_parse(&out, buffer_view(&item)));
    assert_true(out.hidden);
    assert_string_equal(out.hidden_address, "abc.onion");
    assert_int_equal(out.hidden_port, 9876);
    round_trip(contact_again, buffer_view(&item));
    hostile_variants(buffer_view(&item), parses);
    buffer_free(&item);
}

static void test_contact_odd_texts(void **state)
{
    (void)state;
    struct contact_item contact = {.hidden = true, .hidden_port = 1}, out;
    memcpy(contact.hidden_address, "a b", 4);
    memcpy(contact.location_name, "a\n\xff", 4);
    struct buffer item = buffer_make(ROOM);
    assert_true(contact_write(&item, &contact));
    assert_true(contact_parse(&out, buffer_view(&item)));
    assert_string_equal(out.hidden_address, "");
    assert_string_equal(out.location_name, "a\xef\xbf\xbd\xef\xbf\xbd");
    buffer_free(&item);
}

static void test_contact_long_history(void **state)
{
    (void)state;
    struct contact_item contact = {.external_count = CONTACT_HISTORY_MAX}, out;
    for (size_t i = 0; i < CONTACT_HISTORY_MAX; i++)
        contact.external[i] = (struct ip_address){.family = 4, .bytes = {10, 0, 0, (uint8_t)i}, .port = 1};
    struct buffer item = buffer_make(ROOM);
    assert_true(contact_write(&item, &contact));
    struct bytes view = buffer_view(&item);
    uint8_t last[0x24];
    memcpy(last, view.data + view.size - sizeof(last), sizeof(last));
    size_t set = view.size - CONTACT_HISTORY_MAX * sizeof(last) - 6;
    buffer_append(&item, last, sizeof(last));
    buffer_patch_u32(&item, 4, (uint32_t)buffer_size(&item));
    buffer_patch_u32(&item, set + 2, (uint32_t)(buffer_size(&item) - set));
    assert_true(contact_parse(&out, buffer_view(&item)));
    assert_int_equal(out.external_count, CONTACT_HISTORY_MAX);
    buffer_free(&item);
}

static void test_pgp_list(void **state)
{
    (void)state;
    example(pgp_list_again, "02001101 0000001a 00000002 1023 0000000e 535af34a3dddfc9b");
    example(pgp_list_again, "02001101 00000012 00000001 1023 00000006");
    struct pgp_list list;
    struct buffer item = hex_buffer("02001101 0000001a 00000003 1023 0000000e 535af34a3dddfc9b");
    assert_false(pgp_list_parse(&list, buffer_view(&item)));
    buffer_free(&item);
    item = hex_buffer("02001101 00000019 00000001 1023 0000000d 535af34a3dddfc");
    assert_false(pgp_list_parse(&list, buffer_view(&item)));
    buffer_free(&item);
}

static void test_pgp_key(void **state)
{
    (void)state;
    example(pgp_key_again, "02001109 00000018 535af34a3dddfc9b 00000004 99010d04");
    static const uint8_t big[ITEM_SIZE_MAX];
    struct pgp_key_item key = {.block = bytes_of(big, sizeof(big))};
    struct buffer out = buffer_make(2 * ITEM_SIZE_MAX);
    assert_false(pgp_key_write(&out, &key));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_service_info),
        cmocka_unit_test(test_service_info_odd_entries),
        cmocka_unit_test(test_service_info_limit),
        cmocka_unit_test(test_service_shared),
        cmocka_unit_test(test_rtt),
        cmocka_unit_test(test_slice_header),
        cmocka_unit_test(test_contact),
        cmocka_unit_test(test_contact_ipv6_and_hidden),
        cmocka_unit_test(test_contact_odd_texts),
        cmocka_unit_test(test_contact_long_history),
        cmocka_unit_test(test_pgp_list),
        cmocka_unit_test(test_pgp_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
