/* SPDX-License-Identifier: ISC */
/* Saying a line once, finding it again. */
#include "world.h"

static json_t *say_once(const char *conversation, const char *label, const char *words)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:b}", "do", "say", "conversation", conversation, "text", words,
                     "label", label, "once", 1);
}

static json_t *once(const struct pair *pair, const char *label, const char *words)
{
    return give(pair->world, pair->alice, say_once("bob", label, words));
}

static void a_line_is_said_once(void **state)
{
    struct world *world = *state;
    struct pair pair;
    pair_make(&pair, world);
    json_t *first = once(&pair, "a", "hello"), *again = once(&pair, "a", "something else");
    assert_int_equal(number(first, "seq"), number(again, "seq"));
    json_decref(again);
    json_decref(once(&pair, "b", "second"));
    /* Without `once` a label is only a mark. */
    for (unsigned i = 0; i < 2; i++)
        good(world, pair.alice,
             json_pack("{s:s,s:s,s:s,s:s}", "do", "say", "conversation", "bob", "text", "marked", "label",
                       "c"));
    json_decref(once(&pair, "c", "third"));
    world_quiet(world);
    assert_history(world, pair.alice, "bob", "sent hello\nsent second\nsent marked\nsent marked\n");
    world_restart(world);
    pair_meet(&pair, world);
    again = once(&pair, "a", "after a restart");
    assert_int_equal(number(first, "seq"), number(again, "seq"));
    assert_int_equal(number(first, "time"), number(again, "time"));
    json_decref(again);
    json_decref(first);
    /* Another conversation has labels of its own. */
    good(world, pair.bob, say_once("alice", "a", "from bob"));
    world_quiet(world);
    assert_history(world, pair.bob, "alice",
                   "received hello\nreceived second\nreceived marked\nreceived marked\nsent from bob\n");
    bad(world, pair.alice,
        json_pack("{s:s,s:s,s:s,s:b}", "do", "say", "conversation", "bob", "text", "x", "once", 1),
        ERROR_INVALID);
}

static void also_while_it_is_being_stored(void **state)
{
    struct world *world = *state;
    struct pair pair;
    struct answer answers[6];
    pair_make(&pair, world);
    struct gateway_session *other = session_of(world, "alice");
    for (size_t i = 0; i < 6; i++) {
        json_t *command = say_once("bob", i < 4 ? "a" : "b", "hello");
        if (i == 4) /* the first time it was not asked for */
            json_object_del(command, "once");
        start(i % 2 == 0 ? pair.alice : other, command, &answers[i]);
    }
    gateway_logout(other); /* its answers are not heard */
    for (size_t i = 0; i < 6; i += 2)
        finish(world, &answers[i]);
    assert_true(json_equal(answers[0].result, answers[2].result));
    assert_false(json_equal(answers[0].result, answers[4].result));
    world_quiet(world);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(answers[i].calls, i % 2 == 0);
        json_decref(answers[i].result);
    }
    assert_history(world, pair.alice, "bob", "sent hello\nsent hello\n");
}

/* What could not be said was not said: it may be asked for again. */
static void a_refusal_is_no_line(void **state)
{
    struct world *world = *state;
    struct pair pair;
    struct answer answers[2];
    pair_make(&pair, world);
    struct rlimit before = disk_fill();
    for (size_t i = 0; i < 2; i++)
        start(pair.alice, say_once("bob", "a", "hello"), &answers[i]);
    for (size_t i = 0; i < 2; i++) {
        finish(world, &answers[i]);
        assert_int_equal(answers[i].code, ERROR_UNAVAILABLE);
    }
    disk_clear(&before);
    json_t *said = once(&pair, "a", "hello");
    world_quiet(world);
    assert_history(world, pair.alice, "bob", "sent hello\n");
    good(world, pair.alice, json_pack("{s:s,s:s}", "do", "conversation.close", "conversation", "bob"));
    json_t *known = once(&pair, "a", "hello");
    assert_int_equal(number(said, "seq"), number(known, "seq"));
    json_decref(said);
    json_decref(known);
    bad(world, pair.alice, say_once("bob", "new", "x"), ERROR_INVALID);
}

/* --- searching */

static json_t *search(struct world *world, struct gateway_session *session, const char *words, int max)
{
    return give(world, session, json_pack("{s:s,s:s,s:i}", "do", "search", "text", words, "max", max));
}

static void lines_are_found(void **state)
{
    struct world *world = *state;
    struct pair pair;
    pair_make(&pair, world);
    static const char *const said[] = {"Das ist SCHÖN", "nichts", "schöner Tag", "Schön!"};
    for (size_t i = 0; i < 4; i++) {
        good(world, i % 2 == 0 ? pair.alice : pair.bob,
             json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", i % 2 == 0 ? "bob" : "alice", "text",
                       said[i]));
        world_quiet(world);
    }
    json_t *answer = search(world, pair.alice, "schön", 2), *lines = json_object_get(answer, "lines");
    assert_int_equal(json_array_size(lines), 2);
    assert_string_equal(text(json_array_get(lines, 0), "text"), "Schön!");
    assert_string_equal(text(json_array_get(lines, 0), "handle"), "bob");
    assert_string_equal(text(json_array_get(lines, 1), "text"), "schöner Tag");
    assert_true(json_is_true(json_object_get(answer, "more")));
    json_t *rest = give(world, pair.alice,
                        json_pack("{s:s,s:s,s:s,s:I}", "do", "search", "text", "SCHÖN", "conversation", "bob",
                                  "before", (json_int_t)number(answer, "before")));
    lines = json_object_get(rest, "lines");
    assert_int_equal(json_array_size(lines), 1);
    assert_string_equal(text(json_array_get(lines, 0), "text"), "Das ist SCHÖN");
    assert_true(json_is_false(json_object_get(rest, "more")));
    json_decref(rest);
    json_decref(answer);

    /* Nobody else's. */
    account_make(world, "carol");
    answer = search(world, session_of(world, "carol"), "schön", 200);
    assert_int_equal(json_array_size(json_object_get(answer, "lines")), 0);
    json_decref(answer);
    bad(world, pair.alice, json_pack("{s:s,s:s,s:s}", "do", "search", "text", "x", "conversation", "nobody"),
        ERROR_NOT_FOUND);
    char words[258];
    memset(words, 'x', 257);
    words[257] = '\0';
    bad(world, pair.alice, json_pack("{s:s,s:s}", "do", "search", "text", words), ERROR_INVALID);

    struct answer answers[5];
    for (size_t i = 0; i < 5; i++)
        start(pair.alice, json_pack("{s:s,s:s}", "do", "search", "text", "x"), &answers[i]);
    for (size_t i = 0; i < 5; i++) {
        finish(world, &answers[i]);
        assert_int_equal(answers[i].code, i < 4 ? 0 : ERROR_LIMIT);
        json_decref(answers[i].result);
    }
    json_decref(search(world, pair.alice, "x", 1));
}

/* What a person types into the control channel. */
static void a_verb_finds_them_too(void **state)
{
    struct world *world = *state;
    struct pair pair;
    pair_make(&pair, world);
    good(world, pair.alice,
         json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "bob", "text", "The blue\nHouse"));
    good(world, pair.alice,
         json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "bob", "text", "a blue h"));
    world_quiet(world);
    static const struct {
        const char *typed;
        size_t count;
        const char *end;
    } cases[] = {
        {"search BLUE", 2, "to bob: a blue h"},
        {"Search blue   H", 1, "to bob: a blue h"},
        {"search house", 1, "to bob: The blue\ufffdHouse"},
        {"search nothing of that", 1, "nothing found"},
        {"search", 1, "search TEXT: some words that were said"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *answer =
                   give(world, pair.alice, json_pack("{s:s,s:s}", "do", "verb", "text", cases[i].typed)),
               *lines = json_object_get(answer, "lines");
        assert_int_equal(json_array_size(lines), cases[i].count);
        const char *last = json_string_value(json_array_get(lines, cases[i].count - 1));
        assert_string_equal(last + strlen(last) - strlen(cases[i].end), cases[i].end);
        json_decref(answer);
    }
}

/* Long lines are given in as many answers as they need. */
static void long_lines_fit(void **state)
{
    struct world *world = *state;
    struct pair pair;
    pair_make(&pair, world);
    static char words[60001];
    memset(words, 'x', 60000);
    for (size_t i = 0; i < 20; i++) {
        good(world, pair.alice,
             json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "bob", "text", words));
        world_quiet(world);
    }
    size_t found = 0, answers = 0;
    int64_t before = INT64_MAX;
    for (bool more = true; more;) {
        json_t *answer = give(world, pair.alice,
                              json_pack("{s:s,s:s,s:I,s:i}", "do", "search", "text", "XxX", "before",
                                        (json_int_t)before, "max", 200));
        assert_true(json_dumpb(answer, NULL, 0, JSON_COMPACT) < 1 << 20);
        found += json_array_size(json_object_get(answer, "lines"));
        answers++;
        before = number(answer, "before");
        more = json_is_true(json_object_get(answer, "more"));
        json_decref(answer);
    }
    assert_int_equal(found, 20);
    assert_int_equal(answers, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_line_is_said_once), TEST(also_while_it_is_being_stored), TEST(a_refusal_is_no_line),
        TEST(lines_are_found),     TEST(a_verb_finds_them_too),         TEST(long_lines_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
