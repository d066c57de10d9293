/* SPDX-License-Identifier: ISC */
#include "actor.h"
#include "fake_keyring.h"

#include <openssl/bn.h>
#include <openssl/x509.h>

/* Who is not let in, and what ends a link. */

/* A certificate of nobody's PGP key: any serial, any issuer; `tail` overwrites the end of its signature
 * field, which is the location id of version 6.0. */
struct forged {
    struct friends_identity identity;
    unsigned char *certificate, *key;
};

static struct forged forge(uint64_t serial, const uint8_t issuer[8], const uint8_t *tail)
{
    struct forged forged = {.certificate = NULL};
    char name[17];
    hex_upper(name, issuer, 8);
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    X509 *certificate = X509_new();
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(certificate), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, pkey);
    assert_true(X509_sign(certificate, pkey, EVP_sha256()) > 0);
    int size = i2d_X509(certificate, &forged.certificate), key_size = i2d_PrivateKey(pkey, &forged.key);
    assert_true(size > 0 && key_size > 0);
    if (tail)
        memcpy(forged.certificate + size - 16, tail, 16);
    forged.identity.certificate = bytes_of(forged.certificate, (size_t)size);
    forged.identity.private_key = bytes_of(forged.key, (size_t)key_size);
    forged.identity.location_name = "forged";
    X509_free(certificate);
    EVP_PKEY_free(pkey);
    return forged;
}

static void forged_free(struct forged *forged)
{
    OPENSSL_free(forged->certificate);
    OPENSSL_free(forged->key);
}

/* Who is not yet accepted over there reads so, and not what TLS calls it. */
static void test_not_accepted(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_open(fixture, b);
    node_befriend(b, a, true);
    run_until(fixture, strstr(status_of(b, a).reason, "not accepted this node"));
    assert_int_equal(status_of(b, a).state, FRIEND_OFFLINE);
    assert_true(a->attempts > 0);
}

static void test_stranger(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1], *c = &fixture->nodes[2];
    node_open(fixture, a);
    node_befriend(a, b, true);
    for (unsigned i = 1; i <= 3; i++) {
        struct actor *actor = actor_new(fixture, &c->identity);
        actor_say_services(actor);
        actor_dial(actor, a);
        run_until(fixture, actor->closed);
        assert_int_equal(actor->count, 0);
        assert_int_equal(a->attempts, i);
        assert_int_equal(a->attempt.count, i);
        actor_free(actor);
    }
    assert_memory_equal(a->attempt.location, c->identity.location, 16);
    assert_string_equal(a->attempt.issuer, "8F9554259D15663B");
    assert_string_equal(a->attempt.reason, "not a friend");
    assert_int_equal(a->attempt.address.ss_family, AF_INET);
    assert_int_equal(fixture->keyring->verified, 0);
    struct friend_attempt list[4];
    assert_int_equal(friends_attempts(a->friends, list, 4), 1);
    /* Once it is a friend it is no attempt any more. */
    node_befriend(a, c, true);
    assert_int_equal(friends_attempts(a->friends, list, 4), 0);
}

static void refused(struct fixture *fixture, struct node *node, const struct friends_identity *identity,
                    const char *reason, unsigned verified)
{
    struct actor *actor = actor_new(fixture, identity);
    actor_say_services(actor);
    actor_dial(actor, node);
    unsigned attempts = node->attempts;
    run_until(fixture, actor->closed);
    assert_int_equal(node->attempts, attempts + 1);
    assert_string_equal(node->attempt.reason, reason);
    assert_int_equal(fixture->keyring->verified, verified);
    assert_int_equal(node->ups, 0);
    actor_free(actor);
}

static void test_forgeries(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1], *c = &fixture->nodes[2];
    node_open(fixture, a);
    node_befriend(a, b, true);
    const uint8_t *key_b = b->identity.fingerprint + 12, *key_c = c->identity.fingerprint + 12;

    /* The friend's key, another location: listed, never added. */
    struct forged forged = forge(0x070001, key_b, NULL);
    refused(fixture, a, &forged.identity, "another location of a friend", 0);
    forged_free(&forged);
    /* The friend's location id as the tail of a 6.0 signature, with another key. */
    forged = forge(0x060000, key_c, b->identity.location);
    refused(fixture, a, &forged.identity, "the certificate names another PGP key", 0);
    forged_free(&forged);
    /* And with the friend's key: only now gpg is asked, once for one certificate. */
    forged = forge(0x060000, key_b, b->identity.location);
    refused(fixture, a, &forged.identity, "the certificate is not signed by the friend's key", 1);
    refused(fixture, a, &forged.identity, "the certificate is not signed by the friend's key", 1);
    assert_false(a->changed.verified);
    /* The friend itself still comes in. */
    struct actor *actor = actor_new(fixture, &b->identity);
    actor_say_services(actor);
    actor_dial(actor, a);
    run_until(fixture, a->ups == 1);
    assert_int_equal(fixture->keyring->verified, 2);
    /* Not even a pinned friend's link is touched by the collision. */
    struct actor *other = actor_new(fixture, &forged.identity);
    actor_say_services(other);
    actor_dial(other, a);
    run_until(fixture, other->closed);
    assert_int_equal(a->downs, 0);
    actor_free(other);
    actor_free(actor);
    forged_free(&forged);
}

/* Only a short invite is known: the collision gets no further than discovery, and falls with the key. */
static void test_forged_short_invite(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *d = &fixture->nodes[3];
    node_open(fixture, a);
    node_befriend(a, d, false);
    struct forged forged = forge(0x060000, d->identity.fingerprint + 12, d->identity.location);
    struct actor *actor = actor_new(fixture, &forged.identity);
    actor_say_services(actor);
    struct buffer item = buffer_make(1 << 16);
    struct pgp_key_item key = {.block = fixture->nodes[2].identity.key_block};
    memcpy(key.pgp_id, d->identity.fingerprint + 12, 8);
    assert_true(pgp_key_write(&item, &key)); /* somebody else's key under the awaited id */
    actor_say(actor, buffer_view(&item));
    /* Nor does it lead us elsewhere. */
    struct contact_item contact = {
        .vs_disc = 2,
        .external4 = {.family = 4, .bytes = {203, 0, 113, 5}, .port = 7812},
    };
    memcpy(contact.location, d->identity.location, 16);
    memcpy(contact.pgp_id, key.pgp_id, 8);
    buffer_clear(&item);
    assert_true(contact_write(&item, &contact));
    actor_say(actor, buffer_view(&item));
    actor_dial(actor, a);
    run_until(fixture, status_of(a, d).items_in == 3);
    assert_non_null(strstr(status_of(a, d).reason, "another PGP key"));
    assert_int_equal(set_find(a->friends, d->identity.location)->record.address_count, 0);
    assert_int_equal(status_of(a, d).state, FRIEND_LIMITED);
    assert_int_equal(fixture->keyring->checked, 0);
    actor_free(actor);
    run_until(fixture, status_of(a, d).state == FRIEND_OFFLINE);

    /* The right key, which did not sign this certificate. */
    actor = actor_new(fixture, &forged.identity);
    actor_say_services(actor);
    buffer_clear(&item);
    key.block = d->identity.key_block;
    assert_true(pgp_key_write(&item, &key));
    actor_say(actor, buffer_view(&item));
    actor_dial(actor, a);
    run_until(fixture, actor->closed);
    assert_int_equal(fixture->keyring->checked, 1);
    assert_int_equal(fixture->keyring->verified, 1);
    assert_int_equal(a->attempts, 1);
    assert_int_equal(a->ups, 0);
    assert_int_equal(a->changed.key_block.size, 0);
    actor_free(actor);
    buffer_free(&item);
    forged_free(&forged);
}

/* At the address of one friend another one answers. */
static void test_other_location_answers(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1], *c = &fixture->nodes[2];
    node_open(fixture, a);
    struct actor *actor = actor_new(fixture, &c->identity);
    actor_listen(actor);
    b->address = actor->address;
    node_befriend(a, c, true); /* has no address */
    node_befriend(a, b, true);
    run_until(fixture, strstr(status_of(a, b).reason, "another location answers"));
    assert_int_equal(fixture->keyring->verified, 0);
    assert_int_equal(a->ups, 0);
    assert_int_equal(a->attempts, 0);
    run_until(fixture, status_of(a, b).failures >= 3); /* it goes on trying, slower */
    actor_free(actor);
}

static void test_keyring_trouble(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    struct friends_timing timing = a->friends->timing;
    timing.check_ms = 30;
    friends_set_timing(a->friends, &timing);
    node_befriend(a, b, true);

    fixture->keyring->verdict = ERROR_UNAVAILABLE;
    struct actor *actor = actor_new(fixture, &b->identity);
    actor_say_services(actor);
    actor_dial(actor, a);
    run_until(fixture, actor->closed);
    assert_int_equal(a->attempts, 0);
    actor_free(actor);

    /* No answer: nothing is read meanwhile, and the link ends. */
    fixture->keyring->verdict = 0;
    fixture->keyring->mute = true;
    actor = actor_new(fixture, &b->identity);
    actor_say_services(actor);
    actor_dial(actor, a);
    run_until(fixture, fixture->keyring->verified == 2);
    assert_int_equal(status_of(a, b).items_in, 0);
    run_until(fixture, actor->closed);
    assert_int_equal(status_of(a, b).items_in, 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(fixture->keyring->requests[i].id, 0); /* cancelled */
    actor_free(actor);

    /* That was no verdict about the friend. */
    fixture->keyring->mute = false;
    timing.check_ms = 5000;
    friends_set_timing(a->friends, &timing);
    actor = actor_new(fixture, &b->identity);
    actor_say_services(actor);
    actor_dial(actor, a);
    run_until(fixture, a->ups == 1);
    actor_free(actor);
}

static void test_bad_streams(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    static const struct {
        const char *bytes, *reason;
    } cases[] = {
        {"02001401 00040000", "impossible size"},        {"02001401 00000007", "impossible size"},
        {"474554202f20485454502f312e310d0a", "no item"}, {"0100140100000008", "no item"},
        {"1003000000010001aa", "malformed slice"},
    };
    node_open(fixture, a);
    node_befriend(a, b, true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct actor *actor = actor_new(fixture, &b->identity);
        actor_say_services(actor);
        actor_say_hex(actor, "0200140400000010 0000000100000002");
        actor_say_hex(actor, cases[i].bytes);
        actor_dial(actor, a);
        run_until(fixture, actor->closed);
        assert_int_equal(a->items, i + 1); /* what stood before was heard */
        assert_int_equal(a->downs, i + 1);
        assert_non_null(strstr(status_of(a, b).reason, cases[i].reason));
        actor_free(actor);
    }
}

/* An item that never ends, and one of the greatest size. */
static void test_truncated(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_befriend(a, b, true);
    struct actor *actor = actor_new(fixture, &b->identity);
    actor_say_services(actor);
    static const uint8_t body[ITEM_SIZE_MAX - ITEM_HEADER_SIZE] = {0};
    actor_say_hex(actor, "020014040003ffff");
    actor_say(actor, bytes_of(body, sizeof body));
    actor_say_hex(actor, "020014040003ffff 00000000");
    actor_dial(actor, a);
    run_until(fixture, a->items == 1);
    assert_int_equal(buffer_size(&a->received), ITEM_SIZE_MAX);
    stream_close(actor->stream, "cut");
    run_until(fixture, a->downs == 1);
    assert_int_equal(a->items, 1);
    actor_free(actor);
}

/* Stock takes a link whose TLS was ended in good form for alive for 15 s more (protocol 11 §3.4). */
static void test_leaves_without_end_of_tls(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_befriend(a, b, true);
    struct actor *actor = actor_new(fixture, &b->identity);
    actor_say_services(actor);
    actor_dial(actor, a);
    run_until(fixture, a->neighbour);
    node_close(fixture, a);
    run_until(fixture, actor->closed);
    assert_string_equal(actor->reason, "closed by peer: without the end of TLS");
    assert_true(actor_count(actor, SERVICE_DISCOVERY, 0x05) == 1);
    actor_free(actor);
}

/* Somebody connects and says nothing: before TLS, and after. */
static void test_silent(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    struct friends_timing timing = a->friends->timing;
    timing.connect_ms = timing.list_ms = 40;
    friends_set_timing(a->friends, &timing);
    node_befriend(a, b, true);
    struct actor *actor = actor_new(fixture, NULL);
    actor_dial(actor, a);
    run_until(fixture, actor->closed);
    actor_free(actor);

    /* A debug build needs its time for TLS. */
    timing.connect_ms = 5000;
    friends_set_timing(a->friends, &timing);
    actor = actor_new(fixture, &b->identity);
    actor_dial(actor, a);
    run_until(fixture, actor->closed);
    assert_true(actor->ready);
    assert_string_equal(status_of(a, b).reason, "the friend sent no service list");
    assert_int_equal(a->ups, 0);
    actor_free(actor);
}

static void test_no_certificate(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0];
    node_open(fixture, a);
    struct actor *actor = actor_new(fixture, NULL);
    actor->tls = SSL_CTX_new(TLS_client_method());
    actor_dial(actor, a);
    run_until(fixture, actor->closed);
    assert_int_equal(a->attempts, 0);
    assert_int_equal(actor->count, 0);
    actor_free(actor);
}

static void test_old_tls(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_befriend(a, b, true);
    struct actor *actor = actor_new(fixture, &b->identity);
    SSL_CTX_set_security_level(actor->tls, 0);
    SSL_CTX_set_min_proto_version(actor->tls, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(actor->tls, TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(actor->tls, "ALL:@SECLEVEL=0");
    actor_dial(actor, a);
    run_until(fixture, actor->closed);
    assert_false(actor->ready);
    actor_free(actor);
}

static void test_open_refuses(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    struct friends_options options = node_options(AF_INET);
    struct error *error = NULL;
    struct friends_identity mixed = a->identity;
    mixed.private_key = b->identity.private_key;
    assert_null(friends_open(&fixture->loop, &mixed, &options, fixture->keyring, &node_events, a, &error));
    assert_non_null(error);
    error_free(error);
    error = NULL;
    mixed = a->identity;
    mixed.location[0] ^= 1;
    assert_null(friends_open(&fixture->loop, &mixed, &options, fixture->keyring, &node_events, a, &error));
    error_free(error);
    error = NULL;
    options.proxy = "proxy.example.org:9050";
    assert_null(
        friends_open(&fixture->loop, &a->identity, &options, fixture->keyring, &node_events, a, &error));
    error_free(error);

    node_open(fixture, a);
    struct friend_record record = record_of(a, true);
    assert_false(friends_add(a->friends, &record, NULL)); /* itself */
    record = record_of(b, true);
    record.address_count = 17;
    assert_false(friends_add(a->friends, &record, NULL));
    record.address_count = 0;
    assert_true(friends_add(a->friends, &record, NULL));
    assert_false(friends_add(a->friends, &record, NULL));
    record.location[0] ^= 1;
    assert_false(friends_update(a->friends, &record, NULL));
    friends_remove(a->friends, record.location);
    assert_int_equal(friends_count(a->friends, NULL), 1);
    assert_false(friends_send(a->friends, 7, 5, bytes_of(heartbeat_item, 8)));
}

/* A friend that dials again has lost the old connection, whatever we think of it. */
static void test_newest_wins(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_befriend(a, b, true);
    struct actor *old = NULL;
    for (unsigned i = 1; i <= 3; i++) {
        struct actor *actor = actor_new(fixture, &b->identity);
        actor_say_services(actor);
        actor_dial(actor, a);
        run_until(fixture, a->ups == i);
        assert_int_equal(a->downs, i - 1);
        if (old) {
            assert_string_equal(a->reason, "replaced by a newer connection");
            run_until(fixture, old->closed);
            actor_free(old);
        }
        old = actor;
    }
    actor_free(old);
}

/* Certificates that wait for gpg: one at a time for one friend. */
static void test_one_check_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_befriend(a, b, true);
    fixture->keyring->mute = true;
    struct actor *first = actor_new(fixture, &b->identity), *second = actor_new(fixture, &b->identity);
    actor_say_services(first);
    actor_dial(first, a);
    run_until(fixture, fixture->keyring->verified == 1);
    actor_dial(second, a);
    run_until(fixture, second->closed);
    assert_int_equal(fixture->keyring->verified, 1);
    fixture->keyring->mute = false;
    uv_timer_start(&fixture->keyring->timer, fake_answer, 0, 0);
    run_until(fixture, a->ups == 1);
    actor_free(second);
    actor_free(first);
}

/* The friend stops talking, though TCP stands. */
static void test_falls_silent(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_befriend(a, b, true);
    struct actor *actor = actor_new(fixture, &b->identity);
    actor_say_services(actor);
    actor_dial(actor, a);
    run_until(fixture, a->ups == 1 && actor_count(actor, SERVICE_HEARTBEAT, 0x01) == 1);
    struct link *link = set_find(a->friends, b->identity.location)->current;
    /* As if its last words were two minutes old. */
    uint64_t then = uv_hrtime() / 1000 - UINT64_C(120000000);
    link->services.heartbeat_us = then;
    link->tick_us = 0;
    set_wake(a->friends, 1);
    run_until(fixture, link->tick_us != 0);
    assert_int_equal(a->downs, 0); /* an item was heard since */
    link->services.heard_us = then;
    link->tick_us = 0;
    set_wake(a->friends, 1);
    run_until(fixture, a->downs == 1);
    assert_string_equal(a->reason, "the friend has been silent for too long");
    run_until(fixture, actor->closed);
    actor_free(actor);
}

/* GnuPG does not take the key of a short invite's friend. */
static void test_key_not_taken(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *d = &fixture->nodes[3];
    node_open(fixture, a);
    node_befriend(a, d, false);
    struct buffer item = buffer_make(1 << 16);
    struct pgp_key_item key = {.block = d->identity.key_block};
    memcpy(key.pgp_id, d->identity.fingerprint + 12, 8);
    assert_true(pgp_key_write(&item, &key));
    fixture->keyring->verdict = ERROR_INVALID;
    struct actor *actor = actor_new(fixture, &d->identity);
    actor_say_services(actor);
    for (unsigned i = 0; i < 5; i++)
        actor_say(actor, buffer_view(&item));
    actor_dial(actor, a);
    run_until(fixture, strstr(status_of(a, d).reason, "another PGP key"));
    actor_say(actor, buffer_view(&item));
    actor_say_services(actor);
    uint64_t heard = status_of(a, d).items_in;
    run_until(fixture, status_of(a, d).items_in >= heard + 2);
    assert_int_equal(fixture->keyring->checked, 1); /* one wrong key is enough for a link */
    assert_int_equal(status_of(a, d).state, FRIEND_LIMITED);
    actor_free(actor);
    buffer_free(&item);
}

/* Another pin or key of a friend ends the link that the old one let in. */
static void test_update_ends_trust(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    node_open(fixture, a);
    node_befriend(a, b, true);
    struct actor *actor = actor_new(fixture, &b->identity);
    actor_say_services(actor);
    actor_dial(actor, a);
    run_until(fixture, a->ups == 1);
    struct friend_record record = a->changed;
    assert_true(address_parse(&record.addresses[0], "127.0.0.1:1", 0, NULL));
    record.address_count = 1;
    assert_true(friends_update(a->friends, &record, NULL));
    assert_int_equal(a->downs, 0);
    memset(record.pinned, 7, sizeof record.pinned);
    assert_true(friends_update(a->friends, &record, NULL));
    assert_int_equal(a->downs, 1);
    run_until(fixture, actor->closed);
    actor_free(actor);
}

#define both(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        both(test_not_accepted),
        both(test_stranger),
        both(test_forgeries),
        both(test_forged_short_invite),
        both(test_other_location_answers),
        both(test_keyring_trouble),
        both(test_bad_streams),
        both(test_truncated),
        both(test_leaves_without_end_of_tls),
        both(test_silent),
        both(test_no_certificate),
        both(test_old_tls),
        both(test_open_refuses),
        both(test_update_ends_trust),
        both(test_newest_wins),
        both(test_one_check_at_a_time),
        both(test_falls_silent),
        both(test_key_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
