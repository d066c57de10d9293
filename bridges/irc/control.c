/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

/* The control channel: what is written there goes to the gateway's verbs.
 *
 * An invite's link is longer than an IRC line, so clients cut it. A command that fills its line waits for its
 * rest. */
enum {
    FULL_SIZE =
        400, /* bytes of a text after which it may have been cut; clients leave room for a long source */
    REST_MS = 3000, /* some clients send a line every two seconds */
    COMMAND_SIZE = 8192,
};

static void answered(struct client *client, const struct answer *answer)
{
    char source[SOURCE_SIZE];
    const char *target = *answer->target == '&' ? CONTROL_CHANNEL : client->nick;
    size_t index;
    json_t *each;
    talk_echo(client, answer, &(struct stamp){0});
    if (answer->result == NULL)
        client_notice(client, target, "%s", answer->error != NULL ? answer->error->text : "No answer");
    control_source(client, source);
    json_array_foreach(json_object_get(answer->result, "lines"), index, each)
    {
        const char *text = json_string_value(each);
        struct utterance utterance = {.source = source, .verb = "PRIVMSG", .target = target, .prefix = ""};
        talk_say(client, &utterance, text != NULL ? text : "");
    }
}

static void run(struct client *client)
{
    const char *text = buffer_string(&client->command);
    client->command_at = 0;
    if (text != NULL)
        client_ask(client, json_pack("{s:s, s:s}", "do", "verb", "text", text),
                   &(struct question){.answered = answered,
                                      .target = client->command_in_channel ? CONTROL_CHANNEL : CONTROL_NICK,
                                      .text = text,
                                      .takes_label = true});
    buffer_clear(&client->command);
}

/* Puts the word of a moment ago in front of a link that was cut off from it. */
static void join_verb(struct client *client, const char *text)
{
    uint64_t now = client_now(client);
    bool link = strncmp(text, "retroshare://", 13) == 0, continued = buffer_size(&client->command) > 0;
    if (link && !continued && client->verb[0] != '\0' && now - client->verb_at <= REST_MS)
        buffer_printf(&client->command, "%s ", client->verb);
    client->verb[0] = '\0';
    if (continued || link || strchr(text, ' ') != NULL || strlen(text) >= sizeof client->verb)
        return;
    memcpy(client->verb, text, strlen(text) + 1);
    client->verb_at = now;
}

void control_said(struct client *client, const struct message *message)
{
    char text[MESSAGE_BODY_MAX];
    snprintf(text, sizeof text, "%s", message->params[1]);
    /* A NOTICE is never a question. */
    if (name_equal(message->verb, "NOTICE") || *text == '\x01')
        return;
    text_strip(text);
    client->command.ceiling = COMMAND_SIZE;
    client->command.secret = true;
    client->command_in_channel = message->params[0][0] == '&';
    join_verb(client, text);
    if (!buffer_append_string(&client->command, text)) {
        buffer_clear(&client->command);
        client->command_at = 0;
        client_notice(client, client->command_in_channel ? CONTROL_CHANNEL : client->nick,
                      "A command has at most %d bytes", COMMAND_SIZE);
    } else if (strlen(text) >= FULL_SIZE) {
        client->command_at = client_now(client) + REST_MS;
    } else {
        run(client);
    }
    OPENSSL_cleanse(text, sizeof text); /* it may hold a password */
}

void control_tick(struct client *client)
{
    if (client->command_at != 0 && client->command_at <= client_now(client))
        run(client);
}
