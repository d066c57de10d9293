/* SPDX-License-Identifier: ISC */
#include "core/accounts.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/account_posts.h"
#include "core/avatars.h"
#include "core/changes.h"
#include "core/commands.h"
#include "core/contacts.h"
#include "core/conversations.h"
#include "core/image.h"
#include "core/password.h"
#include "core/posts.h"
#include "core/rows.h"
#include "core/services.h"
#include "core/text.h"
#include "core/uploads.h"
#include "core/vault.h"
#include "core/write.h"
#include "wire/link.h"
#include "wire/radix64.h"

enum { PASSWORD_SHORTEST = 8, PASSWORD_LONGEST = 512 };

struct account *account_by_name(struct gateway *gateway, const char *name)
{
    struct account *account, *next;
    HASH_ITER(hh, gateway->accounts, account, next)
    {
        if (strcmp(account->name, name) == 0)
            return account;
    }
    return NULL;
}

void account_free(struct account *account)
{
    struct app_password *password, *next_password;
    DL_FOREACH_SAFE(account->app_passwords, password, next_password)
    free(password);
    struct client *client, *next_client;
    DL_FOREACH_SAFE(account->clients, client, next_client)
    free(client);
    struct invite *invite, *next_invite;
    HASH_ITER(hh, account->invites, invite, next_invite)
    {
        HASH_DELETE(hh, account->invites, invite);
        buffer_free(&invite->link_wrapped);
        free(invite);
    }
    struct conversation *conversation, *next_conversation;
    HASH_ITER(hh, account->conversations, conversation, next_conversation)
    {
        HASH_DELETE(hh, account->conversations, conversation);
        conversation_free(conversation);
    }
    struct contact *contact, *next_contact;
    HASH_ITER(hh, account->contacts, contact, next_contact)
    {
        HASH_DELETE(hh, account->contacts, contact);
        contact_free(contact);
    }
    ring_clear(account);
    posts_account_free(account);
    uploads_account_free(account);
    OPENSSL_cleanse(account->key, sizeof account->key);
    buffer_free(&account->passphrase);
    buffer_free(&account->key_block);
    buffer_free(&account->key_wrapped);
    buffer_free(&account->passphrase_wrapped);
    buffer_free(&account->avatar);
    free(account->password);
    free(account);
}

static bool password_acceptable(const char *password, struct error **error)
{
    size_t size = strlen(password);
    return (size >= PASSWORD_SHORTEST && size <= PASSWORD_LONGEST) ||
           error_set(error, ERROR_INVALID, "a password has %d to %d bytes", PASSWORD_SHORTEST,
                     PASSWORD_LONGEST);
}

/* --- adding */

struct adding {
    struct call *call;
    struct account *account;
    char password[64]; /* made here: told once */
    bool asked;        /* the keyring was asked for the key */
};

static void home_forgotten(void *arg, const struct keyring_answer *answer)
{
    (void)arg;
    if (answer->error != NULL)
        log_warn("core", "event=home-not-removed error=\"%s\"", answer->error->text);
}

static void forget_home(const struct account *account)
{
    char home[24];
    snprintf(home, sizeof home, "%lld", (long long)account->id);
    keyring_forget(account->gateway->keyring, home, home_forgotten, NULL);
}

static void adding_end(struct adding *adding, const struct error *error)
{
    struct account *account = adding->account;
    account->gateway->accounts_coming--;
    if (error != NULL) {
        call_fail_copy(adding->call, error);
        if (adding->asked)
            forget_home(account);
        account_free(account);
    } else {
        json_t *result = json_of_account(account);
        if (adding->password[0] != '\0')
            json_object_set_new(result, "password", json_string(adding->password));
        call_done(adding->call, result);
    }
    OPENSSL_cleanse(adding, sizeof *adding);
    free(adding);
}

static void account_stored(void *arg, const struct error *error)
{
    struct adding *adding = arg;
    struct account *account = adding->account;
    if (error == NULL)
        HASH_ADD(hh, account->gateway->accounts, id, sizeof account->id, account);
    if (error == NULL && account->hh.tbl == NULL) {
        error = &stored_only;
        adding->asked = false; /* its keys stay */
    }
    adding_end(adding, error);
    if (error == NULL)
        services_account_ready(account);
}

static void account_key_ready(void *arg, const struct keyring_answer *answer)
{
    struct adding *adding = arg;
    struct account *account = adding->account;
    struct store_batch *batch;
    if (answer->error != NULL) {
        adding_end(adding, answer->error);
        return;
    }
    memcpy(account->fingerprint, answer->fingerprint, sizeof account->fingerprint);
    account->key_block = buffer_make(1 << 16);
    if (!buffer_append_bytes(&account->key_block, answer->block) ||
        (batch = store_begin(account->gateway->store)) == NULL) {
        adding_end(adding, &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    if (account_by_name(account->gateway, account->name) != NULL) {
        store_discard(batch);
        adding_end(adding, &(struct error){ERROR_EXISTS, "an account of this name was made meanwhile"});
        return;
    }
    put_account(batch, account);
    store_commit(batch, account_stored, adding);
}

static void progress(void *arg, const char *what)
{
    struct adding *adding = arg;
    sessions_watch(adding->account->gateway,
                   json_pack("{s:{s:s,s:s}}", "progress", "what", "account.add", "text", what));
}

static bool ask_for_key(struct adding *adding)
{
    struct account *account = adding->account;
    struct keyring *keyring = account->gateway->keyring;
    char home[24];
    snprintf(home, sizeof home, "%lld", (long long)account->id);
    struct keyring_secret secret = {.home = home, .passphrase = buffer_view(&account->passphrase)};
    const char *key = arg_text(adding->call, "key"), *old = arg_text(adding->call, "key_passphrase");
    if (key == NULL)
        return keyring_create(keyring, &secret, account->person, false, progress, account_key_ready,
                              adding) != 0;
    return keyring_import_secret(keyring, &secret, bytes_of_string(key),
                                 bytes_of_string(old != NULL ? old : ""), false, account_key_ready,
                                 adding) != 0;
}

static void home_empty(void *arg, const struct keyring_answer *answer)
{
    struct adding *adding = arg;
    if (answer->error != NULL && answer->error->code != ERROR_NOT_FOUND)
        adding_end(adding, answer->error);
    else if (!ask_for_key(adding))
        adding_end(adding, &(struct error){ERROR_UNAVAILABLE, "the keyring is busy; try again"});
}

static void password_hashed(void *arg, const char *hash, bool matches)
{
    (void)matches;
    struct adding *adding = arg;
    struct account *account = adding->account;
    char home[24];
    snprintf(home, sizeof home, "%lld", (long long)account->id);
    account->password = hash != NULL ? strdup(hash) : NULL;
    if (account->password == NULL || !vault_new_account(account)) {
        adding_end(adding, &(struct error){ERROR_INTERNAL, "the password could not be hashed"});
        return;
    }
    /* An account whose making was cut short may have left a home under this number. */
    adding->asked = keyring_forget(account->gateway->keyring, home, home_empty, adding) != 0;
    if (!adding->asked)
        adding_end(adding, &(struct error){ERROR_UNAVAILABLE, "the keyring is busy; try again"});
}

bool do_account_add(struct call *call, struct error **error)
{
    struct gateway *gateway = call->gateway;
    const char *name = arg_text(call, "name"), *password = arg_text(call, "password"),
               *person = arg_text(call, "person");
    if (!handle_valid(name))
        return error_set(error, ERROR_INVALID,
                         "an account's name is 1 to 24 of a-z, 0-9, _ and -, and not \"gateway\"");
    if (account_by_name(gateway, name) != NULL)
        return error_set(error, ERROR_EXISTS, "an account of this name exists already");
    if (!gateway->vault_open)
        return error_set(error, ERROR_LOCKED, "the vault is locked; run retrogatectl unlock");
    if (password != NULL && !password_acceptable(password, error))
        return false;
    struct adding *adding = calloc(1, sizeof *adding);
    struct account *account = calloc(1, sizeof *account);
    if (adding == NULL || account == NULL) {
        free(adding);
        free(account);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    adding->call = call;
    adding->account = account;
    account->id = ++gateway->last_account;
    account->gateway = gateway;
    account->epoch = 1;
    account->created = clock_wall_ms();
    account->change = account->last_change = account->ring_floor = 1;
    account->reserved_change = CHANGE_BLOCK;
    account->avatar = buffer_make(CHAT_AVATAR_LIMIT);
    posts_settings_default(&account->posts.settings);
    /* The first account is its gateway's operator: most gateways have one person. */
    bool first = gateway->accounts == NULL && gateway->accounts_coming == 0;
    account->is_operator = arg_has(call, "operator") ? arg_true(call, "operator") : first;
    account->typing = gateway->typing_default;
    posts_settings_default(&account->posts.settings);
    text_copy(account->name, sizeof account->name, name);
    text_copy(account->person, sizeof account->person, person != NULL ? person : name);
    if (password == NULL) {
        password_make(gateway->random, adding->password);
        password = adding->password;
    }
    if (password_hash(gateway, password, password_hashed, adding)) {
        gateway->accounts_coming++;
        return true;
    }
    account_free(account);
    free(adding);
    return error_set(error, ERROR_INTERNAL, "out of memory");
}

/* --- looking and changing */

bool do_account_list(struct call *call, struct error **error)
{
    (void)error;
    json_t *list = json_array();
    struct account *account, *next;
    HASH_ITER(hh, call->gateway->accounts, account, next)
    json_array_append_new(list, json_of_account(account));
    call_done(call, json_pack("{s:o}", "accounts", list));
    return true;
}

bool do_account_show(struct call *call, struct error **error)
{
    (void)error;
    struct account *account = call->account;
    struct buffer armor = buffer_make(1 << 17), link = buffer_make(1 << 17);
    openpgp_armor_key(&armor, buffer_view(&account->key_block));
    link_write_certificate(&link, account->fingerprint, account->person, buffer_view(&account->key_block));
    json_t *result = json_of_account(account);
    json_object_set_new(result, "key", json_string(buffer_string(&armor)));
    json_object_set_new(result, "link", json_string(buffer_string(&link)));
    buffer_free(&armor);
    buffer_free(&link);
    call_done(call, result);
    return true;
}

struct setting {
    struct call *call;
    bool typing, is_operator;
    struct post_settings posts;
    struct buffer avatar;
    char state_text[256];
    char *password;
    int64_t change;
};

static void tell_chats(struct account *account)
{
    struct conversation *conversation, *next;
    HASH_ITER(hh, account->conversations, conversation, next)
    {
        struct route *route;
        DL_FOREACH(conversation->routes, route)
        {
            if (route->chat == NULL)
                continue;
            if (!chat_set_avatar(route->chat, buffer_view(&account->avatar), NULL))
                chat_set_avatar(route->chat, bytes_of(NULL, 0), NULL); /* not the one that is gone now */
            chat_set_state_text(route->chat, bytes_of_string(account->state_text));
            route_mark_dirty(route);
        }
    }
    conversations_drain(account->gateway);
}

static void account_changed(void *arg, const struct error *error)
{
    struct setting *setting = arg;
    struct account *account = setting->call->account;
    account->setting = false;
    if (error != NULL) {
        call_fail_copy(setting->call, error);
        buffer_free(&setting->avatar);
        free(setting->password);
    } else {
        account->typing = setting->typing;
        account->is_operator = setting->is_operator;
        account->posts.settings = setting->posts;
        struct buffer before = account->avatar;
        account->avatar = setting->avatar;
        avatar_name_own(account);
        memcpy(account->state_text, setting->state_text, sizeof account->state_text);
        if (setting->password != NULL) {
            free(account->password);
            account->password = setting->password;
        }
        account->change = setting->change;
        ring_put(account, account->change, "account", json_of_account(account));
        tell_chats(account);
        post_in_changed(account);
        buffer_free(&before); /* the chats held it until now */
        call_done(setting->call, json_of_account(account));
    }
    free(setting);
}

/* Stores the account as `setting` will make it. */
static bool setting_commit(struct setting *setting, struct error **error)
{
    struct account *account = setting->call->account;
    if (account->removed)
        return error_set(error, ERROR_NOT_FOUND, "the account was removed");
    if (account->setting)
        return error_set(error, ERROR_UNAVAILABLE,
                         "another setting of this account is being stored; try again in a moment");
    struct write *write = write_begin(account->gateway, account);
    if (write == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    account->setting = true;
    setting->change = write_change(write);
    struct account changed = *account;
    changed.typing = setting->typing;
    changed.is_operator = setting->is_operator;
    changed.posts.settings = setting->posts;
    changed.avatar = setting->avatar;
    memcpy(changed.state_text, setting->state_text, sizeof changed.state_text);
    if (setting->password != NULL)
        changed.password = setting->password;
    put_account(write->batch, &changed);
    write_commit(write, account_changed, setting);
    return true;
}

static struct setting *setting_new(struct call *call)
{
    struct setting *setting = calloc(1, sizeof *setting);
    if (setting == NULL)
        return NULL;
    setting->call = call;
    setting->typing = call->account->typing;
    setting->is_operator = call->account->is_operator;
    setting->posts = call->account->posts.settings;
    setting->avatar = buffer_make(CHAT_AVATAR_LIMIT);
    buffer_append_bytes(&setting->avatar, buffer_view(&call->account->avatar));
    memcpy(setting->state_text, call->account->state_text, sizeof setting->state_text);
    return setting;
}

/* Empty: none from now on. */
static bool take_avatar(struct setting *setting, const char *text, struct error **error)
{
    buffer_clear(&setting->avatar);
    if (!radix64_decode(&setting->avatar, bytes_of_string(text)))
        return error_set(error, ERROR_INVALID, "avatar: base64 of a picture of at most %d bytes",
                         CHAT_AVATAR_LIMIT);
    return buffer_size(&setting->avatar) == 0 || image_fits(buffer_view(&setting->avatar), error) ||
           error_prefix(error, "avatar");
}

bool do_account_set(struct call *call, struct error **error)
{
    if (arg_has(call, "operator") && call->session != NULL && !gateway_is_operator(call->session))
        return error_set(error, ERROR_DENIED, "only the operator makes operators");
    struct setting *setting = setting_new(call);
    bool good = setting != NULL;
    if (good && arg_has(call, "typing"))
        setting->typing = arg_true(call, "typing");
    if (good && arg_has(call, "operator"))
        setting->is_operator = arg_true(call, "operator");
    if (good && arg_has(call, "state_text"))
        text_copy(setting->state_text, sizeof setting->state_text, arg_text(call, "state_text"));
    if (good && arg_has(call, "avatar"))
        good = take_avatar(setting, arg_text(call, "avatar"), error);
    good = good && post_settings_take(&setting->posts, call, error);
    good = good && setting_commit(setting, error);
    if (!good && setting != NULL) {
        buffer_free(&setting->avatar);
        free(setting);
    }
    return good || error_set(error, ERROR_INTERNAL, "out of memory");
}

/* --- passwords */

static void new_password_hashed(void *arg, const char *hash, bool matches)
{
    (void)matches;
    struct call *call = arg;
    struct error *error = NULL;
    struct setting *setting = hash != NULL ? setting_new(call) : NULL;
    if (setting != NULL && (setting->password = strdup(hash)) != NULL && setting_commit(setting, &error))
        return;
    if (setting != NULL) {
        buffer_free(&setting->avatar);
        free(setting->password);
        free(setting);
    }
    call_fail(call, error);
}

/* The old password is looked at like that of a log-in: from each device, so that a stolen one neither guesses
 * it nor keeps the others from changing it. */
struct trial {
    struct call *call;
    uint8_t key[THROTTLE_KEY_SIZE];
};

static void old_password_checked(void *arg, const char *hash, bool matches)
{
    (void)hash;
    struct trial *trial = arg;
    struct call *call = trial->call;
    throttle_end(&call->gateway->throttle, trial->key, matches, uv_now(call->gateway->loop));
    free(trial);
    if (!matches)
        call_fail_copy(call, &(struct error){ERROR_DENIED, "the old password is wrong"});
    else if (!password_hash(call->gateway, arg_text(call, "password"), new_password_hashed, call))
        call_fail(call, NULL);
}

static bool check_old(struct call *call, const char *old, struct error **error)
{
    struct gateway *gateway = call->gateway;
    uint64_t now = uv_now(gateway->loop);
    char device[48];
    struct trial *trial = calloc(1, sizeof *trial);
    if (trial == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    trial->call = call;
    snprintf(device, sizeof device, "app password %lld", (long long)call->session->app_password);
    throttle_key(trial->key, call->account->name, device);
    uint64_t pause = throttle_begin(&gateway->throttle, trial->key, now);
    if (pause == 0 && password_check(gateway, old, call->account->password, old_password_checked, trial))
        return true;
    if (pause == 0)
        throttle_end(&gateway->throttle, trial->key, false, now);
    free(trial);
    return pause == 0 ? error_set(error, ERROR_INTERNAL, "out of memory")
                      : error_set(error, ERROR_LIMIT, "too many wrong passwords; wait %llu s and try again",
                                  (unsigned long long)(pause / 1000 + 1));
}

bool do_account_password(struct call *call, struct error **error)
{
    const char *password = arg_text(call, "password"), *old = arg_text(call, "old");
    if (!password_acceptable(password, error))
        return false;
    bool as_operator = call->session != NULL && call->session->account == NULL;
    if (!as_operator && old == NULL)
        return error_set(error, ERROR_DENIED, "give the old password too");
    if (!as_operator)
        return check_old(call, old, error);
    return password_hash(call->gateway, password, new_password_hashed, call) ||
           error_set(error, ERROR_INTERNAL, "out of memory");
}

static void account_removed(void *arg, const struct error *error)
{
    struct call *call = arg;
    struct account *account = call->account;
    if (error != NULL) {
        call_fail_copy(call, error);
        return;
    }
    if (account->removed) { /* asked for twice at once */
        call_done(call, NULL);
        return;
    }
    struct conversation *conversation, *next;
    HASH_ITER(hh, account->conversations, conversation, next)
    {
        struct route *route;
        conversation->removed = true; /* nothing of it is stored or told here any more */
        DL_FOREACH(conversation->routes, route)
        route_end(route);
    }
    posts_account_gone(account);
    sessions_end(account, 0, "the account was removed");
    account->removed = true;
    account->unlocked = false;
    OPENSSL_cleanse(account->key, sizeof account->key);
    buffer_clear(&account->passphrase);
    ring_clear(account); /* it holds what was said */
    HASH_DELETE(hh, call->gateway->accounts, account);
    services_account_gone(account);
    /* Commits under way may still speak of it: it is freed with the gateway. */
    account->next_grave = call->gateway->account_graves;
    call->gateway->account_graves = account;
    forget_home(account);
    call_done(call, NULL);
    conversations_drain(call->gateway);
}

bool do_account_remove(struct call *call, struct error **error)
{
    struct account *account = account_by_name(call->gateway, arg_text(call, "account"));
    if (account == NULL)
        return error_set(error, ERROR_NOT_FOUND, "there is no such account; see the list of accounts");
    if (!arg_true(call, "sure"))
        return error_set(error, ERROR_INVALID,
                         "this deletes the account's key, contacts and history for ever; say \"sure\": true");
    struct store_batch *batch = store_begin(call->gateway->store);
    if (batch == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    call->account = account;
    store_delete_account(batch, account->id);
    store_commit(batch, account_removed, call);
    return true;
}
