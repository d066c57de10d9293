/* SPDX-License-Identifier: ISC */
/* What clients ask of each other's answers goes on before the loop sleeps. */
#include "world.h"

struct chain {
    struct gateway_session *alice;
    struct answer first, second;
    bool late;
};

static void second_answered(void *arg, json_t *result, const struct error *error)
{
    struct chain *chain = arg;
    (void)result;
    assert_null(error);
    chain->second.calls++;
}

static void first_answered(void *arg, json_t *result, const struct error *error)
{
    struct chain *chain = arg;
    json_t *command = json_pack("{s:s,s:b}", "do", "account.set", "typing", 0);
    (void)result;
    assert_null(error);
    chain->first.calls++;
    assert_true(gateway_do(chain->alice, command, second_answered, chain, NULL) != 0);
    json_decref(command);
}

static void ask(uv_timer_t *timer)
{
    struct chain *chain = timer->data;
    json_t *command = json_pack("{s:s}", "do", "hello");
    assert_true(gateway_do(chain->alice, command, first_answered, chain, NULL) != 0);
    json_decref(command);
}

static void give_up(uv_timer_t *timer)
{
    ((struct chain *)timer->data)->late = true;
}

/* A timer asks, so that memory answers between the timers and the poll. */
static void test_commit_before_sleep(void **state)
{
    struct world *world = *state;
    uv_timer_t timer, guard;
    account_make(world, "alice");
    struct chain chain = {.alice = session_of(world, "alice")};
    world_quiet(world);
    uv_timer_init(&world->loop, &timer);
    uv_timer_init(&world->loop, &guard);
    timer.data = guard.data = &chain;
    uv_timer_start(&timer, ask, 1, 0);
    uv_timer_start(&guard, give_up, 5000, 0);
    while (chain.second.calls == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(chain.first.calls, 1);
    assert_false(chain.late);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_close((uv_handle_t *)&guard, NULL);
    world_settle(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commit_before_sleep, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
