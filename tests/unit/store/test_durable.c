/* SPDX-License-Identifier: ISC */
#include "store_test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/source.h"

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

/* The child: commits line after line, four at a time, and reports each when it is told that it is durable. */
enum { AT_A_TIME = 4 };

struct writing {
    struct store *store;
    int report;
    int64_t next;
    int64_t waiting[AT_A_TIME];
};

struct turn {
    struct writing *writing;
    unsigned place;
};

static void commit_next(struct turn *turn);

static void on_durable(void *arg, const struct error *error)
{
    struct turn *turn = arg;
    int64_t seq = turn->writing->waiting[turn->place];
    if (error != NULL || write(turn->writing->report, &seq, sizeof seq) != sizeof seq)
        _exit(1);
    commit_next(turn);
}

static void commit_next(struct turn *turn)
{
    struct writing *writing = turn->writing;
    struct line_row line = some_line(1, writing->next++, 1, "kept");
    writing->waiting[turn->place] = line.seq;
    struct store_batch *batch = store_begin(writing->store);
    store_put_line(batch, &line);
    store_commit(batch, on_durable, turn);
}

static void child_main(const char *directory, int report, int64_t first)
{
    static const struct store_loader nothing = {0};
    struct writing writing = {.report = report, .next = first};
    struct turn turns[AT_A_TIME];
    uv_loop_t loop;
    uv_loop_init(&loop);
    writing.store = store_open(&loop, directory, &nothing, NULL, NULL);
    if (writing.store == NULL)
        _exit(1);
    for (unsigned i = 0; i < AT_A_TIME; i++) {
        turns[i] = (struct turn){&writing, i};
        commit_next(&turns[i]);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(1);
}

/* Kills the child after `reports` reports. The highest line that it reported. */
static int64_t killed_run(struct place *place, int64_t first, uint32_t reports)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        child_main(place->directory, ends[1], first);
    }
    close(ends[1]);
    int64_t seq = 0, highest = 0;
    for (uint32_t i = 0; read(ends[0], &seq, sizeof seq) == sizeof seq; i++) {
        highest = seq > highest ? seq : highest;
        if (i == reports)
            kill(child, SIGKILL);
    }
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return highest;
}

/* Answers come in order, so every line up to the highest reported one must be there. */
static int64_t count_lines(struct place *place, int64_t highest)
{
    static struct lines lines;
    int64_t last = 0;
    do {
        memset(&lines, 0, sizeof lines);
        store_history_after(place->store, 1, 1, last, 1000, note_line, lines_done, &lines);
        lines_wait(place, &lines);
        for (unsigned i = 0; i < lines.count; i++)
            assert_int_equal(lines.seq[i], ++last);
    } while (lines.count > 0);
    assert_true(last >= highest);
    return last;
}

static void test_what_was_answered_survives_a_kill(void **state)
{
    struct place *place = *state;
    struct random_seeded seeded;
    struct random_source random = random_from_seed(&seeded, 20130901);
    int64_t last = 0;

    place_open(place);
    put_first(place);
    place_close(place);
    for (int run = 0; run < 20; run++) {
        int64_t highest = killed_run(place, last + 1, random_below(&random, 300));
        assert_true(highest > last);
        place_open(place);
        last = count_lines(place, highest);
        place_close(place);
    }
}

/* A full disk, as far as files are concerned that would grow beyond what they are. */
static struct rlimit fill_disk(const struct place *place)
{
    char log[256];
    struct stat facts;
    struct rlimit before, full;
    path_in(log, place, "retrogate.db-wal");
    assert_int_equal(stat(log, &facts), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    full = before;
    full.rlim_cur = (rlim_t)facts.st_size;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    return before;
}

static struct outcome put_large(struct place *place, int64_t first)
{
    static char text[STORE_TEXT_LIMIT];
    memset(text, 'x', sizeof text);
    struct store_batch *batch = store_begin(place->store);
    for (int64_t seq = first; seq < first + 40; seq++) {
        struct line_row line = some_line(1, seq, 1, "");
        line.text = bytes_of(text, sizeof text);
        store_put_line(batch, &line);
    }
    return commit_now(place, batch);
}

static void note_blob(void *arg, const char *id, struct bytes data, const struct error *error)
{
    (void)id;
    (void)data;
    note_outcome(arg, error);
}

static void test_a_full_disk(void **state)
{
    struct place *place = *state;
    static uint8_t noise[2 << 20];
    struct store_stats stats;
    struct outcome outcome, blob = {0};
    place_open(place);
    put_first(place);
    struct line_row line = some_line(1, 1, 1, "before");
    struct store_batch *batch = store_begin(place->store);
    store_put_line(batch, &line);
    commit_good(place, batch);

    struct rlimit before = fill_disk(place);
    for (int i = 0; i < 3; i++) {
        outcome = put_large(place, 2);
        store_blob_put(place->store, 1, bytes_of(noise, sizeof noise), note_blob, &blob);
        uv_run(&place->loop, UV_RUN_DEFAULT);
        if (outcome.code != ERROR_UNAVAILABLE || blob.code != ERROR_UNAVAILABLE)
            break;
    }
    store_stats(place->store, &stats);
    assert_int_equal(count_lines(place, 1), 1); /* reading goes on */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    assert_int_equal(outcome.code, ERROR_UNAVAILABLE);
    assert_non_null(strstr(outcome.text, "disk full"));
    assert_int_equal(blob.code, ERROR_UNAVAILABLE);
    assert_non_null(strstr(blob.text, "disk full"));
    assert_true(stats.disk_full);
    assert_int_equal(stats.failed, 3);

    /* Room again: it goes on without more ado, and what was refused left nothing. */
    assert_int_equal(put_large(place, 2).code, 0);
    store_stats(place->store, &stats);
    assert_false(stats.disk_full);
    assert_int_equal(count_lines(place, 41), 41);
    place_close(place);
    place_open(place);
    assert_int_equal(count_lines(place, 41), 41);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_answered_survives_a_kill, begin, end),
        cmocka_unit_test_setup_teardown(test_a_full_disk, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
