/* SPDX-License-Identifier: ISC */
#include "front.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/listener.h"
#include "base/log.h"
#include "base/map.h"
#include "base/stream.h"
#include "head.h"
#include "splice.h"

enum {
    MAGIC = 0x57454246,
    DEFAULT_CLIENTS = 1024,
    DEFAULT_CLIENTS_PER_ADDRESS = 128,
    DEFAULT_HEAD_MS = 10000,
    LAST_MS = 5000,       /* for a client to take the rest of what it was answered */
    TLS_HANDSHAKE = 0x16, /* the first byte of TLS, RFC 8446 §5.1 */
};

struct door {
    struct front *front;
    struct listener *listener;
    unsigned port;
    bool tls;
    bool open;
};

/* A socket whose first bytes are awaited and only looked at. */
struct probe {
    uint32_t magic;
    int fd;
    size_t seen;
    struct connection *connection; /* NULL when it no longer matters */
    uv_poll_t poll;
};

/* Lives until our side of it and the taker are both done. */
struct connection {
    struct place place; /* the first member: a place is found again by it */
    uint32_t magic;
    uint8_t holds;
    bool decided; /* refused, or given to one who serves it */
    bool served;  /* all that is to be said is in the stream's queue */
    struct door *door;
    struct probe *probe;            /* at first; */
    struct stream *stream;          /* under TLS and for WebSockets, then */
    struct splice *splice;          /* in between */
    uint64_t until;                 /* the deadline of the head, or of the rest of the answers; 0: none */
    uint64_t sent;                  /* bytes, when the deadline was set */
    struct connection *prev, *next; /* those with a deadline, the first one first */
};

struct front {
    uint32_t magic;
    struct site *site;
    struct front_takers takers;
    void *arg;
    SSL_CTX *tls;
    struct door *doors;
    size_t door_count;
    unsigned limit, count; /* of connections, over all doors */
    unsigned head_ms;
    struct connection *waiting;
    uv_timer_t timer; /* of the first deadline; at the end calls `closed` from the loop */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* Answers given before anybody else could. */
static const struct head_refusal
    bad_request = {"400 Bad Request", "This is not a request of HTTP/1.1."},
    needs_tls = {"400 Bad Request", "This port speaks HTTPS only: write https:// before the address."},
    too_large = {"431 Request Header Fields Too Large",
                 "The head of the request has more than 16384 bytes; clear the cookies of this site."};

/* --- the end */

static void close_doors(struct front *front)
{
    for (size_t i = 0; i < front->door_count; i++) {
        if (front->doors[i].open)
            listener_close(front->doors[i].listener);
        front->doors[i].open = false;
    }
}

static void front_free(struct front *front)
{
    close_doors(front);
    SSL_CTX_free(front->tls);
    free(front->doors);
    front->magic = 0;
    free(front);
}

static void on_timer_gone(uv_handle_t *handle)
{
    struct front *front = handle->data;
    assert(front->magic == MAGIC);
    void (*closed)(void *) = front->closed;
    void *arg = front->closed_arg;
    front_free(front);
    closed(arg);
}

static void close_when_empty(struct front *front)
{
    if (front->closing && front->count == 0 && !uv_is_closing((uv_handle_t *)&front->timer))
        uv_close((uv_handle_t *)&front->timer, on_timer_gone);
}

static void release(struct connection *connection)
{
    struct front *front = connection->place.front;
    assert(connection->magic == MAGIC && connection->holds > 0);
    if (--connection->holds > 0)
        return;
    listener_release(connection->door->listener, &connection->place.peer);
    connection->magic = 0;
    free(connection);
    front->count--;
    close_when_empty(front);
}

/* --- deadlines */

static void drop(struct connection *connection, const char *reason);
static void on_deadline(uv_timer_t *timer);

static void end_deadline(struct connection *connection)
{
    if (connection->until > 0)
        DL_DELETE(connection->place.front->waiting, connection);
    connection->until = 0;
}

static void set_deadline(struct connection *connection, unsigned ms)
{
    struct front *front = connection->place.front;
    end_deadline(connection);
    connection->until = uv_now(front->timer.loop) + ms;
    connection->sent = connection->stream != NULL ? stream_bytes_out(connection->stream) : 0;
    /* From the end, where it mostly belongs. */
    struct connection *before = front->waiting != NULL ? front->waiting->prev : NULL;
    while (before != NULL && before->until > connection->until)
        before = before != front->waiting ? before->prev : NULL;
    if (before != NULL)
        DL_APPEND_ELEM(front->waiting, before, connection);
    else
        DL_PREPEND(front->waiting, connection);
    if (front->waiting == connection)
        uv_timer_start(&front->timer, on_deadline, ms, 0);
}

static void on_deadline(uv_timer_t *timer)
{
    struct front *front = timer->data;
    assert(front->magic == MAGIC);
    uint64_t now = uv_now(timer->loop);
    struct connection *first;
    while ((first = front->waiting) != NULL && first->until <= now) {
        if (first->decided && !front->closing && first->stream != NULL &&
            stream_bytes_out(first->stream) > first->sent)
            set_deadline(first, LAST_MS);
        else
            drop(first, "too slow");
    }
    if (first != NULL)
        uv_timer_start(timer, on_deadline, first->until - now, 0);
}

void place_release(struct place *place)
{
    struct connection *connection = (struct connection *)place;
    assert(connection->magic == MAGIC);
    if (connection->stream != NULL)
        set_deadline(connection, LAST_MS);
    release(connection);
}

/* --- from the socket to the one who serves it */

static void on_probe_gone(uv_handle_t *handle)
{
    free(handle->data);
}

/* Ends looking; the socket is the caller's. */
static int probe_end(struct connection *connection)
{
    struct probe *probe = connection->probe;
    int fd = probe->fd;
    connection->probe = NULL;
    probe->connection = NULL;
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &(int){1}, sizeof(int));
    uv_close((uv_handle_t *)&probe->poll, on_probe_gone);
    return fd;
}

/* Ends a connection that nobody has taken. */
static void drop(struct connection *connection, const char *reason)
{
    log_debug("web", "event=dropped reason=%s", log_text(reason, strlen(reason)));
    end_deadline(connection);
    if (connection->stream != NULL) {
        stream_abort(connection->stream, reason);
        return;
    }
    if (connection->probe != NULL)
        close(probe_end(connection));
    release(connection);
}

static void refuse(struct connection *connection, const struct head_refusal *refusal)
{
    char answer[HEAD_REFUSAL_MAX];
    connection->decided = true;
    end_deadline(connection);
    stream_write(connection->stream, answer, head_refuse(answer, refusal));
    stream_close(connection->stream, refusal->status);
}

static bool give(struct connection *connection, enum head_kind kind, int fd)
{
    const struct front *front = connection->place.front;
    connection->holds++;
    connection->decided = true;
    end_deadline(connection);
    return (kind == HEAD_WEBSOCKET ? front->takers.websocket : front->takers.http)(front->arg, fd,
                                                                                   &connection->place);
}

/* A stream that is closed has two seconds for its queue, a slow client needs longer: so it is closed when the
 * queue is empty. */
static void on_spliced(void *arg)
{
    struct connection *connection = arg;
    assert(connection->magic == MAGIC);
    connection->splice = NULL;
    connection->served = true;
    if (connection->stream == NULL)
        release(connection);
    else if (stream_queued(connection->stream) > 0)
        stream_set_low_water(connection->stream, 1);
    else
        stream_close(connection->stream, "served");
}

static void join(struct connection *connection, enum head_kind kind)
{
    struct error *error = NULL;
    int far = -1;
    connection->splice = splice_open(connection->place.front->site->loop, connection->stream,
                                     kind == HEAD_WEBSOCKET, &far, on_spliced, connection, &error);
    if (connection->splice != NULL)
        give(connection, kind, far); /* refused or not, the other end tells */
    else
        drop(connection, error->text);
    error_free(error);
}

static void on_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct connection *connection = arg;
    assert(connection->magic == MAGIC);
    (void)stream;
    if (!connection->decided) {
        enum head_kind kind = head_look(buffer_view(input));
        if (kind == HEAD_UNFINISHED && buffer_size(input) < HEAD_MAX)
            return;
        if (kind == HEAD_HTTP || kind == HEAD_WEBSOCKET)
            join(connection, kind);
        else
            refuse(connection, kind == HEAD_BAD ? &bad_request : &too_large);
    }
    if (connection->splice != NULL)
        splice_input(connection->splice, input);
    else
        buffer_consume(input, buffer_size(input));
}

static void on_drained(void *arg, struct stream *stream)
{
    struct connection *connection = arg;
    assert(connection->magic == MAGIC);
    if (connection->splice != NULL)
        splice_drained(connection->splice);
    else if (connection->served)
        stream_close(stream, "served");
}

static void on_closed(void *arg, struct stream *stream, const char *reason)
{
    struct connection *connection = arg;
    assert(connection->magic == MAGIC);
    log_debug("web", "event=closed stream=%llu reason=%s", (unsigned long long)stream_id(stream),
              log_text(reason, strlen(reason)));
    connection->stream = NULL;
    end_deadline(connection);
    if (connection->splice != NULL)
        splice_client_gone(connection->splice);
    else
        release(connection);
}

/* Puts a stream on the socket, which is taken; false: the connection was dropped. */
static bool open_stream(struct connection *connection, int fd, SSL_CTX *tls)
{
    static const struct stream_events events = {.data = on_data, .drained = on_drained, .closed = on_closed};
    const struct front *front = connection->place.front;
    struct stream_options options = {.tls = tls,
                                     .tls_server = true,
                                     .input_limit = SPLICE_LIMIT,
                                     .output_limit = SPLICE_LIMIT,
                                     .handshake_ms = front->head_ms};
    struct error *error = NULL;
    connection->stream = stream_open(front->site->loop, fd, &options, &events, connection, &error);
    if (connection->stream == NULL)
        drop(connection, error->text);
    error_free(error);
    return connection->stream != NULL;
}

static void look_under_tls(struct connection *connection, uint8_t first)
{
    int fd = probe_end(connection);
    SSL_CTX *tls = first == TLS_HANDSHAKE ? connection->place.front->tls : NULL;
    if (open_stream(connection, fd, tls) && tls == NULL)
        refuse(connection, &needs_tls);
}

static void look_in_plain(struct connection *connection, struct bytes head)
{
    enum head_kind kind = head_look(head);
    if (kind == HEAD_UNFINISHED && head.size < HEAD_MAX) {
        /* So that what is there already does not wake us again. */
        connection->probe->seen = head.size;
        setsockopt(connection->probe->fd, SOL_SOCKET, SO_RCVLOWAT, &(int){(int)head.size + 1}, sizeof(int));
        return;
    }
    int fd = probe_end(connection);
    if (kind == HEAD_HTTP) {
        give(connection, kind, fd);
        release(connection);
    } else if (open_stream(connection, fd, NULL)) {
        if (kind == HEAD_WEBSOCKET)
            join(connection, kind);
        else
            refuse(connection, kind == HEAD_BAD ? &bad_request : &too_large);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    static uint8_t head[HEAD_MAX];
    struct probe *probe = poll->data;
    assert(probe->magic == MAGIC);
    (void)events;
    ssize_t got = status < 0 ? -1 : recv(probe->fd, head, sizeof head, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR) && status >= 0)
        return;
    /* Woken without more: the client sends no more. */
    if (got <= 0 || (size_t)got <= probe->seen)
        drop(probe->connection, "ended before its request did");
    else if (probe->connection->place.secure)
        look_under_tls(probe->connection, head[0]);
    else
        look_in_plain(probe->connection, bytes_of(head, (size_t)got));
}

static bool probe_start(struct connection *connection, int fd)
{
    struct probe *probe = calloc(1, sizeof *probe);
    if (probe == NULL)
        return false;
    *probe = (struct probe){.magic = MAGIC, .fd = fd, .connection = connection};
    if (uv_poll_init(connection->place.front->site->loop, &probe->poll, fd) != 0) {
        free(probe);
        return false;
    }
    probe->poll.data = probe;
    connection->probe = probe;
    uv_poll_start(&probe->poll, UV_READABLE, on_readable);
    set_deadline(connection, connection->place.front->head_ms);
    return true;
}

static void on_accepted(void *arg, int fd, const struct sockaddr_storage *peer)
{
    struct door *door = arg;
    struct front *front = door->front;
    /* The listener's own limit is for itself alone. */
    struct connection *connection = front->count < front->limit ? calloc(1, sizeof *connection) : NULL;
    if (connection == NULL) {
        close(fd);
        listener_release(door->listener, peer);
        return;
    }
    *connection =
        (struct connection){.place = {.front = front, .peer = *peer, .secure = door->tls, .port = door->port},
                            .magic = MAGIC,
                            .holds = 1,
                            .door = door};
    front->count++;
    if (!probe_start(connection, fd)) {
        close(fd);
        release(connection);
    }
}

/* --- opening */

static bool check_options(const struct web_options *options, struct error **error)
{
    for (size_t i = 0; i < options->listen_count; i++) {
        const struct sockaddr *listen = (const struct sockaddr *)&options->listen[i].address;
        char address[64];
        address_format(address, sizeof address, listen);
        if (options->listen[i].tls && options->tls == NULL)
            return error_set(error, ERROR_INVALID, "the web listener %s needs a certificate", address);
        if (!options->listen[i].tls && !options->plain_anywhere && !address_is_loopback(listen))
            return error_set(
                error, ERROR_DENIED,
                "the web without TLS is for loopback only, and %s is not: passwords would pass in clear",
                address);
    }
    return true;
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
    return value != 0 ? value : otherwise;
}

static bool open_doors(struct front *front, const struct web_options *options, struct error **error)
{
    struct listener_options limits = {
        .per_address = or_default(options->clients_per_address, DEFAULT_CLIENTS_PER_ADDRESS),
        .total = front->limit};
    for (size_t i = 0; i < options->listen_count; i++) {
        struct door *door = &front->doors[front->door_count++];
        *door = (struct door){.front = front, .tls = options->listen[i].tls};
        door->listener =
            listener_open(front->site->loop, (const struct sockaddr *)&options->listen[i].address, &limits,
                          on_accepted, door, error);
        if (door->listener == NULL)
            return error_prefix(error, "web");
        door->open = true;
        door->port = address_port((const struct sockaddr *)listener_address(door->listener));
    }
    return true;
}

struct front *front_open(struct site *site, const struct web_options *options,
                         const struct front_takers *takers, void *arg, struct error **error)
{
    if (!check_options(options, error))
        return NULL;
    struct front *front = calloc(1, sizeof *front);
    struct door *doors = calloc(options->listen_count + 1, sizeof *doors);
    if (front == NULL || doors == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        free(front);
        free(doors);
        return NULL;
    }
    *front = (struct front){.magic = MAGIC,
                            .site = site,
                            .takers = *takers,
                            .arg = arg,
                            .doors = doors,
                            .limit = or_default(options->clients, DEFAULT_CLIENTS),
                            .head_ms = or_default(options->head_ms, DEFAULT_HEAD_MS)};
    if (!open_doors(front, options, error)) {
        front_free(front);
        return NULL;
    }
    uv_timer_init(site->loop, &front->timer);
    front->timer.data = front;
    front_set_tls(front, options->tls);
    return front;
}

/* Browsers that could also speak HTTP/2 are told that we do not. Others that share the context go on as they
 * are. */
static int choose_protocol(SSL *tls, const unsigned char **out, unsigned char *size,
                           const unsigned char *offered, unsigned int offered_size, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)tls;
    (void)arg;
    if (SSL_select_next_proto(&chosen, size, ours, sizeof ours - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

void front_set_tls(struct front *front, SSL_CTX *tls)
{
    if (tls != NULL) {
        SSL_CTX_up_ref(tls);
        SSL_CTX_set_alpn_select_cb(tls, choose_protocol, NULL);
    }
    SSL_CTX_free(front->tls);
    front->tls = tls;
}

const struct sockaddr_storage *front_listening(const struct front *front, size_t index)
{
    return index < front->door_count ? listener_address(front->doors[index].listener) : NULL;
}

bool front_secure(const struct front *front, size_t index)
{
    return index < front->door_count && front->doors[index].tls;
}

unsigned front_connections(const struct front *front)
{
    return front->count;
}

void front_close(struct front *front, void (*closed)(void *arg), void *arg)
{
    front->closing = true;
    front->closed = closed;
    front->closed_arg = arg;
    close_doors(front);
    struct connection *connection, *next;
    DL_FOREACH_SAFE(front->waiting, connection, next)
    {
        if (!connection->decided)
            drop(connection, "shutdown");
    }
    close_when_empty(front);
}
