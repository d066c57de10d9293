/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_IRC_WIRE_H
#define RETROGATE_TESTS_UNIT_IRC_WIRE_H

/* A client's connection in memory, with a clock that the test moves. */
#include "bridges/irc/client.h"
#include "support/vectors.h"
#include "unit/irc/fake_gateway.h"

struct wire {
    struct client *client;
    struct gateway *gateway;
    struct buffer out; /* not yet looked at */
    size_t stuck;      /* bytes said to be queued */
    size_t limit;      /* beyond it writing fails; 0: none */
    bool keeps;        /* what is written stays queued */
    uint64_t now, wake;
    bool ended, held;
    char line[16384]; /* found last */
};

static inline bool wire_write(void *arg, const void *data, size_t size)
{
    struct wire *wire = arg;
    if (wire->keeps)
        wire->stuck += size;
    if (wire->limit != 0 && wire->stuck > wire->limit)
        return false;
    return buffer_append(&wire->out, data, size);
}

static inline size_t wire_queued(void *arg)
{
    return ((struct wire *)arg)->stuck;
}

static inline void wire_hold(void *arg, bool on)
{
    ((struct wire *)arg)->held = on;
}

static inline void wire_wake(void *arg, uint64_t at)
{
    ((struct wire *)arg)->wake = at;
}

static inline void wire_end(void *arg, const char *reason)
{
    (void)reason;
    ((struct wire *)arg)->ended = true;
}

static inline uint64_t wire_now(void *arg)
{
    return ((struct wire *)arg)->now;
}

static inline int64_t wire_wall(void *arg)
{
    return (int64_t)FAKE_TIME * 1000 + (int64_t)((struct wire *)arg)->now;
}

static const struct client_io wire_io = {wire_write, wire_queued, wire_hold, wire_wake,
                                         wire_end,   wire_now,    wire_wall};

static inline void wire_open(struct wire *wire, struct site *site)
{
    *wire = (struct wire){.gateway = site->gateway, .now = 1000000};
    wire->out = buffer_make((size_t)64 << 20);
    wire->client = client_new(site, "127.0.0.1", false, &wire_io, wire);
    assert_non_null(wire->client);
}

static inline void wire_close(struct wire *wire)
{
    client_free(wire->client);
    wire->client = NULL;
    buffer_free(&wire->out);
}

/* Moves the clock and does what falls due on the way. */
static inline void wire_pass(struct wire *wire, uint64_t ms)
{
    uint64_t end = wire->now + ms;
    while (wire->wake <= end && !wire->ended) {
        wire->now = wire->wake > wire->now ? wire->wake : wire->now;
        wire->wake = UINT64_MAX;
        client_tick(wire->client);
        fake_run(wire->gateway);
    }
    wire->now = end;
}

/* Sends lines; each ends with \n or \r\n in the text itself. */
static inline void wire_send(struct wire *wire, const char *text)
{
    client_input(wire->client, bytes_of_string(text));
    fake_run(wire->gateway);
}

static inline bool wire_next(struct wire *wire)
{
    struct bytes view = buffer_view(&wire->out);
    const uint8_t *end = view.size > 0 ? memchr(view.data, '\n', view.size) : NULL;
    if (end == NULL)
        return false;
    size_t size = (size_t)(end - view.data);
    assert_true(size >= 1 && size < sizeof wire->line && view.data[size - 1] == '\r');
    memcpy(wire->line, view.data, size - 1);
    wire->line[size - 1] = '\0';
    const char *body = wire->line[0] == '@' ? strchr(wire->line, ' ') + 1 : wire->line;
    assert_true(strlen(body) <= MESSAGE_BODY_MAX - 2);
    buffer_consume(&wire->out, size + 1);
    return true;
}

/* Passes over lines until one fits the mask (`*` and `?`); it is left in wire->line. */
static inline void wire_expect_at(struct wire *wire, const char *mask, const char *file, int line)
{
    while (wire_next(wire))
        if (mask_match(mask, wire->line))
            return;
    print_error("nothing like: %s\n", mask);
    _fail(file, line);
}
#define wire_expect(wire, mask) wire_expect_at((wire), (mask), __FILE__, __LINE__)

/* The very next line fits. */
static inline void wire_expect_next_at(struct wire *wire, const char *mask, const char *file, int line)
{
    if (wire_next(wire) && mask_match(mask, wire->line))
        return;
    print_error("expected: %s\ngot: %s\n", mask, wire->line);
    _fail(file, line);
}
#define wire_expect_next(wire, mask) wire_expect_next_at((wire), (mask), __FILE__, __LINE__)

/* None of what is left fits; all of it is passed over. */
static inline void wire_expect_none_at(struct wire *wire, const char *mask, const char *file, int line)
{
    while (wire_next(wire)) {
        if (!mask_match(mask, wire->line))
            continue;
        print_error("not wanted: %s\n", wire->line);
        _fail(file, line);
    }
}
#define wire_expect_none(wire, mask) wire_expect_none_at((wire), (mask), __FILE__, __LINE__)
#define wire_skip(wire)              wire_expect_none((wire), "")

static inline struct site site_of(struct gateway *gateway)
{
    return (struct site){.gateway = gateway,
                         .name = "irc.test.alt",
                         .network = "test",
                         .created = 0,
                         .replay_lines = 200,
                         .output_limit = 1 << 20,
                         .registration_ms = 30000,
                         .idle_ms = 120000};
}

/* Registered as the account's client, with capabilities ("" for none) and a device. */
static inline void wire_log_in(struct wire *wire, struct site *site, const char *capabilities,
                               const char *device)
{
    char text[1024];
    wire_open(wire, site);
    snprintf(text, sizeof text,
             "CAP REQ :%s\r\nPASS alice@%s:secret\r\nNICK ali\r\nUSER a 0 * :Alice\r\nCAP END\r\n",
             capabilities, device);
    wire_send(wire, text);
    wire_expect(wire, ":irc.test.alt 001 ali *");
}

#endif
