/* SPDX-License-Identifier: ISC */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "store/store.h"

/* What one whole search costs (STORE_SEARCH_LINES lines without a match), against memmem() over the same
 * bytes in memory, in turns with it; for ASCII, Latin with marks, and Cyrillic. Then what the index of labels
 * adds to a line, and what finding one by its label costs. The directory is the argument, or the current
 * one. */
enum { ROUNDS = 30, TEXT = 100, TURN = 500, BULK = 50000 };

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *at)
{
    (void)facts;
    (void)type;
    (void)at;
    return remove(path);
}

static unsigned answers;

static void on_done(void *arg, const struct error *error)
{
    (void)arg;
    must(error == NULL, "store");
    answers++;
}

static void on_searched(void *arg, int64_t before, bool more, const struct error *error)
{
    (void)before;
    (void)more;
    on_done(arg, error);
}

static void on_line(void *arg, const struct line_row *row)
{
    (void)row;
    ++*(unsigned *)arg;
}

static void await(uv_loop_t *loop, unsigned count)
{
    while (answers < count)
        uv_run(loop, UV_RUN_ONCE);
}

static void put_account(struct store *store, int64_t id)
{
    char name[8];
    snprintf(name, sizeof name, "a%lld", (long long)id);
    struct account_row account = {.id = id, .name = name, .password = "", .settings = "{}", .epoch = 1};
    struct conversation_row conversation = {
        .id = 1, .account = id, .contact = 1, .avatar = "", .state_text = ""};
    struct store_batch *batch = store_begin(store);
    store_put_account(batch, &account);
    store_put_conversation(batch, &conversation);
    store_commit(batch, on_done, NULL);
}

/* Microseconds for each line. */
static double put_lines(uv_loop_t *loop, struct store *store, int64_t account, int64_t first, int64_t count,
                        struct bytes text, bool labelled)
{
    uint64_t begin = uv_hrtime();
    for (int64_t done = 0; done < count; done += TURN) {
        unsigned before = answers;
        struct store_batch *batch = store_begin(store);
        for (int64_t i = 0; i < TURN; i++) {
            char label[32] = "";
            int64_t seq = first + done + i;
            if (labelled)
                snprintf(label, sizeof label, "%016llx-1", (unsigned long long)seq * 0x9e3779b97f4a7c15u);
            struct line_row line = {.account = account,
                                    .seq = seq,
                                    .conversation = 1,
                                    .direction = "out",
                                    .text = text,
                                    .delivery = "sent",
                                    .reason = "",
                                    .label = label,
                                    .change = seq};
            store_put_line(batch, &line);
        }
        store_commit(batch, on_done, NULL);
        await(loop, before + 1);
    }
    return (double)(uv_hrtime() - begin) / 1000.0 / (double)count;
}

static double search(uv_loop_t *loop, struct store *store, int64_t account, const char *text)
{
    unsigned found = 0, before = answers;
    const struct store_search wanted = {account, 0, text, INT64_MAX, 200};
    uint64_t begin = uv_hrtime();
    store_search(store, &wanted, on_line, on_searched, &found);
    await(loop, before + 1);
    return (double)(uv_hrtime() - begin) / 1e6;
}

static double floor_of(struct bytes text, const char *wanted)
{
    static volatile unsigned found;
    size_t size = (size_t)STORE_SEARCH_LINES * text.size;
    uint8_t *all = malloc(size);
    must(all != NULL, "malloc");
    for (size_t i = 0; i < STORE_SEARCH_LINES; i++)
        memcpy(all + i * text.size, text.data, text.size);
    uint64_t begin = uv_hrtime();
    for (size_t i = 0; i < STORE_SEARCH_LINES; i++)
        found += memmem(all + i * text.size, text.size, wanted, strlen(wanted)) != NULL;
    double took = (double)(uv_hrtime() - begin) / 1e6;
    free(all);
    return took;
}

static double label(uv_loop_t *loop, struct store *store, int64_t seq)
{
    char text[32];
    unsigned found = 0, before = answers;
    snprintf(text, sizeof text, "%016llx-1", (unsigned long long)seq * 0x9e3779b97f4a7c15u);
    uint64_t begin = uv_hrtime();
    store_labelled(store, 4, 1, text, on_line, on_done, &found);
    await(loop, before + 1);
    must(found == 1, "label");
    return (double)(uv_hrtime() - begin) / 1000.0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *word, *wanted;
    } kinds[] = {{"ascii", "The quick brown fox ", "jumps"},
                 {"latin", "Fränzchens grüne Öfen ", "größer"},
                 {"cyrillic", "Съешь же ещё этих мягких ", "булок"}};
    char directory[256];
    struct error *error = NULL;
    static const struct store_loader nothing = {0};
    uv_loop_t loop;
    snprintf(directory, sizeof directory, "%s/bench_XXXXXX", argc > 1 ? argv[1] : ".");
    must(mkdtemp(directory) != NULL && uv_loop_init(&loop) == 0, "directory");
    struct store *store = store_open(&loop, directory, &nothing, NULL, &error);
    must(store != NULL, "store_open");
    for (int64_t i = 0; i < 3; i++) {
        char text[TEXT + 64] = "";
        size_t size = 0;
        while (size < TEXT)
            size += (size_t)snprintf(text + size, sizeof text - size, "%s", kinds[i].word);
        struct bytes bytes = bytes_of(text, size);
        put_account(store, i + 1);
        put_lines(&loop, store, i + 1, 1, STORE_SEARCH_LINES, bytes, false);
        double best = 1e9, floor = 1e9;
        for (unsigned round = 0; round < ROUNDS; round++) {
            double took = search(&loop, store, i + 1, kinds[i].wanted);
            double least = floor_of(bytes, kinds[i].wanted);
            best = took < best ? took : best;
            floor = least < floor ? least : floor;
        }
        printf("%-8s %d lines of %zu bytes: search %.1f ms, memmem %.1f ms\n", kinds[i].name,
               STORE_SEARCH_LINES, size, best, floor);
    }
    put_account(store, 4);
    put_account(store, 5);
    struct bytes text = bytes_of_string("a line of some length, as people write them");
    double plain = 0, labelled = 0;
    for (unsigned turn = 0; turn < 4; turn++) {
        labelled += put_lines(&loop, store, 4, 1 + turn * BULK / 4, BULK / 4, text, true);
        plain += put_lines(&loop, store, 5, 1 + turn * BULK / 4, BULK / 4, text, false);
    }
    double found = 0;
    for (int64_t i = 0; i < 1000; i++)
        found += label(&loop, store, 1 + i * 49);
    printf("a line in bulk: %.1f us, with a label %.1f us; found by its label in %.1f us\n", plain / 4,
           labelled / 4, found / 1000);
    store_close(store);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
