/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_WRITER_H
#define RETROGATE_STORE_WRITER_H

#include <sqlite3.h>

#include "base/buffer.h"
#include "store/store.h"
#include "store/worker.h"

/* The thread that writes: takes all batches that wait and makes one transaction of them, while the next ones
 * gather. */

struct store_batch {
    struct job job; /* first: the writer sees jobs */
    struct store *store;
    struct buffer operations;
    store_done_fn *done;
    void *arg;
};

struct writer;
/* `directory_fd` stays the caller's and must outlive the writer. Takes the connection over, also on error. */
struct writer *writer_open(sqlite3 *database, int directory_fd, struct error **error);
void writer_close(struct writer *writer); /* the thread must have ended; checkpoints */

void writer_run(void *writer, struct queue *batches); /* worker_duty */
bool writer_idle(void *writer);

void writer_stats(struct writer *writer, struct store_stats *out); /* from any thread */

#endif
