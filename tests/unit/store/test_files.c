/* SPDX-License-Identifier: ISC */
#include "store_test.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/migrations.h"

static int begin(void **state)
{
    static struct place place;
    place_make(&place);
    *state = &place;
    return 0;
}

static int end(void **state)
{
    place_free(*state);
    return 0;
}

/* A database with some pages, closed. */
static void make_database(struct place *place)
{
    place_open(place);
    put_first(place);
    struct store_batch *batch = store_begin(place->store);
    for (int64_t seq = 1; seq <= 500; seq++) {
        struct line_row line = some_line(1, seq, 1, "a line of some length, so that there are pages enough");
        store_put_line(batch, &line);
    }
    commit_good(place, batch);
    place_close(place);
}

struct content {
    uint8_t *data;
    size_t size;
};

static struct content content_of(const char *path)
{
    struct content content = {0};
    struct stat facts;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &facts), 0);
    content.size = (size_t)facts.st_size;
    content.data = malloc(content.size + 1);
    assert_non_null(content.data);
    assert_int_equal(read(fd, content.data, content.size), facts.st_size);
    close(fd);
    return content;
}

static void write_content(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
}

/* The store refuses the file as it is, says why, and leaves it as it is. */
static void assert_refused(struct place *place, enum error_code code, const char *word)
{
    char path[256], text[256];
    path_in(path, place, "retrogate.db");
    struct content before = content_of(path);
    assert_int_equal(place_refusal(place, text), code);
    assert_non_null(strstr(text, word));
    struct content after = content_of(path);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    free(before.data);
    free(after.data);
}

static mode_t mode_of(const char *path)
{
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    return facts.st_mode & 0777;
}

static void test_others_cannot_read(void **state)
{
    struct place *place = *state;
    char path[256], log[256];
    path_in(path, place, "retrogate.db");
    path_in(log, place, "retrogate.db-wal");
    assert_int_equal(rmdir(place->directory), 0);
    mode_t mask = umask(0);
    place_open(place);
    put_first(place);
    umask(mask);
    assert_int_equal(mode_of(place->directory), 0700);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(mode_of(log), 0600);
    place_close(place);
    assert_int_not_equal(access(log, F_OK), 0); /* closed well, nothing is left in the log */

    assert_int_equal(chmod(place->directory, 0755), 0);
    assert_int_equal(chmod(path, 0644), 0);
    place_open(place);
    assert_int_equal(mode_of(place->directory), 0700);
    assert_int_equal(mode_of(path), 0600);
}

static void test_one_process_a_directory(void **state)
{
    struct place *place = *state;
    char text[256];
    place_open(place);
    assert_int_equal(place_refusal(place, text), ERROR_UNAVAILABLE);
    assert_non_null(strstr(text, "another retrogated uses"));

    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static const struct store_loader nothing = {0};
        struct error *error = NULL;
        uv_loop_t loop;
        uv_loop_init(&loop);
        struct store *store = store_open(&loop, place->directory, &nothing, NULL, &error);
        _exit(store == NULL && error != NULL && error->code == ERROR_UNAVAILABLE ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    put_first(place); /* the refusals did no harm */
    place_close(place);
    place_open(place);
}

/* As systemd's DynamicUser has it. */
static void test_a_directory_behind_a_link(void **state)
{
    struct place *place = *state;
    struct place link = {0};
    make_database(place);
    snprintf(link.directory, sizeof link.directory, "%s.link", place->directory);
    assert_int_equal(symlink(place->directory, link.directory), 0);
    assert_int_equal(uv_loop_init(&link.loop), 0);
    place_open(&link);
    place_close(&link);
    assert_int_equal(uv_loop_close(&link.loop), 0);
    assert_int_equal(unlink(link.directory), 0);
}

static void run_sql(struct place *place, const char *sql)
{
    char path[256];
    sqlite3 *database;
    path_in(path, place, "retrogate.db");
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void test_newer_schema(void **state)
{
    make_database(*state);
    run_sql(*state, "PRAGMA user_version = 999");
    assert_refused(*state, ERROR_INVALID, "newer retrogate (schema 999");
}

/* What a file of an older version holds, as the loader gives it. */
struct older {
    unsigned passwords, contacts, conversations, routes, queued, sent;
};

static void note_password(void *arg, const struct app_password_row *row)
{
    assert_int_equal(row->idle, 0);
    ((struct older *)arg)->passwords++;
}

static void note_contact(void *arg, const struct contact_row *row)
{
    assert_string_equal(row->handle, "bob");
    assert_string_equal(row->presence, "never");
    assert_string_equal(row->posts, "unknown");
    assert_int_equal(row->change, 7);
    ((struct older *)arg)->contacts++;
}

static void note_conversation(void *arg, const struct conversation_row *row)
{
    assert_false(row->sealed);
    assert_int_equal(row->last_seq, 2);
    assert_int_equal(row->change, 9);
    ((struct older *)arg)->conversations++;
}

static void note_route(void *arg, const struct route_row *row)
{
    static const uint8_t nothing[32];
    assert_string_equal(row->kind, "classic");
    assert_string_equal(row->sealing, "never");
    assert_false(row->settled);
    assert_memory_equal(row->context, nothing, 32);
    assert_int_equal(row->number_out, 0);
    assert_int_equal(row->number_in, 0);
    assert_int_equal(row->hash[19], 0x77);
    assert_true(bytes_equal(row->keys_wrapped, bytes_of_string("keys")));
    assert_int_equal(row->salt_next, 10);
    assert_true(row->confirmed && !row->closed_by_peer);
    assert_int_equal(row->created, 11);
    assert_int_equal(row->last_used, 12);
    ((struct older *)arg)->routes++;
}

static void note_queued(void *arg, const struct line_row *row)
{
    assert_int_equal(row->number, 0);
    assert_int_equal(row->seq, 2);
    assert_true(bytes_equal(row->text, bytes_of_string("later")));
    ((struct older *)arg)->queued++;
}

static void note_sent(void *arg, const struct line_row *row)
{
    (void)row;
    ((struct older *)arg)->sent++;
}

/* A file of that version, made by the statements that made it then. */
static void make_older(struct place *place, int version)
{
    /* Columns are named in tables that have more in some of these versions. */
    static const char rows[] =
        "PRAGMA application_id = 0x72747267;"
        "INSERT INTO account VALUES (1, 'alice', '', zeroblob(20), x'', x'', x'', '{}', 1, 0, 0);"
        "INSERT INTO counter VALUES (1, 2, 9);"
        "INSERT INTO app_password (account, id, label, scope, sha256, scram, created, last_used)"
        " VALUES (1, 7, 'phone', '*', zeroblob(32), 's', 8, 9);"
        "INSERT INTO contact VALUES (1, 1, 'bob', 'Bob', zeroblob(20), x'', 'never', 2, 7);"
        "INSERT INTO conversation (account, id, contact, open, read_seq, last_seq, closed_at, avatar,"
        " state_text, created, change) VALUES (1, 1, 1, 1, 0, 2, 0, '', '', 3, 9);"
        "INSERT INTO route (id, account, conversation, kind, role, invite, hash, keys_wrapped, salt_next,"
        " confirmed, closed_by_peer, created, last_used) VALUES (5, 1, 1, 'classic', 'guest', 6,"
        " x'0000000000000000000000000000000000000077', CAST('keys' AS BLOB), 10, 1, 0, 11, 12);"
        "INSERT INTO line (account, seq, conversation, route, direction, text, time, peer_time, delivery,"
        " reason, label, change) VALUES (1, 1, 1, 5, 'out', 'now', 4, 0, 'sent', '', '', 8),"
        " (1, 2, 1, 0, 'out', 'later', 5, 0, 'queued', 'no tunnel', '', 9);"
        "INSERT INTO gone VALUES (1, 'invite', 3, 6);";
    char path[256];
    sqlite3 *database;
    struct error *error = NULL;
    path_in(path, place, "retrogate.db");
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_true(migrations_run(database, 0, version, &error));
    assert_int_equal(sqlite3_exec(database, rows, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void test_older_schemas(void **state)
{
    struct place *place = *state;
    static const struct store_loader loader = {.app_password = note_password,
                                               .contact = note_contact,
                                               .conversation = note_conversation,
                                               .route = note_route,
                                               .queued_line = note_queued,
                                               .sent_line = note_sent};
    char path[256];
    path_in(path, place, "retrogate.db");
    for (int version = 1; version < migrations_newest(); version++) {
        struct older older = {0};
        make_older(place, version);
        place_open_with(place, &loader, &older);
        assert_int_equal(older.passwords, 1);
        assert_int_equal(older.contacts, 1);
        assert_int_equal(older.conversations, 1);
        assert_int_equal(older.routes, 1);
        assert_int_equal(older.queued, 1);
        assert_int_equal(older.sent, 0); /* classic: nobody can tell its fate */
        struct lines lines = {0};
        store_history(place->store, 1, 1, INT64_MAX, 10, note_line, lines_done, &lines);
        lines_wait(place, &lines);
        assert_int_equal(lines.count, 2);
        assert_string_equal(lines.delivery, "sent");
        struct store_batch *batch = store_begin(place->store);
        store_set_number(batch, 1, 2, 5, 1, 10);
        commit_good(place, batch);
        place_close(place);
        assert_int_equal(unlink(path), 0);
    }
}

/* A migration that was released is not changed: what it leaves is what it left then. */
static void test_released_schema(void **state)
{
    static const char *const released[] = {
        "a50396f63e8a7ac1d75bbfbbf02cbf0bc8c31fc215400b8cae51f79aefb77690",
        "2925d3d1f9e3f8e0e175b6364b38655c8f8f0156d1f0f1692663c18869fa1262",
        "1baa6566cb96fcf54cad762973d0fa5da711002ad242bb346f3225b0a3f119b0",
    };
    (void)state;
    for (int version = 1; version <= 3; version++) {
        sqlite3 *database;
        sqlite3_stmt *statement;
        struct error *error = NULL;
        uint8_t digest[32];
        char text[65];
        assert_int_equal(sqlite3_open(":memory:", &database), SQLITE_OK);
        assert_true(migrations_run(database, 0, version, &error));
        assert_int_equal(
            sqlite3_prepare_v2(database,
                               "SELECT group_concat(sql) FROM"
                               " (SELECT sql FROM sqlite_schema WHERE sql <> '' ORDER BY type, name)",
                               -1, &statement, NULL),
            SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        SHA256(sqlite3_column_text(statement, 0), (size_t)sqlite3_column_bytes(statement, 0), digest);
        hex_lower(text, digest, sizeof digest);
        assert_string_equal(text, released[version - 1]);
        sqlite3_finalize(statement);
        sqlite3_close(database);
    }
}

/* What a killed process left in the log is neither lost nor taken over by a program that refuses the file. */
static void test_newer_schema_in_the_log(void **state)
{
    struct place *place = *state;
    char path[256], log[256];
    sqlite3 *database;
    path_in(path, place, "retrogate.db");
    path_in(log, place, "retrogate.db-wal");
    make_database(place);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(sqlite3_exec(database, "PRAGMA user_version = 999", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);

    struct content before = content_of(log);
    assert_true(before.size > 0);
    assert_refused(place, ERROR_INVALID, "newer retrogate (schema 999");
    struct content after = content_of(log);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    free(before.data);
    free(after.data);
}

static void test_another_programs_file(void **state)
{
    run_sql(*state, "PRAGMA user_version = 1; CREATE TABLE t (a); INSERT INTO t VALUES (1);");
    assert_refused(*state, ERROR_INVALID, "another program");
    run_sql(*state, "PRAGMA user_version = 0");
    assert_refused(*state, ERROR_INVALID, "another program");
}

static void test_not_a_database(void **state)
{
    struct place *place = *state;
    char path[256];
    uint8_t noise[9000];
    path_in(path, place, "retrogate.db");
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 37 + 11);
    static const size_t sizes[] = {1, 99, 100, 512, 4096, 9000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_content(path, noise, sizes[i]);
        assert_refused(place, ERROR_INTERNAL, "damaged");
    }
}

static void test_truncated(void **state)
{
    struct place *place = *state;
    char path[256];
    path_in(path, place, "retrogate.db");
    make_database(place);
    struct content whole = content_of(path);
    assert_true(whole.size > 20 * 4096);
    const size_t sizes[] = {
        0, 1, 50, 100, 1000, 4096, 5000, whole.size / 2, whole.size - 4096, whole.size - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_content(path, whole.data, sizes[i]);
        assert_refused(place, ERROR_INTERNAL, "damaged");
    }
    write_content(path, whole.data, whole.size);
    place_open(place);
    free(whole.data);
}

static void test_damaged_pages(void **state)
{
    struct place *place = *state;
    char path[256];
    path_in(path, place, "retrogate.db");
    make_database(place);
    struct content whole = content_of(path);
    unsigned refused = 0;
    for (size_t page = 1; page < whole.size / 4096; page += 3) {
        uint8_t kept[4096];
        memcpy(kept, whole.data + page * 4096, 4096);
        memset(whole.data + page * 4096, 0xff, 4096);
        write_content(path, whole.data, whole.size);
        assert_refused(place, ERROR_INTERNAL, "damaged");
        memcpy(whole.data + page * 4096, kept, 4096);
        refused++;
    }
    assert_true(refused > 5);
    write_content(path, whole.data, whole.size);
    place_open(place);
    free(whole.data);
}

static void test_a_log_without_its_file(void **state)
{
    struct place *place = *state;
    char log[256], text[256];
    path_in(log, place, "retrogate.db-wal");
    write_content(log, "log", 3);
    assert_int_equal(place_refusal(place, text), ERROR_INTERNAL);
    assert_non_null(strstr(text, "damaged"));
    struct content after = content_of(log);
    assert_int_equal(after.size, 3);
    free(after.data);
}

static void test_a_place_that_is_none(void **state)
{
    struct place *place = *state;
    char path[256], text[256];
    path_in(path, place, "retrogate.db");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(place_refusal(place, text), ERROR_INVALID);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(place_refusal(place, text), ERROR_INVALID);
    assert_int_equal(unlink(path), 0);

    struct place nowhere = *place;
    snprintf(nowhere.directory, sizeof nowhere.directory, "%s/a/b", place->directory);
    static const struct store_loader nothing = {0};
    struct error *error = NULL;
    assert_null(store_open(&place->loop, nowhere.directory, &nothing, NULL, &error));
    assert_int_equal(error->code, ERROR_UNAVAILABLE);
    error_free(error);
    uv_run(&place->loop, UV_RUN_DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_others_cannot_read, begin, end),
        cmocka_unit_test_setup_teardown(test_one_process_a_directory, begin, end),
        cmocka_unit_test_setup_teardown(test_a_directory_behind_a_link, begin, end),
        cmocka_unit_test_setup_teardown(test_newer_schema, begin, end),
        cmocka_unit_test_setup_teardown(test_older_schemas, begin, end),
        cmocka_unit_test_setup_teardown(test_released_schema, begin, end),
        cmocka_unit_test_setup_teardown(test_newer_schema_in_the_log, begin, end),
        cmocka_unit_test_setup_teardown(test_another_programs_file, begin, end),
        cmocka_unit_test_setup_teardown(test_not_a_database, begin, end),
        cmocka_unit_test_setup_teardown(test_truncated, begin, end),
        cmocka_unit_test_setup_teardown(test_damaged_pages, begin, end),
        cmocka_unit_test_setup_teardown(test_a_log_without_its_file, begin, end),
        cmocka_unit_test_setup_teardown(test_a_place_that_is_none, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
