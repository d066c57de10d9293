/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_KEYRING_FIXTURE_H
#define RETROGATE_TESTS_KEYRING_FIXTURE_H

#include "support/vectors.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/openpgp.h"
#include "keyring/keyring.h"

/* A real keyring in a directory of its own, driven until an answer comes. Header only, so that each test
 * program stays one file. */

struct heard {
    unsigned answers, progress;
    enum error_code code; /* 0: it worked */
    char reason[256];
    struct keyring_answer fields; /* without its views */
    struct buffer block, private_key, link_blob, text;
};

static uv_loop_t loop;
static struct keyring *keyring;
static char directory[32];

static void keep(struct buffer *out, struct bytes bytes)
{
    buffer_free(out);
    *out = buffer_make(64 << 20);
    buffer_append_bytes(out, bytes);
}

static void hear(void *arg, const struct keyring_answer *answer)
{
    struct heard *heard = arg;
    uv_stop(&loop);
    heard->answers++;
    heard->code = answer->error ? answer->error->code : 0;
    snprintf(heard->reason, sizeof(heard->reason), "%s", answer->error ? answer->error->text : "");
    heard->fields = *answer;
    keep(&heard->block, answer->block);
    keep(&heard->private_key, answer->private_key);
    keep(&heard->link_blob, answer->link_blob);
    keep(&heard->text, answer->text);
}

static inline void hear_progress(void *arg, const char *what)
{
    struct heard *heard = arg;
    assert_non_null(what);
    uv_stop(&loop);
    heard->progress++;
}

static inline void heard_free(struct heard *heard)
{
    buffer_free(&heard->block);
    buffer_free(&heard->private_key);
    buffer_free(&heard->link_blob);
    buffer_free(&heard->text);
}

static inline void wait_for(const struct heard *heard)
{
    while (heard->answers == 0)
        uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(heard->answers, 1);
}

static inline void expect_good(struct heard *heard)
{
    wait_for(heard);
    if (heard->code)
        fail_msg("%s", heard->reason);
}

static inline void expect_failure(struct heard *heard, enum error_code code, const char *reason)
{
    wait_for(heard);
    if (heard->code != code || !strstr(heard->reason, reason))
        fail_msg("failed with %d \"%s\", not with %d \"%s\"", (int)heard->code, heard->reason, (int)code,
                 reason);
    heard_free(heard);
    *heard = (struct heard){0};
}

static inline void start_keyring(void)
{
    struct error *error = NULL;
    keyring = keyring_start(&loop,
                            &(struct keyring_options){.program = TEST_BINARIES "/retrogate-keyring",
                                                      .directory = directory,
                                                      .workers = 2},
                            &error);
    if (!keyring)
        fail_msg("%s", error->text);
}

static inline int open_keyring(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    snprintf(directory, sizeof(directory), "%s/keyringXXXXXX", P_tmpdir); /* short: sockets lie in it */
    if (!mkdtemp(directory) || uv_loop_init(&loop) != 0)
        return -1;
    start_keyring();
    return 0;
}

/* Until every handle is closed; a callback may stop the loop before. */
static inline void run_out(void)
{
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0)
        continue;
}

static inline int close_keyring(void **state)
{
    (void)state;
    char command[64];
    keyring_stop(keyring);
    run_out();
    int failed = uv_loop_close(&loop);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command) != 0 || failed ? -1 : 0;
}

static inline struct keyring_secret secret_of(const char *home, const uint8_t fingerprint[20])
{
    struct keyring_secret secret = {.home = home, .passphrase = bytes_of_string("pass % phrase")};
    if (fingerprint)
        memcpy(secret.fingerprint, fingerprint, 20);
    return secret;
}

#endif
