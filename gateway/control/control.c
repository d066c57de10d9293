/* SPDX-License-Identifier: ISC */
#include "control/control.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/listener.h"
#include "base/log.h"
#include "base/map.h"
#include "base/stream.h"
#include "api/request.h"

enum {
    MAGIC = 0x6374726c,
    CLIENTS_MAX = 32,
    OPEN_COMMANDS_MAX = 64,
    OUTPUT_MAX = 4 << 20,
    HINTS_MAX = 256 << 10, /* with more than this unsent, hints are left out and `more` waits */
};

/* A command that waits for its answer. */
struct command {
    uint32_t magic;
    struct client *client;
    json_int_t id;
    uint64_t token;
    struct command *prev, *next;
};

struct client {
    uint32_t magic;
    struct control *control;
    struct stream *stream;
    struct gateway_session *session; /* NULL when it ended */
    struct command *commands;
    unsigned open;
    size_t scanned; /* bytes of an unfinished line already searched for its end */
    bool more;      /* `more` is due when the output went down */
    struct sockaddr_storage peer;
    struct client *prev, *next;
};

struct control {
    uv_loop_t *loop;
    struct gateway *gateway;
    struct listener *listener;
    struct client *clients;
    bool closed;
};

static void forget_commands(struct client *client)
{
    while (client->commands != NULL) {
        struct command *command = client->commands;
        if (client->session != NULL)
            gateway_forget(client->session, command->token);
        DL_DELETE(client->commands, command);
        free(command);
    }
    client->open = 0;
}

static void end_session(struct client *client)
{
    forget_commands(client);
    if (client->session != NULL)
        gateway_logout(client->session);
    client->session = NULL;
}

/* Sends the line that was written, wipes and frees the buffer. */
static void send_line(struct client *client, struct buffer *line)
{
    struct bytes view = buffer_view(line);
    stream_write(client->stream, view.data, view.size);
    buffer_free(line);
}

static struct buffer line_make(void)
{
    struct buffer line = buffer_make(REQUEST_LINE_MAX);
    line.secret = true; /* an answer may hold a new password */
    return line;
}

static void answer_error(struct client *client, json_int_t id, const struct error *error)
{
    struct buffer line = line_make();
    if (reply_error(&line, id, error))
        send_line(client, &line);
    else
        stream_abort(client->stream, "out of memory");
    buffer_free(&line);
}

static void answer_done(struct client *client, json_int_t id, json_t *result)
{
    static const struct error too_large = {ERROR_LIMIT,
                                           "the answer is longer than a line; ask for less with \"max\""};
    struct buffer line = line_make();
    if (reply_done(&line, id, result))
        send_line(client, &line);
    else
        answer_error(client, id, &too_large);
    buffer_free(&line);
}

static void on_done(void *arg, json_t *result, const struct error *error)
{
    struct command *command = arg;
    assert(command->magic == MAGIC);
    struct client *client = command->client;
    if (error != NULL)
        answer_error(client, command->id, error);
    else
        answer_done(client, command->id, result);
    DL_DELETE(client->commands, command);
    free(command);
    /* Also asks for what waited unread. */
    if (client->open-- == OPEN_COMMANDS_MAX)
        stream_resume(client->stream);
}

static void on_more(void *arg)
{
    struct client *client = arg;
    assert(client->magic == MAGIC);
    struct buffer line = line_make();
    client->more = stream_queued(client->stream) > HINTS_MAX;
    if (!client->more && reply_more(&line))
        send_line(client, &line);
    buffer_free(&line);
}

static void on_hint(void *arg, json_t *hint)
{
    struct client *client = arg;
    assert(client->magic == MAGIC);
    struct buffer line = line_make();
    if (stream_queued(client->stream) <= HINTS_MAX && reply_hint(&line, hint))
        send_line(client, &line);
    buffer_free(&line);
}

static void on_ended(void *arg, const char *reason)
{
    struct client *client = arg;
    assert(client->magic == MAGIC);
    client->session = NULL;
    forget_commands(client);
    stream_close(client->stream, reason);
}

static const struct gateway_events session_events = {on_more, on_hint, on_ended};

static bool give(struct client *client, const json_t *value, json_int_t id, struct error **error)
{
    struct command *command = calloc(1, sizeof *command);
    if (command == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *command = (struct command){.magic = MAGIC, .client = client, .id = id};
    command->token = gateway_do(client->session, value, on_done, command, error);
    if (command->token == 0) {
        free(command);
        return false;
    }
    DL_APPEND(client->commands, command);
    client->open++;
    return true;
}

static void do_line(struct client *client, struct bytes line)
{
    struct error *error = NULL;
    json_t *value = NULL;
    json_int_t id = -1;
    if (!request_parse(line, &value, &id, &error) || !give(client, value, id, &error))
        answer_error(client, id, error);
    json_decref(value);
    error_free(error);
}

static void on_data(void *arg, struct stream *stream, struct buffer *input)
{
    static const struct error too_long = {ERROR_LIMIT, "a line has at most 1048576 bytes"};
    struct client *client = arg;
    assert(client->magic == MAGIC);
    while (client->session != NULL && client->open < OPEN_COMMANDS_MAX) {
        struct bytes view = buffer_view(input);
        const uint8_t *end = client->scanned < view.size
                                 ? memchr(view.data + client->scanned, '\n', view.size - client->scanned)
                                 : NULL;
        if (end == NULL) {
            client->scanned = view.size;
            if (view.size >= REQUEST_LINE_MAX) {
                answer_error(client, -1, &too_long);
                stream_close(stream, "line too long");
            }
            return;
        }
        size_t size = (size_t)(end - view.data);
        do_line(client, bytes_of(view.data, size));
        buffer_consume(input, size + 1);
        client->scanned = 0;
    }
    if (client->session != NULL)
        stream_pause(stream);
}

static void on_drained(void *arg, struct stream *stream)
{
    struct client *client = arg;
    assert(client->magic == MAGIC);
    (void)stream;
    if (client->more)
        on_more(client);
}

static void free_unused(struct control *control)
{
    if (control->closed && control->clients == NULL)
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
    static const struct stream_options options = {.input_limit = REQUEST_LINE_MAX,
                                                  .output_limit = OUTPUT_MAX};
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
    stream_set_low_water(client->stream, HINTS_MAX);
    DL_APPEND(control->clients, client);
    log_debug("control", "event=opened session=%llu", (unsigned long long)stream_id(client->stream));
    client->session = gateway_operator(control->gateway);
    if (client->session != NULL)
        gateway_listen(client->session, &session_events, client);
    else
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
    *control = (struct control){.loop = loop, .gateway = gateway};
    control->listener = listener_open_unix(loop, path, mode, &options, on_accepted, control, error);
    if (control->listener == NULL) {
        error_prefix(error, "control socket");
        free(control);
        return NULL;
    }
    return control;
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
