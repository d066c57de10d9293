/* SPDX-License-Identifier: ISC */
#include "core/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "core/conversations.h"
#include "core/post_out.h"
#include "core/services.h"

static bool read_key(int file, uint8_t key[VAULT_KEY_SIZE])
{
    char text[VAULT_KEY_SIZE * 2 + 2];
    ssize_t size = read(file, text, sizeof text);
    if (size > 0 && text[size - 1] == '\n')
        size--;
    bool good = size > 0 && hex_parse(key, VAULT_KEY_SIZE, text, (size_t)size);
    OPENSSL_cleanse(text, sizeof text);
    return good;
}

static bool write_key(const char *path, const uint8_t key[VAULT_KEY_SIZE])
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    char text[VAULT_KEY_SIZE * 2 + 1];
    hex_lower(text, key, VAULT_KEY_SIZE);
    text[VAULT_KEY_SIZE * 2] = '\n';
    bool good = write(file, text, sizeof text) == (ssize_t)sizeof text && fsync(file) == 0;
    OPENSSL_cleanse(text, sizeof text);
    return close(file) == 0 && good;
}

bool vault_start(struct gateway *gateway, const char *path, bool create, struct error **error)
{
    if (path == NULL)
        return true;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        struct stat info;
        bool good = fstat(file, &info) == 0 && read_key(file, gateway->vault_key);
        close(file);
        if (!good)
            return error_set(error, ERROR_INVALID, "vault key %s: expected 64 hex digits", path);
        if ((info.st_mode & 077) != 0)
            log_warn("core", "event=vault-key-readable-by-others hint=\"chmod 600 it\"");
    } else if (errno == ENOENT && create) {
        if (gateway->accounts != NULL)
            return error_set(
                error, ERROR_NOT_FOUND,
                "vault key %s is gone, but there are accounts under it; restore it from your backup", path);
        gateway->random->fill(gateway->random->state, gateway->vault_key, sizeof gateway->vault_key);
        if (!write_key(path, gateway->vault_key))
            return error_set(error, ERROR_INTERNAL, "vault key %s: %s", path, strerror(errno));
    } else {
        return error_set(error, ERROR_NOT_FOUND, "vault key %s: %s", path, strerror(errno));
    }
    return vault_unlock(gateway, gateway->vault_key, error);
}

static void label_of(char *out, size_t size, const struct account *account, const char *what)
{
    snprintf(out, size, "retrogate %s of account %lld", what, (long long)account->id);
}

static bool unlock_account(struct account *account, const uint8_t key[VAULT_KEY_SIZE])
{
    char label[96];
    label_of(label, sizeof label, account, "key");
    struct buffer opened = buffer_make(VAULT_KEY_SIZE);
    opened.secret = true;
    bool good = vault_unwrap(&opened, key, label, buffer_view(&account->key_wrapped)) &&
                buffer_size(&opened) == VAULT_KEY_SIZE;
    if (good) {
        memcpy(account->key, buffer_view(&opened).data, VAULT_KEY_SIZE);
        buffer_clear(&account->passphrase);
        account->unlocked = true;
        good = vault_unwrap_for(account, "passphrase", buffer_view(&account->passphrase_wrapped),
                                &account->passphrase);
        account->unlocked = good;
    }
    if (!good)
        OPENSSL_cleanse(account->key, sizeof account->key);
    buffer_free(&opened);
    return good;
}

bool vault_unlock(struct gateway *gateway, const uint8_t key[VAULT_KEY_SIZE], struct error **error)
{
    struct account *account, *next;
    HASH_ITER(hh, gateway->accounts, account, next)
    {
        if (!account->unlocked && !unlock_account(account, key))
            return error_set(error, ERROR_DENIED, "this is not the key of this vault");
    }
    if (key != gateway->vault_key)
        memcpy(gateway->vault_key, key, VAULT_KEY_SIZE);
    gateway->vault_open = true;
    HASH_ITER(hh, gateway->accounts, account, next)
    {
        account_start_routes(account);
        post_in_unlocked(account);
        posts_out_wake(account);
    }
    HASH_ITER(hh, gateway->accounts, account, next)
    services_account_ready(account);
    return true;
}

bool vault_new_account(struct account *account)
{
    struct gateway *gateway = account->gateway;
    const struct random_source *random = gateway->random;
    uint8_t raw[24];
    char text[2 * sizeof raw + 1], label[96];
    random->fill(random->state, account->key, sizeof account->key);
    random->fill(random->state, raw, sizeof raw);
    hex_lower(text, raw, sizeof raw);
    account->passphrase = buffer_make(256);
    account->passphrase.secret = true;
    account->key_wrapped = buffer_make(256);
    account->passphrase_wrapped = buffer_make(512);
    label_of(label, sizeof label, account, "key");
    account->unlocked = true;
    bool good = buffer_append_string(&account->passphrase, text) &&
                vault_wrap(&account->key_wrapped, gateway->vault_key, label,
                           bytes_of(account->key, sizeof account->key), random) &&
                vault_wrap_for(account, "passphrase", buffer_view(&account->passphrase),
                               &account->passphrase_wrapped);
    OPENSSL_cleanse(raw, sizeof raw);
    OPENSSL_cleanse(text, sizeof text);
    return good;
}

bool vault_wrap_for(const struct account *account, const char *what, struct bytes secret,
                    struct buffer *wrapped)
{
    char label[96];
    label_of(label, sizeof label, account, what);
    return account->unlocked && vault_wrap(wrapped, account->key, label, secret, account->gateway->random);
}

bool vault_unwrap_for(const struct account *account, const char *what, struct bytes wrapped,
                      struct buffer *secret)
{
    char label[96];
    label_of(label, sizeof label, account, what);
    return account->unlocked && vault_unwrap(secret, account->key, label, wrapped);
}

struct keyring_secret vault_secret(const struct account *account, char home[VAULT_HOME_SIZE])
{
    snprintf(home, VAULT_HOME_SIZE, "%lld", (long long)account->id);
    struct keyring_secret secret = {.home = home, .passphrase = buffer_view(&account->passphrase)};
    memcpy(secret.fingerprint, account->fingerprint, sizeof secret.fingerprint);
    return secret;
}

enum { KEYS_WITHOUT_ROOT = 32 }; /* as they were stored before there was sealed chat */

static void route_label(char *out, size_t size, const struct route *route)
{
    snprintf(out, size, "route %lld", (long long)route->id);
}

bool vault_close_route(struct route *route)
{
    char what[48];
    route_label(what, sizeof what, route);
    struct buffer wrapped = buffer_make(256);
    bool good = vault_wrap_for(route->conversation->account, what, bytes_of(route->keys, sizeof route->keys),
                               &wrapped);
    if (good) {
        buffer_free(&route->keys_wrapped);
        route->keys_wrapped = wrapped;
    } else {
        buffer_free(&wrapped);
    }
    return good;
}

bool vault_open_route(struct route *route)
{
    char what[48];
    route_label(what, sizeof what, route);
    struct buffer keys = buffer_make(sizeof route->keys);
    keys.secret = true;
    bool good =
        vault_unwrap_for(route->conversation->account, what, buffer_view(&route->keys_wrapped), &keys) &&
        (buffer_size(&keys) == sizeof route->keys || buffer_size(&keys) == KEYS_WITHOUT_ROOT);
    memset(route->keys, 0, sizeof route->keys);
    if (good)
        memcpy(route->keys, buffer_view(&keys).data, buffer_size(&keys));
    buffer_free(&keys);
    return good;
}
