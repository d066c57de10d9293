/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* The source of somebody who is there, or false. */
static bool online(struct client *client, const char *nick, char source[SOURCE_SIZE])
{
    struct target target = target_of(client, nick);
    if (target.kind == TARGET_SELF)
        client_source(client, source);
    else if (target.kind == TARGET_CONTROL)
        control_source(client, source);
    else if (target.kind == TARGET_PEER && target.peer->present)
        peer_source(target.peer, source);
    else
        return false;
    return true;
}

static void tell(struct client *client, const char *nick)
{
    char source[SOURCE_SIZE];
    if (online(client, nick, source))
        client_numeric(client, 730, NULL, "%s", source);
    else
        client_numeric(client, 731, NULL, "%s", nick);
}

static size_t find(const struct client *client, const char *nick)
{
    size_t at = 0;
    while (at < client->monitored_count && !name_equal(client->monitored[at], nick))
        at++;
    return at;
}

void monitor_tell(struct client *client, const struct peer *peer)
{
    if (find(client, peer->handle) == client->monitored_count)
        return;
    char source[SOURCE_SIZE];
    peer_source(peer, source);
    if (peer->present)
        client_numeric(client, 730, NULL, "%s", source);
    else
        client_numeric(client, 731, NULL, "%s", peer->handle);
}

static void add(struct client *client, const struct message *message, const char *nick)
{
    (void)message;
    if (strlen(nick) >= NICK_SIZE || strpbrk(nick, "!@*? ") != NULL ||
        find(client, nick) < client->monitored_count)
        return;
    if (client->monitored_count == MONITOR_LIMIT) {
        client_numeric(client, 734, WORDS("100", nick), "Monitor list is full");
        return;
    }
    if (client->monitored == NULL)
        client->monitored = calloc(MONITOR_LIMIT, sizeof *client->monitored);
    if (client->monitored == NULL)
        return;
    memcpy(client->monitored[client->monitored_count++], nick, strlen(nick) + 1);
    tell(client, nick);
}

static void drop(struct client *client, const struct message *message, const char *nick)
{
    (void)message;
    size_t at = find(client, nick);
    if (at < client->monitored_count)
        memmove(client->monitored[at], client->monitored[--client->monitored_count], NICK_SIZE);
}

void act_monitor(struct client *client, const struct message *message)
{
    const char *verb = message->params[0];
    const char *list = message->param_count > 1 ? message->params[1] : "";
    if (strcmp(verb, "+") == 0) {
        each_name(client, message, list, add);
    } else if (strcmp(verb, "-") == 0) {
        each_name(client, message, list, drop);
    } else if (name_equal(verb, "C")) {
        client->monitored_count = 0;
    } else if (name_equal(verb, "S")) {
        for (size_t i = 0; i < client->monitored_count; i++)
            tell(client, client->monitored[i]);
    } else if (name_equal(verb, "L")) {
        for (size_t i = 0; i < client->monitored_count; i++)
            client_numeric(client, 732, NULL, "%s", client->monitored[i]);
        client_numeric(client, 733, NULL, "End of MONITOR list");
    }
}
