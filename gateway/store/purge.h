/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_PURGE_H
#define RETROGATE_STORE_PURGE_H

#include <sqlite3.h>
#include <stdbool.h>

/* Deletes one piece of what is noted: lines of a removed conversation, salts of a removed route, posts and
 * blobs of a removed account, a blob that no row names any more; or marks of posts that are too old. One
 * short transaction. False when nothing is left, or when it failed: then it is tried again after the next
 * transaction, or at the next start. */
bool purge_piece(sqlite3 *database, int directory_fd);
/* Blobs that no row names. Only before the threads run: later a blob may be waiting for its row. */
void purge_unnamed_blobs(sqlite3 *database, int directory_fd);

#endif
