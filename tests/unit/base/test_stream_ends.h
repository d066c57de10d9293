/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_BASE_TEST_STREAM_ENDS_H
#define RETROGATE_TESTS_UNIT_BASE_TEST_STREAM_ENDS_H

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/stream.h"
#include "base/tls.h"
#include "support/vectors.h"

/* One end of a connection, recording what happens to it. The hooks are what a test does in a callback. */
struct end {
    struct stream *stream;
    struct buffer got;
    unsigned ready, datas, drained, closed;
    bool inside; /* a callback is running */
    bool keep;   /* consume nothing */
    char reason[160];
    void (*on_ready)(struct end *end);
    void (*on_data)(struct end *end, struct buffer *input);
    void (*on_drained)(struct end *end);
    struct end *other;
    size_t to_send, sent;
    bool finished; /* all of to_send is handed over */
};

static inline void end_ready(void *arg, struct stream *stream)
{
    struct end *end = arg;
    end->stream = stream;
    end->ready++;
    end->inside = true;
    if (end->on_ready != NULL)
        end->on_ready(end);
    end->inside = false;
}

static inline void end_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct end *end = arg;
    assert_ptr_equal(end->stream, stream);
    assert_int_equal(end->closed, 0);
    assert_true(buffer_size(input) > 0);
    end->datas++;
    end->inside = true;
    if (end->on_data != NULL) {
        end->on_data(end, input);
    } else if (!end->keep) {
        buffer_append_bytes(&end->got, buffer_view(input));
        buffer_consume(input, buffer_size(input));
    }
    end->inside = false;
}

static inline void end_drained(void *arg, struct stream *stream)
{
    struct end *end = arg;
    (void)stream;
    end->drained++;
    end->inside = true;
    if (end->on_drained != NULL)
        end->on_drained(end);
    end->inside = false;
}

static inline void end_closed(void *arg, struct stream *stream, const char *reason)
{
    struct end *end = arg;
    assert_ptr_equal(end->stream, stream);
    assert_false(end->inside);
    end->closed++;
    end->stream = NULL;
    snprintf(end->reason, sizeof end->reason, "%s", reason);
}

static const struct stream_events end_events = {end_ready, end_data, end_drained, end_closed};

/* What a test has: a loop with a watchdog, and TLS contexts of both sides (NULL in plain). */
struct scene {
    uv_loop_t loop;
    uv_timer_t watchdog;
    SSL_CTX *server, *client;
    struct stream_options options;
};

static inline void scene_stuck(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("the test waits for something that does not happen");
}

static inline char *scene_folder(void)
{
    static char folder[256];
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/retrogate-XXXXXX", base != NULL ? base : P_tmpdir);
    assert_non_null(mkdtemp(folder));
    return folder;
}

static inline void scene_contexts(SSL_CTX **server, SSL_CTX **client, int version)
{
    char certificate[300], key[300];
    struct error *error = NULL;
    const char *folder = scene_folder();
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    assert_true(tls_make_self_signed(certificate, key, "localhost", &error));
    *server = tls_server_context(certificate, key, &error);
    assert_non_null(*server);
    *client = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_load_verify_locations(*client, certificate, NULL), 1);
    SSL_CTX_set_verify(*client, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_min_proto_version(*client, version);
    SSL_CTX_set_max_proto_version(*client, version);
    unlink(certificate);
    unlink(key);
    rmdir(folder);
}

/* version: 0 for plain, TLS1_2_VERSION, TLS1_3_VERSION */
static inline void scene_open(struct scene *scene, int version)
{
    memset(scene, 0, sizeof *scene);
    uv_loop_init(&scene->loop);
    uv_timer_init(&scene->loop, &scene->watchdog);
    uv_timer_start(&scene->watchdog, scene_stuck, 60000, 0);
    uv_unref((uv_handle_t *)&scene->watchdog);
    if (version != 0)
        scene_contexts(&scene->server, &scene->client, version);
    scene->options = (struct stream_options){.input_limit = 1 << 20, .output_limit = 1 << 20};
}

static inline void scene_close(struct scene *scene)
{
    uv_close((uv_handle_t *)&scene->watchdog, NULL);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    SSL_CTX_free(scene->server);
    SSL_CTX_free(scene->client);
}

#define RUN_UNTIL(scene, condition)                                                                          \
    while (!(condition))                                                                                     \
    uv_run(&(scene)->loop, UV_RUN_ONCE)

/* A connected TCP pair on the loopback. */
static inline void tcp_pair(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&address, sizeof address), 0);
    fds[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fds[1] >= 0);
    close(listening);
}

static inline void end_open(struct scene *scene, struct end *end, int fd, bool server)
{
    struct stream_options options = scene->options;
    struct error *error = NULL;
    options.tls = server ? scene->server : scene->client;
    options.tls_server = server;
    if (end->got.ceiling == 0)
        end->got = buffer_make(64 << 20);
    end->stream = stream_open(&scene->loop, fd, &options, &end_events, end, &error);
    assert_non_null(end->stream);
}

/* Two ends over loopback TCP; a is the client. */
static inline void ends_open(struct scene *scene, struct end *a, struct end *b)
{
    int fds[2];
    tcp_pair(fds);
    a->other = b;
    b->other = a;
    end_open(scene, a, fds[0], false);
    end_open(scene, b, fds[1], true);
}

/* Aborts what is still open and frees what was received. */
static inline void end_free(struct scene *scene, struct end *end)
{
    if (end->stream != NULL)
        stream_abort(end->stream, "test over");
    RUN_UNTIL(scene, end->stream == NULL);
    assert_int_equal(end->closed, 1);
    buffer_free(&end->got);
}

/* Bytes that differ at every offset of interest, so that a loss, a repetition or an exchange shows. */
static inline uint8_t pattern_at(size_t offset)
{
    return (uint8_t)((offset * 2654435761U) >> 13);
}

static inline void assert_pattern(struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] != pattern_at(i))
            fail_msg("byte %zu is wrong", i);
}

/* on_ready and on_drained: hands over as much of the pattern as there is room for. */
static inline void end_send_pattern(struct end *end)
{
    uint8_t piece[10007];
    while (end->sent < end->to_send) {
        size_t size = end->to_send - end->sent < sizeof piece ? end->to_send - end->sent : sizeof piece;
        if (stream_room(end->stream) < size)
            return;
        for (size_t i = 0; i < size; i++)
            piece[i] = pattern_at(end->sent + i);
        assert_true(stream_write(end->stream, piece, size));
        end->sent += size;
    }
    end->finished = true;
}

#endif
