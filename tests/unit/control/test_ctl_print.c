/* SPDX-License-Identifier: ISC */
#include "control/ctl_print.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "support/vectors.h"

static char *shown;

static struct ctl ctl_open(void)
{
    static size_t size;
    free(shown);
    shown = NULL;
    return (struct ctl){.out = open_memstream(&shown, &size), .now_ms = 1700000000000};
}

static void tables_are_aligned(void **state)
{
    (void)state;
    static const struct ctl_layout layout = {.list = "rows",
                                             .empty = "nothing",
                                             .columns = {{"name", "name", SHOW_TEXT},
                                                         {"up", "deep.up", SHOW_TEXT},
                                                         {"seen", "seen", SHOW_TIME},
                                                         {"uses", "uses", SHOW_UNLIMITED}}};
    struct ctl ctl = ctl_open();
    json_t *result =
        json_pack("{s:[{s:s,s:{s:b},s:I,s:i},{s:s,s:{s:b},s:I,s:i}]}", "rows", "name", "bob", "deep", "up", 1,
                  "seen", (json_int_t)1699999940000, "uses", 3, "name", "J\xc3\xb6rg \xe4\xb8\x96", "deep",
                  "up", 0, "seen", (json_int_t)0, "uses", -1);
    assert_non_null(result);
    ctl_print(&ctl, &layout, result);
    fclose(ctl.out);
    assert_string_equal(shown, "name     up   seen       uses\n"
                               "bob      yes  1 min ago  3\n"
                               "J\xc3\xb6rg \xe4\xb8\x96  no   never      no limit\n");
    json_decref(result);

    ctl = ctl_open();
    result = json_pack("{s:[]}", "rows");
    ctl_print(&ctl, &layout, result);
    fclose(ctl.out);
    assert_string_equal(shown, "nothing\n");
    json_decref(result);
}

static void objects_show_what_they_have(void **state)
{
    (void)state;
    static const struct ctl_layout layout = {.columns = {{"name", "name", SHOW_TEXT},
                                                         {"missing", "missing", SHOW_TEXT},
                                                         {"addresses", "addresses", SHOW_TEXT},
                                                         {"sent", "sent", SHOW_BYTES},
                                                         {"rtt", "rtt", SHOW_MICROSECONDS},
                                                         {"up for", "up", SHOW_DURATION},
                                                         {"part", "part", SHOW_TEXT},
                                                         {"key", "key", SHOW_BLOCK},
                                                         {"notes", "notes", SHOW_BLOCK}}};
    struct ctl ctl = ctl_open();
    json_t *result = json_pack("{s:s,s:[s,s],s:i,s:i,s:i,s:{s:i,s:n},s:s,s:[s,s]}", "name", "a\nb",
                               "addresses", "192.0.2.1:1", "[::1]:2", "sent", 1536, "rtt", 12345, "up",
                               7500000, "part", "own", 2, "none", "key", "one\ntwo", "notes", "x", "y\033");
    assert_non_null(result);
    ctl_print(&ctl, &layout, result);
    fclose(ctl.out);
    assert_string_equal(shown, "name       a b\n"
                               "addresses  192.0.2.1:1, [::1]:2\n"
                               "sent       1.5 KiB\n"
                               "rtt        12.3 ms\n"
                               "up for     2 h 5 min\n"
                               "part       own 2, none \n"
                               "\nkey:\none\ntwo\n"
                               "\nnotes:\n  x\n  y\xef\xbf\xbd\n");
    json_decref(result);
}

static void foreign_text_cannot_steer_the_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line;
        size_t columns;
    } cases[] = {
        {"plain", "plain", 5},
        {"\033]0;title\007", "\xef\xbf\xbd]0;title\xef\xbf\xbd", 10},
        {"a\r\nb\tc", "a\xef\xbf\xbd b c", 6},
        {"\xc2\x9b"
         "2J",
         "\xef\xbf\xbd"
         "2J",
         3},
        {"\xe2\x80\xae"
         "evil",
         "\xef\xbf\xbd"
         "evil",
         5},
        {"\xe2\x81\xa6x", "\xef\xbf\xbdx", 2},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 2},
        {"e\xcc\x81", "e\xcc\x81", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ctl ctl = ctl_open();
        size_t columns = ctl_print_text(ctl.out, cases[i].text, false);
        fclose(ctl.out);
        assert_string_equal(shown, cases[i].line);
        assert_int_equal(columns, cases[i].columns);
        assert_int_equal(ctl_print_text(NULL, cases[i].text, false), columns);
    }
}

static void times_are_relative(void **state)
{
    (void)state;
    static const struct {
        int64_t time, now;
        const char *text;
    } cases[] = {
        {0, 5000, "never"},
        {5000, 5999, "now"},
        {5000, 6000, "1 s ago"},
        {5000, 65000 + 5000, "1 min 5 s ago"},
        {1, 3600001, "1 h ago"},
        {100000000, 1, "in 1 d 3 h"},
        {1000000, 1001, "in 16 min"},
        {INT64_MAX, INT64_MIN, "in 106751991167 d"},
        {INT64_MIN, INT64_MAX, "106751991167 d ago"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[64];
        ctl_relative_time(out, sizeof out, cases[i].time, cases[i].now);
        assert_string_equal(out, cases[i].text);
    }
}

static void lines_look_like_a_chat(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"{\"seq\":1,\"time\":1700000000000,\"direction\":\"in\",\"text\":\"hi\\nthere\\u0007\"}",
         "     1  2023-11-14 22:13  <bob> hi there\xef\xbf\xbd\n"},
        {"{\"seq\":2,\"time\":1700000000000,\"direction\":\"out\",\"text\":\"yes\",\"delivery\":"
         "\"delivered\"}",
         "     2  2023-11-14 22:13  <me> yes\n"},
        {"{\"seq\":3,\"time\":1700000000000,\"direction\":\"out\",\"text\":\"yes\",\"delivery\":\"failed\","
         "\"reason\":\"no "
         "tunnel\"}",
         "     3  2023-11-14 22:13  <me> yes  [failed: no tunnel]\n"},
        {"{\"seq\":4,\"time\":1700000000000,\"direction\":\"note\",\"text\":\"closed by peer\"}",
         "     4  2023-11-14 22:13  * closed by peer\n"},
        {"{}", "     0  1970-01-01 00:00  * \n"},
    };
    setenv("TZ", "UTC", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ctl ctl = ctl_open();
        json_t *line = json_loads(cases[i].line, 0, NULL);
        ctl_print_line(&ctl, line, "bob");
        fclose(ctl.out);
        assert_string_equal(shown, cases[i].text);
        json_decref(line);
    }
}

static int free_shown(void **state)
{
    (void)state;
    free(shown);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_aligned),
        cmocka_unit_test(objects_show_what_they_have),
        cmocka_unit_test(foreign_text_cannot_steer_the_terminal),
        cmocka_unit_test(times_are_relative),
        cmocka_unit_test(lines_look_like_a_chat),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, free_shown);
}
