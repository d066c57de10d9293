/* SPDX-License-Identifier: ISC */
#include "unit/api/world.h"

#include "api/request.h"
#include "support/vectors.h"

struct scene {
    struct gateway gateway;
    struct api *api;
    struct peer peer;
};

static void scene_open(struct scene *scene)
{
    *scene = (struct scene){.gateway.epoch = 1, .api = api_new()};
    assert_non_null(scene->api);
    peer_open(&scene->peer, scene->api, &scene->gateway, 1);
}

static void scene_close(struct scene *scene)
{
    peer_close(&scene->peer);
    api_free(scene->api);
    assert_null(scene->gateway.sessions);
    assert_null(scene->gateway.answers);
}

static void hears(const struct scene *scene, const char *text)
{
    struct bytes view = api_text_bytes(scene->peer.last);
    if (!bytes_equal(view, bytes_of_string(text)))
        fail_msg("heard %.*s", (int)view.size, (const char *)view.data);
}

static void answers_carry_the_id(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    peer_say(&scene.peer, "{\"id\":7,\"do\":\"a\",\"x\":1}");
    assert_int_equal(scene.peer.messages, 0);
    world_turn(&scene.gateway);
    hears(&scene, "{\"done\":{\"do\":\"a\",\"x\":1},\"id\":7}");
    peer_say(&scene.peer, "{\"id\":8,\"do\":\"now\"}");
    hears(&scene, "{\"error\":{\"code\":\"not-found\",\"text\":\"no such command\"},\"id\":8}");
    scene.gateway.fails = true;
    peer_say(&scene.peer, "{\"id\":9,\"do\":\"b\"}");
    world_turn(&scene.gateway);
    hears(&scene, "{\"error\":{\"code\":\"unavailable\",\"text\":\"the disk is full\"},\"id\":9}");
    scene_close(&scene);
}

static void what_is_no_command_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "{",
                                        "[]",
                                        "{\"do\":\"a\"}",
                                        "{\"id\":-1,\"do\":\"a\"}",
                                        "{\"id\":1}",
                                        "{\"id\":1,\"do\":1}",
                                        "{\"id\":1,\"do\":\"\xff\"}"};
    static const struct error binary = {ERROR_INVALID, "messages are text"};
    struct scene scene;
    scene_open(&scene);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        peer_say(&scene.peer, wrong[i]);
        assert_int_equal(scene.peer.errors, i + 1);
    }
    api_client_refuse(scene.peer.client, &binary);
    hears(&scene, "{\"error\":{\"code\":\"invalid\",\"text\":\"messages are text\"}}");
    assert_int_equal(scene.gateway.asked, 0);
    scene_close(&scene);
}

static void an_answer_too_long_says_so(void **state)
{
    (void)state;
    struct scene scene;
    struct buffer text = buffer_make(2 * API_MESSAGE_MAX);
    scene_open(&scene);
    /* The answer is the command in {"done":…,"id":1} and a line feed. */
    size_t around = strlen("{\"done\":{\"do\":\"a\",\"x\":\"\"},\"id\":1}\n");
    for (size_t size = API_MESSAGE_MAX - around; size <= API_MESSAGE_MAX - around + 1; size++) {
        buffer_append_string(&text, "{\"id\":1,\"do\":\"a\",\"x\":\"");
        memset(buffer_reserve(&text, size), 'x', size);
        buffer_commit(&text, size);
        buffer_append_string(&text, "\"}");
        api_client_input(scene.peer.client, buffer_view(&text));
        buffer_clear(&text);
        world_turn(&scene.gateway);
    }
    assert_int_equal(scene.peer.dones, 1);
    hears(&scene,
          "{\"error\":{\"code\":\"limit\",\"text\":\"the answer is longer than a message; ask for less "
          "with \\\"max\\\"\"},\"id\":1}");
    buffer_free(&text);
    scene_close(&scene);
}

static void open_commands_are_bounded_and_input_waits(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    for (unsigned i = 0; i < API_OPEN_MAX; i++) {
        assert_false(scene.peer.held);
        peer_say(&scene.peer, "{\"id\":1,\"do\":\"a\"}");
    }
    assert_true(scene.peer.held);
    peer_say(&scene.peer, "{\"id\":2,\"do\":\"a\"}"); /* a carrier that had it in hand already */
    assert_int_equal(scene.gateway.asked, API_OPEN_MAX);
    assert_int_equal(scene.peer.errors, 1);
    assert_int_equal(json_integer_value(json_object_get(scene.peer.heard, "id")), 2);
    world_answer(&scene.gateway, scene.gateway.answers);
    assert_false(scene.peer.held);
    peer_say(&scene.peer, "{\"id\":3,\"do\":\"a\"}");
    assert_true(scene.peer.held);
    world_turn(&scene.gateway);
    assert_false(scene.peer.held);
    assert_int_equal(scene.peer.dones, API_OPEN_MAX + 1);
    scene_close(&scene);
}

static void one_that_leaves_is_forgotten(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    peer_say(&scene.peer, "{\"id\":1,\"do\":\"a\"}");
    peer_say(&scene.peer, "{\"id\":2,\"do\":\"b\"}");
    peer_follow(&scene.peer, 0);
    scene_close(&scene);
    assert_int_equal(scene.gateway.forgotten, 3);
    assert_int_equal(scene.gateway.logouts, 1);
}

static void an_ended_session_ends_the_client(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    for (unsigned i = 0; i < API_OPEN_MAX; i++)
        peer_say(&scene.peer, "{\"id\":1,\"do\":\"a\"}");
    peer_expel(&scene.peer, "the gateway is stopping");
    assert_true(scene.peer.ended);
    assert_string_equal(scene.peer.reason, "the gateway is stopping");
    peer_say(&scene.peer, "{\"id\":1,\"do\":\"a\"}");
    api_client_drained(scene.peer.client);
    assert_int_equal(scene.peer.messages, 0);
    scene_close(&scene);
    assert_int_equal(scene.gateway.logouts, 0);
}

static void a_queue_that_is_long_loses_hints_and_joins_more(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    const struct gateway_session *session = scene.peer.session;
    json_t *hint = json_pack("{s:{s:i}}", "typing", "conversation", 3);
    session->events->hint(session->arg, hint);
    hears(&scene, "{\"hint\":{\"typing\":{\"conversation\":3}}}");
    session->events->more(session->arg);
    hears(&scene, "{\"more\":true}");
    scene.peer.queued = API_QUEUE_MAX;
    for (unsigned i = 0; i < 5; i++) {
        session->events->hint(session->arg, hint);
        session->events->more(session->arg);
    }
    assert_int_equal(scene.peer.messages, 2);
    peer_drain(&scene.peer);
    assert_int_equal(scene.peer.hints, 1);
    assert_int_equal(scene.peer.mores, 2);
    scene.peer.queued = API_QUEUE_MAX;
    peer_drain(&scene.peer); /* nothing is due now */
    assert_int_equal(scene.peer.mores, 2);
    json_decref(hint);
    scene_close(&scene);
}

static void a_text_has_room_in_front_and_lives_as_long_as_it_is_held(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    peer_say(&scene.peer, "{\"id\":1,\"do\":\"a\"}");
    world_turn(&scene.gateway);
    struct api_text *text = api_text_hold(scene.peer.last);
    scene_close(&scene);
    struct bytes view = api_text_bytes(text);
    uint8_t *frame = (uint8_t *)(uintptr_t)view.data - API_HEADROOM;
    memset(frame, 0x81, API_HEADROOM);
    assert_true(bytes_equal(api_text_bytes(text), bytes_of_string("{\"done\":{\"do\":\"a\"},\"id\":1}")));
    assert_int_equal(view.data[view.size], '\n');
    api_text_release(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_carry_the_id),
        cmocka_unit_test(what_is_no_command_is_refused),
        cmocka_unit_test(an_answer_too_long_says_so),
        cmocka_unit_test(open_commands_are_bounded_and_input_waits),
        cmocka_unit_test(one_that_leaves_is_forgotten),
        cmocka_unit_test(an_ended_session_ends_the_client),
        cmocka_unit_test(a_queue_that_is_long_loses_hints_and_joins_more),
        cmocka_unit_test(a_text_has_room_in_front_and_lives_as_long_as_it_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
