/* SPDX-License-Identifier: ISC */
#include "base/stream_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/tls.h"

static atomic_uint_fast64_t newest_id;

static void on_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;
    assert(stream->magic == STREAM_MAGIC);
    if (--stream->handles > 0)
        return;
    stream->events.closed(stream->arg, stream, stream->reason);
    stream_unmark(stream);
    SSL_free(stream->tls);
    close(stream->fd);
    buffer_free(&stream->input);
    buffer_free(&stream->output);
    stream_loop_put(stream->shared);
    stream->magic = 0;
    free(stream);
}

static void on_deadline(uv_timer_t *timer)
{
    struct stream *stream = timer->data;
    assert(stream->magic == STREAM_MAGIC);
    stream_abort(stream, stream->state == STREAM_CONNECTING ? "connect deadline" : "handshake deadline");
}

void stream_deadline(struct stream *stream, uint64_t ms)
{
    uv_timer_start(&stream->timer, on_deadline, ms, 0);
}

void stream_set_reason(struct stream *stream, const char *format, ...)
{
    if (stream->reason[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(stream->reason, sizeof stream->reason, format, arguments);
    va_end(arguments);
}

void stream_set_up(struct stream *stream)
{
    stream->state = STREAM_UP;
    stream->announce = true;
    /* TLS may have read more than the handshake. */
    stream->hungry = stream->tls != NULL;
    if (!stream->closing)
        uv_timer_stop(&stream->timer);
    stream_mark(stream);
}

bool stream_begin_tls(struct stream *stream, SSL_CTX *tls, bool server, struct error **error)
{
    SSL *made = SSL_new(tls);
    BIO *bio = made != NULL ? tls_socket_bio(stream->fd) : NULL;
    if (bio == NULL) {
        SSL_free(made);
        return error_set(error, ERROR_INTERNAL, "TLS: %s", tls_error_text());
    }
    SSL_set_bio(made, bio, bio);
    /* A queue that grows while a write waits moves, and more bytes are given the next time. */
    SSL_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                           SSL_MODE_RELEASE_BUFFERS);
    SSL_set_options(made, SSL_OP_NO_RENEGOTIATION);
    SSL_set_read_ahead(made, 1);
    if (server)
        SSL_set_accept_state(made);
    else
        SSL_set_connect_state(made);
    stream->tls = made;
    stream->started = false;
    return true;
}

static struct stream *make(uv_loop_t *loop, int fd, const struct stream_options *options,
                           const struct stream_events *events, void *arg, struct error **error)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    *stream = (struct stream){
        .magic = STREAM_MAGIC,
        .fd = fd,
        .events = *events,
        .arg = arg,
        .handles = 2,
        .input = buffer_make(options->input_limit),
        .output = buffer_make(options->output_limit),
        .low_water = options->output_limit / 4,
        .handshake_ms = options->handshake_ms != 0 ? options->handshake_ms : STREAM_HANDSHAKE_MS,
        .id = atomic_fetch_add_explicit(&newest_id, 1, memory_order_relaxed) + 1,
    };
    stream->poll.data = stream->timer.data = stream;
    if (options->tls != NULL && !stream_begin_tls(stream, options->tls, options->tls_server, error))
        goto failed;
    stream->shared = stream_loop_get(loop);
    if (stream->shared == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        goto failed;
    }
    int number = uv_poll_init(loop, &stream->poll, fd);
    if (number != 0) {
        error_set(error, ERROR_INTERNAL, "cannot watch a socket: %s", uv_strerror(number));
        stream_loop_put(stream->shared);
        goto failed;
    }
    uv_timer_init(loop, &stream->timer);
    return stream;
failed:
    SSL_free(stream->tls);
    free(stream);
    return NULL;
}

struct stream *stream_open(uv_loop_t *loop, int fd, const struct stream_options *options,
                           const struct stream_events *events, void *arg, struct error **error)
{
    struct stream *stream = make(loop, fd, options, events, arg, error);
    if (stream == NULL) {
        close(fd);
        return NULL;
    }
    socklen_t size = sizeof stream->peer;
    getpeername(fd, (struct sockaddr *)&stream->peer, &size);
    if (stream->peer.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (stream->tls != NULL) {
        stream->state = STREAM_HANDSHAKE;
        stream_deadline(stream, stream->handshake_ms);
        stream_mark(stream);
    } else {
        stream_set_up(stream);
    }
    return stream;
}

struct stream *stream_connect(uv_loop_t *loop, const struct sockaddr *address,
                              const struct stream_options *options, const struct stream_events *events,
                              void *arg, struct error **error)
{
    char text[64];
    address_format(text, sizeof text, address);
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (connect(fd, address, address_size(address)) != 0 && errno != EINPROGRESS)) {
        error_set(error, ERROR_UNAVAILABLE, "cannot connect to %s: %s", text,
                  uv_strerror(uv_translate_sys_error(errno)));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct stream *stream = make(loop, fd, options, events, arg, error);
    if (stream == NULL) {
        close(fd);
        return NULL;
    }
    if (address->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    memcpy(&stream->peer, address, address_size(address));
    stream->state = STREAM_CONNECTING;
    stream_deadline(stream, stream->handshake_ms);
    stream_mark(stream);
    return stream;
}

bool stream_write(struct stream *stream, const void *data, size_t size)
{
    if (stream->state == STREAM_DEAD || stream->state == STREAM_LINGER || stream->closing)
        return false;
    if (size > stream_room(stream)) {
        stream_abort(stream, "output limit");
        return false;
    }
    if (stream->output.memory == NULL) {
        size_t ceiling = stream->output.ceiling;
        stream->output = stream_chunk_spare(stream->shared);
        stream->output.ceiling = ceiling;
    }
    if (!buffer_append(&stream->output, data, size)) {
        stream_abort(stream, "out of memory");
        return false;
    }
    stream->above = stream->above || buffer_size(&stream->output) > stream->low_water;
    stream_mark(stream);
    return true;
}

bool stream_failed(const struct stream *stream)
{
    return stream->broken;
}

size_t stream_room(const struct stream *stream)
{
    return stream->output.ceiling - buffer_size(&stream->output);
}

size_t stream_queued(const struct stream *stream)
{
    return buffer_size(&stream->output);
}

void stream_set_low_water(struct stream *stream, size_t want)
{
    stream->low_water = want > 0 ? want - 1 : 0;
    stream->above = buffer_size(&stream->output) > stream->low_water;
}

void stream_pause(struct stream *stream)
{
    stream->paused = true;
    stream_mark(stream);
}

void stream_resume(struct stream *stream)
{
    if (!stream->paused)
        return;
    stream->paused = false;
    stream->hungry = true;
    stream_mark(stream);
}

void stream_close(struct stream *stream, const char *reason)
{
    if (stream->state == STREAM_DEAD || stream->closing)
        return;
    if (stream->state < STREAM_UP && buffer_size(&stream->output) == 0) {
        stream_abort(stream, reason);
        return;
    }
    stream_set_reason(stream, "%s", reason);
    stream->closing = true;
    stream_deadline(stream, STREAM_CLOSE_MS);
    stream_mark(stream);
}

void stream_abort(struct stream *stream, const char *reason)
{
    if (stream->state == STREAM_DEAD)
        return;
    stream_set_reason(stream, "%s", reason);
    stream->state = STREAM_DEAD;
    uv_close((uv_handle_t *)&stream->poll, on_closed);
    uv_close((uv_handle_t *)&stream->timer, on_closed);
}

bool stream_start_tls(struct stream *stream, SSL_CTX *tls, bool server, struct error **error)
{
    if (stream->state != STREAM_UP || stream->closing || stream->eof)
        return error_set(error, ERROR_UNAVAILABLE, "TLS cannot begin: the connection is closing");
    if (stream->tls != NULL)
        return error_set(error, ERROR_INVALID, "TLS is on already");
    if (buffer_size(&stream->input) > 0)
        return error_set(error, ERROR_INVALID,
                         "TLS cannot begin: more was said in clear after asking for it");
    if (!stream_begin_tls(stream, tls, server, error))
        return false;
    stream->clear_left = buffer_size(&stream->output);
    stream->state = STREAM_HANDSHAKE;
    stream_deadline(stream, stream->handshake_ms);
    stream_mark(stream);
    return true;
}

SSL *stream_tls(const struct stream *stream)
{
    return stream->tls;
}

const struct sockaddr_storage *stream_peer(const struct stream *stream)
{
    return &stream->peer;
}

uint64_t stream_id(const struct stream *stream)
{
    return stream->id;
}

uint64_t stream_bytes_in(const struct stream *stream)
{
    return stream->bytes_in;
}

uint64_t stream_bytes_out(const struct stream *stream)
{
    return stream->bytes_out;
}

void stream_set_arg(struct stream *stream, void *arg)
{
    stream->arg = arg;
}
