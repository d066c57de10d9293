/* SPDX-License-Identifier: ISC */
/* Contacts, invites and accounts: how they come, are refused, and go while something is under way. */
#include "world.h"

#include "core/invites.h"
#include "wire/link.h"

static json_t *add_key(const char *key, const char *handle)
{
    return json_pack("{s:s,s:s,s:s*}", "do", "contact.add", "key", key, "handle", handle);
}

static json_t *open_link(const char *link)
{
    return json_pack("{s:s,s:s}", "do", "invite.open", "link", link);
}

static json_t *invite(const char *contact)
{
    return json_pack("{s:s,s:s}", "do", "invite.new", "contact", contact);
}

static json_t *removal(const char *contact)
{
    return json_pack("{s:s,s:s}", "do", "contact.remove", "contact", contact);
}

static void drop(struct answer *answer)
{
    json_decref(answer->result);
    answer->result = NULL;
}

/* --- contacts */

static void handles(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    char *one = some_key(1, "Carol C."), *two = some_key(2, "carol c"), *three = some_key(3, "007");
    /* At once: the second stranger takes no handle that the first one is about to have. */
    struct answer first, second;
    start(alice, add_key(one, NULL), &first);
    start(alice, add_key(two, NULL), &second);
    finish(world, &first);
    finish(world, &second);
    assert_string_equal(text(first.result, "handle"), "carol-c");
    assert_string_equal(text(second.result, "handle"), "carol-c-2");
    drop(&first);
    drop(&second);
    json_t *added = give(world, alice, add_key(three, NULL));
    assert_string_equal(text(added, "handle"), "contact");
    json_decref(added);
    /* Known keys are no error, and nothing new. */
    added = give(world, alice, add_key(one, NULL));
    assert_string_equal(text(added, "handle"), "carol-c");
    json_decref(added);
    assert_int_equal(HASH_COUNT(alice->account->contacts), 3);
    char *four = some_key(4, "dave");
    bad(world, alice, add_key(four, "carol-c"), ERROR_EXISTS);
    bad(world, alice, add_key(four, "gateway"), ERROR_INVALID);
    bad(world, alice, add_key(four, "Dave"), ERROR_INVALID);
    bad(world, alice,
        json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "carol-c", "handle", "contact"),
        ERROR_EXISTS);
    bad(world, alice, json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "carol-c", "handle", "a b"),
        ERROR_INVALID);
    bad(world, alice,
        json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "carol-c", "presence", "maybe"),
        ERROR_INVALID);
    char *own = key_of(alice->account);
    bad(world, alice, add_key(own, NULL), ERROR_INVALID);
    free(own);
    free(one);
    free(two);
    free(three);
    free(four);
}

static void one_key_added_twice_at_once(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    char *key = some_key(1, "carol");
    struct answer first, second;
    start(alice, add_key(key, "one"), &first);
    start(alice, add_key(key, "two"), &second);
    finish(world, &first);
    finish(world, &second);
    assert_int_equal(first.code, 0);
    assert_int_equal(second.code, ERROR_UNAVAILABLE);
    drop(&first);
    assert_int_equal(HASH_COUNT(alice->account->contacts), 1);
    free(key);
}

static void a_forged_short_id_is_refused(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    char *key = some_key(1, "carol");
    the_keyring.forge = true; /* the known key differs from this one in its first byte only */
    good(world, alice, add_key(key, "carol"));
    struct answer answer = bad(world, alice, add_key(key, "other"), ERROR_DENIED);
    char fingerprint[41];
    hex_upper(fingerprint, contact_by_handle(alice->account, "carol")->fingerprint, 20);
    assert_non_null(strstr(answer.text, fingerprint));
    /* The same when both come at once. */
    good(world, alice, removal("carol"));
    struct answer first;
    the_keyring.forge = true;
    start(alice, add_key(key, "carol"), &first);
    bad(world, alice, add_key(key, "other"), ERROR_DENIED);
    finish(world, &first);
    assert_int_equal(first.code, 0);
    drop(&first);
    free(key);
}

static void keys_that_the_keyring_refuses(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    char *key = some_key(1, "carol");
    the_keyring.fail = ERROR_DENIED;
    bad(world, alice, add_key(key, NULL), ERROR_DENIED);
    the_keyring.fail = 0;
    the_keyring.refuse = true;
    bad(world, alice, add_key(key, NULL), ERROR_UNAVAILABLE);
    the_keyring.refuse = false;
    struct rlimit before = disk_fill();
    bad(world, alice, add_key(key, NULL), ERROR_UNAVAILABLE);
    disk_clear(&before);
    assert_null(alice->account->contacts);
    good(world, alice, add_key(key, NULL));
    free(key);
}

static void removing_a_contact_while_things_are_pending(void **state)
{
    struct pair pair;
    struct answer answers[6], removed;
    pair_make(&pair, *state);
    the_keyring.hold = true;
    start(pair.alice, invite("bob"), &answers[0]);
    start(pair.alice, json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "bob", "text", "x"),
          &answers[1]);
    start(pair.alice, json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "bob", "name", "x"),
          &answers[2]);
    start(pair.bob, json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "alice", "text", "x"),
          &answers[3]);
    start(pair.alice, removal("bob"), &removed);
    start(pair.alice, json_pack("{s:s,s:s,s:i}", "do", "read", "conversation", "bob", "seq", 1), &answers[4]);
    start(pair.alice, json_pack("{s:s,s:s}", "do", "conversation.open", "conversation", "bob"), &answers[5]);
    bad(pair.world, pair.alice, removal("bob"), ERROR_NOT_FOUND);
    finish(pair.world, &removed);
    assert_int_equal(removed.code, 0);
    drop(&removed);
    world_minute(pair.world);
    fake_release();
    for (size_t i = 0; i < 6; i++) {
        finish(pair.world, &answers[i]);
        drop(&answers[i]);
    }
    assert_int_equal(answers[0].code, ERROR_NOT_FOUND); /* the invite */
    world_quiet(pair.world);
    assert_null(pair.alice->account->contacts);
    assert_null(pair.alice->account->conversations);
    assert_null(pair.alice->account->invites);
    world_minute(pair.world);
    assert_null(pair.world->gateway->graves);
    /* The peer was told. */
    assert_int_equal(pair.with_alice->state, CHAT_CLOSED_BY_PEER);
    world_restart(pair.world);
    pair.alice = session_of(pair.world, "alice");
    assert_null(pair.alice->account->contacts);
    assert_null(pair.alice->account->conversations);
    assert_null(pair.alice->account->invites);
    add_contact(pair.world, pair.alice, "bob");
}

static void a_removal_waits_for_an_offer_being_stored(void **state)
{
    struct pair pair;
    struct answer made;
    pair_make(&pair, *state);
    start(pair.alice, invite("bob"), &made);
    while (contact_by_handle(pair.alice->account, "bob")->offers == 0)
        world_turn(pair.world);
    bad(pair.world, pair.alice, removal("bob"), ERROR_UNAVAILABLE);
    finish(pair.world, &made);
    assert_int_equal(made.code, 0);
    drop(&made);
    good(pair.world, pair.alice, removal("bob"));
    world_restart(pair.world);
    assert_null(account_by_name(pair.world->gateway, "alice")->invites);
}

static void a_removal_that_cannot_be_stored(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    struct rlimit before = disk_fill();
    bad(pair.world, pair.alice, removal("bob"), ERROR_UNAVAILABLE);
    disk_clear(&before);
    assert_int_equal(pair.with_bob->state, CHAT_CAN_TALK);
    good(pair.world, pair.alice, removal("bob"));
    assert_null(pair.alice->account->contacts);
}

/* --- invites */

static void two_first_invites_share_the_conversation(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    account_make(world, "bob");
    struct gateway_session *alice = session_of(world, "alice");
    add_contact(world, alice, "bob");
    struct answer first, second;
    start(alice, invite("bob"), &first);
    start(alice, invite("bob"), &second);
    finish(world, &first);
    finish(world, &second);
    assert_int_equal(first.code + second.code, 0);
    drop(&first);
    drop(&second);
    for (unsigned round = 0; round < 2; round++) {
        struct conversation *conversation = conversation_with(alice, "bob");
        assert_int_equal(HASH_COUNT(alice->account->conversations), 1);
        assert_non_null(conversation->routes);
        assert_non_null(conversation->routes->next);
        world_restart(world);
        alice = session_of(world, "alice");
    }
}

static void a_first_invite_that_cannot_be_stored(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    account_make(world, "bob");
    struct gateway_session *alice = session_of(world, "alice");
    add_contact(world, alice, "bob");
    struct rlimit before = disk_fill();
    struct answer first, second;
    start(alice, invite("bob"), &first);
    start(alice, invite("bob"), &second);
    finish(world, &first);
    finish(world, &second);
    disk_clear(&before);
    assert_int_equal(first.code, ERROR_UNAVAILABLE);
    assert_int_equal(second.code, ERROR_UNAVAILABLE);
    assert_null(contact_by_handle(alice->account, "bob")->conversation);
    assert_null(contact_by_handle(alice->account, "bob")->coming);
    good(world, alice, invite("bob"));
    assert_non_null(contact_by_handle(alice->account, "bob")->conversation);
}

static void invites_for_others_are_refused(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    account_make(pair.world, "carol");
    struct gateway_session *carol = session_of(pair.world, "carol");
    char *link = invite_link(pair.world, pair.alice, "bob");
    /* Somebody else's, and one's own. */
    bad(pair.world, carol, open_link(link), ERROR_DENIED);
    bad(pair.world, pair.alice, open_link(link), ERROR_DENIED);
    /* With another addressee written into the link: it does not decrypt. */
    char forged[4096], id[17];
    hex_upper(id, carol->account->fingerprint + 12, 8);
    snprintf(forged, sizeof forged, "%s", link);
    char *at = strstr(forged, "gpgid=");
    assert_non_null(at);
    memcpy(at + 6, id, 16);
    bad(pair.world, carol, open_link(forged), ERROR_DENIED);
    good(pair.world, pair.bob, open_link(link));
    struct answer twice = bad(pair.world, pair.bob, open_link(link), ERROR_EXISTS);
    assert_non_null(strstr(twice.text, "alice"));
    free(link);
    /* The inviter is no contact of carol's. */
    add_contact(pair.world, pair.alice, "carol");
    link = invite_link(pair.world, pair.alice, "carol");
    bad(pair.world, carol, open_link(link), ERROR_NOT_FOUND);
    char *wrong = some_key(9, "mallory"), *right = key_of(pair.alice->account);
    bad(pair.world, carol, json_pack("{s:s,s:s,s:s}", "do", "invite.open", "link", link, "key", wrong),
        ERROR_DENIED);
    the_keyring.unsigned_expiry = the_keyring.unbound = true;
    json_t *opened =
        give(pair.world, carol, json_pack("{s:s,s:s,s:s}", "do", "invite.open", "link", link, "key", right));
    assert_int_equal(json_array_size(json_object_get(opened, "warnings")), 2);
    json_decref(opened);
    free(wrong);
    free(right);
    free(link);
}

static void uses_and_revoking(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    world_quiet(pair.world);
    struct invite *offer = pair.alice->account->invites;
    assert_string_equal(offer->state, "used"); /* one use, and they talk */
    assert_int_equal(offer->uses_left, 0);
    assert_int_equal(buffer_size(&offer->link_wrapped), 0);
    json_t *list = give(pair.world, pair.alice, json_pack("{s:s}", "do", "invite.list"));
    assert_null(json_object_get(json_array_get(json_object_get(list, "invites"), 0), "link"));
    json_decref(list);
    struct rlimit before = disk_fill();
    bad(pair.world, pair.alice,
        json_pack("{s:s,s:I}", "do", "invite.revoke", "invite", (json_int_t)offer->id), ERROR_UNAVAILABLE);
    disk_clear(&before);
    assert_int_equal(pair.with_bob->state, CHAT_CAN_TALK);
    good(pair.world, pair.alice,
         json_pack("{s:s,s:I}", "do", "invite.revoke", "invite", (json_int_t)offer->id));
    assert_string_equal(offer->state, "revoked");
    assert_int_equal(pair.with_bob->state, CHAT_NO_TUNNEL);
    assert_false(conversation_has_route(pair.with_bob));
    bad(pair.world, pair.alice,
        json_pack("{s:s,s:I}", "do", "invite.revoke", "invite", (json_int_t)offer->id), ERROR_INVALID);
    world_restart(pair.world);
    struct account *alice = account_by_name(pair.world->gateway, "alice");
    assert_string_equal(alice->invites->state, "revoked");
    assert_null(alice->conversations->routes);
    /* An offer without a limit stays open, its link readable. */
    pair.alice = session_of(pair.world, "alice");
    pair.bob = session_of(pair.world, "bob");
    json_t *open = give(pair.world, pair.alice,
                        json_pack("{s:s,s:s,s:i}", "do", "invite.new", "contact", "bob", "uses", -1));
    good(pair.world, pair.bob, open_link(text(open, "link")));
    await_state(pair.world, conversation_with(pair.alice, "bob"), CHAT_CAN_TALK);
    list = give(pair.world, pair.alice, json_pack("{s:s}", "do", "invite.list"));
    size_t index, links = 0;
    json_t *entry;
    json_array_foreach(json_object_get(list, "invites"), index, entry) links +=
        json_object_get(entry, "link") != NULL;
    assert_int_equal(links, 1);
    json_decref(list);
    json_decref(open);
}

static void open_offers_are_bounded(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    for (unsigned i = 0; i < 256; i++)
        good(pair.world, pair.alice, invite("bob"));
    bad(pair.world, pair.alice, invite("bob"), ERROR_LIMIT);
    struct invite *offer = pair.alice->account->invites;
    while (strcmp(offer->state, "open") != 0)
        offer = offer->hh.next;
    good(pair.world, pair.alice,
         json_pack("{s:s,s:I}", "do", "invite.revoke", "invite", (json_int_t)offer->id));
    good(pair.world, pair.alice, invite("bob"));
}

static void expiry(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    char *link = invite_link(pair.world, pair.alice, "bob");
    struct invite *offer, *next, *unused = NULL;
    HASH_ITER(hh, pair.alice->account->invites, offer, next)
    {
        offer->expires = 1000;
        if (strcmp(offer->state, "open") == 0)
            unused = offer;
    }
    assert_non_null(unused);
    invites_expire(pair.world->gateway);
    world_quiet(pair.world);
    assert_string_equal(unused->state, "expired");
    /* The route of the used one lives on; nobody can come by the other any more. */
    assert_int_equal(pair.with_bob->state, CHAT_CAN_TALK);
    struct route *route = pair.with_bob->routes;
    assert_false(route->ended);
    assert_true(route->next == NULL || route->next->ended);
    good(pair.world, pair.bob, open_link(link)); /* its own expiry is as signed */
    world_quiet(pair.world);
    struct route *guest = pair.with_alice->routes->next;
    assert_int_not_equal(chat_state(guest->chat, NULL), CHAT_CAN_TALK);
    free(link);
    /* A link that says itself that it is over is not even tried. */
    bad(pair.world, pair.bob,
        open_link("retroshare://private_chat?time_stamp=1000&gpgid=0123456789ABCDEF&encrypted_data=AAAA"),
        ERROR_DENIED);
}

/* A route that carries talk every day is not taken for unused because its first day is long ago. */
static void the_last_use_of_a_route_is_kept(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    struct route *route = pair.with_bob->routes;
    route->created = route->last_used = 1000;
    route_save(route);
    world_quiet(pair.world);
    route->last_used = clock_wall_ms(); /* as told by the chat's next tunnel */
    route_save(route);
    world_restart(pair.world);
    invites_expire(pair.world->gateway);
    world_quiet(pair.world);
    pair_meet(&pair, pair.world);
    pair.with_bob->routes->last_used = pair.with_bob->routes->created = 1000;
    invites_expire(pair.world->gateway);
    world_quiet(pair.world);
    assert_false(conversation_has_route(pair.with_bob));
}

static void a_peer_that_talks_again_is_noted(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    pair.with_bob->routes->last_used = 1000;
    world_restart(pair.world); /* a new tunnel */
    pair_meet(&pair, pair.world);
    world_quiet(pair.world);
    int64_t used = pair.with_bob->routes->last_used;
    assert_true(used > 1000);
    world_close(pair.world);
    world_open_with(pair.world, true); /* no chat: as it was stored */
    struct account *alice = account_by_name(pair.world->gateway, "alice");
    assert_int_equal(alice->conversations->routes->last_used, used);
}

/* Whoever knows a hash, as each relay on the way does, may offer it to another account of the gateway. */
static void a_hash_serves_the_account_that_had_it_first(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    account_make(pair.world, "carol");
    struct gateway_session *carol = session_of(pair.world, "carol");
    add_contact(pair.world, pair.alice, "carol");
    add_contact(pair.world, carol, "alice");
    char *good_link = invite_link(pair.world, pair.alice, "carol");
    struct link link;
    assert_true(link_parse(&link, bytes_of_string(good_link), NULL));
    struct fake_invite inside;
    assert_int_equal(buffer_size(&link.blob), sizeof inside);
    memcpy(&inside, buffer_view(&link.blob).data, sizeof inside);
    memcpy(inside.hash, pair.with_alice->routes->hash, sizeof inside.hash);
    struct buffer forged = buffer_make(1 << 16);
    assert_true(link_write_private_chat(&forged, link.time_stamp, link.pgp_id,
                                        bytes_of(&inside, sizeof inside), false));
    good(pair.world, carol, open_link(buffer_string(&forged)));
    world_quiet(pair.world);
    assert_null(conversation_with(carol, "alice")->routes->chat);
    assert_int_equal(pair.with_alice->state, CHAT_CAN_TALK);
    good(pair.world, carol, json_pack("{s:s,s:s}", "do", "conversation.close", "conversation", "alice"));
    good(pair.world, pair.bob, json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "alice", "text", "x"));
    world_quiet(pair.world);
    assert_history(pair.world, pair.alice, "bob", "received x\n");
    link_free(&link);
    buffer_free(&forged);
    free(good_link);
}

/* The peer left first: our own closing changes the state of a route whose row is gone, and with it its keys.
 */
static void a_closed_route_leaves_no_row(void **state)
{
    struct pair pair;
    pair_make(&pair, *state);
    good(pair.world, pair.bob, json_pack("{s:s,s:s}", "do", "conversation.close", "conversation", "alice"));
    await_state(pair.world, pair.with_bob, CHAT_CLOSED_BY_PEER);
    good(pair.world, pair.alice, json_pack("{s:s,s:s}", "do", "conversation.close", "conversation", "bob"));
    struct route *route = pair.with_bob->routes;
    assert_true(route->ended);
    assert_true(route->closed_by_peer); /* nothing was noted of it any more */
    route_save(route);
    world_restart(pair.world);
    assert_null(account_by_name(pair.world->gateway, "alice")->conversations->routes);
}

/* --- accounts */

static void removing_an_account_while_things_are_pending(void **state)
{
    struct pair pair;
    struct answer removed, again, own;
    pair_make(&pair, *state);
    json_t *commands[] = {
        invite("bob"),
        json_pack("{s:s,s:s,s:s}", "do", "say", "conversation", "bob", "text", "x"),
        json_pack("{s:s,s:s,s:s}", "do", "account.password", "password", "another one", "old",
                  "password of it"),
        json_pack("{s:s,s:b}", "do", "account.set", "typing", 0),
        json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "bob", "name", "x"),
        json_pack("{s:s,s:s}", "do", "app_password.new", "label", "x"),
        json_pack("{s:s,s:i}", "do", "changes", "after", 0),
    };
    json_t *removal_of = json_pack("{s:s,s:s,s:b}", "do", "account.remove", "account", "alice", "sure", 1);
    unsigned homes = the_keyring.forgotten;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        gateway_do(pair.alice, commands[i], NULL, NULL, NULL);
    start(pair.world->operator_, json_incref(removal_of), &removed);
    start(pair.world->operator_, json_incref(removal_of), &again);
    start(pair.alice, json_pack("{s:s}", "do", "contact.list"), &own);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        gateway_do(pair.alice, commands[i], NULL, NULL, NULL);
        json_decref(commands[i]);
    }
    finish(pair.world, &removed);
    finish(pair.world, &again);
    assert_int_equal(removed.code, 0);
    drop(&removed);
    drop(&again);
    drop(&own);
    json_decref(removal_of);
    world_quiet(pair.world);
    while (pair.world->gateway->works > 0)
        world_turn(pair.world);
    world_quiet(pair.world);
    assert_null(account_by_name(pair.world->gateway, "alice"));
    assert_int_equal(the_keyring.forgotten, homes + 1);
    static const uint8_t wiped[VAULT_KEY_SIZE];
    const struct account *grave = pair.world->gateway->account_graves;
    assert_memory_equal(grave->key, wiped, sizeof wiped);
    assert_int_equal(buffer_size(&grave->passphrase), 0);
    assert_int_not_equal(pair.with_alice->state, CHAT_CAN_TALK);
    world_restart(pair.world);
    assert_null(account_by_name(pair.world->gateway, "alice"));
    assert_int_equal(HASH_COUNT(pair.world->gateway->accounts), 1);
    account_make(pair.world, "alice");
}

static void an_account_that_cannot_be_made(void **state)
{
    struct world *world = *state;
    the_keyring.fail = ERROR_INVALID;
    bad(world, world->operator_,
        json_pack("{s:s,s:s,s:s}", "do", "account.add", "name", "alice", "key", "no key"), ERROR_INVALID);
    the_keyring.fail = 0;
    struct answer answer;
    start(world->operator_, json_pack("{s:s,s:s}", "do", "account.add", "name", "alice"), &answer);
    struct rlimit before = disk_fill();
    finish(world, &answer);
    disk_clear(&before);
    assert_int_equal(answer.code, ERROR_UNAVAILABLE);
    assert_int_equal(the_keyring.forgotten, 4); /* before each try, and after it */
    struct answer first, second;
    start(world->operator_, json_pack("{s:s,s:s}", "do", "account.add", "name", "alice"), &first);
    start(world->operator_, json_pack("{s:s,s:s}", "do", "account.add", "name", "alice"), &second);
    finish(world, &first);
    finish(world, &second);
    assert_int_equal(first.code + second.code, ERROR_EXISTS);
    drop(&first);
    drop(&second);
    assert_int_equal(HASH_COUNT(world->gateway->accounts), 1);
}

static void a_locked_vault(void **state)
{
    struct pair pair;
    char path[80], key[65] = "";
    pair_make(&pair, *state);
    world_close(pair.world);
    snprintf(path, sizeof path, "%s/vault.key", pair.world->directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(key, 1, 64, file), 64);
    fclose(file);
    world_open_with(pair.world, true);
    struct gateway_session *operator_ = pair.world->operator_;
    json_t *status = give(pair.world, operator_, json_pack("{s:s}", "do", "status"));
    assert_string_equal(text(status, "vault"), "locked");
    json_decref(status);
    bad(pair.world, operator_, json_pack("{s:s,s:s}", "do", "account.add", "name", "carol"), ERROR_LOCKED);
    bad(pair.world, operator_,
        json_pack("{s:s,s:s,s:s}", "do", "invite.new", "account", "alice", "contact", "bob"), ERROR_LOCKED);
    bad(pair.world, operator_,
        json_pack("{s:s,s:s,s:s}", "do", "invite.open", "account", "alice", "link", "x"), ERROR_LOCKED);
    json_t *shown = give(
        pair.world, operator_,
        json_pack("{s:s,s:s,s:s}", "do", "conversation.show", "account", "alice", "conversation", "bob"));
    assert_string_equal(text(shown, "state"), "no tunnel");
    json_decref(shown);
    char wrong[65];
    memset(wrong, 'a', 64);
    wrong[64] = '\0';
    bad(pair.world, operator_, json_pack("{s:s,s:s}", "do", "unlock", "vault_key", wrong), ERROR_DENIED);
    good(pair.world, operator_, json_pack("{s:s,s:s}", "do", "unlock", "vault_key", key));
    pair_meet(&pair, pair.world);
    bad(pair.world, operator_, json_pack("{s:s,s:s}", "do", "unlock", "vault_key", key), ERROR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(handles),
        TEST(one_key_added_twice_at_once),
        TEST(a_forged_short_id_is_refused),
        TEST(keys_that_the_keyring_refuses),
        TEST(removing_a_contact_while_things_are_pending),
        TEST(a_removal_waits_for_an_offer_being_stored),
        TEST(a_removal_that_cannot_be_stored),
        TEST(two_first_invites_share_the_conversation),
        TEST(a_first_invite_that_cannot_be_stored),
        TEST(invites_for_others_are_refused),
        TEST(uses_and_revoking),
        TEST(open_offers_are_bounded),
        TEST(expiry),
        TEST(the_last_use_of_a_route_is_kept),
        TEST(a_hash_serves_the_account_that_had_it_first),
        TEST(a_closed_route_leaves_no_row),
        TEST(a_peer_that_talks_again_is_noted),
        TEST(removing_an_account_while_things_are_pending),
        TEST(an_account_that_cannot_be_made),
        TEST(a_locked_vault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
