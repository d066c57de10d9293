/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "store/blobs.h"
#include "store/internal.h"

struct blob_job {
    struct job job; /* first */
    int directory_fd;
    int64_t account;
    char id[BLOB_ID];
    struct buffer data; /* to be written, or read */
    uint64_t offset;
    size_t size;
    store_blob_fn *done;
    void *arg;
};

static void run_put(struct job *job)
{
    struct blob_job *blob = (struct blob_job *)job;
    blob_write(blob->directory_fd, blob->account, buffer_view(&blob->data), blob->id, &job->error);
    buffer_clear(&blob->data);
}

static void run_read(struct job *job)
{
    struct blob_job *blob = (struct blob_job *)job;
    blob_read(blob->directory_fd, blob->account, blob->id, blob->offset, blob->size, &blob->data,
              &job->error);
}

static void run_delete(struct job *job)
{
    struct blob_job *blob = (struct blob_job *)job;
    blob_delete(blob->directory_fd, blob->account, blob->id, &job->error);
}

static void answer_blob(struct job *job)
{
    struct blob_job *blob = (struct blob_job *)job;
    struct bytes data = job->error == NULL ? buffer_view(&blob->data) : bytes_of(NULL, 0);
    if (blob->done != NULL)
        blob->done(blob->arg, blob->id, data, job->error);
    buffer_free(&blob->data);
    free(blob);
}

static struct blob_job *blob_job_new(struct store *store, int64_t account, store_blob_fn *done, void *arg)
{
    struct blob_job *blob = calloc(1, sizeof *blob);
    if (blob == NULL) {
        struct error *error = NULL;
        error_set(&error, ERROR_UNAVAILABLE, "no memory to ask the store");
        if (done != NULL)
            done(arg, "", bytes_of(NULL, 0), error);
        error_free(error);
        return NULL;
    }
    blob->job = (struct job){.cost = sizeof *blob, .answer = answer_blob};
    blob->directory_fd = store_directory(store);
    blob->account = account;
    blob->done = done;
    blob->arg = arg;
    if (account <= 0)
        error_set(&blob->job.error, ERROR_INVALID, "a blob belongs to an account");
    return blob;
}

void store_blob_put(struct store *store, int64_t account, struct bytes data, store_blob_fn *done, void *arg)
{
    struct blob_job *blob = blob_job_new(store, account, done, arg);
    if (blob == NULL)
        return;
    blob->job.run = run_put;
    blob->data = buffer_make(STORE_BLOB_LIMIT);
    if (data.size > STORE_BLOB_LIMIT)
        error_set(&blob->job.error, ERROR_LIMIT, "a blob has at most %d bytes", STORE_BLOB_LIMIT);
    else if (data.size > 0 && !buffer_append_bytes(&blob->data, data))
        error_set(&blob->job.error, ERROR_UNAVAILABLE, "no memory for a blob");
    blob->job.cost += buffer_size(&blob->data);
    store_give_blob(store, &blob->job);
}

static void take_id(struct blob_job *blob, const char *id)
{
    if (blob_id_valid(id))
        memcpy(blob->id, id, sizeof blob->id);
    else
        error_set(&blob->job.error, ERROR_INVALID, "a blob id is 64 lower-case hex digits");
}

void store_blob_read(struct store *store, int64_t account, const char *id, uint64_t offset, size_t size,
                     store_blob_fn *done, void *arg)
{
    struct blob_job *blob = blob_job_new(store, account, done, arg);
    if (blob == NULL)
        return;
    blob->job.run = run_read;
    blob->offset = offset;
    blob->size = size < STORE_PIECE_LIMIT ? size : STORE_PIECE_LIMIT;
    blob->data = buffer_make(STORE_PIECE_LIMIT);
    blob->job.cost += blob->size;
    take_id(blob, id);
    store_give_blob(store, &blob->job);
}

void store_blob_delete(struct store *store, int64_t account, const char *id)
{
    struct blob_job *blob = blob_job_new(store, account, NULL, NULL);
    if (blob == NULL)
        return;
    blob->job.run = run_delete;
    take_id(blob, id);
    store_give_blob(store, &blob->job);
}
