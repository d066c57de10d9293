/* SPDX-License-Identifier: ISC */
#include "bridges/irc/message.h"
#include "bridges/irc/text.h"
#include "support/vectors.h"

#include <stdlib.h>
#include <string.h>

static void each_vector(const char *name, void (*check)(const json_t *test))
{
    json_t *file = vectors_load(name);
    size_t index;
    json_t *test;
    assert_true(json_array_size(json_object_get(file, "tests")) > 3);
    json_array_foreach(json_object_get(file, "tests"), index, test) check(test);
    json_decref(file);
}

static void check_split(const json_t *test)
{
    struct message message;
    const json_t *atoms = json_object_get(test, "atoms");
    char *line = strdup(vectors_string(test, "input"));
    assert_true(message_parse(&message, line));
    assert_string_equal(message.verb, vectors_string(atoms, "verb"));
    const char *source = json_string_value(json_object_get(atoms, "source"));
    assert_int_equal(source == NULL, message.source == NULL);
    if (source != NULL)
        assert_string_equal(message.source, source);
    const json_t *params = json_object_get(atoms, "params");
    assert_int_equal(message.param_count, json_array_size(params));
    for (size_t i = 0; i < message.param_count; i++)
        assert_string_equal(message.params[i], json_string_value(json_array_get(params, i)));
    const char *key;
    json_t *value, *tags = json_object_get(atoms, "tags");
    json_object_foreach(tags, key, value)
        assert_string_equal(message_tag(&message, key), json_string_value(value));
    for (size_t i = 0; i < message.tag_count; i++)
        assert_non_null(json_object_get(tags, message.tags[i].key));
    free(line);
}

static void test_split(void **state)
{
    (void)state;
    each_vector("irc/msg-split.json", check_split);
}

static void check_join(const json_t *test)
{
    struct message message = {0};
    const json_t *atoms = json_object_get(test, "atoms"), *params = json_object_get(atoms, "params");
    message.verb = vectors_string(atoms, "verb");
    message.source = json_string_value(json_object_get(atoms, "source"));
    const char *key;
    json_t *value, *tags = json_object_get(atoms, "tags"), *match;
    json_object_foreach(tags, key, value) message.tags[message.tag_count++] =
        (struct message_tag){key, json_string_value(value)};
    for (size_t i = 0; i < json_array_size(params); i++)
        message.params[message.param_count++] = json_string_value(json_array_get(params, i));
    struct buffer out = buffer_make(4096);
    assert_true(message_format(&out, &message));
    bool found = false;
    size_t index;
    json_array_foreach(json_object_get(test, "matches"), index, match) found =
        found || strcmp(buffer_string(&out), json_string_value(match)) == 0;
    assert_true(found);
    buffer_free(&out);
}

static void test_join(void **state)
{
    (void)state;
    each_vector("irc/msg-join.json", check_join);
}

static void check_part(const json_t *atoms, const char *member, struct bytes part)
{
    const char *text = json_string_value(json_object_get(atoms, member));
    if (text == NULL)
        assert_null(part.data);
    else
        assert_bytes_equal(part, bytes_of_string(text));
}

static void check_userhost(const json_t *test)
{
    const json_t *atoms = json_object_get(test, "atoms");
    struct source source = source_split(vectors_string(test, "source"));
    check_part(atoms, "nick", source.nick);
    check_part(atoms, "user", source.user);
    check_part(atoms, "host", source.host);
}

static void test_userhost(void **state)
{
    (void)state;
    each_vector("irc/userhost-split.json", check_userhost);
}

static void check_mask(const json_t *test)
{
    const char *mask = vectors_string(test, "mask");
    size_t index;
    json_t *text;
    json_array_foreach(json_object_get(test, "matches"), index, text)
        assert_true(mask_match(mask, json_string_value(text)));
    json_array_foreach(json_object_get(test, "fails"), index, text)
        assert_false(mask_match(mask, json_string_value(text)));
}

static void test_mask(void **state)
{
    (void)state;
    each_vector("irc/mask-match.json", check_mask);
    assert_true(mask_match("A*b*C", "aXbYbZc"));
    assert_false(mask_match("a*b", "abc"));
    assert_true(mask_match("**", ""));
    assert_false(mask_match("?", ""));
}

static void check_hostname(const json_t *test)
{
    assert_int_equal(hostname_valid(vectors_string(test, "host")),
                     json_is_true(json_object_get(test, "valid")));
}

static void test_hostname(void **state)
{
    (void)state;
    each_vector("irc/validate-hostname.json", check_hostname);
}

static void test_nick(void **state)
{
    (void)state;
    assert_true(nick_valid("ali[ce]", 30));
    assert_false(nick_valid("", 30));
    assert_false(nick_valid("1ali", 30));
    assert_false(nick_valid("-ali", 30));
    assert_false(nick_valid("al i", 30));
    assert_false(nick_valid("alicealice", 9));
    assert_false(nick_valid("al\xc3\xa9", 30));
}

static void refuse(const struct message *message)
{
    struct buffer out = buffer_make(64 * 1024);
    assert_false(message_format(&out, message));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

static void test_what_cannot_be_said(void **state)
{
    (void)state;
    refuse(&(struct message){.verb = ""});
    refuse(&(struct message){.verb = "A B"});
    refuse(&(struct message){.verb = "@A"});
    refuse(&(struct message){.verb = "A", .source = "a b"});
    refuse(&(struct message){.verb = "A", .params = {"", "x"}, .param_count = 2});
    refuse(&(struct message){.verb = "A", .params = {":x", "x"}, .param_count = 2});
    refuse(&(struct message){.verb = "A", .params = {"x\nQUIT"}, .param_count = 1});
    refuse(&(struct message){.verb = "A", .params = {"x\r"}, .param_count = 1});
    refuse(&(struct message){.verb = "A", .tags = {{"a;b", ""}}, .tag_count = 1});
}

static void test_cut(void **state)
{
    (void)state;
    char text[700];
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[698] = '\0';
    struct message message = {
        .verb = "AB", .params = {text}, .param_count = 1, .tags = {{"a", "b"}}, .tag_count = 1};
    struct buffer out = buffer_make(4096);
    assert_true(message_format(&out, &message));
    /* "AB " and 253 whole letters are 509 bytes; the next letter would need two. */
    assert_int_equal(buffer_size(&out), strlen("@a=b ") + 3 + 506);
    buffer_free(&out);
}

static void test_many_params_and_tags(void **state)
{
    (void)state;
    char line[1024] = "@";
    for (int i = 0; i < 100; i++)
        strncat(line, "a;", sizeof line - strlen(line) - 1);
    strncat(line, " V 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", sizeof line - strlen(line) - 1);
    struct message message;
    assert_true(message_parse(&message, line));
    assert_int_equal(message.tag_count, MESSAGE_TAG_COUNT);
    assert_int_equal(message.param_count, MESSAGE_PARAM_COUNT);
    assert_string_equal(message.params[14], "15 16 17");
}

static void test_nothing_to_parse(void **state)
{
    (void)state;
    static const char *const lines[] = {"", " ", "@", "@a=b", "@a=b ", ":x", ":x ", "@a :b "};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct message message;
        char *line = strdup(lines[i]);
        assert_false(message_parse(&message, line));
        free(line);
    }
}

/* --- texts
 * ---------------------------------------------------------------------------------------------------- */

static void test_strip(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"\x02"
         "bold\x0f",
         "bold"},
        {"\x03"
         "04,05red\x03 5",
         "red 5"},
        {"\x03"
         "123",
         "3"},
        {"\x03,5", ",5"},
        {"\x04"
         "ff00ff,001122x",
         "x"},
        {"a\r\nb\rc\td\x7f\x1b", "a\nb\nc\td"},
        {"caf\xc3\xa9\xc2\x85!", "caf\xc3\xa9!"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = strdup(cases[i].in);
        text_strip(text);
        assert_string_equal(text, cases[i].out);
        free(text);
    }
}

static void test_pieces(void **state)
{
    (void)state;
    struct bytes rest = bytes_of_string("\n\none two\n\nthree four \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"),
                 piece;
    static const char *const expected[] = {"one two", "three four ", "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(text_piece(&rest, 11, &piece));
        assert_bytes_equal(piece, bytes_of_string(expected[i]));
    }
    assert_false(text_piece(&rest, 11, &piece));
    rest = bytes_of_string("\xe2\x82\xac\xe2\x82\xac");
    assert_true(text_piece(&rest, 5, &piece));
    assert_int_equal(piece.size, 3);
}

static void test_ctcp(void **state)
{
    (void)state;
    char action[] = "\x01"
                    "ACTION waves\x01",
         bare[] = "\x01"
                  "ACTION",
         other[] = "\x01VERSION\x01", plain[] = "hi";
    char *body;
    const char *said;
    assert_int_equal(text_from_ctcp(action, &body), CTCP_ACTION);
    assert_string_equal(body, "/me waves");
    assert_true(text_is_action(body, &said));
    assert_string_equal(said, "waves");
    assert_int_equal(text_from_ctcp(bare, &body), CTCP_ACTION);
    assert_string_equal(body, "/me ");
    assert_int_equal(text_from_ctcp(other, &body), CTCP_OTHER);
    assert_int_equal(text_from_ctcp(plain, &body), CTCP_NONE);
    assert_string_equal(body, "hi");
}

static void test_label(void **state)
{
    (void)state;
    char out[8];
    text_label(out, sizeof out, " :a\nb");
    assert_string_equal(out, "a b");
    text_label(out, sizeof out, "\x01\x02");
    assert_string_equal(out, "*");
    text_label(out, sizeof out, "12345\xe2\x82\xac");
    assert_string_equal(out, "12345");
}

static void test_time(void **state)
{
    (void)state;
    char out[TEXT_TIME_SIZE];
    text_time(out, 1700000000123);
    assert_string_equal(out, "2023-11-14T22:13:20.123Z");
    text_time(out, -5);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
    text_time(out, INT64_MAX);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_userhost),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_hostname),
        cmocka_unit_test(test_nick),
        cmocka_unit_test(test_what_cannot_be_said),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_many_params_and_tags),
        cmocka_unit_test(test_nothing_to_parse),
        cmocka_unit_test(test_strip),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_ctcp),
        cmocka_unit_test(test_label),
        cmocka_unit_test(test_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
