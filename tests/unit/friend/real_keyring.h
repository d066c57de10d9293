/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_FRIEND_REAL_KEYRING_H
#define RETROGATE_TESTS_FRIEND_REAL_KEYRING_H

#include "fixture.h"

#include <ftw.h>

/* The keyring program itself, in a directory of its own. */

static char keyring_directory[] = "/tmp/rgf-XXXXXX";

static struct keyring *fixture_keyring_start(uv_loop_t *loop)
{
    struct error *error = NULL;
    memcpy(keyring_directory + sizeof keyring_directory - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(keyring_directory));
    struct keyring_options options = {
        .program = TEST_BINARIES "/retrogate-keyring",
        .directory = keyring_directory,
        .workers = 1,
    };
    struct keyring *keyring = keyring_start(loop, &options, &error);
    if (error)
        fail_msg("%s", error->text);
    assert_non_null(keyring);
    return keyring;
}

static void fixture_keyring_stop(struct keyring *keyring)
{
    keyring_stop(keyring);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static void fixture_keyring_end(void)
{
    nftw(keyring_directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
