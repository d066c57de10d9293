/* SPDX-License-Identifier: ISC */
#include "core/login.h"

#include <stdlib.h>
#include <string.h>

#include "core/app_passwords.h"
#include "core/commands.h"
#include "core/password.h"
#include "core/text.h"
#include "core/throttle.h"

struct login {
    struct gateway *gateway;
    uint64_t ticket;
    int64_t account; /* 0: there is none of that name */
    char scope[16];
    uint8_t throttle_key[THROTTLE_KEY_SIZE];
    int64_t app_password; /* that came; 0: none that is right */
    bool counted;         /* by the throttle */
    struct error *error;
    gateway_login_fn *done; /* NULL: cancelled */
    void *arg;
    struct login *prev, *next;
};

struct gateway_session *login_refuse(struct error **error)
{
    error_set(error, ERROR_DENIED,
              "wrong account or password; app passwords are made with retrogatectl app-password new");
    return NULL;
}

struct gateway_session *login_pause(uint64_t pause_ms, struct error **error)
{
    error_set(error, ERROR_LIMIT, "too many failed log-ins; wait %llu s and try again",
              (unsigned long long)(pause_ms / 1000 + 1));
    return NULL;
}

struct gateway_session *login_enter(struct account *account, const char *scope, int64_t app_password,
                                    struct error **error)
{
    struct gateway_session *session = NULL;
    if (account->gateway->phase == NODE_CLOSING)
        error_set(error, ERROR_UNAVAILABLE, "the gateway is stopping");
    else if (!account->unlocked)
        error_set(error, ERROR_LOCKED, "the vault is locked; the operator must run retrogatectl unlock");
    else if ((session = session_new(account->gateway, account, scope)) == NULL)
        error_set(error, ERROR_INTERNAL, "out of memory");
    else
        session->app_password = app_password;
    return session;
}

/* NULL with login->error. */
static struct gateway_session *let_in(struct login *login, bool matches)
{
    struct account *account = NULL;
    HASH_FIND(hh, login->gateway->accounts, &login->account, sizeof login->account, account);
    if (login->error != NULL)
        return NULL;
    /* It may have been revoked meanwhile. */
    if (account != NULL && login->app_password != 0)
        matches = app_password_find(account, login->app_password) != NULL;
    return matches && account != NULL ? login_enter(account, login->scope, login->app_password, &login->error)
                                      : login_refuse(&login->error);
}

static void answer(void *arg, const char *hash, bool matches)
{
    (void)hash;
    struct login *login = arg;
    struct gateway *gateway = login->gateway;
    DL_DELETE(gateway->logins, login);
    if (login->counted)
        throttle_end(&gateway->throttle, login->throttle_key, matches, uv_now(gateway->loop));
    if (login->done != NULL) {
        struct gateway_session *session = let_in(login, matches);
        login->done(login->arg, session, login->error);
    }
    error_free(login->error);
    OPENSSL_cleanse(login, sizeof *login);
    free(login);
}

/* An app password is cheap to check, but the answer still never comes before gateway_login() returned. */
static void no_work(uv_work_t *request)
{
    (void)request;
}

static void after_no_work(uv_work_t *request, int status)
{
    (void)status;
    struct login *login = request->data;
    struct gateway *gateway = login->gateway;
    free(request);
    answer(login, NULL, true);
    gateway_work_end(gateway);
}

static bool answer_later(struct login *login)
{
    uv_work_t *request = calloc(1, sizeof *request);
    if (request == NULL)
        return false;
    request->data = login;
    if (uv_queue_work(login->gateway->loop, request, no_work, after_no_work) != 0) {
        free(request);
        return false;
    }
    gateway_work_begin(login->gateway);
    return true;
}

uint64_t gateway_login(struct gateway *gateway, const struct gateway_login *wanted, gateway_login_fn *done,
                       void *arg)
{
    struct login *login = calloc(1, sizeof *login);
    if (login == NULL)
        return 0;
    login->gateway = gateway;
    login->ticket = ++gateway->last_ticket;
    login->done = done;
    login->arg = arg;
    text_copy(login->scope, sizeof login->scope, wanted->scope);
    throttle_key(login->throttle_key, wanted->account, wanted->address);
    struct account *account = account_by_name(gateway, wanted->account);
    if (account != NULL) {
        login->account = account->id;
        /* Also during a pause: 160 random bits are not guessed, and whoever guesses at the account's password
         * from behind the same address must not lock its devices out. */
        login->app_password = app_password_use(account, wanted->password, login->scope);
    }
    const char *hash = account != NULL ? account->password : "";
    /* A right app password is known at once: a mail client may log in many times at a time. */
    bool known = login->app_password != 0;
    if (!(known ? answer_later(login) : password_check(gateway, wanted->password, hash, answer, login))) {
        OPENSSL_cleanse(login, sizeof *login);
        free(login);
        return 0;
    }
    DL_APPEND(gateway->logins, login);
    uint64_t pause =
        known ? 0 : throttle_begin(&gateway->throttle, login->throttle_key, uv_now(gateway->loop));
    login->counted = !known && pause == 0;
    if (pause > 0)
        login_pause(pause, &login->error);
    return login->ticket;
}

void gateway_login_cancel(struct gateway *gateway, uint64_t ticket)
{
    struct login *login;
    DL_FOREACH(gateway->logins, login)
    {
        if (login->ticket == ticket)
            login->done = NULL;
    }
}
