/* SPDX-License-Identifier: ISC */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/app_passwords.h"
#include "core/commands.h"
#include "core/login.h"
#include "core/password.h"
#include "core/text.h"

enum { FREE_FAILURES = 4, CHECKING_MAX = 8, THROTTLES_MAX = 1024 };
static const uint64_t FORGET_MS = 15 * 60 * 1000, FIRST_PAUSE_MS = 2000, LONGEST_PAUSE_MS = 5 * 60 * 1000;

/* Failures of one account name from one address, whether the account exists or not. */
struct throttle {
    uint8_t key[32];
    unsigned failures;
    unsigned checking; /* under way */
    uint64_t last;
    UT_hash_handle hh;
};

struct login {
    struct gateway *gateway;
    uint64_t ticket;
    int64_t account; /* 0: there is none of that name */
    char scope[16];
    uint8_t throttle_key[32];
    int64_t app_password; /* that came; 0: none that is right */
    bool counted;         /* by the throttle */
    struct error *error;
    gateway_login_fn *done; /* NULL: cancelled */
    void *arg;
    struct login *prev, *next;
};

static struct throttle *throttle_of(struct gateway *gateway, const uint8_t key[32])
{
    struct throttle *entry = NULL;
    HASH_FIND(hh, gateway->throttles, key, 32, entry);
    return entry;
}

static void forget_old(struct gateway *gateway, bool one_at_least)
{
    struct throttle *entry, *next;
    uint64_t now = uv_now(gateway->loop);
    HASH_ITER(hh, gateway->throttles, entry, next)
    {
        /* Insertion order: the first is the oldest. */
        if (!one_at_least && entry->last + FORGET_MS > now)
            continue;
        one_at_least = false;
        HASH_DELETE(hh, gateway->throttles, entry);
        free(entry);
    }
}

static struct throttle *throttle_make(struct gateway *gateway, const uint8_t key[32])
{
    struct throttle *entry = throttle_of(gateway, key);
    if (entry != NULL)
        return entry;
    forget_old(gateway, HASH_COUNT(gateway->throttles) >= THROTTLES_MAX);
    entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key, sizeof entry->key);
    entry->last = uv_now(gateway->loop);
    HASH_ADD(hh, gateway->throttles, key, sizeof entry->key, entry);
    if (entry->hh.tbl == NULL) {
        free(entry);
        return NULL;
    }
    return entry;
}

/* What must pass before the next try is looked at. Tries under way count too: otherwise many at once would
 * all be the first. */
static uint64_t pause_left(struct gateway *gateway, const struct throttle *entry)
{
    uint64_t now = uv_now(gateway->loop);
    if (entry->checking >= (entry->failures < FREE_FAILURES ? CHECKING_MAX : 1))
        return FIRST_PAUSE_MS;
    if (entry->failures < FREE_FAILURES)
        return 0;
    unsigned doublings = entry->failures - FREE_FAILURES;
    uint64_t pause = doublings >= 8 ? LONGEST_PAUSE_MS : FIRST_PAUSE_MS << doublings;
    return entry->last + pause > now ? entry->last + pause - now : 0;
}

void login_forget(struct gateway *gateway)
{
    struct throttle *entry, *next;
    HASH_ITER(hh, gateway->throttles, entry, next)
    {
        HASH_DELETE(hh, gateway->throttles, entry);
        free(entry);
    }
}

static void count(struct login *login, bool matches)
{
    struct gateway *gateway = login->gateway;
    struct throttle *entry = throttle_of(gateway, login->throttle_key);
    if (entry == NULL || !login->counted)
        return;
    if (entry->checking > 0)
        entry->checking--;
    if (!matches) {
        entry->failures++;
        entry->last = uv_now(gateway->loop);
    } else if (entry->checking > 0) {
        entry->failures = 0;
    } else {
        HASH_DELETE(hh, gateway->throttles, entry);
        free(entry);
    }
}

/* NULL with login->error. */
static struct gateway_session *let_in(struct login *login, bool matches)
{
    struct gateway *gateway = login->gateway;
    struct account *account = NULL;
    HASH_FIND(hh, gateway->accounts, &login->account, sizeof login->account, account);
    if (login->error != NULL)
        return NULL;
    if (gateway->phase == NODE_CLOSING) {
        error_set(&login->error, ERROR_UNAVAILABLE, "the gateway is stopping");
        return NULL;
    }
    /* It may have been revoked meanwhile. */
    if (account != NULL && login->app_password != 0)
        matches = app_password_find(account, login->app_password) != NULL;
    if (!matches || account == NULL) {
        error_set(&login->error, ERROR_DENIED,
                  "wrong account or password; app passwords are made with retrogatectl app-password new");
        return NULL;
    }
    if (!account->unlocked) {
        error_set(&login->error, ERROR_LOCKED,
                  "the vault is locked; the operator must run retrogatectl unlock");
        return NULL;
    }
    struct gateway_session *session = session_new(gateway, account, login->scope);
    if (session == NULL)
        error_set(&login->error, ERROR_INTERNAL, "out of memory");
    else
        session->app_password = login->app_password;
    return session;
}

static void answer(void *arg, const char *hash, bool matches)
{
    (void)hash;
    struct login *login = arg;
    DL_DELETE(login->gateway->logins, login);
    count(login, matches);
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
    struct buffer key = buffer_make(1024);
    buffer_printf(&key, "%.64s %.64s", wanted->account, wanted->address);
    EVP_Digest(buffer_view(&key).data, buffer_size(&key), login->throttle_key, NULL, EVP_sha256(), NULL);
    buffer_free(&key);
    struct throttle *throttle = throttle_make(gateway, login->throttle_key);
    uint64_t pause = throttle != NULL ? pause_left(gateway, throttle) : FIRST_PAUSE_MS;
    struct account *account = account_by_name(gateway, wanted->account);
    if (account != NULL) {
        login->account = account->id;
        /* Also during a pause: 160 random bits are not guessed, and whoever guesses at the account's password
         * from behind the same address must not lock its devices out. */
        login->app_password = app_password_use(account, wanted->password, login->scope);
    }
    if (pause > 0 && login->app_password == 0)
        error_set(&login->error, ERROR_LIMIT, "too many failed log-ins; wait %llu s and try again",
                  (unsigned long long)(pause / 1000 + 1));
    /* A right app password is known at once: a mail client may log in many times at a time. */
    login->counted = pause == 0 && login->app_password == 0;
    if (login->counted)
        throttle->checking++;
    DL_APPEND(gateway->logins, login);
    const char *hash = account != NULL && login->app_password == 0 ? account->password : "";
    bool started = login->app_password != 0 ? answer_later(login)
                                            : password_check(gateway, wanted->password, hash, answer, login);
    if (!started) {
        DL_DELETE(gateway->logins, login);
        if (login->counted)
            throttle->checking--;
        error_free(login->error);
        OPENSSL_cleanse(login, sizeof *login);
        free(login);
        return 0;
    }
    return gateway->last_ticket;
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
