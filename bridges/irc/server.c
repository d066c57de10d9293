/* SPDX-License-Identifier: ISC */
#include "irc.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/listener.h"
#include "base/log.h"
#include "base/map.h"
#include "base/source.h"
#include "base/stream.h"
#include "client.h"

enum {
    CONNECTION_MAGIC = 0x49524358,
    DEFAULT_CLIENTS = 512,
    DEFAULT_CLIENTS_PER_ADDRESS = 32,
    DEFAULT_OUTPUT_LIMIT = 1024 * 1024,
    DEFAULT_REPLAY_LINES = 200,
    MOST_REPLAY_LINES = 500,
    DEFAULT_REGISTRATION_MS = 30000,
    DEFAULT_IDLE_MS = 120000,
};

struct door {
    struct irc *irc;
    struct listener *listener;
    bool tls;
    bool open;
};

/* A client, its stream and its timer: freed when stream and timer are both gone. */
struct connection {
    uint32_t magic;
    struct connection *prev, *next;
    struct irc *irc;
    struct door *door; /* NULL: adopted */
    struct sockaddr_storage peer;
    bool secure;
    struct stream *stream; /* NULL when gone */
    struct client *client;
    uv_timer_t timer;
};

struct irc {
    uv_loop_t *loop;
    struct site site;
    char *name, *network;
    SSL_CTX *tls;
    struct door *doors;
    size_t door_count;
    unsigned limit; /* of clients, over all doors */
    struct connection *connections;
    uv_timer_t timer; /* calls `closed` from the loop */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* --- the end
 * ------------------------------------------------------------------------------------------------ */

/* A closed listener lives on until its last connection is released, see on_closed(). */
static void close_doors(struct irc *irc)
{
    for (size_t i = 0; i < irc->door_count; i++) {
        if (irc->doors[i].open)
            listener_close(irc->doors[i].listener);
        irc->doors[i].open = false;
    }
}

static void irc_free(struct irc *irc)
{
    close_doors(irc);
    free(irc->doors);
    SSL_CTX_free(irc->tls);
    free(irc->name);
    free(irc->network);
    free(irc);
}

static void irc_timer_gone(uv_handle_t *handle)
{
    struct irc *irc = handle->data;
    void (*closed)(void *) = irc->closed;
    void *arg = irc->closed_arg;
    irc_free(irc);
    if (closed != NULL)
        closed(arg);
}

static void close_when_empty(struct irc *irc)
{
    if (irc->closing && irc->connections == NULL)
        uv_close((uv_handle_t *)&irc->timer, irc_timer_gone);
}

static void connection_timer_gone(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    struct irc *irc = connection->irc;
    DL_DELETE(irc->connections, connection);
    connection->magic = 0;
    free(connection);
    close_when_empty(irc);
}

/* --- what a client needs
 * ------------------------------------------------------------------------------------------- */

static bool io_write(void *arg, const void *data, size_t size)
{
    struct connection *connection = arg;
    if (connection->stream == NULL)
        return false;
    if (stream_failed(connection->stream))
        stream_abort(connection->stream, "gone");
    return stream_write(connection->stream, data, size);
}

static size_t io_queued(void *arg)
{
    struct connection *connection = arg;
    return connection->stream != NULL ? stream_queued(connection->stream) : 0;
}

static void io_hold(void *arg, bool on)
{
    struct connection *connection = arg;
    if (connection->stream == NULL)
        return;
    if (on)
        stream_pause(connection->stream);
    else
        stream_resume(connection->stream);
}

static void on_timer(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    assert(connection->magic == CONNECTION_MAGIC);
    if (connection->client != NULL)
        client_tick(connection->client);
}

static void io_wake(void *arg, uint64_t at)
{
    struct connection *connection = arg;
    uint64_t now = clock_monotonic_ms();
    if (uv_is_closing((uv_handle_t *)&connection->timer))
        return;
    if (at == UINT64_MAX)
        uv_timer_stop(&connection->timer);
    else
        uv_timer_start(&connection->timer, on_timer, at > now ? at - now : 0, 0);
}

static void io_end(void *arg, const char *reason)
{
    struct connection *connection = arg;
    if (connection->stream != NULL)
        stream_close(connection->stream, reason);
}

static uint64_t io_now(void *arg)
{
    (void)arg;
    return clock_monotonic_ms();
}

static int64_t io_wall(void *arg)
{
    (void)arg;
    return clock_wall_ms();
}

static const struct client_io io = {io_write, io_queued, io_hold, io_wake, io_end, io_now, io_wall};

/* --- streams
 * ------------------------------------------------------------------------------------------------- */

static void on_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct connection *connection = arg;
    assert(connection->magic == CONNECTION_MAGIC);
    (void)stream;
    struct bytes bytes = buffer_view(input);
    client_input(connection->client, bytes);
    buffer_consume(input, bytes.size);
}

static void on_drained(void *arg, struct stream *stream)
{
    struct connection *connection = arg;
    assert(connection->magic == CONNECTION_MAGIC);
    (void)stream;
    client_drained(connection->client);
}

/* Without its client; it lives until the loop has closed its timer. */
static void connection_end(struct connection *connection)
{
    client_free(connection->client);
    connection->client = NULL;
    if (connection->door != NULL)
        listener_release(connection->door->listener, &connection->peer);
    uv_close((uv_handle_t *)&connection->timer, connection_timer_gone);
}

static void on_closed(void *arg, struct stream *stream, const char *reason)
{
    struct connection *connection = arg;
    assert(connection->magic == CONNECTION_MAGIC);
    log_info("irc", "event=closed stream=%" PRIu64 " reason=%s", stream_id(stream),
             log_text(reason, strlen(reason)));
    connection->stream = NULL;
    connection_end(connection);
}

static const struct stream_events events = {.data = on_data, .drained = on_drained, .closed = on_closed};

/* Takes the descriptor. `tls` NULL: it is plain, or TLS ended before it came here. */
static bool connection_start(struct connection *connection, int fd, SSL_CTX *tls)
{
    struct irc *irc = connection->irc;
    char address[64];
    struct error *error = NULL;
    struct stream_options options = {.tls = tls,
                                     .tls_server = true,
                                     .input_limit = CLIENT_INPUT_READ,
                                     .output_limit = irc->site.output_limit};
    /* Without the port: failed log-ins are throttled by it. */
    if (uv_ip_name((const struct sockaddr *)&connection->peer, address, sizeof address) != 0)
        address[0] = '\0';
    connection->client = client_new(&irc->site, address, connection->secure, &io, connection);
    if (connection->client == NULL) {
        close(fd);
        return false;
    }
    connection->stream = stream_open(irc->loop, fd, &options, &events, connection, &error);
    if (connection->stream == NULL)
        log_warn("irc", "event=refused cause=%s", log_text(error->text, strlen(error->text)));
    else
        log_info("irc", "event=connected stream=%" PRIu64 " tls=%d adopted=%d", stream_id(connection->stream),
                 connection->secure, connection->door == NULL);
    error_free(error);
    return connection->stream != NULL;
}

/* NULL when there are too many, or without memory. */
static struct connection *connection_new(struct irc *irc, struct door *door,
                                         const struct sockaddr_storage *peer, bool secure)
{
    /* A listener's own limit is for itself alone. */
    struct connection *connection = irc->site.clients < irc->limit ? calloc(1, sizeof *connection) : NULL;
    if (connection == NULL)
        return NULL;
    *connection = (struct connection){
        .magic = CONNECTION_MAGIC, .irc = irc, .door = door, .peer = *peer, .secure = secure};
    uv_timer_init(irc->loop, &connection->timer);
    connection->timer.data = connection;
    DL_APPEND(irc->connections, connection);
    return connection;
}

static void on_accepted(void *arg, int fd, const struct sockaddr_storage *peer)
{
    struct door *door = arg;
    struct connection *connection = connection_new(door->irc, door, peer, door->tls);
    if (connection == NULL) {
        close(fd);
        listener_release(door->listener, peer);
    } else if (!connection_start(connection, fd, door->tls ? door->irc->tls : NULL)) {
        connection_end(connection);
    }
}

bool irc_adopt(struct irc *irc, int fd, const struct sockaddr_storage *peer, bool secure)
{
    struct connection *connection = irc->closing ? NULL : connection_new(irc, NULL, peer, secure);
    if (connection == NULL)
        return false;
    if (!connection_start(connection, fd, NULL))
        connection_end(connection);
    return true;
}

/* --- opening
 * ------------------------------------------------------------------------------------------------- */

static bool check_options(const struct irc_options *options, struct error **error)
{
    if (options->name != NULL && !hostname_valid(options->name))
        return error_set(error, ERROR_INVALID, "the IRC server's name must be a host name with a dot");
    if (options->network != NULL && (options->network[0] == '\0' || strlen(options->network) > 64 ||
                                     options->network[strcspn(options->network, " :\r\n")] != '\0'))
        return error_set(error, ERROR_INVALID, "the IRC network's name has 1 to 64 bytes without spaces");
    for (size_t i = 0; i < options->listen_count; i++) {
        const struct irc_listen *listen = &options->listen[i];
        char address[64];
        address_format(address, sizeof address, (const struct sockaddr *)&listen->address);
        if (listen->tls && options->tls == NULL)
            return error_set(error, ERROR_INVALID, "the IRC listener %s needs a certificate", address);
        if (!listen->tls && !options->plain_anywhere &&
            !address_is_loopback((const struct sockaddr *)&listen->address))
            return error_set(
                error, ERROR_DENIED,
                "IRC without TLS is for loopback only, and %s is not: passwords would pass in clear",
                address);
    }
    return true;
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
    return value != 0 ? value : otherwise;
}

static void set_site(struct irc *irc, struct gateway *gateway, const struct irc_options *options)
{
    irc->limit = or_default(options->clients, DEFAULT_CLIENTS);
    unsigned lines = or_default(options->replay_lines, DEFAULT_REPLAY_LINES);
    size_t limit = options->output_limit != 0 ? options->output_limit : DEFAULT_OUTPUT_LIMIT;
    irc->site = (struct site){
        .gateway = gateway,
        .name = irc->name,
        .network = irc->network,
        .created = clock_wall_ms(),
        .replay_lines = lines < MOST_REPLAY_LINES ? lines : MOST_REPLAY_LINES,
        .output_limit = limit > CLIENT_OUTPUT_LIMIT_LEAST ? limit : CLIENT_OUTPUT_LIMIT_LEAST,
        .registration_ms = or_default(options->registration_ms, DEFAULT_REGISTRATION_MS),
        .idle_ms = or_default(options->idle_ms, DEFAULT_IDLE_MS),
    };
}

static bool open_doors(struct irc *irc, const struct irc_options *options, struct error **error)
{
    struct listener_options limits = {
        .per_address = or_default(options->clients_per_address, DEFAULT_CLIENTS_PER_ADDRESS),
        .total = irc->limit};
    for (size_t i = 0; i < options->listen_count; i++) {
        struct door *door = &irc->doors[irc->door_count++];
        *door = (struct door){.irc = irc, .tls = options->listen[i].tls};
        door->listener = listener_open(irc->loop, (const struct sockaddr *)&options->listen[i].address,
                                       &limits, on_accepted, door, error);
        if (door->listener == NULL)
            return error_prefix(error, "IRC");
        door->open = true;
    }
    return true;
}

struct irc *irc_open(uv_loop_t *loop, struct gateway *gateway, const struct irc_options *options,
                     struct error **error)
{
    if (!check_options(options, error))
        return NULL;
    struct irc *irc = calloc(1, sizeof *irc);
    if (irc == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        return NULL;
    }
    irc->loop = loop;
    irc->name = strdup(options->name != NULL ? options->name : "irc.retrogate.alt");
    irc->network = strdup(options->network != NULL ? options->network : "retrogate");
    irc->doors = calloc(options->listen_count + 1, sizeof *irc->doors);
    if (irc->name == NULL || irc->network == NULL || irc->doors == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        irc_free(irc);
        return NULL;
    }
    irc_set_tls(irc, options->tls);
    set_site(irc, gateway, options);
    if (!open_doors(irc, options, error)) {
        irc_free(irc);
        return NULL;
    }
    uv_timer_init(loop, &irc->timer);
    irc->timer.data = irc;
    return irc;
}

void irc_set_tls(struct irc *irc, SSL_CTX *tls)
{
    if (tls != NULL)
        SSL_CTX_up_ref(tls);
    SSL_CTX_free(irc->tls);
    irc->tls = tls;
}

const struct sockaddr_storage *irc_listening(const struct irc *irc, size_t index)
{
    return index < irc->door_count ? listener_address(irc->doors[index].listener) : NULL;
}

unsigned irc_clients(const struct irc *irc)
{
    return irc->site.clients;
}

void irc_close(struct irc *irc, void (*closed)(void *arg), void *arg)
{
    struct connection *connection;
    irc->closing = true;
    irc->closed = closed;
    irc->closed_arg = arg;
    close_doors(irc);
    DL_FOREACH(irc->connections, connection)
    {
        if (connection->client != NULL)
            client_end(connection->client, "The gateway is shutting down");
    }
    close_when_empty(irc);
}
