/* SPDX-License-Identifier: ISC */
/* What comes through a tunnel in the form of 2013: its verdict, what is dropped, what is kept while the vault
 * is locked. */
#include "world.h"

#include "core/post_in.h"
#include "core/post_rows.h"

/* A post as a program of 2013 sends it. Signed by `by`; NULL: not at all. */
struct classic {
    const uint8_t *sender; /* fingerprint */
    const uint8_t *by;
    struct bytes to;
    const char *subject;
    size_t body; /* characters */
};

static uint64_t last_tunnel;

static void arrive(struct account *account, const struct classic *classic)
{
    struct post_in *in = account->posts.in;
    uint64_t now = uv_now(account->gateway->loop), tunnel = ++last_tunnel;
    uint8_t hash[20];
    struct buffer body = buffer_make(1 << 20), plain = buffer_make(1 << 20), message = buffer_make(1 << 20),
                  text = buffer_make(1 << 22), item = buffer_make(1 << 22);
    assert_non_null(in);
    memset(buffer_reserve(&body, classic->body), 'x', classic->body);
    buffer_commit(&body, classic->body);
    struct post_inner_fields fields = {.sign = classic->by != NULL,
                                       .time = 1700000000,
                                       .subject = bytes_of_string(classic->subject),
                                       .body = buffer_view(&body),
                                       .to = classic->to};
    memcpy(fields.sender, classic->sender + 12, sizeof fields.sender);
    assert_true(post_inner_write(&plain, &fields));
    if (classic->by != NULL)
        fake_sign(&plain, classic->by, buffer_view(&plain));
    buffer_append_string(&message, "classic");
    buffer_append(&message, account->fingerprint, 20);
    buffer_append_bytes(&message, buffer_view(&plain));
    assert_true(post_outer_text(&text, buffer_view(&message)));
    assert_true(account_universal_hash(account, hash));
    post_receiver_tunnel_up(in->receiver, tunnel, hash, NULL, now);
    for (struct bytes left = buffer_view(&text); left.size > 0;) {
        size_t size = left.size < POST_SLICE_CHARACTERS ? left.size : POST_SLICE_CHARACTERS;
        buffer_clear(&item);
        assert_true(post_outer_write(&item, 0, bytes_of(left.data, size), size < left.size));
        post_receiver_receive(in->receiver, tunnel, buffer_view(&item), now);
        left = bytes_of(left.data + size, left.size - size);
    }
    owner_mark_dirty(&in->owner);
    conversations_drain(account->gateway);
    buffer_free(&body);
    buffer_free(&plain);
    buffer_free(&message);
    buffer_free(&text);
    buffer_free(&item);
}

struct people {
    struct world *world;
    struct account *alice, *bob;
    struct gateway_session *session; /* alice's, who knows bob and takes posts of everybody */
    uint8_t hash[20];
};

static void people(struct people *people, struct world *world)
{
    *people = (struct people){
        .world = world, .alice = account_make(world, "alice"), .bob = account_make(world, "bob")};
    people->session = session_of(world, "alice");
    add_contact(world, people->session, "bob");
    good(world, people->session,
         json_pack("{s:s,s:b,s:i}", "do", "account.set", "universal", 1, "strangers", 10));
    assert_true(account_universal_hash(people->alice, people->hash));
}

static json_t *posts_of(const struct people *people)
{
    json_t *list =
        give(people->world, people->session, json_pack("{s:s,s:s}", "do", "post.list", "box", "in"));
    json_t *posts = json_incref(json_object_get(list, "posts"));
    json_decref(list);
    return posts;
}

/* Until nothing of it is under way. */
static void settle(const struct people *people)
{
    do
        world_quiet(people->world);
    while (people->alice->posts.in->incoming != NULL);
    world_quiet(people->world);
}

/* Newest first: "subject verdict contact\n" */
static void assert_posts(const struct people *people, const char *expected)
{
    struct buffer is = buffer_make(1 << 16);
    settle(people);
    json_t *posts = posts_of(people), *post;
    size_t index;
    json_array_foreach(posts, index, post)
        buffer_printf(&is, "%s %s %s\n", text(post, "subject"), text(post, "verdict"),
                      json_is_null(json_object_get(post, "contact")) ? "nobody" : "contact");
    assert_string_equal(buffer_size(&is) > 0 ? buffer_string(&is) : "", expected);
    json_decref(posts);
    buffer_free(&is);
}

static void verdicts(void **state)
{
    struct people all;
    people(&all, *state);
    uint8_t other[20] = {1, 2, 3}, stranger[20] = {4, 5, 6};
    struct bytes to = bytes_of(all.hash, 20);
    const uint8_t *bob = all.bob->fingerprint;
    arrive(all.alice, &(struct classic){bob, bob, to, "signed", 10});
    settle(&all);
    arrive(all.alice, &(struct classic){bob, bob, bytes_of(other, 20), "for-another", 10});
    settle(&all);
    arrive(all.alice, &(struct classic){bob, NULL, to, "claimed", 10});
    settle(&all);
    arrive(all.alice, &(struct classic){bob, stranger, to, "forged", 10});
    settle(&all);
    arrive(all.alice, &(struct classic){stranger, stranger, to, "foreign", 10});
    settle(&all);
    arrive(all.alice, &(struct classic){bob, bob, to, "long", 40000});
    assert_posts(&all, "long signed contact\nforeign unknown-sender nobody\nforged bad-signature nobody\n"
                       "claimed unsigned nobody\nfor-another not-addressed contact\nsigned signed contact\n");
    /* Without the key no signature was checked. */
    assert_null(strstr(verdict_text("unknown-sender"), "signed by"));
}

static void a_repeated_ciphertext_is_one_post(void **state)
{
    struct people all;
    people(&all, *state);
    struct classic classic = {all.bob->fingerprint, all.bob->fingerprint, bytes_of(all.hash, 20), "once", 10};
    arrive(all.alice, &classic);
    arrive(all.alice, &classic); /* before the first is stored */
    settle(&all);
    arrive(all.alice, &classic);
    assert_posts(&all, "once signed contact\n");
}

static void strangers_write_little(void **state)
{
    struct people all;
    people(&all, *state);
    struct bytes to = bytes_of(all.hash, 20);
    const uint8_t *bob = all.bob->fingerprint;
    good(all.world, all.session, json_pack("{s:s,s:i}", "do", "account.set", "strangers", 1));
    arrive(all.alice, &(struct classic){bob, NULL, to, "too-large", POST_IN_STRANGER_LIMIT + 1});
    settle(&all);
    arrive(all.alice, &(struct classic){bob, NULL, to, "first", 10});
    arrive(all.alice, &(struct classic){bob, NULL, to, "second", 10}); /* both are under way */
    settle(&all);
    arrive(all.alice, &(struct classic){bob, NULL, to, "third", 10});
    settle(&all);
    arrive(all.alice, &(struct classic){bob, bob, to, "of-a-contact", POST_IN_STRANGER_LIMIT + 1});
    assert_posts(&all, "of-a-contact signed contact\nfirst unsigned nobody\n");
}

static void what_the_keyring_cannot_open_now_is_opened_later(void **state)
{
    struct people all;
    people(&all, *state);
    the_keyring.fail = ERROR_UNAVAILABLE;
    arrive(all.alice,
           &(struct classic){all.bob->fingerprint, all.bob->fingerprint, bytes_of(all.hash, 20), "late", 10});
    settle(&all);
    assert_non_null(all.alice->posts.locked);
    the_keyring.fail = 0;
    world_minute(all.world);
    assert_posts(&all, "late signed contact\n");
    assert_null(all.alice->posts.locked);
}

static void what_cannot_be_opened_at_all_is_dropped(void **state)
{
    struct people all;
    people(&all, *state);
    the_keyring.fail = ERROR_DENIED;
    arrive(all.alice,
           &(struct classic){all.bob->fingerprint, all.bob->fingerprint, bytes_of(all.hash, 20), "no", 10});
    assert_posts(&all, "");
}

static void unlock(struct world *world)
{
    char path[80], key[65] = "";
    snprintf(path, sizeof path, "%s/vault.key", world->directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(key, 1, 64, file), 64);
    fclose(file);
    good(world, world->operator_, json_pack("{s:s,s:s}", "do", "unlock", "vault_key", key));
}

static void a_locked_vault_keeps_them(void **state)
{
    struct people all;
    people(&all, *state);
    uint8_t bob[20];
    memcpy(bob, all.bob->fingerprint, sizeof bob);
    world_close(all.world);
    world_open_with(all.world, true);
    all.alice = account_by_name(all.world->gateway, "alice");
    arrive(all.alice, &(struct classic){bob, bob, bytes_of(all.hash, 20), "one", 10});
    arrive(all.alice, &(struct classic){bob, NULL, bytes_of(all.hash, 20), "two", 10});
    settle(&all);
    const struct post_locked *locked;
    unsigned count = 0;
    DL_COUNT(all.alice->posts.locked, locked, count);
    assert_int_equal(count, 2);
    unlock(all.world);
    all.session = session_of(all.world, "alice");
    while (all.alice->posts.locked != NULL)
        world_turn(all.world);
    assert_posts(&all, "two unsigned nobody\none signed contact\n");
}

static void what_is_being_opened_at_the_end_is_kept(void **state)
{
    struct people all;
    people(&all, *state);
    the_keyring.hold = true;
    arrive(all.alice,
           &(struct classic){all.bob->fingerprint, all.bob->fingerprint, bytes_of(all.hash, 20), "kept", 10});
    while (all.alice->posts.in->incoming->stage != INCOMING_OPENING)
        world_turn(all.world);
    world_restart(all.world);
    all.alice = account_by_name(all.world->gateway, "alice");
    all.session = session_of(all.world, "alice");
    while (all.alice->posts.locked != NULL)
        world_turn(all.world);
    assert_posts(&all, "kept signed contact\n");
}

static void revoked_is_not_served(void **state)
{
    struct people all;
    people(&all, *state);
    assert_non_null(hash_find(all.world->gateway, all.hash, ROUTER_ENDPOINT));
    good(all.world, all.session, json_pack("{s:s,s:b}", "do", "account.set", "universal", 0));
    assert_null(hash_find(all.world->gateway, all.hash, ROUTER_ENDPOINT));
    json_t *link = give(all.world, all.session, json_pack("{s:s}", "do", "post.link.new"));
    const struct post_link *kept = all.alice->posts.links;
    assert_non_null(hash_find(all.world->gateway, kept->hash, ROUTER_ENDPOINT));
    uint8_t hash[20];
    memcpy(hash, kept->hash, sizeof hash);
    good(all.world, all.session,
         json_pack("{s:s,s:I}", "do", "post.link.revoke", "link",
                   json_integer_value(json_object_get(link, "id"))));
    assert_null(hash_find(all.world->gateway, hash, ROUTER_ENDPOINT));
    json_decref(link);
}

static void expired_is_not_served(void **state)
{
    struct people all;
    people(&all, *state);
    json_t *made = give(all.world, all.session, json_pack("{s:s}", "do", "post.link.new"));
    struct post_link *link = all.alice->posts.links;
    uint8_t hash[20];
    memcpy(hash, link->hash, sizeof hash);
    world_minute(all.world);
    assert_non_null(hash_find(all.world->gateway, hash, ROUTER_ENDPOINT));
    link->expires = 1;
    world_minute(all.world);
    while (strcmp(link->state, "open") == 0)
        world_turn(all.world);
    assert_string_equal(link->state, "expired");
    assert_null(hash_find(all.world->gateway, hash, ROUTER_ENDPOINT));
    json_t *list = give(all.world, all.session, json_pack("{s:s}", "do", "post.link.list"));
    json_t *shown = json_array_get(json_object_get(list, "links"), 0);
    assert_string_equal(text(shown, "state"), "expired");
    assert_null(json_object_get(shown, "link"));
    json_decref(list);
    json_decref(made);
    world_restart(all.world);
    assert_string_equal(account_by_name(all.world->gateway, "alice")->posts.links->state, "expired");
    assert_null(hash_find(all.world->gateway, hash, ROUTER_ENDPOINT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verdicts, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_repeated_ciphertext_is_one_post, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(strangers_write_little, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(what_the_keyring_cannot_open_now_is_opened_later, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_opened_at_all_is_dropped, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_locked_vault_keeps_them, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(what_is_being_opened_at_the_end_is_kept, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(revoked_is_not_served, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(expired_is_not_served, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
