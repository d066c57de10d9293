/* SPDX-License-Identifier: ISC */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "fields.h"
#include "http_answer.h"

/* Signing in and out, and the first run. A browser that signs in with its account's password is given an app
 * password of its own, which its cookie holds: the person's password is not kept anywhere. */

enum { DAY_S = 86400, KEEP_S = 30 * DAY_S, LABEL_SIZE = 64 };

static const char label_start[] = "Browser: "; /* marks the app passwords that are made here */

/* The app password that this session came with, as app_password.list tells it; NULL: none. */
static const json_t *own_app_password(const json_t *result)
{
    const json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(result, "app_passwords"), i, entry)
    {
        if (json_is_true(json_object_get(entry, "own")))
            return entry;
    }
    return NULL;
}

static bool is_browsers(const json_t *app_password)
{
    const char *label = json_string_value(json_object_get(app_password, "label"));
    return label != NULL && strncmp(label, label_start, sizeof label_start - 1) == 0;
}

/* --- who is it? */

static void show(struct request *request)
{
    answer_json(request, MHD_HTTP_OK, json_incref(request->shown));
}

/* Who stays signed in is so for a time of disuse: the cookie is given a new date like the password behind it.
 */
static void show_own(struct request *request, json_t *result, const struct error *error)
{
    const json_t *own = error == NULL ? own_app_password(result) : NULL;
    show(request);
    if (is_browsers(own) && json_integer_value(json_object_get(own, "idle")) == KEEP_S)
        answer_cookie(request, &request->entry, KEEP_S);
}

static void show_account(struct request *request, json_t *result, const struct error *error)
{
    char token[ENTRY_TOKEN_SIZE];
    (void)result;
    if (error == NULL) {
        entry_token(token, &request->entry);
        json_object_set_new(request->shown, "signed_in", json_true());
        json_object_set_new(request->shown, "account", json_string(gateway_account_name(request->session)));
        json_object_set_new(request->shown, "token", json_string(token));
        OPENSSL_cleanse(token, sizeof token);
        request_do_new(request, json_pack("{s:s}", "do", "app_password.list"), show_own);
    } else if (error->code == ERROR_DENIED || error->code == ERROR_LOCKED) {
        /* What is denied once is denied for ever, and each try would count as a failed log-in. */
        request->drop = error->code == ERROR_DENIED;
        show(request);
    } else {
        answer_login_error(request, error);
    }
}

static void look_at_cookie(struct request *request, json_t *account, const struct error *error)
{
    (void)account;
    (void)error;
    request->setup_ticket = 0;
    json_object_set_new(request->shown, "setup", json_boolean(request->site->setup_code[0] != '\0'));
    if (entry_cookie_read(&request->entry, request->place, request->fields[FIELD_COOKIE]))
        request_login(request, request->entry.password, show_account);
    else
        show(request);
}

static void setup_checked(void *arg, json_t *account, const struct error *error)
{
    look_at_cookie(arg, account, error);
}

static void show_vault(struct request *request, json_t *result, const struct error *error)
{
    const char *vault = json_string_value(json_object_get(result, "vault"));
    (void)error;
    json_object_set_new(request->shown, "vault", json_string(vault != NULL ? vault : "locked"));
    request_logout(request);
    if (request->site->setup_code[0] != '\0')
        request->setup_ticket = setup_check(request->setup, setup_checked, request);
    if (request->setup_ticket == 0)
        look_at_cookie(request, NULL, NULL);
}

static void ask_vault(struct request *request, json_t *result, const struct error *error)
{
    (void)result;
    if (error != NULL)
        answer_error(request, error);
    else
        request_do_new(request, json_pack("{s:s}", "do", "hello"), show_vault);
}

void session_show(struct request *request)
{
    request->shown = json_pack("{s:b,s:s}", "signed_in", 0, "version", RETROGATE_VERSION);
    request_operator(request, ask_vault);
}

/* --- signing in */

static void signed_in(struct request *request)
{
    char token[ENTRY_TOKEN_SIZE];
    int64_t account = gateway_account(request->session);
    log_info("web", "event=login account=%s", log_name(&account, sizeof account));
    entry_token(token, &request->entry);
    answer_json(request, MHD_HTTP_OK,
                json_pack("{s:s,s:s}", "account", gateway_account_name(request->session), "token", token));
    answer_cookie(request, &request->entry, request->keep ? KEEP_S : 0);
    OPENSSL_cleanse(token, sizeof token);
}

static const char *given_password(const struct request *request)
{
    return json_string_value(json_object_get(request->input, "password"));
}

static bool set_password(struct entry *entry, const char *password)
{
    bool fits = password != NULL && password[0] != '\0' && strlen(password) < sizeof entry->password;
    if (fits)
        memcpy(entry->password, password, strlen(password) + 1);
    return fits;
}

/* Only what is known to be an app password goes into the cookie. */
static void took_own(struct request *request, json_t *result, const struct error *error)
{
    if (error != NULL)
        answer_error(request, error);
    else if (own_app_password(result) == NULL || !set_password(&request->entry, given_password(request)))
        answer_refusal(request, MHD_HTTP_FORBIDDEN, ERROR_DENIED,
                       "this account may not make an app password for the browser");
    else
        signed_in(request);
}

static void made_own(struct request *request, json_t *result, const struct error *error)
{
    if (error != NULL && error->code == ERROR_DENIED)
        /* Who came with an app password makes no other. */
        request_do_new(request, json_pack("{s:s}", "do", "app_password.list"), took_own);
    else if (error != NULL)
        answer_error(request, error);
    else if (!set_password(&request->entry, json_string_value(json_object_get(result, "password"))))
        answer_refusal(request, MHD_HTTP_SERVICE_UNAVAILABLE, ERROR_INTERNAL,
                       "the app password made for this browser does not fit a cookie");
    else
        signed_in(request);
}

static void logged_in(struct request *request, json_t *result, const struct error *error)
{
    char browser[LABEL_SIZE - sizeof label_start], label[LABEL_SIZE];
    (void)result;
    if (error != NULL) {
        log_info("web", "event=refused code=%s", error_word(error->code));
        answer_login_error(request, error);
        return;
    }
    fields_browser(browser, sizeof browser, request->fields[FIELD_USER_AGENT]);
    snprintf(label, sizeof label, "%s%s", label_start, browser);
    request_do_new(request,
                   json_pack("{s:s,s:s,s:s,s:i}", "do", "app_password.new", "label", label, "scope", "web",
                             "idle", request->keep ? KEEP_S : DAY_S),
                   made_own);
}

/* A cookie that came along is not looked at: nobody is signed in with a session that another one made. */
static void log_in(struct request *request, const char *account)
{
    OPENSSL_cleanse(&request->entry, sizeof request->entry);
    if (strlen(account) >= sizeof request->entry.account) {
        answer_refusal(request, MHD_HTTP_UNAUTHORIZED, ERROR_DENIED, "wrong account or password");
        return;
    }
    memcpy(request->entry.account, account, strlen(account) + 1);
    request_login(request, given_password(request), logged_in);
}

static bool read_input(struct request *request, const char *example, bool read)
{
    if (!read)
        answer_refusal(request, MHD_HTTP_BAD_REQUEST, ERROR_INVALID, example);
    return read;
}

void session_begin(struct request *request)
{
    const char *account = NULL, *password = NULL;
    int keep = 0;
    if (!read_input(request,
                    "signing in needs {\"account\": text, \"password\": text, \"keep\"?: true or false}",
                    json_unpack(request->input, "{s:s,s:s,s?b!}", "account", &account, "password", &password,
                                "keep", &keep) == 0))
        return;
    request->keep = keep != 0;
    log_in(request, account);
}

/* --- signing out */

static void signed_out(struct request *request)
{
    request->drop = true;
    answer_empty(request, MHD_HTTP_NO_CONTENT);
    /* Not "cookies": that would sign out of everything else on this host, too. */
    answer_field(request, "Clear-Site-Data", "\"cache\"");
}

static void revoked(struct request *request, json_t *result, const struct error *error)
{
    (void)result;
    /* The session may end with its app password before the answer. */
    if (error != NULL && request->session != NULL)
        answer_error(request, error);
    else
        signed_out(request);
}

/* An app password that a person made is not this browser's to revoke. */
static void listed(struct request *request, json_t *result, const struct error *error)
{
    if (error != NULL)
        answer_error(request, error);
    else if (is_browsers(own_app_password(result)))
        request_do_new(request, json_pack("{s:s,s:b}", "do", "app_password.revoke", "own", 1), revoked);
    else
        signed_out(request);
}

void session_close(struct request *request)
{
    request_do_new(request, json_pack("{s:s}", "do", "app_password.list"), listed);
}

/* --- the first run */

static void first_made(void *arg, json_t *account, const struct error *error)
{
    struct request *request = arg;
    const char *name = json_string_value(json_object_get(account, "name"));
    request->setup_ticket = 0;
    if (error != NULL)
        answer_error(request, error);
    else
        log_in(request, name != NULL ? name : "");
}

void session_first(struct request *request)
{
    struct error *error = NULL;
    const char *code = NULL, *name = NULL, *password = NULL, *person = NULL;
    int keep = 0;
    if (!read_input(request,
                    "the first account needs {\"code\": text, \"name\": text, \"password\": text, "
                    "\"person\"?: text, \"keep\"?: true or false}",
                    json_unpack(request->input, "{s:s,s:s,s:s,s?s,s?b!}", "code", &code, "name", &name,
                                "password", &password, "person", &person, "keep", &keep) == 0))
        return;
    request->keep = keep != 0;
    json_t *command = json_pack("{s:s,s:s,s:s,s:s*,s:b}", "do", "account.add", "name", name, "password",
                                password, "person", person, "operator", 1);
    request->setup_ticket =
        setup_add(request->setup, bytes_of_string(code), command, first_made, request, &error);
    if (request->setup_ticket == 0)
        answer_error(request, error);
    error_free(error);
    json_decref(command);
}
