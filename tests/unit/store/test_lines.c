/* SPDX-License-Identifier: ISC */
#include "store_test.h"

#include <sqlite3.h>

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

/* Lines 1 to `count`, odd ones in conversation 1, even ones in 2. */
static void put_lines(struct place *place, int64_t count)
{
    struct store_batch *batch = store_begin(place->store);
    for (int64_t seq = 1; seq <= count; seq++) {
        struct line_row line = some_line(1, seq, seq % 2 == 1 ? 1 : 2, "text");
        store_put_line(batch, &line);
    }
    commit_good(place, batch);
}

static void test_history(void **state)
{
    struct place *place = *state;
    put_lines(place, 20);

    static struct lines lines;
    memset(&lines, 0, sizeof lines);
    store_history(place->store, 1, 1, INT64_MAX, 3, note_line, lines_done, &lines);
    assert_int_equal(lines.outcome.calls, 0);
    lines_wait(place, &lines);
    assert_int_equal(lines.count, 3);
    assert_int_equal(lines.seq[0], 19);
    assert_int_equal(lines.seq[2], 15);

    memset(&lines, 0, sizeof lines);
    store_history(place->store, 1, 1, 5, 100, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    assert_int_equal(lines.count, 2);
    assert_int_equal(lines.seq[0], 3);
    assert_int_equal(lines.seq[1], 1);

    memset(&lines, 0, sizeof lines);
    store_history_after(place->store, 1, 2, 4, 2, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    assert_int_equal(lines.count, 2);
    assert_int_equal(lines.seq[0], 6);
    assert_int_equal(lines.seq[1], 8);

    memset(&lines, 0, sizeof lines);
    store_history(place->store, 2, 1, INT64_MAX, 100, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    assert_int_equal(lines.count, 0);
}

static void test_a_read_has_at_most_1000_lines(void **state)
{
    struct place *place = *state;
    static struct lines lines;
    put_lines(place, 2400);
    memset(&lines, 0, sizeof lines);
    store_lines_changed(place->store, 1, 0, UINT32_MAX, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    assert_int_equal(lines.count, 1000);
    assert_int_equal(lines.seq[999], 1000);
}

static void test_changes(void **state)
{
    struct place *place = *state;
    static struct lines lines;
    put_lines(place, 4);
    struct line_row own = some_line(1, 5, 1, "own");
    own.direction = "out";
    own.delivery = "queued";
    own.label = "l";
    struct store_batch *batch = store_begin(place->store);
    store_put_line(batch, &own);
    store_set_delivery(batch, 1, 5, "failed", "the route ended", 7, 6);
    store_remove(batch, 1, "contact", 9, 8);
    store_remove(batch, 1, "invite", 9, 7);
    commit_good(place, batch);

    memset(&lines, 0, sizeof lines);
    store_lines_changed(place->store, 1, 3, 10, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    assert_int_equal(lines.count, 2);
    assert_int_equal(lines.change[0], 4);
    assert_int_equal(lines.change[1], 6);
    assert_int_equal(lines.seq[1], 5);
    assert_int_equal(lines.last.route, 7);
    assert_string_equal(lines.delivery, "failed");
    assert_string_equal(lines.reason, "the route ended");
    assert_string_equal(lines.label, "l");
}

struct gone {
    char text[256];
    struct outcome outcome;
};

static void note_gone(void *arg, const char *kind, int64_t id, int64_t change)
{
    struct gone *gone = arg;
    size_t size = strlen(gone->text);
    snprintf(gone->text + size, sizeof gone->text - size, "%s %lld %lld;", kind, (long long)id,
             (long long)change);
}

static void gone_done(void *arg, const struct error *error)
{
    note_outcome(&((struct gone *)arg)->outcome, error);
}

static void test_tombstones(void **state)
{
    struct place *place = *state;
    struct gone gone = {0};
    struct store_batch *batch = store_begin(place->store);
    store_remove(batch, 1, "contact", 9, 8);
    store_remove(batch, 1, "invite", 9, 7);
    store_remove(batch, 1, "conversation", 2, 8);
    commit_good(place, batch);
    store_gone(place->store, 1, 6, note_gone, gone_done, &gone);
    while (gone.outcome.calls == 0)
        uv_run(&place->loop, UV_RUN_ONCE);
    assert_string_equal(gone.text, "invite 9 7;contact 9 8;conversation 2 8;");
    memset(&gone, 0, sizeof gone);
    store_gone(place->store, 1, 8, note_gone, gone_done, &gone);
    while (gone.outcome.calls == 0)
        uv_run(&place->loop, UV_RUN_ONCE);
    assert_int_equal(gone.outcome.code, 0);
    assert_string_equal(gone.text, "");
}

/* What SQLite calls the stored text of line `seq`: "text" or "blob". */
static void stored_type(const struct place *place, int64_t seq, char type[8])
{
    char path[256];
    sqlite3 *database;
    sqlite3_stmt *statement;
    path_in(path, place, "retrogate.db");
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(database, "SELECT typeof(text) FROM line WHERE seq = ?1", -1, &statement, NULL),
        SQLITE_OK);
    sqlite3_bind_int64(statement, 1, seq);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    snprintf(type, 8, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(database);
}

static void test_any_bytes_come_back(void **state)
{
    struct place *place = *state;
    static struct lines lines;
    static const struct {
        const char *text;
        size_t size;
        const char *type;
    } cases[] = {
        {"", 0, "text"},
        {"plain", 5, "text"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", 13, "text"},
        {"a\0b", 3, "blob"},
        {"\0", 1, "blob"},
        {"\xff", 1, "blob"},
        {"\xc3", 1, "blob"},
        {"\xc0\x80", 2, "blob"},
        {"\xe0\x80\x80", 3, "blob"},
        {"\xed\xa0\x80", 3, "blob"},
        {"\xf4\x90\x80\x80", 4, "blob"},
        {"\xf8\x88\x80\x80\x80", 5, "blob"},
        {"ab\xe2\x82", 4, "blob"},
        {"\x80", 1, "blob"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t seq = (int64_t)i + 1;
        char type[8];
        struct line_row line = some_line(1, seq, 1, "");
        line.text = bytes_of(cases[i].text, cases[i].size);
        struct store_batch *batch = store_begin(place->store);
        store_put_line(batch, &line);
        commit_good(place, batch);
        memset(&lines, 0, sizeof lines);
        store_history(place->store, 1, 1, seq + 1, 1, note_line, lines_done, &lines);
        lines_wait(place, &lines);
        assert_int_equal(lines.count, 1);
        assert_int_equal(lines.text_size, cases[i].size);
        assert_memory_equal(lines.text, cases[i].text, cases[i].size);
        stored_type(place, seq, type);
        assert_string_equal(type, cases[i].type);
    }
}

static void test_counters_survive_their_lines(void **state)
{
    struct place *place = *state;
    put_lines(place, 6);
    struct store_batch *batch = store_begin(place->store);
    store_remove(batch, 1, "conversation", 1, 9);
    store_remove(batch, 1, "conversation", 2, 10);
    commit_good(place, batch);
    place_close(place);
    place_open(place);
    place_close(place);

    char path[256];
    sqlite3 *database;
    sqlite3_stmt *statement;
    path_in(path, place, "retrogate.db");
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(database, "SELECT last_seq, last_change FROM counter", -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int64(statement, 0), 6);
    assert_int_equal(sqlite3_column_int64(statement, 1), 10);
    sqlite3_finalize(statement);
    sqlite3_close(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_history, begin, end),
        cmocka_unit_test_setup_teardown(test_a_read_has_at_most_1000_lines, begin, end),
        cmocka_unit_test_setup_teardown(test_changes, begin, end),
        cmocka_unit_test_setup_teardown(test_tombstones, begin, end),
        cmocka_unit_test_setup_teardown(test_any_bytes_come_back, begin, end),
        cmocka_unit_test_setup_teardown(test_counters_survive_their_lines, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
