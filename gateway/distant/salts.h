/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_SALTS_H
#define RETROGATE_DISTANT_SALTS_H

#include "base/source.h"

#include <stdbool.h>

/* The salts of received packets of one route (W-C2, 00 decision 19): lasting ones are kept until the end,
 * passing ones while they are among the latest SALTS_PASSING, and up to twice as many. 16 to 32 bytes each,
 * nothing before the first. The holder of the key chooses the salts, so the hash of the table is keyed. */

enum { SALTS_PASSING = 4096 };

struct salt_table {
    uint64_t *slots; /* 0: free; the salt 0 itself is kept apart */
    size_t capacity; /* a power of two */
    size_t count;
    bool zero;
};

struct salts {
    uint8_t key[16];
    struct salt_table lasting;
    struct salt_table passing[2]; /* the newer first */
};

void salts_init(struct salts *salts, const struct random_source *random);
void salts_free(struct salts *salts);
bool salts_seen(const struct salts *salts, uint64_t salt);
bool salts_keep(struct salts *salts, uint64_t salt); /* lasting; false without memory */
bool salts_note(struct salts *salts, uint64_t salt); /* passing; false without memory */
size_t salts_kept(const struct salts *salts);

#endif
