/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_STREAM_INTERNAL_H
#define RETROGATE_BASE_STREAM_INTERNAL_H

#include "base/stream.h"

/* Only for stream.c (what callers do), stream_io.c (what the system answers) and stream_loop.c (what the
 * streams of one loop share). */

enum {
    STREAM_MAGIC = 0x5354524d,
    STREAM_CHUNK =
        64 * 1024, /* read in one piece; also the size of the memory that streams lend each other */
    STREAM_TURN_READ = 256 * 1024, /* one stream reads no more in a turn, so that the others have theirs */
    STREAM_SMALL_REST =
        16 * 1024, /* an unfinished message up to this size is moved to memory of its own size */
    STREAM_CLOSE_MS = 2000,
    STREAM_HANDSHAKE_MS = 30000,
};

enum stream_state {
    STREAM_CONNECTING,
    STREAM_HANDSHAKE, /* begins when `clear_left` is sent */
    STREAM_UP,
    STREAM_LINGER, /* all is sent; waits for the far end's close, because closing with unread input would
                      destroy it */
    STREAM_DEAD,   /* its handles are closing; freed when they are closed */
};

struct stream_loop {
    uv_loop_t *loop;
    struct stream_loop *next;
    uv_prepare_t prepare; /* the end of a turn: just before the loop waits */
    uv_idle_t idle;       /* active while somebody must be visited again: keeps the loop from waiting */
    unsigned handles;
    unsigned streams;
    struct stream *visits; /* to be visited at the end of this turn */
    struct buffer spare[8];
    unsigned spares;
};

struct stream {
    uint32_t magic;
    int fd;
    struct stream_loop *shared;
    struct stream *prev, *next;
    struct stream_events events;
    void *arg;
    uv_poll_t poll;
    uv_timer_t timer; /* deadline of the handshake, later of the close */
    unsigned handles;
    int armed; /* what the poll handle waits for */
    enum stream_state state;
    bool listed;   /* in shared->visits */
    bool announce; /* `ready` is due */
    bool started;  /* the TLS handshake began */
    bool paused;
    bool hungry;  /* read without waiting for the poll */
    bool blocked; /* the system takes no more now: wait until writable */
    bool above;   /* `drained` is due at the low-water mark */
    bool closing; /* stream_close() was called */
    bool eof;     /* the far end sends no more */
    bool broken;  /* reading or writing failed, `reason` says how */
    SSL *tls;
    struct buffer input, output;
    size_t clear_left; /* first bytes of the output that go out before TLS begins */
    size_t low_water;
    uint64_t handshake_ms;
    uint64_t id, bytes_in, bytes_out;
    struct sockaddr_storage peer;
    char reason[160];
};

/* The shared part of a loop; made with its first stream, gone with its last. NULL without memory. */
struct stream_loop *stream_loop_get(uv_loop_t *loop);
void stream_loop_put(struct stream_loop *shared);
/* Has the stream visited at the end of this turn: stream_feed() if it is hungry, then stream_visit(). */
void stream_mark(struct stream *stream);
void stream_unmark(struct stream *stream);
/* Memory of STREAM_CHUNK bytes that streams use in turn, so that idle ones hold none. stream_chunk_spare()
 * gives an empty buffer when none is spare, stream_chunk_take() makes one; without memory that is empty too.
 */
struct buffer stream_chunk_spare(struct stream_loop *shared);
struct buffer stream_chunk_take(struct stream_loop *shared);
void stream_chunk_give(struct stream_loop *shared, struct buffer *chunk);

void stream_feed(struct stream *stream);
void stream_visit(struct stream *stream);
void stream_on_poll(uv_poll_t *poll, int status, int events);
/* Makes the stream TLS; the handshake begins with a later visit. */
bool stream_begin_tls(struct stream *stream, SSL_CTX *tls, bool server, struct error **error);
void stream_deadline(struct stream *stream, uint64_t ms);
void stream_set_reason(struct stream *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The TLS handshake, or the connection in plain, is done. */
void stream_set_up(struct stream *stream);

#endif
