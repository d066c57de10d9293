/* SPDX-License-Identifier: ISC */
/* Attachments and messages as files, and uploads, over HTTP. */
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

#define PART    "/api/1/posts/5/parts/2"
#define MESSAGE "/api/1/posts/5/message"

static void fill_blob(size_t size)
{
    struct random_seeded seed;
    struct random_source random = random_from_seed(&seed, 1);
    scene.gateway.blob_size = size;
    random.fill(random.state, scene.gateway.blob, size);
}

static void expect_blob(void)
{
    assert_bytes_equal(buffer_view(&reply.body), bytes_of(scene.gateway.blob, scene.gateway.blob_size));
}

static void parts_are_files_that_do_no_harm(void **state)
{
    (void)state;
    static const struct {
        const char *type, *sent;
    } rows[] = {
        {"image/png", "image/png"},
        {"text/html", "application/octet-stream"},
        {"image/svg+xml", "application/octet-stream"},
        {"image/png\r\nSet-Cookie: x", "application/octet-stream"},
    };
    sign_in();
    fill_blob(100);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene.gateway.part_name = "a/b\r\nX-Evil: 1\"\xc3\xbc.png";
        scene.gateway.part_type = rows[i].type;
        assert_int_equal(ask("GET", PART, cookie_line, NULL), 200);
        expect_blob();
        assert_string_equal(reply_field("Content-Type"), rows[i].sent);
        assert_string_equal(reply_field("Content-Disposition"), "attachment; filename=\"bX-Evil_ 1__.png\"; "
                                                                "filename*=UTF-8''bX-Evil_%201_%C3%BC.png");
        assert_string_equal(reply_field("Content-Security-Policy"), "default-src 'none'; sandbox");
        assert_string_equal(reply_field("X-Content-Type-Options"), "nosniff");
        assert_string_equal(reply_field("Cache-Control"), "no-store");
        assert_string_equal(reply_field("X-Evil"), "");
    }
    assert_int_equal(ask("HEAD", PART, cookie_line, NULL), 200);
}

static void long_files_come_whole_or_break_off(void **state)
{
    (void)state;
    static const char *const paths[] = {PART, MESSAGE};
    scene.gateway.part_name = "x";
    scene.gateway.part_type = "x/y";
    sign_in();
    fill_blob(sizeof scene.gateway.blob);
    for (size_t i = 0; i < 2; i++) {
        scene.gateway.blob_breaks = false;
        assert_int_equal(ask("GET", paths[i], cookie_line, NULL), 200);
        expect_blob();
        scene.gateway.blob_breaks = true;
        assert_int_equal(ask("GET", paths[i], cookie_line, NULL), 0);
        assert_true(reply.closed);
    }
    fill_blob(0);
    scene.gateway.blob_breaks = false;
    assert_int_equal(ask("GET", PART, cookie_line, NULL), 200);
    expect_blob();
}

static void a_message_is_one_file(void **state)
{
    (void)state;
    sign_in();
    fill_blob(5000);
    assert_int_equal(ask("GET", MESSAGE, cookie_line, NULL), 200);
    expect_blob();
    assert_string_equal(reply_field("Content-Type"), "message/rfc822");
    assert_string_equal(reply_field("Content-Disposition"),
                        "attachment; filename=\"post-5.eml\"; filename*=UTF-8''post-5.eml");
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/api/1/posts/6/message",  "/api/1/posts/6/parts/2",
        "/api/1/posts/5/parts/1",  "/api/1/posts/5/parts/02",
        "/api/1/posts/5/parts/",   "/api/1/posts/5/parts/2/",
        "/api/1/posts/5/parts/+2", "/api/1/posts/5/parts/99999999999999999999",
        "/api/1/posts/x/message",  "/api/1/posts//message",
        "/api/1/posts/5",          "/api/1/posts/5/messages",
    };
    scene.gateway.part_name = "x";
    scene.gateway.part_type = "x/y";
    sign_in();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(ask("GET", paths[i], cookie_line, NULL), 404);
        assert_string_equal(reply_code(), "not-found");
    }
    assert_int_equal(ask("GET", PART, "", NULL), 401);
    assert_int_equal(ask("POST", PART, signed_lines, ""), 405);
    scene.gateway.part_name = NULL;
    scene.gateway.verdict = "locked";
    assert_int_equal(ask("GET", PART, cookie_line, NULL), 503);
    assert_string_equal(reply_code(), "locked");
}

/* --- uploads */

enum { UPLOAD = 3 << 20 };

struct upload {
    int fd;
    struct buffer request;
    size_t sent;
};

static struct upload upload_begin(size_t size)
{
    struct upload upload = {.fd = scene_connect(false), .request = buffer_make(8 << 20)};
    struct random_seeded seed;
    struct random_source random = random_from_seed(&seed, 2);
    buffer_printf(&upload.request,
                  "POST /api/1/uploads HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n",
                  signed_lines, size);
    uint8_t *at = buffer_reserve(&upload.request, size);
    assert_non_null(at);
    random.fill(random.state, at, size);
    buffer_commit(&upload.request, size);
    return upload;
}

/* Sends what is taken. */
static void upload_send(struct upload *upload, unsigned turns)
{
    struct bytes all = buffer_view(&upload->request);
    for (; turns > 0 && upload->sent < all.size; turns--) {
        ssize_t sent = send(upload->fd, all.data + upload->sent, all.size - upload->sent, MSG_NOSIGNAL);
        upload->sent += sent > 0 ? (size_t)sent : 0;
        scene_turn();
    }
}

static void upload_end(struct upload *upload)
{
    close(upload->fd);
    buffer_free(&upload->request);
    for (unsigned turns = 0; turns < 1000 && scene.places > 0; turns++)
        scene_turn();
    assert_int_equal(scene.places, 0);
}

static void uploads_arrive_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 256 << 10, (256 << 10) + 1, UPLOAD};
    sign_in();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct upload upload = upload_begin(sizes[i]);
        struct bytes all = buffer_view(&upload.request);
        buffer_clear(&scene.gateway.received);
        scene.gateway.kept = false;
        assert_int_equal(scene_ask(upload.fd, (const char *)all.data, all.size), 200);
        assert_int_equal(json_integer_value(json_object_get(reply_json(), "upload")), 7);
        assert_int_equal(json_integer_value(json_object_get(reply_json(), "size")), sizes[i]);
        assert_true(scene.gateway.kept);
        assert_bytes_equal(buffer_view(&scene.gateway.received),
                           bytes_of(all.data + all.size - sizes[i], sizes[i]));
        upload_end(&upload);
    }
}

/* What the gateway does not take stays with the client. */
static void a_slow_gateway_holds_the_client_back(void **state)
{
    (void)state;
    sign_in();
    struct upload upload = upload_begin(UPLOAD);
    while (buffer_size(&scene.gateway.received) == 0)
        upload_send(&upload, 1);
    scene.gateway.hold = true;
    upload_send(&upload, 3000);
    assert_true(upload.sent < 2 << 20);
    assert_true(buffer_size(&scene.gateway.received) < 1 << 20);
    scene.gateway.hold = false;
    struct bytes all = buffer_view(&upload.request);
    assert_int_equal(scene_ask(upload.fd, (const char *)all.data + upload.sent, all.size - upload.sent), 200);
    assert_int_equal(buffer_size(&scene.gateway.received), UPLOAD);
    upload_end(&upload);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    sign_in();
    scene.gateway.received_most = 600 << 10;
    struct upload upload = upload_begin(UPLOAD);
    struct bytes all = buffer_view(&upload.request);
    assert_int_equal(scene_ask(upload.fd, (const char *)all.data, all.size), 503);
    assert_string_equal(reply_code(), "unavailable");
    assert_false(scene.gateway.kept);
    upload_end(&upload);
}

static void who_breaks_off_leaves_nothing(void **state)
{
    (void)state;
    sign_in();
    for (unsigned turns = 1; turns < 200; turns += 9) {
        struct upload upload = upload_begin(UPLOAD);
        buffer_clear(&scene.gateway.received);
        upload_send(&upload, turns);
        upload_end(&upload);
        assert_null(scene.gateway.sessions);
        assert_false(scene.gateway.kept);
    }
}

static void strangers_bring_nothing(void **state)
{
    (void)state;
    sign_in();
    assert_int_equal(ask("POST", "/api/1/uploads", cookie_line, "x"), 403);
    assert_int_equal(ask("POST", "/api/1/uploads", token_line, "x"), 401);
    assert_int_equal(ask("POST", "/api/1/uploads", "Transfer-Encoding: chunked\r\n", NULL), 411);
    assert_int_equal(ask("POST", "/api/1/uploads", "Content-Length: 50331649\r\n", NULL), 413);
    assert_int_equal(ask("GET", "/api/1/uploads", cookie_line, NULL), 405);
    assert_int_equal(buffer_size(&scene.gateway.received), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(parts_are_files_that_do_no_harm),
        TEST(long_files_come_whole_or_break_off),
        TEST(a_message_is_one_file),
        TEST(what_is_not_there_is_told),
        TEST(uploads_arrive_whole),
        TEST(a_slow_gateway_holds_the_client_back),
        TEST(a_full_disk_is_told),
        TEST(who_breaks_off_leaves_nothing),
        TEST(strangers_bring_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
