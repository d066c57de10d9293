/* SPDX-License-Identifier: ISC */
#include "unit/irc/wire.h"

#define EVERYTHING "batch echo-message labeled-response message-tags server-time account-tag"

static struct gateway gateway;
static struct site site;
static struct wire wire, other;
static int64_t bob, carol;

static int setup(void **state)
{
    (void)state;
    fake_init(&gateway);
    bob = fake_person_add(&gateway, "bob", "can talk", true);
    carol = fake_person_add(&gateway, "carol", "no tunnel", true);
    fake_person_add(&gateway, "dave", "no tunnel", false);
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

static void log_in(struct wire *which, const char *capabilities, const char *device)
{
    wire_log_in(which, &site, capabilities, device);
    wire_skip(which);
}

static void come_in(int64_t conversation, const char *text)
{
    fake_line_add(&gateway, conversation, "in", text, "");
    fake_run(&gateway);
}

/* --- saying
 * -------------------------------------------------------------------------------------------------- */

static void test_no_echo_without_the_capability(void **state)
{
    (void)state;
    const json_t *said;
    log_in(&wire, "", "a");
    wire_send(&wire, "PRIVMSG &bob :hello there\r\n");
    assert_int_equal(fake_count(&gateway, "say", &said), 1);
    assert_string_equal(json_string_value(json_object_get(said, "text")), "hello there");
    assert_int_equal(json_integer_value(json_object_get(said, "conversation")), bob);
    wire_expect_none(&wire, "*");
}

static void test_echo_after_done(void **state)
{
    (void)state;
    log_in(&wire, EVERYTHING, "a");
    client_input(wire.client, bytes_of_string("PRIVMSG &bob :hello\r\n"));
    assert_int_equal(buffer_size(&wire.out), 0);
    fake_run(&gateway);
    wire_expect_next(
        &wire,
        "@time=2023-11-14T22:13:21.000Z;msgid=1-1;account=alice :ali!a@irc.test.alt PRIVMSG &bob :hello");
    wire_expect_none(&wire, "*");
}

static void test_label(void **state)
{
    (void)state;
    log_in(&wire, EVERYTHING, "a");
    wire_send(&wire, "@label=one PRIVMSG &bob :hello\r\n");
    wire_expect_next(&wire,
                     "@label=one;time=*;msgid=1-1;account=alice :ali!a@irc.test.alt PRIVMSG &bob :hello");
    wire_send(&wire, "@label=two PONG x\r\n");
    wire_expect_next(&wire, "@label=two :irc.test.alt ACK");
    wire_send(&wire, "@label=three PING x\r\n");
    wire_expect_next(&wire, "@label=three :irc.test.alt PONG irc.test.alt :x");
    wire_send(&wire, "@label=four NAMES &bob\r\n");
    wire_expect_next(&wire, "@label=four :irc.test.alt BATCH +l* labeled-response");
    wire_expect_next(&wire, "@batch=l* :irc.test.alt 353 *");
    wire_expect_next(&wire, "@batch=l* :irc.test.alt 366 *");
    wire_expect_next(&wire, ":irc.test.alt BATCH -l*");
    wire_send(&wire, "@label=five JOIN &dave\r\n");
    wire_expect_next(&wire, "@label=five *BATCH*");
    wire_expect_next(&wire, "@batch=*;time=*JOIN &dave");
    wire_send(&wire, "@label=five JOIN &nobody\r\n");
    wire_expect(&wire, "@label=five *403*");
    gateway.refuse_at_once = "say";
    wire_send(&wire, "@label=six PRIVMSG &bob :x\r\n");
    wire_expect_next(&wire, "@label=six * 404 ali &bob :Not sent: the fake gateway refuses at once");
    wire_expect_none(&wire, "*");
}

static void test_refusal_inside_an_answer(void **state)
{
    (void)state;
    log_in(&wire, EVERYTHING, "a");
    come_in(bob, "hi");
    wire_skip(&wire);
    gateway.refuse_at_once = "read";
    client_input(wire.client, bytes_of_string("@label=one PRIVMSG &bob :a\r\n@label=two PRIVMSG &bob :b\r\n"
                                              "@label=three PING x\r\n"));
    fake_run(&gateway);
    wire_expect_next(&wire, "@label=three *PONG*");
    wire_expect_next(&wire, "@label=one;* PRIVMSG &bob :a");
    wire_expect_next(&wire, "@label=two;* PRIVMSG &bob :b");
    wire_expect_none(&wire, "*");
}

static void test_label_goes_with_the_later_answer(void **state)
{
    (void)state;
    log_in(&wire, EVERYTHING, "a");
    wire_send(&wire, "PART &bob\r\n");
    wire_skip(&wire);
    wire_send(&wire, "@label=one JOIN &bob,&dave\r\n");
    wire_expect_next(&wire, "@time=* JOIN &bob");
    wire_expect(&wire, "@label=one *BATCH +l? labeled-response");
    wire_expect_next(&wire, "@batch=l?;time=* JOIN &dave");
    wire_expect(&wire, "*BATCH -l?");
    wire_expect_none(&wire, "*");
}

static void test_label_without_echo_is_acknowledged(void **state)
{
    (void)state;
    log_in(&wire, "batch labeled-response", "a");
    wire_send(&wire, "@label=one PRIVMSG &bob :hello\r\n");
    wire_expect_next(&wire, "@label=one :irc.test.alt ACK");
}

static void test_refused(void **state)
{
    (void)state;
    log_in(&wire, EVERYTHING, "a");
    gateway.refuse = "say";
    wire_send(&wire, "PRIVMSG &bob :hello\r\n");
    wire_expect_next(&wire, "* 404 ali &bob :Not sent: the fake gateway refuses");
    wire_expect_none(&wire, "*");
}

static void test_wrong_targets(void **state)
{
    (void)state;
    log_in(&wire, "", "a");
    wire_send(&wire,
              "PRIVMSG\r\nPRIVMSG &bob\r\nPRIVMSG &bob :\r\nPRIVMSG &bob,&carol :x\r\nPRIVMSG nobody :x\r\n"
              "PRIVMSG &nobody :x\r\nPRIVMSG #room :x\r\nPRIVMSG &bob :\x02\r\nJOIN #room\r\n");
    static const char *const numbers[] = {"411", "412", "412", "407", "401", "403", "403", "412", "403"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char mask[32];
        snprintf(mask, sizeof mask, ":irc.test.alt %s ali *", numbers[i]);
        wire_expect_next(&wire, mask);
    }
    assert_int_equal(fake_count(&gateway, "say", NULL), 0);
}

static void test_action_formatting_and_ctcp(void **state)
{
    (void)state;
    const json_t *said;
    log_in(&wire, "echo-message", "a");
    wire_send(&wire, "PRIVMSG &bob :\x01"
                     "ACTION waves\x01\r\n");
    fake_count(&gateway, "say", &said);
    assert_string_equal(json_string_value(json_object_get(said, "text")), "/me waves");
    wire_expect(&wire, ":ali!* PRIVMSG &bob :\x01"
                       "ACTION waves\x01");
    wire_send(&wire, "PRIVMSG &bob :\x02"
                     "bold \x03"
                     "04red\r\n");
    fake_count(&gateway, "say", &said);
    assert_string_equal(json_string_value(json_object_get(said, "text")), "bold red");
    wire_skip(&wire);
    wire_send(&wire, "PRIVMSG bob :\x01VERSION\x01\r\nNOTICE bob :\x01VERSION irssi\x01\r\n");
    wire_expect_next(&wire, "* 404 ali bob :*CTCP*");
    wire_expect_none(&wire, "*");
    assert_int_equal(fake_count(&gateway, "say", NULL), 2);
}

static void test_waiting_is_told_once(void **state)
{
    (void)state;
    log_in(&wire, "", "a");
    wire_send(&wire, "PRIVMSG &carol :one\r\nPRIVMSG &carol :two\r\n");
    wire_expect_next(&wire,
                     ":gateway!* NOTICE &carol :carol cannot be reached now (no tunnel: nobody answers)*");
    wire_expect_none(&wire, "*");
}

/* --- hearing
 * -------------------------------------------------------------------------------------------------- */

static void test_line_comes_in(void **state)
{
    (void)state;
    log_in(&wire, EVERYTHING, "a");
    come_in(bob, "hi ali");
    wire_expect_next(
        &wire,
        "@time=2023-11-14T22:13:21.000Z;msgid=1-1;account=0123* :bob!bob@distant PRIVMSG &bob :hi ali");
    wire_expect_none(&wire, "*");
}

static void test_where_the_client_last_wrote(void **state)
{
    (void)state;
    log_in(&wire, "", "a");
    wire_send(&wire, "PRIVMSG bob :psst\r\n");
    come_in(bob, "one");
    wire_expect_next(&wire, ":bob!bob@distant PRIVMSG ali :one");
    wire_send(&wire, "PRIVMSG &bob :loud\r\n");
    come_in(bob, "two");
    wire_expect_next(&wire, ":bob!bob@distant PRIVMSG &bob :two");
    wire_send(&wire, "PART &bob\r\n");
    wire_expect(&wire, ":ali!a@irc.test.alt PART &bob *");
    come_in(bob, "three");
    wire_expect_next(&wire, ":bob!bob@distant PRIVMSG ali :three");
    assert_int_equal(fake_count(&gateway, "conversation.close", NULL), 0);
}

static void test_hostile_text(void **state)
{
    (void)state;
    log_in(&wire, "", "a");
    come_in(bob, "\x01VERSION\x01\r\nQUIT :x\n\x02"
                 "b\x03"
                 "4\n/me dances");
    wire_expect_next(&wire, ":bob!bob@distant PRIVMSG &bob :VERSION");
    wire_expect_next(&wire, ":bob!bob@distant PRIVMSG &bob :QUIT :x");
    wire_expect_next(&wire, ":bob!bob@distant PRIVMSG &bob :b4");
    wire_expect_next(&wire, ":bob!bob@distant PRIVMSG &bob :/me dances");
    come_in(bob, "/me dances");
    wire_expect_next(&wire, ":bob!bob@distant PRIVMSG &bob :\x01"
                            "ACTION dances\x01");
    come_in(bob, "\x01");
    wire_expect_next(&wire, ":bob!bob@distant PRIVMSG &bob : ");
}

static void test_long_text(void **state)
{
    (void)state;
    static char text[65537];
    size_t got = 0;
    log_in(&wire, EVERYTHING, "a");
    for (size_t i = 0; i + 3 < sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    come_in(bob, text);
    while (wire_next(&wire)) {
        const char *body = strstr(wire.line, "PRIVMSG &bob :");
        assert_non_null(body);
        got += strlen(body + 14);
        assert_int_equal(strlen(body + 14) % 3, 0);
    }
    assert_int_equal(got, strlen(text));
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "a\n", 3);
    come_in(bob, text);
    for (size_t i = 0; i < 500; i++)
        wire_expect_next(&wire, "*PRIVMSG &bob :a");
    wire_expect_next(&wire, "*the rest of this line is too long*");
    wire_expect_none(&wire, "*");
}

static void test_other_devices(void **state)
{
    (void)state;
    log_in(&wire, "echo-message", "a");
    log_in(&other, "", "b");
    wire_send(&wire, "PRIVMSG &bob :from a\r\n");
    wire_expect_next(&wire, ":ali!a@irc.test.alt PRIVMSG &bob :from a");
    wire_expect_none(&wire, "*");
    wire_expect_next(&other, ":ali!a@irc.test.alt PRIVMSG &bob :from a");
    /* In a query a client without a capability for it would take it for a line of bob's: so it goes to the
     * channel. */
    wire_send(&other, "PRIVMSG bob :psst\r\n");
    wire_skip(&other);
    wire_send(&wire, "PRIVMSG &bob :again\r\n");
    wire_expect_next(&other, ":ali!a@irc.test.alt PRIVMSG &bob :again");
    wire_send(&other, "CAP REQ :znc.in/self-message\r\n");
    wire_skip(&other);
    wire_send(&wire, "PRIVMSG &bob :again\r\n");
    wire_expect_next(&other, ":ali!a@irc.test.alt PRIVMSG bob :again");
}

static void test_delivery(void **state)
{
    (void)state;
    log_in(&wire, "", "a");
    wire_send(&wire, "PRIVMSG &bob :fragile words\r\n");
    fake_delivery(&gateway, 1, "delivered");
    fake_run(&gateway);
    wire_expect_none(&wire, "*");
    fake_delivery(&gateway, 1, "failed");
    fake_run(&gateway);
    wire_expect_next(&wire, ":gateway!gateway@irc.test.alt NOTICE &bob :???:??? Your line 1-1 to bob was not "
                            "delivered: the tunnel broke");
    wire_expect_none(&wire, "*");
}

static void test_read_when_answering(void **state)
{
    (void)state;
    const json_t *read;
    log_in(&wire, "", "a");
    wire_send(&wire, "PRIVMSG &bob :a\r\n");
    assert_int_equal(fake_count(&gateway, "read", NULL), 0);
    come_in(bob, "b");
    wire_send(&wire, "PRIVMSG &bob :c\r\nPRIVMSG &bob :d\r\n");
    assert_int_equal(fake_count(&gateway, "read", &read), 1);
    assert_int_equal(fake_integer(read, "seq"), 3);
}

static void test_typing(void **state)
{
    (void)state;
    log_in(&wire, EVERYTHING, "a");
    wire_send(&wire,
              "@+typing=active TAGMSG &bob\r\n@+typing=active TAGMSG &bob\r\n@+typing=done TAGMSG &bob\r\n");
    assert_int_equal(fake_count(&gateway, "typing", NULL), 1);
    wire_pass(&wire, 3000);
    wire_send(&wire, "@+typing=active TAGMSG bob\r\n");
    assert_int_equal(fake_count(&gateway, "typing", NULL), 2);
    json_t *hint = json_pack("{s:{s:I}}", "typing", "conversation", (json_int_t)bob);
    gateway.sessions->events->hint(gateway.sessions->arg, hint);
    wire_expect_next(&wire, "@time=*;+typing=active;account=* :bob!bob@distant TAGMSG &bob");
    wire.stuck = site.output_limit; /* a client that does not read is not flooded */
    gateway.sessions->events->hint(gateway.sessions->arg, hint);
    wire_expect_none(&wire, "*");
    wire.stuck = 0;
    log_in(&other, "", "b");
    gateway.sessions->next->events->hint(gateway.sessions->next->arg, hint);
    wire_expect_none(&other, "*");
    json_decref(hint);
}

/* --- presence
 * --------------------------------------------------------------------------------------------------- */

static void test_patience(void **state)
{
    (void)state;
    log_in(&wire, "", "a");
    fake_state(&gateway, bob, "no tunnel", "the last tunnel broke");
    fake_run(&gateway);
    wire_pass(&wire, 29000);
    wire_expect_none(&wire, "*");
    fake_state(&gateway, bob, "can talk", "");
    fake_run(&gateway);
    wire_pass(&wire, 60000);
    wire_expect_none(&wire, "*");
    fake_state(&gateway, bob, "connecting", "");
    fake_run(&gateway);
    fake_state(&gateway, bob, "no tunnel", "nobody answers");
    fake_run(&gateway);
    wire_pass(&wire, 30000);
    wire_expect_next(&wire, ":bob!bob@distant PART &bob :no tunnel: nobody answers");
    wire_expect_next(&wire, ":gateway!* TOPIC &bob :no tunnel: nobody answers | *");
    wire_expect_next(&wire, ":gateway!* NOTICE &gateway :bob: no tunnel: nobody answers");
    fake_state(&gateway, bob, "can talk", "");
    fake_run(&gateway);
    wire_expect_next(&wire, ":bob!bob@distant JOIN &bob");
    wire_expect_next(&wire, ":gateway!* TOPIC &bob :can talk | *");
    wire_expect_next(&wire, ":gateway!* NOTICE &gateway :bob: can talk");
    fake_state(&gateway, bob, "closed by peer", "bob has closed it");
    fake_run(&gateway);
    wire_expect_next(&wire, ":bob!bob@distant PART &bob :closed by peer: bob has closed it");
}

static void test_protection_is_told_once(void **state)
{
    (void)state;
    log_in(&wire, "", "a");
    fake_protection(&gateway, bob, "classic");
    fake_run(&gateway);
    wire_expect_next(&wire, ":gateway!* TOPIC &bob :can talk | classic: encrypted | key *");
    wire_expect_next(&wire, ":gateway!* NOTICE &gateway :bob: can talk (classic)");
    wire_expect_next(&wire, ":gateway!* NOTICE &bob :* with bob is classic from here on: encrypted");
    wire_send(&wire, "PRIVMSG bob :in a query\r\n");
    wire_skip(&wire);
    fake_protection(&gateway, bob, "sealed");
    fake_run(&gateway);
    wire_expect_next(&wire, ":gateway!* TOPIC &bob :can talk | sealed: encrypted | key *");
    wire_expect_next(&wire, ":gateway!* NOTICE &gateway :bob: can talk (sealed)");
    wire_expect_next(&wire, ":gateway!* NOTICE ali :* with bob is sealed from here on: encrypted");
    fake_protection(&gateway, bob, "sealed");
    fake_run(&gateway);
    wire_expect_none(&wire, "*");
    log_in(&other, "", "b");
    fake_protection(&gateway, bob, "sealed");
    fake_run(&gateway);
    wire_expect_none(&other, "*");
    /* The news waits for no patience; of one that is undecided nothing is promised. */
    fake_protection(&gateway, carol, "sealed");
    fake_run(&gateway);
    wire_expect(&wire, ":gateway!* TOPIC &carol :no tunnel: nobody answers | sealed: encrypted | *");
    wire_skip(&wire);
    fake_protection(&gateway, carol, "none");
    fake_run(&gateway);
    wire_expect(&wire, ":gateway!* TOPIC &carol :no tunnel: nobody answers | encrypted | key *");
    wire_expect_none(&wire, "*from here on*");
}

/* What the other gateway has stored is no news in a channel; what may be lost is. */
static void test_receipts_are_quiet(void **state)
{
    (void)state;
    log_in(&wire, EVERYTHING, "a");
    wire_send(&wire, "@label=one PRIVMSG &bob :hello\r\n");
    wire_expect_next(&wire, "@label=one;*msgid=1-1;* PRIVMSG &bob :hello");
    fake_delivery(&gateway, 1, "delivered");
    fake_run(&gateway);
    wire_expect_none(&wire, "*");
    fake_delivery(&gateway, 1, "not-confirmed");
    fake_run(&gateway);
    wire_expect_next(&wire,
                     "* NOTICE &bob :*Your line 1-1 to bob was sent, but its arrival is not confirmed");
}

static void test_opened_and_closed_elsewhere(void **state)
{
    (void)state;
    log_in(&wire, "extended-join", "a");
    gateway.people[2].open = true;
    fake_state(&gateway, 3, "can talk", "");
    fake_run(&gateway);
    wire_expect_next(&wire, ":gateway!* NOTICE &gateway :dave: can talk");
    wire_expect_next(&wire, ":ali!a@irc.test.alt JOIN &dave alice :Alice");
    wire_expect(&wire, "* 353 ali = &dave :ali dave");
    wire_skip(&wire);
    gateway.people[2].open = false;
    fake_state(&gateway, 3, "can talk", "");
    fake_run(&gateway);
    wire_expect_next(&wire, ":ali!a@irc.test.alt PART &dave :The conversation was closed");
}

static void test_renamed_and_removed(void **state)
{
    (void)state;
    log_in(&wire, "", "a");
    gateway.people[bob - 1].handle = "robert";
    fake_state(&gateway, bob, "can talk", "");
    fake_run(&gateway);
    wire_expect_next(&wire, ":bob!bob@distant NICK robert");
    wire_expect_next(&wire, ":ali!a@irc.test.alt PART &bob :*");
    wire_expect_next(&wire, ":ali!a@irc.test.alt JOIN &robert");
    wire_skip(&wire);
    gateway.gone_contact = bob;
    gateway.gone_change = ++gateway.change;
    gateway.people[bob - 1].change = 0;
    fake_run(&gateway);
    wire_expect(&wire, ":ali!a@irc.test.alt PART &robert :This contact was removed");
    wire_send(&wire, "PRIVMSG robert :x\r\n");
    wire_expect(&wire, "* 401 ali robert :*");
}

static void test_join_opens(void **state)
{
    (void)state;
    log_in(&wire, "", "a");
    wire_send(&wire, "JOIN &dave,&bob,&nobody\r\n");
    wire_expect_next(&wire, "* 403 ali &nobody :*");
    wire_expect(&wire, ":ali!a@irc.test.alt JOIN &dave");
    assert_int_equal(fake_count(&gateway, "conversation.open", NULL), 1);
    gateway.refuse = "conversation.open";
    gateway.people[2].open = false;
    fake_state(&gateway, 3, "no tunnel", "");
    fake_run(&gateway);
    wire_skip(&wire);
    wire_send(&wire, "JOIN &dave\r\n");
    wire_expect_next(&wire, "* 403 ali &dave :the fake gateway refuses");
}

/* --- the control channel
 * ------------------------------------------------------------------------------------------ */

static void test_verbs(void **state)
{
    (void)state;
    const json_t *verb;
    log_in(&wire, "echo-message", "a");
    wire_send(&wire, "PRIVMSG &gateway :status\r\n");
    fake_count(&gateway, "verb", &verb);
    assert_string_equal(json_string_value(json_object_get(verb, "text")), "status");
    wire_expect_next(&wire, ":ali!a@irc.test.alt PRIVMSG &gateway :status");
    wire_expect_next(&wire, ":gateway!gateway@irc.test.alt PRIVMSG &gateway :first answer");
    wire_expect_next(&wire, ":gateway!gateway@irc.test.alt PRIVMSG &gateway :second answer");
    wire_send(&wire, "PRIVMSG gateway :status\r\n");
    wire_expect_next(&wire, ":ali!a@irc.test.alt PRIVMSG gateway :status");
    wire_expect_next(&wire, ":gateway!gateway@irc.test.alt PRIVMSG ali :first answer");
    gateway.refuse = "verb";
    wire_send(&wire, "PRIVMSG &gateway :status\r\n");
    wire_expect(&wire, ":gateway!gateway@irc.test.alt NOTICE &gateway :the fake gateway refuses");
}

static void test_long_verb_in_pieces(void **state)
{
    (void)state;
    const json_t *verb;
    char text[512], full[420], wanted[512];
    log_in(&wire, "", "a");
    memset(full, 'x', sizeof full - 1);
    full[sizeof full - 1] = '\0';
    snprintf(text, sizeof text, "PRIVMSG &gateway :%s\r\n", full);
    wire_send(&wire, text);
    assert_int_equal(fake_count(&gateway, "verb", NULL), 0);
    wire_send(&wire, "PRIVMSG &gateway :end\r\n");
    assert_int_equal(fake_count(&gateway, "verb", &verb), 1);
    snprintf(wanted, sizeof wanted, "%send", full);
    assert_string_equal(json_string_value(json_object_get(verb, "text")), wanted);
    wire_send(&wire, text);
    wire_pass(&wire, 3000);
    assert_int_equal(fake_count(&gateway, "verb", &verb), 2);
    assert_string_equal(json_string_value(json_object_get(verb, "text")), full);
}

static void test_link_cut_off_from_its_verb(void **state)
{
    (void)state;
    const json_t *verb;
    log_in(&wire, "", "a");
    wire_send(&wire, "PRIVMSG &gateway :accept\r\nPRIVMSG &gateway :retroshare://x\r\n");
    fake_count(&gateway, "verb", &verb);
    assert_string_equal(json_string_value(json_object_get(verb, "text")), "accept retroshare://x");
    wire_send(&wire, "PRIVMSG &gateway :retroshare://y\r\n");
    fake_count(&gateway, "verb", &verb);
    assert_string_equal(json_string_value(json_object_get(verb, "text")), "retroshare://y");
    wire_send(&wire, "PRIVMSG &gateway :accept\r\n");
    wire_pass(&wire, 3001);
    wire_send(&wire, "PRIVMSG &gateway :retroshare://z\r\n");
    fake_count(&gateway, "verb", &verb);
    assert_string_equal(json_string_value(json_object_get(verb, "text")), "retroshare://z");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(no_echo_without_the_capability),
        TEST(echo_after_done),
        TEST(label),
        TEST(refusal_inside_an_answer),
        TEST(label_goes_with_the_later_answer),
        TEST(label_without_echo_is_acknowledged),
        TEST(refused),
        TEST(wrong_targets),
        TEST(action_formatting_and_ctcp),
        TEST(waiting_is_told_once),
        TEST(line_comes_in),
        TEST(where_the_client_last_wrote),
        TEST(hostile_text),
        TEST(long_text),
        TEST(other_devices),
        TEST(delivery),
        TEST(read_when_answering),
        TEST(typing),
        TEST(patience),
        TEST(protection_is_told_once),
        TEST(receipts_are_quiet),
        TEST(opened_and_closed_elsewhere),
        TEST(renamed_and_removed),
        TEST(join_opens),
        TEST(verbs),
        TEST(long_verb_in_pieces),
        TEST(link_cut_off_from_its_verb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
