/* SPDX-License-Identifier: ISC */
#include "http_scene.h"

#include <sys/stat.h>

static int set_up(void **state)
{
    (void)state;
    scene_open(false);
    return 0;
}

static int set_up_first(void **state)
{
    (void)state;
    scene_open(true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    reply_clear();
    scene_close();
    return 0;
}

static unsigned post(const char *path, const char *fields, const char *body)
{
    char all[2048];
    snprintf(all, sizeof all, "%s%s", fields, JSON_TYPE);
    return ask("POST", path, all, body);
}

static bool is_signed_in(void)
{
    assert_int_equal(ask("GET", "/api/1/session", cookie_line, NULL), 200);
    return json_is_true(json_object_get(reply_json(), "signed_in"));
}

#define RIGHT "{\"account\": \"alice\", \"password\": \"correct horse\"}"
#define WRONG "{\"account\": \"alice\", \"password\": \"battery staple\"}"

static void nobody_is_signed_in_at_first(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/api/1/session", "", NULL), 200);
    const json_t *value = reply_json();
    assert_true(json_is_false(json_object_get(value, "signed_in")));
    assert_true(json_is_false(json_object_get(value, "setup")));
    assert_string_equal(fake_text(value, "vault"), "open");
    assert_string_equal(fake_text(value, "version"), RETROGATE_VERSION);
    assert_null(json_object_get(value, "token"));
    assert_string_equal(reply_field("Set-Cookie"), "");
}

static void a_browser_gets_a_password_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(
        post("/api/1/session",
             "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n", RIGHT),
        200);
    assert_string_equal(reply_text("account"), "alice");
    const char *cookie = reply_field("Set-Cookie");
    assert_int_equal(strncmp(cookie, "retrogate-8080=", 15), 0);
    assert_non_null(strstr(cookie, "; Path=/; HttpOnly; SameSite=Strict"));
    assert_null(strstr(cookie, "Secure"));
    assert_null(strstr(cookie, "Max-Age"));
    const struct fake_login *made = &scene.gateway.logins[1];
    assert_string_equal(made->label, "Browser: Firefox on Linux");
    assert_int_equal(made->idle, 86400);
    keep_session();
    assert_true(is_signed_in());
    assert_string_equal(reply_field("Set-Cookie"), "");
    assert_string_equal(reply_text("account"), "alice");
    assert_non_null(strstr(token_line, reply_text("token")));
    /* The cookie is for one port only, and TLS has one of another name. */
    assert_int_equal(ask_over(true, "GET", "/api/1/session", cookie_line, NULL), 200);
    assert_true(json_is_false(json_object_get(reply_json(), "signed_in")));
}

static void staying_signed_in_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(ask_over(true, "POST", "/api/1/session", JSON_TYPE,
                              "{\"account\": \"alice\", \"password\": \"correct horse\", \"keep\": true}"),
                     200);
    const char *cookie = reply_field("Set-Cookie");
    assert_int_equal(strncmp(cookie, "__Host-retrogate-8443=", 22), 0);
    assert_non_null(strstr(cookie, "; Secure"));
    assert_non_null(strstr(cookie, "; Max-Age=2592000"));
    assert_int_equal(scene.gateway.logins[1].idle, 2592000);
    assert_string_equal(scene.gateway.logins[1].label, "Browser: unknown browser");
    /* Each visit begins the time anew. */
    char first[512];
    snprintf(first, sizeof first, "%s", cookie);
    keep_session();
    assert_int_equal(ask_over(true, "GET", "/api/1/session", cookie_line, NULL), 200);
    assert_string_equal(reply_field("Set-Cookie"), first);
}

static void an_app_password_goes_into_the_cookie_itself(void **state)
{
    (void)state;
    snprintf(fake_add(&scene.gateway, "alice", "app-1", true)->label, 64, "laptop");
    assert_int_equal(post("/api/1/session", "", "{\"account\": \"alice\", \"password\": \"app-1\"}"), 200);
    keep_session();
    assert_int_equal(scene.gateway.login_count, 2);
    assert_true(is_signed_in());
    /* A person made it: signing out here leaves it to its other uses. */
    assert_int_equal(ask("DELETE", "/api/1/session", signed_lines, NULL), 204);
    assert_false(scene.gateway.logins[1].gone);
    assert_non_null(strstr(reply_field("Set-Cookie"), "Max-Age=0"));
}

static void the_persons_password_goes_into_no_cookie(void **state)
{
    (void)state;
    scene.gateway.none_made = true;
    assert_int_equal(post("/api/1/session", "", RIGHT), 403);
    assert_string_equal(reply_field("Set-Cookie"), "");
}

static void refusals_have_their_status(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "{}",
        "{\"account\": \"alice\"}",
        "{\"account\": \"alice\", \"password\": 1}",
        "{\"account\": \"alice\", \"password\": \"x\", \"keep\": \"yes\"}",
        "{\"account\": \"alice\", \"password\": \"x\", \"more\": 1}",
        "{\"account\": \"al\\u0000ice\", \"password\": \"x\"}",
        "[]",
        "",
    };
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        assert_int_equal(post("/api/1/session", "", malformed[i]), 400);
    for (unsigned i = 0; i < FAKE_FAILURES; i++) {
        assert_int_equal(post("/api/1/session", "", WRONG), 401);
        assert_string_equal(reply_code(), "denied");
        assert_string_equal(reply_field("Set-Cookie"), "");
    }
    assert_int_equal(post("/api/1/session", "", WRONG), 429);
    assert_string_equal(reply_field("Retry-After"), "4");
    scene.gateway.locked = (struct error){ERROR_LOCKED, "the vault is locked"};
    assert_int_equal(post("/api/1/session", "", RIGHT), 503);
    assert_string_equal(reply_code(), "locked");
    assert_int_equal(ask("GET", "/api/1/session", "", NULL), 200);
    assert_string_equal(reply_text("vault"), "locked");
    assert_int_equal(
        post("/api/1/session", "",
             "{\"account\": \"a-name-that-is-far-longer-than-any-account-of-a-gateway-may-have\", "
             "\"password\": "
             "\"x\"}"),
        401);
}

static void signing_out_ends_the_password(void **state)
{
    (void)state;
    char old[sizeof cookie_line];
    sign_in();
    memcpy(old, cookie_line, sizeof old);
    assert_int_equal(ask("DELETE", "/api/1/session", cookie_line, NULL), 403);
    assert_true(is_signed_in());
    assert_int_equal(ask("DELETE", "/api/1/session", signed_lines, NULL), 204);
    assert_true(scene.gateway.logins[1].gone);
    assert_string_equal(reply_field("Clear-Site-Data"), "\"cache\"");
    assert_string_equal(reply_field("Set-Cookie"),
                        "retrogate-8080=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    /* What somebody kept of it is worth nothing, and the browser is told to drop it. */
    assert_false(is_signed_in());
    assert_non_null(strstr(reply_field("Set-Cookie"), "Max-Age=0"));
    assert_int_equal(ask("DELETE", "/api/1/session", signed_lines, NULL), 401);
    assert_non_null(strstr(reply_field("Set-Cookie"), "Max-Age=0"));
}

static void a_planted_cookie_is_not_taken_over(void **state)
{
    (void)state;
    char planted[sizeof cookie_line], twice[2048];
    sign_in();
    memcpy(planted, cookie_line, sizeof planted);
    assert_int_equal(post("/api/1/session", planted, RIGHT), 200);
    keep_session();
    assert_string_not_equal(planted, cookie_line);
    /* Two cookies of our name: neither counts. */
    snprintf(twice, sizeof twice, "%.*s; %s", (int)strcspn(planted, "\r"), planted,
             cookie_line + strlen("Cookie: "));
    assert_int_equal(ask("GET", "/api/1/session", twice, NULL), 200);
    assert_true(json_is_false(json_object_get(reply_json(), "signed_in")));
    snprintf(twice, sizeof twice, "%s%s", planted, cookie_line);
    assert_int_equal(ask("GET", "/api/1/session", twice, NULL), 400);
}

/* Every way by which a page of another origin could have a browser act. */
static void foreign_pages_act_for_nobody(void **state)
{
    (void)state;
    enum { COOKIE = 1, TOKEN = 2, JSON = 4 };
    static const struct {
        unsigned brings;
        const char *fields;
        unsigned status;
    } rows[] = {
        {COOKIE | TOKEN | JSON, "", 200},
        {COOKIE | TOKEN | JSON, "Origin: http://127.0.0.1:8080\r\nSec-Fetch-Site: same-origin\r\n", 200},
        {COOKIE | TOKEN | JSON, "Sec-Fetch-Site: none\r\n", 200},
        {COOKIE | JSON, "", 403},
        {COOKIE | JSON, "X-Retrogate-Token: \r\n", 403},
        {COOKIE | JSON,
         "X-Retrogate-Token: 0000000000000000000000000000000000000000000000000000000000000000\r\n", 403},
        {TOKEN | JSON, "", 401},
        {JSON, "", 401},
        {COOKIE | TOKEN, "Content-Type: text/plain\r\n", 415},
        {COOKIE | TOKEN, "Content-Type: application/x-www-form-urlencoded\r\n", 415},
        {COOKIE | TOKEN, "", 415},
        {COOKIE | TOKEN | JSON, "Origin: http://evil.example\r\n", 403},
        {COOKIE | TOKEN | JSON, "Origin: null\r\n", 403},
        {COOKIE | TOKEN | JSON, "Origin: \r\n", 403},
        {COOKIE | TOKEN | JSON, "Origin: http://127.0.0.1:8081\r\n", 403},
        {COOKIE | TOKEN | JSON, "Origin: http://127.0.0.1\r\n", 403},
        {COOKIE | TOKEN | JSON, "Origin: http://localhost:8080\r\n", 403},
        {COOKIE | TOKEN | JSON, "Origin: http://127.0.0.1:8080.evil.example\r\n", 403},
        {COOKIE | TOKEN | JSON, "Sec-Fetch-Site: cross-site\r\n", 403},
        {COOKIE | TOKEN | JSON, "Sec-Fetch-Site: same-site\r\n", 403},
        {COOKIE | TOKEN | JSON, "Origin: http://127.0.0.1:8080\r\nOrigin: http://evil.example\r\n", 400},
    };
    sign_in();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char fields[2048];
        snprintf(fields, sizeof fields, "%s%s%s%s", (rows[i].brings & COOKIE) != 0 ? cookie_line : "",
                 (rows[i].brings & TOKEN) != 0 ? token_line : "",
                 (rows[i].brings & JSON) != 0 ? JSON_TYPE : "", rows[i].fields);
        size_t before = json_array_size(scene.gateway.commands);
        unsigned status = ask("POST", "/api/1/do", fields, "{\"do\": \"contact.list\"}");
        if (status != rows[i].status)
            fail_msg("row %zu: %u, not %u", i, status, rows[i].status);
        assert_int_equal(json_array_size(scene.gateway.commands) - before, status == 200);
    }
    /* Signing in from a foreign page would make the victim write as somebody else. */
    assert_int_equal(post("/api/1/session", "Origin: http://evil.example\r\n", RIGHT), 403);
    assert_int_equal(ask("GET", "/api/1/session", "Sec-Fetch-Site: cross-site\r\n", NULL), 403);
    assert_int_equal(ask("OPTIONS", "/api/1/do", "Origin: http://evil.example\r\n", NULL), 405);
}

static void scripts_bring_an_app_password(void **state)
{
    (void)state;
    fake_add(&scene.gateway, "alice", "app-1", true);
    static const char right[] = "Authorization: Basic YWxpY2U6YXBwLTE=\r\n", /* alice:app-1 */
        wrong[] = "Authorization: Basic YWxpY2U6YXBwLTI=\r\n",
                      bearer[] = "Authorization: Bearer YWxpY2U6\r\n";
    assert_int_equal(post("/api/1/do", right, "{\"do\": \"contact.list\"}"), 200);
    assert_int_equal(post("/api/1/do", wrong, "{\"do\": \"contact.list\"}"), 401);
    assert_string_equal(reply_field("WWW-Authenticate"), "");
    assert_string_equal(reply_field("Set-Cookie"), "");
    assert_int_equal(post("/api/1/do", bearer, "{\"do\": \"contact.list\"}"), 401);
    /* One or the other, not what is left of both. */
    sign_in();
    char both[1024];
    snprintf(both, sizeof both, "%s%s", wrong, signed_lines);
    assert_int_equal(post("/api/1/do", both, "{\"do\": \"contact.list\"}"), 401);
}

static void ended_sessions_are_answered(void **state)
{
    (void)state;
    char fields[1024];
    sign_in();
    snprintf(fields, sizeof fields, "%s%s", signed_lines, JSON_TYPE);
    assert_int_equal(ask("POST", "/api/1/do", fields, "{\"do\": \"app_password.revoke\", \"own\": true}"),
                     503);
    assert_string_equal(reply_code(), "unavailable");
}

/* --- the first run */

static void read_code(char out[64])
{
    struct stat stat_of;
    FILE *file = fopen(scene_setup_file, "r");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
    assert_non_null(fgets(out, 64, file));
    out[strcspn(out, "\n")] = '\0';
    fclose(file);
    assert_string_equal(out, scene.site.setup_code);
}

static unsigned set_up_account(const char *code)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"code\": \"%s\", \"name\": \"alice\", \"password\": \"correct horse\", \"keep\": true}",
             code);
    return post("/api/1/setup", "", body);
}

static void the_first_account_is_made_with_the_code(void **state)
{
    (void)state;
    char code[64], typed[64];
    read_code(code);
    assert_int_equal(strlen(code), 19);
    assert_int_equal(scene.changed, 1);
    assert_int_equal(ask("GET", "/api/1/session", "", NULL), 200);
    assert_true(json_is_true(json_object_get(reply_json(), "setup")));
    assert_int_equal(set_up_account("0000-0000-0000-0000"), 403);
    assert_int_equal(set_up_account(""), 403);
    assert_int_equal(post("/api/1/setup", "", "{\"code\": \"x\"}"), 400);
    /* As a person types it. */
    for (size_t i = 0; i <= strlen(code); i++)
        typed[i] = (char)(code[i] == '-' ? ' ' : code[i] >= 'a' && code[i] <= 'z' ? code[i] - 32 : code[i]);
    assert_int_equal(set_up_account(typed), 200);
    assert_string_equal(reply_text("account"), "alice");
    assert_non_null(strstr(reply_field("Set-Cookie"), "; Max-Age=2592000"));
    keep_session();
    assert_true(is_signed_in());
    assert_true(json_is_false(json_object_get(reply_json(), "setup")));
    assert_int_equal(access(scene_setup_file, F_OK), -1);
    assert_int_equal(scene.changed, 2);
    assert_int_equal(set_up_account(code), 403);
}

/* Nobody guesses 80 bits; a code that changed with wrong ones would let anybody make the operator's link
 * stale. */
static void wrong_codes_change_nothing(void **state)
{
    (void)state;
    char code[64];
    read_code(code);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(set_up_account("aaaa-aaaa-aaaa-aaaa"), 403);
    assert_int_equal(scene.changed, 1);
    assert_int_equal(set_up_account(code), 200);
}

static void an_account_made_elsewhere_ends_the_first_run(void **state)
{
    (void)state;
    char code[64];
    read_code(code);
    fake_add(&scene.gateway, "bob", "secret", false);
    assert_int_equal(ask("GET", "/api/1/session", "", NULL), 200);
    assert_true(json_is_false(json_object_get(reply_json(), "setup")));
    assert_int_equal(access(scene_setup_file, F_OK), -1);
    assert_int_equal(set_up_account(code), 403);
}

static void the_code_makes_no_second_account(void **state)
{
    (void)state;
    char code[64];
    read_code(code);
    fake_add(&scene.gateway, "bob", "secret", false);
    assert_int_equal(set_up_account(code), 403);
    assert_int_equal(scene.gateway.login_count, 1);
    assert_int_equal(access(scene_setup_file, F_OK), -1);
}

static void the_code_dies_with_the_server(void **state)
{
    char code[64];
    read_code(code);
    tear_down(state);
    assert_int_equal(access(scene_setup_file, F_OK), -1);
    set_up(state);
}

int main(void)
{
#define TEST(name)  cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define FIRST(name) cmocka_unit_test_setup_teardown(name, set_up_first, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_signed_in_at_first),
        TEST(a_browser_gets_a_password_of_its_own),
        TEST(staying_signed_in_is_asked_for),
        TEST(an_app_password_goes_into_the_cookie_itself),
        TEST(the_persons_password_goes_into_no_cookie),
        TEST(refusals_have_their_status),
        TEST(signing_out_ends_the_password),
        TEST(a_planted_cookie_is_not_taken_over),
        TEST(foreign_pages_act_for_nobody),
        TEST(scripts_bring_an_app_password),
        TEST(ended_sessions_are_answered),
        FIRST(the_first_account_is_made_with_the_code),
        FIRST(wrong_codes_change_nothing),
        FIRST(an_account_made_elsewhere_ends_the_first_run),
        FIRST(the_code_makes_no_second_account),
        FIRST(the_code_dies_with_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
