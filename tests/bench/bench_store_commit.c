/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "store/store.h"

/* What one line costs from store_commit() to its answer, against the least that a durable line can cost:
 * writing as many bytes to a file and fdatasync(), measured in turns with it. Then lines in bulk, against
 * writing them without any database. The directory is the argument, or the current one. */
enum { ROUNDS = 3000, TEXT = 200, BULK = 100000, BULK_TURN = 1000 };

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static double percentile(uint64_t *samples, size_t count, unsigned percent)
{
    qsort(samples, count, sizeof *samples, compare);
    return (double)samples[(count - 1) * percent / 100] / 1000.0;
}

static int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *at)
{
    (void)facts;
    (void)type;
    (void)at;
    return remove(path);
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static unsigned answers;

static void on_done(void *arg, const struct error *error)
{
    if (error != NULL)
        fprintf(stderr, "%s\n", error->text);
    must(error == NULL, "commit");
    if (arg != NULL)
        *(uint64_t *)arg = uv_hrtime();
    answers++;
}

static char text[TEXT];

/* What a line is in: its direction of a sealed route, or no route. */
static struct store_batch *line_batch(struct store *store, int64_t seq, const char *direction,
                                      uint64_t number)
{
    bool own = strcmp(direction, "out") == 0;
    struct line_row line = {.account = 1,
                            .seq = seq,
                            .conversation = 1,
                            .direction = direction,
                            .route = number > 0 ? 1 : 0,
                            .number = number,
                            .text = bytes_of(text, sizeof text),
                            .delivery = own ? "sent" : "received",
                            .reason = "",
                            .label = "",
                            .change = seq};
    struct store_batch *batch = store_begin(store);
    must(batch != NULL, "batch");
    store_put_line(batch, &line);
    return batch;
}

static void wait_for(uv_loop_t *loop, unsigned count)
{
    while (answers < count)
        uv_run(loop, UV_RUN_ONCE);
}

static uint64_t bare_write(int fd, const void *data, size_t size, off_t *at)
{
    uint64_t start = uv_hrtime();
    must(pwrite(fd, data, size, *at) == (ssize_t)size && fdatasync(fd) == 0, "write");
    *at += (off_t)size;
    if (*at >= 4 << 20) /* a log that is written over, like the store's */
        *at = 0;
    return uv_hrtime() - start;
}

static void single_lines(uv_loop_t *loop, struct store *store, int fd, int64_t *seq)
{
    /* A line dirties the page of the table, two of indexes, its conversation's and its counter's; each goes
     * into the log with a header of 24 bytes. */
    static uint8_t frame[5 * (4096 + 24)], small[TEXT];
    static uint64_t commit[ROUNDS], same[ROUNDS], least[ROUNDS];
    off_t at = 0;

    for (size_t i = 0; i < (4 << 20) / sizeof frame + 1; i++)
        bare_write(fd, frame, sizeof frame, &at);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint64_t end = 0, start = uv_hrtime();
        answers = 0;
        store_commit(line_batch(store, ++*seq, "in", 0), on_done, &end);
        wait_for(loop, 1);
        commit[i] = end - start;
        same[i] = bare_write(fd, frame, sizeof frame, &at);
        least[i] = bare_write(fd, small, sizeof small, &at);
    }
    static const unsigned percents[] = {50, 99};
    for (size_t i = 0; i < 2; i++) {
        double store_us = percentile(commit, ROUNDS, percents[i]);
        double same_us = percentile(same, ROUNDS, percents[i]),
               least_us = percentile(least, ROUNDS, percents[i]);
        printf("one line    p%u: commit %.0f us, write+fdatasync of the same pages %.0f us (ratio %.2f), of "
               "the text "
               "alone %.0f us (ratio %.2f)\n",
               percents[i], store_us, same_us, store_us / same_us, least_us, store_us / least_us);
    }
}

static void bulk_lines(uv_loop_t *loop, struct store *store, int fd, int64_t *seq)
{
    uint64_t start = uv_hrtime();
    answers = 0;
    for (unsigned i = 0; i < BULK; i++) {
        store_commit(line_batch(store, ++*seq, "in", 0), on_done, NULL);
        if ((i + 1) % BULK_TURN == 0)
            wait_for(loop, i + 1);
    }
    double store_s = (double)(uv_hrtime() - start) / 1e9;

    /* The peer: the same texts in one file, one fdatasync for as many. */
    static uint8_t turn[BULK_TURN * TEXT];
    start = uv_hrtime();
    for (unsigned i = 0; i < BULK / BULK_TURN; i++)
        must(write(fd, turn, sizeof turn) == sizeof turn && fdatasync(fd) == 0, "write");
    double bare_s = (double)(uv_hrtime() - start) / 1e9;
    printf("in bulk     %.0f lines/s in turns of %d, a bare file %.0f lines/s (ratio %.3f)\n", BULK / store_s,
           BULK_TURN, BULK / bare_s, bare_s / store_s);
}

/* The far end of a sealed line, and this end: the line, then its receipt. */
static void sealed_lines(uv_loop_t *loop, struct store *store, int64_t *seq)
{
    uint64_t start = uv_hrtime();
    answers = 0;
    for (unsigned i = 0; i < BULK; i++) {
        store_commit(line_batch(store, ++*seq, "in", i + 1), on_done, NULL);
        if ((i + 1) % BULK_TURN == 0)
            wait_for(loop, i + 1);
    }
    double received_s = (double)(uv_hrtime() - start) / 1e9;
    start = uv_hrtime();
    answers = 0;
    for (unsigned i = 0; i < BULK; i += BULK_TURN) {
        int64_t first = *seq + 1;
        for (unsigned j = 0; j < BULK_TURN; j++)
            store_commit(line_batch(store, ++*seq, "out", i + j + 1), on_done, NULL);
        wait_for(loop, answers + BULK_TURN);
        struct store_batch *receipts = store_begin(store);
        must(receipts != NULL, "batch");
        for (int64_t line = first; line <= *seq; line++)
            store_set_delivery(receipts, 1, line, "delivered", "", 1, *seq + line);
        store_commit(receipts, on_done, NULL);
        wait_for(loop, answers + 1);
    }
    double sent_s = (double)(uv_hrtime() - start) / 1e9;
    printf("sealed      %.0f lines/s received, %.0f lines/s sent and delivered\n", BULK / received_s,
           BULK / sent_s);
}

static unsigned rows;

static void on_line(void *arg, const struct line_row *row)
{
    (void)arg;
    rows += row->text.size == TEXT;
}

static void history(uv_loop_t *loop, struct store *store, int64_t seq)
{
    uint64_t start = uv_hrtime();
    answers = 0;
    for (unsigned i = 0; i < 200; i++)
        store_history(store, 1, 1, seq - i * 300, 200, on_line, on_done, NULL);
    wait_for(loop, 200);
    double seconds = (double)(uv_hrtime() - start) / 1e9;
    printf("history     %.0f lines/s in reads of 200 (%.0f us each)\n", rows / seconds, seconds * 1e6 / 200);
}

int main(int count, char **arguments)
{
    static const struct store_loader nothing = {0};
    char directory[256], path[300];
    uv_loop_t loop;
    struct error *error = NULL;
    int64_t seq = 0;

    snprintf(directory, sizeof directory, "%s/bench_store_XXXXXX", count > 1 ? arguments[1] : ".");
    must(mkdtemp(directory) != NULL, "directory");
    snprintf(path, sizeof path, "%s/bare", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    must(fd >= 0 && uv_loop_init(&loop) == 0, "file");
    struct store *store = store_open(&loop, directory, &nothing, NULL, &error);
    must(store != NULL, "store");

    struct account_row account = {.id = 1, .name = "alice", .password = "", .settings = "{}", .epoch = 1};
    struct conversation_row conversation = {
        .id = 1, .account = 1, .contact = 1, .avatar = "", .state_text = ""};
    struct store_batch *batch = store_begin(store);
    store_put_account(batch, &account);
    store_put_conversation(batch, &conversation);
    struct route_row route = {
        .id = 1, .account = 1, .conversation = 1, .kind = "sealed", .role = "guest", .sealing = "must"};
    store_put_route(batch, &route);
    store_commit(batch, on_done, NULL);
    wait_for(&loop, 1);
    memset(text, 'x', sizeof text);

    single_lines(&loop, store, fd, &seq);
    bulk_lines(&loop, store, fd, &seq);
    sealed_lines(&loop, store, &seq);
    history(&loop, store, seq);

    store_close(store);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    close(fd);
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
