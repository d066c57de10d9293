/* SPDX-License-Identifier: ISC */
/* What the gateway does for accounts by itself, and what an account says of posts. */
#include "core/account_posts.h"
#include "world.h"

struct hearing {
    char told[256]; /* "+alice -alice " */
    struct gateway *gateway;
    bool leaves; /* with the first it hears */
    bool enters;
    struct gateway_session *session;
};

static void on_account(void *arg, const char *account, bool gone)
{
    struct hearing *hearing = arg;
    size_t at = strlen(hearing->told);
    snprintf(hearing->told + at, sizeof hearing->told - at, "%c%s ", gone ? '-' : '+', account);
    if (hearing->enters && !gone)
        hearing->session = gateway_service(hearing->gateway, account, "mail");
    if (gone)
        assert_null(gateway_service(hearing->gateway, account, "mail"));
    if (hearing->leaves)
        gateway_accounts(hearing->gateway, NULL, hearing);
}

static void who_is_there(void **state)
{
    struct world *world = *state;
    struct hearing first = {.gateway = world->gateway}, second = {.gateway = world->gateway, .leaves = true};
    account_make(world, "alice");
    gateway_accounts(world->gateway, on_account, &first);
    assert_string_equal(first.told, "+alice ");
    account_make(world, "bob");
    gateway_accounts(world->gateway, on_account, &second);
    account_make(world, "carol");
    assert_string_equal(first.told, "+alice +bob +carol ");
    assert_int_equal(strchr(second.told, ' ')[1], 0); /* one, and no more */
    good(world, world->operator_,
         json_pack("{s:s,s:s,s:b}", "do", "account.remove", "account", "bob", "sure", 1));
    assert_string_equal(first.told, "+alice +bob +carol -bob ");
    gateway_accounts(world->gateway, NULL, &first);
    gateway_accounts(world->gateway, NULL, &first);
    account_make(world, "dave");
    assert_string_equal(first.told, "+alice +bob +carol -bob ");
}

static void at_the_unlock(void **state)
{
    struct world *world = *state;
    char path[80], key[80] = "";
    account_make(world, "alice");
    world_close(world);
    world_open_with(world, true);
    struct hearing hearing = {.gateway = world->gateway, .enters = true};
    gateway_accounts(world->gateway, on_account, &hearing);
    assert_string_equal(hearing.told, "");
    assert_null(gateway_service(world->gateway, "alice", "mail"));
    snprintf(path, sizeof path, "%s/vault.key", world->directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%64s", key), 1);
    fclose(file);
    good(world, world->operator_, json_pack("{s:s,s:s}", "do", "unlock", "vault_key", key));
    assert_string_equal(hearing.told, "+alice ");
    assert_non_null(hearing.session);
}

static unsigned ends;

static void on_end(void *arg, const char *reason)
{
    (void)arg;
    assert_string_equal(reason, "the account was removed");
    ends++;
}

static void a_service_does_not_look(void **state)
{
    struct world *world = *state;
    struct account *account = account_make(world, "alice");
    struct gateway_session *service = gateway_service(world->gateway, "alice", "mail");
    assert_non_null(service);
    assert_string_equal(gateway_account_name(service), "alice");
    assert_false(gateway_account(service) == 0);
    assert_int_equal(account->sessions, 0);
    struct gateway_session *person = session_of(world, "alice");
    assert_int_equal(account->sessions, 1);
    good(world, service, json_pack("{s:s}", "do", "hello"));
    gateway_logout(gateway_service(world->gateway, "alice", "mail"));
    assert_int_equal(account->sessions, 1);
    gateway_logout(person);
    assert_int_equal(account->sessions, 0);
    assert_null(gateway_service(world->gateway, "nobody", "mail"));

    static const struct gateway_events events = {.ended = on_end};
    ends = 0;
    gateway_listen(service, &events, NULL);
    good(world, world->operator_,
         json_pack("{s:s,s:s,s:b}", "do", "account.remove", "account", "alice", "sure", 1));
    assert_int_equal(ends, 1);
}

/* --- account.set */

static json_t *posts_of(struct world *world, struct gateway_session *session)
{
    json_t *account = give(world, session, json_pack("{s:s}", "do", "account.show"));
    json_t *posts = json_incref(json_object_get(account, "posts"));
    assert_true(json_is_object(posts));
    json_decref(account);
    return posts;
}

static void assert_posts(struct world *world, struct gateway_session *session, bool universal, int64_t wait,
                         int64_t limit, int64_t strangers, const char *forward)
{
    json_t *posts = posts_of(world, session);
    assert_int_equal(json_is_true(json_object_get(posts, "universal")), universal);
    assert_int_equal(number(posts, "wait"), wait);
    assert_int_equal(number(posts, "limit"), limit);
    assert_int_equal(number(posts, "strangers"), strangers);
    assert_string_equal(text(posts, "forward"), forward);
    json_decref(posts);
}

static void settings(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    const int64_t usual = POST_CONTENT_LIMIT;
    assert_posts(world, alice, false, 14 * 86400, usual, 20, "");
    good(world, alice,
         json_pack("{s:s,s:b,s:i,s:i,s:i}", "do", "account.set", "universal", 1, "wait", 3600, "limit", 65536,
                   "strangers", 0));
    assert_posts(world, alice, true, 3600, 65536, 0, "");
    good(world, alice, json_pack("{s:s,s:s}", "do", "account.set", "state_text", "away"));
    assert_posts(world, alice, true, 3600, 65536, 0, "");
    world_restart(world);
    alice = session_of(world, "alice");
    assert_posts(world, alice, true, 3600, 65536, 0, "");
    good(world, alice,
         json_pack("{s:s,s:b,s:i,s:i,s:i}", "do", "account.set", "universal", 0, "wait", 60 * 86400, "limit",
                   26214400, "strangers", 1000));
    assert_posts(world, alice, false, 60 * 86400, 26214400, 1000, "");

    static const struct {
        const char *name;
        int64_t value;
    } wrong[] = {{"wait", 3599},      {"wait", 60 * 86400 + 1}, {"wait", -1},
                 {"limit", 65535},    {"limit", 26214401},      {"limit", INT64_MIN},
                 {"strangers", 1001}, {"strangers", -1},        {"strangers", 1LL << 32}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        bad(world, alice,
            json_pack("{s:s,s:b,s:I}", "do", "account.set", "universal", 1, wrong[i].name,
                      (json_int_t)wrong[i].value),
            ERROR_INVALID);
    struct rlimit before = disk_fill();
    bad(world, alice, json_pack("{s:s,s:b}", "do", "account.set", "universal", 1), ERROR_UNAVAILABLE);
    disk_clear(&before);
    assert_posts(world, alice, false, 60 * 86400, 26214400, 1000, ""); /* all or nothing */
}

static void assert_texts(struct world *world, struct gateway_session *session, const char *forwarding,
                         const char *maildir)
{
    json_t *posts = posts_of(world, session);
    assert_non_null(strstr(text(posts, "forwarding"), forwarding));
    assert_true(forwarding[0] != '\0' || text(posts, "forwarding")[0] == '\0');
    assert_string_equal(text(posts, "maildir"), maildir);
    json_decref(posts);
}

static void forwarding(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_t *command = json_pack("{s:s,s:s}", "do", "account.set", "forward", "alice@example.org");
    /* Without a server it is refused, with what to do. */
    struct answer answer = bad(world, alice, json_incref(command), ERROR_UNAVAILABLE);
    assert_non_null(strstr(answer.text, "mail.forward"));
    assert_texts(world, alice, "", "");

    snprintf(world->gateway->mail_forward, sizeof world->gateway->mail_forward, "smtp.example.org:587");
    snprintf(world->gateway->mail_maildir, sizeof world->gateway->mail_maildir, "/srv/mail");
    good(world, alice, command);
    assert_texts(world, alice, "alice@example.org through the mail server smtp.example.org:587",
                 "/srv/mail/alice");
    static const char *const wrong[] = {"alice",         "@example.org",         "alice@", "a b@c",
                                        "a@b@c",         "a@b\r\nRCPT TO:<c@d>", "<a@b>",  "a@b,c@d",
                                        "a@distant.alt", "a@DISTANT.alt"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        bad(world, alice, json_pack("{s:s,s:s}", "do", "account.set", "forward", wrong[i]), ERROR_INVALID);
    char large[400];
    snprintf(large, sizeof large, "a@%0253d", 1);
    bad(world, alice, json_pack("{s:s,s:s}", "do", "account.set", "forward", large), ERROR_INVALID);
    snprintf(large, sizeof large, "a@%0300d", 1);
    bad(world, alice, json_pack("{s:s,s:s}", "do", "account.set", "forward", large), ERROR_INVALID);

    /* The address outlives the server's name in the configuration, and says so; it can still be ended. */
    world_restart(world);
    alice = session_of(world, "alice");
    assert_posts(world, alice, false, 14 * 86400, POST_CONTENT_LIMIT, 20, "alice@example.org");
    assert_texts(world, alice, "nothing is sent on", "");
    good(world, alice, json_pack("{s:s,s:s}", "do", "account.set", "forward", ""));
    assert_texts(world, alice, "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_there, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(at_the_unlock, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_service_does_not_look, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(settings, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(forwarding, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
