/* SPDX-License-Identifier: ISC */
/* Posts read by many at once: few are in memory at a time, the others wait, and none is left over at the end.
 */
#include "world.h"

#include "core/post_message.h"

enum { SIZE = 200 << 10, SESSIONS = 3, EACH = 30 };

/* One to herself, too large to be worked on in the loop's thread. */
static json_int_t large_post(struct world *world, struct gateway_session *alice)
{
    char *text = malloc(SIZE + 1);
    assert_non_null(text);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = i % 64 == 63 ? '\n' : 'x';
    text[SIZE] = '\0';
    json_t *sent = give(
        world, alice,
        json_pack("{s:s,s:[s],s:s,s:s}", "do", "post.send", "to", "alice", "subject", "large", "text", text));
    json_int_t seq = number(sent, "seq");
    json_decref(sent);
    free(text);
    world_quiet(world);
    return seq;
}

static void ask_all(struct world *world, json_int_t seq, struct answer answers[SESSIONS][EACH])
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct gateway_session *session = session_of(world, "alice");
        for (unsigned j = 0; j < EACH; j++)
            start(session, json_pack("{s:s,s:I}", "do", "post.show", "seq", seq), &answers[i][j]);
    }
}

static void test_all_in_turn(void **state)
{
    struct world *world = *state;
    struct answer answers[SESSIONS][EACH];
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_int_t seq = large_post(world, alice);
    ask_all(world, seq, answers);
    assert_int_equal(alice->account->posts.reads, POST_READS);
    unsigned good = 0, refused = 0;
    for (unsigned i = 0; i < SESSIONS; i++) {
        for (unsigned j = 0; j < EACH; j++) {
            finish(world, &answers[i][j]);
            assert_true(alice->account->posts.reads <= POST_READS);
            good += answers[i][j].code == 0;
            refused += answers[i][j].code == ERROR_UNAVAILABLE;
            json_decref(answers[i][j].result);
        }
    }
    assert_int_equal(good + refused, SESSIONS * EACH);
    assert_true(good >= 60 && refused > 0);
    assert_int_equal(alice->account->posts.reads, 0);
    assert_null(alice->account->posts.waiting);
    json_decref(give(world, alice, json_pack("{s:s,s:I}", "do", "post.show", "seq", seq)));
}

static void test_end_with_some_waiting(void **state)
{
    struct world *world = *state;
    static struct answer answers[SESSIONS][EACH];
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    json_int_t seq = large_post(world, alice);
    ask_all(world, seq, answers);
    assert_non_null(alice->account->posts.waiting);
    world_close(world);
    for (unsigned i = 0; i < SESSIONS; i++) {
        for (unsigned j = 0; j < EACH; j++)
            json_decref(answers[i][j].result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_in_turn, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_end_with_some_waiting, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
