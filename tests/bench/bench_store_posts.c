/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "store/store.h"

/* What a post of 2 kB costs from store_commit() to its answer, with its mark (received) or its delivery
 * (sent), against writing the same bytes to a file with fdatasync(), in turns with it. Then posts in bulk,
 * and the pages that clients ask for, first among few posts and then among many. The directory is the
 * argument, or the current one. */
enum { ROUNDS = 1500, MESSAGE = 2048, MANY = 100000, TURN = 500, PAGE = 100, READS = 200 };

static char message[MESSAGE];
static unsigned answers, rows;

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static void on_done(void *arg, const struct error *error)
{
    if (error != NULL)
        fprintf(stderr, "%s\n", error->text);
    must(error == NULL, "store");
    if (arg != NULL)
        *(uint64_t *)arg = uv_hrtime();
    answers++;
}

static void on_searched(void *arg, int64_t before, bool more, const struct error *error)
{
    (void)before;
    (void)more;
    on_done(arg, error);
}

static void on_post(void *arg, const struct post_row *row, const struct delivery_row *deliveries,
                    size_t count)
{
    (void)arg;
    (void)deliveries;
    (void)count;
    rows += row->size == MESSAGE;
}

static void wait_for(uv_loop_t *loop, unsigned count)
{
    while (answers < count)
        uv_run(loop, UV_RUN_ONCE);
}

static struct store_batch *post_batch(struct store *store, int64_t seq)
{
    bool in = seq % 2 == 0;
    char id[64], subject[64];
    snprintf(id, sizeof id, "%lld@example.org", (long long)seq);
    snprintf(subject, sizeof subject, "number %lld", (long long)seq);
    struct post_row post = {.account = 1,
                            .seq = seq,
                            .direction = in ? "in" : "out",
                            .kind = "post",
                            .contact = 1,
                            .subject = subject,
                            .preview = "The first words of what was written.",
                            .from = "[{\"address\":\"alice@distant.alt\",\"name\":\"alice\"}]",
                            .to = "[{\"address\":\"bob@distant.alt\",\"name\":\"bob\"}]",
                            .cc = "[]",
                            .message_id = id,
                            .wire_id = "",
                            .in_reply_to = "",
                            .time = seq,
                            .size = MESSAGE,
                            .message = {(const uint8_t *)message, MESSAGE},
                            .blob = "",
                            .verdict = in ? "signed" : "",
                            .protection = in ? "sealed" : "",
                            .level = in ? "private" : "",
                            .label = "",
                            .options = "{}",
                            .change = seq};
    struct store_batch *batch = store_begin(store);
    must(batch != NULL, "batch");
    store_put_post(batch, &post);
    if (in) {
        struct post_mark mark = {.time = seq};
        memcpy(mark.digest, &seq, sizeof seq);
        mark.sender[0] = 1;
        memcpy(mark.message_id, &seq, sizeof seq);
        store_put_post_mark(batch, 1, &mark);
    } else {
        struct delivery_row delivery = {.account = 1,
                                        .seq = seq,
                                        .contact = 1,
                                        .address = "bob@distant.alt",
                                        .delivery = "queued",
                                        .protection = "",
                                        .level = "",
                                        .reason = "",
                                        .options = "{}"};
        store_put_delivery(batch, &delivery);
    }
    return batch;
}

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

static void single_posts(uv_loop_t *loop, struct store *store, int fd, int64_t *seq)
{
    /* The pages that a post dirties: its row on two (2 kB do not fit beside others), seven indexes, mark or
     * delivery with its own, account and counter. */
    static uint8_t frame[12 * (4096 + 24)];
    static uint64_t commit[ROUNDS], same[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        uint64_t end = 0, start = uv_hrtime();
        answers = 0;
        store_commit(post_batch(store, ++*seq), on_done, &end);
        wait_for(loop, 1);
        commit[i] = end - start;
        start = uv_hrtime();
        must(pwrite(fd, frame, sizeof frame, (off_t)(i % 64 * sizeof frame)) == sizeof frame &&
                 fdatasync(fd) == 0,
             "write");
        same[i] = uv_hrtime() - start;
    }
    static const unsigned percents[] = {50, 99};
    for (size_t i = 0; i < 2; i++) {
        double store_us = percentile(commit, ROUNDS, percents[i]),
               same_us = percentile(same, ROUNDS, percents[i]);
        printf("one post    p%u: commit %.0f us, write+fdatasync of as many pages %.0f us (ratio %.2f)\n",
               percents[i], store_us, same_us, store_us / same_us);
    }
}

static void bulk_posts(uv_loop_t *loop, struct store *store, int fd, int64_t *seq)
{
    static uint8_t turn[TURN * MESSAGE];
    unsigned count = (unsigned)(MANY - *seq);
    uint64_t start = uv_hrtime();
    answers = 0;
    for (unsigned i = 0; i < count; i++) {
        store_commit(post_batch(store, ++*seq), on_done, NULL);
        if ((i + 1) % TURN == 0)
            wait_for(loop, i + 1);
    }
    wait_for(loop, count);
    double store_s = (double)(uv_hrtime() - start) / 1e9;
    start = uv_hrtime();
    for (unsigned i = 0; i < count / TURN; i++)
        must(write(fd, turn, sizeof turn) == sizeof turn && fdatasync(fd) == 0, "write");
    double bare_s = (double)(uv_hrtime() - start) / 1e9;
    printf("in bulk     %.0f posts/s in turns of %d, the bare bytes %.0f posts/s (ratio %.3f)\n",
           count / store_s, TURN, count / bare_s, bare_s / store_s);
}

static void pages(uv_loop_t *loop, struct store *store, int64_t seq, const char *text, const char *what)
{
    uint64_t start = uv_hrtime();
    answers = rows = 0;
    for (unsigned i = 0; i < READS; i++) {
        struct store_posts wanted = {.account = 1, .box = "in", .before = seq - i, .max = PAGE, .text = text};
        store_posts(store, &wanted, on_post, on_searched, NULL);
        wait_for(loop, i + 1);
    }
    double seconds = (double)(uv_hrtime() - start) / 1e9;
    printf("%-11s among %lld posts: %.0f us each, %u rows\n", what, (long long)seq, seconds * 1e6 / READS,
           rows / READS);
}

static void reads(uv_loop_t *loop, struct store *store, int64_t seq)
{
    pages(loop, store, seq, "", "page");
    pages(loop, store, seq, "number", "search, hit");
    pages(loop, store, seq, "nowhere", "search, none");
}

static int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *at)
{
    (void)facts;
    (void)type;
    (void)at;
    return remove(path);
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
    struct store_batch *batch = store_begin(store);
    store_put_account(batch, &account);
    store_commit(batch, on_done, NULL);
    wait_for(&loop, 1);
    memset(message, 'x', sizeof message);

    single_posts(&loop, store, fd, &seq);
    reads(&loop, store, seq);
    bulk_posts(&loop, store, fd, &seq);
    reads(&loop, store, seq);

    store_close(store);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    close(fd);
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
