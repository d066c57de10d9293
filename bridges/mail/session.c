/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "base/map.h"
#include "base/source.h"

enum {
    MAGIC = 0x4d41494c,
    LEAVE_MS = 2000, /* for the gateway's last answer */
};

static struct session *session_of(void *arg)
{
    struct session *session = arg;
    assert(session->magic == MAGIC);
    return session;
}

static bool over(const struct session *session)
{
    return session->stream == NULL || session->ending;
}

static bool waits(const struct session *session)
{
    return session->held || session->busy || session->token != 0 || session->login != 0;
}

static void update_reading(struct session *session)
{
    if (over(session))
        return;
    if (waits(session))
        stream_pause(session->stream);
    else
        stream_resume(session->stream);
}

/* --- writing */

void session_write(struct session *session, const void *data, size_t size)
{
    if (!over(session))
        stream_write(session->stream, data, size);
}

void session_say(struct session *session, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line - 2, format, arguments);
    va_end(arguments);
    size_t used = size < 0 ? 0 : (size_t)size < sizeof line - 2 ? (size_t)size : sizeof line - 3;
    for (size_t i = 0; i < used; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = ' ';
    line[used++] = '\r';
    line[used++] = '\n';
    session_write(session, line, used);
}

size_t session_room(const struct session *session)
{
    return over(session) ? 0 : stream_room(session->stream);
}

uint64_t session_id(const struct session *session)
{
    return session->stream != NULL ? stream_id(session->stream) : 0;
}

void session_hold(struct session *session)
{
    session->held = true;
    update_reading(session);
}

void session_release(struct session *session)
{
    session->held = false;
    update_reading(session);
}

void session_end(struct session *session, const char *reason)
{
    if (over(session))
        return;
    stream_close(session->stream, reason);
    session->ending = true;
}

static void dismiss(struct session *session, const char *words, const char *reason)
{
    if (over(session))
        return;
    if (session->greeted)
        session->service->bye(session, words);
    session_end(session, reason);
}

static void leave(struct session *session)
{
    dismiss(session, "The gateway is shutting down", "shutting down");
}

/* --- time */

static void on_timer(uv_timer_t *timer)
{
    struct session *session = session_of(timer->data);
    struct site *site = session->site;
    uint64_t now = clock_monotonic_ms();
    unsigned idle = site->idle_ms != 0 ? site->idle_ms : session->service->idle_ms;
    /* Who waits for the gateway is not the one who is silent. */
    if (session->token != 0 || session->login != 0)
        session->heard_ms = now;
    uint64_t at = session->heard_ms + idle;
    if (session->account == NULL && session->opened_ms + site->login_ms < at)
        at = session->opened_ms + site->login_ms;
    if (at <= now)
        dismiss(session, session->account == NULL ? "Log in sooner" : "Nothing was said for too long",
                "timeout");
    else
        uv_timer_start(timer, on_timer, at - now, 0);
}

/* --- input */

static void give_line(struct session *session, const uint8_t *at, size_t size)
{
    char line[SESSION_LINE + 1];
    memcpy(line, at, size);
    line[size] = '\0';
    if (session->sasl != NULL)
        sasl_line(session, line, size);
    else
        session->service->line(session, line, size);
    OPENSSL_cleanse(line, size); /* may be a password */
}

/* Takes one line; false when there is no whole one. */
static bool take_line(struct session *session, struct buffer *input)
{
    struct bytes view = buffer_view(input);
    const uint8_t *end = memchr(view.data, '\n', view.size);
    size_t size = end != NULL ? (size_t)(end - view.data) : view.size;
    bool dropped = session->dropping;
    if (end == NULL && !dropped && size <= SESSION_LINE + 1)
        return false;
    buffer_consume(input, end != NULL ? size + 1 : size);
    session->dropping = end == NULL;
    if (dropped)
        return true;
    if (end != NULL && size > 0 && end[-1] == '\r')
        size--;
    if (end != NULL && size <= SESSION_LINE) {
        give_line(session, view.data, size);
    } else {
        sasl_free(session);
        session->service->long_line(session);
    }
    return true;
}

static bool take_raw(struct session *session, struct buffer *input)
{
    size_t used = session->service->raw(session, buffer_view(input));
    buffer_consume(input, used);
    return used > 0;
}

static void on_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct session *session = session_of(arg);
    session->heard_ms = clock_monotonic_ms();
    session->input = input;
    bool took = true;
    while (took && buffer_size(input) > 0 && !over(session) && !waits(session)) {
        took = session->raw ? take_raw(session, input) : take_line(session, input);
        if (!over(session) && stream_queued(stream) > SESSION_OUTPUT_BUSY) {
            session->busy = true;
            update_reading(session);
        }
    }
    session->input = NULL;
    if (over(session))
        buffer_consume(input, buffer_size(input));
}

static void on_drained(void *arg, struct stream *stream)
{
    struct session *session = session_of(arg);
    (void)stream;
    session->heard_ms = clock_monotonic_ms(); /* who reads is not silent */
    session->busy = false;
    if (session->held && stream_failed(stream))
        session_end(session, "the client is gone in the midst of an answer");
    update_reading(session);
    if (session->service->drained != NULL && !over(session))
        session->service->drained(session);
}

/* --- TLS */

static void on_ready(void *arg, struct stream *stream)
{
    struct session *session = session_of(arg);
    if (over(session))
        return;
    if (session->greeted) {
        session->tls = session->secure = true;
        session->start = false;
        log_info("mail", "event=secured stream=%" PRIu64, stream_id(stream));
        session->service->secured(session);
    } else {
        session->greeted = true;
        session->service->greet(session);
    }
}

bool session_start_tls(struct session *session, const char *ready)
{
    struct error *error = NULL;
    if (session->site->tls == NULL || session->tls || over(session))
        return false;
    /* What waits was said in clear, perhaps by another than the client (RFC 3207 §6 in practice). */
    if (session->input != NULL && buffer_size(session->input) > 0) {
        session->service->bye(session, "Nothing may be said between asking for TLS and TLS");
        session_end(session, "said more in clear behind STARTTLS");
        return true;
    }
    session_say(session, "%s", ready);
    if (!stream_start_tls(session->stream, session->site->tls, true, &error)) {
        stream_abort(session->stream, "TLS cannot begin");
        session->ending = true;
        error_free(error);
    }
    return true;
}

/* --- commands */

static void on_answer(void *arg, json_t *result, const struct error *error)
{
    struct session *session = session_of(arg);
    session->token = 0;
    session->heard_ms = clock_monotonic_ms();
    if (!over(session))
        session->answered(session, result, error);
    if (session->leaving && session->token == 0)
        leave(session);
    update_reading(session);
}

void session_ask(struct session *session, json_t *command, session_answer_fn *answered)
{
    struct error *error = NULL;
    assert(session->token == 0 && session->account != NULL);
    session->answered = answered;
    if (command != NULL)
        session->token = gateway_do(session->account, command, on_answer, session, &error);
    else
        error_set(&error, ERROR_UNAVAILABLE, "out of memory");
    json_decref(command);
    if (session->token == 0)
        answered(session, NULL, error);
    error_free(error);
    update_reading(session);
}

/* --- log-in */

static void on_ended(void *arg, const char *reason)
{
    struct session *session = session_of(arg);
    session->account = NULL;
    session->token = 0;
    dismiss(session, reason, "the gateway ended it");
}

static const struct gateway_events gateway_events = {.ended = on_ended};

void session_accept(struct session *session, struct gateway_session *account)
{
    sasl_free(session);
    if (over(session)) {
        gateway_logout(account);
        return;
    }
    int64_t id = gateway_account(account);
    session->account = account;
    gateway_listen(account, &gateway_events, session);
    log_info("mail", "event=login stream=%" PRIu64 " account=%s", stream_id(session->stream),
             log_name(&id, sizeof id));
    session->service->logged_in(session);
}

void session_refuse(struct session *session, const struct error *error)
{
    static const struct error unknown = {.code = ERROR_INTERNAL, .text = "The log-in failed"};
    sasl_free(session);
    if (over(session))
        return;
    if (error == NULL)
        error = &unknown;
    session->login_tries++;
    log_info("mail", "event=refused stream=%" PRIu64 " code=%s", stream_id(session->stream),
             error_word(error->code));
    session->service->refused(session, error);
    if (session->login_tries >= SESSION_LOGIN_TRIES)
        dismiss(session, "Too many failed log-ins", "too many failed log-ins");
}

static void on_login(void *arg, struct gateway_session *account, const struct error *error)
{
    struct session *session = session_of(arg);
    session->login = 0;
    session->heard_ms = clock_monotonic_ms();
    if (account != NULL)
        session_accept(session, account);
    else
        session_refuse(session, error);
    update_reading(session);
}

void session_log_in(struct session *session, const char *name, const char *password)
{
    char account[256];
    snprintf(account, sizeof account, "%s", name);
    char *at = strrchr(account, '@');
    if (at != NULL && strcasecmp(at + 1, session->site->domain) == 0)
        *at = '\0';
    struct gateway_login login = {account, password, "mail", session->address};
    session->login = gateway_login(session->site->gateway, &login, on_login, session);
    update_reading(session);
}

/* --- beginning and end */

static void on_timer_gone(uv_handle_t *handle)
{
    struct session *session = session_of(handle->data);
    struct site *site = session->site;
    DL_DELETE(site->sessions, session);
    site->clients--;
    if (session->listener != NULL)
        listener_release(session->listener, &session->peer);
    session->magic = 0;
    free(session->state);
    free(session);
    if (site->closing && site->sessions == NULL)
        site->empty(site->arg);
}

static void on_closed(void *arg, struct stream *stream, const char *reason)
{
    struct session *session = session_of(arg);
    log_info("mail", "event=closed stream=%" PRIu64 " reason=%s", stream_id(stream),
             log_text(reason, strlen(reason)));
    session->stream = NULL;
    sasl_free(session);
    if (session->login != 0)
        gateway_login_cancel(session->site->gateway, session->login);
    if (session->account != NULL)
        gateway_logout(session->account);
    session->account = NULL;
    session->service->close(session);
    uv_close((uv_handle_t *)&session->timer, on_timer_gone);
}

static const struct stream_events events = {
    .ready = on_ready, .data = on_data, .drained = on_drained, .closed = on_closed};

/* A client of mail waits for the greeting; a browser that was sent here does not. */
static bool talks_first(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static struct session *make(struct site *site, const struct service *service)
{
    struct session *session = site->clients < site->limit ? calloc(1, sizeof *session) : NULL;
    void *state = session != NULL ? calloc(1, service->state_size) : NULL;
    if (state == NULL) {
        free(session);
        return NULL;
    }
    *session = (struct session){.magic = MAGIC, .site = site, .service = service, .state = state};
    return session;
}

void session_open(struct site *site, const struct service *service, struct listener *listener, int fd,
                  const struct sockaddr_storage *peer, bool tls, bool start)
{
    const struct sockaddr *from = (const struct sockaddr *)peer;
    bool hasty = !tls && talks_first(fd);
    struct session *session = hasty ? NULL : make(site, service);
    if (session == NULL) {
        log_info("mail", "event=refused service=%s reason=%s", service->name, hasty ? "hasty" : "limit");
        close(fd);
        if (listener != NULL)
            listener_release(listener, peer);
        return;
    }
    bool local = address_is_loopback(from);
    session->tls = tls;
    session->start = start && !local;
    session->secure = tls || local || (!start && site->plain_anywhere);
    session->listener = listener;
    session->peer = *peer;
    /* Without the port: failed log-ins are throttled by it. */
    if (uv_ip_name(from, session->address, sizeof session->address) != 0)
        session->address[0] = '\0';
    session->opened_ms = session->heard_ms = clock_monotonic_ms();
    uv_timer_init(site->loop, &session->timer);
    session->timer.data = session;
    DL_APPEND(site->sessions, session);
    site->clients++;
    struct error *error = NULL;
    struct stream_options options = {.tls = tls ? site->tls : NULL,
                                     .tls_server = true,
                                     .input_limit = SESSION_INPUT,
                                     .output_limit = SESSION_OUTPUT};
    session->stream = stream_open(site->loop, fd, &options, &events, session, &error);
    if (session->stream == NULL) {
        log_warn("mail", "event=refused cause=%s", log_text(error->text, strlen(error->text)));
        error_free(error);
        uv_close((uv_handle_t *)&session->timer, on_timer_gone);
        return;
    }
    stream_set_low_water(session->stream, SESSION_OUTPUT_BUSY);
    log_info("mail", "event=connected stream=%" PRIu64 " service=%s tls=%d", stream_id(session->stream),
             service->name, tls);
    on_timer(&session->timer);
}

static void on_leave_timer(uv_timer_t *timer)
{
    leave(session_of(timer->data));
}

void session_dismiss_all(struct site *site)
{
    struct session *session;
    DL_FOREACH(site->sessions, session)
    {
        session->leaving = session->token != 0;
        if (!session->leaving)
            leave(session);
        else if (!uv_is_closing((uv_handle_t *)&session->timer))
            uv_timer_start(&session->timer, on_leave_timer, LEAVE_MS, 0);
    }
}
