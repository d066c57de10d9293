/* SPDX-License-Identifier: ISC */
#include "base/stream_internal.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>

#include "base/tls.h"

static const char *system_text(int number)
{
    return uv_strerror(uv_translate_sys_error(number));
}

static void fail(struct stream *stream, const char *what, const char *why)
{
    stream->broken = true;
    stream_set_reason(stream, "%s: %s", what, why);
}

/* After an SSL call that gave nothing: notes what it waits for, or how it ended. */
static void tls_outcome(struct stream *stream, int result)
{
    int number = errno;
    switch (SSL_get_error(stream->tls, result)) {
    case SSL_ERROR_WANT_READ:
        break;
    case SSL_ERROR_WANT_WRITE:
        stream->blocked = true;
        break;
    case SSL_ERROR_ZERO_RETURN:
        stream->eof = true;
        break;
    case SSL_ERROR_SYSCALL:
        fail(stream, "TLS", number != 0 ? system_text(number) : "the connection ended");
        break;
    default: {
        unsigned long newest = ERR_peek_last_error();
        long verify = SSL_get_verify_result(stream->tls);
        if (ERR_GET_LIB(newest) == ERR_LIB_SSL &&
            ERR_GET_REASON(newest) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            fail(stream, "closed by peer", "without the end of TLS");
        else if (ERR_GET_LIB(newest) == ERR_LIB_SSL &&
                 ERR_GET_REASON(newest) == SSL_R_CERTIFICATE_VERIFY_FAILED)
            fail(stream, "TLS: certificate refused", X509_verify_cert_error_string(verify));
        else
            fail(stream, "TLS", tls_error_text());
        ERR_clear_error();
    }
    }
}

static size_t read_once(struct stream *stream, uint8_t *into, size_t size)
{
    if (stream->tls != NULL) {
        size_t got = 0;
        ERR_clear_error();
        errno = 0;
        if (SSL_read_ex(stream->tls, into, size, &got) != 1)
            tls_outcome(stream, 0);
        return got;
    }
    ssize_t got = 0;
    do
        got = recv(stream->fd, into, size, 0);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        stream->eof = true;
    else if (got < 0 && errno != EAGAIN)
        fail(stream, "read", system_text(errno));
    return got > 0 ? (size_t)got : 0;
}

static size_t write_once(struct stream *stream, const uint8_t *data, size_t size)
{
    if (stream->tls != NULL && stream->clear_left == 0) {
        size_t sent = 0;
        ERR_clear_error();
        errno = 0;
        if (SSL_write_ex(stream->tls, data, size, &sent) != 1) {
            sent = 0;
            tls_outcome(stream, 0);
        }
        return sent;
    }
    ssize_t sent = 0;
    do
        sent = send(stream->fd, data, size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN)
        fail(stream, "write", system_text(errno));
    /* A short write means that the system is full: asking again would only say so. */
    stream->blocked = sent < (ssize_t)size;
    return sent > 0 ? (size_t)sent : 0;
}

static bool hears(const struct stream *stream)
{
    return stream->state == STREAM_UP && !stream->paused && !stream->closing;
}

static void announce(struct stream *stream)
{
    if (!stream->announce)
        return;
    stream->announce = false;
    if (stream->events.ready != NULL && stream->state == STREAM_UP && !stream->closing)
        stream->events.ready(stream->arg, stream);
}

static void deliver(struct stream *stream)
{
    size_t before = buffer_size(&stream->input);
    stream->events.data(stream->arg, stream, &stream->input);
    if (hears(stream) && before >= stream->input.ceiling && buffer_size(&stream->input) >= before)
        stream_close(stream, "input limit");
}

/* Reads into memory lent by the loop, as much as is there or fits. */
static size_t fill(struct stream *stream, bool *starved)
{
    struct buffer *input = &stream->input;
    size_t held = buffer_size(input);
    if (input->capacity <= STREAM_CHUNK && held <= STREAM_SMALL_REST) {
        struct buffer own = *input;
        *input = stream_chunk_take(stream->shared);
        input->ceiling = own.ceiling;
        buffer_append_bytes(input, buffer_view(&own));
        buffer_free(&own);
    }
    size_t left = held <= STREAM_SMALL_REST ? STREAM_CHUNK - held : STREAM_CHUNK;
    if (left > input->ceiling - held)
        left = input->ceiling - held;
    uint8_t *into = buffer_reserve(input, left);
    if (into == NULL) {
        fail(stream, "read", "out of memory");
        return 0;
    }
    size_t total = 0;
    while (total < left && !*starved) {
        size_t asked = left - total;
        size_t got = read_once(stream, into + total, asked);
        total += got;
        /* What is left unread in the system is told again by the poll. */
        *starved = got == 0 || (stream->tls == NULL ? got < asked : SSL_has_pending(stream->tls) == 0);
    }
    buffer_commit(input, total);
    return total;
}

/* Lent memory goes back, unless much of a message is in it. */
static void settle(struct stream *stream)
{
    struct buffer *input = &stream->input;
    if (buffer_size(input) == 0) {
        stream_chunk_give(stream->shared, input);
    } else if (buffer_size(input) <= STREAM_SMALL_REST && input->capacity > STREAM_CHUNK) {
        struct buffer rest = buffer_make(input->ceiling);
        if (!buffer_append_bytes(&rest, buffer_view(input)))
            return;
        stream_chunk_give(stream->shared, input);
        *input = rest;
    }
}

void stream_feed(struct stream *stream)
{
    announce(stream);
    bool hungry = stream->hungry;
    stream->hungry = false;
    if (hungry && hears(stream) && buffer_size(&stream->input) > 0)
        deliver(stream);
    size_t budget = STREAM_TURN_READ;
    bool starved = false;
    while (hears(stream) && !starved && budget > 0 && !stream->eof && !stream->broken) {
        size_t got = fill(stream, &starved);
        stream->bytes_in += got;
        budget -= got < budget ? got : budget;
        if (got > 0)
            deliver(stream);
    }
    settle(stream);
    if (!hears(stream))
        return;
    if (stream->broken)
        stream_abort(stream, stream->reason);
    else if (stream->eof)
        stream_close(stream, "closed by peer");
    else if (stream->tls != NULL && SSL_has_pending(stream->tls) != 0) {
        stream->hungry = !starved;
        stream_mark(stream);
    }
}

static void flush(struct stream *stream)
{
    struct buffer *output = &stream->output;
    while (!stream->blocked && !stream->broken && buffer_size(output) > 0 &&
           (stream->state == STREAM_UP || (stream->state == STREAM_HANDSHAKE && stream->clear_left > 0))) {
        struct bytes view = buffer_view(output);
        size_t sent = write_once(stream, view.data, stream->clear_left > 0 ? stream->clear_left : view.size);
        buffer_consume(output, sent);
        stream->clear_left -= stream->clear_left > 0 ? sent : 0;
        stream->bytes_out += sent;
        if (sent == 0)
            break;
    }
    /* What was read before the failure is still heard, if the owner only paused. */
    if (stream->broken && (!stream->paused || stream->closing)) {
        stream_abort(stream, stream->reason);
        return;
    }
    /* Nothing will leave any more; an owner that paused until it has left is not to wait for ever. */
    if (stream->broken)
        buffer_clear(output);
    if (buffer_size(output) == 0)
        stream_chunk_give(stream->shared, output);
    if (stream->above && buffer_size(output) <= stream->low_water && !stream->closing) {
        stream->above = false;
        if (stream->events.drained != NULL)
            stream->events.drained(stream->arg, stream);
    }
}

static void handshake(struct stream *stream)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(stream->tls);
    if (result == 1) {
        stream_set_up(stream);
        return;
    }
    tls_outcome(stream, result);
    if (stream->eof || stream->broken)
        stream_abort(stream, stream->broken ? stream->reason : "closed by peer");
}

static int socket_error(const struct stream *stream)
{
    int number = 0;
    socklen_t size = sizeof number;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
        number = errno;
    return number;
}

static void connected(struct stream *stream)
{
    int number = socket_error(stream);
    if (number != 0) {
        stream_set_reason(stream, "connect: %s", system_text(number));
        stream_abort(stream, stream->reason);
    } else if (stream->tls != NULL) {
        stream->state = STREAM_HANDSHAKE;
    } else {
        stream_set_up(stream);
    }
}

static void linger(struct stream *stream)
{
    uint8_t waste[8192];
    for (unsigned i = 0; i < 8; i++) {
        ssize_t got = recv(stream->fd, waste, sizeof waste, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            stream_abort(stream, stream->reason);
        if (got <= 0)
            return;
    }
}

static void arm(struct stream *stream)
{
    int wanted = stream->blocked || stream->state == STREAM_CONNECTING ? UV_WRITABLE : 0;
    if ((hears(stream) && !stream->eof && !stream->broken) || stream->state == STREAM_LINGER ||
        (stream->state == STREAM_HANDSHAKE && stream->started))
        wanted |= UV_READABLE;
    /* Two system calls, so only on a change. */
    if (stream->state == STREAM_DEAD || wanted == stream->armed)
        return;
    stream->armed = wanted;
    if (wanted != 0)
        uv_poll_start(&stream->poll, wanted, stream_on_poll);
    else
        uv_poll_stop(&stream->poll);
}

void stream_visit(struct stream *stream)
{
    if (stream->state == STREAM_DEAD)
        return;
    announce(stream);
    flush(stream);
    if (stream->state == STREAM_HANDSHAKE && stream->clear_left == 0 && !stream->started) {
        stream->started = true;
        handshake(stream);
    }
    if (stream->state == STREAM_UP && stream->closing && buffer_size(&stream->output) == 0) {
        if (stream->tls != NULL) {
            ERR_clear_error();
            SSL_shutdown(stream->tls);
            ERR_clear_error();
        }
        stream->blocked = false;
        stream->state = STREAM_LINGER;
        if (stream->eof || shutdown(stream->fd, SHUT_WR) != 0)
            stream_abort(stream, stream->reason);
    }
    arm(stream);
    if (stream->hungry && hears(stream))
        stream_mark(stream);
}

void stream_on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream *stream = poll->data;
    assert(stream->magic == STREAM_MAGIC);
    if (stream->state == STREAM_DEAD)
        return;
    /* libuv answers an error of the socket by stopping the poll; the error itself comes out of the next call.
     */
    if (status < 0) {
        stream->armed = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if ((events & UV_WRITABLE) != 0)
        stream->blocked = false;
    if (stream->state == STREAM_CONNECTING)
        connected(stream);
    else if (stream->state == STREAM_HANDSHAKE && stream->started)
        handshake(stream);
    else if (stream->state == STREAM_UP && ((events & UV_READABLE) != 0 || stream->tls != NULL))
        stream_feed(stream);
    else if (stream->state == STREAM_LINGER)
        linger(stream);
    if (status < 0 && stream->state != STREAM_DEAD) {
        int number = socket_error(stream);
        stream_abort(stream, number != 0 ? system_text(number) : "connection lost");
    }
    stream_mark(stream);
}
