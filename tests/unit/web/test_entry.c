/* SPDX-License-Identifier: ISC */
#include "web/entry.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/vectors.h"

static const struct place plain = {.port = 8080}, tls = {.port = 8443, .secure = true};

static struct bytes text(const char *of)
{
    return bytes_of_string(of);
}

static struct entry entry_of(const char *account, const char *password)
{
    struct entry entry = {.account = ""};
    snprintf(entry.account, sizeof entry.account, "%s", account);
    snprintf(entry.password, sizeof entry.password, "%s", password);
    return entry;
}

static void cookies_are_named_by_port(void **state)
{
    (void)state;
    char name[ENTRY_COOKIE_NAME_SIZE];
    entry_cookie_name(name, &plain);
    assert_string_equal(name, "retrogate-8080");
    entry_cookie_name(name, &tls);
    assert_string_equal(name, "__Host-retrogate-8443");
}

static void cookies_are_read_as_written(void **state)
{
    (void)state;
    static const char *const passwords[] = {
        "p", "p.q=r; s", "\xc3\xa4\xe2\x82\xac",
        "123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof passwords / sizeof *passwords; i++) {
        struct entry in = entry_of("alice", passwords[i]), out;
        struct buffer cookie = buffer_make(1024);
        assert_true(entry_cookie_write(&cookie, &tls, &in, 60));
        const char *whole = buffer_string(&cookie), *end = strchr(whole, ';');
        assert_string_equal(end, "; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=60");
        assert_true(entry_cookie_read(&out, &tls, bytes_of(whole, (size_t)(end - whole))));
        assert_string_equal(out.account, in.account);
        assert_string_equal(out.password, in.password);
        assert_false(entry_cookie_read(&out, &plain, bytes_of(whole, (size_t)(end - whole))));
        assert_string_equal(out.password, "");
        buffer_free(&cookie);
    }
    struct entry nobody = entry_of("", "");
    struct buffer cookie = buffer_make(1024), small = buffer_make(10);
    assert_true(entry_cookie_write(&cookie, &plain, &nobody, 60));
    assert_string_equal(buffer_string(&cookie),
                        "retrogate-8080=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    assert_false(entry_cookie_write(&small, &plain, &nobody, 0));
    buffer_free(&cookie);
    buffer_free(&small);
}

static void cookies_among_others_are_found(void **state)
{
    (void)state;
    /* base64url of "alice" and "secret" */
    static const struct {
        const char *field;
        bool good;
    } rows[] = {
        {"retrogate-8080=YWxpY2U.c2VjcmV0", true},
        {"a=b; retrogate-8080=YWxpY2U.c2VjcmV0; c=d", true},
        {"a=b;retrogate-8080=YWxpY2U.c2VjcmV0;c", true},
        {"xretrogate-8080=YWxpY2U.c2VjcmV0", false},
        {"retrogate-80800=YWxpY2U.c2VjcmV0", false},
        {"Retrogate-8080=YWxpY2U.c2VjcmV0", false},
        {"__Host-retrogate-8080=YWxpY2U.c2VjcmV0", false},
        {"retrogate-8080=YWxpY2U.c2VjcmV0; retrogate-8080=YWxpY2U.c2VjcmV0", false},
        {"retrogate-8080=; retrogate-8080=YWxpY2U.c2VjcmV0", false},
        {"retrogate-8080=\"YWxpY2U.c2VjcmV0\"", false},
        {"retrogate-8080=YWxpY2U", false},
        {"retrogate-8080=YWxpY2U.", false},
        {"retrogate-8080=.c2VjcmV0", false},
        {"retrogate-8080=YWxpY2U.c2VjcmV0.c2VjcmV0", false},
        {"retrogate-8080=YWxpY2U=.c2VjcmV0", false},
        {"retrogate-8080=YWxp+2U.c2VjcmV0", false},
        {"retrogate-8080=YQBi.c2VjcmV0", false}, /* a zero inside */
        {"retrogate-8080=YQpi.c2VjcmV0", false}, /* a line feed inside */
        {"retrogate-8080", false},
        {"", false},
        {";;;=;=", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct entry entry;
        if (entry_cookie_read(&entry, &plain, text(rows[i].field)) != rows[i].good)
            fail_msg("%s", rows[i].field);
        assert_string_equal(entry.account, rows[i].good ? "alice" : "");
        assert_string_equal(entry.password, rows[i].good ? "secret" : "");
    }
    struct entry entry;
    char longest[256] = "retrogate-8080=YWxpY2U.";
    memset(longest + strlen(longest), 'A', 86); /* 64 bytes: one too many */
    assert_false(entry_cookie_read(&entry, &plain, text(longest)));
    assert_false(entry_cookie_read(&entry, &plain, bytes_of(NULL, 0)));
}

static void tokens_follow_the_password(void **state)
{
    (void)state;
    struct entry alice = entry_of("alice", "secret"), other = entry_of("alice", "secreT");
    char token[ENTRY_TOKEN_SIZE], second[ENTRY_TOKEN_SIZE];
    entry_token(token, &alice);
    entry_token(second, &other);
    assert_int_equal(strspn(token, "0123456789abcdef"), 64);
    assert_string_not_equal(token, second);
    assert_true(entry_token_right(text(token), &alice));
    assert_false(entry_token_right(text(second), &alice));
    assert_false(entry_token_right(bytes_of(token, 63), &alice));
    assert_false(entry_token_right(bytes_of(token, 0), &alice));
    assert_false(entry_token_right(bytes_of(NULL, 0), &alice));
    assert_null(strstr(token, "secret"));
}

static void hosts(void **state)
{
    (void)state;
    char first[] = "chat.example.org", second[] = "gate.local", *names[] = {first, second};
    const struct site site = {.names = names, .name_count = 2};
    static const struct {
        const char *host;
        bool known;
    } rows[] = {
        {"127.0.0.1", true},
        {"127.0.0.1:8080", true},
        {"192.0.2.1:65535", true},
        {"[::1]", true},
        {"[::1]:8080", true},
        {"[2001:DB8::1]:8443", true},
        {"[::ffff:192.0.2.1]", true},
        {"localhost", true},
        {"LOCALHOST:1", true},
        {"localhost.", true},
        {"chat.example.org", true},
        {"Chat.Example.ORG:8443", true},
        {"chat.example.org.", true},
        {"gate.local", true},
        {"example.org", false},
        {"achat.example.org", false},
        {"chat.example.org.evil.example", false},
        {"chat.example.org..", false},
        {"chat.example.org:", false},
        {"chat.example.org:0", false},
        {"chat.example.org:65536", false},
        {"chat.example.org:080a", false},
        {"chat.example.org:8080:1", false},
        {"chat.example.org/", false},
        {"user@chat.example.org", false},
        {" chat.example.org", false},
        {"chat.example.org, evil.example", false},
        {"evil.example", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"127.1", false},
        {"2130706433", false},
        {"0x7f000001", false},
        {"127.0.0.1.", false},
        {"::1", false},
        {"[::1", false},
        {"[::1]8080", false},
        {"[::1%25lo]", false},
        {"[]", false},
        {"[127.0.0.1]", false},
        {"[:::]", false},
        {":8080", false},
        {".", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (entry_host_known(&site, text(rows[i].host)) != rows[i].known)
            fail_msg("%s", rows[i].host);
    assert_false(entry_host_known(&site, bytes_of("localhost\0", 10)));
    assert_false(entry_host_known(&site, bytes_of(NULL, 0)));
    char longest[400];
    memset(longest, 'a', sizeof longest);
    assert_false(entry_host_known(&site, bytes_of(longest, sizeof longest)));
}

static void origins(void **state)
{
    (void)state;
    static const struct {
        const char *origin, *host;
        bool in_plain, over_tls;
    } rows[] = {
        {"http://localhost:8080", "localhost:8080", true, false},
        {"https://localhost:8443", "localhost:8443", true, true}, /* in plain: a proxy ended TLS */
        {"HTTP://LocalHost:8080", "localhost:8080", true, false},
        {"http://localhost", "localhost:80", true, false},
        {"http://localhost:80", "localhost", true, false},
        {"https://localhost", "localhost", true, true},
        {"https://localhost", "localhost:443", true, true},
        {"http://localhost:443", "localhost", false, false},
        {"https://localhost:80", "localhost", false, false},
        {"http://[::1]:8080", "[::1]:8080", true, false},
        {"http://[::1]", "[::1]", true, false},
        {"http://[::2]:8080", "[::1]:8080", false, false},
        {"http://localhost:8081", "localhost:8080", false, false},
        {"http://localhost:8080", "localhost", false, false},
        {"http://127.0.0.1:8080", "localhost:8080", false, false},
        {"http://localhost.:8080", "localhost:8080", false, false},
        {"http://localhost.:8080", "localhost.:8080", true, false},
        {"http://localhost:8080/", "localhost:8080", false, false},
        {"http://localhost:8080, http://evil", "localhost:8080", false, false},
        {"http://user@localhost:8080", "localhost:8080", false, false},
        {"http://localhost:8080.evil.example", "localhost:8080", false, false},
        {"ws://localhost:8080", "localhost:8080", false, false},
        {"file://", "localhost:8080", false, false},
        {"null", "localhost:8080", false, false},
        {"null", "null", false, false},
        {"http://", "", false, false},
        {"", "", false, false},
        {"localhost:8080", "localhost:8080", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes origin = text(rows[i].origin), host = text(rows[i].host);
        if (entry_origin_same(origin, host, false) != rows[i].in_plain ||
            entry_origin_same(origin, host, true) != rows[i].over_tls)
            fail_msg("%s at %s", rows[i].origin, rows[i].host);
    }
}

static void origins_for_irc(void **state)
{
    (void)state;
    char named[] = "https://gamja.example.org", any[] = "*", *some[] = {named}, *all[] = {any};
    const struct site none = {.origins = NULL}, one = {.origins = some, .origin_count = 1},
                      every = {.origins = all, .origin_count = 1};
    struct bytes host = text("localhost:8080"), ours = text("http://localhost:8080"),
                 theirs = text("https://gamja.example.org"), evil = text("https://gamja.example.org.evil"),
                 port = text("https://gamja.example.org:444"), no_browser = bytes_of(NULL, 0);
    assert_true(entry_origin_may_irc(&none, ours, host, false));
    assert_true(entry_origin_may_irc(&none, no_browser, host, false));
    assert_false(entry_origin_may_irc(&none, theirs, host, false));
    assert_false(entry_origin_may_irc(&none, text("null"), host, false));
    assert_true(entry_origin_may_irc(&one, theirs, host, false));
    assert_true(entry_origin_may_irc(&one, text("HTTPS://Gamja.example.org"), host, true));
    assert_false(entry_origin_may_irc(&one, evil, host, false));
    assert_false(entry_origin_may_irc(&one, port, host, false));
    assert_true(entry_origin_may_irc(&every, evil, host, false));
    assert_true(entry_origin_may_irc(&every, text("null"), host, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookies_are_named_by_port),
        cmocka_unit_test(cookies_are_read_as_written),
        cmocka_unit_test(cookies_among_others_are_found),
        cmocka_unit_test(tokens_follow_the_password),
        cmocka_unit_test(hosts),
        cmocka_unit_test(origins),
        cmocka_unit_test(origins_for_irc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
