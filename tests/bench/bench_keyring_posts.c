/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keyring/keyring.h"
#include "wire/post.h"

/* What a post costs through the keyring, next to the gpg commands that a script would run for it with the
 * same keys and bytes: sign and encrypt; decrypt and verify. Then two accounts with one worker and with two.
 * `late` is the longest that the keyring kept the loop from a timer of one millisecond. */

enum { LARGE = 10 << 20, HUGE = 25 << 20, SMALL_ROUNDS = 30, LARGE_ROUNDS = 5, BATCH = 60 };

static uv_loop_t loop;
static uv_timer_t ticker;
static struct keyring *keyring;
static char directory[64], scratch[96];
static struct keyring_secret accounts[2];
static struct buffer blocks[2], last;
static int64_t signed_at;
static unsigned waiting;
static uint64_t ticked;
static double late_ms, own_ms;

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void tick(uv_timer_t *timer)
{
    (void)timer;
    uint64_t now = uv_hrtime();
    double gap = (double)(now - ticked) / 1e6 - 1 - own_ms;
    own_ms = 0;
    if (ticked && gap > late_ms)
        late_ms = gap;
    ticked = now;
}

static void answered(void *arg, const struct keyring_answer *answer)
{
    require(!answer->error, answer->error ? answer->error->text : "");
    uint64_t begun = uv_hrtime();
    buffer_clear(&last);
    buffer_append_bytes(&last, answer->text.size > 0 ? answer->text : answer->block);
    if (arg)
        memcpy(arg, answer->fingerprint, 20);
    signed_at = answer->signed_at;
    own_ms += (double)(uv_hrtime() - begun) / 1e6;
    if (--waiting == 0)
        uv_stop(&loop);
}

static void wait_for(uint64_t id)
{
    require(id != 0, "refused");
    waiting++;
    while (waiting > 0)
        uv_run(&loop, UV_RUN_DEFAULT);
}

static void begin(unsigned workers)
{
    struct error *error = NULL;
    keyring = keyring_start(&loop,
                            &(struct keyring_options){.program = TEST_BINARIES "/retrogate-keyring",
                                                      .directory = directory,
                                                      .workers = workers},
                            &error);
    require(keyring, error ? error->text : "");
    uv_timer_init(&loop, &ticker);
    uv_timer_start(&ticker, tick, 1, 1);
}

static void end(void)
{
    keyring_stop(keyring);
    uv_close((uv_handle_t *)&ticker, NULL);
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0)
        continue;
}

static void make_accounts(void)
{
    static const char *const homes[] = {"1", "2"};
    for (size_t i = 0; i < 2; i++) {
        accounts[i] = (struct keyring_secret){homes[i], bytes_of_string("passphrase"), {0}};
        wait_for(
            keyring_create(keyring, &accounts[i], "name", false, NULL, answered, accounts[i].fingerprint));
        blocks[i] = buffer_make(65536);
        buffer_append_bytes(&blocks[i], buffer_view(&last));
    }
}

static void write_file(const char *name, struct bytes data)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", scratch, name);
    FILE *out = fopen(path, "w");
    require(out && fwrite(data.data, 1, data.size, out) == data.size && fclose(out) == 0, "cannot write");
}

/* Milliseconds of a gpg in the home of the second account ("2") or the scratch one (""). */
static double gpg(const char *home, const char *const arguments[])
{
    char path[160];
    const char *all[24] = {"gpg",       "--batch", "--quiet",       "--yes",
                           "--homedir", path,      "--trust-model", "always"};
    size_t count = 8;
    snprintf(path, sizeof(path), "%s%s%s", *home ? directory : scratch, *home ? "/" : "", home);
    while (*arguments)
        all[count++] = *arguments++;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    pid_t pid;
    int status = -1;
    uint64_t begun = uv_hrtime();
    require(chdir(scratch) == 0 &&
                posix_spawnp(&pid, "gpg", &files, NULL, (char *const *)(uintptr_t)all, environ) == 0,
            "gpg cannot be started");
    require(waitpid(pid, &status, 0) == pid && status == 0, "gpg failed");
    posix_spawn_file_actions_destroy(&files);
    return (double)(uv_hrtime() - begun) / 1e6;
}

#define GPG(home, ...) gpg(home, (const char *const[]){__VA_ARGS__, NULL})
#define UNLOCK         "--pinentry-mode", "loopback", "--passphrase-file", "passphrase"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

/* Ours and gpg's in turns, so that both see the same machine. */
static void measure(size_t size, unsigned rounds)
{
    struct buffer content = buffer_make(size), message = buffer_make(KEYRING_POST_LIMIT);
    memset(buffer_reserve(&content, size), 'x', size);
    buffer_commit(&content, size);
    struct keyring_post post = {.sealed = true,
                                .addressee = buffer_view(&blocks[1]),
                                .time = 1380596800000,
                                .content = buffer_view(&content)};
    char addressee[41];
    hex_upper(addressee, accounts[1].fingerprint, 20);
    double seal[SMALL_ROUNDS], open[SMALL_ROUNDS], bare_seal[SMALL_ROUNDS], bare_open[SMALL_ROUNDS];
    late_ms = 0;
    for (unsigned i = 0; i < rounds; i++) {
        ticked = 0;
        uint64_t begun = uv_hrtime();
        wait_for(keyring_post_seal(keyring, &accounts[0], &post, answered, NULL));
        seal[i] = (double)(uv_hrtime() - begun) / 1e6;
        buffer_clear(&message);
        buffer_append_bytes(&message, buffer_view(&last));
        ticked = 0;
        begun = uv_hrtime();
        wait_for(keyring_post_open(keyring, &accounts[1], buffer_view(&message), answered, NULL));
        struct buffer plain = last;
        struct post_letter letter;
        last = buffer_make(64 << 20);
        require(post_letter_parse(&letter, buffer_view(&plain)), "not a letter");
        wait_for(keyring_post_verify(keyring, letter.covered, letter.signature, true, buffer_view(&blocks[0]),
                                     accounts[0].fingerprint, answered, NULL));
        open[i] = (double)(uv_hrtime() - begun) / 1e6;
        require(signed_at > 0, "not verified");

        write_file("text", letter.covered);
        write_file("signature", letter.signature);
        write_file("message", buffer_view(&message));
        bare_seal[i] = GPG("1", UNLOCK, "-o", "made", "--detach-sign", "text") +
                       GPG("", "-z", "0", "-o", "made", "-r", addressee, "-e", "text");
        bare_open[i] =
            GPG("2", UNLOCK, "-o", "made", "-d", "message") + GPG("", "--verify", "signature", "text");
        buffer_free(&plain);
    }
    double ours[2] = {median(seal, rounds), median(open, rounds)};
    double bare[2] = {median(bare_seal, rounds), median(bare_open, rounds)};
    printf("size=%zu seal_ms=%.1f gpg_ms=%.1f open_verify_ms=%.1f gpg_ms=%.1f ratio=%.2f late_ms=%.1f\n",
           size, ours[0], bare[0], ours[1], bare[1], (ours[0] + ours[1]) / (bare[0] + bare[1]), late_ms);
    buffer_free(&content);
    buffer_free(&message);
}

/* Seconds that both accounts need for a batch of small posts each. */
static double both(void)
{
    uint64_t begun = uv_hrtime();
    for (unsigned i = 0; i < BATCH; i++)
        for (size_t j = 0; j < 2; j++) {
            struct keyring_post post = {.sealed = true,
                                        .addressee = buffer_view(&blocks[1 - j]),
                                        .time = 1380596800000,
                                        .content = bytes_of_string("text")};
            require(keyring_post_seal(keyring, &accounts[j], &post, answered, NULL) != 0, "refused");
            waiting++;
        }
    while (waiting > 0)
        uv_run(&loop, UV_RUN_DEFAULT);
    return (double)(uv_hrtime() - begun) / 1e9;
}

int main(void)
{
    char command[96];
    signal(SIGPIPE, SIG_IGN);
    last = buffer_make(64 << 20);
    snprintf(directory, sizeof(directory), "%s/keyringXXXXXX", P_tmpdir);
    require(mkdtemp(directory) && uv_loop_init(&loop) == 0, "no directory");
    snprintf(scratch, sizeof(scratch), "%s/scratch", directory);
    require(mkdir(scratch, 0700) == 0, "no directory");
    begin(1);
    make_accounts();
    write_file("passphrase", bytes_of_string("passphrase"));
    for (size_t i = 0; i < 2; i++) {
        write_file("block", buffer_view(&blocks[i]));
        GPG("", "--import", "block");
    }
    measure(2000, SMALL_ROUNDS);
    measure(LARGE, LARGE_ROUNDS);
    measure(HUGE, LARGE_ROUNDS);
    both();
    double one = both();
    end();
    begin(2);
    both();
    double two = both();
    end();
    printf("posts=%d one_worker_s=%.2f two_workers_s=%.2f speedup=%.2f\n", 2 * BATCH, one, two, one / two);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command) == 0 ? 0 : 1;
}
