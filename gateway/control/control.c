/* SPDX-License-Identifier: ISC */
#include "control/control.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/listener.h"
#include "base/log.h"
#include "base/map.h"
#include "base/stream.h"

enum { MAGIC = 0x6374726c, CLIENTS_MAX = 32, OUTPUT_MAX = 4 << 20 };

struct client {
    uint32_t magic;
    struct control *control;
    struct stream *stream;
    struct api_client *api; /* NULL when its session is logged out */
    size_t scanned;         /* bytes of an unfinished line already searched for its end */
    bool held;              /* too many commands wait for their answers */
    bool ended;
    struct sockaddr_storage peer;
    struct client *prev, *next;
};

struct control {
    uv_loop_t *loop;
    struct gateway *gateway;
    struct api *api;
    struct listener *listener;
    struct client *clients;
    bool closed;
};

static void send_line(void *arg, struct api_text *text)
{
    struct client *client = arg;
    assert(client->magic == MAGIC);
    struct bytes view = api_text_bytes(text);
    stream_write(client->stream, view.data, view.size + 1); /* with the line feed behind it */
}

static size_t queued(void *arg)
{
    const struct client *client = arg;
    assert(client->magic == MAGIC);
    return stream_queued(client->stream);
}

static void hold(void *arg, bool on)
{
    struct client *client = arg;
    assert(client->magic == MAGIC);
    client->held = on;
    if (on)
        stream_pause(client->stream);
    else
        stream_resume(client->stream); /* also asks for what waited unread */
}

static void end(void *arg, const char *reason)
{
    struct client *client = arg;
    assert(client->magic == MAGIC);
    client->ended = true;
    stream_close(client->stream, reason);
}

static const struct api_io client_io = {send_line, queued, hold, end};

static void on_data(void *arg, struct stream *stream, struct buffer *input)
{
    static const struct error too_long = {ERROR_LIMIT, "a line has at most 1048576 bytes"};
    struct client *client = arg;
    assert(client->magic == MAGIC);
    while (client->api != NULL && !client->held && !client->ended) {
        struct bytes view = buffer_view(input);
        const uint8_t *line_end = client->scanned < view.size
                                      ? memchr(view.data + client->scanned, '\n', view.size - client->scanned)
                                      : NULL;
        if (line_end == NULL) {
            client->scanned = view.size;
            if (view.size >= API_MESSAGE_MAX) {
                api_client_refuse(client->api, &too_long);
                stream_close(stream, "line too long");
            }
            return;
        }
        size_t size = (size_t)(line_end - view.data);
        api_client_input(client->api, bytes_of(view.data, size));
        buffer_consume(input, size + 1);
        client->scanned = 0;
    }
}

static void on_drained(void *arg, struct stream *stream)
{
    struct client *client = arg;
    assert(client->magic == MAGIC);
    (void)stream;
    if (client->api != NULL)
        api_client_drained(client->api);
}

static void end_session(struct client *client)
{
    api_client_free(client->api);
    client->api = NULL;
}

static void free_unused(struct control *control)
{
    if (!control->closed || control->clients != NULL)
        return;
    api_free(control->api);
    free(control);
}

static void on_closed(void *arg, struct stream *stream, const char *reason)
{
    struct client *client = arg;
    struct control *control = client->control;
    assert(client->magic == MAGIC);
    log_debug("control", "event=closed session=%llu reason=%s", (unsigned long long)stream_id(stream),
              log_text(reason, strlen(reason)));
    end_session(client);
    listener_release(control->listener, &client->peer);
    DL_DELETE(control->clients, client);
    client->magic = 0;
    free(client);
    free_unused(control);
}

static const struct stream_events client_events = {
    .data = on_data, .drained = on_drained, .closed = on_closed};

static void on_accepted(void *arg, int fd, const struct sockaddr_storage *peer)
{
    static const struct stream_options options = {.input_limit = API_MESSAGE_MAX, .output_limit = OUTPUT_MAX};
    struct control *control = arg;
    struct client *client = calloc(1, sizeof *client);
    struct error *error = NULL;
    if (client == NULL) {
        close(fd);
        listener_release(control->listener, peer);
        return;
    }
    *client = (struct client){.magic = MAGIC, .control = control, .peer = *peer};
    client->stream = stream_open(control->loop, fd, &options, &client_events, client, &error);
    if (client->stream == NULL) {
        log_warn("control", "event=refused reason=%s", log_text(error->text, strlen(error->text)));
        error_free(error);
        listener_release(control->listener, peer);
        free(client);
        return;
    }
    stream_set_low_water(client->stream, API_QUEUE_MAX);
    DL_APPEND(control->clients, client);
    log_debug("control", "event=opened session=%llu", (unsigned long long)stream_id(client->stream));
    struct gateway_session *session = gateway_operator(control->gateway);
    if (session != NULL)
        client->api = api_client_new(control->api, session, &client_io, client);
    if (client->api == NULL)
        stream_close(client->stream, "the gateway gives no session");
}

struct control *control_open(uv_loop_t *loop, const char *path, unsigned mode, struct gateway *gateway,
                             struct error **error)
{
    static const struct listener_options options = {.total = CLIENTS_MAX};
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    *control = (struct control){.loop = loop, .gateway = gateway, .api = api_new()};
    if (control->api == NULL)
        error_set(error, ERROR_INTERNAL, "out of memory");
    else
        control->listener = listener_open_unix(loop, path, mode, &options, on_accepted, control, error);
    if (control->listener != NULL)
        return control;
    error_prefix(error, "control socket");
    api_free(control->api);
    free(control);
    return NULL;
}

void control_close(struct control *control)
{
    struct client *client = NULL;
    control->closed = true;
    listener_close(control->listener);
    DL_FOREACH(control->clients, client)
    {
        end_session(client);
        stream_close(client->stream, "shutdown");
    }
    free_unused(control);
}
