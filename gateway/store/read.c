/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "store/database.h"
#include "store/internal.h"

enum {
    READ_ROWS = 1000,
    READ_BYTES = READ_ROWS * (STORE_TEXT_LIMIT + 4096), /* more than so many lines can hold */
};

/* The same for all lines of one conversation, so that it is looked up once. */
#define CONVERSATION_NOT_PURGED                                                                              \
    " AND NOT EXISTS (SELECT 1 FROM purge WHERE account = ?1 AND kind = 'lines' AND id = ?2)"

enum reading { LINES_CHANGED, GONE, HISTORY, HISTORY_AFTER, READINGS };

static const struct {
    const char *sql;
    int width;
} queries[READINGS] = {
    [LINES_CHANGED] = {"SELECT " LINE_COLUMNS " FROM line WHERE account = ?1 AND change > ?2" LINE_NOT_PURGED
                       " ORDER BY change LIMIT ?3",
                       LINE_WIDTH},
    [GONE] = {"SELECT kind, id, change FROM gone WHERE account = ?1 AND change > ?2 ORDER BY change", 3},
    [HISTORY] = {"SELECT " LINE_COLUMNS
                 " FROM line WHERE account = ?1 AND conversation = ?2 AND seq < ?3" CONVERSATION_NOT_PURGED
                 " ORDER BY seq DESC LIMIT ?4",
                 LINE_WIDTH},
    [HISTORY_AFTER] =
        {"SELECT " LINE_COLUMNS
         " FROM line WHERE account = ?1 AND conversation = ?2 AND seq > ?3" CONVERSATION_NOT_PURGED
         " ORDER BY seq LIMIT ?4",
         LINE_WIDTH},
};

struct readings {
    sqlite3 *database;
    sqlite3_stmt *kept[READINGS];
};

struct read {
    struct job job; /* first */
    struct readings *readings;
    enum reading reading;
    int64_t parameters[4];
    struct buffer rows; /* values, column by column */
    store_line_fn *line;
    store_gone_fn *gone;
    store_done_fn *done;
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
    sqlite3_close(readings->database);
    free(readings);
}

struct line_row line_of(const struct value values[LINE_WIDTH])
{
    return (struct line_row){
        .account = values[0].number,
        .seq = values[1].number,
        .conversation = values[2].number,
        .route = values[3].number,
        .direction = (const char *)values[4].bytes.data,
        .text = values[5].bytes,
        .time = values[6].number,
        .peer_time = values[7].number,
        .delivery = (const char *)values[8].bytes.data,
        .reason = (const char *)values[9].bytes.data,
        .label = (const char *)values[10].bytes.data,
        .change = values[11].number,
    };
}

static void run_read(struct job *job)
{
    struct read *read = (struct read *)job;
    sqlite3 *database = read->readings->database;
    sqlite3_stmt **kept = &read->readings->kept[read->reading];
    if (*kept == NULL)
        *kept = database_prepare(database, queries[read->reading].sql, &job->error);
    if (*kept == NULL)
        return;

    int code = SQLITE_OK;
    for (int i = 0; i < sqlite3_bind_parameter_count(*kept) && code == SQLITE_OK; i++)
        code = sqlite3_bind_int64(*kept, i + 1, read->parameters[i]);
    while (!read->rows.failed && (code = sqlite3_step(*kept)) == SQLITE_ROW) {
        for (int i = 0; i < queries[read->reading].width; i++) {
            struct value value = value_column(*kept, i);
            value_write(&read->rows, &value);
        }
    }
    if (read->rows.failed)
        error_set(&job->error, ERROR_UNAVAILABLE, "no memory for what was read");
    else if (code != SQLITE_DONE)
        database_failed(database, &job->error);
    sqlite3_reset(*kept);
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
    buffer_free(&read->rows);
    free(read);
}

static void give(struct store *store, const struct read *wanted)
{
    struct read *read = malloc(sizeof *read);
    if (read == NULL) {
        struct error *error = NULL;
        error_set(&error, ERROR_UNAVAILABLE, "no memory to ask the store");
        if (wanted->done != NULL)
            wanted->done(wanted->arg, error);
        error_free(error);
        return;
    }
    *read = *wanted;
    read->readings = store_readings(store);
    read->rows = buffer_make(READ_BYTES);
    read->job = (struct job){.cost = sizeof *read, .run = run_read, .answer = answer_read};
    store_give_read(store, &read->job);
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
