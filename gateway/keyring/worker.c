/* SPDX-License-Identifier: ISC */
#include "keyring/worker.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BLOCK_SIZE_MAX = 64 * 1024, BLOB_SIZE_MAX = 8 * 1024, PASSPHRASE_SIZE_MAX = 255, USABLE_S = 3600 };

enum need { NEEDS_HOME = 1, NEEDS_NO_HOME = 2, NEEDS_PASSPHRASE = 4 };

static const struct {
    enum purpose purpose;
    unsigned needs;
    worker_act *act;
} acts[] = {
    {PURPOSE_CREATE, NEEDS_NO_HOME | NEEDS_PASSPHRASE, act_create},
    {PURPOSE_IMPORT, NEEDS_NO_HOME | NEEDS_PASSPHRASE, act_import},
    {PURPOSE_LOCATION_NEW, NEEDS_HOME | NEEDS_PASSPHRASE, act_location_new},
    {PURPOSE_VERIFY_LOCATION, 0, act_verify_location},
    {PURPOSE_CHECK_KEY, 0, act_check_key},
    {PURPOSE_INVITE_NEW, NEEDS_HOME | NEEDS_PASSPHRASE, act_invite_new},
    {PURPOSE_INVITE_OPEN, NEEDS_HOME | NEEDS_PASSPHRASE, act_invite_open},
    {PURPOSE_FORGET, NEEDS_HOME, act_forget},
    {PURPOSE_POST_SEAL, NEEDS_HOME | NEEDS_PASSPHRASE, act_post_seal},
    {PURPOSE_POST_OPEN, NEEDS_HOME | NEEDS_PASSPHRASE, act_post_open},
    {PURPOSE_POST_VERIFY, 0, act_post_verify},
    {PURPOSE_POST_GREET, NEEDS_HOME | NEEDS_PASSPHRASE, act_post_greet},
    {PURPOSE_POST_CHECK, 0, act_post_check},
};

bool worker_start(struct worker *worker, struct error **error)
{
    char name[16];
    int size = snprintf(name, sizeof(name), "verify%u", worker->index);
    home_sweep(worker->directory, worker->index, worker->workers);
    return home_path(worker->verify_home, worker->directory, bytes_of(name, (size_t)size), error) &&
           home_make_verify(worker->verify_home, error);
}

void worker_end(struct worker *worker)
{
    home_end_agents(worker->directory, worker->index, worker->workers);
    home_remove(worker->verify_home, NULL);
}

/* Line ends and zero bytes cannot pass through the prompts of gpg and its agent. */
static bool check_passphrase(struct bytes passphrase, struct error **error)
{
    if (passphrase.size == 0 || passphrase.size > PASSPHRASE_SIZE_MAX)
        return error_set(error, ERROR_INVALID, "a passphrase has 1 to %d bytes", PASSPHRASE_SIZE_MAX);
    for (size_t i = 0; i < passphrase.size; i++)
        if (passphrase.data[i] < 0x20)
            return error_set(error, ERROR_INVALID, "the passphrase holds control characters");
    return true;
}

static bool check_home(char path[HOME_PATH_SIZE], const struct worker *worker, struct bytes home,
                       unsigned needs, struct error **error)
{
    path[0] = '\0';
    if (!(needs & (NEEDS_HOME | NEEDS_NO_HOME)))
        return true;
    if (!home_is_good(home))
        return error_set(error, ERROR_INVALID, "a home is called \"node\" or by an account's number");
    if (!home_path(path, worker->directory, home, error))
        return false;
    bool exists = home_exists(path);
    if (exists && needs & NEEDS_NO_HOME)
        return error_set(error, ERROR_EXISTS, "there is a key for this identity already");
    if (!exists && needs & NEEDS_HOME)
        return error_set(error, ERROR_NOT_FOUND, "there is no key for this identity");
    return true;
}

static bool carry_out(struct worker *worker, const struct request *request, struct result *result,
                      struct error **error)
{
    char home[HOME_PATH_SIZE];
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        if (acts[i].purpose == request->purpose)
            return check_home(home, worker, request->home, acts[i].needs, error) &&
                   (!(acts[i].needs & NEEDS_PASSPHRASE) || check_passphrase(request->passphrase, error)) &&
                   acts[i].act(worker, request, home, result, error);
    return error_set(error, ERROR_INVALID, "an unknown purpose");
}

void worker_do(struct worker *worker, const struct request *request, struct result *result)
{
    struct error *error = NULL;
    memset(result, 0, sizeof(*result));
    result->block = buffer_make(BLOCK_SIZE_MAX);
    result->private_key = buffer_make(BLOB_SIZE_MAX);
    result->private_key.secret = true;
    result->link_blob = buffer_make(BLOB_SIZE_MAX);
    result->text = buffer_make(KEYRING_POST_LIMIT);
    result->text.secret = true;
    worker->current = request->id;
    if (carry_out(worker, request, result, &error)) {
        result->answer.block = buffer_view(&result->block);
        result->answer.private_key = buffer_view(&result->private_key);
        result->answer.link_blob = buffer_view(&result->link_blob);
        result->answer.text = buffer_view(&result->text);
    } else {
        if (!error)
            error_set(&error, ERROR_INTERNAL, "the keyring could not do it");
        result->answer.error = error;
    }
}

void result_free(struct result *result)
{
    error_free((struct error *)(uintptr_t)result->answer.error);
    buffer_free(&result->block);
    buffer_free(&result->private_key);
    buffer_free(&result->link_blob);
    buffer_free(&result->text);
    memset(result, 0, sizeof(*result));
}

bool worker_own_key(const char *home, const struct request *request, struct buffer *block,
                    struct openpgp_key *key, struct error **error)
{
    if (!home_read_block(home, block, key, error))
        return false;
    return memcmp(key->fingerprint, request->fingerprint, sizeof(key->fingerprint)) == 0 ||
           error_set(error, ERROR_NOT_FOUND, "the home holds another key than the one asked for");
}

bool worker_foreign_key(struct bytes text, struct buffer *block, struct openpgp_key *key,
                        struct error **error)
{
    struct buffer binary = buffer_make((size_t)2 * BLOCK_SIZE_MAX);
    bool good = openpgp_dearmor(&binary, text, error) &&
                openpgp_screen_key(block, buffer_view(&binary), error) &&
                openpgp_key_parse(key, buffer_view(block), error);
    buffer_free(&binary);
    return good;
}

/* Asks GnuPG about a block unless it did so lately. */
static bool is_usable(struct worker *worker, struct bytes block, const uint8_t fingerprint[20],
                      struct error **error)
{
    uint8_t digest[32];
    int64_t now = (int64_t)time(NULL), expires;
    if (EVP_Digest(block.data, block.size, digest, NULL, EVP_sha256(), NULL) != 1)
        return error_set(error, ERROR_INTERNAL, "SHA-256 failed");
    for (size_t i = 0; i < sizeof(worker->usable) / sizeof(worker->usable[0]); i++)
        if (worker->usable[i].until > now && memcmp(worker->usable[i].digest, digest, sizeof(digest)) == 0)
            return true;
    if (!pgp_check_key(worker->verify_home, block, fingerprint, &expires, error))
        return false;
    struct usable_key *entry = &worker->usable[worker->usable_next];
    worker->usable_next = (worker->usable_next + 1) % (sizeof(worker->usable) / sizeof(worker->usable[0]));
    memcpy(entry->digest, digest, sizeof(digest));
    entry->until = expires > 0 && expires < now + USABLE_S ? expires : now + USABLE_S;
    return true;
}

bool worker_usable_key(struct worker *worker, struct bytes text, const uint8_t fingerprint[20],
                       struct buffer *block, struct openpgp_key *key, struct error **error)
{
    if (!worker_foreign_key(text, block, key, error))
        return false;
    if (fingerprint && memcmp(key->fingerprint, fingerprint, sizeof(key->fingerprint)) != 0)
        return error_set(error, ERROR_DENIED, "the key is not the one that was expected");
    return is_usable(worker, buffer_view(block), key->fingerprint, error);
}

static bool is_recipient(const struct openpgp_message_info *info, const struct openpgp_key *own)
{
    for (size_t i = 0; i < info->recipients; i++)
        if (memcmp(info->recipient_ids[i], own->id, sizeof(own->id)) == 0)
            return true;
    return false;
}

bool worker_decrypt(const char *home, const struct request *request, struct buffer *own_block,
                    struct openpgp_key *own, struct buffer *plain, struct error **error)
{
    struct openpgp_message_info info;
    if (!worker_own_key(home, request, own_block, own, error) ||
        !openpgp_screen_message(&info, request->data, error))
        return false;
    if (!is_recipient(&info, own))
        return error_set(error, ERROR_DENIED, "the message is for somebody else");
    struct error *failed = NULL;
    if (pgp_decrypt(home, request->data, request->passphrase, plain, &failed))
        return true;
    if (pgp_check_passphrase(home, own, request->passphrase, error))
        error_set(error, failed->code, "%s", failed->text);
    error_free(failed);
    return false;
}
