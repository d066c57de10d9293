/* SPDX-License-Identifier: ISC */
/* Conversations become sealed, stay so, lose nothing, and go down only by their person. */
#include "world.h"

#include "core/hashes.h"
#include "core/lines.h"
#include "core/local.h"
#include "core/queue.h"
#include "core/sealing.h"
#include "core/vault.h"

static json_t *say(const char *handle, const char *words)
{
    return json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", handle, "text", words);
}

static json_t *with(const char *command, const char *handle)
{
    return json_pack("{s:s,s:s}", "do", command, "conversation", handle);
}

static void await_unread(struct world *world, const struct conversation *conversation, int64_t count)
{
    while (conversation->unread < count)
        world_turn(world);
    world_quiet(world);
    assert_int_equal(conversation->unread, count);
}

static void await_protection(struct world *world, const struct conversation *conversation,
                             enum chat_protection protection)
{
    while (conversation->protection != protection || conversation->state != CHAT_CAN_TALK)
        world_turn(world);
}

static void await_settled(struct world *world, const struct conversation *conversation)
{
    while (!conversation->routes->settled || conversation->routes->unsettled)
        world_turn(world);
    world_quiet(world);
}

/* Until every own line is known to be there. */
static void await_delivered(struct world *world, const struct conversation *conversation)
{
    while (conversation_waits(conversation) || conversation->deliveries != NULL)
        world_turn(world);
    world_quiet(world);
}

static void await_sealed(struct pair *pair)
{
    struct world *world = pair->world;
    pair->with_bob = conversation_with(pair->alice, "bob");
    pair->with_alice = conversation_with(pair->bob, "alice");
    await_protection(world, pair->with_bob, CHAT_SEALED);
    await_protection(world, pair->with_alice, CHAT_SEALED);
}

static void meet(struct pair *pair, struct world *world)
{
    pair->alice = session_of(world, "alice");
    pair->bob = session_of(world, "bob");
    await_sealed(pair);
}

/* alice invites bob, who opens the link. */
static void invite(struct pair *pair, const char *protection)
{
    char *link = protected_link(pair->world, pair->alice, "bob", protection);
    good(pair->world, pair->bob, json_pack("{s:s,s:s}", "do", "invite.open", "link", link));
    free(link);
}

static void sealed_pair(struct pair *pair, struct world *world)
{
    pair->world = world;
    account_make(world, "alice");
    account_make(world, "bob");
    pair->alice = session_of(world, "alice");
    pair->bob = session_of(world, "bob");
    add_contact(world, pair->alice, "bob");
    add_contact(world, pair->bob, "alice");
    invite(pair, "any");
    await_sealed(pair);
    await_settled(world, pair->with_bob);
    await_settled(world, pair->with_alice);
}

static void assert_only_the_root_is_kept(struct route *route)
{
    static const uint8_t zeros[KEYS_SIZE];
    assert_true(vault_open_route(route));
    assert_memory_equal(route->keys, zeros, 32);
    assert_memory_not_equal(route->keys + 32, zeros, 32);
    assert_memory_equal(route->keys + 64, zeros, 32);
    OPENSSL_cleanse(route->keys, sizeof route->keys);
    assert_memory_equal(route->hash, zeros, sizeof route->hash);
    if (route->role == CHAT_INVITER)
        assert_memory_equal(route->context, zeros, sizeof route->context);
    else /* by which the link is known again */
        assert_memory_not_equal(route->context, zeros, sizeof route->context);
    assert_true(route->sealed && route->confirmed);
    assert_int_equal(route->sealing, CHAT_SEALING_MUST);
}

static void two_gateways_become_sealed(void **state)
{
    struct pair pair;
    sealed_pair(&pair, *state);
    assert_only_the_root_is_kept(pair.with_bob->routes);
    assert_only_the_root_is_kept(pair.with_alice->routes);
    json_t *shown = give(pair.world, pair.alice, with("conversation.show", "bob"));
    assert_string_equal(text(shown, "protection"), "sealed");
    assert_true(json_is_true(json_object_get(shown, "sealed")));
    assert_string_equal(text(json_array_get(json_object_get(shown, "routes"), 0), "kind"), "sealed");
    json_decref(shown);
    json_t *list = give(pair.world, pair.alice, json_pack("{s:s}", "do", "invite.list"));
    json_t *used = json_array_get(json_object_get(list, "invites"), 0);
    assert_string_equal(text(used, "state"), "used");
    assert_string_equal(text(used, "protection"), "any");
    assert_null(json_object_get(used, "link"));
    json_decref(list);

    good(pair.world, pair.alice, say("bob", "<b>as it was written</b>"));
    await_unread(pair.world, pair.with_alice, 1);
    good(pair.world, pair.bob, say("alice", "good day"));
    await_unread(pair.world, pair.with_bob, 1);
    await_delivered(pair.world, pair.with_bob);
    await_delivered(pair.world, pair.with_alice);
    assert_history(pair.world, pair.bob, "alice", "received <b>as it was written</b>\ndelivered good day\n");
    assert_history(pair.world, pair.alice, "bob", "delivered <b>as it was written</b>\nreceived good day\n");
}

static void found_again_after_a_restart(void **state)
{
    struct pair pair;
    struct answer answer;
    sealed_pair(&pair, *state);
    start(pair.alice, say("bob", "before"), &answer);
    finish(pair.world, &answer); /* stored as sent, and perhaps not left */
    json_decref(answer.result);
    world_restart(pair.world);
    meet(&pair, pair.world);
    assert_int_equal(pair.with_bob->routes->owner.hashes != NULL, 1);
    good(pair.world, pair.alice, say("bob", "after"));
    await_unread(pair.world, pair.with_alice, 2);
    await_delivered(pair.world, pair.with_bob);
    assert_history(pair.world, pair.bob, "alice", "received before\nreceived after\n");
    assert_history(pair.world, pair.alice, "bob", "delivered before\ndelivered after\n");
    for (unsigned i = 0; i < 3; i++) {
        world_restart(pair.world);
        meet(&pair, pair.world);
    }
    world_quiet(pair.world);
    assert_int_equal(pair.with_alice->unread, 2);
}

/* More than the window and the queue hold at a time. */
static void many_lines_arrive_once_and_in_order(void **state)
{
    enum { LINES = 3000, BURST = 250 };
    struct pair pair;
    char words[16];
    sealed_pair(&pair, *state);
    for (unsigned i = 0; i < LINES; i += BURST) {
        struct answer answers[BURST];
        for (unsigned n = 0; n < BURST; n++) {
            snprintf(words, sizeof words, "%u", i + n);
            start(pair.alice, say("bob", words), &answers[n]);
        }
        for (unsigned n = 0; n < BURST; n++) {
            finish(pair.world, &answers[n]);
            assert_int_equal(answers[n].code, 0);
            json_decref(answers[n].result);
        }
        if (i == 1000) {
            local_disconnect(&pair.with_bob->routes->owner, "the test cut it");
            conversations_drain(pair.world->gateway);
        } else if (i == 1500) {
            world_restart(pair.world);
            meet(&pair, pair.world);
        }
        local_meet_all(pair.world->gateway);
    }
    await_delivered(pair.world, pair.with_bob);
    await_unread(pair.world, pair.with_alice, LINES);
    unsigned next = 0;
    for (int64_t after = 0; next < LINES;) {
        json_t *page = give(pair.world, pair.bob,
                            json_pack("{s:s,s:s,s:I,s:i}", "do", "history", "conversation", "alice", "after",
                                      (json_int_t)after, "max", 500)),
               *line;
        size_t index;
        json_array_foreach(json_object_get(page, "lines"), index, line)
        {
            snprintf(words, sizeof words, "%u", next++);
            assert_string_equal(text(line, "text"), words);
            after = number(line, "seq");
        }
        json_decref(page);
    }
}

static void queued_lines_wait_for_the_tunnel(void **state)
{
    struct pair pair;
    sealed_pair(&pair, *state);
    local_disconnect(&pair.with_bob->routes->owner, "the test cut it");
    struct owned_hash *entry;
    DL_FOREACH(pair.with_bob->routes->owner.hashes, entry)
    entry->active = false;
    conversations_drain(pair.world->gateway);
    good(pair.world, pair.alice, say("bob", "one"));
    good(pair.world, pair.alice, say("bob", "two"));
    DL_FOREACH(pair.with_bob->routes->owner.hashes, entry)
    entry->active = true;
    local_meet_all(pair.world->gateway);
    await_unread(pair.world, pair.with_alice, 2);
    await_delivered(pair.world, pair.with_bob);
    assert_history(pair.world, pair.alice, "bob", "delivered one\ndelivered two\n");
    assert_history(pair.world, pair.bob, "alice", "received one\nreceived two\n");
}

/* A number whose line was not stored is filled, and what comes behind it arrives. */
static void a_say_that_cannot_be_stored_holds_nothing_up(void **state)
{
    struct pair pair;
    sealed_pair(&pair, *state);
    struct rlimit before = disk_fill();
    bad(pair.world, pair.alice, say("bob", "lost?"), ERROR_UNAVAILABLE);
    disk_clear(&before);
    good(pair.world, pair.alice, say("bob", "again"));
    await_unread(pair.world, pair.with_alice, 1);
    await_delivered(pair.world, pair.with_bob);
    assert_history(pair.world, pair.alice, "bob", "delivered again\n");
    assert_history(pair.world, pair.bob, "alice", "received again\n");
    assert_int_equal(pair.with_alice->routes->number_in, 2);
}

/* --- numbers at the receiving side */

static struct chat_output numbered(uint64_t number, uint64_t missing, const char *words)
{
    return (struct chat_output){.kind = CHAT_LINE,
                                .number = number,
                                .missing = missing,
                                .time = 1700000000123,
                                .text = bytes_of_string(words)};
}

static void receive(struct route *route, uint64_t number, uint64_t missing, const char *words)
{
    struct chat_output output = numbered(number, missing, words);
    line_received(route, &output);
}

static void text_and_number_are_one_commit(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    struct route *route = pair.with_alice->routes;
    receive(route, 1, 0, "one");
    receive(route, 2, 0, "");
    receive(route, 5, 2, "five");
    receive(route, 9, 4, "");
    lines_store(route);
    receive(route, 10, 0, "ten"); /* waits for those before */
    lines_store(route);
    assert_true(route->storing && route->inbox != NULL);
    while (route->storing)
        world_turn(pair.world);
    world_quiet(pair.world);
    assert_int_equal(route->number_in, 10);
    assert_int_equal(pair.with_alice->unread, 3);
    assert_history(
        pair.world, pair.bob, "alice",
        "received one\n"
        "received 2 lines that were received before are missing here: this gateway's data is an older "
        "backup\n"
        "received five\n"
        "received 4 lines that were received before are missing here: this gateway's data is an older "
        "backup\n"
        "received ten\n");
    world_restart(pair.world);
    pair_meet(&pair, pair.world);
    assert_int_equal(pair.with_alice->routes->number_in, 10);
}

static void nothing_is_stored_behind_what_failed(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    struct route *route = pair.with_alice->routes;
    receive(route, 1, 0, "one");
    struct rlimit before = disk_fill();
    lines_store(route);
    receive(route, 2, 0, "two");
    while (route->storing)
        world_turn(pair.world);
    disk_clear(&before);
    assert_null(route->inbox);
    world_quiet(pair.world);
    assert_int_equal(route->number_in, 0);
    assert_int_equal(pair.with_alice->unread, 0);
    receive(route, 1, 0, "one");
    receive(route, 2, 0, "two");
    lines_store(route);
    await_unread(pair.world, pair.with_alice, 2);
    assert_int_equal(route->number_in, 2);
    assert_history(pair.world, pair.bob, "alice", "received one\nreceived two\n");
}

/* --- the person's wishes */

static void a_sealed_conversation_takes_no_classic_invite(void **state)
{
    struct pair pair;
    sealed_pair(&pair, *state);
    struct answer refused =
        bad(pair.world, pair.alice,
            json_pack("{s:s,s:s,s:s}", "do", "invite.new", "contact", "bob", "protection", "classic"),
            ERROR_DENIED);
    assert_non_null(strstr(refused.text, "lower"));
    /* One that was made elsewhere is not opened: this one says nothing of sealed chat. */
    char *link = protected_link(pair.world, pair.alice, "bob", "any");
    the_keyring.unbound = true;
    refused =
        bad(pair.world, pair.bob, json_pack("{s:s,s:s}", "do", "invite.open", "link", link), ERROR_DENIED);
    assert_non_null(strstr(refused.text, "lower"));
    the_keyring.unbound = false;
    free(link);
    json_t *made = give(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "invite.new", "contact", "bob"));
    assert_string_equal(text(made, "protection"), "sealed");
    json_decref(made);
}

static void going_down_is_asked_twice(void **state)
{
    struct pair pair;
    sealed_pair(&pair, *state);
    struct answer refused = bad(pair.world, pair.alice, with("conversation.lower", "bob"), ERROR_INVALID);
    assert_non_null(strstr(refused.text, "sure"));
    json_t *lines = give(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "verb", "text", "lower bob"));
    assert_non_null(strstr(json_string_value(json_array_get(json_object_get(lines, "lines"), 0)), "sure"));
    json_decref(lines);
    assert_true(pair.with_bob->standing.sealed);
    good(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "verb", "text", "lower bob sure"));
    world_quiet(pair.world);
    assert_false(pair.with_bob->standing.sealed);
    assert_false(conversation_has_route(pair.with_bob));
    await_state(pair.world, pair.with_alice, CHAT_CLOSED_BY_PEER);
    bad(pair.world, pair.alice, with("conversation.lower", "bob"), ERROR_INVALID);
    /* The other side decides for itself. */
    char *link = protected_link(pair.world, pair.alice, "bob", "classic");
    bad(pair.world, pair.bob, json_pack("{s:s,s:s}", "do", "invite.open", "link", link), ERROR_DENIED);
    good(pair.world, pair.bob,
         json_pack("{s:s,s:s,s:b}", "do", "conversation.lower", "conversation", "alice", "sure", 1));
    good(pair.world, pair.bob, json_pack("{s:s,s:s}", "do", "invite.open", "link", link));
    free(link);
    await_protection(pair.world, pair.with_alice, CHAT_CLASSIC);
    await_protection(pair.world, pair.with_bob, CHAT_CLASSIC);
    good(pair.world, pair.alice, say("bob", "in clear conscience"));
    await_unread(pair.world, pair.with_alice, 1);
    world_restart(pair.world);
    pair_meet(&pair, pair.world);
    assert_int_equal(pair.with_bob->protection, CHAT_CLASSIC);
    assert_false(pair.with_bob->standing.sealed);
}

static void what_waits_for_a_sealed_answer_may_be_lowered(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    char *link = protected_link(pair.world, pair.alice, "bob", "sealed");
    struct route *route = pair.with_bob->routes->prev;
    assert_int_equal(route->sealing, CHAT_SEALING_MUST);
    good(pair.world, pair.alice,
         json_pack("{s:s,s:s,s:b}", "do", "conversation.lower", "conversation", "bob", "sure", 1));
    assert_int_equal(route->sealing, CHAT_SEALING_NEVER);
    assert_non_null(route->chat);
    free(link);
    world_restart(pair.world);
    pair_meet(&pair, pair.world);
    assert_int_equal(pair.with_bob->routes->prev->sealing, CHAT_SEALING_NEVER);
}

/* --- what is beside a route that becomes sealed */

static void classic_routes_end_when_one_is_sealed(void **state)
{
    struct pair pair;
    pair_make(&pair, *state); /* classic */
    assert_int_equal(pair.with_bob->protection, CHAT_CLASSIC);
    char *unused = protected_link(pair.world, pair.alice, "bob", "classic");
    char *open = protected_link(pair.world, pair.alice, "bob", "any");
    invite(&pair, "any");
    await_protection(pair.world, pair.with_bob, CHAT_SEALED);
    await_protection(pair.world, pair.with_alice, CHAT_SEALED);
    world_quiet(pair.world);
    world_minute(pair.world); /* those that ended are swept */
    for (struct conversation *each = pair.with_bob; each != NULL;
         each = each == pair.with_bob ? pair.with_alice : NULL) {
        struct route *route;
        DL_FOREACH(each->routes, route)
        {
            assert_int_not_equal(route_protection(route), CHAT_CLASSIC);
            assert_int_equal(route->sealing, CHAT_SEALING_MUST);
        }
    }
    bad(pair.world, pair.bob, json_pack("{s:s,s:s}", "do", "invite.open", "link", unused), ERROR_DENIED);
    free(unused);
    free(open);
    json_t *list = give(pair.world, pair.alice, json_pack("{s:s}", "do", "invite.list")), *each;
    size_t index, revoked = 0;
    json_array_foreach(json_object_get(list, "invites"), index, each) revoked +=
        strcmp(text(each, "state"), "revoked") == 0;
    json_decref(list);
    assert_int_equal(revoked, 1);
    good(pair.world, pair.alice, say("bob", "sealed"));
    await_unread(pair.world, pair.with_alice, 1);
    await_delivered(pair.world, pair.with_bob);
    assert_history(pair.world, pair.alice, "bob", "delivered sealed\n");
}

static void await_parted(struct world *world, const struct route *route)
{
    while (route->chat != NULL)
        world_turn(world);
    assert_true(route->parted);
}

static void a_closing_wipes_the_root_on_both_sides(void **state)
{
    struct pair pair;
    sealed_pair(&pair, *state);
    good(pair.world, pair.alice, with("conversation.close", "bob"));
    await_state(pair.world, pair.with_alice, CHAT_CLOSED_BY_PEER);
    struct route *route = pair.with_alice->routes;
    assert_true(route_is_over(route));
    await_parted(pair.world, route);
    await_parted(pair.world, pair.with_bob->routes);
    assert_null(route->owner.hashes);
    assert_int_equal(buffer_size(&route->keys_wrapped), 0);
    assert_null(pair.world->gateway->hashes);
    bad(pair.world, pair.bob, say("alice", "too late"), ERROR_INVALID);
    world_restart(pair.world);
    pair.bob = session_of(pair.world, "bob");
    pair.with_alice = conversation_with(pair.bob, "alice");
    assert_int_equal(pair.with_alice->state, CHAT_CLOSED_BY_PEER);
    assert_true(pair.with_alice->standing.sealed);
}

/* The chat of bob's route is not there: he is away. */
static struct route *close_while_away(struct pair *pair, void *state)
{
    sealed_pair(pair, state);
    route_stop(pair->with_alice->routes);
    good(pair->world, pair->alice, with("conversation.close", "bob"));
    world_quiet(pair->world);
    struct route *route = pair->with_bob->routes;
    assert_true(route->parting != 0 && route->chat != NULL && !route->ended && !route_lives(route));
    assert_int_equal(pair->with_bob->protection, CHAT_UNPROTECTED);
    bad(pair->world, pair->alice, say("bob", "too late"), ERROR_INVALID);
    bad(pair->world, pair->alice, with("conversation.open", "bob"), ERROR_INVALID);
    good(pair->world, pair->alice, with("conversation.close", "bob"));
    assert_true(route->parting != 0 && !route->ended);
    return route;
}

static void who_was_away_is_told_after_a_restart(void **state)
{
    struct pair pair;
    close_while_away(&pair, *state);
    world_restart(pair.world);
    pair.alice = session_of(pair.world, "alice");
    pair.bob = session_of(pair.world, "bob");
    pair.with_bob = conversation_with(pair.alice, "bob");
    pair.with_alice = conversation_with(pair.bob, "alice");
    assert_int_not_equal(pair.with_bob->routes->parting, 0);
    await_state(pair.world, pair.with_alice, CHAT_CLOSED_BY_PEER);
    await_parted(pair.world, pair.with_bob->routes);
    assert_true(pair.with_bob->routes->ended);
    world_quiet(pair.world);
    world_restart(pair.world);
    pair.alice = session_of(pair.world, "alice");
    assert_null(conversation_with(pair.alice, "bob")->routes);
}

static void nobody_is_waited_for_longer_than_30_days(void **state)
{
    static const int64_t DAY_MS = 86400000;
    struct pair pair;
    struct route *route = close_while_away(&pair, *state);
    route->parting -= 29 * DAY_MS;
    world_minute(pair.world);
    assert_non_null(route->chat);
    route->parting -= DAY_MS;
    world_minute(pair.world);
    assert_null(pair.with_bob->routes);
    world_quiet(pair.world);
    world_restart(pair.world);
    pair.alice = session_of(pair.world, "alice");
    assert_null(conversation_with(pair.alice, "bob")->routes);
}

/* Whatever crosses the closing, no line is left without an end. */
static void a_line_that_crosses_the_closing_is_told(void **state)
{
    struct pair pair;
    sealed_pair(&pair, *state);
    struct answer said[3], closed;
    for (size_t i = 0; i < 3; i++) {
        start(pair.alice, say("bob", "late"), &said[i]);
        if (i == 1)
            start(pair.bob, with("conversation.close", "alice"), &closed);
        if (i == 1)
            world_turn(pair.world);
    }
    for (size_t i = 0; i < 3; i++) {
        finish(pair.world, &said[i]);
        json_decref(said[i].result);
    }
    finish(pair.world, &closed);
    json_decref(closed.result);
    await_state(pair.world, pair.with_bob, CHAT_CLOSED_BY_PEER);
    world_quiet(pair.world);
    char *history = history_of(pair.world, pair.alice, "bob");
    assert_null(strstr(history, "sent"));
    assert_null(strstr(history, "queued"));
    free(history);
    assert_null(pair.with_bob->routes->unsaid);
}

static void settling_is_tried_until_it_is_stored(void **state)
{
    struct pair pair;
    sealed_pair(&pair, *state);
    struct route *route = pair.with_bob->routes;
    route->unsettled = true;
    struct rlimit before = disk_fill();
    world_minute(pair.world);
    world_quiet(pair.world);
    assert_true(route->unsettled);
    disk_clear(&before);
    world_minute(pair.world);
    while (route->unsettled)
        world_turn(pair.world);
}

/* The one who has something to say looks, whoever made the invite. */
/* For the chats, whose tunnels stay that long after the last reason for them. */
static void a_minute_passes(struct pair *pair)
{
    struct gateway *gateway = pair->world->gateway;
    struct route *routes[] = {pair->with_bob->routes, pair->with_alice->routes};
    for (size_t i = 0; i < 2; i++) {
        chat_tick(routes[i]->chat, uv_now(gateway->loop) + 61000, clock_wall_ms() / 1000);
        route_mark_dirty(routes[i]);
        conversations_drain(gateway);
    }
    while (pair->with_bob->state == CHAT_CAN_TALK || pair->with_alice->state == CHAT_CAN_TALK)
        world_turn(pair->world);
}

static void a_sleeping_route_is_woken_by_a_line(void **state)
{
    struct pair pair;
    sealed_pair(&pair, *state);
    gateway_logout(pair.alice);
    gateway_logout(pair.bob);
    a_minute_passes(&pair);
    struct owned_hash *entry, *next;
    HASH_ITER(hh, pair.world->gateway->hashes, entry, next)
    assert_int_equal(entry->key.role, ROUTER_ENDPOINT);
    good(pair.world, pair.world->operator_,
         json_pack("{s:s,s:s,s:s,s:s}", "do", "say", "account", "alice", "conversation", "bob", "text",
                   "wake up"));
    await_unread(pair.world, pair.with_alice, 1);
    await_delivered(pair.world, pair.with_bob);
    a_minute_passes(&pair);
}

static void an_old_backup_doubts_what_waits(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    local_disconnect(&pair.with_bob->routes->owner, "the test cut it");
    conversations_drain(pair.world->gateway);
    good(pair.world, pair.alice, say("bob", "was it sent?"));
    world_close(pair.world);
    world_open_with(pair.world, true); /* locked: nothing leaves */
    struct account *alice = account_by_name(pair.world->gateway, "alice");
    struct conversation *with_bob = alice->conversations;
    assert_int_equal(with_bob->queue_lines, 1);
    queue_doubt(with_bob);
    world_quiet(pair.world);
    assert_int_equal(with_bob->queue_lines, 0);
    assert_history(pair.world, session_of(pair.world, "alice"), "bob", "not-confirmed was it sent?\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(two_gateways_become_sealed),
        TEST(found_again_after_a_restart),
        TEST(many_lines_arrive_once_and_in_order),
        TEST(queued_lines_wait_for_the_tunnel),
        TEST(a_say_that_cannot_be_stored_holds_nothing_up),
        TEST(text_and_number_are_one_commit),
        TEST(nothing_is_stored_behind_what_failed),
        TEST(a_sealed_conversation_takes_no_classic_invite),
        TEST(going_down_is_asked_twice),
        TEST(what_waits_for_a_sealed_answer_may_be_lowered),
        TEST(classic_routes_end_when_one_is_sealed),
        TEST(a_closing_wipes_the_root_on_both_sides),
        TEST(who_was_away_is_told_after_a_restart),
        TEST(nobody_is_waited_for_longer_than_30_days),
        TEST(a_line_that_crosses_the_closing_is_told),
        TEST(settling_is_tried_until_it_is_stored),
        TEST(a_sleeping_route_is_woken_by_a_line),
        TEST(an_old_backup_doubts_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
