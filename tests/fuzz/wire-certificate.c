/* SPDX-License-Identifier: ISC */
/* The texts by which friends are made. The input is taken as text, and as records to which base64 and the
 * right checksum are put, because no mutation finds those. */
#include <stdlib.h>

#include "wire/certificate.h"
#include "wire/radix64.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool write_again(struct buffer *out, const struct friend_text *text)
{
    buffer_clear(out);
    return text->is_short ? friend_text_write_short(out, text) : friend_text_write_full(out, text, true);
}

/* What was read can be written, except that a key of nearly the limit may no longer fit; from the first
 * writing on the text stays the same. */
static void check(struct bytes input)
{
    struct friend_text text, second;
    struct error *error = NULL;
    struct buffer out = buffer_make(4 * FRIEND_TEXT_MAX), again = buffer_make(4 * FRIEND_TEXT_MAX);
    if (friend_text_parse(&text, input, &error)) {
        require(error == NULL && utf8_valid(bytes_of_string(text.name)));
        require(text.is_short ? text.has_location && text.has_fingerprint : text.key_block.size > 0);
        if (input.size < FRIEND_TEXT_MAX / 2) {
            require(write_again(&out, &text));
            require(friend_text_parse(&second, buffer_view(&out), NULL));
            require(second.is_short == text.is_short && bytes_equal(second.key_block, text.key_block));
            require(write_again(&again, &second) && bytes_equal(buffer_view(&out), buffer_view(&again)));
            friend_text_free(&second);
        }
        friend_text_free(&text);
    } else {
        require(error != NULL && text.memory.memory == NULL);
    }
    error_free(error);
    buffer_free(&again);
    buffer_free(&out);
}

static void check_records(struct bytes records, uint8_t checksum_tag)
{
    struct buffer whole = buffer_make(FRIEND_TEXT_MAX), text = buffer_make(2 * FRIEND_TEXT_MAX);
    uint32_t crc = crc24(records);
    const uint8_t record[] = {checksum_tag, 3, (uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16)};
    buffer_append_bytes(&whole, records);
    if (buffer_append(&whole, record, sizeof(record)) && radix64_encode(&text, buffer_view(&whole)))
        check(buffer_view(&text));
    buffer_free(&text);
    buffer_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(bytes_of(data, size));
    check_records(bytes_of(data, size), 0x07);
    check_records(bytes_of(data, size), 0x04);
    return 0;
}
