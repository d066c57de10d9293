/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_PASSWORD_H
#define RETROGATE_CORE_PASSWORD_H

#include <uv.h>

#include "core/state.h"

/* Account passwords: yescrypt by crypt(3), on the loop's pool because it is slow on purpose. */
typedef void password_fn(void *arg, const char *hash, bool matches);

/* Hashes a new password; hash is NULL when it failed. */
bool password_hash(struct gateway *gateway, const char *password, password_fn *done, void *arg);
/* Compares with a hash; an empty hash takes as long and never matches. */
bool password_check(struct gateway *gateway, const char *password, const char *hash, password_fn *done,
                    void *arg);

/* 160 random bits in Crockford's base 32, in groups of 4: 39 characters. */
void password_make(const struct random_source *random, char out[48]);
/* What is compared of an app password: SHA-256 of it without dashes and spaces, lower case. */
void app_password_sha256(uint8_t out[32], const char *password);

#endif
