/* SPDX-License-Identifier: ISC */
/* UTF-8, wide strings, the original's text filter, base64 and percent-encoding over the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "wire/percent.h"
#include "wire/radix64.h"
#include "wire/tlv.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_text(struct bytes text, size_t limit)
{
    struct buffer out = buffer_make(16 * text.size + 64), back = buffer_make(16 * text.size + 64);
    size_t length = utf8_length(text), prefix = utf8_prefix(text, limit), fit = utf8_fit(text, limit);
    require(utf8_valid(bytes_of(text.data, prefix)) && utf8_valid(bytes_of(text.data, fit)));
    require(utf8_length(bytes_of(text.data, prefix)) == (limit < length ? limit : length));
    require(fit <= limit && (fit == text.size || limit - fit < 4));

    require(tlv_write_wide(&out, 0x0067, text));
    require(buffer_size(&out) == 6 + 4 * length);
    struct reader reader = reader_of(buffer_view(&out));
    require(tlv_read_wide(&reader, 0x0067, &back) && reader_done(&reader));
    require(bytes_equal(buffer_view(&back), text));

    buffer_clear(&out);
    require(tlv_defuse(&out, text));
    struct bytes defused = buffer_view(&out);
    require(!tlv_text_blanked(defused) && utf8_valid(defused));
    require(defused.size == 0 || memmem(defused.data, defused.size, "<!", 2) == NULL);
    require(defused.size > text.size || bytes_equal(defused, text));
    buffer_free(&back);
    buffer_free(&out);
}

static void check_wide(struct bytes wide)
{
    struct buffer text = buffer_make(wide.size + 1), again = buffer_make(2 * wide.size + 16);
    if (wide_to_utf8(&text, wide, NULL)) {
        require(utf8_valid(buffer_view(&text)));
        require(tlv_write_wide(&again, 1, buffer_view(&text)));
        require(buffer_size(&again) <= wide.size + 6); /* less where surrogates were joined */
    }
    buffer_free(&again);
    buffer_free(&text);
}

static void check_coded(struct bytes data)
{
    static bool (*const encoders[])(struct buffer *, struct bytes) = {radix64_encode, radix64_encode,
                                                                      base64url_encode, percent_encode};
    static bool (*const decoders[])(struct buffer *, struct bytes) = {radix64_decode, radix64_decode_lenient,
                                                                      base64url_decode, percent_decode};
    struct buffer text = buffer_make(4 * data.size + 64), back = buffer_make(4 * data.size + 64);
    for (size_t i = 0; i < 4; i++) {
        buffer_clear(&text);
        buffer_clear(&back);
        require(encoders[i](&text, data) && decoders[i](&back, buffer_view(&text)));
        require(bytes_equal(buffer_view(&back), data));
        /* The other way round: strict texts are the only ones of their bytes. */
        buffer_clear(&text);
        buffer_clear(&back);
        if (!decoders[i](&back, data))
            require(buffer_size(&back) == 0);
        else if (i == 2)
            require(encoders[i](&text, buffer_view(&back)) && bytes_equal(buffer_view(&text), data));
    }
    buffer_free(&back);
    buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    char shown[48], again[48];
    utf8_show(shown, sizeof(shown), input);
    require(utf8_valid(bytes_of_string(shown)));
    utf8_show(again, sizeof(again), bytes_of_string(shown));
    require(strcmp(shown, again) == 0);
    if (utf8_valid(input))
        check_text(input, size > 0 ? data[0] : 0);
    check_wide(input);
    check_coded(input);
    return 0;
}
