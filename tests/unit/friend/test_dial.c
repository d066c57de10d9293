/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/source.h"
#include "friend/addresses.h"
#include "friend/attempts.h"
#include "friend/dial.h"
#include "friend/socks.h"

static const struct dial_limits limits = {.min_ms = 2000, .max_ms = 300000};

static void test_waits(void **state)
{
    (void)state;
    struct random_seeded seeded;
    struct random_source random = random_from_seed(&seeded, 3);
    static const uint64_t middle[] = {2000,  2000,   4000,   8000,   16000, 32000,
                                      64000, 128000, 256000, 300000, 300000};
    for (unsigned failures = 0; failures < 11; failures++) {
        uint64_t low = UINT64_MAX, high = 0;
        for (unsigned i = 0; i < 1000; i++) {
            uint64_t wait = dial_wait(failures, &limits, random_u32(&random));
            low = wait < low ? wait : low;
            high = wait > high ? wait : high;
        }
        assert_in_range(low, middle[failures] * 3 / 4, middle[failures] * 4 / 5);
        assert_in_range(high, middle[failures] * 6 / 5, middle[failures] * 5 / 4);
    }
    assert_in_range(dial_wait(UINT32_MAX, &limits, 1), 225000, 375000);
    assert_int_equal(dial_wait(1, &(struct dial_limits){.min_ms = 1, .max_ms = 1}, 5), 1);
}

static void test_rounds(void **state)
{
    (void)state;
    struct dial dial = {0};
    dial_soon(&dial, 0);
    assert_int_equal(dial.next_ms, 1);
    for (unsigned i = 1; i <= 5; i++) {
        dial_failed(&dial, &limits, 1000, 0);
        assert_int_equal(dial.failures, i);
    }
    assert_int_equal(dial.next_ms, 1000 + 32000 * 3 / 4);
    /* Up for a moment only: the wait grows on, but for one quick retry. */
    dial_ended(&dial, &limits, 2000, 200, 0);
    assert_int_equal(dial.next_ms, 2000 + DIAL_QUICK_MS);
    assert_int_equal(dial.failures, 5);
    dial_ended(&dial, &limits, 9000, 200, 0);
    assert_int_equal(dial.failures, 6);
    dial_ended(&dial, &limits, 9000, 5000, 0);
    assert_int_equal(dial.failures, 7);
    /* It came back and stayed. */
    dial_ended(&dial, &limits, 9000, DIAL_STEADY_MS, 0);
    assert_int_equal(dial.failures, 0);
    assert_int_equal(dial.next_ms, 9000 + 1500);
    assert_false(dial.quick);
    dial.failures = UINT32_MAX;
    dial_failed(&dial, &limits, 0, 0);
    assert_int_equal(dial.failures, UINT32_MAX);
}

static struct sockaddr_storage parse(const char *text)
{
    struct sockaddr_storage address;
    assert_true(address_parse(&address, text, 0, NULL));
    return address;
}

static struct ip_address ip(const char *text)
{
    struct sockaddr_storage address = parse(text);
    return ip_address_of(&address);
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"203.0.113.5:7812", "127.0.0.1:1", "[2001:db8::1]:65535", "[::1]:1"};
    static const char *const bad[] = {"203.0.113.5:0", "0.0.0.0:1",           "0.1.2.3:9",
                                      "224.0.0.1:9",   "255.255.255.255:9",   "[::]:1",
                                      "[ff02::1]:9",   "[::ffff:224.0.0.1]:9"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct sockaddr_storage address = parse(good[i]), back;
        assert_true(address_dialable(&address));
        struct ip_address one = ip_address_of(&address);
        assert_true(ip_address_socket(&back, &one));
        assert_true(address_equal((struct sockaddr *)&address, (struct sockaddr *)&back));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sockaddr_storage address = parse(bad[i]);
        assert_false(address_dialable(&address));
    }
    assert_int_equal(ip("[::ffff:203.0.113.5]:1").family, 4);
    struct sockaddr_storage none = {0};
    assert_int_equal(ip_address_of(&none).family, 0);
}

static void assert_address(const struct friend_record *record, size_t at, const char *text)
{
    char shown[64];
    address_format(shown, sizeof shown, (const struct sockaddr *)&record->addresses[at]);
    assert_string_equal(shown, text);
}

static void test_learn(void **state)
{
    (void)state;
    struct friend_record record = {0};
    struct sockaddr_storage far = parse("203.0.113.9:40000"), near = parse("192.168.1.9:40000"),
                            self = parse("127.0.0.1:40000");
    struct ip_address given = ip("203.0.113.1:7812");
    assert_true(addresses_add(&record, &given));
    assert_false(addresses_add(&record, &given));
    struct contact_item contact = {
        .external4 = ip("203.0.113.5:7812"),
        .local4 = ip("192.168.1.10:7812"),
        .external6 = ip("[2001:db8::5]:7812"),
        .local6 = ip("[::1]:7812"),
    };
    snprintf(contact.dyndns, sizeof contact.dyndns, "node.example.org");
    assert_true(addresses_learn(&record, &contact, &far));
    assert_int_equal(record.address_count, 3);
    assert_address(&record, 0, "203.0.113.1:7812");
    assert_address(&record, 1, "203.0.113.5:7812");
    assert_address(&record, 2, "[2001:db8::5]:7812");
    assert_string_equal(record.dns, "node.example.org");
    assert_int_equal(record.dns_port, 7812);
    assert_false(addresses_learn(&record, &contact, &far));
    /* Through a hidden service everybody comes from this machine. */
    assert_false(addresses_learn(&record, &contact, &self));
    assert_true(addresses_learn(&record, &contact, &near));
    assert_int_equal(record.address_count, 4);
    assert_address(&record, 3, "192.168.1.10:7812");
    /* This friend was given as one of this machine. */
    struct ip_address loop = ip("127.0.0.1:7812");
    assert_true(addresses_add(&record, &loop));
    assert_true(addresses_learn(&record, &contact, &self));
    assert_address(&record, 5, "[::1]:7812");

    /* What the operator gave stays, told ones make way for newer told ones. */
    char text[64];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "198.51.100.%u:1000", i + 1);
        struct contact_item one = {.external4 = ip(text)};
        assert_true(addresses_learn(&record, &one, &far));
        assert_true(record.address_count <= ADDRESSES_MAX);
    }
    assert_address(&record, 0, "203.0.113.1:7812");
    assert_address(&record, ADDRESSES_GIVEN, "198.51.100.100:1000");
    assert_address(&record, 15, "198.51.100.93:1000");
}

/* A friend that does not know its external address still knows its port. */
static void test_learn_name(void **state)
{
    (void)state;
    struct friend_record record = {0};
    struct sockaddr_storage far = parse("203.0.113.9:40000");
    struct contact_item contact = {.hidden = false};
    snprintf(contact.dyndns, sizeof contact.dyndns, "node.example.org");
    assert_false(addresses_learn(&record, &contact, &far));
    assert_string_equal(record.dns, "");
    contact.local4 = ip("192.168.1.10:7812");
    assert_true(addresses_learn(&record, &contact, &far));
    assert_string_equal(record.dns, "node.example.org");
    assert_int_equal(record.dns_port, 7812);
    assert_int_equal(record.address_count, 0);
}

static void test_learn_hidden(void **state)
{
    (void)state;
    struct friend_record record = {0};
    struct sockaddr_storage self = parse("127.0.0.1:40000");
    struct contact_item contact = {.hidden = true, .hidden_port = 7812};
    snprintf(contact.hidden_address, sizeof contact.hidden_address, "intranet.example.org");
    assert_false(addresses_learn(&record, &contact, &self));
    snprintf(contact.hidden_address, sizeof contact.hidden_address, "abcdefghijklmnop.onion");
    contact.hidden_port = 0;
    assert_false(addresses_learn(&record, &contact, &self));
    contact.hidden_port = 7812;
    assert_true(addresses_learn(&record, &contact, &self));
    assert_string_equal(record.hidden, "abcdefghijklmnop.onion");
    /* From now on nothing else is taken. */
    struct contact_item clear = {.external4 = ip("203.0.113.5:7812")};
    snprintf(clear.dyndns, sizeof clear.dyndns, "node.example.org");
    assert_false(addresses_learn(&record, &clear, &self));
    assert_int_equal(record.address_count, 0);
    assert_string_equal(record.dns, "");
}

static void test_attempts(void **state)
{
    (void)state;
    static struct attempts attempts;
    struct sockaddr_storage address = parse("203.0.113.5:1");
    uint8_t id[16] = {0};
    static const uint8_t issuer[8] = {0x53, 0x5a, 0xf3, 0x4a, 0x3d, 0xdd, 0xfc, 0x9b};
    for (unsigned i = 0; i < 100; i++) {
        id[0] = (uint8_t)i;
        assert_int_equal(attempts_add(&attempts, id, issuer, &address, "not a friend", i)->count, 1);
    }
    assert_int_equal(attempts.count, ATTEMPTS_MAX);
    assert_int_equal(attempts.list[0].location[0], 36);
    id[0] = 50;
    const struct friend_attempt *again = attempts_add(&attempts, id, issuer, &address, "not a friend", 200);
    assert_int_equal(again->count, 2);
    assert_int_equal(again->first_ms, 50);
    assert_int_equal(again->last_ms, 200);
    assert_string_equal(again->issuer, "535AF34A3DDDFC9B");
    attempts_forget(&attempts, id);
    assert_int_equal(attempts.count, ATTEMPTS_MAX - 1);
    attempts_forget(&attempts, id);
    attempts_expire(&attempts, 60 + ATTEMPTS_AGE_MS);
    assert_int_equal(attempts.list[0].last_ms, 60);
    attempts_expire(&attempts, 201 + ATTEMPTS_AGE_MS);
    assert_int_equal(attempts.count, 0);
}

static enum socks_step feed(struct socks *socks, struct buffer *input, struct buffer *out, const char *hex)
{
    struct buffer bytes = hex_buffer(hex);
    const char *reason = NULL;
    enum socks_step step = SOCKS_MORE;
    /* Byte by byte: every cut is met. */
    for (size_t i = 0; i < buffer_size(&bytes) && step == SOCKS_MORE; i++) {
        buffer_append(input, buffer_view(&bytes).data + i, 1);
        step = socks_receive(socks, input, out, &reason);
    }
    assert_true((step == SOCKS_FAILED) == (reason != NULL));
    buffer_free(&bytes);
    return step;
}

static void test_socks(void **state)
{
    (void)state;
    static const struct {
        const char *greeting, *reply;
        enum socks_step step;
    } cases[] = {
        {"0500", "050000010000000000ff", SOCKS_DONE},
        {"0500", "0500000400000000000000000000000000000000 0001", SOCKS_DONE},
        {"0500", "05000003026161 0001", SOCKS_DONE},
        {"0500", "05000001000000", SOCKS_MORE},
        {"0500", "0505000100000000 0000", SOCKS_FAILED},
        {"0500", "0400000100000000 0000", SOCKS_FAILED},
        {"0500", "0500000700", SOCKS_FAILED},
        {"0502", NULL, SOCKS_FAILED},
        {"05ff", NULL, SOCKS_FAILED},
        {"4854", NULL, SOCKS_FAILED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct socks socks;
        struct buffer input = buffer_make(1024), out = buffer_make(1024);
        socks_set(&socks, "abc.onion", 7812);
        socks_start(&out);
        struct buffer greeting = hex_buffer("050100");
        assert_bytes_equal(buffer_view(&out), buffer_view(&greeting));
        buffer_clear(&out);
        enum socks_step step = feed(&socks, &input, &out, cases[i].greeting);
        if (cases[i].reply) {
            assert_int_equal(step, SOCKS_MORE);
            struct buffer request = hex_buffer("05010003 09 6162632e6f6e696f6e 1e84");
            assert_bytes_equal(buffer_view(&out), buffer_view(&request));
            buffer_free(&request);
            step = feed(&socks, &input, &out, cases[i].reply);
        }
        assert_int_equal(step, cases[i].step);
        if (step == SOCKS_DONE)
            assert_int_equal(buffer_size(&input), 0);
        buffer_free(&greeting);
        buffer_free(&input);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),      cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_addresses),  cmocka_unit_test(test_learn),
        cmocka_unit_test(test_learn_name), cmocka_unit_test(test_learn_hidden),
        cmocka_unit_test(test_attempts),   cmocka_unit_test(test_socks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
