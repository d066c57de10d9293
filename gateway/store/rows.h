/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_ROWS_H
#define RETROGATE_STORE_ROWS_H

#include "store/store.h"
#include "store/values.h"

/* Rows that are read in more than one place: their columns, and what they are made of. */

#define LINE_COLUMNS                                                                                         \
    "account, seq, conversation, route, direction, text, time, peer_time, delivery, reason, label, change, " \
    "number"
enum { LINE_WIDTH = 13 };
struct line_row line_of(const struct value values[LINE_WIDTH]);
/* Leaves out the lines of a conversation that is being removed. */
#define LINE_NOT_PURGED                                                                                      \
    " AND NOT EXISTS (SELECT 1 FROM purge WHERE purge.account = line.account AND purge.kind = 'lines'"       \
    " AND purge.id = line.conversation)"

/* A post without its message, which comes as one column more. */
#define POST_COLUMNS                                                                                         \
    "post.account, post.seq, direction, kind, contact, subject, preview, sender, receivers, copies,"         \
    " message_id, wire_id, in_reply_to, thread, time, peer_time, size, attachments, blob, seen, answered,"   \
    " flagged, is_signed, verdict, protection, level, label, options, change"
enum { POST_WIDTH = 30 };
struct post_row post_of(const struct value values[POST_WIDTH]);
/* The oldest post with this id, or NULL. */
#define POST_NAMED(account_, id)                                                                             \
    "coalesce((SELECT min(seq) FROM post INDEXED BY post_message_id WHERE account = " account_               \
    " AND message_id = " id " AND message_id <> ''),"                                                        \
    " (SELECT min(seq) FROM post INDEXED BY post_wire_id WHERE account = " account_ " AND wire_id = " id     \
    " AND wire_id <> ''))"

#define DELIVERY_COLUMNS                                                                                     \
    "account, seq, contact, address, delivery, protection, level, reason, message_id, until, since, next,"   \
    " warned, options"
enum { DELIVERY_WIDTH = 14 };
struct delivery_row delivery_of(const struct value values[DELIVERY_WIDTH]);

#endif
