/* SPDX-License-Identifier: ISC */
/* Many WebSocket clients in one process. bench_web_load PORT CLIENTS HEAD FIRST [SAY LINES WINDOW]
 *
 * HEAD is a file with the request head of every client, FIRST one with the text that each sends first and
 * waits to be answered (empty: none). Without SAY it then waits for its input to end: the server's memory is
 * measured meanwhile. With it one more client sends the text of SAY as often as LINES, "line-000000" in it
 * counted up, WINDOW of them under way at a time; a client has a line when it was sent that number or a
 * higher one. Prints one JSON object. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 4096, TEXT_MAX = 65536, MARK = 5, DIGITS = 6, TAIL = MARK + DIGITS - 1, OPENING_MAX = 32 };

struct client {
    int fd;
    enum { GREETING, ASKING, READY } state;
    unsigned line;    /* highest seen */
    uint8_t head[14]; /* of the frame that is being read */
    uint8_t head_size;
    uint8_t tail_size;
    char tail[TAIL]; /* the end of the last piece: a mark may lie across two */
    uint64_t left;   /* of its payload */
    uint64_t bytes;  /* of payload in all */
};

struct file {
    char bytes[TEXT_MAX];
    size_t size;
};

static struct file head, first, say;
static struct client *clients;
static unsigned client_count, ready, behind, line_wanted;
static int epoll;

static void give_up(const char *what)
{
    fprintf(stderr, "bench_web_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void read_file(struct file *file, const char *path)
{
    FILE *stream = fopen(path, "r");
    if (stream == NULL)
        give_up(path);
    file->size = fread(file->bytes, 1, sizeof file->bytes, stream);
    fclose(stream);
}

static void put(int fd, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t sent = send(fd, (const char *)bytes + at, size - at, MSG_NOSIGNAL);
        if (sent > 0) {
            at += (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {fd, POLLOUT, 0};
            poll(&writable, 1, -1);
        } else {
            give_up("send");
        }
    }
}

/* The mask is zero, which is a mask too. */
static void put_text(int fd, const char *bytes, size_t size)
{
    static unsigned char frame[8 + TEXT_MAX];
    size_t at = 0;
    frame[at++] = 0x81;
    if (size < 126) {
        frame[at++] = (unsigned char)(0x80 | size);
    } else {
        frame[at++] = 0x80 | 126;
        frame[at++] = (unsigned char)(size >> 8);
        frame[at++] = (unsigned char)size;
    }
    memset(frame + at, 0, 4);
    memcpy(frame + at + 4, bytes, size);
    put(fd, frame, at + 4 + size);
}

static void client_open(struct client *client, const struct sockaddr_in *to)
{
    int yes = 1;
    *client = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    if (client->fd < 0 || connect(client->fd, (const struct sockaddr *)to, sizeof *to) != 0)
        give_up("connect");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        give_up("epoll_ctl");
    put(client->fd, head.bytes, head.size);
}

static void client_ready(struct client *client)
{
    client->state = READY;
    ready++;
}

static void saw_line(struct client *client, unsigned line)
{
    bool was_behind = client->line < line_wanted;
    if (line > client->line)
        client->line = line;
    if (was_behind && client->line >= line_wanted)
        behind--;
}

/* The last mark of these bytes counts: lines come in order. */
static void look(struct client *client, const char *bytes, size_t size)
{
    for (size_t at = size < MARK + DIGITS ? 0 : size - MARK - DIGITS + 1; at-- > 0;) {
        if (bytes[at] == 'l' && memcmp(bytes + at, "line-", MARK) == 0 && bytes[at + MARK] >= '0' &&
            bytes[at + MARK] <= '9') {
            saw_line(client, (unsigned)strtoul(bytes + at + MARK, NULL, 10));
            return;
        }
    }
}

static void take_payload(struct client *client, const char *bytes, size_t size)
{
    char seam[2 * TAIL + 1];
    size_t begin = size < TAIL ? size : TAIL;
    memcpy(seam, client->tail, client->tail_size);
    memcpy(seam + client->tail_size, bytes, begin);
    size_t seam_size = client->tail_size + begin;
    seam[seam_size] = '\0';
    look(client, seam, seam_size);
    look(client, bytes, size);
    const char *end = size < TAIL ? seam + (seam_size < TAIL ? 0 : seam_size - TAIL) : bytes + size - TAIL;
    client->tail_size = (uint8_t)(size >= TAIL || seam_size >= TAIL ? TAIL : seam_size);
    memcpy(client->tail, end, client->tail_size);
    client->bytes += size;
    if (client->state == ASKING)
        client_ready(client);
}

static void end_frame(struct client *client)
{
    static const unsigned char pong[6] = {0x8a, 0x80};
    if ((client->head[0] & 15) == 8) {
        errno = ECONNRESET;
        give_up("closed by the server");
    }
    if ((client->head[0] & 15) == 9)
        put(client->fd, pong, sizeof pong);
    client->head_size = 0;
}

/* Of the frame's header, as far as its beginning tells. */
static size_t header_size(const struct client *client)
{
    unsigned size = client->head_size < 2 ? 0 : client->head[1] & 127;
    return size == 126 ? 4 : size == 127 ? 10 : 2;
}

static uint64_t payload_size(const struct client *client)
{
    uint64_t size = client->head[1] & 127;
    if (client->head_size > 2) {
        size = 0;
        for (size_t at = 2; at < client->head_size; at++)
            size = size << 8 | client->head[at];
    }
    return size;
}

static void take_frames(struct client *client, const char *bytes, size_t size)
{
    while (size > 0) {
        if (client->head_size < header_size(client)) {
            client->head[client->head_size++] = (uint8_t)*bytes++;
            size--;
            if (client->head_size < header_size(client))
                continue;
            client->left = payload_size(client);
        } else {
            size_t piece = size < client->left ? size : (size_t)client->left;
            if ((client->head[0] & 15) < 8)
                take_payload(client, bytes, piece);
            bytes += piece;
            size -= piece;
            client->left -= piece;
        }
        if (client->left == 0)
            end_frame(client);
    }
}

static void take(struct client *client)
{
    static char bytes[256 << 10];
    ssize_t got = recv(client->fd, bytes, sizeof bytes - 1, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        give_up("recv");
    bytes[got] = '\0';
    if (client->state == GREETING) {
        /* The head of an answer comes in one piece: it is small and the first thing on the connection. */
        char *end = strstr(bytes, "\r\n\r\n");
        if (end == NULL || strncmp(bytes, "HTTP/1.1 101 ", 13) != 0) {
            fprintf(stderr, "%s\n", bytes);
            exit(1);
        }
        client->state = ASKING;
        if (first.size > 0)
            put_text(client->fd, first.bytes, first.size);
        else
            client_ready(client);
        size_t skipped = (size_t)(end + 4 - bytes);
        take_frames(client, end + 4, (size_t)got - skipped);
        return;
    }
    take_frames(client, bytes, (size_t)got);
}

/* Waits at most so long, -1 for ever; serves what came. */
static void serve(int timeout_ms)
{
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, timeout_ms);
    for (int at = 0; at < count; at++)
        take(events[at].data.ptr);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void say_line(int fd, unsigned line)
{
    char *at = memmem(say.bytes, say.size, "line-", MARK), digits[16];
    if (at == NULL)
        give_up("the text to say has no line-000000");
    snprintf(digits, sizeof digits, "%06u", line);
    memcpy(at + MARK, digits, DIGITS);
    put_text(fd, say.bytes, say.size);
}

static void all_have(unsigned line)
{
    line_wanted = line;
    behind = 0;
    for (unsigned at = 0; at < client_count; at++)
        behind += clients[at].line < line;
    while (behind > 0)
        serve(-1);
}

static void measure(unsigned lines, unsigned window)
{
    struct client *sayer = &clients[client_count];
    sayer->line = UINT_MAX; /* nobody waits for it */
    double *sent = calloc(lines + 1, sizeof *sent), *took = calloc(lines + 1, sizeof *took);
    uint64_t bytes = 0, before = 0;
    if (sent == NULL || took == NULL)
        give_up("memory");
    for (unsigned at = 0; at < client_count; at++)
        before += clients[at].bytes;
    double begun = now_us();
    for (unsigned said = 0, seen = 0; seen < lines;) {
        while (said < lines && said - seen < window) {
            sent[++said] = now_us();
            say_line(sayer->fd, said);
        }
        all_have(++seen);
        took[seen - 1] = now_us() - sent[seen];
    }
    double spent = now_us() - begun;
    for (unsigned at = 0; at < client_count; at++)
        bytes += clients[at].bytes;
    qsort(took, lines, sizeof *took, by_value);
    printf("{\"rate\": %.0f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"bytes_per_line\": %.0f}\n",
           (double)lines * client_count / spent * 1e6, took[lines / 2], took[lines * 99 / 100],
           (double)(bytes - before) / client_count / lines);
    free(sent);
    free(took);
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 8) {
        fprintf(stderr, "usage: bench_web_load PORT CLIENTS HEAD FIRST [SAY LINES WINDOW]\n");
        return 2;
    }
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client_count = (unsigned)strtoul(argv[2], NULL, 10);
    read_file(&head, argv[3]);
    read_file(&first, argv[4]);
    bool saying = argc == 8;
    unsigned all = client_count + saying;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    clients = calloc(client_count + 1, sizeof *clients);
    if (epoll < 0 || clients == NULL)
        give_up("memory");
    double begun = now_us();
    for (unsigned opened = 0; ready < all;) {
        while (opened < all && opened - ready < OPENING_MAX)
            client_open(&clients[opened++], &to);
        serve(-1);
    }
    if (!saying) {
        printf("{\"open\": %u, \"seconds\": %.2f}\n", ready, (now_us() - begun) / 1e6);
        fflush(stdout);
        for (struct pollfd input = {STDIN_FILENO, POLLIN, 0}; poll(&input, 1, 0) == 0;)
            serve(100);
        return 0;
    }
    read_file(&say, argv[5]);
    measure((unsigned)strtoul(argv[6], NULL, 10), (unsigned)strtoul(argv[7], NULL, 10));
    return 0;
}
