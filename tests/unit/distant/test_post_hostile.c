/* SPDX-License-Identifier: ISC */
/* Posts in tunnels where something goes wrong: what is lost, repeated, forged, or forgotten by one side, and
 * how soon both go on. */
#include "post_scene.h"

#include "distant/post_sender_internal.h"

/* What the relay does in a case. */
static struct {
    uint8_t subtype;     /* that is swallowed */
    size_t after, count; /* so many of them, after so many */
    size_t seen;
    struct buffer kept; /* the latest of that subtype, passed on or not */
    size_t slices;
    uint8_t ephemeral[32];
    size_t ephemerals;
    bool silent_back; /* nothing comes back through the first tunnel */
} relay;

static bool passes(struct scene *scene, bool forth, struct bytes payload)
{
    uint8_t subtype = payload.data[3];
    (void)scene;
    if (subtype == POST_FORTH && forth) {
        relay.slices += payload.size > 10000;
        relay.ephemerals += memcmp(relay.ephemeral, payload.data + 9, 32) != 0;
        memcpy(relay.ephemeral, payload.data + 9, 32);
    }
    if (subtype != relay.subtype)
        return false;
    buffer_free(&relay.kept);
    relay.kept = buffer_make(payload.size);
    buffer_append_bytes(&relay.kept, payload);
    size_t nth = relay.seen++;
    return nth >= relay.after && nth - relay.after < relay.count;
}

static struct scene *begin(bool is_private, uint8_t subtype, size_t after, size_t count)
{
    struct scene *scene = scene_new(is_private);
    buffer_free(&relay.kept);
    memset(&relay, 0, sizeof relay);
    relay.subtype = subtype;
    relay.after = after;
    relay.count = count;
    scene->drops = passes;
    return scene;
}

static void finish(struct scene *scene)
{
    buffer_free(&relay.kept);
    scene_free(scene);
}

static void one_lost_slice_costs_seconds(void **state)
{
    (void)state;
    for (size_t lost = 1; lost < 70; lost += 4) {
        struct scene *scene = begin(true, POST_FORTH, lost, 1);
        scene_tunnel(scene, 7);
        assert_true(scene_give(scene, 1, 1000000));
        scene_settle(scene);
        scene_pass(scene, 21000);
        assert_int_equal(scene->delivered, 1);
        assert_int_equal(scene->closed_by_sender, 0);
        assert_true(relay.slices < 62 + 2 * 16 + 2);
        finish(scene);
    }
}

static void a_lost_answer_costs_seconds(void **state)
{
    (void)state;
    for (size_t lost = 0; lost < 10; lost++) {
        struct scene *scene = begin(false, POST_BACK, lost, 1);
        scene_tunnel(scene, 7);
        assert_true(scene_give(scene, 1, 1000000));
        scene_settle(scene);
        scene_pass(scene, 21000);
        assert_int_equal(scene->delivered, 1);
        assert_int_equal(scene->closed_by_sender, 0);
        finish(scene);
    }
}

static void one_lost_greeting_is_asked_for(void **state)
{
    (void)state;
    struct scene *scene = begin(false, POST_GREETING, 0, 1);
    scene_tunnel(scene, 7);
    assert_int_equal(post_sender_wire(scene->sender), POST_WIRE_UNKNOWN);
    scene_pass(scene, 5000);
    assert_int_equal(post_sender_wire(scene->sender), POST_WIRE_SEALED);
    finish(scene);
}

static void a_forged_greeting_gets_nothing(void **state)
{
    (void)state;
    struct scene *scene = begin(false, POST_FORTH, 0, 0);
    scene->forge_checks = scene->sealed_only = true;
    scene_start_sender(scene);
    scene_tunnel(scene, 7);
    scene_pass(scene, 59000);
    assert_int_equal(post_sender_wire(scene->sender), POST_WIRE_UNKNOWN);
    assert_false(post_sender_can_send(scene->sender));
    assert_in_range(scene->checks, 1, 4);
    assert_int_equal(relay.seen, 0);
    finish(scene);
}

static void forged_greetings_are_checked_in_bounds(void **state)
{
    (void)state;
    struct scene *scene = begin(false, POST_GREETING, 0, 1);
    scene->sealed_only = true;
    scene_start_sender(scene);
    scene_tunnel(scene, 7);
    for (unsigned i = 0; i < 1000; i++) {
        struct buffer forged = buffer_make(4000);
        buffer_append_bytes(&forged, buffer_view(&relay.kept));
        memcpy(forged.memory + 20, &i, sizeof i);
        scene->hold_checks = i < 100;
        post_sender_receive(scene->sender, 7, buffer_view(&forged), scene->now);
        buffer_free(&forged);
        scene_take(scene);
    }
    assert_int_equal(scene->checks, 4); /* at a time */
    assert_int_equal(scene->wires, 0);
    finish(scene);
}

/* The recipient lost the tunnel and what it knew of it; the sender goes on as before. */
static void a_tunnel_that_gave_way_is_greeted_again(void **state)
{
    (void)state;
    for (int is_private = 0; is_private < 2; is_private++) {
        struct scene *scene = begin(is_private, POST_FORTH, 0, 0);
        scene_tunnel(scene, 7);
        assert_true(scene_give(scene, 1, 10));
        scene_settle(scene);
        post_receiver_tunnel_down(scene->receiver, 7, scene->now);
        post_receiver_tunnel_up(scene->receiver, 7, scene->hash, is_private ? scene->secret : NULL,
                                scene->now);
        scene_settle(scene);
        assert_true(scene_give(scene, 2, 100000));
        scene_settle(scene);
        scene_pass(scene, 36000);
        assert_int_equal(scene->delivered, 2);
        assert_int_equal(scene->closed_by_sender, 0);
        assert_int_equal(relay.ephemerals, 2);
        finish(scene);
    }
}

/* As a gateway does that is killed while the tunnel stays. */
static void another_life_of_the_recipient_is_greeted_by(void **state)
{
    (void)state;
    struct scene *scene = begin(true, POST_FORTH, 20, 1000);
    scene_tunnel(scene, 7);
    assert_true(scene_give(scene, 1, 1000000));
    scene_settle(scene);
    scene_start_receiver(scene);
    relay.count = 0;
    post_receiver_tunnel_up(scene->receiver, 7, scene->hash, scene->secret, scene->now);
    scene_settle(scene);
    scene_pass(scene, 40000);
    assert_int_equal(scene->delivered, 1);
    assert_int_equal(scene->signs, 2);
    assert_int_equal(scene->closed_by_sender, 0);
    finish(scene);
}

static void a_repeated_greeting_changes_nothing_while_answers_come(void **state)
{
    (void)state;
    struct scene *scene = begin(true, POST_GREETING, 0, 0);
    scene_tunnel(scene, 7);
    for (uint64_t post = 1; post <= 20; post++) {
        assert_true(scene_give(scene, post, 100000));
        post_sender_receive(scene->sender, 7, buffer_view(&relay.kept), scene->now);
        scene_settle(scene);
        scene_pass(scene, 10000);
    }
    assert_int_equal(scene->delivered, 20);
    assert_int_equal(relay.ephemerals, 1);
    assert_int_equal(scene->checks, 1);
    finish(scene);
}

static void frames_repeated_are_not_taken_again(void **state)
{
    (void)state;
    struct scene *scene = begin(true, POST_FORTH, 0, 0);
    scene_tunnel(scene, 7);
    scene->offer_answer = POST_NOT_NOW;
    assert_true(scene_give(scene, 1, 1000));
    scene_settle(scene);
    assert_int_equal(scene->offered, 1);
    scene_tunnel(scene, 8);
    for (uint64_t tunnel = 7; tunnel <= 8; tunnel++) {
        post_receiver_receive(scene->receiver, tunnel, buffer_view(&relay.kept), scene->now);
        scene_settle(scene);
    }
    assert_int_equal(scene->offered, 1);
    finish(scene);
}

static bool swallows_back_of_first(struct scene *scene, bool forth, struct bytes payload)
{
    (void)forth;
    passes(scene, forth, payload);
    return relay.silent_back && payload.data[3] == POST_BACK && scene->now < 1004000;
}

/* What comes back through the first tunnel is lost: the second one is tried before the first is given up. */
static void silence_turns_to_another_tunnel(void **state)
{
    (void)state;
    struct scene *scene = begin(true, POST_GREETING, 0, 0);
    scene->drops = swallows_back_of_first;
    relay.silent_back = true;
    scene_tunnel(scene, 7);
    scene_tunnel(scene, 8);
    assert_true(scene_give(scene, 1, 1000));
    scene_settle(scene);
    post_receiver_tunnel_down(scene->receiver, 7, scene->now); /* it leads nowhere, and nobody says so */
    scene_pass(scene, 16000);
    assert_int_equal(scene->delivered, 1);
    assert_int_equal(scene->closed_by_sender, 0);
    finish(scene);
}

static void another_tunnel_goes_on_where_the_first_stopped(void **state)
{
    (void)state;
    struct scene *scene = begin(true, POST_FORTH, 40, 1000);
    scene_tunnel(scene, 7);
    scene_tunnel(scene, 8);
    assert_true(scene_give(scene, 1, 1000000));
    scene_settle(scene);
    relay.count = 0;
    post_sender_tunnel_down(scene->sender, 7, scene->now);
    post_receiver_tunnel_down(scene->receiver, 7, scene->now);
    scene_settle(scene);
    assert_int_equal(scene->delivered, 1);
    assert_true(relay.slices < 62 + 16 + 1);
    finish(scene);
}

static void a_slow_store_is_waited_for(void **state)
{
    (void)state;
    struct scene *scene = begin(true, POST_FORTH, 0, 0);
    scene->hold_stores = true;
    scene_tunnel(scene, 7);
    assert_true(scene_give(scene, 1, 300000));
    scene_settle(scene);
    size_t frames = relay.seen;
    scene_pass(scene, 120000);
    assert_int_equal(scene->arrived, 1);
    assert_int_equal(scene->delivered, 0);
    assert_int_equal(scene->closed_by_sender, 0);
    assert_in_range(relay.seen - frames, 1, 6);
    post_receiver_stored(scene->receiver, scene->post, scene->now);
    scene_settle(scene);
    assert_int_equal(scene->delivered, 1);
    finish(scene);
}

static void a_letter_must_be_the_one_offered(void **state)
{
    (void)state;
    struct scene *scene = begin(true, POST_FORTH, 0, 0);
    scene_tunnel(scene, 7);
    assert_true(scene_give(scene, 1, 1000));
    /* The sender is not honest. */
    scene->sender->transfers[0].digest[5] ^= 1;
    scene_settle(scene);
    assert_int_equal(scene->arrived, 0);
    assert_int_equal(scene->refused, 1);
    assert_int_equal(scene->code, POST_NOT_READABLE);
    assert_false(scene->temporary);
    finish(scene);
}

static void classic_is_left_also_when_its_tunnel_goes(void **state)
{
    (void)state;
    struct scene *scene = begin(false, POST_GREETING, 0, 1000);
    scene_tunnel(scene, 7);
    scene_pass(scene, POST_GREETING_MS);
    assert_true(scene_give(scene, 1, 100000));
    post_sender_tunnel_down(scene->sender, 7, scene->now);
    scene_settle(scene);
    assert_int_equal(scene->left, 1);
    assert_int_equal(post_sender_room(scene->sender), 0);
    finish(scene);
}

/* A classic post that was given, when the contact turns out to take sealed ones before any of it left. */
static void what_has_not_begun_is_returned(void **state)
{
    (void)state;
    struct scene *scene = begin(false, POST_GREETING, 0, 1);
    scene->hold_checks = true;
    scene_tunnel(scene, 7);
    scene_tunnel(scene, 8);
    scene_tunnel(scene, 9);
    post_sender_tunnel_down(scene->sender, 8, scene->now);
    post_sender_tunnel_down(scene->sender, 9, scene->now);
    relay.count = 1000;
    scene_pass(scene, POST_GREETING_MS);
    assert_int_equal(post_sender_wire(scene->sender), POST_WIRE_CLASSIC);
    assert_true(scene_give(scene, 1, 1000));
    post_sender_checked(scene->sender, scene->check, true, 86400, scene->now);
    scene_settle(scene);
    assert_int_equal(scene->returned, 1);
    assert_int_equal(scene->left, 0);
    assert_int_equal(scene->arrived, 0);
    finish(scene);
}

static void slices_do_not_outlive_their_tunnel(void **state)
{
    (void)state;
    struct scene *scene = begin(false, POST_CLASSIC, 2, 1000);
    scene->classic = true;
    scene_start_sender(scene);
    scene_tunnel(scene, 7);
    assert_true(scene_give(scene, 1, 50000));
    scene_settle(scene);
    assert_int_equal(scene->arrived, 0);
    post_receiver_tunnel_down(scene->receiver, 7, scene->now);
    relay.count = 0;
    post_receiver_tunnel_up(scene->receiver, 7, scene->hash, NULL, scene->now);
    assert_true(scene_give(scene, 2, 1000));
    scene_settle(scene);
    assert_int_equal(scene->arrived, 1);
    struct buffer expected = scene_bytes(1000, 2);
    assert_true(bytes_equal(buffer_view(&scene->message), buffer_view(&expected)));
    buffer_free(&expected);
    finish(scene);
}

static void day_keys_are_renewed_and_end(void **state)
{
    static const uint64_t hour = 3600000;
    (void)state;
    struct scene *scene = begin(true, POST_FORTH, 0, 0);
    scene_tunnel(scene, 7);
    scene_pass(scene, 13 * hour);
    assert_int_equal(scene->signs, 1);
    scene_tunnel(scene, 8);
    assert_int_equal(scene->signs, 2);
    for (uint64_t post = 1; post <= 30; post++) {
        scene_pass(scene, hour);
        if (post_sender_room(scene->sender) > 0)
            scene_give(scene, post, 1000);
        scene_settle(scene);
        scene_pass(scene, 60000);
    }
    assert_int_equal(scene->delivered, 30);
    assert_in_range(relay.ephemerals, 2, 6);
    finish(scene);
}

static void a_withdrawn_post_is_not_told(void **state)
{
    (void)state;
    struct scene *scene = begin(true, POST_FORTH, 5, 1);
    scene_tunnel(scene, 7);
    assert_false(post_sender_cancel(scene->sender, 1, scene->now));
    assert_true(scene_give(scene, 1, 1000000));
    assert_true(post_sender_cancel(scene->sender, 1, scene->now)); /* nothing of it left */
    scene_settle(scene);
    assert_int_equal(scene->offered, 0);
    assert_true(scene_give(scene, 2, 1000000));
    scene->hold_offers = true;
    scene_settle(scene);
    assert_true(post_sender_cancel(scene->sender, 2, scene->now));
    assert_false(post_sender_cancel(scene->sender, 2, scene->now));
    scene_settle(scene);
    post_receiver_offer(scene->receiver, scene->post, 0, scene->now);
    scene_settle(scene);
    scene_pass(scene, 100000);
    assert_int_equal(scene->offered, 1);
    assert_int_equal(scene->arrived + scene->delivered + scene->refused, 0);
    assert_int_equal(post_sender_room(scene->sender), POST_TRANSFERS);
    finish(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_lost_slice_costs_seconds),
        cmocka_unit_test(a_lost_answer_costs_seconds),
        cmocka_unit_test(one_lost_greeting_is_asked_for),
        cmocka_unit_test(a_forged_greeting_gets_nothing),
        cmocka_unit_test(forged_greetings_are_checked_in_bounds),
        cmocka_unit_test(a_tunnel_that_gave_way_is_greeted_again),
        cmocka_unit_test(another_life_of_the_recipient_is_greeted_by),
        cmocka_unit_test(a_repeated_greeting_changes_nothing_while_answers_come),
        cmocka_unit_test(frames_repeated_are_not_taken_again),
        cmocka_unit_test(silence_turns_to_another_tunnel),
        cmocka_unit_test(another_tunnel_goes_on_where_the_first_stopped),
        cmocka_unit_test(a_slow_store_is_waited_for),
        cmocka_unit_test(a_letter_must_be_the_one_offered),
        cmocka_unit_test(classic_is_left_also_when_its_tunnel_goes),
        cmocka_unit_test(what_has_not_begun_is_returned),
        cmocka_unit_test(slices_do_not_outlive_their_tunnel),
        cmocka_unit_test(day_keys_are_renewed_and_end),
        cmocka_unit_test(a_withdrawn_post_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
