/* SPDX-License-Identifier: ISC */
#include "control/ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "api/request.h"

struct ctl_client {
    int fd;
    json_int_t newest_id;
    struct buffer input;
};

bool ctl_client_default_path(char *out, size_t size, struct error **error)
{
    const char *run = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    if (run == NULL || run[0] != '/')
        return error_set(error, ERROR_INVALID,
                         "XDG_RUNTIME_DIR is not set; name the control socket with --socket");
    int length = snprintf(out, size, "%s/retrogate/control.sock", run);
    return (length > 0 && (size_t)length < size) ||
           error_set(error, ERROR_INVALID,
                     "XDG_RUNTIME_DIR is too long; name the control socket with --socket");
}

struct ctl_client *ctl_client_open(const char *path, struct error **error)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct ctl_client *client = calloc(1, sizeof *client);
    size_t length = strlen(path);
    if (client == NULL || length >= sizeof name.sun_path) {
        free(client);
        error_set(error, ERROR_INVALID, "the path of a control socket has at most 107 bytes");
        return NULL;
    }
    memcpy(name.sun_path, path, length);
    /* Twice the longest line, for a whole one behind a part of the one before. */
    client->input = buffer_make(2 * REQUEST_LINE_MAX);
    client->input.secret = true;
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&name, sizeof name) != 0) {
        if (errno == EACCES)
            error_set(error, ERROR_UNAVAILABLE,
                      "cannot reach retrogated at %s: permission denied; be its user, or in its group", path);
        else
            error_set(error, ERROR_UNAVAILABLE,
                      "cannot reach retrogated at %s: %s; is retrogated running? Start it, or name its "
                      "socket with --socket",
                      path, errno == ENOENT ? "there is no such socket" : strerror(errno));
        ctl_client_close(client);
        return NULL;
    }
    return client;
}

void ctl_client_close(struct ctl_client *client)
{
    if (client == NULL)
        return;
    if (client->fd >= 0)
        close(client->fd);
    buffer_free(&client->input);
    free(client);
}

static bool send_all(struct ctl_client *client, struct bytes bytes, struct error **error)
{
    while (bytes.size > 0) {
        ssize_t sent = send(client->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return error_set(error, ERROR_UNAVAILABLE, "retrogated is gone: %s", strerror(errno));
        bytes.data += sent;
        bytes.size -= (size_t)sent;
    }
    return true;
}

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool ctl_client_next(struct ctl_client *client, int wait_ms, json_t **value, struct error **error)
{
    int64_t end = monotonic_ms() + wait_ms;
    *value = NULL;
    for (;;) {
        struct bytes view = buffer_view(&client->input);
        const uint8_t *line_end = view.size > 0 ? memchr(view.data, '\n', view.size) : NULL;
        if (line_end != NULL) {
            size_t size = (size_t)(line_end - view.data);
            *value = json_loadb((const char *)view.data, size, 0, NULL);
            buffer_consume(&client->input, size + 1);
            return *value != NULL ||
                   error_set(error, ERROR_INTERNAL, "retrogated answers with something that is not JSON");
        }
        int64_t left = wait_ms < 0 ? -1 : end - monotonic_ms();
        struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
        if (wait_ms >= 0 && left <= 0)
            return true;
        int ready = poll(&poll_fd, 1, (int)left);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        enum { PIECE = 65536 };
        uint8_t *into = buffer_reserve(&client->input, PIECE);
        if (into == NULL)
            return error_set(error, ERROR_INTERNAL, "retrogated answers with a line that is too long");
        ssize_t got = recv(client->fd, into, PIECE, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(error, ERROR_UNAVAILABLE, "retrogated closed the connection");
        buffer_commit(&client->input, (size_t)got);
    }
}

/* The error of an answer, with its code. */
static bool refused(const json_t *said, struct error **error)
{
    const char *word = json_string_value(json_object_get(said, "code"));
    const char *text = json_string_value(json_object_get(said, "text"));
    enum error_code code = ERROR_INTERNAL;
    for (enum error_code each = ERROR_INVALID; word != NULL && each <= ERROR_INTERNAL; each++)
        if (strcmp(word, error_word(each)) == 0)
            code = each;
    return error_set(error, code, "%s", text != NULL ? text : "refused without a reason");
}

bool ctl_client_do(struct ctl_client *client, json_t *command, json_t **result, bool *lost,
                   struct error **error)
{
    struct buffer line = buffer_make(REQUEST_LINE_MAX);
    json_int_t id = ++client->newest_id;
    line.secret = true;
    *lost = false;
    *result = NULL;
    if (!request_write(&line, id, command)) {
        buffer_free(&line);
        return error_set(error, ERROR_LIMIT, "the command is longer than 1 MiB");
    }
    *lost = !send_all(client, buffer_view(&line), error);
    buffer_free(&line);
    while (!*lost) {
        json_t *value = NULL;
        if (!ctl_client_next(client, -1, &value, error)) {
            *lost = true;
            break;
        }
        const json_t *answered = json_object_get(value, "id");
        json_t *done = json_object_get(value, "done"), *said = json_object_get(value, "error");
        bool mine = json_is_integer(answered) && json_integer_value(answered) == id;
        if (mine && done != NULL)
            *result = json_incref(done);
        else if (said != NULL && (mine || answered == NULL))
            refused(said, error);
        bool over = *result != NULL || (said != NULL && (mine || answered == NULL));
        json_decref(value);
        if (over)
            return *result != NULL;
    }
    return false;
}
