/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <string.h>

#include "friend/services.h"

/* A friend that tells its list and its addresses without end: each could cost a write to the disk. */

#define SECOND UINT64_C(1000000)

static const struct services_self self = {.pgp_id = {1}};
static const uint8_t peer_id[8] = {2}, peer_location[16] = {3};

struct scene {
    struct services services;
    struct buffer out, list, contact;
    union services_news news;
};

static void scene_open(struct scene *scene)
{
    *scene =
        (struct scene){.out = buffer_make(4096), .list = buffer_make(4096), .contact = buffer_make(4096)};
    services_start(&scene->services, &self, peer_id, peer_location, false, SECOND, &scene->list);
    struct contact_item contact = {.vs_disc = 2};
    memcpy(contact.pgp_id, peer_id, sizeof peer_id);
    memcpy(contact.location, peer_location, sizeof peer_location);
    assert_true(contact_write(&scene->contact, &contact));
}

static void scene_close(struct scene *scene)
{
    buffer_free(&scene->out);
    buffer_free(&scene->list);
    buffer_free(&scene->contact);
}

/* How many of a thousand are taken. */
static unsigned taken(struct scene *scene, const struct buffer *item, uint64_t now)
{
    unsigned count = 0;
    for (unsigned i = 0; i < 1000; i++)
        count += services_receive(&scene->services, buffer_view(item), now, &scene->out, &scene->news) !=
                 SERVICES_DROPPED;
    return count;
}

static void test_contacts(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    assert_int_equal(
        services_receive(&scene.services, buffer_view(&scene.list), SECOND, &scene.out, &scene.news),
        SERVICES_LIST);
    assert_int_equal(taken(&scene, &scene.contact, SECOND), 31);
    assert_int_equal(taken(&scene, &scene.contact, 5 * SECOND), 0);
    assert_int_equal(taken(&scene, &scene.contact, 6 * SECOND), 1);
    /* After a pause the whole burst is there again, and not more. */
    assert_int_equal(taken(&scene, &scene.contact, 10000 * SECOND), 32);
    scene_close(&scene);
}

static void test_lists(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    assert_int_equal(taken(&scene, &scene.list, SECOND), 32);
    assert_int_equal(taken(&scene, &scene.list, 11 * SECOND), 2);
    /* What is refused changes nothing: the services stay shared. */
    assert_true(scene.services.turtle && scene.services.discovery);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contacts),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
