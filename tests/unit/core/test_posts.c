/* SPDX-License-Identifier: ISC */
/* Posts at the desk: sent, listed, read, flagged, removed, withdrawn; over restarts. */
#include "world.h"

#include "core/post_ways.h"
#include "core/post_queue.h"
#include "core/posts.h"
#include "core/write.h"
#include "wire/radix64.h"

static char *base64_of(const char *plain)
{
    struct buffer out = buffer_make(1 << 22);
    assert_true(radix64_encode(&out, bytes_of_string(plain)));
    char *copy = strdup(buffer_string(&out));
    buffer_free(&out);
    return copy;
}

/* alice, who has the key of bob. Nobody serves what she seeks. */
static struct gateway_session *alice_make(struct world *world)
{
    account_make(world, "alice");
    struct gateway_session *alice = session_of(world, "alice");
    char *key = some_key(4711, "Bob");
    good(world, alice, json_pack("{s:s,s:s,s:s}", "do", "contact.add", "key", key, "handle", "bob"));
    free(key);
    return alice;
}

static int64_t typed(struct world *world, struct gateway_session *who, const char *to, const char *subject,
                     const char *body)
{
    json_t *answer =
        give(world, who,
             json_pack("{s:s,s:[s],s:s,s:s}", "do", "post.send", "to", to, "subject", subject, "text", body));
    int64_t seq = number(answer, "seq");
    json_decref(answer);
    return seq;
}

static json_t *show(struct world *world, struct gateway_session *who, int64_t seq)
{
    return give(world, who, json_pack("{s:s,s:I}", "do", "post.show", "seq", (json_int_t)seq));
}

static json_t *list(struct world *world, struct gateway_session *who, const char *box)
{
    json_t *answer = give(world, who, json_pack("{s:s,s:s}", "do", "post.list", "box", box));
    json_t *posts = json_incref(json_object_get(answer, "posts"));
    json_decref(answer);
    return posts;
}

static void test_typed(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    int64_t seq = typed(world, alice, "bob", "Hello", "Line one\nLine two\n");
    json_t *post = show(world, alice, seq), *delivery;
    assert_string_equal(text(post, "direction"), "out");
    assert_string_equal(text(post, "kind"), "post");
    assert_string_equal(text(post, "subject"), "Hello");
    assert_string_equal(text(post, "text"), "Line one\nLine two\n");
    assert_int_equal(json_array_size(json_object_get(post, "deliveries")), 1);
    delivery = json_array_get(json_object_get(post, "deliveries"), 0);
    assert_string_equal(text(delivery, "handle"), "bob");
    assert_string_equal(text(delivery, "delivery"), "queued");
    assert_string_equal(text(delivery, "address"), "bob@distant.alt");
    assert_int_equal(number(post, "thread"), seq);
    json_decref(post);
    json_t *posts = list(world, alice, "out");
    assert_int_equal(json_array_size(posts), 1);
    json_decref(posts);
    posts = list(world, alice, "in");
    assert_int_equal(json_array_size(posts), 0);
    json_decref(posts);
}

static void test_submitted(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    char *message = base64_of("From: anybody@example.org\r\nTo: bob@distant.alt\r\nBcc: alice@distant.alt\r\n"
                              "Subject: by a client\r\nMessage-ID: <one@client>\r\n\r\nbody\r\n");
    json_t *answer = give(world, alice,
                          json_pack("{s:s,s:[s,s],s:s}", "do", "post.send", "to", "BOB@Distant.ALT", "alice",
                                    "message", message));
    int64_t seq = number(answer, "seq");
    json_decref(answer);
    free(message);
    json_t *post = show(world, alice, seq);
    assert_string_equal(text(post, "subject"), "by a client");
    assert_string_equal(text(post, "message_id"), "one@client");
    assert_string_equal(text(json_array_get(json_object_get(post, "from"), 0), "address"),
                        "alice@distant.alt");
    assert_int_equal(json_array_size(json_object_get(post, "deliveries")), 2);
    json_decref(post);
    /* The copy to herself is there at once. */
    json_t *posts = list(world, alice, "in");
    assert_int_equal(json_array_size(posts), 1);
    assert_string_equal(text(json_array_get(posts, 0), "verdict"), "gateway");
    seq = number(json_array_get(posts, 0), "seq");
    json_decref(posts);
    json_t *piece = give(world, alice, json_pack("{s:s,s:I}", "do", "post.read", "seq", (json_int_t)seq));
    assert_true(json_is_true(json_object_get(piece, "end")));
    struct buffer whole = buffer_make(1 << 20);
    assert_true(radix64_decode(&whole, bytes_of_string(text(piece, "data"))));
    assert_non_null(strstr(buffer_string(&whole), "\r\n\r\nbody\r\n"));
    assert_null(strstr(buffer_string(&whole), "example.org"));
    buffer_free(&whole);
    json_decref(piece);
}

static void test_addresses(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    struct contact *bob = contact_by_handle(alice->account, "bob");
    char fingerprint[41], address[80];
    hex_lower(fingerprint, bob->fingerprint, 20);
    const char *const forms[] = {"bob", "bob@distant.alt", "<BOB@DISTANT.ALT>"};
    for (size_t i = 0; i < 3; i++) {
        json_t *found = give(world, alice, json_pack("{s:s,s:s}", "do", "post.address", "address", forms[i]));
        assert_string_equal(text(found, "address"), "bob@distant.alt");
        assert_int_equal(number(json_object_get(found, "contact"), "id"), bob->id);
        json_decref(found);
    }
    for (size_t from = 0; from <= 24; from += 24) {
        snprintf(address, sizeof address, "%s@distant.alt", fingerprint + from);
        json_t *found = give(world, alice, json_pack("{s:s,s:s}", "do", "post.address", "address", address));
        assert_string_equal(text(found, "address"), "bob@distant.alt");
        json_decref(found);
    }
    bad(world, alice, json_pack("{s:s,s:s}", "do", "post.address", "address", "nobody@distant.alt"),
        ERROR_NOT_FOUND);
    bad(world, alice, json_pack("{s:s,s:s}", "do", "post.address", "address", "bob@example.org"),
        ERROR_NOT_FOUND);
    bad(world, alice,
        json_pack("{s:s,s:[s,s],s:s,s:s}", "do", "post.send", "to", "bob", "carol", "subject", "s", "text",
                  "t"),
        ERROR_NOT_FOUND);
    json_t *found = give(world, alice, json_pack("{s:s,s:s}", "do", "post.address", "address", "gateway"));
    assert_true(json_is_null(json_object_get(found, "contact")));
    json_decref(found);
    /* A renamed contact has a new address. */
    good(world, alice, json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", "bob", "handle", "robert"));
    bad(world, alice, json_pack("{s:s,s:s}", "do", "post.address", "address", "bob"), ERROR_NOT_FOUND);
}

static void test_restart(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    int64_t first = typed(world, alice, "bob", "one", "1"), second = typed(world, alice, "bob", "two", "2");
    gateway_logout(alice);
    world_restart(world);
    alice = session_of(world, "alice");
    assert_int_equal(alice->account->posts.queued, 2);
    struct contact *bob = contact_by_handle(alice->account, "bob");
    assert_int_equal(bob->deliveries->seq, first);
    assert_int_equal(bob->deliveries->next->seq, second);
    json_t *post = show(world, alice, second);
    assert_string_equal(text(post, "subject"), "two");
    json_decref(post);
}

static void test_flags_and_removal(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    int64_t seq = typed(world, alice, "alice", "to me", "text");
    json_t *posts = list(world, alice, "in");
    int64_t in = number(json_array_get(posts, 0), "seq");
    json_decref(posts);
    int64_t before = change_visible(alice->account);
    good(world, alice,
         json_pack("{s:s,s:I,s:b,s:b}", "do", "post.flag", "seq", (json_int_t)in, "seen", 1, "flagged", 1));
    json_t *changes =
        give(world, alice, json_pack("{s:s,s:I}", "do", "changes", "after", (json_int_t)before));
    json_t *told = json_object_get(json_array_get(json_object_get(changes, "changes"), 0), "post");
    assert_int_equal(number(told, "seq"), in);
    assert_true(json_is_true(json_object_get(told, "seen")));
    assert_true(json_is_true(json_object_get(told, "flagged")));
    assert_false(json_is_true(json_object_get(told, "answered")));
    json_decref(changes);
    good(world, alice, json_pack("{s:s,s:I,s:b}", "do", "post.flag", "seq", (json_int_t)in, "flagged", 0));
    json_t *post = show(world, alice, in);
    assert_true(json_is_true(json_object_get(post, "seen")));
    assert_false(json_is_true(json_object_get(post, "flagged")));
    json_decref(post);
    before = change_visible(alice->account);
    good(world, alice,
         json_pack("{s:s,s:[I,I,I]}", "do", "post.delete", "seqs", (json_int_t)in, (json_int_t)seq,
                   (json_int_t)123456));
    bad(world, alice, json_pack("{s:s,s:I}", "do", "post.show", "seq", (json_int_t)in), ERROR_NOT_FOUND);
    changes = give(world, alice, json_pack("{s:s,s:I}", "do", "changes", "after", (json_int_t)before));
    size_t gone = 0, index;
    json_t *entry;
    json_array_foreach(json_object_get(changes, "changes"), index, entry) gone +=
        json_object_get(json_object_get(entry, "gone"), "post") != NULL;
    assert_int_equal(gone, 2);
    json_decref(changes);
}

static void test_withdrawn_and_again(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    int64_t seq = typed(world, alice, "bob", "s", "t");
    json_t *post = give(world, alice, json_pack("{s:s,s:I}", "do", "post.withdraw", "seq", (json_int_t)seq));
    json_t *delivery = json_array_get(json_object_get(post, "deliveries"), 0);
    assert_string_equal(text(delivery, "delivery"), "failed");
    assert_string_equal(text(delivery, "reason"), "withdrawn");
    json_decref(post);
    assert_int_equal(alice->account->posts.queued, 0);
    assert_int_equal(alice->account->posts.queued_bytes, 0);
    bad(world, alice, json_pack("{s:s,s:I}", "do", "post.withdraw", "seq", (json_int_t)seq), ERROR_NOT_FOUND);
    post = give(world, alice, json_pack("{s:s,s:I}", "do", "post.resend", "seq", (json_int_t)seq));
    delivery = json_array_get(json_object_get(post, "deliveries"), 0);
    assert_string_equal(text(delivery, "delivery"), "queued");
    json_decref(post);
    assert_int_equal(alice->account->posts.queued, 1);
    bad(world, alice, json_pack("{s:s,s:I}", "do", "post.resend", "seq", (json_int_t)seq), ERROR_INVALID);
    /* What waits goes with its contact. */
    good(world, alice, json_pack("{s:s,s:s}", "do", "contact.remove", "contact", "bob"));
    assert_int_equal(alice->account->posts.queued, 0);
    post = show(world, alice, seq);
    delivery = json_array_get(json_object_get(post, "deliveries"), 0);
    assert_string_equal(text(delivery, "delivery"), "failed");
    json_decref(post);
}

static void test_once(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    struct answer first, second;
    for (unsigned i = 0; i < 2; i++)
        start(alice,
              json_pack("{s:s,s:[s],s:s,s:s,s:s,s:b}", "do", "post.send", "to", "bob", "subject", "s", "text",
                        "t", "label", "L", "once", 1),
              i == 0 ? &first : &second);
    finish(world, &first);
    finish(world, &second);
    assert_int_equal(number(first.result, "seq"), number(second.result, "seq"));
    json_t *third = give(world, alice,
                         json_pack("{s:s,s:[s],s:s,s:s,s:s,s:b}", "do", "post.send", "to", "bob", "subject",
                                   "s", "text", "t", "label", "L", "once", 1));
    assert_int_equal(number(first.result, "seq"), number(third, "seq"));
    json_decref(first.result);
    json_decref(second.result);
    json_decref(third);
    json_t *posts = list(world, alice, "all");
    assert_int_equal(json_array_size(posts), 1);
    json_decref(posts);
}

static void test_threads(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    typed(world, alice, "alice", "topic", "text");
    json_t *posts = list(world, alice, "in");
    int64_t in = number(json_array_get(posts, 0), "seq");
    json_decref(posts);
    json_t *answer = give(world, alice,
                          json_pack("{s:s,s:[s],s:s,s:s,s:I}", "do", "post.send", "to", "bob", "subject",
                                    "Re: topic", "text", "t", "reply_to", (json_int_t)in));
    json_t *reply = show(world, alice, number(answer, "seq")), *replied = show(world, alice, in);
    assert_int_equal(number(reply, "thread"), number(replied, "thread"));
    assert_string_equal(text(reply, "in_reply_to"), text(replied, "message_id"));
    assert_true(json_is_true(json_object_get(replied, "answered")));
    json_decref(answer);
    json_decref(reply);
    json_decref(replied);
}

static void test_verbs(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    typed(world, alice, "gateway@distant.alt", "do this", "contacts\nnonsense\n");
    json_t *posts = list(world, alice, "in");
    while (json_array_size(posts) == 0) {
        json_decref(posts);
        world_turn(world);
        posts = list(world, alice, "in");
    }
    json_t *post = show(world, alice, number(json_array_get(posts, 0), "seq"));
    assert_string_equal(text(post, "kind"), "answer");
    assert_string_equal(text(post, "subject"), "Re: do this");
    assert_non_null(strstr(text(post, "text"), "> contacts"));
    assert_non_null(strstr(text(post, "text"), "unknown verb"));
    json_decref(posts);
    json_decref(post);
    /* What a program answered by itself is not answered: two of them would never end. */
    struct buffer message = buffer_make(1 << 12);
    assert_true(radix64_encode(
        &message, bytes_of_string("Auto-Submitted: auto-replied\r\nSubject: away\r\n\r\nI am away\r\n")));
    json_decref(give(world, alice,
                     json_pack("{s:s,s:[s],s:s}", "do", "post.send", "to", "gateway@distant.alt", "message",
                               buffer_string(&message))));
    buffer_free(&message);
    world_quiet(world);
    posts = list(world, alice, "in");
    assert_int_equal(json_array_size(posts), 1);
    json_decref(posts);
}

static void test_too_late(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    int64_t seq = typed(world, alice, "bob", "late", "t");
    struct contact *bob = contact_by_handle(alice->account, "bob");
    bob->deliveries->since -= 5 * 3600 * 1000;
    world_minute(world);
    json_t *posts = list(world, alice, "in");
    while (json_array_size(posts) == 0) {
        json_decref(posts);
        posts = list(world, alice, "in");
    }
    assert_string_equal(text(json_array_get(posts, 0), "kind"), "report");
    json_decref(posts);
    bob->deliveries->until = 1;
    world_minute(world);
    posts = list(world, alice, "in");
    while (json_array_size(posts) < 2) {
        json_decref(posts);
        posts = list(world, alice, "in");
    }
    json_t *report = show(world, alice, number(json_array_get(posts, 0), "seq"));
    assert_string_equal(text(report, "kind"), "report");
    assert_non_null(strstr(text(report, "text"), "bob@distant.alt"));
    json_decref(report);
    json_decref(posts);
    json_t *post = show(world, alice, seq);
    assert_string_equal(text(json_array_get(json_object_get(post, "deliveries"), 0), "delivery"), "failed");
    json_decref(post);
    assert_int_equal(alice->account->posts.queued, 0);
    world_minute(world);
    world_quiet(world);
    posts = list(world, alice, "in");
    assert_int_equal(json_array_size(posts), 2);
    json_decref(posts);
}

static void test_notify_of_each(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    account_make(world, "carol");
    add_contact(world, alice, "carol");
    bad(world, alice,
        json_pack("{s:s,s:[s,s],s:s,s:s,s:[[s]]}", "do", "post.send", "to", "bob", "carol", "subject", "s",
                  "text", "t", "notify", "failure"),
        ERROR_INVALID);
    good(world, alice,
         json_pack("{s:s,s:[s,s],s:s,s:s,s:[[],[s]]}", "do", "post.send", "to", "bob", "carol", "subject",
                   "s", "text", "t", "notify", "failure"));
    contact_by_handle(alice->account, "bob")->deliveries->until = 1;
    contact_by_handle(alice->account, "carol")->deliveries->until = 1;
    world_minute(world);
    json_t *posts = list(world, alice, "in");
    while (json_array_size(posts) == 0) {
        json_decref(posts);
        posts = list(world, alice, "in");
    }
    json_t *report = show(world, alice, number(json_array_get(posts, 0), "seq"));
    assert_non_null(strstr(text(report, "text"), "carol@distant.alt"));
    assert_null(strstr(text(report, "text"), "bob@distant.alt"));
    json_decref(report);
    json_decref(posts);
    world_quiet(world);
    posts = list(world, alice, "in");
    assert_int_equal(json_array_size(posts), 1);
    json_decref(posts);
}

static void test_attachment(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    enum { SIZE = 700000, PIECE = 300000 };
    uint8_t *data = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    json_t *opened = give(world, alice, json_pack("{s:s}", "do", "upload.open"));
    json_int_t id = number(opened, "upload");
    json_decref(opened);
    for (size_t at = 0; at < SIZE; at += PIECE) {
        struct buffer piece = buffer_make(1 << 20);
        size_t size = SIZE - at < PIECE ? SIZE - at : PIECE;
        assert_true(radix64_encode(&piece, bytes_of(data + at, size)));
        for (unsigned twice = 0; twice < 2; twice++) {
            json_t *written = give(world, alice,
                                   json_pack("{s:s,s:I,s:s,s:I}", "do", "upload.write", "upload", id, "data",
                                             buffer_string(&piece), "offset", (json_int_t)at));
            assert_int_equal(number(written, "size"), at + size);
            json_decref(written);
        }
        buffer_free(&piece);
    }
    json_t *answer = give(world, alice,
                          json_pack("{s:s,s:[s],s:s,s:s,s:[{s:I,s:s,s:s}]}", "do", "post.send", "to", "alice",
                                    "subject", "a file", "text", "see it", "attachments", "upload", id,
                                    "name", "data.bin", "type", "application/x-data"));
    json_t *post = show(world, alice, number(answer, "seq")),
           *part = json_array_get(json_object_get(post, "parts"), 0);
    assert_int_equal(number(post, "attachments"), 1);
    assert_string_equal(text(part, "name"), "data.bin");
    assert_int_equal(number(part, "size"), SIZE);
    size_t at = 0;
    for (bool end = false; !end;) {
        json_t *piece =
            give(world, alice,
                 json_pack("{s:s,s:I,s:I,s:I}", "do", "post.part", "seq", (json_int_t)number(answer, "seq"),
                           "part", (json_int_t)number(part, "part"), "offset", (json_int_t)at));
        struct buffer raw = buffer_make(1 << 20);
        assert_true(radix64_decode(&raw, bytes_of_string(text(piece, "data"))));
        assert_true(buffer_size(&raw) <= SIZE - at);
        assert_memory_equal(buffer_view(&raw).data, data + at, buffer_size(&raw));
        at += buffer_size(&raw);
        end = json_is_true(json_object_get(piece, "end"));
        buffer_free(&raw);
        json_decref(piece);
    }
    assert_int_equal(at, SIZE);
    /* Of a post that is deleted nothing is given any more, also not what was kept for its next piece. */
    json_int_t seq = number(answer, "seq"), number_of_part = number(part, "part");
    json_decref(give(
        world, alice,
        json_pack("{s:s,s:I,s:I,s:i}", "do", "post.part", "seq", seq, "part", number_of_part, "size", 100)));
    json_decref(give(world, alice, json_pack("{s:s,s:I}", "do", "post.delete", "seq", seq)));
    bad(world, alice,
        json_pack("{s:s,s:I,s:I,s:i}", "do", "post.part", "seq", seq, "part", number_of_part, "size", 100),
        ERROR_NOT_FOUND);
    json_decref(post);
    json_decref(answer);
    free(data);
    /* It was used up. */
    bad(world, alice, json_pack("{s:s,s:I}", "do", "upload.drop", "upload", id), ERROR_NOT_FOUND);
}

static void test_links(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    account_make(world, "carol");
    struct gateway_session *carol = session_of(world, "carol");
    json_t *link = give(world, alice, json_pack("{s:s}", "do", "post.link.new"));
    bad(world, carol, json_pack("{s:s,s:s}", "do", "post.link.open", "link", text(link, "link")),
        ERROR_NOT_FOUND);
    add_contact(world, carol, "alice");
    json_t *opened =
        give(world, carol, json_pack("{s:s,s:s}", "do", "post.link.open", "link", text(link, "link")));
    assert_string_equal(text(json_object_get(opened, "contact"), "handle"), "alice");
    json_decref(opened);
    struct contact *contact = contact_by_handle(carol->account, "alice");
    assert_non_null(contact->post_ways);
    json_t *revoked =
        give(world, alice,
             json_pack("{s:s,s:I}", "do", "post.link.revoke", "link", (json_int_t)number(link, "id")));
    assert_string_equal(text(revoked, "state"), "revoked");
    assert_null(json_object_get(revoked, "link"));
    json_decref(revoked);
    bad(world, alice,
        json_pack("{s:s,s:I}", "do", "post.link.revoke", "link", (json_int_t)number(link, "id")),
        ERROR_INVALID);
    json_decref(link);
    gateway_logout(alice);
    gateway_logout(carol);
    world_restart(world);
    carol = session_of(world, "carol");
    assert_non_null(contact_by_handle(carol->account, "alice")->post_ways);
    alice = session_of(world, "alice");
    json_t *links = give(world, alice, json_pack("{s:s}", "do", "post.link.list"));
    assert_int_equal(json_array_size(json_object_get(links, "links")), 1);
    json_decref(links);
}

static void test_links_of_others(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    struct contact *bob = contact_by_handle(alice->account, "bob");
    static const char hash[] = "00112233445566778899aabbccddeeff00112233";
    char id[17], link[200];
    hex_upper(id, bob->fingerprint + 12, 8);
    snprintf(link, sizeof link, "retroshare://public_msg?time_stamp=1&hash=%s&gpgid=%s", hash, id);
    bad(world, alice, json_pack("{s:s,s:s}", "do", "post.link.open", "link", link), ERROR_EXPIRED);
    assert_null(bob->post_ways);
    snprintf(link, sizeof link, "retroshare://message?id=%s&subject=Hello%%20there", id);
    json_t *opened = give(world, alice, json_pack("{s:s,s:s}", "do", "post.link.open", "link", link));
    assert_string_equal(text(json_object_get(opened, "contact"), "handle"), "bob");
    assert_string_equal(text(opened, "subject"), "Hello there");
    assert_int_equal(json_array_size(json_object_get(opened, "warnings")), 1);
    json_decref(opened);
    assert_null(bob->post_ways);
    bad(world, alice,
        json_pack("{s:s,s:s}", "do", "post.link.open", "link",
                  "retroshare://message?id=45d06f653cd33fda81c93f197c4bff9c"),
        ERROR_INVALID);
    /* It leads there until its end, and no longer. */
    int64_t end = clock_wall_ms() / 1000 + 100;
    snprintf(link, sizeof link, "retroshare://public_msg?time_stamp=%lld&hash=%s&gpgid=%s", (long long)end,
             hash, id);
    good(world, alice, json_pack("{s:s,s:s}", "do", "post.link.open", "link", link));
    assert_int_equal(bob->post_ways->expires, end * 1000);
    assert_string_equal(way_of(bob, 0, end * 1000 - 1).level, "open");
    assert_string_equal(way_of(bob, 0, end * 1000).level, "universal");
}

static void test_search(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    typed(world, alice, "bob", "Apples", "red");
    typed(world, alice, "bob", "Pears", "yellow");
    json_t *found = give(world, alice, json_pack("{s:s,s:s}", "do", "post.search", "text", "APPLE"));
    assert_int_equal(json_array_size(json_object_get(found, "posts")), 1);
    json_decref(found);
}

static void test_disk_full(void **state)
{
    struct world *world = *state;
    struct gateway_session *alice = alice_make(world);
    struct rlimit before = disk_fill();
    bad(world, alice,
        json_pack("{s:s,s:[s],s:s,s:s}", "do", "post.send", "to", "bob", "subject", "s", "text", "t"),
        ERROR_UNAVAILABLE);
    disk_clear(&before);
    assert_int_equal(alice->account->posts.queued, 0);
    assert_int_equal(contact_by_handle(alice->account, "bob")->posting, 0);
    typed(world, alice, "bob", "s", "t");
    assert_int_equal(alice->account->posts.queued, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_typed, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_submitted, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_addresses, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_restart, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_flags_and_removal, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_withdrawn_and_again, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_once, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_threads, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_verbs, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_too_late, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_notify_of_each, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_attachment, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_links, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_links_of_others, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_search, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_disk_full, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
