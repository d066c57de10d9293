/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <stdio.h>
#include <string.h>

static void act_ping(struct client *client, const struct message *message)
{
    client_say(client, NULL, client->site->name, "PONG", WORDS(client->site->name), "%s", message->params[0]);
}

static void act_nothing(struct client *client, const struct message *message)
{
    (void)client;
    (void)message;
}

/* The client's own words are not repeated: the reason of an end goes into the log. */
static void act_quit(struct client *client, const struct message *message)
{
    (void)message;
    client_end(client, "Quit");
}

static void act_away(struct client *client, const struct message *message)
{
    const char *text = message->param_count > 0 ? message->params[0] : "";
    client->away[0] = '\0';
    if (text[0] != '\0')
        text_label(client->away, sizeof client->away, text);
    if (client->away[0] != '\0')
        client_numeric(client, 306, NULL,
                       "You have been marked as being away (here; your contacts are not told)");
    else
        client_numeric(client, 305, NULL, "You are no longer marked as being away");
}

static void act_setname(struct client *client, const struct message *message)
{
    char source[SOURCE_SIZE];
    text_label(client->real, sizeof client->real, message->params[0]);
    client_source(client, source);
    if (client_has(client, CAP_SETNAME))
        client_say(client, &(struct stamp){0}, source, "SETNAME", NULL, "%s", client->real);
}

static void act_time(struct client *client, const struct message *message)
{
    char now[TEXT_TIME_SIZE];
    (void)message;
    text_time(now, client_wall(client));
    client_numeric(client, 391, WORDS(client->site->name), "%s", now);
}

static void act_info(struct client *client, const struct message *message)
{
    (void)message;
    client_numeric(client, 371, NULL,
                   "retrogate " RETROGATE_VERSION " joins a friend-to-friend network as a node");
    client_numeric(client, 371, NULL, "and carries distant chat, through anonymous tunnels, to IRC clients.");
    client_numeric(client, 374, NULL, "End of /INFO list");
}

static void act_admin(struct client *client, const struct message *message)
{
    (void)message;
    client_numeric(client, 423, WORDS(client->site->name),
                   "The one who runs this gateway has left no name here");
}

static void act_stats(struct client *client, const struct message *message)
{
    const char *letter = message->param_count > 0 ? message->params[0] : "*";
    bool up = letter[0] == 'u' && letter[1] == '\0';
    int64_t seconds = (client_wall(client) - client->site->created) / 1000;
    if (up)
        client_numeric(client, 242, NULL, "Server Up %lld days %lld:%02lld:%02lld",
                       (long long)(seconds / 86400), (long long)(seconds / 3600 % 24),
                       (long long)(seconds / 60 % 60), (long long)(seconds % 60));
    client_numeric(client, 219, WORDS(up ? "u" : "*"), "End of /STATS report");
}

static void act_links(struct client *client, const struct message *message)
{
    (void)message;
    client_numeric(client, 364, WORDS(client->site->name, client->site->name), "0 %s", client->site->network);
    client_numeric(client, 365, WORDS("*"), "End of /LINKS list");
}

static void act_oper(struct client *client, const struct message *message)
{
    (void)message;
    client_numeric(client, 491, NULL, "There are no operators on IRC; the operator uses retrogatectl");
}

static void act_help(struct client *client, const struct message *message)
{
    (void)message;
    client_numeric(client, 704, WORDS("index"),
                   "Conversations are channels named &<handle>; JOIN one to open it.");
    client_numeric(client, 705, WORDS("index"),
                   "Everything else is asked in " CONTROL_CHANNEL ": write \"help\" there.");
    client_numeric(client, 706, WORDS("index"), "End of /HELP");
}

/* Sorted by name. */
static const struct command commands[] = {
    {"ADMIN", WHEN_UP, 0, NULL, act_admin},
    {"AUTHENTICATE", ANY_TIME, 1, NULL, act_authenticate},
    {"AWAY", WHEN_UP, 0, NULL, act_away},
    {"CAP", ANY_TIME, 1, NULL, act_cap},
    {"CHATHISTORY", WHEN_UP, 0, NULL, act_chathistory},
    {"HELP", WHEN_UP, 0, NULL, act_help},
    {"INFO", WHEN_UP, 0, NULL, act_info},
    {"INVITE", WHEN_UP, 2, check_operator, act_nothing},
    {"ISON", WHEN_UP, 1, NULL, act_ison},
    {"JOIN", WHEN_UP, 1, NULL, act_join},
    {"KICK", WHEN_UP, 2, check_operator, act_nothing},
    {"LINKS", WHEN_UP, 0, NULL, act_links},
    {"LIST", WHEN_UP, 0, NULL, act_list},
    {"LUSERS", WHEN_UP, 0, NULL, act_lusers},
    {"MARKREAD", WHEN_UP, 0, NULL, act_markread},
    {"MODE", WHEN_UP, 1, NULL, act_mode},
    {"MONITOR", WHEN_UP, 1, NULL, act_monitor},
    {"MOTD", WHEN_UP, 0, NULL, act_motd},
    {"NAMES", WHEN_UP, 0, NULL, act_names},
    {"NICK", ANY_TIME, 0, NULL, act_nick},
    {"NOTICE", WHEN_UP, 0, check_message, act_privmsg},
    {"OPER", WHEN_UP, 2, NULL, act_oper},
    {"PART", WHEN_UP, 1, NULL, act_part},
    {"PASS", BEFORE_UP, 1, NULL, act_pass},
    {"PING", ANY_TIME, 1, NULL, act_ping},
    {"PONG", ANY_TIME, 0, NULL, act_nothing},
    {"PRIVMSG", WHEN_UP, 0, check_message, act_privmsg},
    {"QUIT", ANY_TIME, 0, NULL, act_quit},
    {"SETNAME", WHEN_UP, 1, NULL, act_setname},
    {"STATS", WHEN_UP, 0, NULL, act_stats},
    {"TAGMSG", WHEN_UP, 0, check_message, act_tagmsg},
    {"TIME", WHEN_UP, 0, NULL, act_time},
    {"TOPIC", WHEN_UP, 1, check_topic, act_topic},
    {"USER", BEFORE_UP, 4, NULL, act_user},
    {"USERHOST", WHEN_UP, 1, NULL, act_userhost},
    {"VERSION", WHEN_UP, 0, NULL, act_version},
    {"WHO", WHEN_UP, 0, NULL, act_who},
    {"WHOIS", WHEN_UP, 0, NULL, act_whois},
    {"WHOWAS", WHEN_UP, 1, NULL, act_whowas},
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (name_equal(commands[i].name, name))
            return &commands[i];
    return NULL;
}

/* The verb as it may be repeated in a reply. */
static const char *sayable(const char *verb)
{
    return strlen(verb) < TARGET_SIZE && *verb != ':' ? verb : "*";
}

static void run(struct client *client, const struct message *message)
{
    const struct command *command = find(message->verb);
    bool up = client->phase == PHASE_UP;
    if (command == NULL && up)
        client_numeric(client, 421, WORDS(sayable(message->verb)), "Unknown command");
    else if (command == NULL || (command->needs == WHEN_UP && !up))
        client_numeric(client, 451, NULL, "You have not registered");
    else if (command->needs == BEFORE_UP && up)
        client_numeric(client, 462, NULL, "You may not reregister");
    else if (message->param_count < command->params)
        client_numeric(client, 461, WORDS(command->name), "Not enough parameters");
    else if (command->check == NULL || command->check(client, message))
        command->act(client, message);
}

void command_run(struct client *client, const struct message *message)
{
    client_label_begin(client, message_tag(message, "label"));
    run(client, message);
    client_label_end(client);
}

void each_name(struct client *client, const struct message *message, const char *list,
               void (*each)(struct client *client, const struct message *message, const char *name))
{
    for (const char *at = list; *at != '\0' && client->phase != PHASE_ENDING; at += *at == ',' ? 1 : 0) {
        char name[TARGET_SIZE];
        size_t size = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)size, at);
        at += size;
        if (size > 0)
            each(client, message, name);
    }
}
