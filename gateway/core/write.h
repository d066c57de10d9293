/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_WRITE_H
#define RETROGATE_CORE_WRITE_H

#include "core/state.h"

/* A write is one commit and what follows it. Change numbers are taken when the rows are made; the commits of
 * an account finish in the order they were submitted, so everything below the oldest number still under way
 * is visible, and nothing above it: a client never skips a change. */
struct write {
    struct account *account; /* NULL: the node's own data */
    struct gateway *gateway;
    struct store_batch *batch;
    int64_t first_change;
    void (*apply)(void *arg, const struct error *error);
    void *arg;
    struct write *prev, *next;
};

/* NULL without memory. */
struct write *write_begin(struct gateway *gateway, struct account *account);
/* The number of one more change of the account. */
int64_t write_change(struct write *write);
/* Submits. `apply` is called after the commit, with an error when nothing was written. */
void write_commit(struct write *write, void (*apply)(void *arg, const struct error *error), void *arg);
/* Gives up before the commit. */
void write_discard(struct write *write);

/* A change without a row, such as a conversation's state: visible when all before it are. */
int64_t change_now(struct account *account);
/* The newest number that a client may see. */
int64_t change_visible(const struct account *account);

#endif
