/* SPDX-License-Identifier: ISC */
#include "recorded.h"

#include <time.h>

static void open_invite(struct heard *heard, size_t by, struct bytes blob, struct bytes inviter)
{
    struct keyring_secret secret = account(by);
    keyring_invite_open(keyring, &secret, blob, inviter, hear, heard);
}

static void recorded_invites_open(void **state)
{
    (void)state;
    size_t i, opened = 0;
    json_t *item;
    json_array_foreach(json_object_get(file, "invites"), i, item)
    {
        size_t from = key_index(vectors_string(item, "issuer")),
               to = key_index(vectors_string(item, "destination"));
        struct buffer blob = vectors_hex(item, "encrypted_blob"), hash = vectors_hex(item, "chat_hash");
        struct buffer key = vectors_hex(item, "aes_key");
        struct heard heard = {0};
        if (to < 2) {
            open_invite(&heard, to, buffer_view(&blob), buffer_view(&blocks[from]));
            expect_good(&heard);
            assert_bytes_equal(bytes_of(heard.fields.hash, 20), buffer_view(&hash));
            assert_bytes_equal(bytes_of(heard.fields.key, 16), buffer_view(&key));
            assert_memory_equal(heard.fields.fingerprint, keys[from].fingerprint, 20);
            assert_false(heard.fields.addressee_bound || heard.fields.sealed || heard.fields.sealed_only);
            assert_true(heard.fields.expires == 0);
            heard_free(&heard);
            opened++;
        } else {
            open_invite(&heard, 0, buffer_view(&blob), buffer_view(&blocks[from]));
            expect_failure(&heard, ERROR_DENIED, "somebody else");
        }
        buffer_free(&blob);
        buffer_free(&hash);
        buffer_free(&key);
    }
    assert_true(opened >= 2);
}

static void recorded_bad_invites_are_refused(void **state)
{
    (void)state;
    static const char *const reasons[] = {"does not fit", "another key than the one given",
                                          "names another key", "does not fit"};
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(file, "refused_invites"), i, item)
    {
        struct buffer blob = vectors_hex(item, "encrypted_blob"),
                      id = vectors_hex(item, "claimed_issuer_pgp_id");
        size_t inviter = memcmp(buffer_view(&id).data, keys[2].id, 8) == 0 ? 2 : 1;
        struct heard heard = {0};
        open_invite(&heard, 0, buffer_view(&blob), buffer_view(&blocks[inviter]));
        expect_failure(&heard, ERROR_DENIED, reasons[i]);
        buffer_free(&blob);
        buffer_free(&id);
    }
    assert_int_equal(i, 4);
}

static void inviter_is_asked_for(void **state)
{
    (void)state;
    const json_t *item = json_array_get(json_object_get(file, "invites"), 0); /* bob to alice */
    struct buffer blob = vectors_hex(item, "encrypted_blob");
    struct heard heard = {0};
    open_invite(&heard, 0, buffer_view(&blob), bytes_of(NULL, 0));
    wait_for(&heard);
    assert_memory_equal(heard.fields.fingerprint + 12, keys[1].id, 8);
    static const uint8_t nothing[20];
    assert_memory_equal(heard.fields.hash, nothing, 20);
    expect_failure(&heard, ERROR_NOT_FOUND, "key is needed");
    open_invite(&heard, 0, buffer_view(&blob), buffer_view(&blocks[0]));
    expect_failure(&heard, ERROR_DENIED, "another key than the one given");
    buffer_free(&blob);
}

static struct keyring_invite invite_to(size_t to, int64_t expires)
{
    struct keyring_invite invite = {.expires = expires, .addressee = buffer_view(&blocks[to])};
    memset(invite.hash, 0x5a, sizeof(invite.hash));
    memset(invite.key, 0xa5, sizeof(invite.key));
    return invite;
}

static void own_invites(void **state)
{
    (void)state;
    struct keyring_secret secret = account(0);
    struct heard made = {0}, opened = {0};
    struct keyring_invite invite = invite_to(1, time(NULL) + 86400);
    keyring_invite_new(keyring, &secret, &invite, hear, &made);
    expect_good(&made);
    open_invite(&opened, 1, buffer_view(&made.link_blob), buffer_view(&blocks[0]));
    expect_good(&opened);
    assert_memory_equal(opened.fields.hash, invite.hash, 20);
    assert_memory_equal(opened.fields.key, invite.key, 16);
    assert_true(opened.fields.expires == invite.expires || opened.fields.expires == invite.expires + 1);
    assert_true(opened.fields.addressee_bound);
    heard_free(&opened);
    opened = (struct heard){0};

    open_invite(&opened, 0, buffer_view(&made.link_blob), buffer_view(&blocks[0]));
    expect_failure(&opened, ERROR_DENIED, "somebody else");
    struct bytes blob = buffer_view(&made.link_blob);
    secret = account(1);
    secret.passphrase = bytes_of_string("wrong");
    keyring_invite_open(keyring, &secret, blob, buffer_view(&blocks[0]), hear, &opened);
    expect_failure(&opened, ERROR_DENIED, "passphrase");
    open_invite(&opened, 1, bytes_of(blob.data, blob.size - 1), buffer_view(&blocks[0]));
    expect_failure(&opened, ERROR_INVALID, "whole OpenPGP packets");
    made.link_blob.memory[made.link_blob.start + blob.size - 1] ^= 1;
    open_invite(&opened, 1, blob, buffer_view(&blocks[0]));
    expect_failure(&opened, ERROR_INVALID, "damaged");
    heard_free(&made);

    secret = account(0);
    secret.passphrase = bytes_of_string("wrong");
    keyring_invite_new(keyring, &secret, &invite, hear, &opened);
    expect_failure(&opened, ERROR_DENIED, "passphrase");
    invite.expires = time(NULL);
    secret = account(0);
    keyring_invite_new(keyring, &secret, &invite, hear, &opened);
    expect_failure(&opened, ERROR_INVALID, "future");
}

static void own_invites_say_whether_sealed(void **state)
{
    (void)state;
    static const struct {
        enum keyring_sealing sealing;
        bool sealed, only;
    } cases[] = {{KEYRING_SEALING_NONE, false, false},
                 {KEYRING_SEALING_SUPPORTED, true, false},
                 {KEYRING_SEALING_ONLY, true, true}};
    struct keyring_secret secret = account(0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct heard made = {0}, opened = {0};
        struct keyring_invite invite = invite_to(1, time(NULL) + 86400);
        invite.sealing = cases[i].sealing;
        keyring_invite_new(keyring, &secret, &invite, hear, &made);
        expect_good(&made);
        open_invite(&opened, 1, buffer_view(&made.link_blob), buffer_view(&blocks[0]));
        expect_good(&opened);
        assert_true(opened.fields.addressee_bound);
        assert_int_equal(opened.fields.sealed, cases[i].sealed);
        assert_int_equal(opened.fields.sealed_only, cases[i].only);
        assert_memory_equal(opened.fields.hash, invite.hash, 20);
        assert_memory_equal(opened.fields.key, invite.key, 16);
        heard_free(&opened);
        heard_free(&made);
    }
}

/* What is encrypted to bob, with these bytes in it. */
static void open_crafted(struct heard *heard, struct bytes plain)
{
    struct buffer blob = buffer_make(65536);
    assert_true(openpgp_encrypt(&blob, &keys[1], plain, &random_system, NULL));
    open_invite(heard, 1, buffer_view(&blob), buffer_view(&blocks[0]));
    buffer_free(&blob);
}

static void forged_invites_are_refused(void **state)
{
    (void)state;
    /* alice's invite to bob, as bob can read it: alice to bob is the second recorded one. */
    const json_t *item = json_array_get(json_object_get(file, "invites"), 1);
    struct buffer clear = vectors_hex(item, "clear_blob"), plain = buffer_make(65536);
    struct bytes good = buffer_view(&clear);
    struct heard heard = {0};
    open_crafted(&heard, good); /* encrypted anew, nothing changed */
    expect_good(&heard);
    heard_free(&heard);
    heard = (struct heard){0};

    open_crafted(&heard, bytes_of(good.data, 44));
    expect_failure(&heard, ERROR_INVALID, "wrong size");
    open_crafted(&heard, bytes_of(good.data, 20));
    expect_failure(&heard, ERROR_INVALID, "wrong size");
    open_crafted(&heard, bytes_of(good.data, good.size - 1));
    expect_failure(&heard, ERROR_INVALID, "one signature packet");
    buffer_append_bytes(&plain, good);
    plain.memory[0] ^= 1;
    open_crafted(&heard, buffer_view(&plain));
    expect_failure(&heard, ERROR_DENIED, "does not fit");
    plain.memory[0] ^= 1;
    buffer_append(&plain, good.data + 44, good.size - 44); /* the signature twice */
    open_crafted(&heard, buffer_view(&plain));
    expect_failure(&heard, ERROR_INVALID, "one signature packet");
    buffer_clear(&plain);
    buffer_append_bytes(&plain, good);
    buffer_append(&plain,
                  "\xcb\x07"
                  "b\0\0\0\0\0x",
                  9); /* a literal packet in the signature's place */
    open_crafted(&heard, buffer_view(&plain));
    expect_failure(&heard, ERROR_INVALID, "one signature packet");

    /* A header signed for another invite. */
    item = json_array_get(json_object_get(file, "messages"), 1);
    struct buffer signature = vectors_hex(item, "signature_packet");
    buffer_clear(&plain);
    buffer_append(&plain, good.data, 44);
    buffer_append_bytes(&plain, buffer_view(&signature));
    open_crafted(&heard, buffer_view(&plain));
    expect_failure(&heard, ERROR_DENIED, "names another key");
    buffer_clear(&plain);
    for (size_t i = 0; i < 900; i++)
        buffer_u8(&plain, 1);
    open_crafted(&heard, buffer_view(&plain));
    expect_failure(&heard, ERROR_INVALID, "wrong size");
    buffer_clear(&plain);
    for (size_t i = 0; i < 6000; i++)
        buffer_u8(&plain, 1);
    open_crafted(&heard, buffer_view(&plain));
    expect_failure(&heard, ERROR_LIMIT, "too large");
    buffer_free(&signature);
    buffer_free(&plain);
    buffer_free(&clear);
}

/* An invite of alice, signed outside the keyring, so that every field can be wrong. */
static void open_signed(struct heard *heard, const struct openpgp_signing *signing)
{
    struct buffer plain = buffer_make(4096), packet = buffer_make(4096);
    struct openpgp_signing from_alice = *signing;
    memcpy(from_alice.issuer, keys[0].id, 8);
    for (uint8_t i = 0; i < 36; i++)
        buffer_u8(&plain, i);
    buffer_append(&plain, keys[0].id, 8);
    sign_as(&packet, 0, &from_alice, buffer_view(&plain));
    buffer_append_bytes(&plain, buffer_view(&packet));
    open_crafted(heard, buffer_view(&plain));
    buffer_free(&plain);
    buffer_free(&packet);
}

static void signed_fields_count(void **state)
{
    (void)state;
    struct heard heard = {0};
    char bob[41], carol[41];
    uint32_t now = (uint32_t)time(NULL);
    hex_upper(bob, keys[1].fingerprint, 20);
    hex_upper(carol, keys[2].fingerprint, 20);
    struct openpgp_signing signing = {.created = now};
    open_signed(&heard, &signing);
    expect_good(&heard);
    assert_false(heard.fields.addressee_bound);
    assert_true(heard.fields.expires == 0);
    heard_free(&heard);
    heard = (struct heard){0};

    signing = (struct openpgp_signing){
        .created = now, .expires = 500, .notations[0] = {KEYRING_NOTATION_ADDRESSEE, bob}};
    open_signed(&heard, &signing);
    expect_good(&heard);
    assert_true(heard.fields.addressee_bound);
    assert_true(heard.fields.expires == (int64_t)now + 500);
    heard_free(&heard);
    heard = (struct heard){0};

    signing.notations[0].value = carol; /* made for carol, encrypted anew to bob */
    open_signed(&heard, &signing);
    expect_failure(&heard, ERROR_DENIED, "passed on");
    signing.notations[0].value = "";
    open_signed(&heard, &signing);
    expect_failure(&heard, ERROR_DENIED, "passed on");
    signing.notations[0].value = bob;
    signing.created = now - 501;
    open_signed(&heard, &signing);
    expect_failure(&heard, ERROR_EXPIRED, "expired");
}

static void sealed_counts_with_the_addressee(void **state)
{
    (void)state;
    char bob[41], carol[41];
    hex_upper(bob, keys[1].fingerprint, 20);
    hex_upper(carol, keys[2].fingerprint, 20);
    const struct {
        struct openpgp_note notations[2];
        bool refused, sealed, only;
    } cases[] = {
        {{{KEYRING_NOTATION_ADDRESSEE, bob}, {KEYRING_NOTATION_SEALED, "supported"}}, false, true, false},
        {{{KEYRING_NOTATION_SEALED, "supported"}, {KEYRING_NOTATION_ADDRESSEE, bob}}, false, true, false},
        {{{KEYRING_NOTATION_ADDRESSEE, bob}, {KEYRING_NOTATION_SEALED, "only"}}, false, true, true},
        {{{KEYRING_NOTATION_ADDRESSEE, bob}, {KEYRING_NOTATION_SEALED, "later"}}, false, true, false},
        {{{KEYRING_NOTATION_ADDRESSEE, bob}, {KEYRING_NOTATION_SEALED, ""}}, false, true, false},
        {{{KEYRING_NOTATION_ADDRESSEE, bob}, {"sealed@example.org", "only"}}, false, false, false},
        {{{KEYRING_NOTATION_SEALED, "supported"}}, false, false, false},
        {{{KEYRING_NOTATION_SEALED, "only"}}, false, false, false},
        {{{KEYRING_NOTATION_ADDRESSEE, carol}, {KEYRING_NOTATION_SEALED, "only"}}, true, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct heard heard = {0};
        struct openpgp_signing signing = {.created = (uint32_t)time(NULL)};
        memcpy(signing.notations, cases[i].notations, sizeof(signing.notations));
        open_signed(&heard, &signing);
        if (cases[i].refused) {
            expect_failure(&heard, ERROR_DENIED, "passed on");
            continue;
        }
        expect_good(&heard);
        assert_int_equal(heard.fields.sealed, cases[i].sealed);
        assert_int_equal(heard.fields.sealed_only, cases[i].only);
        heard_free(&heard);
    }
}

/* What the original took for decrypted (protocol 07 §6). */
static void hostile_messages_are_refused(void **state)
{
    (void)state;
    const json_t *item = json_array_get(json_object_get(file, "invites"), 1);
    struct buffer blob = vectors_hex(item, "encrypted_blob"), clear = vectors_hex(item, "clear_blob");
    struct buffer message = buffer_make(65536);
    struct heard heard = {0};
    size_t size = buffer_size(&clear) + 6;
    buffer_append(&message, (uint8_t[]){0xcb, (uint8_t)((size - 192) / 256 + 192), (uint8_t)(size - 192)}, 3);
    buffer_append(&message, "b\0\0\0\0\0", 6);
    buffer_append_bytes(&message, buffer_view(&clear));
    open_invite(&heard, 1, buffer_view(&message), buffer_view(&blocks[0])); /* not encrypted at all */
    expect_failure(&heard, ERROR_INVALID, "integrity protection");
    buffer_clear(&message);
    buffer_append_bytes(&message, buffer_view(&blob));
    buffer_append(&message,
                  "\xcb\x07"
                  "b\0\0\0\0\0x",
                  9); /* something appended */
    open_invite(&heard, 1, buffer_view(&message), buffer_view(&blocks[0]));
    expect_failure(&heard, ERROR_INVALID, "follows");
    open_invite(&heard, 1, bytes_of(NULL, 0), buffer_view(&blocks[0]));
    expect_failure(&heard, ERROR_INVALID, "whole OpenPGP packets");
    buffer_clear(&message);
    while (buffer_size(&message) < 9000)
        buffer_u8(&message, 0xc1);
    open_invite(&heard, 1, buffer_view(&message), buffer_view(&blocks[0]));
    expect_failure(&heard, ERROR_LIMIT, "larger");
    blob.memory[blob.start + 300] ^= 1; /* in the encrypted part: the modification code is wrong */
    open_invite(&heard, 1, buffer_view(&blob), buffer_view(&blocks[0]));
    expect_failure(&heard, ERROR_INVALID, "damaged");
    buffer_free(&message);
    buffer_free(&clear);
    buffer_free(&blob);
}

static void open_inside(struct heard *heard, struct bytes packets)
{
    struct buffer message = buffer_make(65536);
    encrypt_packets(&message, packets);
    open_invite(heard, 1, buffer_view(&message), buffer_view(&blocks[0]));
    buffer_free(&message);
}

static void texts_are_not_put_together(void **state)
{
    (void)state;
    const json_t *item = json_array_get(json_object_get(file, "invites"), 1);
    struct buffer clear = vectors_hex(item, "clear_blob"), packets = buffer_make(65536);
    struct bytes good = buffer_view(&clear);
    struct heard heard = {0};
    add_literal(&packets, good);
    open_inside(&heard, buffer_view(&packets));
    expect_good(&heard);
    heard_free(&heard);
    heard = (struct heard){0};

    buffer_clear(&packets); /* the original put them together */
    add_literal(&packets, bytes_of(good.data, 100));
    add_literal(&packets, bytes_of(good.data + 100, good.size - 100));
    open_inside(&heard, buffer_view(&packets));
    expect_failure(&heard, ERROR_INVALID, "exactly one text");
    buffer_clear(&packets); /* gpg reads the first one only */
    add_literal(&packets, good);
    add_literal(&packets, bytes_of_string("x"));
    open_inside(&heard, buffer_view(&packets));
    expect_failure(&heard, ERROR_INVALID, "exactly one text");
    buffer_clear(&packets); /* encrypted twice */
    assert_true(openpgp_encrypt(&packets, &keys[1], good, &random_system, NULL));
    open_inside(&heard, buffer_view(&packets));
    expect_failure(&heard, ERROR_INVALID, "exactly one text");
    open_inside(&heard, bytes_of(NULL, 0));
    wait_for(&heard);
    assert_int_not_equal(heard.code, 0);
    heard_free(&heard);
    buffer_free(&packets);
    buffer_free(&clear);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(import_accounts),
        cmocka_unit_test(recorded_invites_open),
        cmocka_unit_test(recorded_bad_invites_are_refused),
        cmocka_unit_test(inviter_is_asked_for),
        cmocka_unit_test(own_invites),
        cmocka_unit_test(own_invites_say_whether_sealed),
        cmocka_unit_test(forged_invites_are_refused),
        cmocka_unit_test(signed_fields_count),
        cmocka_unit_test(sealed_counts_with_the_addressee),
        cmocka_unit_test(hostile_messages_are_refused),
        cmocka_unit_test(texts_are_not_put_together),
    };
    return cmocka_run_group_tests(tests, load_recorded, unload_recorded);
}
