/* SPDX-License-Identifier: ISC */
#include "recorded.h"

#include <time.h>

#include "wire/post.h"

/* Posts through the keyring: what is sealed opens and verifies, also in GnuPG; what is forged, damaged, for
 * somebody else or too large does not. */

static const uint8_t message_id[16] = {9, 8, 7};
static const uint8_t day_key[32] = {1, 2, 3};

static struct keyring_post letter_to(size_t to, struct bytes content)
{
    struct keyring_post post = {
        .sealed = true, .addressee = buffer_view(&blocks[to]), .time = 1380596800123, .content = content};
    memcpy(post.message_id, message_id, sizeof(post.message_id));
    return post;
}

static struct keyring_post classic_to(size_t to, bool sign)
{
    return (struct keyring_post){.addressee = buffer_view(&blocks[to]),
                                 .sign = sign,
                                 .time = 1380596800123,
                                 .subject = bytes_of_string("Subject"),
                                 .body = bytes_of_string("Body"),
                                 .to = bytes_of("01234567890123456789", 20)};
}

static void seal(struct heard *heard, size_t from, const struct keyring_post *post)
{
    struct keyring_secret secret = account(from);
    *heard = (struct heard){0};
    assert_true(keyring_post_seal(keyring, &secret, post, hear, heard) != 0);
}

static void open_post(struct heard *heard, size_t by, struct bytes message)
{
    struct keyring_secret secret = account(by);
    *heard = (struct heard){0};
    assert_true(keyring_post_open(keyring, &secret, message, hear, heard) != 0);
}

static void verify(struct heard *heard, struct bytes plain, struct bytes signature, bool sealed, size_t from)
{
    *heard = (struct heard){0};
    keyring_post_verify(keyring, plain, signature, sealed, buffer_view(&blocks[from]), keys[from].fingerprint,
                        hear, heard);
}

static void recorded_posts_open(void **state)
{
    (void)state;
    size_t i, opened = 0, verified = 0;
    json_t *item;
    json_array_foreach(json_object_get(file, "messages"), i, item)
    {
        size_t to = key_index(vectors_string(item, "destination"));
        size_t from = key_index(vectors_string(item, "sender"));
        struct buffer message = vectors_hex(item, "encrypted_blob"), clear = vectors_hex(item, "clear_blob");
        struct buffer signature = vectors_hex(item, "signature_packet");
        struct heard heard;
        if (to < 2) {
            open_post(&heard, to, buffer_view(&message));
            expect_good(&heard);
            assert_bytes_equal(buffer_view(&heard.text), buffer_view(&clear));
            heard_free(&heard);
            opened++;
        }
        struct post_inner inner;
        assert_true(post_inner_parse(&inner, buffer_view(&clear)));
        assert_bytes_equal(inner.signature, buffer_view(&signature));
        if (inner.signature.size > 0) {
            verify(&heard, inner.covered, inner.signature, false, from);
            expect_good(&heard);
            assert_true(heard.fields.signed_at == 1380628800 && !heard.fields.addressee_bound);
            assert_memory_equal(heard.fields.fingerprint, keys[from].fingerprint, 20);
            heard_free(&heard);
            verify(&heard, inner.covered, inner.signature, true, from);
            expect_failure(&heard, ERROR_DENIED, "another purpose");
            verify(&heard, inner.covered, inner.signature, false, (from + 1) % 3);
            expect_failure(&heard, ERROR_DENIED, "another key");
            verified++;
        }
        post_inner_free(&inner);
        buffer_free(&message);
        buffer_free(&clear);
        buffer_free(&signature);
    }
    assert_true(opened == 4 && verified == 3);
}

static void letters_come_back(void **state)
{
    (void)state;
    struct heard sealed, opened, verified;
    struct post_letter letter;
    struct keyring_post post = letter_to(1, bytes_of_string("Subject: x\r\n\r\ntext\r\n"));
    seal(&sealed, 0, &post);
    expect_good(&sealed);
    open_post(&opened, 1, buffer_view(&sealed.text));
    expect_good(&opened);
    assert_true(post_letter_parse(&letter, buffer_view(&opened.text)));
    assert_bytes_equal(letter.content, post.content);
    assert_memory_equal(letter.sender, keys[0].fingerprint, 20);
    assert_memory_equal(letter.recipient, keys[1].fingerprint, 20);
    assert_memory_equal(letter.message_id, message_id, 16);
    assert_true(letter.time == post.time);
    verify(&verified, letter.covered, letter.signature, true, 0);
    expect_good(&verified);
    assert_in_range(time(NULL) - verified.fields.signed_at, 0, 60);
    heard_free(&verified);

    verify(&verified, letter.covered, letter.signature, false, 0);
    expect_failure(&verified, ERROR_DENIED, "another purpose");
    verify(&verified, letter.covered, letter.signature, true, 1);
    expect_failure(&verified, ERROR_DENIED, "another key");
    verify(&verified, letter.covered, bytes_of(NULL, 0), true, 0);
    expect_failure(&verified, ERROR_INVALID, "one signature packet");
    verify(&verified, bytes_of(letter.covered.data, letter.covered.size - 1), letter.signature, true, 0);
    expect_failure(&verified, ERROR_DENIED, "does not fit");
    keyring_post_verify(keyring, letter.covered, letter.signature, true, buffer_view(&blocks[0]),
                        keys[1].fingerprint, hear, &verified);
    expect_failure(&verified, ERROR_DENIED, "not the one that was expected");
    heard_free(&opened);
    open_post(&opened, 0, buffer_view(&sealed.text));
    expect_failure(&opened, ERROR_DENIED, "somebody else");
    heard_free(&sealed);
}

static void classic_posts_come_back(void **state)
{
    (void)state;
    for (int sign = 0; sign < 2; sign++) {
        struct heard sealed, opened, verified;
        struct post_inner inner;
        struct keyring_post post = classic_to(1, sign);
        seal(&sealed, 0, &post);
        expect_good(&sealed);
        open_post(&opened, 1, buffer_view(&sealed.text));
        expect_good(&opened);
        assert_true(post_inner_parse(&inner, buffer_view(&opened.text)));
        assert_bytes_equal(inner.subject, post.subject);
        assert_bytes_equal(inner.body, post.body);
        assert_bytes_equal(inner.to, post.to);
        assert_memory_equal(inner.sender, keys[0].id, 8);
        assert_int_equal(inner.time, 1380596800);
        assert_int_equal(inner.signature.size > 0, sign);
        if (sign) {
            verify(&verified, inner.covered, inner.signature, false, 0);
            expect_good(&verified);
            assert_true(verified.fields.addressee_bound);
            assert_memory_equal(verified.fields.hash, keys[1].fingerprint, 20);
            heard_free(&verified);
        }
        post_inner_free(&inner);
        heard_free(&opened);
        heard_free(&sealed);
    }
}

static void check_greeting(struct heard *heard, struct bytes signature, size_t from)
{
    *heard = (struct heard){0};
    keyring_post_check(keyring, day_key, signature, buffer_view(&blocks[from]), keys[from].fingerprint, hear,
                       heard);
}

static void greetings_come_back(void **state)
{
    (void)state;
    struct heard made = {0}, checked;
    struct keyring_secret secret = account(0);
    keyring_post_greet(keyring, &secret, day_key, hear, &made);
    expect_good(&made);
    check_greeting(&checked, buffer_view(&made.text), 0);
    expect_good(&checked);
    assert_true(checked.fields.expires == checked.fields.signed_at + 86400);
    assert_in_range(time(NULL) - checked.fields.signed_at, 0, 60);
    heard_free(&checked);
    check_greeting(&checked, buffer_view(&made.text), 1);
    expect_failure(&checked, ERROR_DENIED, "another key");
    uint8_t other[32] = {1};
    keyring_post_check(keyring, other, buffer_view(&made.text), buffer_view(&blocks[0]), keys[0].fingerprint,
                       hear, &checked);
    expect_failure(&checked, ERROR_DENIED, "does not fit");
    heard_free(&made);
    secret.passphrase = bytes_of_string("wrong");
    keyring_post_greet(keyring, &secret, day_key, hear, &checked);
    expect_failure(&checked, ERROR_DENIED, "passphrase");
}

static void greetings_have_their_time_and_purpose(void **state)
{
    (void)state;
    const uint32_t now = (uint32_t)time(NULL), day = 86400;
    const struct {
        uint32_t created, expires;
        const char *purpose, *reason; /* NULL: good */
    } cases[] = {
        {now, day, "post-key", NULL},
        {now - day + 60, day, "post-key", NULL},
        {now + day - 60, day, "post-key", NULL},
        {now - day - 1, day, "post-key", "expired"},
        {now - 100, 99, "post-key", "expired"},
        {now + day + 60, day, "post-key", "future"},
        {now, 0, "post-key", "longer"},
        {now, day + 1, "post-key", "longer"},
        {now, day, "post", "another purpose"},
        {now, day, NULL, "another purpose"},
        {now, day, "", "another purpose"},
    };
    struct buffer text = buffer_make(64);
    buffer_append_string(&text, "retrogate post key 1");
    buffer_append(&text, day_key, sizeof(day_key));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct heard checked;
        struct buffer packet = buffer_make(4096);
        struct openpgp_signing signing = {.created = cases[i].created, .expires = cases[i].expires};
        memcpy(signing.issuer, keys[0].id, 8);
        if (cases[i].purpose)
            signing.notations[0] = (struct openpgp_note){KEYRING_NOTATION_PURPOSE, cases[i].purpose};
        sign_as(&packet, 0, &signing, buffer_view(&text));
        check_greeting(&checked, buffer_view(&packet), 0);
        if (cases[i].reason)
            expect_failure(&checked, ERROR_DENIED, cases[i].reason);
        else
            expect_good(&checked);
        heard_free(&checked);
        buffer_free(&packet);
    }
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(import_accounts),     cmocka_unit_test(recorded_posts_open),
        cmocka_unit_test(letters_come_back),   cmocka_unit_test(classic_posts_come_back),
        cmocka_unit_test(greetings_come_back), cmocka_unit_test(greetings_have_their_time_and_purpose),
    };
    return cmocka_run_group_tests(tests, load_recorded, unload_recorded);
}
