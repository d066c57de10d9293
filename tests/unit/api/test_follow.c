/* SPDX-License-Identifier: ISC */
#include "unit/api/world.h"

#include "support/vectors.h"

enum { MANY = 1000 };

struct scene {
    struct gateway gateway;
    struct api *api;
};

static void scene_open(struct scene *scene, int64_t visible)
{
    *scene = (struct scene){.gateway.epoch = 1, .gateway.visible[1] = visible, .api = api_new()};
    assert_non_null(scene->api);
}

static void scene_close(struct scene *scene)
{
    api_free(scene->api);
    assert_null(scene->gateway.sessions);
    assert_null(scene->gateway.answers);
}

static void news(struct scene *scene, int64_t count)
{
    scene->gateway.visible[1] += count;
    world_turn(&scene->gateway);
}

static void many_followers_cost_one_pull_and_one_text(void **state)
{
    (void)state;
    static struct peer peers[MANY];
    struct scene scene;
    scene_open(&scene, 10);
    for (size_t i = 0; i < MANY; i++) {
        peer_open(&peers[i], scene.api, &scene.gateway, 1);
        peer_follow(&peers[i], 10);
    }
    world_turn(&scene.gateway);
    for (unsigned turn = 1; turn <= 20; turn++) {
        scene.gateway.pulls = 0;
        news(&scene, 3);
        assert_int_equal(scene.gateway.pulls, 1);
        for (size_t i = 0; i < MANY; i++) {
            assert_int_equal(peers[i].pages, 1 + turn);
            assert_ptr_equal(peers[i].last, peers[0].last);
            assert_int_equal(peers[i].mores, 0);
        }
        assert_int_equal(peers[0].at, scene.gateway.visible[1]);
    }
    for (size_t i = 0; i < MANY; i++)
        peer_close(&peers[i]);
    scene_close(&scene);
}

static void the_first_page_comes_even_when_nothing_is_new(void **state)
{
    (void)state;
    struct scene scene;
    struct peer peer;
    scene_open(&scene, 5);
    peer_open(&peer, scene.api, &scene.gateway, 1);
    peer_follow(&peer, 5);
    world_turn(&scene.gateway);
    assert_int_equal(peer.pages, 1);
    assert_int_equal(peer.epoch, 1);
    assert_true(json_is_false(json_object_get(peer.heard, "more")));
    peer_close(&peer);
    scene_close(&scene);
}

static void what_lies_behind_comes_first_in_pages(void **state)
{
    (void)state;
    struct scene scene;
    struct peer peer;
    scene_open(&scene, 1200);
    peer_open(&peer, scene.api, &scene.gateway, 1);
    peer_follow(&peer, 0);
    world_turn(&scene.gateway);
    assert_int_equal(peer.pages, 3);
    assert_int_equal(peer.at, 1200);
    news(&scene, 1);
    assert_int_equal(peer.at, 1201);
    peer_close(&peer);
    scene_close(&scene);
}

static void one_that_joins_in_mid_stream_catches_up_and_rides_along(void **state)
{
    (void)state;
    struct scene scene;
    struct peer old, late;
    scene_open(&scene, 40);
    scene.gateway.page = 10;
    peer_open(&old, scene.api, &scene.gateway, 1);
    peer_open(&late, scene.api, &scene.gateway, 1);
    peer_follow(&old, 40);
    world_turn(&scene.gateway);
    scene.gateway.waits = true;
    news(&scene, 3); /* the old one's pull is under way */
    peer_follow(&late, 5);
    scene.gateway.waits = false;
    news(&scene, 3);
    assert_int_equal(old.at, 46);
    assert_int_equal(late.at, 46);
    scene.gateway.pulls = 0;
    news(&scene, 1);
    assert_int_equal(scene.gateway.pulls, 1);
    assert_ptr_equal(old.last, late.last);
    peer_close(&old);
    peer_close(&late);
    scene_close(&scene);
}

static void a_slow_follower_is_sent_nothing_and_misses_nothing(void **state)
{
    (void)state;
    struct scene scene;
    struct peer fast, slow;
    scene_open(&scene, 0);
    peer_open(&slow, scene.api, &scene.gateway, 1);
    peer_open(&fast, scene.api, &scene.gateway, 1);
    peer_follow(&fast, 0);
    peer_follow(&slow, 0);
    world_turn(&scene.gateway);
    slow.queued = API_QUEUE_MAX;
    news(&scene, 2);
    news(&scene, 600);
    assert_int_equal(fast.at, 602);
    assert_int_equal(slow.at, 0);
    unsigned pulls = scene.gateway.pulls;
    peer_drain(&slow);
    world_turn(&scene.gateway);
    assert_int_equal(slow.at, 602);
    assert_int_equal(scene.gateway.pulls, pulls + 2);
    news(&scene, 1);
    assert_int_equal(scene.gateway.pulls, pulls + 3);
    peer_close(&fast);
    peer_close(&slow);
    scene_close(&scene);
}

static void one_that_became_slow_while_its_pull_was_under_way_serves_the_others(void **state)
{
    (void)state;
    struct scene scene;
    struct peer first, second;
    scene_open(&scene, 0);
    peer_open(&first, scene.api, &scene.gateway, 1);
    peer_open(&second, scene.api, &scene.gateway, 1);
    peer_follow(&first, 0);
    peer_follow(&second, 0);
    world_turn(&scene.gateway);
    scene.gateway.waits = true;
    news(&scene, 2);
    first.queued = API_QUEUE_MAX;
    news(&scene, 2); /* told to the one that pulls: the other takes it on */
    scene.gateway.waits = false;
    world_turn(&scene.gateway);
    assert_int_equal(second.at, 4);
    assert_int_equal(first.at, 0);
    peer_drain(&first);
    world_turn(&scene.gateway);
    assert_int_equal(first.at, 4);
    peer_close(&first);
    peer_close(&second);
    scene_close(&scene);
}

static void another_takes_over_when_the_one_that_pulls_leaves(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        struct scene scene;
        struct peer peers[3];
        scene_open(&scene, 0);
        for (size_t i = 0; i < 3; i++) {
            peer_open(&peers[i], scene.api, &scene.gateway, 1);
            peer_follow(&peers[i], 0);
        }
        world_turn(&scene.gateway);
        scene.gateway.waits = true;
        news(&scene, 4);
        assert_ptr_equal(scene.gateway.answers->session, peers[0].session);
        if (how == 0) {
            peer_close(&peers[0]);
        } else if (how == 1) {
            peer_expel(&peers[0], "the app password was revoked");
            assert_string_equal(peers[0].reason, "the app password was revoked");
            assert_int_equal(scene.gateway.answers->session == peers[1].session, 1);
        } else {
            peer_follow(&peers[0], 2);
        }
        scene.gateway.waits = false;
        world_turn(&scene.gateway);
        for (size_t i = how == 2 ? 0 : 1; i < 3; i++)
            assert_int_equal(peers[i].at, 4);
        news(&scene, 1);
        assert_int_equal(peers[1].at, 5);
        assert_int_equal(peers[2].at, 5);
        for (size_t i = how == 0; i < 3; i++)
            peer_close(&peers[i]);
        scene_close(&scene);
    }
}

/* What became visible between its log-in and a pull that began before, its session is never told of. */
static void one_that_joins_an_older_pull_asks_again(void **state)
{
    (void)state;
    struct scene scene;
    struct peer old, late;
    scene_open(&scene, 0);
    peer_open(&old, scene.api, &scene.gateway, 1);
    peer_follow(&old, 0);
    scene.gateway.visible[1] = 1;
    peer_open(&late, scene.api, &scene.gateway, 1);
    peer_follow(&late, 0);
    old.queued = API_QUEUE_MAX;
    world_turn(&scene.gateway);
    assert_int_equal(late.at, 1);
    peer_close(&old);
    peer_close(&late);
    scene_close(&scene);
}

static void following_again_begins_at_another_place(void **state)
{
    (void)state;
    struct scene scene;
    struct peer peer;
    scene_open(&scene, 9);
    peer_open(&peer, scene.api, &scene.gateway, 1);
    peer_follow(&peer, 9);
    scene.gateway.waits = true;
    world_turn(&scene.gateway);
    peer_follow(&peer, 3); /* the answer of the first one is not for it */
    assert_int_equal(peer.pages, 0);
    scene.gateway.waits = false;
    world_turn(&scene.gateway);
    assert_int_equal(peer.at, 9);
    assert_int_equal(peer.pages, 1);
    peer_follow(&peer, 0);
    world_turn(&scene.gateway);
    assert_int_equal(peer.at, 9);
    peer_close(&peer);
    scene_close(&scene);
}

static void a_new_epoch_is_passed_on(void **state)
{
    (void)state;
    struct scene scene;
    struct peer peer, other;
    scene_open(&scene, 50);
    peer_open(&peer, scene.api, &scene.gateway, 1);
    peer_open(&other, scene.api, &scene.gateway, 1);
    peer_follow(&other, 50);
    world_turn(&scene.gateway);
    scene.gateway.epoch = 2;
    scene.gateway.visible[1] = 20;
    peer_follow(&peer, 40); /* of the old one */
    world_turn(&scene.gateway);
    assert_int_equal(peer.pages, 1);
    assert_int_equal(peer.epoch, 2);
    assert_int_equal(peer.at, 20);
    peer_follow(&peer, 0);
    world_turn(&scene.gateway);
    assert_int_equal(peer.at, 20);
    news(&scene, 40);
    assert_int_equal(peer.at, 60);
    assert_int_equal(other.epoch, 2);
    peer_close(&peer);
    peer_close(&other);
    scene_close(&scene);
}

static void accounts_do_not_hear_of_each_other(void **state)
{
    (void)state;
    struct scene scene;
    struct peer one, two;
    scene_open(&scene, 0);
    peer_open(&one, scene.api, &scene.gateway, 1);
    peer_open(&two, scene.api, &scene.gateway, 2);
    peer_follow(&one, 0);
    peer_follow(&two, 0);
    world_turn(&scene.gateway);
    news(&scene, 7);
    assert_int_equal(one.at, 7);
    assert_int_equal(two.at, 0);
    assert_int_equal(two.pages, 1);
    peer_close(&one);
    peer_close(&two);
    scene_close(&scene);
}

static void news_that_cannot_be_read_end_the_client_that_asked(void **state)
{
    (void)state;
    struct scene scene;
    struct peer first, second;
    scene_open(&scene, 0);
    peer_open(&first, scene.api, &scene.gateway, 1);
    peer_open(&second, scene.api, &scene.gateway, 1);
    peer_follow(&first, 0);
    peer_follow(&second, 0);
    world_turn(&scene.gateway);
    scene.gateway.waits = scene.gateway.fails = true;
    news(&scene, 1);
    scene.gateway.waits = scene.gateway.fails = false;
    world_turn(&scene.gateway);
    assert_string_equal(first.reason, "the disk is full");
    assert_int_equal(second.at, 1);
    scene.gateway.closing = true;
    news(&scene, 1);
    assert_string_equal(second.reason, "stopping");
    peer_expel(&first, "stopping");
    peer_expel(&second, "stopping");
    peer_close(&first);
    peer_close(&second);
    scene_close(&scene);
}

static void follow_is_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"id\":1,\"do\":\"follow\"}",
        "{\"id\":1,\"do\":\"follow\",\"after\":-1}",
        "{\"id\":1,\"do\":\"follow\",\"after\":\"1\"}",
        "{\"id\":1,\"do\":\"follow\",\"after\":1.5}",
        "{\"id\":1,\"do\":\"follow\",\"after\":1,\"max\":5}",
        "{\"id\":1,\"do\":\"follow\",\"after\":1,\"account\":\"alice\"}",
    };
    struct scene scene;
    struct peer peer, operator;
    scene_open(&scene, 3);
    peer_open(&peer, scene.api, &scene.gateway, 1);
    peer_open(&operator, scene.api, &scene.gateway, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        peer_say(&peer, wrong[i]);
        assert_int_equal(peer.errors, i + 1);
        assert_int_equal(json_integer_value(json_object_get(peer.heard, "id")), 1);
    }
    peer_say(&operator, "{\"id\":1,\"do\":\"follow\",\"after\":0}");
    assert_int_equal(operator.errors, 1);
    assert_non_null(strstr((const char *)api_text_bytes(operator.last).data, "\"denied\""));
    world_turn(&scene.gateway);
    assert_int_equal(scene.gateway.asked, 0);
    peer_close(&peer);
    peer_close(&operator);
    scene_close(&scene);
}

/* --- any order of events */

enum { PEERS = 8, STEPS = 300, SEEDS = 400 };

static uint64_t dice_state;

static unsigned dice(unsigned sides)
{
    dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(dice_state >> 33) % sides;
}

static void answer_one(struct gateway *gateway)
{
    struct world_answer *answer = NULL;
    unsigned count = 0;
    DL_COUNT(gateway->answers, answer, count);
    if (count == 0)
        return;
    answer = gateway->answers;
    for (unsigned i = dice(count); i > 0; i--)
        answer = answer->next;
    world_answer(gateway, answer);
}

static void step(struct scene *scene, struct peer *peers, bool *follows)
{
    struct gateway *gateway = &scene->gateway;
    unsigned i = dice(PEERS);
    struct peer *peer = &peers[i];
    int64_t account = 1 + i % 2;
    switch (dice(12)) {
    case 0:
    case 1:
        gateway->visible[account] += 1 + dice(dice(4) == 0 ? 30 : 2);
        break;
    case 2:
    case 3:
        world_tell(gateway);
        break;
    case 4:
    case 5:
    case 6:
        answer_one(gateway);
        break;
    case 7:
        if (peer->client == NULL)
            peer_open(peer, scene->api, gateway, account);
        peer_follow(peer, dice(2) == 0 ? gateway->visible[account]
                                       : (int64_t)dice((unsigned)gateway->visible[account] + 1));
        follows[i] = true;
        break;
    case 8:
        if (peer->client != NULL) {
            if (dice(2) == 0)
                peer_expel(peer, "ended");
            peer_close(peer);
            follows[i] = false;
        }
        break;
    case 9:
        if (peer->client != NULL)
            peer->queued = API_QUEUE_MAX;
        break;
    case 10:
        if (peer->client != NULL)
            peer_drain(peer);
        break;
    default:
        if (peer->client != NULL)
            peer_say(peer, "{\"id\":3,\"do\":\"status\"}");
    }
}

static void nothing_is_missed_twice_or_out_of_order(void **state)
{
    (void)state;
    for (world_seed = 1; world_seed <= SEEDS; world_seed++) {
        struct scene scene;
        struct peer peers[PEERS] = {0};
        bool follows[PEERS] = {false};
        dice_state = world_seed;
        scene_open(&scene, 5);
        scene.gateway.page = dice(2) == 0 ? 0 : 1 + dice(10);
        scene.gateway.waits = true;
        for (unsigned i = 0; i < STEPS; i++)
            step(&scene, peers, follows);
        scene.gateway.waits = false;
        for (size_t i = 0; i < PEERS; i++)
            if (peers[i].client != NULL)
                peer_drain(&peers[i]);
        world_turn(&scene.gateway);
        for (size_t i = 0; i < PEERS; i++) {
            CHECK(!follows[i] || peers[i].at == scene.gateway.visible[1 + i % 2]);
            peer_close(&peers[i]);
        }
        scene_close(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_followers_cost_one_pull_and_one_text),
        cmocka_unit_test(the_first_page_comes_even_when_nothing_is_new),
        cmocka_unit_test(what_lies_behind_comes_first_in_pages),
        cmocka_unit_test(one_that_joins_in_mid_stream_catches_up_and_rides_along),
        cmocka_unit_test(a_slow_follower_is_sent_nothing_and_misses_nothing),
        cmocka_unit_test(one_that_became_slow_while_its_pull_was_under_way_serves_the_others),
        cmocka_unit_test(another_takes_over_when_the_one_that_pulls_leaves),
        cmocka_unit_test(one_that_joins_an_older_pull_asks_again),
        cmocka_unit_test(following_again_begins_at_another_place),
        cmocka_unit_test(a_new_epoch_is_passed_on),
        cmocka_unit_test(accounts_do_not_hear_of_each_other),
        cmocka_unit_test(news_that_cannot_be_read_end_the_client_that_asked),
        cmocka_unit_test(follow_is_checked),
        cmocka_unit_test(nothing_is_missed_twice_or_out_of_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
