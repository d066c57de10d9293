/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "live_channel.h"

/* The JSON form over a WebSocket: one client of the room api. A text that goes to many clients is one piece
 * of memory, written from where it lies: each writes the same frame head into the bytes in front of it. */
enum {
    QUEUE_MAX = 4 << 20, /* bytes that may wait for one client before it is dropped */
    QUEUE_FIRST = 16,
    ADDRESS_SIZE = 64,
};
_Static_assert(API_HEADROOM >= LWS_PRE, "a frame's head fits in front of a text");

static struct api_text *queue_take(struct text_queue *queue)
{
    struct api_text *text = queue->texts[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
    queue->bytes -= api_text_bytes(text).size;
    return text;
}

static void queue_clear(struct text_queue *queue)
{
    while (queue->count > 0)
        api_text_release(queue_take(queue));
    free(queue->texts);
    *queue = (struct text_queue){0};
}

static bool queue_grow(struct text_queue *queue)
{
    uint32_t capacity = queue->capacity > 0 ? queue->capacity * 2 : QUEUE_FIRST;
    struct api_text **texts = calloc(capacity, sizeof *texts);
    if (texts == NULL)
        return false;
    for (uint32_t i = 0; i < queue->count; i++)
        texts[i] = queue->texts[(queue->first + i) % queue->capacity];
    free(queue->texts);
    queue->texts = texts;
    queue->first = 0;
    queue->capacity = capacity;
    return true;
}

/* False without room or memory. */
static bool queue_put(struct text_queue *queue, struct api_text *text)
{
    size_t size = api_text_bytes(text).size;
    if (size > QUEUE_MAX - queue->bytes || (queue->count == queue->capacity && !queue_grow(queue)))
        return false;
    queue->texts[(queue->first + queue->count++) % queue->capacity] = api_text_hold(text);
    queue->bytes += size;
    return true;
}

static void write_text(struct channel *channel, const struct api_text *text)
{
    struct bytes bytes = api_text_bytes(text);
    /* The headroom is ours to write; the text itself stays as it is. */
    channel_write(channel, (void *)(uintptr_t)bytes.data, bytes.size, LWS_WRITE_TEXT);
    channel->in_flight = bytes.size;
}

static size_t io_queued(void *arg)
{
    const struct channel *channel = arg;
    return channel->queue.bytes + (channel_busy(channel) ? channel->in_flight : 0);
}

static void io_send(void *arg, struct api_text *text)
{
    struct channel *channel = arg;
    assert(channel->magic == CHANNEL_MAGIC);
    if (channel->code != 0)
        return;
    if (channel->queue.count == 0 && !channel_busy(channel)) {
        write_text(channel, text);
    } else if (queue_put(&channel->queue, text)) {
        lws_callback_on_writable(channel->wsi);
    } else {
        queue_clear(&channel->queue);
        channel_end(channel, CLOSE_SLOW, "too slow: too much waits");
    }
    channel->above = channel->above || io_queued(channel) >= API_QUEUE_MAX;
}

static void io_hold(void *arg, bool on)
{
    struct channel *channel = arg;
    assert(channel->magic == CHANNEL_MAGIC);
    channel_hold(channel, HOLD_API, on);
}

static void io_end(void *arg, const char *reason)
{
    struct channel *channel = arg;
    assert(channel->magic == CHANNEL_MAGIC);
    channel_end(channel, CLOSE_LOGIN, reason);
}

static const struct api_io io = {io_send, io_queued, io_hold, io_end};

/* A locked vault and the like pass; a wrong password does not. */
static unsigned code_of(const struct error *error)
{
    switch (error->code) {
    case ERROR_LIMIT:
        return CLOSE_MANY;
    case ERROR_LOCKED:
    case ERROR_UNAVAILABLE:
    case ERROR_INTERNAL:
        return CLOSE_LATER;
    default:
        return CLOSE_LOGIN;
    }
}

static void on_login(void *arg, struct gateway_session *session, const struct error *error)
{
    struct channel *channel = arg;
    assert(channel->magic == CHANNEL_MAGIC);
    channel->ticket = 0;
    if (session == NULL) {
        channel_end(channel, code_of(error), error->text);
        return;
    }
    channel->client = api_client_new(channel->live->api, session, &io, channel);
    if (channel->client == NULL)
        channel_end(channel, CLOSE_LATER, "out of memory");
    channel_hold(channel, HOLD_LOGIN, false);
}

static void begin(struct channel *channel)
{
    char address[ADDRESS_SIZE] = "";
    struct entry entry = {0};
    /* Without the port: failed log-ins are throttled by it. */
    if (uv_ip_name((const struct sockaddr *)&channel->place->peer, address, sizeof address) != 0)
        address[0] = '\0';
    if (handshake_entry(&entry, channel->wsi, channel->place)) {
        struct gateway_login login = {
            .account = entry.account, .password = entry.password, .scope = "web", .address = address};
        channel_hold(channel, HOLD_LOGIN, true);
        channel->ticket = gateway_login(channel->live->site->gateway, &login, on_login, channel);
        if (channel->ticket == 0)
            channel_end(channel, CLOSE_LATER, "out of memory");
    } else {
        channel_end(channel, CLOSE_LOGIN, "sign in first");
    }
    OPENSSL_cleanse(&entry, sizeof entry);
}

static void message(struct channel *channel, struct bytes bytes)
{
    if (channel->client != NULL)
        api_client_input(channel->client, bytes);
}

static bool writable(struct channel *channel)
{
    struct text_queue *queue = &channel->queue;
    while (queue->count > 0 && !channel_busy(channel)) {
        struct api_text *text = queue_take(queue);
        write_text(channel, text);
        api_text_release(text);
    }
    if (queue->count == 0)
        queue_clear(queue);
    if (channel->above && io_queued(channel) < API_QUEUE_MAX && channel->client != NULL) {
        channel->above = false;
        api_client_drained(channel->client);
    }
    return queue->count > 0 || channel_busy(channel);
}

static void end(struct channel *channel)
{
    if (channel->ticket != 0)
        gateway_login_cancel(channel->live->site->gateway, channel->ticket);
    channel->ticket = 0;
    api_client_free(channel->client);
    channel->client = NULL;
    queue_clear(&channel->queue);
}

const struct carrier live_api = {.path = "/api/1/live",
                                 .protocol = "retrogate.1",
                                 .message_max = API_MESSAGE_MAX,
                                 .begin = begin,
                                 .message = message,
                                 .writable = writable,
                                 .end = end};
