/* SPDX-License-Identifier: ISC */
#include "store_test.h"

#include <sys/stat.h>

struct blob {
    struct outcome outcome;
    char id[80];
    uint8_t data[4096];
    size_t size;
};

static void note_blob(void *arg, const char *id, struct bytes data, const struct error *error)
{
    struct blob *blob = arg;
    note_outcome(&blob->outcome, error);
    snprintf(blob->id, sizeof blob->id, "%s", id);
    blob->size = data.size;
    if (data.size > 0)
        memcpy(blob->data, data.data, data.size < sizeof blob->data ? data.size : sizeof blob->data);
}

static int begin(void **state)
{
    static struct place place;
    place_make(&place);
    place_open(&place);
    put_first(&place);
    *state = &place;
    return 0;
}

static int end(void **state)
{
    place_free(*state);
    return 0;
}

static struct blob put(struct place *place, int64_t account, struct bytes data)
{
    struct blob blob = {0};
    store_blob_put(place->store, account, data, note_blob, &blob);
    assert_int_equal(blob.outcome.calls, 0);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_int_equal(blob.outcome.calls, 1);
    return blob;
}

static struct blob get(struct place *place, int64_t account, const char *id, uint64_t offset, size_t size)
{
    struct blob blob = {0};
    store_blob_read(place->store, account, id, offset, size, note_blob, &blob);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_int_equal(blob.outcome.calls, 1);
    return blob;
}

static const char abc[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; /* FIPS 180-2 B.1 */

static void test_put_and_read(void **state)
{
    struct place *place = *state;
    char path[256];
    struct stat facts;
    struct blob blob = put(place, 1, bytes_of_string("abc"));
    assert_int_equal(blob.outcome.code, 0);
    assert_string_equal(blob.id, abc);
    assert_int_equal(blob.size, 0);
    snprintf(path, sizeof path, "%s/blobs/1/%s", place->directory, abc);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s/blobs/1", place->directory);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0700);

    assert_string_equal(put(place, 1, bytes_of_string("abc")).id, abc); /* again */
    blob = get(place, 1, abc, 0, 100);
    assert_int_equal(blob.outcome.code, 0);
    assert_string_equal(blob.id, abc);
    assert_int_equal(blob.size, 3);
    assert_memory_equal(blob.data, "abc", 3);
    blob = get(place, 1, abc, 1, 1);
    assert_int_equal(blob.size, 1);
    assert_memory_equal(blob.data, "b", 1);
    blob = get(place, 1, abc, 3, 10);
    assert_int_equal(blob.outcome.code, 0);
    assert_int_equal(blob.size, 0);
    blob = get(place, 1, abc, (uint64_t)INT64_MAX - 20, 10);
    assert_int_equal(blob.outcome.code, 0);
    assert_int_equal(blob.size, 0);
    assert_int_equal(get(place, 1, abc, UINT64_MAX, 10).outcome.code, ERROR_INVALID);

    assert_int_equal(put(place, 1, bytes_of(NULL, 0)).outcome.code, 0);
}

static void test_pieces(void **state)
{
    struct place *place = *state;
    size_t size = STORE_PIECE_LIMIT + 5000;
    uint8_t *data = calloc(1, size);
    assert_non_null(data);
    data[STORE_PIECE_LIMIT] = 7;
    struct blob blob = put(place, 1, bytes_of(data, size));
    free(data);
    struct blob piece = get(place, 1, blob.id, 0, SIZE_MAX);
    assert_int_equal(piece.size, STORE_PIECE_LIMIT);
    piece = get(place, 1, blob.id, STORE_PIECE_LIMIT, SIZE_MAX);
    assert_int_equal(piece.size, 5000);
    assert_int_equal(piece.data[0], 7);
}

static void test_wrong_ids(void **state)
{
    struct place *place = *state;
    static const char *const ids[] = {
        "",
        ".",
        "..",
        "../../retrogate.db",
        "ba7816bf",
        "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
        "../7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "ba7816bf8f01cfea414140de5dae2223/00361a396177a9cb410ff61f20015ad",
    };
    put(place, 1, bytes_of_string("abc"));
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_int_equal(get(place, 1, ids[i], 0, 10).outcome.code, ERROR_INVALID);
    assert_int_equal(get(place, 2, abc, 0, 10).outcome.code, ERROR_NOT_FOUND); /* another account's */
    assert_int_equal(get(place, 0, abc, 0, 10).outcome.code, ERROR_INVALID);
    assert_int_equal(get(place, -1, abc, 0, 10).outcome.code, ERROR_INVALID);
    assert_int_equal(put(place, 0, bytes_of_string("abc")).outcome.code, ERROR_INVALID);
}

/* A link put in a blob's place is neither read nor written through. */
static void test_links_are_not_followed(void **state)
{
    struct place *place = *state;
    char path[256];
    put(place, 1, bytes_of_string("x"));
    snprintf(path, sizeof path, "%s/blobs/1/%s", place->directory, abc);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(get(place, 1, abc, 0, 10).outcome.code, ERROR_UNAVAILABLE);
    assert_int_equal(put(place, 1, bytes_of_string("abc")).outcome.code, 0);
    assert_int_equal(get(place, 1, abc, 0, 10).size, 3);
}

static void test_an_interrupted_write_is_cleared(void **state)
{
    struct place *place = *state;
    char path[256];
    place_close(place);
    snprintf(path, sizeof path, "%s/blobs/unfinished/blob", place->directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("half", file);
    fclose(file);
    place_open(place);
    assert_int_not_equal(access(path, F_OK), 0);
}

static bool there(const struct place *place, const char *id)
{
    char path[256];
    snprintf(path, sizeof path, "%s/blobs/1/%s", place->directory, id);
    return access(path, F_OK) == 0;
}

static void test_deleted(void **state)
{
    struct place *place = *state;
    struct blob other = put(place, 1, bytes_of_string("other"));
    put(place, 1, bytes_of_string("abc"));
    store_blob_delete(place->store, 1, abc);
    store_blob_delete(place->store, 1, abc);
    store_blob_delete(place->store, 2, other.id);
    store_blob_delete(place->store, 1, "../../retrogate.db");
    uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_false(there(place, abc));
    assert_true(there(place, other.id));
    char path[256];
    path_in(path, place, "retrogate.db");
    assert_int_equal(access(path, F_OK), 0);
    /* In turn with puts. */
    struct blob again = {0};
    store_blob_delete(place->store, 1, abc);
    store_blob_put(place->store, 1, bytes_of_string("abc"), note_blob, &again);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_int_equal(again.outcome.code, 0);
    assert_true(there(place, abc));
}

/* What a crash left: a blob whose row was never committed, or was replaced. */
static void test_what_nothing_names_goes_at_the_start(void **state)
{
    struct place *place = *state;
    struct blob named = put(place, 1, bytes_of_string("named")),
                unnamed = put(place, 1, bytes_of_string("not"));
    struct conversation_row conversation = some_conversation(1, 1);
    conversation.avatar = named.id;
    struct store_batch *batch = store_begin(place->store);
    store_put_conversation(batch, &conversation);
    commit_good(place, batch);
    place_close(place);
    assert_true(there(place, unnamed.id));
    place_open(place);
    assert_true(there(place, named.id));
    assert_false(there(place, unnamed.id));
}

static void test_too_large(void **state)
{
    struct place *place = *state;
    uint8_t *data = calloc(1, STORE_BLOB_LIMIT + 1);
    assert_non_null(data);
    assert_int_equal(put(place, 1, bytes_of(data, STORE_BLOB_LIMIT + 1)).outcome.code, ERROR_LIMIT);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put_and_read, begin, end),
        cmocka_unit_test_setup_teardown(test_pieces, begin, end),
        cmocka_unit_test_setup_teardown(test_wrong_ids, begin, end),
        cmocka_unit_test_setup_teardown(test_links_are_not_followed, begin, end),
        cmocka_unit_test_setup_teardown(test_an_interrupted_write_is_cleared, begin, end),
        cmocka_unit_test_setup_teardown(test_deleted, begin, end),
        cmocka_unit_test_setup_teardown(test_what_nothing_names_goes_at_the_start, begin, end),
        cmocka_unit_test_setup_teardown(test_too_large, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
