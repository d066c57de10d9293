/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/source.h"
#include "crypto/vault.h"
#include "store/store.h"

/* Fills the stopped gateway's data directory (the first argument) with so many settled, sealed conversations
 * (the second) of its only account: making them by invites would take gpg an hour. Part of sealed.py. */
enum { TURN = 500, ROUTE_KEYS = 96, ROOT_AT = 32, ID_FROM = 1000 };

struct owner {
    int64_t id;
    uint8_t key[VAULT_KEY_SIZE]; /* the vault's, then the account's */
    uint8_t block[8192];
    size_t block_size;
};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "sleepers: %s\n", what);
    exit(1);
}

static void on_account(void *arg, const struct account_row *row)
{
    struct owner *owner = arg;
    struct buffer key = buffer_make(VAULT_KEY_SIZE);
    char label[96];
    snprintf(label, sizeof label, "retrogate key of account %lld", (long long)row->id);
    must(owner->id == 0 && row->key_block.size <= sizeof owner->block, "one account is expected");
    must(vault_unwrap(&key, owner->key, label, row->key_wrapped), "the vault key does not fit");
    memcpy(owner->key, buffer_view(&key).data, VAULT_KEY_SIZE);
    memcpy(owner->block, row->key_block.data, row->key_block.size);
    owner->block_size = row->key_block.size;
    owner->id = row->id;
    buffer_free(&key);
}

static void put_conversation(struct store_batch *batch, const struct owner *owner, int64_t number)
{
    char handle[24], label[96];
    uint8_t keys[ROUTE_KEYS] = {0};
    struct buffer wrapped = buffer_make(256);
    int64_t id = ID_FROM + 3 * number, now = (int64_t)time(NULL) * 1000;
    snprintf(handle, sizeof handle, "sleeper-%lld", (long long)number);
    struct contact_row contact = {.id = id,
                                  .account = owner->id,
                                  .handle = handle,
                                  .name = handle,
                                  .key_block = bytes_of(owner->block, owner->block_size),
                                  .presence = "open",
                                  .created = now,
                                  .change = id};
    random_system.fill(random_system.state, contact.fingerprint, sizeof contact.fingerprint);
    struct conversation_row conversation = {.id = id + 1,
                                            .account = owner->id,
                                            .contact = id,
                                            .open = true,
                                            .sealed = true,
                                            .avatar = "",
                                            .state_text = "",
                                            .created = now,
                                            .change = id + 1};
    struct route_row route = {.id = id + 2,
                              .account = owner->id,
                              .conversation = id + 1,
                              .kind = "sealed",
                              .role = number % 2 == 0 ? "guest" : "inviter",
                              .sealing = "must",
                              .settled = true,
                              .confirmed = true,
                              .number_out = 7,
                              .number_in = 7,
                              .created = now,
                              .last_used = now};
    random_system.fill(random_system.state, keys + ROOT_AT, sizeof keys - ROOT_AT);
    snprintf(label, sizeof label, "retrogate route %lld of account %lld", (long long)route.id,
             (long long)owner->id);
    must(vault_wrap(&wrapped, owner->key, label, bytes_of(keys, sizeof keys), &random_system), "no memory");
    route.keys_wrapped = buffer_view(&wrapped);
    store_put_contact(batch, &contact);
    store_put_conversation(batch, &conversation);
    store_put_route(batch, &route);
    buffer_free(&wrapped);
}

static unsigned open_batches;

static void on_done(void *arg, const struct error *error)
{
    (void)arg;
    must(error == NULL, error == NULL ? "" : error->text);
    open_batches--;
}

static void read_vault_key(const char *directory, uint8_t key[VAULT_KEY_SIZE])
{
    char path[512], text[2 * VAULT_KEY_SIZE];
    snprintf(path, sizeof path, "%s/vault.key", directory);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    must(file >= 0 && read(file, text, sizeof text) == (ssize_t)sizeof text &&
             hex_parse(key, VAULT_KEY_SIZE, text, sizeof text),
         "no vault key there");
    close(file);
}

int main(int count, char **arguments)
{
    static const struct store_loader loader = {.account = on_account};
    static struct owner owner;
    uv_loop_t loop;
    struct error *error = NULL;
    must(count == 3 && uv_loop_init(&loop) == 0, "directory and number of conversations");
    int64_t wanted = strtoll(arguments[2], NULL, 10);
    read_vault_key(arguments[1], owner.key);
    struct store *store = store_open(&loop, arguments[1], &loader, &owner, &error);
    must(store != NULL, error == NULL ? "store" : error->text);
    must(owner.id > 0, "no account there");
    for (int64_t number = 0; number < wanted;) {
        struct store_batch *batch = store_begin(store);
        must(batch != NULL, "no memory");
        for (int64_t end = number + TURN; number < end && number < wanted; number++)
            put_conversation(batch, &owner, number);
        open_batches++;
        store_commit(batch, on_done, NULL);
        while (open_batches > 0)
            uv_run(&loop, UV_RUN_ONCE);
    }
    store_close(store);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    OPENSSL_cleanse(&owner, sizeof owner);
    return 0;
}
