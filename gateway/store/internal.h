/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_INTERNAL_H
#define RETROGATE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "store/store.h"
#include "store/worker.h"

/* What the files of this room share; everything here is on the loop. */

/* A batch is handed over at the end of the turn, with all others of that turn. */
void store_give_batch(struct store *store, struct job *job);
/* Reads and blobs go to their threads at once. */
void store_give_read(struct store *store, struct job *job);
void store_give_blob(struct store *store, struct job *job);
bool store_is_closed(const struct store *store);
int store_directory(const struct store *store); /* a descriptor, open until every job is answered */

enum reading {
    LINES_CHANGED,
    GONE,
    HISTORY,
    HISTORY_AFTER,
    LABELLED,
    SENT,
    SEARCH,
    SEARCH_ONE,
    POSTS_CHANGED,
    POSTS_ALL,
    POSTS_BOX,
    POSTS_THREAD,
    POST_ONE,
    POST_LABELLED,
    POST_BY_ID,
    POST_DELIVERIES,
    POST_KNOWN,
    READINGS
};
/* The connection that reads with its kept statements, which belongs to the reader's thread. */
struct readings {
    sqlite3 *database;
    sqlite3_stmt *kept[READINGS];
    struct finder *finder; /* made at the first search */
};
/* Prepared at its first use. NULL on error. */
sqlite3_stmt *readings_statement(struct readings *readings, enum reading reading, const char *sql,
                                 struct error **error);
/* Looks for `text` from now on. NULL without memory. */
struct finder *readings_finder(struct readings *readings, const char *text);
struct readings *readings_new(sqlite3 *database); /* takes the connection over; NULL without memory */
void readings_free(struct readings *readings);
struct readings *store_readings(const struct store *store);

/* Calls the loader for every row. Before the threads run. */
bool store_load(sqlite3 *database, const struct store_loader *loader, void *arg, struct error **error);

#endif
