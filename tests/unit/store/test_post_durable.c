/* SPDX-License-Identifier: ISC */
#include "post_test.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/source.h"

/* A child stores posts, each with a mark and a delivery, a third of them with a blob, and reports those that
 * it was told are durable. It is killed at any moment. */

enum { AT_A_TIME = 4, BLOB_SIZE = 70000 };

static int begin(void **state)
{
    static struct place place;
    place_make(&place);
    place_open(&place);
    put_first(&place);
    place_close(&place);
    *state = &place;
    return 0;
}

static int end(void **state)
{
    place_free(*state);
    return 0;
}

struct writing {
    struct store *store;
    int report;
    int64_t next;
};

struct turn {
    struct writing *writing;
    int64_t seq;
};

static bool by_blob(int64_t seq)
{
    return seq % 3 == 0;
}

static void store_next(struct turn *turn);

static void on_durable(void *arg, const struct error *error)
{
    struct turn *turn = arg;
    if (error != NULL || write(turn->writing->report, &turn->seq, sizeof turn->seq) != sizeof turn->seq)
        _exit(1);
    store_next(turn);
}

static void put(struct turn *turn, const char *blob)
{
    struct post_row row = some_post(1, turn->seq, "out");
    struct delivery_row delivery = some_delivery(1, turn->seq, turn->seq);
    struct post_mark mark = {.time = INT64_MAX / 2};
    memcpy(mark.digest, &turn->seq, sizeof turn->seq);
    row.blob = blob;
    if (blob[0] == 0)
        row.message = bytes_of((const uint8_t *)&turn->seq, sizeof turn->seq);
    struct store_batch *batch = store_begin(turn->writing->store);
    store_put_post(batch, &row);
    store_put_post_mark(batch, 1, &mark);
    store_put_delivery(batch, &delivery);
    store_commit(batch, on_durable, turn);
}

static void on_blob(void *arg, const char *id, struct bytes data, const struct error *error)
{
    (void)data;
    if (error != NULL)
        _exit(1);
    put(arg, id);
}

static void store_next(struct turn *turn)
{
    static uint8_t data[BLOB_SIZE];
    turn->seq = turn->writing->next++;
    memcpy(data, &turn->seq, sizeof turn->seq);
    if (by_blob(turn->seq))
        store_blob_put(turn->writing->store, 1, bytes_of(data, sizeof data), on_blob, turn);
    else
        put(turn, "");
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
        turns[i] = (struct turn){&writing, 0};
        store_next(&turns[i]);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(1);
}

enum { MOST = 4096 };

static bool answered[MOST];

/* Kills the child after `reports` reports; notes what it reported. */
static void killed_run(struct place *place, int64_t first, uint32_t reports)
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
    int64_t seq = 0;
    for (uint32_t i = 0; read(ends[0], &seq, sizeof seq) == sizeof seq; i++) {
        assert_true(seq < MOST);
        answered[seq] = true;
        if (i == reports)
            kill(child, SIGKILL);
    }
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void note_data(void *arg, const char *id, struct bytes data, const struct error *error)
{
    (void)id;
    assert_null(error);
    *(int64_t *)arg = data.size == BLOB_SIZE ? *(const int64_t *)(const void *)data.data : -1;
}

static void note_known(void *arg, bool known, const struct error *error)
{
    assert_null(error);
    *(int *)arg = known;
}

/* Whole, or not there at all. Is it there? */
static bool check_post(struct place *place, int64_t seq)
{
    const struct posts *posts = get_post(place, 1, seq);
    struct post_mark mark = {.time = 0};
    int known = -1;
    memcpy(mark.digest, &seq, sizeof seq);
    store_post_known(place->store, 1, &mark, note_known, &known);
    while (known < 0)
        uv_run(&place->loop, UV_RUN_ONCE);
    assert_int_equal(known, posts->count);
    if (posts->count == 0)
        return false;
    assert_int_equal(posts->delivery_count, 1);
    assert_int_equal(posts->deliveries[0].contact, seq);
    int64_t held = 0;
    if (by_blob(seq)) {
        store_blob_read(place->store, 1, posts->blob, 0, BLOB_SIZE, note_data, &held);
        while (held == 0)
            uv_run(&place->loop, UV_RUN_ONCE);
    } else {
        assert_int_equal(posts->message_size, sizeof held);
        memcpy(&held, posts->message, sizeof held);
    }
    assert_int_equal(held, seq);
    return true;
}

static unsigned blob_files(const struct place *place)
{
    char path[256];
    path_in(path, place, "blobs/1");
    DIR *folder = opendir(path);
    unsigned count = 0;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    if (folder != NULL)
        closedir(folder);
    return count;
}

static void test_what_was_answered_survives_a_kill(void **state)
{
    struct place *place = *state;
    struct random_seeded seeded;
    struct random_source random = random_from_seed(&seeded, 20261124);
    int64_t first = 1;

    for (int run = 0; run < 20; run++) {
        killed_run(place, first, random_below(&random, 100));
        place_open(place);
        unsigned blobs = 0, missing = 0;
        for (int64_t seq = 1; missing < 2 * AT_A_TIME; seq++) {
            bool there = check_post(place, seq);
            assert_true(there || !answered[seq]);
            missing += !there && seq >= first;
            blobs += there && by_blob(seq);
            if (there)
                first = seq + 1 > first ? seq + 1 : first;
        }
        assert_int_equal(blob_files(place), blobs); /* what no row names was swept */
        place_close(place);
    }
    assert_true(first > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_answered_survives_a_kill, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
