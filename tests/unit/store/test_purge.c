/* SPDX-License-Identifier: ISC */
#include "store_test.h"

#include <fcntl.h>
#include <sqlite3.h>

#include "store/database.h"
#include "store/purge.h"

static int begin(void **state)
{
    static struct place place;
    place_make(&place);
    place_open(&place);
    put_first(&place);
    *state = &place;
    return 0;
}

static int end(void **state)
{
    place_free(*state);
    return 0;
}

static int64_t rows_of(const struct place *place, const char *sql)
{
    char path[256];
    sqlite3 *database;
    sqlite3_stmt *statement;
    path_in(path, place, "retrogate.db");
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t rows = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return rows;
}

/* The store's thread goes on by itself; this ends when it has. */
static void wait_until_purged(const struct place *place)
{
    while (rows_of(place, "SELECT count(*) FROM purge") > 0)
        continue;
}

static const char marker[] = "a text that must not stay on the disk";

static void put_many(struct place *place, int64_t conversation, int64_t first, int64_t count)
{
    struct store_batch *batch = store_begin(place->store);
    struct conversation_row row = some_conversation(1, conversation);
    struct route_row route = some_route(1, conversation, conversation);
    store_put_conversation(batch, &row);
    store_put_route(batch, &route);
    for (int64_t seq = first; seq < first + count; seq++) {
        struct line_row line = some_line(1, seq, conversation, marker);
        uint64_t salt = (uint64_t)seq;
        if (seq % 2 == 0) {
            line.direction = "out";
            line.delivery = "queued";
        }
        store_put_line(batch, &line);
        store_put_salts(batch, conversation, &salt, 1);
    }
    commit_good(place, batch);
}

static unsigned lines_seen(struct place *place, int64_t conversation)
{
    static struct lines lines;
    memset(&lines, 0, sizeof lines);
    if (conversation > 0)
        store_history(place->store, 1, conversation, INT64_MAX, 1000, note_line, lines_done, &lines);
    else
        store_lines_changed(place->store, 1, 0, 1000, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    return lines.count;
}

static void count_queued(void *arg, const struct line_row *row)
{
    (void)row;
    ++*(unsigned *)arg;
}

static void count_salt(void *arg, int64_t route, uint64_t salt)
{
    (void)route;
    (void)salt;
    ++*(unsigned *)arg;
}

static void test_a_removed_conversation_is_gone_at_once(void **state)
{
    struct place *place = *state;
    put_many(place, 2, 1, 5000);
    put_many(place, 3, 5001, 10);
    struct store_batch *batch = store_begin(place->store);
    store_remove(batch, 1, "conversation", 2, 6000);
    commit_good(place, batch);
    assert_int_equal(lines_seen(place, 2), 0);
    assert_int_equal(lines_seen(place, 3), 10);
    assert_int_equal(lines_seen(place, 0), 10);

    /* Stopped in the middle, and taken up again at the next start. */
    unsigned seen = 0;
    const struct store_loader loader = {.queued_line = count_queued, .salt = count_salt};
    place_close(place);
    place_open_with(place, &loader, &seen);
    assert_int_equal(seen, 5 + 10);
    wait_until_purged(place);
    assert_int_equal(rows_of(place, "SELECT count(*) FROM line"), 10);
    assert_int_equal(rows_of(place, "SELECT count(*) FROM salt"), 10);
    assert_int_equal(rows_of(place, "SELECT count(*) FROM route"), 1);
}

static bool holds(const struct place *place, const char *name, const char *text)
{
    char path[256];
    path_in(path, place, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t most = 16 << 20;
    char *data = malloc(most);
    assert_non_null(data);
    size_t size = fread(data, 1, most, file);
    assert_true(size < most);
    bool found = memmem(data, size, text, strlen(text)) != NULL;
    free(data);
    fclose(file);
    return found;
}

static bool file_holds(const struct place *place, const char *text)
{
    return holds(place, "retrogate.db", text);
}

static void test_an_account_takes_all_with_it(void **state)
{
    struct place *place = *state;
    char path[256];
    put_many(place, 2, 1, 1000);
    for (char i = 0; i < 100; i++)
        store_blob_put(place->store, 1, bytes_of(&i, 1), NULL, NULL);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    path_in(path, place, "blobs/1");
    assert_int_equal(access(path, F_OK), 0);
    place_close(place);
    assert_true(file_holds(place, marker));
    place_open(place);

    struct store_batch *batch = store_begin(place->store);
    store_delete_account(batch, 1);
    commit_good(place, batch);
    assert_int_equal(lines_seen(place, 0), 0);
    wait_until_purged(place);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(rows_of(place, "SELECT (SELECT count(*) FROM line) + (SELECT count(*) FROM salt)"
                                    " + (SELECT count(*) FROM route) + (SELECT count(*) FROM conversation)"
                                    " + (SELECT count(*) FROM account) + (SELECT count(*) FROM gone)"),
                     0);
    place_close(place);
    assert_false(file_holds(place, marker));
}

/* Neither the file nor the log, and without stopping. */
static void test_removed_texts_leave_the_log(void **state)
{
    struct place *place = *state;
    struct client_row client = {.account = 1, .name = "irc/x", .epoch = 1};
    put_many(place, 2, 1, 1000);
    assert_true(holds(place, "retrogate.db-wal", marker) || file_holds(place, marker));
    struct store_batch *batch = store_begin(place->store);
    store_remove(batch, 1, "conversation", 2, 6000);
    commit_good(place, batch);
    wait_until_purged(place);
    while (holds(place, "retrogate.db-wal", marker) || file_holds(place, marker)) {
        /* The look just taken may have held the log: it is emptied after the next transaction. */
        batch = store_begin(place->store);
        client.change++;
        store_put_client(batch, &client);
        commit_good(place, batch);
    }
}

/* A route that is settled: what wiped its keys also takes them from the log. */
static void test_wiped_keys_leave_the_files(void **state)
{
    struct place *place = *state;
    static const char key[] = "a key that must not stay on the disk";
    struct store_batch *batch = store_begin(place->store);
    struct route_row route = some_route(1, 5, 1);
    route.keys_wrapped = bytes_of_string(key);
    store_put_route(batch, &route);
    commit_good(place, batch);
    while (!file_holds(place, key)) /* the log was emptied into the file */
        continue;

    batch = store_begin(place->store);
    route.keys_wrapped = bytes_of_string("the root");
    route.settled = true;
    store_put_route(batch, &route);
    commit_good(place, batch);
    while (file_holds(place, key) || holds(place, "retrogate.db-wal", key))
        continue;
    assert_int_equal(rows_of(place, "SELECT settled FROM route WHERE id = 5"), 1);
}

/* A removal holds up other transactions for one piece at most. */
static void test_pieces_are_small(void **state)
{
    struct place *place = *state;
    place_close(place);
    sqlite3 *database = database_open_writer(place->directory, NULL);
    assert_non_null(database);
    assert_true(
        database_run(database,
                     "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                     " INSERT INTO line SELECT 1, i, 7, 0, 'in', 'x', 0, 0, 'received', '', '', i, 0 FROM n;"
                     "INSERT INTO purge VALUES ('lines', 1, 7);",
                     NULL));
    int64_t left = 1000;
    while (purge_piece(database, -1)) {
        int64_t now = rows_of(place, "SELECT count(*) FROM line");
        assert_in_range(left - now, left > 0 ? 1 : 0, 200);
        left = now;
    }
    assert_int_equal(left, 0);
    assert_int_equal(rows_of(place, "SELECT count(*) FROM purge"), 0);
    sqlite3_close(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_removed_conversation_is_gone_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_an_account_takes_all_with_it, begin, end),
        cmocka_unit_test_setup_teardown(test_removed_texts_leave_the_log, begin, end),
        cmocka_unit_test_setup_teardown(test_wiped_keys_leave_the_files, begin, end),
        cmocka_unit_test_setup_teardown(test_pieces_are_small, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
