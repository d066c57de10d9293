/* SPDX-License-Identifier: ISC */
#include "unit/irc/wire.h"

#include <openssl/evp.h>

static struct gateway gateway;
static struct site site;
static struct wire wire;

static int setup(void **state)
{
    (void)state;
    fake_init(&gateway);
    fake_person_add(&gateway, "bob", "can talk", true);
    fake_person_add(&gateway, "carol", "no tunnel", true);
    fake_person_add(&gateway, "dave", "no tunnel", false);
    site = site_of(&gateway);
    wire_open(&wire, &site);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wire_close(&wire);
    assert_null(gateway.sessions);
    assert_int_equal(site.clients, 0);
    fake_clear(&gateway);
    return 0;
}

static void expect_welcome(const char *nick)
{
    char mask[128];
    snprintf(mask, sizeof mask, ":irc.test.alt 001 %s :Welcome to test, %s!a@irc.test.alt", nick, nick);
    wire_expect(&wire, mask);
    for (unsigned number = 2; number <= 4; number++) {
        snprintf(mask, sizeof mask, ":irc.test.alt 00%u %s *", number, nick);
        wire_expect_next(&wire, mask);
    }
    wire_expect_next(&wire, "* 005 * CASEMAPPING=ascii * :are supported by this server");
    wire_expect(&wire, "* 005 * UTF8ONLY WHOX :*");
    wire_expect(&wire, "* 251 *");
    wire_expect(&wire, "* 376 *");
}

static void test_any_order(void **state)
{
    (void)state;
    static const char *const orders[] = {
        "PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n",
        "USER a 0 * :A\nNICK ali\nPASS alice:secret\n", /* too late for PASS: see below */
        "NICK ali\r\nPASS alice:secret\r\nUSER a 0 * :A\r\n",
        "CAP LS 302\r\nPASS alice:secret\r\nUSER a 0 * :A\r\nNICK ali\r\nCAP END\r\n",
        "CAP LS\r\nNICK ali\r\nUSER a 0 * :A\r\nCAP REQ :batch\r\nPASS alice:secret\r\nCAP END\r\n",
        "PASS alice@phone:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n",
    };
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        wire_close(&wire);
        wire_open(&wire, &site);
        wire_send(&wire, orders[i]);
        if (i == 1) {
            wire_expect(&wire, "* 464 ali :A password is needed.*account:password*");
            wire_expect_next(&wire, "ERROR *");
            assert_true(wire.ended);
        } else {
            expect_welcome("ali");
        }
    }
}

static void test_account_from_user(void **state)
{
    (void)state;
    const json_t *opened;
    wire_send(&wire, "PASS secret\r\nNICK ali\r\nUSER alice@desk 0 * :A\r\n");
    wire_expect(&wire, "* 001 ali *");
    assert_int_equal(fake_count(&gateway, "client.open", &opened), 1);
    assert_string_equal(json_string_value(json_object_get(opened, "name")), "irc/desk");
}

static void test_default_device(void **state)
{
    (void)state;
    const json_t *opened;
    wire_send(&wire, "PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n");
    assert_int_equal(fake_count(&gateway, "client.open", &opened), 1);
    assert_string_equal(json_string_value(json_object_get(opened, "name")), "irc/default");
}

static void test_joined_at_log_in(void **state)
{
    (void)state;
    wire_send(&wire, "PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n");
    expect_welcome("ali");
    wire_expect_next(&wire, ":ali!a@irc.test.alt JOIN &gateway");
    wire_expect_next(&wire, "* 332 ali &gateway :*");
    wire_expect_next(&wire, "* 333 ali &gateway gateway *");
    wire_expect_next(&wire, "* 353 ali = &gateway :ali @gateway");
    wire_expect_next(&wire, "* 366 ali &gateway :*");
    wire_expect_next(&wire, ":ali!a@irc.test.alt JOIN &bob");
    wire_expect_next(&wire,
                     "* 332 ali &bob :can talk | encrypted | key 0123456789ABCDEF0123456789ABCDEF01234567");
    wire_expect_next(&wire, "* 333 ali &bob gateway 1700000000");
    wire_expect_next(&wire, "* 353 ali = &bob :ali bob");
    wire_expect(&wire, ":ali!a@irc.test.alt JOIN &carol");
    wire_expect_next(&wire, "* 332 ali &carol :no tunnel: nobody answers | *");
    wire_expect(&wire, "* 353 ali = &carol :ali");
    wire_expect_none(&wire, "*JOIN &dave*");
}

static void test_wrong_password(void **state)
{
    (void)state;
    wire_send(&wire, "PASS alice:wrong\r\nNICK ali\r\nUSER a 0 * :A\r\n");
    wire_expect(&wire, "* 464 ali :wrong account or password. Log in with*");
    wire_expect(&wire, "ERROR *");
    assert_true(wire.ended);
}

/* Sends AUTHENTICATE with base64 of these bytes. */
static void authenticate(const char *bytes, size_t size)
{
    char text[2048] = "AUTHENTICATE ";
    int used = EVP_EncodeBlock((unsigned char *)text + 13, (const unsigned char *)bytes, (int)size);
    memcpy(text + 13 + used, "\r\n", 3);
    wire_send(&wire, text);
}
#define AUTHENTICATE(text) authenticate((text), sizeof(text) - 1)

static void begin_sasl(void)
{
    wire_send(&wire, "CAP LS 302\r\nNICK ali\r\nUSER a 0 * :A\r\nCAP REQ :sasl\r\nAUTHENTICATE PLAIN\r\n");
    wire_expect(&wire, ":irc.test.alt CAP * LS :*sasl=PLAIN*");
    wire_expect(&wire, ":irc.test.alt CAP ali ACK :sasl");
    wire_expect(&wire, "AUTHENTICATE +");
}

static void test_sasl(void **state)
{
    (void)state;
    begin_sasl();
    AUTHENTICATE("\0alice@phone\0secret");
    wire_expect_next(&wire, "* 900 ali ali!a@irc.test.alt alice :You are now logged in as alice");
    wire_expect_next(&wire, "* 903 ali :*");
    wire_send(&wire, "AUTHENTICATE PLAIN\r\n");
    wire_expect_next(&wire, "* 907 ali :*");
    wire_expect_none(&wire, "* 001 *");
    wire_send(&wire, "CAP END\r\n");
    expect_welcome("ali");
}

static void test_sasl_authzid(void **state)
{
    (void)state;
    begin_sasl();
    AUTHENTICATE("bob\0alice\0secret");
    wire_expect_next(&wire, "* 904 *");
    wire_send(&wire, "AUTHENTICATE PLAIN\r\n");
    AUTHENTICATE("alice\0alice@x\0secret");
    wire_expect(&wire, "* 903 *");
}

static void test_sasl_in_chunks(void **state)
{
    (void)state;
    static const char four_hundred[] = "AGFsaWNl"; /* "\0alice" */
    char text[1024] = "AUTHENTICATE ";
    begin_sasl();
    memcpy(text + 13, four_hundred, 8);
    for (size_t i = 8; i < 400; i += 4)
        memcpy(text + 13 + i, i == 8 ? "AHNl" : "Y3Jl", 4); /* "\0se", "cre"... : a long wrong password */
    memcpy(text + 413, "\r\n", 3);
    wire_send(&wire, text);
    wire_expect_none(&wire, "*");
    wire_send(&wire, "AUTHENTICATE +\r\n");
    wire_expect_next(&wire, "* 904 ali :wrong account or password");
}

static void test_sasl_refusals(void **state)
{
    (void)state;
    wire_send(&wire, "AUTHENTICATE PLAIN\r\n");
    wire_expect_next(&wire, "* 904 *");
    begin_sasl();
    wire_send(&wire, "AUTHENTICATE *\r\n");
    wire_expect_next(&wire, "* 906 *");
    wire_send(&wire, "AUTHENTICATE EXTERNAL\r\n");
    wire_expect_next(&wire, "* 908 ali PLAIN :*");
    wire_expect_next(&wire, "* 904 *");
    wire_send(&wire, "AUTHENTICATE PLAIN\r\nAUTHENTICATE !!!!\r\n");
    wire_expect(&wire, "* 904 ali :SASL PLAIN needs*");
    wire_send(&wire, "AUTHENTICATE PLAIN\r\n");
    AUTHENTICATE("no nul at all");
    wire_expect(&wire, "* 904 *");
    wire_send(&wire, "AUTHENTICATE PLAIN\r\n");
    AUTHENTICATE("\0alice\0wrong");
    wire_expect(&wire, "* 904 ali :wrong account or password");
    /* The third failure was one too many. */
    wire_expect_next(&wire, "ERROR *");
}

static void test_cap_end_before_the_answer(void **state)
{
    (void)state;
    begin_sasl();
    client_input(wire.client, bytes_of_string("AUTHENTICATE AGFsaWNlAHdyb25n\r\nCAP END\r\n"));
    wire_expect_none(&wire, "*");
    fake_run(&gateway);
    wire_expect_next(&wire, "* 904 *");
    wire_expect_next(&wire, "* 464 *");
    wire_expect_next(&wire, "ERROR *");
}

static void test_commands_behind_registration_wait(void **state)
{
    (void)state;
    wire_send(&wire, "PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\nJOIN &dave\r\nPRIVMSG &bob :hi\r\n");
    wire_expect_next(&wire, "* 001 *");
    wire_expect(&wire, ":ali!* JOIN &bob");
    wire_expect(&wire, ":ali!* JOIN &dave");
    assert_int_equal(fake_count(&gateway, "say", NULL), 1);
}

static void test_sasl_too_long(void **state)
{
    (void)state;
    char text[512] = "AUTHENTICATE ";
    begin_sasl();
    memset(text + 13, 'A', 400);
    memcpy(text + 413, "\r\n", 3);
    for (int i = 0; i < 3; i++)
        wire_send(&wire, text);
    wire_expect_next(&wire, "* 905 ali :*");
}

static void test_log_in_is_cancelled(void **state)
{
    (void)state;
    client_input(wire.client, bytes_of_string("PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n"));
    assert_non_null(gateway.answers);
    wire_close(&wire);
    assert_null(gateway.answers);
    wire_open(&wire, &site);
}

static void test_gone_while_loading(void **state)
{
    (void)state;
    client_input(wire.client, bytes_of_string("PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n"));
    fake_answer_one(&gateway);
    fake_answer_one(&gateway);
    assert_non_null(gateway.answers);
    wire_close(&wire);
    assert_null(gateway.answers);
    wire_open(&wire, &site);
}

static void test_nick_of_a_contact(void **state)
{
    (void)state;
    wire_send(&wire, "PASS alice:secret\r\nNICK bob\r\nUSER a 0 * :A\r\n");
    wire_expect(&wire, "* 433 bob bob :*");
    wire_expect_none(&wire, "* 001 *");
    wire_send(&wire, "NICK Carol\r\n");
    wire_expect_next(&wire, "* 433 * Carol :*");
    wire_send(&wire, "NICK gateway\r\n");
    wire_expect_next(&wire, "* 433 * gateway :*");
    wire_send(&wire, "NICK bob_\r\n");
    wire_expect(&wire, "* 001 bob_ *");
}

static void test_bad_nicks(void **state)
{
    (void)state;
    wire_send(&wire, "NICK\r\nNICK 1a\r\nNICK :a b\r\nNICK toolongtoolongtoolongtoolongtoo\r\n");
    wire_expect_next(&wire, "* 431 *");
    wire_expect_next(&wire, "* 432 * 1a :*");
    wire_expect_next(&wire, "* 432 * * :*");
    wire_expect_next(&wire, "* 432 *");
}

static void test_new_contact_takes_the_nick(void **state)
{
    (void)state;
    wire_send(&wire, "PASS alice:secret\r\nNICK eve\r\nUSER a 0 * :A\r\n");
    expect_welcome("eve");
    wire_skip(&wire);
    fake_person_add(&gateway, "eve", "can talk", true);
    fake_run(&gateway);
    wire_expect_next(&wire, ":eve!a@irc.test.alt NICK eve_");
    wire_expect(&wire, ":eve_!a@irc.test.alt JOIN &eve");
    wire_expect(&wire, "* 353 eve_ = &eve :eve_ eve");
}

static void test_not_registered(void **state)
{
    (void)state;
    wire_send(&wire, "JOIN &bob\r\nPRIVMSG &bob :x\r\nNONSENSE\r\nPING 1\r\n");
    for (int i = 0; i < 3; i++)
        wire_expect_next(&wire, "* 451 * :*");
    wire_expect_next(&wire, ":irc.test.alt PONG irc.test.alt :1");
}

static void test_twice(void **state)
{
    (void)state;
    wire_send(&wire, "PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n");
    wire_skip(&wire);
    wire_send(&wire, "USER a 0 * :A\r\nPASS x\r\nUSER a\r\n");
    wire_expect_next(&wire, "* 462 *");
    wire_expect_next(&wire, "* 462 *");
}

static void test_too_slow(void **state)
{
    (void)state;
    wire_send(&wire, "NICK ali\r\n");
    wire_pass(&wire, 29999);
    assert_false(wire.ended);
    wire_pass(&wire, 1);
    assert_true(wire.ended);
    wire_expect(&wire, "ERROR :Closing link: Registration took too long");
}

static void test_capabilities(void **state)
{
    (void)state;
    wire_send(&wire, "CAP LS\r\n");
    wire_expect_next(&wire, ":irc.test.alt CAP * LS :account-tag away-notify batch * sasl server-time *");
    wire_send(&wire, "CAP LS 302\r\n");
    wire_expect_next(&wire, "*labeled-response message-tags multi-prefix sasl=PLAIN *");
    wire_send(&wire, "CAP LIST\r\n");
    wire_expect_next(&wire, ":irc.test.alt CAP * LIST :cap-notify");
    wire_send(&wire, "CAP REQ :server-time nonsense\r\n");
    wire_expect_next(&wire, ":irc.test.alt CAP * NAK :server-time nonsense");
    wire_send(&wire, "CAP REQ :server-time batch -batch \r\n");
    wire_expect_next(&wire, ":irc.test.alt CAP * ACK :server-time batch -batch ");
    wire_send(&wire, "CAP LIST\r\nCAP WHAT\r\n");
    wire_expect_next(&wire, ":irc.test.alt CAP * LIST :cap-notify server-time");
    wire_expect_next(&wire, "* 410 * WHAT :*");
}

static void test_session_ended(void **state)
{
    (void)state;
    wire_send(&wire, "PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n");
    wire_skip(&wire);
    struct gateway_session *session = gateway.sessions;
    session->events->ended(session->arg, "the password was revoked");
    wire_expect_next(&wire, "ERROR :Closing link: the password was revoked");
    assert_true(wire.ended);
    gateway_logout(session);
}

static void test_gateway_fails_while_loading(void **state)
{
    (void)state;
    gateway.refuse = "contact.list";
    wire_send(&wire, "PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n");
    wire_expect(&wire, "ERROR :Closing link: the fake gateway refuses");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(any_order),
        TEST(account_from_user),
        TEST(default_device),
        TEST(joined_at_log_in),
        TEST(wrong_password),
        TEST(sasl),
        TEST(sasl_authzid),
        TEST(sasl_in_chunks),
        TEST(sasl_refusals),
        TEST(sasl_too_long),
        TEST(cap_end_before_the_answer),
        TEST(commands_behind_registration_wait),
        TEST(log_in_is_cancelled),
        TEST(gone_while_loading),
        TEST(nick_of_a_contact),
        TEST(bad_nicks),
        TEST(new_contact_takes_the_nick),
        TEST(not_registered),
        TEST(twice),
        TEST(too_slow),
        TEST(capabilities),
        TEST(session_ended),
        TEST(gateway_fails_while_loading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
