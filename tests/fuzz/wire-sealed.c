/* SPDX-License-Identifier: ISC */
/* A plaintext of sealed chat, and the text of an announcement: what is read is written to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "wire/sealed.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void write_again(void *arg, const struct sealed_record *record)
{
    struct buffer *out = arg;
    struct bytes text = record->text;
    require(record->type != 0);
    if (record->type == SEALED_LINE || record->type == SEALED_STATE_TEXT)
        require(utf8_valid(text) && (text.size == 0 || !memchr(text.data, 0, text.size)));
    if (record->type == SEALED_LINE)
        require(sealed_line_write(out, record->number, record->time, text));
    else
        require(sealed_record_write(out, (enum sealed_record_type)record->type, record->body));
}

static void plaintext(struct bytes plain)
{
    struct buffer records = buffer_make(SEALED_PLAIN_MAX), again = buffer_make(SEALED_PLAIN_MAX);
    struct sealed_header header = {0}, second;
    require(sealed_header_write(&records, &header));
    if (sealed_parse(plain, &header, write_again, &records)) {
        require(sealed_header_write(&again, &header));
        struct bytes behind = buffer_view(&records);
        require(buffer_append(&again, behind.data + SEALED_HEADER_SIZE, behind.size - SEALED_HEADER_SIZE));
        require(sealed_pad(&again) && buffer_size(&again) <= plain.size);
        require(memcmp(buffer_view(&again).data, plain.data, buffer_size(&again)) == 0);
        require(sealed_parse(buffer_view(&again), &second, NULL, NULL));
        for (size_t i = buffer_size(&again); i < plain.size; i++)
            require(plain.data[i] == 0);
    } else {
        require(buffer_size(&records) == SEALED_HEADER_SIZE);
    }
    buffer_free(&again);
    buffer_free(&records);
}

static void announcement(struct bytes text)
{
    uint8_t packed[33];
    char again[SEALED_ANNOUNCEMENT_TEXT + 1];
    if (!sealed_announcement_parse(packed, text))
        return;
    sealed_announcement_text(again, packed);
    require(bytes_equal(bytes_of_string(again), text));
}

/* The input as it is, and with zeros up to a whole step, so that the fuzzer need not find the size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    announcement(bytes_of(data, size));
    plaintext(bytes_of(data, size));
    if (size > SEALED_PLAIN_MAX)
        return 0;
    size_t whole = size <= SEALED_HEADER_SIZE
                       ? SEALED_HEADER_SIZE
                       : size + (SEALED_STEP - (size - SEALED_HEADER_SIZE) % SEALED_STEP) % SEALED_STEP;
    uint8_t *padded = calloc(1, whole);
    if (padded) {
        if (size > 0)
            memcpy(padded, data, size);
        plaintext(bytes_of(padded, whole));
    }
    free(padded);
    return 0;
}
