/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"

/* A name that can be repeated in a reply, or "*". */
static const char *sayable(const char *name)
{
    return *name != '\0' && *name != ':' && strchr(name, ' ') == NULL ? name : "*";
}

static const char *channel_param(const struct message *message)
{
    for (size_t i = 0; i < message->param_count; i++)
        if (message->params[i][0] == '&' || message->params[i][0] == '#')
            return message->params[i];
    return message->params[0];
}

static bool on_channel(const struct client *client, const struct target *target)
{
    return target->channel && (target->kind == TARGET_CONTROL ? client->in_control
                                                              : target->peer != NULL && target->peer->joined);
}

static void say_no_channel(struct client *client, const char *name)
{
    if (*name == '#')
        client_numeric(client, 403, WORDS(sayable(name)),
                       "There are no rooms here; conversations are named &<handle>");
    else
        client_numeric(client, 403, WORDS(sayable(name)),
                       "No contact has this handle; write \"contacts\" in " CONTROL_CHANNEL " to see them");
}

bool check_on_channel(struct client *client, const struct message *message)
{
    const char *name = channel_param(message);
    struct target target = target_of(client, name);
    if (!target.channel || target.kind == TARGET_NONE || target.kind == TARGET_SELF)
        say_no_channel(client, name);
    else if (!on_channel(client, &target))
        client_numeric(client, 442, WORDS(name), "You're not on that channel");
    else
        return true;
    return false;
}

bool check_operator(struct client *client, const struct message *message)
{
    if (check_on_channel(client, message))
        client_numeric(client, 482, WORDS(channel_param(message)),
                       "A conversation belongs to its two people; nothing can be set here");
    return false;
}

bool check_topic(struct client *client, const struct message *message)
{
    return message->param_count < 2 ? check_on_channel(client, message) : check_operator(client, message);
}

/* --- JOIN and PART
 * ------------------------------------------------------------------------------------------ */

static void opened(struct client *client, const struct answer *answer)
{
    if (answer->result == NULL) {
        client_numeric(client, 403, WORDS(answer->target), "%s",
                       answer->error != NULL ? answer->error->text : "The gateway gave no answer");
        return;
    }
    peer_add_conversation(client, answer->result);
    /* A conversation that had been open, but was left by this client, does not join by itself. */
    struct target target = target_of(client, answer->target);
    if (target.kind == TARGET_PEER && target.peer->open)
        peer_join(client, target.peer);
}

static void part_one(struct client *client, const struct message *message, const char *name)
{
    struct message one = {.params = {name}, .param_count = 1};
    const char *reason = message->param_count > 1 ? message->params[1] : "";
    if (!check_on_channel(client, &one))
        return;
    struct target target = target_of(client, name);
    if (target.kind == TARGET_PEER) {
        peer_part(client, target.peer, reason);
    } else {
        client->in_control = false;
        channel_part(client, CONTROL_CHANNEL, reason);
    }
}

static void part_all(struct client *client)
{
    struct peer *peer;
    DL_FOREACH(client->peers, peer)
    {
        peer_part(client, peer, "");
    }
    if (client->in_control)
        channel_part(client, CONTROL_CHANNEL, "");
    client->in_control = false;
}

static void join_one(struct client *client, const struct message *message, const char *name)
{
    (void)message;
    struct target target = target_of(client, name);
    if (strcmp(name, "0") == 0) {
        part_all(client);
    } else if (!target.channel || target.kind == TARGET_NONE || target.kind == TARGET_SELF) {
        say_no_channel(client, name);
    } else if (on_channel(client, &target)) {
        return;
    } else if (target.kind == TARGET_CONTROL) {
        control_join(client);
    } else if (target.peer->open) {
        peer_join(client, target.peer);
    } else {
        client_ask(client,
                   json_pack("{s:s, s:s}", "do", "conversation.open", "conversation", target.peer->handle),
                   &(struct question){.answered = opened, .target = name, .takes_label = true});
    }
}

void act_join(struct client *client, const struct message *message)
{
    each_name(client, message, message->params[0], join_one);
}

void act_part(struct client *client, const struct message *message)
{
    each_name(client, message, message->params[0], part_one);
}

/* --- asking about channels
 * ---------------------------------------------------------------------------------- */

void act_topic(struct client *client, const struct message *message)
{
    struct target target = target_of(client, message->params[0]);
    if (target.kind == TARGET_CONTROL)
        client_numeric(client, 331, WORDS(CONTROL_CHANNEL), "No topic is set");
    else
        client_numeric(client, 332, WORDS(message->params[0]), "%s", target.peer->topic);
}

void act_names(struct client *client, const struct message *message)
{
    const char *name = message->param_count > 0 ? message->params[0] : "*";
    struct target target = target_of(client, name);
    if (on_channel(client, &target))
        peer_names(client, target.peer);
    else
        client_numeric(client, 366, WORDS(sayable(name)), "End of /NAMES list");
}

void act_list(struct client *client, const struct message *message)
{
    (void)message;
    struct peer *peer;
    client_numeric(client, 321, WORDS("Channel"), "Users  Name");
    client_numeric(client, 322, WORDS(CONTROL_CHANNEL, "2"), "The gateway");
    DL_FOREACH(client->peers, peer)
    {
        char channel[TARGET_SIZE];
        peer_channel(peer, channel);
        if (peer->conversation != 0)
            client_numeric(client, 322, WORDS(channel, peer->present ? "2" : "1"), "%s", peer->topic);
    }
    client_numeric(client, 323, NULL, "End of /LIST");
}

static void channel_mode(struct client *client, const struct message *message)
{
    const char *name = message->params[0], *mode = message->param_count > 1 ? message->params[1] : "";
    struct target target = target_of(client, name);
    char created[24];
    if (target.kind == TARGET_NONE || target.kind == TARGET_SELF || !target.channel) {
        say_no_channel(client, name);
    } else if (*mode == '\0') {
        int64_t since = target.kind == TARGET_CONTROL ? client->site->created : target.peer->since;
        snprintf(created, sizeof created, "%lld", (long long)(since / 1000));
        client_numeric(client, 324, WORDS(name, "+nt"), NULL);
        client_numeric(client, 329, WORDS(name, created), NULL);
    } else if (strcmp(mode + strspn(mode, "+"), "b") == 0 && message->param_count == 2) {
        client_numeric(client, 368, WORDS(name), "End of channel ban list");
    } else {
        check_operator(client, message);
    }
}

static void user_mode(struct client *client, const char *mode)
{
    bool on = true, before = client->invisible;
    for (; *mode != '\0'; mode++) {
        if (*mode == '+' || *mode == '-')
            on = *mode == '+';
        else if (*mode == 'i')
            client->invisible = on;
        else
            client_numeric(client, 501, NULL, "Unknown MODE flag; there is only i");
    }
    if (client->invisible == before)
        return;
    char source[SOURCE_SIZE];
    client_source(client, source);
    client_say(client, &(struct stamp){0}, source, "MODE", WORDS(client->nick),
               client->invisible ? "+i" : "-i");
}

void act_mode(struct client *client, const struct message *message)
{
    const char *name = message->params[0];
    if (*name == '&' || *name == '#')
        channel_mode(client, message);
    else if (!name_equal(name, client->nick))
        client_numeric(client, 502, NULL, "Can't change or see the modes of other users");
    else if (message->param_count > 1)
        user_mode(client, message->params[1]);
    else
        client_numeric(client, 221, WORDS(client->invisible ? "+i" : "+"), NULL);
}
