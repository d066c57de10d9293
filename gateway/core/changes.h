/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_CHANGES_H
#define RETROGATE_CORE_CHANGES_H

#include "core/session.h"

/* The account's changes as clients pull them: recent ones from a ring in memory, older ones from the store
 * merged with the objects in memory. */

enum { PULL_BYTES = 768 * 1024 }; /* of the 1 MiB that a line of the JSON form has */

/* A line as the store has it, with its texts behind it. free() frees it. */
struct kept_line {
    struct line_row row;
    uint8_t memory[];
};

struct kept_line *
kept_line_new(const struct line_row *row); /* NULL without memory, or when it is not UTF-8 */

/* Remembers a committed change. Takes the reference of `object`. */
void ring_put(struct account *account, int64_t change, const char *kind, json_t *object);
/* Takes the line. */
void ring_put_line(struct account *account, struct kept_line *line);
/* The remembered line, so that a change of its delivery need not read it; NULL: not remembered. */
const struct kept_line *ring_line(struct account *account, int64_t seq);
/* The remembered JSON of a post, borrowed; NULL: not remembered. */
const json_t *ring_post(const struct account *account, int64_t seq);
/* A change of a line or post that is not remembered: clients below it read from the store. */
void ring_forget_before(struct account *account, int64_t change);
void ring_clear(struct account *account);

bool do_changes(struct call *call, struct error **error);
bool do_history(struct call *call, struct error **error);
bool do_search(struct call *call, struct error **error);

/* The newest committed line; account->last_seq may be one on its way. */
int64_t newest_line(const struct account *account);

/* The JSON of the contract. New references; NULL without memory. */
json_t *json_of_account(const struct account *account);
json_t *json_of_contact(const struct contact *contact);
json_t *json_of_conversation(const struct conversation *conversation);
json_t *json_of_invite(const struct invite *invite);
json_t *json_of_line(const struct account *account, const struct line_row *row);
json_t *json_of_friend(const struct gateway *gateway, const struct friend *entry);

#endif
