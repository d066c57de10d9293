/* SPDX-License-Identifier: ISC */
#include "recorded.h"

#include <sys/stat.h>
#include <time.h>

/* Signatures of posts are checked without GnuPG: here its verdict stands beside ours, on good ones and on
 * every kind of bad ones; and on keys that have ended. */

static const char document[] = "what is signed";

static bool run(const char *arguments)
{
    char command[512];
    snprintf(command, sizeof(command),
             "cd %s && gpg --batch --quiet --yes --homedir scratch %s >/dev/null 2>&1", directory, arguments);
    return system(command) == 0;
}

static void write_file(const char *name, struct bytes data)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *out = fopen(path, "w");
    assert_true(out && fwrite(data.data, 1, data.size, out) == data.size && fclose(out) == 0);
}

static struct buffer read_file(const char *name)
{
    char path[96];
    struct buffer data = buffer_make(1 << 20);
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    buffer_commit(&data, fread(buffer_reserve(&data, 65536), 1, 65536, in));
    fclose(in);
    return data;
}

static bool gpg_takes(struct bytes packet, struct bytes text)
{
    write_file("signature", packet);
    write_file("text", text);
    return run("--verify signature text");
}

static bool we_take(const struct openpgp_key *key, struct bytes packet, struct bytes text)
{
    struct openpgp_signature_info info;
    return openpgp_verify(&info, key, packet, text, NULL);
}

static void set_up(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof(path), "%s/scratch", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("keys", bytes_of_string(vectors_string(recorded_key(0), "public_key_armored")));
    assert_true(run("--import keys"));
}

static void hashes_are_taken_as_by_gnupg(void **state)
{
    (void)state;
    static const char *const names[] = {"SHA1", "SHA256", "SHA384", "SHA512"};
    char command[256];
    struct openpgp_key key;
    assert_true(run("--passphrase '' --quick-gen-key hashes rsa2048 sign never"));
    assert_true(run("-o block --export hashes"));
    struct buffer block = read_file("block");
    assert_true(openpgp_key_parse(&key, buffer_view(&block), NULL));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        write_file("text", bytes_of_string(document));
        snprintf(command, sizeof(command), "-u hashes --digest-algo %s -o signature --detach-sign text",
                 names[i]);
        assert_true(run(command));
        struct buffer packet = read_file("signature");
        assert_true(gpg_takes(buffer_view(&packet), bytes_of_string(document)));
        assert_true(we_take(&key, buffer_view(&packet), bytes_of_string(document)));
        assert_false(gpg_takes(buffer_view(&packet), bytes_of_string("else")));
        assert_false(we_take(&key, buffer_view(&packet), bytes_of_string("else")));
        buffer_free(&packet);
    }
    buffer_free(&block);
}

/* Each byte of a packet changed in two ways. GnuPG overlooks sizes that are a little off, of the packet and
 * of the number; all that we take it takes. */
static void changed_packets_are_refused(void **state)
{
    (void)state;
    struct buffer packet = buffer_make(4096);
    struct openpgp_signing signing = {.created = (uint32_t)time(NULL),
                                      .notations[0] = {KEYRING_NOTATION_PURPOSE, "post"}};
    memcpy(signing.issuer, keys[0].id, 8);
    sign_as(&packet, 0, &signing, bytes_of_string(document));
    struct bytes view = buffer_view(&packet);
    assert_true(gpg_takes(view, bytes_of_string(document)) &&
                we_take(&keys[0], view, bytes_of_string(document)));
    uint8_t *bytes = packet.memory + packet.start;
    size_t clear_at = view.size - 256 - 4; /* what follows the hashed part: digest, count of bits */
    for (size_t at = 0; at < view.size; at += at < clear_at + 4 ? 1 : 19)
        for (unsigned bit = 0x01; bit <= 0x80; bit *= 0x80) {
            bytes[at] ^= (uint8_t)bit;
            bool ours = we_take(&keys[0], view, bytes_of_string(document));
            bool theirs = gpg_takes(view, bytes_of_string(document));
            bool overlooked = at == 1 || at == 2 || (at >= clear_at && at < clear_at + 4);
            if (ours || (theirs && !overlooked))
                fail_msg("byte %zu bit %02x: we %d, GnuPG %d", at, bit, ours, theirs);
            bytes[at] ^= (uint8_t)bit;
        }
    for (size_t size = 0; size < view.size; size += 29)
        assert_false(we_take(&keys[0], bytes_of(view.data, size), bytes_of_string(document)));
    buffer_free(&packet);
}

static void verify_by(struct heard *heard, struct bytes packet, struct bytes block)
{
    struct openpgp_key key;
    struct buffer clean = buffer_make(65536);
    assert_true(openpgp_screen_key(&clean, block, NULL));
    assert_true(openpgp_key_parse(&key, buffer_view(&clean), NULL));
    *heard = (struct heard){0};
    keyring_post_verify(keyring, bytes_of_string(document), packet, false, block, key.fingerprint, hear,
                        heard);
    buffer_free(&clean);
}

/* Keys made, used, ended and exported by GnuPG. */
static void ended_keys_are_refused(void **state)
{
    (void)state;
    struct heard heard;
    char command[256];
    write_file("text", bytes_of_string(document));
    static const char *const names[] = {"revoked", "expired"},
                             *const make[] = {"--quick-gen-key revoked rsa2048 sign never",
                                              "--faked-system-time 20200101T000000 "
                                              "--quick-gen-key expired rsa2048 sign 1d"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(command, sizeof(command), "--passphrase '' %s", make[i]);
        assert_true(run(command));
        snprintf(command, sizeof(command), "%s -u %s -o signature --detach-sign text",
                 i ? "--faked-system-time 20200101T000100" : "", names[i]);
        assert_true(run(command));
        struct buffer packet = read_file("signature");
        if (i == 0) {
            assert_true(run("-o block --export revoked"));
            struct buffer good = read_file("block");
            verify_by(&heard, buffer_view(&packet), buffer_view(&good));
            expect_good(&heard);
            heard_free(&heard);
            buffer_free(&good);
            snprintf(command, sizeof(command),
                     "cd %s/scratch/openpgp-revocs.d && for f in *; do sed -n 's/^:*//;/BEGIN/,$p' $f; done "
                     ">../../revocations",
                     directory);
            assert_int_equal(system(command), 0);
            assert_true(run("--import revocations"));
        }
        snprintf(command, sizeof(command), "-o block --export %s", names[i]);
        assert_true(run(command));
        struct buffer block = read_file("block");
        verify_by(&heard, buffer_view(&packet), buffer_view(&block));
        expect_failure(&heard, i ? ERROR_EXPIRED : ERROR_DENIED, i ? "expired" : "revoked");
        buffer_free(&block);
        buffer_free(&packet);
    }
}

/* A key that was taken is not asked for again; another one, or another block of it, is. */
static void many_keys_take_turns(void **state)
{
    (void)state;
    struct buffer packets[2] = {buffer_make(4096), buffer_make(4096)};
    for (size_t i = 0; i < 2; i++) {
        struct openpgp_signing signing = {.created = (uint32_t)time(NULL)};
        memcpy(signing.issuer, keys[i].id, 8);
        sign_as(&packets[i], i, &signing, bytes_of_string(document));
    }
    for (size_t round = 0; round < 4; round++)
        for (size_t i = 0; i < 4; i++) {
            struct heard heard;
            verify_by(&heard, buffer_view(&packets[i & 1]), buffer_view(&blocks[i >> 1]));
            if ((i & 1) == i >> 1)
                expect_good(&heard);
            else
                expect_failure(&heard, ERROR_DENIED, "another key");
            heard_free(&heard);
        }
    for (size_t i = 0; i < 2; i++)
        buffer_free(&packets[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_up),
        cmocka_unit_test(hashes_are_taken_as_by_gnupg),
        cmocka_unit_test(changed_packets_are_refused),
        cmocka_unit_test(ended_keys_are_refused),
        cmocka_unit_test(many_keys_take_turns),
    };
    return cmocka_run_group_tests(tests, load_recorded, unload_recorded);
}
