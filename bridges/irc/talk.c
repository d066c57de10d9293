/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_LIMIT = 500, /* IRC lines made of one line of chat: a text of line feeds alone could make 65536 */
    TYPING_MS = 3000,  /* typing is told at most this often (IRCv3 typing) */
};

/* --- showing lines
 * ------------------------------------------------------------------------------------------------ */

static bool shown_in_channel(const struct peer *peer)
{
    return peer->joined && !peer->query;
}

void talk_target(const struct peer *peer, char out[TARGET_SIZE])
{
    if (shown_in_channel(peer))
        peer_channel(peer, out);
    else
        snprintf(out, TARGET_SIZE, "%s", peer->handle);
}

static void say_text(struct client *client, struct utterance *utterance, char *text)
{
    const char *body = text;
    text_clean(text);
    bool action = strcmp(utterance->verb, "PRIVMSG") == 0 && text_is_action(text, &body);
    const char *before = action ? "\x01"
                                  "ACTION "
                                : "",
               *after = action ? "\x01" : "";
    size_t frame = strlen(utterance->source) + strlen(utterance->verb) + strlen(utterance->target) +
                   strlen(utterance->prefix) + strlen(before) + strlen(after) + sizeof ":   :\r\n";
    struct bytes rest = bytes_of_string(body), piece = bytes_of_string(" ");
    size_t count = 0;
    while (text_piece(&rest, MESSAGE_BODY_MAX - frame, &piece) || count == 0) {
        if (++count > PIECE_LIMIT) {
            piece = bytes_of_string("[the rest of this line is too long for IRC]");
            rest.size = 0;
        }
        client_say(client, &utterance->stamp, utterance->source, utterance->verb, WORDS(utterance->target),
                   "%s%s%.*s%s", utterance->prefix, before, (int)piece.size, (const char *)piece.data, after);
        utterance->stamp.seq = 0; /* a msgid names one message */
    }
}

void talk_say(struct client *client, struct utterance *utterance, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL) {
        client_end(client, "Out of memory");
        return;
    }
    say_text(client, utterance, copy);
    free(copy);
}

/* Where a line goes. False: this client has no place for it (a query's own lines, without a capability for
 * them). */
static bool place(const struct client *client, const struct peer *peer, bool own, char target[TARGET_SIZE])
{
    bool channel = shown_in_channel(peer);
    if (own && !channel && !client_has(client, CAP_ECHO_MESSAGE) && !client_has(client, CAP_SELF_MESSAGE)) {
        if (!peer->joined)
            return false;
        channel = true;
    }
    if (channel)
        peer_channel(peer, target);
    else
        snprintf(target, TARGET_SIZE, "%s", own ? peer->handle : client->nick);
    return true;
}

static void show(struct client *client, const struct peer *peer, const json_t *line, const char *target,
                 const char *batch)
{
    const char *direction = member_text(line, "direction");
    bool own = strcmp(direction, "out") == 0, note = strcmp(direction, "note") == 0;
    int64_t time = member_integer(line, "time");
    char source[SOURCE_SIZE], clock[TEXT_TIME_SIZE] = "";
    if (own)
        client_source(client, source);
    else if (note)
        control_source(client, source);
    else
        peer_source(peer, source);
    if (batch != NULL && !client_has(client, CAP_SERVER_TIME))
        text_clock(clock, time);
    struct utterance utterance = {
        .source = source,
        .verb = note ? "NOTICE" : "PRIVMSG",
        .target = target,
        .stamp = {.time = time,
                  .seq = member_integer(line, "seq"),
                  .batch = clock[0] == '\0' ? batch : NULL,
                  .account = own    ? gateway_account_name(client->session)
                             : note ? NULL
                                    : peer->fingerprint},
        .prefix = clock,
    };
    talk_say(client, &utterance, member_text(line, "text"));
}

void talk_show(struct client *client, struct peer *peer, const json_t *line, const char *batch)
{
    const char *direction = member_text(line, "direction");
    bool own = strcmp(direction, "out") == 0;
    char target[TARGET_SIZE];
    if (own && strcmp(member_text(line, "label"), client->mark) == 0) {
        talk_show_delivery(client, peer, line);
        return;
    }
    if (!place(client, peer, own, target))
        return;
    show(client, peer, line, target, batch);
    if (own) {
        talk_show_delivery(client, peer, line);
    } else if (strcmp(direction, "in") == 0) {
        peer->came = member_integer(line, "seq");
        peer->heard = member_integer(line, "time");
    }
}

void talk_show_old(struct client *client, const struct target *target, const json_t *line, const char *batch)
{
    char name[TARGET_SIZE];
    bool own = strcmp(member_text(line, "direction"), "out") == 0;
    if (target->channel)
        peer_channel(target->peer, name);
    else
        snprintf(name, sizeof name, "%s", own ? target->peer->handle : client->nick);
    show(client, target->peer, line, name, batch);
}

void talk_show_delivery(struct client *client, struct peer *peer, const json_t *line)
{
    const char *delivery = member_text(line, "delivery"), *reason = member_text(line, "reason");
    bool failed = strcmp(delivery, "failed") == 0;
    if (strcmp(member_text(line, "direction"), "out") != 0 ||
        (!failed && strcmp(delivery, "not-confirmed") != 0))
        return;
    char target[TARGET_SIZE], clock[TEXT_TIME_SIZE];
    text_clock(clock, member_integer(line, "time"));
    if (!place(client, peer, false, target))
        return;
    client_notice(client, target, "%sYour line %lld-%lld to %s %s%s%s", clock,
                  (long long)member_integer(line, "epoch"), (long long)member_integer(line, "seq"),
                  peer->handle, failed ? "was not delivered" : "was sent, but its arrival is not confirmed",
                  reason[0] != '\0' ? ": " : "", reason);
}

void talk_hint(struct client *client, json_t *hint)
{
    const json_t *typing = json_object_get(hint, "typing"), *progress = json_object_get(hint, "progress");
    /* A contact decides how often it types: what would fill the connection is lost instead (DESIGN §4). */
    if (client->phase != PHASE_UP || !follow_has_room(client))
        return;
    if (progress != NULL && client->in_control)
        client_notice(client, CONTROL_CHANNEL, "%s", member_text(progress, "text"));
    struct peer *peer =
        typing != NULL ? peer_by_conversation(client, member_integer(typing, "conversation")) : NULL;
    if (peer == NULL || !client_has(client, CAP_MESSAGE_TAGS))
        return;
    char source[SOURCE_SIZE], target[TARGET_SIZE];
    peer_source(peer, source);
    place(client, peer, false, target);
    client_say(client, &(struct stamp){.account = peer->fingerprint, .typing = true}, source, "TAGMSG",
               WORDS(target), NULL);
}

/* --- saying
 * ----------------------------------------------------------------------------------------------------- */

bool check_message(struct client *client, const struct message *message)
{
    const char *name = message->param_count > 0 ? message->params[0] : "";
    const char *shown = *name != ':' && strchr(name, ' ') == NULL ? name : "*";
    bool tags_only = name_equal(message->verb, "TAGMSG");
    if (*name == '\0') {
        client_numeric(client, 411, NULL, "No recipient given (%s)", message->verb);
    } else if (!tags_only && (message->param_count < 2 || message->params[1][0] == '\0')) {
        client_numeric(client, 412, NULL, "No text to send");
    } else if (strchr(name, ',') != NULL) {
        client_numeric(client, 407, WORDS(shown), "Write to one conversation at a time");
    } else if (target_of(client, name).kind == TARGET_NONE) {
        bool channel = *name == '&' || *name == '#';
        client_numeric(client, channel ? 403 : 401, WORDS(shown),
                       "None of your contacts has this handle; write \"contacts\" in " CONTROL_CHANNEL);
    } else {
        return true;
    }
    return false;
}

void talk_echo(struct client *client, const struct answer *answer, const struct stamp *stamp)
{
    char source[SOURCE_SIZE];
    if (!client_has(client, CAP_ECHO_MESSAGE))
        return;
    client_source(client, source);
    struct utterance utterance = {.source = source,
                                  .verb = answer->number != 0 ? "NOTICE" : "PRIVMSG",
                                  .target = answer->target,
                                  .stamp = *stamp,
                                  .prefix = ""};
    utterance.stamp.account = gateway_account_name(client->session);
    talk_say(client, &utterance, answer->text);
}

static void ignore_answer(struct client *client, const struct answer *answer)
{
    (void)client;
    (void)answer;
}

/* Who writes has read what was shown. */
static void mark_read(struct client *client, struct peer *peer, int64_t seq)
{
    bool read = peer->came <= peer->read;
    peer->came = 0;
    if (read)
        return;
    client_ask(client,
               json_pack("{s:s, s:I, s:I}", "do", "read", "conversation", (json_int_t)peer->conversation,
                         "seq", (json_int_t)seq),
               &(struct question){.answered = ignore_answer});
}

static void said(struct client *client, const struct answer *answer)
{
    if (answer->result == NULL) {
        client_numeric(client, 404, WORDS(answer->target), "Not sent: %s",
                       answer->error != NULL ? answer->error->text : "the gateway gave no answer");
        return;
    }
    int64_t seq = member_integer(answer->result, "seq");
    follow_said(client, seq);
    talk_echo(client, answer, &(struct stamp){.time = member_integer(answer->result, "time"), .seq = seq});
    struct target target = target_of(client, answer->target);
    if (target.kind != TARGET_PEER)
        return;
    mark_read(client, target.peer, seq);
    if (peer_can_talk(target.peer) || target.peer->told_waiting)
        return;
    char place_name[TARGET_SIZE];
    target.peer->told_waiting = true;
    place(client, target.peer, false, place_name);
    client_notice(client, place_name,
                  "%s cannot be reached now (%s%s%s); what you write waits and is sent later",
                  target.peer->handle, target.peer->state, target.peer->reason[0] != '\0' ? ": " : "",
                  target.peer->reason);
}

static void say_to_peer(struct client *client, const struct message *message, const struct target *target)
{
    char text[MESSAGE_BODY_MAX], *body;
    bool notice = name_equal(message->verb, "NOTICE");
    snprintf(text, sizeof text, "%s", message->params[1]);
    if (text_from_ctcp(text, &body) == CTCP_OTHER) {
        /* Never an answer to a NOTICE: it is an answer itself, of a client to a request. */
        if (!notice)
            client_numeric(client, 404, WORDS(message->params[0]),
                           "Not sent: requests between programs (CTCP) are not carried to distant people");
        return;
    }
    text_strip(body);
    if (*body == '\0') {
        client_numeric(client, 412, NULL, "No text to send");
        return;
    }
    struct peer *peer = target->peer;
    peer->query = !target->channel;
    json_t *name =
        peer->conversation != 0 ? json_integer((json_int_t)peer->conversation) : json_string(peer->handle);
    client_ask(client,
               json_pack("{s:s, s:o, s:s, s:s}", "do", "say", "conversation", name, "text", body, "label",
                         client->mark),
               &(struct question){.answered = said,
                                  .target = message->params[0],
                                  .text = body,
                                  .number = notice,
                                  .takes_label = true});
}

static void say_to_self(struct client *client, const struct message *message)
{
    char source[SOURCE_SIZE];
    client_source(client, source);
    client_say(client, &(struct stamp){0}, source, message->verb, WORDS(client->nick), "%s",
               message->params[1]);
}

void act_privmsg(struct client *client, const struct message *message)
{
    struct target target = target_of(client, message->params[0]);
    if (target.kind == TARGET_PEER)
        say_to_peer(client, message, &target);
    else if (target.kind == TARGET_CONTROL)
        control_said(client, message);
    else
        say_to_self(client, message);
}

void act_tagmsg(struct client *client, const struct message *message)
{
    struct target target = target_of(client, message->params[0]);
    const char *typing = message_tag(message, "+typing");
    uint64_t now = client_now(client);
    if (target.kind != TARGET_PEER || typing == NULL || strcmp(typing, "active") != 0 ||
        target.peer->conversation == 0 || now < target.peer->typing_at)
        return;
    target.peer->typing_at = now + TYPING_MS;
    client_ask(client,
               json_pack("{s:s, s:I}", "do", "typing", "conversation", (json_int_t)target.peer->conversation),
               &(struct question){.answered = ignore_answer});
}
