/* SPDX-License-Identifier: ISC */
#include "splice.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "live_frames.h"

enum { MAGIC = 0x53504c43 };

struct splice {
    uint32_t magic;
    bool websocket;
    bool answered;         /* the library has said something */
    bool refused;          /* the client broke the rules, what it sends is dropped */
    struct stream *client; /* NULL when gone */
    struct stream *near;   /* our end of the pair */
    struct frames frames;
    void (*ended)(void *arg);
    void *arg;
};

/* Passes on as much as fits; the sender is paused while something is left. What is for a stream that is
 * closing is dropped. */
static void pass(struct stream *from, struct buffer *input, size_t size, struct stream *to)
{
    size_t room = stream_room(to), part = size < room ? size : room;
    if (part > 0 && !stream_write(to, buffer_view(input).data, part))
        part = size;
    buffer_consume(input, part);
    if (part < size)
        stream_pause(from);
}

/* Passes on what may pass. Only what is passed on at once may be looked at, because looking moves on; and one
 * byte of room is kept for the nonsense. */
static void pass_frames(struct splice *splice, struct buffer *input)
{
    struct bytes view = buffer_view(input);
    size_t room = stream_room(splice->near), most = room > 0 ? room - 1 : 0;
    size_t part = frames_pass(&splice->frames, bytes_of(view.data, view.size < most ? view.size : most));
    if (part > 0)
        pass(splice->client, input, part, splice->near);
    if (splice->frames.refused) {
        const uint8_t nonsense = FRAMES_NONSENSE;
        splice->refused = true;
        stream_write(splice->near, &nonsense, 1);
    } else if (view.size > most) {
        stream_pause(splice->client);
    }
}

void splice_input(struct splice *splice, struct buffer *input)
{
    assert(splice->magic == MAGIC);
    if (!splice->websocket) {
        pass(splice->client, input, buffer_size(input), splice->near);
        return;
    }
    if (!frames_begun(&splice->frames))
        pass_frames(splice, input);
    /* libwebsockets 4.1.6 garbles frames that come together with the handshake while it may not read on, so
     * they wait for its answer. */
    if (!splice->answered && frames_begun(&splice->frames) && buffer_size(input) > 0)
        stream_pause(splice->client);
    else if (frames_begun(&splice->frames) && !splice->refused)
        pass_frames(splice, input);
    if (splice->refused)
        buffer_consume(input, buffer_size(input));
}

void splice_drained(struct splice *splice)
{
    assert(splice->magic == MAGIC);
    stream_resume(splice->near);
}

void splice_client_gone(struct splice *splice)
{
    assert(splice->magic == MAGIC);
    splice->client = NULL;
    stream_close(splice->near, "closed by the client");
}

static void on_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct splice *splice = arg;
    assert(splice->magic == MAGIC);
    if (!splice->answered && splice->client != NULL)
        stream_resume(splice->client);
    splice->answered = true;
    if (splice->client != NULL)
        pass(stream, input, buffer_size(input), splice->client);
    else
        buffer_consume(input, buffer_size(input));
}

static void on_drained(void *arg, struct stream *stream)
{
    struct splice *splice = arg;
    assert(splice->magic == MAGIC);
    (void)stream;
    if (splice->client != NULL)
        stream_resume(splice->client);
}

static void on_closed(void *arg, struct stream *stream, const char *reason)
{
    struct splice *splice = arg;
    assert(splice->magic == MAGIC);
    (void)stream;
    (void)reason;
    void (*ended)(void *) = splice->ended;
    void *owner = splice->arg;
    splice->magic = 0;
    free(splice);
    ended(owner);
}

struct splice *splice_open(uv_loop_t *loop, struct stream *client, bool websocket, int *far,
                           void (*ended)(void *arg), void *arg, struct error **error)
{
    static const struct stream_events events = {.data = on_data, .drained = on_drained, .closed = on_closed};
    static const struct stream_options options = {.input_limit = SPLICE_LIMIT, .output_limit = SPLICE_LIMIT};
    int pair[2];
    struct splice *splice = calloc(1, sizeof *splice);
    if (splice == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
        error_set(error, ERROR_UNAVAILABLE, "no socket pair for a connection: %s",
                  splice == NULL ? "out of memory" : uv_strerror(uv_translate_sys_error(errno)));
        free(splice);
        return NULL;
    }
    *splice =
        (struct splice){.magic = MAGIC, .websocket = websocket, .client = client, .ended = ended, .arg = arg};
    splice->near = stream_open(loop, pair[0], &options, &events, splice, error);
    if (splice->near == NULL) {
        close(pair[1]);
        free(splice);
        return NULL;
    }
    *far = pair[1];
    return splice;
}
