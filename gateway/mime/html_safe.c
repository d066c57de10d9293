/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mime/html_parse.h"
#include "mime/mime.h"
#include "wire/utf8.h"

/* What may stand in safe HTML. An element that is not here is dropped, its contents stay. */
static const char *const elements[] = {
    "a",     "abbr",   "address",  "b",   "big", "blockquote", "br",    "caption", "center", "cite",
    "code",  "col",    "colgroup", "dd",  "del", "dfn",        "div",   "dl",      "dt",     "em",
    "font",  "h1",     "h2",       "h3",  "h4",  "h5",         "h6",    "hr",      "i",      "img",
    "ins",   "kbd",    "li",       "ol",  "p",   "pre",        "q",     "s",       "samp",   "small",
    "span",  "strike", "strong",   "sub", "sup", "table",      "tbody", "td",      "tfoot",  "th",
    "thead", "tr",     "tt",       "u",   "ul",  "var"};
static const char *const empty_elements[] = {"br", "hr", "img", "col"};

/* Attributes whose value is a word or a number. None of them names anything: no id, no class, no address. */
static const char *const plain_attributes[] = {
    "align", "alt",    "bgcolor", "border",  "cellpadding", "cellspacing", "color", "colspan", "dir",
    "face",  "height", "lang",    "rowspan", "size",        "start",       "title", "valign",  "width"};
static const char *const properties[] = {"background-color", "color",           "font-family",
                                         "font-size",        "font-style",      "font-weight",
                                         "text-align",       "text-decoration", "white-space"};

enum { STYLE_VALUE = 100 };

struct safe {
    struct buffer *out;
    const char *open[HTML_DEPTH]; /* elements of the table that have begun */
    size_t depth;
    unsigned hidden;
};

#define LISTED(list, name, size) listed(list, sizeof(list) / sizeof *(list), name, size)
static const char *listed(const char *const *list, size_t count, const char *name, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(list[i]) == size && strncasecmp(list[i], name, size) == 0)
            return list[i];
    }
    return NULL;
}

static void put_escaped(struct buffer *out, struct bytes text)
{
    uint32_t code_point;
    while (text.size > 0 && !out->failed) {
        uint8_t encoded[4];
        if (!utf8_next(&text, &code_point)) {
            code_point = UTF8_REPLACEMENT;
            text = bytes_of(text.data + 1, text.size - 1);
        }
        switch (code_point) {
        case '<':
            buffer_append_string(out, "&lt;");
            break;
        case '>':
            buffer_append_string(out, "&gt;");
            break;
        case '&':
            buffer_append_string(out, "&amp;");
            break;
        case '"':
            buffer_append_string(out, "&quot;");
            break;
        case '\'':
            buffer_append_string(out, "&#39;");
            break;
        case '\r':
            break;
        default:
            buffer_append(out, encoded, utf8_encode(encoded, utf8_screen(code_point, "\n\t")));
        }
    }
}

static void put_attribute(struct buffer *out, const char *name, const char *value)
{
    buffer_printf(out, " %s=\"", name);
    put_escaped(out, bytes_of_string(value));
    buffer_append(out, "\"", 1);
}

static bool is_picture(const char *address)
{
    static const char *const kinds[] = {"cid:", "data:image/png;base64,", "data:image/jpeg;base64,",
                                        "data:image/gif;base64,"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strncasecmp(address, kinds[i], strlen(kinds[i])) == 0)
            return true;
    }
    return false;
}

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* Properties that change only how the text itself looks; without brackets, quotes and escapes a value can
 * load nothing. */
static void put_style(struct buffer *out, const char *style)
{
    static const char value_letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#.,%- ";
    bool begun = false;
    while (*(style = skip_space(style)) != '\0') {
        size_t whole = strcspn(style, ";"), name = strcspn(style, ":; \t\r\n");
        const char *colon = skip_space(style + name), *property = LISTED(properties, style, name);
        if (*colon == ':' && property != NULL) {
            const char *value = skip_space(colon + 1);
            size_t size = value < style + whole ? (size_t)(style + whole - value) : 0;
            if (size > 0 && size <= STYLE_VALUE && strspn(value, value_letters) >= size) {
                buffer_printf(out, "%s%s:%.*s", begun ? ";" : " style=\"", property, (int)size, value);
                begun = true;
            }
        }
        style += whole;
        style += *style == ';';
    }
    if (begun)
        buffer_append(out, "\"", 1);
}

static void put_attributes(struct buffer *out, const char *const *attributes)
{
    for (; attributes[0] != NULL; attributes += 2) {
        const char *name = LISTED(plain_attributes, attributes[0], strlen(attributes[0]));
        if (attributes[1] == NULL)
            continue;
        if (name != NULL)
            put_attribute(out, name, attributes[1]);
        else if (strcasecmp(attributes[0], "style") == 0)
            put_style(out, attributes[1]);
    }
}

static void on_start(void *arg, const char *name, const char *const *attributes)
{
    struct safe *safe = arg;
    safe->hidden += html_is_hidden(name);
    const char *element = LISTED(elements, name, strlen(name));
    if (safe->hidden > 0 || element == NULL)
        return;
    bool empty = LISTED(empty_elements, element, strlen(element)) != NULL;
    const char *source = html_attribute(attributes, "src"), *address = html_attribute(attributes, "href");
    if (strcmp(element, "img") == 0 && (source == NULL || !is_picture(source))) {
        const char *alt = html_attribute(attributes, "alt");
        if (alt != NULL)
            put_escaped(safe->out, bytes_of_string(alt));
        return;
    }
    if (!empty && safe->depth == HTML_DEPTH)
        return;
    buffer_printf(safe->out, "<%s", element);
    if (strcmp(element, "img") == 0)
        put_attribute(safe->out, "src", source);
    if (strcmp(element, "a") == 0 && address != NULL && html_is_link(address)) {
        put_attribute(safe->out, "href", address);
        put_attribute(safe->out, "rel", "noopener noreferrer nofollow");
    }
    put_attributes(safe->out, attributes);
    buffer_append(safe->out, ">", 1);
    if (!empty)
        safe->open[safe->depth++] = element;
}

static void close_to(struct safe *safe, size_t depth)
{
    while (safe->depth > depth)
        buffer_printf(safe->out, "</%s>", safe->open[--safe->depth]);
}

static void on_end(void *arg, const char *name)
{
    struct safe *safe = arg;
    if (html_is_hidden(name) && safe->hidden > 0) {
        safe->hidden--;
        return;
    }
    for (size_t i = safe->depth; safe->hidden == 0 && i > 0; i--) {
        if (strcmp(safe->open[i - 1], name) == 0) {
            close_to(safe, i - 1);
            return;
        }
    }
}

static void on_text(void *arg, struct bytes text)
{
    struct safe *safe = arg;
    if (safe->hidden == 0)
        put_escaped(safe->out, text);
}

bool mime_html_safe(struct buffer *out, struct bytes html)
{
    static const struct html_events events = {on_start, on_end, on_text};
    struct safe safe = {.out = out};
    size_t begin = buffer_size(out);
    bool good = html_parse(&events, &safe, html);
    close_to(&safe, 0);
    if (!good && !out->failed) {
        struct buffer text = buffer_make(4 * (size_t)MIME_HTML_LIMIT);
        out->end = out->start + begin;
        mime_html_text(&text, html);
        buffer_append_string(out, "<pre>");
        put_escaped(out, buffer_view(&text));
        buffer_append_string(out, "</pre>");
        buffer_free(&text);
    }
    return !out->failed;
}
