/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_INTERNAL_H
#define RETROGATE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "base/buffer.h"
#include "store/store.h"
#include "store/values.h"
#include "store/worker.h"

/* What the files of this room share; everything here is on the loop. */

/* A batch is handed over at the end of the turn, with all others of that turn. */
void store_give_batch(struct store *store, struct job *job);
/* Reads and blobs go to their threads at once. */
void store_give_read(struct store *store, struct job *job);
void store_give_blob(struct store *store, struct job *job);
bool store_is_closed(const struct store *store);
int store_directory(const struct store *store); /* a descriptor, open until every job is answered */

/* The kept statements of the connection that reads, which belongs to the reader's thread. */
struct readings;
struct readings *readings_new(sqlite3 *database); /* takes the connection over; NULL without memory */
void readings_free(struct readings *readings);
struct readings *store_readings(const struct store *store);

/* Calls the loader for every row. Before the threads run. */
bool store_load(sqlite3 *database, const struct store_loader *loader, void *arg, struct error **error);

/* The columns of a line, in the order of LINE_COLUMNS. */
#define LINE_COLUMNS                                                                                         \
    "account, seq, conversation, route, direction, text, time, peer_time, delivery, reason, label, change, " \
    "number"
enum { LINE_WIDTH = 13 };
struct line_row line_of(const struct value values[LINE_WIDTH]);
/* Leaves out the lines of a conversation that is being removed. */
#define LINE_NOT_PURGED                                                                                      \
    " AND NOT EXISTS (SELECT 1 FROM purge WHERE purge.account = line.account AND purge.kind = 'lines'"       \
    " AND purge.id = line.conversation)"

#endif
