/* SPDX-License-Identifier: ISC */
#include "core/network.h"

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/log.h"
#include "core/changes.h"
#include "core/conversations.h"
#include "core/hashes.h"
#include "core/rows.h"

enum { NODE_ATTEMPTS = 3 }; /* at making the node's key */

/* --- the router's clock */

static void router_due(uv_timer_t *timer)
{
    struct gateway *gateway = timer->data;
    gateway->router_due = UINT64_MAX;
    router_tick(gateway->router, uv_now(gateway->loop));
    conversations_drain(gateway);
}

void network_rearm(struct gateway *gateway)
{
    uint64_t due = router_deadline(gateway->router), now = uv_now(gateway->loop);
    if (due == gateway->router_due || gateway->phase == NODE_CLOSING)
        return;
    gateway->router_due = due;
    if (due == UINT64_MAX)
        uv_timer_stop(&gateway->router_timer);
    else
        uv_timer_start(&gateway->router_timer, router_due, due > now ? due - now : 0, 0);
}

/* --- what it puts out */

static void give(const struct gateway *gateway, const struct router_output *output)
{
    enum router_role role = output->kind == ROUTER_DUG ? ROUTER_INITIATOR : output->role;
    struct owned_hash *entry = hash_find(gateway, output->hash, role);
    if (entry == NULL)
        return;
    const struct owner_acts *acts = entry->owner->acts;
    if (output->kind == ROUTER_TUNNEL_UP)
        acts->up(entry, output->tunnel);
    else if (output->kind == ROUTER_TUNNEL_DOWN)
        acts->down(entry, output->tunnel, output->reason);
    else if (output->kind == ROUTER_DATA)
        acts->receive(entry, output->tunnel, output->payload);
    else if (acts->dug != NULL)
        acts->dug(entry, output->reached);
    owner_mark_dirty(entry->owner);
}

void network_take(struct gateway *gateway)
{
    struct router_output output;
    while (router_next(gateway->router, &output)) {
        if (output.kind != ROUTER_SEND)
            give(gateway, &output);
        else if (gateway->friends == NULL ||
                 !friends_send(gateway->friends, output.neighbour, output.priority, output.item))
            gateway->items_dropped++;
    }
}

/* --- events of the links */

static void hint_friend(struct gateway *gateway, const uint8_t location[16])
{
    struct friend *entry = NULL;
    HASH_FIND(hh, gateway->friend_map, location, 16, entry);
    if (entry != NULL && gateway->sessions != NULL)
        sessions_watch(gateway, json_pack("{s:o}", "friend", json_of_friend(gateway, entry)));
}

static void link_up(void *arg, uint32_t neighbour, const uint8_t location[16])
{
    struct gateway *gateway = arg;
    router_neighbour_up(gateway->router, neighbour, TURTLE_06, uv_now(gateway->loop));
    conversations_drain(gateway);
    hint_friend(gateway, location);
}

static void link_down(void *arg, uint32_t neighbour, const uint8_t location[16], const char *reason)
{
    (void)reason;
    struct gateway *gateway = arg;
    router_neighbour_down(gateway->router, neighbour, uv_now(gateway->loop));
    conversations_drain(gateway);
    hint_friend(gateway, location);
}

static void link_item(void *arg, uint32_t neighbour, struct bytes item)
{
    struct gateway *gateway = arg;
    const char *refused = router_receive(gateway->router, neighbour, item, uv_now(gateway->loop));
    if (refused != NULL)
        log_debug("core", "event=item-refused neighbour=%u reason=\"%s\"", neighbour, refused);
    conversations_drain(gateway);
}

static void link_batch_end(void *arg)
{
    (void)arg;
}

bool friend_keep(struct friend *entry, const struct friend_record *record)
{
    struct buffer block = buffer_make(1 << 16);
    if (!buffer_append_bytes(&block, record->key_block)) {
        buffer_free(&block);
        return false;
    }
    buffer_free(&entry->key_block);
    char name[NAME_SIZE];
    memcpy(name, entry->record.name, sizeof name);
    entry->record = *record;
    if (name[0] != '\0')
        memcpy(entry->record.name, name, sizeof name);
    entry->key_block = block;
    entry->record.key_block = buffer_view(&entry->key_block);
    return true;
}

static void save_friend(struct gateway *gateway, const struct friend *entry)
{
    struct store_batch *batch = store_begin(gateway->store);
    if (batch == NULL)
        return;
    put_friend(batch, entry);
    store_commit(batch, NULL, NULL);
}

static void record_changed(void *arg, const struct friend_record *record)
{
    struct gateway *gateway = arg;
    struct friend *entry = NULL;
    HASH_FIND(hh, gateway->friend_map, record->location, sizeof record->location, entry);
    if (entry == NULL || !friend_keep(entry, record))
        return;
    save_friend(gateway, entry);
    hint_friend(gateway, record->location);
}

static void link_state(void *arg, const uint8_t location[16])
{
    hint_friend(arg, location);
}

json_t *json_of_attempt(const struct friend_attempt *attempt)
{
    char location[33], address[64];
    hex_lower(location, attempt->location, sizeof attempt->location);
    address_format(address, sizeof address, (const struct sockaddr *)&attempt->address);
    return json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:i}", "location", location, "issuer", attempt->issuer,
                     "address", address, "reason", attempt->reason, "first", (json_int_t)attempt->first_ms,
                     "last", (json_int_t)attempt->last_ms, "count", (int)attempt->count);
}

static void link_attempt(void *arg, const struct friend_attempt *attempt)
{
    sessions_watch(arg, json_pack("{s:o}", "attempt", json_of_attempt(attempt)));
}

static const struct friends_events link_events = {
    .up = link_up,
    .down = link_down,
    .item = link_item,
    .batch_end = link_batch_end,
    .changed = record_changed,
    .state = link_state,
    .attempt = link_attempt,
};

/* --- the node's identity */

static void node_failed(struct gateway *gateway, const struct error *error)
{
    if (gateway->phase == NODE_CLOSING) /* its requests end with it */
        return;
    gateway->phase = NODE_FAILED;
    snprintf(gateway->phase_text, sizeof gateway->phase_text, "%s", error->text);
    log_error("core", "event=node-failed error=\"%s\"", error->text);
    if (gateway->ready != NULL)
        gateway->ready(gateway->ready_arg, error);
}

/* A keyring that died, or an agent that did not come up in time on a machine short of everything, is no
 * reason to send a new user away: the key is begun again, from nothing. */
static void node_key_failed(struct gateway *gateway, const struct error *error)
{
    if (gateway->phase != NODE_STARTING || ++gateway->node_attempts >= NODE_ATTEMPTS) {
        node_failed(gateway, error);
        return;
    }
    log_warn("core", "event=node-key-again attempt=%u error=\"%s\"", gateway->node_attempts + 1, error->text);
    buffer_free(&gateway->node_key_block);
    buffer_free(&gateway->node_passphrase);
    network_start(gateway);
}

static void open_links(struct gateway *gateway)
{
    struct error *error = NULL;
    struct friends_identity identity = {
        .certificate = buffer_view(&gateway->node_certificate),
        .private_key = buffer_view(&gateway->node_private_key),
        .key_block = buffer_view(&gateway->node_key_block),
        .location_name = gateway->node_name,
    };
    memcpy(identity.fingerprint, gateway->node_fingerprint, sizeof identity.fingerprint);
    memcpy(identity.location, gateway->node_location, sizeof identity.location);
    gateway->friends = friends_open(gateway->loop, &identity, &gateway->friend_options, gateway->keyring,
                                    &link_events, gateway, &error);
    if (gateway->friends == NULL) {
        node_failed(gateway, error);
        error_free(error);
        return;
    }
    gateway->phase = NODE_READY;
    gateway->phase_text[0] = '\0';
    struct friend *entry, *next;
    HASH_ITER(hh, gateway->friend_map, entry, next)
    {
        if (!friends_add(gateway->friends, &entry->record, &error)) {
            log_error("core", "event=friend-not-added error=\"%s\"", error->text);
            error_free(error);
            error = NULL;
        }
    }
    if (gateway->ready != NULL)
        gateway->ready(gateway->ready_arg, NULL);
}

static void node_stored(void *arg, const struct error *error)
{
    struct gateway *gateway = arg;
    if (error != NULL)
        node_failed(gateway, error);
    else if (gateway->phase == NODE_STARTING)
        open_links(gateway);
}

static void location_made(void *arg, const struct keyring_answer *answer)
{
    struct gateway *gateway = arg;
    if (answer->error != NULL) {
        node_key_failed(gateway, answer->error);
        return;
    }
    gateway->node_certificate = buffer_make(1 << 16);
    gateway->node_private_key = buffer_make(1 << 16);
    gateway->node_private_key.secret = true;
    memcpy(gateway->node_location, answer->location, sizeof gateway->node_location);
    struct store_batch *batch = store_begin(gateway->store);
    if (!buffer_append_bytes(&gateway->node_certificate, answer->block) ||
        !buffer_append_bytes(&gateway->node_private_key, answer->private_key) || batch == NULL) {
        store_discard(batch);
        node_failed(gateway, &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    struct node_row row = {
        .key_block = buffer_view(&gateway->node_key_block),
        .certificate = buffer_view(&gateway->node_certificate),
        .private_key = buffer_view(&gateway->node_private_key),
        .passphrase = buffer_view(&gateway->node_passphrase),
        .name = gateway->node_name,
    };
    memcpy(row.fingerprint, gateway->node_fingerprint, sizeof row.fingerprint);
    memcpy(row.location, gateway->node_location, sizeof row.location);
    store_put_node(batch, &row);
    store_commit(batch, node_stored, gateway);
}

static struct keyring_secret node_secret(struct gateway *gateway)
{
    struct keyring_secret secret = {.home = "node", .passphrase = buffer_view(&gateway->node_passphrase)};
    memcpy(secret.fingerprint, gateway->node_fingerprint, sizeof secret.fingerprint);
    return secret;
}

static void key_made(void *arg, const struct keyring_answer *answer)
{
    struct gateway *gateway = arg;
    if (answer->error != NULL) {
        node_key_failed(gateway, answer->error);
        return;
    }
    memcpy(gateway->node_fingerprint, answer->fingerprint, sizeof gateway->node_fingerprint);
    gateway->node_key_block = buffer_make(1 << 16);
    if (!buffer_append_bytes(&gateway->node_key_block, answer->block)) {
        node_failed(gateway, &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    snprintf(gateway->phase_text, sizeof gateway->phase_text, "making the node's TLS key and certificate");
    struct keyring_secret secret = node_secret(gateway);
    if (keyring_location_new(gateway->keyring, &secret, location_made, gateway) == 0)
        node_failed(gateway, &(struct error){ERROR_UNAVAILABLE, "the keyring took no request"});
}

static void forgotten(void *arg, const struct keyring_answer *answer)
{
    /* A home without the node's row is left from a start that was cut short. */
    (void)answer;
    struct gateway *gateway = arg;
    struct keyring_secret secret = node_secret(gateway);
    if (keyring_create(gateway->keyring, &secret, gateway->node_name, true, NULL, key_made, gateway) == 0)
        node_failed(gateway, &(struct error){ERROR_UNAVAILABLE, "the keyring took no request"});
}

void network_start(struct gateway *gateway)
{
    if (gateway->node_certificate.memory != NULL) {
        open_links(gateway);
        return;
    }
    uint8_t raw[24];
    char text[2 * sizeof raw + 1];
    gateway->random->fill(gateway->random->state, raw, sizeof raw);
    hex_lower(text, raw, sizeof raw);
    gateway->node_passphrase = buffer_make(256);
    gateway->node_passphrase.secret = true;
    buffer_append_string(&gateway->node_passphrase, text);
    OPENSSL_cleanse(raw, sizeof raw);
    OPENSSL_cleanse(text, sizeof text);
    snprintf(gateway->phase_text, sizeof gateway->phase_text, "making the node's key (some seconds)");
    log_info("core", "event=node-key-making");
    if (keyring_forget(gateway->keyring, "node", forgotten, gateway) == 0)
        node_failed(gateway, &(struct error){ERROR_UNAVAILABLE, "the keyring took no request"});
}
