/* SPDX-License-Identifier: ISC */
#include "post_test.h"

#include <sqlite3.h>

/* What outlives a post, goes with it, or is found again at the start. */

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

static int64_t number_of(const struct place *place, const char *sql)
{
    char path[256];
    sqlite3 *database;
    sqlite3_stmt *statement;
    path_in(path, place, "retrogate.db");
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return number;
}

static void wait_until_purged(const struct place *place)
{
    while (number_of(place, "SELECT (SELECT count(*) FROM purge) + (SELECT count(*) FROM loose_blob)"
                            " + (SELECT count(*) FROM post_mark WHERE time < 1000)") > 0)
        continue;
}

static bool blob_there(const struct place *place, const char *id)
{
    char path[256];
    snprintf(path, sizeof path, "%s/blobs/1/%s", place->directory, id);
    return access(path, F_OK) == 0;
}

static struct post_row post_with_blob(int64_t seq, const char *blob)
{
    struct post_row row = some_post(1, seq, "in");
    row.blob = blob;
    return row;
}

static void remove_post(struct place *place, int64_t seq)
{
    struct store_batch *batch = store_begin(place->store);
    store_remove_post(batch, 1, seq, 1000 + seq);
    commit_good(place, batch);
}

static void test_a_blob_goes_with_the_last_that_names_it(void **state)
{
    struct place *place = *state;
    char shared[65], alone[65], avatar[65];
    put_blob(place, bytes_of_string("shared"), shared);
    put_blob(place, bytes_of_string("alone"), alone);
    put_blob(place, bytes_of_string("avatar"), avatar);
    struct post_row rows[] = {post_with_blob(1, shared), post_with_blob(2, shared), post_with_blob(3, alone),
                              post_with_blob(4, avatar)};
    for (size_t i = 0; i < 4; i++)
        put_post_row(place, &rows[i]);
    struct conversation_row conversation = some_conversation(1, 1);
    conversation.avatar = avatar;
    struct store_batch *batch = store_begin(place->store);
    store_put_conversation(batch, &conversation);
    commit_good(place, batch);

    remove_post(place, 1);
    remove_post(place, 3);
    remove_post(place, 4);
    wait_until_purged(place);
    assert_true(blob_there(place, shared));
    assert_false(blob_there(place, alone));
    assert_true(blob_there(place, avatar));
    remove_post(place, 2);
    wait_until_purged(place);
    assert_false(blob_there(place, shared));

    /* What was removed since it was put is missed, not named. */
    struct post_row late = post_with_blob(5, shared);
    batch = store_begin(place->store);
    store_put_post(batch, &late);
    assert_int_equal(commit_now(place, batch).code, ERROR_NOT_FOUND);
    put_blob(place, bytes_of_string("shared"), shared);
    put_post_row(place, &late);
    assert_string_equal(get_post(place, 1, 5)->blob, shared);
}

static void test_blobs_at_the_start(void **state)
{
    struct place *place = *state;
    char named[65], unnamed[65];
    put_blob(place, bytes_of_string("named"), named);
    put_blob(place, bytes_of_string("unnamed"), unnamed);
    struct post_row row = post_with_blob(1, named);
    put_post_row(place, &row);
    place_close(place);
    place_open(place);
    assert_true(blob_there(place, named));
    assert_false(blob_there(place, unnamed));
}

static void test_opened_at_last(void **state)
{
    struct place *place = *state;
    char locked[65], opened[65];
    put_blob(place, bytes_of_string("ciphertext"), locked);
    put_blob(place, bytes_of_string("opened"), opened);
    struct post_row parent = some_post(1, 1, "out"), row = post_with_blob(2, locked);
    parent.message_id = "<p>";
    put_post_row(place, &parent);
    row.verdict = "locked";
    put_post_row(place, &row);
    assert_int_equal(get_post(place, 1, 2)->last.thread, 2);

    row.verdict = "signed";
    row.in_reply_to = "<p>";
    row.blob = opened;
    row.change = 10;
    struct store_batch *batch = store_begin(place->store);
    store_replace_post(batch, &row);
    commit_good(place, batch);
    wait_until_purged(place);
    assert_false(blob_there(place, locked));
    assert_true(blob_there(place, opened));
    const struct posts *posts = get_post(place, 1, 2);
    assert_string_equal(posts->verdict, "signed");
    assert_int_equal(posts->last.thread, 1);
    assert_int_equal(posts->last.change, 10);

    row.blob = "";
    row.message = bytes_of_string("inline");
    batch = store_begin(place->store);
    store_replace_post(batch, &row);
    commit_good(place, batch);
    wait_until_purged(place);
    assert_false(blob_there(place, opened));
    assert_int_equal(get_post(place, 1, 2)->message_size, 6);

    batch = store_begin(place->store);
    row.seq = 3;
    store_replace_post(batch, &row);
    assert_int_equal(commit_now(place, batch).code, ERROR_NOT_FOUND);
}

struct known {
    unsigned calls;
    bool known;
};

static void note_known(void *arg, bool known, const struct error *error)
{
    struct known *answer = arg;
    assert_null(error);
    answer->known = known;
    answer->calls++;
}

static bool is_known(struct place *place, int64_t account, const struct post_mark *mark)
{
    struct known answer = {0};
    store_post_known(place->store, account, mark, note_known, &answer);
    while (answer.calls == 0)
        uv_run(&place->loop, UV_RUN_ONCE);
    assert_int_equal(answer.calls, 1);
    return answer.known;
}

static struct post_mark mark_of(uint8_t digest, uint8_t sender, uint8_t message_id)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct post_mark mark = {.time = (int64_t)now.tv_sec * 1000};
    mark.digest[31] = digest;
    mark.sender[19] = sender;
    mark.message_id[0] = message_id;
    return mark;
}

static enum error_code put_with_mark(struct place *place, int64_t seq, const struct post_mark *mark)
{
    struct post_row row = some_post(1, seq, "in");
    struct store_batch *batch = store_begin(place->store);
    store_put_post(batch, &row);
    store_put_post_mark(batch, 1, mark);
    enum error_code code = commit_now(place, batch).code;
    assert_int_equal(get_post(place, 1, seq)->outcome.code, code == 0 ? 0 : ERROR_NOT_FOUND);
    return code;
}

static void test_marks(void **state)
{
    struct place *place = *state;
    struct post_mark sealed = mark_of(1, 1, 1), classic = mark_of(2, 0, 0), other = mark_of(3, 0, 0);
    assert_false(is_known(place, 1, &sealed));
    assert_int_equal(put_with_mark(place, 1, &sealed), 0);
    assert_int_equal(put_with_mark(place, 2, &classic), 0);
    assert_int_equal(put_with_mark(place, 3, &other), 0); /* zeros are nobody twice */

    struct post_mark again = mark_of(9, 1, 1), next = mark_of(8, 1, 2), digest = mark_of(1, 5, 5);
    assert_true(is_known(place, 1, &sealed));
    assert_true(is_known(place, 1, &classic));
    assert_true(is_known(place, 1, &again));
    assert_true(is_known(place, 1, &digest));
    assert_false(is_known(place, 1, &next));
    assert_false(is_known(place, 2, &sealed));
    assert_int_equal(put_with_mark(place, 4, &again), ERROR_EXISTS);
    assert_int_equal(put_with_mark(place, 4, &digest), ERROR_EXISTS);
    assert_int_equal(put_with_mark(place, 4, &classic), ERROR_EXISTS);
    assert_int_equal(put_with_mark(place, 4, &next), 0);

    /* They outlive their posts and the process. */
    remove_post(place, 1);
    place_close(place);
    place_open(place);
    assert_true(is_known(place, 1, &again));
    struct store_batch *batch = store_begin(place->store);
    store_put_post_mark(batch, 7, &again);
    assert_int_equal(commit_now(place, batch).code, ERROR_NOT_FOUND);
}

static void test_old_marks_go(void **state)
{
    struct place *place = *state;
    struct post_mark old = mark_of(1, 1, 1), young = mark_of(2, 2, 2);
    old.time = 1;
    struct store_batch *batch = store_begin(place->store);
    for (unsigned i = 0; i < 1200; i++) {
        memcpy(old.digest, &i, sizeof i);
        memcpy(old.message_id, &i, sizeof i);
        store_put_post_mark(batch, 1, &old);
    }
    store_put_post_mark(batch, 1, &young);
    commit_good(place, batch);
    wait_until_purged(place);
    assert_int_equal(number_of(place, "SELECT count(*) FROM post_mark"), 1);
    assert_true(is_known(place, 1, &young));
    assert_int_equal(put_with_mark(place, 1, &old), 0);
}

/* --- the start */

struct loaded {
    char text[2048];
    size_t used;
};

static void say(struct loaded *loaded, const char *what, int64_t a, int64_t b, const char *word)
{
    int size = snprintf(loaded->text + loaded->used, sizeof loaded->text - loaded->used, "%s %lld %lld %s\n",
                        what, (long long)a, (long long)b, word);
    loaded->used += (size_t)size;
    assert_true(loaded->used < sizeof loaded->text);
}

static void on_contact(void *arg, const struct contact_row *row)
{
    say(arg, "contact", row->account, row->id, row->posts);
}

static void on_client(void *arg, const struct client_row *row)
{
    say(arg, "client", row->account, 0, row->name);
}

static void on_link(void *arg, const struct post_link_row *row)
{
    assert_int_equal(row->hash[19], 0x33);
    assert_int_equal(row->expires, 101);
    assert_int_equal(row->created, 102);
    assert_int_equal(row->change, 103);
    say(arg, "link", row->account, row->id, row->state);
}

static void on_way(void *arg, const struct post_way_row *row)
{
    assert_int_equal(row->hash[0], row->expires);
    say(arg, "way", row->account, row->contact, row->hash[0] == 1 ? "first" : "second");
}

static void on_queued(void *arg, const struct delivery_row *row)
{
    say(arg, "queued", row->seq, row->contact, row->delivery);
}

static void on_locked(void *arg, const struct post_row *row)
{
    assert_int_equal(row->message.size, 0);
    say(arg, "locked", row->account, row->seq, row->verdict);
}

static void on_queued_line(void *arg, const struct line_row *row)
{
    say(arg, "line", row->account, row->seq, row->delivery);
}

static void on_highest(void *arg, int64_t id)
{
    say(arg, "highest", id, 0, "");
}

static void assert_loads(struct place *place, const char *expected)
{
    static const struct store_loader loader = {.contact = on_contact,
                                               .client = on_client,
                                               .post_link = on_link,
                                               .post_way = on_way,
                                               .queued_delivery = on_queued,
                                               .locked_post = on_locked,
                                               .queued_line = on_queued_line,
                                               .highest_id = on_highest};
    struct loaded loaded = {0};
    place_close(place);
    place_open_with(place, &loader, &loaded);
    assert_string_equal(loaded.text, expected);
}

static void put_all(struct place *place)
{
    struct contact_row contact = some_contact(1, 2, "bob");
    struct client_row client = {.account = 1, .name = "irc/x"};
    struct post_link_row link = {1000, 1, {0}, 101, "open", 102, 103};
    struct post_way_row way = {1, 2, {1}, 1}, other = {1, 2, {2}, 2};
    struct line_row line = some_line(1, 50, 1, "x");
    link.hash[19] = 0x33;
    contact.posts = "classic";
    line.direction = "out";
    line.delivery = "queued";
    struct store_batch *batch = store_begin(place->store);
    store_put_contact(batch, &contact);
    store_put_client(batch, &client);
    store_put_post_link(batch, &link);
    store_put_post_way(batch, &other);
    store_put_post_way(batch, &way);
    store_put_line(batch, &line);
    for (int64_t seq = 2; seq >= 1; seq--) {
        struct post_row out = some_post(1, seq, "out"), in = some_post(1, 10 + seq, "in");
        in.verdict = seq == 1 ? "locked" : "signed";
        in.message = bytes_of_string("ciphertext");
        store_put_post(batch, &out);
        store_put_post(batch, &in);
        for (int64_t who = 3; who >= 1; who--) {
            struct delivery_row delivery = some_delivery(1, seq, who);
            delivery.delivery = who == 2 ? "failed" : "queued";
            store_put_delivery(batch, &delivery);
        }
    }
    commit_good(place, batch);
}

static void test_what_is_loaded(void **state)
{
    struct place *place = *state;
    put_all(place);
    assert_loads(place, "contact 1 2 classic\n"
                        "client 1 0 irc/x\n"
                        "link 1 1000 open\n"
                        "way 1 2 first\n"
                        "way 1 2 second\n"
                        "queued 1 1 queued\n"
                        "queued 1 3 queued\n"
                        "queued 2 1 queued\n"
                        "queued 2 3 queued\n"
                        "locked 1 11 locked\n"
                        "line 1 50 queued\n"
                        "highest 1000 0 \n");
    struct post_link_row link = {1000, 1, {0}, 101, "revoked", 102, 103};
    const uint8_t gone[20] = {2};
    link.hash[19] = 0x33;
    struct store_batch *batch = store_begin(place->store);
    store_put_post_link(batch, &link);
    store_delete_post_way(batch, 1, 2, gone);
    store_delete_post_way(batch, 1, 2, gone);
    store_remove_post(batch, 1, 1, 200);
    store_remove_post(batch, 1, 11, 201);
    commit_good(place, batch);
    assert_loads(place, "contact 1 2 classic\n"
                        "client 1 0 irc/x\n"
                        "link 1 1000 revoked\n"
                        "way 1 2 first\n"
                        "queued 2 1 queued\n"
                        "queued 2 3 queued\n"
                        "line 1 50 queued\n"
                        "highest 1000 0 \n");
    batch = store_begin(place->store);
    store_remove(batch, 1, "contact", 2, 202); /* its ways go with it, its posts stay */
    commit_good(place, batch);
    assert_loads(place, "client 1 0 irc/x\n"
                        "link 1 1000 revoked\n"
                        "queued 2 1 queued\n"
                        "queued 2 3 queued\n"
                        "line 1 50 queued\n"
                        "highest 1000 0 \n");
}

static void put_contact(struct place *place, const char *posts, bool lower)
{
    struct contact_row contact = some_contact(1, 2, "bob");
    contact.posts = posts;
    struct store_batch *batch = store_begin(place->store);
    if (lower)
        store_lower_posts(batch, 1, 2);
    store_put_contact(batch, &contact);
    commit_good(place, batch);
}

static void test_how_posts_reach_a_contact(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *put, *expected;
        bool lower;
    } rows[] = {
        {NULL, "contact 1 2 unknown\nhighest 2 0 \n", false},
        {"classic", "contact 1 2 classic\nhighest 2 0 \n", false},
        {"unknown", "contact 1 2 unknown\nhighest 2 0 \n", false},
        {"sealed", "contact 1 2 sealed\nhighest 2 0 \n", false},
        {"classic", "contact 1 2 sealed\nhighest 2 0 \n", false},
        {NULL, "contact 1 2 sealed\nhighest 2 0 \n", false},
        {"classic", "contact 1 2 classic\nhighest 2 0 \n", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_contact(place, rows[i].put, rows[i].lower);
        assert_loads(place, rows[i].expected);
    }
    struct contact_row contact = some_contact(1, 2, "bob");
    contact.posts = "open";
    struct store_batch *batch = store_begin(place->store);
    store_put_contact(batch, &contact);
    assert_int_equal(commit_now(place, batch).code, ERROR_INVALID);
    batch = store_begin(place->store);
    store_lower_posts(batch, 1, 3);
    assert_int_equal(commit_now(place, batch).code, ERROR_NOT_FOUND);
}

static void test_an_account_takes_its_posts_with_it(void **state)
{
    struct place *place = *state;
    static uint8_t message[5000];
    char blob[65];
    put_all(place);
    put_blob(place, bytes_of_string("b"), blob);
    struct store_batch *batch = store_begin(place->store);
    for (int64_t seq = 100; seq < 300; seq++) {
        struct post_row row = some_post(1, seq, "in");
        struct post_mark mark = mark_of((uint8_t)seq, (uint8_t)(seq >> 8), 1);
        mark.digest[0] = (uint8_t)(seq >> 8);
        mark.sender[0] = (uint8_t)seq;
        row.blob = seq == 100 ? blob : "";
        row.verdict = "locked";
        if (seq > 100)
            row.message = bytes_of(message, sizeof message);
        store_put_post(batch, &row);
        store_put_post_mark(batch, 1, &mark);
    }
    commit_good(place, batch);
    remove_post(place, 101);
    batch = store_begin(place->store);
    store_delete_account(batch, 1);
    commit_good(place, batch);
    assert_int_equal(get_post(place, 1, 110)->outcome.code, ERROR_NOT_FOUND);
    assert_int_equal(list_posts(place, (struct store_posts){1, "all", 0, INT64_MAX, 9, ""})->count, 0);
    assert_loads(place, "highest 1000 0 \n");
    wait_until_purged(place);
    assert_int_equal(number_of(place,
                               "SELECT (SELECT count(*) FROM post) + (SELECT count(*) FROM delivery)"
                               " + (SELECT count(*) FROM post_message)"
                               " + (SELECT count(*) FROM post_mark) + (SELECT count(*) FROM post_gone)"
                               " + (SELECT count(*) FROM post_link) + (SELECT count(*) FROM post_way)"),
                     0);
    assert_false(blob_there(place, blob));
}

static bool file_holds(const struct place *place, const char *name, const char *text)
{
    char path[256];
    path_in(path, place, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static char data[1 << 20];
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    assert_true(size < sizeof data);
    return memmem(data, size, text, strlen(text)) != NULL;
}

static void test_removed_texts_leave_the_files(void **state)
{
    struct place *place = *state;
    static const char secret[] = "words that must not stay on the disk";
    struct client_row client = {.account = 1, .name = "irc/x"};
    struct post_row row = some_post(1, 1, "in");
    row.message = bytes_of_string(secret);
    row.subject = secret;
    put_post_row(place, &row);
    remove_post(place, 1);
    while (file_holds(place, "retrogate.db-wal", secret) || file_holds(place, "retrogate.db", secret)) {
        /* The log is emptied when no read holds it, at the latest after the next transaction. */
        struct store_batch *batch = store_begin(place->store);
        client.change++;
        store_put_client(batch, &client);
        commit_good(place, batch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_blob_goes_with_the_last_that_names_it, begin, end),
        cmocka_unit_test_setup_teardown(test_blobs_at_the_start, begin, end),
        cmocka_unit_test_setup_teardown(test_opened_at_last, begin, end),
        cmocka_unit_test_setup_teardown(test_marks, begin, end),
        cmocka_unit_test_setup_teardown(test_old_marks_go, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_loaded, begin, end),
        cmocka_unit_test_setup_teardown(test_how_posts_reach_a_contact, begin, end),
        cmocka_unit_test_setup_teardown(test_an_account_takes_its_posts_with_it, begin, end),
        cmocka_unit_test_setup_teardown(test_removed_texts_leave_the_files, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
