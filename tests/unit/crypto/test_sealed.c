/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <stdio.h>
#include <string.h>

#include "crypto/salt.h"
#include "crypto/sealed.h"

enum { ROOM = 1 << 17 };

static struct sealed_cipher *cipher;

static int open_cipher(void **state)
{
    (void)state;
    cipher = sealed_cipher_new();
    return cipher ? 0 : -1;
}

static int close_cipher(void **state)
{
    (void)state;
    sealed_cipher_free(cipher);
    return 0;
}

/* A member of exactly `size` bytes. */
static void member(void *into, size_t size, const json_t *object, const char *name)
{
    const char *text = vectors_string(object, name);
    assert_true(hex_parse(into, size, text, strlen(text)));
}

static int named(const json_t *object, const char *name, const char *zero, const char *one)
{
    const char *text = vectors_string(object, name);
    assert_true(strcmp(text, zero) == 0 || strcmp(text, one) == 0);
    return strcmp(text, one) == 0;
}

static void fill_fixed(void *state, void *into, size_t size)
{
    memcpy(into, state, size);
}

/* One side of a handshake that an object of the vectors describes, with what it points to. */
struct scene {
    struct sealed_handshake handshake;
    struct sealed_ephemeral own;
    uint8_t peer[SEALED_ANNOUNCEMENT_SIZE];
    struct buffer secret;
};

static void scene_open(struct scene *scene, const json_t *item, enum sealed_side side)
{
    static const char *const secrets[] = {"opener_secret", "answerer_secret"};
    static const char *const announcements[] = {"opener_announcement", "answerer_announcement"};
    struct sealed_handshake *shake = &scene->handshake;
    *shake = (struct sealed_handshake){
        .mode = named(item, "mode", "offer", "root") ? SEALED_ROOTED : SEALED_OFFER,
        .opener = named(item, "opener", "guest", "inviter") ? SEALED_INVITER : SEALED_GUEST,
        .side = side,
        .own = &scene->own,
        .peer = scene->peer,
    };
    member(shake->hash, sizeof(shake->hash), item, "hash");
    member(shake->context, sizeof(shake->context), item, "context");
    member(shake->guest, sizeof(shake->guest), item, "guest");
    member(shake->inviter, sizeof(shake->inviter), item, "inviter");
    scene->secret = vectors_hex(item, "secret");
    shake->secret = buffer_view(&scene->secret);

    uint8_t ephemeral[SEALED_EPHEMERAL_SIZE], announcement[SEALED_ANNOUNCEMENT_SIZE];
    member(ephemeral, sizeof(ephemeral), item, secrets[side]);
    member(announcement, sizeof(announcement), item, announcements[side]);
    member(scene->peer, sizeof(scene->peer), item, announcements[!side]);
    const struct random_source source = {fill_fixed, ephemeral};
    assert_true(sealed_ephemeral_new(&scene->own, side, &source));
    assert_memory_equal(scene->own.secret, ephemeral, sizeof(ephemeral));
    assert_memory_equal(scene->own.announcement, announcement, sizeof(announcement));
}

static void assert_direction(const struct sealed_direction *direction, const json_t *item, const char *key,
                             const char *mask)
{
    struct sealed_direction expected;
    member(expected.key, sizeof(expected.key), item, key);
    member(expected.mask, sizeof(expected.mask), item, mask);
    assert_memory_equal(direction, &expected, sizeof(expected));
}

static void check_frame(const json_t *item, const struct sealed_keys *opener,
                        const struct sealed_keys *answerer)
{
    bool from_answerer = named(item, "from", "opener", "answerer");
    const struct sealed_keys *from = from_answerer ? answerer : opener,
                             *to = from_answerer ? opener : answerer;
    struct buffer plain = vectors_hex(item, "plain"), frame = vectors_hex(item, "frame");
    uint8_t packed[8];
    member(packed, sizeof(packed), item, "counter");
    struct reader reader = reader_of(bytes_of(packed, sizeof(packed)));
    uint64_t counter = read_u64(&reader), found;
    struct buffer sealed = buffer_make(ROOM), opened = buffer_make(ROOM);
    assert_true(sealed_frame_seal(cipher, &sealed, &from->own, counter, buffer_view(&plain)));
    assert_bytes_equal(buffer_view(&sealed), buffer_view(&frame));
    assert_true(sealed_frame_open(cipher, &opened, &to->peer, &found, buffer_view(&frame)));
    assert_true(found == counter);
    assert_bytes_equal(buffer_view(&opened), buffer_view(&plain));
    assert_false(
        sealed_frame_open(cipher, &opened, &from->peer, &found, buffer_view(&frame))); /* reflected */
    struct buffer *all[] = {&plain, &frame, &sealed, &opened};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        buffer_free(all[i]);
}

static void handshakes_and_frames(void **state)
{
    (void)state;
    json_t *file = vectors_load("sealed/sealed.json"), *item, *frame;
    size_t i, n;
    json_array_foreach(json_object_get(file, "handshakes"), i, item)
    {
        struct sealed_keys keys[2];
        uint8_t root[SEALED_ROOT_SIZE];
        member(root, sizeof(root), item, "root");
        for (int side = SEALED_OPENER; side <= SEALED_ANSWERER; side++) {
            struct scene scene;
            scene_open(&scene, item, (enum sealed_side)side);
            assert_true(sealed_derive(&keys[side], &scene.handshake));
            buffer_free(&scene.secret);
            const struct sealed_keys *own = &keys[side];
            assert_direction(side == SEALED_OPENER ? &own->own : &own->peer, item, "key_o", "mask_o");
            assert_direction(side == SEALED_OPENER ? &own->peer : &own->own, item, "key_a", "mask_a");
            assert_memory_equal(own->root, root, sizeof(root));
        }
        json_array_foreach(json_object_get(item, "frames"), n, frame)
            check_frame(frame, &keys[SEALED_OPENER], &keys[SEALED_ANSWERER]);
        assert_int_equal(n, 16);
    }
    assert_int_equal(i, 3);
    json_decref(file);
}

static void hashes_claims_and_announce_keys(void **state)
{
    (void)state;
    json_t *file = vectors_load("sealed/sealed.json"), *item;
    size_t i;
    uint8_t root[SEALED_ROOT_SIZE], hash[SEALED_HASH_SIZE], made[SEALED_HASH_SIZE], key[16], announce[16];
    json_array_foreach(json_object_get(file, "rendezvous"), i, item)
    {
        member(root, sizeof(root), item, "root");
        member(hash, sizeof(hash), item, "hash");
        uint64_t day = (uint64_t)json_integer_value(json_object_get(item, "day"));
        enum sealed_party serving =
            named(item, "serving", "guest", "inviter") ? SEALED_INVITER : SEALED_GUEST;
        assert_true(sealed_rendezvous(made, root, day, serving));
        assert_memory_equal(made, hash, sizeof(hash));
    }
    assert_int_equal(i, 10);
    json_array_foreach(json_object_get(file, "announce_keys"), i, item)
    {
        member(root, sizeof(root), item, "root");
        member(hash, sizeof(hash), item, "hash");
        member(key, sizeof(key), item, "key");
        assert_true(sealed_announce_key(announce, root, hash));
        assert_memory_equal(announce, key, sizeof(key));
    }
    assert_int_equal(i, 2);
    uint8_t secret[16], claim[SEALED_CLAIM_SIZE], claimed[SEALED_CLAIM_SIZE];
    item = json_object_get(file, "claim");
    member(secret, sizeof(secret), item, "secret");
    member(claim, sizeof(claim), item, "claim");
    assert_true(sealed_claim(claimed, secret));
    assert_memory_equal(claimed, claim, sizeof(claim));
    json_decref(file);
}

/* Both sides of a handshake of fixed values. */
struct pair {
    struct sealed_ephemeral ephemerals[2];
    struct sealed_handshake sides[2];
    uint8_t secret[SEALED_ROOT_SIZE];
};

static void pair_make(struct pair *pair, enum sealed_mode mode)
{
    struct random_seeded seeded;
    struct random_source source = random_from_seed(&seeded, 4);
    memset(pair, 0, sizeof(*pair));
    source.fill(source.state, pair->secret, sizeof(pair->secret));
    for (int side = SEALED_OPENER; side <= SEALED_ANSWERER; side++)
        assert_true(sealed_ephemeral_new(&pair->ephemerals[side], (enum sealed_side)side, &source));
    for (int side = SEALED_OPENER; side <= SEALED_ANSWERER; side++)
        pair->sides[side] = (struct sealed_handshake){
            .mode = mode,
            .side = (enum sealed_side)side,
            .hash = {1},
            .context = {2},
            .guest = {3},
            .inviter = {4},
            .secret = bytes_of(pair->secret, mode == SEALED_OFFER ? 16 : 32),
            .own = &pair->ephemerals[side],
            .peer = pair->ephemerals[!side].announcement,
        };
}

static bool is_zero(const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0 && at[size - 1] == 0)
        size--;
    return size == 0;
}

static void refused(const struct sealed_handshake *handshake)
{
    struct sealed_keys keys;
    memset(&keys, 'k', sizeof(keys));
    assert_false(sealed_derive(&keys, handshake));
    assert_true(is_zero(&keys, sizeof(keys)));
}

static void sides_are_checked(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t peer[SEALED_ANNOUNCEMENT_SIZE];
    pair_make(&pair, SEALED_OFFER);
    struct sealed_handshake opener = pair.sides[SEALED_OPENER];
    opener.peer = opener.own->announcement; /* reflected */
    refused(&opener);
    opener.peer = peer;
    memcpy(peer, pair.sides[SEALED_OPENER].peer, sizeof(peer));
    for (unsigned first = 0; first < 256; first++) {
        struct sealed_keys keys;
        peer[0] = (uint8_t)first;
        assert_int_equal(sealed_derive(&keys, &opener), first == 0x21);
    }
    peer[0] = 0x20;
    opener.side = SEALED_ANSWERER; /* not the side that our own announcement names */
    refused(&opener);
    opener = pair.sides[SEALED_OPENER];
    opener.secret.size = 32;
    refused(&opener);
    opener.secret.size = 0;
    refused(&opener);
    pair_make(&pair, SEALED_ROOTED);
    opener = pair.sides[SEALED_OPENER];
    opener.secret.size = 16;
    refused(&opener);
}

/* All points of small order on the curve and its twist, in each encoding below 2^256 (RFC 7748 §6.1 asks for
 * the check; the list is that of cr.yp.to/ecdh.html). */
static void small_orders_are_refused(void **state)
{
    (void)state;
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct pair pair;
    pair_make(&pair, SEALED_OFFER);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        for (unsigned high = 0; high < 2; high++) {
            uint8_t peer[SEALED_ANNOUNCEMENT_SIZE] = {0x21};
            assert_true(hex_parse(peer + 1, 32, points[i], 64));
            peer[32] |= (uint8_t)(high << 7);
            pair.sides[SEALED_OPENER].peer = peer;
            refused(&pair.sides[SEALED_OPENER]);
        }
    }
}

/* Whatever the two sides do not agree on gives other keys; the context counts in offer mode only. */
static void everything_is_in_the_transcript(void **state)
{
    (void)state;
    for (int mode = SEALED_OFFER; mode <= SEALED_ROOTED; mode++) {
        struct pair pair;
        pair_make(&pair, (enum sealed_mode)mode);
        struct sealed_handshake *shake = &pair.sides[SEALED_ANSWERER];
        uint8_t peer[SEALED_ANNOUNCEMENT_SIZE];
        memcpy(peer, shake->peer, sizeof(peer));
        shake->peer = peer;
        struct sealed_keys opener, answerer;
        assert_true(sealed_derive(&opener, &pair.sides[SEALED_OPENER]));
        assert_true(sealed_derive(&answerer, shake));
        assert_memory_equal(&opener.own, &answerer.peer, sizeof(opener.own));
        assert_memory_equal(&opener.peer, &answerer.own, sizeof(opener.own));
        assert_memory_equal(opener.root, answerer.root, sizeof(opener.root));
        assert_memory_not_equal(opener.own.key, opener.peer.key, sizeof(opener.own.key));

        /* 2^255 is ignored in a public key (RFC 7748 §5): Z stays, T does not. */
        uint8_t *parts[] = {shake->hash, shake->guest, shake->inviter, peer + 1,
                            peer + 32,   pair.secret,  shake->context};
        uint8_t bits[] = {1, 1, 1, 1, 0x80, 1, 1};
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            *parts[i] ^= bits[i];
            assert_true(sealed_derive(&answerer, shake));
            bool same = mode == SEALED_ROOTED && parts[i] == shake->context;
            assert_int_equal(memcmp(&opener.own, &answerer.peer, sizeof(opener.own)) == 0, same);
            assert_int_equal(memcmp(opener.root, answerer.root, sizeof(opener.root)) == 0, same);
            *parts[i] ^= bits[i];
        }
        shake->opener = SEALED_INVITER;
        assert_true(sealed_derive(&answerer, shake));
        assert_memory_not_equal(&opener.own, &answerer.peer, sizeof(opener.own));
    }
}

static void altered_frames_are_refused(void **state)
{
    (void)state;
    const struct sealed_direction direction = {.key = {5}, .mask = {6}};
    const uint64_t counters[] = {0, 1, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX};
    uint8_t plain[16 + 256];
    memset(plain, 'p', sizeof(plain));
    struct buffer frame = buffer_make(ROOM), opened = buffer_make(ROOM);
    opened.secret = true; /* so that what opened before is not taken for what did not */
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        size_t size = i == 0 ? sizeof(plain) : 16;
        uint64_t counter = 77;
        buffer_clear(&frame);
        assert_true(sealed_frame_seal(cipher, &frame, &direction, counters[i], bytes_of(plain, size)));
        assert_int_equal(buffer_size(&frame), size + SEALED_OVERHEAD);
        buffer_clear(&opened);
        buffer_append_string(&opened, "before");
        uint8_t *at = frame.memory + frame.start;
        for (size_t bit = 0; bit < 8 * buffer_size(&frame); bit++) {
            at[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(sealed_frame_open(cipher, &opened, &direction, &counter, buffer_view(&frame)));
            assert_null(memmem(opened.memory, opened.capacity, "pppp", 4)); /* what was decrypted is wiped */
            at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t cut = 0; cut < buffer_size(&frame); cut++) {
            assert_false(sealed_frame_open(cipher, &opened, &direction, &counter, bytes_of(at, cut)));
            assert_false(sealed_frame_open(cipher, &opened, &direction, &counter,
                                           bytes_of(at + cut + 1, buffer_size(&frame) - cut - 1)));
        }
        assert_int_equal(counter, 77);
        assert_string_equal(buffer_string(&opened), "before");
        assert_true(sealed_frame_open(cipher, &opened, &direction, &counter, buffer_view(&frame)));
        assert_true(counter == counters[i]);
    }
    buffer_free(&opened);
    buffer_free(&frame);
}

/* The counter that is masked is the one of the nonce: neither another mask key nor another counter opens. */
static void mask_is_bound(void **state)
{
    (void)state;
    const struct sealed_direction direction = {.key = {5}, .mask = {6}};
    const struct sealed_direction other_mask = {.key = {5}, .mask = {7}};
    const struct sealed_direction other_key = {.key = {6}, .mask = {6}};
    const uint8_t plain[16] = {0};
    uint64_t counter;
    struct buffer frame = buffer_make(ROOM), opened = buffer_make(ROOM);
    assert_true(sealed_frame_seal(cipher, &frame, &direction, 3, bytes_of(plain, sizeof(plain))));
    assert_false(sealed_frame_open(cipher, &opened, &other_mask, &counter, buffer_view(&frame)));
    assert_false(sealed_frame_open(cipher, &opened, &other_key, &counter, buffer_view(&frame)));
    frame.memory[frame.start + 7] ^= 3 ^ 4;
    assert_false(sealed_frame_open(cipher, &opened, &direction, &counter, buffer_view(&frame)));
    frame.memory[frame.start + 7] ^= 3 ^ 4;
    struct reader reader = reader_of(buffer_view(&frame));
    uint64_t masked = read_u64(&reader);
    assert_true(masked == (3 ^ siphash24(direction.mask, reader.at + sizeof(plain), 16)));
    assert_true(sealed_frame_open(cipher, &opened, &direction, &counter, buffer_view(&frame)));
    buffer_free(&opened);
    buffer_free(&frame);
}

static void room_is_checked(void **state)
{
    (void)state;
    const struct sealed_direction direction = {.key = {5}, .mask = {6}};
    const uint8_t plain[16] = {0};
    uint64_t counter;
    struct buffer frame = buffer_make(39);
    assert_false(sealed_frame_seal(cipher, &frame, &direction, 0, bytes_of(plain, sizeof(plain))));
    assert_int_equal(buffer_size(&frame), 0);
    buffer_free(&frame);
    frame = buffer_make(40);
    assert_true(sealed_frame_seal(cipher, &frame, &direction, 0, bytes_of(plain, sizeof(plain))));
    struct buffer opened = buffer_make(15);
    assert_false(sealed_frame_open(cipher, &opened, &direction, &counter, buffer_view(&frame)));
    buffer_free(&opened);
    opened = buffer_make(16);
    assert_true(sealed_frame_open(cipher, &opened, &direction, &counter, buffer_view(&frame)));
    buffer_free(&opened);
    buffer_free(&frame);
}

/* For tests/scripts/test_sealed_vectors.py: reads one side of a handshake with plaintexts to seal and frames
 * to open, and prints what this code makes of them. */
static json_t *hex_json(const void *data, size_t size)
{
    static char text[2 * ROOM + 1];
    assert_true(size <= ROOM);
    hex_lower(text, data, size);
    return json_string(text);
}

static void exchange(void **state)
{
    (void)state;
    json_t *item = json_loadf(stdin, 0, NULL), *made = json_object(), *each;
    json_t *sealed = json_array(), *opened = json_array();
    assert_non_null(item);
    struct scene scene;
    struct sealed_keys keys;
    scene_open(&scene, item, named(item, "side", "opener", "answerer") ? SEALED_ANSWERER : SEALED_OPENER);
    assert_true(sealed_derive(&keys, &scene.handshake));
    json_object_set_new(made, "root", hex_json(keys.root, sizeof(keys.root)));
    struct buffer out = buffer_make(ROOM);
    size_t i;
    uint64_t counter;
    json_array_foreach(json_object_get(item, "seal"), i, each)
    {
        struct buffer plain = hex_buffer(json_string_value(each));
        buffer_clear(&out);
        assert_true(sealed_frame_seal(cipher, &out, &keys.own, i, buffer_view(&plain)));
        json_array_append_new(sealed, hex_json(buffer_view(&out).data, buffer_size(&out)));
        buffer_free(&plain);
    }
    json_array_foreach(json_object_get(item, "open"), i, each)
    {
        struct buffer frame = hex_buffer(json_string_value(each));
        buffer_clear(&out);
        bool good = sealed_frame_open(cipher, &out, &keys.peer, &counter, buffer_view(&frame));
        assert_true(!good || counter == i);
        json_array_append_new(opened,
                              good ? hex_json(buffer_view(&out).data, buffer_size(&out)) : json_null());
        buffer_free(&frame);
    }
    json_object_set_new(made, "sealed", sealed);
    json_object_set_new(made, "opened", opened);
    json_dumpf(made, stdout, JSON_COMPACT);
    puts("");
    json_decref(made);
    json_decref(item);
    buffer_free(&out);
    buffer_free(&scene.secret);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_and_frames),
        cmocka_unit_test(hashes_claims_and_announce_keys),
        cmocka_unit_test(sides_are_checked),
        cmocka_unit_test(small_orders_are_refused),
        cmocka_unit_test(everything_is_in_the_transcript),
        cmocka_unit_test(altered_frames_are_refused),
        cmocka_unit_test(mask_is_bound),
        cmocka_unit_test(room_is_checked),
    };
    const struct CMUnitTest exchanges[] = {cmocka_unit_test(exchange)};
    if (argc == 2 && strcmp(argv[1], "exchange") == 0)
        return cmocka_run_group_tests(exchanges, open_cipher, close_cipher);
    return cmocka_run_group_tests(tests, open_cipher, close_cipher);
}
