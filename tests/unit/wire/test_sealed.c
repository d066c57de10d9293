/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "wire/sealed.h"

enum { CHECK = 0x5ea1, RECORDS_MAX = 8 };

/* The records of one plaintext, as sealed_parse() gave them. */
struct seen {
    int check;
    size_t count;
    struct sealed_record records[RECORDS_MAX];
};

static void see(void *arg, const struct sealed_record *record)
{
    struct seen *seen = arg;
    assert_int_equal(seen->check, CHECK);
    assert_true(seen->count < RECORDS_MAX);
    seen->records[seen->count++] = *record;
}

static bool parse(struct bytes plain, struct sealed_header *header, struct seen *seen)
{
    *seen = (struct seen){.check = CHECK};
    bool good = sealed_parse(plain, header, see, seen);
    assert_int_equal(sealed_parse(plain, header, NULL, NULL), good);
    assert_true(good || seen->count == 0);
    return good;
}

static uint64_t number(const json_t *item, const char *name)
{
    const json_t *value = json_object_get(item, name);
    assert_true(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

static void check_record(const json_t *item, const struct sealed_record *record, struct buffer *out)
{
    assert_int_equal(record->type, number(item, "type"));
    if (record->type == SEALED_LINE) {
        assert_true(record->number == number(item, "number"));
        assert_true(record->time == (int64_t)number(item, "time"));
        assert_bytes_equal(record->text, bytes_of_string(vectors_string(item, "text")));
        assert_int_equal(record->body.size, SEALED_LINE_HEAD + record->text.size);
        assert_true(sealed_line_write(out, record->number, record->time, record->text));
        return;
    }
    struct buffer body = vectors_hex(item, "body");
    assert_bytes_equal(record->body, buffer_view(&body));
    bool has_text = record->type == SEALED_STATE_TEXT || record->type == SEALED_AVATAR;
    assert_bytes_equal(record->text, has_text ? buffer_view(&body) : bytes_of(NULL, 0));
    assert_true(sealed_record_write(out, (enum sealed_record_type)record->type, buffer_view(&body)));
    buffer_free(&body);
}

static void plaintexts(void **state)
{
    (void)state;
    json_t *file = vectors_load("sealed/sealed.json"), *item, *each;
    size_t i, n;
    json_array_foreach(json_object_get(file, "plaintexts"), i, item)
    {
        struct buffer bytes = vectors_hex(item, "bytes"), again = buffer_make(SEALED_PLAIN_MAX);
        struct bytes plain = heap_copy(buffer_view(&bytes));
        struct sealed_header header;
        struct seen seen;
        assert_true(parse(plain, &header, &seen));
        assert_int_equal(header.flags, number(item, "flags"));
        assert_true(header.ack == number(item, "ack") && header.base == number(item, "base"));
        assert_true(sealed_header_write(&again, &header));
        assert_int_equal(seen.count, json_array_size(json_object_get(item, "records")));
        json_array_foreach(json_object_get(item, "records"), n, each)
            check_record(each, &seen.records[n], &again);
        assert_true(sealed_pad(&again));
        assert_bytes_equal(buffer_view(&again), plain);
        free((void *)plain.data);
        buffer_free(&bytes);
        buffer_free(&again);
    }
    assert_int_equal(i, 12);
    json_decref(file);
}

static void malformed_plaintexts(void **state)
{
    (void)state;
    json_t *file = vectors_load("sealed/sealed.json"), *item;
    size_t i;
    json_array_foreach(json_object_get(file, "refused_plaintexts"), i, item)
    {
        struct buffer begin = vectors_hex(item, "bytes");
        size_t size = (size_t)number(item, "size");
        assert_true(buffer_size(&begin) <= size);
        uint8_t *plain = calloc(1, size > 0 ? size : 1);
        assert_non_null(plain);
        if (buffer_size(&begin) > 0)
            memcpy(plain, buffer_view(&begin).data, buffer_size(&begin));
        struct sealed_header header = {.ack = 77};
        struct seen seen;
        if (parse(bytes_of(plain, size), &header, &seen))
            fail_msg("taken: %s", vectors_string(item, "name"));
        assert_int_equal(header.ack, 77);
        free(plain);
        buffer_free(&begin);
    }
    assert_int_equal(i, 28);
    json_decref(file);
}

/* Only whole steps are taken, and each cut of a good plaintext is refused. */
static void sizes(void **state)
{
    (void)state;
    static uint8_t plain[SEALED_PLAIN_MAX + SEALED_STEP + 1];
    struct sealed_header header;
    struct seen seen;
    for (size_t size = 0; size <= sizeof(plain); size++) {
        bool whole = size >= 16 && (size - 16) % 256 == 0 && size <= 66576;
        assert_int_equal(sealed_parse(bytes_of(plain, size), &header, NULL, NULL), whole);
    }
    /* More zeros than needed hide a size, and are fine. */
    assert_true(parse(bytes_of(plain, 66576), &header, &seen));
    assert_int_equal(seen.count, 0);
}

static uint8_t text[SEALED_TEXT_MAX + 1];

static void longest_line(void **state)
{
    (void)state;
    memset(text, 'x', sizeof(text));
    struct buffer plain = buffer_make(SEALED_PLAIN_MAX);
    const struct sealed_header header = {.base = 1};
    struct sealed_header found;
    struct seen seen;
    assert_true(sealed_header_write(&plain, &header));
    assert_false(sealed_line_write(&plain, 1, 1, bytes_of(text, SEALED_TEXT_MAX + 1)));
    assert_int_equal(buffer_size(&plain), SEALED_HEADER_SIZE);
    assert_true(sealed_line_write(&plain, 1, 1, bytes_of(text, SEALED_TEXT_MAX)));
    assert_true(sealed_pad(&plain));
    assert_int_equal(buffer_size(&plain), SEALED_HEADER_SIZE + 257 * SEALED_STEP);
    assert_true(parse(buffer_view(&plain), &found, &seen));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.records[0].text.size, SEALED_TEXT_MAX);

    /* The same with one byte more, which no writer of ours makes. */
    buffer_clear(&plain);
    assert_true(sealed_header_write(&plain, &header));
    buffer_u32(&plain, (uint32_t)SEALED_LINE << 24 | (SEALED_LINE_HEAD + SEALED_TEXT_MAX + 1));
    buffer_u64(&plain, UINT64_C(1) << 16);
    buffer_u64(&plain, 1);
    buffer_append(&plain, text, SEALED_TEXT_MAX + 1);
    assert_true(sealed_pad(&plain));
    assert_false(parse(buffer_view(&plain), &found, &seen));
    buffer_free(&plain);
}

/* What does not fit any more changes nothing, so that a sender can go on with what is there. */
static void full_frame(void **state)
{
    (void)state;
    memset(text, 'x', sizeof(text));
    struct buffer plain = buffer_make(SEALED_PLAIN_MAX);
    const struct sealed_header header = {.base = 1};
    const struct bytes line = bytes_of(text, 1000);
    const size_t size = SEALED_RECORD_HEAD + SEALED_LINE_HEAD + line.size;
    const size_t most = (SEALED_PLAIN_MAX - SEALED_HEADER_SIZE) / size;
    assert_false(sealed_line_write(&plain, 1, 0, line)); /* before the header */
    assert_false(sealed_pad(&plain));
    assert_true(sealed_header_write(&plain, &header));
    assert_false(sealed_header_write(&plain, &header));
    for (size_t i = 1; i <= most; i++)
        assert_true(sealed_line_write(&plain, i, 0, line));
    assert_false(sealed_line_write(&plain, most + 1, 0, line));
    assert_false(sealed_record_write(&plain, SEALED_STATE_TEXT, line));
    assert_int_equal(buffer_size(&plain), SEALED_HEADER_SIZE + most * size);
    size_t left = SEALED_PLAIN_MAX - buffer_size(&plain) - SEALED_RECORD_HEAD;
    assert_false(sealed_record_write(&plain, SEALED_STATE_TEXT, bytes_of(text, left + 1)));
    assert_true(sealed_record_write(&plain, SEALED_STATE_TEXT, bytes_of(text, left)));
    assert_true(sealed_pad(&plain) && !plain.failed);
    assert_int_equal(buffer_size(&plain), SEALED_PLAIN_MAX);
    struct sealed_header found;
    assert_true(sealed_parse(buffer_view(&plain), &found, NULL, NULL));
    buffer_free(&plain);
}

/* A line that its receiver must refuse would hold up all behind it: it is not written. */
static void writers_are_strict(void **state)
{
    (void)state;
    const struct bytes x = bytes_of_string("x");
    struct buffer plain = buffer_make(SEALED_PLAIN_MAX);
    assert_false(sealed_header_write(&plain, &(struct sealed_header){.ack = SEALED_NUMBER_MAX + 1}));
    assert_false(sealed_header_write(&plain, &(struct sealed_header){.base = SEALED_NUMBER_MAX + 1}));
    assert_true(
        sealed_header_write(&plain, &(struct sealed_header){0, SEALED_NUMBER_MAX, SEALED_NUMBER_MAX}));
    assert_false(sealed_line_write(&plain, 0, 1, x));
    assert_false(sealed_line_write(&plain, SEALED_NUMBER_MAX + 1, 1, x));
    assert_false(sealed_line_write(&plain, 1, -1, x));
    assert_false(sealed_line_write(&plain, 1, 1, bytes_of("a\0b", 3)));
    assert_false(sealed_line_write(&plain, 1, 1, bytes_of("\xff", 1)));
    assert_false(sealed_record_write(&plain, SEALED_STATE_TEXT, bytes_of("\xff", 1)));
    assert_false(sealed_record_write(&plain, SEALED_LINE, x));
    assert_false(sealed_record_write(&plain, SEALED_ROOT, x));
    assert_false(sealed_record_write(&plain, SEALED_CLAIM, x));
    assert_false(sealed_record_write(&plain, (enum sealed_record_type)0, x));
    assert_false(sealed_record_write(&plain, (enum sealed_record_type)256, x));
    assert_false(sealed_record_write(&plain, SEALED_AVATAR, bytes_of(text, SEALED_AVATAR_MAX + 1)));
    assert_true(sealed_record_write(&plain, SEALED_AVATAR, bytes_of(text, SEALED_AVATAR_MAX)));
    assert_int_equal(buffer_size(&plain), SEALED_HEADER_SIZE + SEALED_RECORD_HEAD + SEALED_AVATAR_MAX);
    assert_false(plain.failed);
    buffer_free(&plain);
}

static void announcements(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"opener_announcement", "opener_text"},
                                           {"answerer_announcement", "answerer_text"}};
    json_t *file = vectors_load("sealed/sealed.json"), *item;
    size_t i;
    json_array_foreach(json_object_get(file, "handshakes"), i, item)
    {
        for (size_t side = 0; side < 2; side++) {
            struct buffer announcement = vectors_hex(item, names[side][0]);
            const char *expected = vectors_string(item, names[side][1]);
            char made[SEALED_ANNOUNCEMENT_TEXT + 1];
            uint8_t back[33];
            assert_int_equal(buffer_size(&announcement), sizeof(back));
            sealed_announcement_text(made, buffer_view(&announcement).data);
            assert_string_equal(made, expected);
            struct bytes view = heap_copy(bytes_of_string(expected));
            assert_true(sealed_announcement_parse(back, view));
            assert_bytes_equal(bytes_of(back, sizeof(back)), buffer_view(&announcement));
            free((void *)view.data);
            buffer_free(&announcement);
        }
    }
    assert_int_equal(i, 3);
    json_decref(file);
}

/* One text for 33 bytes: no other length, alphabet, padding or white space. (33 bytes are whole groups, so
 * there are no bits left over that could differ.) */
static void other_texts_are_no_announcement(void **state)
{
    (void)state;
    char good[SEALED_ANNOUNCEMENT_TEXT + 1];
    uint8_t announcement[33] = {0x20}, back[33];
    memset(announcement + 1, 0xff, 32);
    sealed_announcement_text(good, announcement);
    assert_int_equal(strlen(good), SEALED_ANNOUNCEMENT_TEXT);
    for (size_t size = 0; size < SEALED_ANNOUNCEMENT_TEXT; size++)
        assert_false(sealed_announcement_parse(back, bytes_of(good, size)));
    assert_false(sealed_announcement_parse(back, bytes_of(good, sizeof(good)))); /* with its terminator */
    memset(back, 0x5a, sizeof(back));
    for (size_t at = 0; at < SEALED_ANNOUNCEMENT_TEXT; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char other[SEALED_ANNOUNCEMENT_TEXT], again[SEALED_ANNOUNCEMENT_TEXT + 1];
            memcpy(other, good, sizeof(other));
            other[at] = (char)byte;
            bool digit =
                byte != 0 &&
                strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", (int)byte) != NULL;
            assert_int_equal(sealed_announcement_parse(back, bytes_of(other, sizeof(other))), digit);
            if (digit) {
                sealed_announcement_text(again, back);
                assert_memory_equal(again, other, sizeof(other));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plaintexts),    cmocka_unit_test(malformed_plaintexts),
        cmocka_unit_test(sizes),         cmocka_unit_test(longest_line),
        cmocka_unit_test(full_frame),    cmocka_unit_test(writers_are_strict),
        cmocka_unit_test(announcements), cmocka_unit_test(other_texts_are_no_announcement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
