/* SPDX-License-Identifier: ISC */
/* What clients see: after an answer its changes are there, in order, without a gap, by whichever way they are
 * pulled. */
#include "world.h"

#include "core/changes.h"
#include "core/write.h"

/* A client that knows the account only by its changes: objects by "kind id", lines by number. */
struct mirror {
    int64_t after;
    json_t *objects;
};

static void mirror_apply(struct mirror *mirror, json_t *change)
{
    static const char *const kinds[] = {"account", "contact", "conversation", "invite", "line"};
    char key[64];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        json_t *object = json_object_get(change, kinds[i]);
        if (object == NULL)
            continue;
        snprintf(key, sizeof key, "%s %lld", kinds[i],
                 (long long)number(object, strcmp(kinds[i], "line") == 0 ? "seq" : "id"));
        json_t *copy = json_deep_copy(object);
        /* These move without a change of their own: counters of lines and tunnels, and the numbers
         * themselves. */
        static const char *const volatile_members[] = {"change", "seq",    "last_change", "last",
                                                       "unread", "queued", "tunnels"};
        for (size_t n = 0; n < sizeof volatile_members / sizeof *volatile_members; n++)
            json_object_del(copy, volatile_members[n]);
        json_object_set_new(mirror->objects, key, copy);
        return;
    }
    const char *kind;
    json_t *id;
    json_object_foreach(json_object_get(change, "gone"), kind, id)
    {
        snprintf(key, sizeof key, "%s %lld", kind, (long long)json_integer_value(id));
        json_object_del(mirror->objects, key);
    }
}

/* Pulls until nothing is left, `max` at a time. */
static void mirror_pull(struct world *world, struct gateway_session *session, struct mirror *mirror, int max)
{
    for (bool more = true; more;) {
        json_t *answer =
            give(world, session,
                 json_pack("{s:s,s:I,s:i}", "do", "changes", "after", (json_int_t)mirror->after, "max", max));
        json_t *changes = json_object_get(answer, "changes"), *change;
        int64_t before = mirror->after;
        size_t index;
        assert_true(json_array_size(changes) <= (size_t)max);
        json_array_foreach(changes, index, change)
        {
            assert_true(number(change, "change") > before); /* ascending */
            before = number(change, "change");
            mirror_apply(mirror, change);
        }
        assert_true(number(answer, "change") >= before);
        mirror->after = number(answer, "change");
        more = json_is_true(json_object_get(answer, "more"));
        json_decref(answer);
    }
}

static struct mirror mirror_new(void)
{
    return (struct mirror){.objects = json_object()};
}

static void assert_same(const struct mirror *a, const struct mirror *b)
{
    if (json_equal(a->objects, b->objects))
        return;
    const char *key;
    json_t *value;
    json_object_foreach(a->objects, key, value)
    {
        char *one = json_dumps(value, JSON_SORT_KEYS),
             *two = json_dumps(json_object_get(b->objects, key), JSON_SORT_KEYS);
        if (two == NULL || strcmp(one, two) != 0)
            print_error("%s\n  %s\n  %s\n", key, one, two != NULL ? two : "missing");
        free(one);
        free(two);
    }
    fail_msg("%zu and %zu objects", json_object_size(a->objects), json_object_size(b->objects));
}

/* --- one at a time */

static void changes_are_there_after_the_answer(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    world_quiet(pair.world);
    int64_t before = change_visible(pair.alice->account);
    json_t *said = give(pair.world, pair.alice,
                        json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "bob", "text", "x"));
    json_t *pulled =
        give(pair.world, pair.alice, json_pack("{s:s,s:I}", "do", "changes", "after", (json_int_t)before));
    json_t *first = json_object_get(json_array_get(json_object_get(pulled, "changes"), 0), "line");
    assert_string_equal(text(first, "text"), "x");
    assert_int_equal(number(first, "seq"), number(said, "seq"));
    assert_true(number(pulled, "change") >= number(said, "change"));
    json_decref(said);
    json_decref(pulled);
}

/* What comes after a commit that is still under way is not shown before it. */
static void nothing_is_shown_above_a_commit_under_way(void **state)
{
    struct pair pair;
    struct answer said, pulled;
    pair_make(&pair, *state);
    world_quiet(pair.world);
    int64_t before = change_visible(pair.alice->account);
    start(pair.alice, json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "bob", "text", "x"), &said);
    conversation_changed(pair.with_bob); /* a later number, at once */
    assert_int_equal(change_visible(pair.alice->account), before);
    start(pair.alice, json_pack("{s:s,s:I}", "do", "changes", "after", (json_int_t)before), &pulled);
    finish(pair.world, &pulled);
    assert_int_equal(json_array_size(json_object_get(pulled.result, "changes")), 0);
    assert_int_equal(number(pulled.result, "change"), before);
    json_decref(pulled.result);
    finish(pair.world, &said);
    json_decref(said.result);
    start(pair.alice, json_pack("{s:s,s:I}", "do", "changes", "after", (json_int_t)before), &pulled);
    finish(pair.world, &pulled);
    json_t *changes = json_object_get(pulled.result, "changes");
    assert_int_equal(json_array_size(changes), 2);
    assert_non_null(json_object_get(json_array_get(changes, 0), "line"));
    assert_non_null(json_object_get(json_array_get(changes, 1), "conversation"));
    json_decref(pulled.result);
}

static void a_failed_commit_leaves_only_a_gap(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    world_quiet(pair.world);
    struct mirror before = mirror_new(), after = mirror_new();
    mirror_pull(pair.world, pair.alice, &before, 100);
    struct rlimit limit = disk_fill();
    bad(pair.world, pair.alice,
        json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "bob", "name", "Robert"),
        ERROR_UNAVAILABLE);
    disk_clear(&limit);
    mirror_pull(pair.world, pair.alice, &after, 100);
    assert_same(&before, &after);
    good(pair.world, pair.alice,
         json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "bob", "name", "Robert"));
    mirror_pull(pair.world, pair.alice, &before, 100);
    assert_string_equal(conversation_with(pair.alice, "bob")->contact->naming.name, "Robert");
    json_decref(before.objects);
    json_decref(after.objects);
}

static void changes_at_once_do_not_undo_each_other(void **state)
{
    struct pair pair;
    struct answer answers[3];
    pair_make(&pair, *state);
    start(pair.alice, json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "bob", "name", "Robert"),
          &answers[0]);
    start(pair.alice, json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "bob", "presence", "never"),
          &answers[1]);
    start(pair.alice, json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "bob", "handle", "rob"),
          &answers[2]);
    for (size_t i = 0; i < 3; i++) {
        finish(pair.world, &answers[i]);
        assert_int_equal(answers[i].code, 0);
        json_decref(answers[i].result);
    }
    for (unsigned round = 0; round < 2; round++) {
        json_t *contact =
            give(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "contact.show", "contact", "rob"));
        assert_string_equal(text(contact, "name"), "Robert");
        assert_string_equal(text(contact, "presence"), "never");
        json_decref(contact);
        world_restart(pair.world);
        pair.alice = session_of(pair.world, "alice");
    }
    /* The account has one row: a second setting waits for its turn with the client. */
    start(pair.alice, json_pack("{s:s,s:b}", "do", "account.set", "typing", 0), &answers[0]);
    bad(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "account.set", "state_text", "away"),
        ERROR_UNAVAILABLE);
    finish(pair.world, &answers[0]);
    json_decref(answers[0].result);
    good(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "account.set", "state_text", "away"));
    assert_false(pair.alice->account->typing);
}

static void a_removed_contact_is_gone(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    world_quiet(pair.world);
    struct mirror early = mirror_new(), late = mirror_new();
    mirror_pull(pair.world, pair.alice, &early, 3);
    assert_int_equal(json_object_size(early.objects), 4); /* account, contact, conversation, invite */
    good(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "contact.remove", "contact", "bob"));
    mirror_pull(pair.world, pair.alice, &early, 1);
    mirror_pull(pair.world, pair.alice, &late, 500);
    assert_int_equal(json_object_size(late.objects), 1);
    assert_same(&early, &late);
    world_restart(pair.world);
    pair.alice = session_of(pair.world, "alice");
    struct mirror later = mirror_new();
    mirror_pull(pair.world, pair.alice, &later, 2);
    assert_same(&late, &later);
    json_decref(early.objects);
    json_decref(late.objects);
    json_decref(later.objects);
}

/* More lines than are remembered, and more than a page takes, reach a client that was away. */
static void lines_beyond_what_is_remembered(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    world_quiet(pair.world);
    struct mirror away = mirror_new(), paged = mirror_new();
    mirror_pull(pair.world, pair.alice, &away, 500);
    size_t before = json_object_size(away.objects);
    for (unsigned burst = 0; burst < 6; burst++) {
        struct answer answers[100];
        for (size_t i = 0; i < 100; i++)
            start(pair.alice, json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "bob", "text", "x"),
                  &answers[i]);
        for (size_t i = 0; i < 100; i++) {
            finish(pair.world, &answers[i]);
            json_decref(answers[i].result);
        }
    }
    mirror_pull(pair.world, pair.alice, &away, 500);
    assert_int_equal(json_object_size(away.objects), before + 600);
    mirror_pull(pair.world, pair.alice, &paged, 7);
    assert_same(&away, &paged);
    json_decref(away.objects);
    json_decref(paged.objects);
}

static unsigned told;

static void count_more(void *arg)
{
    (void)arg;
    told++;
}

static void more_is_told_once_a_turn(void **state)
{
    struct pair pair;
    struct answer answers[20];
    pair_make(&pair, *state);
    world_quiet(pair.world);
    static const struct gateway_events events = {.more = count_more};
    gateway_listen(pair.alice, &events, NULL);
    told = 0;
    for (size_t i = 0; i < 20; i++)
        start(pair.alice, json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "bob", "text", "x"),
              &answers[i]);
    for (size_t i = 0; i < 20; i++) {
        finish(pair.world, &answers[i]);
        json_decref(answers[i].result);
    }
    world_quiet(pair.world);
    assert_in_range(told, 1, 10);
    unsigned before = told;
    world_quiet(pair.world);
    assert_int_equal(told, before); /* not without news */
}

static void numbers_are_never_used_again(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    int64_t seen = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 700; i++)
            conversation_changed(pair.with_bob);
        world_quiet(pair.world);
        int64_t newest = change_visible(pair.alice->account);
        assert_true(newest > seen);
        seen = newest;
        world_restart(pair.world);
        pair_meet(&pair, pair.world);
        assert_true(change_visible(pair.alice->account) > seen);
    }
}

/* After a restart every client learns that the states it knew are over, whatever its cursor. */
static void a_restart_is_a_change(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    world_quiet(pair.world);
    struct mirror client = mirror_new();
    mirror_pull(pair.world, pair.alice, &client, 100);
    world_close(pair.world);
    world_open_with(pair.world, true); /* locked: no chat settles anything */
    struct gateway_session *alice = session_of(pair.world, "alice");
    mirror_pull(pair.world, alice, &client, 1);
    struct mirror fresh = mirror_new();
    mirror_pull(pair.world, alice, &fresh, 100);
    assert_same(&client, &fresh);
    json_decref(client.objects);
    json_decref(fresh.objects);
}

/* A client that pulls when it hears `more`, as the bridges do. */
struct follower {
    struct gateway_session *session;
    json_int_t seen;
    struct answer answer;
};

static void pull_now(void *arg)
{
    struct follower *follower = arg;
    start(follower->session, json_pack("{s:s,s:I,s:i}", "do", "changes", "after", follower->seen, "max", 100),
          &follower->answer);
}

/* What a timer changed is told before the loop sleeps, and no other turn may come for long. */
static void what_more_pulls_is_answered_in_the_same_turn(void **state)
{
    static const struct gateway_events events = {.more = pull_now};
    struct pair pair;
    pair_make(&pair, *state);
    world_quiet(pair.world);
    struct follower follower = {.session = pair.alice, .seen = change_visible(pair.alice->account)};
    gateway_listen(pair.alice, &events, &follower);
    conversation_changed(pair.with_bob);
    sessions_flush(pair.world->gateway);
    assert_int_equal(follower.answer.calls, 1);
    assert_int_equal(json_array_size(json_object_get(follower.answer.result, "changes")), 1);
    json_decref(follower.answer.result);
    gateway_listen(pair.alice, NULL, NULL);
}

/* --- any way of pulling gives the same */

static void drop(void *arg, json_t *result, const struct error *error)
{
    (void)arg;
    (void)result;
    (void)error;
}

static void random_command(struct pair *pair, struct random_source random, unsigned step)
{
    struct gateway_session *who = random_below(&random, 2) == 0 ? pair->alice : pair->bob;
    const char *whom = who == pair->alice ? "bob" : "alice";
    struct conversation *conversation = contact_by_handle(who->account, whom)->conversation;
    char words[32];
    snprintf(words, sizeof words, "%u", step);
    json_t *command = NULL;
    switch (random_below(&random, 12)) {
    case 0:
        command = json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", whom, "name", words);
        break;
    case 1:
        command = json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", whom, "presence",
                            step % 2 == 0 ? "always" : "open");
        break;
    case 2:
        command = json_pack("{s:s,s:s,s:I}", "do", "read", "conversation", whom, "seq",
                            (json_int_t)conversation->last_seq);
        break;
    case 3:
        command = json_pack("{s:s,s:s}", "do", "account.set", "state_text", words);
        break;
    case 4:
        command = json_pack("{s:s,s:s}", "do", "invite.new", "contact", whom);
        break;
    case 5:
        if (who->account->invites != NULL && step % 3 == 0)
            command = json_pack("{s:s,s:I}", "do", "invite.revoke", "invite",
                                (json_int_t)who->account->invites->id);
        break;
    case 6: {
        char *key = some_key(5000 + step, words);
        command = json_pack("{s:s,s:s}", "do", "contact.add", "key", key);
        free(key);
        break;
    }
    case 7: {
        struct contact *contact, *next;
        HASH_ITER(hh, who->account->contacts, contact, next)
        {
            if (strcmp(contact->naming.handle, whom) != 0 && command == NULL)
                command = json_pack("{s:s,s:I}", "do", "contact.remove", "contact", (json_int_t)contact->id);
        }
        break;
    }
    default:
        command = json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", whom, "text", words);
        break;
    }
    if (command == NULL)
        return;
    struct error *error = NULL;
    if (gateway_do(who, command, drop, NULL, &error) == 0)
        error_free(error); /* such as a second setting at once */
    json_decref(command);
    if (random_below(&random, 3) == 0)
        world_turn(pair->world);
}

static void any_way_of_pulling_gives_the_same(void **state)
{
    struct pair pair;
    struct random_seeded seeded;
    struct random_source random = random_from_seed(&seeded, 20130501);
    pair_make(&pair, *state);
    world_quiet(pair.world);
    struct mirror often = mirror_new(), seldom = mirror_new();
    struct gateway_session *reader = session_of(pair.world, "alice"); /* with answers of its own */
    for (unsigned step = 0; step < 2000; step++) {
        random_command(&pair, random, step);
        mirror_pull(pair.world, reader, &often, 1 + (int)random_below(&random, 20));
        if (random_below(&random, 300) == 0)
            mirror_pull(pair.world, reader, &seldom, 7);
        if (step == 1000) {
            world_quiet(pair.world);
            world_restart(pair.world);
            pair.alice = session_of(pair.world, "alice");
            pair.bob = session_of(pair.world, "bob");
            reader = session_of(pair.world, "alice");
        }
    }
    world_quiet(pair.world);
    struct mirror fresh = mirror_new();
    mirror_pull(pair.world, reader, &often, 500);
    mirror_pull(pair.world, reader, &seldom, 500);
    mirror_pull(pair.world, reader, &fresh, 50);
    assert_true(json_object_size(fresh.objects) > 300);
    assert_same(&fresh, &often);
    assert_same(&fresh, &seldom);
    json_decref(fresh.objects);
    json_decref(often.objects);
    json_decref(seldom.objects);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(changes_are_there_after_the_answer),
        TEST(nothing_is_shown_above_a_commit_under_way),
        TEST(a_failed_commit_leaves_only_a_gap),
        TEST(changes_at_once_do_not_undo_each_other),
        TEST(a_removed_contact_is_gone),
        TEST(lines_beyond_what_is_remembered),
        TEST(more_is_told_once_a_turn),
        TEST(numbers_are_never_used_again),
        TEST(a_restart_is_a_change),
        TEST(what_more_pulls_is_answered_in_the_same_turn),
        TEST(any_way_of_pulling_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
