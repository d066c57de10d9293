/* SPDX-License-Identifier: ISC */
/* A line is split; what was understood is said again and understood as the same. */
#include <stdlib.h>
#include <string.h>

#include "bridges/irc/message.h"
#include "bridges/irc/text.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void compare(const struct message *a, const struct message *b)
{
    check(strcmp(a->verb, b->verb) == 0 && a->param_count == b->param_count && a->tag_count == b->tag_count);
    check((a->source == NULL) == (b->source == NULL));
    check(a->source == NULL || strcmp(a->source, b->source) == 0);
    for (size_t i = 0; i < a->param_count; i++)
        check(strcmp(a->params[i], b->params[i]) == 0);
    for (size_t i = 0; i < a->tag_count; i++)
        check(strcmp(a->tags[i].key, b->tags[i].key) == 0 && strcmp(a->tags[i].value, b->tags[i].value) == 0);
}

static void round_trip(const struct message *message)
{
    struct buffer out = buffer_make(64 * 1024);
    if (message_format(&out, message)) {
        char *line = strdup(buffer_string(&out));
        const char *space = line[0] == '@' ? strchr(line, ' ') : line;
        check(space != NULL && strlen(space) <= MESSAGE_BODY_MAX);
        struct message again;
        /* A longer one may have been cut, and an empty key is not said. */
        bool whole = strlen(space) < MESSAGE_BODY_MAX - 4;
        check(message_parse(&again, line));
        for (size_t i = 0; i < message->tag_count; i++)
            whole = whole && message->tags[i].key[0] != '\0';
        if (whole)
            compare(message, &again);
        free(line);
    }
    buffer_free(&out);
}

static void texts(const char *text, bool utf8)
{
    char *copy = strdup(text), label[32], *body;
    struct bytes piece;
    text_strip(copy);
    check(strlen(copy) <= strlen(text) && (!utf8 || utf8_valid(bytes_of_string(copy))));
    struct bytes rest = bytes_of_string(copy);
    size_t sum = 0;
    while (text_piece(&rest, 16, &piece)) {
        check(piece.size > 0 && piece.size <= 16 && memchr(piece.data, '\n', piece.size) == NULL);
        sum += piece.size;
    }
    check(sum <= strlen(copy));
    text_label(label, sizeof label, text);
    check(!utf8 || utf8_valid(bytes_of_string(label)));
    text_from_ctcp(copy, &body);
    struct source source = source_split(text);
    check(source.nick.size + source.user.size + source.host.size <= strlen(text));
    nick_valid(text, 30);
    hostname_valid(text);
    mask_match(text, text + strlen(text) / 2);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = malloc(size + 1);
    if (line == NULL || size > 16384) {
        free(line);
        return 0;
    }
    if (size > 0)
        memcpy(line, data, size);
    line[size] = '\0';
    bool utf8 = utf8_valid(bytes_of_string(line));
    texts(line, utf8);
    struct message message;
    /* Sessions let only UTF-8 through; escapes in tags do not change that. */
    if (message_parse(&message, line) && utf8)
        round_trip(&message);
    free(line);
    return 0;
}
