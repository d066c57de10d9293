/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "keyring/sandbox.h"
#include "keyring/worker.h"

/* retrogate-keyring <directory> <index> <workers>: started by retrogated with one end of a socketpair as
 * standard input. Answers requests in their order; the end of the stream ends it and the agents that it
 * started. */

enum { CHANNEL = STDIN_FILENO, READ_SIZE = 64 * 1024 };

static bool send_buffer(const struct buffer *out)
{
    struct bytes left = buffer_view(out);
    while (left.size > 0) {
        ssize_t sent = send(CHANNEL, left.data, left.size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        left = bytes_of(left.data + sent, left.size - (size_t)sent);
    }
    return true;
}

static void send_progress(const struct worker *worker, const char *what)
{
    struct buffer out = buffer_make(1024);
    if (progress_write(&out, worker->current, what))
        send_buffer(&out);
    buffer_free(&out);
}

static bool answer_request(struct worker *worker, const struct request *request)
{
    struct buffer out = buffer_make(FRAME_HEADER + frame_most(request->purpose));
    struct result result;
    out.secret = true;
    worker_do(worker, request, &result);
    bool good = answer_write(&out, request->id, &result.answer) && send_buffer(&out);
    result_free(&result);
    buffer_free(&out);
    return good;
}

/* gpg and its agent leave their parents on purpose; this process took their place (sandbox.c). */
static bool reap(void)
{
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        continue;
    return pid < 0 && errno == ECHILD;
}

static void wait_for_agents(void)
{
    const struct timespec step = {.tv_nsec = 5000000};
    for (int i = 0; i < 600 && !reap(); i++)
        nanosleep(&step, NULL);
}

static enum frame_state find_request(const struct buffer *input, struct bytes *frame)
{
    struct bytes view = buffer_view(input);
    return frame_find(view, frame_request_most(view), frame);
}

/* False when the stream is not one of frames. */
static bool answer_all(struct worker *worker, struct buffer *input)
{
    struct bytes frame;
    struct request request;
    enum frame_state state;
    while ((state = find_request(input, &frame)) == FRAME_WHOLE) {
        if (!frame_request_parse(&request, frame) || !answer_request(worker, &request))
            return false;
        frame_consume(input, frame); /* wipes the passphrase */
        reap();
    }
    return state == FRAME_PARTIAL;
}

static bool serve(struct worker *worker)
{
    struct buffer input = buffer_make((size_t)FRAME_HEADER + FRAME_SIZE_POST + READ_SIZE);
    input.secret = true;
    bool good = true;
    while (good) {
        uint8_t *into = frame_reserve(&input, READ_SIZE);
        ssize_t size = into ? recv(CHANNEL, into, READ_SIZE, 0) : -1;
        if (size < 0 && into && errno == EINTR)
            continue;
        if (size <= 0) {
            good = size == 0;
            break;
        }
        buffer_commit(&input, (size_t)size);
        good = answer_all(worker, &input);
    }
    buffer_free(&input);
    return good;
}

int main(int argc, char **argv)
{
    struct error *error = NULL;
    if (argc != 4)
        fatal("retrogate-keyring is started by retrogated, not by hand");
    struct worker worker = {.directory = argv[1],
                            .index = (unsigned)strtoul(argv[2], NULL, 10),
                            .workers = (unsigned)strtoul(argv[3], NULL, 10),
                            .progress = send_progress};
    if (worker.workers == 0 || worker.index >= worker.workers)
        fatal("retrogate-keyring: worker %u of %u", worker.index, worker.workers);
    signal(SIGPIPE, SIG_IGN);
    /* Terminals and service managers signal the whole group; the daemon decides, by closing the channel. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    if (!sandbox_enter(&error) || !pgp_initialise(&error) || !worker_start(&worker, &error))
        fatal("retrogate-keyring: %s", error->text);
    bool good = serve(&worker);
    worker_end(&worker);
    wait_for_agents();
    /* Not exit(): nothing is left to do, and a leak checker could not trace a process that refuses it. */
    _exit(good ? 0 : 1);
}
