/* SPDX-License-Identifier: ISC */
#include "web/fields.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/vectors.h"
#include "web/entry.h"

static struct bytes text(const char *of)
{
    return bytes_of_string(of);
}

struct row {
    const char *field;
    bool yes;
};

static void gzip_is_asked_for(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"gzip", true},
        {"gzip, deflate, br", true},
        {"br;q=1.0, GZIP;q=0.8", true},
        {"gzip;q=0", false},
        {"gzip ; q=0.000", false},
        {"gzip;q=0.001", true},
        {"gzip;q=", true},
        {"deflate, br", false},
        {"xgzip", false},
        {"gzipped", false},
        {"*", false},
        {"", false},
        {",,;;,gzip;x=1;", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (fields_accept_gzip(text(rows[i].field)) != rows[i].yes)
            fail_msg("%s", rows[i].field);
    assert_false(fields_accept_gzip(bytes_of(NULL, 0)));
}

static void tags_match(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"\"abcd\"", true},        {"W/\"abcd\"", true}, {"\"abcd-gz\"", true},
        {"\"x\", \"abcd\"", true}, {"*", true},          {"\"abc\"", false},
        {"\"abcde\"", false},      {"abcd", false},      {"\"abcd", false},
        {"\"\"", false},           {"", false},          {"W/", false},
        {"\"abcd-gzx\"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (fields_match(text(rows[i].field), "abcd") != rows[i].yes)
            fail_msg("%s", rows[i].field);
}

static void types_and_protocols(void **state)
{
    (void)state;
    static const struct row types[] = {
        {"application/json", true},
        {"Application/JSON; charset=utf-8", true},
        {"application/json-patch+json", false},
        {"text/plain; application/json", false},
        {"", false},
    };
    static const struct row upgrades[] = {{"websocket", true},    {"h2c, WebSocket", true},
                                          {"websocket/13", true}, {"h2c", false},
                                          {"websockets", false},  {"", false}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (fields_are_json(text(types[i].field)) != types[i].yes)
            fail_msg("%s", types[i].field);
    for (size_t i = 0; i < sizeof upgrades / sizeof *upgrades; i++)
        if (fields_upgrade(text(upgrades[i].field), "websocket") != upgrades[i].yes)
            fail_msg("%s", upgrades[i].field);
}

static void basic(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Basic YWxpY2U6c2VjcmV0", true},   /* alice:secret */
        {"basic  YWxpY2U6c2VjcmV0 ", true}, /* */
        {"Basic YWxpY2U6c2VjcmV0=", false}, /* wrong padding */
        {"Basic YWxpY2U=", false},          /* no colon */
        {"Basic OnNlY3JldA==", false},      /* no account */
        {"Basic YWxpY2U6", false},          /* no password */
        {"Basic YQA6c2VjcmV0", false},      /* a zero inside */
        {"Bearer YWxpY2U6c2VjcmV0", false}, {"Basic", false}, {"Basic ", false}, {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct entry entry;
        if (fields_basic(&entry, text(rows[i].field)) != rows[i].yes)
            fail_msg("%s", rows[i].field);
        assert_string_equal(entry.account, rows[i].yes ? "alice" : "");
        assert_string_equal(entry.password, rows[i].yes ? "secret" : "");
    }
    struct entry entry;
    assert_true(fields_basic(&entry, text("Basic YTpiOmM="))); /* a:b:c */
    assert_string_equal(entry.password, "b:c");
    char longest[256] = "Basic YTpi"; /* a:b and 63 more */
    for (unsigned i = 0; i < 21; i++)
        memcpy(longest + 10 + 4 * i, "YmJi", 4);
    assert_false(fields_basic(&entry, text(longest)));
}

static void browsers(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
         "Safari/537.36 Edg/140.0.0.0",
         "Edge on Windows"},
        {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile "
         "Safari/537.36",
         "Chrome on Android"},
        {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/18.0 Mobile/15E148 Safari/604.1",
         "Safari on iPhone"},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/18.0 Safari/605.1.15",
         "Safari on macOS"},
        {"<script>alert(1)</script>", "unknown browser"},
        {"", "unknown browser"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[48];
        fields_browser(name, sizeof name, text(rows[i][0]));
        assert_string_equal(name, rows[i][1]);
    }
}

static void pauses(void **state)
{
    (void)state;
    assert_int_equal(fields_wait("too many failed log-ins; wait 17 s and try again"), 17);
    assert_int_equal(fields_wait("64 app passwords exist; revoke one"), 2);
    assert_int_equal(fields_wait("wait a little"), 2);
    assert_int_equal(fields_wait("wait 99999999999999999999 s"), 2);
    assert_int_equal(fields_wait("wait -1 s"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_is_asked_for),
        cmocka_unit_test(tags_match),
        cmocka_unit_test(types_and_protocols),
        cmocka_unit_test(basic),
        cmocka_unit_test(browsers),
        cmocka_unit_test(pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
