/* SPDX-License-Identifier: ISC */
#include "http_scene.h"

static int set_up(void **state)
{
    (void)state;
    scene_open(false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    reply_clear();
    scene_close();
    return 0;
}

static const char description[] = "/api/1/openapi.json"; /* a file of web/ that is always there */

static void files_are_served_once(void **state)
{
    (void)state;
    char fields[128];
    assert_int_equal(ask("GET", description, "", NULL), 200);
    assert_string_equal(reply_field("Content-Type"), "application/json");
    assert_string_equal(reply_field("Cache-Control"), "no-cache");
    assert_string_equal(reply_field("Content-Encoding"), "");
    assert_non_null(reply_json());
    size_t plain = buffer_size(&reply.body);
    snprintf(fields, sizeof fields, "If-None-Match: W/\"no\", %s\r\n", reply_field("ETag"));
    assert_int_equal(ask("GET", description, fields, NULL), 304);
    assert_int_equal(buffer_size(&reply.body), 0);
    assert_int_equal(ask("GET", description, "If-None-Match: \"other\"\r\n", NULL), 200);

    assert_int_equal(ask("GET", description, "Accept-Encoding: br, gzip\r\n", NULL), 200);
    assert_string_equal(reply_field("Content-Encoding"), "gzip");
    assert_string_equal(reply_field("Vary"), "Accept-Encoding");
    assert_true(buffer_size(&reply.body) < plain);
    assert_memory_equal(buffer_view(&reply.body).data, "\x1f\x8b", 2);
    snprintf(fields, sizeof fields, "If-None-Match: %s\r\n", reply_field("ETag"));
    assert_int_equal(ask("GET", description, fields, NULL), 304);
    assert_int_equal(ask("GET", description, "Accept-Encoding: gzip;q=0\r\n", NULL), 200);
    assert_string_equal(reply_field("Content-Encoding"), "");

    assert_int_equal(ask("HEAD", description, "", NULL), 200);
    assert_int_equal(strtoul(reply_field("Content-Length"), NULL, 10), plain);
}

static void files_come_from_a_folder_while_developing(void **state)
{
    (void)state;
    char folder[] = "/tmp/http-XXXXXX", name[64], tag[128];
    assert_non_null(mkdtemp(folder));
    scene.site.files = folder;
    assert_int_equal(ask("GET", description, "", NULL), 404);
    snprintf(name, sizeof name, "%s/openapi.json", folder);
    for (unsigned i = 0; i < 2; i++) {
        FILE *file = fopen(name, "w");
        assert_non_null(file);
        fprintf(file, "{\"edited\": %u}", i);
        fclose(file);
        assert_int_equal(ask("GET", description, "Accept-Encoding: gzip\r\n", NULL), 200);
        assert_int_equal(json_integer_value(json_object_get(reply_json(), "edited")), i);
        snprintf(tag, sizeof tag, "If-None-Match: %s\r\n", reply_field("ETag"));
        assert_int_equal(ask("GET", description, tag, NULL), 304);
    }
    /* What is in the folder and not compiled in is not served. */
    snprintf(name, sizeof name, "%s/secret.txt", folder);
    fclose(fopen(name, "w"));
    assert_int_equal(ask("GET", "/secret.txt", "", NULL), 404);
    unlink(name);
    snprintf(name, sizeof name, "%s/openapi.json", folder);
    unlink(name);
    rmdir(folder);
}

static void no_path_leaves_the_table(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/../openapi.json",
        "/..%2fopenapi.json",
        "/%2e%2e/openapi.json",
        "//openapi.json",
        "/./openapi.json",
        "/openapi.json%00.html",
        "/openapi.json",
        "/api/1/openapi.json%00",
        "/lang/../openapi.json",
        "/..\\openapi.json",
        "/etc/passwd",
        "/api/1/../1/session",
        "/api/1/session/",
        "http://x/openapi.json",
        "/api/1/blob/../do",
        "/api/1//session",
        "/api/1/openapi%2ejson",
        "/%c0%ae%c0%ae/etc/shadow",
        "*",
        "/.git/config",
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        unsigned status = ask("GET", paths[i], "", NULL);
        if (status != 404 && status != 400 && status != 401)
            fail_msg("%s was answered %u", paths[i], status);
    }
}

static void every_answer_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *fields;
        unsigned status;
    } rows[] = {
        {"GET", "/api/1/openapi.json", "", 200},     {"GET", "/nothing", "", 404},
        {"POST", "/api/1/openapi.json", "", 405},    {"GET", "/api/1/nothing", "", 404},
        {"PUT", "/api/1/session", "", 405},          {"GET", "/api/1/session", "", 200},
        {"GET", "/", "Host: evil.example\r\n", 421}, {"OPTIONS", "/api/1/do", "", 405},
        {"TRACE", "/api/1/openapi.json", "", 405},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ask(rows[i].method, rows[i].path, rows[i].fields, NULL), rows[i].status);
        const char *policy = reply_field("Content-Security-Policy");
        assert_non_null(strstr(policy, "default-src 'none'"));
        assert_non_null(strstr(policy, "require-trusted-types-for 'script'"));
        if (rows[i].status != 421)
            assert_non_null(strstr(policy, "connect-src 'self' ws://127.0.0.1:8080 wss://127.0.0.1:8080;"));
        assert_null(strstr(reply.head, "evil"));
        assert_string_equal(reply_field("X-Content-Type-Options"), "nosniff");
        assert_string_equal(reply_field("Referrer-Policy"), "no-referrer");
        assert_string_equal(reply_field("Cross-Origin-Opener-Policy"), "same-origin");
        assert_string_equal(reply_field("Cross-Origin-Resource-Policy"), "same-origin");
        assert_non_null(strstr(reply_field("Permissions-Policy"), "camera=(self)"));
        assert_string_equal(reply_field("Access-Control-Allow-Origin"), "");
        assert_string_equal(reply_field("WWW-Authenticate"), "");
        if (strncmp(rows[i].path, "/api", 4) == 0 && strstr(rows[i].path, "openapi") == NULL) {
            assert_string_equal(reply_field("Cache-Control"), "no-store");
            assert_non_null(reply_json());
        }
    }
    ask("PUT", "/api/1/session", "", NULL);
    assert_string_equal(reply_field("Allow"), "GET, HEAD, POST, DELETE");
    assert_int_equal(ask_over(true, "GET", "/nothing", "", NULL), 404);
    assert_non_null(
        strstr(reply_field("Content-Security-Policy"), "connect-src 'self' wss://127.0.0.1:8080;"));
}

static void hosts_are_known_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        unsigned status;
    } rows[] = {
        {"Host: chat.example.org\r\n", 200},
        {"Host: CHAT.example.org.:8080\r\n", 200},
        {"Host: [::1]:8080\r\n", 200},
        {"Host: localhost\r\n", 200},
        {"Host: evil.example\r\n", 421},
        {"Host: chat.example.org.evil.example\r\n", 421},
        {"Host: <script>\r\n", 421},
        {"Host: 127.0.0.1; evil\r\n", 421},
        {"Host: \r\n", 421},
        {"Host: localhost\r\nHost: localhost\r\n", 400},
        {"Host: localhost\r\nhost: evil.example\r\n", 400},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned status = ask("GET", "/api/1/session", rows[i].fields, NULL);
        if (status != rows[i].status)
            fail_msg("%s was answered %u", rows[i].fields, status);
    }
    ask("GET", "/", "Host: <b>evil\r\n", NULL);
    assert_int_equal(reply.status, 421);
    const char *text = buffer_string(&reply.body);
    assert_non_null(strstr(text, "web.names"));
    assert_null(strstr(text, "evil"));
}

static void a_websocket_needs_a_fresh_connection(void **state)
{
    (void)state;
    static const char first[] = "GET /api/1/session HTTP/1.1\r\nHost: localhost\r\n\r\n",
                      second[] = "GET /api/1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n";
    int fd = scene_connect(false);
    assert_int_equal(scene_ask(fd, first, strlen(first)), 200);
    assert_int_equal(scene_ask(fd, second, strlen(second)), 426);
    assert_string_equal(reply_field("Upgrade"), "websocket");
    assert_string_equal(reply_code(), "invalid");
    assert_int_equal(scene_ask(fd, first, 0), 0);
    close(fd);
}

static void requests_follow_each_other(void **state)
{
    (void)state;
    static const char one[] = "GET /api/1/session HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int fd = scene_connect(false);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(scene_ask(fd, one, strlen(one)), 200);
    /* Pages, and what is refused although a body comes along. */
    static const char *const others[] = {
        "GET /api/1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "POST /api/1/do HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        "4\r\n\r\n{}{}",
        "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
        "HEAD /api/1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n",
    };
    static const unsigned statuses[] = {200, 404, 421, 401, 404, 200};
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(scene_ask(fd, others[i % 6], strlen(others[i % 6])), statuses[i % 6]);
    /* Byte by byte. */
    for (size_t i = 0; i + 1 < strlen(one); i++) {
        assert_int_equal(write(fd, one + i, 1), 1);
        scene_turn();
    }
    assert_int_equal(scene_ask(fd, one + strlen(one) - 1, 1), 200);
    close(fd);
}

static void bodies_have_limits(void **state)
{
    (void)state;
    sign_in();
    char fields[1024];
    struct buffer large = buffer_make(2 << 20);
    for (unsigned i = 0; i < 70000; i++)
        buffer_append(&large, " ", 1);
    assert_int_equal(ask("POST", "/api/1/session", JSON_TYPE, buffer_string(&large)), 413);
    assert_string_equal(reply_code(), "limit");
    snprintf(fields, sizeof fields, "%s%s", signed_lines, JSON_TYPE);
    assert_int_equal(ask("POST", "/api/1/qr", fields, buffer_string(&large)), 413);
    /* A large command is let through, to the JSON reader. */
    assert_int_equal(ask("POST", "/api/1/do", fields, buffer_string(&large)), 400);
    buffer_append_string(&large, "{\"do\": \"contact.list\"}");
    assert_int_equal(ask("POST", "/api/1/do", fields, buffer_string(&large)), 200);
    while (buffer_size(&large) <= 1 << 20)
        buffer_append(&large, "                ", 16);
    assert_int_equal(ask("POST", "/api/1/do", fields, buffer_string(&large)), 413);
    buffer_free(&large);
    snprintf(fields, sizeof fields, "%s%sTransfer-Encoding: chunked\r\n", signed_lines, JSON_TYPE);
    assert_int_equal(ask("POST", "/api/1/do", fields, NULL), 411);
    snprintf(fields, sizeof fields, "%s%s", signed_lines, JSON_TYPE);
    assert_int_equal(ask("POST", "/api/1/do", fields, NULL), 411);
    snprintf(fields, sizeof fields, "%sContent-Type: text/plain\r\n", signed_lines);
    assert_int_equal(ask("POST", "/api/1/do", fields, "{\"do\": \"contact.list\"}"), 415);
    assert_int_equal(ask("GET", "/api/1/session", "", "x"), 413);
}

/* Memory is for those who may come in: the log-in is answered before the body is taken. */
static void strangers_send_no_large_bodies(void **state)
{
    (void)state;
#define STRANGER "Authorization: Basic YWxpY2U6eA==\r\n" JSON_TYPE
    static const char head[] =
        "POST /api/1/do HTTP/1.1\r\nHost: localhost\r\n" STRANGER "Content-Length: 1000000\r\n\r\n";
    int fd = scene_connect(false);
    assert_int_equal(scene_ask(fd, head, strlen(head)), 401);
    assert_int_equal(scene_ask(fd, head, 0), 0);
    close(fd);
    assert_int_equal(ask("POST", "/api/1/do", STRANGER, "no JSON"), 401);
}

static void a_session_may_end_while_the_body_comes(void **state)
{
    (void)state;
    static const char body[] = "{\"do\": \"contact.list\"}";
    char head[1024];
    sign_in();
    snprintf(head, sizeof head,
             "POST /api/1/do HTTP/1.1\r\nHost: localhost\r\n%s" JSON_TYPE "Content-Length: %zu\r\n\r\n",
             signed_lines, strlen(body));
    int fd = scene_connect(false);
    assert_int_equal(write(fd, head, strlen(head)), strlen(head));
    for (unsigned turns = 0; turns < 1000 && scene.gateway.sessions == NULL; turns++)
        scene_turn();
    struct gateway_session *session = scene.gateway.sessions;
    assert_non_null(session);
    session->events->ended(session->arg, "the app password was revoked");
    gateway_logout(session);
    assert_int_equal(scene_ask(fd, body, strlen(body)), 503);
    assert_string_equal(reply_code(), "unavailable");
    assert_null(strstr(buffer_string(&reply.body), "memory"));
    close(fd);
}

static void commands_are_answered_by_their_codes(void **state)
{
    (void)state;
    static const struct {
        enum error_code code;
        unsigned status;
    } rows[] = {
        {ERROR_INVALID, 400}, {ERROR_NOT_FOUND, 404},   {ERROR_EXISTS, 409},
        {ERROR_DENIED, 403},  {ERROR_LIMIT, 429},       {ERROR_LOCKED, 503},
        {ERROR_EXPIRED, 409}, {ERROR_UNAVAILABLE, 503}, {ERROR_INTERNAL, 503},
    };
    char fields[1024];
    sign_in();
    snprintf(fields, sizeof fields, "%s%s", signed_lines, JSON_TYPE);
    assert_int_equal(ask("POST", "/api/1/do", fields, "{\"do\": \"contact.list\"}"), 200);
    assert_true(json_is_array(json_object_get(json_object_get(reply_json(), "done"), "contacts")));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene.gateway.refuse = (struct error){rows[i].code, "the thing, the cause, the next step"};
        assert_int_equal(ask("POST", "/api/1/do", fields, "{\"do\": \"say\"}"), rows[i].status);
        assert_string_equal(reply_code(), error_word(rows[i].code));
    }
    assert_int_equal(ask("POST", "/api/1/do", fields, "{\"do\": \"nonsense\"}"), 400);
    assert_int_equal(ask("POST", "/api/1/do", fields, "[1]"), 400);
    assert_int_equal(ask("POST", "/api/1/do", fields, "{\"do\": \"contact.list\", \"id\": 1}"), 400);
    assert_int_equal(ask("POST", "/api/1/do", fields, "{\"do\": 1, \"do\": 2}"), 400);
    assert_int_equal(ask("POST", "/api/1/do", fields, ""), 400);
}

#define BLOB "/api/1/blob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void blobs_are_pictures_or_nothing_special(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *type;
    } rows[] = {
        {"\x89PNG\r\n\x1a\n....", "image/png"},
        {"\xff\xd8\xff\xe0....", "image/jpeg"},
        {"<svg xmlns='http://www.w3.org/2000/svg'/>", "application/octet-stream"},
        {"<!doctype html><script>", "application/octet-stream"},
        {"GIF89a", "application/octet-stream"},
        {"", "application/octet-stream"},
    };
    sign_in();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene.gateway.blob_size = strlen(rows[i].bytes);
        memcpy(scene.gateway.blob, rows[i].bytes, scene.gateway.blob_size);
        assert_int_equal(ask("GET", BLOB, cookie_line, NULL), 200);
        assert_string_equal(reply_field("Content-Type"), rows[i].type);
        assert_string_equal(reply_field("Content-Security-Policy"), "default-src 'none'; sandbox");
        assert_string_equal(reply_field("Content-Disposition"),
                            strncmp(rows[i].type, "image", 5) == 0 ? "" : "attachment");
        assert_string_equal(reply_field("Cache-Control"), "no-store");
        assert_bytes_equal(buffer_view(&reply.body), bytes_of(scene.gateway.blob, scene.gateway.blob_size));
    }
    assert_int_equal(ask("GET", BLOB, "", NULL), 401);
    assert_int_equal(ask("GET", "/api/1/blob/", cookie_line, NULL), 404);
    assert_int_equal(ask("GET", "/api/1/blob/aa", cookie_line, NULL), 404);
    assert_int_equal(ask("GET", BLOB "/../x", cookie_line, NULL), 404);
}

static void large_blobs_come_in_pieces(void **state)
{
    (void)state;
    struct random_seeded seed;
    struct random_source random = random_from_seed(&seed, 1);
    sign_in();
    scene.gateway.blob_size = sizeof scene.gateway.blob;
    random.fill(random.state, scene.gateway.blob, scene.gateway.blob_size);
    assert_int_equal(ask("GET", BLOB, cookie_line, NULL), 200);
    assert_bytes_equal(buffer_view(&reply.body), bytes_of(scene.gateway.blob, scene.gateway.blob_size));
    /* What breaks off is not taken for the whole. */
    scene.gateway.blob_breaks = true;
    assert_int_equal(ask("GET", BLOB, cookie_line, NULL), 0);
    assert_true(reply.closed);
}

static void qr_codes_are_rows(void **state)
{
    (void)state;
    char fields[1024];
    sign_in();
    snprintf(fields, sizeof fields, "%s%s", signed_lines, JSON_TYPE);
    assert_int_equal(ask("POST", "/api/1/qr", fields, "{\"text\": \"hello\"}"), 200);
    const json_t *value = reply_json(), *rows = json_object_get(value, "rows");
    assert_int_equal(json_integer_value(json_object_get(value, "size")), 21);
    assert_int_equal(json_array_size(rows), 21);
    assert_string_equal(json_string_value(json_array_get(rows, 0)) + 14, "1111111"); /* a finder's edge */
    struct buffer text = buffer_make(4096);
    buffer_append_string(&text, "{\"text\": \"");
    while (buffer_size(&text) < 10 + 2900)
        buffer_append(&text, "a", 1);
    buffer_append_string(&text, "\"}");
    assert_int_equal(ask("POST", "/api/1/qr", fields, buffer_string(&text)), 200);
    buffer_clear(&text);
    buffer_append_string(&text, "{\"text\": \"a");
    while (buffer_size(&text) < 11 + 2900)
        buffer_append(&text, "a", 1);
    buffer_append_string(&text, "\"}");
    assert_int_equal(ask("POST", "/api/1/qr", fields, buffer_string(&text)), 400);
    buffer_free(&text);
    assert_int_equal(ask("POST", "/api/1/qr", fields, "{\"text\": \"\"}"), 400);
    assert_int_equal(ask("POST", "/api/1/qr", fields, "{\"text\": \"x\", \"more\": 1}"), 400);
}

/* Each byte is in time for the library; the whole is not. */
static void dripping_requests_are_cut_off(void **state)
{
    (void)state;
    static const char *const begun[] = {
        "GET /api/1/session HTTP/1.1\r\nHost: localhost\r\nX: ",
        "POST /api/1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 60000\r\n\r\n"};
    http_set_patience(scene.http, 40, 40);
    for (size_t i = 0; i < 2; i++) {
        int fd = scene_connect(false);
        char byte;
        assert_int_equal(write(fd, begun[i], strlen(begun[i])), strlen(begun[i]));
        for (unsigned turns = 0; turns < 5000 && scene.places > 0; turns++) {
            if (send(fd, "x", 1, MSG_NOSIGNAL) < 0)
                assert_true(errno == EPIPE || errno == EAGAIN);
            scene_turn();
            usleep(1000);
        }
        assert_int_equal(scene.places, 0);
        assert_int_equal(read(fd, &byte, 1), 0);
        close(fd);
    }
    /* And one that waits too long for the gateway. */
    scene.gateway.hold = true;
    int fd = scene_connect(false);
    static const char whole[] = "GET /api/1/session HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_int_equal(write(fd, whole, strlen(whole)), strlen(whole));
    uint64_t end = clock_monotonic_ms() + 200;
    while (clock_monotonic_ms() < end)
        scene_turn();
    scene.gateway.hold = false;
    for (unsigned turns = 0; turns < 5000 && scene.places > 0; turns++)
        scene_turn();
    assert_int_equal(scene.places, 0);
    close(fd);
}

static void closing_ends_what_waits(void **state)
{
    (void)state;
    static const char requests[][120] = {
        "GET /api/1/session HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /api/1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-L",
        "GET /api/1/session HTTP/1.1\r\nHo", ""};
    int fds[4];
    char byte;
    scene.gateway.hold = true;
    for (size_t i = 0; i < 4; i++) {
        fds[i] = scene_connect(false);
        assert_int_equal(write(fds[i], requests[i], strlen(requests[i])), strlen(requests[i]));
    }
    for (unsigned i = 0; i < 20; i++)
        scene_turn();
    assert_non_null(scene.gateway.answers);
    tear_down(NULL);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(read(fds[i], &byte, 1), 0);
        close(fds[i]);
    }
    set_up(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(files_are_served_once),
        TEST(files_come_from_a_folder_while_developing),
        TEST(no_path_leaves_the_table),
        TEST(every_answer_is_strict),
        TEST(hosts_are_known_or_refused),
        TEST(a_websocket_needs_a_fresh_connection),
        TEST(requests_follow_each_other),
        TEST(bodies_have_limits),
        TEST(strangers_send_no_large_bodies),
        TEST(a_session_may_end_while_the_body_comes),
        TEST(commands_are_answered_by_their_codes),
        TEST(blobs_are_pictures_or_nothing_special),
        TEST(large_blobs_come_in_pieces),
        TEST(qr_codes_are_rows),
        TEST(dripping_requests_are_cut_off),
        TEST(closing_ends_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
