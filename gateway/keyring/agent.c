/* SPDX-License-Identifier: ISC */
#include "keyring/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 1002, REPLY_LINES_MAX = 1000, TIMEOUT_MS = 20000 };
enum { PAUSE_FIRST_MS = 20, PAUSE_LAST_MS = 640, END_STEP_MS = 5, END_STEPS = 400 };

static const struct bytes nothing;

struct agent {
    int fd;
    struct buffer input; /* may hold a private value's neighbour: wiped */
};

static int connect_to(const char *home)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = snprintf(address.sun_path, sizeof(address.sun_path), "%s/S.gpg-agent", home);
    if (size < 0 || (size_t)size >= sizeof(address.sun_path))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* The first process of gpg-agent --daemon ends when the socket is ready. */
static void start(const char *home)
{
    const char *const arguments[] = {"gpg-agent", "--quiet", "--homedir", home, "--daemon", NULL};
    posix_spawn_file_actions_t files;
    pid_t pid;
    posix_spawn_file_actions_init(&files);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    int failed = posix_spawnp(&pid, arguments[0], &files, NULL, (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    while (!failed && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static bool send_all(struct agent *agent, struct bytes data)
{
    while (data.size > 0) {
        ssize_t sent = send(agent->fd, data.data, data.size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        data = bytes_of(data.data + sent, data.size - (size_t)sent);
    }
    return true;
}

/* The next line without its end; valid until the next call. */
static bool read_line(struct agent *agent, struct bytes *line, size_t *consume)
{
    buffer_consume(&agent->input, *consume);
    for (;;) {
        struct bytes view = buffer_view(&agent->input);
        const uint8_t *end = view.size > 0 ? memchr(view.data, '\n', view.size) : NULL;
        if (end) {
            *line = bytes_of(view.data, (size_t)(end - view.data));
            *consume = line->size + 1;
            return true;
        }
        struct pollfd waiting = {.fd = agent->fd, .events = POLLIN};
        uint8_t *into = buffer_reserve(&agent->input, LINE_MAX_SIZE);
        if (!into || poll(&waiting, 1, TIMEOUT_MS) <= 0)
            return false;
        ssize_t size = recv(agent->fd, into, LINE_MAX_SIZE, 0);
        if (size <= 0)
            return false;
        buffer_commit(&agent->input, (size_t)size);
    }
}

static bool starts(struct bytes line, const char *word)
{
    size_t size = strlen(word);
    return line.size >= size && memcmp(line.data, word, size) == 0;
}

static bool undo_escapes(struct buffer *out, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%') {
            if (text.size - i < 3 || !hex_parse(&byte, 1, (const char *)text.data + i + 1, 2))
                return false;
            i += 2;
        }
        if (!buffer_u8(out, byte))
            return false;
    }
    return true;
}

/* The old passphrase and the new one are the same here; any other question gets an empty answer. */
static bool answer_question(struct agent *agent, struct bytes line, struct bytes passphrase)
{
    bool asked = starts(line, "INQUIRE PASSPHRASE") || starts(line, "INQUIRE NEW_PASSPHRASE");
    struct bytes secret = asked ? passphrase : bytes_of(NULL, 0);
    struct buffer reply = buffer_make(LINE_MAX_SIZE);
    reply.secret = true;
    buffer_append_string(&reply, "D ");
    for (size_t i = 0; i < secret.size; i++)
        buffer_printf(&reply, "%%%02X", secret.data[i]);
    buffer_append_string(&reply, "\nEND\n");
    bool good = !reply.failed && send_all(agent, buffer_view(&reply));
    buffer_free(&reply);
    return good;
}

/* The code in the low 16 bits is that of libgpg-error: 11 bad passphrase, 17 no secret key, 99 cancelled. */
static bool agent_error(struct bytes line, struct error **error)
{
    char digits[12] = "";
    size_t size = line.size - 4 < sizeof(digits) - 1 ? line.size - 4 : sizeof(digits) - 1;
    memcpy(digits, line.data + 4, size);
    unsigned long code = strtoul(digits, NULL, 10) & 0xffff;
    if (code == 11)
        return error_set(error, ERROR_DENIED, "the key's passphrase is wrong");
    if (code == 17)
        return error_set(error, ERROR_NOT_FOUND, "the secret key is not in its home");
    return error_set(error, ERROR_INTERNAL, "the agent refused (code %lu)", code);
}

static bool transact(struct agent *agent, const char *command, struct bytes passphrase, struct buffer *data,
                     struct error **error)
{
    struct bytes line;
    size_t consume = 0;
    if (*command && (!send_all(agent, bytes_of_string(command)) || !send_all(agent, bytes_of_string("\n"))))
        return error_set(error, ERROR_UNAVAILABLE, "the agent went away");
    for (size_t i = 0; i < REPLY_LINES_MAX && read_line(agent, &line, &consume); i++) {
        bool good = true;
        if (bytes_equal(line, bytes_of_string("OK")) || starts(line, "OK ")) {
            buffer_consume(&agent->input, consume);
            return true;
        }
        if (starts(line, "ERR ")) {
            agent_error(line, error);
            buffer_consume(&agent->input, consume);
            return false;
        }
        if (starts(line, "D "))
            good = data && undo_escapes(data, bytes_of(line.data + 2, line.size - 2));
        else if (starts(line, "INQUIRE "))
            good = answer_question(agent, line, passphrase);
        if (!good)
            break;
    }
    return error_set(error, ERROR_UNAVAILABLE, "the agent did not answer in its protocol");
}

static struct agent *greet(int fd)
{
    struct agent *agent = calloc(1, sizeof(*agent));
    if (!agent) {
        close(fd);
        return NULL;
    }
    *agent = (struct agent){.fd = fd, .input = buffer_make((size_t)8 * LINE_MAX_SIZE)};
    agent->input.secret = true;
    if (transact(agent, "", nothing, NULL, NULL) &&
        transact(agent, "OPTION pinentry-mode=loopback", nothing, NULL, NULL))
        return agent;
    agent_close(agent);
    return NULL;
}

static void wait_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
}

/* After a keyring that was killed, its agent may be coming up or going down just now: one that is not started
 * because there is another is no failure, nor is the first connection that ends at once. */
struct agent *agent_open(const char *home, struct error **error)
{
    for (unsigned pause = PAUSE_FIRST_MS; pause <= PAUSE_LAST_MS; pause *= 2) {
        int fd = connect_to(home);
        if (fd < 0) {
            start(home);
            fd = connect_to(home);
        }
        struct agent *agent = fd >= 0 ? greet(fd) : NULL;
        if (agent)
            return agent;
        wait_ms(pause);
    }
    error_set(error, ERROR_UNAVAILABLE, "gpg-agent could not be started");
    return NULL;
}

void agent_close(struct agent *agent)
{
    if (!agent)
        return;
    close(agent->fd);
    buffer_free(&agent->input);
    free(agent);
}

/* (7:sig-val(3:rsa(1:s<size>:<bytes>))) */
static bool read_value(struct buffer *rsa_value, struct bytes expression)
{
    static const char head[] = "(7:sig-val(3:rsa(1:s";
    if (!starts(expression, head))
        return false;
    struct reader reader =
        reader_of(bytes_of(expression.data + sizeof(head) - 1, expression.size - sizeof(head) + 1));
    size_t size = 0;
    for (uint8_t digit; (digit = read_u8(&reader)) != ':';) {
        if (reader.failed || digit < '0' || digit > '9' || size > 1024)
            return false;
        size = size * 10 + (size_t)(digit - '0');
    }
    struct bytes value = read_bytes(&reader, size), tail = read_bytes(&reader, 3);
    return reader_done(&reader) && size > 0 && bytes_equal(tail, bytes_of_string(")))")) &&
           buffer_append_bytes(rsa_value, value);
}

bool agent_sign(struct agent *agent, struct buffer *rsa_value, const char keygrip[41],
                const uint8_t digest[32], struct bytes passphrase, struct error **error)
{
    char command[128], hex[65];
    struct buffer expression = buffer_make(4096);
    hex_upper(hex, digest, 32);
    snprintf(command, sizeof(command), "SIGKEY %s", keygrip);
    bool good =
        transact(agent, "RESET", nothing, NULL, error) && transact(agent, command, nothing, NULL, error);
    snprintf(command, sizeof(command), "SETHASH --hash=sha256 %s", hex);
    good = good && transact(agent, command, nothing, NULL, error) &&
           transact(agent, "PKSIGN", passphrase, &expression, error);
    if (good && !read_value(rsa_value, buffer_view(&expression)))
        good = error_set(error, ERROR_INTERNAL, "the agent's signature is not an RSA value");
    buffer_free(&expression);
    return good;
}

bool agent_store_again(struct agent *agent, const char keygrip[41], struct bytes passphrase,
                       struct error **error)
{
    char command[64];
    snprintf(command, sizeof(command), "PASSWD %s", keygrip);
    return transact(agent, command, passphrase, NULL, error);
}

/* Gone is one that is not there to connect to: a home made anew at this path would lose its agent's socket to
 * the cleaning up of the old one. */
static void wait_until_gone(const char *home)
{
    for (unsigned i = 0; i < END_STEPS; i++) {
        int fd = connect_to(home);
        if (fd < 0)
            return;
        close(fd);
        wait_ms(END_STEP_MS);
    }
}

void agent_end(const char *home)
{
    struct agent agent = {.fd = connect_to(home), .input = buffer_make((size_t)8 * LINE_MAX_SIZE)};
    if (agent.fd < 0)
        return;
    bool told =
        transact(&agent, "", nothing, NULL, NULL) && transact(&agent, "KILLAGENT", nothing, NULL, NULL);
    close(agent.fd);
    buffer_free(&agent.input);
    if (told)
        wait_until_gone(home);
}
