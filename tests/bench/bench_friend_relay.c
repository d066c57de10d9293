/* SPDX-License-Identifier: ISC */
/* What a running gateway needs to relay items of 1 KiB between two friends, against the least that OpenSSL
 * can do: a loop of SSL_read() and SSL_write(). This program plays both friends, with the identities of two
 * recorded nodes; the processor time of the gateway's loop comes from the system. Started by tests/bench/run.
 *   bench_friend_relay identities              prints the two friends' certificates
 *   bench_friend_relay ADDRESS CERTIFICATE PID SECONDS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "friend/friends.h"
#include "support/vectors.h"
#include "unit/base/test_stream_ends.h"
#include "wire/turtle.h"

enum { PAYLOAD = 1024, ITEM = PAYLOAD + TURTLE_DATA_OVERHEAD, WINDOW = 2048, BATCH = 256 };

/* --- certificates of the bench need no second opinion */

static uint8_t relay_location[16];

struct later {
    uv_timer_t timer;
    keyring_fn *done;
    void *arg;
    uint8_t location[16];
};

static void free_later(uv_handle_t *handle)
{
    free(handle);
}

static void answer(uv_timer_t *timer)
{
    struct later *later = (struct later *)timer;
    struct keyring_answer good = {0};
    memcpy(good.location, later->location, sizeof good.location);
    later->done(later->arg, &good);
    uv_close((uv_handle_t *)timer, free_later);
}

static uv_loop_t *the_loop;

static uint64_t answer_later(keyring_fn *done, void *arg)
{
    struct later *later = calloc(1, sizeof *later);
    later->done = done;
    later->arg = arg;
    memcpy(later->location, relay_location, sizeof relay_location);
    uv_timer_init(the_loop, &later->timer);
    uv_timer_start(&later->timer, answer, 0, 0);
    return 1;
}

uint64_t keyring_verify_location(struct keyring *keyring, struct bytes certificate, struct bytes key_block,
                                 const uint8_t fingerprint[20], keyring_fn *done, void *arg)
{
    (void)keyring, (void)certificate, (void)key_block, (void)fingerprint;
    return answer_later(done, arg);
}

uint64_t keyring_check_key(struct keyring *keyring, struct bytes key_block, keyring_fn *done, void *arg)
{
    (void)keyring, (void)key_block;
    return answer_later(done, arg);
}

void keyring_cancel(struct keyring *keyring, uint64_t request)
{
    (void)keyring, (void)request;
}

/* --- the two friends */

struct side {
    const char *name;
    struct friends *friends;
    uint32_t neighbour;
    bool up;
};

static struct side source = {.name = "A"}, sink = {.name = "C"};
static uint32_t tunnel, request = 0x51515151;
static uint64_t sent, received, started_at, deadline;
static uint64_t cpu_start, wall_start;
static double gateway_rate;
static int gateway_pid, seconds;
static bool pumping;

/* Nanoseconds that the process' first thread, its loop, has run. */
static uint64_t cpu_of(int pid)
{
    char path[64];
    unsigned long long ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%llu", &ns) != 1)
        fail_msg("cannot read %s", path);
    fclose(file);
    return ns;
}

static uint64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void pump(void)
{
    static uint8_t item[ITEM];
    static struct buffer one = {.ceiling = ITEM};
    if (buffer_size(&one) == 0) {
        turtle_data_write(&one, TURTLE_DATA, tunnel, bytes_of(item, PAYLOAD));
    }
    while (sent - received < WINDOW && friends_send(source.friends, source.neighbour, 5, buffer_view(&one)))
        sent++;
}

static void finish(void)
{
    uint64_t cpu = cpu_of(gateway_pid) - cpu_start, wall = wall_ns() - wall_start;
    gateway_rate = (double)received * 1e9 / (double)cpu;
    printf("gateway: %llu items in %.1f s, %.0f items/s, %.2f us of its processor an item, %.0f items/s and "
           "core\n",
           (unsigned long long)received, (double)wall / 1e9, (double)received * 1e9 / (double)wall,
           (double)cpu / 1000 / (double)received, gateway_rate);
    uv_stop(the_loop);
}

static void item_came(void *arg, uint32_t neighbour, struct bytes item)
{
    struct side *side = arg;
    struct turtle_open open;
    struct turtle_ok ok;
    uint32_t id;
    struct bytes payload;
    if (side == &sink && turtle_open_parse(&open, item, TURTLE_06)) {
        struct buffer out = buffer_make(64);
        turtle_ok_write(&out, &(struct turtle_ok){0x0badcafe, open.request});
        friends_send(sink.friends, neighbour, 6, buffer_view(&out));
        buffer_free(&out);
    } else if (side == &source && turtle_ok_parse(&ok, item) && !pumping) {
        tunnel = ok.tunnel;
        pumping = true;
        cpu_start = cpu_of(gateway_pid);
        wall_start = wall_ns();
        started_at = uv_now(the_loop);
        deadline = started_at + (uint64_t)seconds * 1000;
        pump();
    } else if (side == &sink && turtle_data_parse(&id, &payload, item)) {
        received++;
    }
}

static void batch_end(void *arg)
{
    if (arg != &sink || !pumping)
        return;
    if (uv_now(the_loop) >= deadline) {
        pumping = false;
        finish();
    } else if (sent - received < WINDOW - BATCH) {
        pump();
    }
}

static void link_up(void *arg, uint32_t neighbour, const uint8_t location[16])
{
    (void)location;
    struct side *side = arg;
    side->neighbour = neighbour;
    side->up = true;
    if (!source.up || !sink.up)
        return;
    struct buffer out = buffer_make(64);
    struct turtle_open open = {.request = request, .partial = 77, .depth = 1};
    memset(open.hash, 0x5a, sizeof open.hash);
    turtle_open_write(&out, &open, TURTLE_06);
    friends_send(source.friends, source.neighbour, 6, buffer_view(&out));
    buffer_free(&out);
}

static void link_down(void *arg, uint32_t neighbour, const uint8_t location[16], const char *reason)
{
    (void)neighbour, (void)location;
    struct side *side = arg;
    fail_msg("link of %s went down: %s", side->name, reason);
}

static void ignore_record(void *arg, const struct friend_record *record)
{
    (void)arg, (void)record;
}

static void ignore_location(void *arg, const uint8_t location[16])
{
    (void)arg, (void)location;
}

static void ignore_attempt(void *arg, const struct friend_attempt *attempt)
{
    (void)arg, (void)attempt;
}

static const struct friends_events events = {
    .up = link_up,
    .down = link_down,
    .item = item_came,
    .batch_end = batch_end,
    .changed = ignore_record,
    .state = ignore_location,
    .attempt = ignore_attempt,
};

static void open_side(struct side *side, const json_t *nodes, const struct friend_record *relay)
{
    struct error *error = NULL;
    const json_t *node = json_object_get(nodes, side->name),
                 *certificate = json_object_get(node, "certificate");
    struct buffer der = vectors_hex(certificate, "der"),
                  key = vectors_hex(certificate, "tls_private_key_pkcs1_der");
    struct buffer block = vectors_hex(node, "pgp_public_key");
    struct buffer fingerprint = vectors_hex(node, "pgp_fingerprint"), location = vectors_hex(node, "ssl_id");
    struct friends_identity identity = {
        .certificate = buffer_view(&der),
        .private_key = buffer_view(&key),
        .key_block = buffer_view(&block),
        .location_name = "bench",
    };
    memcpy(identity.fingerprint, buffer_view(&fingerprint).data, 20);
    memcpy(identity.location, buffer_view(&location).data, 16);
    struct friends_options options = {.version = "bench", .queue_limit = 16 << 20};
    side->friends = friends_open(the_loop, &identity, &options, NULL, &events, side, &error);
    if (side->friends == NULL || !friends_add(side->friends, relay, &error))
        fail_msg("%s: %s", side->name, error->text);
}

static struct friend_record read_relay(const char *address, const char *file, struct friend_text *text)
{
    static char certificate[1 << 16];
    struct error *error = NULL;
    struct friend_record record = {0};
    FILE *in = fopen(file, "r");
    size_t size = in != NULL ? fread(certificate, 1, sizeof certificate, in) : 0;
    if (in != NULL)
        fclose(in);
    if (!friend_text_parse(text, bytes_of(certificate, size), &error) ||
        !friend_record_from_text(&record, text, &error) ||
        !address_parse(&record.addresses[0], address, 0, &error))
        fail_msg("%s: %s", file, error->text);
    record.address_count = 1;
    memcpy(relay_location, record.location, sizeof relay_location);
    return record;
}

/* --- the bare forwarder, in a process of its own */

static SSL *blocking_tls(SSL_CTX *context, int fd, bool server)
{
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, fd);
    if ((server ? SSL_accept(tls) : SSL_connect(tls)) != 1)
        abort();
    return tls;
}

static double bare_rate(const char *what, size_t record, uint64_t items)
{
    int in[2], out[2], report[2];
    if (pipe(report) != 0)
        abort();
    tcp_pair(in);
    tcp_pair(out);
    SSL_CTX *server, *client;
    scene_contexts(&server, &client, TLS1_3_VERSION);
    SSL_CTX_set_num_tickets(server, 0); /* unread ones would reset the connection when its end closes */
    uint64_t total = items * ITEM;
    pid_t pid = fork();
    if (pid == 0) {
        static uint8_t data[16384];
        SSL *from = blocking_tls(server, in[1], true), *to = blocking_tls(client, out[0], false);
        uint64_t start = cpu_of(getpid());
        int size;
        while ((size = SSL_read(from, data, sizeof data)) > 0) {
            if (SSL_write(to, data, size) != size)
                abort();
        }
        uint64_t used = cpu_of(getpid()) - start;
        SSL_shutdown(to);
        if (write(report[1], &used, sizeof used) != sizeof used)
            abort();
        _exit(0);
    }
    pid_t writer = fork();
    if (writer == 0) {
        static uint8_t data[16384];
        SSL *to = blocking_tls(client, in[0], false);
        for (uint64_t done = 0; done < total;) {
            size_t piece = total - done < record ? (size_t)(total - done) : record;
            if (SSL_write(to, data, (int)piece) <= 0)
                abort();
            done += piece;
        }
        SSL_shutdown(to);
        _exit(0);
    }
    close(in[0]);
    close(in[1]);
    close(out[0]);
    static uint8_t data[16384];
    SSL *from = blocking_tls(server, out[1], true);
    uint64_t got = 0, used = 0;
    int size;
    while ((size = SSL_read(from, data, sizeof data)) > 0)
        got += (uint64_t)size;
    if (got != total || read(report[0], &used, sizeof used) != sizeof used)
        fail_msg("the bare forwarder lost bytes");
    waitpid(pid, NULL, 0);
    waitpid(writer, NULL, 0);
    double rate = (double)items * 1e9 / (double)used;
    printf("%s: %.2f us of its processor an item, %.0f items/s and core\n", what,
           (double)used / 1000 / (double)items, rate);
    SSL_free(from);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    return rate;
}

int main(int argc, char **argv)
{
    json_t *vectors = vectors_load("retroshare-0.6/link.json"), *nodes = json_object_get(vectors, "nodes");
    if (argc == 2 && strcmp(argv[1], "identities") == 0) {
        puts(vectors_string(json_object_get(json_object_get(nodes, "A"), "full_invite"), "text"));
        puts(vectors_string(json_object_get(json_object_get(nodes, "C"), "full_invite"), "text"));
        return 0;
    }
    if (argc != 5) {
        fprintf(stderr, "usage: %s identities | ADDRESS CERTIFICATE PID SECONDS\n", argv[0]);
        return 2;
    }
    gateway_pid = atoi(argv[3]);
    seconds = atoi(argv[4]);
    the_loop = uv_default_loop();
    struct friend_text text;
    struct friend_record relay = read_relay(argv[1], argv[2], &text);
    open_side(&source, nodes, &relay);
    open_side(&sink, nodes, &relay);
    uv_run(the_loop, UV_RUN_DEFAULT);
    fflush(stdout);
    double best = bare_rate("bare OpenSSL, records of 16 KiB", 16384, 400000);
    fflush(stdout);
    bare_rate("bare OpenSSL, a record for each item", ITEM, 400000);
    printf("relay of 1 KiB items: %.0f %% of the bare forwarder's rate per core\n",
           100 * gateway_rate / best);
    json_decref(vectors);
    return 0;
}
