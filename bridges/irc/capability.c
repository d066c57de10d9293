/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <stdio.h>
#include <string.h>

/* One row each, in the order of enum capability. */
static const struct {
    const char *name;
    const char *value; /* shown to clients that ask with version 302 */
} table[CAP_COUNT] = {
    [CAP_ACCOUNT_TAG] = {"account-tag", NULL},
    [CAP_AWAY_NOTIFY] = {"away-notify", NULL},
    [CAP_BATCH] = {"batch", NULL},
    [CAP_CAP_NOTIFY] = {"cap-notify", NULL},
    [CAP_CHATHISTORY] = {"draft/chathistory", NULL},
    [CAP_READ_MARKER] = {"draft/read-marker", NULL},
    [CAP_ECHO_MESSAGE] = {"echo-message", NULL},
    [CAP_EXTENDED_JOIN] = {"extended-join", NULL},
    [CAP_LABELED_RESPONSE] = {"labeled-response", NULL},
    [CAP_MESSAGE_TAGS] = {"message-tags", NULL},
    [CAP_MULTI_PREFIX] = {"multi-prefix", NULL},
    [CAP_SASL] = {"sasl", "PLAIN"},
    [CAP_SERVER_TIME] = {"server-time", NULL},
    [CAP_SETNAME] = {"setname", NULL},
    [CAP_STANDARD_REPLIES] = {"standard-replies", NULL},
    [CAP_USERHOST_IN_NAMES] = {"userhost-in-names", NULL},
    [CAP_SELF_MESSAGE] = {"znc.in/self-message", NULL},
};

enum { LINE_SIZE = 480 };

static void add(char line[LINE_SIZE], const char *before, const char *text, const char *after)
{
    size_t used = strlen(line);
    snprintf(line + used, LINE_SIZE - used, "%s%s%s%s", used > 0 ? " " : "", before, text, after);
}

static void list(struct client *client, const char *verb, uint32_t which, bool values)
{
    char line[LINE_SIZE] = "";
    for (size_t i = 0; i < CAP_COUNT; i++) {
        char value[32] = "";
        if (values && table[i].value != NULL)
            snprintf(value, sizeof value, "=%s", table[i].value);
        if ((which & (1U << i)) != 0)
            add(line, "", table[i].name, value);
    }
    client_say(client, NULL, client->site->name, "CAP",
               WORDS(client->nick[0] != '\0' ? client->nick : "*", verb), "%s", line);
}

static bool find(const char *name, size_t size, uint32_t *bit)
{
    for (size_t i = 0; i < CAP_COUNT; i++) {
        if (strlen(table[i].name) == size && memcmp(table[i].name, name, size) == 0) {
            *bit = 1U << i;
            return true;
        }
    }
    return false;
}

/* All of the request or nothing (capability-negotiation §CAP REQ). */
static void request(struct client *client, const char *names)
{
    const char *nick = client->nick[0] != '\0' ? client->nick : "*";
    uint32_t wanted = client->capabilities, bit;
    bool known = strlen(names) < LINE_SIZE;
    for (const char *at = names + strspn(names, " "); *at != '\0' && known; at += strspn(at, " ")) {
        bool off = *at == '-';
        at += off ? 1 : 0;
        size_t size = strcspn(at, " ");
        known = find(at, size, &bit);
        if (known)
            wanted = off ? wanted & ~bit : wanted | bit;
        at += size;
    }
    if (known)
        client->capabilities = wanted;
    client_say(client, NULL, client->site->name, "CAP", WORDS(nick, known ? "ACK" : "NAK"), "%s", names);
    if (client->phase == PHASE_UP) {
        marker_update_all(client);
        history_begin(client);
    }
}

void act_cap(struct client *client, const struct message *message)
{
    const char *verb = message->params[0];
    const char *argument = message->param_count > 1 ? message->params[1] : "";
    bool negotiates = name_equal(verb, "LS") || name_equal(verb, "REQ");
    if (client->phase < PHASE_LOADED && negotiates)
        client->needs |= NEED_CAP_END;
    if (name_equal(verb, "LS")) {
        if (strcmp(argument, "302") >= 0 && strlen(argument) >= 3) {
            client->cap_version = 302;
            client->capabilities |= 1U << CAP_CAP_NOTIFY;
        }
        list(client, "LS", (1U << CAP_COUNT) - 1, client->cap_version >= 302);
    } else if (name_equal(verb, "LIST")) {
        list(client, "LIST", client->capabilities, false);
    } else if (name_equal(verb, "REQ")) {
        request(client, argument);
    } else if (name_equal(verb, "END")) {
        client->needs &= ~(unsigned)NEED_CAP_END;
        registration_step(client);
    } else {
        client_numeric(client, 410, WORDS(nick_valid(verb, NICK_SIZE) ? verb : "*"), "Invalid CAP command");
    }
}
