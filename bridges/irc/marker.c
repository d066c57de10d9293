/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"

/* Read positions for clients that know them (IRCv3 read-marker). The gateway names a line, IRC a time: that
 * of the line is read from the history whenever the position has moved. */
enum { PAGE = 100 };

static const char timestamp[] = "timestamp=";

static bool known(const struct peer *peer)
{
    return peer->read_known == peer->read;
}

/* `time` 0: nothing was read. */
static void say_marker(struct client *client, const char *target, int64_t time)
{
    char text[sizeof timestamp + TEXT_TIME_SIZE] = "*";
    if (time != 0) {
        memcpy(text, timestamp, sizeof timestamp);
        text_time(text + sizeof timestamp - 1, time);
    }
    client_say(client, NULL, client->site->name, "MARKREAD", WORDS(target, text), NULL);
}

void marker_join(struct client *client, const char *channel, const struct peer *peer)
{
    if (client_has(client, CAP_READ_MARKER))
        say_marker(client, channel, peer != NULL ? peer->read_time : 0);
}

/* --- following the gateway's position */

static void got_time(struct client *client, const struct answer *answer)
{
    struct peer *peer = peer_by_conversation(client, answer->number);
    if (peer == NULL)
        return;
    const json_t *lines = json_object_get(answer->result, "lines");
    peer->read_known = peer->read_asked;
    peer->read_asked = 0;
    peer->read_time = member_integer(json_array_get(lines, 0), "time");
    if (!known(peer)) {
        marker_update(client, peer);
        return;
    }
    if (client->phase < PHASE_UP) {
        registration_step(client);
        return;
    }
    char channel[TARGET_SIZE];
    peer_channel(peer, channel);
    if (peer->joined)
        say_marker(client, channel, peer->read_time);
    if (peer->query || !peer->joined)
        say_marker(client, peer->handle, peer->read_time);
}

void marker_update(struct client *client, struct peer *peer)
{
    if (!client_has(client, CAP_READ_MARKER) || peer->conversation == 0 || known(peer) ||
        peer->read_asked != 0)
        return;
    peer->read_asked = peer->read;
    client_ask(client,
               json_pack("{s:s, s:I, s:I, s:i}", "do", "history", "conversation",
                         (json_int_t)peer->conversation, "before", (json_int_t)peer->read + 1, "max", 1),
               &(struct question){.answered = got_time, .number = peer->conversation});
}

bool marker_update_all(struct client *client)
{
    struct peer *peer;
    bool all = true;
    DL_FOREACH(client->peers, peer)
    {
        marker_update(client, peer);
        all = all && peer->read_asked == 0;
    }
    return all;
}

/* --- MARKREAD */

static void fail(struct client *client, const struct answer *answer)
{
    client_standard(client, "FAIL", "MARKREAD", "INTERNAL_ERROR", WORDS(answer->target),
                    answer->error != NULL ? answer->error->text : "The conversation has gone");
}

/* All clients of the account, this one too, are told by the change that comes of it. */
static void got_read(struct client *client, const struct answer *answer)
{
    if (answer->result != NULL)
        say_marker(client, answer->target, answer->number);
    else
        fail(client, answer);
}

static void seek(struct client *client, const char *target, const struct peer *peer, int64_t time,
                 int64_t before);

/* Looks for the newest line that is not younger than the client's time. */
static void got_page(struct client *client, const struct answer *answer)
{
    struct target target = target_of(client, answer->target);
    if (answer->result == NULL || target.kind != TARGET_PEER) {
        fail(client, answer);
        return;
    }
    const struct peer *peer = target.peer;
    const json_t *lines = json_object_get(answer->result, "lines"), *line = NULL;
    size_t at = json_array_size(lines);
    while (at > 0 && member_integer(line = json_array_get(lines, at - 1), "time") > answer->number)
        at--;
    int64_t seq = member_integer(line, "seq");
    if (at == 0 && seq > peer->read + 1 && json_is_true(json_object_get(answer->result, "more"))) {
        seek(client, answer->target, peer, answer->number, seq);
    } else if (at == 0 || seq <= peer->read) {
        say_marker(client, answer->target, peer->read_time);
    } else {
        client_ask(client,
                   json_pack("{s:s, s:I, s:I}", "do", "read", "conversation", (json_int_t)peer->conversation,
                             "seq", (json_int_t)seq),
                   &(struct question){.answered = got_read,
                                      .target = answer->target,
                                      .number = member_integer(line, "time"),
                                      .takes_label = true});
    }
}

/* `before` 0: from the newest line on. */
static void seek(struct client *client, const char *target, const struct peer *peer, int64_t time,
                 int64_t before)
{
    json_t *command = json_pack("{s:s, s:I, s:i}", "do", "history", "conversation",
                                (json_int_t)peer->conversation, "max", PAGE);
    if (command != NULL && before != 0)
        json_object_set_new(command, "before", json_integer((json_int_t)before));
    client_ask(
        client, command,
        &(struct question){.answered = got_page, .target = target, .number = time, .takes_label = true});
}

void act_markread(struct client *client, const struct message *message)
{
    const char *name = message->param_count > 0 ? message->params[0] : "";
    const char *time = message->param_count > 1 ? message->params[1] : NULL;
    struct target target = target_of(client, name);
    bool is_peer = target.kind == TARGET_PEER;
    int64_t wall;
    if (*name == '\0')
        client_standard(client, "FAIL", "MARKREAD", "NEED_MORE_PARAMS", NULL, "Missing parameters");
    else if ((!is_peer && target.kind != TARGET_CONTROL) || strchr(name, ' ') != NULL)
        client_standard(client, "FAIL", "MARKREAD", "INVALID_PARAMS", NULL, "No contact has this handle");
    else if (time != NULL && (strncmp(time, timestamp, sizeof timestamp - 1) != 0 ||
                              !text_time_parse(time + sizeof timestamp - 1, &wall)))
        client_standard(client, "FAIL", "MARKREAD", "INVALID_PARAMS", NULL,
                        "Expected timestamp=YYYY-MM-DDThh:mm:ss.sssZ");
    else if (time == NULL || !is_peer || target.peer->conversation == 0 ||
             (known(target.peer) && wall <= target.peer->read_time))
        say_marker(client, name, is_peer ? target.peer->read_time : 0);
    else
        seek(client, name, target.peer, wall, 0);
}
