/* SPDX-License-Identifier: ISC */
#include "store_test.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

static void note_password(void *arg, const struct app_password_row *row)
{
    assert_int_equal(row->idle, 0);
    ++*(unsigned *)arg;
}

/* A file of the first version, as its program left it. */
static void test_older_schema(void **state)
{
    struct place *place = *state;
    static const struct store_loader loader = {.app_password = note_password};
    unsigned passwords = 0;
    make_database(place);
    run_sql(place, "DROP INDEX line_label; DROP INDEX conversation_avatar;"
                   "ALTER TABLE app_password DROP COLUMN idle; PRAGMA user_version = 1;"
                   "INSERT INTO app_password VALUES (1, 7, 'phone', '*', zeroblob(32), 's', 8, 9)");
    place_open_with(place, &loader, &passwords);
    assert_int_equal(passwords, 1);
    struct app_password_row row = {.id = 8, .account = 1, .label = "", .scope = "*", .scram = "", .idle = 10};
    struct store_batch *batch = store_begin(place->store);
    store_put_app_password(batch, &row);
    commit_good(place, batch);
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
        cmocka_unit_test_setup_teardown(test_older_schema, begin, end),
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
