/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

static const char control_topic[] = "The gateway. Write \"help\" for what can be asked here";

struct peer *peer_by_handle(struct client *client, const char *handle)
{
    struct peer *peer;
    DL_FOREACH(client->peers, peer)
    {
        if (name_equal(peer->handle, handle))
            return peer;
    }
    return NULL;
}

struct peer *peer_by_conversation(struct client *client, int64_t conversation)
{
    struct peer *peer;
    DL_FOREACH(client->peers, peer)
    {
        if (peer->conversation == conversation && conversation != 0)
            return peer;
    }
    return NULL;
}

struct peer *peer_by_contact(struct client *client, int64_t contact)
{
    struct peer *peer;
    DL_FOREACH(client->peers, peer)
    {
        if (peer->contact == contact)
            return peer;
    }
    return NULL;
}

bool peer_can_talk(const struct peer *peer)
{
    return strcmp(peer->state, "can talk") == 0;
}

void peer_channel(const struct peer *peer, char out[TARGET_SIZE])
{
    snprintf(out, TARGET_SIZE, "&%s", peer->handle);
}

struct target target_of(struct client *client, const char *name)
{
    struct target target = {.channel = *name == '&'};
    struct bytes part = source_split(name).nick;
    char nick[TARGET_SIZE];
    snprintf(nick, sizeof nick, "%.*s", (int)(part.size < TARGET_SIZE ? part.size : 0),
             (const char *)part.data);
    const char *handle = target.channel ? name + 1 : nick;
    if (name_equal(handle, CONTROL_NICK))
        target.kind = TARGET_CONTROL;
    else if (!target.channel && name_equal(handle, client->nick))
        target.kind = TARGET_SELF;
    else if ((target.peer = peer_by_handle(client, handle)) != NULL)
        target.kind = TARGET_PEER;
    return target;
}

/* --- what the client is shown ------------------------------------------------------------------------------
 */

void channel_join(struct client *client, const char *channel)
{
    char source[SOURCE_SIZE];
    client_source(client, source);
    if (client_has(client, CAP_EXTENDED_JOIN))
        client_say(client, &(struct stamp){0}, source, "JOIN",
                   WORDS(channel, gateway_account_name(client->session)), "%s", client->real);
    else
        client_say(client, &(struct stamp){0}, source, "JOIN", WORDS(channel), NULL);
}

void channel_part(struct client *client, const char *channel, const char *reason)
{
    char source[SOURCE_SIZE];
    client_source(client, source);
    client_say(client, &(struct stamp){0}, source, "PART", WORDS(channel), "%s", reason);
}

static void say_topic(struct client *client, const char *channel, const char *topic, int64_t since)
{
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)(since / 1000));
    client_numeric(client, 332, WORDS(channel), "%s", topic);
    client_numeric(client, 333, WORDS(channel, CONTROL_NICK, seconds), NULL);
}

void peer_names(struct client *client, const struct peer *peer)
{
    char channel[TARGET_SIZE] = CONTROL_CHANNEL, own[SOURCE_SIZE], other[SOURCE_SIZE] = "";
    client_source(client, own);
    if (peer != NULL)
        peer_channel(peer, channel);
    if (peer == NULL)
        control_source(client, other);
    else if (peer->present)
        peer_source(peer, other);
    if (!client_has(client, CAP_USERHOST_IN_NAMES)) {
        own[strcspn(own, "!")] = '\0';
        other[strcspn(other, "!")] = '\0';
    }
    client_numeric(client, 353, WORDS("=", channel), "%s%s%s%s", own, other[0] != '\0' ? " " : "",
                   peer == NULL ? "@" : "", other);
    client_numeric(client, 366, WORDS(channel), "End of /NAMES list");
}

void control_join(struct client *client)
{
    client->in_control = true;
    channel_join(client, CONTROL_CHANNEL);
    marker_join(client, CONTROL_CHANNEL, NULL);
    say_topic(client, CONTROL_CHANNEL, control_topic, client->site->created);
    peer_names(client, NULL);
}

void peer_join(struct client *client, struct peer *peer)
{
    char channel[TARGET_SIZE];
    if (peer->joined)
        return;
    peer->joined = true;
    peer->query = false;
    peer_channel(peer, channel);
    channel_join(client, channel);
    marker_join(client, channel, peer);
    say_topic(client, channel, peer->topic, peer->since);
    peer_names(client, peer);
}

void peer_join_all(struct client *client)
{
    struct peer *peer;
    control_join(client);
    DL_FOREACH(client->peers, peer)
    {
        if (peer->open)
            peer_join(client, peer);
    }
}

void peer_part(struct client *client, struct peer *peer, const char *reason)
{
    char channel[TARGET_SIZE];
    if (!peer->joined)
        return;
    peer->joined = false;
    peer_channel(peer, channel);
    channel_part(client, channel, reason);
}

static void show_presence(struct client *client, struct peer *peer)
{
    char channel[TARGET_SIZE], source[SOURCE_SIZE];
    if (peer->present == peer_can_talk(peer))
        return;
    peer->present = !peer->present;
    peer->told_waiting = false;
    if (client->phase != PHASE_UP)
        return;
    peer_channel(peer, channel);
    peer_source(peer, source);
    struct stamp stamp = {.account = peer->fingerprint};
    if (peer->joined && !peer->present)
        client_say(client, &stamp, source, "PART", WORDS(channel), "%s: %s", peer->state, peer->reason);
    else if (peer->joined && client_has(client, CAP_EXTENDED_JOIN))
        client_say(client, &stamp, source, "JOIN",
                   WORDS(channel, peer->fingerprint[0] != '\0' ? peer->fingerprint : "*"), "%s", peer->name);
    else if (peer->joined)
        client_say(client, &stamp, source, "JOIN", WORDS(channel), NULL);
    monitor_tell(client, peer);
}

static bool protection_decided(const char *protection)
{
    return strcmp(protection, "classic") == 0 || strcmp(protection, "sealed") == 0;
}

static void show_topic(struct client *client, struct peer *peer)
{
    char text[2 * TOPIC_SIZE], topic[TOPIC_SIZE], channel[TARGET_SIZE], source[SOURCE_SIZE];
    bool decided = protection_decided(peer->protection);
    snprintf(text, sizeof text, "%s%s%s | %s%s%s | key %s", peer->state, peer->reason[0] != '\0' ? ": " : "",
             peer->reason, decided ? peer->protection : "", decided ? ": " : "",
             peer->protection_text[0] != '\0' ? peer->protection_text : "not protected",
             peer->fingerprint[0] != '\0' ? peer->fingerprint : "unknown");
    text_label(topic, sizeof topic, text);
    if (strcmp(topic, peer->topic) == 0)
        return;
    memcpy(peer->topic, topic, sizeof topic);
    if (client->phase != PHASE_UP || !peer->open)
        return;
    peer_channel(peer, channel);
    control_source(client, source);
    if (peer->joined)
        client_say(client, &(struct stamp){0}, source, "TOPIC", WORDS(channel), "%s", topic);
    if (client->in_control)
        client_notice(client, CONTROL_CHANNEL, "%s: %s%s%s%s%s%s", peer->handle, peer->state,
                      decided ? " (" : "", decided ? peer->protection : "", decided ? ")" : "",
                      peer->reason[0] != '\0' ? ": " : "", peer->reason);
}

/* What was said before stands above it, under the other protection. */
static void show_protection(struct client *client, const struct peer *peer)
{
    char channel[TARGET_SIZE];
    if (client->phase != PHASE_UP || !peer->open || !protection_decided(peer->protection))
        return;
    peer_channel(peer, channel);
    client_notice(client, peer->joined && !peer->query ? channel : client->nick,
                  "The conversation with %s is %s from here on: %s", peer->handle, peer->protection,
                  peer->protection_text);
}

static void show_state(struct client *client, struct peer *peer)
{
    peer->settle_at = 0;
    show_presence(client, peer);
    show_topic(client, peer);
}

/* A lost tunnel is mostly dug again within seconds; what the peer or time has decided is final. */
static bool may_pass(const struct peer *peer)
{
    return strcmp(peer->state, "no tunnel") == 0 || strcmp(peer->state, "connecting") == 0;
}

static void state_changed(struct client *client, struct peer *peer, bool at_once)
{
    if (client->phase != PHASE_UP || at_once || !may_pass(peer))
        show_state(client, peer);
    else if (peer->settle_at == 0)
        peer->settle_at = client_now(client) + PATIENCE_MS;
}

void peer_settle(struct client *client)
{
    struct peer *peer;
    uint64_t now = client_now(client);
    DL_FOREACH(client->peers, peer)
    {
        if (peer->settle_at != 0 && peer->settle_at <= now)
            show_state(client, peer);
    }
}

uint64_t peer_next(const struct client *client)
{
    const struct peer *peer;
    uint64_t at = UINT64_MAX;
    DL_FOREACH(client->peers, peer)
    {
        if (peer->settle_at != 0 && peer->settle_at < at)
            at = peer->settle_at;
    }
    return at;
}

void peer_leave_nick(struct client *client)
{
    char source[SOURCE_SIZE], nick[NICK_SIZE];
    snprintf(nick, sizeof nick, "%s", client->nick);
    /* Handles are shorter than nicks, so this ends. */
    for (size_t size = strlen(nick); peer_by_handle(client, nick) != NULL && size + 1 < sizeof nick; size++)
        memcpy(nick + size, "_", 2);
    client_source(client, source);
    client_say(client, &(struct stamp){0}, source, "NICK", WORDS(nick), NULL);
    memcpy(client->nick, nick, sizeof nick);
}

/* --- what the gateway tells
 * ---------------------------------------------------------------------------------- */

/* A label, or "" for an empty text. */
static void take_text(char *out, size_t size, const json_t *object, const char *member)
{
    const char *text = member_text(object, member);
    out[0] = '\0';
    if (text[0] != '\0')
        text_label(out, size, text);
}

static bool handle_valid(const char *handle)
{
    size_t size = strlen(handle);
    return size > 0 && size < HANDLE_SIZE && strspn(handle, "abcdefghijklmnopqrstuvwxyz0123456789_-") == size;
}

static void rename_peer(struct client *client, struct peer *peer, const char *handle)
{
    bool joined = peer->joined, present = peer->present;
    char source[SOURCE_SIZE];
    if (strcmp(peer->handle, handle) == 0)
        return;
    if (peer->handle[0] != '\0' && client->phase == PHASE_UP) {
        peer_source(peer, source);
        if (present)
            client_say(client, &(struct stamp){.account = peer->fingerprint}, source, "NICK", WORDS(handle),
                       NULL);
        peer_part(client, peer, "This contact has a new handle");
        peer->present = false;
        if (present)
            monitor_tell(client, peer);
    }
    snprintf(peer->handle, sizeof peer->handle, "%s", handle);
    peer->present = present;
    if (client->phase != PHASE_UP)
        return;
    if (name_equal(handle, client->nick))
        peer_leave_nick(client);
    if (present)
        monitor_tell(client, peer);
    if (joined)
        peer_join(client, peer);
}

/* The peer of a contact, made when it is new. NULL without memory or when the object makes no sense. */
static struct peer *take_person(struct client *client, int64_t contact, const json_t *object)
{
    const char *handle = member_text(object, "handle");
    if (!handle_valid(handle))
        return NULL;
    struct peer *peer = peer_by_contact(client, contact);
    if (peer == NULL) {
        peer = calloc(1, sizeof *peer);
        if (peer == NULL)
            return NULL;
        peer->contact = contact;
        DL_APPEND(client->peers, peer);
    }
    rename_peer(client, peer, handle);
    take_text(peer->name, sizeof peer->name, object, "name");
    take_text(peer->fingerprint, sizeof peer->fingerprint, object, "fingerprint");
    return peer;
}

void peer_add_contact(struct client *client, const json_t *contact)
{
    struct peer *peer = take_person(client, member_integer(contact, "id"), contact);
    if (peer == NULL)
        return;
    if (json_object_get(contact, "conversation") != NULL)
        peer->conversation = member_integer(contact, "conversation");
    if (peer->state[0] == '\0')
        snprintf(peer->state, sizeof peer->state, "no tunnel");
}

void peer_add_conversation(struct client *client, const json_t *conversation)
{
    struct peer *peer = take_person(client, member_integer(conversation, "contact"), conversation);
    if (peer == NULL)
        return;
    bool was_open = peer->open;
    char before[sizeof peer->protection];
    memcpy(before, peer->protection, sizeof before);
    peer->conversation = member_integer(conversation, "id");
    peer->open = json_is_true(json_object_get(conversation, "open"));
    peer->since = member_integer(conversation, "since");
    int64_t last = member_integer(conversation, "last");
    peer->last = last > peer->last ? last : peer->last;
    peer->read = member_integer(conversation, "read");
    take_text(peer->state, sizeof peer->state, conversation, "state");
    take_text(peer->reason, sizeof peer->reason, conversation, "reason");
    take_text(peer->protection, sizeof peer->protection, conversation, "protection");
    take_text(peer->protection_text, sizeof peer->protection_text, conversation, "protection_text");
    bool protection_changed = before[0] != '\0' && strcmp(before, peer->protection) != 0;
    if (peer->open && !was_open) {
        show_state(client, peer);
        if (client->phase == PHASE_UP)
            peer_join(client, peer);
    } else {
        state_changed(client, peer, protection_changed);
    }
    if (protection_changed)
        show_protection(client, peer);
    if (!peer->open && was_open)
        peer_part(client, peer, "The conversation was closed");
    marker_update(client, peer);
}

void peer_gone(struct client *client, const json_t *gone)
{
    int64_t contact = member_integer(gone, "contact"), conversation = member_integer(gone, "conversation");
    struct peer *peer =
        contact != 0 ? peer_by_contact(client, contact) : peer_by_conversation(client, conversation);
    if (peer == NULL)
        return;
    peer_part(client, peer, contact != 0 ? "This contact was removed" : "This conversation was removed");
    snprintf(peer->state, sizeof peer->state, "no tunnel");
    peer->reason[0] = '\0';
    peer->open = false;
    peer->conversation = 0;
    peer->read = peer->read_known = peer->read_time = peer->read_asked = 0;
    show_state(client, peer);
    if (contact == 0)
        return;
    DL_DELETE(client->peers, peer);
    free(peer);
}

int64_t peer_last(const struct client *client)
{
    const struct peer *peer;
    int64_t last = 0;
    DL_FOREACH(client->peers, peer)
    {
        last = peer->last > last ? peer->last : last;
    }
    return last;
}

void peer_free_all(struct client *client)
{
    struct peer *peer, *next;
    DL_FOREACH_SAFE(client->peers, peer, next)
    {
        DL_DELETE(client->peers, peer);
        free(peer);
    }
}
