/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_WORKER_H
#define RETROGATE_STORE_WORKER_H

#include <uv.h>

#include "base/error.h"

/* A job goes from the loop to a worker's thread and comes back through the outbox to be answered on the loop.
 * Only the side that holds it touches it. */
struct job {
    struct job *next;
    struct worker *worker;
    size_t cost;                     /* bytes it holds, for the worker's limit */
    void (*run)(struct job *job);    /* on the thread; sets `error` when it fails */
    void (*answer)(struct job *job); /* on the loop, once; frees the job */
    struct error *error;
};

struct queue {
    struct job *first, *last;
};
void work_push(struct queue *queue, struct job *job);
struct job *work_pop(struct queue *queue); /* NULL when empty */

/* Jobs that are done, of all workers, in the order in which each worker did its own. */
struct outbox;
struct outbox *outbox_open(uv_loop_t *loop, struct error **error);
/* Answers what is there now. Also called by the loop. */
void outbox_answer(struct outbox *outbox);
void outbox_put(struct outbox *outbox, struct job *job);
/* While jobs are open the loop stays alive. */
void outbox_expect(struct outbox *outbox);
/* Nobody may put anything any more; what is there was answered. Frees on the loop. */
void outbox_close(struct outbox *outbox);

/* A thread that sleeps until there are jobs. */
struct worker;

struct worker_duty {
    /* On the thread: does the jobs in order and gives each back with worker_done(). NULL: job->run one by
     * one. */
    void (*run)(void *arg, struct queue *jobs);
    /* On the thread, when nothing waits: one bounded piece of housekeeping. False: nothing left until after
     * the next jobs. NULL is allowed. */
    bool (*idle)(void *arg);
    size_t limit; /* most bytes of jobs not answered yet */
};

struct worker *worker_start(struct outbox *outbox, const struct worker_duty *duty, void *arg,
                            struct error **error);
/* On the loop. A job beyond the limit comes back with ERROR_UNAVAILABLE, in its turn. */
void worker_give(struct worker *worker, struct job *job);
/* Wakes the thread for what was given. */
void worker_wake(struct worker *worker);
void worker_done(struct job *job);
/* Waits until all jobs are done; later ones are answered with ERROR_UNAVAILABLE. */
void worker_stop(struct worker *worker);
void worker_free(struct worker *worker);

#endif
