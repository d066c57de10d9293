/* SPDX-License-Identifier: ISC */
#include "http_request.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/map.h"
#include "fields.h"
#include "http_answer.h"

enum {
    MAGIC = 0x72657175,
    SMALL_BODY = 64 << 10,
    LARGE_BODY = 1 << 20,
    UPLOAD_BODY = 48 << 20, /* api.md, upload.open */
    DIGITS_MOST = 18,
};

enum needs {
    NEEDS_NOTHING, /* the act itself looks at what the browser brings */
    NEEDS_LOGIN,   /* Basic, or the cookie and, unless it only reads, the page's token */
};

struct api_route {
    const char *method, *path; /* # stands for a number; behind a slash at the end comes a name */
    enum needs needs;
    size_t body; /* most bytes; 0: no body */
    void (*act)(struct request *request);
    /* Of a body that is no JSON and is not kept: called first, when it is known who sends it. */
    void (*begin)(struct request *request);
};

static const struct api_route routes[] = {
    {"GET", "/api/1/session", NEEDS_NOTHING, 0, session_show, NULL},
    {"POST", "/api/1/session", NEEDS_NOTHING, SMALL_BODY, session_begin, NULL},
    {"DELETE", "/api/1/session", NEEDS_LOGIN, 0, session_close, NULL},
    {"POST", "/api/1/setup", NEEDS_NOTHING, SMALL_BODY, session_first, NULL},
    {"POST", "/api/1/do", NEEDS_LOGIN, LARGE_BODY, command_do, NULL},
    {"GET", "/api/1/blob/", NEEDS_LOGIN, 0, blob_send, NULL},
    {"POST", "/api/1/qr", NEEDS_LOGIN, SMALL_BODY, qr_make, NULL},
    {"GET", "/api/1/posts/#/parts/#", NEEDS_LOGIN, 0, post_part_send, NULL},
    {"GET", "/api/1/posts/#/message", NEEDS_LOGIN, 0, post_message_send, NULL},
    {"POST", "/api/1/uploads", NEEDS_LOGIN, UPLOAD_BODY, uploading_end, uploading_begin},
};

static const struct {
    const char *name;
    bool once; /* a request with two of them is refused: which one counts would depend on who reads */
} field_names[FIELD_COUNT] = {
    [FIELD_HOST] = {"Host", true},
    [FIELD_ORIGIN] = {"Origin", true},
    [FIELD_COOKIE] = {"Cookie", true},
    [FIELD_AUTHORIZATION] = {"Authorization", true},
    [FIELD_TOKEN] = {"X-Retrogate-Token", true},
    [FIELD_FETCH_SITE] = {"Sec-Fetch-Site", true},
    [FIELD_CONTENT_TYPE] = {"Content-Type", true},
    [FIELD_CONTENT_LENGTH] = {"Content-Length", true},
    [FIELD_TRANSFER_ENCODING] = {"Transfer-Encoding", true},
    [FIELD_UPGRADE] = {"Upgrade", false},
    [FIELD_IF_NONE_MATCH] = {"If-None-Match", false},
    [FIELD_ACCEPT_ENCODING] = {"Accept-Encoding", false},
    [FIELD_USER_AGENT] = {"User-Agent", false},
};

static enum MHD_Result take_field(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                  const char *value, size_t value_size)
{
    struct request *request = arg;
    assert(request->magic == MAGIC);
    (void)kind;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (strlen(field_names[i].name) != name_size ||
            strncasecmp(field_names[i].name, name, name_size) != 0)
            continue;
        if (request->fields[i].data != NULL && field_names[i].once)
            request->repeated = true;
        request->fields[i] = bytes_of(value != NULL ? value : "", value_size);
    }
    return MHD_YES;
}

/* Takes a number without needless zeros off the front of the path. */
static bool take_number(const char **path, json_int_t *number)
{
    size_t size = strspn(*path, "0123456789");
    if (size == 0 || size > DIGITS_MOST || (**path == '0' && size > 1))
        return false;
    *number = strtoll(*path, NULL, 10);
    *path += size;
    return true;
}

static bool path_fits(const char *pattern, const char *path, json_int_t numbers[PATH_NUMBERS])
{
    size_t count = 0;
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '#' ? count == PATH_NUMBERS || !take_number(&path, &numbers[count++])
                            : *path++ != *pattern)
            return false;
    }
    return pattern[-1] == '/' || *path == '\0';
}

static bool is_read(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static void find_page(struct request *request, const char *method)
{
    const struct page *page = page_find(request->path);
    if (page == NULL) {
        answer_refusal(request, MHD_HTTP_NOT_FOUND, ERROR_NOT_FOUND, "there is no such page; the first is /");
    } else if (!is_read(method)) {
        answer_refusal(request, MHD_HTTP_METHOD_NOT_ALLOWED, ERROR_INVALID,
                       "this can only be read, with GET");
        answer_field(request, "Allow", "GET, HEAD");
    } else {
        answer_page(request, page);
    }
}

/* Sets request->route, or answers. */
static void find_route(struct request *request, const char *method)
{
    struct buffer allowed = buffer_make(256);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        json_int_t numbers[PATH_NUMBERS] = {0};
        if (!path_fits(routes[i].path, request->path, numbers))
            continue;
        if (strcmp(method, routes[i].method) == 0 || (is_read(method) && is_read(routes[i].method))) {
            request->route = &routes[i];
            memcpy(request->numbers, numbers, sizeof numbers);
        }
        buffer_printf(&allowed, "%s%s%s", buffer_size(&allowed) > 0 ? ", " : "", routes[i].method,
                      is_read(routes[i].method) ? ", HEAD" : "");
    }
    const char *methods = buffer_size(&allowed) > 0 ? buffer_string(&allowed) : NULL;
    if (request->route == NULL && methods != NULL) {
        answer_refusal(request, MHD_HTTP_METHOD_NOT_ALLOWED, ERROR_INVALID,
                       "this method does not exist here; see /api/1/openapi.json");
        answer_field(request, "Allow", methods);
    } else if (request->route == NULL) {
        answer_refusal(request, MHD_HTTP_NOT_FOUND, ERROR_NOT_FOUND,
                       "this path does not exist; see /api/1/openapi.json");
    }
    buffer_free(&allowed);
}

static bool read_length(struct bytes text, size_t *length)
{
    *length = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || *length > UPLOAD_BODY)
            return false;
        *length = *length * 10 + (size_t)(text.data[i] - '0');
    }
    return text.size > 0;
}

/* A body is announced with its length: so one that is too long is refused before it comes. */
static void check_body(struct request *request)
{
    const struct bytes *fields = request->fields;
    size_t length = 0, most = request->route->body;
    bool counted = fields[FIELD_CONTENT_LENGTH].data != NULL && fields[FIELD_TRANSFER_ENCODING].data == NULL;
    bool fits = counted && read_length(fields[FIELD_CONTENT_LENGTH], &length) && length <= most;
    if (most == 0 && fields[FIELD_CONTENT_LENGTH].data == NULL &&
        fields[FIELD_TRANSFER_ENCODING].data == NULL)
        return;
    if (!counted)
        answer_refusal(request, MHD_HTTP_LENGTH_REQUIRED, ERROR_INVALID,
                       "the request needs a Content-Length, and no Transfer-Encoding");
    else if (!fits)
        answer_refusal(request, MHD_HTTP_CONTENT_TOO_LARGE, ERROR_LIMIT, "the request's body is too long");
    else if (most > 0 && request->route->begin == NULL && !fields_are_json(fields[FIELD_CONTENT_TYPE]))
        answer_refusal(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, ERROR_INVALID,
                       "the request's body is JSON: send Content-Type: application/json");
}

/* What is answered before its body was read ends the connection, and what was sent meanwhile may destroy the
 * answer. So a short one is awaited, whatever the answer. */
bool request_early(const struct request *request)
{
    size_t length = 0;
    return request->answered &&
           (request->fields[FIELD_TRANSFER_ENCODING].data != NULL ||
            (request->fields[FIELD_CONTENT_LENGTH].data != NULL &&
             (!read_length(request->fields[FIELD_CONTENT_LENGTH], &length) || length > SMALL_BODY)));
}

bool request_is_long(const struct request *request)
{
    return !request->answered && request->route != NULL && request->route->begin != NULL;
}

bool request_asks(const struct request *request)
{
    return request->token != 0;
}

static bool is_foreign(const struct request *request)
{
    struct bytes site = request->fields[FIELD_FETCH_SITE];
    return bytes_equal(site, bytes_of_string("cross-site")) ||
           bytes_equal(site, bytes_of_string("same-site")) ||
           (request->fields[FIELD_ORIGIN].data != NULL &&
            !entry_origin_same(request->fields[FIELD_ORIGIN], request->fields[FIELD_HOST],
                               request->place->secure));
}

static void admitted(struct request *request, json_t *result, const struct error *error)
{
    (void)result;
    if (error == NULL && request->route->begin != NULL) {
        request->route->begin(request);
        return;
    }
    if (error == NULL) {
        request_resume(request);
        return;
    }
    request->drop = error->code == ERROR_DENIED && request->fields[FIELD_AUTHORIZATION].data == NULL;
    answer_login_error(request, error);
}

/* Logs in with Basic, or with the cookie and the page's token: before the body, whose memory is not for
 * everybody. */
static void check_login(struct request *request, const char *method)
{
    bool basic = request->fields[FIELD_AUTHORIZATION].data != NULL;
    bool known = basic ? fields_basic(&request->entry, request->fields[FIELD_AUTHORIZATION])
                       : entry_cookie_read(&request->entry, request->place, request->fields[FIELD_COOKIE]);
    if (!known)
        answer_refusal(
            request, MHD_HTTP_UNAUTHORIZED, ERROR_DENIED,
            "nobody is signed in: POST to /api/1/session, or send Authorization: Basic with an app "
            "password");
    else if (!basic && !is_read(method) && !entry_token_right(request->fields[FIELD_TOKEN], &request->entry))
        answer_refusal(request, MHD_HTTP_FORBIDDEN, ERROR_DENIED,
                       "X-Retrogate-Token is missing or wrong: GET /api/1/session tells it");
    else
        request_login(request, request->entry.password, admitted);
}

static void check_api(struct request *request, const char *method)
{
    find_route(request, method);
    if (request->answered)
        return;
    if (is_foreign(request)) {
        answer_refusal(request, MHD_HTTP_FORBIDDEN, ERROR_DENIED,
                       "the request comes from a page of another origin; a reverse proxy must pass the Host "
                       "that people see");
        return;
    }
    check_body(request);
    if (!request->answered && request->route->needs == NEEDS_LOGIN)
        check_login(request, method);
}

static void check_head(struct request *request, const char *method)
{
    struct bytes host = request->fields[FIELD_HOST];
    if (!entry_host_known(request->site, host))
        request->fields[FIELD_HOST] = bytes_of(NULL, 0); /* no answer holds it */
    if (request->repeated)
        answer_refusal(request, MHD_HTTP_BAD_REQUEST, ERROR_INVALID,
                       "a header field that may come once came twice");
    else if (host.data == NULL)
        answer_refusal(request, MHD_HTTP_BAD_REQUEST, ERROR_INVALID, "the request has no Host field");
    else if (request->fields[FIELD_HOST].data == NULL)
        answer_refusal(request, MHD_HTTP_MISDIRECTED_REQUEST, ERROR_DENIED,
                       "this gateway is not known by that name; the operator can add it to web.names");
    else if (fields_upgrade(request->fields[FIELD_UPGRADE], "websocket")) {
        answer_refusal(request, MHD_HTTP_UPGRADE_REQUIRED, ERROR_INVALID,
                       "a WebSocket needs a connection of its own");
        answer_field(request, "Upgrade", "websocket");
        answer_field(request, "Connection", "close");
    } else if (strncmp(request->path, "/api/", 5) == 0 && page_find(request->path) == NULL)
        check_api(request, method);
    else
        find_page(request, method);
}

struct request *request_new(struct site *site, struct setup *setup, struct MHD_Connection *connection,
                            const struct place *place, const char *path, const char *method)
{
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->magic = MAGIC;
    request->site = site;
    request->setup = setup;
    request->connection = connection;
    request->place = place;
    request->path = path;
    request->body = buffer_make(LARGE_BODY);
    request->body.secret = true;
    request->piece = buffer_make(LARGE_BODY);
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take_field, request);
    check_head(request, method);
    return request;
}

/* The library does not wipe the fields of an answer; nobody reads there any more. */
static void wipe_cookie(struct MHD_Response *response)
{
    const char *cookie = response != NULL ? MHD_get_response_header(response, "Set-Cookie") : NULL;
    if (cookie != NULL)
        OPENSSL_cleanse((void *)(uintptr_t)cookie, strlen(cookie));
}

bool request_body(struct request *request, const void *data, size_t *size)
{
    assert(request->magic == MAGIC);
    bool taken = request->answered;
    if (!taken && request->route->begin != NULL)
        return uploading_take(request, data, size);
    if (!taken)
        taken = buffer_size(&request->body) + *size <= request->route->body &&
                buffer_append(&request->body, data, *size);
    *size = 0;
    return taken;
}

void request_act(struct request *request)
{
    assert(request->magic == MAGIC);
    struct bytes body = buffer_view(&request->body);
    request->stage = REQUEST_ACTS;
    if (request->answered)
        return;
    if (request->route->body > 0 && request->route->begin == NULL) {
        request->input = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
        buffer_clear(&request->body);
        if (!json_is_object(request->input)) {
            answer_refusal(request, MHD_HTTP_BAD_REQUEST, ERROR_INVALID,
                           "the request's body is not a JSON object");
            return;
        }
    }
    request->route->act(request);
}

/* The answer to what was asked. */
static void go_on(struct request *request, json_t *result, const struct error *error)
{
    request_then *then = request->then;
    request->then = NULL;
    if (then != NULL)
        then(request, result, error);
}

static void on_ended(void *arg, const char *reason)
{
    struct request *request = arg;
    assert(request->magic == MAGIC);
    struct error error = {.code = ERROR_UNAVAILABLE};
    snprintf(error.text, sizeof error.text, "the session ended: %s", reason);
    request->session = NULL;
    request->token = 0;
    go_on(request, NULL, &error);
}

static const struct gateway_events session_events = {.ended = on_ended};

static void on_login(void *arg, struct gateway_session *session, const struct error *error)
{
    struct request *request = arg;
    assert(request->magic == MAGIC);
    request->ticket = 0;
    request->session = session;
    if (session != NULL)
        gateway_listen(session, &session_events, request);
    go_on(request, NULL, error);
}

static const struct error no_memory = {ERROR_UNAVAILABLE, "out of memory; try again later"},
                          no_session = {ERROR_UNAVAILABLE, "the session ended meanwhile; sign in again"};

void request_login(struct request *request, const char *password, request_then *then)
{
    char address[64] = "";
    uv_ip_name((const struct sockaddr *)&request->place->peer, address, sizeof address);
    struct gateway_login login = {request->entry.account, password, "web", address};
    request_logout(request);
    request->then = then;
    request->ticket = gateway_login(request->site->gateway, &login, on_login, request);
    if (request->ticket == 0)
        go_on(request, NULL, &no_memory);
}

void request_operator(struct request *request, request_then *then)
{
    request_logout(request);
    request->session = gateway_operator(request->site->gateway);
    if (request->session != NULL)
        gateway_listen(request->session, &session_events, request);
    then(request, NULL, request->session != NULL ? NULL : &no_memory);
}

static void on_done(void *arg, json_t *result, const struct error *error)
{
    struct request *request = arg;
    assert(request->magic == MAGIC);
    request->token = 0;
    go_on(request, result, error);
}

void request_do(struct request *request, const json_t *command, request_then *then)
{
    struct error *error = NULL;
    if (command == NULL || request->session == NULL) {
        then(request, NULL, command == NULL ? &no_memory : &no_session);
        return;
    }
    request->then = then;
    request->token = gateway_do(request->session, command, on_done, request, &error);
    if (request->token == 0)
        go_on(request, NULL, error != NULL ? error : &no_memory);
    error_free(error);
}

void request_do_new(struct request *request, json_t *command, request_then *then)
{
    request_do(request, command, then);
    json_decref(command);
}

void request_logout(struct request *request)
{
    if (request->session != NULL)
        gateway_logout(request->session);
    request->session = NULL;
    request->token = 0;
}

void request_cancel(struct request *request)
{
    assert(request->magic == MAGIC);
    request->then = NULL;
    if (request->ticket != 0)
        gateway_login_cancel(request->site->gateway, request->ticket);
    if (request->setup_ticket != 0)
        setup_forget(request->setup, request->setup_ticket);
    request->ticket = request->setup_ticket = 0;
    request_logout(request); /* what was asked is not answered then */
    request_resume(request);
}

void request_free(struct request *request)
{
    request_cancel(request);
    wipe_cookie(request->response);
    if (request->response != NULL)
        MHD_destroy_response(request->response);
    json_decref(request->input);
    json_decref(request->shown);
    json_decref(request->source);
    buffer_free(&request->body);
    buffer_free(&request->piece);
    OPENSSL_cleanse(request, sizeof *request);
    free(request);
}
