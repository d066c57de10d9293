/* SPDX-License-Identifier: ISC */
#include "core/app_passwords.h"

#include <stdlib.h>
#include <string.h>

#include "core/commands.h"
#include "core/password.h"
#include "core/rows.h"
#include "core/scram.h"
#include "core/text.h"

enum { IDLE_LONGEST_S = 365 * 86400 };
static const int64_t NOTE_MS = 3600 * 1000; /* between two writes of the last use */

static json_t *json_of(const struct app_password *entry)
{
    return json_pack("{s:I,s:s,s:s,s:I,s:I,s:I}", "id", (json_int_t)entry->id, "label", entry->label, "scope",
                     entry->scope, "idle", (json_int_t)entry->idle, "created", (json_int_t)entry->created,
                     "last_used", (json_int_t)entry->last_used);
}

struct app_password *app_password_find(const struct account *account, int64_t id)
{
    struct app_password *entry = NULL;
    DL_SEARCH_SCALAR(account->app_passwords, entry, id, id);
    return entry;
}

static void forget(struct account *account, struct app_password *entry)
{
    DL_DELETE(account->app_passwords, entry);
    OPENSSL_cleanse(entry, sizeof *entry);
    free(entry);
}

/* --- use */

static int64_t last_use(const struct app_password *entry)
{
    return entry->last_used > entry->created ? entry->last_used : entry->created;
}

static bool has_session(const struct account *account, const struct app_password *entry)
{
    const struct gateway_session *session;
    DL_FOREACH(account->gateway->sessions, session)
    {
        if (session->account == account && session->app_password == entry->id && !session->gone)
            return true;
    }
    return false;
}

static bool unused_too_long(const struct account *account, const struct app_password *entry, int64_t now)
{
    return entry->idle > 0 && last_use(entry) + entry->idle * 1000 < now && !has_session(account, entry);
}

/* Its last use in the store is at most an hour old, and well within its time of disuse. One that leaves must
 * not be written again: its row would outlive it. */
static void note_use(const struct account *account, struct app_password *entry, int64_t now)
{
    int64_t quarter = entry->idle * 250, pause = entry->idle > 0 && quarter < NOTE_MS ? quarter : NOTE_MS;
    entry->last_used = now;
    if (entry->leaving || (entry->noted <= now && now - entry->noted < pause))
        return;
    struct store_batch *batch = store_begin(account->gateway->store);
    if (batch == NULL)
        return;
    entry->noted = now;
    put_app_password(batch, account, entry);
    store_commit(batch, NULL, NULL);
}

/* Out of memory at once: should the row stay, its time is over at the next start too. */
static void end_unused(struct account *account, struct app_password *entry)
{
    struct store_batch *batch = store_begin(account->gateway->store);
    if (batch == NULL)
        return;
    store_delete_app_password(batch, account->id, entry->id);
    store_commit(batch, NULL, NULL);
    forget(account, entry);
}

bool app_password_allows(const struct app_password *entry, const char *scope)
{
    return strcmp(entry->scope, "*") == 0 || strcmp(entry->scope, scope) == 0;
}

bool app_password_take(struct account *account, struct app_password *entry)
{
    int64_t now = clock_wall_ms();
    if (unused_too_long(account, entry, now)) {
        end_unused(account, entry);
        return false;
    }
    note_use(account, entry, now);
    return true;
}

int64_t app_password_use(struct account *account, const char *password, const char *scope)
{
    uint8_t sha256[32];
    int64_t found = 0;
    struct app_password *entry, *next;
    app_password_sha256(sha256, password);
    DL_FOREACH_SAFE(account->app_passwords, entry, next)
    {
        bool same = bytes_equal_secret(bytes_of(entry->sha256, 32), bytes_of(sha256, 32));
        int64_t id = entry->id;
        if (same && app_password_allows(entry, scope) && app_password_take(account, entry))
            found = id;
    }
    OPENSSL_cleanse(sha256, sizeof sha256);
    return found;
}

void app_passwords_sweep(struct gateway *gateway)
{
    int64_t now = clock_wall_ms();
    struct gateway_session *session;
    DL_FOREACH(gateway->sessions, session)
    {
        struct app_password *entry =
            session->app_password != 0 ? app_password_find(session->account, session->app_password) : NULL;
        if (entry != NULL && !session->gone && entry->last_used < now)
            note_use(session->account, entry, now);
    }
    struct account *account, *next_account;
    HASH_ITER(hh, gateway->accounts, account, next_account)
    {
        struct app_password *entry, *next;
        DL_FOREACH_SAFE(account->app_passwords, entry, next)
        {
            if (unused_too_long(account, entry, now))
                end_unused(account, entry);
        }
    }
}

/* --- making */

struct making {
    struct call *call;
    struct app_password *entry;
    int64_t gives_way; /* the one in whose place it comes; 0: there is room */
    char password[48];
};

static void made(void *arg, const struct error *error)
{
    struct making *making = arg;
    struct account *account = making->call->account;
    struct app_password *old = app_password_find(account, making->gives_way);
    account->app_passwords_coming--;
    if (error != NULL) {
        if (old != NULL)
            old->leaving = false;
        call_fail_copy(making->call, error);
        free(making->entry);
    } else {
        DL_APPEND(account->app_passwords, making->entry);
        json_t *result = json_of(making->entry);
        json_object_set_new(result, "password", json_string(making->password));
        call_done(making->call, result);
        if (old != NULL) {
            sessions_end(account, old->id, "the app password gave way to a newer one");
            forget(account, old);
        }
    }
    OPENSSL_cleanse(making, sizeof *making);
    free(making);
}

static bool scope_known(const char *scope)
{
    static const char *const scopes[] = {"*", "irc", "web", "mail", "control"};
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        if (strcmp(scope, scopes[i]) == 0)
            return true;
    }
    return false;
}

/* Those with a time of disuse are made at every log-in of a browser: they must not lock a person out. */
static bool make_room(struct account *account, struct app_password **gives_way, struct error **error)
{
    struct app_password *entry, *oldest = NULL;
    unsigned count = account->app_passwords_coming;
    DL_FOREACH(account->app_passwords, entry)
    {
        count += !entry->leaving;
        if (!entry->leaving && entry->idle > 0 && (oldest == NULL || last_use(entry) < last_use(oldest)))
            oldest = entry;
    }
    *gives_way = count >= APP_PASSWORDS_MAX ? oldest : NULL;
    return count < APP_PASSWORDS_MAX || oldest != NULL ||
           error_set(error, ERROR_LIMIT, "%u app passwords exist; revoke one", count);
}

static bool arguments_fit(const struct call *call, struct error **error)
{
    const char *label = arg_text(call, "label"), *scope = arg_text(call, "scope");
    int64_t idle = arg_int(call, "idle", 0);
    size_t room = sizeof((struct app_password *)NULL)->label;
    /* What was given to one device must not be able to make more of itself, or with a wider scope. */
    if (call->session != NULL && call->session->app_password != 0)
        return error_set(error, ERROR_DENIED, "log in with the account's own password to make app passwords");
    if (label[0] == '\0' || strlen(label) >= room)
        return error_set(error, ERROR_INVALID, "label: 1 to %zu bytes, such as the device's name", room - 1);
    if (scope != NULL && !scope_known(scope))
        return error_set(error, ERROR_INVALID, "scope is one of *, irc, web, mail, control");
    if (idle < 0 || idle > IDLE_LONGEST_S)
        return error_set(error, ERROR_INVALID, "idle: up to %d seconds; 0: no limit", IDLE_LONGEST_S);
    return true;
}

static bool fill(struct making *making, const char *scope)
{
    struct call *call = making->call;
    struct app_password *entry = making->entry;
    const struct random_source *random = call->gateway->random;
    entry->id = next_id(call->gateway);
    entry->created = clock_wall_ms();
    entry->idle = arg_int(call, "idle", 0);
    text_copy(entry->label, sizeof entry->label, arg_text(call, "label"));
    text_copy(entry->scope, sizeof entry->scope, scope != NULL ? scope : "*");
    password_make(random, making->password);
    app_password_sha256(entry->sha256, making->password);
    /* SCRAM compares what the client types: the password as it was shown. */
    uint8_t salt[SCRAM_SALT_SIZE];
    struct scram_verifier verifier;
    bool good = scram_salt(call->account, salt) && scram_verifier_make(&verifier, making->password, salt) &&
                scram_verifier_write(entry->scram, sizeof entry->scram, &verifier);
    OPENSSL_cleanse(&verifier, sizeof verifier);
    return good;
}

bool do_app_password_new(struct call *call, struct error **error)
{
    struct account *account = call->account;
    struct app_password *gives_way;
    if (!arguments_fit(call, error) || !make_room(account, &gives_way, error))
        return false;
    struct making *making = calloc(1, sizeof *making);
    struct app_password *entry = calloc(1, sizeof *entry);
    struct store_batch *batch = store_begin(call->gateway->store);
    bool good = making != NULL && entry != NULL && batch != NULL;
    if (good) {
        *making = (struct making){.call = call, .entry = entry};
        good = fill(making, arg_text(call, "scope"));
    }
    if (!good) {
        store_discard(batch);
        free(entry);
        free(making);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    if (gives_way != NULL) {
        gives_way->leaving = true;
        making->gives_way = gives_way->id;
        store_delete_app_password(batch, account->id, gives_way->id);
    }
    account->app_passwords_coming++;
    put_app_password(batch, account, entry);
    store_commit(batch, made, making);
    return true;
}

/* --- looking and revoking */

bool do_app_password_list(struct call *call, struct error **error)
{
    (void)error;
    int64_t own = call->session != NULL ? call->session->app_password : 0;
    json_t *list = json_array();
    struct app_password *entry;
    DL_FOREACH(call->account->app_passwords, entry)
    {
        json_t *object = json_of(entry);
        json_object_set_new(object, "own", json_boolean(entry->id == own));
        json_array_append_new(list, object);
    }
    call_done(call, json_pack("{s:o}", "app_passwords", list));
    return true;
}

static void revoked(void *arg, const struct error *error)
{
    struct call *call = arg;
    struct gateway *gateway = call->gateway;
    struct account *account = call->account;
    int64_t id = arg_int(call, "app_password", 0);
    struct app_password *entry = app_password_find(account, id);
    if (error != NULL) {
        if (entry != NULL)
            entry->leaving = false;
        call_fail_copy(call, error);
        return;
    }
    if (entry != NULL)
        forget(account, entry);
    /* The session that asked may have come with it: it hears the answer before it ends. */
    call_done(call, NULL);
    sessions_flush(gateway);
    sessions_end(account, id, "the app password was revoked");
}

bool do_app_password_revoke(struct call *call, struct error **error)
{
    int64_t id = arg_int(call, "app_password", 0);
    if (arg_true(call, "own") == arg_has(call, "app_password"))
        return error_set(error, ERROR_INVALID, "give either an app password's id, or \"own\": true");
    if (arg_true(call, "own")) {
        id = call->session != NULL ? call->session->app_password : 0;
        json_object_set_new(call->arguments, "app_password", json_integer(id));
    }
    if (id == 0)
        return error_set(error, ERROR_NOT_FOUND, "this session did not come with an app password");
    struct app_password *entry = app_password_find(call->account, id);
    if (entry == NULL)
        return error_set(error, ERROR_NOT_FOUND, "app password %lld does not exist; see the list of them",
                         (long long)id);
    struct store_batch *batch = store_begin(call->gateway->store);
    if (batch == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    entry->leaving = true;
    store_delete_app_password(batch, call->account->id, id);
    store_commit(batch, revoked, call);
    return true;
}
