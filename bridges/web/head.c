/* SPDX-License-Identifier: ISC */
#include "head.h"

#include <stdio.h>
#include <string.h>

#include "fields.h"

/* Strict where leniency would let two readers of one head disagree (RFC 9112): lines end with CR LF, no line
 * is folded, nothing unprintable. */
enum { METHOD_MAX = 32 };

enum found { FOUND, MORE, WRONG };

/* tchar of RFC 9110 §5.6.2. */
static bool is_token(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static size_t token_size(struct bytes text)
{
    size_t size = 0;
    while (size < text.size && is_token(text.data[size]))
        size++;
    return size;
}

/* Takes a line off the front. When it is unfinished, `line` is what is there of it. */
static enum found take_line(struct bytes *rest, struct bytes *line)
{
    for (size_t i = 0; i < rest->size; i++) {
        uint8_t byte = rest->data[i];
        if (byte == '\r' && i + 1 < rest->size && rest->data[i + 1] == '\n') {
            *line = bytes_of(rest->data, i);
            *rest = bytes_of(rest->data + i + 2, rest->size - i - 2);
            return FOUND;
        }
        if ((byte < ' ' && byte != '\t' && !(byte == '\r' && i + 1 == rest->size)) || byte == 0x7f)
            return WRONG;
    }
    *line = *rest;
    return MORE;
}

/* "GET /path HTTP/1.1"; *get is set when it may become a WebSocket. */
static enum found request_line(struct bytes line, bool finished, bool *get)
{
    static const char version[] = "HTTP/1.";
    size_t method = token_size(line);
    if (method > METHOD_MAX || (method == 0 && line.size > 0))
        return WRONG;
    if (method == line.size)
        return finished ? WRONG : MORE;
    if (line.data[method] != ' ')
        return WRONG;
    if (!finished)
        return MORE;
    const uint8_t *target = line.data + method + 1;
    size_t left = line.size - method - 1;
    const uint8_t *space = memchr(target, ' ', left);
    if (space == NULL || space == target || memchr(target, '\t', left) != NULL)
        return WRONG;
    left -= (size_t)(space + 1 - target);
    if (left != sizeof version || memcmp(space + 1, version, sizeof version - 1) != 0)
        return WRONG;
    uint8_t minor = space[sizeof version];
    if (minor < '0' || minor > '9')
        return WRONG;
    *get = minor != '0' && bytes_equal(bytes_of(line.data, method), bytes_of_string("GET"));
    return FOUND;
}

static bool is_upgrade(struct bytes name)
{
    return fields_is_word(name, "upgrade");
}

static bool is_websocket(struct bytes value)
{
    return fields_is_word(fields_trim(value), "websocket");
}

enum head_kind head_look(struct bytes input)
{
    struct bytes line;
    bool get = false, websocket = false;
    unsigned upgrades = 0;
    enum found found = take_line(&input, &line);
    if (found == WRONG)
        return HEAD_BAD;
    switch (request_line(line, found == FOUND, &get)) {
    case WRONG:
        return HEAD_BAD;
    case MORE:
        return HEAD_UNFINISHED;
    case FOUND:
        break;
    }
    while ((found = take_line(&input, &line)) == FOUND) {
        if (line.size == 0)
            return get && upgrades == 1 && websocket ? HEAD_WEBSOCKET : HEAD_HTTP;
        size_t name = token_size(line);
        if (name == 0 || name == line.size || line.data[name] != ':')
            return HEAD_BAD;
        if (is_upgrade(bytes_of(line.data, name))) {
            upgrades++;
            websocket = is_websocket(bytes_of(line.data + name + 1, line.size - name - 1));
        }
    }
    return found == WRONG ? HEAD_BAD : HEAD_UNFINISHED;
}

size_t head_refuse(char out[HEAD_REFUSAL_MAX], const struct head_refusal *refusal)
{
    int size = snprintf(out, HEAD_REFUSAL_MAX,
                        "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                        "Cache-Control: no-store\r\nConnection: close\r\n\r\n%s\n",
                        refusal->status, strlen(refusal->text) + 1, refusal->text);
    return size < HEAD_REFUSAL_MAX ? (size_t)size : HEAD_REFUSAL_MAX - 1;
}
