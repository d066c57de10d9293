/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "wire/turtle.h"

static enum turtle_generation generation;

static bool parses_open(struct bytes item)
{
    struct turtle_open open;
    return turtle_open_parse(&open, item, generation);
}

static bool parses_ok(struct bytes item)
{
    struct turtle_ok ok;
    return turtle_ok_parse(&ok, item);
}

static bool parses_data(struct bytes item)
{
    uint32_t tunnel;
    struct bytes payload;
    bool good = turtle_data_parse(&tunnel, &payload, item);
    if (good)
        assert_int_equal(payload.size, item.size - TURTLE_DATA_OVERHEAD);
    return good;
}

static bool parses_tunnel(struct bytes item)
{
    uint32_t tunnel;
    bool stamps;
    return turtle_tunnel_item(&tunnel, &stamps, item, generation);
}

static bool parses_search(struct bytes item)
{
    struct turtle_search search;
    bool good = turtle_search_parse(&search, item, generation);
    if (good)
        assert_true(search.depth_offset + 2 <= item.size);
    return good;
}

static void open_round_trip(struct bytes item, struct turtle_open *open)
{
    struct buffer out = buffer_make(100);
    assert_true(turtle_open_parse(open, item, generation));
    assert_true(turtle_open_write(&out, open, generation));
    assert_bytes_equal(buffer_view(&out), item);
    buffer_free(&out);
}

static void ok_round_trip(struct bytes item, struct turtle_ok *ok)
{
    struct buffer out = buffer_make(100);
    assert_true(turtle_ok_parse(ok, item));
    assert_true(turtle_ok_write(&out, ok));
    assert_bytes_equal(buffer_view(&out), item);
    buffer_free(&out);
}

static void data_round_trip(struct bytes item, uint32_t *tunnel, struct bytes *payload)
{
    struct buffer out = buffer_make(ITEM_SIZE_MAX);
    assert_true(turtle_data_parse(tunnel, payload, item));
    assert_true(turtle_data_write(&out, item.data[3], *tunnel, *payload));
    assert_bytes_equal(buffer_view(&out), item);
    uint32_t again;
    bool stamps;
    assert_true(turtle_tunnel_item(&again, &stamps, item, generation));
    assert_int_equal(again, *tunnel);
    assert_true(stamps);
    buffer_free(&out);
}

static uint32_t number(json_t *fields, const char *member)
{
    return (uint32_t)json_integer_value(json_object_get(fields, member));
}

static void check_05_item(json_t *entry, struct bytes item)
{
    json_t *fields = json_object_get(entry, "fields");
    uint32_t tunnel = 0;
    bool stamps = false;
    switch (item.data[3]) {
    case TURTLE_OPEN: {
        struct turtle_open open;
        char hash[41];
        open_round_trip(item, &open);
        hex_lower(hash, open.hash, sizeof(open.hash));
        assert_string_equal(hash, vectors_string(fields, "file_hash"));
        assert_int_equal(open.request, number(fields, "request_id"));
        assert_int_equal(open.partial, number(fields, "partial_tunnel_id"));
        assert_int_equal(open.depth, number(fields, "depth"));
        hostile_variants(item, parses_open);
        break;
    }
    case TURTLE_OK: {
        struct turtle_ok ok;
        ok_round_trip(item, &ok);
        assert_int_equal(ok.tunnel, number(fields, "tunnel_id"));
        assert_int_equal(ok.request, number(fields, "request_id"));
        hostile_variants(item, parses_ok);
        break;
    }
    case TURTLE_DATA: {
        struct bytes payload;
        struct buffer data = vectors_hex(fields, "data");
        data_round_trip(item, &tunnel, &payload);
        assert_int_equal(tunnel, number(fields, "tunnel_id"));
        assert_bytes_equal(payload, buffer_view(&data));
        hostile_variants(item, parses_data);
        hostile_variants(item, parses_tunnel);
        buffer_free(&data);
        break;
    }
    case TURTLE_SEARCH:
    case TURTLE_SEARCH_REGEXP:
    case TURTLE_SEARCH_RESULT: {
        struct turtle_search search;
        assert_true(turtle_search_parse(&search, item, TURTLE_05));
        assert_int_equal(search.subtype, item.data[3]);
        assert_int_equal(search.request, number(fields, "request_id"));
        assert_int_equal(search.depth, number(fields, "depth"));
        assert_int_equal(search.depth,
                         item.data[search.depth_offset] << 8 | item.data[search.depth_offset + 1]);
        assert_int_equal(search.result, item.data[3] == TURTLE_SEARCH_RESULT);
        hostile_variants(item, parses_search);
        break;
    }
    default:
        assert_true(turtle_tunnel_item(&tunnel, &stamps, item, TURTLE_05));
        assert_int_equal(tunnel, number(fields, "tunnel_id"));
        assert_int_equal(stamps, item.data[3] == TURTLE_FILE_DATA || item.data[3] == TURTLE_FILE_CRC_MAP ||
                                     item.data[3] == TURTLE_CHUNK_CRC);
        hostile_variants(item, parses_tunnel);
    }
}

static void test_recorded_05(void **state)
{
    (void)state;
    generation = TURTLE_05;
    json_t *vectors = json_load_file(TEST_VECTORS "/retroshare-0.5/items.json", JSON_ALLOW_NUL, NULL);
    assert_non_null(vectors);
    size_t i, seen = 0;
    json_t *entry;
    json_array_foreach(json_object_get(vectors, "items"), i, entry)
    {
        struct buffer item = vectors_hex(entry, "bytes");
        struct item_header header;
        assert_true(item_header_parse(&header, buffer_view(&item)));
        if (header.service == SERVICE_TURTLE) {
            check_05_item(entry, buffer_view(&item));
            seen++;
        } else {
            assert_false(parses_tunnel(buffer_view(&item)));
            assert_false(parses_search(buffer_view(&item)));
        }
        buffer_free(&item);
    }
    assert_int_equal(seen, 26);
    json_decref(vectors);
}

static void check_06_item(json_t *entry, struct bytes item)
{
    json_t *fields = json_object_get(entry, "fields");
    struct turtle_search search;
    struct turtle_open open;
    struct turtle_ok ok;
    struct bytes payload;
    uint32_t id;
    struct buffer request = {0};
    if (json_object_get(fields, "request_id") != NULL)
        request = vectors_hex(fields, "request_id");
    switch (item.data[3]) {
    case TURTLE_OPEN:
        open_round_trip(item, &open);
        assert_int_equal(open.request, item_u32(buffer_view(&request).data));
        assert_int_equal(open.depth, number(fields, "depth"));
        break;
    case TURTLE_OK:
        ok_round_trip(item, &ok);
        assert_int_equal(ok.request, item_u32(buffer_view(&request).data));
        break;
    case TURTLE_DATA:
    case TURTLE_FAST_DATA:
        data_round_trip(item, &id, &payload);
        break;
    case TURTLE_SEARCH:
    case TURTLE_SEARCH_RESULT:
        assert_true(turtle_search_parse(&search, item, TURTLE_06));
        assert_int_equal(search.request, item_u32(buffer_view(&request).data));
        assert_int_equal(search.depth, number(fields, "depth"));
        hostile_variants(item, parses_search);
        break;
    default:
        fail_msg("subtype %02x", item.data[3]);
    }
    buffer_free(&request);
}

static size_t walk(json_t *json)
{
    size_t seen = 0, i;
    const char *member;
    json_t *inner;
    if (json_is_array(json)) {
        json_array_foreach(json, i, inner) seen += walk(inner);
        return seen;
    }
    const char *name = json_string_value(json_object_get(json, "name"));
    if (name != NULL && strncmp(name, "turtle_", 7) == 0 && json_object_get(json, "hex") != NULL) {
        struct buffer item = vectors_hex(json, "hex");
        check_06_item(json, buffer_view(&item));
        buffer_free(&item);
        return 1;
    }
    json_object_foreach(json, member, inner) seen += walk(inner);
    return seen;
}

static void test_recorded_06(void **state)
{
    (void)state;
    generation = TURTLE_06;
    json_t *chats = vectors_load("retroshare-0.6/gxs-chat.json");
    assert_int_equal(walk(chats), 48 + 166 + 8 + 8);
    json_decref(chats);
    json_t *searches = vectors_load("retroshare-0.6/search.json");
    assert_int_equal(walk(searches), 13);
    json_decref(searches);
}

/* Protocol 02 §2.1. */
static void test_examples_05(void **state)
{
    (void)state;
    generation = TURTLE_05;
    struct buffer item =
        hex_buffer("02001403 00000040 0070 0000002e 32666434653163363761326432386663656438343965653162"
                   "623736653733393162393365623132 12345678 cafebabe 0001");
    struct turtle_open open;
    open_round_trip(buffer_view(&item), &open);
    assert_int_equal(open.request, 0x12345678);
    assert_int_equal(open.partial, 0xcafebabe);
    assert_int_equal(open.depth, 1);
    assert_int_equal(open.hash[0], 0x2f);
    assert_int_equal(open.hash[19], 0x12);
    /* Upper case is another hash for the original; it is refused rather than changed on its way. */
    item.memory[15] = 'F';
    assert_false(parses_open(buffer_view(&item)));
    item.memory[15] = 'g';
    assert_false(parses_open(buffer_view(&item)));
    buffer_free(&item);
    assert_false(parses_open(bytes_of(NULL, 0)));

    static const char *const tunnel_items[] = {
        "0200140a 00000014 deadbeef 00000004 01020304",
        "02001411 00000010 deadbeef 00000002",
        "0200141000000018deadbeef00000001000000010000000f",
        "0200141400000024deadbeef0000000303020100070605040b0a09080f0e0d0c13121110",
    };
    for (size_t i = 0; i < 4; i++) {
        struct buffer bytes = hex_buffer(tunnel_items[i]);
        uint32_t tunnel;
        bool stamps;
        assert_true(turtle_tunnel_item(&tunnel, &stamps, buffer_view(&bytes), TURTLE_05));
        assert_int_equal(tunnel, 0xdeadbeef);
        assert_int_equal(stamps, i == 0 || i == 3);
        hostile_variants(buffer_view(&bytes), parses_tunnel);
        buffer_free(&bytes);
    }
    struct buffer search = hex_buffer("02001401 00000017 0054 00000009 616263 00000007 0002");
    struct buffer result =
        hex_buffer(/* protocol 07 §1 */
                   "020014020000005300000007000100000001000000000000000500700000002e3266643465316336376132643"
                   "2386663"
                   "65643834396565316262373665373339316239336562313200510000000b612e747874");
    assert_true(parses_search(buffer_view(&search)));
    assert_true(parses_search(buffer_view(&result)));
    generation = TURTLE_06;
    assert_true(parses_search(buffer_view(&search)));
    assert_false(parses_search(buffer_view(&result)));
    buffer_free(&result);
    buffer_free(&search);
}

/* Protocol 21 §1. */
static void test_examples_06(void **state)
{
    (void)state;
    generation = TURTLE_06;
    struct buffer item =
        hex_buffer("02001403 00000026 a1b2c3d4000102030405060708090a0b0c0d0e0f 11223344 55667788 0001");
    struct turtle_open open;
    open_round_trip(buffer_view(&item), &open);
    assert_int_equal(open.hash[0], 0xa1);
    assert_int_equal(open.request, 0x11223344);
    assert_int_equal(open.partial, 0x55667788);
    assert_int_equal(open.depth, 1);
    hostile_variants(buffer_view(&item), parses_open);
    generation = TURTLE_05;
    assert_false(parses_open(buffer_view(&item)));
    generation = TURTLE_06;
    buffer_free(&item);

    item = hex_buffer("02001404 00000010 deadbeef 11223344");
    struct turtle_ok ok;
    ok_round_trip(buffer_view(&item), &ok);
    assert_int_equal(ok.tunnel, 0xdeadbeef);
    assert_int_equal(ok.request, 0x11223344);
    buffer_free(&item);

    static const char *const data[] = {"0200140a 00000013 deadbeef 00000003 616263",
                                       "02001416 00000013 deadbeef 00000003 616263"};
    for (size_t i = 0; i < 2; i++) {
        item = hex_buffer(data[i]);
        uint32_t tunnel;
        struct bytes payload;
        data_round_trip(buffer_view(&item), &tunnel, &payload);
        assert_bytes_equal(payload, bytes_of_string("abc"));
        buffer_free(&item);
    }
}

/* What one generation has and the other has not, and what is in no tunnel. */
static void test_generations(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        bool in_05, in_06;
    } items[] = {
        {"02001412 00000018 00000001 00000001 00000000 aabbccdd", true, false},
        {"02001413 0000000c 00000001", true, false},
        {"02001416 00000011 00000001 00000001 aa", false, true},
        {"02001407 00000018 00000001 0000000000000002 00000003", true, true},
        {"02001408 00000019 00000001 0000000000000002 00000001 aa", true, true},
        {"02001415 00000010 00000001 00000002", true, true},
        {"02001403 0000000c 00000001", false, false},
        {"02001405 0000000c 00000001", false, false},
        {"02001406 0000000c 00000001", false, false},
        {"02001409 0000000c 00000001", false, false},
        {"0200140b 0000000c 00000001", false, false},
        {"0200140f 0000000c 00000001", false, false},
        {"02001417 0000000c 00000001", false, false},
        {"020014ff 0000000c 00000001", false, false},
        {"0200120a 00000011 00000001 00000001 aa", false, false},
    };
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        struct buffer item = hex_buffer(items[i].hex);
        generation = TURTLE_05;
        assert_int_equal(parses_tunnel(buffer_view(&item)), items[i].in_05);
        generation = TURTLE_06;
        assert_int_equal(parses_tunnel(buffer_view(&item)), items[i].in_06);
        buffer_free(&item);
    }
}

/* Counts whose sum or product would wrap in 32 bits. */
static void test_counts_do_not_wrap(void **state)
{
    (void)state;
    generation = TURTLE_05;
    static const char *const items[] = {
        "02001410 00000014 00000001 00000001 40000000",
        "02001410 00000018 00000001 00000001 40000001 00000000",
        "02001412 00000014 00000001 80000000 80000000",
        "02001412 00000014 00000001 20000000 20000000",
        "02001412 00000014 00000001 00000001 ffffffff",
        "02001408 00000018 00000001 0000000000000000 ffffffff",
        "0200140a 00000010 00000001 fffffff0",
    };
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        struct buffer item = hex_buffer(items[i]);
        assert_false(parses_tunnel(buffer_view(&item)));
        assert_false(parses_data(buffer_view(&item)));
        buffer_free(&item);
    }
}

static void test_searches_06(void **state)
{
    (void)state;
    static const char *const items[] = {
        "0200140b 00000018 00000007 0002 0211 01 00000003 616263",
        "0200140c 00000015 00000007 0000 00000003 616263",
        "02001409 00000035 0000004f 0001 00000002 0104 00000002 00000000 00000002 00000002 0054 00000009 "
        "616263"
        "0054 00000008 6465",
        "02001402 00000035 00000007 0000 00000001 0000000000000005 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"
        "0051 00000007 61",
    };
    for (size_t i = 0; i < 4; i++) {
        struct buffer item = hex_buffer(items[i]);
        struct turtle_search search;
        assert_true(turtle_search_parse(&search, buffer_view(&item), TURTLE_06));
        assert_int_equal(search.request, i == 2 ? 0x4f : 7);
        assert_int_equal(search.depth_offset, 12);
        assert_int_equal(search.result, i == 1 || i == 3);
        generation = TURTLE_06;
        hostile_variants(buffer_view(&item), parses_search);
        generation = TURTLE_05;
        assert_int_equal(parses_search(buffer_view(&item)), i == 2);
        buffer_free(&item);
    }
}

static void test_data_write_limit(void **state)
{
    (void)state;
    static const uint8_t payload[ITEM_SIZE_MAX];
    struct buffer out = buffer_make(2 * ITEM_SIZE_MAX);
    size_t most = ITEM_SIZE_MAX - TURTLE_DATA_OVERHEAD;
    assert_false(turtle_data_write(&out, TURTLE_DATA, 1, bytes_of(payload, most + 1)));
    assert_int_equal(buffer_size(&out), 0);
    assert_true(turtle_data_write(&out, TURTLE_DATA, 1, bytes_of(payload, most)));
    assert_true(parses_data(buffer_view(&out)));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_05), cmocka_unit_test(test_recorded_06),
        cmocka_unit_test(test_examples_05), cmocka_unit_test(test_examples_06),
        cmocka_unit_test(test_generations), cmocka_unit_test(test_counts_do_not_wrap),
        cmocka_unit_test(test_searches_06), cmocka_unit_test(test_data_write_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
