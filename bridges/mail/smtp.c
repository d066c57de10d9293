/* SPDX-License-Identifier: ISC */
#include "smtp.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "wire/utf8.h"

enum { NAME = 16, VALUE = 512 };

static const struct smtp_reply bad_path = {501, "5.1.3",
                                           "The address is written FROM:<name@domain> or TO:<name@domain>"};
static const struct smtp_reply bad_parameter = {501, "5.5.4", "The parameters are malformed"};
static const struct smtp_reply unknown_parameter = {555, "5.5.4", "There is no such parameter here"};
static const struct smtp_reply no_binary = {501, "5.6.1", "BINARYMIME is not offered; 8BITMIME is"};

static bool is_space(char letter)
{
    return letter == ' ' || letter == '\t';
}

static char upper(char letter)
{
    return (char)(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
}

bool smtp_line_parse(struct smtp_line *out, const char *line, size_t size)
{
    if (memchr(line, 0, size) != NULL)
        return false;
    size_t used = 0;
    for (; line[used] != '\0' && !is_space(line[used]); used++)
        if (used < SMTP_VERB - 1)
            out->verb[used] = upper(line[used]);
    out->verb[used < SMTP_VERB ? used : SMTP_VERB - 1] = '\0';
    if (used >= SMTP_VERB)
        out->verb[0] = '\0';
    while (is_space(line[used]))
        used++;
    out->rest = line + used;
    return true;
}

/* --- paths */

/* Takes "local" or "\"quoted local\"" and what follows up to '>'; gives the address without quotes. */
static const char *take_address(char *out, size_t limit, const char *at)
{
    size_t used = 0;
    bool quoted = false;
    for (; *at != '\0' && (quoted || *at != '>'); at++) {
        if (*at == '"' && (quoted || used == 0)) {
            quoted = !quoted;
            continue;
        }
        if (quoted && *at == '\\' && at[1] != '\0')
            at++;
        else if (!quoted && (is_space(*at) || *at == '<' || *at == ',' || *at == ';'))
            return NULL;
        if (used == limit || (unsigned char)*at < 0x20 || *at == 0x7f)
            return NULL;
        out[used++] = *at;
    }
    out[used] = '\0';
    return *at == '>' && !quoted && utf8_valid(bytes_of(out, used)) ? at + 1 : NULL;
}

/* "FROM:<path>" and what follows. A route before the address (RFC 5321 appendix C) is left out. */
static const char *take_path(char out[static SMTP_ADDRESS + 1], const char *text, const char *word)
{
    size_t size = strlen(word);
    if (strncasecmp(text, word, size) != 0)
        return NULL;
    text += size;
    while (is_space(*text))
        text++;
    if (*text++ != '<')
        return NULL;
    if (*text == '@') {
        text += strcspn(text, ":>");
        if (*text++ != ':')
            return NULL;
    }
    const char *rest = take_address(out, SMTP_ADDRESS, text);
    return rest != NULL && (*rest == '\0' || is_space(*rest)) ? rest : NULL;
}

/* --- parameters */

struct parameter {
    char name[NAME];
    char value[VALUE];
    bool has_value;
};

/* The next " NAME[=VALUE]". False at the end, or with `bad` set. */
static bool take_parameter(struct parameter *out, const char **text, bool *bad)
{
    while (is_space(**text))
        ++*text;
    size_t size = strcspn(*text, " \t"), name = strcspn(*text, "= \t");
    if (size == 0)
        return false;
    *out = (struct parameter){.has_value = name < size};
    size_t value = out->has_value ? size - name - 1 : 0;
    if (name == 0 || name >= NAME || value >= VALUE || (out->has_value && value == 0)) {
        *bad = true;
        return false;
    }
    for (size_t i = 0; i < name; i++)
        out->name[i] = upper((*text)[i]);
    memcpy(out->value, *text + name + (out->has_value ? 1 : 0), value);
    *text += size;
    return true;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* xtext (RFC 3461 §4) of visible characters; `limit` decoded ones at most. */
static bool take_xtext(char *out, size_t limit, const char *text)
{
    size_t used = 0;
    for (; *text != '\0'; text++) {
        int byte = (unsigned char)*text;
        if (*text == '+') {
            int high = hex_digit(text[1]), low = high >= 0 ? hex_digit(text[2]) : -1;
            if (low < 0)
                return false;
            byte = high << 4 | low;
            text += 2;
        }
        if (byte < 0x20 || byte > 0x7e || used == limit)
            return false;
        out[used++] = (char)byte;
    }
    out[used] = '\0';
    return true;
}

static bool take_number(uint64_t *out, const char *text, size_t digits)
{
    size_t size = strspn(text, "0123456789");
    *out = 0;
    for (size_t i = 0; i < size && size <= digits; i++)
        *out = *out * 10 + (uint64_t)(text[i] - '0');
    return size > 0 && size <= digits && text[size] == '\0';
}

typedef const struct smtp_reply *take_fn(void *out, const struct parameter *parameter);

static const struct smtp_reply *take_size(void *out, const struct parameter *parameter)
{
    struct smtp_mail *mail = out;
    /* 20 digits are allowed (RFC 1870 §3); what does not fit is too much anyhow. */
    if (take_number(&mail->size, parameter->value, 18))
        return NULL;
    mail->size = UINT64_MAX;
    return strspn(parameter->value, "0123456789") == strlen(parameter->value) && parameter->has_value &&
                   strlen(parameter->value) <= 20
               ? NULL
               : &bad_parameter;
}

static const struct smtp_reply *take_body(void *out, const struct parameter *parameter)
{
    (void)out;
    if (strcasecmp(parameter->value, "BINARYMIME") == 0)
        return &no_binary;
    return strcasecmp(parameter->value, "7BIT") == 0 || strcasecmp(parameter->value, "8BITMIME") == 0
               ? NULL
               : &bad_parameter;
}

static const struct smtp_reply *take_utf8(void *out, const struct parameter *parameter)
{
    ((struct smtp_mail *)out)->utf8 = true;
    return parameter->has_value ? &bad_parameter : NULL;
}

static const struct smtp_reply *take_returns(void *out, const struct parameter *parameter)
{
    struct smtp_mail *mail = out;
    if (mail->returns != NULL)
        return &bad_parameter;
    mail->returns = strcasecmp(parameter->value, "FULL") == 0   ? "full"
                    : strcasecmp(parameter->value, "HDRS") == 0 ? "headers"
                                                                : NULL;
    return mail->returns != NULL ? NULL : &bad_parameter;
}

static const struct smtp_reply *take_envelope(void *out, const struct parameter *parameter)
{
    struct smtp_mail *mail = out;
    return mail->envelope[0] == '\0' && take_xtext(mail->envelope, SMTP_ENVELOPE, parameter->value)
               ? NULL
               : &bad_parameter;
}

/* AUTH=<...> names who gave it to a client that relays (RFC 4954 §5), ORCPT= the first address that it was
 * for (RFC 3461 §4.2): of no meaning here, and reports name the address that was given. */
static const struct smtp_reply *take_ignored(void *out, const struct parameter *parameter)
{
    (void)out;
    return parameter->has_value ? NULL : &bad_parameter;
}

static const struct smtp_reply *take_notify(void *out, const struct parameter *parameter)
{
    static const struct {
        const char *word;
        unsigned bit;
    } words[] = {{"NEVER", 0},
                 {"SUCCESS", SMTP_NOTIFY_SUCCESS},
                 {"FAILURE", SMTP_NOTIFY_FAILURE},
                 {"DELAY", SMTP_NOTIFY_DELAY}};
    struct smtp_rcpt *rcpt = out;
    bool never = false;
    if (rcpt->notify_said || !parameter->has_value)
        return &bad_parameter;
    rcpt->notify_said = true;
    for (const char *at = parameter->value;; at++) {
        size_t size = strcspn(at, ","), i = 0;
        while (i < 4 && (strlen(words[i].word) != size || strncasecmp(words[i].word, at, size) != 0))
            i++;
        if (i == 4)
            return &bad_parameter;
        never = never || words[i].bit == 0;
        rcpt->notify |= words[i].bit;
        at += size;
        if (*at == '\0')
            return never && (rcpt->notify != 0 || strchr(parameter->value, ',') != NULL) ? &bad_parameter
                                                                                         : NULL;
    }
}

struct row {
    const char *name;
    take_fn *take;
};

static const struct smtp_reply *take_parameters(void *out, const char *text, const struct row *rows,
                                                size_t count)
{
    struct parameter parameter;
    bool bad = false;
    while (take_parameter(&parameter, &text, &bad)) {
        size_t i = 0;
        while (i < count && strcmp(rows[i].name, parameter.name) != 0)
            i++;
        const struct smtp_reply *wrong = i == count ? &unknown_parameter : rows[i].take(out, &parameter);
        if (wrong != NULL)
            return wrong;
    }
    return bad ? &bad_parameter : NULL;
}

const struct smtp_reply *smtp_mail_parse(struct smtp_mail *out, const char *text)
{
    static const struct row rows[] = {{"SIZE", take_size},      {"BODY", take_body},
                                      {"SMTPUTF8", take_utf8},  {"RET", take_returns},
                                      {"ENVID", take_envelope}, {"AUTH", take_ignored}};
    *out = (struct smtp_mail){0};
    const char *rest = take_path(out->address, text, "FROM:");
    return rest == NULL ? &bad_path : take_parameters(out, rest, rows, sizeof rows / sizeof *rows);
}

const struct smtp_reply *smtp_rcpt_parse(struct smtp_rcpt *out, const char *text)
{
    static const struct row rows[] = {{"NOTIFY", take_notify}, {"ORCPT", take_ignored}};
    *out = (struct smtp_rcpt){0};
    const char *rest = take_path(out->address, text, "TO:");
    return rest == NULL || out->address[0] == '\0'
               ? &bad_path
               : take_parameters(out, rest, rows, sizeof rows / sizeof *rows);
}

bool smtp_bdat_parse(uint64_t *size, bool *last, const char *text)
{
    char number[16];
    size_t digits = strcspn(text, " \t");
    if (digits >= sizeof number)
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    text += digits;
    while (is_space(*text))
        text++;
    size_t word = strcspn(text, " \t");
    *last = word == 4 && strncasecmp(text, "LAST", 4) == 0;
    return take_number(size, number, 9) && (*last || word == 0) &&
           text[word + strspn(text + word, " \t")] == '\0';
}

/* --- the end of a message */

enum {
    STARTED,   /* behind CR LF, or at the beginning */
    DOT,       /* a dot there, not given on yet */
    DOT_CR,    /* and a CR */
    WITHIN,    /* in a line */
    CR,        /* a CR, not given on yet */
    SLACK,     /* behind a CR or LF alone */
    SLACK_DOT, /* a dot there */
};

size_t smtp_data_take(struct smtp_data *data, struct bytes in, struct buffer *out)
{
    size_t at = 0;
    /* One byte can give two: what was held back, and itself. */
    while (at < in.size && !data->ended && out->ceiling - buffer_size(out) >= 2 && !out->failed) {
        uint8_t byte = in.data[at];
        bool cr = byte == '\r', lf = byte == '\n', dot = byte == '.';
        at++;
        switch (data->state) {
        case DOT:
            if (cr) {
                data->state = DOT_CR;
                continue;
            }
            if (lf) {
                data->ambiguous = true;
                buffer_u8(out, '.');
            }
            break;
        case DOT_CR:
            if (lf) {
                data->ended = true;
                continue;
            }
            /* ". CR" and something else: the CR stands alone. */
            data->ambiguous = true;
            buffer_append(out, ".\r", 2);
            data->state = SLACK;
            at--;
            continue;
        case CR:
            buffer_u8(out, '\r');
            data->state = lf ? STARTED : SLACK;
            if (lf)
                buffer_u8(out, '\n');
            else
                at--;
            continue;
        case SLACK_DOT:
            data->ambiguous = data->ambiguous || cr || lf;
            break;
        case STARTED:
            if (dot) {
                data->state = DOT;
                continue;
            }
            break;
        default:
            break;
        }
        if (cr) {
            data->state = CR;
            continue;
        }
        buffer_u8(out, byte);
        data->state = lf ? SLACK : dot && data->state == SLACK ? SLACK_DOT : WITHIN;
        if (data->state != WITHIN)
            continue;
        /* The rest of the line at once. */
        size_t room = out->ceiling - buffer_size(out), run = 0;
        while (at + run < in.size && run < room && in.data[at + run] != '\r' && in.data[at + run] != '\n')
            run++;
        buffer_append(out, in.data + at, run);
        at += run;
    }
    return at;
}
