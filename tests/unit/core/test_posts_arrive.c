/* SPDX-License-Identifier: ISC */
/* What the network side hands over: stored once, shown with its verdict, kept locked until it was opened. */
#include "world.h"

#include "core/post_people.h"
#include "core/posts.h"

struct stored {
    unsigned calls;
    enum error_code code;
};

static void note_stored(void *arg, const struct error *error)
{
    struct stored *stored = arg;
    stored->calls++;
    stored->code = error != NULL ? error->code : 0;
}

static enum error_code arrive(struct world *world, struct account *account, struct post_arrival *arrival)
{
    struct stored stored = {0};
    post_arrived(account, arrival, note_stored, &stored);
    assert_int_equal(stored.calls, 0); /* never before it returns */
    while (stored.calls == 0)
        world_turn(world);
    assert_int_equal(stored.calls, 1);
    return stored.code;
}

static struct post_arrival sealed_arrival(struct contact *contact, const char *content, uint8_t mark)
{
    struct post_arrival arrival = {.sealed = true,
                                   .level = "private",
                                   .contact = contact,
                                   .verdict = contact != NULL ? "signed" : "unknown-sender",
                                   .peer_time = 1700000000000,
                                   .content = buffer_make(1 << 20)};
    if (contact != NULL)
        memcpy(arrival.fingerprint, contact->fingerprint, 20);
    else
        memset(arrival.fingerprint, 9, 20);
    memset(arrival.mark.digest, mark, sizeof arrival.mark.digest);
    memcpy(arrival.mark.sender, arrival.fingerprint, 20);
    memset(arrival.mark.message_id, mark, sizeof arrival.mark.message_id);
    arrival.mark.time = clock_wall_ms();
    buffer_append_string(&arrival.content, content);
    return arrival;
}

static struct gateway_session *alice_make(struct world *world)
{
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    char *key = some_key(4711, "Bob");
    good(world, alice, json_pack("{s:s,s:s,s:s}", "do", "contact.add", "key", key, "handle", "bob"));
    free(key);
    return alice;
}

static json_t *inbox(struct world *world, struct gateway_session *who)
{
    json_t *answer = give(world, who, json_pack("{s:s,s:s}", "do", "post.list", "box", "in"));
    json_t *posts = json_incref(json_object_get(answer, "posts"));
    json_decref(answer);
    return posts;
}

static const char letter[] = "Subject: hi\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                             "Message-ID: <00112233445566778899aabbccddeeff@distant.alt>\r\n"
                             "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nbody\r\n";

static void test_signed_once(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    struct contact *bob = contact_by_handle(alice->account, "bob");
    struct post_arrival arrival = sealed_arrival(bob, letter, 1);
    assert_int_equal(arrive(world, alice->account, &arrival), 0);
    arrival = sealed_arrival(bob, letter, 1);
    assert_int_equal(arrive(world, alice->account, &arrival), ERROR_EXISTS);
    json_t *posts = inbox(world, alice), *post = json_array_get(posts, 0);
    assert_int_equal(json_array_size(posts), 1);
    assert_int_equal(number(post, "contact"), bob->id);
    assert_string_equal(text(post, "verdict"), "signed");
    assert_string_equal(text(post, "protection"), "sealed");
    assert_string_equal(text(post, "level"), "private");
    assert_string_equal(text(json_array_get(json_object_get(post, "from"), 0), "address"), "bob@distant.alt");
    assert_int_equal(post_strangers(alice->account), 0);
    json_decref(posts);
}

static void test_stranger_counted(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    struct post_arrival arrival = sealed_arrival(NULL, letter, 2);
    assert_int_equal(arrive(world, alice->account, &arrival), 0);
    assert_int_equal(post_strangers(alice->account), 1);
    json_t *posts = inbox(world, alice);
    assert_true(json_is_null(json_object_get(json_array_get(posts, 0), "contact")));
    assert_string_equal(text(json_array_get(json_object_get(json_array_get(posts, 0), "from"), 0), "address"),
                        "0909090909090909090909090909090909090909@distant.alt");
    json_decref(posts);
}

/* A reply refers to the id that the post had on the wire; a client knows its own. */
static void test_thread_put_back(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    json_t *sent =
        give(world, alice,
             json_pack("{s:s,s:[s],s:s}", "do", "post.send", "to", "bob", "message",
                       "VG86IGJvYg0KU3ViamVjdDogcQ0KTWVzc2FnZS1JRDogPG93bi5pZEBjbGllbnQ+DQoNCmI="));
    char wire[MIME_WIRE_ID];
    int64_t seq = number(sent, "seq");
    json_decref(sent);
    struct people *people = people_of(alice->account);
    struct people_view view = {.people = people};
    struct mime_people mime = people_for_mime(&view, alice->account);
    assert_true(mime_wire_id(wire, &mime, "own.id@client"));
    people_release(people);
    char content[600];
    snprintf(content, sizeof content,
             "Subject: Re: q\r\nIn-Reply-To: <%s>\r\nReferences: <%s>\r\n\r\nanswer\r\n", wire, wire);
    struct post_arrival arrival = sealed_arrival(contact_by_handle(alice->account, "bob"), content, 3);
    assert_int_equal(arrive(world, alice->account, &arrival), 0);
    json_t *posts = inbox(world, alice), *post = json_array_get(posts, 0);
    assert_string_equal(text(post, "in_reply_to"), "own.id@client");
    assert_int_equal(number(post, "thread"), seq);
    json_decref(posts);
}

static struct post_arrival locked_arrival(uint8_t mark)
{
    struct post_arrival arrival = {.level = "universal", .verdict = "locked", .locked = buffer_make(1 << 20)};
    memset(arrival.mark.digest, mark, sizeof arrival.mark.digest);
    memset(arrival.hash, 0x5a, sizeof arrival.hash);
    arrival.mark.time = clock_wall_ms();
    buffer_append_string(&arrival.locked, "ciphertext");
    return arrival;
}

struct seen {
    unsigned calls;
    char text[32];
};

static void note_read(void *arg, struct bytes message, const struct error *error)
{
    struct seen *seen = arg;
    assert_null(error);
    assert_true(message.size < sizeof seen->text);
    memcpy(seen->text, message.data, message.size);
    seen->calls++;
}

static void test_locked(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    struct account *account = alice->account;
    struct post_arrival arrival = locked_arrival(4);
    assert_int_equal(arrive(world, account, &arrival), 0);
    gateway_logout(alice);
    world_close(world);
    world_open_with(world, true); /* nobody opens it meanwhile */
    account = account_by_name(world->gateway, "alice");
    alice = session_of(world, "alice");
    struct post_locked *locked = account->posts.locked;
    assert_non_null(locked);
    assert_string_equal(locked->level, "universal");
    assert_int_equal(locked->hash[19], 0x5a);
    int64_t seq = locked->seq;
    struct seen seen = {0};
    post_locked_read(account, seq, note_read, &seen);
    while (seen.calls == 0)
        world_turn(world);
    assert_string_equal(seen.text, "ciphertext");
    bad(world, alice, json_pack("{s:s,s:I}", "do", "post.read", "seq", (json_int_t)seq), ERROR_LOCKED);
    json_t *status = give(world, world->operator_, json_pack("{s:s}", "do", "status"));
    assert_int_equal(number(json_object_get(status, "posts"), "locked"), 1);
    json_decref(status);
    /* Opened, it stands where it was. */
    struct contact *bob = contact_by_handle(account, "bob");
    struct post_arrival opened = sealed_arrival(bob, letter, 4);
    opened.replaces = seq;
    assert_int_equal(arrive(world, account, &opened), 0);
    assert_null(account->posts.locked);
    json_t *post = give(world, alice, json_pack("{s:s,s:I}", "do", "post.show", "seq", (json_int_t)seq));
    assert_string_equal(text(post, "verdict"), "signed");
    assert_string_equal(text(post, "text"), "body\n");
    json_decref(post);
}

static void test_locked_dropped(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    struct post_arrival arrival = locked_arrival(5);
    alice->account->unlocked = false; /* so that nobody tries to open it */
    assert_int_equal(arrive(world, alice->account, &arrival), 0);
    post_locked_drop(alice->account, alice->account->posts.locked->seq);
    world_quiet(world);
    assert_null(alice->account->posts.locked);
    json_t *posts = inbox(world, alice);
    assert_int_equal(json_array_size(posts), 0);
    json_decref(posts);
    alice->account->unlocked = true;
}

static void test_classic_with_files(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    struct contact *bob = contact_by_handle(alice->account, "bob");
    struct post_inner *inner = calloc(1, sizeof *inner);
    inner->texts = buffer_make(1000);
    inner->subject = bytes_of_string("old");
    inner->body = bytes_of_string("plain words");
    inner->files[0] = (struct post_file){.name = bytes_of_string("a b.txt"), .size = 7};
    inner->file_count = 1;
    struct post_arrival arrival = {.level = "universal",
                                   .contact = bob,
                                   .verdict = "unsigned",
                                   .peer_time = 1380000000000,
                                   .inner = inner};
    memcpy(arrival.sender, bob->fingerprint + 12, 8);
    memset(arrival.mark.digest, 6, sizeof arrival.mark.digest);
    arrival.mark.time = clock_wall_ms();
    assert_int_equal(arrive(world, alice->account, &arrival), 0);
    json_t *posts = inbox(world, alice);
    json_t *post = give(world, alice,
                        json_pack("{s:s,s:I}", "do", "post.show", "seq",
                                  (json_int_t)number(json_array_get(posts, 0), "seq")));
    assert_string_equal(text(post, "subject"), "old");
    assert_non_null(strstr(text(post, "text"), "plain words"));
    json_t *file = json_array_get(json_object_get(post, "files"), 0);
    assert_string_equal(text(file, "link"), "retroshare://file?name=a%20b.txt&size=7&hash="
                                            "0000000000000000000000000000000000000000");
    json_decref(post);
    json_decref(posts);
}

static void test_disk_full(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    struct contact *bob = contact_by_handle(alice->account, "bob");
    struct rlimit before = disk_fill();
    struct post_arrival arrival = sealed_arrival(bob, letter, 7);
    assert_int_equal(arrive(world, alice->account, &arrival), ERROR_UNAVAILABLE);
    disk_clear(&before);
    arrival = sealed_arrival(bob, letter, 7);
    assert_int_equal(arrive(world, alice->account, &arrival), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_signed_once, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_stranger_counted, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_thread_put_back, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_locked, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_locked_dropped, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_classic_with_files, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_disk_full, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
