/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_MIGRATIONS_H
#define RETROGATE_STORE_MIGRATIONS_H

#include <sqlite3.h>

#include "base/error.h"

/* The newest schema this program knows; the file's is in its user_version, 0 when it is empty. */
int migrations_newest(void);

/* Brings the schema from `version` to `to`, one transaction for each number. */
bool migrations_run(sqlite3 *database, int version, int to, struct error **error);

#endif
