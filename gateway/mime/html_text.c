/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "mime/html_parse.h"
#include "mime/mime.h"
#include "wire/utf8.h"

enum { ADDRESS_SIZE = 4096, LISTS = 16 };

/* Lines that lie between an element and what stands before and behind it. */
static const struct {
    const char *name;
    unsigned lines;
} blocks[] = {{"address", 1}, {"article", 1}, {"blockquote", 2}, {"body", 1}, {"caption", 1}, {"center", 1},
              {"dd", 1},      {"div", 1},     {"dl", 1},         {"dt", 1},   {"footer", 1},  {"form", 1},
              {"h1", 2},      {"h2", 2},      {"h3", 2},         {"h4", 2},   {"h5", 2},      {"h6", 2},
              {"header", 1},  {"hr", 1},      {"li", 1},         {"ol", 1},   {"p", 2},       {"pre", 1},
              {"section", 1}, {"table", 1},   {"tr", 1},         {"ul", 1}};

struct text {
    struct buffer *out;
    size_t begin;
    unsigned lines; /* wanted before the next character */
    bool space, link;
    unsigned hidden, pre;
    unsigned numbers[LISTS]; /* of the lists that are open; 0: without numbers */
    unsigned lists;
    char address[ADDRESS_SIZE]; /* of the link that is open */
    size_t link_begin;
};

static unsigned lines_of(const char *name)
{
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        if (strcmp(blocks[i].name, name) == 0)
            return blocks[i].lines;
    }
    return 0;
}

static bool is_empty(const struct text *text)
{
    return buffer_size(text->out) == text->begin;
}

static void put(struct text *text, const void *data, size_t size)
{
    for (; text->lines > 0 && !is_empty(text); text->lines--)
        buffer_append(text->out, "\n", 1);
    struct bytes view = buffer_view(text->out);
    if (text->space && !is_empty(text) && view.data[view.size - 1] != '\n')
        buffer_append(text->out, " ", 1);
    text->lines = 0;
    text->space = false;
    buffer_append(text->out, data, size);
}

static void put_string(struct text *text, const char *string)
{
    put(text, string, strlen(string));
}

static void want_lines(struct text *text, unsigned lines)
{
    if (lines == 0)
        return;
    text->space = false;
    struct bytes view = buffer_view(text->out);
    if (!is_empty(text) && view.data[view.size - 1] == '\n')
        lines--;
    if (lines > text->lines)
        text->lines = lines;
}

static void begin_item(struct text *text)
{
    char mark[16] = "- ";
    unsigned *number = text->lists == 0 || text->lists > LISTS ? NULL : &text->numbers[text->lists - 1];
    if (number != NULL && *number > 0)
        snprintf(mark, sizeof mark, "%u. ", (*number)++);
    put_string(text, mark);
}

static void begin_list(struct text *text, bool numbered)
{
    if (text->lists < LISTS)
        text->numbers[text->lists] = numbered ? 1 : 0;
    text->lists++;
}

static void on_start(void *arg, const char *name, const char *const *attributes)
{
    struct text *text = arg;
    text->hidden += html_is_hidden(name);
    if (text->hidden > 0)
        return;
    want_lines(text, lines_of(name));
    if (strcmp(name, "br") == 0) {
        put(text, "\n", 1);
    } else if (strcmp(name, "hr") == 0) {
        put_string(text, "----");
    } else if (strcmp(name, "li") == 0) {
        begin_item(text);
    } else if (strcmp(name, "ol") == 0 || strcmp(name, "ul") == 0) {
        begin_list(text, name[0] == 'o');
    } else if (strcmp(name, "pre") == 0) {
        text->pre++;
    } else if (strcmp(name, "td") == 0 || strcmp(name, "th") == 0) {
        text->space = true;
    } else if (strcmp(name, "img") == 0) {
        const char *alt = html_attribute(attributes, "alt");
        if (alt != NULL && alt[0] != '\0') {
            char shown[256];
            utf8_show(shown, sizeof shown, bytes_of_string(alt));
            put_string(text, shown);
        }
    } else if (strcmp(name, "a") == 0) {
        const char *address = html_attribute(attributes, "href");
        text->link = address != NULL && strlen(address) < sizeof text->address && html_is_link(address);
        if (text->link) {
            memcpy(text->address, address, strlen(address) + 1);
            text->link_begin = buffer_size(text->out);
        }
    }
}

/* The address behind the words, unless they say it. */
static void end_link(struct text *text)
{
    struct bytes view = buffer_view(text->out);
    struct bytes words = bytes_of(view.data + text->link_begin, view.size - text->link_begin);
    const char *address = text->address;
    while (words.size > 0 && words.data[0] <= ' ')
        words = bytes_of(words.data + 1, words.size - 1);
    bool same = bytes_equal(words, bytes_of_string(address)) ||
                (strncmp(address, "mailto:", 7) == 0 && bytes_equal(words, bytes_of_string(address + 7)));
    text->link = false;
    if (same)
        return;
    text->space = true;
    put_string(text, "<");
    put_string(text, address);
    put_string(text, ">");
}

static void on_end(void *arg, const char *name)
{
    struct text *text = arg;
    if (html_is_hidden(name) && text->hidden > 0) {
        text->hidden--;
        return;
    }
    if (text->hidden > 0)
        return;
    if (strcmp(name, "a") == 0 && text->link)
        end_link(text);
    if (strcmp(name, "pre") == 0 && text->pre > 0)
        text->pre--;
    if ((strcmp(name, "ol") == 0 || strcmp(name, "ul") == 0) && text->lists > 0)
        text->lists--;
    want_lines(text, lines_of(name));
}

static void on_text(void *arg, struct bytes more)
{
    struct text *text = arg;
    uint32_t code_point;
    if (text->hidden > 0)
        return;
    while (more.size > 0 && !text->out->failed) {
        uint8_t encoded[4];
        if (!utf8_next(&more, &code_point)) {
            code_point = UTF8_REPLACEMENT;
            more = bytes_of(more.data + 1, more.size - 1);
        }
        bool blank = code_point == ' ' || code_point == '\n' || code_point == '\t' || code_point == '\r' ||
                     code_point == 0xa0;
        if (blank && code_point == '\n' && text->pre > 0)
            put(text, "\n", 1);
        else if (blank && (text->pre == 0 || code_point == '\r'))
            text->space = true;
        else
            put(text, encoded, utf8_encode(encoded, blank ? ' ' : utf8_screen(code_point, "")));
    }
}

/* Without a parser: what stands outside of angle brackets. */
static void strip(struct buffer *out, struct bytes html)
{
    struct text text = {.out = out, .begin = buffer_size(out)};
    while (html.size > 0) {
        const uint8_t *open = memchr(html.data, '<', html.size);
        size_t words = open == NULL ? html.size : (size_t)(open - html.data);
        on_text(&text, bytes_of(html.data, words));
        const uint8_t *close = open == NULL ? NULL : memchr(open, '>', html.size - words);
        if (close == NULL)
            break;
        text.space = true;
        html = bytes_of(close + 1, html.size - (size_t)(close + 1 - html.data));
    }
}

bool mime_html_text(struct buffer *out, struct bytes html)
{
    static const struct html_events events = {on_start, on_end, on_text};
    struct text text = {.out = out, .begin = buffer_size(out)};
    if (!html_parse(&events, &text, html) && !out->failed) {
        out->end = out->start + text.begin;
        strip(out, bytes_of(html.data, html.size < MIME_HTML_LIMIT ? html.size : MIME_HTML_LIMIT));
    }
    if (!is_empty(&text) && buffer_view(out).data[buffer_size(out) - 1] != '\n')
        buffer_append(out, "\n", 1);
    return !out->failed;
}
