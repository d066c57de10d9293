/* SPDX-License-Identifier: ISC */
#include "forward_client.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"
#include "base/stream.h"
#include "base/tls.h"
#include "pop3_codec.h"

enum {
    INPUT = 16 << 10,
    OUTPUT = 4 << 20,
    LOW = 256 << 10,  /* ask for the next piece below this */
    LINES_MOST = 100, /* of one reply */
};

enum phase { BANNER, HELLO, START_TLS, HELLO_AGAIN, MAIL, RCPT, DATA, BODY, END, OVER };

struct forward_client {
    const struct forward_server *server;
    const struct forward_events *events;
    void *arg;
    struct stream *stream;
    enum phase phase;
    char host[256], to[256];
    uint64_t size;
    bool can_tls, can_size, can_8bit, can_utf8;
    unsigned lines;
    struct pop3_body body;
    bool waiting; /* for the server to take what was written */
    enum forward_fate fate;
    char why[160];
};

/* --- the server */

static bool make_context(struct forward_server *server, struct error **error)
{
    char text[64];
    server->context = SSL_CTX_new(TLS_client_method());
    if (server->context == NULL)
        return error_set(error, ERROR_INTERNAL, "TLS: %s", tls_error_text());
    SSL_CTX_set_min_proto_version(server->context, TLS1_2_VERSION);
    if (server->near)
        return true;
    SSL_CTX_set_verify(server->context, SSL_VERIFY_PEER, NULL);
    return (uv_ip_name((const struct sockaddr *)&server->address, text, sizeof text) == 0 &&
            SSL_CTX_set_default_verify_paths(server->context) == 1 &&
            X509_VERIFY_PARAM_set1_ip_asc(SSL_CTX_get0_param(server->context), text) == 1) ||
           error_set(error, ERROR_INTERNAL, "TLS: %s", tls_error_text());
}

bool forward_server_read(struct forward_server *out, const char *text, struct error **error)
{
    static const char lmtp[] = "lmtp:", smtp[] = "smtp://", smtps[] = "smtps://";
    *out = (struct forward_server){0};
    if (strncmp(text, lmtp, strlen(lmtp)) == 0) {
        const char *path = text + strlen(lmtp);
        out->lmtp = out->near = true;
        if (path[0] != '/' || strlen(path) >= sizeof out->path)
            return error_set(error, ERROR_INVALID, "mail.forward: the path of a socket, at most %zu bytes",
                             sizeof out->path - 1);
        snprintf(out->path, sizeof out->path, "%s", path);
        return true;
    }
    out->tls = strncmp(text, smtps, strlen(smtps)) == 0;
    if (!out->tls && strncmp(text, smtp, strlen(smtp)) != 0)
        return error_set(error, ERROR_INVALID,
                         "mail.forward: expected smtp://ADDRESS:PORT, smtps://ADDRESS:PORT or lmtp:/PATH");
    if (!address_parse(&out->address, text + strlen(out->tls ? smtps : smtp), 0, error))
        return error_prefix(error, "mail.forward");
    out->near = address_is_loopback((const struct sockaddr *)&out->address);
    return make_context(out, error);
}

void forward_server_free(struct forward_server *server)
{
    SSL_CTX_free(server->context);
    server->context = NULL;
}

/* --- talking */

static void say(struct forward_client *client, enum phase phase, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct forward_client *client, enum phase phase, const char *format, ...)
{
    char line[700];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line - 2, format, arguments);
    va_end(arguments);
    if (size < 0 || size >= (int)sizeof line - 2) {
        stream_abort(client->stream, "a line is too long");
        return;
    }
    memcpy(line + size, "\r\n", 2);
    client->phase = phase;
    stream_write(client->stream, line, (size_t)size + 2);
}

static void over(struct forward_client *client, enum forward_fate fate, const char *why)
{
    if (client->phase == OVER)
        return;
    client->fate = fate;
    snprintf(client->why, sizeof client->why, "%s", why);
    if (client->phase != BODY)
        stream_write(client->stream, "QUIT\r\n", 6);
    client->phase = OVER;
    stream_close(client->stream, "over");
}

static void say_hello(struct forward_client *client, enum phase phase)
{
    client->can_tls = client->can_size = client->can_8bit = client->can_utf8 = false;
    say(client, phase, "%s %s", client->server->lmtp ? "LHLO" : "EHLO", client->host);
}

static void hello_said(struct forward_client *client)
{
    const char *to = client->to;
    bool clear = stream_tls(client->stream) == NULL, wide = false;
    for (const char *at = to; *at != '\0'; at++)
        wide = wide || (unsigned char)*at >= 0x80;
    if (clear && client->can_tls && client->server->context != NULL) {
        say(client, START_TLS, "STARTTLS");
        return;
    }
    if (clear && !client->server->near) {
        over(client, FORWARD_LATER, "the server offers no TLS, and is not on this machine");
        return;
    }
    if (wide && !client->can_utf8) {
        over(client, FORWARD_REFUSED, "the server takes no such address");
        return;
    }
    char size[32] = "";
    if (client->can_size)
        snprintf(size, sizeof size, " SIZE=%" PRIu64, client->size);
    say(client, MAIL, "MAIL FROM:<>%s%s%s", size, client->can_8bit ? " BODY=8BITMIME" : "",
        wide ? " SMTPUTF8" : "");
}

static void start_tls(struct forward_client *client)
{
    struct error *error = NULL;
    if (!stream_start_tls(client->stream, client->server->context, false, &error))
        stream_abort(client->stream, "TLS could not begin");
    error_free(error);
}

/* The reply's last line; its words may hold an address, and are not told. */
static void replied(struct forward_client *client, unsigned code)
{
    static const char *const names[] = {"greeting", "EHLO", "STARTTLS", "EHLO",   "MAIL",
                                        "RCPT",     "DATA", "",         "message"};
    enum phase phase = client->phase;
    unsigned wanted = phase == BANNER || phase == START_TLS ? 220 : phase == DATA ? 354 : 250;
    if (phase >= BODY && phase != END) {
        over(client, FORWARD_LATER, "the server spoke out of turn");
        return;
    }
    if (code != wanted && !(phase == RCPT && code == 251)) {
        char why[80];
        snprintf(why, sizeof why, "%s was answered with %u", names[phase], code);
        /* Before the message was seen, a refusal is about the server or the address: all that follows would
         * be lost. */
        bool of_this_one = (phase == END && code >= 500) || (phase == MAIL && code == 552);
        over(client, of_this_one ? FORWARD_REFUSED : FORWARD_LATER, why);
        return;
    }
    switch (phase) {
    case BANNER:
        say_hello(client, HELLO);
        break;
    case HELLO:
    case HELLO_AGAIN:
        hello_said(client);
        break;
    case START_TLS:
        start_tls(client);
        break;
    case MAIL:
        say(client, RCPT, "RCPT TO:<%s>", client->to);
        break;
    case RCPT:
        say(client, DATA, "DATA");
        break;
    case DATA:
        client->phase = BODY;
        client->body = pop3_body_begin(POP3_ALL);
        client->events->want(client->arg);
        break;
    default:
        over(client, FORWARD_TAKEN, "taken");
    }
}

static void note_offer(struct forward_client *client, const char *text)
{
    const struct {
        const char *name;
        bool *offered;
    } offers[] = {{"STARTTLS", &client->can_tls},
                  {"SIZE", &client->can_size},
                  {"8BITMIME", &client->can_8bit},
                  {"SMTPUTF8", &client->can_utf8}};
    size_t size = strcspn(text, " ");
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++)
        if (strlen(offers[i].name) == size && strncasecmp(text, offers[i].name, size) == 0)
            *offers[i].offered = true;
}

static void take_line(struct forward_client *client, const char *line)
{
    bool number = strspn(line, "0123456789") == 3 && line[0] >= '2' && line[0] <= '5';
    char end = number ? line[3] : '?';
    if ((end != ' ' && end != '-' && end != '\0') || ++client->lines > LINES_MOST) {
        over(client, FORWARD_LATER, "the server gave an odd answer");
        return;
    }
    if (end != '\0' && (client->phase == HELLO || client->phase == HELLO_AGAIN))
        note_offer(client, line + 4);
    if (end == '-')
        return;
    client->lines = 0;
    replied(client,
            (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 + (unsigned)(line[2] - '0'));
}

static void on_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct forward_client *client = arg;
    (void)stream;
    while (client->phase != OVER) {
        char line[2048];
        struct bytes view = buffer_view(input);
        const uint8_t *lf = view.size > 0 ? memchr(view.data, '\n', view.size) : NULL;
        size_t size = lf != NULL ? (size_t)(lf - view.data) : 0;
        if (lf == NULL)
            return;
        if (size > 0 && view.data[size - 1] == '\r')
            size--;
        size = size < sizeof line - 1 ? size : sizeof line - 1;
        memcpy(line, view.data, size);
        line[size] = '\0';
        buffer_consume(input, (size_t)(lf - view.data) + 1);
        take_line(client, line);
    }
    buffer_consume(input, buffer_size(input));
}

/* TLS after STARTTLS; what is called for the connection itself is the greeting's business. */
static void on_ready(void *arg, struct stream *stream)
{
    struct forward_client *client = arg;
    (void)stream;
    if (client->phase == START_TLS)
        say_hello(client, HELLO_AGAIN);
}

static void on_drained(void *arg, struct stream *stream)
{
    struct forward_client *client = arg;
    (void)stream;
    if (!client->waiting || client->phase != BODY)
        return;
    client->waiting = false;
    client->events->want(client->arg);
}

static void on_closed(void *arg, struct stream *stream, const char *reason)
{
    struct forward_client *client = arg;
    (void)stream;
    client->events->ended(client->arg, client->fate, client->why[0] != '\0' ? client->why : reason);
    free(client);
}

static const struct stream_events stream_events = {
    .ready = on_ready, .data = on_data, .drained = on_drained, .closed = on_closed};

void forward_client_give(struct forward_client *client, struct bytes piece, bool last)
{
    if (client->phase != BODY)
        return;
    struct buffer out = buffer_make(2 * piece.size + 16);
    pop3_body_take(&client->body, piece, &out);
    if (last)
        pop3_body_end(&client->body, &out);
    struct bytes view = buffer_view(&out);
    if (out.failed)
        stream_abort(client->stream, "out of memory");
    else
        stream_write(client->stream, view.data, view.size);
    buffer_free(&out);
    if (last) {
        client->phase = END;
        return;
    }
    client->waiting = stream_queued(client->stream) > LOW;
    if (!client->waiting)
        client->events->want(client->arg);
}

void forward_client_abort(struct forward_client *client, const char *why)
{
    client->phase = OVER;
    client->fate = FORWARD_LATER;
    snprintf(client->why, sizeof client->why, "%s", why);
    stream_abort(client->stream, "given up");
}

static int connect_unix(const char *path, struct error **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    error_set(error, ERROR_UNAVAILABLE, "the server's socket: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

struct forward_client *forward_client_open(uv_loop_t *loop, const struct forward_server *server,
                                           const struct forward_letter *letter,
                                           const struct forward_events *events, void *arg,
                                           struct error **error)
{
    struct stream_options options = {
        .tls = server->tls ? server->context : NULL, .input_limit = INPUT, .output_limit = OUTPUT};
    struct forward_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        return NULL;
    }
    *client = (struct forward_client){.server = server, .events = events, .arg = arg, .size = letter->size};
    snprintf(client->host, sizeof client->host, "%s", letter->host);
    snprintf(client->to, sizeof client->to, "%s", letter->to);
    int fd = server->lmtp ? connect_unix(server->path, error) : -1;
    if (!server->lmtp)
        client->stream = stream_connect(loop, (const struct sockaddr *)&server->address, &options,
                                        &stream_events, client, error);
    else if (fd >= 0)
        client->stream = stream_open(loop, fd, &options, &stream_events, client, error);
    if (client->stream == NULL) {
        free(client);
        return NULL;
    }
    stream_set_low_water(client->stream, LOW);
    return client;
}
