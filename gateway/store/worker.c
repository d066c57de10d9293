/* SPDX-License-Identifier: ISC */
#include "store/worker.h"

#include <stdlib.h>

struct outbox {
    uv_async_t async;
    uv_mutex_t lock;
    struct queue done;
    size_t open; /* jobs not answered; on the loop only */
};

struct worker {
    struct outbox *outbox;
    struct worker_duty duty;
    void *arg;
    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t given;
    /* under the lock */
    struct queue jobs;
    bool stop;
    /* on the loop only */
    struct queue collected;
    size_t held;
    bool stopped;
};

void work_push(struct queue *queue, struct job *job)
{
    job->next = NULL;
    if (queue->last != NULL)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
}

struct job *work_pop(struct queue *queue)
{
    struct job *job = queue->first;
    if (job != NULL) {
        queue->first = job->next;
        if (queue->first == NULL)
            queue->last = NULL;
        job->next = NULL;
    }
    return job;
}

static void queue_append(struct queue *queue, struct queue *more)
{
    if (more->first == NULL)
        return;
    if (queue->last != NULL)
        queue->last->next = more->first;
    else
        queue->first = more->first;
    queue->last = more->last;
    *more = (struct queue){0};
}

static void on_async(uv_async_t *async)
{
    outbox_answer(async->data);
}

struct outbox *outbox_open(uv_loop_t *loop, struct error **error)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox == NULL || uv_mutex_init(&outbox->lock) != 0) {
        free(outbox);
        error_set(error, ERROR_UNAVAILABLE, "no memory for the store");
        return NULL;
    }
    int code = uv_async_init(loop, &outbox->async, on_async);
    if (code != 0) {
        error_set(error, ERROR_INTERNAL, "the store cannot join the loop: %s", uv_strerror(code));
        uv_mutex_destroy(&outbox->lock);
        free(outbox);
        return NULL;
    }
    outbox->async.data = outbox;
    uv_unref((uv_handle_t *)&outbox->async);
    return outbox;
}

void outbox_expect(struct outbox *outbox)
{
    outbox->open++;
    uv_ref((uv_handle_t *)&outbox->async);
}

void outbox_put(struct outbox *outbox, struct job *job)
{
    uv_mutex_lock(&outbox->lock);
    bool first = outbox->done.first == NULL;
    work_push(&outbox->done, job);
    uv_mutex_unlock(&outbox->lock);
    if (first)
        uv_async_send(&outbox->async);
}

static void answer(struct job *job)
{
    struct error *error = job->error;
    if (job->worker != NULL)
        job->worker->held -= job->cost;
    job->answer(job);
    error_free(error);
}

void outbox_answer(struct outbox *outbox)
{
    /* One by one, because an answer may close the store, which answers the rest. */
    for (;;) {
        uv_mutex_lock(&outbox->lock);
        struct job *job = work_pop(&outbox->done);
        uv_mutex_unlock(&outbox->lock);
        if (job == NULL)
            return;
        if (--outbox->open == 0)
            uv_unref((uv_handle_t *)&outbox->async);
        answer(job);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct outbox *outbox = handle->data;
    uv_mutex_destroy(&outbox->lock);
    free(outbox);
}

void outbox_close(struct outbox *outbox)
{
    uv_close((uv_handle_t *)&outbox->async, on_closed);
}

void worker_done(struct job *job)
{
    outbox_put(job->worker->outbox, job);
}

static void run_each(struct queue *jobs)
{
    for (struct job *job; (job = work_pop(jobs)) != NULL;) {
        if (job->error == NULL)
            job->run(job);
        worker_done(job);
    }
}

static void thread_main(void *arg)
{
    struct worker *worker = arg;
    bool more = worker->duty.idle != NULL; /* what an earlier run left */

    for (;;) {
        uv_mutex_lock(&worker->lock);
        while (worker->jobs.first == NULL && !worker->stop && !more)
            uv_cond_wait(&worker->given, &worker->lock);
        struct queue jobs = worker->jobs;
        worker->jobs = (struct queue){0};
        bool stop = worker->stop;
        uv_mutex_unlock(&worker->lock);

        if (jobs.first != NULL) {
            if (worker->duty.run != NULL)
                worker->duty.run(worker->arg, &jobs);
            else
                run_each(&jobs);
            more = worker->duty.idle != NULL;
        } else if (stop) {
            return;
        } else {
            more = worker->duty.idle(worker->arg);
        }
    }
}

struct worker *worker_start(struct outbox *outbox, const struct worker_duty *duty, void *arg,
                            struct error **error)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL || uv_mutex_init(&worker->lock) != 0) {
        free(worker);
        error_set(error, ERROR_UNAVAILABLE, "no memory for a thread of the store");
        return NULL;
    }
    worker->outbox = outbox;
    worker->duty = *duty;
    worker->arg = arg;
    if (uv_cond_init(&worker->given) == 0) {
        if (uv_thread_create(&worker->thread, thread_main, worker) == 0)
            return worker;
        uv_cond_destroy(&worker->given);
    }
    uv_mutex_destroy(&worker->lock);
    free(worker);
    error_set(error, ERROR_UNAVAILABLE, "no thread for the store");
    return NULL;
}

void worker_give(struct worker *worker, struct job *job)
{
    job->worker = worker;
    outbox_expect(worker->outbox);
    if (worker->stopped)
        error_set(&job->error, ERROR_UNAVAILABLE, "the gateway is shutting down");
    else if (job->cost > worker->duty.limit - worker->held)
        error_set(&job->error, ERROR_UNAVAILABLE, "too much is waiting for the disk; try again later");
    if (job->error != NULL)
        job->cost = 0;
    worker->held += job->cost;
    if (worker->stopped)
        outbox_put(worker->outbox, job);
    else
        work_push(&worker->collected, job);
}

void worker_wake(struct worker *worker)
{
    if (worker->collected.first == NULL)
        return;
    uv_mutex_lock(&worker->lock);
    queue_append(&worker->jobs, &worker->collected);
    uv_cond_signal(&worker->given);
    uv_mutex_unlock(&worker->lock);
}

void worker_stop(struct worker *worker)
{
    worker_wake(worker);
    worker->stopped = true;
    uv_mutex_lock(&worker->lock);
    worker->stop = true;
    uv_cond_signal(&worker->given);
    uv_mutex_unlock(&worker->lock);
    uv_thread_join(&worker->thread);
}

void worker_free(struct worker *worker)
{
    uv_cond_destroy(&worker->given);
    uv_mutex_destroy(&worker->lock);
    free(worker);
}
