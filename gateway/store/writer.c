/* SPDX-License-Identifier: ISC */
#include "store/writer.h"

#include <stdlib.h>

#include "base/log.h"
#include "store/blobs.h"
#include "store/database.h"
#include "store/purge.h"
#include "store/statements.h"

enum {
    CHECKPOINT_PAGES = 1000, /* of the log, when nobody waits */
    CHECKPOINT_LATE =
        8000, /* also when somebody waits: bounds the log at 32 MiB, unless a long read holds it */
};

enum control { BEGIN, COMMIT, ROLLBACK, SAVE, SAVE_BACK, SAVE_END, CONTROLS };

static const char *const controls[CONTROLS] = {
    [BEGIN] = "BEGIN IMMEDIATE",       [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",           [SAVE] = "SAVEPOINT batch",
    [SAVE_BACK] = "ROLLBACK TO batch", [SAVE_END] = "RELEASE batch",
};

struct writer {
    sqlite3 *database;
    int directory_fd;
    struct statements *statements;
    sqlite3_stmt *control[CONTROLS];
    int log_pages, checkpoint_at;
    bool full;   /* the disk, as the present transaction met it */
    bool purged; /* what was removed or wiped still stands in the log, and in the file below it */
    uv_mutex_t lock;
    struct store_stats stats; /* under the lock */
};

static int on_log(void *arg, sqlite3 *database, const char *name, int pages)
{
    struct writer *writer = arg;
    (void)database;
    (void)name;
    if (pages < writer->log_pages) /* the log began anew */
        writer->checkpoint_at = CHECKPOINT_PAGES;
    writer->log_pages = pages;
    return SQLITE_OK;
}

/* blob_there(account, id), for statements that name a file. */
static void blob_there(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct writer *writer = sqlite3_user_data(context);
    const char *id = count == 2 ? (const char *)sqlite3_value_text(values[1]) : NULL;
    sqlite3_result_int(context,
                       id != NULL && blob_is_there(writer->directory_fd, sqlite3_value_int64(values[0]), id));
}

struct writer *writer_open(sqlite3 *database, int directory_fd, struct error **error)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL || uv_mutex_init(&writer->lock) != 0) {
        free(writer);
        sqlite3_close(database);
        error_set(error, ERROR_UNAVAILABLE, "no memory for the store");
        return NULL;
    }
    writer->database = database;
    writer->directory_fd = directory_fd;
    writer->checkpoint_at = CHECKPOINT_PAGES;
    writer->statements = statements_new(database);
    bool ready = (writer->statements != NULL &&
                  sqlite3_create_function_v2(database, "blob_there", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                             writer, blob_there, NULL, NULL, NULL) == SQLITE_OK) ||
                 error_set(error, ERROR_UNAVAILABLE, "no memory for the store");
    for (size_t i = 0; i < CONTROLS && ready; i++) {
        writer->control[i] = database_prepare(database, controls[i], error);
        ready = writer->control[i] != NULL;
    }
    if (!ready) {
        writer_close(writer);
        return NULL;
    }
    sqlite3_wal_hook(database, on_log, writer);
    return writer;
}

void writer_close(struct writer *writer)
{
    if (writer == NULL)
        return;
    statements_free(writer->statements);
    for (size_t i = 0; i < CONTROLS; i++)
        sqlite3_finalize(writer->control[i]);
    int code = sqlite3_close(writer->database);
    if (code != SQLITE_OK)
        log_error("store", "event=close error=%d", code);
    uv_mutex_destroy(&writer->lock);
    free(writer);
}

static bool control(struct writer *writer, enum control which, struct error **error)
{
    sqlite3_stmt *statement = writer->control[which];
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    if (!done && error != NULL)
        database_failed(writer->database, error);
    sqlite3_reset(statement);
    return done;
}

/* Some errors (disk full, no memory) make SQLite roll back the whole transaction. */
static bool transaction_lost(const struct writer *writer)
{
    return sqlite3_get_autocommit(writer->database) != 0;
}

/* Sets the batch's error when it alone fails; with a savepoint nothing of it is left then. False when the
 * transaction is lost with all that was in it. */
static bool run_batch(struct writer *writer, struct job *job, bool saved, struct error **error)
{
    struct store_batch *batch = (struct store_batch *)job;
    if (job->error != NULL)
        return true;
    if (saved && !control(writer, SAVE, error))
        return false;
    if (!statements_run(writer->statements, buffer_view(&batch->operations), &job->error) ||
        (saved && !statements_finish(writer->statements, &job->error))) {
        statements_forget(writer->statements);
        writer->full |= database_is_full(writer->database);
        if (transaction_lost(writer))
            return error_set(error, job->error->code, "%s", job->error->text);
        if (saved && !control(writer, SAVE_BACK, error))
            return false;
    }
    return !saved || control(writer, SAVE_END, error);
}

static bool run_saved(struct writer *writer, const struct queue *batches, struct error **error)
{
    if (!control(writer, BEGIN, error))
        return false;
    for (struct job *job = batches->first; job != NULL; job = job->next)
        if (!run_batch(writer, job, true, error))
            return false;
    return control(writer, COMMIT, error);
}

/* A savepoint for each batch would copy every page that it touches, so there is none; a batch that fails,
 * which is rare, makes all of them run again, with savepoints. */
static bool run_all(struct writer *writer, const struct queue *batches, struct error **error)
{
    if (!control(writer, BEGIN, error))
        return false;
    for (struct job *job = batches->first; job != NULL; job = job->next) {
        bool failed_before = job->error != NULL;
        if (!run_batch(writer, job, false, error))
            return false;
        if (failed_before || job->error == NULL)
            continue;
        error_free(job->error);
        job->error = NULL;
        writer->full = false;
        return control(writer, ROLLBACK, error) && run_saved(writer, batches, error);
    }
    return statements_finish(writer->statements, error) && control(writer, COMMIT, error);
}

static void checkpoint(struct writer *writer)
{
    int left = 0, moved = 0;
    int code = sqlite3_wal_checkpoint_v2(writer->database, NULL, SQLITE_CHECKPOINT_PASSIVE, &left, &moved);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        log_warn("store", "event=checkpoint error=%d", code);
    /* After a whole one the next transaction begins the log anew. A read may have held it up: try again
     * later. */
    writer->checkpoint_at = writer->log_pages + CHECKPOINT_PAGES;
}

void writer_run(void *arg, struct queue *batches)
{
    struct writer *writer = arg;
    struct error *error = NULL;

    uint64_t begin = uv_hrtime();
    writer->full = false;
    bool committed = run_all(writer, batches, &error);
    if (!committed)
        writer->full |= database_is_full(writer->database);
    if (!committed && !transaction_lost(writer))
        control(writer, ROLLBACK, NULL);
    statements_forget(writer->statements);
    uint64_t took_us = (uv_hrtime() - begin) / 1000;
    writer->purged |= statements_wiped(writer->statements);

    uint64_t count = 0, failed = 0;
    for (struct job *job = batches->first; job != NULL; job = job->next) {
        if (!committed)
            error_set(&job->error, error->code, "%s", error->text);
        count++;
        failed += job->error != NULL;
    }
    uv_mutex_lock(&writer->lock);
    writer->stats.transactions += committed;
    writer->stats.batches += count;
    writer->stats.failed += failed;
    writer->stats.last_commit_us = took_us;
    writer->stats.disk_full = writer->full;
    uv_mutex_unlock(&writer->lock);
    error_free(error);

    for (struct job *job; (job = work_pop(batches)) != NULL;)
        worker_done(job);
    if (writer->log_pages >= writer->checkpoint_at + CHECKPOINT_LATE - CHECKPOINT_PAGES)
        checkpoint(writer);
}

/* Empties the log into the file, so that removed texts and wiped keys are in neither. A read under way
 * forbids it: then it is tried again after the next transaction; nobody waits. */
static void empty_log(struct writer *writer)
{
    sqlite3_busy_timeout(writer->database, 0);
    int code = sqlite3_wal_checkpoint_v2(writer->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(writer->database, DATABASE_BUSY_MS);
    writer->purged = code == SQLITE_BUSY;
    if (code == SQLITE_OK) {
        writer->log_pages = 0;
        writer->checkpoint_at = CHECKPOINT_PAGES;
    } else if (code != SQLITE_BUSY) {
        log_warn("store", "event=checkpoint error=%d", code);
    }
}

bool writer_idle(void *arg)
{
    struct writer *writer = arg;
    if (writer->log_pages >= writer->checkpoint_at)
        checkpoint(writer);
    if (purge_piece(writer->database, writer->directory_fd)) {
        writer->purged = true;
        return true;
    }
    if (writer->purged)
        empty_log(writer);
    return false;
}

void writer_stats(struct writer *writer, struct store_stats *out)
{
    uv_mutex_lock(&writer->lock);
    *out = writer->stats;
    uv_mutex_unlock(&writer->lock);
}
