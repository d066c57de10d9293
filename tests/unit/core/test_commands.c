/* SPDX-License-Identifier: ISC */
/* Every command: what it takes, what it refuses, who may give it. */
#include "world.h"

static json_t *parse(const char *command)
{
    json_error_t why;
    json_t *value = json_loads(command, 0, &why);
    if (value == NULL)
        fail_msg("%s: %s", why.text, command);
    return value;
}

/* --- who may give what */

static const char *const for_operators[] = {
    "{'do': 'status'}",
    "{'do': 'unlock', 'vault_key': 'x'}",
    "{'do': 'account.add', 'name': 'x'}",
    "{'do': 'account.list'}",
    "{'do': 'account.remove', 'account': 'alice', 'sure': true}",
    "{'do': 'friend.self'}",
    "{'do': 'friend.add', 'text': 'x'}",
    "{'do': 'friend.list'}",
    "{'do': 'friend.show', 'friend': 'x'}",
    "{'do': 'friend.set', 'friend': 'x'}",
    "{'do': 'friend.connect', 'friend': 'x'}",
    "{'do': 'friend.remove', 'friend': 'x'}",
    "{'do': 'attempts'}",
    "{'do': 'watch', 'on': true}",
    "{'do': 'account.set', 'operator': true}",
};

static const char *const for_accounts[] = {
    "{'do': 'account.show'}",
    "{'do': 'account.set', 'typing': true}",
    "{'do': 'account.password', 'password': 'new password'}",
    "{'do': 'app_password.new', 'label': 'phone'}",
    "{'do': 'app_password.list'}",
    "{'do': 'app_password.revoke', 'app_password': 1}",
    "{'do': 'contact.add', 'key': 'x'}",
    "{'do': 'contact.list'}",
    "{'do': 'contact.show', 'contact': 'x'}",
    "{'do': 'contact.set', 'contact': 'x'}",
    "{'do': 'contact.remove', 'contact': 'x'}",
    "{'do': 'invite.new', 'contact': 'x'}",
    "{'do': 'invite.list'}",
    "{'do': 'invite.open', 'link': 'x'}",
    "{'do': 'invite.revoke', 'invite': 1}",
    "{'do': 'conversation.list'}",
    "{'do': 'conversation.show', 'conversation': 1}",
    "{'do': 'conversation.open', 'conversation': 1}",
    "{'do': 'conversation.close', 'conversation': 1}",
    "{'do': 'conversation.avatar', 'conversation': 1}",
    "{'do': 'say', 'conversation': 1, 'text': 'x'}",
    "{'do': 'withdraw', 'seq': 1}",
    "{'do': 'resend', 'conversation': 1, 'seq': 1}",
    "{'do': 'typing', 'conversation': 1}",
    "{'do': 'read', 'conversation': 1, 'seq': 1}",
    "{'do': 'history', 'conversation': 1}",
    "{'do': 'search', 'text': 'x'}",
    "{'do': 'changes', 'after': 0}",
    "{'do': 'blob', 'blob': 'x'}",
    "{'do': 'client.open', 'name': 'x'}",
    "{'do': 'client.seen', 'name': 'x', 'epoch': 1, 'change': 0, 'seq': 0}",
    "{'do': 'verb', 'text': 'help'}",
};

enum {
    OPERATORS = sizeof for_operators / sizeof *for_operators,
    ACCOUNTS = sizeof for_accounts / sizeof *for_accounts
};

/* Commands are written with single quotes above. */
static json_t *command(const char *quoted)
{
    char *copy = strdup(quoted);
    for (char *at = copy; *at != '\0'; at++) {
        if (*at == '\'')
            *at = '"';
    }
    json_t *value = parse(copy);
    free(copy);
    return value;
}

static void scopes(void **state)
{
    struct world *world = *state;
    account_make(world, "alice"); /* the first: an operator */
    account_make(world, "bob");
    struct gateway_session *bob = session_of(world, "bob"), *alice = session_of(world, "alice");
    assert_true(gateway_is_operator(alice));
    assert_false(gateway_is_operator(bob));
    for (size_t i = 0; i < OPERATORS; i++)
        bad(world, bob, command(for_operators[i]), ERROR_DENIED);
    for (size_t i = 0; i < ACCOUNTS; i++) {
        json_t *given = command(for_accounts[i]);
        json_object_set_new(given, "account", json_string("alice"));
        bad(world, bob, json_incref(given), ERROR_DENIED);
        bad(world, alice, json_incref(given), ERROR_DENIED); /* an operator's account is one account too */
        json_object_set_new(given, "account", json_string("nobody"));
        bad(world, world->operator_, json_incref(given), ERROR_NOT_FOUND);
        json_object_set_new(given, "account", json_integer(1));
        bad(world, world->operator_, given, ERROR_NOT_FOUND);
        struct answer answer = bad(world, world->operator_, command(for_accounts[i]), ERROR_INVALID);
        assert_non_null(strstr(answer.text, "account is missing"));
    }
    good(world, alice, command("{'do': 'status'}"));
    good(world, world->operator_, command("{'do': 'contact.list', 'account': 'bob'}"));
}

static void everybody_is_greeted(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    account_make(world, "bob");
    struct gateway_session *bob = session_of(world, "bob");
    for (unsigned locked = 0; locked < 2; locked++) {
        json_t *hello = give(world, bob, command("{'do': 'hello'}")), *friends;
        assert_int_equal(number(hello, "version"), 1);
        assert_true(json_is_false(json_object_get(hello, "operator")));
        assert_string_equal(text(hello, "vault"), locked ? "locked" : "open");
        friends = json_object_get(hello, "friends");
        assert_int_equal(number(friends, "total"), 0);
        assert_int_equal(number(friends, "up"), 0);
        assert_string_equal(text(json_object_get(hello, "account"), "name"), "bob");
        assert_string_equal(text(json_object_get(hello, "account"), "state_text"), "");
        json_decref(hello);
        world_close(world);
        world_open_with(world, true);
        bob = session_of(world, "bob");
    }
}

/* --- members */

static void refuse_members(struct world *world, struct gateway_session *session, const char *quoted)
{
    json_t *given = command(quoted), *one;
    json_object_set_new(given, "surprise", json_true());
    struct answer answer = bad(world, session, json_incref(given), ERROR_INVALID);
    assert_non_null(strstr(answer.text, "it takes"));
    json_object_del(given, "surprise");
    const char *name;
    void *next;
    json_object_foreach_safe(given, next, name, one)
    {
        if (strcmp(name, "do") == 0)
            continue;
        /* No argument is null or an object; the error names it. */
        json_t *wrong = json_copy(given);
        json_object_set_new(wrong, name, json_object());
        answer = bad(world, session, json_incref(wrong), ERROR_INVALID);
        assert_non_null(strstr(answer.text, name));
        json_object_set_new(wrong, name, json_null());
        bad(world, session, json_incref(wrong), ERROR_INVALID);
        if (json_is_string(one)) {
            json_object_set_new(wrong, name, json_stringn("a\0b", 3));
            bad(world, session, json_incref(wrong), ERROR_INVALID);
        }
        json_decref(wrong);
    }
    json_decref(given);
}

static void members(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    for (size_t i = 0; i < OPERATORS; i++) {
        if (strstr(for_operators[i], "account.remove") == NULL)
            refuse_members(world, alice, for_operators[i]);
    }
    for (size_t i = 0; i < ACCOUNTS; i++)
        refuse_members(world, alice, for_accounts[i]);
    static const char *const wrong[] = {
        "{}",
        "{'do': 1}",
        "{'do': null}",
        "{'do': 'nothing'}",
        "{'do': ''}",
        "[]",
        "{'do': 'say', 'conversation': 1}",
        "{'do': 'say', 'text': 'x'}",
        "{'do': 'search', 'text': ''}",
        "{'do': 'search', 'text': 'x', 'max': 0}",
        "{'do': 'search', 'text': 'x', 'max': 201}",
        "{'do': 'read', 'conversation': 1}",
        "{'do': 'contact.show'}",
        "{'do': 'account.remove', 'account': 'alice'}",
        "{'do': 'account.remove', 'account': 'alice', 'sure': false}",
        "{'do': 'changes', 'after': -1}",
        "{'do': 'changes', 'after': 0, 'max': 0}",
        "{'do': 'changes', 'after': 0, 'max': 501}",
        "{'do': 'changes', 'after': 0.5}",
        "{'do': 'blob', 'blob': 'x', 'offset': -1}",
        "{'do': 'blob', 'blob': 'x', 'size': 0}",
        "{'do': 'blob', 'blob': 'x', 'size': 262145}",
        "{'do': 'client.open', 'name': ''}",
        "{'do': 'client.seen', 'name': 'x', 'epoch': 2, 'change': 0, 'seq': 0}",
        "{'do': 'client.seen', 'name': 'x', 'epoch': 1, 'change': 99999, 'seq': 0}",
        "{'do': 'client.seen', 'name': 'x', 'epoch': 1, 'change': 0, 'seq': 1}",
        "{'do': 'app_password.new', 'label': ''}",
        "{'do': 'app_password.new', 'label': 'x', 'scope': 'all'}",
        "{'do': 'account.password', 'password': 'short', 'old': 'x'}",
        "{'do': 'account.set', 'avatar': 'not base64 !'}",
        "{'do': 'account.set', 'avatar': 'QUJDREVGR0hJSktMTU5PUA=='}",
        "{'do': 'account.add', 'name': 'Alice'}",
        "{'do': 'account.add', 'name': 'gateway'}",
        "{'do': 'account.add', 'name': 'a123456789012345678901234'}",
        "{'do': 'account.add', 'name': 'x', 'password': 'short'}",
        "{'do': 'unlock', 'vault_key': '00'}",
        "{'do': 'invite.new'}",
        "{'do': 'invite.new', 'contact': 1, 'key': 'x'}",
        "{'do': 'invite.new', 'contact': 1, 'valid': 59}",
        "{'do': 'invite.new', 'contact': 1, 'valid': 99999999}",
        "{'do': 'invite.new', 'contact': 1, 'uses': 0}",
        "{'do': 'invite.new', 'contact': 1, 'uses': 1001}",
        "{'do': 'invite.open', 'link': 'retroshare://nothing'}",
        "{'do': 'contact.add', 'key': 'x'}",
        "{'do': 'friend.add', 'text': 'x'}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        bad(world, alice, command(wrong[i]), ERROR_INVALID);
    static const char *const missing[] = {
        "{'do': 'contact.show', 'contact': 9}",
        "{'do': 'contact.show', 'contact': 'nobody'}",
        "{'do': 'contact.show', 'contact': '0123456789012345678901234567890123456789'}",
        "{'do': 'say', 'conversation': 9, 'text': 'x'}",
        "{'do': 'say', 'conversation': 'nobody', 'text': 'x'}",
        "{'do': 'invite.revoke', 'invite': 9}",
        "{'do': 'app_password.revoke', 'app_password': 9}",
        "{'do': 'friend.show', 'friend': '0000'}",
        "{'do': 'account.remove', 'account': 'nobody', 'sure': true}",
        "{'do': 'withdraw', 'seq': 1}",
    };
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        bad(world, alice, command(missing[i]), ERROR_NOT_FOUND);
}

/* --- what they do */

static void the_node(void **state)
{
    struct world *world = *state;
    struct gateway_session *operator_ = world->operator_;
    json_t *answer = give(world, operator_, command("{'do': 'hello', 'id': 'mine'}"));
    assert_int_equal(number(answer, "version"), 1);
    assert_true(json_is_null(json_object_get(answer, "account")));
    assert_true(json_is_true(json_object_get(answer, "operator")));
    json_decref(answer);
    answer = give(world, operator_, command("{'do': 'status'}"));
    assert_string_equal(text(answer, "phase"), "ready");
    assert_string_equal(text(answer, "vault"), "open");
    assert_string_equal(text(answer, "location"), "07070707070707070707070707070707");
    json_decref(answer);
    good(world, operator_, command("{'do': 'tunnels'}"));
    answer = give(world, operator_, command("{'do': 'friend.self'}"));
    assert_string_equal(text(answer, "short"), "short");
    json_decref(answer);
    answer = give(world, operator_, command("{'do': 'attempts'}"));
    assert_int_equal(json_array_size(json_object_get(answer, "attempts")), 1);
    json_decref(answer);
    bad(world, operator_, command("{'do': 'unlock', 'vault_key': 'x'}"), ERROR_INVALID);
}

static unsigned hints;

static void count_hint(void *arg, json_t *hint)
{
    (void)arg;
    hints += json_object_get(hint, "friend") != NULL || json_object_get(hint, "progress") != NULL;
}

static void friends(void **state)
{
    struct world *world = *state;
    json_t *file = vectors_load("retroshare-0.6/short-invite.json");
    json_t *node = json_object_get(json_object_get(file, "nodes"), "D");
    const char *invite = text(json_object_get(node, "short_invite"), "base64");
    static const struct gateway_events events = {.hint = count_hint};
    hints = 0;
    gateway_listen(world->operator_, &events, NULL);
    good(world, world->operator_, command("{'do': 'watch', 'on': true}"));
    json_t *added = give(world, world->operator_,
                         json_pack("{s:s,s:s,s:s}", "do", "friend.add", "text", invite, "name", "node"));
    assert_string_equal(text(added, "name"), "node");
    bad(world, world->operator_, json_pack("{s:s,s:s}", "do", "friend.add", "text", invite), ERROR_EXISTS);
    const char *location = text(added, "location");
    char brief[9];
    snprintf(brief, sizeof brief, "%s", location);
    good(world, world->operator_, json_pack("{s:s,s:s}", "do", "friend.show", "friend", brief));
    json_t *set = give(world, world->operator_,
                       json_pack("{s:s,s:s,s:s,s:[s,s]}", "do", "friend.set", "friend", location, "name",
                                 "other", "addresses", "192.0.2.1:99", "[2001:db8::1]:7812"));
    assert_string_equal(text(set, "name"), "other");
    assert_int_equal(json_array_size(json_object_get(set, "addresses")), 2);
    json_decref(set);
    bad(world, world->operator_,
        json_pack("{s:s,s:s,s:[s]}", "do", "friend.set", "friend", location, "addresses", "nowhere"),
        ERROR_INVALID);
    bad(world, world->operator_,
        json_pack("{s:s,s:s,s:[i]}", "do", "friend.set", "friend", location, "addresses", 1), ERROR_INVALID);
    struct rlimit before = disk_fill();
    bad(world, world->operator_,
        json_pack("{s:s,s:s,s:s}", "do", "friend.set", "friend", location, "name", "lost"),
        ERROR_UNAVAILABLE);
    bad(world, world->operator_, json_pack("{s:s,s:s}", "do", "friend.remove", "friend", location),
        ERROR_UNAVAILABLE);
    disk_clear(&before);
    good(world, world->operator_, json_pack("{s:s,s:s}", "do", "friend.connect", "friend", "other"));
    assert_int_equal(the_friends.dialled, 1);
    uint8_t id[16];
    assert_true(hex_parse(id, 16, location, 32));
    the_friends.events->state(the_friends.arg, id);
    assert_int_equal(hints, 1);
    world_restart(world);
    json_t *list = give(world, world->operator_, command("{'do': 'friend.list'}"));
    json_t *kept = json_array_get(json_object_get(list, "friends"), 0);
    assert_string_equal(text(kept, "name"), "other");
    assert_int_equal(json_array_size(json_object_get(kept, "addresses")), 2);
    json_decref(list);
    good(world, world->operator_, json_pack("{s:s,s:s}", "do", "friend.remove", "friend", location));
    assert_int_equal(the_friends.friends, 0);
    json_decref(added);
    json_decref(file);
}

static void secret_keys_are_not_contacts(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct answer answer = bad(
        world, session_of(world, "alice"),
        json_pack("{s:s,s:s}", "do", "contact.add", "key",
                  "look: -----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n-----END PGP PRIVATE KEY BLOCK-----"),
        ERROR_INVALID);
    assert_non_null(strstr(answer.text, "secret key"));
}

static bool is_operator(struct world *world, const char *name)
{
    return account_by_name(world->gateway, name)->is_operator;
}

/* The first account runs the gateway, unless it is said otherwise; who comes right behind it does not. */
/* 64 cursors are kept; the one that was not seen for longest goes, for good. */
static void cursors_make_room(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    for (int i = 0; i < 70; i++) {
        char name[16];
        snprintf(name, sizeof name, "web/%d", i);
        good(world, alice,
             json_pack("{s:s,s:s,s:i,s:i,s:i}", "do", "client.seen", "name", name, "epoch", 1, "change", 1,
                       "seq", 0));
    }
    world_restart(world);
    struct client *client;
    int count;
    DL_COUNT(account_by_name(world->gateway, "alice")->clients, client, count);
    assert_int_equal(count, 64);
}

static void who_becomes_operator(void **state)
{
    struct world *world = *state;
    struct answer answers[2];
    start(world->operator_, command("{'do': 'account.add', 'name': 'alice'}"), &answers[0]);
    start(world->operator_, command("{'do': 'account.add', 'name': 'bob'}"), &answers[1]);
    for (size_t i = 0; i < 2; i++) {
        finish(world, &answers[i]);
        json_decref(answers[i].result);
    }
    assert_true(is_operator(world, "alice"));
    assert_false(is_operator(world, "bob"));
    good(world, world->operator_, command("{'do': 'account.remove', 'account': 'alice', 'sure': true}"));
    good(world, world->operator_, command("{'do': 'account.add', 'name': 'carol'}"));
    assert_false(is_operator(world, "carol"));
    good(world, world->operator_, command("{'do': 'account.remove', 'account': 'bob', 'sure': true}"));
    good(world, world->operator_, command("{'do': 'account.remove', 'account': 'carol', 'sure': true}"));
    good(world, world->operator_, command("{'do': 'account.add', 'name': 'dave', 'operator': false}"));
    assert_false(is_operator(world, "dave"));
    good(world, world->operator_, command("{'do': 'account.remove', 'account': 'dave', 'sure': true}"));
    good(world, world->operator_, command("{'do': 'account.add', 'name': 'erin'}"));
    assert_true(is_operator(world, "erin"));
}

static void one_account(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    bad(world, world->operator_, command("{'do': 'account.add', 'name': 'alice'}"), ERROR_EXISTS);
    json_t *made = give(world, world->operator_, command("{'do': 'account.add', 'name': 'bob'}"));
    assert_int_equal(strlen(text(made, "password")), 39);
    json_decref(made);
    struct gateway_session *alice = session_of(world, "alice");
    json_t *shown = give(world, alice, command("{'do': 'account.show'}"));
    assert_non_null(strstr(text(shown, "key"), "BEGIN PGP PUBLIC KEY BLOCK"));
    assert_non_null(strstr(text(shown, "link"), "retroshare://certificate?"));
    json_decref(shown);
    good(world, alice, command("{'do': 'account.set', 'avatar': 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB'}"));
    assert_int_equal(buffer_size(&alice->account->avatar), 24);
    good(world, alice, command("{'do': 'account.set', 'avatar': '', 'state_text': 'here'}"));
    assert_int_equal(buffer_size(&alice->account->avatar), 0);
    json_t *cursor = give(world, alice, command("{'do': 'client.open', 'name': 'irc/phone'}"));
    assert_true(json_is_false(json_object_get(cursor, "known")));
    json_decref(cursor);
    good(world, alice,
         command("{'do': 'client.seen', 'name': 'irc/phone', 'epoch': 1, 'change': 1, 'seq': 0}"));
    world_restart(world);
    alice = session_of(world, "alice");
    assert_string_equal(alice->account->state_text, "here");
    cursor = give(world, alice, command("{'do': 'client.open', 'name': 'irc/phone'}"));
    assert_true(json_is_true(json_object_get(cursor, "known")));
    assert_int_equal(number(cursor, "change"), 1);
    json_decref(cursor);
    bad(world, alice, command("{'do': 'blob', 'blob': '../../retrogate.db'}"), ERROR_INVALID);
}

static void verbs(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    static const char *const typed[] = {
        "help",
        "invite bob",
        "invite bob 7d 3 uses",
        "invites",
        "contacts",
        "info bob",
        "open bob",
        "key",
        "friends",
        "certificate",
        "attempts",
        "status",
        "rename bob b",
        "",
        "nobody",
        "rename b bob",
        "invite nobody",
        "revoke 99999",
        "add x",
        "accept x",
        "invite",
        "revoke banana",
        "   help   ",
        "INFO BOB",
        "close bob",
    };
    for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
        json_t *answer = give(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "verb", "text", typed[i]));
        assert_true(json_array_size(json_object_get(answer, "lines")) > 0);
        json_decref(answer);
    }
    assert_int_not_equal(pair.with_bob->standing.closed_at, 0);
    /* The operator's verbs are refused to others. */
    json_t *answer = give(pair.world, pair.bob, json_pack("{s:s,s:s}", "do", "verb", "text", "friends"));
    assert_non_null(
        strstr(json_string_value(json_array_get(json_object_get(answer, "lines"), 0)), "operator"));
    json_decref(answer);
}

/* --- sessions */

static void too_many_at_once(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    struct answer answers[SESSION_CALLS_MAX];
    for (size_t i = 0; i < SESSION_CALLS_MAX; i++)
        start(pair.alice, command("{'do': 'contact.list'}"), &answers[i]);
    bad(pair.world, pair.alice, command("{'do': 'contact.list'}"), ERROR_LIMIT);
    good(pair.world, pair.bob, command("{'do': 'contact.list'}"));
    for (size_t i = 0; i < SESSION_CALLS_MAX; i++) {
        finish(pair.world, &answers[i]);
        json_decref(answers[i].result);
    }
    good(pair.world, pair.alice, command("{'do': 'contact.list'}"));
}

static void leave(void *arg, json_t *result, const struct error *error)
{
    (void)result;
    (void)error;
    gateway_logout(arg);
}

static void never(void *arg, json_t *result, const struct error *error)
{
    (void)arg;
    (void)result;
    (void)error;
    fail_msg("an answer after the session's end");
}

static void leave_on_more(void *arg)
{
    gateway_logout(arg);
}

static void ended(void *arg, const char *reason)
{
    assert_non_null(reason);
    ++*(unsigned *)arg;
}

static void leaving_in_the_middle(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    json_t *list = command("{'do': 'contact.list'}"), *hello = command("{'do': 'say', 'conversation': 'bob', "
                                                                       "'text': 'x'}");
    struct gateway_session *session = session_of(pair.world, "alice");
    assert_int_not_equal(gateway_do(session, list, leave, session, NULL), 0);
    assert_int_not_equal(gateway_do(session, list, never, NULL, NULL), 0);
    assert_int_not_equal(gateway_do(session, hello, never, NULL, NULL), 0);
    world_quiet(pair.world);
    static const struct gateway_events events = {.more = leave_on_more};
    session = session_of(pair.world, "alice");
    gateway_listen(session, &events, session);
    assert_int_not_equal(gateway_do(pair.alice, hello, leave, pair.alice, NULL), 0);
    world_quiet(pair.world);
    /* Forgetting one answer keeps the session. */
    session = session_of(pair.world, "alice");
    uint64_t token = gateway_do(session, list, never, NULL, NULL);
    gateway_forget(session, token);
    good(pair.world, session, json_incref(list));
    static const struct gateway_events ends = {.ended = ended};
    unsigned told = 0;
    gateway_listen(session, &ends, &told);
    good(pair.world, pair.world->operator_,
         command("{'do': 'account.remove', 'account': 'alice', 'sure': true}"));
    assert_int_equal(told, 1);
    json_decref(list);
    json_decref(hello);
}

static void logging_out_when_told_of_the_end(void *arg, const char *reason)
{
    (void)reason;
    gateway_logout(arg);
}

static void the_end_may_be_met_by_a_logout(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *session = session_of(world, "alice"), *other = session_of(world, "alice");
    static const struct gateway_events events = {.ended = logging_out_when_told_of_the_end};
    gateway_listen(session, &events, session);
    session_shut(session, "the test ends it");
    assert_int_equal(other->account->sessions, 1);
    world_settle(world);
    good(world, other, command("{'do': 'hello'}"));
}

/* What still runs when the gateway stops is ended without an answer or with one, and never freed twice. */
static void closing_with_everything_under_way(void **state)
{
    struct pair pair;
    unsigned told = 0;
    static const struct gateway_events events = {.ended = ended};
    pair_make(&pair, *state);
    gateway_listen(pair.alice, &events, &told);
    the_keyring.hold = true;
    static const char *const under_way[] = {
        "{'do': 'invite.new', 'contact': 'bob'}",
        "{'do': 'say', 'conversation': 'bob', 'text': 'x'}",
        "{'do': 'account.password', 'password': 'another password', 'old': 'password of it'}",
        "{'do': 'account.add', 'name': 'carol'}",
        "{'do': 'changes', 'after': 0}",
        "{'do': 'history', 'conversation': 'bob'}",
        "{'do': 'verb', 'text': 'contacts'}",
        "{'do': 'app_password.new', 'label': 'x'}",
        "{'do': 'contact.remove', 'contact': 'bob'}",
    };
    for (size_t i = 0; i < sizeof under_way / sizeof *under_way; i++) {
        json_t *given = command(under_way[i]);
        assert_int_not_equal(gateway_do(pair.alice, given, never, NULL, NULL), 0);
        json_decref(given);
    }
    world_close(pair.world);
    assert_int_equal(told, 1);
    world_open(pair.world);
    assert_null(account_by_name(pair.world->gateway, "carol"));
    assert_null(account_by_name(pair.world->gateway, "alice")->contacts);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(scopes),
        TEST(everybody_is_greeted),
        TEST(members),
        TEST(the_node),
        TEST(friends),
        TEST(cursors_make_room),
        TEST(secret_keys_are_not_contacts),
        TEST(who_becomes_operator),
        TEST(one_account),
        TEST(verbs),
        TEST(too_many_at_once),
        TEST(leaving_in_the_middle),
        TEST(the_end_may_be_met_by_a_logout),
        TEST(closing_with_everything_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
