/* SPDX-License-Identifier: ISC */
#include "pop3_codec.h"

#include <string.h>

enum { DIGITS = 9 };

bool pop3_line_parse(struct pop3_line *out, const char *line, size_t size)
{
    if (size > 0 && memchr(line, 0, size) != NULL)
        return false;
    size_t used = strcspn(line, " ");
    for (size_t i = 0; i < used && i < POP3_VERB - 1; i++) {
        char c = line[i];
        out->verb[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    out->verb[used < POP3_VERB ? used : 0] = '\0';
    out->rest = line + used + (line[used] == ' ');
    return true;
}

static const char *take_number(uint32_t *number, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > DIGITS)
        return NULL;
    *number = 0;
    for (size_t i = 0; i < digits; i++)
        *number = *number * 10 + (uint32_t)(text[i] - '0');
    return text + digits + strspn(text + digits, " ");
}

bool pop3_number_parse(uint32_t *number, const char *text)
{
    const char *end = take_number(number, text);
    return end != NULL && *end == '\0';
}

bool pop3_numbers_parse(uint32_t *first, uint32_t *second, const char *text)
{
    const char *next = take_number(first, text);
    return next != NULL && next[-1] == ' ' && pop3_number_parse(second, next);
}

/* --- messages */

struct pop3_body pop3_body_begin(int64_t lines)
{
    return (struct pop3_body){.lines = lines, .blank = true};
}

static void end_line(struct pop3_body *state)
{
    if (!state->body) {
        state->body = state->blank;
        state->enough = state->body && state->lines == 0;
    } else if (state->lines > 0) {
        state->enough = --state->lines == 0;
    }
    state->inside = false;
    state->blank = true;
}

/* One piece of a line, up to and with its LF. */
static size_t take_piece(struct pop3_body *state, struct bytes in, struct buffer *out)
{
    const uint8_t *lf = memchr(in.data, '\n', in.size);
    size_t size = lf != NULL ? (size_t)(lf - in.data) : in.size;
    if (!state->inside && size > 0 && in.data[0] == '.')
        buffer_u8(out, '.');
    for (size_t i = 0; i < size && state->blank; i++)
        state->blank = in.data[i] == '\r';
    state->inside = state->inside || size > 0;
    buffer_append(out, in.data, size + (lf != NULL));
    state->cr = in.data[in.size - 1] == '\r' && lf == NULL;
    if (lf != NULL)
        end_line(state);
    return size + (lf != NULL);
}

void pop3_body_take(struct pop3_body *state, struct bytes in, struct buffer *out)
{
    while (in.size > 0 && !state->enough) {
        size_t used = take_piece(state, in, out);
        in = bytes_of(in.data + used, in.size - used);
    }
}

void pop3_body_end(struct pop3_body *state, struct buffer *out)
{
    if (state->inside)
        buffer_append_string(out, state->cr ? "\n" : "\r\n");
    buffer_append_string(out, ".\r\n");
}
