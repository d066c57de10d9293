/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_STREAM_H
#define RETROGATE_BASE_STREAM_H

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/error.h"

/* A connected byte stream: plain TCP, a Unix socket, or TLS over either, on a libuv loop. What one turn of
 * the loop writes leaves together at the end of the turn, in as few system calls as possible. */
struct stream;

struct stream_events {
    /* TLS is up (or, in plain, the stream was opened). NULL is allowed. */
    void (*ready)(void *arg, struct stream *stream);
    /* New bytes were added to the stream's input buffer. The callee consumes what it used with
     * buffer_consume(); what it leaves stays, and the next call holds old and new bytes. When the buffer is
     * at its ceiling and nothing is consumed, the stream closes with reason "input limit", unless the callee
     * paused it. After stream_resume() what was left is given again, also without new bytes. */
    void (*data)(void *arg, struct stream *stream, struct buffer *input);
    /* The output queue went down to the low-water mark (a quarter of its limit) after stream_write() had
     * found it above; or, while the stream is paused, writing failed and what was queued is gone
     * (stream_failed()). NULL is allowed. */
    void (*drained)(void *arg, struct stream *stream);
    /* Called once, last, from the loop (never inside another call on this stream): the stream is gone and is
     * freed after this returns. The reason is for a log or a person: "closed by peer", "output limit", ... */
    void (*closed)(void *arg, struct stream *stream, const char *reason);
};

struct stream_options {
    SSL_CTX *tls; /* NULL: plain */
    bool tls_server;
    size_t input_limit;    /* ceiling of the input buffer, bytes */
    size_t output_limit;   /* what may wait unsent, bytes; beyond it stream_write() closes the stream */
    uint64_t handshake_ms; /* deadline of connect and TLS; 0: 30 s */
};

/* Takes a connected, non-blocking socket (from a listener or a test); on an error it is closed. The loop's
 * thread opens and uses a stream; loops in other threads have streams of their own. */
struct stream *stream_open(uv_loop_t *loop, int fd, const struct stream_options *options,
                           const struct stream_events *events, void *arg, struct error **error);

/* Connects to an address; `ready` or `closed` tells how it went. No name lookup here. */
struct stream *stream_connect(uv_loop_t *loop, const struct sockaddr *address,
                              const struct stream_options *options, const struct stream_events *events,
                              void *arg, struct error **error);

/* Queues bytes (copied). Returns false when the limit is passed or the stream is closing. In the first case
 * the stream closes, unless `stream_room` was asked first. */
bool stream_write(struct stream *stream, const void *data, size_t size);
size_t stream_room(const struct stream *stream);   /* bytes stream_write() would still take */
size_t stream_queued(const struct stream *stream); /* bytes not yet given to the system */
/* For callers with queues of their own: hands over bytes only while less than `want` are queued, and calls
 * `drained` when more may come. */
void stream_set_low_water(struct stream *stream, size_t want);

/* Stops reading. A far end that closes meanwhile is noticed after stream_resume(), behind all that it sent.
 */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);
/* Reading or writing has failed: of a paused stream that is told only when what it received was taken. */
bool stream_failed(const struct stream *stream);

/* Sends what is queued, ends TLS and sending, waits for the far end to close too (so that what it still sends
 * does not destroy what it has not read), then calls `closed` with this reason; at most 2 s later. */
void stream_close(struct stream *stream, const char *reason);
/* Closes at once, what is queued is lost. `closed` is called from the loop. */
void stream_abort(struct stream *stream, const char *reason);

/* Begins TLS on a plain stream (STARTTLS): fails when input is waiting, so nothing said in clear is taken for
 * something said under TLS. */
bool stream_start_tls(struct stream *stream, SSL_CTX *tls, bool server, struct error **error);

SSL *stream_tls(const struct stream *stream); /* NULL in plain */
const struct sockaddr_storage *stream_peer(const struct stream *stream);
uint64_t stream_id(const struct stream *stream);       /* unique in this run, for logs */
uint64_t stream_bytes_in(const struct stream *stream); /* plain text bytes since opened */
uint64_t stream_bytes_out(const struct stream *stream);
void stream_set_arg(struct stream *stream, void *arg);

#endif
