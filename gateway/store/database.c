/* SPDX-License-Identifier: ISC */
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/migrations.h"

enum {
    APPLICATION_ID = 0x72747267, /* "rtrg", in the file's header */
    PAGE = 4096,                 /* bytes */
};

/* The cause of an SQLITE_IOERR, an errno. sqlite3_system_errno() looks too late, when the rollback has
 * changed it; the log and the file each remember their own. */
static int cause_of(sqlite3 *database)
{
    static const int files[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    int cause = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && cause == 0; i++) {
        sqlite3_file *file = NULL;
        if (sqlite3_file_control(database, "main", files[i], &file) == SQLITE_OK && file != NULL &&
            file->pMethods != NULL)
            file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &cause);
    }
    return cause;
}

bool database_is_full(sqlite3 *database)
{
    int code = sqlite3_extended_errcode(database) & 0xff;
    if (code != SQLITE_IOERR)
        return code == SQLITE_FULL;
    int cause = cause_of(database);
    return cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
}

static bool refused(sqlite3 *database, int code, struct error **error)
{
    const char *text = sqlite3_errmsg(database); /* names of tables and columns, never values */
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_TRIGGER:
        return error_set(error, ERROR_EXISTS, "exists already: %s", text);
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return error_set(error, ERROR_NOT_FOUND, "the account of this row does not exist");
    default:
        return error_set(error, ERROR_INVALID, "the store refuses this row: %s", text);
    }
}

bool database_failed(sqlite3 *database, struct error **error)
{
    int code = sqlite3_extended_errcode(database);
    if (database_is_full(database))
        return error_set(error, ERROR_UNAVAILABLE,
                         "disk full: the database cannot grow; make room and try again");

    switch (code & 0xff) {
    case SQLITE_IOERR: {
        int cause = cause_of(database);
        char text[128];
        return error_set(error, ERROR_UNAVAILABLE, "the database's disk failed: %s (code %d)",
                         cause == 0 ? "no cause given" : strerror_r(cause, text, sizeof text), code);
    }
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(error, ERROR_UNAVAILABLE,
                         "another program holds the database; close it and try again");
    case SQLITE_NOMEM:
        return error_set(error, ERROR_UNAVAILABLE, "no memory for the database");
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return error_set(error, ERROR_UNAVAILABLE, "the database cannot be opened or written: %s",
                         sqlite3_errmsg(database));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return error_set(error, ERROR_INTERNAL, "the database is damaged (%s); restore it from a backup",
                         sqlite3_errmsg(database));
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
        return refused(database, code, error);
    default:
        return error_set(error, ERROR_INTERNAL, "database: %s", sqlite3_errmsg(database));
    }
}

bool database_run(sqlite3 *database, const char *sql, struct error **error)
{
    return sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK || database_failed(database, error);
}

sqlite3_stmt *database_prepare(sqlite3 *database, const char *sql, struct error **error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        database_failed(database, error);
    return statement;
}

int database_lock(const char *directory, struct error **error)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        error_set(error, ERROR_UNAVAILABLE, "cannot make the directory %s: %s", directory, strerror(errno));
        return -1;
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        error_set(error, ERROR_UNAVAILABLE, "cannot open the directory %s: %s", directory, strerror(errno));
        return -1;
    }
    struct stat facts;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            error_set(error, ERROR_UNAVAILABLE, "another retrogated uses the directory %s", directory);
        else
            error_set(error, ERROR_UNAVAILABLE, "cannot lock the directory %s: %s", directory,
                      strerror(errno));
    } else if (fstat(fd, &facts) != 0 || ((facts.st_mode & 077) != 0 && fchmod(fd, 0700) != 0)) {
        error_set(error, ERROR_UNAVAILABLE, "cannot keep others out of the directory %s: %s", directory,
                  strerror(errno));
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

static bool path_of(char path[PATH_MAX], const char *directory, const char *suffix, struct error **error)
{
    int size = snprintf(path, PATH_MAX, "%s/retrogate.db%s", directory, suffix);
    return (size > 0 && size < PATH_MAX) ||
           error_set(error, ERROR_INVALID, "the directory's name is too long");
}

/* Before SQLite opens the file: a descriptor of ours closed later would drop SQLite's locks (POSIX). */
static bool prepare_file(const char *directory, struct error **error)
{
    char path[PATH_MAX], log[PATH_MAX];
    struct stat file = {0}, log_file = {0};
    if (!path_of(path, directory, "", error) || !path_of(log, directory, "-wal", error))
        return false;

    bool there = lstat(path, &file) == 0;
    if (!there && errno != ENOENT)
        return error_set(error, ERROR_UNAVAILABLE, "cannot see %s: %s", path, strerror(errno));
    if (there && !S_ISREG(file.st_mode))
        return error_set(error, ERROR_INVALID, "%s is not a regular file", path);
    size_t log_size = lstat(log, &log_file) == 0 ? (size_t)log_file.st_size : 0;
    /* SQLite would take such a file for a new database, or fill its end with zeros. With a log it may be the
     * rest of an interrupted checkpoint, which SQLite repairs. */
    if (there && (file.st_size < PAGE || (log_size == 0 && file.st_size % PAGE != 0)))
        return error_set(
            error, ERROR_INTERNAL,
            "the database is damaged (it is cut short); restore it from a backup, or remove the file if "
            "this was the first start");
    if (!there && log_size > 0)
        return error_set(error, ERROR_INTERNAL,
                         "the database is damaged (it is missing, its log is not); restore it from a backup");
    if (there) {
        if ((file.st_mode & 0777) != 0600 && chmod(path, 0600) != 0)
            return error_set(error, ERROR_UNAVAILABLE, "cannot keep others out of %s: %s", path,
                             strerror(errno));
        return true;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(error, ERROR_UNAVAILABLE, "cannot make %s: %s", path, strerror(errno));
    close(fd);
    return true;
}

static sqlite3 *connect_to(const char *directory, int flags, struct error **error)
{
    char path[PATH_MAX];
    if (!path_of(path, directory, "", error))
        return NULL;

    sqlite3 *database = NULL;
    /* NOMUTEX: each connection belongs to one thread at a time. */
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &database, flags, NULL) != SQLITE_OK) {
        if (database == NULL)
            error_set(error, ERROR_UNAVAILABLE, "no memory for the database");
        else
            database_failed(database, error);
        sqlite3_close(database);
        return NULL;
    }
    sqlite3_busy_timeout(database, DATABASE_BUSY_MS);
    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return database;
}

static bool read_pragma(sqlite3 *database, const char *sql, int *number, struct error **error)
{
    sqlite3_stmt *statement = database_prepare(database, sql, error);
    if (statement == NULL)
        return false;
    bool read = sqlite3_step(statement) == SQLITE_ROW;
    if (read)
        *number = sqlite3_column_int(statement, 0);
    else
        database_failed(database, error);
    sqlite3_finalize(statement);
    return read;
}

/* Reads every page. Measured: four seconds for a gigabyte that is in the page cache. */
static bool check_whole(sqlite3 *database, struct error **error)
{
    sqlite3_stmt *statement = database_prepare(database, "PRAGMA quick_check(1)", error);
    if (statement == NULL)
        return false;
    const char *said = NULL;
    bool whole = sqlite3_step(statement) == SQLITE_ROW;
    if (!whole) {
        database_failed(database, error);
    } else {
        said = (const char *)sqlite3_column_text(statement, 0);
        whole = said != NULL && strcmp(said, "ok") == 0;
        if (!whole)
            error_set(error, ERROR_INTERNAL, "the database is damaged (%s); restore it from a backup",
                      said == NULL ? "unreadable" : said);
    }
    sqlite3_finalize(statement);
    return whole;
}

static bool check_file(sqlite3 *database, int *version, struct error **error)
{
    int pages = 0, application = 0;
    if (!read_pragma(database, "PRAGMA page_count", &pages, error) ||
        !read_pragma(database, "PRAGMA application_id", &application, error) ||
        !read_pragma(database, "PRAGMA user_version", version, error))
        return false;
    if (pages == 0 || (*version == 0 && application == 0 && pages == 1))
        return true; /* new, or the first start ended before its first migration */
    if (application != APPLICATION_ID)
        return error_set(error, ERROR_INVALID, "retrogate.db is a database of another program");
    if (*version > migrations_newest())
        return error_set(
            error, ERROR_INVALID,
            "the database was written by a newer retrogate (schema %d, this one knows %d); install that one",
            *version, migrations_newest());
    return check_whole(database, error);
}

sqlite3 *database_open_writer(const char *directory, struct error **error)
{
    static const char settings[] =
        "PRAGMA page_size = 4096;"
        "PRAGMA journal_mode = WAL;"
        "PRAGMA synchronous = FULL;"
        "PRAGMA secure_delete = ON;"
        "PRAGMA foreign_keys = ON;"
        "PRAGMA temp_store = MEMORY;"
        "PRAGMA cell_size_check = ON;"
        "PRAGMA cache_size = -8000;"            /* KiB */
        "PRAGMA journal_size_limit = 33554432;" /* bytes kept of a log that grew in one bulk */
        "PRAGMA wal_autocheckpoint = 0;";       /* the writer does it when nobody waits */

    /* Rollback journals of statements never go to a temporary file: they hold what people wrote. Memory
     * statistics cost a lock shared by all threads at each allocation. Both are refused, and set already,
     * from the second store on. */
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (!prepare_file(directory, error))
        return NULL;
    sqlite3 *database = connect_to(directory, SQLITE_OPEN_READWRITE, error);
    if (database == NULL)
        return NULL;

    int version = 0;
    char stamp[64];
    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d", APPLICATION_ID);
    /* A file that is refused is not to be changed by the checkpoint of closing it either. */
    sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (check_file(database, &version, error) && database_run(database, settings, error) &&
        (version > 0 || database_run(database, stamp, error)) &&
        migrations_run(database, version, migrations_newest(), error)) {
        sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
        return database;
    }
    sqlite3_close(database);
    return NULL;
}

sqlite3 *database_open_reader(const char *directory, struct error **error)
{
    sqlite3 *database = connect_to(directory, SQLITE_OPEN_READONLY, error);
    if (database != NULL &&
        !database_run(database, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON", error)) {
        sqlite3_close(database);
        return NULL;
    }
    return database;
}
