/* SPDX-License-Identifier: ISC */
/* Posts between two accounts of one gateway, from the command of one to the list of the other, by each way
 * and on both wires. */
#include "world.h"

#include "core/hashes.h"
#include "core/local.h"
#include "core/post_in.h"
#include "core/post_out.h"

static void universal(struct world *world, const char *name, bool on)
{
    struct account *account = account_by_name(world->gateway, name);
    account->posts.settings.universal = on;
    post_in_changed(account);
    conversations_drain(world->gateway);
}

/* alice and bob know each other, and bob takes posts of everybody. */
static void people(struct pair *pair, struct world *world)
{
    *pair = (struct pair){.world = world};
    account_make(world, "alice");
    account_make(world, "bob");
    pair->alice = session_of(world, "alice");
    pair->bob = session_of(world, "bob");
    add_contact(world, pair->alice, "bob");
    add_contact(world, pair->bob, "alice");
    universal(world, "bob", true);
}

static json_t *letter_to(const char *handle, const char *subject)
{
    return json_pack("{s:s,s:[s],s:s,s:s}", "do", "post.send", "to", handle, "subject", subject, "text",
                     "the text\n");
}

static int64_t send_post(struct world *world, struct gateway_session *who, const char *handle,
                         const char *subject)
{
    json_t *sent = give(world, who, letter_to(handle, subject));
    int64_t seq = number(sent, "seq");
    json_decref(sent);
    return seq;
}

static json_t *show(struct world *world, struct gateway_session *who, int64_t seq)
{
    return give(world, who, json_pack("{s:s,s:I}", "do", "post.show", "seq", (json_int_t)seq));
}

/* "delivery protection level" of the only recipient. */
static void fate_of(struct world *world, struct gateway_session *who, int64_t seq, char out[64])
{
    json_t *post = show(world, who, seq);
    const json_t *delivery = json_array_get(json_object_get(post, "deliveries"), 0);
    snprintf(out, 64, "%s %s %s", text(delivery, "delivery"), text(delivery, "protection"),
             text(delivery, "level"));
    json_decref(post);
}

static void await_fate(struct world *world, struct gateway_session *who, int64_t seq, const char *fate)
{
    char is[64] = "";
    for (unsigned i = 0; i < 2000 && strcmp(is, fate) != 0; i++) {
        world_turn(world);
        fate_of(world, who, seq, is);
    }
    assert_string_equal(is, fate);
}

static void await_reason(struct world *world, struct gateway_session *who, int64_t seq, const char *reason)
{
    bool told = false;
    for (unsigned i = 0; i < 2000 && !told; i++) {
        json_t *post = show(world, who, seq);
        const json_t *delivery = json_array_get(json_object_get(post, "deliveries"), 0);
        told = strcmp(text(delivery, "reason"), reason) == 0;
        json_decref(post);
        world_turn(world);
    }
    assert_true(told);
}

static size_t posts_in(struct world *world, struct gateway_session *who, json_t **newest)
{
    json_t *list = give(world, who, json_pack("{s:s,s:s}", "do", "post.list", "box", "in"));
    const json_t *posts = json_object_get(list, "posts");
    size_t count = json_array_size(posts);
    if (newest != NULL)
        *newest = count > 0 ? json_incref(json_array_get(posts, 0)) : NULL;
    json_decref(list);
    return count;
}

/* The newest post received, which must be the only one: "subject verdict protection level contact". */
static void assert_received(struct world *world, struct gateway_session *who, const char *expected)
{
    json_t *post = NULL;
    char is[256];
    for (unsigned i = 0; i < 2000 && posts_in(world, who, &post) == 0; i++)
        world_turn(world);
    assert_non_null(post);
    snprintf(is, sizeof is, "%s %s %s %s %s", text(post, "subject"), text(post, "verdict"),
             text(post, "protection"), text(post, "level"),
             json_is_null(json_object_get(post, "contact")) ? "nobody" : "contact");
    assert_string_equal(is, expected);
    json_decref(post);
    assert_int_equal(posts_in(world, who, NULL), 1);
}

static struct contact *contact_of(const struct gateway_session *who, const char *handle)
{
    struct contact *contact = contact_by_handle(who->account, handle);
    assert_non_null(contact);
    return contact;
}

/* The senders' clock goes on by so much. */
static void time_passes(struct world *world, const struct contact *contact, uint64_t ms)
{
    struct post_out *out = contact->post_out;
    assert_non_null(out);
    assert_non_null(out->sender);
    post_sender_tick(out->sender, uv_now(&world->loop) + ms);
    post_out_touch(out);
    conversations_drain(world->gateway);
}

/* --- each way, each wire */

static void sealed_by_the_universal_hash(void **state)
{
    struct pair pair;
    people(&pair, *state);
    int64_t seq = send_post(pair.world, pair.alice, "bob", "hello");
    await_fate(pair.world, pair.alice, seq, "delivered sealed universal");
    assert_received(pair.world, pair.bob, "hello signed sealed universal contact");
    assert_true(contact_of(pair.alice, "bob")->posts_sealed);
    assert_int_equal(the_keyring.classic, 0);
}

static void classic_when_nobody_greets(void **state)
{
    struct pair pair;
    people(&pair, *state);
    the_keyring.mute = true;
    int64_t seq = send_post(pair.world, pair.alice, "bob", "hello");
    world_quiet(pair.world);
    assert_int_equal(posts_in(pair.world, pair.bob, NULL), 0);
    time_passes(pair.world, contact_of(pair.alice, "bob"), POST_GREETING_MS);
    await_fate(pair.world, pair.alice, seq, "not-confirmed classic universal");
    assert_received(pair.world, pair.bob, "hello signed classic universal contact");
    assert_true(contact_of(pair.alice, "bob")->posts_classic);
}

static void never_classic_to_who_takes_sealed_ones(void **state)
{
    struct pair pair;
    people(&pair, *state);
    await_fate(pair.world, pair.alice, send_post(pair.world, pair.alice, "bob", "one"),
               "delivered sealed universal");
    world_restart(pair.world);
    pair.alice = session_of(pair.world, "alice");
    pair.bob = session_of(pair.world, "bob");
    the_keyring.mute = true;
    universal(pair.world, "bob", true);
    int64_t seq = send_post(pair.world, pair.alice, "bob", "two");
    world_quiet(pair.world);
    time_passes(pair.world, contact_of(pair.alice, "bob"), POST_GREETING_MS);
    time_passes(pair.world, contact_of(pair.alice, "bob"), 2 * POST_GREETING_MS);
    world_quiet(pair.world);
    char fate[64];
    fate_of(pair.world, pair.alice, seq, fate);
    assert_non_null(strstr(fate, "queued"));
    assert_int_equal(the_keyring.classic, 0);
}

static void by_the_root_of_a_sealed_chat(void **state)
{
    struct pair pair;
    people(&pair, *state);
    universal(pair.world, "bob", false);
    char *link = protected_link(pair.world, pair.alice, "bob", "any");
    good(pair.world, pair.bob, json_pack("{s:s,s:s}", "do", "invite.open", "link", link));
    free(link);
    pair.with_bob = conversation_with(pair.alice, "bob");
    while (pair.with_bob->routes == NULL || !pair.with_bob->routes->settled)
        world_turn(pair.world);
    world_quiet(pair.world);
    await_fate(pair.world, pair.alice, send_post(pair.world, pair.alice, "bob", "hello"),
               "delivered sealed private");
    await_fate(pair.world, pair.bob, send_post(pair.world, pair.bob, "alice", "back"),
               "delivered sealed private");
    assert_received(pair.world, pair.bob, "hello signed sealed private contact");
    assert_received(pair.world, pair.alice, "back signed sealed private contact");
}

/* --- strangers */

static void strangers_are_few(void **state)
{
    struct pair pair;
    people(&pair, *state);
    account_make(pair.world, "carol");
    struct gateway_session *carol = session_of(pair.world, "carol");
    add_contact(pair.world, carol, "bob");
    account_by_name(pair.world->gateway, "bob")->posts.settings.strangers = 1;
    int64_t first = send_post(pair.world, carol, "bob", "hello");
    await_fate(pair.world, carol, first, "delivered sealed universal");
    assert_received(pair.world, pair.bob, "hello unknown-sender sealed universal nobody");
    int64_t second = send_post(pair.world, carol, "bob", "again");
    await_reason(pair.world, carol, second, "the recipient takes no more posts from you for now");
    await_fate(pair.world, carol, second, "queued  universal");
    assert_int_equal(posts_in(pair.world, pair.bob, NULL), 1);
}

static void nobody_unknown_when_strangers_are_not_wanted(void **state)
{
    struct pair pair;
    people(&pair, *state);
    account_make(pair.world, "carol");
    struct gateway_session *carol = session_of(pair.world, "carol");
    add_contact(pair.world, carol, "bob");
    account_by_name(pair.world->gateway, "bob")->posts.settings.strangers = 0;
    await_fate(pair.world, carol, send_post(pair.world, carol, "bob", "hello"), "failed  universal");
    assert_int_equal(posts_in(pair.world, pair.bob, NULL), 0);
}

/* --- what waits */

static void what_waits_outlives_a_restart(void **state)
{
    struct pair pair;
    people(&pair, *state);
    universal(pair.world, "bob", false);
    int64_t seq = send_post(pair.world, pair.alice, "bob", "hello");
    world_quiet(pair.world);
    assert_non_null(contact_of(pair.alice, "bob")->post_out);
    world_restart(pair.world);
    pair.alice = session_of(pair.world, "alice");
    pair.bob = session_of(pair.world, "bob");
    universal(pair.world, "bob", true);
    local_meet_all(pair.world->gateway);
    conversations_drain(pair.world->gateway);
    await_fate(pair.world, pair.alice, seq, "delivered sealed universal");
    assert_received(pair.world, pair.bob, "hello signed sealed universal contact");
}

static void nothing_is_sought_when_nothing_waits(void **state)
{
    struct pair pair;
    people(&pair, *state);
    universal(pair.world, "bob", false);
    int64_t seq = send_post(pair.world, pair.alice, "bob", "hello");
    world_quiet(pair.world);
    uint8_t hash[20];
    assert_true(account_universal_hash(account_by_name(pair.world->gateway, "bob"), hash));
    assert_non_null(hash_find(pair.world->gateway, hash, ROUTER_INITIATOR));
    good(pair.world, pair.alice, json_pack("{s:s,s:I}", "do", "post.withdraw", "seq", (json_int_t)seq));
    world_quiet(pair.world);
    assert_null(hash_find(pair.world->gateway, hash, ROUTER_INITIATOR));
    assert_null(contact_of(pair.alice, "bob")->post_out);
    assert_int_equal(pair.world->gateway->post_senders, 0);
    assert_int_equal(pair.world->gateway->post_memory, 0);
}

static void many_at_once_arrive_in_order(void **state)
{
    enum { POSTS = 40 };
    struct pair pair;
    people(&pair, *state);
    int64_t last = 0;
    for (unsigned i = 0; i < POSTS; i++) {
        char subject[16];
        snprintf(subject, sizeof subject, "%u", i);
        last = send_post(pair.world, pair.alice, "bob", subject);
    }
    await_fate(pair.world, pair.alice, last, "delivered sealed universal");
    for (unsigned i = 0; i < 2000 && posts_in(pair.world, pair.bob, NULL) < POSTS; i++)
        world_turn(pair.world);
    assert_int_equal(posts_in(pair.world, pair.bob, NULL), POSTS);
    while (contact_of(pair.alice, "bob")->deliveries != NULL)
        world_turn(pair.world);
    world_quiet(pair.world);
    assert_int_equal(pair.world->gateway->post_senders, 0);
    assert_int_equal(pair.world->gateway->post_memory, 0);
}

static void a_link_that_leads_nowhere_gives_way(void **state)
{
    struct pair pair;
    people(&pair, *state);
    json_t *link = give(pair.world, pair.bob, json_pack("{s:s}", "do", "post.link.new"));
    good(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "post.link.open", "link", text(link, "link")));
    good(pair.world, pair.bob, json_pack("{s:s,s:I}", "do", "post.link.revoke", "link", number(link, "id")));
    json_decref(link);
    int64_t seq = send_post(pair.world, pair.alice, "bob", "hello");
    world_quiet(pair.world);
    struct post_out *out = contact_of(pair.alice, "bob")->post_out;
    assert_string_equal(out->way.level, "open");
    if (uv_now(&pair.world->loop) < POST_OUT_WAY_MS)
        skip(); /* the machine's clock is too young */
    out->lost = 0;
    post_out_touch(out);
    conversations_drain(pair.world->gateway);
    await_fate(pair.world, pair.alice, seq, "delivered sealed universal");
}

/* A deadline of the past would keep the loop from its sockets. */
static void more_wait_than_are_taken(void **state)
{
    struct pair pair;
    people(&pair, *state);
    universal(pair.world, "bob", false);
    int64_t last = 0;
    for (unsigned i = 0; i < POST_OUT_TAKEN + 2; i++)
        last = send_post(pair.world, pair.alice, "bob", "waits");
    world_quiet(pair.world);
    /* What is due is looked at only once. */
    uint64_t now = uv_now(&pair.world->loop);
    assert_true(contact_of(pair.alice, "bob")->post_out->owner.timer.due > now);
    universal(pair.world, "bob", true);
    local_meet_all(pair.world->gateway);
    conversations_drain(pair.world->gateway);
    while (contact_of(pair.alice, "bob")->deliveries != NULL)
        world_turn(pair.world);
    await_fate(pair.world, pair.alice, last, "delivered sealed universal");
    assert_int_equal(pair.world->gateway->post_memory, 0);
}

/* One hash is one account's at a time; who has sent all gives way at once, not after a minute. */
static void two_accounts_write_to_one_person(void **state)
{
    struct pair pair;
    people(&pair, *state);
    account_make(pair.world, "carol");
    struct gateway_session *carol = session_of(pair.world, "carol");
    add_contact(pair.world, carol, "bob");
    account_by_name(pair.world->gateway, "bob")->posts.settings.strangers = 9;
    await_fate(pair.world, pair.alice, send_post(pair.world, pair.alice, "bob", "one"),
               "delivered sealed universal");
    struct post_out *first = contact_of(pair.alice, "bob")->post_out;
    assert_non_null(first);
    assert_non_null(first->sender); /* it stays for a minute */
    int64_t seq = send_post(pair.world, carol, "bob", "two");
    while (contact_of(carol, "bob")->post_out->owner.hashes == NULL)
        world_turn(pair.world);
    await_fate(pair.world, carol, seq, "delivered sealed universal");
    assert_int_equal(posts_in(pair.world, pair.bob, NULL), 2);
}

static void another_way_is_taken_for_the_next_post(void **state)
{
    struct pair pair;
    people(&pair, *state);
    await_fate(pair.world, pair.alice, send_post(pair.world, pair.alice, "bob", "one"),
               "delivered sealed universal");
    char *link = protected_link(pair.world, pair.alice, "bob", "any");
    good(pair.world, pair.bob, json_pack("{s:s,s:s}", "do", "invite.open", "link", link));
    free(link);
    pair.with_bob = conversation_with(pair.alice, "bob");
    while (pair.with_bob->routes == NULL || !pair.with_bob->routes->settled)
        world_turn(pair.world);
    await_fate(pair.world, pair.alice, send_post(pair.world, pair.alice, "bob", "two"),
               "delivered sealed private");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sealed_by_the_universal_hash, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(classic_when_nobody_greets, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(never_classic_to_who_takes_sealed_ones, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(by_the_root_of_a_sealed_chat, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(strangers_are_few, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(nobody_unknown_when_strangers_are_not_wanted, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(what_waits_outlives_a_restart, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_sought_when_nothing_waits, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(two_accounts_write_to_one_person, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(another_way_is_taken_for_the_next_post, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_link_that_leads_nowhere_gives_way, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(more_wait_than_are_taken, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(many_at_once_arrive_in_order, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
