/* SPDX-License-Identifier: ISC */
#include "real_keyring.h"

/* Recorded stock certificates and keys, judged by GnuPG in the keyring program: by a full invitation at one
 * end, by a short one, whose key must come first, at the other. */

static void test_verified_by_gnupg(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *d = &fixture->nodes[3];
    node_open(fixture, a);
    node_open(fixture, d);
    struct friend_record record = record_of(d, false);
    assert_true(friends_add(a->friends, &record, NULL));
    node_befriend(d, a, true);
    run_until(fixture, a->neighbour && d->neighbour);
    assert_true(a->changed.verified && d->changed.verified);
    struct location location;
    assert_true(location_parse(&location, a->identity.certificate, NULL));
    assert_memory_equal(d->changed.pinned, location.sha256, 32);
    assert_true(a->changed.key_block.size > 0);
}

/* The right location and certificate, but the record holds another person's key. */
static void test_refused_by_gnupg(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    struct friend_record record = record_of(b, true);
    record.key_block = fixture->nodes[2].identity.key_block;
    assert_true(friends_add(a->friends, &record, NULL));
    node_befriend(b, a, true);
    run_until(fixture, a->attempts > 0);
    assert_string_equal(a->attempt.reason, "the certificate is not signed by the friend's key");
    assert_int_equal(a->ups, 0);
}

#define both(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {both(test_verified_by_gnupg), both(test_refused_by_gnupg)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
