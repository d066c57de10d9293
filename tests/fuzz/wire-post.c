/* SPDX-License-Identifier: ISC */
/* Posts, as items, records and plaintexts: what is read is written to the same bytes, or, where a form of
 * ours is narrower than what is read, to bytes that stay the same from then on. */
#include <stdlib.h>
#include <string.h>

#include "wire/post.h"
#include "wire/radix64.h"
#include "wire/tlv.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SPARE = 4096 /* of the smallest allocation and of padding */ };

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void outer(struct bytes item)
{
    struct buffer text = buffer_make(item.size), again = buffer_make(item.size),
                  decoded = buffer_make(item.size);
    bool partial, same;
    if (post_outer_parse(&partial, &text, item)) {
        require(buffer_size(&text) <= item.size / 4);
        if (post_outer_write(&again, 0, buffer_view(&text), partial)) {
            require(buffer_size(&again) == item.size);
            struct buffer second = buffer_make(item.size);
            require(post_outer_parse(&same, &second, buffer_view(&again)) && same == partial);
            require(bytes_equal(buffer_view(&second), buffer_view(&text)));
            buffer_free(&second);
        } else {
            require(buffer_size(&text) > POST_SLICE_CHARACTERS && buffer_size(&again) == 0);
        }
        require(radix64_decode_lenient(&decoded, buffer_view(&text)));
    } else {
        require(buffer_size(&text) == 0);
    }
    buffer_free(&decoded);
    buffer_free(&again);
    buffer_free(&text);
}

/* Any bytes may be a ciphertext. */
static void outer_text(struct bytes ciphertext)
{
    struct buffer text = buffer_make(ciphertext.size * 2 + SPARE),
                  decoded = buffer_make(ciphertext.size + SPARE);
    require(post_outer_text(&text, ciphertext) && !tlv_text_blanked(buffer_view(&text)));
    require(post_padded(buffer_size(&text)) == buffer_size(&text));
    require(radix64_decode_lenient(&decoded, buffer_view(&text)));
    require(bytes_equal(buffer_view(&decoded), ciphertext));
    buffer_free(&decoded);
    buffer_free(&text);
}

static void in_texts(const struct post_inner *inner, struct bytes view)
{
    struct bytes texts = buffer_view(&inner->texts);
    require(view.size == 0 || (view.data >= texts.data && view.data + view.size <= texts.data + texts.size));
}

static bool inner(struct buffer *out, struct bytes plain)
{
    struct post_inner parsed;
    bool good = post_inner_parse(&parsed, plain);
    require(parsed.texts.capacity <= plain.size + SPARE);
    if (good) {
        in_texts(&parsed, parsed.subject);
        in_texts(&parsed, parsed.body);
        in_texts(&parsed, parsed.to);
        in_texts(&parsed, parsed.cc);
        require(utf8_valid(parsed.subject) && utf8_valid(parsed.body));
        require(parsed.to.size % 20 == 0 && parsed.cc.size % 20 == 0);
        require(parsed.covered.data == plain.data &&
                parsed.covered.size + parsed.signature.size == plain.size);
        require((parsed.flags & ~(uint32_t)POST_SYSTEM) == 0 && parsed.file_count <= POST_FILES_LIMIT);
        for (size_t i = 0; i < parsed.file_count; i++) {
            in_texts(&parsed, parsed.files[i].name);
            require(utf8_valid(parsed.files[i].name));
        }
        struct post_inner_fields fields = {.sign = parsed.signature.size > 0,
                                           .time = parsed.time,
                                           .subject = parsed.subject,
                                           .body = parsed.body,
                                           .to = parsed.to,
                                           .cc = parsed.cc};
        memcpy(fields.sender, parsed.sender, sizeof(fields.sender));
        require(post_inner_write(out, &fields));
        buffer_append_bytes(out, parsed.signature);
    }
    post_inner_free(&parsed);
    return good;
}

static bool letter(struct buffer *out, struct bytes plain)
{
    struct post_letter parsed;
    if (!post_letter_parse(&parsed, plain))
        return false;
    require(parsed.covered.size + parsed.signature.size == plain.size && parsed.signature.size > 0);
    require(post_letter_write(out, &parsed) && buffer_append_bytes(out, parsed.signature));
    return true;
}

/* The second writing gives the bytes of the first. */
static void stable(bool (*rewrite)(struct buffer *, struct bytes), struct bytes plain)
{
    struct buffer first = buffer_make(plain.size * 5 + SPARE), second = buffer_make(plain.size * 5 + SPARE);
    if (rewrite(&first, plain)) {
        require(rewrite(&second, buffer_view(&first)));
        require(bytes_equal(buffer_view(&first), buffer_view(&second)));
    }
    buffer_free(&second);
    buffer_free(&first);
}

static bool greeting(struct buffer *out, struct bytes item)
{
    struct post_greeting parsed;
    return post_greeting_parse(&parsed, item) && (require(post_greeting_write(out, &parsed)), true);
}

static bool forth_frame(struct buffer *out, struct bytes item)
{
    struct post_frame parsed;
    return post_frame_parse(&parsed, POST_FORTH, item) &&
           (require(post_frame_write(out, POST_FORTH, &parsed)), true);
}

static bool back_frame(struct buffer *out, struct bytes item)
{
    struct post_frame parsed;
    return post_frame_parse(&parsed, POST_BACK, item) &&
           (require(post_frame_write(out, POST_BACK, &parsed)), true);
}

static bool forth(struct buffer *out, struct bytes plain)
{
    struct post_record parsed;
    return post_forth_parse(&parsed, plain) && (require(post_forth_write(out, &parsed)), true);
}

static bool back(struct buffer *out, struct bytes plain)
{
    struct post_record parsed;
    return post_back_parse(&parsed, plain) && (require(post_back_write(out, &parsed)), true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const exact[])(struct buffer *, struct bytes) = {greeting, forth_frame, back_frame, forth,
                                                                   back};
    struct bytes input = bytes_of(data, size);
    for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
        struct buffer again = buffer_make(size + SPARE * 8);
        if (exact[i](&again, input))
            require(bytes_equal(buffer_view(&again), input));
        require(!again.failed);
        buffer_free(&again);
    }
    outer(input);
    outer_text(input);
    stable(inner, input);
    stable(letter, input);
    return 0;
}
