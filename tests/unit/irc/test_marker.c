/* SPDX-License-Identifier: ISC */
/* Read positions: MARKREAD, and what another client of the account has read. */
#include "bridges/irc/text.h"
#include "unit/irc/wire.h"

#define MARKS       "draft/read-marker standard-replies server-time"
#define AT(seconds) "timestamp=2023-11-14T22:13:" seconds ".000Z"

static struct gateway gateway;
static struct site site;
static struct wire wire, other;
static int64_t bob, carol;

/* Line n has the time 2023-11-14T22:13:20 and n seconds. */
static int setup(void **state)
{
    (void)state;
    fake_init(&gateway);
    bob = fake_person_add(&gateway, "bob", "can talk", true);
    carol = fake_person_add(&gateway, "carol", "can talk", true);
    for (int i = 0; i < 4; i++)
        fake_line_add(&gateway, bob, "in", "hello", "");
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
    assert_null(gateway.sessions);
    fake_clear(&gateway);
    return 0;
}

static void test_join_tells_it(void **state)
{
    (void)state;
    fake_read(&gateway, bob, 2);
    wire_log_in(&wire, &site, MARKS, "a");
    wire_expect(&wire, "* JOIN &gateway");
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &gateway ?");
    wire_expect(&wire, "* JOIN &bob");
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob " AT("22"));
    wire_expect(&wire, "* JOIN &carol");
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &carol ?");
    wire_expect(&wire, "* 366 ali &carol *");
    wire_send(&wire, "PART &bob\r\nJOIN &bob\r\n");
    wire_expect(&wire, "* JOIN &bob");
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob " AT("22"));
}

static void test_without_the_capability(void **state)
{
    (void)state;
    fake_read(&gateway, bob, 2);
    wire_log_in(&wire, &site, "", "a");
    fake_read(&gateway, bob, 3);
    fake_run(&gateway);
    wire_expect_none(&wire, "*MARKREAD*");
    assert_int_equal(fake_count(&gateway, "history", NULL), 0);
    /* Asked for later, it is told at once. */
    wire_send(&wire, "CAP REQ draft/read-marker\r\n");
    wire_expect(&wire, ":irc.test.alt MARKREAD &bob " AT("23"));
    wire_expect_none(&wire, "*MARKREAD*");
}

static void test_read_elsewhere(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, MARKS, "a");
    wire_log_in(&other, &site, MARKS, "b");
    wire_skip(&wire);
    wire_skip(&other);
    wire_send(&wire, "MARKREAD &bob " AT("23") "\r\n");
    assert_int_equal(gateway.people[0].read, 3);
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob " AT("23"));
    wire_expect(&other, ":irc.test.alt MARKREAD &bob " AT("23"));
    wire_expect_none(&other, "*");
    wire_skip(&wire);
    /* In the browser. */
    fake_read(&gateway, bob, 4);
    fake_run(&gateway);
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob " AT("24"));
    wire_expect_next(&other, ":irc.test.alt MARKREAD &bob " AT("24"));
    /* A query is told beside its channel. */
    wire_send(&wire, "PRIVMSG bob :hello\r\n");
    wire_skip(&wire);
    fake_read(&gateway, bob, 5);
    fake_run(&gateway);
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob " AT("25"));
    wire_expect_next(&wire, ":irc.test.alt MARKREAD bob " AT("25"));
}

static void test_times_between_lines(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, MARKS, "a");
    wire_skip(&wire);
    /* Older than all: nothing was read. */
    wire_send(&wire, "MARKREAD &bob timestamp=2001-01-01T00:00:00.000Z\r\n");
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob ?");
    assert_int_equal(gateway.people[0].read, 0);
    wire_send(&wire, "MARKREAD bob timestamp=2023-11-14T22:13:22.999Z\r\n");
    wire_expect_next(&wire, ":irc.test.alt MARKREAD bob " AT("22"));
    assert_int_equal(gateway.people[0].read, 2);
    wire_skip(&wire);
    /* Never back, and asking changes nothing. */
    wire_send(&wire, "MARKREAD &bob " AT("21") "\r\nMARKREAD &bob\r\nMARKREAD bob\r\nMARKREAD carol\r\n");
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob " AT("22"));
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob " AT("22"));
    wire_expect_next(&wire, ":irc.test.alt MARKREAD bob " AT("22"));
    wire_expect_next(&wire, ":irc.test.alt MARKREAD carol ?");
    assert_int_equal(fake_count(&gateway, "read", NULL), 1);
    /* Younger than all: everything was read. */
    wire_send(&wire, "MARKREAD &bob timestamp=2099-01-01T00:00:00.000Z\r\n");
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob " AT("24"));
    assert_int_equal(gateway.people[0].read, 4);
}

static void test_far_back(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        fake_line_add(&gateway, bob, "in", "hello", "");
    wire_log_in(&wire, &site, MARKS, "a");
    wire_skip(&wire);
    wire_send(&wire, "MARKREAD &bob " AT("23") "\r\n");
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob " AT("23"));
    assert_int_equal(gateway.people[0].read, 3);
    /* Not further than what was read. */
    size_t before = fake_count(&gateway, "history", NULL);
    fake_read(&gateway, bob, 1000);
    fake_run(&gateway);
    wire_skip(&wire);
    wire_send(&wire, "MARKREAD &bob timestamp=2023-11-14T22:30:00.500Z\r\n");
    wire_expect_next(&wire, ":irc.test.alt MARKREAD &bob timestamp=2023-11-14T22:30:00.000Z");
    assert_in_range(fake_count(&gateway, "history", NULL) - before, 1, 3);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "timestamp=",
        "timestamp=*",
        "*",
        "2023-11-14T22:13:20.000Z",
        "timestamp=2023-11-14T22:13:20Z",
        "timestamp=2023-02-31T22:13:20.000Z",
        "timestamp=2023-11-14T25:13:20.000Z",
        "timestamp=2023-11-14T22:13:20.000Zx",
        "timestamp= 023-11-14T22:13:20.000Z",
    };
    wire_log_in(&wire, &site, MARKS, "a");
    wire_skip(&wire);
    wire_send(&wire, "MARKREAD\r\nMARKREAD &nobody\r\nMARKREAD :bob!a b\r\n");
    wire_expect_next(&wire, ":irc.test.alt FAIL MARKREAD NEED_MORE_PARAMS :*");
    wire_expect_next(&wire, ":irc.test.alt FAIL MARKREAD INVALID_PARAMS :*");
    wire_expect_next(&wire, ":irc.test.alt FAIL MARKREAD INVALID_PARAMS :*");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char line[128];
        snprintf(line, sizeof line, "MARKREAD &bob :%s\r\n", wrong[i]);
        wire_send(&wire, line);
        wire_expect_next(&wire, ":irc.test.alt FAIL MARKREAD INVALID_PARAMS :Expected *");
    }
    gateway.refuse = "read";
    wire_send(&wire, "MARKREAD &bob " AT("23") "\r\n");
    wire_expect_next(&wire, ":irc.test.alt FAIL MARKREAD INTERNAL_ERROR &bob :*");
    gateway.refuse = NULL;
    gateway.refuse_at_once = "history";
    wire_send(&wire, "MARKREAD &bob " AT("23") "\r\n");
    wire_expect_next(&wire, ":irc.test.alt FAIL MARKREAD INTERNAL_ERROR &bob :*");
    gateway.refuse_at_once = NULL;
}

static void test_a_gateway_without_history(void **state)
{
    (void)state;
    fake_read(&gateway, bob, 2);
    fake_line_add(&gateway, carol, "in", "hello", "");
    fake_read(&gateway, carol, 5);
    gateway.refuse_at_once = "history";
    wire_log_in(&wire, &site, MARKS, "a");
    wire_expect(&wire, ":irc.test.alt MARKREAD &bob ?");
    wire_expect_none(&wire, "* 001 *");
    gateway.refuse_at_once = NULL;
    gateway.refuse = "history";
    wire_log_in(&other, &site, MARKS, "b");
    wire_expect(&other, ":irc.test.alt MARKREAD &bob ?");
    wire_expect_none(&other, "* 001 *");
}

static void test_label(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, MARKS " batch labeled-response", "a");
    wire_skip(&wire);
    wire_send(&wire, "@label=x MARKREAD &bob " AT("23") "\r\n");
    wire_expect_next(&wire, "@label=x :irc.test.alt MARKREAD &bob " AT("23"));
    wire_send(&wire, "@label=y MARKREAD &bob\r\n");
    wire_expect(&wire, "@label=y :irc.test.alt MARKREAD &bob " AT("23"));
}

/* Who writes has read what came, unless it was read elsewhere before. */
static void test_writing_reads_once(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, "", "a");
    fake_line_add(&gateway, bob, "in", "one", "");
    fake_run(&gateway);
    fake_read(&gateway, bob, 5);
    fake_run(&gateway);
    wire_send(&wire, "PRIVMSG &bob :seen\r\n");
    assert_int_equal(fake_count(&gateway, "read", NULL), 0);
    fake_line_add(&gateway, bob, "in", "two", "");
    fake_run(&gateway);
    wire_send(&wire, "PRIVMSG &bob :seen\r\nPRIVMSG &bob :again\r\n");
    assert_int_equal(fake_count(&gateway, "read", NULL), 1);
}

static void test_a_time_and_back(void **state)
{
    (void)state;
    int64_t wall;
    assert_true(text_time_parse("2023-11-14T22:13:20.123Z", &wall));
    assert_int_equal(wall, (int64_t)FAKE_TIME * 1000 + 123);
    assert_true(text_time_parse("2024-02-29T23:59:59.999Z", &wall));
    assert_false(text_time_parse("2023-02-29T23:59:59.999Z", &wall));
    assert_false(text_time_parse("", &wall));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(join_tells_it),
        TEST(without_the_capability),
        TEST(read_elsewhere),
        TEST(times_between_lines),
        TEST(far_back),
        TEST(refused),
        TEST(a_gateway_without_history),
        TEST(label),
        TEST(writing_reads_once),
        TEST(a_time_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
