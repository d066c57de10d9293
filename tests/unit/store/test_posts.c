/* SPDX-License-Identifier: ISC */
#include "post_test.h"

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

static struct post_row whole_post(int64_t seq)
{
    struct post_row row = some_post(1, seq, "out");
    row.kind = "answer";
    row.contact = 3;
    row.subject = "a subject";
    row.preview = "a preview";
    row.from = "[{\"address\":\"a@x\"}]";
    row.to = "[{\"address\":\"b@x\"}]";
    row.cc = "[{\"address\":\"c@x\"}]";
    row.message_id = "<m@x>";
    row.wire_id = "w";
    row.in_reply_to = "<before@x>";
    row.time = 11;
    row.peer_time = 12;
    row.size = 13;
    row.attachments = 14;
    row.message = bytes_of_string("the message");
    row.seen = row.flagged = true;
    row.verdict = "not-addressed";
    row.protection = "sealed";
    row.level = "private";
    row.label = "l";
    row.options = "{\"o\":1}";
    row.change = 99;
    return row;
}

static void assert_whole(const struct posts *posts)
{
    assert_int_equal(posts->outcome.code, 0);
    assert_int_equal(posts->count, 1);
    assert_string_equal(posts->direction, "out");
    assert_string_equal(posts->kind, "answer");
    assert_int_equal(posts->last.contact, 3);
    assert_string_equal(posts->subject, "a subject");
    assert_string_equal(posts->preview, "a preview");
    assert_string_equal(posts->from, "[{\"address\":\"a@x\"}]");
    assert_string_equal(posts->to, "[{\"address\":\"b@x\"}]");
    assert_string_equal(posts->cc, "[{\"address\":\"c@x\"}]");
    assert_string_equal(posts->message_id, "<m@x>");
    assert_string_equal(posts->wire_id, "w");
    assert_string_equal(posts->in_reply_to, "<before@x>");
    assert_int_equal(posts->last.time, 11);
    assert_int_equal(posts->last.peer_time, 12);
    assert_int_equal(posts->last.size, 13);
    assert_int_equal(posts->last.attachments, 14);
    assert_true(posts->last.seen && !posts->last.answered && posts->last.flagged && !posts->last.is_signed);
    assert_string_equal(posts->verdict, "not-addressed");
    assert_string_equal(posts->protection, "sealed");
    assert_string_equal(posts->level, "private");
    assert_string_equal(posts->label, "l");
    assert_string_equal(posts->options, "{\"o\":1}");
    assert_int_equal(posts->last.change, 99);
    assert_string_equal(posts->blob, "");
}

static void note_account(void *arg, const struct account_row *row)
{
    *(struct account_row *)arg = *row;
}

static void test_what_was_put_is_read(void **state)
{
    struct place *place = *state;
    struct post_row row = whole_post(7);
    put_post_row(place, &row);
    const struct posts *posts = get_post(place, 1, 7);
    assert_whole(posts);
    assert_int_equal(posts->last.thread, 7);
    assert_int_equal(posts->message_size, 11);
    assert_memory_equal(posts->message, "the message", 11);

    posts = list_posts(place, (struct store_posts){1, "all", 0, INT64_MAX, 10, ""});
    assert_whole(posts);
    assert_int_equal(posts->message_size, 0);
    assert_int_equal(posts->last.seq, 7);
    assert_int_equal(posts->last.account, 1);

    assert_int_equal(get_post(place, 1, 8)->outcome.code, ERROR_NOT_FOUND);
    assert_int_equal(get_post(place, 2, 7)->outcome.code, ERROR_NOT_FOUND);

    struct account_row account;
    const struct store_loader loader = {.account = note_account};
    place_close(place);
    place_open_with(place, &loader, &account);
    assert_int_equal(account.last_seq, 7);
    assert_int_equal(account.last_change, 99);
    assert_whole(get_post(place, 1, 7));
}

static enum error_code refusal_of(struct place *place, const struct post_row *row)
{
    struct store_batch *batch = store_begin(place->store);
    struct post_row before = some_post(1, 500, "in");
    store_put_post(batch, &before);
    store_put_post(batch, row);
    enum error_code code = commit_now(place, batch).code;
    /* Nothing is left of a batch that failed. */
    assert_int_equal(get_post(place, 1, 500)->outcome.code, code != 0 ? ERROR_NOT_FOUND : 0);
    return code;
}

static void test_wrong_rows(void **state)
{
    struct place *place = *state;
    static char large[STORE_TEXT_LIMIT + 1], id[65];
    static uint8_t message[STORE_POST_INLINE + 1];
    struct post_row good = whole_post(1);
    put_post_row(place, &good);
    memset(large, 'x', sizeof large - 1);
    memset(id, 'a', sizeof id - 1);

    const struct {
        size_t at;
        const char *word;
    } words[] = {
        {offsetof(struct post_row, direction), "note"}, {offsetof(struct post_row, kind), "letter"},
        {offsetof(struct post_row, verdict), "good"},   {offsetof(struct post_row, protection), "open"},
        {offsetof(struct post_row, level), "sealed"},   {offsetof(struct post_row, subject), NULL},
        {offsetof(struct post_row, options), NULL},     {offsetof(struct post_row, blob), "abc"},
        {offsetof(struct post_row, preview), large},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct post_row row = whole_post(2);
        memcpy((char *)&row + words[i].at, &words[i].word, sizeof words[i].word);
        enum error_code code = refusal_of(place, &row);
        assert_true(code == ERROR_INVALID ||
                    (code == ERROR_NOT_FOUND && words[i].word != NULL && strcmp(words[i].word, "abc") == 0));
    }
    struct post_row row = whole_post(2);
    row.message = bytes_of(message, sizeof message);
    assert_int_equal(refusal_of(place, &row), ERROR_INVALID);
    row = whole_post(2);
    row.blob = id; /* and a message */
    assert_int_equal(refusal_of(place, &row), ERROR_INVALID);
    row.message = bytes_of(NULL, 0);
    assert_int_equal(refusal_of(place, &row), ERROR_NOT_FOUND); /* not there */
    row = whole_post(0);
    assert_int_equal(refusal_of(place, &row), ERROR_INVALID);
    row = whole_post(1);
    assert_int_equal(refusal_of(place, &row), ERROR_EXISTS);
    row = whole_post(2);
    row.account = 9;
    assert_int_equal(refusal_of(place, &row), ERROR_NOT_FOUND);
    row = whole_post(2);
    row.message = bytes_of(message, STORE_POST_INLINE);
    assert_int_equal(refusal_of(place, &row), 0);
    assert_int_equal(get_post(place, 1, 2)->message_size, STORE_POST_INLINE);
}

static void test_deliveries(void **state)
{
    struct place *place = *state;
    struct post_row row = some_post(1, 1, "out"), other = some_post(1, 2, "in");
    struct delivery_row first = some_delivery(1, 1, 5), second = some_delivery(1, 1, 0);
    first.until = 21;
    first.since = 22;
    first.next = 23;
    first.warned = 24;
    first.message_id[15] = 25;
    struct store_batch *batch = store_begin(place->store);
    store_put_post(batch, &row);
    store_put_delivery(batch, &first);
    store_put_delivery(batch, &second);
    store_put_post(batch, &other);
    commit_good(place, batch);

    first.delivery = "failed";
    first.reason = "refused";
    first.address = "carol@distant.alt";
    batch = store_begin(place->store);
    store_put_delivery(batch, &first);
    store_set_post_change(batch, 1, 1, 50);
    commit_good(place, batch);
    const struct posts *posts = get_post(place, 1, 1);
    assert_int_equal(posts->last.change, 50);
    assert_int_equal(posts->delivery_count, 2);
    assert_int_equal(posts->deliveries[0].contact, 0);
    assert_string_equal(posts->delivery[0], "queued");
    assert_int_equal(posts->deliveries[1].contact, 5);
    assert_string_equal(posts->delivery[1], "failed");
    assert_string_equal(posts->reason[1], "refused");
    assert_string_equal(posts->address[1], "carol@distant.alt");
    assert_int_equal(posts->deliveries[1].until, 21);
    assert_int_equal(posts->deliveries[1].since, 22);
    assert_int_equal(posts->deliveries[1].next, 23);
    assert_int_equal(posts->deliveries[1].warned, 24);
    assert_int_equal(posts->deliveries[1].message_id[15], 25);
    assert_int_equal(posts->deliveries[1].message_id[0], 0);
    posts = list_posts(place, (struct store_posts){1, "out", 0, INT64_MAX, 10, ""});
    assert_int_equal(posts->delivery_count, 2);
    posts = list_posts(place, (struct store_posts){1, "in", 0, INT64_MAX, 10, ""});
    assert_int_equal(posts->delivery_count, 0);

    static const int64_t wrong[] = {2, 3}; /* of one that came in; of none */
    for (size_t i = 0; i < 2; i++) {
        struct delivery_row delivery = some_delivery(1, wrong[i], 1);
        batch = store_begin(place->store);
        store_put_delivery(batch, &delivery);
        assert_int_equal(commit_now(place, batch).code, ERROR_NOT_FOUND);
    }
    second.delivery = "sent";
    batch = store_begin(place->store);
    store_put_delivery(batch, &second);
    assert_int_equal(commit_now(place, batch).code, ERROR_INVALID);
    batch = store_begin(place->store);
    store_set_post_change(batch, 1, 3, 51);
    assert_int_equal(commit_now(place, batch).code, ERROR_NOT_FOUND);
}

static void test_flags(void **state)
{
    struct place *place = *state;
    struct post_row row = some_post(1, 1, "in");
    row.message = bytes_of_string("kept");
    put_post_row(place, &row);
    static const struct {
        int seen, answered, flagged, expected;
    } rows[] = {{1, 0, 1, 5}, {-1, 1, -1, 7}, {0, -1, -1, 6}, {-1, -1, 0, 2}, {1, 0, -1, 1}, {-1, -1, -1, 1}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_batch *batch = store_begin(place->store);
        store_set_post_flags(batch, 1, 1, rows[i].seen, rows[i].answered, rows[i].flagged, 10 + i);
        store_set_post_flags(batch, 1, 2, 1, 1, 1, 10 + i); /* not there */
        commit_good(place, batch);
        const struct posts *posts = get_post(place, 1, 1);
        assert_int_equal(posts->last.seen | posts->last.answered << 1 | posts->last.flagged << 2,
                         rows[i].expected);
        assert_int_equal(posts->last.change, 10 + i);
        assert_int_equal(posts->message_size, 4);
    }
    struct store_batch *batch = store_begin(place->store);
    store_set_post_flags(batch, 1, 1, 2, 0, 0, 20);
    assert_int_equal(commit_now(place, batch).code, ERROR_INVALID);
}

static void test_threads(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *message_id, *wire_id, *in_reply_to;
        int64_t thread, expected;
    } rows[] = {
        {"<a>", "", "", 0, 1},     {"<b>", "aa", "<a>", 0, 1}, {"<c>", "", "aa", 0, 1},
        {"<d>", "", "<no>", 0, 4}, {"<e>", "", "<d>", 0, 4},   {"", "", "", 0, 6},
        {"", "", "<d>", 1, 1},     {"", "", "", 0, 8},         {"<a>", "", "<e>", 0, 4},
        {"<f>", "", "<a>", 0, 1}, /* the oldest with that id */
    };
    for (int64_t i = 0; i < (int64_t)(sizeof rows / sizeof rows[0]); i++) {
        struct post_row row = some_post(1, i + 1, "in");
        row.message_id = rows[i].message_id;
        row.wire_id = rows[i].wire_id;
        row.in_reply_to = rows[i].in_reply_to;
        row.thread = rows[i].thread;
        put_post_row(place, &row);
        assert_int_equal(get_post(place, 1, i + 1)->last.thread, rows[i].expected);
    }
    const struct posts *posts = list_posts(place, (struct store_posts){1, "all", 4, INT64_MAX, 10, ""});
    static const int64_t fourth[] = {9, 5, 4};
    assert_int_equal(posts->count, 3);
    assert_memory_equal(posts->seq, fourth, sizeof fourth);
    /* Another account's posts are none of its threads. */
    struct account_row account = some_account(2, "bob");
    struct store_batch *batch = store_begin(place->store);
    store_put_account(batch, &account);
    struct post_row row = some_post(2, 20, "in");
    row.in_reply_to = "<a>";
    store_put_post(batch, &row);
    commit_good(place, batch);
    assert_int_equal(get_post(place, 2, 20)->last.thread, 20);
}

static void test_lists(void **state)
{
    struct place *place = *state;
    for (int64_t seq = 1; seq <= 20; seq++) {
        struct post_row row = some_post(1, seq, seq % 4 == 0 ? "out" : "in");
        row.thread = seq <= 10 ? 1 : 11;
        put_post_row(place, &row);
    }
    const struct posts *posts = list_posts(place, (struct store_posts){1, "all", 0, INT64_MAX, 5, ""});
    assert_int_equal(posts->count, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(posts->seq[i], 20 - i);
    assert_true(posts->more);
    assert_int_equal(posts->before, 16);
    posts = list_posts(place, (struct store_posts){1, "all", 0, 16, 15, ""});
    assert_int_equal(posts->count, 15);
    assert_false(posts->more);
    posts = list_posts(place, (struct store_posts){1, "out", 0, 20, 10, ""});
    assert_int_equal(posts->count, 4);
    assert_int_equal(posts->seq[0], 16);
    assert_int_equal(posts->seq[3], 4);
    posts = list_posts(place, (struct store_posts){1, "in", 11, INT64_MAX, 3, ""});
    static const int64_t in[] = {19, 18, 17};
    assert_int_equal(posts->count, 3);
    assert_memory_equal(posts->seq, in, sizeof in);
    assert_true(posts->more);
    assert_int_equal(list_posts(place, (struct store_posts){1, "out", 1, INT64_MAX, 9, ""})->count, 2);
    assert_int_equal(list_posts(place, (struct store_posts){2, "all", 0, INT64_MAX, 9, ""})->count, 0);
    posts = list_posts(place, (struct store_posts){1, "all", 0, INT64_MAX, 0, ""});
    assert_int_equal(posts->count, 0);
    assert_true(posts->more);
    posts = list_posts(place, (struct store_posts){1, "trash", 0, INT64_MAX, 9, ""});
    assert_int_equal(posts->outcome.code, ERROR_INVALID);
}

static void test_search(void **state)
{
    struct place *place = *state;
    static const char *const fields[] = {"subject Ärger", "preview ärGER", "[{\"address\":\"x@ärger\"}]",
                                         "[{\"address\":\"x\", \"name\":\"\\\"Ärger\"}]",
                                         "[{\"address\": \"a\"},{\"name\":\"ärger\"}]"};
    for (unsigned i = 0; i < 6; i++) {
        struct post_row row = some_post(1, i + 1, i % 2 ? "out" : "in");
        const char **const places[] = {&row.subject, &row.preview, &row.from, &row.to, &row.cc};
        if (i < 5)
            *places[i] = fields[i];
        row.message = bytes_of_string("ÄRGER");
        put_post_row(place, &row);
    }
    const struct posts *posts = list_posts(place, (struct store_posts){1, "all", 0, INT64_MAX, 9, "äRger"});
    assert_int_equal(posts->count, 5);
    assert_int_equal(posts->seq[0], 5);
    assert_false(posts->more);
    assert_int_equal(list_posts(place, (struct store_posts){1, "in", 0, INT64_MAX, 9, "ärger"})->count, 3);
    posts = list_posts(place, (struct store_posts){1, "all", 0, INT64_MAX, 2, "ärger"});
    assert_int_equal(posts->count, 2);
    assert_true(posts->more);
    assert_int_equal(posts->before, 4);
    assert_int_equal(list_posts(place, (struct store_posts){1, "all", 0, 4, 9, "ärger"})->count, 3);
    /* Names of members are no text of anybody's. */
    assert_int_equal(list_posts(place, (struct store_posts){1, "all", 0, INT64_MAX, 9, "addr"})->count, 0);
    assert_int_equal(list_posts(place, (struct store_posts){1, "all", 0, INT64_MAX, 9, "name"})->count, 0);

    char words[STORE_WORDS_LIMIT + 2];
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = 0;
    posts = list_posts(place, (struct store_posts){1, "all", 0, INT64_MAX, 9, words});
    assert_int_equal(posts->outcome.code, ERROR_LIMIT);
}

/* One search looks at so much only; it can be gone on with. */
static void test_a_search_is_bounded(void **state)
{
    struct place *place = *state;
    static char preview[100000];
    memset(preview, 'x', sizeof preview - 1);
    const int64_t rows = STORE_SEARCH_BYTES / (int64_t)sizeof preview + 20;
    struct store_batch *batch = store_begin(place->store);
    for (int64_t seq = 1; seq <= rows; seq++) {
        struct post_row row = some_post(1, seq, "in");
        row.preview = preview;
        row.subject = seq == 1 ? "needle" : "";
        store_put_post(batch, &row);
    }
    commit_good(place, batch);
    const struct posts *posts = list_posts(place, (struct store_posts){1, "all", 0, INT64_MAX, 9, "needle"});
    assert_int_equal(posts->outcome.code, 0);
    assert_int_equal(posts->count, 0);
    assert_true(posts->more);
    assert_true(posts->before > 1 && posts->before < 30);
    posts = list_posts(place, (struct store_posts){1, "all", 0, posts->before, 9, "needle"});
    assert_int_equal(posts->count, 1);
    assert_false(posts->more);
}

struct gone {
    unsigned count;
    int64_t id[8], change[8];
    char kind[8][16];
    struct outcome outcome;
};

static void note_gone(void *arg, const char *kind, int64_t id, int64_t change)
{
    struct gone *gone = arg;
    assert_true(gone->count < 8);
    snprintf(gone->kind[gone->count], 16, "%s", kind);
    gone->id[gone->count] = id;
    gone->change[gone->count++] = change;
}

static void gone_done(void *arg, const struct error *error)
{
    note_outcome(&((struct gone *)arg)->outcome, error);
}

static void test_changes_and_tombstones(void **state)
{
    struct place *place = *state;
    for (int64_t seq = 1; seq <= 5; seq++) {
        struct post_row row = some_post(1, seq, "out");
        struct delivery_row delivery = some_delivery(1, seq, 1);
        struct store_batch *batch = store_begin(place->store);
        store_put_post(batch, &row);
        store_put_delivery(batch, &delivery);
        commit_good(place, batch);
    }
    struct store_batch *batch = store_begin(place->store);
    store_set_post_flags(batch, 1, 2, 1, 0, 0, 6);
    store_remove_post(batch, 1, 1, 7);
    store_remove_post(batch, 1, 5, 7);
    store_remove_post(batch, 1, 77, 7); /* not there: no error, no tombstone */
    store_remove_post(batch, 1, 1, 7);
    store_remove(batch, 1, "invite", 9, 8);
    commit_good(place, batch);

    static struct posts posts;
    memset(&posts, 0, sizeof posts);
    store_posts_changed(place->store, 1, 2, 1000, note_post, posts_done, &posts);
    posts_wait(place, &posts);
    static const int64_t changed[] = {3, 4, 2};
    assert_int_equal(posts.count, 3);
    assert_memory_equal(posts.seq, changed, sizeof changed);
    assert_int_equal(posts.delivery_count, 1);
    memset(&posts, 0, sizeof posts);
    store_posts_changed(place->store, 1, 2, 1, note_post, posts_done, &posts);
    posts_wait(place, &posts);
    assert_int_equal(posts.count, 1);

    struct gone gone = {0};
    store_gone(place->store, 1, 6, note_gone, gone_done, &gone);
    while (gone.outcome.calls == 0)
        uv_run(&place->loop, UV_RUN_ONCE);
    assert_int_equal(gone.count, 3);
    assert_string_equal(gone.kind[0], "post");
    assert_int_equal(gone.id[0], 1);
    assert_string_equal(gone.kind[1], "post");
    assert_int_equal(gone.id[1], 5);
    assert_int_equal(gone.change[1], 7);
    assert_string_equal(gone.kind[2], "invite");
}

static void test_by_label_and_id(void **state)
{
    struct place *place = *state;
    for (int64_t seq = 1; seq <= 3; seq++) {
        struct post_row row = some_post(1, seq, "out");
        row.label = seq < 3 ? "mine" : "";
        row.message_id = seq < 3 ? "<same>" : "<third>";
        row.wire_id = seq == 3 ? "w3" : "";
        put_post_row(place, &row);
    }
    static const struct {
        const char *id;
        bool label;
        int64_t seq; /* 0: none */
    } wanted[] = {{"mine", true, 2}, {"other", true, 0}, {"", true, 0},  {"<same>", false, 1},
                  {"w3", false, 3},  {"<no>", false, 0}, {"", false, 0}, {"<third>", false, 3}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        static struct posts posts;
        memset(&posts, 0, sizeof posts);
        (wanted[i].label ? store_post_labelled : store_post_by_id)(place->store, 1, wanted[i].id, note_post,
                                                                   posts_done, &posts);
        posts_wait(place, &posts);
        assert_int_equal(posts.outcome.code, 0);
        assert_int_equal(posts.count, wanted[i].seq > 0);
        assert_int_equal(posts.last.seq, wanted[i].seq);
    }
    static char large[STORE_POST_ID_LIMIT + 2];
    memset(large, 'x', sizeof large - 1);
    static struct posts posts;
    memset(&posts, 0, sizeof posts);
    store_post_by_id(place->store, 1, large, note_post, posts_done, &posts);
    posts_wait(place, &posts);
    assert_int_equal(posts.outcome.code, ERROR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_put_is_read, begin, end),
        cmocka_unit_test_setup_teardown(test_wrong_rows, begin, end),
        cmocka_unit_test_setup_teardown(test_deliveries, begin, end),
        cmocka_unit_test_setup_teardown(test_flags, begin, end),
        cmocka_unit_test_setup_teardown(test_threads, begin, end),
        cmocka_unit_test_setup_teardown(test_lists, begin, end),
        cmocka_unit_test_setup_teardown(test_search, begin, end),
        cmocka_unit_test_setup_teardown(test_a_search_is_bounded, begin, end),
        cmocka_unit_test_setup_teardown(test_changes_and_tombstones, begin, end),
        cmocka_unit_test_setup_teardown(test_by_label_and_id, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
