/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "core/accounts.h"
#include "core/commands.h"
#include "core/password.h"
#include "core/rows.h"
#include "core/text.h"

enum { APP_PASSWORDS_MAX = 64 };

static json_t *json_of(const struct app_password *entry)
{
    return json_pack("{s:I,s:s,s:s,s:I,s:I}", "id", (json_int_t)entry->id, "label", entry->label, "scope",
                     entry->scope, "created", (json_int_t)entry->created, "last_used",
                     (json_int_t)entry->last_used);
}

struct making {
    struct call *call;
    struct app_password *entry;
    char password[48];
};

static void made(void *arg, const struct error *error)
{
    struct making *making = arg;
    if (error != NULL) {
        call_fail_copy(making->call, error);
        free(making->entry);
    } else {
        DL_APPEND(making->call->account->app_passwords, making->entry);
        json_t *result = json_of(making->entry);
        json_object_set_new(result, "password", json_string(making->password));
        call_done(making->call, result);
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

/* What was given to one device must not be able to make more of itself, or with a wider scope. */
static bool came_with_app_password(const struct gateway_session *session)
{
    static const uint8_t none[sizeof session->app_password];
    return session != NULL && memcmp(session->app_password, none, sizeof none) != 0;
}

bool do_app_password_new(struct call *call, struct error **error)
{
    if (came_with_app_password(call->session))
        return error_set(error, ERROR_DENIED, "log in with the account's own password to make app passwords");
    struct gateway *gateway = call->gateway;
    const char *label = arg_text(call, "label"),
               *scope = arg_has(call, "scope") ? arg_text(call, "scope") : "*";
    struct app_password *other;
    int count;
    DL_COUNT(call->account->app_passwords, other, count);
    if (label[0] == '\0' || strlen(label) >= sizeof other->label)
        return error_set(error, ERROR_INVALID, "label: 1 to %zu bytes, such as the device's name",
                         sizeof other->label - 1);
    if (!scope_known(scope))
        return error_set(error, ERROR_INVALID, "scope is one of *, irc, web, mail, control");
    if (count >= APP_PASSWORDS_MAX)
        return error_set(error, ERROR_LIMIT, "%d app passwords exist; revoke one", count);
    struct making *making = calloc(1, sizeof *making);
    struct app_password *entry = calloc(1, sizeof *entry);
    struct store_batch *batch = store_begin(gateway->store);
    bool good = making != NULL && entry != NULL && batch != NULL;
    if (good) {
        making->call = call;
        making->entry = entry;
        entry->id = next_id(gateway);
        entry->created = clock_wall_ms();
        text_copy(entry->label, sizeof entry->label, label);
        text_copy(entry->scope, sizeof entry->scope, scope);
        password_make(gateway->random, making->password);
        app_password_sha256(entry->sha256, making->password);
        good = app_password_scram(entry->scram, sizeof entry->scram, making->password, gateway->random);
    }
    if (!good) {
        if (batch != NULL)
            store_discard(batch);
        free(entry);
        free(making);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    put_app_password(batch, call->account, entry);
    store_commit(batch, made, making);
    return true;
}

bool do_app_password_list(struct call *call, struct error **error)
{
    (void)error;
    json_t *list = json_array();
    struct app_password *entry;
    DL_FOREACH(call->account->app_passwords, entry)
    json_array_append_new(list, json_of(entry));
    call_done(call, json_pack("{s:o}", "app_passwords", list));
    return true;
}

static void revoked(void *arg, const struct error *error)
{
    struct call *call = arg;
    struct app_password *entry = NULL;
    DL_SEARCH_SCALAR(call->account->app_passwords, entry, id, arg_int(call, "app_password", 0));
    if (error != NULL) {
        call_fail_copy(call, error);
        return;
    }
    if (entry != NULL) {
        DL_DELETE(call->account->app_passwords, entry);
        sessions_end(call->account, entry->sha256, "the app password was revoked");
        OPENSSL_cleanse(entry, sizeof *entry);
        free(entry);
    }
    call_done(call, NULL);
}

bool do_app_password_revoke(struct call *call, struct error **error)
{
    struct app_password *entry = NULL;
    int64_t id = arg_int(call, "app_password", 0);
    DL_SEARCH_SCALAR(call->account->app_passwords, entry, id, id);
    if (entry == NULL)
        return error_set(error, ERROR_NOT_FOUND, "app password %lld does not exist; see the list of them",
                         (long long)id);
    struct store_batch *batch = store_begin(call->gateway->store);
    if (batch == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    store_delete_app_password(batch, call->account->id, id);
    store_commit(batch, revoked, call);
    return true;
}
