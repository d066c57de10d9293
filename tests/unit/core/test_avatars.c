/* SPDX-License-Identifier: ISC */
/* Pictures: which are taken, how they are read, when their files go. */
#include <dirent.h>

#include "core/avatars.h"
#include "core/image.h"
#include "wire/radix64.h"
#include "world.h"

static const uint8_t png_magic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

/* What a reader looks at of a PNG; `mark` makes it another one. */
static struct bytes png(uint32_t width, uint32_t height, uint8_t mark)
{
    static struct buffer image;
    buffer_free(&image);
    image = buffer_make(64);
    buffer_append(&image, png_magic, sizeof png_magic);
    buffer_u32(&image, 13);
    buffer_append_string(&image, "IHDR");
    buffer_u32(&image, width);
    buffer_u32(&image, height);
    buffer_u8(&image, mark);
    return buffer_view(&image);
}

static enum error_code judge(const void *data, size_t size)
{
    /* In memory of its own, so that a read beyond the end is seen. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    struct error *error = NULL;
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, data, size);
    bool fits = image_fits(bytes_of(copy, size), &error);
    enum error_code code = error != NULL ? error->code : 0;
    assert_true(fits == (error == NULL));
    error_free(error);
    free(copy);
    return code;
}

#define JPEG_APP0 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0
#define JPEG_FRAME(marker, h1, h2, w1, w2)                                                                   \
    0xff, marker, 0, 17, 8, h1, h2, w1, w2, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1

static void what_is_a_picture(void **state)
{
    (void)state;
    static const struct {
        uint8_t data[64];
        size_t size;
        enum error_code code;
    } cases[] = {
        {{0xff, 0xd8, JPEG_APP0, JPEG_FRAME(0xc0, 0, 96, 0, 64)}, 39, 0},
        {{0xff, 0xd8, JPEG_APP0, JPEG_FRAME(0xc2, 0x10, 0, 0x10, 0)}, 39, 0},
        {{0xff, 0xd8, JPEG_FRAME(0xc1, 0, 1, 0, 1)}, 21, 0},
        {{0xff, 0xd8, 0xff, 0xff, JPEG_FRAME(0xc0, 0, 1, 0, 1)}, 23, 0}, /* fill bytes */
        {{0xff, 0xd8, JPEG_APP0, JPEG_FRAME(0xc0, 0x10, 1, 0, 64)}, 39, ERROR_INVALID},
        {{0xff, 0xd8, JPEG_APP0, JPEG_FRAME(0xc0, 0, 96, 0xff, 0xff)}, 39, ERROR_INVALID},
        {{0xff, 0xd8, JPEG_APP0, JPEG_FRAME(0xc0, 0, 0, 0, 64)}, 39, ERROR_INVALID}, /* told later: DNL */
        {{0xff, 0xd8, JPEG_APP0, JPEG_FRAME(0xc0, 0, 96, 0, 0)}, 39, ERROR_INVALID},
        {{0xff, 0xd8, JPEG_APP0, JPEG_FRAME(0xda, 0, 96, 0, 64)}, 39, ERROR_INVALID}, /* scan first */
        {{0xff, 0xd8, JPEG_APP0, JPEG_FRAME(0xc8, 0, 96, 0, 64)}, 39, ERROR_INVALID},
        {{0xff, 0xd8, 0xff, 0xe0, 0, 0, JPEG_FRAME(0xc0, 0, 1, 0, 1)}, 25, ERROR_INVALID},
        {{0xff, 0xd8, 0xff, 0xe0, 0, 1, JPEG_FRAME(0xc0, 0, 1, 0, 1)}, 25, ERROR_INVALID},
        {{0xff, 0xd8, 0xff, 0xe0, 0, 2, JPEG_FRAME(0xc0, 0, 1, 0, 1)}, 25, 0},
        {{0xff, 0xd8, 0xff, 0xc0, 0, 4, 8, 0, 1, 0, 1}, 11, ERROR_INVALID}, /* a frame of one number */
        {{0xff, 0xd8, 0xff}, 3, ERROR_INVALID},
        {{0xff, 0xd8, 0xff, 0xff, 0xff, 0xff}, 6, ERROR_INVALID},
        {"GIF89a\1\0\1\0", 10, ERROR_INVALID},
        {"<svg xmlns='http://www.w3.org/2000/svg'/>", 41, ERROR_INVALID},
        {"", 0, ERROR_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (judge(cases[i].data, cases[i].size) != cases[i].code)
            fail_msg("case %zu", i);
        /* Cut anywhere it is none. */
        for (size_t size = 0; cases[i].code == 0 && size < 11; size++)
            assert_int_equal(judge(cases[i].data, size), ERROR_INVALID);
    }
    static const struct {
        uint32_t width, height;
        enum error_code code;
    } sides[] = {{1, 1, 0},
                 {4096, 4096, 0},
                 {4097, 1, ERROR_INVALID},
                 {1, 4097, ERROR_INVALID},
                 {0, 1, ERROR_INVALID},
                 {1, 0, ERROR_INVALID},
                 {UINT32_MAX, 1, ERROR_INVALID}};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        struct bytes image = png(sides[i].width, sides[i].height, 0);
        assert_int_equal(judge(image.data, image.size), sides[i].code);
        for (size_t size = 0; size < 24; size++)
            assert_int_equal(judge(image.data, size), ERROR_INVALID);
    }
    static uint8_t large[IMAGE_BYTES + 1];
    struct bytes image = png(1, 1, 0);
    memcpy(large, image.data, image.size);
    assert_int_equal(judge(large, IMAGE_BYTES), 0);
    assert_int_equal(judge(large, IMAGE_BYTES + 1), ERROR_LIMIT);
}

/* --- the account's own */

static enum error_code set_avatar(struct world *world, struct gateway_session *session, struct bytes image)
{
    struct buffer base64 = buffer_make(1 << 17);
    struct answer answer;
    assert_true(radix64_encode(&base64, image));
    start(session,
          json_pack("{s:s,s:s}", "do", "account.set", "avatar", image.size > 0 ? buffer_string(&base64) : ""),
          &answer);
    finish(world, &answer);
    buffer_free(&base64);
    json_decref(answer.result);
    return answer.code;
}

static struct bytes read_blob(struct world *world, struct gateway_session *session, const char *id,
                              int offset, int size)
{
    static struct buffer data;
    buffer_free(&data);
    data = buffer_make(1 << 17);
    json_t *answer =
        give(world, session,
             json_pack("{s:s,s:s,s:i,s:i}", "do", "blob", "blob", id, "offset", offset, "size", size));
    assert_true(radix64_decode(&data, bytes_of_string(text(answer, "data"))));
    assert_true(json_is_true(json_object_get(answer, "end")) == (buffer_size(&data) < (size_t)size));
    json_decref(answer);
    return buffer_view(&data);
}

static char *own_avatar(struct world *world, struct gateway_session *session)
{
    json_t *hello = give(world, session, json_pack("{s:s}", "do", "hello")),
           *account = json_object_get(hello, "account");
    const char *id = json_string_value(json_object_get(account, "avatar"));
    assert_true(id != NULL || json_is_null(json_object_get(account, "avatar")));
    char *copy = id != NULL ? strdup(id) : NULL;
    json_decref(hello);
    return copy;
}

static void the_own_picture(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    account_make(world, "bob");
    struct gateway_session *alice = session_of(world, "alice");
    assert_null(own_avatar(world, alice));
    assert_int_equal(set_avatar(world, alice, png(5000, 1, 0)), ERROR_INVALID);
    assert_int_equal(set_avatar(world, alice, bytes_of_string("<svg/>")), ERROR_INVALID);
    assert_null(own_avatar(world, alice));
    assert_int_equal(set_avatar(world, alice, png(96, 96, 7)), 0);
    for (unsigned restarted = 0; restarted < 2; restarted++) {
        char *id = own_avatar(world, alice);
        assert_non_null(id);
        struct bytes image = png(96, 96, 7);
        assert_true(bytes_equal(read_blob(world, alice, id, 0, 1000), image));
        assert_true(bytes_equal(read_blob(world, alice, id, 8, 4), bytes_of(image.data + 8, 4)));
        assert_int_equal(read_blob(world, alice, id, 25, 10).size, 0);
        assert_int_equal(read_blob(world, alice, id, 1000, 10).size, 0);
        bad(world, session_of(world, "bob"), json_pack("{s:s,s:s}", "do", "blob", "blob", id),
            ERROR_NOT_FOUND);
        free(id);
        if (restarted == 0)
            world_restart(world);
        alice = session_of(world, "alice");
    }
    assert_int_equal(set_avatar(world, alice, bytes_of(NULL, 0)), 0);
    assert_null(own_avatar(world, alice));
}

/* --- a contact's */

static unsigned files_of(const struct world *world, const struct account *account)
{
    unsigned count = 0;
    char path[128];
    snprintf(path, sizeof path, "%s/blobs/%lld", world->directory, (long long)account->id);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    if (folder != NULL)
        closedir(folder);
    return count;
}

/* As when its chat gives it out. */
static void comes(struct world *world, struct conversation *conversation, struct bytes image)
{
    avatar_received(conversation, image);
    while (conversation->pins > 0)
        world_turn(world);
    world_settle(world);
}

static void await_files(struct world *world, const struct account *account, unsigned count)
{
    while (files_of(world, account) != count)
        world_turn(world);
}

static void a_contacts_picture(void **state)
{
    struct world *world = *state;
    struct pair pair;
    pair_make(&pair, world);
    struct account *alice = pair.alice->account;
    struct conversation *with_bob = pair.with_bob;
    comes(world, with_bob, png(4097, 1, 1));
    comes(world, with_bob, bytes_of_string("\xff\xd8\xff"));
    assert_string_equal(with_bob->avatar, "");
    assert_int_equal(files_of(world, alice), 0);
    comes(world, with_bob, png(1, 1, 1));
    assert_int_equal(strlen(with_bob->avatar), 64);
    assert_true(bytes_equal(read_blob(world, pair.alice, with_bob->avatar, 0, 100), png(1, 1, 1)));

    /* The one before goes, unless another conversation shows it. */
    comes(world, with_bob, png(1, 1, 2));
    await_files(world, alice, 1);
    comes(world, with_bob, png(1, 1, 2));
    assert_true(bytes_equal(read_blob(world, pair.alice, with_bob->avatar, 0, 100), png(1, 1, 2)));
    account_make(world, "carol");
    add_contact(world, pair.alice, "carol");
    free(invite_link(world, pair.alice, "carol"));
    struct conversation *with_carol = conversation_with(pair.alice, "carol");
    comes(world, with_carol, png(1, 1, 2));
    comes(world, with_bob, png(1, 1, 3));
    assert_int_equal(files_of(world, alice), 2);
    assert_true(bytes_equal(read_blob(world, pair.alice, with_carol->avatar, 0, 100), png(1, 1, 2)));

    /* What is on its way for one is not taken away by another. */
    avatar_received(with_bob, png(1, 1, 2));
    comes(world, with_carol, png(1, 1, 4));
    while (with_bob->pins > 0)
        world_turn(world);
    world_settle(world);
    assert_true(bytes_equal(read_blob(world, pair.alice, with_bob->avatar, 0, 100), png(1, 1, 2)));
    await_files(world, alice, 2);

    good(world, pair.alice, json_pack("{s:s,s:s}", "do", "contact.remove", "contact", "carol"));
    await_files(world, alice, 1);
    world_restart(world);
    alice = account_by_name(world->gateway, "alice");
    struct gateway_session *session = session_of(world, "alice");
    assert_int_equal(files_of(world, alice), 1);
    assert_true(bytes_equal(read_blob(world, session, conversation_with(session, "bob")->avatar, 0, 100),
                            png(1, 1, 2)));

    /* One that comes while its conversation goes leaves nothing. */
    struct conversation *leaving = conversation_with(session, "bob");
    struct answer answer;
    start(session, json_pack("{s:s,s:s}", "do", "contact.remove", "contact", "bob"), &answer);
    avatar_received(leaving, png(1, 1, 5));
    finish(world, &answer);
    json_decref(answer.result);
    await_files(world, alice, 0);
}

static void a_full_disk_keeps_the_old_one(void **state)
{
    struct world *world = *state;
    struct pair pair;
    pair_make(&pair, world);
    comes(world, pair.with_bob, png(1, 1, 1));
    struct rlimit before = disk_fill();
    comes(world, pair.with_bob, png(1, 1, 2));
    disk_clear(&before);
    assert_true(bytes_equal(read_blob(world, pair.alice, pair.with_bob->avatar, 0, 100), png(1, 1, 1)));
    comes(world, pair.with_bob, png(1, 1, 2));
    assert_true(bytes_equal(read_blob(world, pair.alice, pair.with_bob->avatar, 0, 100), png(1, 1, 2)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_a_picture),
        TEST(the_own_picture),
        TEST(a_contacts_picture),
        TEST(a_full_disk_keeps_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
