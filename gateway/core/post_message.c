/* SPDX-License-Identifier: ISC */
#include "core/post_message.h"

#include <stdlib.h>
#include <string.h>

#include "core/post_rows.h"

/* --- work off the loop */

struct job {
    uv_work_t request;
    struct gateway *gateway;
    job_fn *work;
    job_done_fn *done;
    void *arg;
};

static void job_work(uv_work_t *request)
{
    struct job *job = request->data;
    job->work(job->arg);
}

static void job_worked(uv_work_t *request, int status)
{
    struct job job = *(struct job *)request->data;
    free(request->data);
    job.done(job.arg, status == 0);
    gateway_work_end(job.gateway);
}

void job_run(struct gateway *gateway, size_t size, job_fn *work, job_done_fn *done, void *arg)
{
    if (size <= POST_AT_ONCE) {
        work(arg);
        done(arg, true);
        return;
    }
    /* The end waits for works, but not for what its last answers begin. */
    struct job *job = gateway->links_closed && gateway->works == 0 ? NULL : malloc(sizeof *job);
    if (job != NULL) {
        *job = (struct job){.gateway = gateway, .work = work, .done = done, .arg = arg};
        job->request.data = job;
        if (uv_queue_work(gateway->loop, &job->request, job_work, job_worked) == 0) {
            gateway_work_begin(gateway);
            return;
        }
        free(job);
    }
    done(arg, false);
}

struct later {
    job_fn *run;
    void *arg;
};

static void later_now(void *arg, const struct error *error)
{
    (void)error;
    struct later later = *(struct later *)arg;
    free(arg);
    later.run(later.arg);
}

void later_run(struct gateway *gateway, job_fn *run, void *arg)
{
    /* An empty commit is answered from the loop. */
    struct later *later = malloc(sizeof *later);
    struct store_batch *batch = later != NULL ? store_begin(gateway->store) : NULL;
    if (batch == NULL) {
        free(later);
        run(arg);
        return;
    }
    *later = (struct later){run, arg};
    store_commit(batch, later_now, later);
}

/* --- reading one whole */

struct fetch {
    struct account *account;
    struct kept_post *kept; /* while its blob is read */
    struct buffer message;
    bool whole;
    fetched_fn *done;
    void *arg;
    struct error *error;
};

static void fetch_end(struct fetch *fetch, const struct error *error)
{
    static const struct error memory = {ERROR_INTERNAL, "out of memory"};
    if (error == NULL && fetch->kept == NULL)
        error = &memory;
    if (error != NULL) {
        fetch->done(fetch->arg, NULL, error);
    } else {
        struct fetched_post post = {.row = &fetch->kept->row,
                                    .deliveries = fetch->kept->deliveries,
                                    .count = fetch->kept->count,
                                    .message = fetch->message};
        fetch->message = buffer_make(0);
        fetch->done(fetch->arg, &post, NULL);
        buffer_free(&post.message);
    }
    kept_post_free(fetch->kept);
    buffer_free(&fetch->message);
    free(fetch);
}

static void fetch_row(void *arg, const struct post_row *row, const struct delivery_row *deliveries,
                      size_t count)
{
    struct fetch *fetch = arg;
    fetch->kept = kept_post_new(row, deliveries, count);
    if (fetch->whole && !buffer_append_bytes(&fetch->message, row->message)) {
        kept_post_free(fetch->kept);
        fetch->kept = NULL;
    }
}

static void fetch_piece(void *arg, const char *id, struct bytes data, const struct error *error)
{
    struct fetch *fetch = arg;
    static const struct error too_large = {ERROR_INTERNAL, "this message does not fit into memory"};
    if (error == NULL && !buffer_append_bytes(&fetch->message, data))
        error = &too_large;
    if (error != NULL || data.size < STORE_PIECE_LIMIT) {
        fetch_end(fetch, error);
        return;
    }
    store_blob_read(fetch->account->gateway->store, fetch->account->id, id, buffer_size(&fetch->message),
                    STORE_PIECE_LIMIT, fetch_piece, fetch);
}

static void fetch_done(void *arg, const struct error *error)
{
    struct fetch *fetch = arg;
    if (error != NULL || fetch->kept == NULL || !fetch->whole || fetch->kept->row.blob[0] == '\0') {
        fetch_end(fetch, error);
        return;
    }
    /* Room for all of it at once: growing would copy it again and again. */
    if (fetch->kept->row.size > 0 && fetch->kept->row.size <= POST_MESSAGE_LIMIT)
        buffer_reserve(&fetch->message, (size_t)fetch->kept->row.size);
    store_blob_read(fetch->account->gateway->store, fetch->account->id, fetch->kept->row.blob, 0,
                    STORE_PIECE_LIMIT, fetch_piece, fetch);
}

void post_fetch(struct account *account, int64_t seq, bool message, fetched_fn *done, void *arg)
{
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL) {
        done(arg, NULL, &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    *fetch = (struct fetch){.account = account,
                            .message = buffer_make(POST_MESSAGE_LIMIT),
                            .whole = message,
                            .done = done,
                            .arg = arg};
    store_post(account->gateway->store, account->id, seq, fetch_row, fetch_done, fetch);
}

/* --- storing */

struct keeping {
    kept_message_fn *done;
    void *arg;
};

static void blob_written(void *arg, const char *id, struct bytes data, const struct error *error)
{
    (void)data;
    struct keeping keeping = *(struct keeping *)arg;
    free(arg);
    keeping.done(keeping.arg, error == NULL ? id : "", error);
}

void message_keep(struct account *account, struct bytes message, kept_message_fn *done, void *arg)
{
    if (message.size <= STORE_POST_INLINE) {
        done(arg, "", NULL);
        return;
    }
    struct keeping *keeping = malloc(sizeof *keeping);
    if (keeping == NULL) {
        done(arg, "", &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    *keeping = (struct keeping){done, arg};
    store_blob_put(account->gateway->store, account->id, message, blob_written, keeping);
}
