/* SPDX-License-Identifier: ISC */
/* What an account answers for, and what its receiver puts out. */
#include "core/post_in.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/conversations.h"
#include "core/vault.h"

static struct post_in *in_of(struct hash_owner *owner)
{
    return (struct post_in *)((char *)owner - offsetof(struct post_in, owner));
}

static struct gateway *gateway_of(const struct post_in *in)
{
    return in->account->gateway;
}

static uint64_t now_ms(const struct post_in *in)
{
    return uv_now(gateway_of(in)->loop);
}

/* --- day keys */

static void day_key_signed(void *arg, const struct keyring_answer *answer)
{
    struct day_key_request *request = arg;
    struct post_in *in = request->in;
    DL_DELETE(in->day_keys, request);
    if (!in->closed) {
        struct bytes signature = answer->error == NULL ? answer->text : (struct bytes){0};
        post_receiver_signed(in->receiver, request->day_key, signature, now_ms(in));
        owner_mark_dirty(&in->owner);
    }
    free(request);
}

static void sign_day_key(struct post_in *in, const uint8_t day_key[32])
{
    struct day_key_request *request = calloc(1, sizeof *request);
    if (request != NULL) {
        char home[VAULT_HOME_SIZE];
        struct keyring_secret secret = vault_secret(in->account, home);
        request->in = in;
        memcpy(request->day_key, day_key, sizeof request->day_key);
        if (in->account->unlocked)
            request->request =
                keyring_post_greet(gateway_of(in)->keyring, &secret, day_key, day_key_signed, request);
    }
    if (request == NULL || request->request == 0) {
        free(request);
        post_receiver_signed(in->receiver, day_key, (struct bytes){0}, now_ms(in));
        return;
    }
    DL_APPEND(in->day_keys, request);
}

static void forget_day_keys(struct post_in *in)
{
    struct day_key_request *request, *next;
    DL_FOREACH_SAFE(in->day_keys, request, next)
    {
        keyring_cancel(gateway_of(in)->keyring, request->request);
        free(request);
    }
    in->day_keys = NULL;
}

/* --- as an owner of hashes */

/* The hash may not be served any more. */
static const char *level_of(const struct post_in *in, const uint8_t hash[20])
{
    uint8_t universal[20];
    const struct owned_hash *entry = hash_of(&in->owner, hash, ROUTER_ENDPOINT);
    if (entry != NULL && entry->route != NULL)
        return "private";
    return account_universal_hash(in->account, universal) && memcmp(universal, hash, sizeof universal) == 0
               ? "universal"
               : "open";
}

static void receiver_output(struct post_in *in, const struct post_receiver_output *output)
{
    switch (output->kind) {
    case POST_RECEIVER_SEND:
        tunnel_send(&in->owner, output->tunnel, output->payload);
        break;
    case POST_RECEIVER_SIGN:
        sign_day_key(in, output->day_key);
        break;
    case POST_RECEIVER_OFFERED:
        incoming_offered(in, output, level_of(in, output->hash));
        break;
    case POST_RECEIVER_ARRIVED:
        incoming_arrived(in, output, level_of(in, output->hash));
        break;
    case POST_RECEIVER_CLOSE_TUNNEL:
        tunnel_close(&in->owner, output->tunnel);
        break;
    case POST_RECEIVER_CONFIRMED:
        tunnel_confirm(&in->owner, output->tunnel);
        break;
    case POST_RECEIVER_REFUSED:
        log_debug("core", "event=post-refused account=%s reason=\"%s\"",
                  log_name(&in->account->id, sizeof in->account->id), output->reason);
        break;
    }
}

static void up(struct owned_hash *entry, uint64_t tunnel)
{
    struct post_in *in = in_of(entry->owner);
    uint8_t secret[32];
    if (entry->route == NULL)
        post_receiver_tunnel_up(in->receiver, tunnel, entry->key.hash, NULL, now_ms(in));
    else if (route_post_secret(entry->route, secret))
        post_receiver_tunnel_up(in->receiver, tunnel, entry->key.hash, secret, now_ms(in));
    OPENSSL_cleanse(secret, sizeof secret);
}

static void down(struct owned_hash *entry, uint64_t tunnel, const char *reason)
{
    (void)reason;
    struct post_in *in = in_of(entry->owner);
    post_receiver_tunnel_down(in->receiver, tunnel, now_ms(in));
}

static void receive(struct owned_hash *entry, uint64_t tunnel, struct bytes payload)
{
    struct post_in *in = in_of(entry->owner);
    post_receiver_receive(in->receiver, tunnel, payload, now_ms(in));
}

static void tick(struct hash_owner *owner)
{
    struct post_in *in = in_of(owner);
    post_receiver_tick(in->receiver, now_ms(in));
}

static void take(struct hash_owner *owner)
{
    struct post_in *in = in_of(owner);
    struct post_receiver_output output;
    if (in->closed)
        return;
    while (post_receiver_next(in->receiver, &output))
        receiver_output(in, &output);
    incoming_work(in);
    owner_set_timer(owner, post_receiver_deadline(in->receiver));
}

static const struct owner_acts acts = {
    .hashes_max = 1 << 20,
    .up = up,
    .down = down,
    .receive = receive,
    .tick = tick,
    .take = take,
};

/* --- life and death */

static struct post_in *ensure(struct account *account)
{
    struct post_in *in = account->posts.in;
    struct post_receiver_options options = {
        .limit = (uint64_t)account->posts.settings.limit,
        .greets = account->unlocked,
    };
    memcpy(options.fingerprint, account->fingerprint, sizeof options.fingerprint);
    if (in != NULL)
        return in;
    if ((in = calloc(1, sizeof *in)) == NULL)
        return NULL;
    *in = (struct post_in){.account = account, .owner = {.acts = &acts, .account = account}};
    in->receiver = post_receiver_new(&options, account->gateway->random, uv_now(account->gateway->loop));
    if (in->receiver == NULL) {
        free(in);
        return NULL;
    }
    account->posts.in = in;
    return in;
}

void post_in_account_gone(struct account *account)
{
    struct post_in *in = account->posts.in;
    struct owned_hash *entry;
    if (in == NULL)
        return;
    DL_FOREACH(in->owner.hashes, entry)
    {
        if (entry->route != NULL)
            memset(entry->route->post_hashes, 0, sizeof entry->route->post_hashes);
    }
    forget_day_keys(in);
    incoming_forget_all(in);
    owner_clear(&in->owner);
    post_receiver_free(in->receiver);
    account->posts.in = NULL;
    free(in);
}

/* --- open links, and the universal hash */

static bool is_served(const struct post_link *link, int64_t now)
{
    return strcmp(link->state, "open") == 0 && link->expires > now;
}

static bool serves_openly(const struct account *account, int64_t now)
{
    const struct post_link *link;
    bool serves = account->posts.settings.universal;
    for (link = account->posts.links; link != NULL; link = link->hh.next)
        serves |= is_served(link, now);
    return serves;
}

static void serve(struct post_in *in, const uint8_t hash[20], bool guessable)
{
    struct owned_hash *entry = hash_serve(&in->owner, hash, guessable);
    if (entry == NULL)
        log_warn("core", "event=hash-not-served account=%s",
                 log_name(&in->account->id, sizeof in->account->id));
    else
        entry->day = in->round;
}

void post_in_changed(struct account *account)
{
    int64_t now = clock_wall_ms();
    uint8_t universal[20];
    struct post_in *in = account->posts.in;
    if (account->removed || account->gateway->phase == NODE_CLOSING ||
        (in == NULL && !serves_openly(account, now)) || (in = ensure(account)) == NULL)
        return;
    in->round++;
    post_receiver_set_limit(in->receiver, (uint64_t)account->posts.settings.limit);
    if (account->posts.settings.universal && account_universal_hash(account, universal))
        serve(in, universal, true);
    for (const struct post_link *link = account->posts.links; link != NULL; link = link->hh.next) {
        if (is_served(link, now))
            serve(in, link->hash, false);
    }
    struct owned_hash *entry, *next;
    DL_FOREACH_SAFE(in->owner.hashes, entry, next)
    {
        if (entry->route == NULL && entry->day != in->round)
            hash_forget(entry);
    }
    owner_mark_dirty(&in->owner);
}

/* --- private hashes */

enum { DAYS = 3 }; /* yesterday, today, tomorrow */

static void forget_route(struct route *route)
{
    for (unsigned i = 0; i < DAYS; i++) {
        if (route->post_hashes[i] != NULL)
            hash_forget(route->post_hashes[i]);
        route->post_hashes[i] = NULL;
    }
    route->post_day = 0;
}

static void serve_day(struct post_in *in, struct route *route, const uint8_t secret[32], uint64_t day)
{
    struct owned_hash **slot = &route->post_hashes[day % DAYS];
    uint8_t hash[20];
    if (*slot != NULL && (*slot)->day == day)
        return;
    if (*slot != NULL)
        hash_forget(*slot);
    *slot = NULL;
    /* Before it is served: a tunnel may be there at once. */
    struct owned_hash *entry =
        route_post_hash(route, secret, day, hash) ? hash_enter(&in->owner, hash, ROUTER_ENDPOINT) : NULL;
    if (entry == NULL)
        return;
    entry->route = route;
    entry->day = day;
    if (hash_serve(&in->owner, hash, false) != NULL)
        *slot = entry;
    else
        hash_forget(entry);
}

static bool is_current(const struct route *route)
{
    return route->post_day == post_day(clock_wall_ms());
}

void post_in_route(struct route *route)
{
    struct account *account = route->conversation->account;
    uint64_t today = post_day(clock_wall_ms());
    uint8_t secret[32];
    struct post_in *in;
    if (route->chat == NULL || !route_carries_posts(route) || account->removed ||
        account->gateway->phase == NODE_CLOSING) {
        forget_route(route);
        return;
    }
    if (route->post_day == today || today == 0 || (in = ensure(account)) == NULL)
        return;
    if (route_post_secret(route, secret)) {
        for (uint64_t day = today - 1; day <= today + 1; day++)
            serve_day(in, route, secret, day);
        if (route->post_day == 0 && route->conversation->contact->deliveries != NULL)
            post_out_wake(route->conversation->contact); /* by a better way */
        route->post_day = today;
        owner_mark_dirty(&in->owner);
    }
    OPENSSL_cleanse(secret, sizeof secret);
}

/* --- the gateway's */

void posts_in_start(struct gateway *gateway)
{
    for (struct account *account = gateway->accounts; account != NULL; account = account->hh.next)
        post_in_changed(account);
}

void post_in_unlocked(struct account *account)
{
    if (account->posts.locked != NULL)
        ensure(account);
    struct post_in *in = account->posts.in;
    if (in == NULL)
        return;
    post_receiver_set_greets(in->receiver, true, now_ms(in));
    incoming_open_locked(in);
    owner_mark_dirty(&in->owner);
}

void posts_in_minute(struct gateway *gateway)
{
    unsigned left = POST_IN_ROUTES;
    for (struct account *account = gateway->accounts; account != NULL; account = account->hh.next) {
        const struct conversation *conversation = account->conversations;
        for (; conversation != NULL; conversation = conversation->hh.next) {
            struct route *route;
            DL_FOREACH(conversation->routes, route)
            {
                if (left == 0 || is_current(route) || route->chat == NULL || !route->sealed)
                    continue;
                post_in_route(route);
                left--;
            }
        }
        if (account->posts.in != NULL)
            incoming_open_locked(account->posts.in);
    }
}

void posts_in_close(struct gateway *gateway)
{
    for (struct account *account = gateway->accounts; account != NULL; account = account->hh.next) {
        struct post_in *in = account->posts.in;
        if (in == NULL)
            continue;
        owner_stop(&in->owner);
        in->closed = true;
        forget_day_keys(in);
        incoming_close_all(in);
    }
}
