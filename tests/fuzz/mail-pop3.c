/* SPDX-License-Identifier: ISC */
/* The first byte chooses a parser of POP3 or a message that leaves: however its pieces come, a client that
 * reads by RFC 1939 gets it back, as much as was asked for. */
#include <stdlib.h>
#include <string.h>

#include "bridges/mail/pop3_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void parse(uint8_t what, const char *text, size_t size)
{
    struct pop3_line line;
    uint32_t first, second;
    if (!pop3_line_parse(&line, text, size))
        return;
    check(strlen(line.verb) < POP3_VERB && line.rest >= text && line.rest <= text + size);
    if (what == 0 && pop3_number_parse(&first, line.rest))
        check(first < 1000000000);
    else if (what == 1 && pop3_numbers_parse(&first, &second, line.rest))
        check(first < 1000000000 && second < 1000000000);
}

/* Up to the line that is a dot, with which all has to end. */
static void read_back(struct buffer *out, struct bytes in)
{
    for (;;) {
        const uint8_t *lf = memchr(in.data, '\n', in.size);
        check(lf != NULL);
        struct bytes line = bytes_of(in.data, (size_t)(lf + 1 - in.data));
        in = bytes_of(lf + 1, in.size - line.size);
        if (bytes_equal(line, bytes_of_string(".\r\n")))
            break;
        check(!bytes_equal(line, bytes_of_string(".\n")));
        size_t dot = line.data[0] == '.';
        buffer_append(out, line.data + dot, line.size - dot);
    }
    check(in.size == 0);
}

static void send_in_pieces(struct buffer *out, struct bytes message, size_t piece, int64_t lines)
{
    struct pop3_body state = pop3_body_begin(lines);
    while (message.size > 0) {
        struct bytes next = bytes_of(message.data, message.size < piece ? message.size : piece);
        size_t before = buffer_size(out);
        pop3_body_take(&state, next, out);
        check(buffer_size(out) - before <= next.size + next.size / 2 + 2);
        message = bytes_of(message.data + next.size, message.size - next.size);
    }
    pop3_body_end(&state, out);
    check(!out->failed);
}

static size_t count_lines(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '\n';
    return count;
}

static void leave(struct bytes message, size_t piece, int64_t lines)
{
    size_t most = 2 * message.size + 16;
    struct buffer whole = buffer_make(most), parts = buffer_make(most), back = buffer_make(most);
    send_in_pieces(&whole, message, message.size + 1, lines);
    send_in_pieces(&parts, message, piece, lines);
    check(bytes_equal(buffer_view(&whole), buffer_view(&parts)));
    read_back(&back, buffer_view(&whole));
    struct bytes got = buffer_view(&back);
    size_t common = got.size < message.size ? got.size : message.size;
    check(common == 0 || memcmp(got.data, message.data, common) == 0);
    check(lines != POP3_ALL || (got.size >= message.size && got.size <= message.size + 2));
    const uint8_t *header = memmem(message.data, message.size, "\r\n\r\n", 4);
    if (lines != POP3_ALL && header != NULL && got.size < message.size)
        check(count_lines(got) <= count_lines(bytes_of(message.data, (size_t)(header - message.data))) + 2 +
                                      (size_t)lines);
    buffer_free(&whole);
    buffer_free(&parts);
    buffer_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 100000)
        return 0;
    if (data[0] % 4 >= 2) {
        leave(bytes_of(data + 2, size - 2), 1U + data[1] % 16,
              data[0] % 4 == 2 ? POP3_ALL : (int64_t)data[1] / 16);
        return 0;
    }
    char *text = calloc(1, size);
    check(text != NULL);
    memcpy(text, data + 1, size - 1);
    parse(data[0] % 4, text, size - 1);
    free(text);
    return 0;
}
