/* SPDX-License-Identifier: ISC */
#include "unit/irc/wire.h"

#define WITH_BATCHES "batch server-time message-tags"

static struct gateway gateway;
static struct site site;
static struct wire wire, other;
static int64_t bob, carol;

static int setup(void **state)
{
    (void)state;
    fake_init(&gateway);
    bob = fake_person_add(&gateway, "bob", "can talk", true);
    carol = fake_person_add(&gateway, "carol", "can talk", true);
    site = site_of(&gateway);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (wire.client != NULL)
        wire_close(&wire);
    if (other.client != NULL)
        wire_close(&other);
    fake_clear(&gateway);
    return 0;
}

/* Makes the device known, so that it misses what comes next. */
static void come_and_go(const char *device)
{
    wire_log_in(&wire, &site, "", device);
    wire_pass(&wire, 5000);
    wire_close(&wire);
}

static void come_in(int64_t conversation, size_t count)
{
    char text[32];
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "line%lld", (long long)gateway.seq + 1);
        fake_line_add(&gateway, conversation, "in", text, "");
    }
}

/* Numbers of the lines shown in what is left, in order; they have to grow by one. */
static size_t count_lines(int64_t first)
{
    size_t count = 0;
    while (wire_next(&wire)) {
        const char *said = strstr(wire.line, "distant PRIVMSG "),
                   *at = said != NULL ? strstr(said, "line") : NULL;
        if (at == NULL)
            continue;
        assert_int_equal(strtoll(at + 4, NULL, 10), first + (int64_t)count);
        count++;
    }
    return count;
}

static void test_first_time_shows_nothing_old(void **state)
{
    (void)state;
    come_in(bob, 5);
    wire_log_in(&wire, &site, WITH_BATCHES, "new");
    wire_expect_none(&wire, "*distant PRIVMSG*");
    come_in(bob, 1);
    fake_run(&gateway);
    wire_expect_next(&wire, "*PRIVMSG &bob :line6");
}

static void test_missed_lines_come_in_a_batch(void **state)
{
    (void)state;
    come_and_go("a");
    come_in(bob, 2);
    come_in(carol, 1);
    fake_line_add(&gateway, bob, "out", "said elsewhere", "web");
    wire_log_in(&wire, &site, WITH_BATCHES, "a");
    wire_expect(&wire, ":irc.test.alt BATCH +r* chathistory &bob");
    wire_expect_next(
        &wire, "@time=2023-11-14T22:13:21.000Z;msgid=1-1;batch=r* :bob!bob@distant PRIVMSG &bob :line1");
    wire_expect_next(&wire, "@*;msgid=1-2;batch=r* :bob!bob@distant PRIVMSG &bob :line2");
    wire_expect_next(&wire, "@*;msgid=1-4;batch=r* :ali!a@irc.test.alt PRIVMSG &bob :said elsewhere");
    wire_expect_next(&wire, ":irc.test.alt BATCH -r*");
    wire_expect_next(&wire, ":irc.test.alt BATCH +r* chathistory &carol");
    wire_expect_next(&wire, "@*;batch=r* :carol!carol@distant PRIVMSG &carol :line3");
    wire_expect_next(&wire, ":irc.test.alt BATCH -r*");
    wire_expect_none(&wire, "*distant PRIVMSG*");
}

static void test_each_device_has_its_own(void **state)
{
    (void)state;
    come_and_go("a");
    come_and_go("b");
    come_in(bob, 1);
    come_and_go("a");
    wire_log_in(&wire, &site, "", "a");
    wire_expect_none(&wire, "*line1*");
    wire_log_in(&other, &site, "", "b");
    wire_expect(&other, "*line1*");
}

static void test_clock_without_server_time(void **state)
{
    (void)state;
    come_and_go("a");
    come_in(bob, 1);
    wire_log_in(&wire, &site, "batch", "a");
    wire_expect(&wire, ":bob!bob@distant PRIVMSG &bob :???:??? line1");
}

static void test_bounded(void **state)
{
    (void)state;
    come_and_go("a");
    come_in(bob, 450);
    wire_log_in(&wire, &site, WITH_BATCHES, "a");
    wire_expect(&wire, "*NOTICE &bob :250 earlier lines with bob were missed*");
    assert_int_equal(count_lines(251), 200);
    wire_close(&wire);
    come_and_go("a");
    come_in(bob, 700);
    wire_log_in(&wire, &site, WITH_BATCHES, "a");
    wire_expect(&wire, "*NOTICE &bob :More than 300 earlier lines with bob were missed*");
    assert_int_equal(count_lines(951), 200);
}

static void test_missed_failures(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, "", "a");
    wire_send(&wire, "PRIVMSG &bob :x\r\n");
    wire_pass(&wire, 5000);
    wire_close(&wire);
    fake_delivery(&gateway, 1, "failed");
    wire_log_in(&wire, &site, "", "a");
    wire_expect(&wire, "*NOTICE &bob :*Your line 1-1 to bob was not delivered*");
    wire_expect_none(&wire, "*distant PRIVMSG*");
}

static void test_seen_is_coalesced(void **state)
{
    (void)state;
    const json_t *seen;
    wire_log_in(&wire, &site, "", "a");
    wire_pass(&wire, 20000);
    size_t before = fake_count(&gateway, "client.seen", NULL);
    for (int i = 0; i < 10; i++) {
        come_in(bob, 1);
        fake_run(&gateway);
        wire_pass(&wire, 100);
    }
    assert_int_equal(fake_count(&gateway, "client.seen", NULL), before);
    wire_pass(&wire, 5000);
    assert_int_equal(fake_count(&gateway, "client.seen", &seen), before + 1);
    assert_int_equal(fake_integer(seen, "seq"), 10);
    assert_int_equal(fake_integer(seen, "change"), gateway.change);
    wire_pass(&wire, 60000);
    assert_int_equal(fake_count(&gateway, "client.seen", &seen), before + 1);
}

static void test_seen_at_quit(void **state)
{
    (void)state;
    const json_t *seen;
    wire_log_in(&wire, &site, "", "a");
    come_in(bob, 3);
    fake_run(&gateway);
    wire_send(&wire, "QUIT :bye\r\n");
    wire_expect(&wire, "ERROR :Closing link: Quit");
    wire_close(&wire);
    assert_true(fake_count(&gateway, "client.seen", &seen) > 0);
    assert_int_equal(fake_integer(seen, "seq"), 3);
}

static void test_what_was_not_handed_over_comes_again(void **state)
{
    (void)state;
    come_and_go("a");
    wire_log_in(&wire, &site, "", "a");
    wire_pass(&wire, 5000);
    wire.keeps = true;
    come_in(bob, 3);
    fake_run(&gateway);
    wire_pass(&wire, 20000);
    wire_close(&wire);
    wire_log_in(&wire, &site, "", "a");
    assert_int_equal(count_lines(1), 3);
}

static void test_many_changes_lose_and_double_nothing(void **state)
{
    (void)state;
    gateway.page = 7;
    wire_log_in(&wire, &site, "", "a");
    wire_skip(&wire);
    come_in(bob, 40);
    /* Own lines whose number moves behind younger ones: they would be taken for known ones. */
    for (int64_t seq = 1; seq <= 40; seq += 3)
        fake_delivery(&gateway, seq, "delivered");
    fake_run(&gateway);
    assert_int_equal(count_lines(1), 40);
    come_in(bob, 3);
    fake_run(&gateway);
    assert_int_equal(count_lines(41), 3);
}

static void test_single_page_is_sorted(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, "", "a");
    wire_skip(&wire);
    come_in(bob, 4);
    fake_delivery(&gateway, 1, "delivered");
    fake_run(&gateway);
    assert_int_equal(count_lines(1), 4);
}

static void test_slow_connection_holds_lines_back(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, "", "a");
    wire_skip(&wire);
    wire.stuck = site.output_limit;
    come_in(bob, 20);
    fake_run(&gateway);
    wire_expect_none(&wire, "*distant PRIVMSG*");
    wire.stuck = site.output_limit / 2 - 300;
    wire.keeps = true; /* some fit, then it is full again */
    client_drained(wire.client);
    fake_run(&gateway);
    size_t got = count_lines(1);
    assert_in_range(got, 1, 19);
    wire.keeps = false;
    wire.stuck = 0;
    client_drained(wire.client);
    fake_run(&gateway);
    assert_int_equal(count_lines((int64_t)got + 1), 20 - got);
}

static void test_slow_connection_holds_replay_back(void **state)
{
    (void)state;
    come_and_go("a");
    come_in(bob, 100);
    come_in(carol, 100);
    wire_open(&wire, &site);
    wire.keeps = true;
    wire_send(&wire, "PASS alice@a:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n");
    size_t got = count_lines(1);
    assert_int_equal(got, 200);
    wire_close(&wire);
    gateway.cursors = (json_decref(gateway.cursors), json_object());
    come_and_go("a");
    come_in(bob, 100);
    come_in(carol, 100);
    wire_open(&wire, &site);
    wire.stuck = site.output_limit / 2 - 5000;
    wire.keeps = true;
    wire_send(&wire, "PASS alice@a:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n");
    got = count_lines(201);
    assert_in_range(got, 1, 99);
    while (got < 200) {
        wire.stuck = site.output_limit / 2 - 2000;
        client_drained(wire.client);
        fake_run(&gateway);
        size_t more = count_lines(201 + (int64_t)got);
        assert_true(more > 0);
        got += more;
    }
    assert_int_equal(got, 200);
}

static void test_restored_backup(void **state)
{
    (void)state;
    come_in(bob, 10);
    wire_log_in(&wire, &site, "", "a");
    wire_skip(&wire);
    gateway.epoch = 2;
    fake_state(&gateway, bob, "can talk", "");
    fake_run(&gateway);
    wire_expect(&wire, "*NOTICE &gateway :*restored from a backup*");
    wire_expect_none(&wire, "*distant PRIVMSG*");
    come_in(bob, 1);
    fake_run(&gateway);
    wire_expect_next(&wire, "*line11*");
}

static void test_query_replay_after_the_conversation_closed(void **state)
{
    (void)state;
    come_and_go("a");
    come_in(bob, 1);
    gateway.people[bob - 1].open = false;
    wire_log_in(&wire, &site, WITH_BATCHES, "a");
    wire_expect(&wire, "*BATCH +r* chathistory bob");
    wire_expect_next(&wire, "*PRIVMSG ali :line1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(first_time_shows_nothing_old),
        TEST(missed_lines_come_in_a_batch),
        TEST(each_device_has_its_own),
        TEST(clock_without_server_time),
        TEST(bounded),
        TEST(missed_failures),
        TEST(seen_is_coalesced),
        TEST(seen_at_quit),
        TEST(what_was_not_handed_over_comes_again),
        TEST(many_changes_lose_and_double_nothing),
        TEST(single_page_is_sorted),
        TEST(slow_connection_holds_lines_back),
        TEST(slow_connection_holds_replay_back),
        TEST(restored_backup),
        TEST(query_replay_after_the_conversation_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
