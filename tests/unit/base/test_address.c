/* SPDX-License-Identifier: ISC */
#include "base/address.h"

#include <string.h>

#include "support/vectors.h"

static const struct sockaddr *parsed(const char *text, unsigned default_port)
{
    static struct sockaddr_storage slots[4];
    static unsigned next;
    struct sockaddr_storage *slot = &slots[next++ % 4];
    assert_true(address_parse(slot, text, default_port, NULL));
    return (const struct sockaddr *)slot;
}

static void good_addresses_come_back(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"127.0.0.1:6667", "127.0.0.1:6667"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"[::1]:65535", "[::1]:65535"},
        {"[2001:db8:0:0::1]:80", "[2001:db8::1]:80"},
        {"[::ffff:192.0.2.1]:7", "192.0.2.1:7"},
        {"10.1.2.3", "10.1.2.3:99"},
        {"[::1]", "[::1]:99"},
        {"fe80::1", "[fe80::1]:99"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char out[64];
        const struct sockaddr *address = parsed(texts[i][0], 99);
        address_format(out, sizeof out, address);
        assert_string_equal(out, texts[i][1]);
    }
}

static void bad_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        ":",
        ":80",
        "localhost:80",
        "1.2.3:80",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4:1x",
        "1.2.3.4: 1",
        "[::1",
        "[::1]80",
        "[::1]:",
        "[1.2.3.4]:80",
        "[]:80",
        "01.2.3.4:5",
        "1.2.3.4",
        "[::1]",
        "[::1%lo]:80",
        "1.2.3.4:000001",
        "[:::]:1",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct sockaddr_storage address;
        struct error *error = NULL;
        if (address_parse(&address, texts[i], 0, &error))
            fail_msg("'%s' was taken", texts[i]);
        assert_int_equal(error->code, ERROR_INVALID);
        error_free(error);
    }
}

static void kinds_of_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool loopback, private;
    } cases[] = {
        {"127.0.0.1", true, true},          {"127.255.0.9", true, true},        {"[::1]", true, true},
        {"[::ffff:127.0.0.1]", true, true}, {"10.0.0.1", false, true},          {"172.16.0.1", false, true},
        {"172.31.255.255", false, true},    {"172.32.0.1", false, false},       {"172.15.0.1", false, false},
        {"192.168.4.4", false, true},       {"192.169.0.1", false, false},      {"169.254.1.1", false, true},
        {"[fe80::1]", false, true},         {"[fec0::1]", false, false},        {"[fd00::1]", false, true},
        {"[fc00::1]", false, true},         {"[2001:db8::1]", false, false},    {"8.8.8.8", false, false},
        {"[::ffff:10.0.0.1]", false, true}, {"[::ffff:8.8.8.8]", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sockaddr *address = parsed(cases[i].text, 1);
        if (address_is_loopback(address) != cases[i].loopback ||
            address_is_private(address) != cases[i].private)
            fail_msg("%s is taken for something else", cases[i].text);
    }
}

static void any_address_is_known(void **state)
{
    (void)state;
    static const char *const any[] = {"0.0.0.0", "[::]", "[::ffff:0.0.0.0]"}, *const others[] = {"0.0.0.1",
                                                                                                 "[::1]",
                                                                                                 "127.0.0.1"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(address_is_any(parsed(any[i], 1)));
        assert_false(address_is_any(parsed(others[i], 1)));
    }
}

static void addresses_are_equal_or_not(void **state)
{
    (void)state;
    assert_true(address_equal(parsed("1.2.3.4:5", 0), parsed("1.2.3.4:5", 0)));
    assert_false(address_equal(parsed("1.2.3.4:5", 0), parsed("1.2.3.4:6", 0)));
    assert_false(address_equal(parsed("1.2.3.4:5", 0), parsed("1.2.3.5:5", 0)));
    assert_true(address_equal(parsed("[::1]:5", 0), parsed("[0:0::1]:5", 0)));
    assert_false(address_equal(parsed("[::1]:5", 0), parsed("[::2]:5", 0)));
    assert_false(address_equal(parsed("[::1]:5", 0), parsed("127.0.0.1:5", 0)));
}

static void ports_can_be_set(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    assert_true(address_parse(&address, "[::1]:1", 0, NULL));
    address_set_port((struct sockaddr *)&address, 443);
    assert_int_equal(address_port((struct sockaddr *)&address), 443);
    char small[8];
    address_format(small, sizeof small, (struct sockaddr *)&address);
    assert_string_equal(small, "[::1]:4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses_come_back),   cmocka_unit_test(bad_addresses_are_refused),
        cmocka_unit_test(kinds_of_addresses),         cmocka_unit_test(any_address_is_known),
        cmocka_unit_test(addresses_are_equal_or_not), cmocka_unit_test(ports_can_be_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
