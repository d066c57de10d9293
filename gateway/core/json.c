/* SPDX-License-Identifier: ISC */
#include "core/account_posts.h"
#include "core/changes.h"

#include <string.h>

#include "base/address.h"
#include "core/conversations.h"
#include "core/invites.h"
#include "core/posts.h"
#include "core/write.h"

static json_t *fingerprint_json(const uint8_t fingerprint[20])
{
    char text[41];
    hex_upper(text, fingerprint, 20);
    return json_string(text);
}

static json_t *blob_json(const char *id)
{
    return id[0] != '\0' ? json_string(id) : json_null();
}

int64_t newest_line(const struct account *account)
{
    int64_t newest = 0;
    const struct conversation *conversation;
    for (conversation = account->conversations; conversation != NULL; conversation = conversation->hh.next) {
        if (conversation->last_seq > newest)
            newest = conversation->last_seq;
    }
    return account->posts.last_seq > newest ? account->posts.last_seq : newest;
}

json_t *json_of_account(const struct account *account)
{
    return json_pack("{s:I,s:s,s:o,s:b,s:b,s:o,s:s,s:b,s:o,s:I,s:I,s:I,s:I,s:I}", "id",
                     (json_int_t)account->id, "name", account->name, "fingerprint",
                     fingerprint_json(account->fingerprint), "operator", account->is_operator, "typing",
                     account->typing, "avatar", blob_json(account->avatar_id), "state_text",
                     account->state_text, "key_ready", account->unlocked, "posts",
                     json_of_post_settings(account), "epoch", (json_int_t)account->epoch, "seq",
                     (json_int_t)newest_line(account), "change", (json_int_t)change_visible(account),
                     "created", (json_int_t)account->created, "last_change", (json_int_t)account->change);
}

json_t *json_of_contact(const struct contact *contact)
{
    char address[HANDLE_SIZE + sizeof contact->account->gateway->mail_domain];
    snprintf(address, sizeof address, "%s@%s", contact->naming.handle,
             contact->account->gateway->mail_domain);
    return json_pack("{s:I,s:s,s:s,s:o,s:s,s:s,s:s,s:s,s:o,s:I,s:I}", "id", (json_int_t)contact->id, "handle",
                     contact->naming.handle, "name", contact->naming.name, "fingerprint",
                     fingerprint_json(contact->fingerprint), "presence", contact->naming.presence, "address",
                     address, "posts", posts_word(contact), "way", post_out_way(contact), "conversation",
                     contact->conversation != NULL ? json_integer(contact->conversation->id) : json_null(),
                     "created", (json_int_t)contact->created, "change", (json_int_t)contact->change);
}

static size_t tunnels_of(const struct conversation *conversation)
{
    size_t count = 0;
    const struct route *route;
    DL_FOREACH(conversation->routes, route)
    {
        if (route->chat != NULL && route_lives(route))
            count += chat_tunnels(route->chat);
    }
    return count;
}

static const char *protection_text(const struct conversation *conversation)
{
    static const char *const texts[] = {
        [CHAT_UNPROTECTED] = "not decided yet: sealed if the other side can, as far as the invite allows",
        [CHAT_CLASSIC] =
            "encrypted with the invite's key; not authenticated, no forward secrecy, no receipts",
        [CHAT_SEALED] = "authenticated, with forward secrecy and receipts, from this gateway to the other"};
    if (!conversation_has_route(conversation))
        return "there is no route";
    return texts[conversation->protection];
}

json_t *json_of_conversation(const struct conversation *conversation)
{
    const struct contact *contact = conversation->contact;
    return json_pack("{s:I,s:I,s:s,s:s,s:b,s:s,s:s,s:I,s:s,s:s,s:b,s:o,s:I,s:I,s:I,s:I,s:I,s:o,s:s,s:I,s:I}",
                     "id", (json_int_t)conversation->id, "contact", (json_int_t)contact->id, "handle",
                     contact->naming.handle, "name", contact->naming.name, "open",
                     conversation->standing.open && conversation->standing.closed_at == 0, "state",
                     chat_state_word(conversation->state), "reason", conversation->reason, "since",
                     (json_int_t)conversation->since, "protection", protection_word(conversation->protection),
                     "protection_text", protection_text(conversation), "sealed",
                     conversation->standing.sealed, "fingerprint", fingerprint_json(contact->fingerprint),
                     "queued", (json_int_t)conversation->queue_lines, "tunnels",
                     (json_int_t)tunnels_of(conversation), "last", (json_int_t)conversation->last_seq, "read",
                     (json_int_t)conversation->standing.read_seq, "unread", (json_int_t)conversation->unread,
                     "avatar", blob_json(conversation->avatar), "state_text", conversation->state_text,
                     "created", (json_int_t)conversation->created, "change",
                     (json_int_t)conversation->change);
}

json_t *json_of_invite(const struct invite *invite)
{
    return json_pack("{s:I,s:b,s:I,s:s,s:s,s:I,s:I,s:s,s:I,s:I}", "id", (json_int_t)invite->id, "own",
                     invite->own, "contact", (json_int_t)invite->contact->id, "handle",
                     invite->contact->naming.handle, "protection", invite_protection(invite), "expires",
                     (json_int_t)invite->expires, "uses_left", (json_int_t)invite->uses_left, "state",
                     invite->state, "created", (json_int_t)invite->created, "change",
                     (json_int_t)invite->change);
}

json_t *json_of_line(const struct account *account, const struct line_row *row)
{
    json_t *line = json_pack(
        "{s:I,s:I,s:I,s:s,s:s%,s:I,s:s,s:s,s:s,s:I}", "epoch", (json_int_t)account->epoch, "seq",
        (json_int_t)row->seq, "conversation", (json_int_t)row->conversation, "direction", row->direction,
        "text", (const char *)row->text.data, row->text.size, "time", (json_int_t)row->time, "delivery",
        row->delivery, "reason", row->reason, "label", row->label, "change", (json_int_t)row->change);
    if (line != NULL && strcmp(row->direction, "in") == 0)
        json_object_set_new(line, "peer_time", json_integer(row->peer_time));
    return line;
}

static const char *const friend_states[] = {
    [FRIEND_OFFLINE] = "offline",
    [FRIEND_CONNECTING] = "connecting",
    [FRIEND_HANDSHAKE] = "handshake",
    [FRIEND_LIMITED] = "limited",
    [FRIEND_UP] = "up",
};

static json_int_t wall_of(const struct gateway *gateway, uint64_t monotonic)
{
    return monotonic == 0 ? 0 : clock_wall_ms() + (json_int_t)monotonic - (json_int_t)uv_now(gateway->loop);
}

json_t *json_of_friend(const struct gateway *gateway, const struct friend *entry)
{
    const struct friend_record *record = &entry->record;
    struct friend_status status = {.state = FRIEND_OFFLINE, .reason = "the node is not ready"};
    if (gateway->friends != NULL)
        friends_status(gateway->friends, record->location, &status);
    char location[33], address[64] = "";
    hex_lower(location, record->location, sizeof record->location);
    if (status.address.ss_family != 0)
        address_format(address, sizeof address, (const struct sockaddr *)&status.address);
    json_t *addresses = json_array();
    for (size_t i = 0; i < record->address_count; i++) {
        char text[64];
        address_format(text, sizeof text, (const struct sockaddr *)&record->addresses[i]);
        json_array_append_new(addresses, json_string(text));
    }
    return json_pack("{s:s,s:o,s:s,s:s,s:s,s:b,s:o,s:s,s:b,s:I,s:I,s:I,s:b,s:I,s:s,s:I,s:I,s:I,s:I}",
                     "location", location, "fingerprint", fingerprint_json(record->fingerprint), "name",
                     record->name, "state", friend_states[status.state], "reason", status.reason, "verified",
                     record->verified, "addresses", addresses, "address", address, "incoming",
                     status.incoming, "since", wall_of(gateway, status.since_ms), "last_seen",
                     (json_int_t)record->last_seen_ms, "next_try", wall_of(gateway, status.next_try_ms),
                     "turtle", status.turtle, "rtt_us", (json_int_t)status.rtt_us, "version", status.version,
                     "bytes_in", (json_int_t)status.bytes_in, "bytes_out", (json_int_t)status.bytes_out,
                     "queued", (json_int_t)status.queued, "added", (json_int_t)entry->added);
}
