/* SPDX-License-Identifier: ISC */
#include "message.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "wire/utf8.h"

static char *skip_spaces(char *at)
{
    while (*at == ' ')
        at++;
    return at;
}

/* Ends the word at `at` and returns what follows. */
static char *cut_word(char *at)
{
    char *end = at + strcspn(at, " ");
    if (*end != '\0')
        *end++ = '\0';
    return skip_spaces(end);
}

static void unescape(char *value)
{
    static const char from[] = ":srn\\", to[] = "; \r\n\\";
    char *out = value;
    for (const char *in = value; *in != '\0'; in++) {
        if (*in != '\\') {
            *out++ = *in;
            continue;
        }
        if (*++in == '\0')
            break;
        const char *known = strchr(from, *in);
        *out++ = known != NULL ? to[known - from] : *in;
    }
    *out = '\0';
}

static void parse_tags(struct message *message, char *at)
{
    while (at != NULL && message->tag_count < MESSAGE_TAG_COUNT) {
        char *tag = strsep(&at, ";");
        if (*tag == '\0')
            continue;
        char *value = strchr(tag, '=');
        if (value != NULL) {
            *value++ = '\0';
            unescape(value);
        }
        message->tags[message->tag_count++] =
            (struct message_tag){.key = tag, .value = value != NULL ? value : ""};
    }
}

bool message_parse(struct message *message, char *line)
{
    message->tag_count = message->param_count = 0;
    message->source = NULL;
    message->colon = false;
    char *at = line;
    if (*at == '@') {
        char *tags = at + 1;
        at = cut_word(at);
        parse_tags(message, tags);
    }
    at = skip_spaces(at);
    if (*at == ':') {
        message->source = at + 1;
        at = cut_word(at);
    }
    message->verb = at;
    at = cut_word(at);
    while (*at != '\0') {
        bool last = *at == ':' || message->param_count == MESSAGE_PARAM_COUNT - 1;
        if (*at == ':')
            at++;
        message->params[message->param_count++] = at;
        if (last)
            break;
        at = cut_word(at);
    }
    return *message->verb != '\0';
}

const char *message_tag(const struct message *message, const char *key)
{
    for (size_t i = message->tag_count; i-- > 0;)
        if (strcmp(message->tags[i].key, key) == 0)
            return message->tags[i].value;
    return NULL;
}

static void escape(struct buffer *out, const char *value)
{
    static const char from[] = "; \r\n\\", to[] = ":srn\\";
    for (;;) {
        size_t plain = strcspn(value, from);
        buffer_append(out, value, plain);
        value += plain;
        if (*value == '\0')
            return;
        buffer_append(out, (const char[]){'\\', to[strchr(from, *value) - from]}, 2);
        value++;
    }
}

static bool is_word(const char *text)
{
    return *text != '\0' && *text != ':' && text[strcspn(text, " \r\n")] == '\0';
}

static bool can_be_said(const struct message *message)
{
    if (!is_word(message->verb) || message->verb[0] == '@' ||
        (message->source != NULL && !is_word(message->source)))
        return false;
    for (size_t i = 0; i < message->tag_count; i++)
        if (message->tags[i].key[strcspn(message->tags[i].key, " ;=\r\n")] != '\0')
            return false;
    for (size_t i = 0; i < message->param_count; i++) {
        const char *param = message->params[i];
        bool last = i + 1 == message->param_count;
        if (last ? param[strcspn(param, "\r\n")] != '\0' : !is_word(param))
            return false;
    }
    return true;
}

bool message_format(struct buffer *out, const struct message *message)
{
    if (!can_be_said(message))
        return false;
    size_t begin = buffer_size(out);
    for (size_t i = 0; i < message->tag_count; i++) {
        buffer_u8(out, i == 0 ? '@' : ';');
        buffer_append_string(out, message->tags[i].key);
        if (message->tags[i].value[0] != '\0') {
            buffer_u8(out, '=');
            escape(out, message->tags[i].value);
        }
    }
    if (message->tag_count > 0)
        buffer_u8(out, ' ');
    size_t body = buffer_size(out);
    if (message->source != NULL) {
        buffer_u8(out, ':');
        buffer_append_string(out, message->source);
        buffer_u8(out, ' ');
    }
    buffer_append_string(out, message->verb);
    for (size_t i = 0; i < message->param_count; i++) {
        bool bare = is_word(message->params[i]) && (!message->colon || i + 1 < message->param_count);
        buffer_append_string(out, bare ? " " : " :");
        buffer_append_string(out, message->params[i]);
    }
    if (out->failed) {
        out->end = out->start + begin;
        return false;
    }
    struct bytes view = buffer_view(out);
    struct bytes said = {view.data + body, view.size - body};
    if (said.size > MESSAGE_BODY_MAX - 2)
        out->end = out->start + body + utf8_fit(said, MESSAGE_BODY_MAX - 2);
    return true;
}

struct source source_split(const char *text)
{
    struct source source = {0};
    size_t size = strlen(text);
    const char *at = memrchr(text, '@', size);
    if (at != NULL) {
        source.host = bytes_of(at + 1, size - (size_t)(at + 1 - text));
        size = (size_t)(at - text);
    }
    const char *mark = memchr(text, '!', size);
    if (mark != NULL) {
        source.user = bytes_of(mark + 1, size - (size_t)(mark + 1 - text));
        size = (size_t)(mark - text);
    }
    source.nick = bytes_of(text, size);
    return source;
}

static int fold(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? letter + ('a' - 'A') : letter;
}

bool mask_match(const char *mask, const char *text)
{
    /* Only the last star has to be tried again, so there is no recursion. */
    const char *star = NULL, *resume = NULL;
    while (*text != '\0') {
        if (*mask == '*') {
            star = ++mask;
            resume = text;
        } else if (*mask == '?' || (*mask != '\0' && fold(*mask) == fold(*text))) {
            mask++;
            text++;
        } else if (star != NULL) {
            mask = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*mask == '*')
        mask++;
    return *mask == '\0';
}

bool name_equal(const char *a, const char *b)
{
    while (*a != '\0' && fold(*a) == fold(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool is_alnum(char letter)
{
    return (letter >= '0' && letter <= '9') || (fold(letter) >= 'a' && fold(letter) <= 'z');
}

bool hostname_valid(const char *name)
{
    size_t size = strlen(name), dots = 0;
    if (size == 0 || size > 63 || name[0] == '.')
        return false;
    for (size_t i = 0; i < size; i++) {
        bool first = i == 0 || name[i - 1] == '.', last = i + 1 == size || name[i + 1] == '.';
        if (name[i] == '.') {
            dots++;
            if (first)
                return false;
        } else if (!is_alnum(name[i]) && (name[i] != '-' || first || last)) {
            return false;
        }
    }
    return dots > 0;
}

bool nick_valid(const char *nick, size_t longest)
{
    size_t size = strlen(nick);
    if (size == 0 || size > longest || *nick == '-' || (*nick >= '0' && *nick <= '9'))
        return false;
    for (; *nick != '\0'; nick++)
        if (!is_alnum(*nick) && strchr("[]\\`_^{|}-", *nick) == NULL)
            return false;
    return true;
}
