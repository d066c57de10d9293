/* SPDX-License-Identifier: ISC */
/* The first byte chooses a parser of SMTP. A message's end is found in the same place however its bytes come,
 * and only at CR LF . CR LF. */
#include <stdlib.h>
#include <string.h>

#include "bridges/mail/smtp.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void parse(uint8_t what, const char *text, size_t size)
{
    struct smtp_line line;
    struct smtp_mail mail;
    struct smtp_rcpt rcpt;
    uint64_t number;
    bool last;
    if (!smtp_line_parse(&line, text, size))
        return;
    check(strlen(line.verb) < SMTP_VERB && line.rest >= text && line.rest <= text + size);
    if (what == 0 && smtp_mail_parse(&mail, text) == NULL) {
        check(strlen(mail.address) <= SMTP_ADDRESS && utf8_valid(bytes_of_string(mail.address)));
        check(strlen(mail.envelope) <= SMTP_ENVELOPE);
    } else if (what == 1 && smtp_rcpt_parse(&rcpt, text) == NULL) {
        check(rcpt.address[0] != '\0' && utf8_valid(bytes_of_string(rcpt.address)) && rcpt.notify < 8);
    } else if (what == 2 && smtp_bdat_parse(&number, &last, text)) {
        check(number < 1000000000);
    }
}

/* In pieces into windows of `room` bytes; returns how many bytes belong to the message. */
static size_t take(struct smtp_data *state, struct buffer *out, const uint8_t *data, size_t size,
                   size_t piece, size_t room)
{
    size_t at = 0;
    while (at < size && !state->ended) {
        struct buffer window = buffer_make(room);
        at += smtp_data_take(state, bytes_of(data + at, size - at < piece ? size - at : piece), &window);
        check(!window.failed);
        buffer_append_bytes(out, buffer_view(&window));
        buffer_free(&window);
    }
    return at;
}

static void find_end(const uint8_t *data, size_t size)
{
    struct smtp_data whole = {0}, parts = {0};
    struct buffer a = buffer_make(size + 2), b = buffer_make(size + 2);
    size_t used = take(&whole, &a, data, size, size, size + 2);
    check(take(&parts, &b, data, size, 1 + size % 7, 2 + size % 5) == used);
    check(bytes_equal(buffer_view(&a), buffer_view(&b)) && whole.ambiguous == parts.ambiguous);
    const uint8_t *dot = size >= 5 ? memmem(data, size, "\r\n.\r\n", 5) : NULL;
    size_t end = dot != NULL ? (size_t)(dot - data) + 5 : 0;
    if (size >= 3 && memcmp(data, ".\r\n", 3) == 0)
        end = 3;
    check(whole.ended == (end > 0) && (!whole.ended || used == end));
    buffer_free(&a);
    buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 100000)
        return 0;
    if (data[0] % 4 == 3) {
        find_end(data + 1, size - 1);
        return 0;
    }
    char *text = calloc(1, size);
    check(text != NULL);
    memcpy(text, data + 1, size - 1);
    parse(data[0] % 4, text, size - 1);
    free(text);
    return 0;
}
