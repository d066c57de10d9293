/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "store/database.h"
#include "store/internal.h"
#include "store/rows.h"

/* The columns of a row, taken one after the other. */
struct row {
    sqlite3_stmt *statement;
    int column;
    bool failed; /* a column does not hold what the schema promises */
};

static struct value take(struct row *row, enum value_kind kind)
{
    struct value value = value_column(row->statement, row->column++);
    if (value.kind == kind)
        return value;
    row->failed = true;
    return (struct value){.bytes = {(const uint8_t *)"", 0}};
}

static int64_t number(struct row *row)
{
    return take(row, VALUE_NUMBER).number;
}

static const char *text(struct row *row)
{
    return (const char *)take(row, VALUE_TEXT).bytes.data;
}

static struct bytes blob(struct row *row)
{
    return take(row, VALUE_BLOB).bytes;
}

static void fixed(struct row *row, uint8_t *out, size_t size)
{
    struct bytes bytes = blob(row);
    memset(out, 0, size);
    if (bytes.size == size)
        memcpy(out, bytes.data, size);
    else
        row->failed = true;
}

static void load_node(struct row *row, const struct store_loader *loader, void *arg)
{
    struct node_row node;
    fixed(row, node.fingerprint, sizeof node.fingerprint);
    fixed(row, node.location, sizeof node.location);
    node.key_block = blob(row);
    node.certificate = blob(row);
    node.passphrase = blob(row);
    node.private_key = blob(row);
    node.name = text(row);
    if (loader->node != NULL && !row->failed)
        loader->node(arg, &node);
}

static void load_friend(struct row *row, const struct store_loader *loader, void *arg)
{
    struct friend_row friend_;
    fixed(row, friend_.location, sizeof friend_.location);
    fixed(row, friend_.fingerprint, sizeof friend_.fingerprint);
    friend_.name = text(row);
    friend_.key_block = blob(row);
    friend_.verified = number(row) != 0;
    fixed(row, friend_.pinned, sizeof friend_.pinned);
    friend_.addresses = text(row);
    friend_.dns = text(row);
    friend_.hidden = text(row);
    friend_.added = number(row);
    friend_.last_seen = number(row);
    if (loader->friend_ != NULL && !row->failed)
        loader->friend_(arg, &friend_);
}

static void load_account(struct row *row, const struct store_loader *loader, void *arg)
{
    struct account_row account;
    account.id = number(row);
    account.name = text(row);
    account.password = text(row);
    fixed(row, account.fingerprint, sizeof account.fingerprint);
    account.key_block = blob(row);
    account.key_wrapped = blob(row);
    account.passphrase_wrapped = blob(row);
    account.settings = text(row);
    account.epoch = number(row);
    account.created = number(row);
    account.is_operator = number(row) != 0;
    account.last_seq = number(row);
    account.last_change = number(row);
    if (loader->account != NULL && !row->failed)
        loader->account(arg, &account);
}

static void load_app_password(struct row *row, const struct store_loader *loader, void *arg)
{
    struct app_password_row password;
    password.account = number(row);
    password.id = number(row);
    password.label = text(row);
    password.scope = text(row);
    fixed(row, password.sha256, sizeof password.sha256);
    password.scram = text(row);
    password.created = number(row);
    password.last_used = number(row);
    password.idle = number(row);
    if (loader->app_password != NULL && !row->failed)
        loader->app_password(arg, &password);
}

static void load_contact(struct row *row, const struct store_loader *loader, void *arg)
{
    struct contact_row contact;
    contact.account = number(row);
    contact.id = number(row);
    contact.handle = text(row);
    contact.name = text(row);
    fixed(row, contact.fingerprint, sizeof contact.fingerprint);
    contact.key_block = blob(row);
    contact.presence = text(row);
    contact.created = number(row);
    contact.change = number(row);
    contact.posts = text(row);
    if (loader->contact != NULL && !row->failed)
        loader->contact(arg, &contact);
}

static void load_conversation(struct row *row, const struct store_loader *loader, void *arg)
{
    struct conversation_row conversation;
    conversation.account = number(row);
    conversation.id = number(row);
    conversation.contact = number(row);
    conversation.open = number(row) != 0;
    conversation.read_seq = number(row);
    conversation.last_seq = number(row);
    conversation.unread = number(row);
    conversation.closed_at = number(row);
    conversation.avatar = text(row);
    conversation.state_text = text(row);
    conversation.created = number(row);
    conversation.change = number(row);
    conversation.sealed = number(row) != 0;
    if (loader->conversation != NULL && !row->failed)
        loader->conversation(arg, &conversation);
}

static void load_route(struct row *row, const struct store_loader *loader, void *arg)
{
    struct route_row route;
    route.id = number(row);
    route.account = number(row);
    route.conversation = number(row);
    route.kind = text(row);
    route.role = text(row);
    route.invite = number(row);
    fixed(row, route.hash, sizeof route.hash);
    route.keys_wrapped = blob(row);
    route.salt_next = (uint64_t)number(row);
    route.confirmed = number(row) != 0;
    route.closed_by_peer = number(row) != 0;
    route.created = number(row);
    route.last_used = number(row);
    route.sealing = text(row);
    route.settled = number(row) != 0;
    fixed(row, route.context, sizeof route.context);
    route.number_out = (uint64_t)number(row);
    route.number_in = (uint64_t)number(row);
    route.parting = number(row);
    route.number_delivered = (uint64_t)number(row);
    if (loader->route != NULL && !row->failed)
        loader->route(arg, &route);
}

static void load_invite(struct row *row, const struct store_loader *loader, void *arg)
{
    struct invite_row invite;
    invite.account = number(row);
    invite.id = number(row);
    invite.contact = number(row);
    invite.own = number(row) != 0;
    invite.link_wrapped = blob(row);
    invite.expires = number(row);
    invite.uses_left = number(row);
    invite.state = text(row);
    invite.sealed = number(row) != 0;
    invite.sealed_only = number(row) != 0;
    invite.created = number(row);
    invite.change = number(row);
    if (loader->invite != NULL && !row->failed)
        loader->invite(arg, &invite);
}

static void load_client(struct row *row, const struct store_loader *loader, void *arg)
{
    struct client_row client;
    client.account = number(row);
    client.name = text(row);
    client.epoch = number(row);
    client.change = number(row);
    client.seq = number(row);
    client.last_seen = number(row);
    if (loader->client != NULL && !row->failed)
        loader->client(arg, &client);
}

static void load_post_link(struct row *row, const struct store_loader *loader, void *arg)
{
    struct post_link_row link;
    link.account = number(row);
    link.id = number(row);
    fixed(row, link.hash, sizeof link.hash);
    link.expires = number(row);
    link.state = text(row);
    link.created = number(row);
    link.change = number(row);
    if (loader->post_link != NULL && !row->failed)
        loader->post_link(arg, &link);
}

static void load_post_way(struct row *row, const struct store_loader *loader, void *arg)
{
    struct post_way_row way;
    way.account = number(row);
    way.contact = number(row);
    fixed(row, way.hash, sizeof way.hash);
    way.expires = number(row);
    if (loader->post_way != NULL && !row->failed)
        loader->post_way(arg, &way);
}

static void take_all(struct row *row, struct value *values, int width)
{
    for (int i = 0; i < width; i++)
        values[i] = value_column(row->statement, i);
}

static void load_queued_delivery(struct row *row, const struct store_loader *loader, void *arg)
{
    struct value values[DELIVERY_WIDTH];
    take_all(row, values, DELIVERY_WIDTH);
    struct delivery_row queued = delivery_of(values);
    if (loader->queued_delivery != NULL)
        loader->queued_delivery(arg, &queued);
}

static void load_locked_post(struct row *row, const struct store_loader *loader, void *arg)
{
    struct value values[POST_WIDTH];
    take_all(row, values, POST_WIDTH);
    struct post_row locked = post_of(values);
    if (loader->locked_post != NULL)
        loader->locked_post(arg, &locked);
}

static void load_queued_line(struct row *row, const struct store_loader *loader, void *arg)
{
    struct value values[LINE_WIDTH];
    take_all(row, values, LINE_WIDTH);
    struct line_row queued = line_of(values);
    if (loader->queued_line != NULL)
        loader->queued_line(arg, &queued);
}

static void load_sent_line(struct row *row, const struct store_loader *loader, void *arg)
{
    struct value values[LINE_WIDTH];
    take_all(row, values, LINE_WIDTH);
    struct line_row sent = line_of(values);
    if (loader->sent_line != NULL)
        loader->sent_line(arg, &sent);
}

static void load_salt(struct row *row, const struct store_loader *loader, void *arg)
{
    int64_t route = number(row);
    uint64_t salt = (uint64_t)number(row);
    if (loader->salt != NULL && !row->failed)
        loader->salt(arg, route, salt);
}

static void load_highest_id(struct row *row, const struct store_loader *loader, void *arg)
{
    int64_t id = number(row);
    if (loader->highest_id != NULL && !row->failed)
        loader->highest_id(arg, id);
}

/* The order of struct store_loader. */
static const struct {
    const char *what, *sql;
    void (*load)(struct row *row, const struct store_loader *loader, void *arg);
} tables[] = {
    {"node",
     "SELECT fingerprint, location, key_block, certificate, passphrase, private_key, name "
     "FROM node",
     load_node},
    {"friend",
     "SELECT location, fingerprint, name, key_block, verified, pinned, addresses, dns, hidden, added, "
     "last_seen"
     " FROM friend",
     load_friend},
    {"account",
     "SELECT id, name, password, fingerprint, key_block, key_wrapped, passphrase_wrapped, settings, epoch, "
     "created,"
     " is_operator, last_seq, last_change FROM account JOIN counter ON counter.account = account.id ORDER BY "
     "id",
     load_account},
    {"app_password",
     "SELECT account, id, label, scope, sha256, scram, created, last_used, idle FROM app_password",
     load_app_password},
    {"contact",
     "SELECT account, id, handle, name, fingerprint, key_block, presence, created, change, posts"
     " FROM contact",
     load_contact},
    {"conversation",
     "SELECT account, id, contact, open, read_seq, last_seq,"
     " (SELECT count(*) FROM line WHERE line.account = conversation.account"
     "   AND line.conversation = conversation.id AND line.seq > read_seq AND direction = 'in'),"
     " closed_at, avatar, state_text, created, change, sealed FROM conversation",
     load_conversation},
    {"route",
     "SELECT id, account, conversation, kind, role, invite, hash, keys_wrapped, salt_next, confirmed, "
     "closed_by_peer,"
     " created, last_used, sealing, settled, context, number_out, number_in, parting,"
     " coalesce((SELECT number FROM line WHERE line.route = route.id AND direction = 'out' AND number > 0"
     "   AND delivery = 'delivered' ORDER BY number DESC LIMIT 1), 0)"
     " FROM route ORDER BY id",
     load_route},
    {"invite",
     "SELECT account, id, contact, own, link_wrapped, expires, uses_left, state, sealed, sealed_only, "
     "created, change"
     " FROM invite",
     load_invite},
    {"client", "SELECT account, name, epoch, change, seq, last_seen FROM client", load_client},
    {"post_link", "SELECT account, id, hash, expires, state, created, change FROM post_link", load_post_link},
    {"post_way", "SELECT account, contact, hash, expires FROM post_way", load_post_way},
    {"delivery",
     "SELECT " DELIVERY_COLUMNS " FROM delivery INDEXED BY delivery_queued WHERE delivery = 'queued'"
     " AND EXISTS (SELECT 1 FROM account WHERE id = delivery.account) ORDER BY account, seq, contact",
     load_queued_delivery},
    {"post",
     "SELECT " POST_COLUMNS ", x'' FROM post INDEXED BY post_locked WHERE verdict = 'locked'"
     " AND EXISTS (SELECT 1 FROM account WHERE id = post.account) ORDER BY account, seq",
     load_locked_post},
    {"line",
     "SELECT " LINE_COLUMNS " FROM line WHERE delivery = 'queued'" LINE_NOT_PURGED " ORDER BY account, seq",
     load_queued_line},
    {"line",
     "SELECT " LINE_COLUMNS
     " FROM line INDEXED BY line_sent WHERE number > 0 AND delivery = 'sent'" LINE_NOT_PURGED
     " ORDER BY route, number",
     load_sent_line},
    {"salt", "SELECT route, salt FROM salt WHERE EXISTS (SELECT 1 FROM route WHERE id = salt.route)",
     load_salt},
    {"highest", "SELECT id FROM highest", load_highest_id},
};

bool store_load(sqlite3 *database, const struct store_loader *loader, void *arg, struct error **error)
{
    bool loaded = true;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && loaded; i++) {
        struct row row = {.statement = database_prepare(database, tables[i].sql, error)};
        if (row.statement == NULL)
            return false;
        int code;
        while ((code = sqlite3_step(row.statement)) == SQLITE_ROW && !row.failed) {
            row.column = 0;
            tables[i].load(&row, loader, arg);
        }
        if (row.failed)
            loaded =
                error_set(error, ERROR_INTERNAL,
                          "the database is damaged (table %s); restore it from a backup", tables[i].what);
        else if (code != SQLITE_DONE)
            loaded = database_failed(database, error);
        sqlite3_finalize(row.statement);
    }
    return loaded;
}
