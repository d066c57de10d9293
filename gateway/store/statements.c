/* SPDX-License-Identifier: ISC */
#include "store/statements.h"

#include <stdlib.h>

#include "store/database.h"
#include "store/rows.h"

enum { STEPS = 4, PARAMETERS = 30, MARKS_KEPT = 16 };

/* Values that every line raises, in rows that many lines share. Within a transaction they are written when
 * they are met first, which shows that the row is there, and once at its end. */
enum mark { NO_MARK, MARK_CONVERSATION, MARK_COUNTER, MARK_NUMBER_OUT, MARK_NUMBER_IN, MARKS };

struct step {
    const char *sql;
    /* Said as ERROR_NOT_FOUND when the statement finds or changes no row, or fewer than its range has; NULL:
     * may do nothing. */
    const char *needs;
    enum mark mark;       /* instead of sql */
    uint8_t parameter[4]; /* two of its key, two values; 0: none */
    uint8_t range[2];     /* first and last of the rows that it changes; 0: one row */
};

/* ?1 and ?2 are the key, ?3 and ?4 the values. */
static const struct step marks[MARKS] = {
    [MARK_CONVERSATION] =
        {.sql = "UPDATE conversation SET last_seq = max(last_seq, ?3) WHERE account = ?1 AND id = ?2",
         .needs = "the conversation of this line does not exist"},
    [MARK_COUNTER] =
        {.sql = "UPDATE counter SET last_seq = max(last_seq, ?3), last_change = max(last_change, ?4)"
                " WHERE account = ?1"},
    [MARK_NUMBER_OUT] = {.sql = "UPDATE route SET number_out = max(number_out, ?3) WHERE id = ?1",
                         .needs = "this route does not exist"},
    [MARK_NUMBER_IN] = {.sql = "UPDATE route SET number_in = max(number_in, ?3) WHERE id = ?1",
                        .needs = "this route does not exist"},
};

#define RAISE(...)                                                                                           \
    {                                                                                                        \
        .mark = __VA_ARGS__                                                                                  \
    }
#define RAISE_CHANGE(number) RAISE(MARK_COUNTER, .parameter = {1, 0, 0, number})

#define NO_POST "this post does not exist"
/* The store's thread purges files and runs this; so the file stays until the row that names it is there. */
#define POST_BLOB_THERE                                                                                      \
    {                                                                                                        \
        .sql = "SELECT 1 WHERE ?20 = '' OR blob_there(?1, ?20)",                                             \
        .needs = "the blob of this post is not there"                                                        \
    }
#define POST_MESSAGE                                                                                         \
    {                                                                                                        \
        .sql = "INSERT OR REPLACE INTO post_message VALUES (?1, ?2, ?19)"                                    \
    }
/* Given, or that of the post it answers, or its own. */
#define POST_THREAD                                                                                          \
    " CASE WHEN ?14 > 0 THEN ?14 ELSE coalesce((SELECT thread FROM post AS first WHERE first.account = ?1"   \
    " AND first.seq = " POST_NAMED("?1", "?13") "), ?2) END"

static const struct step operations[OPERATIONS][STEPS] = {
    [PUT_NODE] = {{.sql = "INSERT OR REPLACE INTO node VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)"}},

    [PUT_FRIEND] =
        {{.sql = "INSERT OR REPLACE INTO friend VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"}},
    [DELETE_FRIEND] = {{.sql = "DELETE FROM friend WHERE location = ?1"}},

    [PUT_ACCOUNT] =
        {{.sql = "INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
                 " ON CONFLICT (id) DO UPDATE SET name = excluded.name, password = excluded.password,"
                 " fingerprint = excluded.fingerprint, key_block = excluded.key_block,"
                 " key_wrapped = excluded.key_wrapped, passphrase_wrapped = excluded.passphrase_wrapped,"
                 " settings = excluded.settings, epoch = excluded.epoch, created = excluded.created,"
                 " is_operator = excluded.is_operator"},
         {.sql = "INSERT INTO counter VALUES (?1, ?12, ?13)"
                 " ON CONFLICT (account) DO UPDATE SET last_seq = max(last_seq, excluded.last_seq),"
                 " last_change = max(last_change, excluded.last_change)"}},
    [DELETE_ACCOUNT] = {{.sql = "DELETE FROM account WHERE id = ?1"}},

    [PUT_APP_PASSWORD] =
        {{.sql = "INSERT OR REPLACE INTO app_password VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"}},
    [DELETE_APP_PASSWORD] = {{.sql = "DELETE FROM app_password WHERE account = ?1 AND id = ?2"}},

    [PUT_CONTACT] =
        {{.sql = "INSERT INTO contact VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
                 " ON CONFLICT (account, id) DO UPDATE SET handle = excluded.handle, name = excluded.name,"
                 " fingerprint = excluded.fingerprint, key_block = excluded.key_block,"
                 " presence = excluded.presence, created = excluded.created, change = excluded.change,"
                 " posts = CASE posts WHEN 'sealed' THEN posts ELSE excluded.posts END"},
         RAISE_CHANGE(9)},

    [PUT_CONVERSATION] =
        {{.sql = "INSERT INTO conversation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
                 " ON CONFLICT (account, id) DO UPDATE SET contact = excluded.contact,"
                 " open = excluded.open, read_seq = max(read_seq, excluded.read_seq),"
                 " last_seq = max(last_seq, excluded.last_seq), closed_at = excluded.closed_at,"
                 " avatar = excluded.avatar, state_text = excluded.state_text,"
                 " created = excluded.created, change = excluded.change,"
                 " sealed = excluded.sealed"},
         RAISE_CHANGE(11)},

    /* A salt's number must never come back, so salt_next is not lowered (protocol 00 19); nor a line's.
       A route that is
       stored late, when its conversation was removed, would keep its keys and stop the next start. */
    [PUT_ROUTE] =
        {{.sql = "INSERT INTO route SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
                 " ?14, ?15, ?16, ?17, ?18, ?19"
                 " WHERE EXISTS (SELECT 1 FROM conversation WHERE account = ?2 AND id = ?3)"
                 " ON CONFLICT (id) DO UPDATE SET conversation = excluded.conversation, kind = excluded.kind,"
                 " role = excluded.role, invite = excluded.invite, hash = excluded.hash,"
                 " keys_wrapped = excluded.keys_wrapped, salt_next = max(salt_next, excluded.salt_next),"
                 " confirmed = excluded.confirmed, closed_by_peer = excluded.closed_by_peer,"
                 " created = excluded.created, last_used = excluded.last_used,"
                 " sealing = excluded.sealing, settled = excluded.settled, context = excluded.context,"
                 " number_out = max(number_out, excluded.number_out),"
                 " number_in = max(number_in, excluded.number_in), parting = max(parting, excluded.parting)"
                 " WHERE account = excluded.account",
          .needs = "this route's conversation does not exist, or it is another account's route"}},
    [DELETE_ROUTE] = {{.sql = "DELETE FROM route WHERE id = ?2 AND account = ?1"}},

    [PUT_INVITE] =
        {{.sql = "INSERT OR REPLACE INTO invite VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"},
         RAISE_CHANGE(12)},

    [PUT_CLIENT] = {{.sql = "INSERT OR REPLACE INTO client VALUES (?1, ?2, ?3, ?4, ?5, ?6)"}},
    [DELETE_CLIENT] = {{.sql = "DELETE FROM client WHERE account = ?1 AND name = ?2"}},

    [PUT_LINE] = {RAISE(MARK_CONVERSATION, .parameter = {1, 3, 2}),
                  {.sql = "INSERT INTO line VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"},
                  RAISE(MARK_COUNTER, .parameter = {1, 0, 2, 12})},
    [SET_DELIVERY] = {{.sql = "UPDATE line SET delivery = ?3, reason = ?4, route = ?5, change = ?6"
                              " WHERE account = ?1 AND seq = ?2",
                       .needs = "this line does not exist"},
                      RAISE_CHANGE(6)},
    /* The route stays: an index holds it. */
    [SET_DELIVERED] = {{.sql = "UPDATE line SET delivery = 'delivered', reason = '', change = ?4 + seq - ?2"
                               " WHERE account = ?1 AND seq BETWEEN ?2 AND ?3",
                        .needs = "a line of these does not exist",
                        .range = {2, 3}},
                       RAISE_CHANGE(5)},

    [PUT_SALT] = {{.sql = "SELECT 1 FROM route WHERE id = ?1",
                   .needs = "the route of this salt does not exist"},
                  {.sql = "INSERT OR IGNORE INTO salt VALUES (?1, ?2)"}},
    [SET_SALT_NEXT] = {{.sql = "UPDATE route SET salt_next = max(salt_next, ?2) WHERE id = ?1",
                        .needs = "this route does not exist"}},

    [SET_NUMBER] =
        {{.sql = "UPDATE line SET delivery = 'sent', reason = '', route = ?3, number = ?4, change = ?5"
                 " WHERE account = ?1 AND seq = ?2 AND direction = 'out' AND delivery = 'queued'",
          .needs = "this line does not exist, or is not queued"},
         RAISE_CHANGE(5)},
    [RAISE_NUMBER_OUT] = {RAISE(MARK_NUMBER_OUT, .parameter = {1, 0, 2})},
    [RAISE_NUMBER_IN] = {RAISE(MARK_NUMBER_IN, .parameter = {1, 0, 2})},

    [REMOVE_CONTACT] = {{.sql = "DELETE FROM contact WHERE account = ?1 AND id = ?2"},
                        {.sql = "INSERT OR IGNORE INTO gone VALUES (?1, 'contact', ?2, ?3)"},
                        RAISE_CHANGE(3)},
    [REMOVE_CONVERSATION] = {{.sql = "DELETE FROM conversation WHERE account = ?1 AND id = ?2"},
                             {.sql = "INSERT OR IGNORE INTO gone VALUES (?1, 'conversation', ?2, ?3)"},
                             RAISE_CHANGE(3)},
    [REMOVE_INVITE] = {{.sql = "DELETE FROM invite WHERE account = ?1 AND id = ?2"},
                       {.sql = "INSERT OR IGNORE INTO gone VALUES (?1, 'invite', ?2, ?3)"},
                       RAISE_CHANGE(3)},

    [PUT_POST] =
        {POST_BLOB_THERE,
         {.sql = "INSERT INTO post SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13," POST_THREAD
                 ", ?15, ?16, ?17, ?18, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30"
                 " WHERE EXISTS (SELECT 1 FROM account WHERE id = ?1)",
          .needs = "the account of this post does not exist"},
         POST_MESSAGE,
         RAISE(MARK_COUNTER, .parameter = {1, 0, 2, 30})},
    [REPLACE_POST] =
        {POST_BLOB_THERE,
         {.sql =
              "UPDATE post SET direction = ?3, kind = ?4, contact = ?5, subject = ?6, preview = ?7, sender = "
              "?8,"
              " receivers = ?9, copies = ?10, message_id = ?11, wire_id = ?12, in_reply_to = ?13,"
              " thread =" POST_THREAD
              ", time = ?15, peer_time = ?16, size = ?17, attachments = ?18, blob = ?20,"
              " seen = ?21, answered = ?22, flagged = ?23, is_signed = ?24, verdict = ?25, protection = ?26,"
              " level = ?27, label = ?28, options = ?29, change = ?30 WHERE account = ?1 AND seq = ?2",
          .needs = NO_POST},
         POST_MESSAGE,
         RAISE_CHANGE(30)},
    [SET_POST_FLAGS] =
        {{.sql = "UPDATE post SET seen = iif(?3 < 0, seen, ?3), answered = iif(?4 < 0, answered, ?4),"
                 " flagged = iif(?5 < 0, flagged, ?5), change = ?6 WHERE account = ?1 AND seq = ?2"},
         RAISE_CHANGE(6)},
    [SET_POST_CHANGE] = {{.sql = "UPDATE post SET change = ?3 WHERE account = ?1 AND seq = ?2",
                          .needs = NO_POST},
                         RAISE_CHANGE(3)},
    [REMOVE_POST] =
        {{.sql = "INSERT INTO post_gone SELECT account, ?3, seq FROM post WHERE account = ?1 AND seq = ?2"},
         {.sql = "DELETE FROM post WHERE account = ?1 AND seq = ?2"},
         RAISE_CHANGE(3)},
    [PUT_DELIVERY] = {{.sql = "SELECT 1 FROM post WHERE account = ?1 AND seq = ?2 AND direction = 'out'",
                       .needs = "the own post of this delivery does not exist"},
                      {.sql = "INSERT OR REPLACE INTO delivery"
                              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"}},
    [PUT_POST_MARK] = {{.sql = "INSERT INTO post_mark SELECT ?1, ?2, ?3, ?4, ?5"
                               " WHERE EXISTS (SELECT 1 FROM account WHERE id = ?1)",
                        .needs = "the account of this post does not exist"}},

    [PUT_POST_LINK] = {{.sql = "INSERT OR REPLACE INTO post_link VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
                       RAISE_CHANGE(7)},
    [PUT_POST_WAY] = {{.sql = "INSERT OR REPLACE INTO post_way VALUES (?1, ?2, ?3, ?4)"}},
    [DELETE_POST_WAY] = {{.sql = "DELETE FROM post_way WHERE account = ?1 AND contact = ?2 AND hash = ?3"}},
    [LOWER_POSTS] = {{.sql = "UPDATE contact SET posts = 'unknown' WHERE account = ?1 AND id = ?2",
                      .needs = "this contact does not exist"}},
};

/* Those that leave every marked row where it is. */
static const bool keeps_marks[OPERATIONS] = {
    [PUT_LINE] = true,      [SET_DELIVERY] = true, [SET_DELIVERED] = true,    [PUT_SALT] = true,
    [SET_SALT_NEXT] = true, [SET_NUMBER] = true,   [RAISE_NUMBER_OUT] = true, [RAISE_NUMBER_IN] = true,
    [PUT_POST] = true,      [PUT_DELIVERY] = true, [PUT_POST_MARK] = true,    [SET_POST_FLAGS] = true,
    [REPLACE_POST] = true,  [REMOVE_POST] = true,  [SET_POST_CHANGE] = true,
};

struct marked {
    enum mark mark;
    int64_t key[2], value[2];
    bool raised; /* above what was written */
};

struct statements {
    sqlite3 *database;
    sqlite3_stmt *kept[OPERATIONS][STEPS], *marks[MARKS];
    struct marked marked[MARKS_KEPT];
    size_t marked_count;
    bool wiped;
};

void operation_write(struct buffer *batch, enum operation operation, const struct value *values, size_t count)
{
    buffer_u8(batch, (uint8_t)operation);
    buffer_u8(batch, (uint8_t)count);
    for (size_t i = 0; i < count; i++)
        value_write(batch, &values[i]);
}

struct statements *statements_new(sqlite3 *database)
{
    struct statements *statements = calloc(1, sizeof *statements);
    if (statements != NULL)
        statements->database = database;
    return statements;
}

void statements_free(struct statements *statements)
{
    if (statements == NULL)
        return;
    for (size_t i = 0; i < OPERATIONS; i++)
        for (size_t j = 0; j < STEPS; j++)
            sqlite3_finalize(statements->kept[i][j]);
    for (size_t i = 0; i < MARKS; i++)
        sqlite3_finalize(statements->marks[i]);
    free(statements);
}

static bool changed_all(sqlite3 *database, const struct step *step, const struct value *values)
{
    int64_t wanted =
        step->range[0] > 0 ? values[step->range[1] - 1].number - values[step->range[0] - 1].number + 1 : 1;
    return sqlite3_changes(database) >= wanted;
}

static bool run_step(sqlite3 *database, sqlite3_stmt **kept, const struct step *step,
                     const struct value *values, int count, struct error **error)
{
    if (*kept == NULL && (*kept = database_prepare(database, step->sql, error)) == NULL)
        return false;
    sqlite3_stmt *statement = *kept;
    int used = sqlite3_bind_parameter_count(statement);
    int code = used <= count ? SQLITE_OK : SQLITE_RANGE;
    for (int i = 0; i < used && code == SQLITE_OK; i++)
        code = value_bind(statement, i + 1, &values[i]);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);

    bool done = code == SQLITE_ROW || code == SQLITE_DONE;
    if (!done)
        database_failed(database, error);
    else if (step->needs != NULL && code == SQLITE_DONE &&
             (sqlite3_stmt_readonly(statement) || !changed_all(database, step, values)))
        done = error_set(error, ERROR_NOT_FOUND, "%s", step->needs);
    /* What is bound stays bound: the next use binds it all anew, and reads nothing before. */
    sqlite3_reset(statement);
    return done;
}

static bool write_mark(struct statements *statements, struct marked *marked, struct error **error)
{
    const struct value values[] = {value_number(marked->key[0]), value_number(marked->key[1]),
                                   value_number(marked->value[0]), value_number(marked->value[1])};
    marked->raised = false;
    return run_step(statements->database, &statements->marks[marked->mark], &marks[marked->mark], values, 4,
                    error);
}

bool statements_finish(struct statements *statements, struct error **error)
{
    bool good = true;
    for (size_t i = 0; i < statements->marked_count && good; i++)
        good = !statements->marked[i].raised || write_mark(statements, &statements->marked[i], error);
    statements->marked_count = 0;
    return good;
}

void statements_forget(struct statements *statements)
{
    statements->marked_count = 0;
}

static bool raise_mark(struct statements *statements, const struct step *step, const struct value *values,
                       struct error **error)
{
    int64_t number[4];
    for (size_t i = 0; i < 4; i++)
        number[i] = step->parameter[i] > 0 ? values[step->parameter[i] - 1].number : 0;
    for (size_t i = 0; i < statements->marked_count; i++) {
        struct marked *each = &statements->marked[i];
        if (each->mark != step->mark || each->key[0] != number[0] || each->key[1] != number[1])
            continue;
        for (size_t j = 0; j < 2; j++) {
            if (number[j + 2] > each->value[j]) {
                each->value[j] = number[j + 2];
                each->raised = true;
            }
        }
        return true;
    }
    if (statements->marked_count == MARKS_KEPT && !statements_finish(statements, error))
        return false;
    struct marked *marked = &statements->marked[statements->marked_count];
    *marked = (struct marked){step->mark, {number[0], number[1]}, {number[2], number[3]}, false};
    if (!write_mark(statements, marked, error))
        return false;
    statements->marked_count++;
    return true;
}

static bool run_operation(struct statements *statements, uint8_t operation, const struct value *values,
                          int count, struct error **error)
{
    if (!keeps_marks[operation] && !statements_finish(statements, error))
        return false;
    for (size_t i = 0; i < STEPS; i++) {
        const struct step *step = &operations[operation][i];
        bool good = true;
        if (step->mark != NO_MARK)
            good = raise_mark(statements, step, values, error);
        else if (step->sql != NULL)
            good =
                run_step(statements->database, &statements->kept[operation][i], step, values, count, error);
        if (!good)
            return false;
    }
    statements->wiped |= operation == PUT_ROUTE || operation == PUT_INVITE || operation == REMOVE_POST;
    return true;
}

bool statements_wiped(struct statements *statements)
{
    bool wiped = statements->wiped;
    statements->wiped = false;
    return wiped;
}

bool statements_run(struct statements *statements, struct bytes batch, struct error **error)
{
    struct reader reader = reader_of(batch);
    while (reader.left > 0) {
        struct value values[PARAMETERS];
        uint8_t operation = read_u8(&reader);
        uint8_t count = read_u8(&reader);
        if (operation >= OPERATIONS || count > PARAMETERS)
            return error_set(error, ERROR_INTERNAL, "the store cannot read its own batch");
        for (size_t i = 0; i < count; i++)
            values[i] = value_read(&reader);
        if (reader.failed)
            return error_set(error, ERROR_INTERNAL, "the store cannot read its own batch");
        if (!run_operation(statements, operation, values, count, error))
            return false;
    }
    return true;
}
