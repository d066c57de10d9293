/* SPDX-License-Identifier: ISC */
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire/utf8.h"

void text_clean(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        unsigned char byte = (unsigned char)*in;
        if (byte == '\r') {
            if (in[1] != '\n')
                *out++ = '\n';
        } else if (byte == 0xc2 && (unsigned char)in[1] >= 0x80 && (unsigned char)in[1] < 0xa0) {
            in++; /* C1 controls, U+0080 to U+009F */
        } else if (byte == '\n' || byte == '\t' || (byte >= 0x20 && byte != 0x7f)) {
            *out++ = *in;
        }
    }
    *out = '\0';
}

static const char *skip_digits(const char *at, size_t most, int (*digit)(int))
{
    while (most > 0 && digit((unsigned char)*at)) {
        at++;
        most--;
    }
    return at;
}

/* Behind ^C (one or two digits) or ^D (six hex digits), and the same again behind a comma. */
static const char *skip_colour(const char *at, size_t most, int (*digit)(int))
{
    const char *end = skip_digits(at, most, digit);
    if (end > at && *end == ',' && digit((unsigned char)end[1]))
        end = skip_digits(end + 1, most, digit);
    return end;
}

void text_strip(char *text)
{
    char *out = text;
    const char *in = text;
    while (*in != '\0') {
        if (*in == '\x03')
            in = skip_colour(in + 1, 2, isdigit);
        else if (*in == '\x04')
            in = skip_colour(in + 1, 6, isxdigit);
        else
            *out++ = *in++;
    }
    *out = '\0';
    text_clean(text);
}

void text_label(char *out, size_t size, const char *text)
{
    size_t length = utf8_fit(bytes_of_string(text), size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
    text_clean(out);
    for (char *at = out; *at != '\0'; at++)
        if (*at == '\n' || *at == '\t')
            *at = ' ';
    size_t lead = strspn(out, " :");
    memmove(out, out + lead, strlen(out) - lead + 1);
    if (out[0] == '\0' && size > 1)
        memcpy(out, "*", 2);
}

bool text_piece(struct bytes *rest, size_t room, struct bytes *piece)
{
    while (rest->size > 0 && *rest->data == '\n') {
        rest->data++;
        rest->size--;
    }
    if (rest->size == 0)
        return false;
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
    if (size > room) {
        size_t fit = utf8_fit(*rest, room);
        /* utf8_fit() gives 0 only for bytes that are not UTF-8; the loop of the caller must end all the same.
         */
        size = fit > 0 ? fit : room;
        const uint8_t *space = memrchr(rest->data, ' ', size);
        if (space != NULL && (size_t)(space - rest->data) > size / 2)
            size = (size_t)(space - rest->data) + 1;
    }
    *piece = bytes_of(rest->data, size);
    rest->data += size;
    rest->size -= size;
    return true;
}

enum ctcp text_from_ctcp(char *text, char **body)
{
    *body = text;
    if (*text != '\x01')
        return CTCP_NONE;
    char *end = strchr(text + 1, '\x01');
    if (end != NULL)
        *end = '\0';
    bool action = strncmp(text + 1, "ACTION", 6) == 0 && (text[7] == ' ' || text[7] == '\0');
    if (!action)
        return CTCP_OTHER;
    /* "\1ACTION " is eight bytes, "/me " four: it fits in front of what follows. */
    char *start = text[7] == ' ' ? text + 4 : text + 3;
    memcpy(start, "/me ", 4);
    *body = start;
    return CTCP_ACTION;
}

bool text_is_action(const char *text, const char **body)
{
    if (strncmp(text, "/me ", 4) != 0)
        return false;
    *body = text + 4;
    return true;
}

void text_time(char out[TEXT_TIME_SIZE], int64_t wall_ms)
{
    int64_t ms = wall_ms % 1000;
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts = {0};
    if (wall_ms < 0 || gmtime_r(&seconds, &parts) == NULL || parts.tm_year > 8099) {
        ms = 0;
        seconds = 0;
        gmtime_r(&seconds, &parts);
    }
    char date[24];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out, TEXT_TIME_SIZE, "%s.%03dZ", date, (int)ms);
}

/* `text` has a digit wherever the form has a 0, and its character elsewhere. */
static bool has_form(const char *text, const char *form)
{
    for (; *form != '\0'; form++, text++) {
        if (*form == '0' ? !isdigit((unsigned char)*text) : *text != *form)
            return false;
    }
    return *text == '\0';
}

bool text_time_parse(const char *text, int64_t *wall_ms)
{
    struct tm parts = {0};
    char again[TEXT_TIME_SIZE];
    if (!has_form(text, "0000-00-00T00:00:00.000Z") ||
        strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) != text + sizeof "0000-00-00T00:00:00" - 1)
        return false;
    *wall_ms = (int64_t)timegm(&parts) * 1000 + strtol(text + sizeof "0000-00-00T00:00:00." - 1, NULL, 10);
    /* So a 31 February is none. */
    text_time(again, *wall_ms);
    return strcmp(again, text) == 0;
}

void text_clock(char out[TEXT_TIME_SIZE], int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts = {0};
    localtime_r(&seconds, &parts);
    strftime(out, TEXT_TIME_SIZE, "[%H:%M] ", &parts);
}
