/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <stdio.h>
#include <string.h>

#include "crypto/post_seal.h"

enum { ROOM = 1 << 17, KEY = 32 };

/* A member of exactly `size` bytes. */
static void member(void *into, size_t size, const json_t *object, const char *name)
{
    const char *text = vectors_string(object, name);
    assert_true(hex_parse(into, size, text, strlen(text)));
}

static void same(const void *found, size_t size, const json_t *object, const char *name)
{
    struct buffer expected = vectors_hex(object, name);
    assert_bytes_equal(bytes_of(found, size), buffer_view(&expected));
    buffer_free(&expected);
}

static void fill_fixed(void *state, void *into, size_t size)
{
    memcpy(into, state, size);
}

static void pair_of(struct post_pair *out, const json_t *object, const char *name)
{
    uint8_t secret[KEY];
    member(secret, sizeof(secret), object, name);
    const struct random_source source = {fill_fixed, secret};
    assert_true(post_pair_new(out, &source));
    assert_memory_equal(out->secret, secret, sizeof(secret));
}

/* One side of a tunnel that an object of the vectors describes, with what it points to. */
struct scene {
    struct post_agreement agreement;
    struct post_pair own;
    uint8_t peer[KEY], secret[KEY];
};

static void scene_open(struct scene *out, const json_t *item, bool sender)
{
    *out = (struct scene){.agreement = {.sender = sender}};
    pair_of(&out->own, item, sender ? "ephemeral_secret" : "day_secret");
    member(out->peer, KEY, item, sender ? "day_key" : "ephemeral");
    member(out->agreement.hash, 20, item, "hash");
    member(out->agreement.recipient, 20, item, "recipient");
    out->agreement.own = &out->own;
    out->agreement.peer = out->peer;
    if (json_is_string(json_object_get(item, "secret"))) {
        member(out->secret, KEY, item, "secret");
        out->agreement.secret = out->secret;
    }
}

static void check_frame(const struct post_keys *keys, const uint8_t ephemeral[KEY], const json_t *frame)
{
    const uint8_t *key = strcmp(vectors_string(frame, "way"), "forth") == 0 ? keys->forth : keys->back;
    struct buffer plain = vectors_hex(frame, "plain"), sealed = vectors_hex(frame, "sealed");
    struct buffer out = buffer_make(ROOM);
    uint8_t counter[8];
    member(counter, sizeof(counter), frame, "counter");
    struct reader reader = reader_of(bytes_of(counter, sizeof(counter)));
    uint64_t number = read_u64(&reader);
    assert_true(post_seal(&out, key, ephemeral, number, buffer_view(&plain)));
    assert_bytes_equal(buffer_view(&out), buffer_view(&sealed));
    buffer_clear(&out);
    assert_true(post_unseal(&out, key, ephemeral, number, buffer_view(&sealed)));
    assert_bytes_equal(buffer_view(&out), buffer_view(&plain));

    /* Counter, way, E and each bit of the frame are bound; what does not open leaves nothing. */
    uint8_t other[KEY];
    memcpy(other, ephemeral, KEY);
    other[0] ^= 1;
    const uint8_t *back = key == keys->forth ? keys->back : keys->forth;
    buffer_clear(&out);
    assert_false(post_unseal(&out, key, ephemeral, number + 1, buffer_view(&sealed)));
    assert_false(post_unseal(&out, back, ephemeral, number, buffer_view(&sealed)));
    assert_false(post_unseal(&out, key, other, number, buffer_view(&sealed)));
    for (size_t at = 0; at < buffer_size(&sealed); at++) {
        sealed.memory[sealed.start + at] ^= (uint8_t)(1 << at % 8);
        assert_false(post_unseal(&out, key, ephemeral, number, buffer_view(&sealed)));
        sealed.memory[sealed.start + at] ^= (uint8_t)(1 << at % 8);
    }
    for (size_t size = 0; size < buffer_size(&sealed); size++)
        assert_false(post_unseal(&out, key, ephemeral, number, bytes_of(buffer_view(&sealed).data, size)));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
    buffer_free(&sealed);
    buffer_free(&plain);
}

static void channels(void **state)
{
    (void)state;
    json_t *file = vectors_load("posts/posts.json"), *item, *frame;
    size_t i, n;
    json_array_foreach(json_object_get(file, "channels"), i, item)
    {
        for (int sender = 0; sender < 2; sender++) {
            struct scene scene;
            struct post_keys keys;
            uint8_t ephemeral[KEY];
            scene_open(&scene, item, sender != 0);
            same(scene.own.public_key, KEY, item, sender ? "ephemeral" : "day_key");
            assert_true(post_agree(&keys, &scene.agreement));
            same(keys.forth, KEY, item, "forth");
            same(keys.back, KEY, item, "back");
            member(ephemeral, KEY, item, "ephemeral");
            json_array_foreach(json_object_get(item, "frames"), n, frame)
                check_frame(&keys, ephemeral, frame);
            assert_int_equal(n, 8);
        }
    }
    assert_int_equal(i, 2);
    json_decref(file);
}

static void all_is_bound(void **state)
{
    (void)state;
    json_t *file = vectors_load("posts/posts.json");
    const json_t *item = json_array_get(json_object_get(file, "channels"), 1);
    struct scene scene;
    struct post_keys keys, other;
    scene_open(&scene, item, true);
    assert_true(post_agree(&keys, &scene.agreement));
    uint8_t *const parts[] = {scene.agreement.hash, scene.agreement.recipient, scene.secret, scene.peer,
                              scene.own.public_key};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        parts[i][3] ^= 4;
        assert_true(post_agree(&other, &scene.agreement));
        assert_memory_not_equal(other.forth, keys.forth, KEY);
        assert_memory_not_equal(other.back, keys.back, KEY);
        parts[i][3] ^= 4;
    }
    scene.agreement.secret = NULL;
    assert_true(post_agree(&other, &scene.agreement));
    assert_memory_not_equal(other.forth, keys.forth, KEY);
    json_decref(file);
}

/* Points of small order give a secret that everybody knows. */
static void weak_peers(void **state)
{
    (void)state;
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    };
    struct random_seeded seeded;
    const struct random_source source = random_from_seed(&seeded, 7);
    struct post_pair own;
    assert_true(post_pair_new(&own, &source));
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        uint8_t peer[KEY];
        struct post_keys keys;
        static const struct post_keys wiped;
        assert_true(hex_parse(peer, KEY, points[i], 2 * KEY));
        memset(&keys, 7, sizeof(keys));
        assert_false(post_agree(&keys, &(struct post_agreement){.sender = true, .own = &own, .peer = peer}));
        assert_memory_equal(&keys, &wiped, sizeof(keys));
    }
}

static void route_secret(void **state)
{
    (void)state;
    json_t *file = vectors_load("posts/posts.json");
    const json_t *item = json_object_get(file, "secret");
    uint8_t root[KEY], secret[KEY];
    member(root, KEY, item, "root");
    assert_true(post_secret(secret, root));
    same(secret, KEY, item, "secret");
    json_decref(file);
}

static void hidden_greeting(void **state)
{
    (void)state;
    json_t *file = vectors_load("posts/posts.json");
    const json_t *item = json_array_get(json_object_get(file, "greetings"), 2);
    uint8_t secret[KEY], nonce[12], hash[20];
    member(secret, KEY, item, "secret");
    member(nonce, sizeof(nonce), item, "nonce");
    member(hash, sizeof(hash), item, "hash");
    struct buffer plain = vectors_hex(item, "day_key"), signature = vectors_hex(item, "signature");
    struct buffer hidden = vectors_hex(item, "hidden"), out = buffer_make(ROOM), text = buffer_make(ROOM);
    buffer_append_bytes(&text, buffer_view(&plain));
    buffer_append_bytes(&text, buffer_view(&signature));
    assert_true(post_hide(&out, secret, nonce, hash, buffer_view(&text)));
    assert_bytes_equal(buffer_view(&out), buffer_view(&hidden));
    buffer_clear(&out);
    assert_true(post_unhide(&out, secret, nonce, hash, buffer_view(&hidden)));
    assert_bytes_equal(buffer_view(&out), buffer_view(&text));
    buffer_clear(&out);
    uint8_t *const parts[] = {secret, nonce, hash, hidden.memory + hidden.start};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        parts[i][5] ^= 1;
        assert_false(post_unhide(&out, secret, nonce, hash, buffer_view(&hidden)));
        parts[i][5] ^= 1;
    }
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&text);
    buffer_free(&out);
    buffer_free(&hidden);
    buffer_free(&signature);
    buffer_free(&plain);
    json_decref(file);
}

static void room_is_checked(void **state)
{
    (void)state;
    static const uint8_t key[KEY], plain[64];
    struct buffer out = buffer_make(64 + POST_TAG_SIZE), small = buffer_make(63);
    assert_true(post_seal(&out, key, key, 1, bytes_of(plain, sizeof(plain))));
    assert_false(post_unseal(&small, key, key, 1, buffer_view(&out)));
    assert_int_equal(buffer_size(&small), 0);
    assert_false(post_seal(&out, key, key, 2, bytes_of(plain, 1)));
    assert_int_equal(buffer_size(&out), 64 + POST_TAG_SIZE);
    buffer_free(&small);
    buffer_clear(&out);
    /* Of nothing there is the tag alone. */
    assert_true(post_seal(&out, key, key, 1, bytes_of(NULL, 0)));
    assert_int_equal(buffer_size(&out), POST_TAG_SIZE);
    small = buffer_make(16);
    assert_true(post_unseal(&small, key, key, 1, buffer_view(&out)));
    assert_int_equal(buffer_size(&small), 0);
    buffer_free(&small);
    buffer_free(&out);
}

/* For tests/scripts/test_post_vectors.py: one side of a tunnel, from standard input. */

static json_t *hex_json(struct bytes bytes)
{
    static char text[2 * ROOM + 1];
    assert_true(bytes.size <= ROOM);
    hex_lower(text, bytes.data, bytes.size);
    return json_string(text);
}

static void exchange(void **state)
{
    (void)state;
    json_t *item = json_loadf(stdin, 0, NULL), *made = json_object(), *each;
    json_t *sealed = json_array(), *opened = json_array();
    assert_non_null(item);
    bool sender = json_is_true(json_object_get(item, "sender"));
    struct scene scene;
    struct post_keys keys;
    scene_open(&scene, item, sender);
    assert_true(post_agree(&keys, &scene.agreement));
    const uint8_t *ephemeral = sender ? scene.own.public_key : scene.peer;
    const uint8_t *ours = sender ? keys.forth : keys.back, *theirs = sender ? keys.back : keys.forth;
    struct buffer out = buffer_make(ROOM);
    size_t i;
    json_array_foreach(json_object_get(item, "seal"), i, each)
    {
        struct buffer plain = hex_buffer(json_string_value(each));
        buffer_clear(&out);
        assert_true(post_seal(&out, ours, ephemeral, i + 1, buffer_view(&plain)));
        json_array_append_new(sealed, hex_json(buffer_view(&out)));
        buffer_free(&plain);
    }
    json_array_foreach(json_object_get(item, "open"), i, each)
    {
        struct buffer locked = hex_buffer(json_string_value(each));
        buffer_clear(&out);
        bool good = post_unseal(&out, theirs, ephemeral, i + 1, buffer_view(&locked));
        json_array_append_new(opened, good ? hex_json(buffer_view(&out)) : json_null());
        buffer_free(&locked);
    }
    json_object_set_new(made, "sealed", sealed);
    json_object_set_new(made, "opened", opened);
    json_dumpf(made, stdout, JSON_COMPACT);
    puts("");
    json_decref(made);
    json_decref(item);
    buffer_free(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels),     cmocka_unit_test(all_is_bound),    cmocka_unit_test(weak_peers),
        cmocka_unit_test(route_secret), cmocka_unit_test(hidden_greeting), cmocka_unit_test(room_is_checked),
    };
    const struct CMUnitTest exchanges[] = {cmocka_unit_test(exchange)};
    if (argc == 2 && strcmp(argv[1], "exchange") == 0)
        return cmocka_run_group_tests(exchanges, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
