/* SPDX-License-Identifier: ISC */
/* CHATHISTORY: what a client asks for, and what it is no longer given unasked. */
#include "unit/irc/wire.h"

#define ASKS        "draft/chathistory batch server-time message-tags standard-replies"
#define TIME(clock) "timestamp=2023-11-14T22:" clock

static struct gateway gateway;
static struct site site;
static struct wire wire;
static int64_t bob, carol;

/* Line n has the time 2023-11-14T22:13:20 and n seconds; the odd ones to 19 are bob's, the even ones carol's.
 */
static int setup(void **state)
{
    (void)state;
    fake_init(&gateway);
    bob = fake_person_add(&gateway, "bob", "can talk", true);
    carol = fake_person_add(&gateway, "carol", "can talk", true);
    fake_person_add(&gateway, "dave", "no tunnel", false);
    for (int i = 1; i <= 20; i++) {
        char text[16];
        snprintf(text, sizeof text, "line %d", i);
        fake_line_add(&gateway, i % 2 == 1 ? bob : carol, i % 3 == 0 ? "out" : "in", text, "");
    }
    site = site_of(&gateway);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (wire.client != NULL)
        wire_close(&wire);
    assert_null(gateway.sessions);
    fake_clear(&gateway);
    return 0;
}

static void log_in(const char *more)
{
    char capabilities[256];
    snprintf(capabilities, sizeof capabilities, ASKS "%s", more);
    wire_log_in(&wire, &site, capabilities, "a");
    wire_skip(&wire);
}

/* The batch holds just the lines of these numbers. */
static void expect_lines(const char *command, const char *target, const int *numbers, size_t count)
{
    char text[256];
    snprintf(text, sizeof text, "CHATHISTORY %s\r\n", command);
    wire_send(&wire, text);
    snprintf(text, sizeof text, ":irc.test.alt BATCH +h* chathistory %s", target);
    wire_expect_next(&wire, text);
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "@time=*;msgid=1-%d;batch=h* PRIVMSG %s :line %d", numbers[i], target,
                 numbers[i]);
        wire_expect_next(&wire, text);
    }
    wire_expect_next(&wire, ":irc.test.alt BATCH -h*");
    wire_expect_none(&wire, "*");
}
#define EXPECT(command, target, ...)                                                                         \
    expect_lines(command, target, (const int[]){__VA_ARGS__},                                                \
                 sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static void test_by_msgid(void **state)
{
    (void)state;
    log_in("");
    EXPECT("LATEST &bob * 3", "&bob", 15, 17, 19);
    EXPECT("LATEST &bob msgid=1-15 50", "&bob", 17, 19);
    EXPECT("LATEST &bob msgid=1-3 2", "&bob", 17, 19);
    EXPECT("BEFORE &bob msgid=1-7 2", "&bob", 3, 5);
    EXPECT("BEFORE &bob msgid=1-7 100", "&bob", 1, 3, 5);
    EXPECT("AFTER &bob msgid=1-7 2", "&bob", 9, 11);
    EXPECT("AROUND &bob msgid=1-9 5", "&bob", 3, 5, 7, 9, 11);
    EXPECT("AROUND &bob msgid=1-1 3", "&bob", 1, 3, 5);
    EXPECT("BETWEEN &bob msgid=1-5 msgid=1-13 100", "&bob", 7, 9, 11);
    EXPECT("BETWEEN &bob msgid=1-5 msgid=1-13 2", "&bob", 7, 9);
    EXPECT("BETWEEN &bob msgid=1-13 msgid=1-5 2", "&bob", 9, 11);
    /* A number between them, of another conversation, is a place too. */
    EXPECT("BEFORE &bob msgid=1-6 2", "&bob", 3, 5);
}

static void test_by_time(void **state)
{
    (void)state;
    log_in("");
    EXPECT("BEFORE &bob " TIME("13:27.000Z") " 2", "&bob", 3, 5);
    EXPECT("BEFORE &bob " TIME("13:27.001Z") " 2", "&bob", 5, 7);
    EXPECT("AFTER &bob " TIME("13:27.000Z") " 2", "&bob", 9, 11);
    EXPECT("AFTER &bob " TIME("13:26.999Z") " 2", "&bob", 7, 9);
    EXPECT("LATEST &bob " TIME("13:37.000Z") " 100", "&bob", 19);
    EXPECT("BETWEEN &bob " TIME("13:25.000Z") " " TIME("13:33.000Z") " 100", "&bob", 7, 9, 11);
    EXPECT("BETWEEN &bob " TIME("13:33.000Z") " " TIME("13:25.000Z") " 2", "&bob", 9, 11);
    EXPECT("BETWEEN &bob msgid=1-5 " TIME("13:33.500Z") " 100", "&bob", 7, 9, 11, 13);
    EXPECT("AROUND &carol " TIME("13:30.000Z") " 4", "&carol", 6, 8, 10, 12);
    EXPECT("AFTER &bob timestamp=2001-01-01T00:00:00.000Z 2", "&bob", 1, 3);
    EXPECT("BEFORE &bob timestamp=2099-01-01T00:00:00.000Z 2", "&bob", 17, 19);
    wire_send(&wire, "CHATHISTORY BEFORE &bob timestamp=2001-01-01T00:00:00.000Z 2\r\n");
    wire_expect_next(&wire, ":irc.test.alt BATCH +h* chathistory &bob");
    wire_expect_next(&wire, ":irc.test.alt BATCH -h*");
}

static void test_lines_of_one_time(void **state)
{
    (void)state;
    gateway.still = 9;
    log_in("");
    EXPECT("AFTER &bob " TIME("13:21.000Z") " 2", "&bob", 11, 13);
    EXPECT("AFTER &bob " TIME("13:20.999Z") " 2", "&bob", 1, 3);
    EXPECT("BEFORE &bob " TIME("13:21.001Z") " 2", "&bob", 7, 9);
    EXPECT("BETWEEN &bob " TIME("13:21.000Z") " " TIME("13:35.000Z") " 10", "&bob", 11, 13);
    wire_send(&wire, "CHATHISTORY BEFORE &bob " TIME("13:21.000Z") " 2\r\n");
    wire_expect_next(&wire, ":irc.test.alt BATCH +h* chathistory &bob");
    wire_expect_next(&wire, ":irc.test.alt BATCH -h*");
}

/* Halving: a time in a long history costs few questions. */
static void test_a_long_history(void **state)
{
    (void)state;
    for (int i = 21; i <= 4000; i++) {
        char text[16];
        snprintf(text, sizeof text, "line %d", i);
        fake_line_add(&gateway, bob, "in", text, "");
    }
    log_in("");
    size_t before = fake_count(&gateway, "history", NULL);
    EXPECT("BEFORE &bob " TIME("30:00.000Z") " 2", "&bob", 998, 999);
    assert_in_range(fake_count(&gateway, "history", NULL) - before, 2, 28);
}

static void test_a_query(void **state)
{
    (void)state;
    log_in("");
    wire_send(&wire, "CHATHISTORY BEFORE bob msgid=1-5 2\r\n");
    wire_expect_next(&wire, ":irc.test.alt BATCH +h* chathistory bob");
    wire_expect_next(&wire, "@* :bob!bob@distant PRIVMSG ali :line 1");
    wire_expect_next(&wire, "@* :ali!a@irc.test.alt PRIVMSG bob :line 3");
    wire_expect_next(&wire, ":irc.test.alt BATCH -h*");
}

static void test_label(void **state)
{
    (void)state;
    log_in(" labeled-response");
    wire_send(&wire, "@label=x CHATHISTORY LATEST &bob " TIME("13:37.000Z") " 5\r\n");
    wire_expect_next(&wire, "@label=x :irc.test.alt BATCH +l* labeled-response");
    wire_expect_next(&wire, "@batch=l* :irc.test.alt BATCH +h* chathistory &bob");
    wire_expect_next(&wire, "@time=*;msgid=1-19;batch=h* PRIVMSG &bob :line 19");
    wire_expect_next(&wire, "@batch=l* :irc.test.alt BATCH -h*");
    wire_expect_next(&wire, ":irc.test.alt BATCH -l*");
}

/* What the client said itself is a line like others. */
static void test_own_lines(void **state)
{
    (void)state;
    log_in("");
    wire_send(&wire, "PRIVMSG &bob :line 21\r\n");
    wire_skip(&wire);
    EXPECT("LATEST &bob * 1", "&bob", 21);
}

static void test_nothing_comes_unasked(void **state)
{
    (void)state;
    wire_log_in(&wire, &site, ASKS, "a");
    wire_close(&wire);
    fake_line_add(&gateway, bob, "in", "line 21", "");
    wire_log_in(&wire, &site, ASKS, "a");
    wire_expect_none(&wire, "*line 21*");
    fake_line_add(&gateway, bob, "in", "line 22", "");
    fake_run(&gateway);
    wire_expect_next(&wire, "* PRIVMSG &bob :line 22");
    wire_close(&wire);
    /* Others still get it. */
    fake_line_add(&gateway, bob, "in", "line 23", "");
    wire_log_in(&wire, &site, "batch server-time", "a");
    wire_expect(&wire, "*line 23");
}

static void test_targets(void **state)
{
    (void)state;
    log_in("");
    wire_send(&wire, "CHATHISTORY TARGETS timestamp=2001-01-01T00:00:00.000Z "
                     "timestamp=2099-01-01T00:00:00.000Z 10\r\n");
    wire_expect_next(&wire, ":irc.test.alt BATCH +h* draft/chathistory-targets");
    wire_expect_next(&wire, "@*batch=h* :irc.test.alt CHATHISTORY TARGETS &bob 2023-11-14T22:13:39.000Z");
    wire_expect_next(&wire, "@*batch=h* :irc.test.alt CHATHISTORY TARGETS &carol 2023-11-14T22:13:40.000Z");
    wire_expect_next(&wire, ":irc.test.alt BATCH -h*");
    fake_line_add(&gateway, bob, "in", "line 21", "");
    fake_run(&gateway);
    wire_skip(&wire);
    wire_send(&wire, "CHATHISTORY TARGETS " TIME("13:45.000Z") " " TIME("13:40.000Z") " 10\r\n");
    wire_expect(&wire, "@*batch=h* :irc.test.alt CHATHISTORY TARGETS &bob 2023-11-14T22:13:41.000Z");
    wire_expect_next(&wire, ":irc.test.alt BATCH -h*");
    wire_send(&wire, "CHATHISTORY TARGETS " TIME("13:00.000Z") " " TIME("14:00.000Z") " 1\r\n");
    wire_expect(&wire, "*TARGETS &carol *");
    wire_expect_next(&wire, ":irc.test.alt BATCH -h*");
}

static void test_long_lines_are_fewer(void **state)
{
    (void)state;
    static char text[60001];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 50; i++)
        fake_line_add(&gateway, bob, "in", text, "");
    log_in("");
    wire_send(&wire, "CHATHISTORY LATEST &bob * 100\r\n");
    assert_in_range(buffer_size(&wire.out), 60000, site.output_limit / 2);
    wire_expect(&wire, "@*msgid=1-70;*");
    wire_expect(&wire, ":irc.test.alt BATCH -h*");
    wire_send(&wire, "CHATHISTORY AFTER &bob msgid=1-20 100\r\n");
    wire_expect(&wire, "@*msgid=1-21;*");
    wire_expect(&wire, ":irc.test.alt BATCH -h*");
    /* One that does not read gets a refusal, and lives. */
    wire.stuck = site.output_limit / 2 + 1;
    wire_send(&wire, "CHATHISTORY LATEST &bob * 100\r\n");
    wire_expect_next(&wire, ":irc.test.alt FAIL CHATHISTORY MESSAGE_ERROR LATEST &bob :*");
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "UNKNOWN_COMMAND"},
        {"FROB &bob * 5", "UNKNOWN_COMMAND"},
        {"LATEST &bob *", "NEED_MORE_PARAMS LATEST"},
        {"BETWEEN &bob msgid=1-1 5", "NEED_MORE_PARAMS BETWEEN"},
        {"BEFORE &bob * 5", "INVALID_PARAMS BEFORE"},
        {"LATEST &bob * 0", "INVALID_PARAMS LATEST"},
        {"LATEST &bob * -1", "INVALID_PARAMS LATEST"},
        {"LATEST &bob * 99999999999999999999", "INVALID_PARAMS LATEST"},
        {"BEFORE &bob msgid=1-0 5", "INVALID_PARAMS BEFORE"},
        {"BEFORE &bob msgid=1-99999999999999999999 5", "INVALID_PARAMS BEFORE"},
        {"BEFORE &bob msgid=2-5 5", "INVALID_PARAMS BEFORE"},
        {"BEFORE &bob msgid=1-5x 5", "INVALID_PARAMS BEFORE"},
        {"BEFORE &bob msgid= 5", "INVALID_PARAMS BEFORE"},
        {"BEFORE &bob msgid=-1-5 5", "INVALID_PARAMS BEFORE"},
        {"BEFORE &bob timestamp=now 5", "INVALID_PARAMS BEFORE"},
        {"TARGETS msgid=1-1 timestamp=2023-11-14T22:13:20.000Z 5", "INVALID_PARAMS TARGETS"},
        {"LATEST &nobody * 5", "INVALID_TARGET LATEST"},
        {"LATEST &gateway * 5", "INVALID_TARGET LATEST"},
        {"LATEST * * 5", "INVALID_TARGET LATEST"},
    };
    log_in("");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[128];
        snprintf(line, sizeof line, "CHATHISTORY %s\r\n", cases[i][0]);
        wire_send(&wire, line);
        snprintf(line, sizeof line, ":irc.test.alt FAIL CHATHISTORY %s :*", cases[i][1]);
        wire_expect_next(&wire, line);
    }
    gateway.refuse_at_once = "history";
    wire_send(&wire,
              "CHATHISTORY BEFORE &bob " TIME("13:27.000Z") " 2\r\nCHATHISTORY AROUND &bob msgid=1-5 5\r\n");
    wire_expect_next(&wire, ":irc.test.alt FAIL CHATHISTORY MESSAGE_ERROR BEFORE &bob :*");
    wire_expect_next(&wire, ":irc.test.alt FAIL CHATHISTORY MESSAGE_ERROR AROUND &bob :*");
    gateway.refuse_at_once = NULL;
}

static void test_a_gateway_without_history(void **state)
{
    (void)state;
    gateway.refuse_at_once = "history";
    log_in(" draft/read-marker");
    gateway.refuse_at_once = NULL;
    wire_send(&wire, "CHATHISTORY TARGETS " TIME("13:00.000Z") " " TIME("14:00.000Z") " 1\r\n");
    wire_expect_next(&wire, ":irc.test.alt BATCH +h* draft/chathistory-targets");
    wire_expect_next(&wire, ":irc.test.alt BATCH -h*");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(by_msgid),          TEST(by_time),
        TEST(lines_of_one_time), TEST(a_long_history),
        TEST(a_query),           TEST(label),
        TEST(own_lines),         TEST(nothing_comes_unasked),
        TEST(targets),           TEST(long_lines_are_fewer),
        TEST(refused),           TEST(a_gateway_without_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
