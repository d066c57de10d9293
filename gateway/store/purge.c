/* SPDX-License-Identifier: ISC */
#include "store/purge.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/blobs.h"
#include "store/database.h"
#include "store/values.h"

enum { PIECE_FILES = 64 };

/* 90 days: the sender of a post gives up before. */
#define MARK_OLD "time < (unixepoch() - 90 * 86400) * 1000"

#define BLOB_NAMED(account_, id)                                                                             \
    "SELECT 1 FROM conversation WHERE account = " account_ " AND avatar = " id " AND avatar <> ''"           \
    " UNION ALL SELECT 1 FROM post WHERE account = " account_ " AND blob = " id " AND blob <> ''"

/* All of a kind, one after the other: a piece of the first that has any. A line is a few pages to overwrite
 * (secure_delete), a post up to 20, so a piece takes some milliseconds. */
static const struct {
    const char *kind, *sql;
} pieces[] = {
    {"lines",
     "DELETE FROM line WHERE account = ?1 AND seq IN (SELECT seq FROM line INDEXED BY line_conversation"
     " WHERE account = ?1 AND conversation = ?2 LIMIT 200)"},
    {"salts",
     "DELETE FROM salt WHERE route = ?2 AND salt IN (SELECT salt FROM salt WHERE route = ?2 LIMIT 2000)"},
    {"blobs",
     "DELETE FROM post WHERE account = ?1 AND seq IN (SELECT seq FROM post WHERE account = ?1 LIMIT 50)"},
    {"blobs", "DELETE FROM post_mark WHERE account = ?1 AND digest IN"
              " (SELECT digest FROM post_mark WHERE account = ?1 LIMIT 500)"},
    {"blobs", "DELETE FROM post_gone WHERE account = ?1 AND change IN"
              " (SELECT change FROM post_gone WHERE account = ?1 LIMIT 500)"},
    {"blobs", "DELETE FROM loose_blob WHERE account = ?1"},
    {"marks", "DELETE FROM post_mark WHERE (account, digest) IN"
              " (SELECT account, digest FROM post_mark WHERE " MARK_OLD " LIMIT 500)"},
};

static const char notes[] = "SELECT kind, account, id, '' FROM purge"
                            " UNION ALL SELECT 'loose', account, 0, blob FROM loose_blob"
                            " UNION ALL SELECT 'marks', 0, 0, '' FROM post_mark WHERE " MARK_OLD " LIMIT 1";

struct note {
    char kind[8];
    int64_t account, id;
    char blob[BLOB_ID];
};

/* Runs a statement on what the note names. The number of rows that it deleted or found, -1 on error. */
static int run(sqlite3 *database, const char *sql, const struct note *note, struct error **error)
{
    sqlite3_stmt *statement = database_prepare(database, sql, error);
    if (statement == NULL)
        return -1;
    const struct value values[] = {value_number(note->account), value_number(note->id),
                                   value_text(note->kind), value_text(note->blob)};
    for (int i = 0; i < sqlite3_bind_parameter_count(statement); i++)
        value_bind(statement, i + 1, &values[i]);
    int rows = -1;
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW:
        rows = 1;
        break;
    case SQLITE_DONE:
        rows = sqlite3_stmt_readonly(statement) ? 0 : sqlite3_changes(database);
        break;
    default:
        database_failed(database, error);
    }
    sqlite3_finalize(statement);
    return rows;
}

/* False when there is none, or on error. */
static bool next_note(sqlite3 *database, struct note *note, struct error **error)
{
    sqlite3_stmt *statement = database_prepare(database, notes, error);
    if (statement == NULL)
        return false;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        snprintf(note->kind, sizeof note->kind, "%s", (const char *)sqlite3_column_text(statement, 0));
        note->account = sqlite3_column_int64(statement, 1);
        note->id = sqlite3_column_int64(statement, 2);
        snprintf(note->blob, sizeof note->blob, "%s", (const char *)sqlite3_column_text(statement, 3));
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
            int rows = run(database, pieces[i].sql, note, error);
            if (rows != 0)
                return rows > 0 ? 1 : -1;
        }
    if (strcmp(note->kind, "blobs") == 0)
        return blobs_delete(directory_fd, note->account, PIECE_FILES, error);
    if (strcmp(note->kind, "loose") != 0)
        return 0;
    int named = run(database, BLOB_NAMED("?1", "?4"), note, error);
    if (named != 0)
        return named > 0 ? 0 : -1;
    return blob_delete(directory_fd, note->account, note->blob, error) ? 0 : -1;
}

bool purge_piece(sqlite3 *database, int directory_fd)
{
    struct error *error = NULL;
    struct note note;
    bool more = false;

    if (next_note(database, &note, &error)) {
        int left = delete_piece(database, directory_fd, &note, &error);
        if (left == 0)
            left = run(database,
                       strcmp(note.kind, "loose") == 0
                           ? "DELETE FROM loose_blob WHERE account = ?1 AND blob = ?4"
                           : "DELETE FROM purge WHERE account = ?1 AND id = ?2 AND kind = ?3",
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
    struct naming naming = {.statement = database_prepare(database, BLOB_NAMED("?1", "?2"), &error)};
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
