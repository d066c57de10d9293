/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/openpgp.h"

/* Our writer's messages are read by GnuPG, and GnuPG's are judged by our screening. */

extern char **environ;
static char home[32];
static json_t *keys;

static void in_home(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s/%s", home, name);
}

/* Runs a program with its output in files of the home; returns its exit code. */
static int run(const char *const *arguments)
{
    char output[64], diagnostics[64];
    in_home(output, sizeof(output), "output");
    in_home(diagnostics, sizeof(diagnostics), "diagnostics");
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, diagnostics, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid;
    int status = -1;
    if (posix_spawnp(&pid, arguments[0], &files, NULL, (char *const *)(uintptr_t)arguments, environ) != 0)
        fail_msg("cannot run %s", arguments[0]);
    posix_spawn_file_actions_destroy(&files);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define GPG(...)                                                                                             \
    run((const char *[]){"gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "pass", \
                         "--homedir", home, __VA_ARGS__, NULL})

static void write_file(const char *name, struct bytes data)
{
    char path[64];
    in_home(path, sizeof(path), name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data.data, 1, data.size, file), data.size);
    assert_int_equal(fclose(file), 0);
}

static struct buffer read_file(const char *name)
{
    char path[64];
    in_home(path, sizeof(path), name);
    struct buffer out = buffer_make(4 << 20);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t part[4096];
    for (size_t size; (size = fread(part, 1, sizeof(part), file)) > 0;)
        buffer_append(&out, part, size);
    fclose(file);
    return out;
}

static int make_home(void **state)
{
    (void)state;
    snprintf(home, sizeof(home), "%s/gnupgXXXXXX", P_tmpdir); /* short: a socket lies in it */
    if (!mkdtemp(home))
        return -1;
    write_file("gpg-agent.conf",
               bytes_of_string("s2k-count 65536\n")); /* the default is a quarter of a second */
    keys = vectors_load("retroshare-0.5/invite.json");
    json_t *item;
    size_t i;
    json_array_foreach(json_object_get(keys, "keys"), i, item)
    {
        struct bytes text = bytes_of_string(vectors_string(item, "keypair_export_armored"));
        struct bytes passphrase = bytes_of_string(vectors_string(item, "passphrase"));
        struct buffer given = buffer_make(65536), block = buffer_make(65536);
        /* As it was recorded, libgcrypt would err with it now and then. */
        assert_true(openpgp_dearmor_secret(&given, text, NULL));
        assert_true(openpgp_secret_rewrap(&block, buffer_view(&given), passphrase, bytes_of_string("pass"),
                                          &random_system, NULL));
        write_file("key", buffer_view(&block));
        buffer_free(&given);
        buffer_free(&block);
        char path[64];
        in_home(path, sizeof(path), "key");
        if (GPG("--import", path) != 0)
            return -1;
    }
    return 0;
}

static int remove_home(void **state)
{
    (void)state;
    json_decref(keys);
    run((const char *[]){"gpgconf", "--homedir", home, "--kill", "all", NULL});
    return run((const char *[]){"rm", "-rf", home, NULL}) == 127 ? -1 : 0;
}

static struct buffer key_block(size_t index)
{
    struct buffer block = buffer_make(65536);
    const json_t *item = json_array_get(json_object_get(keys, "keys"), index);
    assert_true(openpgp_dearmor(&block, bytes_of_string(vectors_string(item, "public_key_armored")), NULL));
    return block;
}

static void gnupg_reads_what_we_write(void **state)
{
    (void)state;
    struct random_seeded seed;
    struct random_source random = random_from_seed(&seed, 4);
    struct buffer block = key_block(0), plain = buffer_make(2 << 20);
    struct openpgp_key key;
    assert_true(openpgp_key_parse(&key, buffer_view(&block), NULL));
    /* Around the steps of the length encoding: one, two and five octets. */
    static const size_t sizes[] = {0, 1, 331, 100, 120, 128, 150, 185, 186, 8300, 8330, 8378, 8380, 1200000};
    char path[64];
    in_home(path, sizeof(path), "message");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        buffer_clear(&plain);
        uint8_t *into = buffer_reserve(&plain, sizes[i]);
        assert_non_null(into);
        random.fill(random.state, into, sizes[i]);
        buffer_commit(&plain, sizes[i]);
        struct buffer message = buffer_make(2 << 20);
        struct openpgp_message_info info;
        assert_true(openpgp_encrypt(&message, &key, buffer_view(&plain), &random, NULL));
        assert_true(openpgp_screen_message(&info, buffer_view(&message), NULL));
        assert_memory_equal(info.recipient_ids[0], key.id, 8);
        if (sizes[i] ==
            331) /* block of 16 instead of CAST5's 8, session key of 32 instead of 16: same RSA packet */
            assert_in_range(buffer_size(&message), 647 + 8 - 2, 647 + 8);
        write_file("message", buffer_view(&message));
        assert_int_equal(GPG("--decrypt", path), 0);
        struct buffer output = read_file("output"), diagnostics = read_file("diagnostics");
        assert_bytes_equal(buffer_view(&output), buffer_view(&plain));
        assert_null(strstr(buffer_string(&diagnostics) ? buffer_string(&diagnostics) : "", "WARNING"));
        buffer_free(&output);
        buffer_free(&diagnostics);
        buffer_free(&message);
    }
    buffer_free(&plain);
    buffer_free(&block);
}

static void refused_by_the_writer(void **state)
{
    (void)state;
    struct buffer block = key_block(0);
    struct openpgp_key key;
    struct error *error = NULL;
    assert_true(openpgp_key_parse(&key, buffer_view(&block), NULL));
    struct buffer out = buffer_make(300);
    assert_false(openpgp_encrypt(&out, &key, bytes_of_string("does not fit"), &random_system, &error));
    assert_int_equal(error->code, ERROR_LIMIT);
    assert_int_equal(buffer_size(&out), 0);
    error_free(error);
    error = NULL;
    key.can_encrypt = false;
    assert_false(openpgp_encrypt(&out, &key, bytes_of_string("x"), &random_system, &error));
    assert_int_equal(error->code, ERROR_INVALID);
    error_free(error);
    buffer_free(&out);
    buffer_free(&block);
}

static void gnupg_messages_are_judged(void **state)
{
    (void)state;
    char path[64];
    in_home(path, sizeof(path), "plain");
    struct bytes small = bytes_of_string("a small message");
    write_file("plain", small);
    struct openpgp_message_info info;

    assert_int_equal(GPG("--trust-model", "always", "-r", "18BA3CC918029F46", "-r", "6D8B46757AC792E8", "-o",
                         "-", "--encrypt", path),
                     0);
    struct buffer message = read_file("output");
    assert_true(openpgp_screen_message(&info, buffer_view(&message), NULL));
    assert_int_equal(info.recipients, 2);
    buffer_free(&message);

    /* Hidden recipient; a password; not encrypted at all. */
    assert_int_equal(GPG("--trust-model", "always", "-R", "18BA3CC918029F46", "-o", "-", "--encrypt", path),
                     0);
    message = read_file("output");
    assert_false(openpgp_screen_message(&info, buffer_view(&message), NULL));
    buffer_free(&message);
    assert_int_equal(GPG("--passphrase", "x", "--pinentry-mode", "loopback", "-o", "-", "--symmetric", path),
                     0);
    message = read_file("output");
    assert_false(openpgp_screen_message(&info, buffer_view(&message), NULL));
    buffer_free(&message);
    assert_int_equal(GPG("-o", "-", "--store", path), 0);
    message = read_file("output");
    assert_false(openpgp_screen_message(&info, buffer_view(&message), NULL));
    buffer_free(&message);
}

static void gnupg_signatures_are_judged(void **state)
{
    (void)state;
    char path[64];
    in_home(path, sizeof(path), "plain");
    write_file("plain", bytes_of_string("signed"));
    static const struct {
        const char *digest;
        uint8_t hash;
        bool taken;
    } cases[] = {{"SHA1", 2, true},    {"SHA256", 8, true},   {"SHA384", 9, true},
                 {"SHA512", 10, true}, {"SHA224", 11, false}, {"RIPEMD160", 3, false}};
    struct openpgp_signature_info info;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(GPG("-u", "6D8B46757AC792E8", "--digest-algo", cases[i].digest, "--sig-notation",
                             "some@example.org=value", "--default-sig-expire", "5d", "-o", "-",
                             "--detach-sign", path),
                         0);
        struct buffer packet = read_file("output");
        assert_int_equal(openpgp_screen_signature(&info, buffer_view(&packet), NULL), cases[i].taken);
        if (cases[i].taken) {
            struct bytes value;
            assert_int_equal(info.hash, cases[i].hash);
            assert_int_equal(info.expires, 5 * 86400);
            assert_true(openpgp_notation(&info, "some@example.org", &value));
            assert_bytes_equal(value, bytes_of_string("value"));
        }
        buffer_free(&packet);
    }
    /* Two signers make two packets; a signed message is not a detached signature. */
    assert_int_equal(
        GPG("-u", "6D8B46757AC792E8", "-u", "18BA3CC918029F46", "-o", "-", "--detach-sign", path), 0);
    struct buffer packet = read_file("output");
    assert_false(openpgp_screen_signature(&info, buffer_view(&packet), NULL));
    buffer_free(&packet);
    assert_int_equal(GPG("-u", "6D8B46757AC792E8", "-o", "-", "--sign", path), 0);
    packet = read_file("output");
    assert_false(openpgp_screen_signature(&info, buffer_view(&packet), NULL));
    buffer_free(&packet);
}

/* A key with an encryption subkey, as GnuPG makes them today. */
static void gnupg_keys_are_read(void **state)
{
    (void)state;
    assert_int_equal(GPG("--passphrase", "", "--quick-generate-key", "Carol (x) <c@example.org>", "rsa1024",
                         "sign,cert", "never"),
                     0);
    assert_int_equal(GPG("--export", "c@example.org"), 0);
    struct buffer block = read_file("output");
    struct openpgp_key key;
    assert_true(openpgp_key_parse(&key, buffer_view(&block), NULL));
    assert_string_equal(key.name, "Carol");
    assert_true(key.can_certify);
    assert_false(key.can_encrypt);
    assert_int_equal(key.subkeys, 0);
    char text[41];
    hex_upper(text, key.fingerprint, 20);
    buffer_free(&block);
    assert_int_equal(GPG("--passphrase", "", "--quick-add-key", text, "rsa1024", "encr", "never"), 0);
    assert_int_equal(GPG("--export", "c@example.org"), 0);
    block = read_file("output");
    struct buffer cleaned = buffer_make(65536);
    assert_true(openpgp_key_parse(&key, buffer_view(&block), NULL));
    assert_int_equal(key.subkeys, 1);
    assert_false(key.can_encrypt); /* the primary; subkeys play no part (protocol 04 §5.1) */
    assert_true(openpgp_screen_key(&cleaned, buffer_view(&block), NULL));
    assert_bytes_equal(buffer_view(&cleaned), buffer_view(&block));
    buffer_free(&cleaned);
    buffer_free(&block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gnupg_reads_what_we_write), cmocka_unit_test(refused_by_the_writer),
        cmocka_unit_test(gnupg_messages_are_judged), cmocka_unit_test(gnupg_signatures_are_judged),
        cmocka_unit_test(gnupg_keys_are_read),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
