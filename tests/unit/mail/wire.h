/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_MAIL_WIRE_H
#define RETROGATE_TESTS_UNIT_MAIL_WIRE_H

/* The bridge on real sockets of loopback, its gateway the fake one, and persons who talk to it. */
#include <fnmatch.h>

#include "base/address.h"
#include "base/stream.h"
#include "base/tls.h"
#include "bridges/mail/mail.h"
#include "support/vectors.h"
#include "unit/mail/fake_gateway.h"

enum { WIRE_TURNS = 20000 };

struct person {
    struct stream *stream; /* NULL when gone */
    struct buffer in;      /* not yet looked at */
    char line[4096];       /* found last */
    bool deaf;
};

struct wire {
    uv_loop_t loop;
    uv_prepare_t turn;
    uv_timer_t tick; /* so that waiting ends */
    struct gateway gateway;
    struct mail *mail;
    bool closed;
};

/* The fake gateway answers once in each turn of the loop. */
static inline void wire_on_turn(uv_prepare_t *turn)
{
    fake_run(&((struct wire *)turn->data)->gateway);
}

static inline void wire_on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static inline void wire_on_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct person *person = arg;
    (void)stream;
    buffer_append_bytes(&person->in, buffer_view(input));
    buffer_consume(input, buffer_size(input));
}

static inline void wire_on_closed(void *arg, struct stream *stream, const char *reason)
{
    struct person *person = arg;
    (void)stream;
    (void)reason;
    person->stream = NULL;
}

static const struct stream_events wire_events = {.data = wire_on_data, .closed = wire_on_closed};

static inline void wire_open(struct wire *wire,
                             json_t *(*run)(struct gateway *, const json_t *, struct error **))
{
    memset(wire, 0, sizeof *wire);
    fake_init(&wire->gateway, run);
    assert_int_equal(uv_loop_init(&wire->loop), 0);
    uv_prepare_init(&wire->loop, &wire->turn);
    uv_prepare_start(&wire->turn, wire_on_turn);
    wire->turn.data = wire;
    uv_timer_init(&wire->loop, &wire->tick);
    uv_timer_start(&wire->tick, wire_on_tick, 1, 1);
}

/* One listener of one service, on a free port. */
static inline void wire_serve(struct wire *wire, struct mail_options options, struct mail_listen listen)
{
    struct error *error = NULL;
    if (listen.address.ss_family == 0)
        assert_true(address_parse(&listen.address, "127.0.0.1:0", 0, &error));
    options.name = "mail.test.alt";
    options.listen = &listen;
    options.listen_count = 1;
    wire->mail = mail_open(&wire->loop, &wire->gateway, &options, &error);
    if (error != NULL)
        fail_msg("%s", error->text);
}

static inline void wire_mark_closed(void *arg)
{
    ((struct wire *)arg)->closed = true;
}

static inline void wire_stop(struct wire *wire)
{
    if (wire->mail == NULL)
        return;
    mail_close(wire->mail, wire_mark_closed, wire);
    for (int turns = 0; !wire->closed && turns < WIRE_TURNS; turns++)
        uv_run(&wire->loop, UV_RUN_ONCE);
    assert_true(wire->closed);
    wire->mail = NULL;
}

static inline void wire_close(struct wire *wire)
{
    wire_stop(wire);
    uv_close((uv_handle_t *)&wire->turn, NULL);
    uv_close((uv_handle_t *)&wire->tick, NULL);
    uv_run(&wire->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&wire->loop), 0);
    assert_null(wire->gateway.sessions);
    fake_clear(&wire->gateway);
}

static inline void wire_dial(struct wire *wire, struct person *person, SSL_CTX *tls)
{
    struct stream_options options = {.tls = tls, .input_limit = 1 << 20, .output_limit = 64 << 20};
    struct error *error = NULL;
    *person = (struct person){.in = buffer_make((size_t)64 << 20)};
    person->stream = stream_connect(&wire->loop, (const struct sockaddr *)mail_listening(wire->mail, 0),
                                    &options, &wire_events, person, &error);
    assert_non_null(person->stream);
}

static inline void wire_hang_up(struct wire *wire, struct person *person)
{
    if (person->stream != NULL)
        stream_abort(person->stream, "the test is over");
    while (person->stream != NULL)
        uv_run(&wire->loop, UV_RUN_ONCE);
    buffer_free(&person->in);
}

static inline void wire_send_bytes(struct person *person, const void *data, size_t size)
{
    assert_non_null(person->stream);
    assert_true(stream_write(person->stream, data, size));
}

static inline void wire_send(struct person *person, const char *text)
{
    wire_send_bytes(person, text, strlen(text));
}

/* Takes the next line, waiting for it; false: none came, or the connection ended. */
static inline bool wire_line(struct wire *wire, struct person *person)
{
    for (int turns = 0; turns < WIRE_TURNS; turns++) {
        struct bytes view = buffer_view(&person->in);
        const uint8_t *end = view.size > 0 ? memchr(view.data, '\n', view.size) : NULL;
        if (end != NULL) {
            size_t size = (size_t)(end - view.data) + 1;
            assert_true(size >= 2 && end[-1] == '\r' && size - 2 < sizeof person->line);
            memcpy(person->line, view.data, size - 2);
            person->line[size - 2] = '\0';
            buffer_consume(&person->in, size);
            return true;
        }
        if (person->stream == NULL)
            return false;
        uv_run(&wire->loop, UV_RUN_ONCE);
    }
    return false;
}

/* The next line is like this. */
static inline void wire_expect(struct wire *wire, struct person *person, const char *mask)
{
    if (!wire_line(wire, person))
        fail_msg("no line came for: %s", mask);
    if (fnmatch(mask, person->line, 0) != 0)
        fail_msg("%s: %s", mask, person->line);
}

static inline void wire_expect_closed(struct wire *wire, struct person *person)
{
    if (wire_line(wire, person))
        fail_msg("one more line: %s", person->line);
    assert_null(person->stream);
}

/* Turns of the loop in which nothing may come. */
static inline void wire_expect_none(struct wire *wire, struct person *person)
{
    for (int i = 0; i < 30; i++)
        uv_run(&wire->loop, UV_RUN_ONCE);
    if (buffer_size(&person->in) > 0)
        fail_msg("unexpected: %s", buffer_string(&person->in));
}

#endif
