/* SPDX-License-Identifier: ISC */
#include "distant/plain.h"

#include <string.h>

#include "wire/utf8.h"

enum { NAME_LIMIT = 12, REPLACEMENT = 0xfffd };

enum effect { NOTHING, GAP, NEW_LINE, LINE_END, HIDDEN, LINK };

/* The tags that make a text XHTML. Others are dropped from one, but do not make one: "a <b> c" is markup for
 * the original too, "list<int>" is not. */
static const struct {
    const char *name;
    enum effect effect;
} elements[] = {
    {"a", LINK},
    {"address", NEW_LINE},
    {"b", NOTHING},
    {"big", NOTHING},
    {"blockquote", NEW_LINE},
    {"body", NOTHING},
    {"br", LINE_END},
    {"center", NEW_LINE},
    {"cite", NOTHING},
    {"code", NOTHING},
    {"dd", NEW_LINE},
    {"del", NOTHING},
    {"div", NEW_LINE},
    {"dl", NEW_LINE},
    {"dt", NEW_LINE},
    {"em", NOTHING},
    {"font", NOTHING},
    {"h1", NEW_LINE},
    {"h2", NEW_LINE},
    {"h3", NEW_LINE},
    {"h4", NEW_LINE},
    {"h5", NEW_LINE},
    {"h6", NEW_LINE},
    {"head", HIDDEN},
    {"hr", NEW_LINE},
    {"html", NOTHING},
    {"i", NOTHING},
    {"img", NOTHING},
    {"li", NEW_LINE},
    {"ol", NEW_LINE},
    {"p", NEW_LINE},
    {"pre", NEW_LINE},
    {"s", NOTHING},
    {"script", HIDDEN},
    {"small", NOTHING},
    {"span", NOTHING},
    {"strike", NOTHING},
    {"strong", NOTHING},
    {"style", HIDDEN},
    {"sub", NOTHING},
    {"sup", NOTHING},
    {"table", NEW_LINE},
    {"td", GAP},
    {"th", GAP},
    {"title", HIDDEN},
    {"tr", NEW_LINE},
    {"tt", NOTHING},
    {"u", NOTHING},
    {"ul", NEW_LINE},
};

static const struct {
    const char *name;
    uint32_t code_point;
} entities[] = {
    {"amp", '&'},      {"lt", '<'},       {"gt", '>'},       {"quot", '"'},      {"apos", '\''},
    {"nbsp", 0xa0},    {"euro", 0x20ac},  {"copy", 0xa9},    {"hellip", 0x2026}, {"ndash", 0x2013},
    {"mdash", 0x2014}, {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"ldquo", 0x201c},  {"rdquo", 0x201d},
};

struct tag {
    char name[NAME_LIMIT + 1]; /* lower case; "" when longer than any known one */
    bool end;
    struct bytes address; /* of href; entities not decoded */
    size_t size;          /* with both angle brackets */
};

struct scanner {
    struct buffer *out;
    struct bytes left;
    size_t begin;         /* of our text in `out` */
    bool new_line;        /* wanted before the next character */
    bool no_more_tags;    /* one that never ends was seen: searching again for each "<" would be quadratic */
    struct bytes address; /* of the link that is open */
    size_t link_begin;    /* of the text of the link in `out` */
};

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool begins(struct bytes text, const char *lower_case)
{
    size_t size = strlen(lower_case);
    if (text.size < size)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (lower(text.data[i]) != (uint8_t)lower_case[i])
            return false;
    }
    return true;
}

static void skip(struct bytes *text, size_t size)
{
    text->data += size;
    text->size -= size;
}

/* Offset of the byte, or the size. */
static size_t find(struct bytes text, size_t from, uint8_t byte)
{
    const uint8_t *at = from < text.size ? memchr(text.data + from, byte, text.size - from) : NULL;
    return at == NULL ? text.size : (size_t)(at - text.data);
}

/* Reads one attribute at `at`; returns where the next one may begin, or text.size when the quote never ends.
 */
static size_t read_attribute(struct tag *tag, struct bytes text, size_t at)
{
    bool is_address =
        begins(bytes_of(text.data + at, text.size - at), "href=") && is_space(text.data[at - 1]);
    while (at < text.size && text.data[at] != '=' && text.data[at] != '>' && !is_space(text.data[at]))
        at++;
    if (at == text.size || text.data[at] != '=')
        return at;
    if (++at == text.size)
        return at;
    size_t from = at;
    if (text.data[at] == '"' || text.data[at] == '\'') {
        from = at + 1;
        at = find(text, from, text.data[at]);
        if (at == text.size)
            return at;
    } else {
        while (at < text.size && text.data[at] != '>' && !is_space(text.data[at]))
            at++;
    }
    if (is_address)
        tag->address = bytes_of(text.data + from, at - from);
    return at < text.size && text.data[at] != '>' ? at + 1 : at;
}

/* A tag at the front of the text. *endless: it has no end. */
static bool read_tag(struct tag *tag, struct bytes text, bool *endless)
{
    *tag = (struct tag){0};
    size_t at = 1;
    if (text.size > 1 && text.data[1] == '/') {
        tag->end = true;
        at = 2;
    }
    size_t from = at;
    while (at < text.size && (is_letter(text.data[at]) || (at > from && is_digit(text.data[at])))) {
        if (at - from < NAME_LIMIT)
            tag->name[at - from] = (char)lower(text.data[at]);
        at++;
    }
    if (at == from)
        return false;
    if (at - from > NAME_LIMIT)
        tag->name[0] = '\0';
    if (at < text.size && !is_space(text.data[at]) && text.data[at] != '/' && text.data[at] != '>')
        return false;
    while (at < text.size && text.data[at] != '>') {
        if (is_space(text.data[at]) || text.data[at] == '/')
            at++;
        else
            at = read_attribute(tag, text, at);
    }
    *endless = at == text.size;
    tag->size = at + 1;
    return !*endless;
}

static bool known(const struct tag *tag, enum effect *effect)
{
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        if (strcmp(tag->name, elements[i].name) == 0) {
            *effect = elements[i].effect;
            return true;
        }
    }
    return false;
}

static bool is_markup(struct bytes text)
{
    struct tag tag;
    enum effect effect;
    bool endless = false;
    while (!endless) {
        skip(&text, find(text, 0, '<'));
        if (text.size == 0)
            return false;
        if (read_tag(&tag, text, &endless)) {
            if (known(&tag, &effect))
                return true;
            skip(&text, tag.size);
        } else {
            skip(&text, 1);
        }
    }
    return false;
}

static bool at_line_start(const struct scanner *scanner)
{
    struct bytes text = buffer_view(scanner->out);
    return text.size == scanner->begin || text.data[text.size - 1] == '\n';
}

static void put(struct scanner *scanner, const void *data, size_t size)
{
    if (scanner->new_line && !at_line_start(scanner))
        buffer_u8(scanner->out, '\n');
    scanner->new_line = false;
    buffer_append(scanner->out, data, size);
}

static void put_space(struct scanner *scanner)
{
    if (scanner->new_line || at_line_start(scanner))
        return;
    struct bytes text = buffer_view(scanner->out);
    if (text.data[text.size - 1] != ' ')
        buffer_u8(scanner->out, ' ');
}

static void put_code_point(struct scanner *scanner, uint32_t code_point)
{
    uint8_t bytes[4];
    if (code_point == 0xa0 || code_point == '\n' || code_point == '\t' || code_point == '\r') {
        put(scanner, " ", 1);
        return;
    }
    size_t size = utf8_encode(bytes, utf8_screen(code_point, ""));
    if (size == 0)
        size = utf8_encode(bytes, REPLACEMENT);
    put(scanner, bytes, size);
}

/* A numeric entity without its "&#". The size includes them; 0: none. */
static size_t read_number(struct bytes digits, uint32_t *code_point)
{
    size_t at = 0;
    uint32_t base = 10, value = 0;
    if (digits.size > 0 && lower(digits.data[0]) == 'x') {
        base = 16;
        at = 1;
    }
    size_t from = at;
    for (; at < digits.size && at - from < 8; at++) {
        uint8_t c = lower(digits.data[at]);
        uint32_t digit = is_digit(c)            ? c - (uint32_t)'0'
                         : c >= 'a' && c <= 'f' ? c - (uint32_t)'a' + 10
                                                : base;
        if (digit >= base)
            break;
        value = value * base + digit; /* at most 8 digits: no overflow */
    }
    if (at == from || at == digits.size || digits.data[at] != ';')
        return 0;
    *code_point = value == 0 ? REPLACEMENT : value;
    return at + 3;
}

/* An entity at the front; its size, or 0 when there is none. */
static size_t read_entity(struct bytes text, uint32_t *code_point)
{
    if (text.size > 2 && text.data[1] == '#')
        return read_number(bytes_of(text.data + 2, text.size - 2), code_point);
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
        size_t size = strlen(entities[i].name);
        if (text.size > size + 1 && memcmp(text.data + 1, entities[i].name, size) == 0 &&
            text.data[size + 1] == ';') {
            *code_point = entities[i].code_point;
            return size + 2;
        }
    }
    return 0;
}

/* One character of text, an entity decoded. */
static void take_character(struct scanner *scanner)
{
    uint32_t code_point;
    uint8_t c = scanner->left.data[0];
    size_t size = c == '&' ? read_entity(scanner->left, &code_point) : 0;
    if (size > 0)
        put_code_point(scanner, code_point);
    else if (c == '\n' || c == '\t' || c == '\r')
        put_space(scanner);
    else
        put(scanner, &c, 1);
    skip(&scanner->left, size > 0 ? size : 1);
}

/* The address is shown in angle brackets unless it is what the link says. */
static void end_link(struct scanner *scanner)
{
    struct bytes rest = scanner->left, address = scanner->address;
    size_t said_end = buffer_size(scanner->out);
    scanner->address = (struct bytes){0};
    if (address.size == 0)
        return;
    put(scanner, " <", 2);
    size_t address_begin = buffer_size(scanner->out);
    scanner->left = address;
    while (scanner->left.size > 0)
        take_character(scanner);
    scanner->left = rest;
    if (scanner->out->failed)
        return;
    struct bytes all = buffer_view(scanner->out);
    if (bytes_equal(bytes_of(all.data + scanner->link_begin, said_end - scanner->link_begin),
                    bytes_of(all.data + address_begin, all.size - address_begin)))
        scanner->out->end = scanner->out->start + said_end;
    else
        put(scanner, ">", 1);
}

/* To the end tag of the element, or to the end of the text. */
static void skip_content(struct scanner *scanner, const char *name)
{
    for (;;) {
        skip(&scanner->left, find(scanner->left, 0, '<'));
        if (scanner->left.size == 0)
            return;
        if (scanner->left.size > 1 && scanner->left.data[1] == '/' &&
            begins(bytes_of(scanner->left.data + 2, scanner->left.size - 2), name))
            return;
        skip(&scanner->left, 1);
    }
}

static void take_tag(struct scanner *scanner, const struct tag *tag)
{
    enum effect effect = NOTHING;
    known(tag, &effect);
    skip(&scanner->left, tag->size);
    switch (effect) {
    case NOTHING:
        break;
    case GAP:
        if (!tag->end)
            put_space(scanner);
        break;
    case NEW_LINE:
        scanner->new_line = true;
        break;
    case LINE_END:
        put(scanner, "\n", 1);
        break;
    case HIDDEN:
        if (!tag->end)
            skip_content(scanner, tag->name);
        break;
    case LINK:
        end_link(scanner);
        if (!tag->end) {
            scanner->address = tag->address;
            scanner->link_begin = buffer_size(scanner->out);
        }
        break;
    }
}

/* A comment, declaration or processing instruction; its size, or 0 when it never ends. */
static size_t declaration_size(struct bytes text)
{
    size_t at = find(text, 0, '>');
    if (begins(text, "<!--")) {
        while (at < text.size && (at < 6 || memcmp(text.data + at - 2, "--", 2) != 0))
            at = find(text, at + 1, '>');
    }
    return at == text.size ? 0 : at + 1;
}

static void take_markup(struct scanner *scanner)
{
    struct bytes text = scanner->left;
    struct tag tag;
    if (text.size > 1 && (text.data[1] == '!' || text.data[1] == '?')) {
        size_t size = declaration_size(text);
        scanner->no_more_tags = size == 0;
        skip(&scanner->left, size);
    } else if (read_tag(&tag, text, &scanner->no_more_tags)) {
        take_tag(scanner, &tag);
    } else {
        take_character(scanner);
    }
}

bool chat_text_plain(struct buffer *out, struct bytes text)
{
    if (!is_markup(text))
        return buffer_append_bytes(out, text);
    size_t begin = buffer_size(out);
    struct scanner scanner = {.out = out, .left = text, .begin = begin};
    while (scanner.left.size > 0 && !out->failed) {
        if (scanner.left.data[0] == '<' && !scanner.no_more_tags)
            take_markup(&scanner);
        else
            take_character(&scanner);
    }
    if (out->failed)
        out->end = out->start + begin;
    return !out->failed;
}

static const char *escape_of(uint8_t byte)
{
    switch (byte) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '\n':
        return "<br/>";
    default:
        return NULL;
    }
}

bool chat_text_mark(struct buffer *out, struct bytes text)
{
    if (!is_markup(text))
        return buffer_append_bytes(out, text);
    size_t begin = buffer_size(out);
    buffer_append_string(out, "<span>");
    for (size_t i = 0; i < text.size && !out->failed; i++) {
        const char *escape = escape_of(text.data[i]);
        if (escape != NULL)
            buffer_append_string(out, escape);
        else
            buffer_append(out, &text.data[i], 1);
    }
    buffer_append_string(out, "</span>");
    if (out->failed)
        out->end = out->start + begin;
    return !out->failed;
}
