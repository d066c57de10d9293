/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "store/database.h"
#include "store/fold.h"
#include "store/internal.h"
#include "store/rows.h"

enum {
    READ_ROWS = 1000,
    READ_BYTES = READ_ROWS * (STORE_TEXT_LIMIT + 4096), /* more than so many lines can hold */
};

/* The same for all lines of one conversation, so that it is looked up once. */
#define CONVERSATION_NOT_PURGED                                                                              \
    " AND NOT EXISTS (SELECT 1 FROM purge WHERE account = ?1 AND kind = 'lines' AND id = ?2)"

static const struct {
    const char *sql;
    int width;
} queries[] = {
    [LINES_CHANGED] = {"SELECT " LINE_COLUMNS " FROM line WHERE account = ?1 AND change > ?2" LINE_NOT_PURGED
                       " ORDER BY change LIMIT ?3",
                       LINE_WIDTH},
    [GONE] = {"SELECT kind, id, change FROM gone WHERE account = ?1 AND change > ?2"
              " UNION ALL SELECT 'post', seq, change FROM post_gone WHERE account = ?1 AND change > ?2"
              " ORDER BY change",
              3},
    [HISTORY] = {"SELECT " LINE_COLUMNS
                 " FROM line WHERE account = ?1 AND conversation = ?2 AND seq < ?3" CONVERSATION_NOT_PURGED
                 " ORDER BY seq DESC LIMIT ?4",
                 LINE_WIDTH},
    [HISTORY_AFTER] =
        {"SELECT " LINE_COLUMNS
         " FROM line WHERE account = ?1 AND conversation = ?2 AND seq > ?3" CONVERSATION_NOT_PURGED
         " ORDER BY seq LIMIT ?4",
         LINE_WIDTH},
    /* Without the hint SQLite walks the conversation, because that is in order already. */
    [LABELLED] = {"SELECT " LINE_COLUMNS
                  " FROM line INDEXED BY line_label WHERE account = ?1 AND conversation = ?2 AND label = ?3 "
                  "AND label <> ''" CONVERSATION_NOT_PURGED " ORDER BY seq DESC LIMIT 1",
                  LINE_WIDTH},
    [SENT] = {"SELECT " LINE_COLUMNS
              " FROM line INDEXED BY line_sent WHERE route = ?1 AND number > ?2 AND number > 0"
              " AND delivery = 'sent'" LINE_NOT_PURGED " ORDER BY number LIMIT ?3",
              LINE_WIDTH},
    [SEARCH] = {"SELECT " LINE_COLUMNS " FROM line WHERE account = ?1 AND seq < ?3" LINE_NOT_PURGED
                " ORDER BY seq DESC",
                LINE_WIDTH},
    [SEARCH_ONE] = {"SELECT " LINE_COLUMNS
                    " FROM line WHERE account = ?1 AND conversation = ?2 AND seq < ?3" CONVERSATION_NOT_PURGED
                    " ORDER BY seq DESC",
                    LINE_WIDTH},
};

enum { SEQ_COLUMN = 1, TEXT_COLUMN = 5 };

struct read {
    struct job job; /* first */
    struct readings *readings;
    enum reading reading;
    int64_t parameters[4];
    char words[STORE_WORDS_LIMIT + 1]; /* a label, as ?3, or what is searched */
    struct buffer rows;                /* values, column by column */
    unsigned max;                      /* of a search */
    int64_t before;                    /* where the search ended */
    bool more;
    store_line_fn *line;
    store_gone_fn *gone;
    store_done_fn *done;
    store_searched_fn *searched;
    void *arg;
};

struct readings *readings_new(sqlite3 *database)
{
    struct readings *readings = calloc(1, sizeof *readings);
    if (readings == NULL)
        sqlite3_close(database);
    else
        readings->database = database;
    return readings;
}

void readings_free(struct readings *readings)
{
    if (readings == NULL)
        return;
    for (size_t i = 0; i < READINGS; i++)
        sqlite3_finalize(readings->kept[i]);
    finder_free(readings->finder);
    sqlite3_close(readings->database);
    free(readings);
}

sqlite3_stmt *readings_statement(struct readings *readings, enum reading reading, const char *sql,
                                 struct error **error)
{
    sqlite3_stmt **kept = &readings->kept[reading];
    if (*kept == NULL)
        *kept = database_prepare(readings->database, sql, error);
    return *kept;
}

struct finder *readings_finder(struct readings *readings, const char *text)
{
    if (readings->finder == NULL)
        readings->finder = finder_new();
    return readings->finder != NULL && finder_set(readings->finder, bytes_of_string(text)) ? readings->finder
                                                                                           : NULL;
}

/* The statement of a reading with its parameters. NULL with an error. */
static sqlite3_stmt *begin(struct read *read, struct error **error)
{
    sqlite3 *database = read->readings->database;
    sqlite3_stmt *kept = readings_statement(read->readings, read->reading, queries[read->reading].sql, error);
    int code = SQLITE_OK;
    for (int i = 0; kept != NULL && i < sqlite3_bind_parameter_count(kept) && code == SQLITE_OK; i++) {
        struct value label = value_text(read->words);
        code = read->reading == LABELLED && i == 2 ? value_bind(kept, i + 1, &label)
                                                   : sqlite3_bind_int64(kept, i + 1, read->parameters[i]);
    }
    if (code == SQLITE_OK)
        return kept;
    database_failed(database, error);
    return NULL;
}

/* Ends it after the row or error `code`. */
static void end(struct read *read, sqlite3_stmt *statement, bool good, struct error **error)
{
    if (read->rows.failed)
        error_set(error, ERROR_UNAVAILABLE, "no memory for what was read");
    else if (!good)
        database_failed(read->readings->database, error);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

static void keep_row(struct read *read, sqlite3_stmt *statement)
{
    for (int i = 0; i < queries[read->reading].width; i++) {
        struct value value = value_column(statement, i);
        value_write(&read->rows, &value);
    }
}

static void run_read(struct job *job)
{
    struct read *read = (struct read *)job;
    sqlite3_stmt *statement = begin(read, &job->error);
    if (statement == NULL)
        return;
    int code = SQLITE_OK;
    while (!read->rows.failed && (code = sqlite3_step(statement)) == SQLITE_ROW)
        keep_row(read, statement);
    end(read, statement, code == SQLITE_DONE, &job->error);
}

static void run_search(struct job *job)
{
    struct read *read = (struct read *)job;
    struct finder *finder = readings_finder(read->readings, read->words);
    sqlite3_stmt *statement = finder != NULL ? begin(read, &job->error) : NULL;
    if (statement == NULL) {
        error_set(&job->error, ERROR_UNAVAILABLE, "no memory to search");
        return;
    }
    unsigned looked_at = 0, found = 0;
    size_t bytes = 0;
    int code = SQLITE_OK;
    while (!read->rows.failed && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        /* One row more than is looked at tells whether there are any. */
        if (found == read->max || looked_at == STORE_SEARCH_LINES || bytes >= STORE_SEARCH_BYTES)
            break;
        struct bytes text = value_column(statement, TEXT_COLUMN).bytes;
        looked_at++;
        bytes += text.size;
        read->before = sqlite3_column_int64(statement, SEQ_COLUMN);
        if (finder_in(finder, text, &read->rows.failed)) {
            found++;
            keep_row(read, statement);
        }
    }
    read->more = code == SQLITE_ROW;
    end(read, statement, code == SQLITE_ROW || code == SQLITE_DONE, &job->error);
}

static void answer_read(struct job *job)
{
    struct read *read = (struct read *)job;
    int width = queries[read->reading].width;
    struct reader reader = reader_of(job->error == NULL ? buffer_view(&read->rows) : bytes_of(NULL, 0));

    while (reader.left > 0) {
        struct value values[LINE_WIDTH];
        for (int i = 0; i < width; i++)
            values[i] = value_read(&reader);
        if (read->line != NULL) {
            struct line_row line = line_of(values);
            read->line(read->arg, &line);
        } else if (read->gone != NULL) {
            read->gone(read->arg, (const char *)values[0].bytes.data, values[1].number, values[2].number);
        }
    }
    if (read->done != NULL)
        read->done(read->arg, job->error);
    if (read->searched != NULL)
        read->searched(read->arg, read->before, read->more, job->error);
    buffer_free(&read->rows);
    free(read);
}

static void give_words(struct store *store, const struct read *wanted, const char *words)
{
    struct read *read = malloc(sizeof *read);
    if (read == NULL) {
        struct error *error = NULL;
        error_set(&error, ERROR_UNAVAILABLE, "no memory to ask the store");
        if (wanted->done != NULL)
            wanted->done(wanted->arg, error);
        if (wanted->searched != NULL)
            wanted->searched(wanted->arg, wanted->before, true, error);
        error_free(error);
        return;
    }
    *read = *wanted;
    read->readings = store_readings(store);
    read->rows = buffer_make(READ_BYTES);
    read->job = (struct job){
        .cost = sizeof *read, .run = read->searched != NULL ? run_search : run_read, .answer = answer_read};
    if (strlen(words) <= STORE_WORDS_LIMIT)
        memcpy(read->words, words, strlen(words) + 1);
    else
        error_set(&read->job.error, ERROR_LIMIT, "a label, or what is searched, has at most %d bytes",
                  STORE_WORDS_LIMIT);
    store_give_read(store, &read->job);
}

static void give(struct store *store, const struct read *wanted)
{
    give_words(store, wanted, "");
}

static int64_t bounded(unsigned max)
{
    return max < READ_ROWS ? max : READ_ROWS;
}

void store_lines_changed(struct store *store, int64_t account, int64_t after, unsigned max,
                         store_line_fn *line, store_done_fn *done, void *arg)
{
    give(store, &(struct read){.reading = LINES_CHANGED,
                               .parameters = {account, after, bounded(max)},
                               .line = line,
                               .done = done,
                               .arg = arg});
}

void store_gone(struct store *store, int64_t account, int64_t after, store_gone_fn *gone, store_done_fn *done,
                void *arg)
{
    give(store, &(struct read){
                    .reading = GONE, .parameters = {account, after}, .gone = gone, .done = done, .arg = arg});
}

void store_history(struct store *store, int64_t account, int64_t conversation, int64_t before, unsigned max,
                   store_line_fn *line, store_done_fn *done, void *arg)
{
    give(store, &(struct read){.reading = HISTORY,
                               .parameters = {account, conversation, before, bounded(max)},
                               .line = line,
                               .done = done,
                               .arg = arg});
}

void store_history_after(struct store *store, int64_t account, int64_t conversation, int64_t after,
                         unsigned max, store_line_fn *line, store_done_fn *done, void *arg)
{
    give(store, &(struct read){.reading = HISTORY_AFTER,
                               .parameters = {account, conversation, after, bounded(max)},
                               .line = line,
                               .done = done,
                               .arg = arg});
}

void store_labelled(struct store *store, int64_t account, int64_t conversation, const char *label,
                    store_line_fn *line, store_done_fn *done, void *arg)
{
    give_words(store,
               &(struct read){.reading = LABELLED,
                              .parameters = {account, conversation},
                              .line = line,
                              .done = done,
                              .arg = arg},
               label);
}

void store_sent_lines(struct store *store, int64_t route, uint64_t above, unsigned max, store_line_fn *line,
                      store_done_fn *done, void *arg)
{
    give(store, &(struct read){.reading = SENT,
                               .parameters = {route, (int64_t)above, bounded(max)},
                               .line = line,
                               .done = done,
                               .arg = arg});
}

void store_search(struct store *store, const struct store_search *wanted, store_line_fn *line,
                  store_searched_fn *done, void *arg)
{
    give_words(store,
               &(struct read){.reading = wanted->conversation != 0 ? SEARCH_ONE : SEARCH,
                              .parameters = {wanted->account, wanted->conversation, wanted->before},
                              .max = (unsigned)bounded(wanted->max),
                              .before = wanted->before,
                              .line = line,
                              .searched = done,
                              .arg = arg},
               wanted->text);
}
