/* SPDX-License-Identifier: ISC */
#include "core/rows.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "core/account_posts.h"
#include "core/avatars.h"
#include "core/conversations.h"
#include "core/post_links.h"
#include "core/post_people.h"
#include "core/queue.h"
#include "core/text.h"
#include "wire/radix64.h"

/* --- to rows */

static char *account_settings(const struct account *account)
{
    struct buffer avatar = buffer_make(CHAT_AVATAR_LIMIT * 2);
    radix64_encode(&avatar, buffer_view(&account->avatar));
    const char *avatar_text = buffer_string(&avatar);
    const struct post_settings *posts = &account->posts.settings;
    json_t *settings = json_pack(
        "{s:b,s:s,s:s,s:s,s:{s:b,s:I,s:I,s:I,s:s}}", "typing", account->typing, "state_text",
        account->state_text, "person", account->person, "avatar", avatar_text != NULL ? avatar_text : "",
        "posts", "universal", posts->universal, "wait", (json_int_t)posts->wait, "limit",
        (json_int_t)posts->limit, "strangers", (json_int_t)posts->strangers, "forward", posts->forward);
    char *text = settings != NULL ? json_dumps(settings, JSON_COMPACT) : NULL;
    json_decref(settings);
    buffer_free(&avatar);
    return text;
}

void put_account(struct store_batch *batch, const struct account *account)
{
    char *settings = account_settings(account);
    struct account_row row = {
        .id = account->id,
        .name = account->name,
        .password = account->password,
        .key_block = buffer_view(&account->key_block),
        .key_wrapped = buffer_view(&account->key_wrapped),
        .passphrase_wrapped = buffer_view(&account->passphrase_wrapped),
        .settings = settings != NULL ? settings : "{}",
        .epoch = account->epoch,
        .last_seq = account->last_seq,
        .last_change = account->reserved_change,
        .created = account->created,
        .is_operator = account->is_operator,
    };
    memcpy(row.fingerprint, account->fingerprint, sizeof row.fingerprint);
    store_put_account(batch, &row);
    free(settings);
}

void put_contact(struct store_batch *batch, const struct contact *contact)
{
    struct contact_row row = {
        .id = contact->id,
        .account = contact->account->id,
        .handle = contact->naming.handle,
        .name = contact->naming.name,
        .key_block = buffer_view(&contact->key_block),
        .presence = contact->naming.presence,
        .posts = posts_word(contact),
        .created = contact->created,
        .change = contact->change,
    };
    memcpy(row.fingerprint, contact->fingerprint, sizeof row.fingerprint);
    store_put_contact(batch, &row);
}

void put_conversation(struct store_batch *batch, const struct conversation *conversation)
{
    struct conversation_row row = {
        .id = conversation->id,
        .account = conversation->account->id,
        .contact = conversation->contact->id,
        .open = conversation->standing.open,
        .read_seq = conversation->standing.read_seq,
        .last_seq = conversation->last_seq,
        .closed_at = conversation->standing.closed_at,
        .sealed = conversation->standing.sealed,
        .avatar = conversation->avatar,
        .state_text = conversation->state_text,
        .created = conversation->created,
        .change = conversation->change,
    };
    store_put_conversation(batch, &row);
}

static const char *const sealing_words[] = {
    [CHAT_SEALING_NEVER] = "never", [CHAT_SEALING_MAY] = "may", [CHAT_SEALING_MUST] = "must"};

void put_route(struct store_batch *batch, const struct route *route)
{
    struct route_row row = {
        .id = route->id,
        .account = route->conversation->account->id,
        .conversation = route->conversation->id,
        .kind = route->sealed ? "sealed" : "classic",
        .role = route->role == CHAT_INVITER ? "inviter" : "guest",
        .invite = route->invite,
        .keys_wrapped = buffer_view(&route->keys_wrapped),
        .salt_next = route->salt_next,
        .sealing = sealing_words[route->sealing],
        .settled = route->settled,
        .number_out = route->number_out,
        .number_in = route->number_in,
        .confirmed = route->confirmed,
        .closed_by_peer = route->closed_by_peer,
        .parting = route->parting,
        .created = route->created,
        .last_used = route->last_used,
    };
    memcpy(row.hash, route->hash, sizeof row.hash);
    memcpy(row.context, route->context, sizeof row.context);
    store_put_route(batch, &row);
}

void put_invite(struct store_batch *batch, const struct invite *invite)
{
    struct invite_row row = {
        .id = invite->id,
        .account = invite->account->id,
        .contact = invite->contact->id,
        .own = invite->own,
        .link_wrapped = buffer_view(&invite->link_wrapped),
        .expires = invite->expires,
        .uses_left = invite->uses_left,
        .state = invite->state,
        .sealed = invite->sealed,
        .sealed_only = invite->sealed_only,
        .created = invite->created,
        .change = invite->change,
    };
    store_put_invite(batch, &row);
}

void put_friend(struct store_batch *batch, const struct friend *entry)
{
    const struct friend_record *record = &entry->record;
    struct buffer addresses = buffer_make(4096);
    for (size_t i = 0; i < record->address_count; i++) {
        char text[64];
        address_format(text, sizeof text, (const struct sockaddr *)&record->addresses[i]);
        buffer_printf(&addresses, "%s%s", i > 0 ? " " : "", text);
    }
    const char *addresses_text = buffer_string(&addresses);
    char dns[300] = "", hidden[300] = "";
    if (record->dns[0] != '\0')
        snprintf(dns, sizeof dns, "%s:%u", record->dns, record->dns_port);
    if (record->hidden[0] != '\0')
        snprintf(hidden, sizeof hidden, "%s:%u", record->hidden, record->hidden_port);
    struct friend_row row = {
        .name = record->name,
        .key_block = record->key_block,
        .verified = record->verified,
        .addresses = addresses_text != NULL ? addresses_text : "",
        .dns = dns,
        .hidden = hidden,
        .added = entry->added,
        .last_seen = record->last_seen_ms,
    };
    memcpy(row.location, record->location, sizeof row.location);
    memcpy(row.fingerprint, record->fingerprint, sizeof row.fingerprint);
    memcpy(row.pinned, record->pinned, sizeof row.pinned);
    store_put_friend(batch, &row);
    buffer_free(&addresses);
}

void put_app_password(struct store_batch *batch, const struct account *account,
                      const struct app_password *entry)
{
    struct app_password_row row = {
        .id = entry->id,
        .account = account->id,
        .label = entry->label,
        .scope = entry->scope,
        .scram = entry->scram,
        .created = entry->created,
        .last_used = entry->last_used,
        .idle = entry->idle,
    };
    memcpy(row.sha256, entry->sha256, sizeof row.sha256);
    store_put_app_password(batch, &row);
}

void put_client(struct store_batch *batch, const struct account *account, const struct client *client)
{
    struct client_row row = {
        .account = account->id,
        .name = client->name,
        .epoch = client->epoch,
        .change = client->change,
        .seq = client->seq,
        .last_seen = client->last_seen,
    };
    store_put_client(batch, &row);
}

/* --- from rows */

struct loading {
    struct gateway *gateway;
    bool failed;          /* memory, or rows that do not fit together */
    struct route *salted; /* salts come sorted by route */
};

static bool keep(struct buffer *out, struct bytes bytes, size_t ceiling)
{
    *out = buffer_make(ceiling);
    return buffer_append_bytes(out, bytes);
}

static void saw_id(struct gateway *gateway, int64_t id)
{
    if (id > gateway->last_id)
        gateway->last_id = id;
}

static struct account *account_of(struct loading *loading, int64_t id)
{
    struct account *account = NULL;
    HASH_FIND(hh, loading->gateway->accounts, &id, sizeof id, account);
    return account;
}

static void load_node(void *arg, const struct node_row *row)
{
    struct loading *loading = arg;
    struct gateway *gateway = loading->gateway;
    memcpy(gateway->node_fingerprint, row->fingerprint, sizeof gateway->node_fingerprint);
    memcpy(gateway->node_location, row->location, sizeof gateway->node_location);
    gateway->node_private_key.secret = gateway->node_passphrase.secret = true;
    if (!keep(&gateway->node_key_block, row->key_block, 1 << 16) ||
        !keep(&gateway->node_certificate, row->certificate, 1 << 16) ||
        !keep(&gateway->node_private_key, row->private_key, 1 << 16) ||
        !keep(&gateway->node_passphrase, row->passphrase, 256))
        loading->failed = true;
}

static void split_host(char *host, size_t size, uint16_t *port, const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return;
    size_t length = (size_t)(colon - text);
    if (length >= size)
        return;
    memcpy(host, text, length);
    host[length] = '\0';
    *port = (uint16_t)strtoul(colon + 1, NULL, 10);
}

static void load_friend(void *arg, const struct friend_row *row)
{
    struct loading *loading = arg;
    struct friend *entry = calloc(1, sizeof *entry);
    if (entry == NULL || !keep(&entry->key_block, row->key_block, 1 << 16)) {
        free(entry);
        loading->failed = true;
        return;
    }
    struct friend_record *record = &entry->record;
    memcpy(record->location, row->location, sizeof record->location);
    memcpy(record->fingerprint, row->fingerprint, sizeof record->fingerprint);
    memcpy(record->pinned, row->pinned, sizeof record->pinned);
    text_copy(record->name, sizeof record->name, row->name);
    record->key_block = buffer_view(&entry->key_block);
    record->verified = row->verified;
    record->last_seen_ms = row->last_seen;
    entry->added = row->added;
    char addresses[4096], *rest = addresses, *address;
    text_copy(addresses, sizeof addresses, row->addresses);
    while ((address = strsep(&rest, " ")) != NULL && record->address_count < 16) {
        if (address_parse(&record->addresses[record->address_count], address, 0, NULL))
            record->address_count++;
    }
    split_host(record->dns, sizeof record->dns, &record->dns_port, row->dns);
    split_host(record->hidden, sizeof record->hidden, &record->hidden_port, row->hidden);
    HASH_ADD(hh, loading->gateway->friend_map, record.location, sizeof record->location, entry);
    loading->failed |= entry->hh.tbl == NULL;
}

/* What is not there, or is nothing that account.set takes, stays as in a new account. */
static void load_post_settings(struct post_settings *settings, const json_t *posts)
{
    struct post_settings loaded = {.universal = json_is_true(json_object_get(posts, "universal")),
                                   .wait = json_integer_value(json_object_get(posts, "wait")),
                                   .limit = json_integer_value(json_object_get(posts, "limit")),
                                   .strangers =
                                       (unsigned)json_integer_value(json_object_get(posts, "strangers"))};
    const char *forward = json_string_value(json_object_get(posts, "forward"));
    text_copy(loaded.forward, sizeof loaded.forward, forward != NULL ? forward : "");
    if (post_settings_fit(&loaded, NULL))
        *settings = loaded;
}

static void load_settings(struct account *account, const char *text)
{
    json_t *settings = json_loads(text, 0, NULL);
    const char *avatar = json_string_value(json_object_get(settings, "avatar"));
    const char *state_text = json_string_value(json_object_get(settings, "state_text"));
    const char *person = json_string_value(json_object_get(settings, "person"));
    account->typing = json_is_true(json_object_get(settings, "typing"));
    account->avatar = buffer_make(CHAT_AVATAR_LIMIT);
    if (avatar != NULL)
        radix64_decode(&account->avatar, bytes_of_string(avatar));
    avatar_name_own(account);
    posts_settings_default(&account->posts.settings);
    text_copy(account->state_text, sizeof account->state_text, state_text != NULL ? state_text : "");
    text_copy(account->person, sizeof account->person, person != NULL ? person : account->name);
    load_post_settings(&account->posts.settings, json_object_get(settings, "posts"));
    json_decref(settings);
}

static void load_account(void *arg, const struct account_row *row)
{
    struct loading *loading = arg;
    struct account *account = calloc(1, sizeof *account);
    if (account == NULL) {
        loading->failed = true;
        return;
    }
    account->id = row->id;
    account->gateway = loading->gateway;
    text_copy(account->name, sizeof account->name, row->name);
    account->password = strdup(row->password);
    memcpy(account->fingerprint, row->fingerprint, sizeof account->fingerprint);
    account->passphrase = buffer_make(256);
    account->passphrase.secret = true;
    if (account->password == NULL || !keep(&account->key_block, row->key_block, 1 << 16) ||
        !keep(&account->key_wrapped, row->key_wrapped, 256) ||
        !keep(&account->passphrase_wrapped, row->passphrase_wrapped, 512))
        loading->failed = true;
    load_settings(account, row->settings);
    account->epoch = row->epoch;
    account->last_seq = row->last_seq;
    /* The start is a change itself: states of conversations are not stored, and all that a client knows of
     * them is over. */
    account->change = account->last_change = account->reserved_change = account->ring_floor =
        row->last_change + 1;
    account->posts.last_seq = row->last_seq;
    account->created = row->created;
    account->is_operator = row->is_operator;
    if (row->id > loading->gateway->last_account)
        loading->gateway->last_account = row->id;
    HASH_ADD(hh, loading->gateway->accounts, id, sizeof account->id, account);
    loading->failed |= account->hh.tbl == NULL;
}

static void load_app_password(void *arg, const struct app_password_row *row)
{
    struct loading *loading = arg;
    struct account *account = account_of(loading, row->account);
    struct app_password *entry = calloc(1, sizeof *entry);
    if (account == NULL || entry == NULL) {
        free(entry);
        loading->failed = true;
        return;
    }
    entry->id = row->id;
    text_copy(entry->label, sizeof entry->label, row->label);
    text_copy(entry->scope, sizeof entry->scope, row->scope);
    text_copy(entry->scram, sizeof entry->scram, row->scram);
    memcpy(entry->sha256, row->sha256, sizeof entry->sha256);
    entry->created = row->created;
    entry->last_used = entry->noted = row->last_used;
    entry->idle = row->idle;
    DL_APPEND(account->app_passwords, entry);
    saw_id(loading->gateway, row->id);
}

static void load_contact(void *arg, const struct contact_row *row)
{
    struct loading *loading = arg;
    struct account *account = account_of(loading, row->account);
    struct contact *contact = calloc(1, sizeof *contact);
    if (account == NULL || contact == NULL || !keep(&contact->key_block, row->key_block, 1 << 16)) {
        free(contact);
        loading->failed = true;
        return;
    }
    contact->id = row->id;
    contact->account = account;
    text_copy(contact->naming.handle, sizeof contact->naming.handle, row->handle);
    text_copy(contact->naming.name, sizeof contact->naming.name, row->name);
    text_copy(contact->naming.presence, sizeof contact->naming.presence, row->presence);
    memcpy(contact->fingerprint, row->fingerprint, sizeof contact->fingerprint);
    contact->posts_sealed = strcmp(row->posts, "sealed") == 0;
    contact->posts_classic = strcmp(row->posts, "classic") == 0;
    contact->created = row->created;
    contact->change = row->change;
    HASH_ADD(hh, account->contacts, id, sizeof contact->id, contact);
    loading->failed |= contact->hh.tbl == NULL;
    saw_id(loading->gateway, row->id);
}

static void load_conversation(void *arg, const struct conversation_row *row)
{
    struct loading *loading = arg;
    struct account *account = account_of(loading, row->account);
    struct contact *contact = NULL;
    if (account != NULL)
        HASH_FIND(hh, account->contacts, &row->contact, sizeof row->contact, contact);
    struct conversation *conversation = calloc(1, sizeof *conversation);
    if (contact == NULL || conversation == NULL) {
        free(conversation);
        loading->failed = true;
        return;
    }
    conversation->id = row->id;
    conversation->account = account;
    conversation->contact = contact;
    contact->conversation = conversation;
    conversation->standing.open = row->open;
    conversation->standing.read_seq = row->read_seq;
    conversation->last_seq = row->last_seq;
    conversation->unread = row->unread;
    conversation->standing.closed_at = row->closed_at;
    conversation->standing.sealed = row->sealed;
    text_copy(conversation->avatar, sizeof conversation->avatar, row->avatar);
    text_copy(conversation->state_text, sizeof conversation->state_text, row->state_text);
    conversation->created = row->created;
    conversation->change = account->ring_floor = ++account->last_change;
    conversation->state = CHAT_NO_TUNNEL;
    conversation->reason = "the vault is locked; run retrogatectl unlock"; /* until its routes start */
    conversation->since = clock_wall_ms();
    HASH_ADD(hh, account->conversations, id, sizeof conversation->id, conversation);
    loading->failed |= conversation->hh.tbl == NULL;
    saw_id(loading->gateway, row->id);
}

static struct conversation *conversation_of(struct loading *loading, int64_t account_id, int64_t id)
{
    struct account *account = account_of(loading, account_id);
    struct conversation *conversation = NULL;
    if (account != NULL)
        HASH_FIND(hh, account->conversations, &id, sizeof id, conversation);
    return conversation;
}

/* A word that is unknown allows nothing that it might have forbidden. */
static enum chat_sealing sealing_of(const char *word)
{
    for (size_t i = 0; i < sizeof sealing_words / sizeof *sealing_words; i++) {
        if (strcmp(sealing_words[i], word) == 0)
            return (enum chat_sealing)i;
    }
    return CHAT_SEALING_MUST;
}

static void load_route(void *arg, const struct route_row *row)
{
    struct loading *loading = arg;
    struct conversation *conversation = conversation_of(loading, row->account, row->conversation);
    struct route *route = calloc(1, sizeof *route);
    if (conversation == NULL || route == NULL || !keep(&route->keys_wrapped, row->keys_wrapped, 256)) {
        free(route);
        loading->failed = true;
        return;
    }
    route->id = row->id;
    route->conversation = conversation;
    route->role = strcmp(row->role, "inviter") == 0 ? CHAT_INVITER : CHAT_GUEST;
    route->invite = row->invite;
    memcpy(route->hash, row->hash, sizeof route->hash);
    memcpy(route->context, row->context, sizeof route->context);
    route->sealed = strcmp(row->kind, "sealed") == 0;
    route->settled = row->settled;
    route->sealing = sealing_of(row->sealing);
    route->number_out = row->number_out;
    route->number_in = row->number_in;
    route->number_delivered = row->number_delivered;
    route->salt_next = row->salt_next;
    route->confirmed = row->confirmed;
    route->closed_by_peer = row->closed_by_peer;
    route->parting = row->parting;
    route->created = row->created;
    route->last_used = row->last_used;
    if (route_lives(route) && route_protection(route) > conversation->protection)
        conversation->protection = route_protection(route);
    DL_APPEND(conversation->routes, route);
    saw_id(loading->gateway, row->id);
}

static void load_invite(void *arg, const struct invite_row *row)
{
    struct loading *loading = arg;
    struct account *account = account_of(loading, row->account);
    struct contact *contact = NULL;
    if (account != NULL)
        HASH_FIND(hh, account->contacts, &row->contact, sizeof row->contact, contact);
    struct invite *invite = calloc(1, sizeof *invite);
    if (contact == NULL || invite == NULL || !keep(&invite->link_wrapped, row->link_wrapped, 1 << 16)) {
        free(invite);
        loading->failed = true;
        return;
    }
    invite->id = row->id;
    invite->account = account;
    invite->contact = contact;
    invite->own = row->own;
    invite->expires = row->expires;
    invite->uses_left = row->uses_left;
    text_copy(invite->state, sizeof invite->state, row->state);
    invite->sealed = row->sealed;
    invite->sealed_only = row->sealed_only;
    invite->created = row->created;
    invite->change = row->change;
    HASH_ADD(hh, account->invites, id, sizeof invite->id, invite);
    loading->failed |= invite->hh.tbl == NULL;
    saw_id(loading->gateway, row->id);
}

static void load_client(void *arg, const struct client_row *row)
{
    struct loading *loading = arg;
    struct account *account = account_of(loading, row->account);
    struct client *client = calloc(1, sizeof *client);
    if (account == NULL || client == NULL) {
        free(client);
        loading->failed = true;
        return;
    }
    text_copy(client->name, sizeof client->name, row->name);
    client->epoch = row->epoch;
    client->change = row->change;
    client->seq = row->seq;
    client->last_seen = row->last_seen;
    DL_APPEND(account->clients, client);
}

/* NULL without memory, or without its conversation. */
static struct queued_line *load_line(struct loading *loading, const struct line_row *row,
                                     struct conversation **conversation)
{
    *conversation = conversation_of(loading, row->account, row->conversation);
    struct queued_line *line = *conversation != NULL ? queued_line_new(row->text) : NULL;
    if (line == NULL) {
        loading->failed = true;
        return NULL;
    }
    line->seq = row->seq;
    line->time = row->time;
    return line;
}

static void load_queued_line(void *arg, const struct line_row *row)
{
    struct conversation *conversation;
    struct queued_line *line = load_line(arg, row, &conversation);
    if (line == NULL)
        return;
    line->loaded = true;
    queue_give_back(conversation, line);
}

static void load_sent_line(void *arg, const struct line_row *row)
{
    struct conversation *conversation;
    struct queued_line *line = load_line(arg, row, &conversation);
    if (line == NULL)
        return;
    struct route *route;
    DL_SEARCH_SCALAR(conversation->routes, route, id, row->route);
    line->number = row->number;
    line->route = row->route;
    if (route != NULL && route->sealed && route_lives(route))
        DL_APPEND(route->unsaid, line);
    else
        DL_APPEND(conversation->unclaimed, line);
}

static void load_salt(void *arg, int64_t id, uint64_t salt)
{
    struct loading *loading = arg;
    struct route *last = loading->salted;
    if (last == NULL || last->id != id) {
        last = NULL;
        for (struct account *account = loading->gateway->accounts; account != NULL && last == NULL;
             account = account->hh.next)
            for (struct conversation *conversation = account->conversations;
                 conversation != NULL && last == NULL; conversation = conversation->hh.next)
                DL_SEARCH_SCALAR(conversation->routes, last, id, id);
    }
    loading->salted = last;
    if (last == NULL)
        return;
    if (last->salt_count == last->salt_room) {
        size_t room = last->salt_room > 0 ? last->salt_room * 2 : 64;
        uint64_t *salts = realloc(last->salts, room * sizeof *salts);
        if (salts == NULL) {
            loading->failed = true;
            return;
        }
        last->salts = salts;
        last->salt_room = room;
    }
    last->salts[last->salt_count++] = salt;
}

static struct contact *contact_of(struct loading *loading, int64_t account_id, int64_t id)
{
    struct account *account = account_of(loading, account_id);
    struct contact *contact = NULL;
    if (account != NULL)
        HASH_FIND(hh, account->contacts, &id, sizeof id, contact);
    return contact;
}

static void load_post_link(void *arg, const struct post_link_row *row)
{
    struct loading *loading = arg;
    struct account *account = account_of(loading, row->account);
    loading->failed |= account == NULL || !post_link_loaded(account, row);
    saw_id(loading->gateway, row->id);
}

static void load_post_way(void *arg, const struct post_way_row *row)
{
    struct loading *loading = arg;
    struct contact *contact = contact_of(loading, row->account, row->contact);
    loading->failed |= contact != NULL && !post_way_loaded(contact, row);
}

static void load_queued_delivery(void *arg, const struct delivery_row *row)
{
    struct loading *loading = arg;
    struct account *account = account_of(loading, row->account);
    loading->failed |= account == NULL || !posts_load_delivery(account, row);
}

static void load_locked_post(void *arg, const struct post_row *row)
{
    struct loading *loading = arg;
    struct account *account = account_of(loading, row->account);
    loading->failed |= account == NULL || !posts_load_locked(account, row);
}

static void load_highest_id(void *arg, int64_t id)
{
    struct loading *loading = arg;
    saw_id(loading->gateway, id);
}

bool load(struct gateway *gateway, struct error **error)
{
    struct loading loading = {.gateway = gateway};
    const struct store_loader loader = {
        .node = load_node,
        .friend_ = load_friend,
        .account = load_account,
        .app_password = load_app_password,
        .contact = load_contact,
        .conversation = load_conversation,
        .route = load_route,
        .invite = load_invite,
        .client = load_client,
        .post_link = load_post_link,
        .post_way = load_post_way,
        .queued_delivery = load_queued_delivery,
        .locked_post = load_locked_post,
        .queued_line = load_queued_line,
        .sent_line = load_sent_line,
        .salt = load_salt,
        .highest_id = load_highest_id,
    };
    gateway->store = store_open(gateway->loop, gateway->directory, &loader, &loading, error);
    if (gateway->store == NULL)
        return false;
    if (loading.failed) {
        store_close(gateway->store);
        gateway->store = NULL;
        return error_set(error, ERROR_INTERNAL, "the database in %s does not fit together or into memory",
                         gateway->directory);
    }
    return true;
}
