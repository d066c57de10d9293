/* SPDX-License-Identifier: ISC */
#include "store/purge.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/blobs.h"
#include "store/database.h"

enum { PIECE_FILES = 64 };

/* A line is a few pages to overwrite (secure_delete), so a piece takes some milliseconds. */
static const struct {
    const char *kind, *sql;
} pieces[] = {
    {"lines",
     "DELETE FROM line WHERE account = ?1 AND seq IN (SELECT seq FROM line INDEXED BY line_conversation"
     " WHERE account = ?1 AND conversation = ?2 LIMIT 200)"},
    {"salts",
     "DELETE FROM salt WHERE route = ?2 AND salt IN (SELECT salt FROM salt WHERE route = ?2 LIMIT 2000)"},
};

struct note {
    char kind[8];
    int64_t account, id;
};

/* Deletes the rows that the statement's parameters name. The number of rows, -1 on error. */
static int delete_rows(sqlite3 *database, const char *sql, const struct note *note, struct error **error)
{
    sqlite3_stmt *statement = database_prepare(database, sql, error);
    if (statement == NULL)
        return -1;
    sqlite3_bind_int64(statement, 1, note->account);
    sqlite3_bind_int64(statement, 2, note->id);
    if (sqlite3_bind_parameter_count(statement) > 2)
        sqlite3_bind_text(statement, 3, note->kind, -1, SQLITE_STATIC);
    int rows = -1;
    if (sqlite3_step(statement) == SQLITE_DONE)
        rows = sqlite3_changes(database);
    else
        database_failed(database, error);
    sqlite3_finalize(statement);
    return rows;
}

/* False when there is none, or on error. */
static bool next_note(sqlite3 *database, struct note *note, struct error **error)
{
    sqlite3_stmt *statement =
        database_prepare(database, "SELECT kind, account, id FROM purge LIMIT 1", error);
    if (statement == NULL)
        return false;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        snprintf(note->kind, sizeof note->kind, "%s", (const char *)sqlite3_column_text(statement, 0));
        note->account = sqlite3_column_int64(statement, 1);
        note->id = sqlite3_column_int64(statement, 2);
    } else if (code != SQLITE_DONE) {
        database_failed(database, error);
    }
    sqlite3_finalize(statement);
    return code == SQLITE_ROW;
}

/* What is left of the note after one more piece: 0 nothing, 1 something, -1 error. */
static int delete_piece(sqlite3 *database, int directory_fd, const struct note *note, struct error **error)
{
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        if (strcmp(note->kind, pieces[i].kind) == 0) {
            int rows = delete_rows(database, pieces[i].sql, note, error);
            return rows > 0 ? 1 : rows;
        }
    return blobs_delete(directory_fd, note->account, PIECE_FILES, error);
}

bool purge_piece(sqlite3 *database, int directory_fd)
{
    struct error *error = NULL;
    struct note note;
    bool more = false;

    if (next_note(database, &note, &error)) {
        int left = delete_piece(database, directory_fd, &note, &error);
        if (left == 0)
            left = delete_rows(database, "DELETE FROM purge WHERE account = ?1 AND id = ?2 AND kind = ?3",
                               &note, &error);
        more = left > 0;
    }
    if (error != NULL)
        log_warn("store", "event=purge error=%s", error_word(error->code));
    error_free(error);
    return more;
}

/* --- at the start */

struct naming {
    sqlite3_stmt *statement;
    int64_t account;
    bool failed;
};

static bool named(void *arg, const char *id)
{
    struct naming *naming = arg;
    sqlite3_bind_int64(naming->statement, 1, naming->account);
    sqlite3_bind_text(naming->statement, 2, id, -1, SQLITE_STATIC);
    int code = sqlite3_step(naming->statement);
    sqlite3_reset(naming->statement);
    naming->failed |= code != SQLITE_ROW && code != SQLITE_DONE;
    return code == SQLITE_ROW || naming->failed;
}

void purge_unnamed_blobs(sqlite3 *database, int directory_fd)
{
    struct error *error = NULL;
    struct naming naming = {
        .statement = database_prepare(database,
                                      "SELECT 1 FROM conversation WHERE account = ?1 AND avatar = ?2"
                                      " AND avatar <> ''",
                                      &error)};
    sqlite3_stmt *accounts =
        naming.statement != NULL ? database_prepare(database, "SELECT id FROM account", &error) : NULL;
    while (accounts != NULL && error == NULL && sqlite3_step(accounts) == SQLITE_ROW) {
        naming.account = sqlite3_column_int64(accounts, 0);
        blobs_sweep(directory_fd, naming.account, named, &naming, &error);
    }
    if (naming.failed && error == NULL)
        database_failed(database, &error);
    if (error != NULL)
        log_warn("store", "event=blobs-not-swept error=%s", error_word(error->code));
    error_free(error);
    sqlite3_finalize(accounts);
    sqlite3_finalize(naming.statement);
}
