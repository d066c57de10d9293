/* SPDX-License-Identifier: ISC */
#include "base/listener.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "base/map.h"

enum {
    MAGIC = 0x4c535452,
    TURN_ACCEPTS = 64, /* so that a flood of connections does not starve the open ones */
    EXHAUSTED_MS = 1000,
    REFUSED_MS = 1000, /* between two lines of the log about connections refused */
};

/* The open connections from one IPv4 address or IPv6 /64. */
struct origin {
    uint8_t network[12];
    unsigned open;
    UT_hash_handle hh;
};

struct listener {
    uint32_t magic;
    int fd;
    bool closed;
    unsigned handles;
    unsigned open;
    struct origin *origins;
    struct listener_options options;
    listener_fn *accepted;
    void *arg;
    uv_poll_t poll;
    uv_timer_t pause;
    uint64_t told_ms; /* loop's time of the last such line */
    unsigned refused; /* since then */
    struct sockaddr_storage address;
    dev_t device; /* of the Unix socket's file, so that only our own is removed */
    ino_t inode;
};

static void free_unused(struct listener *listener)
{
    if (listener->handles > 0 || listener->open > 0)
        return;
    listener->magic = 0;
    free(listener);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    assert(listener->magic == MAGIC);
    listener->handles--;
    free_unused(listener);
}

/* Twelve bytes: the first eight of IPv6, or zeros and the IPv4 address. */
static bool network_of(uint8_t out[12], const struct sockaddr_storage *peer)
{
    memset(out, 0, 12);
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
    if (peer->ss_family == AF_INET)
        memcpy(out + 8, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    else if (peer->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        memcpy(out + 8, v6->sin6_addr.s6_addr + 12, 4);
    else if (peer->ss_family == AF_INET6)
        memcpy(out, v6->sin6_addr.s6_addr, 8);
    else
        return false;
    return true;
}

/* Counts the connection in, unless a limit is reached. */
static bool admit(struct listener *listener, const struct sockaddr_storage *peer)
{
    uint8_t network[12];
    if (listener->options.total > 0 && listener->open >= listener->options.total)
        return false;
    if (listener->options.per_address > 0 && network_of(network, peer)) {
        struct origin *origin = NULL;
        HASH_FIND(hh, listener->origins, network, sizeof network, origin);
        if (origin == NULL) {
            origin = calloc(1, sizeof *origin);
            if (origin == NULL)
                return false;
            memcpy(origin->network, network, sizeof network);
            HASH_ADD(hh, listener->origins, network, sizeof origin->network, origin);
            if (origin->hh.tbl == NULL) {
                free(origin);
                return false;
            }
        }
        if (origin->open >= listener->options.per_address)
            return false;
        origin->open++;
    }
    listener->open++;
    return true;
}

void listener_release(struct listener *listener, const struct sockaddr_storage *peer)
{
    uint8_t network[12];
    assert(listener->magic == MAGIC && listener->open > 0);
    if (listener->options.per_address > 0 && network_of(network, peer)) {
        struct origin *origin = NULL;
        HASH_FIND(hh, listener->origins, network, sizeof network, origin);
        if (origin != NULL && --origin->open == 0) {
            HASH_DEL(listener->origins, origin);
            free(origin);
        }
    }
    listener->open--;
    if (listener->closed)
        free_unused(listener);
}

/* A stranger decides how often this is called, so not each is worth a line. */
static void tell_refused(struct listener *listener, const struct sockaddr_storage *peer)
{
    uint64_t now = uv_now(listener->poll.loop);
    listener->refused++;
    if (listener->told_ms > 0 && now - listener->told_ms < REFUSED_MS)
        return;
    uint8_t network[12];
    network_of(network, peer);
    log_info("base", "event=connection-refused reason=limit peer=%s count=%u",
             log_name(network, sizeof network), listener->refused);
    listener->told_ms = now;
    listener->refused = 0;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    assert(listener->magic == MAGIC);
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    assert(listener->magic == MAGIC);
    (void)status;
    (void)events;
    for (unsigned i = 0; i < TURN_ACCEPTS && !listener->closed; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        int fd = accept4(listener->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && admit(listener, &peer)) {
            listener->accepted(listener->arg, fd, &peer);
        } else if (fd >= 0) {
            tell_refused(listener, &peer);
            close(fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_warn("base", "event=accept-paused reason=%s", uv_err_name(uv_translate_sys_error(errno)));
            uv_poll_stop(&listener->poll);
            uv_timer_start(&listener->pause, on_pause_over, EXHAUSTED_MS, 0);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
        /* Other errors are those of one connection that ended before it was taken. */
    }
}

static bool failed(int fd, const char *text, struct error **error)
{
    enum error_code code = errno == EADDRINUSE ? ERROR_EXISTS
                           : errno == EACCES   ? ERROR_DENIED
                                               : ERROR_INTERNAL;
    error_set(error, code, "cannot listen on %s: %s", text, uv_strerror(uv_translate_sys_error(errno)));
    if (fd >= 0)
        close(fd);
    return false;
}

/* Takes the listening socket. */
static struct listener *start(uv_loop_t *loop, int fd, const char *text,
                              const struct listener_options *options, listener_fn *accepted, void *arg,
                              struct error **error)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL || listen(fd, SOMAXCONN) != 0) {
        failed(fd, text, error);
        free(listener);
        return NULL;
    }
    *listener = (struct listener){
        .magic = MAGIC, .fd = fd, .handles = 2, .options = *options, .accepted = accepted, .arg = arg};
    socklen_t size = sizeof listener->address;
    getsockname(fd, (struct sockaddr *)&listener->address, &size);
    int number = uv_poll_init(loop, &listener->poll, fd);
    if (number != 0) {
        error_set(error, ERROR_INTERNAL, "cannot watch %s: %s", text, uv_strerror(number));
        close(fd);
        free(listener);
        return NULL;
    }
    uv_timer_init(loop, &listener->pause);
    listener->poll.data = listener->pause.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    return listener;
}

struct listener *listener_open(uv_loop_t *loop, const struct sockaddr *address,
                               const struct listener_options *options, listener_fn *accepted, void *arg,
                               struct error **error)
{
    char text[64];
    address_format(text, sizeof text, address);
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        failed(fd, text, error);
        return NULL;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    /* So that 0.0.0.0 and [::] can both be listened on. */
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    if (bind(fd, address, address_size(address)) != 0) {
        failed(fd, text, error);
        return NULL;
    }
    return start(loop, fd, text, options, accepted, arg, error);
}

/* Makes the path free, when what is there is a socket that nobody listens on. */
static bool remove_stale(const struct sockaddr_un *name, struct error **error)
{
    struct stat status;
    if (lstat(name->sun_path, &status) != 0)
        return true;
    if (!S_ISSOCK(status.st_mode))
        return error_set(error, ERROR_EXISTS, "%s exists and is not a socket", name->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(error, ERROR_INTERNAL, "cannot make a socket: %s",
                         uv_strerror(uv_translate_sys_error(errno)));
    bool stale = connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!stale)
        return error_set(error, ERROR_EXISTS, "another program listens on %s", name->sun_path);
    unlink(name->sun_path);
    return true;
}

struct listener *listener_open_unix(uv_loop_t *loop, const char *path, unsigned mode,
                                    const struct listener_options *options, listener_fn *accepted, void *arg,
                                    struct error **error)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat status = {0};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof name.sun_path) {
        error_set(error, ERROR_INVALID, "the path of a socket has 1 to 107 bytes; this one has %zu", length);
        return NULL;
    }
    memcpy(name.sun_path, path, length);
    if (!remove_stale(&name, error))
        return NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The file is made with the mode of the socket less the umask: never more open than asked for. */
    if (fd < 0 || fchmod(fd, (mode_t)mode) != 0 || bind(fd, (struct sockaddr *)&name, sizeof name) != 0) {
        failed(fd, path, error);
        return NULL;
    }
    if (chmod(path, (mode_t)mode) != 0 || lstat(path, &status) != 0) {
        failed(fd, path, error);
        unlink(path);
        return NULL;
    }
    struct listener *listener = start(loop, fd, path, options, accepted, arg, error);
    if (listener == NULL) {
        unlink(path);
        return NULL;
    }
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    return listener;
}

const struct sockaddr_storage *listener_address(const struct listener *listener)
{
    return &listener->address;
}

void listener_close(struct listener *listener)
{
    struct stat status;
    assert(listener->magic == MAGIC && !listener->closed);
    const char *path = ((const struct sockaddr_un *)&listener->address)->sun_path;
    listener->closed = true;
    if (listener->address.ss_family == AF_UNIX && lstat(path, &status) == 0 &&
        status.st_dev == listener->device && status.st_ino == listener->inode)
        unlink(path);
    uv_close((uv_handle_t *)&listener->poll, on_handle_closed);
    uv_close((uv_handle_t *)&listener->pause, on_handle_closed);
    close(listener->fd);
}
