/* SPDX-License-Identifier: ISC */
#include "core/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "core/changes.h"
#include "core/commands.h"
#include "core/posts.h"
#include "core/vault.h"
#include "wire/radix64.h"

enum { BLOB_PIECE = 262144 };

static const char *vault_word(const struct gateway *gateway)
{
    return gateway->vault_open ? "open" : "locked";
}

static json_t *friends_json(const struct gateway *gateway)
{
    size_t up = 0, total = gateway->friends != NULL ? friends_count(gateway->friends, &up)
                                                    : HASH_COUNT(gateway->friend_map);
    return json_pack("{s:I,s:I}", "total", (json_int_t)total, "up", (json_int_t)up);
}

bool do_hello(struct call *call, struct error **error)
{
    (void)error;
    call_done(call,
              json_pack("{s:i,s:s,s:o,s:b,s:s,s:o}", "version", 1, "software", "retrogate " RETROGATE_VERSION,
                        "account", call->account != NULL ? json_of_account(call->account) : json_null(),
                        "operator", call->session != NULL && gateway_is_operator(call->session), "vault",
                        vault_word(call->gateway), "friends", friends_json(call->gateway)));
    return true;
}

static json_t *listening(const struct gateway *gateway)
{
    json_t *object = gateway->listening != NULL ? json_deep_copy(gateway->listening) : json_object();
    json_t *list = json_array();
    struct sockaddr_storage addresses[8];
    size_t count = gateway->friends != NULL ? friends_listening(gateway->friends, addresses, 8) : 0;
    for (size_t i = 0; i < count; i++) {
        char text[64];
        address_format(text, sizeof text, (const struct sockaddr *)&addresses[i]);
        json_array_append_new(list, json_string(text));
    }
    json_object_set_new(object, "friends", list);
    return object;
}

static json_t *posts_json(const struct gateway *gateway)
{
    size_t queued = 0, locked = 0;
    for (const struct account *account = gateway->accounts; account != NULL; account = account->hh.next) {
        size_t count;
        const struct post_locked *post;
        DL_COUNT(account->posts.locked, post, count);
        queued += account->posts.queued;
        locked += count;
    }
    return json_pack("{s:I,s:I}", "queued", (json_int_t)queued, "locked", (json_int_t)locked);
}

bool do_status(struct call *call, struct error **error)
{
    (void)error;
    static const char *const phases[] = {"starting", "ready", "failed", "closing"};
    struct gateway *gateway = call->gateway;
    struct router_stats router;
    struct store_stats store;
    char fingerprint[41], location[33];
    router_stats(gateway->router, &router);
    store_stats(gateway->store, &store);
    hex_upper(fingerprint, gateway->node_fingerprint, 20);
    hex_lower(location, gateway->node_location, 16);
    json_t *result = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:o,s:o,s:I}", "name", gateway->node_name,
                               "version", RETROGATE_VERSION, "phase", phases[gateway->phase], "phase_text",
                               gateway->phase_text, "location", location, "fingerprint", fingerprint,
                               "uptime_ms", (json_int_t)(uv_now(gateway->loop) - gateway->started), "vault",
                               vault_word(gateway), "friends", friends_json(gateway), "listening",
                               listening(gateway), "accounts", (json_int_t)HASH_COUNT(gateway->accounts));
    json_object_set_new(result, "tunnels",
                        json_pack("{s:I,s:I,s:I,s:I}", "own", (json_int_t)router.tunnels_own, "relayed",
                                  (json_int_t)router.tunnels_relayed, "wanted", (json_int_t)router.wanted,
                                  "served", (json_int_t)router.served));
    json_object_set_new(result, "posts", posts_json(gateway));
    json_object_set_new(
        result, "traffic",
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "items_in", (json_int_t)router.items_in,
                  "items_forwarded", (json_int_t)router.items_forwarded, "items_refused",
                  (json_int_t)router.items_refused, "items_dropped", (json_int_t)gateway->items_dropped,
                  "bytes_forwarded", (json_int_t)router.bytes_forwarded, "requests_in",
                  (json_int_t)router.requests_in, "requests_limited", (json_int_t)router.requests_limited,
                  "own_requests", (json_int_t)router.digs));
    json_object_set_new(result, "store",
                        json_pack("{s:I,s:I,s:I,s:I,s:b}", "transactions", (json_int_t)store.transactions,
                                  "batches", (json_int_t)store.batches, "failed", (json_int_t)store.failed,
                                  "last_commit_us", (json_int_t)store.last_commit_us, "disk_full",
                                  store.disk_full));
    call_done(call, result);
    return true;
}

bool do_unlock(struct call *call, struct error **error)
{
    const char *text = arg_text(call, "vault_key");
    uint8_t key[VAULT_KEY_SIZE];
    if (call->gateway->vault_open)
        return error_set(error, ERROR_INVALID, "the vault is open already");
    if (!hex_parse(key, sizeof key, text, strlen(text)))
        return error_set(error, ERROR_INVALID, "vault_key: 64 hex digits");
    bool good = vault_unlock(call->gateway, key, error);
    OPENSSL_cleanse(key, sizeof key);
    if (good)
        call_done(call, NULL);
    return good;
}

struct piece {
    struct call *call;
    size_t size;
};

static void answer_piece(struct call *call, struct bytes data, size_t size)
{
    struct buffer text = buffer_make(BLOB_PIECE * 2);
    if (radix64_encode(&text, data))
        call_done(call, json_pack("{s:s,s:b}", "data", buffer_string(&text), "end", data.size < size));
    else
        call_fail(call, NULL);
    buffer_free(&text);
}

static void blob_read(void *arg, const char *id, struct bytes data, const struct error *error)
{
    (void)id;
    struct piece *piece = arg;
    if (error != NULL)
        call_fail_copy(piece->call, error);
    else
        answer_piece(piece->call, data, piece->size);
    free(piece);
}

bool do_blob(struct call *call, struct error **error)
{
    int64_t offset = arg_int(call, "offset", 0), size = arg_int(call, "size", BLOB_PIECE);
    if (offset < 0 || size < 1 || size > BLOB_PIECE)
        return error_set(error, ERROR_INVALID, "blob: offset at least 0, size 1 to %d", BLOB_PIECE);
    if (call->account->avatar_id[0] != '\0' &&
        strcmp(call->account->avatar_id, arg_text(call, "blob")) == 0) {
        struct reader own = reader_of(buffer_view(&call->account->avatar));
        read_bytes(&own, (uint64_t)offset < own.left ? (size_t)offset : own.left);
        answer_piece(call, read_bytes(&own, (size_t)size < own.left ? (size_t)size : own.left), (size_t)size);
        return true;
    }
    struct piece *piece = malloc(sizeof *piece);
    if (piece == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *piece = (struct piece){call, (size_t)size};
    store_blob_read(call->gateway->store, call->account->id, arg_text(call, "blob"), (uint64_t)offset,
                    (size_t)size, blob_read, piece);
    return true;
}

bool do_watch(struct call *call, struct error **error)
{
    if (call->session != NULL && !gateway_is_operator(call->session))
        return error_set(error, ERROR_DENIED, "watch is for the operator of this gateway");
    if (call->session != NULL)
        call->session->watching = arg_true(call, "on");
    call_done(call, NULL);
    return true;
}
