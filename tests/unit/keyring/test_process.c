/* SPDX-License-Identifier: ISC */
#include "fixture.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The process itself: what happens when it dies, is too busy, is asked for nonsense, or is stopped. */

static struct buffer block;

/* The children of this process that run the keyring. */
static size_t find_workers(pid_t pids[4])
{
    char path[64], text[512];
    size_t count = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    if (fgets(text, sizeof(text), file)) {
        char *at = text;
        for (long pid; count < 4 && (pid = strtol(at, &at, 10)) > 0;)
            pids[count++] = (pid_t)pid;
    }
    fclose(file);
    return count;
}

static void check_key(struct heard *heard)
{
    assert_int_not_equal(keyring_check_key(keyring, buffer_view(&block), hear, heard), 0);
    assert_int_equal(heard->answers, 0); /* never before the call returns */
}

static void keys_are_checked(void **state)
{
    (void)state;
    struct heard heard = {0};
    check_key(&heard);
    expect_good(&heard);
    assert_bytes_equal(buffer_view(&heard.block), buffer_view(&block));
    heard_free(&heard);
    heard = (struct heard){0};
    keyring_check_key(keyring, bytes_of_string("no key"), hear, &heard);
    expect_failure(&heard, ERROR_INVALID, "no public key block");

    /* A self-signature with one bit changed. */
    struct buffer broken = buffer_make(65536);
    buffer_append_bytes(&broken, buffer_view(&block));
    broken.memory[buffer_size(&broken) - 5] ^= 1;
    keyring_check_key(keyring, buffer_view(&broken), hear, &heard);
    expect_failure(&heard, ERROR_DENIED, "");
    buffer_free(&broken);
}

static void killed_workers_come_back(void **state)
{
    (void)state;
    pid_t pids[4];
    struct stat status;
    struct heard lost[2] = {0}, waiting = {0};
    char unfinished[64];
    snprintf(unfinished, sizeof(unfinished), "%s/8", directory);
    assert_int_equal(mkdir(unfinished, 0700), 0); /* as left by a key generation that was killed */
    assert_int_equal(find_workers(pids), 2);
    for (size_t i = 0; i < 2; i++)
        kill(pids[i], SIGSTOP);
    check_key(&lost[0]);
    check_key(&lost[1]);
    check_key(&waiting); /* not sent yet: survives */
    for (size_t i = 0; i < 2; i++)
        kill(pids[i], SIGKILL);
    for (size_t i = 0; i < 2; i++)
        expect_failure(&lost[i], ERROR_UNAVAILABLE, "ended while");
    expect_good(&waiting);
    heard_free(&waiting);
    struct keyring_secret secret = secret_of("8", NULL);
    keyring_location_new(keyring, &secret, hear, &lost[0]);
    expect_failure(&lost[0], ERROR_NOT_FOUND, "no key");
    assert_int_equal(find_workers(pids), 2);
    assert_int_equal(stat(unfinished, &status), -1);
}

static void cancelled_requests_are_silent(void **state)
{
    (void)state;
    struct heard heard[6] = {0}, last = {0};
    uint64_t ids[6];
    for (size_t i = 0; i < 6; i++)
        ids[i] = keyring_check_key(keyring, buffer_view(&block), hear, &heard[i]);
    for (size_t i = 0; i < 6; i++)
        keyring_cancel(keyring, ids[i]);
    keyring_cancel(keyring, 123456789);
    check_key(&last);
    expect_good(&last);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(heard[i].answers, 0);
    heard_free(&last);
}

static bool has_line(pid_t pid, const char *file, const char *begin, const char *value)
{
    char path[64], line[512];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while (fgets(line, sizeof(line), in))
        found |= strncmp(line, begin, strlen(begin)) == 0 && strstr(line, value);
    fclose(in);
    return found;
}

static void workers_are_confined(void **state)
{
    (void)state;
    pid_t pids[4];
    struct heard heard[2] = {0};
    assert_int_equal(find_workers(pids), 2);
    for (size_t i = 0; i < 2; i++) /* one goes to each: then both have entered their sandboxes */
        check_key(&heard[i]);
    for (size_t i = 0; i < 2; i++) {
        expect_good(&heard[i]);
        heard_free(&heard[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_true(has_line(pids[i], "status", "Seccomp:", "\t2"));
        assert_true(has_line(pids[i], "status", "NoNewPrivs:", "\t1"));
        assert_true(has_line(pids[i], "limits", "Max core file size", " 0 "));
        assert_true(has_line(pids[i], "limits", "Max open files", " 256 "));
    }
}

static void what_cannot_be_done_is_told(void **state)
{
    (void)state;
    struct heard heard = {0};
    static const char *const homes[] = {"", "..", "0", "verify0", "1/../node"};
    for (size_t i = 0; i < 5; i++) {
        struct keyring_secret secret = secret_of(homes[i], NULL);
        keyring_create(keyring, &secret, "Name", false, NULL, hear, &heard);
        expect_failure(&heard, ERROR_INVALID, "home");
        keyring_forget(keyring, homes[i], hear, &heard);
        expect_failure(&heard, ERROR_INVALID, "home");
    }
    static const char *const names[] = {"", " x", "x ", "a<b", "a(b", "a\nb", "\xff", NULL};
    struct keyring_secret secret = secret_of("7", NULL);
    for (size_t i = 0; names[i]; i++) {
        keyring_create(keyring, &secret, names[i], false, NULL, hear, &heard);
        expect_failure(&heard, ERROR_INVALID, "name");
    }
    secret.passphrase = bytes_of_string("two\nlines");
    keyring_create(keyring, &secret, "Name", false, NULL, hear, &heard);
    expect_failure(&heard, ERROR_INVALID, "passphrase");
    secret.passphrase = bytes_of(NULL, 0);
    keyring_create(keyring, &secret, "Name", false, NULL, hear, &heard);
    expect_failure(&heard, ERROR_INVALID, "passphrase");
    secret = secret_of("7", NULL);
    keyring_location_new(keyring, &secret, hear, &heard);
    expect_failure(&heard, ERROR_NOT_FOUND, "no key");
    keyring_forget(keyring, "7", hear, &heard);
    expect_failure(&heard, ERROR_NOT_FOUND, "no key");

    struct buffer large = buffer_make(2 << 20);
    while (buffer_size(&large) <= 1 << 20)
        buffer_append(&large, directory, sizeof(directory));
    keyring_check_key(keyring, buffer_view(&large), hear, &heard);
    assert_int_equal(heard.answers, 0);
    expect_failure(&heard, ERROR_LIMIT, "too large");
    uint64_t id = keyring_check_key(keyring, buffer_view(&large), hear, &heard);
    keyring_cancel(keyring, id);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(heard.answers, 0);
    buffer_free(&large);
}

static void the_queue_has_an_end(void **state)
{
    (void)state;
    enum { COUNT = 1100 };
    struct heard *heard = calloc(COUNT, sizeof(*heard));
    uint64_t *ids = calloc(COUNT, sizeof(*ids));
    size_t refused = 0;
    for (size_t i = 0; i < COUNT; i++)
        ids[i] = keyring_check_key(keyring, buffer_view(&block), hear, &heard[i]);
    /* More than two workers' queues hold; the rest is told by the first turns of the loop. */
    while (heard[COUNT - 1].answers == 0)
        uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < COUNT; i++) {
        keyring_cancel(keyring, ids[i]);
        refused += heard[i].answers > 0 && heard[i].code == ERROR_LIMIT;
        heard_free(&heard[i]);
    }
    assert_in_range(refused, 1, 1100 - 1024);
    free(ids);
    free(heard);
}

static void stopping_answers_everything(void **state)
{
    (void)state;
    struct heard heard[4] = {0};
    pid_t pids[4];
    for (size_t i = 0; i < 4; i++)
        check_key(&heard[i]);
    keyring_stop(keyring);
    for (size_t i = 0; i < 4; i++)
        expect_failure(&heard[i], ERROR_UNAVAILABLE, "shutting down");
    run_out();
    assert_int_equal(find_workers(pids), 0);
    DIR *folder = opendir(directory);
    struct dirent *entry;
    while ((entry = readdir(folder)))
        assert_true(strncmp(entry->d_name, "verify", 6) != 0);
    closedir(folder);
    start_keyring();
}

static void it_starts_only_where_it_is_safe(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct keyring_options options = {
        .program = TEST_BINARIES "/retrogate-keyring", .directory = directory, .workers = 3};
    assert_null(keyring_start(&loop, &options, &error));
    assert_int_equal(error->code, ERROR_INVALID);
    error_free(error);
    error = NULL;
    options.workers = 1;
    options.directory = "/var/lib/a-path-of-more-than-sixty-characters-for-the-keyring-is-refused";
    assert_null(keyring_start(&loop, &options, &error));
    assert_int_equal(error->code, ERROR_INVALID);
    error_free(error);
    error = NULL;
    char open_to_all[64];
    snprintf(open_to_all, sizeof(open_to_all), "%s/open", directory);
    assert_int_equal(mkdir(open_to_all, 0700), 0);
    assert_int_equal(chmod(open_to_all, 0755), 0);
    options.directory = open_to_all;
    assert_null(keyring_start(&loop, &options, &error));
    assert_int_equal(error->code, ERROR_DENIED);
    error_free(error);
    error = NULL;
    options.directory = directory;
    options.program = "/nonexistent/retrogate-keyring";
    assert_null(keyring_start(&loop, &options, &error));
    assert_int_equal(error->code, ERROR_UNAVAILABLE);
    error_free(error);
}

static int load(void **state)
{
    json_t *file = vectors_load("retroshare-0.6/link.json");
    block = vectors_hex(json_object_get(json_object_get(file, "nodes"), "A"), "pgp_public_key");
    json_decref(file);
    return open_keyring(state);
}

static int unload(void **state)
{
    buffer_free(&block);
    return close_keyring(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(workers_are_confined),
        cmocka_unit_test(killed_workers_come_back),
        cmocka_unit_test(cancelled_requests_are_silent),
        cmocka_unit_test(what_cannot_be_done_is_told),
        cmocka_unit_test(the_queue_has_an_end),
        cmocka_unit_test(stopping_answers_everything),
        cmocka_unit_test(it_starts_only_where_it_is_safe),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
