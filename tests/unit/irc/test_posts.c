/* SPDX-License-Identifier: ISC */
/* Notices of posts: what is news, and said once. */
#include "unit/irc/wire.h"

static struct gateway gateway;
static struct site site;
static struct wire wire;
static int64_t bob;

static int setup(void **state)
{
    (void)state;
    fake_init(&gateway);
    bob = fake_person_add(&gateway, "bob", "can talk", true);
    site = site_of(&gateway);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wire_close(&wire);
    fake_clear(&gateway);
    return 0;
}

#define NOTICE ":gateway!*NOTICE &gateway :"

static void test_arrivals(void **state)
{
    (void)state;
    static const struct {
        const char *verdict, *said;
    } rows[] = {
        {"signed", NOTICE "Post from bob: hello – read it with *"},
        {"unsigned", NOTICE "Post from bob (not signed): hello – *"},
        {"bad-signature", NOTICE "Post from bob (WRONG SIGNATURE): hello – *"},
        {"not-addressed", NOTICE "Post from bob (signed, but not to you): hello – *"},
        {"something new", NOTICE "Post from bob (not verified): hello – *"},
    };
    wire_log_in(&wire, &site, "", "a");
    wire_skip(&wire);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake_post_add(&gateway, bob, "hello", rows[i].verdict);
        fake_run(&gateway);
        wire_expect_next(&wire, rows[i].said);
        assert_false(wire_next(&wire));
    }
    fake_post_add(&gateway, 0, "", "unknown-sender");
    fake_run(&gateway);
    wire_expect_next(&wire,
                     NOTICE "Post from stranger-with-a-name@distant.alt (unknown sender): (no subject) *");
    /* What is read elsewhere, locked, or made by the gateway is not spoken of. */
    fake_post_seen(&gateway, 1);
    int64_t locked = fake_post_add(&gateway, bob, "secret", "locked");
    fake_post_add(&gateway, bob, "Delayed: x", "gateway");
    gateway.posts[gateway.post_count - 1].kind = "report";
    fake_run(&gateway);
    assert_false(wire_next(&wire));
    gateway.posts[locked - 1].state = "signed";
    gateway.posts[locked - 1].change = ++gateway.change;
    fake_run(&gateway);
    wire_expect_next(&wire, NOTICE "Post from bob: secret *");
}

static void test_foreign_subjects(void **state)
{
    (void)state;
    static const char nasty[] = "\002bold\r\nQUIT :x\x01 \033[2J \xc2\x9b tail";
    char longest[512];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    wire_log_in(&wire, &site, "", "a");
    wire_skip(&wire);
    fake_post_add(&gateway, bob, nasty, "signed");
    fake_post_add(&gateway, bob, longest, "signed");
    fake_run(&gateway);
    wire_expect_next(&wire, NOTICE "Post from bob: bold QUIT :x *tail – read*");
    for (const char *at = wire.line; *at != '\0'; at++)
        assert_true((unsigned char)*at >= ' ' && *at != 0x7f);
    wire_expect_next(&wire, NOTICE
                     "Post from bob: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… – *");
}

static void test_fates(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, "", "a");
    wire_skip(&wire);
    int64_t later = 5000;
    int64_t seq = fake_post_add(&gateway, bob, "plans", "");
    fake_post_state(&gateway, seq, "queued", later);
    fake_run(&gateway);
    assert_false(wire_next(&wire));
    fake_post_state(&gateway, seq, "delivered", later + 1);
    fake_run(&gateway);
    wire_expect_next(&wire, NOTICE "Delivered to bob: plans");
    fake_post_seen(&gateway, seq); /* any other change of it */
    fake_run(&gateway);
    assert_false(wire_next(&wire));
    fake_post_state(&gateway, seq, "not-confirmed", later + 2);
    fake_run(&gateway);
    wire_expect_next(&wire, NOTICE "Sent to bob, not confirmed: plans");
    gateway.posts[seq - 1].reason = "nobody was reached for 14 days";
    fake_post_state(&gateway, seq, "failed", later + 3);
    fake_run(&gateway);
    wire_expect_next(&wire, NOTICE "NOT delivered to bob: plans – nobody was reached for 14 days");
    assert_false(wire_next(&wire));
}

static void test_many_are_counted(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, "", "a");
    wire_skip(&wire);
    for (unsigned i = 0; i < 20; i++)
        fake_post_add(&gateway, bob, "one of many", "signed");
    fake_run(&gateway);
    for (unsigned i = 0; i < 5; i++)
        wire_expect_next(&wire, NOTICE "Post from bob: one of many *");
    wire_expect_next(&wire, NOTICE "15 more posts came");
    assert_false(wire_next(&wire));
    /* Also of those that were only counted, and that are forgotten one by one, nothing is said again. */
    for (int64_t seq = 1; seq <= 20; seq++)
        gateway.posts[seq - 1].change = ++gateway.change;
    fake_run(&gateway);
    assert_false(wire_next(&wire));
}

static void test_summary(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, "", "a");
    fake_post_add(&gateway, bob, "before", "signed");
    fake_run(&gateway);
    wire_expect(&wire, NOTICE "Post from bob: before *");
    wire_pass(&wire, 6000);
    wire_close(&wire);
    fake_post_add(&gateway, bob, "missed", "signed");
    fake_post_add(&gateway, bob, "missed", "locked");
    int64_t seen = fake_post_add(&gateway, bob, "read elsewhere", "signed");
    fake_post_seen(&gateway, seen);
    int64_t own = fake_post_add(&gateway, bob, "own", "");
    fake_post_state(&gateway, own, "delivered", 10);
    wire_log_in(&wire, &site, "", "a");
    wire_expect(&wire, NOTICE "2 posts came while you were away (1 not opened yet); *");
    wire_expect_none(&wire, "*missed*");
    fake_run(&gateway);
    wire_expect_none(&wire, "*elivered*");
    wire_pass(&wire, 6000);
    wire_close(&wire);
    wire_log_in(&wire, &site, "", "a");
    wire_expect_none(&wire, "*posts came*");
    wire_close(&wire);
    for (unsigned i = 0; i < 55; i++)
        fake_post_add(&gateway, bob, "one of many", "signed");
    wire_log_in(&wire, &site, "", "a");
    wire_expect(&wire, NOTICE "At least 50 posts came while you were away; *");
    wire_expect_none(&wire, "*one of many*");
    wire_close(&wire);
    /* A client that comes for the first time is told nothing old. */
    wire_log_in(&wire, &site, "", "new");
    wire_expect_none(&wire, "*posts came*");
}

static void test_without_posts(void **state)
{
    (void)state;
    gateway.refuse = "post.list";
    wire_log_in(&wire, &site, "", "a");
    wire_expect(&wire, "* 366 * &gateway *");
    fake_post_add(&gateway, bob, "hello", "signed");
    fake_run(&gateway);
    wire_expect(&wire, NOTICE "Post from bob: hello *");
}

static void test_outside_the_channel(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, "", "a");
    wire_send(&wire, "PART &gateway\r\n");
    wire_skip(&wire);
    fake_post_add(&gateway, bob, "hello", "signed");
    fake_run(&gateway);
    wire_expect_next(&wire, ":gateway!*NOTICE ali :Post from bob: hello *");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_arrivals),
        TEST(test_foreign_subjects),
        TEST(test_fates),
        TEST(test_many_are_counted),
        TEST(test_summary),
        TEST(test_without_posts),
        TEST(test_outside_the_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
