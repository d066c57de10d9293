/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_DATABASE_H
#define RETROGATE_STORE_DATABASE_H

#include <sqlite3.h>

#include "base/error.h"

enum { DATABASE_BUSY_MS = 5000 }; /* how long to wait for a person's own sqlite3 program */

/* SQLite's connections: how they are opened, what their failures are called. */

/* Makes `directory` (0700) when it is missing and locks it against other processes for as long as the
 * descriptor is open. -1 on error. */
int database_lock(const char *directory, struct error **error);

/* The one connection that writes. Creates the file (0600) or checks it, wholly, before anything in it is
 * changed; then runs the migrations. NULL on error. */
sqlite3 *database_open_writer(const char *directory, struct error **error);
/* For a file that a writer has open. */
sqlite3 *database_open_reader(const char *directory, struct error **error);

/* Runs statements without parameters or rows. */
bool database_run(sqlite3 *database, const char *sql, struct error **error);
/* A statement to be kept. NULL on error. */
sqlite3_stmt *database_prepare(sqlite3 *database, const char *sql, struct error **error);
/* Sets *error to what the connection's last call met. Returns false. */
bool database_failed(sqlite3 *database, struct error **error);
/* Whether the code means that the disk is full (SQLITE_FULL, or an I/O error for that reason). */
bool database_is_full(sqlite3 *database);

#endif
