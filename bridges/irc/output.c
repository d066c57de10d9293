/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WORD_LIMIT = MESSAGE_PARAM_COUNT - 1, TEXT_SIZE = 1024, TAG_SIZE = 64 };

/* What precedes each line in `captured`: whether it belongs to a batch of its own. */
enum { LINE_FREE = 'f', LINE_BATCHED = 'b' };

static void transmit(struct client *client, struct bytes line)
{
    client->bytes_out += line.size;
    if (client->io->write(client->io_arg, line.data, line.size))
        return;
    /* The stream is closing by itself. */
    client->phase = PHASE_ENDING;
}

/* Makes a line out of the message in the scratch buffer, CR LF included. */
static bool make_line(struct client *client, const struct message *message)
{
    buffer_clear(&client->scratch);
    return message_format(&client->scratch, message) && buffer_append_string(&client->scratch, "\r\n");
}

static void put(struct client *client, const struct message *message, bool batched)
{
    if (client->phase == PHASE_ENDING || !make_line(client, message))
        return;
    struct bytes line = buffer_view(&client->scratch);
    if (client->label[0] == '\0') {
        transmit(client, line);
        return;
    }
    buffer_u8(&client->captured, batched ? LINE_BATCHED : LINE_FREE);
    buffer_append_bytes(&client->captured, line);
    client->captured_count++;
}

static void add_tag(struct message *message, const char *key, const char *value)
{
    message->tags[message->tag_count++] = (struct message_tag){key, value};
}

/* Room for the values that have to be made. */
struct tag_texts {
    char time[TEXT_TIME_SIZE];
    char msgid[TAG_SIZE];
};

static void add_stamp(const struct client *client, struct message *message, const struct stamp *stamp,
                      struct tag_texts *texts)
{
    if (client_has(client, CAP_SERVER_TIME)) {
        text_time(texts->time, stamp->time != 0 ? stamp->time : client_wall(client));
        add_tag(message, "time", texts->time);
    }
    if (client_has(client, CAP_MESSAGE_TAGS) && stamp->seq != 0) {
        snprintf(texts->msgid, sizeof texts->msgid, "%" PRId64 "-%" PRId64, client->follow.epoch, stamp->seq);
        add_tag(message, "msgid", texts->msgid);
    }
    if (client_has(client, CAP_MESSAGE_TAGS) && stamp->typing)
        add_tag(message, "+typing", "active");
    if (client_has(client, CAP_BATCH) && stamp->batch != NULL)
        add_tag(message, "batch", stamp->batch);
    if (client_has(client, CAP_ACCOUNT_TAG) && stamp->account != NULL && stamp->account[0] != '\0')
        add_tag(message, "account", stamp->account);
}

static void add_words(struct message *message, const char *const *words)
{
    for (; words != NULL && *words != NULL && message->param_count < WORD_LIMIT; words++)
        message->params[message->param_count++] = *words;
}

static void add_text(struct message *message, char *text, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
static void add_text(struct message *message, char *text, const char *format, va_list arguments)
{
    if (format == NULL)
        return;
    vsnprintf(text, TEXT_SIZE, format, arguments);
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\r' || *at == '\n')
            *at = ' ';
    message->params[message->param_count++] = text;
    message->colon = true; /* simple clients look for it */
}

void client_say(struct client *client, const struct stamp *stamp, const char *source, const char *verb,
                const char *const *words, const char *format, ...)
{
    struct message message = {.source = source, .verb = verb};
    struct tag_texts texts;
    char text[TEXT_SIZE];
    if (stamp != NULL)
        add_stamp(client, &message, stamp, &texts);
    add_words(&message, words);
    va_list arguments;
    va_start(arguments, format);
    add_text(&message, text, format, arguments);
    va_end(arguments);
    put(client, &message, stamp != NULL && stamp->batch != NULL && client_has(client, CAP_BATCH));
}

void client_numeric(struct client *client, unsigned number, const char *const *words, const char *format, ...)
{
    char verb[12], text[TEXT_SIZE];
    snprintf(verb, sizeof verb, "%03u", number);
    struct message message = {.source = client->site->name, .verb = verb, .param_count = 1};
    message.params[0] = client->nick[0] != '\0' ? client->nick : "*";
    add_words(&message, words);
    va_list arguments;
    va_start(arguments, format);
    add_text(&message, text, format, arguments);
    va_end(arguments);
    put(client, &message, false);
}

void client_notice(struct client *client, const char *target, const char *format, ...)
{
    char source[SOURCE_SIZE], text[TEXT_SIZE];
    control_source(client, source);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    client_say(client, &(struct stamp){0}, source, "NOTICE", WORDS(target), "%s", text);
}

void client_standard(struct client *client, const char *kind, const char *verb, const char *code,
                     const char *const *context, const char *text)
{
    const char *words[WORD_LIMIT + 1] = {verb, code};
    for (size_t i = 0; context != NULL && context[i] != NULL && i + 2 < WORD_LIMIT; i++)
        words[i + 2] = context[i];
    if (client_has(client, CAP_STANDARD_REPLIES))
        client_say(client, NULL, client->site->name, kind, words, "%s", text);
    else
        client_say(client, NULL, client->site->name, "NOTICE",
                   WORDS(client->nick[0] != '\0' ? client->nick : "*"), "%s (%s)", text, code);
}

void client_label_begin(struct client *client, const char *label)
{
    if (label == NULL || label[0] == '\0' || strlen(label) >= LABEL_SIZE ||
        !client_has(client, CAP_LABELED_RESPONSE) || !client_has(client, CAP_BATCH))
        return;
    memcpy(client->label, label, strlen(label) + 1);
    buffer_clear(&client->captured);
    client->captured_count = 0;
}

static void next_captured(struct bytes *rest, bool *batched, struct bytes *line)
{
    *batched = *rest->data == LINE_BATCHED;
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    *line = bytes_of(rest->data + 1, (size_t)(end - rest->data));
    rest->data += line->size + 1;
    rest->size -= line->size + 1;
}

/* Sends a captured line with one more tag. */
static void transmit_tagged(struct client *client, struct bytes line, const char *key, const char *value)
{
    bool tagged = line.data[0] == '@';
    struct message message = {.tags = {{key, value}}, .tag_count = 1, .verb = "X"};
    buffer_clear(&client->scratch);
    if (!message_format(&client->scratch, &message))
        return;
    /* "@key=value X": the placeholder, and the space too when other tags follow, give way to the line. */
    client->scratch.end -= tagged ? 2 : 1;
    if (tagged)
        buffer_u8(&client->scratch, ';');
    if (buffer_append(&client->scratch, line.data + (tagged ? 1 : 0), line.size - (tagged ? 1 : 0)))
        transmit(client, buffer_view(&client->scratch));
}

static void put_tagged(struct client *client, const char *key, const char *value, const char *verb,
                       const char *first, const char *second)
{
    struct message message = {.tags = {{key, value}},
                              .tag_count = key != NULL,
                              .source = client->site->name,
                              .verb = verb,
                              .params = {first, second}};
    message.param_count = (first != NULL) + (size_t)(second != NULL);
    if (make_line(client, &message))
        transmit(client, buffer_view(&client->scratch));
}

/* label NULL: as they are. */
static void send_captured(struct client *client, const char *label)
{
    struct bytes rest = buffer_view(&client->captured), line;
    bool batched, single = client->captured_count == 1, batch = label != NULL && client->captured_count > 1;
    char reference[24];
    snprintf(reference, sizeof reference, "+l%" PRIu64, ++client->batches);
    if (label != NULL && client->captured_count == 0)
        put_tagged(client, "label", label, "ACK", NULL, NULL);
    if (batch)
        put_tagged(client, "label", label, "BATCH", reference, "labeled-response");
    while (rest.size > 0 && client->phase != PHASE_ENDING) {
        next_captured(&rest, &batched, &line);
        if (label != NULL && single)
            transmit_tagged(client, line, "label", label);
        else if (batch && !batched)
            transmit_tagged(client, line, "batch", reference + 1);
        else
            transmit(client, line);
    }
    reference[0] = '-';
    if (batch && client->phase != PHASE_ENDING)
        put_tagged(client, NULL, NULL, "BATCH", reference, NULL);
}

void client_label_end(struct client *client)
{
    char label[LABEL_SIZE];
    if (client->label[0] == '\0' || client->phase == PHASE_ENDING)
        return;
    memcpy(label, client->label, sizeof label);
    client->label[0] = '\0';
    /* More than the client's whole output limit: it would not have survived it without a label either. */
    if (client->captured.failed) {
        client_end(client, "Output limit");
        return;
    }
    send_captured(client, label);
    buffer_clear(&client->captured);
}

void client_label_take(struct client *client, char label[LABEL_SIZE])
{
    memcpy(label, client->label, LABEL_SIZE);
    if (client->label[0] == '\0')
        return;
    client->label[0] = '\0';
    if (client->captured.failed) /* its last line is not whole */
        client_end(client, "Output limit");
    else if (client->captured_count > 0)
        send_captured(client, NULL);
    buffer_clear(&client->captured);
}

void client_source(const struct client *client, char out[SOURCE_SIZE])
{
    snprintf(out, SOURCE_SIZE, "%s!%s@%s", client->nick, client->user, client->site->name);
}

void peer_source(const struct peer *peer, char out[SOURCE_SIZE])
{
    snprintf(out, SOURCE_SIZE, "%s!%s@" CONTACT_HOST, peer->handle, peer->handle);
}

void control_source(const struct client *client, char out[SOURCE_SIZE])
{
    snprintf(out, SOURCE_SIZE, CONTROL_NICK "!" CONTROL_NICK "@%s", client->site->name);
}
