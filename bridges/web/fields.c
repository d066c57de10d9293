/* SPDX-License-Identifier: ISC */
#include "fields.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "entry.h"
#include "wire/radix64.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct bytes fields_trim(struct bytes text)
{
    while (text.size > 0 && is_blank(text.data[0]))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size > 0 && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

struct bytes fields_cut(struct bytes *text, char end)
{
    const uint8_t *at = text->size > 0 ? memchr(text->data, end, text->size) : NULL;
    size_t size = at != NULL ? (size_t)(at - text->data) : text->size;
    size_t taken = at != NULL ? size + 1 : size;
    struct bytes head = bytes_of(text->data, size);
    *text = bytes_of(taken > 0 ? text->data + taken : text->data, text->size - taken);
    return fields_trim(head);
}

bool fields_is_word(struct bytes text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

/* A weight of zero, "q=0" or "q=0.000", forbids. */
static bool is_forbidden(struct bytes parameters)
{
    while (parameters.size > 0) {
        struct bytes weight = fields_cut(&parameters, ';');
        if (weight.size < 3 || (weight.data[0] | 0x20) != 'q' || weight.data[1] != '=')
            continue;
        for (size_t i = 2; i < weight.size; i++) {
            if (weight.data[i] != '0' && weight.data[i] != '.')
                return false;
        }
        return true;
    }
    return false;
}

bool fields_accept_gzip(struct bytes accept_encoding)
{
    while (accept_encoding.size > 0) {
        struct bytes rest = fields_cut(&accept_encoding, ',');
        struct bytes coding = fields_cut(&rest, ';');
        if (fields_is_word(coding, "gzip"))
            return !is_forbidden(rest);
    }
    return false;
}

bool fields_match(struct bytes if_none_match, const char *hash)
{
    size_t size = strlen(hash);
    while (if_none_match.size > 0) {
        struct bytes tag = fields_cut(&if_none_match, ',');
        if (fields_is_word(tag, "*"))
            return true;
        if (tag.size > 2 && tag.data[0] == 'W' && tag.data[1] == '/')
            tag = bytes_of(tag.data + 2, tag.size - 2);
        if (tag.size < size + 2 || tag.data[0] != '"' || memcmp(tag.data + 1, hash, size) != 0)
            continue;
        struct bytes end = bytes_of(tag.data + 1 + size, tag.size - 1 - size);
        if (bytes_equal(end, bytes_of_string("\"")) || bytes_equal(end, bytes_of_string("-gz\"")))
            return true;
    }
    return false;
}

bool fields_are_json(struct bytes content_type)
{
    return fields_is_word(fields_cut(&content_type, ';'), "application/json");
}

bool fields_upgrade(struct bytes upgrade, const char *protocol)
{
    while (upgrade.size > 0) {
        struct bytes rest = fields_cut(&upgrade, ',');
        if (fields_is_word(fields_cut(&rest, '/'), protocol))
            return true;
    }
    return false;
}

bool fields_basic(struct entry *entry, struct bytes authorization)
{
    struct buffer plain = buffer_make(sizeof entry->account + sizeof entry->password);
    plain.secret = true;
    struct bytes text = fields_trim(authorization);
    bool good = fields_is_word(fields_cut(&text, ' '), "Basic") && radix64_decode(&plain, fields_trim(text));
    struct bytes view = buffer_view(&plain);
    const uint8_t *colon = good && view.size > 0 ? memchr(view.data, ':', view.size) : NULL;
    size_t account = colon != NULL ? (size_t)(colon - view.data) : 0;
    size_t password = colon != NULL ? view.size - account - 1 : 0;
    good = account > 0 && account < sizeof entry->account && password > 0 &&
           password < sizeof entry->password && memchr(view.data, '\0', view.size) == NULL;
    OPENSSL_cleanse(entry, sizeof *entry);
    if (good) {
        memcpy(entry->account, view.data, account);
        memcpy(entry->password, colon + 1, password);
    }
    buffer_free(&plain);
    return good;
}

struct sign {
    const char *text, *name;
};

static const char *find_sign(const struct sign *signs, struct bytes text)
{
    for (; signs->text != NULL; signs++) {
        if (text.size > 0 && memmem(text.data, text.size, signs->text, strlen(signs->text)) != NULL)
            break;
    }
    return signs->name;
}

void fields_browser(char *out, size_t size, struct bytes user_agent)
{
    /* In this order: most browsers name others too. */
    static const struct sign browsers[] = {
        {"Edg", "Edge"},         {"OPR/", "Opera"},     {"Vivaldi/", "Vivaldi"},
        {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"Chromium/", "Chromium"},
        {"CriOS/", "Chrome"},    {"Chrome/", "Chrome"}, {"Epiphany/", "GNOME Web"},
        {"Safari/", "Safari"},   {"curl/", "curl"},     {NULL, "unknown browser"},
    };
    static const struct sign systems[] = {
        {"Android", " on Android"}, {"iPhone", " on iPhone"},  {"iPad", " on iPad"},
        {"Windows", " on Windows"}, {"Mac OS X", " on macOS"}, {"CrOS", " on ChromeOS"},
        {"Linux", " on Linux"},     {"BSD", " on BSD"},        {NULL, ""},
    };
    snprintf(out, size, "%s%s", find_sign(browsers, user_agent), find_sign(systems, user_agent));
}

unsigned fields_wait(const char *text)
{
    enum { USUAL_S = 2, LONGEST_S = 3600 };
    const char *at = strstr(text, "wait ");
    unsigned long seconds = at != NULL ? strtoul(at + 5, NULL, 10) : 0;
    return seconds >= 1 && seconds <= LONGEST_S ? (unsigned)seconds : USUAL_S;
}
