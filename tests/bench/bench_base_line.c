/* SPDX-License-Identifier: ISC */
/* How long one line takes from an IRC client through a gateway, a relay and a second gateway to an IRC
 * client, against the same hops bare: TCP, TLS, TLS, TCP between blocking processes, with a write and
 * fdatasync at the two gateways' places. bench_base_line FROM-ADDRESS FROM-LOGIN FROM-CHANNEL TO-ADDRESS
 * TO-LOGIN LINES FOLDER A login is "account:password". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "unit/base/test_stream_ends.h"

/* The IRC bridge takes ten lines a second in the long run; the bare hops are asked at the same pace. */
enum { LINE = 512, COMMIT = 4096, PACE_US = 105000 };

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double report(const char *what, double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, by_value);
    printf("%-28s p50 %7.0f us   p99 %7.0f us\n", what, samples[count / 2], samples[count * 99 / 100]);
    fflush(stdout);
    return samples[count / 2];
}

/* --- through the gateways */

static int irc_connect(const char *address, const char *login, const char *nick)
{
    struct sockaddr_storage to;
    char hello[LINE];
    if (!address_parse(&to, address, 0, NULL))
        fail_msg("address %s", address);
    int fd = socket(to.ss_family, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, address_size((struct sockaddr *)&to)) != 0)
        fail_msg("connect %s", address);
    int size =
        snprintf(hello, sizeof hello, "PASS %s\r\nNICK %s\r\nUSER %s 0 * :%s\r\n", login, nick, nick, nick);
    if (write(fd, hello, (size_t)size) != size)
        abort();
    return fd;
}

/* Reads until a text is there; what else comes (joins, pings) is passed over. */
static void read_until(int fd, const char *text)
{
    static char data[1 << 16];
    size_t held = 0;
    for (;;) {
        ssize_t size = read(fd, data + held, sizeof data - held - 1);
        if (size <= 0)
            fail_msg("the gateway closed the connection while waiting for %s", text);
        held += (size_t)size;
        data[held] = '\0';
        if (strstr(data, text) != NULL)
            return;
        char *last = strrchr(data, '\n');
        if (last != NULL) {
            held = strlen(last + 1);
            memmove(data, last + 1, held + 1);
        }
        if (held > sizeof data / 2)
            held = 0;
    }
}

static double through_gateways(char **argv, size_t lines)
{
    int from = irc_connect(argv[1], argv[2], "benchfrom"), to = irc_connect(argv[4], argv[5], "benchto");
    read_until(from, " 376 ");
    read_until(to, " 376 ");
    double *samples = calloc(lines, sizeof *samples);
    for (size_t i = 0; i < lines; i++) {
        char line[LINE], mark[32];
        snprintf(mark, sizeof mark, "line-%zu-end", i);
        int size =
            snprintf(line, sizeof line, "PRIVMSG %s :%s and some words to make it a usual line of chat\r\n",
                     argv[3], mark);
        double start = now_us();
        if (write(from, line, (size_t)size) != size)
            abort();
        read_until(to, mark);
        samples[i] = now_us() - start;
        usleep(PACE_US);
    }
    double p50 = report("IRC, 2 links, IRC", samples, lines);
    free(samples);
    close(from);
    close(to);
    return p50;
}

/* --- the same hops bare */

struct leg {
    int fd;
    SSL *tls;
};

static size_t leg_read(struct leg *leg, char *data)
{
    ssize_t size = leg->tls != NULL ? SSL_read(leg->tls, data, LINE) : read(leg->fd, data, LINE);
    if (size <= 0)
        _exit(0);
    return (size_t)size;
}

static void leg_write(struct leg *leg, const char *data, size_t size)
{
    ssize_t written = leg->tls != NULL ? SSL_write(leg->tls, data, (int)size) : write(leg->fd, data, size);
    if (written != (ssize_t)size)
        _exit(1);
}

static void commit(int file)
{
    static char page[COMMIT];
    if (file >= 0 && (write(file, page, sizeof page) != sizeof page || fdatasync(file) != 0))
        _exit(1);
}

static pid_t hop(struct leg in, struct leg out, SSL_CTX *server, SSL_CTX *client, bool tls_in, bool tls_out,
                 const char *file)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char data[LINE];
    int journal = file != NULL ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (tls_out) {
        out.tls = SSL_new(client);
        SSL_set_fd(out.tls, out.fd);
    }
    if (tls_in) {
        in.tls = SSL_new(server);
        SSL_set_fd(in.tls, in.fd);
        if (SSL_accept(in.tls) != 1)
            _exit(1);
    }
    if (tls_out && SSL_connect(out.tls) != 1)
        _exit(1);
    for (;;) {
        size_t size = leg_read(&in, data);
        commit(journal);
        leg_write(&out, data, size);
    }
}

static double bare(size_t lines, const char *folder)
{
    SSL_CTX *server, *client;
    int legs[4][2];
    pid_t hops[3];
    char first[512], last[512];
    scene_contexts(&server, &client, TLS1_3_VERSION);
    SSL_CTX_set_num_tickets(server, 0);
    snprintf(first, sizeof first, "%s/bare-1", folder);
    snprintf(last, sizeof last, "%s/bare-2", folder);
    for (size_t i = 0; i < 4; i++)
        tcp_pair(legs[i]);
    hops[0] = hop((struct leg){legs[0][1], NULL}, (struct leg){legs[1][0], NULL}, server, client, false, true,
                  first);
    hops[1] =
        hop((struct leg){legs[1][1], NULL}, (struct leg){legs[2][0], NULL}, server, client, true, true, NULL);
    hops[2] = hop((struct leg){legs[2][1], NULL}, (struct leg){legs[3][0], NULL}, server, client, true, false,
                  last);
    double *samples = calloc(lines, sizeof *samples);
    for (size_t i = 0; i < lines; i++) {
        char data[LINE] = "a usual line of chat with some words in it, as long as the other";
        double start = now_us();
        if (write(legs[0][0], data, 100) != 100)
            abort();
        for (ssize_t got = 0; got < 100;)
            got += read(legs[3][1], data, (size_t)(100 - got));
        samples[i] = now_us() - start;
        usleep(PACE_US);
    }
    double p50 = report("bare hops and 2 fdatasync", samples, lines);
    for (size_t i = 0; i < 3; i++) {
        kill(hops[i], SIGKILL);
        waitpid(hops[i], NULL, 0);
    }
    unlink(first);
    unlink(last);
    free(samples);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    return p50;
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: %s FROM-ADDRESS FROM-LOGIN FROM-CHANNEL TO-ADDRESS TO-LOGIN LINES FOLDER\n",
                argv[0]);
        return 2;
    }
    size_t lines = strtoul(argv[6], NULL, 10);
    double gateways = through_gateways(argv, lines), least = bare(lines, argv[7]);
    printf("one line's way: %.2f times the bare hops at p50\n", gateways / least);
    return 0;
}
