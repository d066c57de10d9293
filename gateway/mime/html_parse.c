/* SPDX-License-Identifier: ISC */
#include "mime/html_parse.h"

#include <glib.h>
#include <libxml/HTMLparser.h>
#include <string.h>
#include <strings.h>

#include "mime/charset.h"
#include "mime/mime.h"

/* libxml2 2.9 compares each attribute with all before it in its tag. Attributes are kept apart by white space
 * or quotes, so the squares of their counts between two events bound the work. */
enum { SEPARATORS = 8192 };
static const uint64_t WORK = (uint64_t)SEPARATORS * SEPARATORS;

struct parse {
    const struct html_events *events;
    void *arg;
    htmlParserCtxtPtr context;
    struct bytes left;
    uint64_t separators, work;
    bool stopped;
};

static void stop(struct parse *parse)
{
    parse->stopped = true;
    xmlStopParser(parse->context);
}

static void meet(struct parse *parse)
{
    parse->work += parse->separators * parse->separators;
    parse->separators = 0;
    if (parse->context->nameNr > HTML_DEPTH || parse->work > WORK)
        stop(parse);
}

static int read_more(void *arg, char *into, int room)
{
    struct parse *parse = arg;
    size_t size = parse->left.size < (size_t)room ? parse->left.size : (size_t)room;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = parse->left.data[i];
        parse->separators += c <= ' ' || c == '"' || c == '\'';
    }
    if (parse->separators > SEPARATORS)
        parse->stopped = true;
    if (parse->stopped)
        return 0;
    memcpy(into, parse->left.data, size);
    parse->left = bytes_of(parse->left.data + size, parse->left.size - size);
    return (int)size;
}

static void on_start(void *arg, const xmlChar *name, const xmlChar **attributes)
{
    static const char *const none[] = {NULL};
    struct parse *parse = arg;
    meet(parse);
    if (!parse->stopped)
        parse->events->start(parse->arg, (const char *)name,
                             attributes == NULL ? none : (const char *const *)attributes);
}

static void on_end(void *arg, const xmlChar *name)
{
    struct parse *parse = arg;
    meet(parse);
    if (!parse->stopped)
        parse->events->end(parse->arg, (const char *)name);
}

static void on_text(void *arg, const xmlChar *text, int size)
{
    struct parse *parse = arg;
    meet(parse);
    if (!parse->stopped && size > 0)
        parse->events->text(parse->arg, bytes_of(text, (size_t)size));
}

static void on_comment(void *arg, const xmlChar *text)
{
    (void)text;
    meet(arg);
}

static bool parse_utf8(struct parse *parse, struct bytes html)
{
    parse->context = htmlNewParserCtxt();
    if (parse->context == NULL)
        return false;
    memset(parse->context->sax, 0, sizeof *parse->context->sax);
    parse->context->sax->startElement = on_start;
    parse->context->sax->endElement = on_end;
    parse->context->sax->characters = on_text;
    parse->context->sax->ignorableWhitespace = on_text;
    parse->context->sax->cdataBlock = on_text;
    parse->context->sax->comment = on_comment;
    parse->context->userData = parse;
    parse->left = html;
    htmlDocPtr made = htmlCtxtReadIO(parse->context, read_more, NULL, parse, NULL, "UTF-8",
                                     HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                         HTML_PARSE_NONET | HTML_PARSE_NODEFDTD | HTML_PARSE_IGNORE_ENC);
    if (made != NULL)
        xmlFreeDoc(made);
    bool memory = parse->context->errNo != XML_ERR_NO_MEMORY;
    htmlFreeParserCtxt(parse->context);
    return memory && !parse->stopped;
}

bool html_parse(const struct html_events *events, void *arg, struct bytes html)
{
    struct parse parse = {.events = events, .arg = arg};
    struct buffer utf8 = buffer_make(4 * (size_t)MIME_HTML_LIMIT);
    bool cut = html.size > MIME_HTML_LIMIT;
    if (cut)
        html.size = MIME_HTML_LIMIT;
    bool good =
        html.size == 0 || (charset_to_utf8(&utf8, html, NULL, cut) && parse_utf8(&parse, buffer_view(&utf8)));
    buffer_free(&utf8);
    return good;
}

const char *html_attribute(const char *const *attributes, const char *name)
{
    for (; attributes[0] != NULL; attributes += 2) {
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    }
    return NULL;
}

bool html_is_hidden(const char *name)
{
    static const char *const hidden[] = {"script",   "style",    "title",   "iframe",   "object",
                                         "applet",   "svg",      "math",    "template", "noembed",
                                         "noframes", "frameset", "textarea"};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (strcmp(hidden[i], name) == 0)
            return true;
    }
    return false;
}

bool html_is_link(const char *address)
{
    static const char *const schemes[] = {"retroshare:", "https:", "http:", "mailto:"};
    for (const char *at = address; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 127)
            return false;
    }
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncasecmp(address, schemes[i], strlen(schemes[i])) == 0)
            return true;
    }
    return false;
}

bool html_is_markup(struct bytes text)
{
    for (size_t at = 0; at + 2 < text.size; at++) {
        const uint8_t *found = memchr(text.data + at, '<', text.size - at);
        if (found == NULL)
            return false;
        at = (size_t)(found - text.data);
        char name[16];
        size_t size = 0, from = at + 1 + (at + 1 < text.size && found[1] == '/');
        while (from + size < text.size && size + 1 < sizeof name &&
               g_ascii_isalnum((char)text.data[from + size])) {
            name[size] = g_ascii_tolower((char)text.data[from + size]);
            size++;
        }
        name[size] = '\0';
        uint8_t next = from + size < text.size ? text.data[from + size] : 0;
        if (size > 0 && (next == '>' || next == '/' || next <= ' ') &&
            htmlTagLookup((const xmlChar *)name) != NULL && memchr(found, '>', text.size - at) != NULL)
            return true;
    }
    return false;
}
