/* SPDX-License-Identifier: ISC */
#include "api/api.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/feed.h"
#include "api/request.h"
#include "base/map.h"

enum { COMMAND_MAGIC = 0x61706964 };

/* An aim is 10,000 idle ones (DESIGN §5). */
_Static_assert(sizeof(struct api_client) <= 200, "a client that does nothing costs little");

/* A command that waits for its answer. */
struct command {
    uint32_t magic;
    struct api_client *client;
    json_int_t id;
    uint64_t token;
    struct command *prev, *next;
};

struct api *api_new(void)
{
    struct api *api = calloc(1, sizeof *api);
    if (api == NULL)
        return NULL;
    struct api_text *text = text_new();
    api->more = text_finish(text, text != NULL && reply_more(&text->line));
    if (api->more != NULL)
        return api;
    free(api);
    return NULL;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    assert(api->feeds == NULL);
    api_text_release(api->more);
    free(api);
}

/* --- going out */

void api_client_send(struct api_client *client, struct api_text *text)
{
    if (!client->ended)
        client->io->send(client->arg, text);
}

void api_client_end(struct api_client *client, const char *reason)
{
    if (!client->ended)
        client->io->end(client->arg, reason);
    client->ended = true;
}

bool api_client_slow(const struct api_client *client)
{
    return client->ended || client->io->queued(client->arg) >= API_QUEUE_MAX;
}

/* Takes the text; NULL when it could not be written. */
static bool send_once(struct api_client *client, struct api_text *text)
{
    if (text == NULL)
        return false;
    api_client_send(client, text);
    api_text_release(text);
    return true;
}

static void answer_error(struct api_client *client, json_int_t id, const struct error *error)
{
    struct api_text *text = text_new();
    if (!send_once(client, text_finish(text, text != NULL && reply_error(&text->line, id, error))))
        api_client_end(client, "out of memory");
}

static void answer_done(struct api_client *client, json_int_t id, json_t *result)
{
    static const struct error too_large = {ERROR_LIMIT,
                                           "the answer is longer than a message; ask for less with \"max\""};
    struct api_text *text = text_new();
    if (!send_once(client, text_finish(text, text != NULL && reply_done(&text->line, id, result))))
        answer_error(client, id, &too_large);
}

/* --- the session */

static void forget_commands(struct api_client *client)
{
    while (client->commands != NULL) {
        struct command *command = client->commands;
        if (client->session != NULL)
            gateway_forget(client->session, command->token);
        DL_DELETE(client->commands, command);
        command->magic = 0;
        free(command);
    }
    client->open = 0;
}

static void on_done(void *arg, json_t *result, const struct error *error)
{
    struct command *command = arg;
    assert(command->magic == COMMAND_MAGIC);
    struct api_client *client = command->client;
    if (error != NULL)
        answer_error(client, command->id, error);
    else
        answer_done(client, command->id, result);
    DL_DELETE(client->commands, command);
    command->magic = 0;
    free(command);
    if (client->open-- == API_OPEN_MAX && !client->ended)
        client->io->hold(client->arg, false);
}

static void on_more(void *arg)
{
    struct api_client *client = arg;
    assert(client->magic == CLIENT_MAGIC);
    if (client->follower.feed != NULL) {
        feed_more(client);
        return;
    }
    client->more = api_client_slow(client);
    if (!client->more)
        api_client_send(client, client->api->more);
}

static void on_hint(void *arg, json_t *hint)
{
    struct api_client *client = arg;
    assert(client->magic == CLIENT_MAGIC);
    if (api_client_slow(client))
        return;
    struct api_text *text = text_new();
    send_once(client, text_finish(text, text != NULL && reply_hint(&text->line, hint)));
}

static void on_ended(void *arg, const char *reason)
{
    struct api_client *client = arg;
    assert(client->magic == CLIENT_MAGIC);
    client->session = NULL;
    forget_commands(client);
    if (client->follower.feed != NULL)
        feed_leave(client);
    api_client_end(client, reason);
}

static const struct gateway_events session_events = {on_more, on_hint, on_ended};

struct api_client *api_client_new(struct api *api, struct gateway_session *session, const struct api_io *io,
                                  void *arg)
{
    struct api_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        gateway_logout(session);
        return NULL;
    }
    *client =
        (struct api_client){.magic = CLIENT_MAGIC, .api = api, .session = session, .io = io, .arg = arg};
    gateway_listen(session, &session_events, client);
    return client;
}

void api_client_free(struct api_client *client)
{
    if (client == NULL)
        return;
    assert(client->magic == CLIENT_MAGIC);
    client->ended = true;
    forget_commands(client);
    if (client->follower.feed != NULL)
        feed_leave(client);
    if (client->session != NULL)
        gateway_logout(client->session);
    client->magic = 0;
    free(client);
}

/* --- coming in */

static bool follow(struct api_client *client, const json_t *value, json_int_t id, struct error **error)
{
    const json_t *after = json_object_get(value, "after");
    if (gateway_account(client->session) == 0)
        return error_set(error, ERROR_DENIED,
                         "follow is for a session of an account; the operator asks for \"changes\" with an "
                         "\"account\"");
    if (!json_is_integer(after) || json_integer_value(after) < 0)
        return error_set(error, ERROR_INVALID,
                         "follow: after is missing: the change behind which to begin, or 0");
    if (json_object_size(value) != 2)
        return error_set(error, ERROR_INVALID, "follow: an argument it does not have; it takes: after:i");
    if (!feed_follow(client, json_integer_value(after), error))
        return false;
    client->more = false;
    answer_done(client, id, NULL);
    feed_serve(client);
    return true;
}

static bool give(struct api_client *client, const json_t *value, json_int_t id, struct error **error)
{
    if (strcmp(json_string_value(json_object_get(value, "do")), "follow") == 0)
        return follow(client, value, id, error);
    if (client->open >= API_OPEN_MAX)
        return error_set(error, ERROR_LIMIT, "%d commands wait for their answers; wait with more",
                         (int)API_OPEN_MAX);
    struct command *command = calloc(1, sizeof *command);
    if (command == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *command = (struct command){.magic = COMMAND_MAGIC, .client = client, .id = id};
    command->token = gateway_do(client->session, value, on_done, command, error);
    if (command->token == 0) {
        free(command);
        return false;
    }
    DL_APPEND(client->commands, command);
    if (++client->open == API_OPEN_MAX)
        client->io->hold(client->arg, true);
    return true;
}

void api_client_input(struct api_client *client, struct bytes message)
{
    struct error *error = NULL;
    json_t *value = NULL;
    json_int_t id = -1;
    assert(client->magic == CLIENT_MAGIC);
    if (client->ended || client->session == NULL)
        return;
    if (!request_parse(message, &value, &id, &error) || !give(client, value, id, &error))
        answer_error(client, id, error);
    json_decref(value);
    error_free(error);
}

void api_client_refuse(struct api_client *client, const struct error *error)
{
    assert(client->magic == CLIENT_MAGIC);
    answer_error(client, -1, error);
}

void api_client_drained(struct api_client *client)
{
    assert(client->magic == CLIENT_MAGIC);
    if (client->ended || client->session == NULL)
        return;
    if (client->follower.feed != NULL)
        feed_serve(client);
    else if (client->more)
        on_more(client);
}
