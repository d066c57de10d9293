/* SPDX-License-Identifier: ISC */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/accounts.h"
#include "core/app_passwords.h"
#include "core/contacts.h"
#include "core/conversations.h"
#include "core/invites.h"
#include "core/local.h"
#include "core/network.h"
#include "core/post_read.h"
#include "core/post_in.h"
#include "core/post_out.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/services.h"
#include "core/session.h"
#include "core/text.h"
#include "core/uploads.h"
#include "core/vault.h"
#include "mime/mime.h"

static const uint64_t MINUTE_MS = 60000;

const struct error stored_only = {ERROR_INTERNAL,
                                  "out of memory: it is stored, and is there when the daemon was restarted"};

int64_t next_id(struct gateway *gateway)
{
    return ++gateway->last_id;
}

static void sweep(struct gateway *gateway)
{
    struct account *account, *next_account;
    HASH_ITER(hh, gateway->accounts, account, next_account)
    {
        struct conversation *conversation, *next;
        HASH_ITER(hh, account->conversations, conversation, next)
        conversation_sweep(conversation);
    }
    struct conversation **link = &gateway->graves;
    while (*link != NULL) {
        struct conversation *grave = *link;
        if (conversation_sweep(grave)) {
            *link = grave->next_grave;
            conversation_free(grave);
        } else {
            link = &grave->next_grave;
        }
    }
}

static void each_minute(uv_timer_t *timer)
{
    struct gateway *gateway = timer->data;
    invites_expire(gateway);
    app_passwords_sweep(gateway);
    uploads_sweep(gateway);
    posts_minute(gateway);
    queues_flush(gateway);
    posts_in_minute(gateway);
    local_meet_all(gateway);
    conversations_drain(gateway);
    sweep(gateway);
}

static void on_check(uv_check_t *check)
{
    conversations_turn(check->data);
    sessions_flush(check->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct gateway *gateway = prepare->data;
    conversations_turn(gateway);
    sessions_flush(gateway);
    store_turn(gateway->store);
}

static bool copy_options(struct gateway *gateway, const struct core_options *options, struct error **error)
{
    if (strlen(options->directory) > 60 || options->directory[0] != '/')
        return error_set(
            error, ERROR_INVALID,
            "state directory %s: must be absolute and at most 60 bytes (gpg-agent's socket is below it)",
            options->directory);
    text_copy(gateway->directory, sizeof gateway->directory, options->directory);
    text_copy(gateway->node_name, sizeof gateway->node_name, options->node_name);
    text_copy(gateway->mail_forward, sizeof gateway->mail_forward,
              options->mail_forward != NULL ? options->mail_forward : "");
    text_copy(gateway->mail_maildir, sizeof gateway->mail_maildir,
              options->mail_maildir != NULL ? options->mail_maildir : "");
    gateway->friend_options = options->friends;
    if (options->friends.dns != NULL) {
        text_copy(gateway->friend_dns, sizeof gateway->friend_dns, options->friends.dns);
        gateway->friend_options.dns = gateway->friend_dns;
    }
    if (options->friends.proxy != NULL) {
        text_copy(gateway->friend_proxy, sizeof gateway->friend_proxy, options->friends.proxy);
        gateway->friend_options.proxy = gateway->friend_proxy;
    }
    gateway->friend_options.version = "retrogate " RETROGATE_VERSION;
    gateway->typing_default = options->typing_default;
    text_copy(gateway->mail_domain, sizeof gateway->mail_domain,
              options->mail_domain != NULL ? options->mail_domain : "distant.alt");
    return true;
}

static void free_node(struct gateway *gateway)
{
    buffer_free(&gateway->node_key_block);
    buffer_free(&gateway->node_certificate);
    buffer_free(&gateway->node_private_key);
    buffer_free(&gateway->node_passphrase);
}

static void free_memory(struct gateway *gateway)
{
    struct account *account, *next_account;
    HASH_ITER(hh, gateway->accounts, account, next_account)
    {
        HASH_DELETE(hh, gateway->accounts, account);
        account_free(account);
    }
    while ((account = gateway->account_graves) != NULL) {
        gateway->account_graves = account->next_grave;
        account_free(account);
    }
    struct conversation *conversation;
    while ((conversation = gateway->graves) != NULL) {
        gateway->graves = conversation->next_grave;
        conversation_free(conversation);
    }
    struct contact *contact;
    while ((contact = gateway->contact_graves) != NULL) {
        gateway->contact_graves = contact->next_grave;
        contact_free(contact);
    }
    struct friend *entry, *next;
    HASH_ITER(hh, gateway->friend_map, entry, next)
    {
        HASH_DELETE(hh, gateway->friend_map, entry);
        buffer_free(&entry->key_block);
        free(entry);
    }
    part_cache_free(gateway);
    services_free(gateway);
    throttle_free(&gateway->throttle);
    free_node(gateway);
    router_free(gateway->router);
    classic_cipher_free(gateway->tools.classic);
    sealed_cipher_free(gateway->tools.sealed);
    timers_free(&gateway->owner_timers);
    json_decref(gateway->listening);
    OPENSSL_cleanse(gateway->vault_key, sizeof gateway->vault_key);
    free(gateway);
}

/* Passwords and links come and go as JSON. */
static void wipe_and_free(void *memory)
{
    if (memory != NULL)
        OPENSSL_cleanse(memory, malloc_usable_size(memory));
    free(memory);
}

struct gateway *gateway_open(uv_loop_t *loop, const struct core_options *options, struct error **error)
{
    json_set_alloc_funcs(malloc, wipe_and_free);
    struct gateway *gateway = calloc(1, sizeof *gateway);
    if (gateway == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    gateway->loop = loop;
    gateway->random = &random_system;
    gateway->started = uv_now(loop);
    gateway->router_due = gateway->owner_due = UINT64_MAX;
    gateway->tools = (struct chat_tools){classic_cipher_new(), sealed_cipher_new(), gateway->random};
    gateway->router = router_new(&options->router, gateway->random, uv_now(loop));
    char keys[128];
    snprintf(keys, sizeof keys, "%s/keys", options->directory);
    const struct keyring_options keyring_options = {
        .program = options->keyring_program, .directory = keys, .workers = options->keyring_workers};
    bool good = copy_options(gateway, options, error) && mime_start(error);
    if (good && (gateway->tools.classic == NULL || gateway->tools.sealed == NULL || gateway->router == NULL))
        good = error_set(error, ERROR_INTERNAL, "out of memory");
    good = good && load(gateway, error);
    if (good)
        good = (gateway->keyring = keyring_start(loop, &keyring_options, error)) != NULL;
    if (!good) {
        if (gateway->store != NULL)
            store_close(gateway->store);
        free_memory(gateway);
        return NULL;
    }
    uv_timer_init(loop, &gateway->router_timer);
    uv_timer_init(loop, &gateway->owner_timer);
    uv_timer_init(loop, &gateway->minute);
    uv_check_init(loop, &gateway->check);
    uv_prepare_init(loop, &gateway->prepare);
    gateway->open_handles = 5;
    gateway->router_timer.data = gateway->owner_timer.data = gateway->minute.data = gateway->check.data =
        gateway->prepare.data = gateway;
    uv_timer_start(&gateway->minute, each_minute, MINUTE_MS, MINUTE_MS);
    uv_check_start(&gateway->check, on_check);
    uv_prepare_start(&gateway->prepare, on_prepare);
    if (!vault_start(gateway, options->vault_key_file, options->vault_key_create, error)) {
        gateway_close(gateway, NULL, NULL);
        return NULL;
    }
    queues_claim(gateway);
    posts_in_start(gateway);
    invites_expire(gateway);
    posts_start(gateway);
    network_start(gateway);
    return gateway;
}

void gateway_on_ready(struct gateway *gateway, void (*ready)(void *arg, const struct error *error), void *arg)
{
    gateway->ready = ready;
    gateway->ready_arg = arg;
    if (gateway->phase == NODE_READY)
        ready(arg, NULL);
    else if (gateway->phase == NODE_FAILED)
        ready(arg, &(struct error){ERROR_INTERNAL, "the node could not start; the log says why"});
}

void gateway_set_listening(struct gateway *gateway, json_t *listening)
{
    json_decref(gateway->listening);
    gateway->listening = json_incref(listening);
}

void gateway_set_node_name(struct gateway *gateway, const char *name)
{
    text_copy(gateway->node_name, sizeof gateway->node_name, name);
    if (gateway->friends != NULL)
        friends_set_name(gateway->friends, gateway->node_name);
}

/* --- the end */

static void handle_closed(uv_handle_t *handle)
{
    struct gateway *gateway = handle->data;
    if (--gateway->open_handles > 0)
        return;
    void (*closed)(void *arg) = gateway->closed;
    void *arg = gateway->closed_arg;
    free_memory(gateway);
    if (closed != NULL)
        closed(arg);
}

static void finish(struct gateway *gateway)
{
    keyring_stop(gateway->keyring);
    /* Answers of the last commits may still finish calls. */
    store_close(gateway->store);
    sessions_flush(gateway);
    uv_close((uv_handle_t *)&gateway->router_timer, handle_closed);
    uv_close((uv_handle_t *)&gateway->owner_timer, handle_closed);
    uv_close((uv_handle_t *)&gateway->minute, handle_closed);
    uv_close((uv_handle_t *)&gateway->check, handle_closed);
    uv_close((uv_handle_t *)&gateway->prepare, handle_closed);
}

static void finish_when_idle(struct gateway *gateway)
{
    if (gateway->links_closed && gateway->works == 0)
        finish(gateway);
}

void gateway_work_begin(struct gateway *gateway)
{
    gateway->works++;
}

void gateway_work_end(struct gateway *gateway)
{
    gateway->works--;
    finish_when_idle(gateway);
}

static void links_closed(void *arg)
{
    struct gateway *gateway = arg;
    gateway->friends = NULL;
    gateway->links_closed = true;
    finish_when_idle(gateway);
}

void gateway_close(struct gateway *gateway, void (*closed)(void *arg), void *arg)
{
    gateway->phase = NODE_CLOSING;
    gateway->closed = closed;
    gateway->closed_arg = arg;
    sessions_end_all(gateway, "the gateway is stopping");
    routes_leave(gateway);
    posts_out_close(gateway);
    posts_in_close(gateway);
    if (gateway->friends != NULL)
        friends_close(gateway->friends, links_closed, gateway);
    else
        links_closed(gateway);
}
