/* SPDX-License-Identifier: ISC */
/* Own lines: none is sent twice, none is lost without a word, all leave in order. */
#include "world.h"

#include "core/lines.h"
#include "core/local.h"

static json_t *say(const char *handle, const char *words)
{
    return json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", handle, "text", words);
}

static void tunnel_down(struct pair *pair)
{
    local_disconnect(&pair->with_alice->routes->owner, "the test cut it");
    conversations_drain(pair->world->gateway);
    assert_int_not_equal(pair->with_bob->state, CHAT_CAN_TALK);
}

static void tunnel_up(struct pair *pair)
{
    assert_true(local_connect(&pair->with_alice->routes->owner));
    conversations_drain(pair->world->gateway);
}

static void await_unread(struct world *world, const struct conversation *conversation, int64_t count)
{
    while (conversation->unread < count)
        world_turn(world);
    world_quiet(world);
    assert_int_equal(conversation->unread, count);
}

static void await_empty(struct world *world, const struct conversation *conversation)
{
    while (conversation->queue != NULL || conversation->flushing)
        world_turn(world);
    world_quiet(world);
}

static void two_accounts_talk(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    good(pair.world, pair.alice, say("bob", "hello"));
    await_unread(pair.world, pair.with_alice, 1);
    good(pair.world, pair.bob, say("alice", "good day"));
    await_unread(pair.world, pair.with_bob, 1);
    assert_history(pair.world, pair.alice, "bob", "sent hello\nreceived good day\n");
    assert_history(pair.world, pair.bob, "alice", "received hello\nsent good day\n");
}

static void queued_lines_leave_in_order(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    tunnel_down(&pair);
    good(pair.world, pair.alice, say("bob", "one"));
    good(pair.world, pair.alice, say("bob", "two"));
    assert_history(pair.world, pair.alice, "bob", "queued one\nqueued two\n");
    assert_int_equal(pair.with_bob->queue_lines, 2);
    tunnel_up(&pair);
    good(pair.world, pair.alice, say("bob", "three")); /* while the others are being marked */
    await_unread(pair.world, pair.with_alice, 3);
    assert_history(pair.world, pair.bob, "alice", "received one\nreceived two\nreceived three\n");
    assert_history(pair.world, pair.alice, "bob", "sent one\nsent two\nsent three\n");
    assert_int_equal(pair.with_bob->queue_bytes, 0);
}

/* A line that is being stored as queued when the tunnel comes is not overtaken by the next one. */
static void nothing_overtakes(void **state)
{
    struct pair pair;
    struct answer first, second;
    pair_make(&pair, *state);
    tunnel_down(&pair);
    start(pair.alice, say("bob", "one"), &first);
    tunnel_up(&pair);
    while (pair.with_bob->state != CHAT_CAN_TALK)
        conversations_drain(pair.world->gateway);
    start(pair.alice, say("bob", "two"), &second);
    finish(pair.world, &first);
    finish(pair.world, &second);
    json_decref(first.result);
    json_decref(second.result);
    await_unread(pair.world, pair.with_alice, 2);
    assert_history(pair.world, pair.bob, "alice", "received one\nreceived two\n");
}

static void tunnel_lost_before_hand_over(void **state)
{
    struct pair pair;
    struct answer answer;
    pair_make(&pair, *state);
    start(pair.alice, say("bob", "in between"), &answer);
    tunnel_down(&pair);
    finish(pair.world, &answer);
    json_decref(answer.result);
    world_quiet(pair.world);
    assert_history(pair.world, pair.alice, "bob", "queued in between\n");
    assert_int_equal(pair.with_bob->queue_lines, 1);
    assert_int_equal(pair.with_alice->unread, 0);
    tunnel_up(&pair);
    await_unread(pair.world, pair.with_alice, 1);
    await_empty(pair.world, pair.with_bob);
    assert_history(pair.world, pair.alice, "bob", "sent in between\n");
}

static void tunnel_lost_during_the_flush(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    tunnel_down(&pair);
    good(pair.world, pair.alice, say("bob", "one"));
    good(pair.world, pair.alice, say("bob", "two"));
    tunnel_up(&pair);
    assert_true(pair.with_bob->flushing);
    tunnel_down(&pair);
    while (pair.with_bob->flushing)
        world_turn(pair.world);
    world_quiet(pair.world);
    good(pair.world, pair.alice, say("bob", "three"));
    assert_history(pair.world, pair.alice, "bob", "queued one\nqueued two\nqueued three\n");
    tunnel_up(&pair);
    await_unread(pair.world, pair.with_alice, 3);
    assert_history(pair.world, pair.bob, "alice", "received one\nreceived two\nreceived three\n");
}

static void the_flush_cannot_be_stored(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    tunnel_down(&pair);
    good(pair.world, pair.alice, say("bob", "one"));
    struct rlimit before = disk_fill();
    tunnel_up(&pair);
    assert_true(pair.with_bob->flushing);
    while (pair.with_bob->flushing)
        world_turn(pair.world);
    disk_clear(&before);
    world_quiet(pair.world);
    assert_int_equal(pair.with_bob->queue_lines, 1);
    assert_int_equal(pair.with_alice->unread, 0);
    assert_history(pair.world, pair.alice, "bob", "queued one\n");
    world_minute(pair.world);
    await_unread(pair.world, pair.with_alice, 1);
    assert_history(pair.world, pair.alice, "bob", "sent one\n");
}

static void restart_with_queued_lines(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    good(pair.world, pair.alice, say("bob", "before"));
    await_unread(pair.world, pair.with_alice, 1);
    tunnel_down(&pair);
    good(pair.world, pair.alice, say("bob", "one"));
    good(pair.world, pair.alice, say("bob", "two"));
    world_restart(pair.world);
    pair_meet(&pair, pair.world);
    await_unread(pair.world, pair.with_alice, 3);
    await_empty(pair.world, pair.with_bob);
    assert_history(pair.world, pair.alice, "bob", "not-confirmed before\nsent one\nsent two\n");
    assert_history(pair.world, pair.bob, "alice", "received before\nreceived one\nreceived two\n");
    world_restart(pair.world);
    pair_meet(&pair, pair.world);
    world_quiet(pair.world);
    assert_int_equal(pair.with_alice->unread, 3);
}

/* Nobody looks, and the one with the line starts first: the other is met when it comes. */
static void queued_lines_leave_without_anybody_there(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    good(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "conversation.close", "conversation", "bob"));
    char *link = invite_link(pair.world, pair.bob, "alice");
    good(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "invite.open", "link", link));
    free(link);
    await_state(pair.world, pair.with_bob, CHAT_CAN_TALK);
    struct route *route = pair.with_bob->routes->prev; /* the newest; alice is the guest now */
    assert_int_equal(route->role, CHAT_GUEST);
    local_disconnect(&route->owner, "the test cut it");
    conversations_drain(pair.world->gateway);
    good(pair.world, pair.alice, say("bob", "for later"));
    assert_int_equal(pair.with_bob->queue_lines, 1);
    world_restart(pair.world);
    struct account *bob = account_by_name(pair.world->gateway, "bob");
    await_unread(pair.world, bob->conversations, 1);
}

static void a_second_route_carries_on(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    char *link = invite_link(pair.world, pair.bob, "alice");
    good(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "invite.open", "link", link));
    free(link);
    struct route *second = pair.with_bob->routes->next;
    assert_non_null(second);
    while (chat_state(second->chat, NULL) != CHAT_CAN_TALK)
        world_turn(pair.world);
    struct answer answer;
    start(pair.alice, say("bob", "by the other road"), &answer);
    local_disconnect(&second->owner, "the test cut it"); /* the newer one was chosen */
    conversations_drain(pair.world->gateway);
    finish(pair.world, &answer);
    json_decref(answer.result);
    await_unread(pair.world, pair.with_alice, 1);
    assert_history(pair.world, pair.alice, "bob", "sent by the other road\n");
}

static void closing_fails_what_waits(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    tunnel_down(&pair);
    good(pair.world, pair.alice, say("bob", "one"));
    good(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "conversation.close", "conversation", "bob"));
    await_empty(pair.world, pair.with_bob);
    assert_history(pair.world, pair.alice, "bob", "failed one\n");
    struct answer answer = bad(pair.world, pair.alice, say("bob", "two"), ERROR_INVALID);
    assert_non_null(strstr(answer.text, "closed"));
    world_restart(pair.world);
    pair.alice = session_of(pair.world, "alice");
    assert_null(conversation_with(pair.alice, "bob")->routes);
    assert_null(conversation_with(pair.alice, "bob")->queue);
}

static void closing_that_cannot_be_stored_closes_nothing(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    struct rlimit before = disk_fill();
    bad(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "conversation.close", "conversation", "bob"),
        ERROR_UNAVAILABLE);
    disk_clear(&before);
    good(pair.world, pair.alice, say("bob", "still here"));
    await_unread(pair.world, pair.with_alice, 1);
    assert_int_equal(pair.with_bob->state, CHAT_CAN_TALK);
    assert_int_equal(pair.with_alice->state, CHAT_CAN_TALK);
}

static void the_peer_is_told_of_the_closing(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    good(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "conversation.close", "conversation", "bob"));
    await_state(pair.world, pair.with_alice, CHAT_CLOSED_BY_PEER);
    assert_string_equal(pair.with_bob->reason, "you closed this conversation");
}

static void a_say_that_cannot_be_stored_is_refused(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    struct rlimit before = disk_fill();
    bad(pair.world, pair.alice, say("bob", "lost?"), ERROR_UNAVAILABLE);
    disk_clear(&before);
    world_quiet(pair.world);
    assert_int_equal(pair.with_alice->unread, 0);
    good(pair.world, pair.alice, say("bob", "again"));
    await_unread(pair.world, pair.with_alice, 1);
    assert_history(pair.world, pair.alice, "bob", "sent again\n");
}

static void the_queue_is_bounded(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    tunnel_down(&pair);
    /* In bursts, so that what is still being stored must count too. */
    struct answer answers[250];
    for (unsigned burst = 0; burst < 4; burst++) {
        for (size_t i = 0; i < 250; i++)
            start(pair.alice, say("bob", "x"), &answers[i]);
        if (burst == 3)
            bad(pair.world, pair.alice, say("bob", "one too many"), ERROR_LIMIT);
        for (size_t i = 0; i < 250; i++) {
            finish(pair.world, &answers[i]);
            assert_int_equal(answers[i].code, 0);
            json_decref(answers[i].result);
        }
    }
    assert_int_equal(pair.with_bob->queue_lines, CHAT_QUEUE_LINES);
    bad(pair.world, pair.alice, say("bob", "one too many"), ERROR_LIMIT);
    good(pair.world, pair.alice,
         json_pack("{s:s,s:I}", "do", "withdraw", "seq", (json_int_t)pair.with_bob->queue->seq));
    good(pair.world, pair.alice, say("bob", "room again"));
}

static void the_queue_is_bounded_in_bytes(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    tunnel_down(&pair);
    char *large = malloc(CHAT_LINE_LIMIT + 2);
    memset(large, 'x', CHAT_LINE_LIMIT + 1);
    large[CHAT_LINE_LIMIT + 1] = '\0';
    bad(pair.world, pair.alice, say("bob", large), ERROR_LIMIT);
    large[CHAT_LINE_LIMIT] = '\0';
    struct answer answers[16];
    for (size_t i = 0; i < 16; i++)
        start(pair.alice, say("bob", large), &answers[i]);
    bad(pair.world, pair.alice, say("bob", "x"), ERROR_LIMIT);
    for (size_t i = 0; i < 16; i++) {
        finish(pair.world, &answers[i]);
        assert_int_equal(answers[i].code, 0);
        json_decref(answers[i].result);
    }
    assert_int_equal(pair.with_bob->queue_bytes, CHAT_QUEUE_BYTES);
    bad(pair.world, pair.alice, say("bob", "x"), ERROR_LIMIT);
    free(large);
}

static void withdrawing(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    tunnel_down(&pair);
    json_t *said = give(pair.world, pair.alice, say("bob", "rash"));
    json_int_t seq = number(said, "seq");
    json_decref(said);
    struct rlimit before = disk_fill();
    bad(pair.world, pair.alice, json_pack("{s:s,s:I}", "do", "withdraw", "seq", seq), ERROR_UNAVAILABLE);
    disk_clear(&before);
    assert_int_equal(pair.with_bob->queue_lines, 1);
    json_t *line = give(pair.world, pair.alice, json_pack("{s:s,s:I}", "do", "withdraw", "seq", seq));
    assert_string_equal(text(line, "delivery"), "failed");
    assert_string_equal(text(line, "reason"), "withdrawn");
    json_decref(line);
    bad(pair.world, pair.alice, json_pack("{s:s,s:I}", "do", "withdraw", "seq", seq), ERROR_NOT_FOUND);
    tunnel_up(&pair);
    world_quiet(pair.world);
    assert_int_equal(pair.with_alice->unread, 0);
    /* A withdrawn line may be said again, by a new number. */
    json_t *again = give(pair.world, pair.alice,
                         json_pack("{s:s,s:s,s:I}", "do", "resend", "conversation", "bob", "seq", seq));
    assert_true(number(again, "seq") > seq);
    json_decref(again);
    await_unread(pair.world, pair.with_alice, 1);
    assert_history(pair.world, pair.alice, "bob", "failed rash\nsent rash\n");
    bad(pair.world, pair.alice,
        json_pack("{s:s,s:s,s:I}", "do", "resend", "conversation", "bob", "seq", seq + 1), ERROR_INVALID);
    bad(pair.world, pair.alice,
        json_pack("{s:s,s:s,s:I}", "do", "resend", "conversation", "bob", "seq", seq + 99), ERROR_NOT_FOUND);
    bad(pair.world, pair.alice, json_pack("{s:s,s:I}", "do", "withdraw", "seq", seq + 1), ERROR_NOT_FOUND);
}

/* When the store does not keep the next salts, the chat sends nothing more; its lines wait in the one queue,
 * as queued, and leave when it does. */
static void lines_wait_for_salts(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    struct route *route = pair.with_bob->routes;
    struct store_batch *batch = store_begin(pair.world->gateway->store);
    route_delete(route, batch); /* nothing can be noted at a row that is not there */
    store_commit(batch, NULL, NULL);
    for (unsigned burst = 0; burst < 11; burst++) {
        struct answer answers[100];
        for (unsigned n = 0; n < 100; n++)
            start(pair.alice, say("bob", "x"), &answers[n]);
        for (unsigned n = 0; n < 100; n++) {
            finish(pair.world, &answers[n]);
            assert_int_equal(answers[n].code, 0);
            json_decref(answers[n].result);
        }
    }
    world_quiet(pair.world);
    assert_int_equal(pair.with_bob->state, CHAT_CAN_TALK);
    assert_true(pair.with_bob->queue_lines > 50 && pair.with_bob->queue_lines < 300);
    assert_int_equal(chat_queued(route->chat), 0);
    int64_t waiting = (int64_t)pair.with_bob->queue_lines;
    assert_int_equal(pair.with_alice->unread, 1100 - waiting);
    json_t *lines = give(pair.world, pair.alice,
                         json_pack("{s:s,s:s,s:i}", "do", "history", "conversation", "bob", "max", 500)),
           *line;
    size_t index;
    int64_t queued = 0;
    json_array_foreach(json_object_get(lines, "lines"), index, line) queued +=
        strcmp(text(line, "delivery"), "queued") == 0;
    assert_int_equal(queued, waiting);
    json_decref(lines);
    do {
        world_quiet(pair.world); /* until what was left of the row is purged */
        route_save(route);
        world_quiet(pair.world);
        chat_tick(route->chat, uv_now(&pair.world->loop) + 31000, clock_wall_ms() / 1000);
        route_mark_dirty(route);
        conversations_drain(pair.world->gateway);
        world_quiet(pair.world);
    } while (pair.with_bob->queue != NULL);
    await_unread(pair.world, pair.with_alice, 1100);
}

static void many_lines_keep_their_order(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    char words[16];
    for (unsigned i = 0; i < 1200; i += 200) {
        struct answer answers[200];
        for (unsigned n = 0; n < 200; n++) {
            snprintf(words, sizeof words, "%u", i + n);
            start(pair.alice, say("bob", words), &answers[n]);
        }
        for (unsigned n = 0; n < 200; n++) {
            finish(pair.world, &answers[n]);
            json_decref(answers[n].result);
        }
    }
    await_unread(pair.world, pair.with_alice, 1200);
    await_empty(pair.world, pair.with_bob);
    json_t *lines = give(pair.world, pair.bob,
                         json_pack("{s:s,s:s,s:i}", "do", "history", "conversation", "alice", "max", 500)),
           *line;
    size_t index;
    json_array_foreach(json_object_get(lines, "lines"), index, line)
    {
        snprintf(words, sizeof words, "%zu", index + 700);
        assert_string_equal(text(line, "text"), words);
    }
    json_decref(lines);
}

static void read_counts(void **state)
{
    struct pair pair;
    int64_t seq[5];
    pair_make(&pair, *state);
    for (size_t i = 0; i < 5; i++) {
        good(pair.world, pair.alice, say("bob", "x"));
        await_unread(pair.world, pair.with_alice, (int64_t)i + 1);
        seq[i] = pair.with_alice->last_seq;
    }
    json_t *now = give(pair.world, pair.bob,
                       json_pack("{s:s,s:s,s:I}", "do", "read", "conversation", "alice", "seq", seq[1]));
    assert_int_equal(number(now, "unread"), 3);
    json_decref(now);
    /* Backwards changes nothing. */
    now = give(pair.world, pair.bob,
               json_pack("{s:s,s:s,s:I}", "do", "read", "conversation", "alice", "seq", seq[0]));
    assert_int_equal(number(now, "read"), seq[1]);
    json_decref(now);
    bad(pair.world, pair.bob,
        json_pack("{s:s,s:s,s:I}", "do", "read", "conversation", "alice", "seq", (json_int_t)seq[4] + 1),
        ERROR_INVALID);
    /* A line that arrives while the position is stored is unread after it, and a slower, older position that
     * was asked for before takes nothing back. */
    struct answer older, newer, opened, said;
    start(pair.bob, json_pack("{s:s,s:s,s:I}", "do", "read", "conversation", "alice", "seq", seq[2]), &older);
    start(pair.bob, json_pack("{s:s,s:s,s:I}", "do", "read", "conversation", "alice", "seq", seq[4]), &newer);
    start(pair.bob, json_pack("{s:s,s:s}", "do", "conversation.open", "conversation", "alice"), &opened);
    start(pair.alice, say("bob", "late"), &said);
    finish(pair.world, &older);
    finish(pair.world, &newer);
    finish(pair.world, &opened);
    finish(pair.world, &said);
    json_decref(older.result);
    json_decref(newer.result);
    json_decref(opened.result);
    json_decref(said.result);
    await_unread(pair.world, pair.with_alice, 1);
    assert_int_equal(pair.with_alice->standing.read_seq, seq[4]);
    /* One that is being stored while older lines are counted is counted once. */
    good(pair.world, pair.alice, say("bob", "and one more"));
    await_unread(pair.world, pair.with_alice, 2);
    int64_t newest = pair.with_alice->last_seq;
    const struct chat_output same_turn = {.kind = CHAT_LINE, .text = bytes_of_string("in the same turn")};
    line_received(pair.with_alice->routes, &same_turn);
    good(pair.world, pair.bob,
         json_pack("{s:s,s:s,s:I}", "do", "read", "conversation", "alice", "seq", (json_int_t)newest - 1));
    world_quiet(pair.world);
    assert_int_equal(pair.with_alice->unread, 2);
    line_received(pair.with_alice->routes, &same_turn);
    good(pair.world, pair.bob,
         json_pack("{s:s,s:s,s:I}", "do", "read", "conversation", "alice", "seq", (json_int_t)newest + 1));
    world_quiet(pair.world);
    assert_int_equal(pair.with_alice->unread, 1);
    seq[4] = pair.with_alice->standing.read_seq;
    world_restart(pair.world);
    pair.bob = session_of(pair.world, "bob");
    assert_int_equal(conversation_with(pair.bob, "alice")->unread, 1);
    assert_int_equal(conversation_with(pair.bob, "alice")->standing.read_seq, seq[4]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(two_accounts_talk),
        TEST(queued_lines_leave_in_order),
        TEST(nothing_overtakes),
        TEST(tunnel_lost_before_hand_over),
        TEST(tunnel_lost_during_the_flush),
        TEST(the_flush_cannot_be_stored),
        TEST(restart_with_queued_lines),
        TEST(queued_lines_leave_without_anybody_there),
        TEST(a_second_route_carries_on),
        TEST(closing_fails_what_waits),
        TEST(closing_that_cannot_be_stored_closes_nothing),
        TEST(the_peer_is_told_of_the_closing),
        TEST(a_say_that_cannot_be_stored_is_refused),
        TEST(the_queue_is_bounded),
        TEST(the_queue_is_bounded_in_bytes),
        TEST(withdrawing),
        TEST(lines_wait_for_salts),
        TEST(many_lines_keep_their_order),
        TEST(read_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
