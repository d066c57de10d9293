/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_WEB_LIVE_SCENE_H
#define RETROGATE_TESTS_UNIT_WEB_LIVE_SCENE_H

/* The whole bridge on loopback, a gateway in memory behind it, and clients that speak WebSocket byte by byte.
 * Included once per program. */
#include <retrogate/gateway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/map.h"
#include "base/source.h"
#include "base/stream.h"
#include "base/tls.h"
#include "support/vectors.h"
#include "web/entry.h"
#include "web/web.h"

enum { PEOPLE = 8, WAIT_MS = 20000, NO_OPCODE = -1 };
enum { CONTINUES = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80 };

/* --- the gateway: alice with the app password "secret"; a command is answered with its own text, "big" with
 * so many bytes */

struct gateway_session {
    const struct gateway_events *events;
    void *arg;
    struct gateway_session *prev, *next;
};

struct fake_answer {
    struct fake_answer *prev, *next;
    uint64_t token;
    struct gateway_session *session; /* NULL: of a log-in */
    gateway_done_fn *done;
    gateway_login_fn *login;
    void *arg;
    json_t *result;
    bool right;
};

struct gateway {
    struct gateway_session *sessions;
    struct fake_answer *answers;
    uint64_t tokens;
    unsigned logins, commands;
    bool hold; /* nothing is answered */
    bool full; /* no log-in is taken: there is no memory */
};

static struct gateway gateway;
static const struct error fake_wrong = {ERROR_DENIED, "wrong account or password"};

static inline struct fake_answer *fake_later(struct gateway_session *session, void *arg)
{
    struct fake_answer *answer = calloc(1, sizeof *answer);
    assert_non_null(answer);
    answer->token = ++gateway.tokens;
    answer->session = session;
    answer->arg = arg;
    DL_APPEND(gateway.answers, answer);
    return answer;
}

static inline void fake_drop(struct fake_answer *answer)
{
    DL_DELETE(gateway.answers, answer);
    json_decref(answer->result);
    free(answer);
}

uint64_t gateway_login(struct gateway *unused, const struct gateway_login *login, gateway_login_fn *done,
                       void *arg)
{
    (void)unused;
    if (gateway.full)
        return 0;
    struct fake_answer *answer = fake_later(NULL, arg);
    answer->login = done;
    assert_string_equal(login->scope, "web");
    assert_string_equal(login->address, "127.0.0.1");
    answer->right = strcmp(login->account, "alice") == 0 && strcmp(login->password, "secret") == 0;
    gateway.logins++;
    return answer->token;
}

void gateway_login_cancel(struct gateway *unused, uint64_t ticket)
{
    struct fake_answer *answer, *next;
    (void)unused;
    DL_FOREACH_SAFE(gateway.answers, answer, next)
    {
        if (answer->token == ticket)
            fake_drop(answer);
    }
}

struct gateway_session *gateway_operator(struct gateway *unused)
{
    (void)unused;
    struct gateway_session *session = calloc(1, sizeof *session);
    assert_non_null(session);
    DL_APPEND(gateway.sessions, session);
    return session;
}

void gateway_listen(struct gateway_session *session, const struct gateway_events *events, void *arg)
{
    session->events = events;
    session->arg = arg;
}

void gateway_forget(struct gateway_session *session, uint64_t token)
{
    struct fake_answer *answer, *next;
    DL_FOREACH_SAFE(gateway.answers, answer, next)
    {
        if (answer->session == session && (token == 0 || answer->token == token))
            fake_drop(answer);
    }
}

void gateway_logout(struct gateway_session *session)
{
    gateway_forget(session, 0);
    DL_DELETE(gateway.sessions, session);
    free(session);
}

int64_t gateway_account(const struct gateway_session *session)
{
    (void)session;
    return 1;
}

const char *gateway_account_name(const struct gateway_session *session)
{
    (void)session;
    return "alice";
}

bool gateway_is_operator(const struct gateway_session *session)
{
    (void)session;
    return false;
}

uint64_t gateway_do(struct gateway_session *session, const json_t *command, gateway_done_fn *done, void *arg,
                    struct error **error)
{
    const char *verb = json_string_value(json_object_get(command, "do"));
    (void)error;
    struct fake_answer *answer = fake_later(session, arg);
    answer->done = done;
    if (strcmp(verb, "big") == 0) {
        size_t size = (size_t)json_integer_value(json_object_get(command, "size"));
        char *text = calloc(1, size + 1);
        assert_non_null(text);
        memset(text, 'x', size);
        answer->result = json_pack("{s:s}", "text", text);
        free(text);
    } else if (strcmp(verb, "account.list") == 0) {
        answer->result = json_pack("{s:[{s:s}]}", "accounts", "name", "alice");
    } else {
        answer->result = json_deep_copy(command);
        gateway.commands++;
    }
    return answer->token;
}

static inline void fake_turn(uv_prepare_t *unused)
{
    (void)unused;
    /* Those that are there now; what they cause is for the next turn. */
    uint64_t last = gateway.tokens;
    while (!gateway.hold && gateway.answers != NULL && gateway.answers->token <= last) {
        struct fake_answer *answer = gateway.answers;
        DL_DELETE(gateway.answers, answer);
        if (answer->login != NULL)
            answer->login(answer->arg, answer->right ? gateway_operator(&gateway) : NULL,
                          answer->right ? NULL : &fake_wrong);
        else
            answer->done(answer->arg, answer->result, NULL);
        json_decref(answer->result);
        free(answer);
    }
}

/* --- people */

struct person {
    struct stream *stream;
    struct buffer in;
    bool closed, handshaken;
    int opcode; /* of the frame read last */
    struct buffer payload;
};

static uv_loop_t loop;
static uv_prepare_t turn;
static struct web *web;
static struct person people[PEOPLE];
static SSL_CTX *server_tls, *client_tls; /* NULL: in plain */
static bool web_gone;
static int irc_end; /* what the IRC bridge was given; -1: nothing */
static bool irc_full;

static inline void person_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct person *person = arg;
    (void)stream;
    buffer_append_bytes(&person->in, buffer_view(input));
    buffer_consume(input, buffer_size(input));
}

static inline void person_closed(void *arg, struct stream *stream, const char *reason)
{
    struct person *person = arg;
    (void)stream;
    (void)reason;
    person->closed = true;
    person->stream = NULL;
}

/* Gives the loop one turn; false when the test has waited too long. */
static inline bool step(uint64_t since)
{
    uv_run(&loop, UV_RUN_ONCE);
    return clock_monotonic_ms() - since < WAIT_MS;
}
#define WAIT_FOR(condition)                                                                                  \
    do {                                                                                                     \
        uint64_t since_ = clock_monotonic_ms();                                                              \
        while (!(condition) && step(since_))                                                                 \
            ;                                                                                                \
        assert_true(condition);                                                                              \
    } while (0)

static inline void dial_with(struct person *person, SSL_CTX *tls)
{
    static const struct stream_events events = {.data = person_data, .closed = person_closed};
    struct stream_options options = {
        .tls = tls, .input_limit = 1 << 20, .output_limit = 8 << 20, .handshake_ms = WAIT_MS};
    buffer_free(&person->in);
    buffer_free(&person->payload);
    *person = (struct person){.in = buffer_make((size_t)64 << 20), .payload = buffer_make((size_t)64 << 20)};
    person->stream = stream_connect(&loop, (const struct sockaddr *)web_listening(web, 0), &options, &events,
                                    person, NULL);
    assert_non_null(person->stream);
}

static inline void dial(struct person *person)
{
    dial_with(person, client_tls);
}

static inline void send_bytes(struct person *person, const void *data, size_t size)
{
    assert_true(stream_write(person->stream, data, size));
}

static inline void say(struct person *person, const char *text)
{
    send_bytes(person, text, strlen(text));
}

static inline bool has(const struct person *person, const char *text)
{
    struct bytes view = buffer_view(&person->in);
    return view.size > 0 && memmem(view.data, view.size, text, strlen(text)) != NULL;
}

/* --- WebSocket, by hand */

static inline void frame_into(struct buffer *out, int first, struct bytes payload, bool masked)
{
    static const uint8_t mask[4] = {0x11, 0x22, 0x33, 0x44};
    uint8_t bit = masked ? 0x80 : 0;
    buffer_u8(out, (uint8_t)first);
    if (payload.size < 126) {
        buffer_u8(out, (uint8_t)(bit | payload.size));
    } else if (payload.size < 65536) {
        buffer_u8(out, bit | 126);
        buffer_u16(out, (uint16_t)payload.size);
    } else {
        buffer_u8(out, bit | 127);
        buffer_u64(out, payload.size);
    }
    if (masked)
        buffer_append(out, mask, 4);
    for (size_t i = 0; i < payload.size; i++)
        buffer_u8(out, (uint8_t)(masked ? payload.data[i] ^ mask[i % 4] : payload.data[i]));
}

static inline void send_frame(struct person *person, int first, const char *text)
{
    struct buffer out = buffer_make((size_t)8 << 20);
    frame_into(&out, first, bytes_of_string(text), true);
    assert_false(out.failed);
    send_bytes(person, buffer_view(&out).data, buffer_size(&out));
    buffer_free(&out);
}

/* Takes one frame that came; false when none is whole. */
static inline bool take_frame(struct person *person)
{
    struct reader reader = reader_of(buffer_view(&person->in));
    uint8_t first = read_u8(&reader), second = read_u8(&reader);
    uint64_t size = second;
    if (second == 126)
        size = read_u16(&reader);
    else if (second == 127)
        size = read_u64(&reader);
    if (reader.failed || reader.left < size)
        return false;
    assert_true(second < 128); /* servers do not mask */
    assert_true((first & FIN) != 0);
    struct bytes payload = read_bytes(&reader, (size_t)size);
    person->opcode = first & 15;
    buffer_clear(&person->payload);
    buffer_append_bytes(&person->payload, payload);
    buffer_consume(&person->in, buffer_size(&person->in) - reader.left);
    return true;
}

static inline const char *next_frame(struct person *person, int opcode)
{
    uint64_t since = clock_monotonic_ms();
    bool taken;
    while (!(taken = take_frame(person)) && !person->closed && step(since))
        ;
    assert_true(taken);
    if (person->opcode != opcode)
        print_error("frame %d: %s\n", person->opcode, buffer_string(&person->payload));
    assert_int_equal(person->opcode, opcode);
    return buffer_string(&person->payload);
}

static inline void expect_text(struct person *person, const char *part)
{
    const char *text = next_frame(person, TEXT);
    if (strstr(text, part) == NULL)
        fail_msg("not %s: %.200s", part, text);
}

static inline void expect_code(struct person *person, unsigned code)
{
    next_frame(person, CLOSE);
    struct bytes view = buffer_view(&person->payload);
    assert_true(view.size >= 2);
    assert_int_equal(view.data[0] << 8 | view.data[1], code);
}

/* The server's close frame, answered; then the end of the connection. */
static inline void expect_close(struct person *person, unsigned code)
{
    expect_code(person, code);
    struct buffer out = buffer_make(256);
    frame_into(&out, FIN | CLOSE, bytes_of(buffer_view(&person->payload).data, 2), true);
    if (person->stream != NULL)
        stream_write(person->stream, buffer_view(&out).data, buffer_size(&out));
    buffer_free(&out);
    WAIT_FOR(person->closed);
}

/* The close frame, not answered but with the end of the connection. */
static inline void expect_end(struct person *person, unsigned code)
{
    expect_code(person, code);
    if (person->stream != NULL)
        stream_close(person->stream, "ended");
    WAIT_FOR(person->closed);
}

/* What a handshake says; NULL members are left out. */
struct hello {
    const char *path, *host, *origin, *account, *password, *token, *protocol;
};

static inline struct hello good_hello(void)
{
    static char host[64], origin[80];
    address_format(host, sizeof host, (const struct sockaddr *)web_listening(web, 0));
    snprintf(origin, sizeof origin, "%s://%s", client_tls != NULL ? "https" : "http", host);
    return (struct hello){.path = "/api/1/live",
                          .host = host,
                          .origin = origin,
                          .account = "alice",
                          .password = "secret",
                          .token = "", /* the right one */
                          .protocol = "retrogate.1"};
}

static inline void add_cookie(struct buffer *out, const struct hello *hello, char token[ENTRY_TOKEN_SIZE])
{
    struct entry entry = {0};
    struct place place = {.secure = client_tls != NULL,
                          .port = address_port((const struct sockaddr *)web_listening(web, 0))};
    struct buffer cookie = buffer_make(4096);
    snprintf(entry.account, sizeof entry.account, "%s", hello->account);
    snprintf(entry.password, sizeof entry.password, "%s", hello->password);
    assert_true(entry_cookie_write(&cookie, &place, &entry, 0));
    entry_token(token, &entry);
    struct bytes view = buffer_view(&cookie);
    const uint8_t *end = memchr(view.data, ';', view.size);
    buffer_printf(out, "Cookie: other=1; %.*s\r\n", (int)(end - view.data), (const char *)view.data);
    buffer_free(&cookie);
}

static inline struct buffer hello_text(const struct hello *hello)
{
    struct buffer out = buffer_make(65536);
    char token[ENTRY_TOKEN_SIZE] = "";
    buffer_printf(&out, "GET %s HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", hello->path);
    buffer_append_string(&out,
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n");
    if (hello->host != NULL)
        buffer_printf(&out, "Host: %s\r\n", hello->host);
    if (hello->origin != NULL)
        buffer_printf(&out, "Origin: %s\r\n", hello->origin);
    if (hello->account != NULL)
        add_cookie(&out, hello, token);
    if (hello->protocol != NULL && hello->token != NULL)
        buffer_printf(&out, "Sec-WebSocket-Protocol: %s, token.%s\r\n", hello->protocol,
                      hello->token[0] != '\0' ? hello->token : token);
    else if (hello->protocol != NULL)
        buffer_printf(&out, "Sec-WebSocket-Protocol: %s\r\n", hello->protocol);
    buffer_append_string(&out, "\r\n");
    assert_false(out.failed);
    return out;
}

/* The answer's head is taken off. */
static inline void expect_upgrade(struct person *person)
{
    WAIT_FOR(person->closed || has(person, "\r\n\r\n"));
    if (!has(person, "HTTP/1.1 101 "))
        fail_msg("%s", buffer_string(&person->in));
    assert_false(has(person, "Sec-WebSocket-Extensions"));
    struct bytes view = buffer_view(&person->in);
    const uint8_t *end = memmem(view.data, view.size, "\r\n\r\n", 4);
    buffer_consume(&person->in, (size_t)(end + 4 - view.data));
}

static inline void greet(struct person *person, const struct hello *hello)
{
    struct buffer text = hello_text(hello);
    dial(person);
    send_bytes(person, buffer_view(&text).data, buffer_size(&text));
    buffer_free(&text);
}

/* Connected, upgraded, and shown to be signed in. */
static inline void enter(struct person *person)
{
    struct hello hello = good_hello();
    greet(person, &hello);
    expect_upgrade(person);
    send_frame(person, FIN | TEXT, "{\"id\":1,\"do\":\"hello\"}");
    expect_text(person, "\"id\":1");
}

static inline void expect_refused(struct person *person, const struct hello *hello, const char *status)
{
    greet(person, hello);
    WAIT_FOR(person->closed);
    if (!has(person, status))
        fail_msg("not %s: %s", status, buffer_string(&person->in));
}

/* --- beginning and end */

static inline bool take_irc(void *arg, int fd, const struct sockaddr_storage *peer, bool secure)
{
    (void)arg;
    assert_int_equal(peer->ss_family, AF_INET);
    assert_int_equal(secure, client_tls != NULL);
    if (irc_full)
        return false;
    irc_end = fd;
    return true;
}

static inline SSL_CTX *make_certificate(void)
{
    char folder[] = TEST_BINARIES "/web-test-XXXXXX", certificate[128], key[128];
    struct error *error = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(certificate, sizeof certificate, "%s/certificate", folder);
    snprintf(key, sizeof key, "%s/key", folder);
    assert_true(tls_make_self_signed(certificate, key, "localhost", &error));
    SSL_CTX *context = tls_server_context(certificate, key, &error);
    assert_non_null(context);
    unlink(certificate);
    unlink(key);
    rmdir(folder);
    return context;
}

static inline void open_web(struct web_options options)
{
    struct web_listen listen = {.tls = server_tls != NULL};
    struct error *error = NULL;
    assert_true(address_parse(&listen.address, "127.0.0.1:0", 0, &error));
    options.listen = &listen;
    options.listen_count = 1;
    options.tls = server_tls;
    options.irc = take_irc;
    web = web_open(&loop, &gateway, &options, &error);
    if (web == NULL)
        fail_msg("%s", error->text);
}

static inline int scene_begin(void)
{
    gateway = (struct gateway){0};
    irc_end = -1;
    irc_full = web_gone = false;
    assert_int_equal(uv_loop_init(&loop), 0);
    uv_prepare_init(&loop, &turn);
    uv_prepare_start(&turn, fake_turn);
    return 0;
}

static inline int begin_plain(void **state)
{
    (void)state;
    return scene_begin();
}

static inline int begin_tls(void **state)
{
    (void)state;
    server_tls = make_certificate();
    client_tls = SSL_CTX_new(TLS_client_method());
    return scene_begin();
}

static inline void mark_gone(void *arg)
{
    (void)arg;
    web_gone = true;
}

static inline void close_web(void)
{
    web_close(web, mark_gone, NULL);
    WAIT_FOR(web_gone);
    web = NULL;
}

static inline int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEOPLE; i++)
        if (people[i].stream != NULL)
            stream_abort(people[i].stream, "the test is over");
    if (web != NULL)
        close_web();
    if (irc_end >= 0)
        close(irc_end);
    uv_close((uv_handle_t *)&turn, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_null(gateway.sessions);
    assert_null(gateway.answers);
    for (size_t i = 0; i < PEOPLE; i++) {
        buffer_free(&people[i].in);
        buffer_free(&people[i].payload);
        people[i] = (struct person){0};
    }
    SSL_CTX_free(server_tls);
    SSL_CTX_free(client_tls);
    server_tls = client_tls = NULL;
    return 0;
}

#endif
