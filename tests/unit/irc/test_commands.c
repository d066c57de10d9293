/* SPDX-License-Identifier: ISC */
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
    fake_person_add(&gateway, "carol", "no tunnel", true);
    site = site_of(&gateway);
    wire_log_in(&wire, &site, "", "a");
    wire_skip(&wire);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wire_close(&wire);
    fake_clear(&gateway);
    return 0;
}

/* What is sent, and the lines that answer it, all of them, in order. */
struct dialogue {
    const char *sent;
    const char *answers[12];
};

static void hold(const struct dialogue *dialogues, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char line[600];
        snprintf(line, sizeof line, "%s\r\n", dialogues[i].sent);
        wire_send(&wire, line);
        for (size_t j = 0; j < 12 && dialogues[i].answers[j] != NULL; j++)
            wire_expect_next(&wire, dialogues[i].answers[j]);
        if (wire_next(&wire)) {
            print_error("%s: one line too many: %s\n", dialogues[i].sent, wire.line);
            fail();
        }
    }
}
#define HOLD(dialogues) hold((dialogues), sizeof(dialogues) / sizeof((dialogues)[0]))

static void test_who(void **state)
{
    (void)state;
    static const struct dialogue dialogues[] = {
        {"WHO &bob",
         {":irc.test.alt 352 ali &bob a irc.test.alt irc.test.alt ali H :0 Alice",
          ":irc.test.alt 352 ali &bob bob distant irc.test.alt bob H :0 A Person",
          ":irc.test.alt 315 ali &bob :*"}},
        {"WHO &carol", {"* 352 ali &carol a * ali H *", "* 315 *"}},
        {"WHO &gateway", {"* 352 ali &gateway a *", "* 352 ali &gateway gateway * gateway H@ *", "* 315 *"}},
        {"WHO bob", {"* 352 ali &bob bob distant * bob H *", "* 315 ali bob *"}},
        {"WHO carol", {"* 315 ali carol *"}},
        {"WHO *@distant", {"* 352 * bob H *", "* 315 *"}},
        {"WHO", {"* 352 * ali H *", "* 352 * gateway H@ *", "* 352 * bob H *", "* 315 ali * *"}},
        {"WHO &nobody", {"* 315 ali &nobody *"}},
        {"WHO bob %tcuihsnfdlaor,42",
         {":irc.test.alt 354 ali 42 &bob bob 255.255.255.255 distant irc.test.alt bob H 0 0 "
          "0123456789ABCDEF0123456789ABCDEF01234567 n/a :A Person",
          "* 315 *"}},
        {"WHO &bob %na", {"* 354 ali ali alice", "* 354 ali bob 0123*", "* 315 *"}},
        {"WHO bob %tn,4567", {"* 354 ali 0 bob", "* 315 *"}},
    };
    HOLD(dialogues);
}

static void test_whois(void **state)
{
    (void)state;
    static const struct dialogue dialogues[] = {
        {"WHOIS bob",
         {"* 311 ali bob bob distant ? :A Person", "* 319 ali bob :&bob", "* 312 ali bob irc.test.alt :test",
          "* 330 ali bob 0123456789ABCDEF0123456789ABCDEF01234567 :is logged in as",
          "* 276 ali bob :has key fingerprint 0123456789ABCDEF0123456789ABCDEF01234567",
          "* 320 ali bob :can talk | encrypted | *", "* 317 ali bob * 1700000000 :*", "* 318 ali bob *"}},
        {"WHOIS carol carol",
         {"* 311 ali carol *", "* 312 *", "* 330 *", "* 276 *", "* 320 *",
          "* 301 ali carol :no tunnel: nobody answers", "* 318 *"}},
        {"WHOIS ali",
         {"* 311 ali ali a irc.test.alt ? :Alice", "* 319 *", "* 312 *", "* 330 ali ali alice :*",
          "* 317 ali ali 0 *", "* 318 *"}},
        {"WHOIS gateway", {"* 311 *", "* 319 ali gateway :@&gateway", "* 312 *", "* 318 *"}},
        {"WHOIS nobody", {"* 401 ali nobody *", "* 318 *"}},
        {"WHOIS", {"* 431 *"}},
        {"WHOWAS bob", {"* 406 *", "* 369 *"}},
    };
    HOLD(dialogues);
}

static void test_monitor(void **state)
{
    (void)state;
    static const struct dialogue dialogues[] = {
        {"MONITOR + bob,carol,nobody,a!b",
         {"* 730 ali :bob!bob@distant", "* 731 ali :carol", "* 731 ali :nobody"}},
        {"MONITOR L", {"* 732 ali :bob", "* 732 ali :carol", "* 732 ali :nobody", "* 733 *"}},
        {"MONITOR - nobody", {NULL}},
        {"MONITOR S", {"* 730 ali :bob!bob@distant", "* 731 ali :carol"}},
    };
    HOLD(dialogues);
    fake_state(&gateway, 2, "can talk", "");
    fake_run(&gateway);
    wire_expect(&wire, "* 730 ali :carol!carol@distant");
    wire_skip(&wire);
    fake_state(&gateway, 2, "refused", "carol does not want to talk");
    fake_run(&gateway);
    wire_expect(&wire, "* 731 ali :carol");
    wire_skip(&wire);
    static const struct dialogue cleared[] = {{"MONITOR C", {NULL}}, {"MONITOR L", {"* 733 *"}}};
    HOLD(cleared);
    for (int i = 0; i < 10; i++) {
        char text[512] = "MONITOR + ";
        for (int j = 0; j < 11; j++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "n%d_%d,", i, j);
        strncat(text, "\r\n", sizeof text - strlen(text) - 1);
        wire_send(&wire, text);
    }
    wire_expect(&wire, "* 734 ali 100 n9_1 :*");
}

static void test_modes_and_channels(void **state)
{
    (void)state;
    static const struct dialogue dialogues[] = {
        {"MODE &bob", {"* 324 ali &bob +nt", "* 329 ali &bob 1700000000"}},
        {"MODE &bob b", {"* 368 ali &bob *"}},
        {"MODE &bob +b", {"* 368 ali &bob *"}},
        {"MODE &bob +b x!*@*", {"* 482 ali &bob *"}},
        {"MODE &bob +o bob", {"* 482 ali &bob *"}},
        {"MODE &nobody", {"* 403 *"}},
        {"MODE ali", {"* 221 ali +"}},
        {"MODE ali :+i", {":ali!a@irc.test.alt MODE ali :+i"}},
        {"MODE ali :+i", {NULL}},
        {"MODE ali +x", {"* 501 *"}},
        {"MODE bob +i", {"* 502 *"}},
        {"TOPIC &bob", {"* 332 ali &bob :can talk | *"}},
        {"TOPIC &bob :mine", {"* 482 ali &bob *"}},
        {"TOPIC &nobody", {"* 403 *"}},
        {"NAMES &bob", {"* 353 ali = &bob :ali bob", "* 366 ali &bob *"}},
        {"NAMES", {"* 366 ali ? *"}},
        {"NAMES &nobody", {"* 366 ali &nobody *"}},
        {"LIST",
         {"* 321 *", "* 322 ali &gateway 2 *", "* 322 ali &bob 2 *", "* 322 ali &carol 1 *", "* 323 *"}},
        {"KICK &bob bob :out", {"* 482 ali &bob *"}},
        {"INVITE bob &bob", {"* 482 ali &bob *"}},
        {"PART &nobody", {"* 403 *"}},
        {"PART &bob :later", {":ali!a@irc.test.alt PART &bob :later"}},
        {"PART &bob", {"* 442 ali &bob *"}},
        {"TOPIC &bob", {"* 442 ali &bob *"}},
        {"JOIN &bob", {"*JOIN &bob", "* 332 *", "* 333 *", "* 353 *", "* 366 *"}},
        {"JOIN &bob", {NULL}},
        {"PART &gateway", {"*PART &gateway :"}},
        {"JOIN 0", {"*PART &bob :", "*PART &carol :"}},
        {"JOIN bob", {"* 403 ali bob *"}},
    };
    HOLD(dialogues);
}

static void test_small_ones(void **state)
{
    (void)state;
    static const struct dialogue dialogues[] = {
        {"ping :a b", {":irc.test.alt PONG irc.test.alt :a b"}},
        {"PING", {"* 461 ali PING *"}},
        {"NONSENSE x", {"* 421 ali NONSENSE *"}},
        {":ali PING x", {"* PONG * :x"}},
        {"AWAY :gone", {"* 306 *"}},
        {"USERHOST ali bob carol gateway",
         {"* 302 ali :ali=-a@irc.test.alt bob=+bob@distant gateway?=+gateway@irc.test.alt"}},
        {"AWAY", {"* 305 *"}},
        {"ISON :bob carol ali", {"* 303 ali :bob ali"}},
        {"ISON nobody", {"* 303 ali :"}},
        {"TIME", {"* 391 ali irc.test.alt *"}},
        {"INFO", {"* 371 *", "* 371 *", "* 374 *"}},
        {"ADMIN", {"* 423 *"}},
        {"LUSERS", {"* 251 *", "* 254 *", "* 255 *", "* 265 *", "* 266 *"}},
        {"STATS u", {"* 242 ali :Server Up *", "* 219 ali u *"}},
        {"STATS o", {"* 219 ali ? *"}},
        {"LINKS", {"* 364 *", "* 365 *"}},
        {"OPER a b", {"* 491 *"}},
        {"VERSION", {"* 351 ali retrogate-* irc.test.alt :*", "* 005 *", "* 005 *"}},
        {"HELP", {"* 704 *", "* 705 *", "* 706 *"}},
        {"SETNAME :New Name", {NULL}},
        {"NICK ally", {":ali!a@irc.test.alt NICK ally"}},
        {"NICK bob", {"* 433 ally bob *"}},
        {"NICK ally", {NULL}},
        {"", {NULL}},
        {"   ", {NULL}},
        {"NOTICE gateway :x", {NULL}},
        {"PRIVMSG ally :note to self", {":ally!a@irc.test.alt PRIVMSG ally :note to self"}},
    };
    HOLD(dialogues);
    wire_send(&wire, "CAP REQ :setname standard-replies\r\nSETNAME :Other\r\n");
    wire_expect(&wire, ":ally!a@irc.test.alt SETNAME :Other");
}

static void test_bad_utf8(void **state)
{
    (void)state;
    wire_send(&wire, "PRIVMSG &bob :caf\xe9\r\n");
    wire_expect_next(&wire, ":irc.test.alt NOTICE ali :*INVALID_UTF8*");
    wire_send(&wire, "CAP REQ standard-replies\r\nPRIVMSG &bob :\xc0\x80\r\n");
    wire_expect(&wire, ":irc.test.alt FAIL * INVALID_UTF8 :*");
    client_input(wire.client, bytes_of("PING a\0b\r\n", 10));
    wire_expect_next(&wire, "* FAIL * INVALID_UTF8 :*");
    assert_int_equal(fake_count(&gateway, "say", NULL), 0);
}

static void test_long_lines(void **state)
{
    (void)state;
    static char text[20000];
    snprintf(text, sizeof text, "PING %0505d\r\n", 7);
    wire_send(&wire, text);
    wire_expect_next(&wire, "*PONG*");
    snprintf(text, sizeof text, "PING %0506d\r\n", 7);
    wire_send(&wire, text);
    wire_expect_next(&wire, "* 417 *");
    snprintf(text, sizeof text, "@a=%08187d PING x\r\n", 7); /* 8191 with '@' and space */
    wire_send(&wire, text);
    wire_expect_next(&wire, "*PONG*");
    snprintf(text, sizeof text, "@a=%08188d PING x\r\n", 7);
    wire_send(&wire, text);
    wire_expect_next(&wire, "* 417 *");
    memset(text, 'x', 16000);
    text[16000] = '\0';
    wire_send(&wire, text);
    wire_expect_next(&wire, "* 417 *");
    wire_send(&wire, text);
    wire_send(&wire, "still the same line\r\nPING y\r\n");
    wire_expect_next(&wire, "*PONG * :y");
    wire_expect_none(&wire, "*");
}

static void test_lines_in_pieces(void **state)
{
    (void)state;
    static const char text[] = "PING a\r\nPING b\nPING c\r\n";
    for (size_t i = 0; i < sizeof text - 1; i++)
        client_input(wire.client, bytes_of(text + i, 1));
    wire_expect_next(&wire, "*PONG * :a");
    wire_expect_next(&wire, "*PONG * :b");
    wire_expect_next(&wire, "*PONG * :c");
}

static void test_flood_is_delayed_not_lost(void **state)
{
    (void)state;
    char text[32];
    size_t answered = 0;
    wire_pass(&wire, 10000);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "PING n%d\r\n", i);
        wire_send(&wire, text);
    }
    while (wire_next(&wire))
        answered++;
    assert_in_range(answered, 59, 61);
    wire_pass(&wire, 1000);
    size_t before = answered;
    while (wire_next(&wire))
        answered++;
    assert_in_range(answered - before, 9, 11);
    wire_pass(&wire, 20000);
    while (wire_next(&wire))
        answered++;
    assert_int_equal(answered, 200);
    assert_string_equal(wire.line, ":irc.test.alt PONG irc.test.alt :n199");
}

static void test_flood_holds_the_input(void **state)
{
    (void)state;
    static char text[15000];
    for (size_t i = 0; i + 10 < sizeof text; i += 10)
        memcpy(text + i, "PING 1234\n", 11);
    wire_send(&wire, text);
    wire_send(&wire, text);
    assert_true(wire.held);
    assert_false(wire.ended);
    wire_pass(&wire, 400000);
    assert_false(wire.held);
}

static void test_commands_in_flight_are_bounded(void **state)
{
    (void)state;
    wire_pass(&wire, 10000);
    char text[64 * 40] = "";
    for (int i = 0; i < 59; i++)
        strncat(text, "PRIVMSG &bob :x\r\n", sizeof text - strlen(text) - 1);
    client_input(wire.client, bytes_of_string(text));
    wire.now += 6000;
    client_input(wire.client, bytes_of_string(text));
    assert_int_equal(fake_count(&gateway, "say", NULL), 64);
    fake_run(&gateway);
    assert_int_equal(fake_count(&gateway, "say", NULL), 118);
}

static void test_silence(void **state)
{
    (void)state;
    wire_pass(&wire, 119000);
    wire_expect_none(&wire, "PING*");
    wire_pass(&wire, 1000);
    wire_expect_next(&wire, "PING :irc.test.alt");
    wire_send(&wire, "PONG irc.test.alt\r\n");
    wire_pass(&wire, 120000);
    wire_expect_next(&wire, "PING :irc.test.alt");
    wire_pass(&wire, 119000);
    assert_false(wire.ended);
    wire_pass(&wire, 1000);
    assert_true(wire.ended);
    wire_expect(&wire, "ERROR :Closing link: Ping timeout");
}

static void test_output_limit_ends_only_one(void **state)
{
    (void)state;
    struct wire other;
    wire_log_in(&other, &site, "", "b");
    wire_skip(&other);
    wire.limit = 2048;
    wire.keeps = true;
    wire.stuck = 0;
    wire_send(&wire, "LIST\r\nLIST\r\nLIST\r\nLIST\r\nLIST\r\nLIST\r\nLIST\r\nLIST\r\nLIST\r\nLIST\r\n");
    assert_true(wire.stuck > 2048);
    size_t size = buffer_size(&wire.out);
    wire_send(&wire, "PING x\r\n");
    assert_int_equal(buffer_size(&wire.out), size);
    fake_line_add(&gateway, bob, "in", "hello", "");
    fake_run(&gateway);
    wire_expect_next(&other, "*PRIVMSG &bob :hello");
    wire_close(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who),
        TEST(whois),
        TEST(monitor),
        TEST(modes_and_channels),
        TEST(small_ones),
        TEST(bad_utf8),
        TEST(long_lines),
        TEST(lines_in_pieces),
        TEST(flood_is_delayed_not_lost),
        TEST(flood_holds_the_input),
        TEST(commands_in_flight_are_bounded),
        TEST(silence),
        TEST(output_limit_ends_only_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
