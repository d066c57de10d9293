/* SPDX-License-Identifier: ISC */
/* What a TLS forwarder over streams costs, against the least that OpenSSL can do: a loop of SSL_read() and
 * SSL_write() on blocking sockets. Both are measured by the processor time of the forwarding thread, which
 * other load does not touch. */
#include <pthread.h>
#include <time.h>

#include "unit/base/test_stream_ends.h"

struct run {
    SSL_CTX *server, *client;
    int in[2], out[2]; /* source - forwarder, forwarder - sink */
    size_t record, total;
    double seconds;
};

static SSL *blocking(SSL_CTX *context, int fd, bool server)
{
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, fd);
    int result = server ? SSL_accept(tls) : SSL_connect(tls);
    assert_int_equal(result, 1);
    return tls;
}

static void *source(void *arg)
{
    struct run *run = arg;
    static const uint8_t data[16384];
    SSL *tls = blocking(run->client, run->in[0], false);
    for (size_t sent = 0; sent < run->total; sent += run->record)
        if (SSL_write(tls, data, (int)run->record) <= 0)
            abort();
    SSL_shutdown(tls);
    SSL_free(tls);
    return NULL;
}

static void *sink(void *arg)
{
    struct run *run = arg;
    static uint8_t data[16384];
    SSL *tls = blocking(run->server, run->out[1], true);
    size_t got = 0;
    int size = 0;
    while ((size = SSL_read(tls, data, sizeof data)) > 0)
        got += (size_t)size;
    if (got != run->total)
        abort();
    SSL_free(tls);
    return NULL;
}

static double processor_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *bare(void *arg)
{
    struct run *run = arg;
    static uint8_t data[16384];
    SSL *in = blocking(run->server, run->in[1], true), *out = blocking(run->client, run->out[0], false);
    double start = processor_time();
    int size = 0;
    while ((size = SSL_read(in, data, sizeof data)) > 0)
        if (SSL_write(out, data, size) != size)
            abort();
    run->seconds = processor_time() - start;
    SSL_shutdown(out);
    SSL_free(in);
    SSL_free(out);
    return NULL;
}

static void forward(struct end *end, struct buffer *input)
{
    struct bytes view = buffer_view(input);
    size_t room = stream_room(end->other->stream);
    size_t size = view.size < room ? view.size : room;
    stream_write(end->other->stream, view.data, size);
    buffer_consume(input, size);
    if (size < view.size)
        stream_pause(end->stream);
}

static void go_on(struct end *end)
{
    if (end->other->stream != NULL)
        stream_resume(end->other->stream);
}

static void *streams(void *arg)
{
    struct run *run = arg;
    struct scene scene;
    scene_open(&scene, 0);
    struct end in = {.on_data = forward}, out = {.on_drained = go_on, .other = &in};
    in.other = &out;
    scene.server = run->server;
    scene.client = run->client;
    scene.options.output_limit = 256 * 1024;
    end_open(&scene, &in, run->in[1], true);
    end_open(&scene, &out, run->out[0], false);
    RUN_UNTIL(&scene, in.ready && out.ready);
    double start = processor_time();
    RUN_UNTIL(&scene, in.closed);
    run->seconds = processor_time() - start;
    stream_close(out.stream, "done");
    end_free(&scene, &in);
    end_free(&scene, &out);
    scene.server = scene.client = NULL;
    scene_close(&scene);
    return NULL;
}

static double measure(const struct run *model, void *(*forwarder)(void *))
{
    struct run run = *model;
    pthread_t threads[3];
    tcp_pair(run.in);
    tcp_pair(run.out);
    pthread_create(&threads[0], NULL, source, &run);
    pthread_create(&threads[1], NULL, sink, &run);
    pthread_create(&threads[2], NULL, forwarder, &run);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    close(run.in[0]);
    close(run.out[1]);
    if (forwarder == bare) {
        close(run.in[1]);
        close(run.out[0]);
    }
    return run.seconds;
}

int main(void)
{
    static const size_t records[] = {200, 1000, 4000, 16384};
    struct run run = {0};
    scene_contexts(&run.server, &run.client, TLS1_3_VERSION);
    printf("%8s %14s %14s %8s\n", "record", "bare ns/record", "streams", "ratio");
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        run.record = records[i];
        run.total = (records[i] < 1000 ? 20000000 : 200000000) / records[i] * records[i];
        double best[2] = {1e9, 1e9};
        for (unsigned round = 0; round < 3; round++) {
            double a = measure(&run, bare), b = measure(&run, streams);
            best[0] = a < best[0] ? a : best[0];
            best[1] = b < best[1] ? b : best[1];
        }
        double count = (double)(run.total / run.record);
        printf("%8zu %14.0f %14.0f %8.2f\n", records[i], best[0] / count * 1e9, best[1] / count * 1e9,
               best[1] / best[0]);
    }
    SSL_CTX_free(run.server);
    SSL_CTX_free(run.client);
    return 0;
}
