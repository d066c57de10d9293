/* SPDX-License-Identifier: ISC */
/* Log-ins: passwords, app passwords and their scopes, the throttle, what ends a session. */
#include "core/app_passwords.h"
#include "world.h"

struct entry {
    unsigned calls;
    struct gateway_session *session;
    enum error_code code;
};

static void note_entry(void *arg, struct gateway_session *session, const struct error *error)
{
    struct entry *entry = arg;
    entry->calls++;
    entry->session = session;
    entry->code = error != NULL ? error->code : 0;
    assert_true((session == NULL) == (error != NULL));
}

static uint64_t knock(struct world *world, struct entry *entry, const char *account, const char *password,
                      const char *scope, const char *address)
{
    const struct gateway_login login = {account, password, scope, address};
    *entry = (struct entry){0};
    uint64_t ticket = gateway_login(world->gateway, &login, note_entry, entry);
    assert_int_not_equal(ticket, 0);
    assert_int_equal(entry->calls, 0);
    return ticket;
}

static struct entry enter_from(struct world *world, const char *account, const char *password,
                               const char *scope, const char *address)
{
    struct entry entry;
    knock(world, &entry, account, password, scope, address);
    while (entry.calls == 0)
        world_turn(world);
    assert_int_equal(entry.calls, 1);
    return entry;
}

static struct entry enter(struct world *world, const char *account, const char *password, const char *scope)
{
    return enter_from(world, account, password, scope, "192.0.2.1");
}

static const char right[] = "password of it";

static void the_password(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct entry entry = enter(world, "alice", right, "irc");
    assert_non_null(entry.session);
    assert_string_equal(gateway_account_name(entry.session), "alice");
    assert_int_equal(gateway_account(entry.session), account_by_name(world->gateway, "alice")->id);
    assert_int_equal(enter(world, "alice", "password of its", "irc").code, ERROR_DENIED);
    assert_int_equal(enter(world, "alice", "", "irc").code, ERROR_DENIED);
    assert_int_equal(enter(world, "nobody", right, "irc").code, ERROR_DENIED);
    assert_int_equal(enter(world, "alicealicealicealicealicealicealice", right, "irc").code, ERROR_DENIED);
    assert_int_equal(enter(world, "", right, "irc").code, ERROR_DENIED);
    /* A new one replaces it. */
    bad(world, entry.session,
        json_pack("{s:s,s:s,s:s}", "do", "account.password", "password", "the new password", "old", "wrong"),
        ERROR_DENIED);
    bad(world, entry.session,
        json_pack("{s:s,s:s}", "do", "account.password", "password", "the new password"), ERROR_DENIED);
    struct rlimit before = disk_fill();
    bad(world, entry.session,
        json_pack("{s:s,s:s,s:s}", "do", "account.password", "password", "the new password", "old", right),
        ERROR_UNAVAILABLE);
    disk_clear(&before);
    good(world, entry.session,
         json_pack("{s:s,s:s,s:s}", "do", "account.password", "password", "the new password", "old", right));
    assert_int_equal(enter(world, "alice", right, "irc").code, ERROR_DENIED);
    world_restart(world);
    assert_non_null(enter(world, "alice", "the new password", "irc").session);
    good(world, world->operator_,
         json_pack("{s:s,s:s,s:s}", "do", "account.password", "account", "alice", "password", right));
    assert_non_null(enter(world, "alice", right, "irc").session);
}

static void app_passwords(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_t *phone = give(
        world, alice, json_pack("{s:s,s:s,s:s}", "do", "app_password.new", "label", "phone", "scope", "irc"));
    json_t *any = give(world, alice, json_pack("{s:s,s:s}", "do", "app_password.new", "label", "all"));
    const char *password = text(phone, "password");
    assert_int_equal(strlen(password), 39);
    assert_int_equal(enter(world, "alice", password, "mail").code, ERROR_DENIED);
    struct entry entry = enter(world, "alice", password, "irc");
    assert_non_null(entry.session);
    assert_non_null(enter(world, "alice", text(any, "password"), "mail").session);
    /* It does not make more of itself. */
    bad(world, entry.session, json_pack("{s:s,s:s}", "do", "app_password.new", "label", "wider"),
        ERROR_DENIED);
    /* As people type it. */
    char loose[64];
    size_t at = 0;
    for (const char *from = password; *from != '\0'; from++) {
        if (*from != '-')
            loose[at++] = *from >= 'a' && *from <= 'z' ? (char)(*from - 32) : *from;
    }
    loose[at] = '\0';
    assert_non_null(enter(world, "alice", loose, "irc").session);
    json_t *list = give(world, alice, json_pack("{s:s}", "do", "app_password.list"));
    json_t *first = json_array_get(json_object_get(list, "app_passwords"), 0);
    assert_string_equal(text(first, "label"), "phone");
    assert_null(json_object_get(first, "password"));
    assert_true(number(first, "last_used") > 0);
    json_decref(list);
    world_restart(world);
    entry = enter(world, "alice", password, "irc");
    assert_non_null(entry.session);
    struct entry other = enter(world, "alice", text(any, "password"), "irc");
    alice = session_of(world, "alice");
    /* Revoking ends what came in with it, and nothing else. */
    good(
        world, alice,
        json_pack("{s:s,s:I}", "do", "app_password.revoke", "app_password", (json_int_t)number(phone, "id")));
    assert_int_equal(account_by_name(world->gateway, "alice")->sessions, 2);
    good(world, other.session, json_pack("{s:s}", "do", "hello"));
    assert_int_equal(enter(world, "alice", password, "irc").code, ERROR_DENIED);
    json_decref(phone);
    json_decref(any);
    for (size_t i = 1; i < 64; i++)
        good(world, alice, json_pack("{s:s,s:s}", "do", "app_password.new", "label", "x"));
    bad(world, alice, json_pack("{s:s,s:s}", "do", "app_password.new", "label", "x"), ERROR_LIMIT);
}

/* One that ends when it is not used for `idle` seconds. */
static json_t *browser(struct world *world, struct gateway_session *session, int idle)
{
    return give(world, session,
                json_pack("{s:s,s:s,s:s,s:i}", "do", "app_password.new", "label", "browser", "scope", "web",
                          "idle", idle));
}

static struct app_password *entry_of(struct world *world, const json_t *made)
{
    return app_password_find(account_by_name(world->gateway, "alice"), number(made, "id"));
}

static int64_t stored_use(struct world *world, const json_t *made)
{
    world_settle(world);
    world_restart(world);
    return entry_of(world, made)->last_used;
}

/* As if it had lain there for so long. */
static void leave(struct world *world, const json_t *made, int64_t ms)
{
    struct app_password *entry = entry_of(world, made);
    entry->created -= ms;
    entry->last_used -= entry->last_used != 0 ? ms : 0;
    entry->noted -= entry->noted != 0 ? ms : 0;
}

static void disuse(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    const int64_t day = 86400 * 1000;
    bad(world, alice, json_pack("{s:s,s:s,s:i}", "do", "app_password.new", "label", "x", "idle", -1),
        ERROR_INVALID);
    bad(world, alice,
        json_pack("{s:s,s:s,s:i}", "do", "app_password.new", "label", "x", "idle", 365 * 86400 + 1),
        ERROR_INVALID);
    json_t *never = browser(world, alice, 0), *unused = browser(world, alice, 86400),
           *used = browser(world, alice, 86400), *swept = browser(world, alice, 86400);
    assert_int_equal(number(used, "idle"), 86400);
    assert_null(json_object_get(used, "own"));

    leave(world, used, day - 1000);
    assert_non_null(enter(world, "alice", text(used, "password"), "web").session);
    leave(world, used, day - 1000);
    leave(world, never, 1000 * day);
    leave(world, unused, day + 1000);
    assert_int_equal(enter(world, "alice", text(unused, "password"), "web").code, ERROR_DENIED);
    assert_null(entry_of(world, unused));
    leave(world, swept, day + 1000);
    leave(world, used, day + 1000);
    assert_non_null(enter(world, "alice", text(used, "password"), "web").session);
    leave(world, used, day + 1000);
    world_minute(world);
    assert_null(entry_of(world, swept));
    assert_non_null(entry_of(world, used)); /* its session is still there */
    world_restart(world);
    assert_null(entry_of(world, unused));
    assert_null(entry_of(world, swept));
    assert_int_equal(entry_of(world, used)->idle, 86400);
    assert_non_null(enter(world, "alice", text(never, "password"), "web").session);
    leave(world, used, day + 1000); /* now without a session */
    world_minute(world);
    assert_null(entry_of(world, used));
    json_decref(never);
    json_decref(unused);
    json_decref(used);
    json_decref(swept);
}

/* The last use is stored once an hour, however often it is used. */
static void use_is_noted(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_t *made = browser(world, alice, 86400);
    enter(world, "alice", text(made, "password"), "web");
    int64_t first = stored_use(world, made);
    assert_true(first > 0);
    struct store_stats before, after;
    world_settle(world);
    store_stats(world->gateway->store, &before);
    for (unsigned i = 0; i < 3; i++)
        enter(world, "alice", text(made, "password"), "web");
    world_settle(world);
    store_stats(world->gateway->store, &after);
    assert_int_equal(after.batches, before.batches);
    assert_true(entry_of(world, made)->last_used >= first);
    /* A session keeps it in use. */
    leave(world, made, 2 * 3600 * 1000);
    world_minute(world);
    assert_true(stored_use(world, made) >= first);
    json_decref(made);
}

static void full_of_browsers(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_t *kept = browser(world, alice, 0), *old = browser(world, alice, 86400),
           *older = browser(world, alice, 86400);
    leave(world, kept, 7200 * 1000);
    leave(world, old, 3600 * 1000);
    struct entry entry = enter(world, "alice", text(older, "password"), "web");
    leave(world, older, 5400 * 1000);
    for (size_t i = 3; i < 64; i++)
        good(world, alice, json_pack("{s:s,s:s}", "do", "app_password.new", "label", "x"));
    /* Two at once take the places of two. */
    struct answer answers[3];
    for (size_t i = 0; i < 3; i++)
        start(alice, json_pack("{s:s,s:s,s:i}", "do", "app_password.new", "label", "new", "idle", 60),
              &answers[i]);
    for (size_t i = 0; i < 3; i++)
        finish(world, &answers[i]);
    assert_int_equal(answers[0].code, 0);
    assert_int_equal(answers[1].code, 0);
    assert_int_equal(answers[2].code, ERROR_LIMIT);
    json_decref(answers[0].result);
    json_decref(answers[1].result);
    assert_null(entry_of(world, old));
    assert_null(entry_of(world, older));
    assert_non_null(entry_of(world, kept));
    world_settle(world);
    assert_int_equal(account_by_name(world->gateway, "alice")->sessions, 1);
    (void)entry; /* ended with its password */
    struct rlimit before = disk_fill();
    bad(world, alice, json_pack("{s:s,s:s}", "do", "app_password.new", "label", "x"), ERROR_UNAVAILABLE);
    disk_clear(&before);
    world_restart(world);
    struct app_password *one;
    int count;
    DL_COUNT(account_by_name(world->gateway, "alice")->app_passwords, one, count);
    assert_int_equal(count, 64);
    assert_null(entry_of(world, older));
    json_decref(kept);
    json_decref(old);
    json_decref(older);
}

static void note_end(void *arg, const char *reason)
{
    (void)reason;
    ++*(unsigned *)arg;
}

static void its_own(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_t *made = browser(world, alice, 0), *other = browser(world, alice, 0);
    bad(world, alice, json_pack("{s:s,s:b}", "do", "app_password.revoke", "own", 1), ERROR_NOT_FOUND);
    bad(world, world->operator_,
        json_pack("{s:s,s:b,s:s}", "do", "app_password.revoke", "own", 1, "account", "alice"),
        ERROR_NOT_FOUND);
    struct gateway_session *web = enter(world, "alice", text(made, "password"), "web").session,
                           *twin = enter(world, "alice", text(made, "password"), "web").session;
    static const struct gateway_events events = {.ended = note_end};
    unsigned ended = 0;
    gateway_listen(web, &events, &ended);
    gateway_listen(twin, &events, &ended);
    bad(world, web, json_pack("{s:s}", "do", "app_password.revoke"), ERROR_INVALID);
    bad(world, web, json_pack("{s:s,s:b}", "do", "app_password.revoke", "own", 0), ERROR_INVALID);
    bad(world, web,
        json_pack("{s:s,s:b,s:I}", "do", "app_password.revoke", "own", 1, "app_password",
                  (json_int_t)number(other, "id")),
        ERROR_INVALID);
    json_t *list = give(world, web, json_pack("{s:s}", "do", "app_password.list")), *each;
    size_t index;
    json_array_foreach(json_object_get(list, "app_passwords"), index, each)
        assert_true(json_is_true(json_object_get(each, "own")) == (number(each, "id") == number(made, "id")));
    assert_int_equal(index, 2);
    json_decref(list);
    /* The answer comes before the end. */
    good(world, web, json_pack("{s:s,s:b}", "do", "app_password.revoke", "own", 1));
    assert_int_equal(ended, 2);
    assert_int_equal(enter(world, "alice", text(made, "password"), "web").code, ERROR_DENIED);
    assert_non_null(enter(world, "alice", text(other, "password"), "web").session);
    json_decref(made);
    json_decref(other);
}

/* A log-in that was under way does not outlive its password. */
static void revoked_meanwhile(void **state)
{
    struct world *world = *state;
    struct entry entry;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_t *made = browser(world, alice, 0);
    knock(world, &entry, "alice", text(made, "password"), "web", "192.0.2.1");
    app_passwords_sweep(world->gateway);
    struct account *account = account_by_name(world->gateway, "alice");
    struct app_password *there = entry_of(world, made);
    DL_DELETE(account->app_passwords, there);
    free(there);
    while (entry.calls == 0)
        world_turn(world);
    assert_int_equal(entry.code, ERROR_DENIED);
    json_decref(made);
}

/* What is used while its end is being stored does not come back with the next start. */
static void used_in_its_last_moment(void **state)
{
    struct world *world = *state;
    struct answer answer;
    struct entry entry;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_t *revoked = browser(world, alice, 0), *older = browser(world, alice, 86400);
    start(alice,
          json_pack("{s:s,s:I}", "do", "app_password.revoke", "app_password",
                    (json_int_t)number(revoked, "id")),
          &answer);
    knock(world, &entry, "alice", text(revoked, "password"), "web", "192.0.2.1");
    finish(world, &answer);
    json_decref(answer.result);
    for (size_t i = 1; i < 64; i++)
        good(world, alice, json_pack("{s:s,s:s}", "do", "app_password.new", "label", "x"));
    start(alice, json_pack("{s:s,s:s,s:i}", "do", "app_password.new", "label", "new", "idle", 60), &answer);
    knock(world, &entry, "alice", text(older, "password"), "web", "192.0.2.1");
    finish(world, &answer);
    json_decref(answer.result);
    while (world->gateway->works > 0)
        world_turn(world);
    world_settle(world);
    world_restart(world);
    assert_null(entry_of(world, revoked));
    assert_null(entry_of(world, older));
    json_decref(revoked);
    json_decref(older);
}

static void throttling(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_t *app = give(world, alice, json_pack("{s:s,s:s}", "do", "app_password.new", "label", "x"));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(enter(world, "alice", "wrong", "irc").code, ERROR_DENIED);
    /* Success forgets the failures. */
    assert_non_null(enter(world, "alice", right, "irc").session);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(enter(world, "alice", "wrong", "irc").code, ERROR_DENIED);
    /* From now on even the right one waits, from this address; what cannot be guessed need not. */
    assert_int_equal(enter(world, "alice", right, "irc").code, ERROR_LIMIT);
    assert_non_null(enter(world, "alice", text(app, "password"), "irc").session);
    assert_int_equal(enter(world, "alice", right, "irc").code, ERROR_LIMIT);
    assert_non_null(enter_from(world, "alice", right, "irc", "192.0.2.2").session);
    /* Whether the account exists or not. */
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(enter(world, "nobody", "wrong", "irc").code, ERROR_DENIED);
    assert_int_equal(enter(world, "nobody", "wrong", "irc").code, ERROR_LIMIT);
    json_decref(app);
}

static json_t *new_password(const char *old)
{
    return json_pack("{s:s,s:s,s:s}", "do", "account.password", "password", "the new password", "old", old);
}

/* A device that was stolen does not guess the account's password by changing it. */
static void guessing_from_inside(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_t *stolen = browser(world, alice, 0), *kept = browser(world, alice, 0);
    struct gateway_session *thief = enter(world, "alice", text(stolen, "password"), "web").session;
    for (unsigned i = 0; i < 4; i++)
        bad(world, thief, new_password("wrong"), ERROR_DENIED);
    bad(world, thief, new_password(right), ERROR_LIMIT);
    /* Also from a session of its own; but nobody else is kept out. */
    thief = enter(world, "alice", text(stolen, "password"), "web").session;
    bad(world, thief, new_password(right), ERROR_LIMIT);
    good(world, enter(world, "alice", text(kept, "password"), "web").session, new_password(right));
    assert_non_null(enter(world, "alice", "the new password", "web").session);
    json_decref(stolen);
    json_decref(kept);
}

static void many_at_once(void **state)
{
    struct world *world = *state;
    struct entry entries[32];
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_t *app = give(world, alice, json_pack("{s:s,s:s}", "do", "app_password.new", "label", "x"));
    /* A mail client may log in many times with its app password. */
    for (size_t i = 0; i < 32; i++)
        knock(world, &entries[i], "alice", text(app, "password"), "mail", "192.0.2.1");
    for (size_t i = 0; i < 32; i++) {
        while (entries[i].calls == 0)
            world_turn(world);
        assert_non_null(entries[i].session);
    }
    json_decref(app);
    /* Somebody who tries passwords gains nothing by trying them together. */
    unsigned looked_at = 0;
    for (size_t i = 0; i < 32; i++)
        knock(world, &entries[i], "alice", "wrong", "mail", "192.0.2.1");
    for (size_t i = 0; i < 32; i++) {
        while (entries[i].calls == 0)
            world_turn(world);
        looked_at += entries[i].code == ERROR_DENIED;
    }
    assert_int_equal(looked_at, 8);
    assert_int_equal(enter(world, "alice", right, "mail").code, ERROR_LIMIT);
}

static void cancelled(void **state)
{
    struct world *world = *state;
    struct entry entry;
    account_make(world, "alice");
    uint64_t ticket = knock(world, &entry, "alice", right, "irc", "192.0.2.1");
    gateway_login_cancel(world->gateway, ticket);
    gateway_login_cancel(world->gateway, ticket + 1);
    while (world->gateway->works > 0)
        world_turn(world);
    assert_int_equal(entry.calls, 0);
    assert_int_equal(account_by_name(world->gateway, "alice")->sessions, 0);
}

/* The end waits for the pool, and lets nobody in meanwhile. */
static void the_gateway_stops_meanwhile(void **state)
{
    struct world *world = *state;
    struct entry entries[3];
    account_make(world, "alice");
    knock(world, &entries[0], "alice", right, "irc", "192.0.2.1");
    knock(world, &entries[1], "nobody", right, "irc", "192.0.2.1");
    gateway_login_cancel(world->gateway, knock(world, &entries[2], "alice", right, "irc", "192.0.2.1"));
    world_close(world);
    assert_int_equal(entries[0].code, ERROR_UNAVAILABLE);
    assert_int_equal(entries[1].calls, 1);
    assert_int_equal(entries[2].calls, 0);
}

static void a_locked_vault_lets_nobody_in(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    world_close(world);
    world_open_with(world, true);
    assert_int_equal(enter(world, "alice", right, "irc").code, ERROR_LOCKED);
    assert_int_equal(enter(world, "alice", "wrong", "irc").code, ERROR_DENIED);
}

static void the_account_goes_meanwhile(void **state)
{
    struct world *world = *state;
    struct entry entry;
    account_make(world, "alice");
    knock(world, &entry, "alice", right, "irc", "192.0.2.1");
    good(world, world->operator_,
         json_pack("{s:s,s:s,s:b}", "do", "account.remove", "account", "alice", "sure", 1));
    while (entry.calls == 0)
        world_turn(world);
    /* Who was faster: in, and out again; or not in. */
    if (entry.session == NULL)
        assert_int_equal(entry.code, ERROR_DENIED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_password),
        TEST(app_passwords),
        TEST(disuse),
        TEST(use_is_noted),
        TEST(full_of_browsers),
        TEST(its_own),
        TEST(revoked_meanwhile),
        TEST(used_in_its_last_moment),
        TEST(throttling),
        TEST(guessing_from_inside),
        TEST(many_at_once),
        TEST(cancelled),
        TEST(the_gateway_stops_meanwhile),
        TEST(a_locked_vault_lets_nobody_in),
        TEST(the_account_goes_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
