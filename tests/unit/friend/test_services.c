/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <stdio.h>
#include <string.h>

#include "friend/services.h"

#define SECOND UINT64_C(1000000)

static const uint8_t own_key[3] = {1, 2, 3};
static const uint8_t peer_id[8] = {0x53, 0x5a, 0xf3, 0x4a, 0x3d, 0xdd, 0xfc, 0x9b};
static const uint8_t peer_location[16] = {9};
static struct services_self self = {.pgp_id = {8, 7, 6, 5, 4, 3, 2, 1}};
static struct services services;
static struct buffer out;
static union services_news news;

static void begin(bool limited)
{
    self.key_block = bytes_of(own_key, sizeof own_key);
    buffer_free(&out);
    out = buffer_make(1 << 16);
    services_start(&services, &self, peer_id, peer_location, limited, SECOND, &out);
}

static enum services_verdict receive_hex(const char *hex, uint64_t now)
{
    struct buffer item = hex_buffer(hex);
    buffer_clear(&out);
    enum services_verdict verdict = services_receive(&services, buffer_view(&item), now, &out, &news);
    buffer_free(&item);
    return verdict;
}

static const char turtle_only[] =
    "02002001 0000003a 0001 00000032 0001 0000002c 0001 0000000a 02001400 0001 0000001c 00000006 "
    "747572746c65 02001400 0001 0000 0001 0000";
static const char turtle_and_heartbeat[] =
    "02002001 00000069 0001 00000061"
    "0001 0000002c 0001 0000000a 02001400 0001 0000001c 00000006 747572746c65 02001400 0001000000010000"
    "0001 0000002f 0001 0000000a 02001600 0001 0000001f 00000009 686561727462656174 02001600 "
    "0001000000010000";
static const char turtle_item[] = "02001404 00000010 00000001 00000002";
static const char pgp_list_ours[] = "02001101 0000001a 00000002 1023 0000000e 0807060504030201";

/* A list of all that we name, as if the friend were one of us. */
static void exchange_lists(uint64_t now)
{
    struct services other;
    struct buffer list = buffer_make(4096);
    services_start(&other, &self, peer_id, peer_location, false, now, &list);
    assert_int_equal(services_receive(&services, buffer_view(&list), now, &out, &news), SERVICES_LIST);
    buffer_free(&list);
}

static void test_nothing_before_the_list(void **state)
{
    (void)state;
    begin(false);
    struct service_list list;
    assert_true(service_info_parse(&list, buffer_view(&out)));
    assert_int_equal(list.count, 4);
    assert_int_equal(receive_hex(turtle_item, SECOND), SERVICES_DROPPED);
    assert_int_equal(receive_hex("0200160100000008", SECOND), SERVICES_DROPPED);
    assert_int_equal(receive_hex(pgp_list_ours, SECOND), SERVICES_DROPPED);
    assert_int_equal(receive_hex("02101101 00000014 00000001 6b0437e100026814", SECOND), SERVICES_DROPPED);
    assert_int_equal(buffer_size(&out), 0);
    assert_int_equal(receive_hex(turtle_only, SECOND), SERVICES_LIST);
    assert_int_equal(receive_hex(turtle_item, SECOND), SERVICES_TURTLE);
    assert_int_equal(receive_hex("0200160100000008", SECOND), SERVICES_DROPPED);
    assert_int_equal(receive_hex("0200120100000008", SECOND), SERVICES_DROPPED);
}

static void test_a_new_list_replaces(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(receive_hex(turtle_and_heartbeat, SECOND), SERVICES_LIST);
    assert_true(services.turtle && services.heartbeat && !services.rtt && !services.discovery);
    assert_int_equal(receive_hex("02002001 0000000e 0001 00000006", SECOND), SERVICES_LIST);
    assert_false(services.turtle || services.heartbeat);
    assert_int_equal(receive_hex(turtle_only, SECOND), SERVICES_LIST);
    /* A malformed one does not. */
    assert_int_equal(receive_hex("02002001 0000000e 0001 00000007", SECOND), SERVICES_DROPPED);
    assert_true(services.turtle);
}

static void test_limited(void **state)
{
    (void)state;
    begin(true);
    struct service_list list;
    assert_true(service_info_parse(&list, buffer_view(&out)));
    assert_int_equal(list.count, 1);
    assert_string_equal(list.entries[0].name, "disc");
    exchange_lists(SECOND);
    assert_true(services.discovery);
    assert_false(services.turtle || services.heartbeat || services.rtt);
    assert_int_equal(receive_hex(turtle_item, SECOND), SERVICES_DROPPED);
    /* Not its key, then its key. */
    assert_int_equal(receive_hex("02001109 00000015 535af34a3dddfc9c 00000001 aa", SECOND), SERVICES_DROPPED);
    assert_int_equal(receive_hex("02001109 00000015 535af34a3dddfc9b 00000001 aa", SECOND), SERVICES_KEY);
    assert_int_equal(news.key.size, 1);
    /* It is asked for again and again, with our list, so that the link lives. */
    buffer_clear(&out);
    uint64_t next = services_tick(&services, 2 * SECOND, &out);
    assert_int_equal(buffer_size(&out), 0);
    assert_int_equal(next, 51 * SECOND);
    services_tick(&services, next, &out);
    assert_true(buffer_size(&out) > 26);
    buffer_clear(&out);
    services_unlimit(&services, next, &out);
    assert_true(services.turtle && services.heartbeat && services.rtt);
    assert_true(service_info_parse(&list, buffer_view(&out)));
    assert_int_equal(list.count, 4);
    assert_int_equal(receive_hex("02001109 00000015 535af34a3dddfc9b 00000001 aa", SECOND), SERVICES_DROPPED);
}

static void test_our_key(void **state)
{
    (void)state;
    begin(false);
    exchange_lists(SECOND);
    assert_int_equal(receive_hex(pgp_list_ours, SECOND), SERVICES_DONE);
    struct pgp_key_item key;
    assert_true(pgp_key_parse(&key, buffer_view(&out)));
    assert_bytes_equal(key.block, bytes_of(own_key, sizeof own_key));
    assert_memory_equal(key.pgp_id, self.pgp_id, 8);
    /* Not at once again; not another one; not for a list of friends. */
    assert_int_equal(receive_hex(pgp_list_ours, 2 * SECOND), SERVICES_DONE);
    assert_int_equal(buffer_size(&out), 0);
    assert_int_equal(receive_hex("02001101 0000001a 00000002 1023 0000000e 535af34a3dddfc9b", 60 * SECOND),
                     SERVICES_DONE);
    assert_int_equal(buffer_size(&out), 0);
    assert_int_equal(receive_hex("02001101 0000001a 00000001 1023 0000000e 0807060504030201", 60 * SECOND),
                     SERVICES_DONE);
    assert_int_equal(buffer_size(&out), 0);
    assert_int_equal(receive_hex(pgp_list_ours, 60 * SECOND), SERVICES_DONE);
    assert_true(buffer_size(&out) > 0);
}

static void test_contacts_of_others(void **state)
{
    (void)state;
    begin(false);
    exchange_lists(SECOND);
    struct contact_item contact = {.vs_disc = 2};
    memcpy(contact.location, peer_location, 16);
    memcpy(contact.pgp_id, peer_id, 8);
    struct buffer item = buffer_make(4096);
    assert_true(contact_write(&item, &contact));
    assert_int_equal(services_receive(&services, buffer_view(&item), SECOND, &out, &news), SERVICES_CONTACT);
    contact.location[0]++;
    buffer_clear(&item);
    assert_true(contact_write(&item, &contact));
    assert_int_equal(services_receive(&services, buffer_view(&item), SECOND, &out, &news), SERVICES_DROPPED);
    buffer_free(&item);
}

static void test_heartbeats(void **state)
{
    (void)state;
    begin(false);
    exchange_lists(SECOND);
    buffer_clear(&out);
    uint64_t next = services_tick(&services, SECOND, &out);
    struct buffer expected = hex_buffer("0200160100000008 0210110100000014 00000001 0000000000000000");
    assert_bytes_equal(buffer_view(&out), buffer_view(&expected));
    assert_int_equal(next, 6 * SECOND);
    buffer_clear(&out);
    assert_int_equal(services_tick(&services, 2 * SECOND, &out), 6 * SECOND);
    assert_int_equal(buffer_size(&out), 0);
    services_tick(&services, 6 * SECOND, &out);
    assert_bytes_equal(buffer_view(&out), bytes_of(heartbeat_item, 8));
    buffer_free(&expected);
}

static void test_round_trip(void **state)
{
    (void)state;
    begin(false);
    exchange_lists(SECOND);
    /* Theirs. */
    assert_int_equal(receive_hex("02101101 00000014 00000007 6b0437e100026814", SECOND), SERVICES_DONE);
    struct buffer pong = hex_buffer("02101102 0000001c 00000007 6b0437e100026814 6b0437e100026814");
    assert_bytes_equal(buffer_view(&out), buffer_view(&pong));
    buffer_free(&pong);
    /* Ours: unasked, late and second answers count nothing. */
    assert_int_equal(receive_hex("02101102 0000001c 00000001 0000000000000000 0000000000000000", SECOND),
                     SERVICES_DONE);
    assert_int_equal(services.rtt_us, 0);
    services_tick(&services, 2 * SECOND, &out);
    assert_int_equal(receive_hex("02101102 0000001c 00000002 0000000000000000 0000000000000000", 3 * SECOND),
                     SERVICES_DONE);
    assert_int_equal(services.rtt_us, 0);
    receive_hex("02101102 0000001c 00000001 0000000000000000 6b0437e100026814", 2 * SECOND + 1234);
    assert_int_equal(services.rtt_us, 1234);
    receive_hex("02101102 0000001c 00000001 0000000000000000 6b0437e100026814", 5 * SECOND);
    assert_int_equal(services.rtt_us, 1234);
}

/* Protocol 11 §5.3: more than 100 s without heartbeat and more than 60 s without item. */
static void test_silence(void **state)
{
    (void)state;
    begin(false);
    exchange_lists(SECOND);
    assert_false(services_silent(&services, 101 * SECOND));
    assert_true(services_silent(&services, 101 * SECOND + 1));
    receive_hex("0200120100000008", 50 * SECOND); /* even an item that we do not know */
    assert_false(services_silent(&services, 110 * SECOND));
    assert_true(services_silent(&services, 110 * SECOND + 1));
    receive_hex("02aabbcc00000008", 105 * SECOND); /* the probe is no sign of life */
    assert_true(services_silent(&services, 110 * SECOND + 1));
    assert_int_equal(receive_hex("0200160200000008", 105 * SECOND), SERVICES_DROPPED); /* no heartbeat */
    assert_int_equal(services.heartbeat_us, SECOND);
    assert_int_equal(receive_hex("0200160100000008", 105 * SECOND), SERVICES_DONE);
    assert_false(services_silent(&services, 205 * SECOND));
    assert_true(services_silent(&services, 205 * SECOND + 1));
}

static int end(void **state)
{
    (void)state;
    buffer_free(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_before_the_list),
        cmocka_unit_test(test_a_new_list_replaces),
        cmocka_unit_test(test_limited),
        cmocka_unit_test(test_our_key),
        cmocka_unit_test(test_contacts_of_others),
        cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
