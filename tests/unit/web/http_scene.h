/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_WEB_HTTP_SCENE_H
#define RETROGATE_TESTS_UNIT_WEB_HTTP_SCENE_H

/* The HTTP server of the web bridge behind socket pairs, and in front of a gateway in memory. Included once
 * per program. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <retrogate/gateway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/map.h"
#include "base/source.h"
#include "tests/support/vectors.h"
#include "web/http.h"
#include "web/site.h"
#include "wire/radix64.h"

/* --- the gateway: accounts with passwords, app passwords, a blob; answers wait for fake_turn() */

enum { FAKE_MOST = 8, FAKE_FAILURES = 4 };

struct fake_login {
    char account[32], password[64], label[64];
    bool own, gone; /* own: made by app_password.new or given as one */
    int idle;
};

struct gateway_session {
    const struct gateway_events *events;
    void *arg;
    struct fake_login *login; /* NULL: operator */
    struct gateway_session *prev, *next;
};

struct fake_answer {
    uint64_t token;
    struct gateway_session *session; /* NULL: of a log-in */
    struct fake_login *login;
    gateway_done_fn *done;
    gateway_login_fn *entered;
    void *arg;
    json_t *result;
    struct error error; /* code 0: none */
    bool ends;          /* the session, in place of an answer */
    struct fake_answer *prev, *next;
};

struct gateway {
    struct fake_login logins[FAKE_MOST];
    size_t login_count;
    unsigned failures, tokens;
    struct gateway_session *sessions;
    struct fake_answer *answers;
    json_t *commands;     /* all that were given */
    struct error refuse;  /* of the next command that is not of the ones below; code 0: none */
    struct error locked;  /* of log-ins */
    uint8_t blob[700000]; /* also what a post's part holds, and its message */
    size_t blob_size;
    bool blob_breaks;                            /* behind the first piece */
    const char *part_name, *part_type, *verdict; /* of post 5, whose part 2 is the only one */
    struct buffer received;                      /* by uploads */
    size_t received_most;                        /* then the disk is full; 0: never */
    bool kept;
    bool none_made; /* no app password is made for anybody */
    bool hold;      /* nothing is answered */
};

static inline struct fake_login *fake_add(struct gateway *gateway, const char *account, const char *password,
                                          bool own)
{
    struct fake_login *login = &gateway->logins[gateway->login_count++];
    assert_true(gateway->login_count <= FAKE_MOST);
    snprintf(login->account, sizeof login->account, "%s", account);
    snprintf(login->password, sizeof login->password, "%s", password);
    login->own = own;
    return login;
}

static inline struct fake_answer *fake_later(struct gateway *gateway, struct gateway_session *session,
                                             void *arg)
{
    struct fake_answer *answer = calloc(1, sizeof *answer);
    assert_non_null(answer);
    answer->token = ++gateway->tokens;
    answer->session = session;
    answer->arg = arg;
    DL_APPEND(gateway->answers, answer);
    return answer;
}

static inline struct gateway_session *fake_session(struct gateway *gateway, struct fake_login *login)
{
    struct gateway_session *session = calloc(1, sizeof *session);
    assert_non_null(session);
    session->login = login;
    DL_APPEND(gateway->sessions, session);
    return session;
}

static struct gateway *fake_gateway; /* gateway_do() is not told which */

uint64_t gateway_login(struct gateway *gateway, const struct gateway_login *wanted, gateway_login_fn *done,
                       void *arg)
{
    struct fake_answer *answer = fake_later(gateway, NULL, arg);
    answer->entered = done;
    assert_string_equal(wanted->scope, "web");
    assert_string_equal(wanted->address, "192.0.2.7");
    for (size_t i = 0; i < gateway->login_count; i++) {
        struct fake_login *login = &gateway->logins[i];
        if (!login->gone && strcmp(login->account, wanted->account) == 0 &&
            strcmp(login->password, wanted->password) == 0)
            answer->login = login;
    }
    if (answer->login == NULL)
        answer->error = (struct error){ERROR_DENIED, "wrong account or password"};
    if (answer->login == NULL && gateway->failures++ >= FAKE_FAILURES)
        answer->error = (struct error){ERROR_LIMIT, "too many failed log-ins; wait 4 s and try again"};
    if (gateway->locked.code != 0)
        answer->error = gateway->locked;
    return answer->token;
}

void gateway_login_cancel(struct gateway *gateway, uint64_t ticket)
{
    struct fake_answer *answer;
    DL_FOREACH(gateway->answers, answer)
    {
        if (answer->token == ticket)
            answer->entered = NULL;
    }
}

struct gateway_session *gateway_operator(struct gateway *gateway)
{
    return fake_session(gateway, NULL);
}

void gateway_listen(struct gateway_session *session, const struct gateway_events *events, void *arg)
{
    session->events = events;
    session->arg = arg;
}

void gateway_forget(struct gateway_session *session, uint64_t token)
{
    struct fake_answer *answer, *next;
    DL_FOREACH_SAFE(fake_gateway->answers, answer, next)
    {
        if (answer->session != session || (token != 0 && answer->token != token))
            continue;
        DL_DELETE(fake_gateway->answers, answer);
        json_decref(answer->result);
        free(answer);
    }
}

void gateway_logout(struct gateway_session *session)
{
    gateway_forget(session, 0);
    DL_DELETE(fake_gateway->sessions, session);
    free(session);
}

const char *gateway_account_name(const struct gateway_session *session)
{
    return session->login != NULL ? session->login->account : "";
}

int64_t gateway_account(const struct gateway_session *session)
{
    return session->login != NULL;
}

bool gateway_is_operator(const struct gateway_session *session)
{
    return session->login == NULL;
}

static inline const char *fake_text(const json_t *command, const char *member)
{
    const char *text = json_string_value(json_object_get(command, member));
    return text != NULL ? text : "";
}

static inline json_t *fake_new_password(struct gateway *gateway, struct gateway_session *session,
                                        const json_t *command, struct error *error)
{
    char password[64];
    if (session->login->own || gateway->none_made) {
        *error = (struct error){ERROR_DENIED, "log in with the account's own password"};
        return NULL;
    }
    snprintf(password, sizeof password, "made-%zu", gateway->login_count);
    struct fake_login *made = fake_add(gateway, session->login->account, password, true);
    snprintf(made->label, sizeof made->label, "%s", fake_text(command, "label"));
    made->idle = (int)json_integer_value(json_object_get(command, "idle"));
    assert_string_equal(fake_text(command, "scope"), "web");
    return json_pack("{s:i,s:s}", "id", (int)gateway->login_count, "password", password);
}

static inline json_t *fake_piece(const struct gateway *gateway, const json_t *command, struct error *error)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t offset = (size_t)json_integer_value(json_object_get(command, "offset"));
    size_t size = (size_t)json_integer_value(json_object_get(command, "size"));
    bool there = strcmp(fake_text(command, "do"), "blob") == 0
                     ? strspn(fake_text(command, "blob"), "a") == 64
                     : json_integer_value(json_object_get(command, "seq")) == 5;
    if (!there || (gateway->blob_breaks && offset > 0)) {
        *error = (struct error){ERROR_NOT_FOUND, "this does not exist"};
        return NULL;
    }
    size = offset + size > gateway->blob_size ? gateway->blob_size - offset : size;
    char *text = calloc(1, size / 3 * 4 + 8);
    assert_non_null(text);
    const uint8_t *at = gateway->blob + offset;
    size_t used = 0;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)at[i] << 16 | (i + 1 < size ? (uint32_t)at[i + 1] << 8 : 0) |
                         (i + 2 < size ? at[i + 2] : 0);
        for (size_t j = 0; j < 4; j++)
            text[used++] = i + j <= size ? digits[three >> (18 - 6 * j) & 63] : '=';
    }
    json_t *result = json_pack("{s:s,s:b}", "data", text, "end", offset + size == gateway->blob_size);
    free(text);
    return result;
}

static inline json_t *fake_post(const struct gateway *gateway, const json_t *command, struct error *error)
{
    if (json_integer_value(json_object_get(command, "seq")) != 5) {
        *error = (struct error){ERROR_NOT_FOUND, "there is no such post"};
        return NULL;
    }
    if (gateway->part_name == NULL)
        return json_pack("{s:s,s:[]}", "verdict", gateway->verdict, "parts");
    return json_pack("{s:s,s:[{s:i,s:s,s:s}]}", "verdict", "signed", "parts", "part", 2, "name",
                     gateway->part_name, "type", gateway->part_type);
}

static inline json_t *fake_upload(struct gateway *gateway, const json_t *command, struct error *error)
{
    size_t size = buffer_size(&gateway->received);
    assert_int_equal(json_integer_value(json_object_get(command, "upload")), 7);
    assert_int_equal(json_integer_value(json_object_get(command, "offset")), size);
    assert_true(radix64_decode(&gateway->received, bytes_of_string(fake_text(command, "data"))));
    if (gateway->received_most != 0 && buffer_size(&gateway->received) > gateway->received_most)
        *error = (struct error){ERROR_UNAVAILABLE, "the disk takes no more"};
    return json_pack("{s:I}", "size", (json_int_t)buffer_size(&gateway->received));
}

static inline json_t *fake_run(struct gateway *gateway, struct gateway_session *session,
                               const json_t *command, struct error *error, bool *ends)
{
    const char *verb = fake_text(command, "do");
    if (strcmp(verb, "hello") == 0)
        return json_pack("{s:s,s:i}", "vault", gateway->locked.code == ERROR_LOCKED ? "locked" : "open",
                         "version", 1);
    if (strcmp(verb, "account.list") == 0) {
        json_t *list = json_array();
        for (size_t i = 0; i < gateway->login_count; i++)
            json_array_append_new(list, json_pack("{s:s}", "name", gateway->logins[i].account));
        return json_pack("{s:o}", "accounts", list);
    }
    if (strcmp(verb, "account.add") == 0) {
        assert_true(json_is_true(json_object_get(command, "operator")));
        fake_add(gateway, fake_text(command, "name"), fake_text(command, "password"), false);
        return json_pack("{s:s}", "name", fake_text(command, "name"));
    }
    if (strcmp(verb, "app_password.new") == 0)
        return fake_new_password(gateway, session, command, error);
    if (strcmp(verb, "app_password.list") == 0)
        return json_pack("{s:[{s:i,s:s},{s:s,s:b,s:i}]}", "app_passwords", "id", 1, "label",
                         "Browser: another", "label", session->login->label, "own", session->login->own,
                         "idle", session->login->idle);
    if (strcmp(verb, "app_password.revoke") == 0) {
        assert_true(json_is_true(json_object_get(command, "own")));
        session->login->gone = *ends = true;
        return NULL;
    }
    if (strcmp(verb, "post.show") == 0)
        return fake_post(gateway, command, error);
    if (strcmp(verb, "upload.open") == 0)
        return json_pack("{s:i}", "upload", 7);
    if (strcmp(verb, "upload.write") == 0)
        return fake_upload(gateway, command, error);
    if (strcmp(verb, "upload.keep") == 0) {
        gateway->kept = true;
        return json_pack("{s:i,s:I}", "upload", 7, "size", (json_int_t)buffer_size(&gateway->received));
    }
    if (strcmp(verb, "blob") == 0 || strcmp(verb, "post.part") == 0 || strcmp(verb, "post.read") == 0)
        return fake_piece(gateway, command, error);
    if (strcmp(verb, "contact.list") == 0)
        return json_pack("{s:[]}", "contacts");
    *error = gateway->refuse;
    return NULL;
}

uint64_t gateway_do(struct gateway_session *session, const json_t *command, gateway_done_fn *done, void *arg,
                    struct error **error)
{
    if (strcmp(fake_text(command, "do"), "nonsense") == 0) {
        error_set(error, ERROR_INVALID, "there is no such command");
        return 0;
    }
    struct fake_answer *answer = fake_later(fake_gateway, session, arg);
    answer->done = done;
    json_array_append_new(fake_gateway->commands, json_deep_copy(command));
    answer->result = fake_run(fake_gateway, session, command, &answer->error, &answer->ends);
    return answer->token;
}

static inline void fake_turn(struct gateway *gateway)
{
    while (gateway->answers != NULL && !gateway->hold) {
        struct fake_answer *answer = gateway->answers;
        DL_DELETE(gateway->answers, answer);
        const struct error *error = answer->error.code != 0 ? &answer->error : NULL;
        if (answer->ends) {
            struct gateway_session *session = answer->session;
            session->events->ended(session->arg, "the app password was revoked");
            gateway_logout(session);
        } else if (answer->done != NULL) {
            answer->done(answer->arg, error == NULL ? answer->result : NULL, error);
        } else if (answer->entered != NULL) {
            answer->entered(answer->arg, error == NULL ? fake_session(gateway, answer->login) : NULL, error);
        }
        json_decref(answer->result);
        free(answer);
    }
}

/* --- the scene */

struct scene {
    uv_loop_t loop;
    struct gateway gateway;
    struct site site;
    struct http *http;
    unsigned places, changed;
    bool closed;
};

static struct scene scene;

void place_release(struct place *place)
{
    scene.places--;
    free(place);
}

static inline void scene_changed(void *arg)
{
    ((struct scene *)arg)->changed++;
}

static inline void scene_turn(void)
{
    uv_run(&scene.loop, UV_RUN_NOWAIT);
    fake_turn(&scene.gateway);
}

static char scene_setup_file[64];

static inline void scene_open(bool first_run)
{
    static char name[] = "chat.example.org", *names[] = {name};
    memset(&scene, 0, sizeof scene);
    fake_gateway = &scene.gateway;
    assert_int_equal(uv_loop_init(&scene.loop), 0);
    scene.gateway.commands = json_array();
    scene.gateway.received = buffer_make(8 << 20);
    scene.site = (struct site){.loop = &scene.loop,
                               .gateway = &scene.gateway,
                               .names = names,
                               .name_count = 1,
                               .changed = scene_changed,
                               .arg = &scene};
    if (first_run) {
        snprintf(scene_setup_file, sizeof scene_setup_file, "setup-code-%d", (int)getpid());
        scene.site.setup_file = scene_setup_file;
    } else {
        fake_add(&scene.gateway, "alice", "correct horse", false);
    }
    scene.http = http_open(&scene.site, NULL);
    assert_non_null(scene.http);
    scene_turn();
}

static inline void scene_on_closed(void *arg)
{
    ((struct scene *)arg)->closed = true;
}

static inline void scene_close(void)
{
    http_close(scene.http, scene_on_closed, &scene);
    while (!scene.closed)
        scene_turn();
    scene.gateway.hold = false;
    fake_turn(&scene.gateway);
    assert_null(scene.gateway.sessions);
    assert_int_equal(scene.places, 0);
    json_decref(scene.gateway.commands);
    buffer_free(&scene.gateway.received);
    assert_int_equal(uv_loop_close(&scene.loop), 0);
}

/* One end of a pair goes to the server; the other is returned. */
static inline int scene_connect(bool secure)
{
    int pair[2];
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    place->secure = secure;
    place->port = secure ? 8443 : 8080;
    struct sockaddr_in *peer = (struct sockaddr_in *)&place->peer;
    peer->sin_family = AF_INET;
    peer->sin_addr.s_addr = htonl(0xc0000207); /* 192.0.2.7 */
    scene.places++;
    assert_true(http_take(scene.http, pair[1], place));
    return pair[0];
}

/* The last answer. */
static struct reply {
    unsigned status;
    char head[8192];
    struct buffer body;
    bool closed;
} reply;

static inline const char *reply_field(const char *name)
{
    static char value[2048];
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strstr(reply.head, line);
    if (at == NULL)
        return "";
    at += strlen(line);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

static inline void reply_clear(void)
{
    buffer_free(&reply.body);
    memset(&reply, 0, sizeof reply);
    reply.body = buffer_make(2 << 20);
}

static inline bool unchunk(void)
{
    struct buffer plain = buffer_make(2 << 20);
    bool ended = false;
    const char *at = buffer_string(&reply.body), *end = at + buffer_size(&reply.body);
    while (at < end && !ended) {
        char *data = NULL;
        size_t size = strtoul(at, &data, 16);
        if (data + 2 + size + 2 > end)
            break;
        ended = size == 0;
        buffer_append(&plain, data + 2, size);
        at = data + 2 + size + 2;
    }
    if (ended) {
        buffer_free(&reply.body);
        reply.body = plain;
    } else {
        buffer_free(&plain);
    }
    return ended;
}

static inline bool reply_whole(bool head_only)
{
    struct bytes view = buffer_view(&reply.body);
    if (reply.head[0] == '\0') {
        const uint8_t *end = view.size > 0 ? memmem(view.data, view.size, "\r\n\r\n", 4) : NULL;
        if (end == NULL)
            return false;
        size_t size = (size_t)(end - view.data) + 4;
        assert_true(size < sizeof reply.head);
        memcpy(reply.head, view.data, size);
        buffer_consume(&reply.body, size);
        reply.status = (unsigned)strtoul(reply.head + strlen("HTTP/1.1 "), NULL, 10);
    }
    if (head_only || reply.status == 204 || reply.status == 304)
        return true;
    if (strstr(reply.head, "chunked") != NULL)
        return unchunk();
    return reply.head[0] != '\0' &&
           buffer_size(&reply.body) >= strtoul(reply_field("Content-Length"), NULL, 10);
}

/* Sends a request on an open connection, and takes the whole answer; 0 when the connection ended. */
static inline unsigned scene_ask(int fd, const char *request, size_t size)
{
    size_t sent = 0;
    bool head_only = strncmp(request, "HEAD ", 5) == 0;
    reply_clear();
    for (unsigned turns = 0; turns < 20000; turns++) {
        ssize_t written = sent < size ? write(fd, request + sent, size - sent) : 0;
        if (written > 0)
            sent += (size_t)written;
        scene_turn();
        uint8_t *at = buffer_reserve(&reply.body, 65536);
        ssize_t got = read(fd, at, 65536);
        if (got > 0)
            buffer_commit(&reply.body, (size_t)got);
        if (reply_whole(head_only))
            return reply.status;
        if (got == 0) {
            reply.closed = true;
            return 0;
        }
        if (got < 0)
            usleep(got < 0 && turns > 100 ? 1000 : 0);
    }
    fail_msg("no answer to %.40s", request);
    return 0;
}

/* One request on a connection of its own. `fields` are whole lines with CR LF. */
static inline unsigned ask_over(bool secure, const char *method, const char *path, const char *fields,
                                const char *body)
{
    struct buffer request = buffer_make(2 << 20);
    int fd = scene_connect(secure);
    buffer_printf(&request, "%s %s HTTP/1.1\r\n%s%s", method, path,
                  strstr(fields, "Host:") == NULL ? "Host: 127.0.0.1:8080\r\n" : "", fields);
    if (body != NULL)
        buffer_printf(&request, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    else
        buffer_append_string(&request, "\r\n");
    unsigned status = scene_ask(fd, (const char *)buffer_view(&request).data, buffer_size(&request));
    close(fd);
    buffer_free(&request);
    for (unsigned turns = 0; turns < 1000 && scene.places > 0 && !scene.gateway.hold; turns++)
        scene_turn();
    return status;
}

static inline unsigned ask(const char *method, const char *path, const char *fields, const char *body)
{
    return ask_over(false, method, path, fields, body);
}

#define JSON_TYPE "Content-Type: application/json\r\n"

/* The body of the last answer; freed with the next call. */
static inline const json_t *reply_json(void)
{
    static json_t *value;
    json_decref(value);
    struct bytes view = buffer_view(&reply.body);
    value = json_loadb((const char *)view.data, view.size, 0, NULL);
    return value;
}

static inline const char *reply_text(const char *member)
{
    return fake_text(reply_json(), member);
}

static inline const char *reply_code(void)
{
    return fake_text(json_object_get(reply_json(), "error"), "code");
}

/* "Cookie: ...\r\n" and "X-Retrogate-Token: ...\r\n" of the last sign-in. */
static char cookie_line[512], token_line[128], signed_lines[640];

static inline void keep_session(void)
{
    const char *cookie = reply_field("Set-Cookie");
    snprintf(cookie_line, sizeof cookie_line, "Cookie: %.*s\r\n", (int)strcspn(cookie, ";"), cookie);
    snprintf(token_line, sizeof token_line, "X-Retrogate-Token: %s\r\n", reply_text("token"));
    snprintf(signed_lines, sizeof signed_lines, "%s%s", cookie_line, token_line);
}

static inline void sign_in(void)
{
    assert_int_equal(
        ask("POST", "/api/1/session", JSON_TYPE, "{\"account\": \"alice\", \"password\": \"correct horse\"}"),
        200);
    keep_session();
}

#endif
