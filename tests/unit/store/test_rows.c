/* SPDX-License-Identifier: ISC */
#include "store_test.h"

/* Every row as words, in the order in which the loader is called. */
struct loaded {
    char text[8192];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void say(struct loaded *loaded, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int size = vsnprintf(loaded->text + loaded->size, sizeof loaded->text - loaded->size, format, list);
    va_end(list);
    assert_true(size >= 0 && (size_t)size < sizeof loaded->text - loaded->size);
    loaded->size += (size_t)size;
}

static const char *str(struct bytes bytes)
{
    static char text[8][64];
    static unsigned next;
    char *out = text[next++ % 8];
    snprintf(out, 64, "%.*s", (int)bytes.size, (const char *)bytes.data);
    return out;
}

static void on_node(void *arg, const struct node_row *row)
{
    say(arg, "node %d %d %s %s %s %s %s\n", row->fingerprint[19], row->location[15], str(row->key_block),
        str(row->certificate), str(row->passphrase), str(row->private_key), row->name);
}

static void on_friend(void *arg, const struct friend_row *row)
{
    say(arg, "friend %d %d %s %s %d %d %s %s %s %lld %lld\n", row->location[15], row->fingerprint[19],
        row->name, str(row->key_block), row->verified, row->pinned[31], row->addresses, row->dns, row->hidden,
        (long long)row->added, (long long)row->last_seen);
}

static void on_account(void *arg, const struct account_row *row)
{
    say(arg, "account %lld %s %s %d %s %s %s %s %lld %lld %lld %lld %d\n", (long long)row->id, row->name,
        row->password, row->fingerprint[19], str(row->key_block), str(row->key_wrapped),
        str(row->passphrase_wrapped), row->settings, (long long)row->epoch, (long long)row->last_seq,
        (long long)row->last_change, (long long)row->created, row->is_operator);
}

static void on_app_password(void *arg, const struct app_password_row *row)
{
    say(arg, "app %lld %lld %s %s %d %s %lld %lld %lld\n", (long long)row->id, (long long)row->account,
        row->label, row->scope, row->sha256[31], row->scram, (long long)row->created,
        (long long)row->last_used, (long long)row->idle);
}

static void on_contact(void *arg, const struct contact_row *row)
{
    say(arg, "contact %lld %lld %s %s %d %s %s %lld %lld\n", (long long)row->id, (long long)row->account,
        row->handle, row->name, row->fingerprint[19], str(row->key_block), row->presence,
        (long long)row->created, (long long)row->change);
}

static void on_conversation(void *arg, const struct conversation_row *row)
{
    say(arg, "conversation %lld %lld %lld %d %lld %lld %lld %lld %s %s %lld %lld %d\n", (long long)row->id,
        (long long)row->account, (long long)row->contact, row->open, (long long)row->read_seq,
        (long long)row->last_seq, (long long)row->unread, (long long)row->closed_at, row->avatar,
        row->state_text, (long long)row->created, (long long)row->change, row->sealed);
}

static void on_route(void *arg, const struct route_row *row)
{
    say(arg, "route %lld %lld %lld %s %s %lld %d %s %llu %d %d %lld %lld %s %d %d %llu %llu\n",
        (long long)row->id, (long long)row->account, (long long)row->conversation, row->kind, row->role,
        (long long)row->invite, row->hash[19], str(row->keys_wrapped), (unsigned long long)row->salt_next,
        row->confirmed, row->closed_by_peer, (long long)row->created, (long long)row->last_used, row->sealing,
        row->settled, row->context[31], (unsigned long long)row->number_out,
        (unsigned long long)row->number_in);
}

static void on_invite(void *arg, const struct invite_row *row)
{
    say(arg, "invite %lld %lld %lld %d %s %lld %lld %s %d %d %lld %lld\n", (long long)row->id,
        (long long)row->account, (long long)row->contact, row->own, str(row->link_wrapped),
        (long long)row->expires, (long long)row->uses_left, row->state, row->sealed, row->sealed_only,
        (long long)row->created, (long long)row->change);
}

static void on_client(void *arg, const struct client_row *row)
{
    say(arg, "client %lld %s %lld %lld %lld %lld\n", (long long)row->account, row->name,
        (long long)row->epoch, (long long)row->change, (long long)row->seq, (long long)row->last_seen);
}

static void on_queued_line(void *arg, const struct line_row *row)
{
    say(arg, "line %lld %lld %lld %lld %s %s %lld %lld %s %s %s %lld %llu\n", (long long)row->account,
        (long long)row->seq, (long long)row->conversation, (long long)row->route, row->direction,
        str(row->text), (long long)row->time, (long long)row->peer_time, row->delivery, row->reason,
        row->label, (long long)row->change, (unsigned long long)row->number);
}

static void on_sent_line(void *arg, const struct line_row *row)
{
    say(arg, "sent-line %lld %lld %llu %s\n", (long long)row->seq, (long long)row->route,
        (unsigned long long)row->number, str(row->text));
}

static void on_salt(void *arg, int64_t route, uint64_t salt)
{
    say(arg, "salt %lld %llx\n", (long long)route, (unsigned long long)salt);
}

static void on_highest_id(void *arg, int64_t id)
{
    say(arg, "highest %lld\n", (long long)id);
}

static const struct store_loader loader = {
    .node = on_node,
    .friend_ = on_friend,
    .account = on_account,
    .app_password = on_app_password,
    .contact = on_contact,
    .conversation = on_conversation,
    .route = on_route,
    .invite = on_invite,
    .client = on_client,
    .queued_line = on_queued_line,
    .sent_line = on_sent_line,
    .salt = on_salt,
    .highest_id = on_highest_id,
};

static void reload(struct place *place, struct loaded *loaded)
{
    place_close(place);
    memset(loaded, 0, sizeof *loaded);
    place_open_with(place, &loader, loaded);
}

static int begin(void **state)
{
    static struct place place;
    place_make(&place);
    place_open(&place);
    *state = &place;
    return 0;
}

static int end(void **state)
{
    place_free(*state);
    return 0;
}

static struct bytes s(const char *text)
{
    return bytes_of_string(text);
}

static void put_one_of_each(struct store_batch *batch)
{
    struct node_row node = {.fingerprint[19] = 1,
                            .location[15] = 2,
                            .key_block = s("kb"),
                            .certificate = s("ce"),
                            .passphrase = s("pw"),
                            .private_key = s("pk"),
                            .name = "gate"};
    struct friend_row friend_ = {.location[15] = 3,
                                 .fingerprint[19] = 4,
                                 .name = "bob",
                                 .key_block = s("fk"),
                                 .verified = true,
                                 .pinned[31] = 5,
                                 .addresses = "192.0.2.1:7812",
                                 .dns = "",
                                 .hidden = "",
                                 .added = 6,
                                 .last_seen = 7};
    struct account_row account = {.id = 1,
                                  .name = "alice",
                                  .password = "$y$",
                                  .fingerprint[19] = 8,
                                  .key_block = s("ak"),
                                  .key_wrapped = s("kw"),
                                  .passphrase_wrapped = s("ap"),
                                  .settings = "{}",
                                  .epoch = 9,
                                  .last_seq = 10,
                                  .last_change = 11,
                                  .created = 12,
                                  .is_operator = true};
    struct app_password_row app = {.id = 2,
                                   .account = 1,
                                   .label = "phone",
                                   .scope = "irc",
                                   .sha256[31] = 13,
                                   .scram = "SCRAM",
                                   .created = 14,
                                   .last_used = 15,
                                   .idle = 16};
    struct contact_row contact = {.id = 3,
                                  .account = 1,
                                  .handle = "carol",
                                  .name = "Carol",
                                  .fingerprint[19] = 16,
                                  .key_block = s("ck"),
                                  .presence = "always",
                                  .created = 17,
                                  .change = 18};
    struct conversation_row conversation = {.id = 4,
                                            .account = 1,
                                            .contact = 3,
                                            .open = true,
                                            .read_seq = 19,
                                            .last_seq = 20,
                                            .closed_at = 21,
                                            .sealed = true,
                                            .avatar = "",
                                            .state_text = "away",
                                            .created = 22,
                                            .change = 23};
    struct route_row route = {.id = 5,
                              .account = 1,
                              .conversation = 4,
                              .kind = "classic",
                              .role = "inviter",
                              .invite = 6,
                              .hash[19] = 24,
                              .keys_wrapped = s("rk"),
                              .salt_next = 25,
                              .sealing = "must",
                              .settled = true,
                              .context[31] = 37,
                              .number_out = 38,
                              .number_in = 39,
                              .confirmed = true,
                              .created = 26,
                              .last_used = 27};
    struct invite_row invite = {.id = 6,
                                .account = 1,
                                .contact = 3,
                                .own = true,
                                .link_wrapped = s("li"),
                                .expires = 28,
                                .uses_left = -1,
                                .state = "open",
                                .sealed = true,
                                .created = 29,
                                .change = 30};
    struct client_row client = {
        .account = 1, .name = "irc/phone", .epoch = 9, .change = 31, .seq = 32, .last_seen = 33};
    struct line_row line = {.account = 1,
                            .seq = 34,
                            .conversation = 4,
                            .route = 5,
                            .direction = "out",
                            .text = s("hello"),
                            .time = 35,
                            .peer_time = 0,
                            .delivery = "queued",
                            .reason = "no tunnel",
                            .label = "x1",
                            .change = 36};
    uint64_t salts[] = {UINT64_MAX, 7};

    store_put_node(batch, &node);
    store_put_friend(batch, &friend_);
    store_put_account(batch, &account);
    store_put_app_password(batch, &app);
    store_put_contact(batch, &contact);
    store_put_conversation(batch, &conversation);
    store_put_route(batch, &route);
    store_put_invite(batch, &invite);
    store_put_client(batch, &client);
    store_put_line(batch, &line);
    store_put_salts(batch, 5, salts, 2);
}

static void test_all_rows_come_back(void **state)
{
    struct place *place = *state;
    static struct loaded loaded;
    struct store_batch *batch = store_begin(place->store);
    put_one_of_each(batch);
    commit_good(place, batch);
    reload(place, &loaded);
    assert_string_equal(loaded.text, "node 1 2 kb ce pw pk gate\n"
                                     "friend 3 4 bob fk 1 5 192.0.2.1:7812   6 7\n"
                                     "account 1 alice $y$ 8 ak kw ap {} 9 34 36 12 1\n"
                                     "app 2 1 phone irc 13 SCRAM 14 15 16\n"
                                     "contact 3 1 carol Carol 16 ck always 17 18\n"
                                     "conversation 4 1 3 1 19 34 0 21  away 22 23 1\n"
                                     "route 5 1 4 classic inviter 6 24 rk 25 1 0 26 27 must 1 37 38 39\n"
                                     "invite 6 1 3 1 li 28 -1 open 1 0 29 30\n"
                                     "client 1 irc/phone 9 31 32 33\n"
                                     "line 1 34 4 5 out hello 35 0 queued no tunnel x1 36 0\n"
                                     "salt 5 ffffffffffffffff\n"
                                     "salt 5 7\n"
                                     "highest 6\n");
}

static void test_put_changes_a_row(void **state)
{
    struct place *place = *state;
    static struct loaded loaded;
    struct store_batch *batch = store_begin(place->store);
    put_one_of_each(batch);
    struct contact_row contact = some_contact(1, 3, "carol-2");
    contact.change = 40;
    store_put_contact(batch, &contact);
    struct account_row account = some_account(1, "alice");
    account.last_seq = 1;
    account.last_change = 1;
    store_put_account(batch, &account);
    struct conversation_row conversation = some_conversation(1, 4);
    conversation.change = 41;
    store_put_conversation(batch, &conversation);
    struct route_row route = some_route(1, 5, 4);
    route.salt_next = 3;
    store_put_route(batch, &route);
    store_set_salt_next(batch, 5, 1000);
    store_set_salt_next(batch, 5, 999);
    store_set_delivery(batch, 1, 34, "delivered", "", 5, 42);
    for (int64_t seq = 18; seq <= 21; seq++) { /* read are those up to 19 */
        struct line_row line = some_line(1, seq, 4, "in");
        store_put_line(batch, &line);
    }
    commit_good(place, batch);
    reload(place, &loaded);
    assert_non_null(strstr(loaded.text, "contact 3 1 carol-2 "));
    /* Counters and positions only rise. */
    assert_non_null(strstr(loaded.text, "account 1 alice  0    {} 1 34 42 0 0\n"));
    assert_non_null(strstr(loaded.text, "conversation 4 1 1 0 19 34 2 0   0 41 0\n"));
    assert_non_null(strstr(loaded.text, "route 5 1 4 classic guest 0 0  1000 0 0 0 0 may 0 0 38 39\n"));
    assert_null(strstr(loaded.text, "line "));
}

static void test_deletes(void **state)
{
    struct place *place = *state;
    static struct loaded loaded;
    uint8_t location[16] = {[15] = 3};
    struct store_batch *batch = store_begin(place->store);
    put_one_of_each(batch);
    commit_good(place, batch);

    batch = store_begin(place->store);
    store_delete_friend(batch, location);
    store_delete_app_password(batch, 1, 2);
    store_delete_route(batch, 1, 5);
    store_remove(batch, 1, "invite", 6, 50);
    store_delete_friend(batch, location); /* again: no error */
    commit_good(place, batch);
    reload(place, &loaded);
    assert_null(strstr(loaded.text, "friend "));
    assert_null(strstr(loaded.text, "app "));
    assert_null(strstr(loaded.text, "route "));
    assert_null(strstr(loaded.text, "salt "));
    assert_null(strstr(loaded.text, "invite "));
    assert_non_null(strstr(loaded.text, "{} 9 34 50 12 1\n"));
    assert_non_null(strstr(loaded.text, "highest 6\n"));

    batch = store_begin(place->store);
    store_delete_account(batch, 1);
    commit_good(place, batch);
    reload(place, &loaded);
    assert_string_equal(loaded.text, "node 1 2 kb ce pw pk gate\nhighest 6\n");
}

/* What one row is refused with, on its own. */
#define REFUSED(place, code_, put)                                                                           \
    do {                                                                                                     \
        struct store_batch *batch = store_begin((place)->store);                                             \
        put;                                                                                                 \
        struct outcome outcome_ = commit_now((place), batch);                                                \
        assert_int_equal(outcome_.code, (code_));                                                            \
        assert_true(strlen(outcome_.text) > 10);                                                             \
    } while (0)

static void test_wrong_words_are_refused(void **state)
{
    struct place *place = *state;
    put_first(place);

    struct contact_row contact = some_contact(1, 3, "carol");
    contact.presence = "sometimes";
    REFUSED(place, ERROR_INVALID, store_put_contact(batch, &contact));
    contact = some_contact(1, 3, "Carol");
    REFUSED(place, ERROR_INVALID, store_put_contact(batch, &contact));
    contact = some_contact(1, 3, "");
    REFUSED(place, ERROR_INVALID, store_put_contact(batch, &contact));
    contact = some_contact(1, 3, "carol");
    contact.name = NULL;
    REFUSED(place, ERROR_INVALID, store_put_contact(batch, &contact));
    contact = some_contact(1, 0, "carol");
    REFUSED(place, ERROR_INVALID, store_put_contact(batch, &contact));

    struct route_row route = some_route(1, 5, 1);
    route.kind = "clasic";
    REFUSED(place, ERROR_INVALID, store_put_route(batch, &route));
    route = some_route(1, 5, 1);
    route.role = "";
    REFUSED(place, ERROR_INVALID, store_put_route(batch, &route));
    route = some_route(1, 5, 1);
    route.salt_next = (uint64_t)INT64_MAX + 1;
    REFUSED(place, ERROR_INVALID, store_put_route(batch, &route));
    route = some_route(1, 5, 1);
    route.sealing = "maybe";
    REFUSED(place, ERROR_INVALID, store_put_route(batch, &route));
    route = some_route(1, 5, 1);
    route.number_out = (uint64_t)1 << 48;
    REFUSED(place, ERROR_INVALID, store_put_route(batch, &route));
    route = some_route(1, 5, 1);
    route.number_in = UINT64_MAX;
    REFUSED(place, ERROR_INVALID, store_put_route(batch, &route));
    route = some_route(1, 5, 99); /* of a conversation that was removed */
    REFUSED(place, ERROR_NOT_FOUND, store_put_route(batch, &route));

    struct invite_row invite = {.id = 6, .account = 1, .state = "gone"};
    REFUSED(place, ERROR_INVALID, store_put_invite(batch, &invite));
    invite.state = "open";
    invite.uses_left = -2;
    REFUSED(place, ERROR_INVALID, store_put_invite(batch, &invite));

    struct app_password_row app = {.id = 2, .account = 1, .label = "", .scope = "ftp", .scram = ""};
    REFUSED(place, ERROR_INVALID, store_put_app_password(batch, &app));

    struct conversation_row conversation = some_conversation(1, 2);
    conversation.avatar = "../../etc/passwd";
    REFUSED(place, ERROR_INVALID, store_put_conversation(batch, &conversation));

    struct line_row line = some_line(1, 1, 1, "x");
    line.direction = "sideways";
    REFUSED(place, ERROR_INVALID, store_put_line(batch, &line));
    line = some_line(1, 1, 1, "x");
    line.delivery = "queued"; /* an incoming line */
    REFUSED(place, ERROR_INVALID, store_put_line(batch, &line));
    line.direction = "out";
    line.delivery = "received";
    REFUSED(place, ERROR_INVALID, store_put_line(batch, &line));
    line = some_line(1, 0, 1, "x");
    REFUSED(place, ERROR_INVALID, store_put_line(batch, &line));
    static char large[STORE_TEXT_LIMIT + 1];
    line = some_line(1, 1, 1, "");
    line.text = bytes_of(large, sizeof large);
    REFUSED(place, ERROR_INVALID, store_put_line(batch, &line));

    REFUSED(place, ERROR_INVALID, store_remove(batch, 1, "account", 1, 2));
}

static void test_missing_and_taken(void **state)
{
    struct place *place = *state;
    put_first(place);

    struct line_row line = some_line(1, 1, 2, "x");
    REFUSED(place, ERROR_NOT_FOUND, store_put_line(batch, &line)); /* no such conversation */
    REFUSED(place, ERROR_NOT_FOUND, store_set_delivery(batch, 1, 1, "sent", "", 0, 2));
    REFUSED(place, ERROR_NOT_FOUND, store_set_salt_next(batch, 5, 1000));
    uint64_t salt = 1;
    REFUSED(place, ERROR_NOT_FOUND, store_put_salts(batch, 5, &salt, 1));
    struct contact_row contact = some_contact(2, 3, "carol");
    REFUSED(place, ERROR_NOT_FOUND, store_put_contact(batch, &contact)); /* no such account */

    struct account_row account = some_account(2, "alice");
    REFUSED(place, ERROR_EXISTS, store_put_account(batch, &account));
    contact = some_contact(1, 3, "carol");
    struct contact_row other = some_contact(1, 4, "carol");
    REFUSED(place, ERROR_EXISTS, (store_put_contact(batch, &contact), store_put_contact(batch, &other)));
    line = some_line(1, 1, 1, "x");
    REFUSED(place, ERROR_EXISTS, (store_put_line(batch, &line), store_put_line(batch, &line)));

    /* A used id is not given again. */
    struct store_batch *removal = store_begin(place->store);
    store_put_contact(removal, &contact);
    store_remove(removal, 1, "contact", 3, 5);
    store_remove(removal, 1, "conversation", 1, 6);
    commit_good(place, removal);
    REFUSED(place, ERROR_EXISTS, store_put_contact(batch, &contact));
    struct conversation_row conversation = some_conversation(1, 1);
    REFUSED(place, ERROR_EXISTS, store_put_conversation(batch, &conversation));
    removal = store_begin(place->store);
    store_delete_account(removal, 1);
    commit_good(place, removal);
    account = some_account(1, "bob");
    REFUSED(place, ERROR_EXISTS, store_put_account(batch, &account));
}

static void test_batch_is_whole_and_alone(void **state)
{
    struct place *place = *state;
    static struct loaded loaded;
    struct outcome outcome[3] = {0};
    put_first(place);

    /* One turn: the middle one fails with all its rows, its neighbours hold. */
    for (int64_t i = 0; i < 3; i++) {
        struct store_batch *batch = store_begin(place->store);
        struct contact_row contact = some_contact(1, 10 + i, i == 0 ? "a" : i == 1 ? "b" : "c");
        store_put_contact(batch, &contact);
        if (i == 1) {
            contact = some_contact(1, 20, "a");
            store_put_contact(batch, &contact);
        }
        store_commit(batch, note_outcome, &outcome[i]);
    }
    struct store_stats before, after;
    store_stats(place->store, &before);
    while (outcome[2].calls == 0)
        uv_run(&place->loop, UV_RUN_ONCE);
    store_stats(place->store, &after);
    assert_int_equal(outcome[0].code, 0);
    assert_int_equal(outcome[1].code, ERROR_EXISTS);
    assert_int_equal(outcome[2].code, 0);
    assert_int_equal(after.transactions - before.transactions, 1);
    assert_int_equal(after.batches - before.batches, 3);
    assert_int_equal(after.failed - before.failed, 1);
    reload(place, &loaded);
    assert_non_null(strstr(loaded.text, " 1 a "));
    assert_null(strstr(loaded.text, " 1 b "));
    assert_non_null(strstr(loaded.text, " 1 c "));
}

static void test_too_large_batch(void **state)
{
    struct place *place = *state;
    static char text[STORE_TEXT_LIMIT];
    put_first(place);
    struct store_batch *batch = store_begin(place->store);
    for (int64_t i = 1; i <= 200; i++) {
        struct line_row line = some_line(1, i, 1, "");
        line.text = bytes_of(text, sizeof text);
        store_put_line(batch, &line);
    }
    assert_int_equal(commit_now(place, batch).code, ERROR_UNAVAILABLE);
    struct lines lines = {0};
    store_history(place->store, 1, 1, INT64_MAX, 10, note_line, lines_done, &lines);
    lines_wait(place, &lines);
    assert_int_equal(lines.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_rows_come_back, begin, end),
        cmocka_unit_test_setup_teardown(test_put_changes_a_row, begin, end),
        cmocka_unit_test_setup_teardown(test_deletes, begin, end),
        cmocka_unit_test_setup_teardown(test_wrong_words_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_missing_and_taken, begin, end),
        cmocka_unit_test_setup_teardown(test_batch_is_whole_and_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_too_large_batch, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
