/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"

/* Somebody whom a client can see: itself, the gateway, or a contact. */
struct person {
    const char *nick, *user, *host, *account, *real;
    char channel[TARGET_SIZE]; /* one that it is in, or "*" */
    bool away, control;
    const struct peer *peer; /* NULL: not a contact */
};

static struct person self_of(const struct client *client)
{
    struct person person = {.nick = client->nick,
                            .user = client->user,
                            .host = client->site->name,
                            .account = gateway_account_name(client->session),
                            .real = client->real,
                            .channel = CONTROL_CHANNEL,
                            .away = client->away[0] != '\0'};
    return person;
}

static struct person control_of(const struct client *client)
{
    struct person person = {.nick = CONTROL_NICK,
                            .user = CONTROL_NICK,
                            .host = client->site->name,
                            .account = "0",
                            .real = "The gateway",
                            .channel = CONTROL_CHANNEL,
                            .control = true};
    return person;
}

static struct person person_of(const struct peer *peer)
{
    struct person person = {.nick = peer->handle,
                            .user = peer->handle,
                            .host = CONTACT_HOST,
                            .account = peer->fingerprint[0] != '\0' ? peer->fingerprint : "0",
                            .real = peer->name[0] != '\0' ? peer->name : peer->handle,
                            .channel = "*",
                            .away = !peer_can_talk(peer),
                            .peer = peer};
    if (peer->joined)
        peer_channel(peer, person.channel);
    return person;
}

/* --- WHO and WHOX
 * ----------------------------------------------------------------------------------------------- */

struct who_query {
    const char *fields; /* of WHOX, behind the %; NULL: plain WHO */
    char token[4];
};

static void who_flags(const struct person *person, char out[4])
{
    snprintf(out, 4, "%c%s", person->away ? 'G' : 'H', person->control ? "@" : "");
}

/* The fields of a WHOX reply come in this order, whatever the order of the request. */
static void who_extended(struct client *client, const struct person *person, const struct who_query *query)
{
    static const char order[] = "tcuihsnfdlao";
    char flags[4];
    who_flags(person, flags);
    const char *const values[] = {query->token,
                                  person->channel,
                                  person->user,
                                  "255.255.255.255",
                                  person->host,
                                  client->site->name,
                                  person->nick,
                                  flags,
                                  "0",
                                  "0",
                                  person->account,
                                  person->control ? "1" : "n/a"};
    _Static_assert(sizeof order - 1 == sizeof values / sizeof values[0], "one value for each field");
    const char *words[sizeof order];
    size_t used = 0;
    for (size_t i = 0; order[i] != '\0'; i++)
        if (strchr(query->fields, order[i]) != NULL)
            words[used++] = values[i];
    words[used] = NULL;
    if (strchr(query->fields, 'r') != NULL)
        client_numeric(client, 354, words, "%s", person->real);
    else
        client_numeric(client, 354, words, NULL);
}

static void who_one(struct client *client, const struct person *person, const struct who_query *query)
{
    char flags[4];
    if (query->fields != NULL) {
        who_extended(client, person, query);
        return;
    }
    who_flags(person, flags);
    client_numeric(
        client, 352,
        WORDS(person->channel, person->user, person->host, client->site->name, person->nick, flags), "0 %s",
        person->real);
}

static void who_channel(struct client *client, const struct target *target, const struct who_query *query)
{
    struct person self = self_of(client);
    if (target->kind == TARGET_CONTROL) {
        struct person control = control_of(client);
        who_one(client, &self, query);
        who_one(client, &control, query);
    } else if (target->kind == TARGET_PEER && target->peer->joined) {
        struct person person = person_of(target->peer);
        memcpy(self.channel, person.channel, sizeof self.channel);
        who_one(client, &self, query);
        if (target->peer->present)
            who_one(client, &person, query);
    }
}

static void who_if(struct client *client, const struct person *person, const char *mask,
                   const struct who_query *query)
{
    char source[SOURCE_SIZE];
    snprintf(source, sizeof source, "%s!%s@%s", person->nick, person->user, person->host);
    if (mask_match(mask, person->nick) || mask_match(mask, source) || strcmp(mask, "0") == 0)
        who_one(client, person, query);
}

static void who_mask(struct client *client, const char *mask, const struct who_query *query)
{
    struct person person = self_of(client);
    const struct peer *peer;
    who_if(client, &person, mask, query);
    person = control_of(client);
    who_if(client, &person, mask, query);
    DL_FOREACH(client->peers, peer)
    {
        person = person_of(peer);
        if (peer->present)
            who_if(client, &person, mask, query);
    }
}

void act_who(struct client *client, const struct message *message)
{
    const char *mask = message->param_count > 0 ? message->params[0] : "*";
    struct who_query query = {.token = "0"};
    if (*mask == '\0' || *mask == ':' || strchr(mask, ' ') != NULL)
        mask = "*";
    if (message->param_count > 1) {
        const char *percent = strchr(message->params[1], '%');
        query.fields = percent != NULL ? percent + 1 : NULL;
    }
    const char *token = query.fields != NULL ? strchr(query.fields, ',') : NULL;
    /* The token has one to three digits. */
    if (token != NULL && strspn(token + 1, "0123456789") == strlen(token + 1) && strlen(token + 1) < 4 &&
        token[1])
        snprintf(query.token, sizeof query.token, "%.3s", token + 1);
    struct target target = target_of(client, mask);
    if (*mask == '&' || *mask == '#')
        who_channel(client, &target, &query);
    else
        who_mask(client, mask, &query);
    client_numeric(client, 315, WORDS(mask), "End of /WHO list");
}

/* --- WHOIS and its like
 * ------------------------------------------------------------------------------------------- */

static void whois_idle(struct client *client, const char *nick, int64_t since_ms, int64_t signed_on_ms)
{
    char idle[24], signed_on[24];
    int64_t seconds = (client_wall(client) - since_ms) / 1000;
    snprintf(idle, sizeof idle, "%lld", (long long)(seconds > 0 ? seconds : 0));
    snprintf(signed_on, sizeof signed_on, "%lld", (long long)(signed_on_ms / 1000));
    client_numeric(client, 317, WORDS(nick, idle, signed_on), "seconds idle, signon time");
}

static void whois_contact(struct client *client, const struct peer *peer)
{
    if (peer->fingerprint[0] != '\0')
        client_numeric(client, 276, WORDS(peer->handle), "has key fingerprint %s", peer->fingerprint);
    client_numeric(client, 320, WORDS(peer->handle), "%s",
                   peer->topic[0] != '\0' ? peer->topic : peer->state);
    if (!peer_can_talk(peer))
        client_numeric(client, 301, WORDS(peer->handle), "%s%s%s", peer->state,
                       peer->reason[0] != '\0' ? ": " : "", peer->reason);
    if (peer->present)
        whois_idle(client, peer->handle, peer->heard > peer->since ? peer->heard : peer->since, peer->since);
}

static void whois_self(struct client *client)
{
    uint64_t silent = client_now(client) - client->heard;
    if (client->secure)
        client_numeric(client, 671, WORDS(client->nick), "is using a secure connection");
    if (client->away[0] != '\0')
        client_numeric(client, 301, WORDS(client->nick), "%s", client->away);
    whois_idle(client, client->nick, client_wall(client) - (int64_t)silent, client->signed_on);
}

void act_whois(struct client *client, const struct message *message)
{
    if (message->param_count == 0) {
        client_numeric(client, 431, NULL, "No nickname given");
        return;
    }
    const char *name = message->params[message->param_count > 1 ? 1 : 0];
    if (*name == '\0' || *name == ':' || strchr(name, ' ') != NULL)
        name = "*";
    struct target target = target_of(client, name);
    if (target.kind == TARGET_NONE || target.channel) {
        client_numeric(client, 401, WORDS(name), "None of your contacts has this handle");
        client_numeric(client, 318, WORDS(name), "End of /WHOIS list");
        return;
    }
    struct person person = target.kind == TARGET_SELF      ? self_of(client)
                           : target.kind == TARGET_CONTROL ? control_of(client)
                                                           : person_of(target.peer);
    client_numeric(client, 311, WORDS(person.nick, person.user, person.host, "*"), "%s", person.real);
    if (strcmp(person.channel, "*") != 0 && (person.peer == NULL || person.peer->present))
        client_numeric(client, 319, WORDS(person.nick), "%s%s", person.control ? "@" : "", person.channel);
    client_numeric(client, 312, WORDS(person.nick, client->site->name), "%s", client->site->network);
    if (strcmp(person.account, "0") != 0)
        client_numeric(client, 330, WORDS(person.nick, person.account), "is logged in as");
    if (person.peer != NULL)
        whois_contact(client, person.peer);
    else if (!person.control)
        whois_self(client);
    client_numeric(client, 318, WORDS(person.nick), "End of /WHOIS list");
}

void act_whowas(struct client *client, const struct message *message)
{
    const char *name = message->params[0];
    if (*name == '\0' || *name == ':' || strchr(name, ' ') != NULL)
        name = "*";
    client_numeric(client, 406, WORDS(name), "There was no such nickname");
    client_numeric(client, 369, WORDS(name), "End of WHOWAS");
}

/* The names of ISON and USERHOST come as several parameters, or as one with spaces in it. */
static void each_nick(struct client *client, const struct message *message, char *out, size_t size,
                      void (*add)(const struct person *person, char *at, size_t room))
{
    out[0] = '\0';
    for (size_t i = 0; i < message->param_count; i++) {
        for (const char *at = message->params[i]; *at != '\0'; at += strspn(at, " ")) {
            char nick[NICK_SIZE];
            size_t length = strcspn(at, " ");
            snprintf(nick, sizeof nick, "%.*s", length < sizeof nick ? (int)length : 0, at);
            at += length;
            struct target target = target_of(client, nick);
            size_t used = strlen(out);
            if (target.channel || target.kind == TARGET_NONE || size - used < SOURCE_SIZE + 2 ||
                (target.kind == TARGET_PEER && !target.peer->present))
                continue;
            struct person person = target.kind == TARGET_SELF      ? self_of(client)
                                   : target.kind == TARGET_CONTROL ? control_of(client)
                                                                   : person_of(target.peer);
            if (used > 0)
                out[used++] = ' ';
            add(&person, out + used, size - used);
        }
    }
}

static void add_nick(const struct person *person, char *at, size_t room)
{
    snprintf(at, room, "%s", person->nick);
}

static void add_userhost(const struct person *person, char *at, size_t room)
{
    snprintf(at, room, "%s%s=%c%s@%s", person->nick, person->control ? "*" : "", person->away ? '-' : '+',
             person->user, person->host);
}

void act_ison(struct client *client, const struct message *message)
{
    char list[480 + SOURCE_SIZE];
    each_nick(client, message, list, sizeof list, add_nick);
    client_numeric(client, 303, NULL, "%s", list);
}

void act_userhost(struct client *client, const struct message *message)
{
    char list[480 + SOURCE_SIZE];
    each_nick(client, message, list, sizeof list, add_userhost);
    client_numeric(client, 302, NULL, "%s", list);
}
