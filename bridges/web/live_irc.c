/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "live_channel.h"
#include "wire/utf8.h"

/* IRC over a WebSocket (IRCv3 "websocket"): one line without its end is one message. The IRC bridge has the
 * other end of a socket pair and takes it for a client of its own. */
enum {
    MESSAGE_MAX = 8191 + 512, /* tags and the rest of a line */
    OUTPUT_MAX = 64 << 10,
};

/* Bytes that are no UTF-8 would have a browser end the connection. */
static size_t make_valid(unsigned char *out, size_t size, struct bytes text)
{
    size_t used = 0;
    while (text.size > 0) {
        uint32_t code_point;
        if (!utf8_next(&text, &code_point)) {
            code_point = UTF8_REPLACEMENT;
            text = bytes_of(text.data + 1, text.size - 1);
        }
        if (size - used < 4)
            break;
        used += utf8_encode(out + used, code_point);
    }
    return used;
}

static void write_line(struct channel *channel, struct bytes line)
{
    unsigned char *out = channel->live->line + LWS_PRE;
    size_t size = line.size < LIVE_LINE_MAX ? line.size : LIVE_LINE_MAX;
    if (size > 0 && (channel->carrier->binary || utf8_valid(line)))
        memcpy(out, line.data, size);
    else
        size = make_valid(out, LIVE_LINE_MAX, line);
    channel_write(channel, out, size, channel->carrier->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
}

static void on_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct channel *channel = arg;
    struct bytes view = buffer_view(input);
    if (channel == NULL || channel->code != 0) {
        buffer_consume(input, view.size);
        return;
    }
    assert(channel->magic == CHANNEL_MAGIC);
    const uint8_t *end = NULL;
    while (view.size > 0 && !channel_busy(channel) && (end = memchr(view.data, '\n', view.size)) != NULL) {
        size_t size = (size_t)(end - view.data);
        write_line(channel, bytes_of(view.data, size > 0 && end[-1] == '\r' ? size - 1 : size));
        buffer_consume(input, size + 1);
        view = buffer_view(input);
    }
    if (channel_busy(channel))
        stream_pause(stream);
}

static void on_drained(void *arg, struct stream *stream)
{
    struct channel *channel = arg;
    (void)stream;
    if (channel != NULL)
        channel_hold(channel, HOLD_IRC, false);
}

static void on_closed(void *arg, struct stream *stream, const char *reason)
{
    struct channel *channel = arg;
    (void)stream;
    (void)reason;
    if (channel == NULL)
        return;
    assert(channel->magic == CHANNEL_MAGIC);
    channel->irc = NULL;
    channel_end(channel, CLOSE_NORMAL, "IRC ended the connection");
}

static void begin(struct channel *channel)
{
    static const struct stream_events events = {.data = on_data, .drained = on_drained, .closed = on_closed};
    static const struct stream_options options = {.input_limit = LIVE_LINE_MAX, .output_limit = OUTPUT_MAX};
    const struct site *site = channel->live->site;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
        channel_end(channel, CLOSE_LATER, "no descriptors left");
        return;
    }
    channel->irc = stream_open(site->loop, pair[0], &options, &events, channel, NULL);
    if (channel->irc == NULL) {
        close(pair[1]);
        channel_end(channel, CLOSE_LATER, "out of memory");
    } else if (!site->irc(site->arg, pair[1], &channel->place->peer, channel->place->secure)) {
        close(pair[1]);
        channel_end(channel, CLOSE_MANY, "IRC takes no more clients");
    }
}

static void message(struct channel *channel, struct bytes line)
{
    static const char end[] = "\r\n";
    if (line.size >= 2 && memcmp(line.data + line.size - 2, end, 2) == 0)
        line.size -= 2;
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] == '\r' || line.data[i] == '\n' || line.data[i] == '\0') {
            channel_end(channel, CLOSE_POLICY, "one line is one message");
            return;
        }
    }
    if (channel->irc == NULL || line.size == 0)
        return;
    stream_write(channel->irc, line.data, line.size);
    stream_write(channel->irc, end, sizeof end - 1);
    /* So there is always room for the next one. */
    if (stream_room(channel->irc) < MESSAGE_MAX + sizeof end)
        channel_hold(channel, HOLD_IRC, true);
}

static bool writable(struct channel *channel)
{
    if (channel->irc != NULL && !channel_busy(channel))
        stream_resume(channel->irc);
    return channel_busy(channel);
}

static void end(struct channel *channel)
{
    if (channel->irc == NULL)
        return;
    stream_set_arg(channel->irc, NULL);
    stream_resume(channel->irc);
    stream_close(channel->irc, "the browser is gone");
    channel->irc = NULL;
}

const struct carrier live_irc_text = {.path = "/irc",
                                      .protocol = "text.ircv3.net",
                                      .message_max = MESSAGE_MAX,
                                      .begin = begin,
                                      .message = message,
                                      .writable = writable,
                                      .end = end};

const struct carrier live_irc_binary = {.path = "/irc",
                                        .protocol = "binary.ircv3.net",
                                        .message_max = MESSAGE_MAX,
                                        .binary = true,
                                        .begin = begin,
                                        .message = message,
                                        .writable = writable,
                                        .end = end};
