/* SPDX-License-Identifier: ISC */
#include "keyring/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "keyring/frame.h"

enum { DELAY_FIRST_MS = 100, DELAY_MOST_MS = 30000, STOP_MS = 10000, READ_SIZE = 64 * 1024 };

/* From a start to the process's end; its handles close after that. */
struct life {
    struct child *child;
    uv_process_t process;
    uv_pipe_t pipe;
    struct buffer input;
    size_t most;      /* bytes of a frame that may come */
    unsigned handles; /* not closed yet */
    bool started, ended;
};

struct child {
    uv_loop_t *loop;
    char *program, *directory;
    unsigned index, workers;
    struct child_events events;
    void *arg;
    struct life *life; /* NULL: waiting to be started again */
    uv_timer_t timer;  /* start again; when stopping, patience */
    uint64_t delay;
    bool stopping, timer_closed;
};

struct sending {
    uv_write_t request;
    struct buffer data;
};

static void start_again(uv_timer_t *timer);

static void free_if_done(struct child *child)
{
    if (!child->stopping || child->life || !child->timer_closed)
        return;
    free(child->program);
    free(child->directory);
    free(child);
}

static void timer_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    child->timer_closed = true;
    free_if_done(child);
}

static void life_closed(uv_handle_t *handle)
{
    struct life *life = handle->data;
    if (--life->handles > 0)
        return;
    struct child *child = life->child;
    buffer_free(&life->input);
    if (child->life == life)
        child->life = NULL;
    free(life);
    if (child->stopping) {
        uv_close((uv_handle_t *)&child->timer, timer_closed);
        return;
    }
    uv_timer_start(&child->timer, start_again, child->delay, 0);
    child->delay = child->delay * 2 < DELAY_MOST_MS ? child->delay * 2 : DELAY_MOST_MS;
}

static void kill_group(struct life *life)
{
    if (life->started && !life->ended)
        uv_kill(-life->process.pid, SIGKILL);
}

static void close_life(struct life *life)
{
    if (!uv_is_closing((uv_handle_t *)&life->pipe))
        uv_close((uv_handle_t *)&life->pipe, life_closed);
    if (!uv_is_closing((uv_handle_t *)&life->process))
        uv_close((uv_handle_t *)&life->process, life_closed);
}

static void exited(uv_process_t *process, int64_t status, int signal_number)
{
    struct life *life = process->data;
    struct child *child = life->child;
    life->ended = true;
    close_life(life);
    if (child->stopping)
        return;
    log_warn("keyring", "event=ended worker=%u status=%d signal=%d", child->index, (int)status,
             signal_number);
    child->events.down(child->arg);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    (void)suggested;
    struct life *life = handle->data;
    uint8_t *into = frame_reserve(&life->input, READ_SIZE);
    *room = uv_buf_init((char *)into, into ? READ_SIZE : 0);
}

static void take_frames(struct life *life)
{
    struct child *child = life->child;
    struct bytes frame;
    enum frame_state state;
    while (!child->stopping &&
           (state = frame_find(buffer_view(&life->input), life->most, &frame)) != FRAME_PARTIAL) {
        if (state == FRAME_BAD) {
            kill_group(life);
            return;
        }
        child->delay = DELAY_FIRST_MS;
        child->events.frame(child->arg, frame);
        frame_consume(&life->input, frame); /* wipes a private key */
    }
}

static void received(uv_stream_t *stream, ssize_t size, const uv_buf_t *room)
{
    (void)room;
    struct life *life = stream->data;
    if (size < 0) {
        kill_group(life); /* it may be alive with a closed channel; `exited` follows */
        return;
    }
    buffer_commit(&life->input, (size_t)size);
    take_frames(life);
}

/* Nothing of the daemon's environment but where programs are found. */
static bool spawn(struct life *life, struct error **error)
{
    struct child *child = life->child;
    char index[12], workers[12], path[1024], home[128];
    const char *known = getenv("PATH");
    snprintf(index, sizeof(index), "%u", child->index);
    snprintf(workers, sizeof(workers), "%u", child->workers);
    snprintf(home, sizeof(home), "HOME=%s", child->directory);
    snprintf(path, sizeof(path), "PATH=%s", known && strlen(known) < 1000 ? known : "/usr/bin:/bin");
    char *arguments[] = {child->program, child->directory, index, workers, NULL};
    char *environment[] = {path, home, (char[]){"LC_ALL=C"}, NULL};
    uv_stdio_container_t channels[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)&life->pipe},
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
    };
    uv_process_options_t options = {.file = child->program,
                                    .args = arguments,
                                    .env = environment,
                                    .exit_cb = exited,
                                    .stdio = channels,
                                    .stdio_count = 3,
                                    .flags = UV_PROCESS_DETACHED};
    int failed = uv_spawn(child->loop, &life->process, &options);
    life->process.data = life;
    life->started = failed == 0;
    life->ended = failed != 0;
    return failed == 0 || error_set(error, ERROR_UNAVAILABLE, "retrogate-keyring cannot be started: %s",
                                    uv_strerror(failed));
}

static bool begin_life(struct child *child, struct error **error)
{
    struct life *life = calloc(1, sizeof(*life));
    if (!life)
        return error_set(error, ERROR_UNAVAILABLE, "no memory");
    *life = (struct life){.child = child,
                          .handles = 2,
                          .input = buffer_make((size_t)FRAME_HEADER + FRAME_SIZE_POST + READ_SIZE),
                          .most = FRAME_SIZE_MAX};
    life->input.secret = true;
    life->pipe.data = life;
    uv_pipe_init(child->loop, &life->pipe, 0);
    child->life = life;
    if (!spawn(life, error)) {
        close_life(life);
        return false;
    }
    uv_read_start((uv_stream_t *)&life->pipe, give_room, received);
    return true;
}

static void start_again(uv_timer_t *timer)
{
    struct child *child = timer->data;
    struct error *error = NULL;
    if (begin_life(child, &error)) {
        child->events.up(child->arg);
        return;
    }
    log_error("keyring", "event=start-failed worker=%u", child->index);
    if (!child->life)
        uv_timer_start(&child->timer, start_again, DELAY_MOST_MS, 0);
    error_free(error);
}

struct child *child_start(uv_loop_t *loop, const struct child_options *options,
                          const struct child_events *events, void *arg, struct error **error)
{
    struct child *child = calloc(1, sizeof(*child));
    char *program = strdup(options->program), *directory = strdup(options->directory);
    if (!child || !program || !directory) {
        free(child);
        free(program);
        free(directory);
        error_set(error, ERROR_UNAVAILABLE, "no memory");
        return NULL;
    }
    *child = (struct child){.loop = loop,
                            .program = program,
                            .directory = directory,
                            .index = options->index,
                            .workers = options->workers,
                            .events = *events,
                            .arg = arg,
                            .delay = DELAY_FIRST_MS};
    uv_timer_init(loop, &child->timer);
    child->timer.data = child;
    if (begin_life(child, error))
        return child;
    child_stop(child);
    return NULL;
}

bool child_is_up(const struct child *child)
{
    return child->life && child->life->started && !child->life->ended;
}

static void sent(uv_write_t *request, int status)
{
    (void)status; /* what is lost is told by the child's end */
    struct sending *sending = request->data;
    buffer_free(&sending->data);
    free(sending);
}

void child_send(struct child *child, struct buffer *frame, size_t most)
{
    child->life->most = most;
    struct sending *sending = calloc(1, sizeof(*sending));
    struct bytes view = buffer_view(frame);
    if (sending) {
        sending->data = *frame;
        sending->request.data = sending;
        *frame = buffer_make(0);
        uv_buf_t data = uv_buf_init((char *)(uintptr_t)view.data, (unsigned)view.size);
        if (uv_write(&sending->request, (uv_stream_t *)&child->life->pipe, &data, 1, sent) == 0)
            return;
        sent(&sending->request, -1);
    }
    child_kill(child); /* so that the request fails instead of waiting */
}

void child_kill(struct child *child)
{
    if (child->life)
        kill_group(child->life);
}

static void patience_over(uv_timer_t *timer)
{
    child_kill(timer->data);
}

void child_stop(struct child *child)
{
    child->stopping = true;
    if (!child->life) {
        uv_close((uv_handle_t *)&child->timer, timer_closed);
        return;
    }
    if (!uv_is_closing((uv_handle_t *)&child->life->pipe))
        uv_close((uv_handle_t *)&child->life->pipe, life_closed);
    uv_timer_start(&child->timer, patience_over, STOP_MS, 0);
}
