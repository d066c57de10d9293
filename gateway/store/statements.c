/* SPDX-License-Identifier: ISC */
#include "store/statements.h"

#include <stdlib.h>

#include "store/database.h"

enum { STEPS = 3, PARAMETERS = 19 };

struct step {
    const char *sql;
    const char
        *needs; /* said as ERROR_NOT_FOUND when the statement finds or changes no row; NULL: may do nothing */
};

#define RAISE_CHANGE(parameter)                                                                              \
    {                                                                                                        \
        "UPDATE counter SET last_change = " parameter " WHERE account = ?1 AND last_change < " parameter,    \
            NULL                                                                                             \
    }

static const struct step operations[OPERATIONS][STEPS] = {
    [PUT_NODE] = {{"INSERT OR REPLACE INTO node VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)", NULL}},

    [PUT_FRIEND] = {{"INSERT OR REPLACE INTO friend VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                     NULL}},
    [DELETE_FRIEND] = {{"DELETE FROM friend WHERE location = ?1", NULL}},

    [PUT_ACCOUNT] = {{"INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
                      " ON CONFLICT (id) DO UPDATE SET name = excluded.name, password = excluded.password,"
                      " fingerprint = excluded.fingerprint, key_block = excluded.key_block,"
                      " key_wrapped = excluded.key_wrapped, passphrase_wrapped = excluded.passphrase_wrapped,"
                      " settings = excluded.settings, epoch = excluded.epoch, created = excluded.created,"
                      " is_operator = excluded.is_operator",
                      NULL},
                     {"INSERT INTO counter VALUES (?1, ?12, ?13)"
                      " ON CONFLICT (account) DO UPDATE SET last_seq = max(last_seq, excluded.last_seq),"
                      " last_change = max(last_change, excluded.last_change)",
                      NULL}},
    [DELETE_ACCOUNT] = {{"DELETE FROM account WHERE id = ?1", NULL}},

    [PUT_APP_PASSWORD] = {{"INSERT OR REPLACE INTO app_password VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                           NULL}},
    [DELETE_APP_PASSWORD] = {{"DELETE FROM app_password WHERE account = ?1 AND id = ?2", NULL}},

    [PUT_CONTACT] =
        {{"INSERT INTO contact VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
          " ON CONFLICT (account, id) DO UPDATE SET handle = excluded.handle, name = excluded.name,"
          " fingerprint = excluded.fingerprint, key_block = excluded.key_block,"
          " presence = excluded.presence, created = excluded.created, change = excluded.change",
          NULL},
         RAISE_CHANGE("?9")},

    [PUT_CONVERSATION] =
        {{"INSERT INTO conversation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
          " ON CONFLICT (account, id) DO UPDATE SET contact = excluded.contact,"
          " open = excluded.open, read_seq = max(read_seq, excluded.read_seq),"
          " last_seq = max(last_seq, excluded.last_seq), closed_at = excluded.closed_at,"
          " avatar = excluded.avatar, state_text = excluded.state_text,"
          " created = excluded.created, change = excluded.change,"
          " sealed = excluded.sealed",
          NULL},
         RAISE_CHANGE("?11")},

    /* A salt's number must never come back, so salt_next is not lowered (protocol 00 19); nor a line's.
       A route that is
       stored late, when its conversation was removed, would keep its keys and stop the next start. */
    [PUT_ROUTE] =
        {{"INSERT INTO route SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
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
          "this route's conversation does not exist, or it is another account's route"}},
    [DELETE_ROUTE] = {{"DELETE FROM route WHERE id = ?2 AND account = ?1", NULL}},

    [PUT_INVITE] =
        {{"INSERT OR REPLACE INTO invite VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)", NULL},
         RAISE_CHANGE("?12")},

    [PUT_CLIENT] = {{"INSERT OR REPLACE INTO client VALUES (?1, ?2, ?3, ?4, ?5, ?6)", NULL}},
    [DELETE_CLIENT] = {{"DELETE FROM client WHERE account = ?1 AND name = ?2", NULL}},

    [PUT_LINE] = {{"UPDATE conversation SET last_seq = max(last_seq, ?2) WHERE account = ?1 AND id = ?3",
                   "the conversation of this line does not exist"},
                  {"INSERT INTO line VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)", NULL},
                  {"UPDATE counter SET last_seq = max(last_seq, ?2), last_change = max(last_change, ?12)"
                   " WHERE account = ?1",
                   NULL}},
    [SET_DELIVERY] = {{"UPDATE line SET delivery = ?3, reason = ?4, route = ?5, change = ?6"
                       " WHERE account = ?1 AND seq = ?2",
                       "this line does not exist"},
                      RAISE_CHANGE("?6")},

    [PUT_SALT] = {{"SELECT 1 FROM route WHERE id = ?1", "the route of this salt does not exist"},
                  {"INSERT OR IGNORE INTO salt VALUES (?1, ?2)", NULL}},
    [SET_SALT_NEXT] = {{"UPDATE route SET salt_next = max(salt_next, ?2) WHERE id = ?1",
                        "this route does not exist"}},

    [SET_NUMBER] = {{"UPDATE line SET delivery = 'sent', reason = '', route = ?3, number = ?4, change = ?5"
                     " WHERE account = ?1 AND seq = ?2 AND direction = 'out' AND delivery = 'queued'",
                     "this line does not exist, or is not queued"},
                    RAISE_CHANGE("?5")},
    [RAISE_NUMBER_OUT] = {{"UPDATE route SET number_out = max(number_out, ?2) WHERE id = ?1",
                           "this route does not exist"}},
    [RAISE_NUMBER_IN] = {{"UPDATE route SET number_in = max(number_in, ?2) WHERE id = ?1",
                          "this route does not exist"}},

    [REMOVE_CONTACT] = {{"DELETE FROM contact WHERE account = ?1 AND id = ?2", NULL},
                        {"INSERT OR IGNORE INTO gone VALUES (?1, 'contact', ?2, ?3)", NULL},
                        RAISE_CHANGE("?3")},
    [REMOVE_CONVERSATION] = {{"DELETE FROM conversation WHERE account = ?1 AND id = ?2", NULL},
                             {"INSERT OR IGNORE INTO gone VALUES (?1, 'conversation', ?2, ?3)", NULL},
                             RAISE_CHANGE("?3")},
    [REMOVE_INVITE] = {{"DELETE FROM invite WHERE account = ?1 AND id = ?2", NULL},
                       {"INSERT OR IGNORE INTO gone VALUES (?1, 'invite', ?2, ?3)", NULL},
                       RAISE_CHANGE("?3")},
};

struct statements {
    sqlite3 *database;
    sqlite3_stmt *kept[OPERATIONS][STEPS];
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
    free(statements);
}

static bool run_step(sqlite3 *database, sqlite3_stmt *statement, const struct step *step,
                     const struct value *values, int count, struct error **error)
{
    int used = sqlite3_bind_parameter_count(statement);
    int code = used <= count ? SQLITE_OK : SQLITE_RANGE;
    for (int i = 0; i < used && code == SQLITE_OK; i++)
        code = value_bind(statement, i + 1, &values[i]);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);

    bool done = code == SQLITE_ROW || code == SQLITE_DONE;
    if (!done)
        database_failed(database, error);
    else if (step->needs != NULL && code == SQLITE_DONE && sqlite3_changes(database) == 0)
        done = error_set(error, ERROR_NOT_FOUND, "%s", step->needs);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return done;
}

static bool run_operation(struct statements *statements, uint8_t operation, const struct value *values,
                          int count, struct error **error)
{
    for (size_t i = 0; i < STEPS && operations[operation][i].sql != NULL; i++) {
        const struct step *step = &operations[operation][i];
        sqlite3_stmt **kept = &statements->kept[operation][i];
        if (*kept == NULL)
            *kept = database_prepare(statements->database, step->sql, error);
        if (*kept == NULL || !run_step(statements->database, *kept, step, values, count, error))
            return false;
    }
    statements->wiped |= operation == PUT_ROUTE || operation == PUT_INVITE;
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
