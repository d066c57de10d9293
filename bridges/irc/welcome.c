/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <stdio.h>
#include <string.h>

/* RPL_ISUPPORT. %s takes the network's name. */
static const char *const isupport[] = {
    "AWAYLEN=200",
    "CASEMAPPING=ascii",
    "CHANMODES=b,,,nt",
    "CHANNELLEN=25",
    "CHANTYPES=&#",
    "CHATHISTORY=100",
    "CLIENTTAGDENY=*,-typing",
    "HOSTLEN=63",
    "KICKLEN=255",
    "LINELEN=512",
    "MAXLIST=b:1",
    "MAXTARGETS=1",
    "MODES=1",
    "MONITOR=100",
    "MSGREFTYPES=msgid,timestamp",
    "NAMELEN=128",
    "NETWORK=%s",
    "NICKLEN=30",
    "PREFIX=(o)@",
    "SAFELIST",
    "STATUSMSG=",
    "TARGMAX=JOIN:,KICK:1,LIST:,NAMES:1,NOTICE:1,PART:,PRIVMSG:1,TAGMSG:1,WHOIS:1",
    "TOPICLEN=390",
    "USERLEN=32",
    "UTF8ONLY",
    "WHOX",
};
_Static_assert(NICK_SIZE == 31 && AWAY_SIZE == 201 && USER_SIZE == 33 && NAME_SIZE == 129 &&
                   TOPIC_SIZE == 391 && MONITOR_LIMIT == 100 && HANDLE_SIZE == 25,
               "isupport tells these");

enum { TOKENS_PER_LINE = 13 };

static void say_isupport(struct client *client)
{
    char network[96];
    const char *words[TOKENS_PER_LINE + 1];
    size_t count = sizeof isupport / sizeof isupport[0], used = 0;
    for (size_t i = 0; i < count; i++) {
        words[used] = isupport[i];
        if (strchr(isupport[i], '%') != NULL) {
            snprintf(network, sizeof network, "NETWORK=%s", client->site->network);
            words[used] = network;
        }
        used++;
        if (used == TOKENS_PER_LINE || i + 1 == count) {
            words[used] = NULL;
            client_numeric(client, 5, words, "are supported by this server");
            used = 0;
        }
    }
}

void act_motd(struct client *client, const struct message *message)
{
    (void)message;
    client_numeric(client, 375, NULL, "- %s Message of the day -", client->site->name);
    client_numeric(client, 372, NULL,
                   "- Your conversations are channels: &<handle>. A query to the handle is the");
    client_numeric(client, 372, NULL,
                   "- same conversation. Commands go to " CONTROL_CHANNEL ": write \"help\" there.");
    if (!client->secure)
        client_numeric(client, 372, NULL, "- This connection is not encrypted: use it on this machine only.");
    client_numeric(client, 376, NULL, "End of MOTD command");
}

void act_version(struct client *client, const struct message *message)
{
    (void)message;
    client_numeric(client, 351, WORDS("retrogate-" RETROGATE_VERSION, client->site->name),
                   "distant chat over anonymous tunnels");
    say_isupport(client);
}

void act_lusers(struct client *client, const struct message *message)
{
    /* How many others are connected would be told to every account: each sees itself. */
    (void)message;
    client_numeric(client, 251, NULL, "There are 1 users and 0 invisible on 1 servers");
    client_numeric(client, 254, WORDS("1"), "channels formed");
    client_numeric(client, 255, NULL, "I have 1 clients and 0 servers");
    client_numeric(client, 265, WORDS("1", "1"), "Current local users 1, max 1");
    client_numeric(client, 266, WORDS("1", "1"), "Current global users 1, max 1");
}

void welcome(struct client *client)
{
    const struct site *site = client->site;
    char created[TEXT_TIME_SIZE], source[SOURCE_SIZE];
    client_source(client, source);
    text_time(created, site->created);
    client_numeric(client, 1, NULL, "Welcome to %s, %s", site->network, source);
    client_numeric(client, 2, NULL, "Your host is %s, running retrogate-" RETROGATE_VERSION, site->name);
    client_numeric(client, 3, NULL, "This server was started %s", created);
    client_numeric(client, 4, WORDS(site->name, "retrogate-" RETROGATE_VERSION, "i", "bnt", "b"), NULL);
    say_isupport(client);
    act_lusers(client, NULL);
    act_motd(client, NULL);
}
