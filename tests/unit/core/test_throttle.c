/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include "core/throttle.h"

enum { MINUTE = 60 * 1000 };

static const uint8_t *key_of(const char *account, const char *address)
{
    static uint8_t key[THROTTLE_KEY_SIZE];
    throttle_key(key, account, address);
    return key;
}

static const uint8_t *alice(void)
{
    return key_of("alice", "192.0.2.1");
}

static void wrong(struct throttle *throttle, const uint8_t *key, uint64_t now)
{
    assert_int_equal(throttle_begin(throttle, key, now), 0);
    throttle_end(throttle, key, false, now);
}

static void each_failure_doubles_the_pause(void **state)
{
    (void)state;
    struct throttle throttle = {0};
    uint64_t now = 1, pause = 2000;
    for (unsigned i = 0; i < 4; i++)
        wrong(&throttle, alice(), now);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(throttle_begin(&throttle, alice(), now), pause);
        assert_int_equal(throttle_begin(&throttle, alice(), now + pause - 1), 1);
        now += pause;
        wrong(&throttle, alice(), now);
        pause = pause * 2 < 5 * MINUTE ? pause * 2 : 5 * MINUTE;
    }
    /* Neither another address nor another name waits. */
    assert_int_equal(throttle_begin(&throttle, key_of("alice", "192.0.2.2"), now), 0);
    assert_int_equal(throttle_begin(&throttle, key_of("bob", "192.0.2.1"), now), 0);
    throttle_free(&throttle);
}

/* Who has one address of IPv6 has all of its network. */
static void a_network_of_ipv6_is_one_address(void **state)
{
    (void)state;
    struct throttle throttle = {0};
    for (unsigned i = 0; i < 4; i++) {
        char address[64];
        snprintf(address, sizeof address, "2001:db8:1:2:%x::%x", i, i + 1);
        wrong(&throttle, key_of("alice", address), 1);
    }
    assert_int_equal(throttle_begin(&throttle, key_of("alice", "2001:db8:1:2::9"), 1), 2000);
    assert_int_equal(throttle_begin(&throttle, key_of("alice", "2001:db8:1:3::9"), 1), 0);
    /* IPv4 that came through a socket of IPv6 is not. */
    for (unsigned i = 0; i < 4; i++)
        wrong(&throttle, key_of("alice", "::ffff:192.0.2.1"), 1);
    assert_int_equal(throttle_begin(&throttle, key_of("alice", "::ffff:192.0.2.2"), 1), 0);
    throttle_free(&throttle);
}

static void success_and_time_forget(void **state)
{
    (void)state;
    struct throttle throttle = {0};
    for (unsigned i = 0; i < 3; i++)
        wrong(&throttle, alice(), 1);
    assert_int_equal(throttle_begin(&throttle, alice(), 1), 0);
    throttle_end(&throttle, alice(), true, 1);
    assert_null(throttle.pairs);
    for (unsigned i = 0; i < 4; i++)
        wrong(&throttle, alice(), 1);
    wrong(&throttle, key_of("bob", "192.0.2.1"), 1 + 15 * MINUTE);
    for (unsigned i = 0; i < 4; i++)
        wrong(&throttle, alice(), 1 + 15 * MINUTE);
    throttle_free(&throttle);
}

static void many_at_once_are_not_all_the_first(void **state)
{
    (void)state;
    struct throttle throttle = {0};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(throttle_begin(&throttle, alice(), 1), 0);
    assert_int_equal(throttle_begin(&throttle, alice(), 1), 2000);
    for (unsigned i = 0; i < 8; i++)
        throttle_end(&throttle, alice(), false, 1);
    throttle_end(&throttle, key_of("nobody", "192.0.2.1"), false, 1);
    assert_int_equal(throttle_begin(&throttle, alice(), 1 + 2000 * 16), 0);
    assert_int_equal(throttle_begin(&throttle, alice(), 1 + 2000 * 16), 2000);
    throttle_free(&throttle);
}

/* Who guesses at one account does not begin anew by trying others in between. */
static void other_names_do_not_help(void **state)
{
    (void)state;
    struct throttle throttle = {0};
    uint64_t now = 1;
    char name[32];
    for (unsigned i = 0; i < 8; i++)
        wrong(&throttle, alice(), now += 5 * MINUTE);
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "name-%u", i);
        wrong(&throttle, key_of(name, "192.0.2.1"), ++now);
    }
    assert_int_not_equal(throttle_begin(&throttle, alice(), now), 0);
    /* There is an end to memory, too. */
    for (unsigned i = 0; i < THROTTLE_PAIRS_MAX; i++) {
        snprintf(name, sizeof name, "more-%u", i);
        wrong(&throttle, key_of(name, "192.0.2.1"), now);
    }
    assert_int_equal(throttle_begin(&throttle, alice(), now), 0);
    throttle_free(&throttle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_doubles_the_pause),
        cmocka_unit_test(a_network_of_ipv6_is_one_address),
        cmocka_unit_test(success_and_time_forget),
        cmocka_unit_test(many_at_once_are_not_all_the_first),
        cmocka_unit_test(other_names_do_not_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
