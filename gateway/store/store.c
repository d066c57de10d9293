/* SPDX-License-Identifier: ISC */
#include "store/store.h"

#include <stdlib.h>
#include <unistd.h>

#include "store/blobs.h"
#include "store/database.h"
#include "store/internal.h"
#include "store/purge.h"
#include "store/writer.h"

/* Three threads, because none may wait for another: a transaction not for a long read, a read not for a big
 * file. */
enum {
    WRITE_LIMIT = 64 << 20, /* bytes not answered yet, of batches, */
    READ_LIMIT = 1 << 20,   /* of reads (a request is some hundred bytes), */
    BLOB_LIMIT = 128 << 20, /* and of blobs */
};

struct store {
    uv_prepare_t prepare;
    uv_check_t check;
    unsigned open_handles;
    int directory_fd; /* holds the lock */
    struct outbox *outbox;
    struct writer *writer;
    struct readings *readings;
    struct worker *write_worker, *read_worker, *blob_worker;
    bool closed;
};

/* The end of the turn: before the loop sleeps, for what timers did, and after it polled, for what sockets
 * did. */
static void hand_over(struct store *store)
{
    uv_prepare_stop(&store->prepare);
    uv_check_stop(&store->check);
    worker_wake(store->write_worker);
}

static void on_prepare(uv_prepare_t *prepare)
{
    hand_over(prepare->data);
}

static void on_check(uv_check_t *check)
{
    hand_over(check->data);
}

void store_turn(struct store *store)
{
    if (uv_is_active((const uv_handle_t *)&store->prepare))
        hand_over(store);
}

void store_give_batch(struct store *store, struct job *job)
{
    worker_give(store->write_worker, job);
    if (store->closed)
        return;
    uv_prepare_start(&store->prepare, on_prepare);
    uv_check_start(&store->check, on_check);
}

void store_give_read(struct store *store, struct job *job)
{
    worker_give(store->read_worker, job);
    worker_wake(store->read_worker);
}

void store_give_blob(struct store *store, struct job *job)
{
    worker_give(store->blob_worker, job);
    worker_wake(store->blob_worker);
}

bool store_is_closed(const struct store *store)
{
    return store->closed;
}

int store_directory(const struct store *store)
{
    return store->directory_fd;
}

struct readings *store_readings(const struct store *store)
{
    return store->readings;
}

void store_stats(const struct store *store, struct store_stats *out)
{
    writer_stats(store->writer, out);
}

static void on_closed(uv_handle_t *handle)
{
    struct store *store = handle->data;
    if (--store->open_handles == 0)
        free(store);
}

/* Also of a store that was opened only half. */
static void dismantle(struct store *store)
{
    struct worker *const workers[] = {store->write_worker, store->read_worker, store->blob_worker};

    store->closed = true;
    uv_prepare_stop(&store->prepare);
    uv_check_stop(&store->check);
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++)
        if (workers[i] != NULL)
            worker_stop(workers[i]);
    if (store->outbox != NULL) {
        outbox_answer(store->outbox);
        outbox_close(store->outbox);
    }
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++)
        if (workers[i] != NULL)
            worker_free(workers[i]);
    readings_free(store->readings);
    writer_close(store->writer); /* after the reader: the last connection checkpoints and removes the log */
    if (store->directory_fd >= 0)
        close(store->directory_fd);
    uv_close((uv_handle_t *)&store->prepare, on_closed);
    uv_close((uv_handle_t *)&store->check, on_closed);
}

static bool open_database(struct store *store, const char *directory, const struct store_loader *loader,
                          void *arg, struct error **error)
{
    store->directory_fd = database_lock(directory, error);
    if (store->directory_fd < 0 || !blobs_prepare(store->directory_fd, error))
        return false;
    sqlite3 *database = database_open_writer(directory, error);
    if (database == NULL)
        return false;
    /* The file's own name in the directory, before anything in it is answered. */
    fsync(store->directory_fd);
    store->writer = writer_open(database, store->directory_fd, error);
    if (store->writer == NULL || !store_load(database, loader, arg, error))
        return false;
    purge_unnamed_blobs(database, store->directory_fd);
    database = database_open_reader(directory, error);
    if (database == NULL)
        return false;
    store->readings = readings_new(database);
    return store->readings != NULL || error_set(error, ERROR_UNAVAILABLE, "no memory for the store");
}

static bool start_threads(struct store *store, uv_loop_t *loop, struct error **error)
{
    static const struct worker_duty write = {.run = writer_run, .idle = writer_idle, .limit = WRITE_LIMIT};
    static const struct worker_duty read = {.limit = READ_LIMIT};
    static const struct worker_duty blobs = {.limit = BLOB_LIMIT};

    store->outbox = outbox_open(loop, error);
    if (store->outbox == NULL)
        return false;
    store->write_worker = worker_start(store->outbox, &write, store->writer, error);
    store->read_worker = worker_start(store->outbox, &read, NULL, error);
    store->blob_worker = worker_start(store->outbox, &blobs, NULL, error);
    return store->write_worker != NULL && store->read_worker != NULL && store->blob_worker != NULL;
}

struct store *store_open(uv_loop_t *loop, const char *directory, const struct store_loader *loader, void *arg,
                         struct error **error)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "no memory for the store");
        return NULL;
    }
    store->directory_fd = -1;
    uv_prepare_init(loop, &store->prepare);
    uv_check_init(loop, &store->check);
    store->prepare.data = store;
    store->check.data = store;
    store->open_handles = 2;
    if (open_database(store, directory, loader, arg, error) && start_threads(store, loop, error))
        return store;
    dismantle(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (store != NULL && !store->closed)
        dismantle(store);
}
