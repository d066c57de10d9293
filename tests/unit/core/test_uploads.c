/* SPDX-License-Identifier: ISC */
/* Uploads: written in pieces, bounded, forgotten with their session. */
#include "world.h"

#include "core/uploads.h"
#include "wire/radix64.h"

static json_int_t upload_open(struct world *world, struct gateway_session *who)
{
    json_t *answer = give(world, who, json_pack("{s:s}", "do", "upload.open"));
    json_int_t id = number(answer, "upload");
    json_decref(answer);
    return id;
}

static json_t *write_of(json_int_t id, const char *data, json_int_t offset)
{
    return json_pack("{s:s,s:I,s:s,s:I}", "do", "upload.write", "upload", id, "data", data, "offset", offset);
}

static void test_pieces(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_int_t id = upload_open(world, alice);
    json_t *answer = give(world, alice, write_of(id, "YWJj", 0)); /* abc */
    assert_int_equal(number(answer, "size"), 3);
    json_decref(answer);
    answer = give(world, alice, write_of(id, "YmNkZQ==", 1)); /* bcde: two of them are new */
    assert_int_equal(number(answer, "size"), 5);
    json_decref(answer);
    bad(world, alice, write_of(id, "YWJj", 6), ERROR_INVALID);
    bad(world, alice, write_of(id, "YWJj", -1), ERROR_INVALID);
    bad(world, alice, write_of(id, "not base64!", 5), ERROR_INVALID);
    bad(world, alice, write_of(id + 1, "YWJj", 0), ERROR_NOT_FOUND);
    struct call call = {.gateway = world->gateway, .session = alice, .account = alice->account};
    struct upload *upload = upload_take(&call, id, NULL);
    struct buffer whole = buffer_make(100);
    assert_true(upload_read(upload, &whole));
    assert_true(bytes_equal(buffer_view(&whole), bytes_of_string("abcde")));
    buffer_free(&whole);
    upload_free(upload);
    bad(world, alice, write_of(id, "YWJj", 0), ERROR_NOT_FOUND);
}

static void test_bounds(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice"), *other = session_of(world, "alice");
    json_int_t id = 0;
    for (unsigned i = 0; i < UPLOADS_OF_SESSION; i++)
        id = upload_open(world, alice);
    bad(world, alice, json_pack("{s:s}", "do", "upload.open"), ERROR_LIMIT);
    /* Another session of the same account has no part in it. */
    bad(world, other, write_of(id, "YWJj", 0), ERROR_NOT_FOUND);
    good(world, alice, json_pack("{s:s,s:I}", "do", "upload.drop", "upload", id));
    upload_open(world, alice);
    gateway_logout(alice);
    assert_null(world->gateway->uploads);
    upload_open(world, other);
    uploads_sweep(world->gateway);
    assert_non_null(world->gateway->uploads);
}

static void test_largest(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_int_t id = upload_open(world, alice);
    enum { PIECE = 384 << 10 };
    uint8_t *data = calloc(1, PIECE);
    struct buffer piece = buffer_make(1 << 20);
    assert_true(radix64_encode(&piece, bytes_of(data, PIECE)));
    free(data);
    json_int_t at = 0;
    for (; at + PIECE <= UPLOAD_LIMIT; at += PIECE)
        good(world, alice, write_of(id, buffer_string(&piece), at));
    assert_int_equal(at, UPLOAD_LIMIT);
    bad(world, alice, write_of(id, "YWJj", at), ERROR_LIMIT);
    buffer_free(&piece);
}

static json_t *keep_of(json_int_t id)
{
    return json_pack("{s:s,s:I}", "do", "upload.keep", "upload", id);
}

static void test_kept(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    account_make(world, "bob");
    struct gateway_session *alice = session_of(world, "alice"), *other = session_of(world, "alice"),
                           *bob = session_of(world, "bob");
    json_int_t id = upload_open(world, alice), lost = upload_open(world, alice);
    good(world, alice, write_of(id, "YWJj", 0));
    bad(world, other, keep_of(id), ERROR_NOT_FOUND);
    json_t *answer = give(world, alice, keep_of(id));
    assert_int_equal(number(answer, "upload"), id);
    assert_int_equal(number(answer, "size"), 3);
    json_decref(answer);
    gateway_logout(alice);
    bad(world, other, write_of(lost, "YWJj", 0), ERROR_NOT_FOUND);
    bad(world, bob, write_of(id, "YWJj", 3), ERROR_NOT_FOUND);
    bad(world, bob, json_pack("{s:s,s:I}", "do", "upload.drop", "upload", id), ERROR_NOT_FOUND);
    good(world, other, write_of(id, "YWJj", 3));
    /* Those that nobody comes back for do not keep new ones out. */
    for (unsigned i = 0; i < UPLOADS_KEPT; i++)
        good(world, other, keep_of(upload_open(world, other)));
    bad(world, other, write_of(id, "YWJj", 6), ERROR_NOT_FOUND);
}

static void test_disk_full(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_int_t id = upload_open(world, alice);
    enum { PIECE = 300 << 10 };
    uint8_t *data = calloc(1, PIECE);
    struct buffer piece = buffer_make(1 << 20);
    assert_true(radix64_encode(&piece, bytes_of(data, PIECE)));
    free(data);
    struct rlimit before = disk_fill();
    bad(world, alice, write_of(id, buffer_string(&piece), 0), ERROR_UNAVAILABLE);
    disk_clear(&before);
    json_t *answer = give(world, alice, write_of(id, buffer_string(&piece), 0));
    assert_int_equal(number(answer, "size"), PIECE);
    json_decref(answer);
    buffer_free(&piece);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pieces, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_bounds, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_largest, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_kept, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_disk_full, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
