/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/commands.h"

enum {
    SEARCH_DEFAULT = 50,
    SEARCH_MOST = 200,
    SEARCHES_MAX = 4, /* of an account at a time: each holds up other reads for some milliseconds */
};

struct search {
    struct call *call;
    struct account *account;
    json_t *lines;
    size_t bytes;
    int64_t last; /* the oldest of them */
    bool cut;     /* the rest does not fit a line of the JSON form */
};

static void found(void *arg, const struct line_row *row)
{
    struct search *search = arg;
    struct conversation *conversation = NULL;
    HASH_FIND(hh, search->account->conversations, &row->conversation, sizeof row->conversation, conversation);
    json_t *line = conversation != NULL && !search->cut ? json_of_line(search->account, row) : NULL;
    if (line == NULL)
        return;
    json_object_set_new(line, "handle", json_string(conversation->contact->naming.handle));
    search->bytes += json_dumpb(line, NULL, 0, JSON_COMPACT);
    search->cut = json_array_size(search->lines) > 0 && search->bytes > PULL_BYTES;
    if (search->cut) {
        json_decref(line);
        return;
    }
    search->last = row->seq;
    json_array_append_new(search->lines, line);
}

static void searched(void *arg, int64_t before, bool more, const struct error *error)
{
    struct search *search = arg;
    search->account->searches--;
    if (error != NULL)
        call_fail_copy(search->call, error);
    else
        call_done(search->call,
                  json_pack("{s:O,s:I,s:b}", "lines", search->lines, "before",
                            (json_int_t)(search->cut ? search->last : before), "more", more || search->cut));
    json_decref(search->lines);
    free(search);
}

bool do_search(struct call *call, struct error **error)
{
    struct account *account = call->account;
    const char *text = arg_text(call, "text");
    struct conversation *conversation = arg_has(call, "conversation") ? arg_conversation(call, error) : NULL;
    int64_t max = arg_int(call, "max", SEARCH_DEFAULT);
    if (arg_has(call, "conversation") && conversation == NULL)
        return false;
    if (text[0] == '\0' || strlen(text) > STORE_WORDS_LIMIT)
        return error_set(error, ERROR_INVALID, "search: a text of 1 to %d bytes", STORE_WORDS_LIMIT);
    if (max < 1 || max > SEARCH_MOST)
        return error_set(error, ERROR_INVALID, "search: max from 1 to %d", SEARCH_MOST);
    if (account->searches >= SEARCHES_MAX)
        return error_set(error, ERROR_LIMIT, "%d searches are under way; wait for their answers",
                         SEARCHES_MAX);
    struct search *search = calloc(1, sizeof *search);
    if (search == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *search = (struct search){.call = call, .account = account, .lines = json_array()};
    account->searches++;
    store_search(call->gateway->store,
                 &(struct store_search){.account = account->id,
                                        .conversation = conversation != NULL ? conversation->id : 0,
                                        .text = text,
                                        .before = arg_int(call, "before", INT64_MAX),
                                        .max = (unsigned)max},
                 found, searched, search);
    return true;
}
