/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "wire/post.h"

/* What is parsed of what the second implementation writes is written again to the same bytes. */

static json_t *vectors(void)
{
    return vectors_load("posts/posts.json");
}

static uint64_t hex_number(const json_t *object, const char *member)
{
    return strtoull(vectors_string(object, member), NULL, 16);
}

static int64_t number(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void same(struct bytes found, const json_t *object, const char *member)
{
    struct buffer expected = vectors_hex(object, member);
    assert_bytes_equal(found, buffer_view(&expected));
    buffer_free(&expected);
}

/* The bytes of a member, exactly as long in memory. */
static struct bytes exact(const json_t *object, const char *member)
{
    struct buffer whole = vectors_hex(object, member);
    struct bytes copy = heap_copy(buffer_view(&whole));
    buffer_free(&whole);
    return copy;
}

static bool is_forth(const json_t *object)
{
    return strcmp(vectors_string(object, "way"), "forth") == 0;
}

static bool record_parse(struct post_record *out, bool forth, struct bytes plain)
{
    return forth ? post_forth_parse(out, plain) : post_back_parse(out, plain);
}

static bool record_write(struct buffer *out, bool forth, const struct post_record *record)
{
    return forth ? post_forth_write(out, record) : post_back_write(out, record);
}

static void records(void **state)
{
    (void)state;
    static const char *const kinds[2][4] = {{"", "want", "stored", "refused"},
                                            {"", "offer", "slice", "cancel"}};
    json_t *file = vectors(), *item;
    size_t i;
    json_array_foreach(json_object_get(file, "records"), i, item)
    {
        bool forth = is_forth(item);
        struct bytes plain = exact(item, "bytes");
        struct post_record record;
        struct buffer again = buffer_make(1 << 16);
        assert_true(record_parse(&record, forth, plain));
        assert_string_equal(kinds[forth][record.kind], vectors_string(item, "kind"));
        same(bytes_of(record.transfer, sizeof(record.transfer)), item, "transfer");
        if (json_object_get(item, "size"))
            assert_true(record.size == hex_number(item, "size"));
        if (json_object_get(item, "offset"))
            assert_true(record.offset == hex_number(item, "offset"));
        if (json_object_get(item, "digest"))
            same(bytes_of(record.digest, sizeof(record.digest)), item, "digest");
        if (json_object_get(item, "window"))
            assert_int_equal(record.window, number(item, "window"));
        if (json_object_get(item, "code"))
            assert_int_equal(record.code, number(item, "code"));
        if (json_object_get(item, "data"))
            same(record.data, item, "data");
        assert_true(record_write(&again, forth, &record));
        assert_bytes_equal(buffer_view(&again), plain);
        buffer_free(&again);
        free((void *)plain.data);
    }
    assert_int_equal(i, 16);
    json_decref(file);
}

static void refused_records(void **state)
{
    (void)state;
    json_t *file = vectors(), *item;
    size_t i;
    json_array_foreach(json_object_get(file, "refused_records"), i, item)
    {
        struct bytes plain = exact(item, "bytes");
        struct post_record record;
        if (record_parse(&record, is_forth(item), plain))
            fail_msg("taken: %s", vectors_string(item, "name"));
        free((void *)plain.data);
    }
    assert_int_equal(i, 23);
    json_decref(file);
}

static void unwritten_records(void **state)
{
    (void)state;
    static const uint8_t data[POST_SLICE_SIZE + 1];
    static const struct post_record forth[] = {
        {.kind = 0},
        {.kind = 4},
        {.kind = UINT8_MAX},
        {.kind = POST_OFFER},
        {.kind = POST_SLICE},
        {.kind = POST_SLICE, .data = {data, sizeof(data)}},
        {.kind = POST_SLICE, .offset = UINT64_MAX, .data = {data, 1}},
    };
    static const struct post_record back[] = {
        {.kind = 0}, {.kind = 4}, {.kind = POST_REFUSED, .code = 0}, {.kind = POST_REFUSED, .code = 7}};
    struct buffer out = buffer_make(1 << 16);
    for (size_t i = 0; i < sizeof(forth) / sizeof(forth[0]); i++)
        assert_false(post_forth_write(&out, &forth[i]));
    for (size_t i = 0; i < sizeof(back) / sizeof(back[0]); i++)
        assert_false(post_back_write(&out, &back[i]));
    assert_int_equal(buffer_size(&out), 0);
    /* Data of a kind that has none stays at home. */
    assert_true(
        post_forth_write(&out, &(struct post_record){.kind = POST_CANCEL, .data = bytes_of(data, 100)}));
    assert_int_equal(buffer_size(&out), 1 + POST_ID_SIZE);
    buffer_free(&out);

    /* The largest slice needs no more room than it has, and a full buffer changes nothing. */
    const struct post_record largest = {.kind = POST_SLICE, .data = bytes_of(data, POST_SLICE_SIZE)};
    out = buffer_make(1 + POST_ID_SIZE + 8 + POST_SLICE_SIZE);
    assert_true(post_forth_write(&out, &largest));
    assert_false(post_forth_write(&out, &largest));
    assert_int_equal(buffer_size(&out), 1 + POST_ID_SIZE + 8 + POST_SLICE_SIZE);
    buffer_free(&out);
    out = buffer_make(POST_BACK_SIZE - 1);
    assert_false(post_back_write(&out, &(struct post_record){.kind = POST_STORED}));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

static bool parse_forth_frame(struct bytes item)
{
    struct post_frame frame;
    return post_frame_parse(&frame, POST_FORTH, item);
}

static bool parse_back_frame(struct bytes item)
{
    struct post_frame frame;
    return post_frame_parse(&frame, POST_BACK, item);
}

static void frames(void **state)
{
    (void)state;
    json_t *file = vectors(), *channel, *item;
    size_t i, n, seen = 0;
    json_array_foreach(json_object_get(file, "channels"), i, channel)
    {
        json_array_foreach(json_object_get(channel, "frames"), n, item)
        {
            bool forth = is_forth(item);
            enum post_subtype subtype = forth ? POST_FORTH : POST_BACK;
            struct bytes whole = exact(item, "item");
            struct post_frame frame;
            struct buffer again = buffer_make(1 << 16);
            assert_true(post_frame_parse(&frame, subtype, whole));
            assert_true(frame.counter == hex_number(item, "counter"));
            same(frame.sealed, item, "sealed");
            if (forth)
                same(frame.ephemeral, channel, "ephemeral");
            assert_true(post_frame_write(&again, subtype, &frame));
            assert_bytes_equal(buffer_view(&again), whole);
            assert_false(
                post_frame_write(&again, POST_CLASSIC, &frame) ||
                post_frame_write(&again, subtype,
                                 &(struct post_frame){.ephemeral = frame.ephemeral, .sealed = frame.sealed}));
            assert_bytes_equal(buffer_view(&again), whole);
            buffer_free(&again);
            free((void *)whole.data);
            seen++;
        }
    }
    assert_int_equal(seen, 16);
    json_array_foreach(json_object_get(file, "refused_frames"), i, item)
    {
        struct bytes whole = exact(item, "item");
        if (is_forth(item) ? parse_forth_frame(whole) : parse_back_frame(whole))
            fail_msg("taken: %s", vectors_string(item, "name"));
        free((void *)whole.data);
    }
    assert_int_equal(i, 13);
    json_decref(file);
}

static void greetings(void **state)
{
    (void)state;
    static const char *const forms[] = {"question", "clear", "hidden"};
    json_t *file = vectors(), *item;
    size_t i;
    json_array_foreach(json_object_get(file, "greetings"), i, item)
    {
        struct bytes whole = exact(item, "item");
        struct post_greeting greeting;
        struct buffer again = buffer_make(4096);
        assert_true(post_greeting_parse(&greeting, whole));
        assert_string_equal(forms[greeting.form], vectors_string(item, "form"));
        if (greeting.form == POST_CLEAR) {
            same(greeting.day_key, item, "day_key");
            same(greeting.signature, item, "signature");
        } else if (greeting.form == POST_HIDDEN) {
            same(greeting.nonce, item, "nonce");
            same(greeting.hidden, item, "hidden");
        }
        assert_true(post_greeting_write(&again, &greeting));
        assert_bytes_equal(buffer_view(&again), whole);
        buffer_free(&again);
        free((void *)whole.data);
    }
    assert_int_equal(i, 3);
    json_array_foreach(json_object_get(file, "refused_greetings"), i, item)
    {
        struct bytes whole = exact(item, "item");
        struct post_greeting greeting;
        if (post_greeting_parse(&greeting, whole))
            fail_msg("taken: %s", vectors_string(item, "name"));
        free((void *)whole.data);
    }
    assert_int_equal(i, 12);
    json_decref(file);

    struct buffer out = buffer_make(4096);
    static const uint8_t some[32];
    static const struct post_greeting unwritten[] = {
        {.form = POST_CLEAR},
        {.form = POST_CLEAR, .day_key = {some, 32}},
        {.form = POST_CLEAR, .day_key = {some, 31}, .signature = {some, 1}},
        {.form = POST_HIDDEN, .nonce = {some, 12}, .hidden = {some, 32}},
        {.form = (enum post_greeting_form)3},
    };
    for (i = 0; i < sizeof(unwritten) / sizeof(unwritten[0]); i++)
        assert_false(post_greeting_write(&out, &unwritten[i]));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

static void letters(void **state)
{
    (void)state;
    json_t *file = vectors(), *item;
    size_t i;
    json_array_foreach(json_object_get(file, "letters"), i, item)
    {
        struct buffer cut = vectors_hex(item, "bytes"), content = vectors_hex(item, "content");
        size_t size = (size_t)number(item, "size");
        static const uint8_t signature[] = {0xc2, 0x01, 0x00};
        uint8_t *whole = calloc(1, size + sizeof(signature));
        assert_non_null(whole);
        memcpy(whole, buffer_view(&cut).data, buffer_size(&cut));
        memcpy(whole + size, signature, sizeof(signature));
        struct post_letter letter;
        assert_true(post_letter_parse(&letter, bytes_of(whole, size + sizeof(signature))));
        same(bytes_of(letter.sender, 20), item, "sender");
        same(bytes_of(letter.recipient, 20), item, "recipient");
        same(bytes_of(letter.message_id, POST_ID_SIZE), item, "message_id");
        assert_true(letter.time == number(item, "time"));
        assert_bytes_equal(letter.content, buffer_view(&content));
        assert_bytes_equal(letter.covered, bytes_of(whole, size));
        assert_bytes_equal(letter.signature, bytes_of(signature, sizeof(signature)));
        struct buffer again = buffer_make(size);
        assert_true(post_letter_write(&again, &letter));
        assert_bytes_equal(buffer_view(&again), letter.covered);
        buffer_free(&again);
        again = buffer_make(size - 1);
        assert_false(post_letter_write(&again, &letter));
        assert_int_equal(buffer_size(&again), 0);
        buffer_free(&again);
        free(whole);
        buffer_free(&content);
        buffer_free(&cut);
    }
    assert_int_equal(i, 5);
    json_array_foreach(json_object_get(file, "refused_letters"), i, item)
    {
        struct bytes plain = exact(item, "bytes");
        struct post_letter letter;
        if (post_letter_parse(&letter, plain))
            fail_msg("taken: %s", vectors_string(item, "name"));
        free((void *)plain.data);
    }
    assert_int_equal(i, 11);
    json_decref(file);
}

/* The largest one, which costs its own size and no more. */
static void largest_letter(void **state)
{
    (void)state;
    uint8_t *content = calloc(1, POST_CONTENT_LIMIT + 1);
    assert_non_null(content);
    struct post_letter letter = {.content = bytes_of(content, POST_CONTENT_LIMIT)}, found;
    struct buffer out = buffer_make(POST_LETTER_LIMIT);
    assert_true(post_letter_write(&out, &letter));
    assert_true(buffer_size(&out) > POST_CONTENT_LIMIT &&
                buffer_size(&out) < POST_CONTENT_LIMIT + POST_CONTENT_LIMIT / 16);
    buffer_u8(&out, 0xc2);
    assert_true(post_letter_parse(&found, buffer_view(&out)));
    assert_int_equal(found.content.size, POST_CONTENT_LIMIT);
    buffer_clear(&out);
    letter.content.size++;
    assert_false(post_letter_write(&out, &letter));
    letter.content.size = 1;
    letter.time = -1;
    assert_false(post_letter_write(&out, &letter));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
    free(content);
}

static void padding(void **state)
{
    (void)state;
    json_t *file = vectors(), *pair;
    size_t i;
    json_array_foreach(json_object_get(file, "padded"), i, pair)
    {
        size_t size = (size_t)json_integer_value(json_array_get(pair, 0));
        assert_true(post_padded(size) == (size_t)json_integer_value(json_array_get(pair, 1)));
    }
    assert_true(i > 10);
    json_decref(file);
    for (size_t size = 1024; size < 100000; size++) {
        size_t padded = post_padded(size);
        assert_true(padded >= size && padded - size <= size / 16 && post_padded(padded) == padded);
    }
    assert_true(post_padded(SIZE_MAX) == SIZE_MAX);
}

/* Every cut of every item and plaintext is refused, and every length in it may be hostile. */
static void hostile(void **state)
{
    (void)state;
    static const uint8_t sealed[POST_BACK_SIZE + 16], key[32];
    struct buffer out = buffer_make(4096);
    const struct post_frame back = {.counter = 1, .sealed = bytes_of(sealed, sizeof(sealed))};
    assert_true(post_frame_write(&out, POST_BACK, &back));
    hostile_variants(buffer_view(&out), parse_back_frame);
    buffer_clear(&out);
    const struct post_frame forth = {
        .ephemeral = bytes_of(key, sizeof(key)), .counter = 1, .sealed = bytes_of(sealed, 33)};
    assert_true(post_frame_write(&out, POST_FORTH, &forth));
    struct bytes item = buffer_view(&out);
    for (size_t size = 0; size < item.size; size++) {
        struct bytes cut = heap_copy(bytes_of(item.data, size));
        if (size >= ITEM_HEADER_SIZE)
            set_u32((uint8_t *)cut.data + 4, (uint32_t)size);
        assert_false(parse_forth_frame(cut));
        free((void *)cut.data);
    }
    buffer_clear(&out);
    const struct post_letter letter = {.content = bytes_of_string("text")};
    assert_true(post_letter_write(&out, &letter));
    for (size_t size = 0; size <= buffer_size(&out); size++) {
        struct post_letter found;
        struct bytes cut = heap_copy(bytes_of(buffer_view(&out).data, size));
        assert_false(post_letter_parse(&found, cut));
        free((void *)cut.data);
    }
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),           cmocka_unit_test(refused_records),
        cmocka_unit_test(unwritten_records), cmocka_unit_test(frames),
        cmocka_unit_test(greetings),         cmocka_unit_test(letters),
        cmocka_unit_test(largest_letter),    cmocka_unit_test(padding),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
