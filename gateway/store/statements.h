/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_STATEMENTS_H
#define RETROGATE_STORE_STATEMENTS_H

#include "base/error.h"
#include "store/values.h"

/* What a batch can ask for. Each is one or more statements over the same parameters, in statements.c. */
enum operation {
    PUT_NODE,
    PUT_FRIEND,
    DELETE_FRIEND,
    PUT_ACCOUNT,
    DELETE_ACCOUNT,
    PUT_APP_PASSWORD,
    DELETE_APP_PASSWORD,
    PUT_CONTACT,
    PUT_CONVERSATION,
    PUT_ROUTE,
    DELETE_ROUTE,
    PUT_INVITE,
    PUT_CLIENT,
    DELETE_CLIENT,
    PUT_LINE,
    SET_DELIVERY,
    SET_DELIVERED,
    PUT_SALT,
    SET_SALT_NEXT,
    SET_NUMBER,
    RAISE_NUMBER_OUT,
    RAISE_NUMBER_IN,
    REMOVE_CONTACT,
    REMOVE_CONVERSATION,
    REMOVE_INVITE,
    PUT_POST,
    REPLACE_POST,
    SET_POST_FLAGS,
    SET_POST_CHANGE,
    REMOVE_POST,
    PUT_DELIVERY,
    PUT_POST_MARK,
    PUT_POST_LINK,
    PUT_POST_WAY,
    DELETE_POST_WAY,
    LOWER_POSTS,
    OPERATIONS
};

/* Appends an operation with its parameters, ?1 first. */
void operation_write(struct buffer *batch, enum operation operation, const struct value *values,
                     size_t count);

/* The statements of one connection, prepared at their first use and kept. */
struct statements;
struct statements *statements_new(sqlite3 *database); /* NULL without memory */
void statements_free(struct statements *statements);

/* Does all operations of a batch, or stops at the first that fails. The caller holds the transaction, and
 * before it commits, or keeps a savepoint, calls statements_finish(); when it rolls back,
 * statements_forget().
 */
bool statements_run(struct statements *statements, struct bytes batch, struct error **error);
bool statements_finish(struct statements *statements, struct error **error);
void statements_forget(struct statements *statements);
/* Has a row been put since the last call that may have wiped a secret? Its old form stands in the log. */
bool statements_wiped(struct statements *statements);

#endif
