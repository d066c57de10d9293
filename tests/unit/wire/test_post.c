/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "base/source.h"
#include "wire/post.h"
#include "wire/radix64.h"
#include "wire/tlv.h"

static struct bytes text_of(const json_t *object, const char *member)
{
    return bytes_of_string(vectors_string(object, member));
}

/* The 20-byte hashes among the ids of a list, as the parser should give them. */
static struct buffer hashes_of(const json_t *list)
{
    struct buffer out = buffer_make(4096);
    const json_t *id;
    size_t i;
    json_array_foreach(list, i, id)
    {
        uint8_t hash[20];
        const char *text = json_string_value(id);
        if (hex_parse(hash, sizeof(hash), text, strlen(text)))
            buffer_append(&out, hash, sizeof(hash));
    }
    return out;
}

static uint64_t number(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    assert_true(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

static void check_fields(const struct post_inner *inner, const json_t *fields)
{
    struct buffer to = hashes_of(json_object_get(fields, "msgto")),
                  cc = hashes_of(json_object_get(fields, "msgcc"));
    assert_int_equal(inner->flags, number(fields, "msg_flags") & POST_SYSTEM);
    assert_int_equal(inner->time, number(fields, "send_time"));
    assert_bytes_equal(inner->subject, text_of(fields, "subject"));
    assert_bytes_equal(inner->body, text_of(fields, "message"));
    assert_bytes_equal(inner->to, buffer_view(&to));
    assert_bytes_equal(inner->cc, buffer_view(&cc));
    const json_t *files = json_object_get(fields, "attachments"), *file;
    assert_int_equal(inner->file_count, json_array_size(files));
    size_t i;
    json_array_foreach(files, i, file)
    {
        uint8_t hash[20];
        assert_true(hex_parse(hash, sizeof(hash), vectors_string(file, "hash"), 40));
        assert_memory_equal(inner->files[i].hash, hash, sizeof(hash));
        assert_bytes_equal(inner->files[i].name, text_of(file, "name"));
        assert_true(inner->files[i].size == number(file, "size"));
    }
    buffer_free(&to);
    buffer_free(&cc);
}

/* True when it could be written again: what has only hashes in its lists and no files. */
static bool rewritten(const struct post_inner *inner, const json_t *fields)
{
    const struct post_inner_fields ours = {
        .sign = (number(fields, "msg_flags") & POST_SIGNED) != 0,
        .time = inner->time,
        .subject = inner->subject,
        .body = inner->body,
        .to = inner->to,
        .cc = inner->cc,
    };
    struct post_inner_fields copy = ours;
    memcpy(copy.sender, inner->sender, sizeof(copy.sender));
    struct buffer out = buffer_make(1 << 20);
    assert_true(post_inner_write(&out, &copy));
    size_t ids =
        json_array_size(json_object_get(fields, "msgto")) + json_array_size(json_object_get(fields, "msgcc"));
    bool whole = inner->file_count == 0 && (inner->to.size + inner->cc.size) / 20 == ids &&
                 (number(fields, "msg_flags") & ~(uint64_t)POST_SIGNED) == 0x48000;
    if (whole)
        assert_bytes_equal(buffer_view(&out), inner->covered);
    buffer_free(&out);
    return whole;
}

static void recorded_items(void **state)
{
    (void)state;
    json_t *file = json_load_file(TEST_VECTORS "/retroshare-0.5/items.json", JSON_ALLOW_NUL, NULL), *item;
    assert_non_null(file);
    size_t i, seen = 0, again = 0;
    json_array_foreach(json_object_get(file, "items"), i, item)
    {
        if (strcmp(vectors_string(item, "packet_type"), "02001301") != 0)
            continue;
        bool stored =
            strncmp(vectors_string(item, "role"), "local-storage", 13) == 0; /* has a number behind */
        struct buffer bytes = vectors_hex(item, "bytes"), plain = buffer_make(1 << 16);
        buffer_append(&plain, "\x37\x01\x02\x03\x04\x05\x06\x07\x08", 9);
        buffer_append_bytes(&plain, buffer_view(&bytes));
        struct bytes copy = heap_copy(buffer_view(&plain));
        struct post_inner inner;
        assert_int_equal(post_inner_parse(&inner, copy), !stored);
        if (!stored)
            check_fields(&inner, json_object_get(item, "fields"));
        again += !stored && rewritten(&inner, json_object_get(item, "fields"));
        /* As an outer item it is taken when it holds nothing but a ciphertext. */
        struct buffer text = buffer_make(1 << 16);
        bool partial = false, outer = strstr(vectors_string(item, "name"), "outer") != NULL;
        assert_int_equal(post_outer_parse(&partial, &text, buffer_view(&bytes)), outer);
        assert_bytes_equal(buffer_view(&text), outer ? inner.body : bytes_of(NULL, 0));
        assert_int_equal(partial, strcmp(vectors_string(item, "name"), "msg_distant_outer_partial") == 0);
        buffer_free(&text);
        if (!stored)
            assert_memory_equal(inner.sender, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
        assert_int_equal(inner.signature.size, 0);
        post_inner_free(&inner);
        free((void *)copy.data);
        buffer_free(&plain);
        buffer_free(&bytes);
        seen++;
    }
    assert_int_equal(seen, 6);
    assert_true(again >= 1);
    json_decref(file);
}

static void recorded_posts(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.5/invite.json"), *post, *part;
    size_t i, n, again = 0;
    json_array_foreach(json_object_get(file, "messages"), i, post)
    {
        struct buffer blob = vectors_hex(post, "clear_blob"),
                      signature = vectors_hex(post, "signature_packet");
        struct bytes plain = heap_copy(buffer_view(&blob));
        struct post_inner inner;
        assert_true(post_inner_parse(&inner, plain));
        uint8_t id[8], hash[20];
        assert_true(hex_parse(id, sizeof(id), vectors_string(post, "sender_pgp_id"), 16));
        assert_memory_equal(inner.sender, id, sizeof(id));
        assert_bytes_equal(inner.signature, buffer_view(&signature));
        assert_int_equal(inner.covered.size + inner.signature.size, plain.size);
        check_fields(&inner, json_object_get(post, "clear_item_fields"));
        again += rewritten(&inner, json_object_get(post, "clear_item_fields"));
        assert_true(hex_parse(id, sizeof(id), vectors_string(post, "destination_pgp_id"), 16));
        assert_true(post_universal_hash(hash, id));
        assert_bytes_equal(bytes_of(hash, sizeof(hash)), inner.to);
        post_inner_free(&inner);
        free((void *)plain.data);

        struct buffer text = buffer_make(POST_TEXT_LIMIT), decoded = buffer_make(POST_TEXT_LIMIT);
        struct buffer sealed = vectors_hex(post, "encrypted_blob");
        const json_t *parts = json_object_get(post, "outer_parts");
        json_array_foreach(parts, n, part)
        {
            bool partial;
            struct buffer item = vectors_hex(part, "outer_item_bytes");
            struct bytes copy = heap_copy(buffer_view(&item));
            assert_true(post_outer_parse(&partial, &text, copy));
            assert_int_equal(partial, n + 1 < json_array_size(parts));
            free((void *)copy.data);
            buffer_free(&item);
        }
        assert_bytes_equal(buffer_view(&text), text_of(post, "encrypted_radix64"));
        assert_true(radix64_decode_lenient(&decoded, buffer_view(&text)));
        assert_bytes_equal(buffer_view(&decoded), buffer_view(&sealed));
        buffer_free(&sealed);
        buffer_free(&decoded);
        buffer_free(&text);
        buffer_free(&signature);
        buffer_free(&blob);
    }
    assert_int_equal(i, 5);
    assert_int_equal(again, 4);
    json_decref(file);
}

/* A post that crossed four programs of 2013. */
static void recorded_session(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.5/sessions.json"), *event;
    const json_t *session = json_object_get(file, "message");
    if (json_is_array(session))
        session = json_array_get(session, 0);
    size_t i, seen = 0;
    json_array_foreach(json_object_get(session, "events"), i, event)
    {
        if (strcmp(vectors_string(event, "item"), "generic_data") != 0)
            continue;
        enum { GENERIC_HEAD = 16 };
        struct buffer item = vectors_hex(event, "bytes"), text = buffer_make(POST_TEXT_LIMIT);
        struct bytes all = buffer_view(&item);
        bool partial = true;
        assert_true(
            post_outer_parse(&partial, &text, bytes_of(all.data + GENERIC_HEAD, all.size - GENERIC_HEAD)));
        assert_false(partial);
        assert_memory_equal(buffer_view(&text).data, "wcBMA22LRnV6x5Lo", 16);
        buffer_free(&text);
        buffer_free(&item);
        seen++;
    }
    assert_int_equal(seen, 3);
    json_decref(file);
}

/* protocol 04 §5 and §5.4, to the byte. */
static void documented_bytes(void **state)
{
    (void)state;
    struct buffer hash = hex_buffer("2fd4e1c67a2d28fced849ee1bb76e7391b93eb12");
    const struct post_inner_fields fields = {.sender = {0x66, 0x0f, 0xb7, 0x71, 0x72, 0x7c, 0xe2, 0x86},
                                             .sign = true,
                                             .time = 0x51fe8c00,
                                             .subject = bytes_of_string("S"),
                                             .body = bytes_of_string("M"),
                                             .to = buffer_view(&hash)};
    struct buffer expected =
        hex_buffer("37 660fb771727ce286 02001301 0000006e 00068000 51fe8c00 00000000 0068 0000000a 00000053"
                   "0067 0000000a 0000004d 1021 00000034 005a 0000002e"
                   "32666434653163363761326432386663656438343965653162623736653733393162393365623132"
                   "1021 00000006 1021 00000006 1001 00000006");
    struct buffer out = buffer_make(1024);
    assert_true(post_inner_write(&out, &fields));
    assert_bytes_equal(buffer_view(&out), buffer_view(&expected));
    buffer_free(&out);
    buffer_free(&expected);

    expected = hex_buffer("02001301 00000048 00004000 00000000 00000000 0068 00000006 0067 00000016"
                          "00000077 00000063 00000042 0000004d"
                          "1021 00000006 1021 00000006 1021 00000006 1001 00000006");
    assert_true(post_outer_write(&out, 0x51fe8c00, bytes_of_string("wcBM"), false));
    set_u32(expected.memory + expected.start + 12, 0x51fe8c00 - 0x51fe8c00 % 86400);
    assert_bytes_equal(buffer_view(&out), buffer_view(&expected));
    buffer_free(&out);
    buffer_free(&expected);
    buffer_free(&hash);
}

/* protocol 07 §4: to the sender's own message hash, and signed. */
static void documented_post(void **state)
{
    (void)state;
    struct buffer plain = hex_buffer(
        "377c4bff9ce1862ef8020013010000006e0006800051fe8c000000000000680000000a0000005300670000000a000000"
        "4d102100000034005a0000002e6233366265316562333431356334373534343965336438336533613466343564666635"
        "3332336566102100000006102100000006100100000006 c20100");
    size_t covered = buffer_size(&plain) - 3; /* less what stands for a signature */
    struct post_inner inner;
    assert_true(post_inner_parse(&inner, buffer_view(&plain)));
    assert_int_equal(inner.covered.size, covered);
    assert_int_equal(inner.signature.size, 3);
    uint8_t hash[20];
    assert_true(post_universal_hash(hash, inner.sender));
    assert_bytes_equal(inner.to, bytes_of(hash, sizeof(hash)));
    struct post_inner_fields fields = {
        .sign = true, .time = 0x51fe8c00, .subject = inner.subject, .body = inner.body, .to = inner.to};
    memcpy(fields.sender, inner.sender, sizeof(fields.sender));
    struct buffer out = buffer_make(1024);
    assert_true(post_inner_write(&out, &fields));
    assert_bytes_equal(buffer_view(&out), inner.covered);
    buffer_free(&out);
    post_inner_free(&inner);
    buffer_free(&plain);
}

static void universal_hash(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.5/hashes.json"), *each;
    size_t i;
    json_array_foreach(json_object_get(file, "distant_message_hashes"), i, each)
    {
        uint8_t id[8], hash[20], expected[20];
        const char *text = vectors_string(each, "pgp_id");
        assert_true(hex_parse(id, sizeof(id), text, strlen(text)));
        assert_true(hex_parse(expected, sizeof(expected), vectors_string(each, "hash"), 40));
        assert_true(post_universal_hash(hash, id));
        char again[17];
        hex_upper(again, id, sizeof(id));
        if (strcmp(again, text) == 0)
            assert_memory_equal(hash, expected, sizeof(hash));
        else
            assert_memory_not_equal(hash, expected, sizeof(hash));
    }
    assert_true(i >= 3);
    json_decref(file);
}

/* --- the outer item */

static bool parse_outer(struct bytes item)
{
    bool partial;
    struct buffer text = buffer_make(item.size);
    bool good = post_outer_parse(&partial, &text, item);
    assert_true(good || buffer_size(&text) == 0);
    assert_true(text.capacity <= item.size + 256); /* a text takes no more memory than its item */
    buffer_free(&text);
    return good;
}

/* An outer item whose fields are given, as long in memory as it is. */
static struct bytes outer_of(uint32_t flags, const char *subject, struct bytes wide, bool id, bool file)
{
    struct buffer out = buffer_make(1 << 20);
    size_t begin = item_begin(&out, SERVICE_MESSAGE, POST_CLASSIC);
    buffer_u32(&out, flags);
    buffer_u32(&out, 1);
    buffer_u32(&out, 2);
    assert_true(tlv_write_wide(&out, 0x0068, bytes_of_string(subject)));
    assert_true(tlv_write(&out, 0x0067, wide));
    for (int list = 0; list < 3; list++)
        assert_true(tlv_write(&out, 0x1021, bytes_of("\0\x5a\0\0\0\6", id && list == 1 ? 6 : 0)));
    assert_true(tlv_write(&out, 0x1001, bytes_of("\0\x66\0\0\0\6", file ? 6 : 0)));
    assert_true(item_end(&out, begin));
    struct bytes copy = heap_copy(buffer_view(&out));
    buffer_free(&out);
    return copy;
}

static void outer_refusals(void **state)
{
    (void)state;
    static const struct {
        uint32_t flags;
        const char *subject;
        uint8_t wide[12];
        size_t wide_size;
        bool id, file, good;
    } cases[] = {
        {POST_ENCRYPTED, "", {0, 0, 0, 'A', 0, 0, 0, '=', 0, 0, 0, ' '}, 12, false, false, true},
        {0xffffffff, "", {0, 0, 0, '+', 0, 0, 0, '/', 0, 0, 0, '\t'}, 12, false, false, true},
        {POST_ENCRYPTED, "", {0}, 0, false, false, true},
        {~(uint32_t)POST_ENCRYPTED, "", {0, 0, 0, 'A'}, 4, false, false, false},
        {POST_ENCRYPTED, "s", {0, 0, 0, 'A'}, 4, false, false, false},
        {POST_ENCRYPTED, "", {0, 0, 0, 'A'}, 4, true, false, false},
        {POST_ENCRYPTED, "", {0, 0, 0, 'A'}, 4, false, true, false},
        {POST_ENCRYPTED, "", {0, 0, 0, 'A', 0}, 5, false, false, false},
        {POST_ENCRYPTED, "", {0, 0, 1, 'A'}, 4, false, false, false},
        {POST_ENCRYPTED, "", {1, 0, 0, 'A'}, 4, false, false, false},
        {POST_ENCRYPTED, "", {0, 0, 0, '-'}, 4, false, false, false},
        {POST_ENCRYPTED, "", {0, 0, 0, '_'}, 4, false, false, false},
        {POST_ENCRYPTED, "", {0, 0, 0, 0}, 4, false, false, false},
        {POST_ENCRYPTED, "", {0, 0, 0, '\v'}, 4, false, false, false},
        {POST_ENCRYPTED, "", {0, 0, 0, '<'}, 4, false, false, false},
        {POST_ENCRYPTED, "", {0, 0, 0, 0xc1}, 4, false, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes item = outer_of(cases[i].flags, cases[i].subject,
                                     bytes_of(cases[i].wide, cases[i].wide_size), cases[i].id, cases[i].file);
        if (parse_outer(item) != cases[i].good)
            fail_msg("case %zu", i);
        free((void *)item.data);
    }
    struct buffer out = buffer_make(4096), full = buffer_make(3);
    assert_true(post_outer_write(&out, 1385164800, bytes_of_string("wcBM"), true));
    hostile_variants(buffer_view(&out), parse_outer);
    bool partial;
    assert_false(post_outer_parse(&partial, &full, buffer_view(&out)));
    assert_int_equal(buffer_size(&full), 0);
    buffer_clear(&out);
    assert_false(post_outer_write(&out, -1, bytes_of_string("wcBM"), false));
    assert_false(post_outer_write(&out, (int64_t)UINT32_MAX + 1, bytes_of_string("wcBM"), false));
    assert_false(post_outer_write(&out, 0, bytes_of_string("wc\xc3\xa9"), false));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&full);
    buffer_free(&out);
}

/* What a sender does and what a receiver does with it, up to the largest; a program of 2013 reads the same.
 */
static void outer_texts(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,   1,     2,     3,     767,    768,
                                   769, 11250, 11251, 11252, 200000, POST_TEXT_LIMIT / 2};
    struct random_seeded seeded;
    const struct random_source source = random_from_seed(&seeded, 3);
    uint8_t *ciphertext = malloc(POST_TEXT_LIMIT + 1);
    assert_non_null(ciphertext);
    source.fill(source.state, ciphertext, POST_TEXT_LIMIT + 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buffer text = buffer_make(POST_TEXT_LIMIT), joined = buffer_make(POST_TEXT_LIMIT);
        struct buffer decoded = buffer_make(POST_TEXT_LIMIT);
        assert_true(post_outer_text(&text, bytes_of(ciphertext, sizes[i])));
        assert_int_equal(buffer_size(&text), post_padded((sizes[i] + 2) / 3 * 4));
        bool partial = true;
        for (struct bytes rest = buffer_view(&text); rest.size > 0;) {
            size_t size = rest.size < POST_SLICE_CHARACTERS ? rest.size : POST_SLICE_CHARACTERS;
            struct buffer item = buffer_make(ITEM_SIZE_MAX);
            assert_true(post_outer_write(&item, 1385164800, bytes_of(rest.data, size), rest.size > size));
            assert_int_equal(buffer_size(&item), 56 + 4 * size);
            assert_true(post_outer_parse(&partial, &joined, buffer_view(&item)));
            assert_int_equal(partial, rest.size > size);
            rest = bytes_of(rest.data + size, rest.size - size);
            buffer_free(&item);
        }
        assert_false(partial);
        assert_bytes_equal(buffer_view(&joined), buffer_view(&text));
        assert_true(radix64_decode_lenient(&decoded, buffer_view(&joined)));
        assert_bytes_equal(buffer_view(&decoded), bytes_of(ciphertext, sizes[i]));
        buffer_free(&decoded);
        buffer_free(&joined);
        buffer_free(&text);
    }
    struct buffer out = buffer_make(2 * POST_TEXT_LIMIT), small = buffer_make(1023);
    assert_false(post_outer_text(&out, bytes_of(ciphertext, POST_TEXT_LIMIT + 1)));
    assert_false(post_outer_text(&small, bytes_of(ciphertext, 10)));
    assert_int_equal(buffer_size(&out) + buffer_size(&small), 0);
    memset(ciphertext, 'A', POST_SLICE_CHARACTERS + 1);
    assert_false(post_outer_write(&out, 0, bytes_of(ciphertext, POST_SLICE_CHARACTERS + 1), false));
    buffer_free(&small);
    buffer_free(&out);
    free(ciphertext);
}

/* An original peer blanks a text that looks like a picture's source in base64; none of ours does. */
static void outer_bombs(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "PHN2Zy",           "PD94bW",           "PHN2ZyPHN2ZyPD94bWPD94bWwg",
        "AAAAAAAAPHN2ZyAA", "PPHN2ZyPPPD94bWA", "AAAAPD94bWwgAAAA",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct buffer ciphertext = buffer_make(64), text = buffer_make(4096), decoded = buffer_make(64);
        assert_true(radix64_decode_lenient(&ciphertext, bytes_of_string(texts[i])));
        assert_true(tlv_text_blanked(bytes_of_string(texts[i])));
        assert_true(post_outer_text(&text, buffer_view(&ciphertext)));
        assert_false(tlv_text_blanked(buffer_view(&text)));
        assert_int_equal(buffer_size(&text), 1024);
        assert_true(radix64_decode_lenient(&decoded, buffer_view(&text)));
        assert_bytes_equal(buffer_view(&decoded), buffer_view(&ciphertext));
        buffer_free(&decoded);
        buffer_free(&text);
        buffer_free(&ciphertext);
    }
}

/* --- the plaintext */

static bool parse_inner(struct bytes plain)
{
    struct post_inner inner;
    bool good = post_inner_parse(&inner, plain);
    assert_true(inner.texts.capacity <= plain.size + 256);
    post_inner_free(&inner);
    return good;
}

static void inner_roundtrip(void **state)
{
    (void)state;
    uint8_t hashes[60];
    struct random_seeded seeded;
    const struct random_source source = random_from_seed(&seeded, 11);
    static const char *const texts[] = {"", "a", "Grüße 你好 😀", "two\nlines\tand\r\nmore", "�"};
    enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };
    for (unsigned i = 0; i < 200; i++) {
        source.fill(source.state, hashes, sizeof(hashes));
        struct post_inner_fields fields = {
            .sign = i % 2,
            .time = random_u32(&source),
            .subject = bytes_of_string(texts[random_below(&source, 3)]),
            .body = bytes_of_string(texts[random_below(&source, TEXTS)]),
            .to = bytes_of(hashes, 20 * random_below(&source, 4)),
            .cc = bytes_of(hashes, 20 * random_below(&source, 4)),
        };
        memcpy(fields.sender, hashes, sizeof(fields.sender));
        struct buffer out = buffer_make(1 << 16);
        assert_true(post_inner_write(&out, &fields));
        size_t covered = buffer_size(&out);
        buffer_append(&out, hashes, i % 3); /* stands for a signature */
        struct bytes plain = heap_copy(buffer_view(&out));
        struct post_inner inner;
        assert_true(post_inner_parse(&inner, plain));
        assert_memory_equal(inner.sender, fields.sender, sizeof(fields.sender));
        assert_int_equal(inner.flags, 0);
        assert_int_equal(inner.time, fields.time);
        assert_bytes_equal(inner.subject, fields.subject);
        assert_bytes_equal(inner.body, fields.body);
        assert_bytes_equal(inner.to, fields.to);
        assert_bytes_equal(inner.cc, fields.cc);
        assert_int_equal(inner.covered.size, covered);
        assert_int_equal(inner.signature.size, i % 3);
        post_inner_free(&inner);
        free((void *)plain.data);
        buffer_free(&out);
    }
}

/* Larger than any item on a link, and full of what an original peer would blank. */
static void inner_limits(void **state)
{
    (void)state;
    char *text = malloc(POST_CLASSIC_LIMIT + 1);
    assert_non_null(text);
    for (size_t i = 0; i <= POST_CLASSIC_LIMIT; i++)
        text[i] = "<!"[i % 2];
    struct post_inner_fields fields = {.body = bytes_of(text, POST_CLASSIC_LIMIT)};
    struct buffer out = buffer_make(8 << 20);
    struct post_inner inner;
    assert_true(post_inner_write(&out, &fields));
    assert_true(buffer_size(&out) > ITEM_SIZE_MAX);
    assert_true(post_inner_parse(&inner, buffer_view(&out)));
    assert_int_equal(inner.body.size, POST_CLASSIC_LIMIT / 2 * 5);
    assert_false(tlv_text_blanked(inner.body));
    post_inner_free(&inner);
    buffer_clear(&out);

    fields.body.size++;
    assert_false(post_inner_write(&out, &fields));
    fields.body.size--;
    fields.subject = bytes_of_string("s");
    assert_false(post_inner_write(&out, &fields));
    fields = (struct post_inner_fields){.body = bytes_of_string("\xff")};
    assert_false(post_inner_write(&out, &fields));
    fields = (struct post_inner_fields){.to = bytes_of(text, 19)};
    assert_false(post_inner_write(&out, &fields));
    fields = (struct post_inner_fields){.cc = bytes_of(text, 21)};
    assert_false(post_inner_write(&out, &fields));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
    free(text);
}

static void add_id(struct buffer *out, const char *text)
{
    assert_true(tlv_write(out, 0x005a, bytes_of_string(text)));
}

static void add_file(struct buffer *out, const char *hash, const char *name)
{
    size_t begin = tlv_begin(out, 0x1000);
    buffer_u64(out, 77);
    assert_true(tlv_write(out, 0x0070, bytes_of_string(hash)));
    if (name)
        assert_true(tlv_write(out, 0x0051, bytes_of_string(name)));
    assert_true(tlv_write_u32(out, 0x0031, 5));
    assert_true(tlv_end(out, begin));
}

/* What nobody of ours writes, and what is not for eyes. */
static void inner_of_others(void **state)
{
    (void)state;
    static const char hash[] = "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12";
    struct buffer out = buffer_make(1 << 20);
    buffer_append(&out,
                  "\x37"
                  "12345678",
                  9);
    size_t item = item_begin(&out, SERVICE_MESSAGE, POST_CLASSIC);
    buffer_u32(&out, 0xffffffff);
    buffer_u32(&out, 7);
    buffer_u32(&out, 8);
    assert_true(tlv_write_wide(&out, 0x0068, bytes_of("a\0b\nc\r\x1b\xc2\x85", 9)));
    assert_true(tlv_write_wide(&out, 0x0067, bytes_of("a\0b\nc\r\x1b", 7)));
    for (int list = 0; list < 3; list++) {
        size_t begin = tlv_begin(&out, 0x1021);
        add_id(&out, "0123456789abcdef0123456789abcdef");
        add_id(&out, hash);
        add_id(&out, "");
        add_id(&out, "2fd4e1c67a2d28fced849ee1bb76e7391b93eb1g");
        tlv_write(&out, 0x0999, bytes_of_string(hash)); /* unknown: skipped */
        add_id(&out, "2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12");
        assert_true(tlv_end(&out, begin));
    }
    size_t set = tlv_begin(&out, 0x1001);
    add_file(&out, "", "no hash");
    add_file(&out, hash, "a\nb\xc2\x9b\xc3\xa9");
    for (int i = 0; i < 300; i++)
        add_file(&out, hash, NULL);
    assert_true(tlv_write_wide(&out, 0x0066, bytes_of_string("title")));
    assert_true(tlv_end(&out, set));
    buffer_patch_u32(&out, item + 4, (uint32_t)(buffer_size(&out) - item));

    struct bytes plain = heap_copy(buffer_view(&out));
    struct post_inner inner;
    assert_true(post_inner_parse(&inner, plain));
    assert_int_equal(inner.flags, POST_SYSTEM);
    assert_bytes_equal(inner.subject, bytes_of_string("a�b�c���"));
    assert_bytes_equal(inner.body, bytes_of_string("a�b\nc\r�"));
    assert_int_equal(inner.to.size, 40);
    assert_int_equal(inner.cc.size, 40);
    assert_memory_equal(inner.to.data, inner.to.data + 20, 20);
    assert_int_equal(inner.file_count, POST_FILES_LIMIT);
    assert_bytes_equal(inner.files[0].name, bytes_of_string("a?b?\xc3\xa9"));
    assert_int_equal(inner.files[0].size, 77);
    assert_int_equal(inner.files[1].name.size, 0);
    post_inner_free(&inner);
    free((void *)plain.data);
    buffer_free(&out);
}

static void inner_hostile(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 5, 6, 7, 8, 0x7fffffff, 0x80000000, 0xfffffff7, 0xffffffff};
    json_t *file = vectors_load("retroshare-0.5/invite.json");
    const json_t *post = json_array_get(json_object_get(file, "messages"), 2);
    struct buffer blob = vectors_hex(post, "clear_blob"), signature = vectors_hex(post, "signature_packet");
    size_t covered = buffer_size(&blob) - buffer_size(&signature);
    for (size_t size = 0; size < covered; size++) {
        struct bytes cut = heap_copy(bytes_of(buffer_view(&blob).data, size));
        assert_false(parse_inner(cut));
        if (size >= 9 + ITEM_HEADER_SIZE) {
            set_u32((uint8_t *)cut.data + 9 + 4, (uint32_t)(size - 9));
            assert_false(parse_inner(cut));
        }
        free((void *)cut.data);
    }
    for (size_t at = 0; at + 4 <= covered; at++) {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            struct bytes changed = heap_copy(buffer_view(&blob));
            set_u32((uint8_t *)changed.data + at, lengths[i]);
            parse_inner(changed);
            free((void *)changed.data);
        }
    }
    /* A sealed letter is no classic plaintext, and not every item is a message. */
    static const size_t marks[] = {0, 9, 10, 11, 12};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        blob.memory[blob.start + marks[i]] ^= 0x0f;
        assert_false(parse_inner(buffer_view(&blob)));
        blob.memory[blob.start + marks[i]] ^= 0x0f;
    }
    assert_true(parse_inner(buffer_view(&blob)));
    buffer_free(&signature);
    buffer_free(&blob);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_items),   cmocka_unit_test(recorded_posts),
        cmocka_unit_test(recorded_session), cmocka_unit_test(documented_bytes),
        cmocka_unit_test(documented_post),  cmocka_unit_test(universal_hash),
        cmocka_unit_test(outer_refusals),   cmocka_unit_test(outer_texts),
        cmocka_unit_test(outer_bombs),      cmocka_unit_test(inner_roundtrip),
        cmocka_unit_test(inner_limits),     cmocka_unit_test(inner_of_others),
        cmocka_unit_test(inner_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
