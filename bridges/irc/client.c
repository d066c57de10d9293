/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "wire/utf8.h"

enum {
    INPUT_CEILING = CLIENT_INPUT_HIGH + 3 * CLIENT_INPUT_READ, /* some may come after input was held */
    SCRATCH_CEILING = 2 * (MESSAGE_TAGS_MAX + MESSAGE_BODY_MAX),
};

struct client *client_new(struct site *site, const char *address, bool secure, const struct client_io *io,
                          void *io_arg)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->magic = CLIENT_MAGIC;
    client->site = site;
    client->io = io;
    client->io_arg = io_arg;
    client->id = ++site->last_id;
    client->secure = secure;
    client->needs = NEED_NICK | NEED_USER;
    text_label(client->address, sizeof client->address, address);
    client->input = buffer_make(INPUT_CEILING);
    client->input.secret = true;
    client->scratch = buffer_make(SCRATCH_CEILING);
    client->captured = buffer_make(site->output_limit);
    client->sasl = buffer_make(1024);
    client->sasl.secret = true;
    uint64_t mark = random_u64(&random_system);
    memcpy(client->mark, "irc-", 4);
    hex_lower(client->mark + 4, &mark, sizeof mark);
    client->started = client->heard = client->flood = client_now(client);
    client->signed_on = client_wall(client);
    site->clients++;
    if (site->clients > site->most_clients)
        site->most_clients = site->clients;
    client_schedule(client);
    return client;
}

void client_free(struct client *client)
{
    if (client == NULL)
        return;
    client->phase = PHASE_ENDING;
    follow_keep(client);
    client_forget_all(client);
    registration_close(client);
    peer_free_all(client);
    free(client->monitored);
    buffer_free(&client->input);
    buffer_free(&client->scratch);
    buffer_free(&client->command);
    buffer_free(&client->captured);
    client->site->clients--;
    client->magic = 0;
    free(client);
}

uint64_t client_now(const struct client *client)
{
    return client->io->now(client->io_arg);
}

int64_t client_wall(const struct client *client)
{
    return client->io->wall(client->io_arg);
}

bool client_has(const struct client *client, enum capability capability)
{
    return (client->capabilities & (1U << capability)) != 0;
}

void client_end(struct client *client, const char *reason)
{
    if (client->phase == PHASE_ENDING)
        return;
    client_label_end(client);
    client_say(client, NULL, NULL, "ERROR", NULL, "Closing link: %s", reason);
    /* Now, not when the connection is gone at last: the same device may be back before. */
    follow_handed(client);
    follow_keep(client);
    client->phase = PHASE_ENDING;
    client->io->end(client->io_arg, reason);
}

/* Runs one line, which lies in the input buffer and may be written to. */
static void run_line(struct client *client, char *line, size_t size)
{
    if (size > 0 && line[size - 1] == '\r')
        line[--size] = '\0';
    size_t tags = 0;
    if (line[0] == '@') {
        const char *space = memchr(line, ' ', size);
        tags = space == NULL ? size : (size_t)(space - line) + 1;
    }
    if (tags > MESSAGE_TAGS_MAX || size - tags > MESSAGE_BODY_MAX - 2) {
        client_numeric(client, 417, NULL, "Input line was too long");
        return;
    }
    if (memchr(line, '\0', size) != NULL || !utf8_valid(bytes_of(line, size))) {
        client_standard(client, "FAIL", "*", "INVALID_UTF8", NULL,
                        "Lines must be UTF-8; this one was not taken");
        return;
    }
    struct message message;
    if (!message_parse(&message, line))
        return;
    command_run(client, &message);
}

/* Registration is complete but for the gateway's answer: what a client sent behind it waits, so that it need
 * not. */
static bool logging_in(const struct client *client)
{
    return client->phase < PHASE_UP && client->needs == 0 &&
           (client->login != 0 || client->phase >= PHASE_LOADING);
}

/* The bucket of flood control as one number: the time at which it will be full again. */
static bool may_run(const struct client *client)
{
    return client->request_count < REQUEST_LIMIT && client->flood < client_now(client) + FLOOD_BURST_MS &&
           !logging_in(client);
}

static void charge(struct client *client)
{
    uint64_t now = client_now(client);
    client->flood = (client->flood > now ? client->flood : now) + FLOOD_COST_MS;
}

/* Takes a line out of the input buffer; false when there is none or none may be run now. */
static bool take_line(struct client *client)
{
    struct bytes view = buffer_view(&client->input);
    uint8_t *start = client->input.memory + client->input.start;
    uint8_t *end = view.size > 0 ? memchr(start, '\n', view.size) : NULL;
    if (end == NULL) {
        if (view.size >= MESSAGE_TAGS_MAX + MESSAGE_BODY_MAX) {
            if (!client->overlong)
                client_numeric(client, 417, NULL, "Input line was too long");
            client->overlong = true;
            buffer_consume(&client->input, view.size);
        }
        return false;
    }
    if (client->overlong) {
        client->overlong = false;
        buffer_consume(&client->input, (size_t)(end + 1 - start));
        return true;
    }
    if (!may_run(client))
        return false;
    charge(client);
    *end = '\0';
    run_line(client, (char *)start, (size_t)(end - start));
    /* Lines may hold passwords: not only PASS, also the control channel's. */
    OPENSSL_cleanse(start, (size_t)(end - start));
    buffer_consume(&client->input, (size_t)(end + 1 - start));
    return true;
}

static void run_input(struct client *client)
{
    if (client->running)
        return;
    client->running = true;
    while (client->phase != PHASE_ENDING && take_line(client))
        ;
    client->running = false;
    if (client->phase == PHASE_ENDING)
        return;
    bool hold = buffer_size(&client->input) > CLIENT_INPUT_HIGH;
    if (hold != client->held) {
        client->held = hold;
        client->io->hold(client->io_arg, hold);
    }
}

void client_input(struct client *client, struct bytes bytes)
{
    if (client->phase == PHASE_ENDING || bytes.size == 0)
        return;
    client->heard = client_now(client);
    client->pinged = false;
    follow_handed(client);
    if (!buffer_append_bytes(&client->input, bytes)) {
        client_end(client, "Input limit");
        return;
    }
    run_input(client);
    client_schedule(client);
}

static void check_silence(struct client *client)
{
    uint64_t now = client_now(client);
    const struct site *site = client->site;
    if (client->phase < PHASE_UP) {
        if (now - client->started >= site->registration_ms)
            client_end(client, "Registration took too long");
    } else if (now - client->heard >= 2 * site->idle_ms) {
        client_end(client, "Ping timeout");
    } else if (client->held && now - client->probed >= site->idle_ms / PROBES) {
        /* What is not read is not seen to close either, and what is queued of a client that has left would
         * be worked off for as long as it takes. Writing to it, twice, shows that it has gone. */
        client->probed = now;
        client_say(client, NULL, NULL, "PING", NULL, "%s", site->name);
    } else if (now - client->heard >= site->idle_ms && !client->pinged) {
        client->pinged = true;
        client_say(client, NULL, NULL, "PING", NULL, "%s", site->name);
    }
}

void client_tick(struct client *client)
{
    if (client->phase == PHASE_ENDING)
        return;
    check_silence(client);
    if (client->phase == PHASE_UP) {
        peer_settle(client);
        control_tick(client);
        follow_tick(client);
    }
    run_input(client);
    client_schedule(client);
}

void client_drained(struct client *client)
{
    if (client->phase != PHASE_UP)
        return;
    follow_drained(client);
    client_schedule(client);
}

void client_resume(struct client *client)
{
    if (client->phase == PHASE_ENDING)
        return;
    run_input(client);
    client_schedule(client);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void client_schedule(struct client *client)
{
    if (client->phase == PHASE_ENDING)
        return;
    const struct site *site = client->site;
    uint64_t at = client->phase < PHASE_UP ? client->started + site->registration_ms
                                           : client->heard + (client->pinged ? 2 : 1) * site->idle_ms;
    if (client->phase == PHASE_UP)
        at = earlier(at, earlier(peer_next(client), follow_next(client)));
    if (client->phase == PHASE_UP && client->command_at != 0)
        at = earlier(at, client->command_at);
    /* With requests outstanding, the answer goes on with the input. */
    if (buffer_size(&client->input) > 0 && client->request_count < REQUEST_LIMIT &&
        client->flood >= client_now(client) + FLOOD_BURST_MS)
        at = earlier(at, client->flood - FLOOD_BURST_MS + 1);
    client->io->wake(client->io_arg, at);
}
