/* SPDX-License-Identifier: ISC */
#include "http.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "base/map.h"
#include "http_request.h"

enum {
    MAGIC = 0x68747470,
    /* Twice a request head's limit (head.h), because the answer's head is there too; and more than 32 KiB:
     * then the library takes it from the system, not from the heap, and at the end of a connection no cookie,
     * password or line is left in memory. Between two requests it is set to zeros. */
    CONNECTION_MEMORY = 36 << 10,
    CONNECTIONS_MAX = 1 << 20, /* the limits are the front's */
    QUIET_S = 30,              /* a connection without a byte either way */
    RECEIVE_MS = 60 * 1000,
    ANSWER_MS = 600 * 1000,
};

/* One connection, behind its place. */
struct visitor {
    uint32_t magic;
    struct place *place;
    int fd;
    uint64_t since; /* of the phase it is in */
    bool answering; /* or taking what is long */
    struct visitor *prev, *next;
};

struct http {
    uint32_t magic;
    struct site *site;
    struct setup *setup;
    struct MHD_Daemon *daemon;
    uv_poll_t poll; /* of the daemon's epoll */
    uv_timer_t timer, sweep;
    unsigned handles; /* open */
    uint64_t receive_ms, answer_ms;
    struct request *requests;
    struct visitor *visitors;
    struct place *taking; /* of the connection that is being added */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* --- the loop */

static void turn(struct http *http);

static void on_timer(uv_timer_t *timer)
{
    turn(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    turn(poll->data);
}

static void arm(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG wait = 0;
    if (http->closing)
        return;
    if (MHD_get_timeout(http->daemon, &wait) == MHD_YES)
        uv_timer_start(&http->timer, on_timer, wait, 0);
    else
        uv_timer_stop(&http->timer);
}

static void turn(struct http *http)
{
    assert(http->magic == MAGIC);
    MHD_run(http->daemon);
    arm(http);
}

static void on_sweep(uv_timer_t *timer)
{
    struct http *http = timer->data;
    struct visitor *visitor;
    uint64_t now = uv_now(http->site->loop);
    DL_FOREACH(http->visitors, visitor)
    {
        /* The library finds the end of the stream, and clears away. */
        if (now - visitor->since > (visitor->answering ? http->answer_ms : http->receive_ms))
            shutdown(visitor->fd, SHUT_RDWR);
    }
}

void http_set_patience(struct http *http, uint64_t receive_ms, uint64_t answer_ms)
{
    http->receive_ms = receive_ms;
    http->answer_ms = answer_ms;
    uv_timer_start(&http->sweep, on_sweep, receive_ms / 4, receive_ms / 4);
}

/* --- connections */

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = arg;
    assert(http->magic == MAGIC);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct visitor *visitor = calloc(1, sizeof *visitor);
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = visitor;
        if (visitor == NULL)
            return; /* its requests are not answered, and the place is released by http_take() */
        *visitor = (struct visitor){
            .magic = MAGIC, .place = http->taking, .fd = info->connect_fd, .since = uv_now(http->site->loop)};
        http->taking = NULL;
        DL_APPEND(http->visitors, visitor);
    } else if (*context != NULL) {
        struct visitor *visitor = *context;
        assert(visitor->magic == MAGIC);
        DL_DELETE(http->visitors, visitor);
        place_release(visitor->place);
        visitor->magic = 0;
        free(visitor);
        *context = NULL;
    }
}

static struct visitor *visitor_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct visitor *visitor = info->socket_context;
    assert(visitor == NULL || visitor->magic == MAGIC);
    return visitor;
}

void request_suspend(struct request *request)
{
    request->suspended = true;
    MHD_suspend_connection(request->connection);
}

void request_resume(struct request *request)
{
    struct http *http = request->http;
    if (!request->suspended)
        return;
    request->suspended = false;
    MHD_resume_connection(request->connection);
    /* Nothing of its epoll tells the library. */
    if (!http->closing)
        uv_timer_start(&http->timer, on_timer, 0, 0);
}

static void be_patient(struct visitor *visitor, const struct http *http)
{
    visitor->answering = true;
    visitor->since = uv_now(http->site->loop);
}

/* Called with the head, with each piece of the body, with none when all has come, and after each resume. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **context)
{
    struct http *http = arg;
    struct request *request = *context;
    struct visitor *visitor = visitor_of(connection);
    assert(http->magic == MAGIC);
    (void)version;
    if (visitor == NULL || http->closing)
        return MHD_NO;
    if (request == NULL) {
        request = request_new(http->site, http->setup, connection, visitor->place, url, method);
        if (request == NULL)
            return MHD_NO;
        *context = request;
        request->http = http;
        DL_APPEND(http->requests, request);
    }
    if (request->stage == REQUEST_HEAD && request->ticket == 0) {
        request->stage = REQUEST_BODY;
        if (request_is_long(request))
            be_patient(visitor, http);
        if (!request_early(request))
            return MHD_YES;
    } else if (*size > 0) {
        if (!request_body(request, data, size))
            return MHD_NO;
        if (request_asks(request))
            request_suspend(request);
        return MHD_YES;
    } else if (request->stage == REQUEST_BODY) {
        be_patient(visitor, http);
        request_act(request);
    }
    if (!request->answered) {
        request_suspend(request);
        return MHD_YES;
    }
    return request->response != NULL ? MHD_queue_response(connection, request->status, request->response)
                                     : MHD_NO;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct http *http = arg;
    struct request *request = *context;
    struct visitor *visitor = visitor_of(connection);
    assert(http->magic == MAGIC);
    (void)code;
    if (visitor != NULL) {
        visitor->answering = false;
        visitor->since = uv_now(http->site->loop);
    }
    if (request == NULL)
        return;
    *context = NULL;
    DL_DELETE(http->requests, request);
    request_free(request);
}

/* A path is taken as it is written: those that exist need no escapes, and so none hides a slash or a zero. */
static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text);
}

/* --- opening and closing */

static void free_unused(uv_handle_t *handle)
{
    struct http *http = handle->data;
    assert(http->magic == MAGIC);
    if (--http->handles > 0)
        return;
    if (http->closed != NULL)
        http->closed(http->closed_arg);
    http->magic = 0;
    free(http);
}

static bool open_handles(struct http *http)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_loop_t *loop = http->site->loop;
    if (info == NULL || uv_poll_init(loop, &http->poll, info->epoll_fd) != 0)
        return false;
    uv_timer_init(loop, &http->timer); /* these two cannot fail */
    uv_timer_init(loop, &http->sweep);
    http->poll.data = http->timer.data = http->sweep.data = http;
    http->handles = 3;
    http_set_patience(http, RECEIVE_MS, ANSWER_MS);
    return uv_poll_start(&http->poll, UV_READABLE, on_poll) == 0;
}

struct http *http_open(struct site *site, struct error **error)
{
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    http->magic = MAGIC;
    http->site = site;
    /* MHD_USE_ERROR_LOG is left out: its lines would hold foreign text. */
    http->daemon = MHD_start_daemon(
        MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, http,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)QUIET_S,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, http,
        MHD_OPTION_END);
    if (http->daemon == NULL) {
        error_set(error, ERROR_INTERNAL, "the HTTP server does not start");
        free(http);
        return NULL;
    }
    bool opened = open_handles(http);
    http->setup = opened ? setup_open(site, error) : NULL;
    if (http->setup == NULL) {
        error_set(error, ERROR_INTERNAL, "the HTTP server does not fit into the loop");
        http_close(http, NULL, NULL);
        return NULL;
    }
    return http;
}

bool http_take(struct http *http, int fd, struct place *place)
{
    const struct sockaddr *peer = (const struct sockaddr *)&place->peer;
    assert(http->magic == MAGIC);
    if (http->closing) {
        close(fd);
        place_release(place);
        return false;
    }
    http->taking = place;
    /* On a failure it closes the descriptor. */
    bool added = MHD_add_connection(http->daemon, fd, peer, address_size(peer)) == MHD_YES;
    if (http->taking != NULL) {
        /* It never began, so on_connection() does not release its place. */
        http->taking = NULL;
        place_release(place);
        added = false;
    }
    arm(http);
    return added;
}

void http_close(struct http *http, void (*closed)(void *arg), void *arg)
{
    struct request *request, *next;
    assert(http->magic == MAGIC && !http->closing);
    http->closing = true;
    http->closed = closed;
    http->closed_arg = arg;
    DL_FOREACH_SAFE(http->requests, request, next)
    request_cancel(request); /* the daemon must not end with suspended ones */
    if (http->handles > 0)
        uv_poll_stop(&http->poll);
    MHD_stop_daemon(http->daemon);
    if (http->setup != NULL)
        setup_close(http->setup);
    http->setup = NULL;
    if (http->handles > 0) {
        uv_close((uv_handle_t *)&http->poll, free_unused);
        uv_close((uv_handle_t *)&http->timer, free_unused);
        uv_close((uv_handle_t *)&http->sweep, free_unused);
    } else {
        free(http); /* it never opened */
    }
}
