/* SPDX-License-Identifier: ISC */
/* Searching texts, and finding a line by its label. */
#include "store_test.h"

static int begin(void **state)
{
    static struct place place;
    place_make(&place);
    place_open(&place);
    put_first(&place);
    struct store_batch *batch = store_begin(place.store);
    struct conversation_row second = some_conversation(1, 2);
    store_put_conversation(batch, &second);
    commit_good(&place, batch);
    *state = &place;
    return 0;
}

static int end(void **state)
{
    place_free(*state);
    return 0;
}

struct found {
    struct lines lines;
    int64_t before;
    bool more;
};

static void note_found(void *arg, const struct line_row *row)
{
    note_line(&((struct found *)arg)->lines, row);
}

static void note_searched(void *arg, int64_t before, bool more, const struct error *error)
{
    struct found *found = arg;
    found->before = before;
    found->more = more;
    note_outcome(&found->lines.outcome, error);
}

static const struct found *search(struct place *place, const char *text, int64_t conversation, int64_t before,
                                  unsigned max)
{
    static struct found found;
    memset(&found, 0, sizeof found);
    const struct store_search wanted = {1, conversation, text, before, max};
    store_search(place->store, &wanted, note_found, note_searched, &found);
    lines_wait(place, &found.lines);
    return &found;
}

static void put_text(struct place *place, int64_t seq, int64_t conversation, struct bytes text)
{
    struct line_row line = some_line(1, seq, conversation, "");
    line.text = text;
    struct store_batch *batch = store_begin(place->store);
    store_put_line(batch, &line);
    commit_good(place, batch);
}

static void test_case_is_ignored(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *line, *text;
        bool found;
    } cases[] = {
        {"The quick brown fox", "QUICK BROWN", true},
        {"THE QUICK", "the quick", true},
        {"quick", "quickly", false},
        {"Grüße aus KÖLN", "grüsse", false},
        {"Grüße aus KÖLN", "GRÜßE AUS köln", true},
        {"Straße", "STRAẞE", true},
        {"Привет, МИР", "привет, мир", true},
        {"ΣΊΣΥΦΟΣ", "σίσυφος", true},
        {"σίσυφος", "ΣΊΣΥΦΟΣ", true},
        {"ԲԱՐԵՒ", "բարեւ", true},
        {"ȺȾ", "ⱥⱦ", true},
        {"𐐀𐐁", "𐐨𐐩", true},
        {"日本語のテキスト", "本語", true},
        {"日本語のテキスト", "語本", false},
        {"naïve", "naive", false},
        {"100% _sure_", "% _", true},
        {"a", "a", true},
        {"", "a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seq = (int64_t)i + 1;
        put_text(place, seq, 1, bytes_of_string(cases[i].line));
        const struct found *found = search(place, cases[i].text, 0, seq + 1, 1);
        bool this_one = found->lines.count == 1 && found->lines.seq[0] == seq;
        if (this_one != cases[i].found)
            fail_msg("\"%s\" in \"%s\"", cases[i].text, cases[i].line);
    }
}

static void test_any_bytes_are_looked_at(void **state)
{
    struct place *place = *state;
    put_text(place, 1, 1, bytes_of("\xff\xc3(\0Needle\xe2\x82", 13));
    put_text(place, 2, 1, bytes_of("\xf0\x9f\x98", 3));
    put_text(place, 3, 1, bytes_of("\0", 1));
    assert_int_equal(search(place, "nEEDLE", 0, INT64_MAX, 10)->lines.count, 1);
    assert_int_equal(search(place, "haystack", 0, INT64_MAX, 10)->lines.count, 0);
}

static void test_pages(void **state)
{
    struct place *place = *state;
    struct store_batch *batch = store_begin(place->store);
    for (int64_t seq = 1; seq <= 100; seq++) {
        struct line_row line = some_line(1, seq, seq % 2 == 1 ? 1 : 2, seq % 10 == 3 ? "Needle" : "hay");
        store_put_line(batch, &line);
    }
    commit_good(place, batch);

    const struct found *found = search(place, "needle", 0, INT64_MAX, 4);
    assert_int_equal(found->lines.count, 4);
    assert_int_equal(found->lines.seq[0], 93);
    assert_int_equal(found->lines.seq[3], 63);
    assert_int_equal(found->before, 63);
    assert_true(found->more);
    found = search(place, "needle", 0, found->before, 10);
    assert_int_equal(found->lines.count, 6);
    assert_int_equal(found->lines.seq[5], 3);
    assert_int_equal(found->before, 1);
    assert_false(found->more);
    assert_int_equal(search(place, "needle", 1, INT64_MAX, 100)->lines.count, 10);
    assert_int_equal(search(place, "needle", 2, INT64_MAX, 100)->lines.count, 0);
    assert_int_equal(search(place, "needle", 3, INT64_MAX, 100)->lines.count, 0);
    found = search(place, "needle", 0, 1, 10);
    assert_int_equal(found->lines.count, 0);
    assert_false(found->more);

    /* What is being removed is not shown. */
    batch = store_begin(place->store);
    store_remove(batch, 1, "conversation", 1, 200);
    commit_good(place, batch);
    assert_int_equal(search(place, "needle", 0, INT64_MAX, 100)->lines.count, 0);
    assert_int_equal(search(place, "needle", 1, INT64_MAX, 100)->lines.count, 0);
    assert_true(search(place, "hay", 0, INT64_MAX, 100)->lines.count > 0);
}

static void test_other_accounts_are_not_looked_at(void **state)
{
    struct place *place = *state;
    struct store_batch *batch = store_begin(place->store);
    struct account_row bob = some_account(2, "bob");
    struct conversation_row his = some_conversation(2, 1);
    struct line_row line = some_line(2, 1, 1, "needle");
    store_put_account(batch, &bob);
    store_put_conversation(batch, &his);
    store_put_line(batch, &line);
    commit_good(place, batch);
    assert_int_equal(search(place, "needle", 0, INT64_MAX, 100)->lines.count, 0);
    assert_int_equal(search(place, "needle", 1, INT64_MAX, 100)->lines.count, 0);
}

static void put_many(struct place *place, int64_t first, int64_t count, struct bytes text)
{
    while (count > 0) {
        struct store_batch *batch = store_begin(place->store);
        int64_t now = count < 50 ? count : 50;
        for (int64_t i = 0; i < now; i++) {
            struct line_row line = some_line(1, first++, 1, "");
            line.text = text;
            store_put_line(batch, &line);
        }
        count -= now;
        commit_good(place, batch);
    }
}

/* One search is bounded by lines and by bytes, and can be gone on with. */
static void test_bounds(void **state)
{
    struct place *place = *state;
    put_text(place, 1, 1, bytes_of_string("needle"));
    put_many(place, 2, STORE_SEARCH_LINES, bytes_of_string("hay"));
    const struct found *found = search(place, "needle", 0, INT64_MAX, 10);
    assert_int_equal(found->lines.count, 0);
    assert_true(found->more);
    assert_int_equal(found->before, 2);
    found = search(place, "needle", 0, found->before, 10);
    assert_int_equal(found->lines.count, 1);
    assert_false(found->more);

    static uint8_t long_text[64 << 10];
    memset(long_text, 'x', sizeof long_text);
    int64_t first = STORE_SEARCH_LINES + 2, fit = STORE_SEARCH_BYTES / (int64_t)sizeof long_text;
    put_many(place, first, fit + 10, bytes_of(long_text, sizeof long_text));
    found = search(place, "needle", 0, INT64_MAX, 10);
    assert_true(found->more);
    assert_int_equal(found->before, first + 10);

    char words[STORE_WORDS_LIMIT + 2];
    memset(words, 'x', sizeof words);
    words[sizeof words - 1] = '\0';
    static struct found refused;
    const struct store_search wanted = {1, 0, words, INT64_MAX, 1};
    store_search(place->store, &wanted, note_found, note_searched, &refused);
    while (refused.lines.outcome.calls == 0)
        uv_run(&place->loop, UV_RUN_ONCE);
    assert_int_equal(refused.lines.outcome.code, ERROR_LIMIT);
    words[STORE_WORDS_LIMIT] = '\0';
    assert_int_equal(search(place, words, 0, INT64_MAX, 1)->lines.count, 1);
}

static void put_labelled(struct place *place, int64_t seq, int64_t conversation, const char *label)
{
    struct line_row line = some_line(1, seq, conversation, "text");
    line.label = label;
    struct store_batch *batch = store_begin(place->store);
    store_put_line(batch, &line);
    commit_good(place, batch);
}

static int64_t labelled(struct place *place, int64_t conversation, const char *label)
{
    static struct lines lines;
    memset(&lines, 0, sizeof lines);
    store_labelled(place->store, 1, conversation, label, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    assert_true(lines.count <= 1);
    return lines.count == 1 ? lines.seq[0] : 0;
}

static void test_labels(void **state)
{
    struct place *place = *state;
    put_labelled(place, 1, 1, "");
    put_labelled(place, 2, 1, "a");
    put_labelled(place, 3, 2, "a");
    put_labelled(place, 4, 1, "b");
    put_labelled(place, 5, 1, "b");
    assert_int_equal(labelled(place, 1, "a"), 2);
    assert_int_equal(labelled(place, 2, "a"), 3);
    assert_int_equal(labelled(place, 1, "b"), 5);
    assert_int_equal(labelled(place, 2, "b"), 0);
    assert_int_equal(labelled(place, 1, "A"), 0);
    assert_int_equal(labelled(place, 1, ""), 0);
    struct store_batch *batch = store_begin(place->store);
    store_remove(batch, 1, "conversation", 1, 200);
    commit_good(place, batch);
    assert_int_equal(labelled(place, 1, "a"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_case_is_ignored, begin, end),
        cmocka_unit_test_setup_teardown(test_any_bytes_are_looked_at, begin, end),
        cmocka_unit_test_setup_teardown(test_pages, begin, end),
        cmocka_unit_test_setup_teardown(test_other_accounts_are_not_looked_at, begin, end),
        cmocka_unit_test_setup_teardown(test_bounds, begin, end),
        cmocka_unit_test_setup_teardown(test_labels, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
