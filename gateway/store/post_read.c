/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "store/database.h"
#include "store/fold.h"
#include "store/internal.h"
#include "store/rows.h"

/* Posts are read with their deliveries, under one snapshot: while the outer statement is not done, the inner
 * ones see what it sees. A row in memory is the post, the number of its deliveries, and these. */
enum {
    POSTS_MOST = 1000,
    POSTS_BYTES = 256 << 20, /* of one read; what would be more is an error */
    PARAMETERS = 5,
};

/* From the commit on that deletes an account nothing shows its posts, though they are purged later. */
#define SELECT_POSTS(message, from)                                                                          \
    "SELECT " POST_COLUMNS ", " message " FROM " from " WHERE post.account = ?1"
#define WITH_ACCOUNT " AND EXISTS (SELECT 1 FROM account WHERE id = ?1)"
#define SELECT_MESSAGE                                                                                       \
    SELECT_POSTS("coalesce(message, x'')", "post LEFT JOIN post_message"                                     \
                                           " ON post_message.account = post.account"                         \
                                           " AND post_message.seq = post.seq")

/* ?1 is the account. A list has a limit as ?3, its box as ?4 and its thread as ?5. */
static const char *const queries[READINGS] = {
    [POSTS_CHANGED] =
        SELECT_POSTS("x''", "post INDEXED BY post_change") " AND change > ?2" WITH_ACCOUNT
                                                           " ORDER BY change, post.seq LIMIT ?3",
    [POSTS_ALL] = SELECT_POSTS("x''", "post") " AND seq < ?2" WITH_ACCOUNT " ORDER BY seq DESC LIMIT ?3",
    [POSTS_BOX] =
        SELECT_POSTS("x''", "post INDEXED BY post_direction") " AND seq < ?2 AND direction = ?4" WITH_ACCOUNT
                                                              " ORDER BY seq DESC LIMIT ?3",
    [POSTS_THREAD] =
        SELECT_POSTS("x''", "post INDEXED BY post_thread") " AND seq < ?2 AND thread = ?5"
                                                           " AND ?4 IN ('all', direction)" WITH_ACCOUNT
                                                           " ORDER BY seq DESC LIMIT ?3",
    [POST_ONE] = SELECT_MESSAGE " AND post.seq = ?2" WITH_ACCOUNT,
    [POST_LABELLED] =
        SELECT_POSTS("x''", "post INDEXED BY post_label") " AND label = ?2 AND label <> ''" WITH_ACCOUNT
                                                          " ORDER BY seq DESC LIMIT 1",
    [POST_BY_ID] = SELECT_POSTS("x''", "post") " AND seq = " POST_NAMED("?1", "?2") WITH_ACCOUNT,
    [POST_DELIVERIES] =
        "SELECT " DELIVERY_COLUMNS " FROM delivery WHERE account = ?1 AND seq = ?2 ORDER BY contact",
    [POST_KNOWN] = "SELECT 1 FROM post_mark WHERE account = ?1 AND digest = ?2 UNION ALL"
                   " SELECT 1 FROM post_mark INDEXED BY post_mark_sender WHERE account = ?1 AND sender = ?3"
                   " AND message_id = ?4 AND sender <> x'0000000000000000000000000000000000000000' LIMIT 1",
};

enum { SEQ_COLUMN = 1, DIRECTION_COLUMN = 2, SUBJECT_COLUMN = 5, PREVIEW_COLUMN = 6 };
static const int address_columns[] = {7, 8, 9};

struct post_read {
    struct job job; /* first */
    struct readings *readings;
    enum reading reading;
    struct value parameters[PARAMETERS]; /* texts and blobs are views of what follows */
    char words[STORE_WORDS_LIMIT + 1];   /* what is searched */
    char id[STORE_POST_ID_LIMIT + 1];    /* or a label */
    struct post_mark mark;
    struct buffer rows;
    struct delivery_row *deliveries; /* room for those of one post */
    size_t deliveries_most;
    unsigned max;
    int64_t before; /* where the list ended */
    bool more, known;
    store_post_fn *post;
    store_done_fn *done;
    store_searched_fn *listed;
    store_known_fn *told;
    void *arg;
};

static sqlite3_stmt *begin(struct post_read *read, enum reading reading, const struct value *parameters,
                           struct error **error)
{
    sqlite3_stmt *statement = readings_statement(read->readings, reading, queries[reading], error);
    if (statement == NULL)
        return NULL;
    int count = sqlite3_bind_parameter_count(statement), code = SQLITE_OK;
    for (int i = 0; i < count && code == SQLITE_OK; i++)
        code = value_bind(statement, i + 1, &parameters[i]);
    if (code == SQLITE_OK)
        return statement;
    database_failed(read->readings->database, error);
    return NULL;
}

static void end(struct post_read *read, sqlite3_stmt *statement, int code)
{
    if (read->rows.failed)
        error_set(&read->job.error, ERROR_UNAVAILABLE, "no memory for what was read");
    else if (code != SQLITE_ROW && code != SQLITE_DONE && read->job.error == NULL)
        database_failed(read->readings->database, &read->job.error);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

static void keep_columns(struct buffer *rows, sqlite3_stmt *statement, int width)
{
    for (int i = 0; i < width; i++) {
        struct value value = value_column(statement, i);
        value_write(rows, &value);
    }
}

static bool keep_deliveries(struct post_read *read, sqlite3_stmt *post, struct buffer *deliveries)
{
    const struct value parameters[] = {read->parameters[0],
                                       value_number(sqlite3_column_int64(post, SEQ_COLUMN))};
    sqlite3_stmt *statement = begin(read, POST_DELIVERIES, parameters, &read->job.error);
    if (statement == NULL)
        return false;
    size_t count = 0;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        keep_columns(deliveries, statement, DELIVERY_WIDTH);
        count++;
    }
    read->rows.failed |= deliveries->failed;
    end(read, statement, code);
    buffer_u32(&read->rows, (uint32_t)count);
    if (buffer_size(deliveries) > 0)
        buffer_append_bytes(&read->rows, buffer_view(deliveries));
    if (count > read->deliveries_most)
        read->deliveries_most = count;
    return read->job.error == NULL;
}

static bool keep_post(struct post_read *read, sqlite3_stmt *statement)
{
    keep_columns(&read->rows, statement, POST_WIDTH);
    struct value direction = value_column(statement, DIRECTION_COLUMN);
    if (!bytes_equal(direction.bytes, bytes_of_string("out")))
        return buffer_u32(&read->rows, 0);
    struct buffer deliveries = buffer_make(POSTS_BYTES);
    bool kept = keep_deliveries(read, statement, &deliveries);
    buffer_free(&deliveries);
    return kept;
}

/* Looks in the strings of a JSON array of objects, not in the names of their members. */
static bool finder_in_values(struct finder *finder, struct bytes json, bool *failed)
{
    for (size_t at = 0; at < json.size; at++) {
        if (json.data[at] != '"')
            continue;
        size_t first = ++at;
        while (at < json.size && json.data[at] != '"')
            at += json.data[at] == '\\' ? 2 : 1;
        size_t past = at < json.size ? at : json.size, next = past + 1;
        while (next < json.size && json.data[next] == ' ')
            next++;
        bool name = next < json.size && json.data[next] == ':';
        if (!name && finder_in(finder, bytes_of(json.data + first, past - first), failed))
            return true;
    }
    return false;
}

/* Adds what it looked at to *bytes. */
static bool matches(struct finder *finder, sqlite3_stmt *statement, size_t *bytes, bool *failed)
{
    struct bytes subject = value_column(statement, SUBJECT_COLUMN).bytes;
    struct bytes preview = value_column(statement, PREVIEW_COLUMN).bytes;
    *bytes += subject.size + preview.size;
    bool found = finder_in(finder, subject, failed) || finder_in(finder, preview, failed);
    for (size_t i = 0; i < sizeof address_columns / sizeof address_columns[0]; i++) {
        struct bytes addresses = value_column(statement, address_columns[i]).bytes;
        *bytes += addresses.size;
        found = found || finder_in_values(finder, addresses, failed);
    }
    return found;
}

static void run_posts(struct job *job)
{
    struct post_read *read = (struct post_read *)job;
    struct finder *finder = NULL;
    if (read->words[0] != 0 && (finder = readings_finder(read->readings, read->words)) == NULL) {
        error_set(&job->error, ERROR_UNAVAILABLE, "no memory to search");
        return;
    }
    sqlite3_stmt *statement = begin(read, read->reading, read->parameters, &job->error);
    if (statement == NULL)
        return;
    unsigned looked_at = 0, found = 0;
    size_t bytes = 0;
    int code = SQLITE_OK;
    while (!read->rows.failed && job->error == NULL && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        /* One row more than is looked at tells whether there are any. */
        if (found == read->max || looked_at == STORE_SEARCH_LINES || bytes >= STORE_SEARCH_BYTES)
            break;
        looked_at++;
        read->before = sqlite3_column_int64(statement, SEQ_COLUMN);
        if (finder == NULL || matches(finder, statement, &bytes, &read->rows.failed)) {
            found++;
            keep_post(read, statement);
        }
    }
    read->more = code == SQLITE_ROW;
    end(read, statement, code);
    if (job->error == NULL && read->reading == POST_ONE && found == 0)
        error_set(&job->error, ERROR_NOT_FOUND, "this post does not exist");
    if (job->error == NULL && read->deliveries_most > 0 &&
        (read->deliveries = calloc(read->deliveries_most, sizeof *read->deliveries)) == NULL)
        error_set(&job->error, ERROR_UNAVAILABLE, "no memory for what was read");
}

static void run_known(struct job *job)
{
    struct post_read *read = (struct post_read *)job;
    sqlite3_stmt *statement = begin(read, POST_KNOWN, read->parameters, &job->error);
    if (statement == NULL)
        return;
    int code = sqlite3_step(statement);
    read->known = code == SQLITE_ROW;
    end(read, statement, code);
}

static void read_values(struct reader *reader, struct value *values, int width)
{
    for (int i = 0; i < width; i++)
        values[i] = value_read(reader);
}

static void answer_read(struct job *job)
{
    struct post_read *read = (struct post_read *)job;
    struct reader reader = reader_of(job->error == NULL ? buffer_view(&read->rows) : bytes_of(NULL, 0));

    while (reader.left > 0) {
        struct value values[POST_WIDTH], delivery[DELIVERY_WIDTH];
        read_values(&reader, values, POST_WIDTH);
        struct post_row row = post_of(values);
        size_t count = read_u32(&reader);
        for (size_t i = 0; i < count; i++) {
            read_values(&reader, delivery, DELIVERY_WIDTH);
            read->deliveries[i] = delivery_of(delivery);
        }
        read->post(read->arg, &row, read->deliveries, count);
    }
    if (read->done != NULL)
        read->done(read->arg, job->error);
    if (read->listed != NULL)
        read->listed(read->arg, read->before, read->more, job->error);
    if (read->told != NULL)
        read->told(read->arg, read->known, job->error);
    buffer_free(&read->rows);
    free(read->deliveries);
    free(read);
}

/* The callbacks of `wanted` are told when there is no memory. NULL then. */
static struct post_read *post_read_new(struct store *store, const struct post_read *wanted)
{
    struct post_read *read = malloc(sizeof *read);
    if (read == NULL) {
        struct error *error = NULL;
        error_set(&error, ERROR_UNAVAILABLE, "no memory to ask the store");
        if (wanted->done != NULL)
            wanted->done(wanted->arg, error);
        if (wanted->listed != NULL)
            wanted->listed(wanted->arg, wanted->before, true, error);
        if (wanted->told != NULL)
            wanted->told(wanted->arg, false, error);
        error_free(error);
        return NULL;
    }
    *read = *wanted;
    read->readings = store_readings(store);
    read->rows = buffer_make(POSTS_BYTES);
    read->job = (struct job){
        .cost = sizeof *read, .run = read->told != NULL ? run_known : run_posts, .answer = answer_read};
    return read;
}

static void give(struct store *store, struct post_read *read)
{
    if (read != NULL)
        store_give_read(store, &read->job);
}

static void take_words(struct post_read *read, char *words, size_t limit, const char *from)
{
    size_t size = strlen(from);
    if (size <= limit)
        memcpy(words, from, size + 1);
    else
        error_set(&read->job.error, ERROR_LIMIT, "a label or id, or what is searched, is too long");
}

void store_posts_changed(struct store *store, int64_t account, int64_t after, unsigned max,
                         store_post_fn *post, store_done_fn *done, void *arg)
{
    max = max < POSTS_MOST ? max : POSTS_MOST;
    give(store,
         post_read_new(store, &(struct post_read){.reading = POSTS_CHANGED,
                                                  .parameters = {value_number(account), value_number(after),
                                                                 value_number(max)},
                                                  .max = max,
                                                  .post = post,
                                                  .done = done,
                                                  .arg = arg}));
}

void store_posts(struct store *store, const struct store_posts *wanted, store_post_fn *post,
                 store_searched_fn *done, void *arg)
{
    static const char *const boxes[] = {"all", "in", "out"};
    const char *box = NULL;
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++)
        if (strcmp(wanted->box, boxes[i]) == 0)
            box = boxes[i];
    unsigned max = wanted->max < POSTS_MOST ? wanted->max : POSTS_MOST;
    struct post_read *read = post_read_new(
        store, &(struct post_read){.reading = wanted->thread != 0 ? POSTS_THREAD
                                              : box != boxes[0]   ? POSTS_BOX
                                                                  : POSTS_ALL,
                                   .parameters = {value_number(wanted->account), value_number(wanted->before),
                                                  value_number(wanted->text[0] != 0 ? -1 : (int64_t)max + 1),
                                                  value_text(box), value_number(wanted->thread)},
                                   .max = max,
                                   .before = wanted->before,
                                   .post = post,
                                   .listed = done,
                                   .arg = arg});
    if (read == NULL)
        return;
    if (box == NULL)
        error_set(&read->job.error, ERROR_INVALID, "a box is in, out or all");
    take_words(read, read->words, STORE_WORDS_LIMIT, wanted->text);
    give(store, read);
}

void store_post(struct store *store, int64_t account, int64_t seq, store_post_fn *post, store_done_fn *done,
                void *arg)
{
    give(store,
         post_read_new(store, &(struct post_read){.reading = POST_ONE,
                                                  .parameters = {value_number(account), value_number(seq)},
                                                  .max = 1,
                                                  .post = post,
                                                  .done = done,
                                                  .arg = arg}));
}

static void give_named(struct store *store, enum reading reading, int64_t account, const char *id,
                       store_post_fn *post, store_done_fn *done, void *arg)
{
    struct post_read *read = post_read_new(store, &(struct post_read){.reading = reading,
                                                                      .parameters = {value_number(account)},
                                                                      .max = 1,
                                                                      .post = post,
                                                                      .done = done,
                                                                      .arg = arg});
    if (read == NULL)
        return;
    take_words(read, read->id, STORE_POST_ID_LIMIT, id);
    read->parameters[1] = value_text(read->id);
    give(store, read);
}

void store_post_labelled(struct store *store, int64_t account, const char *label, store_post_fn *post,
                         store_done_fn *done, void *arg)
{
    give_named(store, POST_LABELLED, account, label, post, done, arg);
}

void store_post_by_id(struct store *store, int64_t account, const char *message_id, store_post_fn *post,
                      store_done_fn *done, void *arg)
{
    give_named(store, POST_BY_ID, account, message_id, post, done, arg);
}

void store_post_known(struct store *store, int64_t account, const struct post_mark *mark,
                      store_known_fn *done, void *arg)
{
    struct post_read *read =
        post_read_new(store, &(struct post_read){.mark = *mark, .told = done, .arg = arg});
    if (read == NULL)
        return;
    read->parameters[0] = value_number(account);
    read->parameters[1] = value_blob(bytes_of(read->mark.digest, sizeof read->mark.digest));
    read->parameters[2] = value_blob(bytes_of(read->mark.sender, sizeof read->mark.sender));
    read->parameters[3] = value_blob(bytes_of(read->mark.message_id, sizeof read->mark.message_id));
    give(store, read);
}
