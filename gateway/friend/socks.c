/* SPDX-License-Identifier: ISC */
#include "friend/socks.h"

#include <stdio.h>
#include <string.h>

enum { VERSION = 5, NO_AUTHENTICATION = 0, CONNECT = 1, ADDRESS_V4 = 1, ADDRESS_NAME = 3, ADDRESS_V6 = 4 };

void socks_set(struct socks *socks, const char *host, uint16_t port)
{
    *socks = (struct socks){.port = port};
    snprintf(socks->host, sizeof socks->host, "%s", host);
}

void socks_start(struct buffer *out)
{
    buffer_append(out, (const uint8_t[]){VERSION, 1, NO_AUTHENTICATION}, 3);
}

static enum socks_step failed(const char **reason, const char *why)
{
    *reason = why;
    return SOCKS_FAILED;
}

static enum socks_step greet(struct socks *socks, struct buffer *input, struct buffer *out,
                             const char **reason)
{
    struct reader reader = reader_of(buffer_view(input));
    uint8_t version = read_u8(&reader), method = read_u8(&reader);
    if (reader.failed)
        return SOCKS_MORE;
    if (version != VERSION || method != NO_AUTHENTICATION)
        return failed(reason, "the proxy is no SOCKS5 proxy without password");
    size_t length = strlen(socks->host);
    buffer_consume(input, 2);
    buffer_append(out, (const uint8_t[]){VERSION, CONNECT, 0, ADDRESS_NAME, (uint8_t)length}, 5);
    buffer_append(out, socks->host, length);
    buffer_u16(out, socks->port);
    socks->greeted = true;
    return SOCKS_MORE;
}

enum socks_step socks_receive(struct socks *socks, struct buffer *input, struct buffer *out,
                              const char **reason)
{
    if (!socks->greeted)
        return greet(socks, input, out, reason);

    struct reader reader = reader_of(buffer_view(input));
    uint8_t version = read_u8(&reader), reply = read_u8(&reader);
    read_u8(&reader);
    uint8_t kind = read_u8(&reader);
    if (reader.failed)
        return SOCKS_MORE;
    if (version != VERSION || reply != 0)
        return failed(reason, "the proxy could not reach the friend");
    size_t size;
    if (kind == ADDRESS_V4)
        size = 4;
    else if (kind == ADDRESS_V6)
        size = 16;
    else if (kind == ADDRESS_NAME)
        size = read_u8(&reader);
    else
        return failed(reason, "the proxy's answer is no SOCKS5 answer");
    read_bytes(&reader, size + 2);
    if (reader.failed)
        return SOCKS_MORE;
    buffer_consume(input, buffer_size(input) - reader.left);
    return SOCKS_DONE;
}
