/* SPDX-License-Identifier: ISC */
/* A sender and a receiver of posts in tunnels that work: which wire, what arrives, what is told. */
#include "post_scene.h"

static void assert_message(const struct scene *scene, uint64_t post, size_t size)
{
    struct buffer expected = scene_bytes(size, (uint8_t)post);
    assert_true(bytes_equal(buffer_view(&scene->message), buffer_view(&expected)));
    buffer_free(&expected);
}

static void sealed_of_all_sizes(void **state)
{
    static const size_t sizes[] = {1, 1024, POST_SLICE_SIZE, POST_SLICE_SIZE + 1, 500000, 3 << 20};
    (void)state;
    for (int is_private = 0; is_private < 2; is_private++) {
        struct scene *scene = scene_new(is_private);
        assert_int_equal(post_sender_room(scene->sender), 0);
        scene_tunnel(scene, 7);
        assert_int_equal(post_sender_wire(scene->sender), POST_WIRE_SEALED);
        assert_int_equal(scene->wires, 1);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            assert_true(scene_give(scene, i + 1, sizes[i]));
            scene_settle(scene);
            assert_int_equal(scene->delivered, i + 1);
            assert_true(scene->arrived_sealed);
            assert_message(scene, i + 1, sizes[i]);
        }
        assert_int_equal(scene->arrived, sizeof sizes / sizeof *sizes);
        assert_int_equal(scene->confirmed_by_sender, 1);
        assert_int_equal(scene->confirmed_by_receiver, 1);
        assert_int_equal(scene->signs, 1);
        assert_int_equal(scene->checks, 1);
        assert_int_equal(scene->refused_items, 0);
        assert_int_equal(post_sender_deadline(scene->sender), scene->now + 86400000);
        scene_free(scene);
    }
}

static void four_at_a_time(void **state)
{
    (void)state;
    struct scene *scene = scene_new(true);
    scene_tunnel(scene, 7);
    for (uint64_t post = 1; post <= POST_TRANSFERS; post++) {
        assert_int_equal(post_sender_room(scene->sender), POST_TRANSFERS + 1 - post);
        assert_true(scene_give(scene, post, 100000));
    }
    assert_false(scene_give(scene, 9, 100));
    scene_settle(scene);
    assert_int_equal(scene->delivered, POST_TRANSFERS);
    assert_false(scene_give(scene, 9, 0));
    scene_free(scene);
}

static bool drops_sealed_items(struct scene *scene, bool forth, struct bytes payload)
{
    (void)scene;
    (void)forth;
    return payload.data[3] >= POST_GREETING;
}

static void classic_when_nobody_greets(void **state)
{
    static const size_t sizes[] = {1, 1000, 300000};
    (void)state;
    struct scene *scene = scene_new(false);
    scene->drops = drops_sealed_items;
    scene_tunnel(scene, 7);
    scene_pass(scene, POST_GREETING_MS - 1);
    assert_int_equal(post_sender_wire(scene->sender), POST_WIRE_UNKNOWN);
    assert_false(post_sender_can_send(scene->sender));
    scene_pass(scene, 1);
    assert_int_equal(post_sender_wire(scene->sender), POST_WIRE_CLASSIC);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(scene_give(scene, i + 1, sizes[i]));
        scene_settle(scene);
        assert_int_equal(scene->left, i + 1);
        assert_int_equal(scene->arrived, i + 1);
        assert_false(scene->arrived_sealed);
        assert_message(scene, i + 1, sizes[i]);
    }
    assert_int_equal(scene->delivered, 0);
    scene_free(scene);
}

static void sealed_only_never_falls_back(void **state)
{
    (void)state;
    struct scene *scene = scene_new(true);
    scene->sealed_only = true;
    scene_start_sender(scene);
    scene->drops = drops_sealed_items;
    scene_tunnel(scene, 7);
    scene_pass(scene, 59999);
    assert_int_equal(scene->closed_by_sender, 0);
    scene_pass(scene, 1);
    assert_int_equal(scene->closed_by_sender, 1);
    assert_int_equal(post_sender_wire(scene->sender), POST_WIRE_UNKNOWN);
    assert_int_equal(scene->wires, 0);
    scene->drops = NULL;
    scene_tunnel(scene, 8);
    assert_int_equal(post_sender_wire(scene->sender), POST_WIRE_SEALED);
    scene_free(scene);
}

static void a_person_may_want_classic(void **state)
{
    (void)state;
    struct scene *scene = scene_new(true);
    scene->classic = true;
    scene_start_sender(scene);
    scene_tunnel(scene, 7);
    assert_int_equal(post_sender_wire(scene->sender), POST_WIRE_CLASSIC);
    assert_true(scene_give(scene, 1, 70000));
    scene_settle(scene);
    assert_int_equal(scene->left, 1);
    assert_int_equal(scene->checks, 0);
    assert_message(scene, 1, 70000);
    scene_free(scene);
}

static void refusals_are_told(void **state)
{
    (void)state;
    struct scene *scene = scene_new(true);
    scene_tunnel(scene, 7);
    for (int code = POST_TOO_LARGE; code <= POST_NOT_WANTED; code++) {
        scene->offer_answer = code;
        assert_true(scene_give(scene, (uint64_t)code, 1000));
        scene_settle(scene);
        assert_int_equal(scene->refused, code);
        assert_int_equal(scene->code, code);
        assert_int_equal(scene->temporary, code == POST_TOO_MANY || code == POST_NOT_NOW);
    }
    scene->offer_answer = POST_KNOWN;
    assert_true(scene_give(scene, 9, 1000));
    scene_settle(scene);
    assert_int_equal(scene->delivered, 1);
    assert_int_equal(scene->arrived, 0);
    scene_free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_of_all_sizes),        cmocka_unit_test(four_at_a_time),
        cmocka_unit_test(classic_when_nobody_greets), cmocka_unit_test(sealed_only_never_falls_back),
        cmocka_unit_test(a_person_may_want_classic),  cmocka_unit_test(refusals_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
